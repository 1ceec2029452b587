/*
 * The seam between calls and the way they travel. A wire makes links: one link is one way to one
 * endpoint. I/O thread only.
 */
#ifndef COORD_RPC_WIRE_H
#define COORD_RPC_WIRE_H

#include <stdbool.h>

#include "base/buf.h"
#include "net/loop.h"
#include "net/tls.h"
#include "rpc/endpoint.h"
#include "rpc/method.h"

/* How one try of a call, or a stream, ended. */
typedef struct coord__outcome {
  coord_code code;     /* COORD_OK: the server answered, see grpc_status */
  int grpc_status;     /* -1: none came */
  int http_status;     /* -1: none came, or 200 */
  const char *message; /* never NULL; valid during the callback */
  bool unprocessed;    /* proven that the server did nothing with it */
} coord__outcome;

typedef struct coord__exchange coord__exchange; /* the wire's own state of a call or stream */

/* One try of a unary call. The caller owns it and all it points to until it is done. */
typedef struct coord__attempt {
  const coord__method *method;
  uint8_t *frame; /* COORD__FRAME_HEADROOM bytes for the wire, then the message */
  size_t frame_len;
  int64_t deadline_ns; /* 0: none */
  const char *token;   /* NULL: none; to be copied by the call that starts it */
  bool needs_leader;   /* a server without a leader is to refuse it at once */
  /* The end, never from within the call that started it. With code COORD_OK and grpc_status 0,
   * `body` is the answer, to be taken or left. */
  void (*done)(struct coord__attempt *attempt, const coord__outcome *outcome, coord__buf *body);
  coord__exchange *exchange;
} coord__attempt;

/* One stream of messages both ways. */
typedef struct coord__wire_stream {
  const coord__method *method;
  const char *token; /* as in an attempt */
  /* One message from the server, valid during the callback. */
  void (*message)(struct coord__wire_stream *stream, const uint8_t *p, size_t n);
  /* The end; nothing follows. */
  void (*closed)(struct coord__wire_stream *stream, const coord__outcome *outcome);
  int64_t heard_ns; /* when bytes for it last came, also of a message that is not whole; 0: never */
  coord__exchange *exchange;
} coord__wire_stream;

typedef struct coord__link coord__link;

/* What a link tells its owner. None is called from within coord__wire.open. */
typedef struct coord__link_events {
  void (*ready)(void *owner);
  void (*changed)(void *owner);                                /* look at capacity again */
  void (*draining)(void *owner, bool calm);                    /* as in net/h2.h */
  void (*lost)(void *owner, coord_code code, const char *why); /* to be closed now */
} coord__link_events;

typedef struct coord__link_config {
  coord__loop *loop;
  const coord__endpoint *endpoint; /* outlives the link */
  const char *proxy;               /* outlives the link; "" none */
  coord__tls *tls;                 /* for endpoints with TLS; outlives the link */
  int64_t connect_timeout_ms;
  int tcp_user_timeout_ms;
  int32_t stream_window_bytes;
  int32_t connection_window_bytes;
  int64_t keepalive_interval_ns;
  int64_t keepalive_timeout_ns;
  size_t response_max_bytes;
  size_t gateway_max_connections;
  int64_t gateway_idle_ns;
} coord__link_config;

typedef struct coord__link_ops {
  /* Calls and streams that may be started now. */
  size_t (*capacity)(const coord__link *link);
  /* Those that have not ended, or were not read to their end. */
  size_t (*in_flight)(const coord__link *link);
  /* When bytes of an answer last came, by coord__clock_ns. */
  int64_t (*heard)(const coord__link *link);
  /* Start. False: not possible on this link, nothing was kept. */
  bool (*call)(coord__link *link, coord__attempt *attempt);
  /* Give up: `done` is not called any more. */
  void (*cancel)(coord__attempt *attempt);
  bool (*open)(coord__link *link, coord__wire_stream *stream);
  /* Send a message: `frame` as in an attempt, copied; `last`: no other follows. False: memory is
   * out. */
  bool (*send)(coord__wire_stream *stream, uint8_t *frame, size_t len, bool last);
  /* Stop delivering and let the peer feel it; go on. */
  void (*pause)(coord__wire_stream *stream, bool paused);
  /* End it: `closed` is not called any more. */
  void (*end)(coord__wire_stream *stream);
  /* End all exchanges with code COORD_UNAVAILABLE and free the link. Legal in every callback. */
  void (*close)(coord__link *link);
} coord__link_ops;

/* Every link begins with this. */
struct coord__link {
  const coord__link_ops *ops;
  const coord__link_events *events;
  void *owner;
};

typedef struct coord__wire {
  const char *name; /* value of the option "wire" */
  /* NULL when memory is out. */
  coord__link *(*open)(const coord__link_config *config, const coord__link_events *events,
                       void *owner);
} coord__wire;

extern const coord__wire coord__wire_grpc;

/*
 * etcd's JSON gateway. What it cannot do ends with COORD_UNSUPPORTED. A request there has one message
 * and then its answers, so a stream is many requests: each message sent begins one, with a connection
 * of its own while it lasts.
 * - A watch is created with the watch_id that it asks for, or the next free one; the answers to two
 *   messages may come in either order.
 * - Cancelling a watch ends its request, and is answered here.
 * - A request for progress is passed over.
 */
extern const coord__wire coord__wire_gateway;

#endif
