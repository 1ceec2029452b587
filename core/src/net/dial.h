/*
 * Making connections with libcurl (names, all addresses at once, proxies, unix sockets), which then
 * leaves the socket to us; and TLS over them, when that is wanted. I/O thread only; never blocks it.
 */
#ifndef COORD_NET_DIAL_H
#define COORD_NET_DIAL_H

#include "net/conn.h"
#include "net/tls.h"

typedef struct coord__dial_target {
  const char *host; /* name, IPv4, or IPv6 without brackets; ignored with unix_path */
  int port;
  const char *unix_path; /* NULL: TCP */
  const char *proxy;     /* NULL or "": none */
  coord__tls *tls;       /* NULL: none; retained */
  bool http1;            /* HTTP/1.1 is to be spoken over TLS, not HTTP/2 */
  int64_t timeout_ms;
  int tcp_user_timeout_ms; /* 0: the system's */
} coord__dial_target;

typedef struct coord__dial coord__dial;

/* Called once, never from within coord__dial_start. Either conn (the callee's now) or code and err
 * (the callee's now). The dial object is gone after it. */
typedef void (*coord__dialed_fn)(void *user, coord__conn *conn, coord_code code, coord_error *err);

/* Set up the libraries below, once for the process, before anything else here. */
void coord__dial_prepare(void);

/* The target is copied. NULL when memory is out. */
coord__dial *coord__dial_start(coord__loop *loop, const coord__dial_target *target,
                               coord__dialed_fn done, void *user);
/* `done` is not called any more. */
void coord__dial_cancel(coord__dial *dial);

#endif
