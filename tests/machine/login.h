/* A wire that exists only here, with a server that is played by hand and asks who is there. */
#ifndef COORD_TEST_LOGIN_H
#define COORD_TEST_LOGIN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "etcd.pb-c.h"
#include "etcd/auth.h"
#include "etcd/request.h"
#include "etcd/subject.h"
#include "etcd/waiter.h"
#include "machine/thread.h"
#include "support/t.h"

/* ---- the wire: a link to each lane, and what is on them ---- */

enum { SENT_MAX = 128, TOKEN_SIZE = 32, CALLS = 8 };
static const int YOUNG_MS = 100;

/* A call or stream that the fake server has before it. */
typedef struct sent {
  coord__attempt *attempt; /* one of these two */
  coord__wire_stream *stream;
  coord__link *link;
  char token[TOKEN_SIZE]; /* "-": none */
  char body[64];          /* of an attempt */
} sent;

static coord__link *current; /* the newest; NULL: closed */
static size_t links_opened, links_closed;
static sent on_link[SENT_MAX];
static size_t sent_count;
static size_t messages_sent; /* on streams */

enum { FRAMES_MAX = 256, FRAME_SIZE = 128 };
static struct {
  uint8_t bytes[FRAME_SIZE];
  size_t len;
} frames[FRAMES_MAX]; /* the first of those messages; longer ones are cut */

static inline size_t fake_capacity(const coord__link *link) {
  (void)link;
  return SENT_MAX - sent_count;
}

static inline size_t fake_in_flight(const coord__link *link) {
  (void)link;
  return sent_count;
}

static inline sent *take_down(coord__link *link, const char *token) {
  sent *s = &on_link[sent_count++];
  *s = (sent){.link = link};
  snprintf(s->token, sizeof s->token, "%s", token != NULL ? token : "-");
  return s;
}

static inline bool fake_call(coord__link *link, coord__attempt *attempt) {
  sent *s = take_down(link, attempt->token);
  s->attempt = attempt;
  size_t n = attempt->frame_len - COORD__FRAME_HEADROOM;
  memcpy(s->body, attempt->frame + COORD__FRAME_HEADROOM, n < sizeof s->body ? n : 0);
  attempt->exchange = (coord__exchange *)link;
  return true;
}

static inline bool fake_open_stream(coord__link *link, coord__wire_stream *stream) {
  take_down(link, stream->token)->stream = stream;
  stream->exchange = (coord__exchange *)link;
  return true;
}

static inline void take_out(size_t i) {
  sent_count--;
  memmove(&on_link[i], &on_link[i + 1], (sent_count - i) * sizeof *on_link);
}

static inline void fake_cancel(coord__attempt *attempt) {
  for (size_t i = 0; i < sent_count; i++) {
    if (on_link[i].attempt == attempt) take_out(i--);
  }
}

static inline void fake_end(coord__wire_stream *stream) {
  for (size_t i = 0; i < sent_count; i++) {
    if (on_link[i].stream == stream) take_out(i--);
  }
}

static inline bool fake_send(coord__wire_stream *stream, uint8_t *frame, size_t len, bool last) {
  (void)stream, (void)last;
  if (messages_sent < FRAMES_MAX) {
    size_t n = len - COORD__FRAME_HEADROOM;
    frames[messages_sent].len = n < FRAME_SIZE ? n : FRAME_SIZE;
    memcpy(frames[messages_sent].bytes, frame + COORD__FRAME_HEADROOM, frames[messages_sent].len);
  }
  messages_sent++;
  return true;
}

static inline void finish(size_t i, const coord__outcome *outcome, coord__buf *body) {
  sent s = on_link[i];
  take_out(i);
  if (s.attempt != NULL) {
    s.attempt->done(s.attempt, outcome, body);
  } else {
    s.stream->closed(s.stream, outcome);
  }
}

static inline void fake_close(coord__link *link) {
  static const coord__outcome lost = {COORD_UNAVAILABLE, -1, -1, "lost", false};
  coord__buf none = {0};
  links_closed++;
  if (link == current) current = NULL;
  for (size_t i = 0; i < sent_count;) {
    if (on_link[i].link == link) {
      finish(i, &lost, &none);
      i = 0;
    } else {
      i++;
    }
  }
  free(link);
}

static inline coord__link *fake_open(const coord__link_config *config,
                                     const coord__link_events *told, void *user) {
  static const coord__link_ops ops = {.capacity = fake_capacity,
                                      .in_flight = fake_in_flight,
                                      .call = fake_call,
                                      .cancel = fake_cancel,
                                      .open = fake_open_stream,
                                      .send = fake_send,
                                      .end = fake_end,
                                      .close = fake_close};
  (void)config;
  current = calloc(1, sizeof *current);
  *current = (coord__link){&ops, told, user};
  links_opened++;
  return current;
}

static const coord__wire wire = {"fake", fake_open};

/* ---- the rpc, and the thread it lives on ---- */

static coord__log logger;
static coord__rpc rpc;
static coord__auth auth;
static coord__stats stats;

static inline void init(void *timeout) {
  coord__rpc_config config = {.wire = &wire,
                              .classify = coord__etcd_status,
                              .describe = coord__subject,
                              .identity = coord__auth_identity(&auth)};
  config.link.connect_timeout_ms = 5000;
  config.retry = (coord__retry){100, 20 * COORD__NS_PER_MS, 50 * COORD__NS_PER_MS, 200, 20};
  T_CODE(coord__endpoints_parse("a:1", &config.endpoints, NULL), COORD_OK);
  T_TRUE(coord__rpc_init(&rpc, loop, &logger, &config));
  coord__auth_bind(&auth, &rpc, &stats, *(int64_t *)timeout);
  coord__rpc_connect(&rpc);
}

static inline void look_link(void *found) { *(bool *)found = current != NULL; }

static inline bool has_link(void *unused) {
  (void)unused;
  bool found = false;
  on_loop(look_link, &found);
  return found;
}

static inline void do_ready(void *unused) {
  (void)unused;
  current->events->ready(current->owner);
}

static inline void start_as(const char *user, const char *password, const char *token,
                            int64_t timeout_ms) {
  T_FATAL(coord__loop_acquire(&loop, NULL) == COORD_OK);
  coord__log_init(&logger, 0);
  sent_count = messages_sent = links_opened = links_closed = 0;
  memset(&stats, 0, sizeof stats);
  T_TRUE(coord__auth_init(&auth, user, password, token));
  on_loop(init, &timeout_ms);
  T_FATAL(t_wait_until(has_link, NULL, 5000));
  on_loop(do_ready, NULL);
}

static inline void start(void) { start_as("ann", "secret", "", 5000); }

static inline void do_close(void *unused) {
  (void)unused;
  coord__rpc_close(&rpc);
  coord__auth_stop(&auth);
}

static inline void stop(void) {
  on_loop(do_close, NULL);
  T_INT(sent_count, 0);
  coord__rpc_free(&rpc);
  coord__auth_free(&auth);
  coord__stats_free(&stats);
  coord__log_free(&logger);
  coord__loop_leave(loop);
  coord__loop_release(loop);
}

/* ---- calls ---- */

typedef struct tried {
  coord__call call; /* first */
  int32_t timeout_ms;
  bool done;
} tried;

static inline void on_done(coord__call *call) {
  tried *t = (tried *)call;
  T_TRUE(!t->done);
  t->done = true;
  coord__buf_free(&call->response);
}

static inline void do_start(void *arg) {
  tried *t = arg;
  t->call = (coord__call){.method = &coord__methods[COORD__METHOD_PUT], .done = on_done};
  if (t->timeout_ms > 0) {
    t->call.deadline_ns = coord__clock_ns() + t->timeout_ms * COORD__NS_PER_MS;
  }
  T_TRUE(coord__buf_append(&t->call.request, "\0\0\0\0\0\x0a\x01k", 8));
  coord__call_start(&rpc, &t->call);
}

static inline void begin(tried *t, int32_t timeout_ms) {
  *t = (tried){.timeout_ms = timeout_ms};
  on_loop(do_start, t);
}

static inline void look_done(void *arg) {
  tried **both = arg;
  both[1] = both[0]->done ? both[0] : NULL;
}

static inline bool is_done(void *t) {
  tried *both[2] = {t, NULL};
  on_loop(look_done, both);
  return both[1] != NULL;
}

static inline void expect(tried *t, coord_code code, const char *part, uint32_t flags) {
  if (!T_TRUE(t_wait_until(is_done, t, 5000))) return;
  T_CODE(t->call.code, code);
  if (code == COORD_OK) {
    T_TRUE(t->call.error == NULL);
    return;
  }
  T_HAS(coord_error_message(t->call.error), part);
  T_INT(coord_error_flags(t->call.error), flags);
  coord_error_free(t->call.error);
}

/* ---- the server ---- */

/* How many of them are before the server, and the newest. */
typedef struct view {
  const char *method;
  size_t count;
  size_t at;
  sent newest;
} view;

static inline const coord__method *method_of(const sent *s) {
  return s->attempt != NULL ? s->attempt->method : s->stream->method;
}

static inline void look(void *arg) {
  view *v = arg;
  v->count = 0;
  for (size_t i = 0; i < sent_count; i++) {
    if (strcmp(method_of(&on_link[i])->name, v->method) != 0) continue;
    if (v->count++ == 0) v->at = i;
    v->newest = on_link[i];
  }
}

static inline view before(const char *method) {
  view v = {.method = method};
  on_loop(look, &v);
  return v;
}

typedef struct wanted {
  const char *method;
  size_t count;
} wanted;

static inline bool has_count(void *arg) {
  const wanted *w = arg;
  return before(w->method).count == w->count;
}

/* So many of a method come before the server; all of them with this token. */
static inline void arrives(const char *method, size_t count, const char *token) {
  if (!T_TRUE(t_wait_until(has_count, &(wanted){method, count}, 3000))) {
    T_FAIL("%zu of %s, not %zu", before(method).count, method, count);
    return;
  }
  if (count > 0) T_STR(before(method).newest.token, token);
}

typedef struct reply {
  const char *method;
  int status;
  const char *message;
  const char *token; /* of a login */
} reply;

static inline void do_answer(void *arg) {
  const reply *r = arg;
  view v = {.method = r->method};
  look(&v);
  if (!T_TRUE(v.count > 0)) return;
  coord__buf body = {0};
  if (r->token != NULL) {
    Etcdserverpb__AuthenticateResponse answer = ETCDSERVERPB__AUTHENTICATE_RESPONSE__INIT;
    answer.token = (char *)(uintptr_t)r->token;
    body = (coord__buf){.data = malloc(64), .cap = 64}; /* also when the library has no memory */
    body.len = etcdserverpb__authenticate_response__pack(&answer, body.data);
  }
  coord__outcome outcome = {COORD_OK, r->status, -1, r->message, false};
  coord__link *link = on_link[v.at].link;
  size_t closed = links_closed;
  finish(v.at, &outcome, &body);
  coord__buf_free(&body);
  if (links_closed == closed) link->events->changed(link->owner);
}

/* The oldest of a method is answered. */
static inline void answer(const char *method, int status, const char *message) {
  on_loop(do_answer, &(reply){method, status, message, NULL});
}

static inline void give_token(const char *token) {
  on_loop(do_answer, &(reply){"authenticate", 0, "", token});
}

static const char bad_token[] = "etcdserver: invalid auth token";

static inline void logged_in(const char *token) {
  arrives("authenticate", 1, "-");
  give_token(token);
}

static inline void do_age(void *ms) { auth.since_ns -= *(int64_t *)ms * COORD__NS_PER_MS; }

/* As if the login, or its refusal, had been so much earlier; less than 0: later. */
static inline void age(int64_t ms) { on_loop(do_age, &ms); }

static inline void settle(void) { age(YOUNG_MS + 50); }

static inline long long logins(void) {
  const coord__method_stats *m = atomic_load(&stats.methods[COORD__METHOD_AUTHENTICATE]);
  return m != NULL ? atomic_load(&m->calls) : 0;
}

#endif
