/*
 * Calls and streams to a cluster: endpoints, connections, failover, deadlines, repeating what is
 * safe to repeat. I/O thread only.
 */
#ifndef COORD_RPC_RPC_H
#define COORD_RPC_RPC_H

#include <stdatomic.h>

#include "base/log.h"
#include "rpc/channel.h"
#include "rpc/discovery.h"
#include "rpc/identity.h"
#include "rpc/target.h"
#include "rpc/wire.h"

/* How calls are tried again. */
typedef struct coord__retry {
  int max_attempts; /* of one call */
  int64_t initial_delay_ns;
  int64_t max_delay_ns;
  int multiplier_percent;
  int jitter_percent;
} coord__retry;

typedef struct coord__rpc_config {
  const coord__wire *wire;
  coord__endpoints endpoints; /* owned by the rpc from coord__rpc_init on */
  const char *dns_servers;    /* as the option; only for endpoints that DNS tells */
  coord__link_config link;    /* endpoint is filled in for each link */
  coord__retry retry;
  /* For the lane of watches: silence before a link is asked for a sign of life, and time for that; for
   * wires whose streams cannot be asked. 0: as in `link`. */
  int64_t watch_silence_ns;
  int64_t attempt_timeout_ms; /* silence after which an endpoint is ejected, if there are others */
  coord__probe probe;
  /* What a status of the server means; flags: COORD_RETRIABLE, COORD_MAYBE_APPLIED. */
  coord_code (*classify)(int grpc_status, const char *message, bool read_only, uint32_t *flags);
  coord__identity *identity; /* NULL: calls go without a token */
  /* What an encoded request is about (" of \"key\""), for refusals of permission; may be NULL. */
  void (*describe)(const coord__method *method, const uint8_t *message, size_t len, char *out,
                   size_t size);
  /* What happens to endpoints (COORD_STATE_...), by coord__rpc_state; may be NULL. */
  void (*state)(void *user, int state, const char *endpoint, coord_code code, const char *why);
  void *state_user;
} coord__rpc_config;

/* Counters for the statistics; read by any thread. */
typedef struct coord__rpc_counters {
  atomic_llong connected;
  atomic_llong connect_failed;
  atomic_llong connections_lost;
  atomic_llong connections;
  atomic_llong retries;
  atomic_llong ejections;
} coord__rpc_counters;

/* Endpoints that took the place of others. All are kept: connections and errors name them. */
typedef struct coord__endpoint_set {
  struct coord__endpoint_set *before;
  coord__endpoints endpoints;
} coord__endpoint_set;

typedef struct coord__rpc coord__rpc;
struct coord__rpc {
  coord__loop *loop;
  coord__log *log;
  coord__rpc_config config;              /* with the endpoints that count now */
  coord__endpoints first;                /* those that it began with */
  _Atomic(coord__endpoint_set *) newest; /* NULL: the first ones count */
  coord__discovery discovery;
  coord__rpc_counters counters;
  coord__target **targets; /* of the endpoints that count now, in their order */
  size_t target_count;
  coord__channel channels[COORD__LANES];
  coord__list carriers;
  coord__list held_calls; /* wait for the identity */
  coord__list held_streams;
  bool closed;
  /* Told when an endpoint could not be reached for the first time, and once one is: for opening a
   * client. */
  void (*connect_result)(void *user, coord_code code, const char *why, const char *endpoint);
  void *user;
};

/* ---- unary calls ---- */

typedef struct coord__call coord__call;
struct coord__call {
  coord__list link;
  coord__rpc *rpc;
  const coord__method *method;
  coord__buf request; /* owned; COORD__FRAME_HEADROOM bytes of room, then the message */
  bool repeatable;    /* reads, and writes marked idempotent */
  bool read_only;
  bool needs_leader;   /* a server without a leader may refuse it at once */
  int64_t deadline_ns; /* 0: none */
  /* The end, once: code, error (owned by the callee) and response (likewise) are filled in. */
  void (*done)(coord__call *call);
  coord_code code;
  coord_error *error;
  coord__buf response;
  const char *endpoint; /* that answered last, or NULL; lives as long as the rpc */
  /* private */
  coord__timer timer;
  coord__attempt attempt;
  coord__carrier *carrier;
  bool sent;          /* the try under way has left, as far as is known */
  bool maybe_applied; /* an earlier try may have reached the server */
  bool held;          /* waits for the identity */
  int refusals;       /* tries that failed for their token */
  int tries;          /* that failed otherwise */
  int pauses;         /* before tries */
  int64_t resume_ns;  /* the end of the pause; 0: in none */
  int64_t sent_ns;    /* the try under way */
  uint64_t login;     /* that the try under way went with */
};

/* ---- streams ---- */

typedef struct coord__stream coord__stream;
struct coord__stream {
  coord__list link;
  coord__rpc *rpc;
  coord__lane lane;
  /* Messages may be sent; may be NULL. Once more after the server has refused to open it for an old
   * token: nothing was heard of what was sent until then. */
  void (*opened)(coord__stream *stream);
  void (*message)(coord__stream *stream, const uint8_t *p, size_t n);
  /* The end; not after coord__stream_end. err is owned by the callee. */
  void (*closed)(coord__stream *stream, coord_code code, coord_error *err);
  /* private */
  coord__wire_stream wire;
  coord__carrier *carrier;
  bool heard; /* a message has come */
  int refusals;
  uint64_t login;
};

/* Takes the endpoints of the config. False: memory is out, and nothing was taken. */
bool coord__rpc_init(coord__rpc *rpc, coord__loop *loop, coord__log *log,
                     const coord__rpc_config *config);
/* End everything with COORD_CLOSED and let go of the connections. Calls come back through `done`. */
void coord__rpc_close(coord__rpc *rpc);
void coord__rpc_free(coord__rpc *rpc);
/* From now on these count, which are taken over; links to others finish their calls, their streams
 * end. False: memory is out, and nothing has changed. */
bool coord__rpc_set_endpoints(coord__rpc *rpc, coord__endpoints *endpoints);
/* Those that count now. Any thread. */
const coord__endpoints *coord__rpc_endpoints(const coord__rpc *rpc);
/* Connect the lane of calls without a call. */
void coord__rpc_connect(coord__rpc *rpc);

/* Start. `done` may come from within, when the client is closed. */
void coord__call_start(coord__rpc *rpc, coord__call *call);
/* End a call under way with `code` and `why`; `done` comes from within. */
void coord__call_end(coord__call *call, coord_code code, const char *why);

/* Open a stream of `method`; opened or closed comes later, or from within. */
void coord__stream_open(coord__rpc *rpc, coord__stream *stream, const coord__method *method);
/* Send one message: COORD__FRAME_HEADROOM bytes of room, then the message. `last`: no other follows.
 * Only once it is opened; while it is being opened again, it goes nowhere. False: memory is out. */
bool coord__stream_send(coord__stream *stream, uint8_t *frame, size_t len, bool last);
void coord__stream_pause(coord__stream *stream, bool paused);
/* When the server last sent something on it, also a part of a message; 0: it has not. */
int64_t coord__stream_heard_ns(const coord__stream *stream);
/* End it from our side, in any state. No callback follows. */
void coord__stream_end(coord__stream *stream);

/* The same because nothing comes of it: its connection, or the one that it waits for, is given up, with
 * all that is on it, so that what is opened next goes to another endpoint, or by another connection. */
void coord__stream_leave(coord__stream *stream, const char *why);
/* The server has not answered on it for too long: its connection is given up, with all that is on it.
 * `closed` comes from within. False: it has no connection now. */
bool coord__stream_abandon(coord__stream *stream, const char *why);

/* The server has said in a message of the stream (a reason for which it cancels a watch) what may be
 * about the token. True: it is; a stream opened from now on goes with a new one. */
bool coord__stream_refused(coord__stream *stream, const char *message);

/* ---- for the identity ---- */

/* What is held may go on. Not from within a callback of the identity. */
void coord__rpc_release(coord__rpc *rpc);
/* It ends with this code, and the words of `failure` (NULL: memory is out). */
void coord__rpc_refuse(coord__rpc *rpc, coord_code code, const coord_error *failure);
bool coord__rpc_holds(const coord__rpc *rpc);

/* ---- between channel.c, target.c, call.c and stream.c ---- */

/* How often a token may be refused before that is the answer. A call is tried elsewhere each time, a
 * stream takes the next endpoint each so many times. */
enum { COORD__REFUSALS_MAX = 50, COORD__REFUSALS_TO_AVOID = 8 };

bool coord__call_try(coord__call *call, coord__carrier *carrier);
/* Whether it may go elsewhere although its answer may still come. */
bool coord__call_may_move(const coord__call *call);
void coord__call_move(coord__call *call);
void coord__call_refuse(coord__call *call, coord_code code, const coord_error *failure);
bool coord__stream_try(coord__stream *stream, coord__carrier *carrier);
void coord__stream_fail(coord__stream *stream, coord_code code, const char *why,
                        const char *endpoint);
/* End it on its link and tell its owner, who may go on elsewhere. */
void coord__stream_cut(coord__stream *stream, const char *why);
void coord__stream_refuse(coord__stream *stream, coord_code code, const coord_error *failure);

#endif
