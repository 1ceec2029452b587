/* An rpc over a wire that exists only here: no sockets, every event by hand. */
#ifndef MACHINE_LINKS_H
#define MACHINE_LINKS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "etcd/method.h"
#include "etcd/request.h"
#include "etcd/waiter.h"
#include "machine/thread.h"
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
  int64_t heard_ns;
  bool ready;
  bool closed;
} fake_link;

static fake_link links[LINKS_MAX];
static size_t link_count;
static int opens_that_fail;
static size_t link_limit;

static inline size_t fake_capacity(const coord__link *link) {
  const fake_link *l = (const fake_link *)link;
  return l->ready && l->limit > l->count ? l->limit - l->count : 0;
}

static size_t fake_in_flight(const coord__link *link) { return ((const fake_link *)link)->count; }

static inline bool fake_call(coord__link *link, coord__attempt *attempt) {
  fake_link *l = (fake_link *)link;
  if (l->count == ATTEMPTS_MAX) return false;
  T_TRUE(l->ready && !l->closed);
  l->attempts[l->count++] = attempt;
  attempt->exchange = (coord__exchange *)link;
  return true;
}

static inline void take_out(fake_link *l, coord__attempt *attempt) {
  size_t i = 0;
  while (i < l->count && l->attempts[i] != attempt) i++;
  if (!T_TRUE(i < l->count)) return;
  memmove(&l->attempts[i], &l->attempts[i + 1], (l->count - i - 1) * sizeof *l->attempts);
  l->count--;
}

static int64_t fake_heard(const coord__link *link) { return ((const fake_link *)link)->heard_ns; }

static inline void fake_cancel(coord__attempt *attempt) {
  take_out((fake_link *)attempt->exchange, attempt);
}

static inline void finish_attempt(fake_link *l, coord__attempt *attempt,
                                  const coord__outcome *outcome) {
  coord__buf body = {0};
  take_out(l, attempt);
  attempt->done(attempt, outcome, &body);
  coord__buf_free(&body);
}

static inline void fake_close(coord__link *link) {
  static const coord__outcome lost = {COORD_UNAVAILABLE, -1, -1, "the link was lost", false};
  fake_link *l = (fake_link *)link;
  T_TRUE(!l->closed);
  l->closed = true;
  while (l->count > 0) finish_attempt(l, l->attempts[0], &lost);
}

static const coord__link_ops fake_ops = {.capacity = fake_capacity,
                                         .in_flight = fake_in_flight,
                                         .heard = fake_heard,
                                         .call = fake_call,
                                         .cancel = fake_cancel,
                                         .close = fake_close};

static inline coord__link *fake_open(const coord__link_config *config,
                                     const coord__link_events *events, void *owner) {
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

static coord__log logger;
static coord__rpc rpc;
static char states[2000]; /* what was told of endpoints */

static void on_state(void *user, int state, const char *endpoint, coord_code code,
                     const char *why) {
  (void)user;
  (void)code;
  size_t used = strlen(states);
  snprintf(states + used, sizeof states - used, "%s%d %s%s%s", used > 0 ? "; " : "", state,
           endpoint != NULL ? endpoint : "", state == COORD_STATE_EJECTED ? " " : "",
           state == COORD_STATE_EJECTED ? why : "");
}

static inline void init(void *endpoints) {
  coord__rpc_config config = {.wire = &fake_wire,
                              .classify = coord__etcd_status,
                              .retry = {100, 50 * COORD__NS_PER_MS, 200 * COORD__NS_PER_MS, 200, 0},
                              .attempt_timeout_ms = 30000,
                              .state = on_state};
  coord__health_probe(&config.probe);
  config.link.connect_timeout_ms = 5000;
  config.link.keepalive_interval_ns = 1000;
  T_CODE(coord__endpoints_parse(endpoints, &config.endpoints, NULL), COORD_OK);
  T_TRUE(coord__rpc_init(&rpc, loop, &logger, &config));
  for (int i = 0; i < COORD__LANES; i++) rpc.channels[i].turn = 0;
  states[0] = '\0';
}

static inline void start(const char *endpoints) {
  T_FATAL(coord__loop_acquire(&loop, NULL) == COORD_OK);
  coord__log_init(&logger, 0);
  link_count = 0;
  opens_that_fail = 0;
  link_limit = 1000;
  on_loop(init, (void *)(uintptr_t)endpoints);
}

static inline void do_close(void *unused) {
  (void)unused;
  coord__rpc_close(&rpc);
}

static inline void stop(void) {
  on_loop(do_close, NULL);
  for (size_t i = 0; i < link_count; i++) T_TRUE(links[i].closed && links[i].count == 0);
  coord__rpc_free(&rpc);
  coord__log_free(&logger);
  coord__loop_leave(loop);
  coord__loop_release(loop);
}

static inline void do_connect(void *unused) {
  (void)unused;
  coord__rpc_connect(&rpc);
}

/* ---- calls ---- */

typedef struct tried {
  coord__call call; /* first */
  int32_t timeout_ms;
  bool read_only;
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

static inline void begin(tried *t, bool read_only, int32_t timeout_ms) {
  *t = (tried){.read_only = read_only, .timeout_ms = timeout_ms};
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

static inline void do_ready(void *arg) {
  fake_link *l = &links[((happening *)arg)->link];
  l->ready = true;
  l->base.events->ready(l->base.owner);
}

static inline void do_lose(void *arg) {
  happening *h = arg;
  fake_link *l = &links[h->link];
  l->base.events->lost(l->base.owner, h->outcome.code, h->outcome.message);
}

static inline void do_drain(void *arg) {
  fake_link *l = &links[((happening *)arg)->link];
  l->base.events->draining(l->base.owner, ((happening *)arg)->calm);
}

static inline void do_answer(void *arg) {
  happening *h = arg;
  fake_link *l = &links[h->link];
  if (!T_TRUE(l->count > 0)) return;
  finish_attempt(l, l->attempts[0], &h->outcome);
  if (!l->closed) l->base.events->changed(l->base.owner);
}

static void look_count(void *arg) { *(size_t *)arg = link_count; }

static inline bool has_links(void *wanted) {
  size_t count = 0;
  on_loop(look_count, &count);
  return count >= *(size_t *)wanted;
}

/* Waits for the link of this number, which must be to this endpoint. */
static inline void expect_link(size_t number, const char *endpoint) {
  size_t wanted = number + 1;
  T_FATAL(t_wait_until(has_links, &wanted, 5000));
  T_INT(link_count, wanted);
  T_STR(links[number].endpoint->name, endpoint);
}

static void ready(size_t link) { on_loop(do_ready, &(happening){.link = link}); }

static inline void lose(size_t link, coord_code code, const char *why) {
  on_loop(do_lose, &(happening){.link = link, .outcome = {.code = code, .message = why}});
}

static inline void drain(size_t link, bool calm) {
  on_loop(do_drain, &(happening){.link = link, .calm = calm});
}

/* The oldest call on the link is answered. */
static inline void answer(size_t link, int grpc_status, const char *message) {
  happening h = {link, {COORD_OK, grpc_status, -1, message, false}, false};
  on_loop(do_answer, &h);
}

static inline void do_hear(void *arg) { links[*(size_t *)arg].heard_ns = coord__clock_ns(); }

static inline void do_answer_if_any(void *arg) {
  happening *h = arg;
  if (links[h->link].count > 0) do_answer(h);
}

/* As answer, where the call may not have come yet. */
static inline void answer_if_any(size_t link) {
  happening h = {link, {COORD_OK, 0, -1, "", false}, false};
  on_loop(do_answer_if_any, &h);
}

static inline void refuse(size_t link) {
  happening h = {link, {COORD_UNAVAILABLE, -1, -1, "refused", true}, false};
  on_loop(do_answer, &h);
}

/* The newest link to this endpoint. */
static inline size_t at(const char *endpoint) {
  for (size_t i = link_count; i-- > 0;) {
    if (strcmp(links[i].endpoint->name, endpoint) == 0) return i;
  }
  T_FAIL("no link to %s", endpoint);
  return 0;
}

/* Waits for one link to each of these, in any order. */
static inline void expect_links(const char *endpoints) {
  coord__endpoints parsed = {0};
  T_CODE(coord__endpoints_parse(endpoints, &parsed, NULL), COORD_OK);
  size_t wanted = parsed.count;
  T_FATAL(t_wait_until(has_links, &wanted, 5000));
  T_INT(link_count, wanted);
  for (size_t i = 0; i < parsed.count; i++) at(parsed.items[i].name);
  coord__endpoints_free(&parsed);
}

/* Ready, in the order of the list, whatever the order of the dials. */
static inline void start_ready(const char *endpoints) {
  start(endpoints);
  on_loop(do_connect, NULL);
  expect_links(endpoints);
  for (size_t i = 0; i < link_count; i++) ready(i);
}

static const char *where(const tried *t) { return t->call.endpoint; }

static void answer_it(const tried *t) { answer(at(where(t)), 0, ""); }

static inline size_t probes_at(size_t link) {
  size_t n = 0;
  for (size_t i = 0; i < links[link].count; i++) {
    n += links[link].attempts[i]->method == &coord__methods[COORD__METHOD_RANGE];
  }
  return n;
}

static inline void look_probe(void *arg) {
  size_t *link = arg;
  link[1] = probes_at(link[0]);
}

static inline bool is_probed(void *link) {
  size_t both[2] = {*(size_t *)link, 0};
  on_loop(look_probe, both);
  return both[1] > 0;
}

static inline bool takes_calls(const char *endpoint, int tries) {
  bool taken = false;
  for (int i = 0; i < tries && !taken; i++) {
    tried call;
    begin(&call, false, 0);
    taken = strcmp(where(&call), endpoint) == 0;
    answer_it(&call);
    expect(&call, COORD_OK, "", 0, "");
  }
  return taken;
}

static inline void look_moved(void *arg) {
  size_t *link = arg;
  link[1] = links[link[0]].count - probes_at(link[0]);
}

/* A call of the test is on this link. */
static inline bool has_moved(void *link) {
  size_t both[2] = {*(size_t *)link, 0};
  on_loop(look_moved, both);
  return both[1] > 0;
}

static inline void do_set(void *arg) {
  coord__endpoints parsed = {0};
  T_CODE(coord__endpoints_parse(arg, &parsed, NULL), COORD_OK);
  T_TRUE(coord__rpc_set_endpoints(&rpc, &parsed));
}

#endif
