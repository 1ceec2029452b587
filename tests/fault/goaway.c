/* Servers that send calls away: GOAWAY, REFUSED_STREAM, few streams at a time, and silence. */
#include <nghttp2/nghttp2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "support/etcd.h"
#include "support/peer.h"

#define GOOD .data = T_EMPTY_MESSAGE, .grpc_status = "0"

static void goaway_after_an_answer_moves_to_a_new_connection(void) {
  static const t_rule rules[] = {{.times = 1, .goaway = true, GOOD}, {GOOD}};
  t_peer *peer = t_peer_grpc(rules, 2, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  for (int i = 0; i < 5; i++) T_INT(t_put(client, "k", "v"), 7);
  T_INT(t_peer_connections(peer), 2);
  T_INT(t_peer_calls(peer, "KV/Put"), 5);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void write_that_goaway_left_unprocessed_is_done_elsewhere(void) {
  static const t_rule rules[] = {{.times = 1, .goaway = true, .last_back = 1, .never = true},
                                 {GOOD}};
  t_peer *peer = t_peer_grpc(rules, 2, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  T_INT(t_put(client, "k", "v"), 7);
  T_INT(t_peer_connections(peer), 2);
  T_INT(t_peer_calls(peer, "KV/Put"), 2);
  coord_client_free(client);
  t_peer_stop(peer);
}

static atomic_bool goes_on;

static bool when_it_goes_on(t_peer *peer) {
  (void)peer;
  return atomic_load(&goes_on);
}

static void calls_below_the_last_stream_finish_on_the_old_connection(void) {
  /* The fourth call says goodbye: the three before it are answered later, on the same connection. */
  static const t_rule rules[] = {{.times = 3, .ready = when_it_goes_on, GOOD},
                                 {.times = 1, .goaway = true, .last_back = 1, .never = true},
                                 {GOOD}};
  coord_queue *queue = NULL;
  t_peer *peer = t_peer_grpc(rules, 3, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  coord_op *op = coord_op_put("k", 1, "v", 1);
  for (uint64_t i = 0; i < 4; i++) {
    T_CODE(coord_submit(client, op, 0, queue, i, NULL, NULL), COORD_OK);
  }
  for (int i = 0; i < 4; i++) {
    coord_event *event = coord_queue_next(queue, 20000);
    T_CODE(coord_event_code(event), COORD_OK);
    if (i == 0) T_INT((long long)coord_event_tag(event), 3);
    atomic_store(&goes_on, true);
    coord_event_free(event);
  }
  T_INT(t_peer_calls(peer, "KV/Put"), 5);
  T_INT(t_peer_connections(peer), 2);
  coord_op_free(op);
  coord_client_free(client);
  coord_queue_free(queue);
  t_peer_stop(peer);
}

static void processed_write_on_a_connection_that_ends_is_unknown(void) {
  static const t_rule rules[] = {
      {.times = 1, .goaway = true, .data = T_BYTES("\0\0"), .closes = true}, {GOOD}};
  coord_error *err = NULL;
  t_peer *peer = t_peer_grpc(rules, 2, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  T_CODE(coord_put(client, "k", 1, "v", 1, &err), COORD_UNAVAILABLE);
  T_TRUE((coord_error_flags(err) & COORD_MAYBE_APPLIED) != 0);
  T_STR(coord_error_endpoint(err), t_peer_endpoint(peer));
  coord_error_free(err);
  T_INT(t_peer_calls(peer, "KV/Put"), 1);
  T_INT(t_put(client, "k", "v"), 7);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void read_and_idempotent_write_are_repeated_over_a_broken_connection(void) {
  static const t_rule rules[] = {
      {.method = "KV/Range", .times = 2, .data = T_BYTES("\0\0"), .closes = true},
      {.method = "KV/Put", .times = 2, .data = T_BYTES("\0\0"), .closes = true},
      {GOOD}};
  coord_error *err = NULL;
  t_peer *peer = t_peer_grpc(rules, 3, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  T_TRUE(t_get_is(client, "k", NULL));
  T_INT(t_peer_calls(peer, "KV/Range"), 3);
  coord_op *op = coord_op_put("k", 1, "v", 1);
  T_CODE(coord_op_set(op, COORD_OP_IDEMPOTENT, 1), COORD_OK);
  T_OK(coord_call(client, op, 0, NULL, &err), err);
  T_INT(t_peer_calls(peer, "KV/Put"), 3);
  coord_op_free(op);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void goaway_that_asks_for_calm_is_obeyed(void) {
  static const t_rule rules[] = {
      {.times = 1, .goaway = true, .goaway_code = NGHTTP2_ENHANCE_YOUR_CALM, GOOD}, {GOOD}};
  t_peer *peer = t_peer_grpc(rules, 2, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  for (int i = 0; i < 3; i++) T_INT(t_put(client, "k", "v"), 7);
  T_INT(t_peer_connections(peer), 2);
  coord_client_free(client);
  t_peer_stop(peer);
}

/* By its attempts and not by a deadline: that may pass while the server has the call and has not refused it
 * yet, which is another matter. The pauses between eight are 768 ms, with the most jitter 614. */
enum { EIGHT_MS = 600 };

static coord_client *eight_times(t_peer *peer) {
  return t_client_with("endpoints", t_peer_endpoint(peer), "retry.max.attempts", "8",
                       "request.timeout.ms", "60000", NULL);
}

static void goaway_on_every_connection_is_no_storm(void) {
  static const t_rule rules[] = {{.goaway = true, .last_back = 1, .never = true}};
  t_peer *peer = t_peer_grpc(rules, 1, NULL);
  coord_client *client = eight_times(peer);
  int64_t start = t_now_ms();
  coord_op *op = coord_op_put("k", 1, "v", 1);
  coord_error *err = NULL;
  T_CODE(coord_call(client, op, 0, NULL, &err), COORD_UNAVAILABLE);
  T_INT(coord_error_flags(err) & COORD_MAYBE_APPLIED, 0);
  T_TRUE(t_now_ms() - start >= EIGHT_MS);
  T_TRUE(t_peer_connections(peer) < 30);
  coord_error_free(err);
  coord_op_free(op);
  coord_client_free(client);
  t_peer_stop(peer);
}

/* --- Refused streams -------------------------------------------------------------------------------- */

static void refused_write_is_repeated_until_it_is_taken(void) {
  static const t_rule rules[] = {{.times = 3, .reset = T_RESET(NGHTTP2_REFUSED_STREAM)}, {GOOD}};
  t_peer *peer = t_peer_grpc(rules, 2, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  T_INT(t_put(client, "k", "v"), 7);
  T_INT(t_peer_calls(peer, "KV/Put"), 4);
  T_INT(t_peer_connections(peer), 1);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void write_that_is_always_refused_was_not_applied(void) {
  static const t_rule rules[] = {{.reset = T_RESET(NGHTTP2_REFUSED_STREAM)}};
  coord_error *err = NULL;
  t_peer *peer = t_peer_grpc(rules, 1, NULL);
  coord_client *client = eight_times(peer);
  int64_t start = t_now_ms();
  T_CODE(coord_put(client, "k", 1, "v", 1, &err), COORD_UNAVAILABLE);
  T_INT(coord_error_flags(err) & COORD_MAYBE_APPLIED, 0);
  T_TRUE((coord_error_flags(err) & COORD_RETRIABLE) != 0);
  T_TRUE(t_now_ms() - start >= EIGHT_MS);
  T_INT(t_peer_calls(peer, "KV/Put"), 8);
  coord_error_free(err);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void unavailable_status_is_repeated_for_reads_alone(void) {
  static const t_rule rules[] = {{.times = 4,
                                  .trailers_only = true,
                                  .grpc_status = "14",
                                  .grpc_message = "etcdserver: request timed out"},
                                 {GOOD}};
  coord_error *err = NULL;
  t_peer *peer = t_peer_grpc(rules, 2, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  T_CODE(coord_put(client, "k", 1, "v", 1, &err), COORD_UNAVAILABLE);
  T_TRUE((coord_error_flags(err) & COORD_MAYBE_APPLIED) != 0);
  T_INT(coord_error_grpc_status(err), 14);
  T_HAS(coord_error_message(err), "request timed out");
  coord_error_free(err);
  T_INT(t_peer_calls(peer, "KV/Put"), 1);
  T_TRUE(t_get_is(client, "k", NULL));
  T_INT(t_peer_calls(peer, "KV/Range"), 4);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void write_without_a_leader_is_repeated(void) {
  static const t_rule rules[] = {{.times = 2,
                                  .trailers_only = true,
                                  .grpc_status = "14",
                                  .grpc_message = "etcdserver: no leader"},
                                 {GOOD}};
  t_peer *peer = t_peer_grpc(rules, 2, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  T_INT(t_put(client, "k", "v"), 7);
  T_INT(t_peer_calls(peer, "KV/Put"), 3);
  coord_client_free(client);
  t_peer_stop(peer);
}

/* --- Few streams ------------------------------------------------------------------------------------- */

static void no_more_streams_are_open_than_the_server_allows(void) {
  static const t_rule rules[] = {{.delay_ms = 5, GOOD}};
  const coord_op *ops[300];
  coord_error *err = NULL;
  t_peer *peer = t_peer_grpc(rules, 1, &(t_h2_settings){.max_concurrent_streams = 10});
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  coord_op *op = coord_op_put("k", 1, "v", 1);
  for (int i = 0; i < 300; i++) ops[i] = op;
  T_OK(coord_call_many(client, ops, 300, 20000, NULL, NULL, &err), err);
  T_INT(t_peer_calls(peer, "KV/Put"), 300);
  T_TRUE(t_peer_open_calls_max(peer) <= 10);
  T_INT(t_peer_connections(peer), 1);
  coord_op_free(op);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void call_that_waits_for_a_stream_keeps_its_deadline(void) {
  static const t_rule rules[] = {{.never = true}};
  coord_error *err = NULL;
  coord_queue *queue = NULL;
  t_peer *peer = t_peer_grpc(rules, 1, &(t_h2_settings){.max_concurrent_streams = 1});
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  coord_op *op = coord_op_put("k", 1, "v", 1);
  T_CODE(coord_submit(client, op, -1, queue, 0, NULL, NULL), COORD_OK);
  T_TRUE(t_peer_wait_calls(peer, "KV/Put", 1, 5000));
  int64_t start = t_now_ms();
  T_CODE(coord_call(client, op, 200, NULL, &err), COORD_TIMEOUT);
  T_INT(coord_error_flags(err) & COORD_MAYBE_APPLIED, 0); /* it was never sent */
  T_WITHIN(start, 700);
  T_INT(t_peer_calls(peer, "KV/Put"), 1);
  coord_error_free(err);
  coord_op_free(op);
  coord_client_free(client);
  coord_queue_free(queue);
  t_peer_stop(peer);
}

/* --- Signs of life ------------------------------------------------------------------------------------ */

typedef struct patient {
  t_peer *peer;
  const char *timeout_ms; /* of a PING */
  coord_code code;
  char message[256];
  int64_t took_ms;
  int64_t held_up_ms;
} patient;

/* A call of 12 s to a server that never answers. */
static void *wait_twelve_seconds(void *arg) {
  patient *p = arg;
  coord_error *err = NULL;
  coord_client *client =
      t_client_with("endpoints", t_peer_endpoint(p->peer), "keepalive.timeout.ms", p->timeout_ms,
                    "log.level", "off", NULL);
  coord_op *op = coord_op_put("k", 1, "v", 1);
  int64_t start = t_now_ms();
  p->code = coord_call(client, op, 12000, NULL, &err);
  p->took_ms = t_now_ms() - start;
  p->held_up_ms = t_held_up_ms(start);
  snprintf(p->message, sizeof p->message, "%s", coord_error_message(err));
  coord_error_free(err);
  coord_op_free(op);
  coord_client_free(client);
  return NULL;
}

static void pings_tell_a_slow_server_from_a_dead_one(void) {
  static const t_rule never[] = {{.never = true}};
  pthread_t threads[2];
  patient slow = {.peer = t_peer_grpc(never, 1, NULL), .timeout_ms = "60000"};
  patient dead = {.peer = t_peer_grpc(never, 1, &(t_h2_settings){.deaf_to_pings = true}),
                  .timeout_ms = "300"};
  t_peer *unused = t_peer_grpc(never, 1, NULL);
  coord_client *idle = t_client_with("endpoints", t_peer_endpoint(unused), NULL);
  pthread_create(&threads[0], NULL, wait_twelve_seconds, &slow);
  pthread_create(&threads[1], NULL, wait_twelve_seconds, &dead);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  T_CODE(slow.code, COORD_TIMEOUT);
  T_INT(t_peer_pings(slow.peer), 1);
  T_CODE(dead.code, COORD_UNAVAILABLE);
  T_HAS(dead.message, "PING");
  T_TRUE(dead.took_ms >= 10000 && dead.took_ms - dead.held_up_ms < 11500);
  T_INT(t_peer_pings(unused), 0);
  T_INT(t_peer_open_connections(unused), 1);
  coord_client_free(idle);
  t_peer_stop(slow.peer);
  t_peer_stop(dead.peer);
  t_peer_stop(unused);
}

T_MAIN(T_CASE(goaway_after_an_answer_moves_to_a_new_connection),
       T_CASE(write_that_goaway_left_unprocessed_is_done_elsewhere),
       T_CASE(calls_below_the_last_stream_finish_on_the_old_connection),
       T_CASE(processed_write_on_a_connection_that_ends_is_unknown),
       T_CASE(read_and_idempotent_write_are_repeated_over_a_broken_connection),
       T_CASE(goaway_that_asks_for_calm_is_obeyed), T_CASE(goaway_on_every_connection_is_no_storm),
       T_CASE(refused_write_is_repeated_until_it_is_taken),
       T_CASE(write_that_is_always_refused_was_not_applied),
       T_CASE(unavailable_status_is_repeated_for_reads_alone),
       T_CASE(write_without_a_leader_is_repeated),
       T_CASE(no_more_streams_are_open_than_the_server_allows),
       T_CASE(call_that_waits_for_a_stream_keeps_its_deadline),
       T_CASE(pings_tell_a_slow_server_from_a_dead_one))
