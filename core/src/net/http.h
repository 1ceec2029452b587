/*
 * HTTP/1.1 requests to one server: a pool of connections that are kept for the next request and closed
 * when nothing needs them. A body is sent once and never again: whether a request may be repeated is
 * not for this layer to know. I/O thread only; never blocks it.
 *
 * Libcurl only dials here, as for all connections (net/dial.h). Its own HTTP repeats a write by itself
 * on a connection that has rested, does not say what of a request can have reached the server, and has
 * other words for the faults of TLS and proxies; and 7.88.1, tried, connects anew where it is given a
 * connection that is made already.
 */
#ifndef COORD_NET_HTTP_H
#define COORD_NET_HTTP_H

#include "base/buf.h"
#include "coord/error.h"
#include "net/dial.h"

typedef struct coord__http_config {
  coord__loop *loop;
  const char *host; /* name, IPv4, or IPv6 without brackets; ignored with unix_path */
  int port;
  const char *unix_path; /* NULL: TCP */
  const char *proxy;     /* NULL or "": none */
  coord__tls *tls;       /* NULL: none; outlives it */
  int64_t connect_timeout_ms;
  int tcp_user_timeout_ms; /* 0: the system's */
  size_t kept;             /* connections to keep for the next request, at most */
  int64_t idle_ns;         /* those that were not needed for this long are closed */
} coord__http_config;

typedef struct coord__http coord__http;
typedef struct coord__http_request coord__http_request;

typedef struct coord__http_end {
  coord_code code; /* COORD_OK: an answer came to its end, see request->status */
  const char *why; /* never NULL; valid during the callback */
  bool unsent;     /* proven that the server cannot have seen the whole request */
  bool silent;     /* the server has ended the connection, and has never said anything on it */
} coord__http_end;

enum { COORD__HTTP_HEADERS = 4, COORD__HTTP_WHY = 512 };

/* Owned by who starts it, at rest until it has ended. */
struct coord__http_request {
  const char *path;
  const uint8_t *body; /* NULL: a GET */
  size_t body_len;
  const char *headers[COORD__HTTP_HEADERS]; /* "Name: value", up to a NULL */
  int64_t timeout_ms;                       /* 0: none */
  size_t max_bytes; /* of an answer, more end it with COORD_TOO_LARGE; 0: no limit */
  /* More of the answer has come to `in`; may be NULL. */
  void (*progress)(coord__http_request *request);
  /* The end, once; `in` may hold what was not looked at yet. */
  void (*done)(coord__http_request *request, const coord__http_end *end);
  int status; /* 0: none yet */
  char content_type[48];
  coord__buf in; /* the owner takes out what it likes, and frees it */
  /* private */
  coord__http *http;
  struct http_conn *conn; /* NULL: it has ended */
  coord__list link;       /* in the pool's open or ended ones */
  coord__list news;
  coord__timer timer;
  coord__buf head; /* with the body, when that is short */
  size_t rest;     /* bytes of the body that are not there */
  size_t sent;     /* bytes of head and rest that the connection took */
  bool held;       /* paused by the owner */
  coord__http_end end;
  char why[COORD__HTTP_WHY];
};

/* The texts of the config are to outlive it. NULL when memory is out. */
coord__http *coord__http_open(const coord__http_config *config);
/* Abandons what is under way. Legal in every callback. */
void coord__http_close(coord__http *http);
/* False when memory is out. No callback comes from within. */
bool coord__http_start(coord__http *http, coord__http_request *request);
/* `done` is not called any more; the connection is closed, unless the request has ended. */
void coord__http_abandon(coord__http_request *request);
/* What comes meanwhile stays where it is: on the way, but for a little. */
void coord__http_pause(coord__http_request *request, bool paused);
/* See coord__http_end. */
bool coord__http_unsent(const coord__http_request *request);

#endif
