/* Calls, links and failover over a wire that exists only here: no sockets, every event by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "etcd/method.h"
#include "etcd/request.h"
#include "etcd/waiter.h"
#include "rpc/rpc.h"
#include "support/t.h"

/* ---- the wire ---- */

enum { LINKS_MAX = 64, ATTEMPTS_MAX = 64 };

typedef struct fake_link {
  coord__link base; /* first */
  const coord__endpoint *endpoint;
  coord__attempt *attempts[ATTEMPTS_MAX];
  size_t count;
  size_t limit;
  bool ready;
  bool closed;
} fake_link;

static fake_link links[LINKS_MAX];
static size_t link_count;
static int opens_that_fail;
static size_t link_limit;

static size_t fake_capacity(const coord__link *link) {
  const fake_link *l = (const fake_link *)link;
  return l->ready && l->limit > l->count ? l->limit - l->count : 0;
}

static size_t fake_in_flight(const coord__link *link) { return ((const fake_link *)link)->count; }

static bool fake_call(coord__link *link, coord__attempt *attempt) {
  fake_link *l = (fake_link *)link;
  if (l->count == ATTEMPTS_MAX) return false;
  T_TRUE(l->ready && !l->closed);
  l->attempts[l->count++] = attempt;
  attempt->exchange = (coord__exchange *)link;
  return true;
}

static void take_out(fake_link *l, coord__attempt *attempt) {
  size_t i = 0;
  while (i < l->count && l->attempts[i] != attempt) i++;
  if (!T_TRUE(i < l->count)) return;
  memmove(&l->attempts[i], &l->attempts[i + 1], (l->count - i - 1) * sizeof *l->attempts);
  l->count--;
}

static void fake_cancel(coord__attempt *attempt) {
  take_out((fake_link *)attempt->exchange, attempt);
}

static void finish_attempt(fake_link *l, coord__attempt *attempt, const coord__outcome *outcome) {
  coord__buf body = {0};
  take_out(l, attempt);
  attempt->done(attempt, outcome, &body);
  coord__buf_free(&body);
}

static void fake_close(coord__link *link) {
  static const coord__outcome lost = {COORD_UNAVAILABLE, -1, -1, "the link was lost", false};
  fake_link *l = (fake_link *)link;
  T_TRUE(!l->closed);
  l->closed = true;
  while (l->count > 0) finish_attempt(l, l->attempts[0], &lost);
}

static const coord__link_ops fake_ops = {.capacity = fake_capacity,
                                         .in_flight = fake_in_flight,
                                         .call = fake_call,
                                         .cancel = fake_cancel,
                                         .close = fake_close};

static coord__link *fake_open(const coord__link_config *config, const coord__link_events *events,
                              void *owner) {
  if (opens_that_fail > 0) {
    opens_that_fail--;
    return NULL;
  }
  if (link_count == LINKS_MAX) abort();
  fake_link *l = &links[link_count++];
  *l = (fake_link){
      .base = {&fake_ops, events, owner}, .endpoint = config->endpoint, .limit = link_limit};
  return &l->base;
}

static const coord__wire fake_wire = {"fake", fake_open};

/* ---- the rpc, and the thread it lives on ---- */

static coord__loop *loop;
static coord__log logger;
static coord__rpc rpc;

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

static void init(void *endpoints) {
  coord__rpc_config config = {.wire = &fake_wire, .classify = coord__etcd_status};
  config.link.connect_timeout_ms = 5000;
  config.link.keepalive_interval_ns = 1000;
  T_CODE(coord__endpoints_parse(endpoints, &config.endpoints, NULL), COORD_OK);
  coord__rpc_init(&rpc, loop, &logger, &config);
}

static void start(const char *endpoints) {
  T_FATAL(coord__loop_acquire(&loop, NULL) == COORD_OK);
  coord__log_init(&logger, 0);
  link_count = 0;
  opens_that_fail = 0;
  link_limit = 1000;
  on_loop(init, (void *)(uintptr_t)endpoints);
}

static void do_close(void *unused) {
  (void)unused;
  coord__rpc_close(&rpc);
}

static void stop(void) {
  on_loop(do_close, NULL);
  for (size_t i = 0; i < link_count; i++) T_TRUE(links[i].closed && links[i].count == 0);
  coord__rpc_free(&rpc);
  coord__log_free(&logger);
  coord__loop_leave(loop);
  coord__loop_release(loop);
}

/* ---- calls ---- */

typedef struct tried {
  coord__call call; /* first */
  int32_t timeout_ms;
  bool read_only;
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
  t->call = (coord__call){.method = &coord__methods[COORD__METHOD_PUT],
                          .repeatable = t->read_only,
                          .read_only = t->read_only,
                          .done = on_done};
  if (t->timeout_ms > 0) {
    t->call.deadline_ns = coord__clock_ns() + t->timeout_ms * COORD__NS_PER_MS;
  }
  T_TRUE(coord__buf_append(&t->call.request, "\0\0\0\0\0x", 6));
  coord__call_start(&rpc, &t->call);
}

static void begin(tried *t, bool read_only, int32_t timeout_ms) {
  *t = (tried){.read_only = read_only, .timeout_ms = timeout_ms};
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

static void expect(tried *t, coord_code code, const char *part, uint32_t flags,
                   const char *endpoint) {
  if (!T_TRUE(t_wait_until(is_done, t, 5000))) return;
  T_CODE(t->call.code, code);
  if (code == COORD_OK) {
    T_TRUE(t->call.error == NULL);
    return;
  }
  T_HAS(coord_error_message(t->call.error), part);
  T_INT(coord_error_flags(t->call.error), flags);
  T_STR(coord_error_endpoint(t->call.error), endpoint);
  coord_error_free(t->call.error);
}

/* ---- what happens to links ---- */

typedef struct happening {
  size_t link;
  coord__outcome outcome;
  bool calm;
} happening;

static void do_ready(void *arg) {
  fake_link *l = &links[((happening *)arg)->link];
  l->ready = true;
  l->base.events->ready(l->base.owner);
}

static void do_lose(void *arg) {
  happening *h = arg;
  fake_link *l = &links[h->link];
  l->base.events->lost(l->base.owner, h->outcome.code, h->outcome.message);
}

static void do_drain(void *arg) {
  fake_link *l = &links[((happening *)arg)->link];
  l->base.events->draining(l->base.owner, ((happening *)arg)->calm);
}

static void do_answer(void *arg) {
  happening *h = arg;
  fake_link *l = &links[h->link];
  if (!T_TRUE(l->count > 0)) return;
  finish_attempt(l, l->attempts[0], &h->outcome);
  if (!l->closed) l->base.events->changed(l->base.owner);
}

static void look_count(void *arg) { *(size_t *)arg = link_count; }

static bool has_links(void *wanted) {
  size_t count = 0;
  on_loop(look_count, &count);
  return count >= *(size_t *)wanted;
}

/* Waits for the link of this number, which must be to this endpoint. */
static void expect_link(size_t number, const char *endpoint) {
  size_t wanted = number + 1;
  T_FATAL(t_wait_until(has_links, &wanted, 5000));
  T_INT(link_count, wanted);
  T_STR(links[number].endpoint->name, endpoint);
}

static void ready(size_t link) { on_loop(do_ready, &(happening){.link = link}); }

static void lose(size_t link, coord_code code, const char *why) {
  on_loop(do_lose, &(happening){.link = link, .outcome = {.code = code, .message = why}});
}

static void drain(size_t link, bool calm) {
  on_loop(do_drain, &(happening){.link = link, .calm = calm});
}

/* The oldest call on the link is answered. */
static void answer(size_t link, int grpc_status, const char *message) {
  happening h = {link, {COORD_OK, grpc_status, -1, message, false}, false};
  on_loop(do_answer, &h);
}

static void refuse(size_t link) {
  happening h = {link, {COORD_UNAVAILABLE, -1, -1, "refused", true}, false};
  on_loop(do_answer, &h);
}

/* ---- cases ---- */

static void calls_wait_for_the_link_and_share_it(void) {
  tried calls[5];
  start("a:1");
  for (int i = 0; i < 5; i++) begin(&calls[i], false, 0);
  expect_link(0, "a:1");
  T_INT(links[0].count, 0);
  ready(0);
  T_INT(links[0].count, 5);
  for (int i = 0; i < 5; i++) {
    T_TRUE(links[0].attempts[0] == &calls[i].call.attempt);
    answer(0, 0, "");
    expect(&calls[i], COORD_OK, "", 0, "");
  }
  stop();
}

static void no_more_calls_than_the_link_takes(void) {
  tried calls[7];
  start("a:1");
  link_limit = 3;
  for (int i = 0; i < 7; i++) begin(&calls[i], false, 0);
  expect_link(0, "a:1");
  ready(0);
  T_INT(links[0].count, 3);
  for (int i = 0; i < 7; i++) {
    answer(0, 0, "");
    expect(&calls[i], COORD_OK, "", 0, "");
    T_INT(links[0].count, i < 4 ? 3 : 6 - i);
  }
  T_INT(link_count, 1);
  stop();
}

static void endpoints_are_tried_in_turn(void) {
  static const char *const names[] = {"a:1", "b:2", "c:3", "a:1", "b:2"};
  tried call;
  start("a:1,b:2,c:3");
  begin(&call, false, 0);
  for (size_t i = 0; i < 5; i++) {
    expect_link(i, names[i]);
    if (i < 4) lose(i, COORD_UNAVAILABLE, "nobody there");
  }
  ready(4);
  answer(4, 0, "");
  expect(&call, COORD_OK, "", 0, "");
  T_INT(rpc.counters.connect_failed, 4);
  T_INT(rpc.counters.connected, 1);
  stop();
}

static void deadline_without_a_link_tells_the_last_failure(void) {
  tried call;
  start("a:1");
  begin(&call, false, 300);
  expect_link(0, "a:1");
  lose(0, COORD_UNAVAILABLE, "nobody there");
  expect(&call, COORD_UNAVAILABLE, "a:1: nobody there", COORD_RETRIABLE, "");
  stop();
}

static void deadline_on_a_link_is_a_timeout(void) {
  tried read, write;
  start("a:1");
  begin(&read, true, 50);
  begin(&write, false, 50);
  expect_link(0, "a:1");
  ready(0);
  expect(&read, COORD_TIMEOUT, "deadline", COORD_RETRIABLE, "a:1");
  expect(&write, COORD_TIMEOUT, "deadline", COORD_RETRIABLE | COORD_MAYBE_APPLIED, "a:1");
  T_INT(links[0].count, 0);
  T_TRUE(!links[0].closed);
  stop();
}

static void lost_link_repeats_reads_and_gives_writes_back(void) {
  tried read, write;
  start("a:1,b:2");
  begin(&read, true, 0);
  begin(&write, false, 0);
  expect_link(0, "a:1");
  ready(0);
  lose(0, COORD_UNAVAILABLE, "cut");
  expect(&write, COORD_UNAVAILABLE, "lost", COORD_RETRIABLE | COORD_MAYBE_APPLIED, "a:1");
  expect_link(1, "b:2");
  ready(1);
  T_INT(links[1].count, 1);
  answer(1, 0, "");
  expect(&read, COORD_OK, "", 0, "");
  T_INT(rpc.counters.retries, 1);
  T_INT(rpc.counters.connections_lost, 1);
  stop();
}

static void draining_link_ends_what_it_carries_and_takes_nothing_new(void) {
  tried first, second;
  start("a:1,b:2");
  begin(&first, false, 0);
  expect_link(0, "a:1");
  ready(0);
  drain(0, true);
  T_INT(rpc.config.link.keepalive_interval_ns, 2000);
  begin(&second, false, 0);
  expect_link(1, "b:2");
  ready(1);
  T_INT(links[0].count, 1);
  T_INT(links[1].count, 1);
  answer(0, 0, "");
  T_TRUE(links[0].closed);
  answer(1, 0, "");
  expect(&first, COORD_OK, "", 0, "");
  expect(&second, COORD_OK, "", 0, "");
  T_TRUE(!links[1].closed);
  stop();
}

static void unprocessed_call_on_a_draining_link_goes_elsewhere(void) {
  tried write;
  start("a:1,b:2");
  begin(&write, false, 0);
  expect_link(0, "a:1");
  ready(0);
  drain(0, false);
  refuse(0);
  T_TRUE(links[0].closed);
  expect_link(1, "b:2");
  ready(1);
  answer(1, 0, "");
  expect(&write, COORD_OK, "", 0, "");
  stop();
}

static void server_that_cannot_serve_is_left(void) {
  tried write, other;
  start("a:1,b:2");
  begin(&write, false, 0);
  begin(&other, false, 0);
  expect_link(0, "a:1");
  ready(0);
  answer(0, 14, "etcdserver: no leader");
  expect_link(1, "b:2");
  T_TRUE(!links[0].closed); /* it still carries the other one */
  ready(1);
  T_TRUE(t_wait_until(has_links, &(size_t){2}, 1000));
  answer(0, 0, "");
  T_TRUE(links[0].closed);
  expect(&other, COORD_OK, "", 0, "");
  while (!is_done(&write)) {
    if (links[1].count > 0) answer(1, 0, "");
  }
  expect(&write, COORD_OK, "", 0, "");
  stop();
}

static void answer_that_leaves_it_open_is_not_repeated_for_a_write(void) {
  tried write, read;
  start("a:1,b:2");
  begin(&write, false, 0);
  begin(&read, true, 0);
  expect_link(0, "a:1");
  ready(0);
  answer(0, 14, "etcdserver: request timed out");
  expect(&write, COORD_UNAVAILABLE, "timed out", COORD_RETRIABLE | COORD_MAYBE_APPLIED, "a:1");
  answer(0, 14, "etcdserver: request timed out");
  expect_link(1, "b:2");
  ready(1);
  while (!is_done(&read)) {
    if (links[1].count > 0) answer(1, 0, "");
  }
  expect(&read, COORD_OK, "", 0, "");
  stop();
}

static void closing_ends_all_calls_wherever_they_are(void) {
  tried flying, waiting, pausing, late;
  start("a:1");
  link_limit = 2;
  begin(&pausing, false, 0);
  begin(&flying, false, 0);
  expect_link(0, "a:1");
  ready(0);
  begin(&waiting, false, 0);
  links[0].limit = 1;
  refuse(0);
  on_loop(do_close, NULL);
  begin(&late, false, 0);
  expect(&flying, COORD_CLOSED, "closed", COORD_MAYBE_APPLIED, "a:1");
  expect(&waiting, COORD_CLOSED, "closed", 0, "");
  expect(&pausing, COORD_CLOSED, "closed", 0, "a:1");
  expect(&late, COORD_CLOSED, "closed", 0, "");
  stop();
}

static void wire_without_memory_is_a_failure_to_connect(void) {
  tried call;
  start("a:1");
  opens_that_fail = 3;
  begin(&call, false, 0);
  expect_link(0, "a:1");
  ready(0);
  answer(0, 0, "");
  expect(&call, COORD_OK, "", 0, "");
  T_INT(rpc.counters.connect_failed, 3);
  stop();
}

static void memory_that_stays_out_is_told_at_the_deadline(void) {
  tried call;
  start("a:1");
  opens_that_fail = 1000;
  begin(&call, false, 100);
  expect(&call, COORD_NO_MEMORY, "memory is exhausted", 0, "");
  opens_that_fail = 0;
  stop();
}

static void link_that_refuses_a_call_is_replaced(void) {
  static tried calls[ATTEMPTS_MAX + 1];
  start("a:1");
  for (int i = 0; i <= ATTEMPTS_MAX; i++) begin(&calls[i], false, 0);
  expect_link(0, "a:1");
  ready(0);
  T_INT(links[0].count, ATTEMPTS_MAX);
  expect_link(1, "a:1");
  ready(1);
  T_INT(links[1].count, 1);
  for (int i = 0; i < ATTEMPTS_MAX; i++) answer(0, 0, "");
  T_TRUE(links[0].closed);
  answer(1, 0, "");
  for (int i = 0; i <= ATTEMPTS_MAX; i++) expect(&calls[i], COORD_OK, "", 0, "");
  stop();
}

T_MAIN(T_CASE(calls_wait_for_the_link_and_share_it), T_CASE(no_more_calls_than_the_link_takes),
       T_CASE(endpoints_are_tried_in_turn), T_CASE(deadline_without_a_link_tells_the_last_failure),
       T_CASE(deadline_on_a_link_is_a_timeout),
       T_CASE(lost_link_repeats_reads_and_gives_writes_back),
       T_CASE(draining_link_ends_what_it_carries_and_takes_nothing_new),
       T_CASE(unprocessed_call_on_a_draining_link_goes_elsewhere),
       T_CASE(server_that_cannot_serve_is_left),
       T_CASE(answer_that_leaves_it_open_is_not_repeated_for_a_write),
       T_CASE(closing_ends_all_calls_wherever_they_are),
       T_CASE(wire_without_memory_is_a_failure_to_connect),
       T_CASE(memory_that_stays_out_is_told_at_the_deadline),
       T_CASE(link_that_refuses_a_call_is_replaced))
