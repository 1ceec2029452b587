/* Calls, links and failing over. */
#include "machine/links.h"

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

/* All endpoints are dialled at once; the first that is there takes what waits. */
static void endpoints_are_dialled_together(void) {
  tried calls[2];
  start("a:1,b:2,c:3");
  begin(&calls[0], false, 0);
  expect_links("a:1,b:2,c:3");
  lose(at("b:2"), COORD_UNAVAILABLE, "nobody there");
  ready(at("c:3"));
  T_INT(links[at("c:3")].count, 1);
  begin(&calls[1], false, 0);
  T_INT(links[at("c:3")].count, 2);
  for (int i = 0; i < 2; i++) {
    answer(at("c:3"), 0, "");
    expect(&calls[i], COORD_OK, "", 0, "");
  }
  T_INT(rpc.counters.connect_failed, 1);
  T_INT(rpc.counters.connected, 1);
  stop();
}

static void endpoint_that_fails_is_tried_again_and_again(void) {
  tried call;
  start("a:1,b:2");
  begin(&call, false, 0);
  expect_links("a:1,b:2");
  for (size_t i = 0; i < 6; i++) {
    T_FATAL(t_wait_until(has_links, &(size_t){i + 1}, 5000));
    lose(i, COORD_UNAVAILABLE, "nobody there");
  }
  T_FATAL(t_wait_until(has_links, &(size_t){7}, 5000));
  ready(6);
  answer(6, 0, "");
  expect(&call, COORD_OK, "", 0, "");
  T_INT(rpc.counters.connect_failed, 6);
  stop();
}

static void spare_links_are_kept_up(void) {
  tried call;
  start("a:1,b:2");
  begin(&call, false, 0);
  expect_links("a:1,b:2");
  ready(at("a:1"));
  answer(at("a:1"), 0, "");
  expect(&call, COORD_OK, "", 0, "");
  ready(at("b:2"));
  size_t before = at("b:2");
  lose(before, COORD_UNAVAILABLE, "cut");
  T_TRUE(t_wait_until(has_links, &(size_t){3}, 5000));
  T_STR(links[2].endpoint->name, "b:2");
  stop();
}

static void deadline_without_a_link_tells_the_last_failure(void) {
  tried call;
  start("a:1");
  begin(&call, false, 1000);
  expect_link(0, "a:1");
  lose(0, COORD_UNAVAILABLE, "nobody there");
  expect(&call, COORD_UNAVAILABLE, "a:1: nobody there", COORD_RETRIABLE, "");
  stop();
}

static void deadline_on_a_link_is_a_timeout(void) {
  tried read, write;
  start_ready("a:1");
  begin(&read, true, 50);
  begin(&write, false, 50);
  expect(&read, COORD_TIMEOUT, "deadline", COORD_RETRIABLE, "a:1");
  expect(&write, COORD_TIMEOUT, "deadline", COORD_RETRIABLE | COORD_MAYBE_APPLIED, "a:1");
  T_INT(links[0].count, 0);
  T_TRUE(!links[0].closed);
  stop();
}

static void lost_link_repeats_reads_and_gives_writes_back(void) {
  tried read, write;
  start_ready("a:1,b:2");
  lose(at("b:2"), COORD_UNAVAILABLE, "cut");
  begin(&read, true, 0);
  begin(&write, false, 0);
  T_INT(links[0].count, 2);
  T_TRUE(t_wait_until(has_links, &(size_t){3}, 5000));
  ready(2);
  lose(0, COORD_UNAVAILABLE, "cut");
  expect(&write, COORD_UNAVAILABLE, "lost", COORD_RETRIABLE | COORD_MAYBE_APPLIED, "a:1");
  T_INT(links[2].count, 1);
  answer(2, 0, "");
  expect(&read, COORD_OK, "", 0, "");
  T_INT(rpc.counters.retries, 1);
  T_INT(rpc.counters.connections_lost, 2);
  stop();
}

static void draining_link_ends_what_it_carries_and_takes_nothing_new(void) {
  tried first, second;
  start("a:1");
  begin(&first, false, 0);
  expect_link(0, "a:1");
  ready(0);
  drain(0, true);
  T_INT(rpc.config.link.keepalive_interval_ns, 2000);
  begin(&second, false, 0);
  expect_link(1, "a:1");
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
  start_ready("a:1,b:2");
  begin(&write, false, 0);
  size_t first = at(where(&write));
  drain(first, false);
  refuse(first);
  T_TRUE(links[first].closed);
  T_INT(links[1 - first].count, 1);
  answer(1 - first, 0, "");
  expect(&write, COORD_OK, "", 0, "");
  stop();
}

static void answer_that_leaves_it_open_is_not_repeated_for_a_write(void) {
  tried write, read;
  start_ready("a:1,b:2");
  begin(&write, false, 0);
  size_t bad = at(where(&write));
  answer(bad, 14, "etcdserver: request timed out");
  expect(&write, COORD_UNAVAILABLE, "timed out", COORD_RETRIABLE | COORD_MAYBE_APPLIED,
         links[bad].endpoint->name);
  begin(&read, true, 0);
  T_INT(at(where(&read)), 1 - bad);
  answer(1 - bad, 14, "etcdserver: request timed out");
  while (!is_done(&read)) {
    for (size_t k = 0; k < 2; k++) {
      answer_if_any(k);
    }
  }
  expect(&read, COORD_OK, "", 0, "");
  stop();
}

static void pauses_grow_and_attempts_end(void) {
  tried read;
  start("a:1");
  rpc.config.retry.max_attempts = 4;
  begin(&read, true, 0);
  expect_link(0, "a:1");
  ready(0);
  int64_t begun = t_now_ms();
  for (int i = 0; i < 4; i++) {
    T_FATAL(t_wait_until(has_moved, &(size_t){0}, 5000));
    answer(0, 14, "etcdserver: no leader");
  }
  int64_t took = t_now_ms() - begun;
  expect(&read, COORD_UNAVAILABLE, "no leader", COORD_RETRIABLE, "a:1");
  T_TRUE(took >= 50 + 100 + 200 - 5);
  T_INT(rpc.counters.retries, 3);
  T_INT(rpc.counters.ejections, 0);
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
  begin(&call, false, 300);
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
       T_CASE(endpoints_are_dialled_together), T_CASE(endpoint_that_fails_is_tried_again_and_again),
       T_CASE(spare_links_are_kept_up), T_CASE(deadline_without_a_link_tells_the_last_failure),
       T_CASE(deadline_on_a_link_is_a_timeout),
       T_CASE(lost_link_repeats_reads_and_gives_writes_back),
       T_CASE(draining_link_ends_what_it_carries_and_takes_nothing_new),
       T_CASE(unprocessed_call_on_a_draining_link_goes_elsewhere),
       T_CASE(answer_that_leaves_it_open_is_not_repeated_for_a_write),
       T_CASE(pauses_grow_and_attempts_end), T_CASE(closing_ends_all_calls_wherever_they_are),
       T_CASE(wire_without_memory_is_a_failure_to_connect),
       T_CASE(memory_that_stays_out_is_told_at_the_deadline),
       T_CASE(link_that_refuses_a_call_is_replaced))
