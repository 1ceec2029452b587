/* The gRPC wire: one HTTP/2 connection to a link. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "net/dial.h"
#include "net/h2.h"
#include "rpc/grpc.h"
#include "rpc/wire.h"

enum { MAX_SPARE = 256, STREAM_WHY = 200 };
static const int64_t DUE_NS = 20 * COORD__NS_PER_MS;

typedef struct grpc_link {
  coord__link base;
  coord__link_config config;
  coord__dial *dial; /* while connecting */
  coord__h2 *h2;     /* after that */
  coord__list spare; /* exchanges to use again */
  size_t spare_count;
  coord__list finished; /* exchanges that nobody has read to the end yet */
  size_t finished_count;
  coord__idle notify; /* the last of them is gone: a link that is being left may go */
  int64_t heard_ns;   /* when bytes of an answer last came */
  bool closing;
  char why[STREAM_WHY]; /* of the loss, for the exchanges that it ends */
} grpc_link;

struct coord__exchange {
  coord__h2_stream stream;
  coord__list link; /* in the link's spare ones, or its finished ones */
  grpc_link *owner;
  coord__attempt *attempt;    /* one of these two */
  coord__wire_stream *duplex; /* is not NULL */
  const uint8_t *out;         /* the request: of an attempt in place, */
  coord__buf out_copy;        /* of a stream copied */
  size_t out_len;
  size_t out_sent;
  bool out_end; /* nothing comes after what is there */
  coord__grpc_reader reader;
  bool *dropped; /* tells take_in that a callback has ended the exchange */
  bool paused;
  bool finished;   /* the server has ended it in order; what is held is still to be delivered */
  coord__buf held; /* bytes that came while paused */
};

/* ---- exchanges ---- */

static coord__exchange *new_exchange(grpc_link *l) {
  coord__list *node = coord__list_pop(&l->spare);
  coord__exchange *x;
  if (node != NULL) {
    x = COORD__CONTAINER(node, coord__exchange, link);
    l->spare_count--;
  } else {
    x = coord__malloc(sizeof *x);
    if (x == NULL) return NULL;
  }
  *x = (coord__exchange){.owner = l};
  coord__grpc_reader_init(&x->reader, l->config.response_max_bytes);
  return x;
}

static void drop_exchange(coord__exchange *x) {
  grpc_link *l = x->owner;
  coord__grpc_reader_reset(&x->reader);
  coord__buf_free(&x->out_copy);
  coord__buf_free(&x->held);
  coord__list_remove(&x->link);
  if (x->dropped != NULL) *x->dropped = true;
  if (x->finished && --l->finished_count == 0 && !l->closing) {
    coord__loop_defer(l->config.loop, &l->notify);
  }
  if (l->spare_count < MAX_SPARE && !l->closing) {
    coord__list_prepend(&l->spare, &x->link);
    l->spare_count++;
  } else {
    coord__free(x);
  }
}

/* Tell the owner of the exchange; it is gone then. */
static void conclude(coord__exchange *x, const coord__outcome *outcome) {
  coord__attempt *attempt = x->attempt;
  coord__wire_stream *duplex = x->duplex;
  coord__buf body = x->reader.body;
  x->reader.body = (coord__buf){0};
  char *message = x->reader.grpc_message; /* outcome->message may point there */
  x->reader.grpc_message = NULL;
  drop_exchange(x);
  if (attempt != NULL) {
    attempt->exchange = NULL;
    attempt->done(attempt, outcome, &body);
  } else {
    duplex->exchange = NULL;
    duplex->closed(duplex, outcome);
  }
  coord__buf_free(&body);
  coord__free(message);
}

static void fail_exchange(coord__exchange *x, coord_code code, const char *why) {
  int http = x->reader.http_status;
  coord__outcome outcome = {.code = code,
                            .grpc_status = x->reader.grpc_status,
                            .http_status = http > 0 && http != 200 ? http : -1,
                            .message = why};
  conclude(x, &outcome);
}

/* The stream ended in order: what did the server say? */
static void conclude_done(coord__exchange *x) {
  coord__grpc_reader *r = &x->reader;
  char why[COORD__GRPC_MESSAGE_MAX];
  if (r->http_status == 0) {
    fail_exchange(x, COORD_UNAVAILABLE, "the server ended the stream without an answer");
  } else if (r->http_status != 200) {
    snprintf(why, sizeof why, "the server answered with HTTP status %d", r->http_status);
    /* No success, whatever else it says. */
    if (r->grpc_status <= 0) {
      r->grpc_status = coord__grpc_from_http(r->http_status);
    }
    coord__outcome outcome = {.grpc_status = r->grpc_status,
                              .http_status = r->http_status,
                              .message = r->grpc_message != NULL ? r->grpc_message : why};
    if (!r->is_grpc) {
      outcome.code = r->grpc_status == 14 ? COORD_UNAVAILABLE : COORD_PROTOCOL;
    }
    conclude(x, &outcome);
  } else if (!r->is_grpc) {
    snprintf(why, sizeof why, "the content type of the answer is \"%s\", not application/grpc",
             r->content_type);
    fail_exchange(x, COORD_PROTOCOL, why);
  } else if (r->grpc_status == COORD__GRPC_NO_STATUS) {
    fail_exchange(x, COORD_UNAVAILABLE, "the answer ended without a gRPC status");
  } else if (r->grpc_status == COORD__GRPC_BAD_STATUS) {
    r->grpc_status = COORD__GRPC_NO_STATUS;
    fail_exchange(x, COORD_PROTOCOL, "the gRPC status of the answer is not a number");
  } else if (r->grpc_status == 0 && coord__grpc_is_partial(r)) {
    fail_exchange(x, COORD_PROTOCOL, "the answer ended in the middle of a message");
  } else if (r->grpc_status == 0 && x->attempt != NULL && r->messages == 0) {
    fail_exchange(x, COORD_PROTOCOL, "the answer holds no message");
  } else {
    coord__outcome outcome = {.code = COORD_OK,
                              .grpc_status = r->grpc_status,
                              .http_status = -1,
                              .message = r->grpc_message != NULL ? r->grpc_message : ""};
    if (r->grpc_status != 0 && outcome.message[0] == '\0') {
      snprintf(why, sizeof why, "the server answered with gRPC status %d and no message",
               r->grpc_status);
      outcome.message = why;
    }
    conclude(x, &outcome);
  }
}

/* ---- what comes from the HTTP/2 stream ---- */

static coord__exchange *of(coord__h2_stream *s) {
  return COORD__CONTAINER(s, coord__exchange, stream);
}

static void on_header(coord__h2_stream *s, const uint8_t *name, size_t name_len,
                      const uint8_t *value, size_t value_len) {
  of(s)->owner->heard_ns = coord__loop_now_ns(of(s)->owner->config.loop);
  coord__grpc_header(&of(s)->reader, name, name_len, value, value_len);
}

static void reset_stream(coord__exchange *x) {
  if (!x->finished) coord__h2_abort(&x->stream, NGHTTP2_CANCEL);
}

static void abort_exchange(coord__exchange *x, coord_code code, const char *why) {
  reset_stream(x);
  fail_exchange(x, code, why);
}

/* Take in bytes. Returns how many; fewer when the stream was paused or is gone (*gone). */
static size_t take_in(coord__exchange *x, const uint8_t *p, size_t n, bool *gone) {
  size_t used = 0;
  *gone = !x->reader.is_grpc;
  if (*gone) {
    /* Whatever it is, its length does not concern us. */
    reset_stream(x);
    conclude_done(x);
    return n;
  }
  while (used < n && !x->paused) {
    coord__grpc_step step = {COORD_PROTOCOL, "the server sent two messages to one call", 0, false};
    if (x->attempt == NULL || x->reader.messages == 0) {
      step = coord__grpc_read(&x->reader, p + used, n - used);
    }
    if (step.code != COORD_OK) {
      *gone = true;
      abort_exchange(x, step.code, step.fault);
      return n;
    }
    used += step.used;
    if (!step.complete || x->duplex == NULL) continue;
    x->dropped = gone;
    x->duplex->message(x->duplex, x->reader.body.data, x->reader.body.len);
    if (*gone) return n;
    x->dropped = NULL;
  }
  return used;
}

static void on_data(coord__h2_stream *s, const uint8_t *p, size_t n) {
  coord__exchange *x = of(s);
  x->owner->heard_ns = coord__loop_now_ns(x->owner->config.loop);
  if (x->duplex != NULL) x->duplex->heard_ns = x->owner->heard_ns;
  bool gone = false;
  size_t used = 0;
  if (!x->paused) used = take_in(x, p, n, &gone);
  if (gone) return;
  if (used > 0) coord__h2_consume(s, used);
  if (used < n && !coord__buf_append(&x->held, p + used, n - used)) {
    abort_exchange(x, COORD_NO_MEMORY, "memory is exhausted");
  }
}

static size_t on_read(coord__h2_stream *s, uint8_t *dst, size_t cap, bool *end) {
  coord__exchange *x = of(s);
  const uint8_t *from = x->attempt != NULL ? x->out : x->out_copy.data;
  size_t n = x->out_len - x->out_sent;
  if (n > cap) n = cap;
  if (n > 0) memcpy(dst, from + x->out_sent, n);
  x->out_sent += n;
  bool all = x->out_sent == x->out_len;
  *end = all && x->out_end;
  if (all && x->duplex != NULL) x->out_copy.len = x->out_len = x->out_sent = 0;
  return n;
}

static bool is_due(const coord__exchange *x) {
  int64_t left = x->attempt != NULL ? x->attempt->deadline_ns - coord__clock_ns() : 0;
  return x->attempt != NULL && x->attempt->deadline_ns != 0 && left < DUE_NS;
}

static void on_closed(coord__h2_stream *s, coord__h2_end how, uint32_t code) {
  coord__exchange *x = of(s);
  char why[STREAM_WHY];
  if (how == COORD__H2_DONE && x->paused && x->held.len > 0) {
    x->finished = true;
    x->owner->finished_count++;
    coord__list_append(&x->owner->finished, &x->link);
    return;
  }
  if (how == COORD__H2_DONE) {
    conclude_done(x);
    return;
  }
  coord__outcome outcome = {
      .code = COORD_UNAVAILABLE, .grpc_status = -1, .http_status = -1, .message = why};
  if (how == COORD__H2_LOST) {
    snprintf(why, sizeof why, "%s", x->owner->why);
  } else if (how == COORD__H2_UNPROCESSED) {
    snprintf(why, sizeof why, "the server refused the stream");
    outcome.unprocessed = true;
  } else {
    /* A server may end a call early with trailers and then a reset: the trailers count. */
    if (x->reader.grpc_status > 0) {
      conclude_done(x);
      return;
    }
    snprintf(why, sizeof why, "the server broke off the stream with HTTP/2 error %s",
             nghttp2_http2_strerror(code));
    if (code == NGHTTP2_CANCEL && is_due(x)) {
      /* The server has looked at grpc-timeout, and its clock was faster than ours. */
      outcome.code = COORD_TIMEOUT;
      snprintf(why, sizeof why, "the deadline passed before the answer came");
    }
  }
  conclude(x, &outcome);
}

static const coord__h2_stream_ops stream_ops = {on_header, on_data, on_read, on_closed};

/* ---- starting calls and streams ---- */

#define NV(name, value, len, flags)                                                       \
  {                                                                                       \
    (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), sizeof(name) - 1, (len), \
        NGHTTP2_NV_FLAG_NO_COPY_NAME | (flags)                                            \
  }
#define FIXED(name, value) NV(name, value, sizeof(value) - 1, NGHTTP2_NV_FLAG_NO_COPY_VALUE)

static bool submit(coord__exchange *x, const coord__method *method, const char *token,
                   int64_t deadline_ns) {
  grpc_link *l = x->owner;
  const char *path = method->grpc_path;
  const char *authority = l->config.endpoint->authority;
  char timeout[16];
  nghttp2_nv headers[10] = {
      FIXED(":method", "POST"),
      FIXED(":scheme", "http"), /* or https, below */
      NV(":path", path, strlen(path), NGHTTP2_NV_FLAG_NO_COPY_VALUE),
      NV(":authority", authority, strlen(authority), NGHTTP2_NV_FLAG_NO_COPY_VALUE),
      FIXED("content-type", "application/grpc"),
      FIXED("te", "trailers"),
      FIXED("user-agent", "coord-c"),
  };
  size_t n = 7;
  if (l->config.endpoint->tls) headers[1] = (nghttp2_nv)FIXED(":scheme", "https");
  if (deadline_ns != 0) {
    size_t len = coord__grpc_timeout(timeout, deadline_ns - coord__loop_now_ns(l->config.loop));
    headers[n++] = (nghttp2_nv)NV("grpc-timeout", timeout, len, 0);
  }
  if (x->duplex != NULL || x->attempt->needs_leader) {
    /* On a member that has lost its leader it would be silent: let the server end it. */
    headers[n++] = (nghttp2_nv)FIXED("hasleader", "true");
  }
  if (token != NULL) headers[n++] = (nghttp2_nv)NV("token", token, strlen(token), 0);
  return coord__h2_submit(l->h2, &x->stream, &stream_ops, headers, n);
}

static bool grpc_call(coord__link *link, coord__attempt *attempt) {
  coord__exchange *x = new_exchange((grpc_link *)link);
  if (x == NULL) return false;
  coord__grpc_put_header(attempt->frame, attempt->frame_len - COORD__GRPC_HEADER);
  x->attempt = attempt;
  x->out = attempt->frame;
  x->out_len = attempt->frame_len;
  x->out_end = true;
  if (!submit(x, attempt->method, attempt->token, attempt->deadline_ns)) {
    drop_exchange(x);
    return false;
  }
  attempt->exchange = x;
  return true;
}

static void grpc_cancel(coord__attempt *attempt) {
  coord__exchange *x = attempt->exchange;
  attempt->exchange = NULL;
  coord__h2_abort(&x->stream, NGHTTP2_CANCEL);
  drop_exchange(x);
}

static bool grpc_open(coord__link *link, coord__wire_stream *stream) {
  coord__exchange *x = new_exchange((grpc_link *)link);
  if (x == NULL) return false;
  x->duplex = stream;
  if (!submit(x, stream->method, stream->token, 0)) {
    drop_exchange(x);
    return false;
  }
  stream->exchange = x;
  return true;
}

static bool grpc_send(coord__wire_stream *stream, uint8_t *frame, size_t len, bool last) {
  coord__exchange *x = stream->exchange;
  coord__grpc_put_header(frame, len - COORD__GRPC_HEADER);
  if (!coord__buf_append(&x->out_copy, frame, len)) return false;
  x->out_len = x->out_copy.len;
  x->out_end = last;
  coord__h2_resume(&x->stream);
  return true;
}

static void grpc_pause(coord__wire_stream *stream, bool paused) {
  coord__exchange *x = stream->exchange;
  x->paused = paused;
  if (paused || x->held.len == 0) return;
  coord__buf held = x->held;
  x->held = (coord__buf){0};
  bool gone;
  size_t used = take_in(x, held.data, held.len, &gone);
  if (gone) {
    coord__buf_free(&held);
    return;
  }
  coord__buf_consume(&held, used);
  x->held = held;
  if (!x->finished) {
    coord__h2_consume(&x->stream, used);
  } else if (x->held.len == 0) {
    conclude_done(x);
  }
}

static void grpc_end(coord__wire_stream *stream) {
  coord__exchange *x = stream->exchange;
  stream->exchange = NULL;
  reset_stream(x);
  drop_exchange(x);
}

/* ---- the link ---- */

static void h2_ready(void *user) {
  grpc_link *l = user;
  l->base.events->ready(l->base.owner);
}

static void h2_changed(void *user) {
  grpc_link *l = user;
  l->base.events->changed(l->base.owner);
}

static void on_notify(coord__idle *idle) {
  grpc_link *l = COORD__CONTAINER(idle, grpc_link, notify);
  l->base.events->changed(l->base.owner);
}

static void h2_draining(void *user, bool calm) {
  grpc_link *l = user;
  l->base.events->draining(l->base.owner, calm);
}

static void lost(grpc_link *l, coord_code code, const char *why) {
  snprintf(l->why, sizeof l->why, "%s", why);
  l->base.events->lost(l->base.owner, code, why);
}

static void h2_lost(void *user, coord_code code, const char *why) { lost(user, code, why); }

static const coord__h2_ops h2_ops = {h2_ready, h2_changed, h2_draining, h2_lost};

static void dialed(void *user, coord__conn *conn, coord_code code, coord_error *err) {
  grpc_link *l = user;
  l->dial = NULL;
  if (conn != NULL) {
    coord__h2_config config = {.stream_window_bytes = l->config.stream_window_bytes,
                               .connection_window_bytes = l->config.connection_window_bytes,
                               .keepalive_interval_ns = l->config.keepalive_interval_ns,
                               .keepalive_timeout_ns = l->config.keepalive_timeout_ns};
    l->h2 = coord__h2_open(conn, &config, &h2_ops, l);
    if (l->h2 == NULL) lost(l, COORD_NO_MEMORY, "memory is exhausted");
  } else {
    lost(l, code, err != NULL ? coord_error_message(err) : "memory is exhausted");
  }
  coord_error_free(err);
}

static size_t grpc_capacity(const coord__link *link) {
  const grpc_link *l = (const grpc_link *)link;
  return l->h2 != NULL ? coord__h2_capacity(l->h2) : 0;
}

static size_t grpc_in_flight(const coord__link *link) {
  const grpc_link *l = (const grpc_link *)link;
  return l->finished_count + (l->h2 != NULL ? coord__h2_open_streams(l->h2) : 0);
}

static void grpc_close(coord__link *link) {
  grpc_link *l = (grpc_link *)link;
  if (l->closing) return;
  l->closing = true;
  coord__idle_cancel(&l->notify);
  if (l->why[0] == '\0') snprintf(l->why, sizeof l->why, "the connection was closed");
  if (l->dial != NULL) coord__dial_cancel(l->dial);
  if (l->h2 != NULL) coord__h2_close(l->h2);
  while (!coord__list_empty(&l->finished)) {
    fail_exchange(COORD__CONTAINER(l->finished.next, coord__exchange, link), COORD_UNAVAILABLE,
                  l->why);
  }
  for (coord__list *node; (node = coord__list_pop(&l->spare)) != NULL;) {
    coord__free(COORD__CONTAINER(node, coord__exchange, link));
  }
  coord__free(l);
}

static int64_t grpc_heard(const coord__link *link) { return ((const grpc_link *)link)->heard_ns; }

static const coord__link_ops link_ops = {grpc_capacity, grpc_in_flight, grpc_heard, grpc_call,
                                         grpc_cancel,   grpc_open,      grpc_send,  grpc_pause,
                                         grpc_end,      grpc_close};

static coord__link *grpc_link_open(const coord__link_config *config,
                                   const coord__link_events *events, void *owner) {
  grpc_link *l = coord__calloc(1, sizeof *l);
  if (l == NULL) return NULL;
  l->base = (coord__link){&link_ops, events, owner};
  l->config = *config;
  coord__list_init(&l->spare);
  coord__list_init(&l->finished);
  l->notify.run = on_notify;
  coord__dial_target target = {.host = config->endpoint->host,
                               .port = config->endpoint->port,
                               .unix_path = config->endpoint->unix_path,
                               .proxy = config->proxy,
                               .tls = config->endpoint->tls ? config->tls : NULL,
                               .timeout_ms = config->connect_timeout_ms,
                               .tcp_user_timeout_ms = config->tcp_user_timeout_ms};
  l->dial = coord__dial_start(config->loop, &target, dialed, l);
  if (l->dial == NULL) {
    coord__free(l);
    return NULL;
  }
  return &l->base;
}

const coord__wire coord__wire_grpc = {"grpc", grpc_link_open};
