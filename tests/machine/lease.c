/* The keeper of leases, with a wire and a clock that exist only here. Times are milliseconds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "coord/keeper.h"
#include "etcd/lease.h"
#include "rpc/grpc.h"
#include "support/t.h"

enum { LEASES = 8, TTL = 6 };

/* ---- the wire ---- */

static coord__keeper keeper;
static int64_t now_ms;
static int64_t wake_ms; /* -1: none */
static char did[4096];  /* what the keeper has done since the last look */
static bool opens_at_once;
static bool sends;
static bool answers_calls_at_once;
static int64_t asked_until_ms; /* the last call */

typedef struct leased {
  coord__kept kept;
} leased;

static leased all[LEASES];

static int64_t ns(int64_t ms) { return ms * COORD__NS_PER_MS; }

/* "open ", or with an id "ask1 ". */
static void note(const char *what, int64_t id) {
  size_t used = strlen(did);
  if (id == 0) snprintf(did + used, sizeof did - used, "%s ", what);
  if (id != 0) snprintf(did + used, sizeof did - used, "%s%lld ", what, (long long)id);
}

static void wire_open(coord__keeper *k) {
  note("open", 0);
  if (opens_at_once) coord__keeper_opened(k, ns(now_ms));
}

static bool wire_send(coord__keeper *k, int64_t id) {
  (void)k;
  if (!sends) return false;
  note("ask", id);
  return true;
}

static void wire_leave(coord__keeper *k, bool silent) {
  (void)k;
  note(silent ? "flee" : "end", 0);
}

static void wire_ask(coord__keeper *k, coord__kept *kept, int64_t until) {
  T_TRUE(until > ns(now_ms) && until <= kept->deadline_ns);
  asked_until_ms = until / COORD__NS_PER_MS;
  note("alone", kept->id);
  if (answers_calls_at_once) {
    coord__keeper_told(k, kept, COORD_CLOSED, 0, "closed", ns(now_ms));
  }
}

static void wire_cancel(coord__keeper *k, coord__kept *kept) {
  (void)k;
  note("cancel", kept->id);
}

static void wire_wake(coord__keeper *k, int64_t at) {
  (void)k;
  wake_ms = at == INT64_MAX ? -1 : (at + COORD__NS_PER_MS - 1) / COORD__NS_PER_MS;
  if (at != INT64_MAX) T_TRUE(at >= ns(now_ms) || at < 0);
}

static const coord__keeper_wire wire = {wire_open, wire_send,   wire_leave,
                                        wire_ask,  wire_cancel, wire_wake};

static char last_why[256];
static coord_code last_code;

static void on_news(coord__kept *kept, coord__kept_news news, coord_code code, const char *why) {
  static const char *const names[] = {"risk", "well", "lost", "ended"};
  note(names[news], kept->id);
  last_code = code;
  snprintf(last_why, sizeof last_why, "%s", why != NULL ? why : "");
}

/* What it did since the last time is exactly this. */
static void expect(const char *what) {
  T_STR(did, what);
  did[0] = '\0';
}

/* ---- the world ---- */

static void begin(void) {
  now_ms = 1000000;
  wake_ms = -1;
  did[0] = '\0';
  opens_at_once = sends = true;
  answers_calls_at_once = false;
  memset(all, 0, sizeof all);
  coord__keeper_init(&keeper, &wire, false);
}

static void finish(void) {
  for (int i = 0; i < LEASES; i++) {
    if (all[i].kept.state != COORD__KEPT_OUT) coord__keeper_leave(&keeper, &all[i].kept);
  }
  T_INT(keeper.all.len, 0);
  T_INT(wake_ms, -1);
  coord__keeper_free(&keeper);
}

static coord__kept *lease(int id, int64_t ttl_s) {
  coord__kept *e = &all[id].kept;
  e->id = id;
  e->news = on_news;
  T_CODE(coord__keeper_join(&keeper, e), COORD_OK);
  T_TRUE(coord__keeper_start(&keeper, e, ns(now_ms), ttl_s, ns(now_ms)));
  return e;
}

static int64_t left_ms(int id) {
  return coord__kept_left_ns(&all[id].kept, ns(now_ms)) / COORD__NS_PER_MS;
}

/* The keeper is woken; it is to say when again. */
static void run(void) {
  wake_ms = -1;
  coord__keeper_run(&keeper, ns(now_ms));
}

/* Let time pass until `ms` from now, waking the keeper when it wants to be. */
static void pass(int64_t ms) {
  int64_t until = now_ms + ms;
  while (wake_ms >= 0 && wake_ms <= until) {
    if (wake_ms > now_ms) now_ms = wake_ms;
    run();
  }
  now_ms = until;
}

/* Until it does something; how long that took. */
static int64_t pass_until_it_acts(void) {
  int64_t from = now_ms;
  while (did[0] == '\0' && wake_ms >= 0 && now_ms - from < 100000) {
    if (wake_ms > now_ms) now_ms = wake_ms;
    run();
  }
  return now_ms - from;
}

static size_t answer_bytes(uint8_t *out, int64_t id, int64_t ttl_s) {
  Etcdserverpb__ResponseHeader header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
  header.revision = 7;
  header.cluster_id = 0xffffffffffffffff;
  Etcdserverpb__LeaseKeepAliveResponse answer = ETCDSERVERPB__LEASE_KEEP_ALIVE_RESPONSE__INIT;
  answer.header = &header;
  answer.id = id;
  answer.ttl = ttl_s;
  return etcdserverpb__lease_keep_alive_response__pack(&answer, out);
}

static void answer(int64_t id, int64_t ttl_s) {
  uint8_t bytes[64];
  coord__keeper_message(&keeper, bytes, answer_bytes(bytes, id, ttl_s), ns(now_ms));
}

static void close_stream(coord_code code, bool again) {
  coord__keeper_closed(&keeper, code, again, "it was said so", ns(now_ms));
}

static void told(int id, coord_code code, int64_t ttl_s) {
  coord__keeper_told(&keeper, &all[id].kept, code, ttl_s, "a refusal", ns(now_ms));
}

/* ---- all goes well ---- */

static void renews_after_a_third_on_one_stream(void) {
  begin();
  lease(1, TTL);
  int64_t first = pass_until_it_acts();
  T_TRUE(first >= 950 && first <= 2000);
  expect("open ask1 ");
  pass(10);
  answer(1, TTL);
  T_INT(left_ms(1), TTL * 1000 - 10);
  for (int i = 0; i < 5; i++) {
    int64_t took = pass_until_it_acts();
    T_TRUE(took >= 1900 && took <= 2000);
    expect("ask1 ");
    pass(10);
    answer(1, TTL);
  }
  finish();
  expect("end ");
}

static void time_counts_from_the_sending(void) {
  begin();
  lease(1, TTL);
  pass(400);
  T_INT(left_ms(1), TTL * 1000 - 400);
  pass_until_it_acts();
  int64_t asked = now_ms;
  pass(900);
  answer(1, TTL);
  T_INT(left_ms(1), asked + TTL * 1000 - now_ms);
  /* The server may change its mind. */
  did[0] = '\0';
  pass_until_it_acts();
  answer(1, 60);
  T_INT(left_ms(1), 60000);
  expect("ask1 ");
  T_TRUE(pass_until_it_acts() > 19000);
  finish();
}

static void leases_spread_at_first_and_go_in_batches(void) {
  begin();
  for (int i = 1; i < LEASES; i++) lease(i, TTL);
  int64_t last = now_ms;
  int waits = 0;
  for (int i = 1; i < LEASES; i++) {
    while (all[i].kept.state == COORD__KEPT_RESTS) {
      pass_until_it_acts();
      did[0] = '\0';
      waits++;
    }
  }
  T_TRUE(now_ms - last <= 2000);
  T_TRUE(waits >= 2);
  int64_t slot = ns(TTL * 1000) / 3 / 64;
  for (int i = 1; i < LEASES; i++) {
    answer(i, TTL);
    T_INT(all[i].kept.renew_ns % slot, 0);
  }
  did[0] = '\0';
  finish();
}

/* The bytes of two answers and the end of a third, cut into two pieces at every place. */
static void answers_in_pieces_are_answers(void) {
  uint8_t bytes[256];
  size_t n = 0;
  for (int id = 1; id <= 3; id++) {
    size_t len = answer_bytes(bytes + n + COORD__GRPC_HEADER, id, id == 2 ? 0 : TTL);
    coord__grpc_put_header(bytes + n, len);
    n += COORD__GRPC_HEADER + len;
  }
  for (size_t cut = 0; cut <= n; cut++) {
    begin();
    for (int i = 1; i <= 3; i++) lease(i, TTL);
    pass(2000);
    did[0] = '\0';
    coord__grpc_reader reader;
    coord__grpc_reader_init(&reader, 4096);
    size_t pieces[2] = {cut, n - cut};
    const uint8_t *p = bytes;
    for (int i = 0; i < 2; i++) {
      for (size_t left = pieces[i]; left > 0;) {
        coord__grpc_step step = coord__grpc_read(&reader, p, left);
        T_FATAL(step.code == COORD_OK);
        p += step.used;
        left -= step.used;
        if (!step.complete) continue;
        T_TRUE(coord__keeper_message(&keeper, reader.body.data, reader.body.len, ns(now_ms)) >= 0);
      }
    }
    coord__grpc_reader_reset(&reader);
    expect("lost2 ");
    T_TRUE(left_ms(1) > 4000 && left_ms(2) == 0 && left_ms(3) > 4000);
    finish();
  }
}

/* ---- what is no answer ---- */

static void every_broken_message_leaves_the_stream(void) {
  uint8_t bytes[64];
  size_t n = answer_bytes(bytes, 1, TTL);
  for (size_t len = 0; len < n; len++) {
    begin();
    lease(1, TTL);
    pass_until_it_acts();
    did[0] = '\0';
    int64_t took = coord__keeper_message(&keeper, bytes, len, ns(now_ms));
    /* Cut between two fields it is a message, and tells of no lease, or of no time. */
    if (strcmp(did, "lost1 end ") != 0) {
      T_INT(took, -1);
      expect("flee ");
      pass_until_it_acts();
      expect("open ask1 ");
    }
    did[0] = '\0';
    finish();
  }
}

static void answers_that_nobody_asked_for_are_passed_over(void) {
  begin();
  lease(1, TTL);
  pass_until_it_acts();
  answer(2, TTL);
  answer(1, TTL);
  int64_t left = left_ms(1);
  pass(100);
  answer(1, TTL);
  T_INT(left_ms(1), left - 100);
  expect("open ask1 ");
  finish();
}

/* ---- silence ---- */

static void silent_stream_is_left_for_another(void) {
  begin();
  lease(1, TTL);
  lease(2, 60);
  pass_until_it_acts();
  expect("open ask1 ");
  int64_t took = pass_until_it_acts();
  T_INT(took, TTL * 1000 / 6);
  expect("flee open ask1 ");
  pass(5);
  answer(1, TTL);
  expect("");
  T_INT(left_ms(1), TTL * 1000 - 5);
  finish();
}

static void stream_that_does_not_open_is_left_too(void) {
  begin();
  opens_at_once = false;
  lease(1, TTL);
  pass_until_it_acts();
  expect("open ");
  T_INT(pass_until_it_acts(), TTL * 1000 / 6);
  expect("flee open ");
  coord__keeper_opened(&keeper, ns(now_ms));
  expect("ask1 ");
  /* Opened once more, because the token was old. */
  coord__keeper_opened(&keeper, ns(now_ms));
  expect("ask1 ");
  answer(1, TTL);
  finish();
}

static void lease_is_at_risk_and_then_lost(void) {
  begin();
  lease(1, TTL);
  int64_t deadline = now_ms + TTL * 1000;
  pass(TTL * 1000 * 2 / 3 - 1);
  T_TRUE(strstr(did, "risk") == NULL);
  pass(1);
  T_TRUE(strstr(did, "risk1") != NULL);
  T_HAS(last_why, "no keepalive was answered for a while; last: lease_keepalive: no answer");
  T_CODE(last_code, COORD_TIMEOUT);
  pass(deadline - now_ms - 1);
  T_TRUE(strstr(did, "lost") == NULL && left_ms(1) == 1);
  pass(1);
  T_TRUE(strstr(did, "lost1 end ") != NULL);
  T_CODE(last_code, COORD_LOST);
  T_INT(left_ms(1), 0);
  answer(1, TTL);
  T_INT(left_ms(1), 0);
  finish();
}

static void lease_at_risk_is_restored_by_an_answer(void) {
  begin();
  lease(1, TTL);
  pass(TTL * 1000 * 5 / 6);
  did[0] = '\0';
  answer(1, TTL);
  expect("well1 ");
  finish();
}

/* ---- a process that was stopped ---- */

static void stopped_process_learns_what_is_lost_before_it_asks(void) {
  begin();
  lease(1, TTL);
  lease(2, 60);
  pass(500);
  now_ms += 30000; /* and nobody called the keeper */
  T_INT(left_ms(1), 0);
  run();
  T_TRUE(strstr(did, "lost1 ") == did);
  T_TRUE(strstr(did, "lost1 open ask2") != NULL);
  finish();
}

static void answer_that_comes_too_late_saves_nothing(void) {
  begin();
  lease(1, TTL);
  pass_until_it_acts();
  did[0] = '\0';
  now_ms += 30000;
  answer(1, TTL);
  expect("lost1 end ");
  finish();
}

static void whoever_was_told_of_the_end_is_not_told_otherwise(void) {
  begin();
  coord__kept *e = lease(1, TTL);
  pass_until_it_acts();
  did[0] = '\0';
  /* Somebody has looked with a later clock than the one that the answer comes with. */
  T_INT(coord__kept_left_ns(e, ns(now_ms + 60000)), 0);
  answer(1, TTL);
  expect("lost1 end ");
  finish();
}

/* ---- a stream that ends ---- */

static void lost_stream_is_opened_again_at_once_and_then_with_pauses(void) {
  begin();
  lease(1, TTL);
  pass_until_it_acts();
  expect("open ask1 ");
  close_stream(COORD_UNAVAILABLE, true);
  expect("open ask1 ");
  int64_t pauses[4];
  for (int i = 0; i < 4; i++) {
    close_stream(COORD_UNAVAILABLE, true);
    expect("");
    pauses[i] = pass_until_it_acts();
    expect("open ask1 ");
  }
  T_TRUE(pauses[0] >= 25 && pauses[0] <= 75);
  T_TRUE(pauses[3] >= 100 && pauses[3] <= 600);
  answer(1, TTL);
  close_stream(COORD_UNAVAILABLE, true);
  expect(""); /* there is nothing to ask now */
  T_TRUE(pass_until_it_acts() > 500);
  expect("open ask1 ");
  finish();
}

static void refused_lease_is_asked_alone_and_others_go_on(void) {
  begin();
  for (int i = 1; i <= 3; i++) lease(i, TTL);
  opens_at_once = false;
  pass(2000);
  did[0] = '\0';
  coord__keeper_opened(&keeper, ns(now_ms));
  opens_at_once = true;
  coord__kept *first = COORD__CONTAINER(keeper.asked.next, coord__kept, link);
  did[0] = '\0';
  char expected[64];
  close_stream(COORD_AUTH, false);
  T_TRUE(first->single && first->state == COORD__KEPT_ALONE);
  snprintf(expected, sizeof expected, "alone%d open ask", (int)first->id);
  T_TRUE(strncmp(did, expected, strlen(expected)) == 0);
  for (int i = 1; i <= 3; i++) {
    if (&all[i].kept != first) answer(i, TTL);
  }
  did[0] = '\0';
  told((int)first->id, COORD_AUTH, 0);
  snprintf(expected, sizeof expected, "risk%d ", (int)first->id);
  expect(expected);
  T_CODE(last_code, COORD_AUTH);
  T_STR(last_why, "a refusal");
  /* Again and again, until its end or until it may. */
  pass_until_it_acts();
  snprintf(expected, sizeof expected, "alone%d ", (int)first->id);
  expect(expected);
  told((int)first->id, COORD_OK, TTL);
  snprintf(expected, sizeof expected, "well%d ", (int)first->id);
  expect(expected);
  T_TRUE(!first->single);
  for (int i = 1; i <= 3; i++) T_TRUE(left_ms(i) > 4000);
  finish();
}

static void innocent_suspect_comes_back_to_the_stream(void) {
  begin();
  lease(1, TTL);
  pass_until_it_acts();
  did[0] = '\0';
  close_stream(COORD_INTERNAL, false);
  expect("alone1 ");
  told(1, COORD_OK, TTL);
  pass_until_it_acts();
  expect("open ask1 ");
  finish();
}

static void refusal_of_a_stream_without_questions_suspects_nobody(void) {
  begin();
  opens_at_once = false;
  lease(1, TTL);
  pass_until_it_acts();
  expect("open ");
  close_stream(COORD_AUTH, false);
  expect("open ");
  close_stream(COORD_AUTH, false);
  expect("");
  pass_until_it_acts();
  expect("open ");
  /* A refusal that passes with another token is none. */
  coord__keeper_opened(&keeper, ns(now_ms));
  expect("ask1 ");
  answer(1, TTL);
  pass_until_it_acts();
  did[0] = '\0';
  close_stream(COORD_AUTH, true);
  expect("open ");
  finish();
}

static void lease_that_is_gone_is_lost_also_when_asked_alone(void) {
  begin();
  lease(1, TTL);
  lease(2, TTL);
  pass(2000);
  close_stream(COORD_AUTH, false);
  int alone = all[1].kept.single ? 1 : 2;
  did[0] = '\0';
  told(alone, COORD_NOT_FOUND, 0);
  expect(alone == 1 ? "lost1 " : "lost2 ");
  T_HAS(last_why, "etcd has it no more");
  T_TRUE(left_ms(3 - alone) > 0);
  finish();
}

/* ---- the end ---- */

static void leaving_ends_what_was_asked(void) {
  begin();
  lease(1, TTL);
  lease(2, TTL);
  pass(2000);
  close_stream(COORD_AUTH, false);
  int alone = all[1].kept.single ? 1 : 2;
  did[0] = '\0';
  coord__keeper_leave(&keeper, &all[alone].kept);
  T_TRUE(strncmp(did, "cancel", 6) == 0);
  coord__keeper_leave(&keeper, &all[alone].kept);
  did[0] = '\0';
  coord__keeper_leave(&keeper, &all[3 - alone].kept);
  expect("end ");
  finish();
}

static void end_of_the_client_ends_all_and_nothing_follows(void) {
  begin();
  lease(1, TTL);
  lease(2, TTL);
  pass(2000);
  did[0] = '\0';
  coord__keeper_end(&keeper);
  T_TRUE(strstr(did, "ended1 ") != NULL && strstr(did, "ended2 ") != NULL);
  T_CODE(last_code, COORD_CLOSED);
  T_INT(wake_ms, -1);
  coord__kept *late = &all[3].kept;
  late->id = 3;
  T_CODE(coord__keeper_join(&keeper, late), COORD_OK);
  T_TRUE(!coord__keeper_start(&keeper, late, ns(now_ms), TTL, ns(now_ms)));
  finish();
}

static void one_id_has_one_place(void) {
  begin();
  lease(1, TTL);
  leased twin = {.kept.id = 1};
  T_CODE(coord__keeper_join(&keeper, &twin.kept), COORD_CONFLICT);
  coord__keeper_leave(&keeper, &twin.kept);
  T_TRUE(coord__map_find(&keeper.all, 1) == &all[1]);
  twin.kept.id = 2;
  T_CODE(coord__keeper_join(&keeper, &twin.kept), COORD_OK);
  T_TRUE(!coord__keeper_start(&keeper, &twin.kept, ns(now_ms - 7000), TTL, ns(now_ms)));
  finish();
}

static void sending_without_memory_is_tried_again(void) {
  begin();
  sends = false;
  lease(1, TTL);
  pass_until_it_acts();
  expect("open end ");
  sends = true;
  pass_until_it_acts();
  expect("open ask1 ");
  finish();
}

static void only_alone_never_opens_a_stream(void) {
  begin();
  keeper.only_alone = true;
  lease(1, TTL);
  for (int i = 0; i < 3; i++) {
    pass_until_it_acts();
    expect("alone1 ");
    told(1, COORD_OK, TTL);
  }
  answers_calls_at_once = true;
  pass_until_it_acts();
  expect("alone1 ");
  finish();
}

static void silent_call_is_repeated_at_once(void) {
  begin();
  keeper.only_alone = true;
  lease(1, TTL);
  pass_until_it_acts();
  expect("alone1 ");
  pass(asked_until_ms - now_ms);
  told(1, COORD_TIMEOUT, 0);
  T_TRUE(pass_until_it_acts() <= 1);
  T_TRUE(strstr(did, "alone1 ") != NULL);
  told(1, COORD_OK, TTL);
  T_TRUE(left_ms(1) > TTL * 1000 / 2);
  finish();
}

static void call_that_fails_quickly_is_not_repeated_in_a_circle(void) {
  begin();
  keeper.only_alone = true;
  lease(1, TTL);
  pass_until_it_acts();
  expect("alone1 ");
  told(1, COORD_UNAVAILABLE, 0);
  /* Half of a sixth of the TTL, less the slot that times of renewal are rounded down to. */
  T_TRUE(pass_until_it_acts() >= TTL * 1000 / 12 - TTL * 1000 / 3 / 64);
  expect("alone1 ");
  finish();
}

T_MAIN(T_CASE(renews_after_a_third_on_one_stream), T_CASE(time_counts_from_the_sending),
       T_CASE(leases_spread_at_first_and_go_in_batches), T_CASE(answers_in_pieces_are_answers),
       T_CASE(every_broken_message_leaves_the_stream),
       T_CASE(answers_that_nobody_asked_for_are_passed_over),
       T_CASE(silent_stream_is_left_for_another), T_CASE(stream_that_does_not_open_is_left_too),
       T_CASE(lease_is_at_risk_and_then_lost), T_CASE(lease_at_risk_is_restored_by_an_answer),
       T_CASE(stopped_process_learns_what_is_lost_before_it_asks),
       T_CASE(answer_that_comes_too_late_saves_nothing),
       T_CASE(whoever_was_told_of_the_end_is_not_told_otherwise),
       T_CASE(lost_stream_is_opened_again_at_once_and_then_with_pauses),
       T_CASE(refused_lease_is_asked_alone_and_others_go_on),
       T_CASE(innocent_suspect_comes_back_to_the_stream),
       T_CASE(refusal_of_a_stream_without_questions_suspects_nobody),
       T_CASE(lease_that_is_gone_is_lost_also_when_asked_alone),
       T_CASE(leaving_ends_what_was_asked), T_CASE(end_of_the_client_ends_all_and_nothing_follows),
       T_CASE(one_id_has_one_place), T_CASE(sending_without_memory_is_tried_again),
       T_CASE(only_alone_never_opens_a_stream), T_CASE(silent_call_is_repeated_at_once),
       T_CASE(call_that_fails_quickly_is_not_repeated_in_a_circle))
