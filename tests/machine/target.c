/* Endpoints that share the calls, fall ill, get well, come and go. */
#include "machine/links.h"

static void calls_are_spread_evenly(void) {
  static tried calls[30];
  size_t used[3] = {0};
  start_ready("a:1,b:2,c:3");
  for (int i = 0; i < 30; i++) begin(&calls[i], false, 0);
  for (size_t k = 0; k < 3; k++) T_INT(links[k].count, 10);
  for (int i = 0; i < 30; i++) answer((size_t)i % 3, 0, "");
  for (int i = 0; i < 30; i++) expect(&calls[i], COORD_OK, "", 0, "");
  for (int i = 0; i < 30; i++) { /* and one by one */
    begin(&calls[i], false, 0);
    used[at(where(&calls[i]))]++;
    answer_it(&calls[i]);
    expect(&calls[i], COORD_OK, "", 0, "");
  }
  for (size_t k = 0; k < 3; k++) T_INT(used[k], 10);
  stop();
}

static void server_that_cannot_serve_is_ejected_until_it_can(void) {
  tried write, other;
  start_ready("a:1,b:2");
  begin(&write, false, 0);
  begin(&other, false, 0);
  size_t bad = at(where(&write));
  size_t good = 1 - bad;
  const char *name = links[bad].endpoint->name;
  answer(bad, 14, "etcdserver: no leader");
  T_INT(links[good].count, 2);
  answer(good, 0, "");
  answer(good, 0, "");
  expect(&write, COORD_OK, "", 0, "");
  expect(&other, COORD_OK, "", 0, "");
  T_HAS(states, name);
  T_HAS(states, "no leader");
  T_INT(rpc.counters.ejections, 1);
  T_TRUE(!takes_calls(name, 5));
  T_FATAL(t_wait_until(is_probed, &bad, 5000));
  answer(bad, 14, "etcdserver: no leader"); /* still ill */
  T_TRUE(!takes_calls(name, 5));
  T_FATAL(t_wait_until(is_probed, &bad, 5000));
  answer(bad, 3, "etcdserver: user name is empty"); /* an answer is an answer */
  T_TRUE(takes_calls(name, 2));
  T_INT(rpc.counters.ejections, 1);
  stop();
}

static void last_endpoint_is_used_however_ill(void) {
  tried calls[2], last;
  start_ready("a:1,b:2");
  for (int i = 0; i < 2; i++) begin(&calls[i], true, 0);
  for (size_t k = 0; k < 2; k++) answer(k, 14, "etcdserver: no leader");
  begin(&last, false, 0);
  T_INT(rpc.counters.ejections, 2);
  while (!is_done(&last) || !is_done(&calls[0]) || !is_done(&calls[1])) {
    for (size_t k = 0; k < 2; k++) {
      answer_if_any(k);
    }
  }
  for (int i = 0; i < 2; i++) expect(&calls[i], COORD_OK, "", 0, "");
  expect(&last, COORD_OK, "", 0, "");
  stop();
}

static void silent_server_costs_one_attempt(void) {
  tried read, write, twice;
  start_ready("a:1,b:2");
  rpc.config.attempt_timeout_ms = 500;
  begin(&read, true, 20000);
  begin(&twice, true, 20000); /* on the other one */
  size_t bad = at(where(&read));
  size_t good = 1 - bad;
  begin(&write, false, 900); /* one of each has one: in turn, the first */
  T_INT(at(where(&write)), bad);
  answer(good, 0, "");
  expect(&twice, COORD_OK, "", 0, "");
  T_TRUE(t_wait_until(has_moved, &good, 2000));
  answer(good, 0, "");
  expect(&read, COORD_OK, "", 0, "");
  T_HAS(states, "no answer within 500 ms");
  T_TRUE(!takes_calls(links[bad].endpoint->name, 5));
  /* The write may have been done: it waits for its deadline. */
  expect(&write, COORD_TIMEOUT, "deadline", COORD_RETRIABLE | COORD_MAYBE_APPLIED,
         links[bad].endpoint->name);
  stop();
}

/* For longer than it may be silent; false when a pause was nearly so long. */
static bool says_something(size_t link) {
  bool in_time = true;
  for (int i = 0; i < 12; i++) {
    int64_t begun = t_now_ms();
    usleep(80000);
    on_loop(do_hear, &link);
    in_time &= t_now_ms() - begun < 500;
  }
  return in_time;
}

static void server_that_says_something_is_not_silent(void) {
  tried read, other;
  bool in_time = false;
  /* Once more when the machine made it silent. */
  for (int i = 0; i < 10 && !in_time; i++) {
    if (i > 0) stop();
    start_ready("a:1,b:2");
    rpc.config.attempt_timeout_ms = 600;
    begin(&read, true, 0);
    in_time = says_something(at(where(&read)));
    if (!in_time) {
      while (!is_done(&read)) answer_if_any(0), answer_if_any(1);
      expect(&read, COORD_OK, "", 0, "");
    }
  }
  T_FATAL(in_time);
  size_t slow = at(where(&read));
  T_INT(rpc.counters.ejections, 0);
  answer(slow, 0, "");
  expect(&read, COORD_OK, "", 0, "");
  begin(&other, true, 0);
  answer_it(&other);
  expect(&other, COORD_OK, "", 0, "");
  stop();
}

/* An answer that takes longer than the limit arrives in the end: the limit grows. */
static void slow_answer_is_waited_for_longer_each_time(void) {
  tried read;
  start_ready("a:1,b:2");
  rpc.config.attempt_timeout_ms = 200;
  int64_t begun = t_now_ms();
  begin(&read, true, 0);
  size_t first = at(where(&read));
  size_t second = 1 - first;
  T_TRUE(t_wait_until(has_moved, &second, 2000));
  T_TRUE(t_now_ms() - begun >= 190);
  while (t_now_ms() - begun < 500) { /* still there: twice as long */
    bool stays = has_moved(&second);
    T_TRUE(stays || t_now_ms() - begun >= 580);
    usleep(10000);
  }
  while (!is_done(&read)) answer_if_any(first), answer_if_any(second);
  expect(&read, COORD_OK, "", 0, "");
  stop();
}

static void endpoints_that_stay_keep_their_links(void) {
  tried on_a, on_b, next;
  start_ready("a:1,b:2");
  begin(&on_a, false, 0);
  begin(&on_b, false, 0);
  size_t a = at("a:1");
  size_t b = at("b:2");
  T_INT(links[a].count, 1);
  on_loop(do_set, (void *)(uintptr_t) "b:2,c:3");
  T_TRUE(t_wait_until(has_links, &(size_t){3}, 5000));
  T_STR(links[2].endpoint->name, "c:3");
  T_TRUE(!links[a].closed && !links[b].closed);
  ready(2);
  answer(a, 0, "");
  expect(&on_a, COORD_OK, "", 0, "");
  T_TRUE(links[a].closed);
  begin(&next, false, 0);
  T_INT(links[2].count, 1);
  answer(2, 0, "");
  answer(b, 0, "");
  expect(&next, COORD_OK, "", 0, "");
  expect(&on_b, COORD_OK, "", 0, "");
  T_HAS(states, "6 ");
  stop();
}

static void endpoints_go_while_they_are_ejected_probed_or_dialled(void) {
  tried call;
  start_ready("a:1,b:2");
  begin(&call, true, 0);
  size_t bad = at(where(&call));
  answer(bad, 14, "etcdserver: no leader");
  answer(1 - bad, 0, "");
  expect(&call, COORD_OK, "", 0, "");
  T_FATAL(t_wait_until(is_probed, &bad, 5000));
  on_loop(do_set, (void *)(uintptr_t) "c:3,d:4");
  T_TRUE(links[0].closed && links[1].closed);
  T_TRUE(t_wait_until(has_links, &(size_t){4}, 5000));
  on_loop(do_set, (void *)(uintptr_t) "e:5");
  T_TRUE(links[2].closed && links[3].closed);
  begin(&call, true, 0);
  T_TRUE(t_wait_until(has_links, &(size_t){5}, 5000));
  ready(4);
  answer(4, 0, "");
  expect(&call, COORD_OK, "", 0, "");
  stop();
}

T_MAIN(T_CASE(calls_are_spread_evenly), T_CASE(server_that_cannot_serve_is_ejected_until_it_can),
       T_CASE(last_endpoint_is_used_however_ill), T_CASE(silent_server_costs_one_attempt),
       T_CASE(server_that_says_something_is_not_silent),
       T_CASE(slow_answer_is_waited_for_longer_each_time),
       T_CASE(endpoints_that_stay_keep_their_links),
       T_CASE(endpoints_go_while_they_are_ejected_probed_or_dialled))
