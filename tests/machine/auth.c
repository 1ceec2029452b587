/* Logging in over a wire that exists only here: who is sent with which token, and when. */
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
#include "support/t.h"

/* ---- the wire: one link, and what is on it ---- */

enum { SENT_MAX = 128, TOKEN_SIZE = 32, CALLS = 8 };
static const int YOUNG_MS = 100;

/* A call or stream that the fake server has before it. */
typedef struct sent {
  coord__attempt *attempt; /* one of these two */
  coord__wire_stream *stream;
  char token[TOKEN_SIZE]; /* "-": none */
  char body[64];          /* of an attempt */
} sent;

static coord__link *current; /* NULL: closed */
static const coord__link_events *events;
static void *owner;
static sent on_link[SENT_MAX];
static size_t sent_count;
static size_t messages_sent; /* on streams */

static size_t fake_capacity(const coord__link *link) {
  (void)link;
  return SENT_MAX - sent_count;
}

static size_t fake_in_flight(const coord__link *link) {
  (void)link;
  return sent_count;
}

static sent *take_down(const char *token) {
  sent *s = &on_link[sent_count++];
  *s = (sent){0};
  snprintf(s->token, sizeof s->token, "%s", token != NULL ? token : "-");
  return s;
}

static bool fake_call(coord__link *link, coord__attempt *attempt) {
  sent *s = take_down(attempt->token);
  s->attempt = attempt;
  size_t n = attempt->frame_len - COORD__FRAME_HEADROOM;
  memcpy(s->body, attempt->frame + COORD__FRAME_HEADROOM, n < sizeof s->body ? n : 0);
  attempt->exchange = (coord__exchange *)link;
  return true;
}

static bool fake_open_stream(coord__link *link, coord__wire_stream *stream) {
  take_down(stream->token)->stream = stream;
  stream->exchange = (coord__exchange *)link;
  return true;
}

static void take_out(size_t i) {
  sent_count--;
  memmove(&on_link[i], &on_link[i + 1], (sent_count - i) * sizeof *on_link);
}

static void fake_cancel(coord__attempt *attempt) {
  for (size_t i = 0; i < sent_count; i++) {
    if (on_link[i].attempt == attempt) take_out(i--);
  }
}

static void fake_end(coord__wire_stream *stream) {
  for (size_t i = 0; i < sent_count; i++) {
    if (on_link[i].stream == stream) take_out(i--);
  }
}

static bool fake_send(coord__wire_stream *stream, uint8_t *frame, size_t len, bool last) {
  (void)stream, (void)frame, (void)len, (void)last;
  messages_sent++;
  return true;
}

static void finish(size_t i, const coord__outcome *outcome, coord__buf *body) {
  sent s = on_link[i];
  take_out(i);
  if (s.attempt != NULL) {
    s.attempt->done(s.attempt, outcome, body);
  } else {
    s.stream->closed(s.stream, outcome);
  }
}

static void fake_close(coord__link *link) {
  static const coord__outcome lost = {COORD_UNAVAILABLE, -1, -1, "lost", false};
  coord__buf none = {0};
  T_TRUE(link == current);
  while (sent_count > 0) finish(0, &lost, &none);
  current = NULL;
  free(link);
}

static coord__link *fake_open(const coord__link_config *config, const coord__link_events *told,
                              void *user) {
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
  events = told;
  owner = user;
  return current;
}

static const coord__wire wire = {"fake", fake_open};

/* ---- the rpc, and the thread it lives on ---- */

static coord__loop *loop;
static coord__log logger;
static coord__rpc rpc;
static coord__auth auth;
static coord__stats stats;

typedef struct errand {
  coord__job job;
  coord__waiter waiter;
  void (*run)(void *arg);
  void *arg;
} errand;

static void run_errand(coord__job *job) {
  errand *e = COORD__CONTAINER(job, errand, job);
  e->run(e->arg);
  coord__waiter_signal(&e->waiter);
}

static void on_loop(void (*run)(void *), void *arg) {
  errand e = {.job.run = run_errand, .run = run, .arg = arg};
  coord__waiter_init(&e.waiter, loop, 1);
  coord__loop_post(loop, &e.job);
  coord__waiter_wait(&e.waiter);
}

static void init(void *timeout) {
  coord__rpc_config config = {.wire = &wire,
                              .classify = coord__etcd_status,
                              .describe = coord__subject,
                              .identity = coord__auth_identity(&auth)};
  config.link.connect_timeout_ms = 5000;
  T_CODE(coord__endpoints_parse("a:1", &config.endpoints, NULL), COORD_OK);
  coord__rpc_init(&rpc, loop, &logger, &config);
  coord__auth_bind(&auth, &rpc, &stats, *(int64_t *)timeout);
  coord__rpc_connect(&rpc);
}

static void look_link(void *found) { *(bool *)found = current != NULL; }

static bool has_link(void *unused) {
  (void)unused;
  bool found = false;
  on_loop(look_link, &found);
  return found;
}

static void do_ready(void *unused) {
  (void)unused;
  events->ready(owner);
}

static void start_as(const char *user, const char *password, const char *token,
                     int64_t timeout_ms) {
  T_FATAL(coord__loop_acquire(&loop, NULL) == COORD_OK);
  coord__log_init(&logger, 0);
  sent_count = messages_sent = 0;
  stats = (coord__stats){0};
  T_TRUE(coord__auth_init(&auth, user, password, token));
  on_loop(init, &timeout_ms);
  T_FATAL(t_wait_until(has_link, NULL, 5000));
  on_loop(do_ready, NULL);
}

static void start(void) { start_as("ann", "secret", "", 5000); }

static void do_close(void *unused) {
  (void)unused;
  coord__rpc_close(&rpc);
  coord__auth_stop(&auth);
}

static void stop(void) {
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

static void on_done(coord__call *call) {
  tried *t = (tried *)call;
  T_TRUE(!t->done);
  t->done = true;
  coord__buf_free(&call->response);
}

static void do_start(void *arg) {
  tried *t = arg;
  t->call = (coord__call){.method = &coord__methods[COORD__METHOD_PUT], .done = on_done};
  if (t->timeout_ms > 0) {
    t->call.deadline_ns = coord__clock_ns() + t->timeout_ms * COORD__NS_PER_MS;
  }
  T_TRUE(coord__buf_append(&t->call.request, "\0\0\0\0\0\x0a\x01k", 8));
  coord__call_start(&rpc, &t->call);
}

static void begin(tried *t, int32_t timeout_ms) {
  *t = (tried){.timeout_ms = timeout_ms};
  on_loop(do_start, t);
}

static void look_done(void *arg) {
  tried **both = arg;
  both[1] = both[0]->done ? both[0] : NULL;
}

static bool is_done(void *t) {
  tried *both[2] = {t, NULL};
  on_loop(look_done, both);
  return both[1] != NULL;
}

static void expect(tried *t, coord_code code, const char *part, uint32_t flags) {
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

static const coord__method *method_of(const sent *s) {
  return s->attempt != NULL ? s->attempt->method : s->stream->method;
}

static void look(void *arg) {
  view *v = arg;
  v->count = 0;
  for (size_t i = 0; i < sent_count; i++) {
    if (strcmp(method_of(&on_link[i])->name, v->method) != 0) continue;
    if (v->count++ == 0) v->at = i;
    v->newest = on_link[i];
  }
}

static view before(const char *method) {
  view v = {.method = method};
  on_loop(look, &v);
  return v;
}

typedef struct wanted {
  const char *method;
  size_t count;
} wanted;

static bool has_count(void *arg) {
  const wanted *w = arg;
  return before(w->method).count == w->count;
}

/* So many of a method come before the server; all of them with this token. */
static void arrives(const char *method, size_t count, const char *token) {
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

static void do_answer(void *arg) {
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
  finish(v.at, &outcome, &body);
  coord__buf_free(&body);
  if (current != NULL) events->changed(owner);
}

/* The oldest of a method is answered. */
static void answer(const char *method, int status, const char *message) {
  on_loop(do_answer, &(reply){method, status, message, NULL});
}

static void give_token(const char *token) {
  on_loop(do_answer, &(reply){"authenticate", 0, "", token});
}

static const char bad_token[] = "etcdserver: invalid auth token";

static void logged_in(const char *token) {
  arrives("authenticate", 1, "-");
  give_token(token);
}

static void settle(void) { usleep((YOUNG_MS + 50) * 1000); }

static long long logins(void) {
  const coord__method_stats *m = atomic_load(&stats.methods[COORD__METHOD_AUTHENTICATE]);
  return m != NULL ? atomic_load(&m->calls) : 0;
}

/* ---- cases ---- */

static void all_calls_wait_for_one_login(void) {
  tried calls[CALLS];
  start();
  for (int i = 0; i < CALLS; i++) begin(&calls[i], 0);
  arrives("authenticate", 1, "-");
  T_STR(before("authenticate").newest.body,
        "\n\x03"
        "ann\x12\x06secret");
  usleep(30000);
  arrives("put", 0, "");
  give_token("t1");
  arrives("put", CALLS, "t1");
  for (int i = 0; i < CALLS; i++) {
    answer("put", 0, "");
    expect(&calls[i], COORD_OK, "", 0);
  }
  T_INT(logins(), 1);
  stop();
}

static void token_that_got_old_is_renewed_once(void) {
  static const char *const texts[] = {bad_token, "etcdserver: revision of auth store is old",
                                      "etcdserver: user name is empty",
                                      "auth: revision in header is old"};
  tried calls[CALLS];
  start();
  begin(&calls[0], 0);
  logged_in("t0");
  arrives("put", 1, "t0");
  answer("put", 0, "");
  expect(&calls[0], COORD_OK, "", 0);
  for (int round = 0; round < 4; round++) {
    char token[8];
    char next[8];
    snprintf(token, sizeof token, "t%d", round);
    snprintf(next, sizeof next, "t%d", round + 1);
    settle();
    for (int i = 0; i < CALLS; i++) begin(&calls[i], 0);
    arrives("put", CALLS, token);
    for (int i = 0; i < CALLS; i++) answer("put", 16, texts[round]);
    logged_in(next);
    arrives("put", CALLS, next);
    for (int i = 0; i < CALLS; i++) {
      answer("put", 0, "");
      expect(&calls[i], COORD_OK, "", 0);
    }
    T_INT(logins(), round + 2);
  }
  stop();
}

static void the_old_token_stays_until_there_is_a_new_one(void) {
  tried first, second, third;
  start();
  begin(&first, 0);
  logged_in("t0");
  arrives("put", 1, "t0");
  settle();
  begin(&second, 0);
  arrives("put", 2, "t0");
  answer("put", 16, bad_token);
  arrives("authenticate", 1, "-");
  begin(&third, 0); /* waits; nothing goes without a token */
  usleep(30000);
  arrives("put", 1, "t0");
  give_token("t1");
  arrives("put", 3, "t1");
  /* Late refusal of the token before: no reason for another login. */
  answer("put", 16, bad_token);
  arrives("put", 3, "t1");
  for (int i = 0; i < 3; i++) answer("put", 0, "");
  expect(&first, COORD_OK, "", 0);
  expect(&second, COORD_OK, "", 0);
  expect(&third, COORD_OK, "", 0);
  T_INT(logins(), 2);
  stop();
}

static void member_that_has_not_heard_of_the_token_yet(void) {
  tried call;
  start();
  begin(&call, 0);
  logged_in("t0");
  for (int i = 0; i < 2; i++) {
    arrives("put", 1, "t0");
    answer("put", 16, bad_token);
  }
  arrives("put", 1, "t0");
  answer("put", 0, "");
  expect(&call, COORD_OK, "", 0);
  T_INT(logins(), 1);
  stop();
}

static void wrong_password_ends_the_calls_and_is_not_tried_in_a_loop(void) {
  tried calls[CALLS];
  start();
  for (int i = 0; i < CALLS; i++) begin(&calls[i], 0);
  arrives("authenticate", 1, "-");
  answer("authenticate", 3, "etcdserver: authentication failed, invalid user ID or password");
  for (int i = 0; i < CALLS; i++) {
    expect(&calls[i], COORD_AUTH,
           "put: login as \"ann\": etcdserver: authentication failed, invalid user ID or password",
           0);
  }
  for (int i = 0; i < CALLS; i++) {
    begin(&calls[0], 0);
    expect(&calls[0], COORD_AUTH, "login as \"ann\"", 0);
  }
  T_INT(logins(), 1);
  usleep(1000000);
  begin(&calls[0], 0);
  logged_in("t1");
  arrives("put", 1, "t1");
  answer("put", 0, "");
  expect(&calls[0], COORD_OK, "", 0);
  stop();
}

static void server_without_authentication_that_gets_it(void) {
  tried call;
  start();
  begin(&call, 0);
  arrives("authenticate", 1, "-");
  answer("authenticate", 9, "etcdserver: authentication is not enabled");
  arrives("put", 1, "-");
  answer("put", 0, "");
  expect(&call, COORD_OK, "", 0);
  settle();
  begin(&call, 0);
  arrives("put", 1, "-");
  answer("put", 3, "etcdserver: user name is empty");
  logged_in("t1");
  arrives("put", 1, "t1");
  answer("put", 0, "");
  expect(&call, COORD_OK, "", 0);
  stop();
}

static void login_that_does_not_come_through_is_tried_again(void) {
  tried call, hasty;
  start_as("ann", "secret", "", 100);
  begin(&call, 0);
  begin(&hasty, 50);
  arrives("authenticate", 1, "-");
  expect(&hasty, COORD_TIMEOUT, "the deadline passed while it waited for a login", COORD_RETRIABLE);
  arrives("authenticate", 0, ""); /* its own deadline */
  logged_in("t1");
  arrives("put", 1, "t1");
  answer("put", 0, "");
  expect(&call, COORD_OK, "", 0);
  T_INT(logins(), 2);
  stop();
}

static void nobody_waits_nobody_logs_in(void) {
  tried hasty;
  start_as("ann", "secret", "", 100);
  begin(&hasty, 20);
  expect(&hasty, COORD_TIMEOUT, "login", COORD_RETRIABLE);
  arrives("authenticate", 0, "");
  usleep(200000);
  T_INT(before("authenticate").count, 0);
  T_INT(logins(), 1);
  stop();
}

static void login_repeats_what_passes_by_itself(void) {
  tried call;
  start();
  begin(&call, 0);
  arrives("authenticate", 1, "-");
  answer("authenticate", 14, "etcdserver: no leader");
  logged_in("t1");
  arrives("put", 1, "t1");
  answer("put", 0, "");
  expect(&call, COORD_OK, "", 0);
  stop();
}

static void answer_without_a_token(void) {
  tried call;
  start();
  begin(&call, 0);
  arrives("authenticate", 1, "-");
  answer("authenticate", 0, "");
  expect(&call, COORD_PROTOCOL, "login as \"ann\": the server's answer holds no token", 0);
  usleep(1000000);
  begin(&call, 0);
  arrives("authenticate", 1, "-");
  give_token("a\nb");
  expect(&call, COORD_PROTOCOL, "no token", 0);
  stop();
}

static void server_that_refuses_every_token(void) {
  tried call;
  start();
  begin(&call, 0);
  for (int refusals = 0; refusals <= COORD__REFUSALS_MAX;) {
    if (before("authenticate").count > 0) give_token("t");
    if (before("put").count > 0) {
      answer("put", 16, bad_token);
      refusals++;
    }
  }
  expect(&call, COORD_AUTH, "put of \"k\": etcdserver: invalid auth token", 0);
  T_TRUE(logins() < COORD__REFUSALS_MAX / 3);
  stop();
}

static void deadline_ends_it_sooner(void) {
  tried call;
  start();
  int64_t began = t_now_ms();
  begin(&call, 200);
  while (!is_done(&call)) {
    if (before("authenticate").count > 0) give_token("t");
    if (before("put").count > 0) answer("put", 16, bad_token);
  }
  expect(&call, COORD_TIMEOUT, "deadline passed", COORD_RETRIABLE);
  T_TRUE(t_now_ms() - began < 600 * T_SLOW);
  stop();
}

static void what_is_not_allowed_is_final(void) {
  tried call;
  start();
  begin(&call, 0);
  logged_in("t0");
  arrives("put", 1, "t0");
  settle();
  answer("put", 7, "etcdserver: permission denied");
  expect(&call, COORD_AUTH, "put of \"k\": etcdserver: permission denied", 0);
  T_INT(logins(), 1);
  stop();
}

static void given_token_is_sent_and_not_renewed(void) {
  tried call;
  start_as("", "", "given", 5000);
  begin(&call, 0);
  arrives("put", 1, "given");
  settle();
  answer("put", 16, bad_token);
  expect(&call, COORD_AUTH, "invalid auth token", 0);
  T_INT(logins(), 0);
  stop();
}

static void closing_ends_what_waits(void) {
  tried calls[2];
  start();
  for (int i = 0; i < 2; i++) begin(&calls[i], 0);
  arrives("authenticate", 1, "-");
  on_loop(do_close, NULL);
  for (int i = 0; i < 2; i++) expect(&calls[i], COORD_CLOSED, "closed", 0);
  stop();
}

/* A call on the same link goes through; the login's own request had no memory. */
static void login_without_memory_is_tried_again(void) {
  tried call;
  start();
  begin(&call, 0);
  arrives("authenticate", 1, "-");
  coord__alloc_fail_after(0);
  give_token("t1"); /* no memory for it, nor for the error */
  usleep(150000);
  coord__alloc_fail_after(-1);
  logged_in("t2");
  arrives("put", 1, "t2");
  answer("put", 0, "");
  expect(&call, COORD_OK, "", 0);
  stop();
}

/* ---- opening a client ---- */

typedef struct opening {
  bool told;
  coord_code code;
  char message[128];
} opening;

static void on_opened(void *user, coord_code code, const coord_error *err) {
  opening *o = user;
  T_TRUE(!o->told);
  *o = (opening){.told = true, .code = code};
  snprintf(o->message, sizeof o->message, "%s", coord_error_message(err));
}

static void do_open(void *o) { coord__auth_open(&auth, on_opened, o); }

static void look_told(void *arg) {
  opening **both = arg;
  both[1] = both[0]->told ? both[0] : NULL;
}

static bool is_told(void *o) {
  opening *both[2] = {o, NULL};
  on_loop(look_told, both);
  return both[1] != NULL;
}

static void opening_waits_for_the_login(void) {
  opening o = {0};
  start();
  on_loop(do_open, &o);
  arrives("authenticate", 1, "-");
  T_TRUE(!is_told(&o));
  give_token("t1");
  T_TRUE(t_wait_until(is_told, &o, 1000));
  T_CODE(o.code, COORD_OK);
  stop();
}

static void opening_is_told_of_a_refusal(void) {
  opening o = {0};
  start();
  on_loop(do_open, &o);
  arrives("authenticate", 1, "-");
  answer("authenticate", 3, "etcdserver: authentication failed, invalid user ID or password");
  T_TRUE(t_wait_until(is_told, &o, 1000));
  T_CODE(o.code, COORD_AUTH);
  T_HAS(o.message, "login as \"ann\": etcdserver: authentication failed");
  stop();
}

static void opening_does_not_wait_for_ever(void) {
  opening o = {0};
  start_as("ann", "secret", "", 100);
  on_loop(do_open, &o);
  T_TRUE(t_wait_until(is_told, &o, 1000));
  T_CODE(o.code, COORD_TIMEOUT);
  T_HAS(o.message, "login as \"ann\": the deadline passed");
  stop();
}

static void opening_with_a_given_token_asks_nobody(void) {
  opening o = {0};
  start_as("", "", "given", 100);
  on_loop(do_open, &o);
  T_TRUE(o.told);
  T_CODE(o.code, COORD_OK);
  stop();
}

/* ---- streams ---- */

typedef struct flow {
  coord__stream stream; /* first */
  int opened;
  bool closed;
  bool refused; /* what coord__stream_refused said */
  coord_code code;
  uint32_t flags;
} flow;

static void on_flow_opened(coord__stream *stream) { ((flow *)stream)->opened++; }

static void on_flow_message(coord__stream *stream, const uint8_t *p, size_t n) {
  (void)stream, (void)p, (void)n;
}

static void on_flow_closed(coord__stream *stream, coord_code code, coord_error *err) {
  flow *f = (flow *)stream;
  f->closed = true;
  f->code = code;
  f->flags = coord_error_flags(err);
  coord_error_free(err);
}

static void do_flow(void *arg) {
  flow *f = arg;
  f->stream = (coord__stream){.lane = COORD__LANE_CALLS,
                              .opened = on_flow_opened,
                              .message = on_flow_message,
                              .closed = on_flow_closed};
  coord__stream_open(&rpc, &f->stream, &coord__methods[COORD__METHOD_WATCH]);
}

static void do_send(void *f) {
  uint8_t frame[COORD__FRAME_HEADROOM + 1] = {0};
  T_TRUE(coord__stream_send(&((flow *)f)->stream, frame, sizeof frame, false));
}

static void do_hear(void *f) {
  coord__wire_stream *stream = &((flow *)f)->stream.wire;
  stream->message(stream, (const uint8_t *)"x", 1);
}

static void do_refuse(void *arg) {
  flow *f = arg;
  f->refused = coord__stream_refused(&f->stream, "rpc error: etcdserver: invalid auth token");
}

static void do_end(void *f) { coord__stream_end(&((flow *)f)->stream); }

static void stream_refused_at_its_opening_is_opened_again(void) {
  flow f = {0};
  start();
  on_loop(do_flow, &f);
  logged_in("t0");
  arrives("watch", 1, "t0");
  on_loop(do_send, &f);
  settle();
  answer("watch", 16, bad_token);
  T_INT(f.opened, 1);
  on_loop(do_send, &f); /* goes nowhere */
  T_INT(messages_sent, 1);
  logged_in("t1");
  arrives("watch", 1, "t1");
  T_INT(f.opened, 2);
  T_TRUE(!f.closed);
  on_loop(do_end, &f);
  arrives("watch", 0, "");
  stop();
}

static void stream_that_has_begun_is_closed_with_a_hint(void) {
  flow f = {0};
  start();
  on_loop(do_flow, &f);
  logged_in("t0");
  arrives("watch", 1, "t0");
  settle();
  on_loop(do_hear, &f);
  answer("watch", 16, bad_token);
  T_TRUE(f.closed);
  T_CODE(f.code, COORD_AUTH);
  T_INT(f.flags, COORD_RETRIABLE);
  f = (flow){0};
  on_loop(do_flow, &f); /* as whoever keeps it up does */
  logged_in("t1");
  arrives("watch", 1, "t1");
  on_loop(do_end, &f);
  stop();
}

static void reason_in_a_message_of_a_stream(void) {
  flow f = {0};
  start();
  on_loop(do_flow, &f);
  logged_in("t0");
  arrives("watch", 1, "t0");
  settle();
  on_loop(do_refuse, &f);
  T_TRUE(f.refused);
  on_loop(do_end, &f);
  f = (flow){0};
  on_loop(do_flow, &f);
  logged_in("t1");
  arrives("watch", 1, "t1");
  on_loop(do_end, &f);
  stop();
}

static void streams_end_with_a_refused_login(void) {
  flow held = {0}, ended = {0}, closed = {0};
  start();
  on_loop(do_flow, &held);
  on_loop(do_flow, &ended);
  arrives("authenticate", 1, "-");
  on_loop(do_end, &ended);
  answer("authenticate", 3, "etcdserver: authentication failed, invalid user ID or password");
  T_TRUE(held.closed && !ended.closed);
  T_CODE(held.code, COORD_AUTH);
  on_loop(do_flow, &closed);
  on_loop(do_close, NULL);
  T_TRUE(closed.closed);
  stop();
}

T_MAIN(T_CASE(all_calls_wait_for_one_login), T_CASE(token_that_got_old_is_renewed_once),
       T_CASE(the_old_token_stays_until_there_is_a_new_one),
       T_CASE(member_that_has_not_heard_of_the_token_yet),
       T_CASE(wrong_password_ends_the_calls_and_is_not_tried_in_a_loop),
       T_CASE(server_without_authentication_that_gets_it),
       T_CASE(login_that_does_not_come_through_is_tried_again), T_CASE(nobody_waits_nobody_logs_in),
       T_CASE(login_repeats_what_passes_by_itself), T_CASE(answer_without_a_token),
       T_CASE(server_that_refuses_every_token), T_CASE(deadline_ends_it_sooner),
       T_CASE(what_is_not_allowed_is_final), T_CASE(given_token_is_sent_and_not_renewed),
       T_CASE(closing_ends_what_waits), T_CASE(login_without_memory_is_tried_again),
       T_CASE(opening_waits_for_the_login), T_CASE(opening_is_told_of_a_refusal),
       T_CASE(opening_does_not_wait_for_ever), T_CASE(opening_with_a_given_token_asks_nobody),
       T_CASE(stream_refused_at_its_opening_is_opened_again),
       T_CASE(stream_that_has_begun_is_closed_with_a_hint), T_CASE(reason_in_a_message_of_a_stream),
       T_CASE(streams_end_with_a_refused_login))
