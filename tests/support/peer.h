/*
 * Peers that are no etcd, or a strange one: TCP servers on a free loopback port, in a thread of the
 * test. A raw peer says fixed bytes. A gRPC peer speaks real HTTP/2 and answers each call as the
 * first rule that fits it says; to a client that speaks HTTP/1.1 it is etcd's JSON gateway instead,
 * by the same rules.
 *
 *   static const t_rule rules[] = {
 *       {.method = "KV/Put", .times = 2, .reset = T_RESET(NGHTTP2_REFUSED_STREAM)},
 *       {.method = "KV/Put", .data = T_EMPTY_MESSAGE, .grpc_status = "0"},
 *   };
 *   t_peer *peer = t_peer_grpc(rules, 2, NULL);
 */
#ifndef COORD_TEST_PEER_H
#define COORD_TEST_PEER_H

#include <nghttp2/nghttp2.h>

#include "support/t.h"

typedef struct t_peer t_peer;

/* Bytes of a script. */
typedef struct t_bytes {
  const void *p;
  size_t n;
} t_bytes;
/* The bytes of a string literal, without the NUL at its end. */
#define T_BYTES(literal) \
  { "" literal, sizeof("" literal) - 1 }

/* --- Raw peers ---------------------------------------------------------------------------------- */

typedef struct t_raw {
  const char *what; /* for messages */
  t_bytes greeting; /* said at once */
  t_bytes answer;   /* said after the first bytes of the client */
  bool refuses;     /* the port is taken, but nobody listens: ECONNREFUSED */
  bool closes;      /* after the greeting when there is no answer, else after the answer */
  bool resets;      /* the same with a TCP reset */
} t_raw;

extern const t_raw t_raw_http1;    /* HTTP/1.1 400 to whatever comes */
extern const t_raw t_raw_tls;      /* a TLS alert, as a TLS server sends to plain text */
extern const t_raw t_raw_smtp;     /* a greeting of a mail server */
extern const t_raw t_raw_random;   /* bytes without meaning */
extern const t_raw t_raw_refuses;  /* refuses connections */
extern const t_raw t_raw_silent;   /* accepts, says nothing, stays */
extern const t_raw t_raw_closes;   /* accepts and closes */
extern const t_raw t_raw_resets;   /* accepts and resets */
extern const t_raw t_raw_settings; /* valid HTTP/2 SETTINGS, then nothing more */

t_peer *t_peer_raw(const t_raw *script);

/* --- gRPC peers --------------------------------------------------------------------------------- */

/* "No reset" must differ from code 0, hence the shift. */
#define T_RESET(code) ((int)(code) + 1)

typedef struct t_rule {
  const char *method; /* a part of the :path; NULL fits every call */
  int times;          /* how many calls it serves; 0: all */

  bool early;                  /* answers to the headers of the call, not to its end */
  bool never;                  /* no answer, the call stays open */
  int delay_ms;                /* before the answer */
  bool (*ready)(t_peer *peer); /* no answer before this says so; asked on the thread of the peer */
  int reset;                   /* T_RESET(code): RST_STREAM; after the data when there is some */
  bool goaway;                 /* GOAWAY is sent before the answer, ... */
  int last_back;               /* ... its last_stream_id lies this many calls before this one */
  int goaway_code;
  bool closes; /* the connection, after the data, without an end of the stream */

  const char *http_status;  /* NULL: 200 */
  const char *content_type; /* NULL: application/grpc; "": none */
  t_bytes data;             /* DATA as it is: the gRPC framing is the script's */
  size_t repeat;            /* DATA this many times over; 0 means once */
  const char *grpc_status;  /* NULL: none comes */
  const char *grpc_message; /* percent-encoded by the script */
  bool trailers_only;       /* status in the only HEADERS */
  bool stays_open;          /* no end of the stream after the data */

  /* To HTTP/1.1 only. There `method` fits the same names as in gRPC, or the path of another request;
   * GET /version is answered by itself unless a rule names it. Of what is above, http_status,
   * content_type, repeat, never, delay_ms, reset (of TCP), closes and stays_open hold. */
  const char *json; /* NULL: a header of revision 7 */
  t_bytes raw;      /* the whole answer, as it is */
} t_rule;

typedef struct t_h2_settings {
  uint32_t max_concurrent_streams; /* 0: no limit */
  bool deaf_to_pings;              /* PINGs are counted, not answered */
} t_h2_settings;

/* A message with nothing but a header of revision 7: a good answer to every kind of call. */
#define T_EMPTY_MESSAGE T_BYTES("\0\0\0\0\4\x0a\2\x18\7")

/* A call for which no rule is left ends with grpc-status 12. The rules are used, not copied;
 * `settings` may be NULL. */
t_peer *t_peer_grpc(const t_rule *rules, size_t n, const t_h2_settings *settings);

/* --- All peers ---------------------------------------------------------------------------------- */

/* "127.0.0.1:port", lives as long as the peer. */
const char *t_peer_endpoint(const t_peer *peer);
int t_peer_connections(t_peer *peer); /* accepted so far */
int t_peer_open_connections(t_peer *peer);
int t_peer_calls(t_peer *peer, const char *method); /* so far, whose path has this part */
int t_peer_open_calls_max(t_peer *peer);            /* most open at the same time */
int t_peer_pings(t_peer *peer);
int t_peer_resets(t_peer *peer); /* RST_STREAM frames of the client */
/* A header of the newest call, or "" ; copied to `value`. */
char *t_peer_header(t_peer *peer, const char *name, char value[256]);
/* Waits until so many calls of a method have come. */
bool t_peer_wait_calls(t_peer *peer, const char *method, int count, int ms);
void t_peer_stop(t_peer *peer);

#endif
