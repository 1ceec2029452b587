/* coord_submit and coord_cancel: one event for each accepted call, whatever happens. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/etcd.h"
#include "support/peer.h"

static const t_rule never_answers[] = {{.never = true}};

static uint64_t submit(coord_client *client, coord_op *op, coord_queue *queue, uint64_t tag) {
  coord_error *err = NULL;
  uint64_t id = 0;
  T_OK(coord_submit(client, op, 0, queue, tag, &id, &err), err);
  coord_op_free(op);
  return id;
}

/* The next event, which must come and have this tag and code. The caller frees it. */
static coord_event *expect_event(coord_queue *queue, uint64_t tag, coord_code code) {
  coord_event *event = coord_queue_next(queue, 10000);
  T_FATAL(event != NULL);
  T_INT(coord_event_type(event), COORD_EVENT_RESULT);
  T_INT((long long)coord_event_tag(event), (long long)tag);
  T_CODE(coord_event_code(event), code);
  T_CODE(coord_error_code(coord_event_error(event)), code);
  return event;
}

/* --- Completion ----------------------------------------------------------------------------------- */

static void result_arrives_with_its_tag(void) {
  char key[t_key_size];
  char text[256];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  t_put(client, t_key(key, "k"), "v");
  T_TRUE(submit(client, coord_op_get(key, strlen(key)), queue, UINT64_MAX) != 0);
  coord_event *event = expect_event(queue, UINT64_MAX, COORD_OK);
  T_TRUE(coord_event_error(event) == NULL);
  T_STR(t_kv_text(coord_event_result(event), 0, key, text), "=v");
  T_TRUE(coord_event_text(event) == NULL);
  T_INT(coord_event_level(event), 0);
  coord_event_free(event);
  T_TRUE(coord_queue_next(queue, 0) == NULL);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void result_can_be_taken_out_of_its_event(void) {
  char key[t_key_size];
  char text[256];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  t_put(client, t_key(key, "k"), "v");
  submit(client, coord_op_get(key, strlen(key)), queue, 1);
  coord_event *event = expect_event(queue, 1, COORD_OK);
  coord_result *result = coord_event_take_result(event);
  T_TRUE(result != NULL);
  T_TRUE(coord_event_result(event) == NULL);
  T_TRUE(coord_event_take_result(event) == NULL);
  coord_event_free(event);
  coord_queue_free(queue);
  coord_client_free(client);
  T_STR(t_kv_text(result, 0, key, text), "=v");
  coord_result_free(result);
}

static void failure_arrives_with_its_error(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_op *op = coord_op_put("k", 1, "v", 1);
  T_CODE(coord_op_set(op, COORD_OP_LEASE, 987654321), COORD_OK);
  submit(client, op, queue, 4);
  coord_event *event = expect_event(queue, 4, COORD_NOT_FOUND);
  T_HAS(coord_error_message(coord_event_error(event)), "lease");
  T_STR(coord_error_endpoint(coord_event_error(event)), t_etcd_endpoint(t_etcd(), 0));
  T_TRUE(coord_event_result(event) == NULL);
  T_TRUE(coord_event_take_result(event) == NULL);
  coord_event_free(event);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void refused_submit_brings_no_event(void) {
  coord_error *err = NULL;
  uint64_t id = 55;
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_op *op = coord_op_get("", 0);
  T_ERROR(coord_submit(client, op, 0, queue, 1, &id, &err), COORD_INVALID, err, "key");
  T_INT((long long)id, 55);
  coord_op_free(op);
  /* An accepted one behind it is the only one to arrive. */
  submit(client, coord_op_get("absent", 6), queue, 2);
  coord_event_free(expect_event(queue, 2, COORD_OK));
  T_TRUE(coord_queue_next(queue, 0) == NULL);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void event_getters_take_null(void) {
  T_INT(coord_event_type(NULL), -1);
  T_INT((long long)coord_event_tag(NULL), 0);
  T_CODE(coord_event_code(NULL), COORD_OK);
  T_TRUE(coord_event_error(NULL) == NULL);
  T_TRUE(coord_event_result(NULL) == NULL);
  T_TRUE(coord_event_take_result(NULL) == NULL);
  T_TRUE(coord_event_text(NULL) == NULL);
  T_INT(coord_event_level(NULL), 0);
}

/* --- Load ------------------------------------------------------------------------------------------ */

enum { threads_count = 8, calls_per_thread = 2000, most_under_way = 1500 };

static atomic_int under_way;

typedef struct load {
  coord_client *client;
  coord_queue *queue;
  int thread;
  uint64_t ids[calls_per_thread];
} load;

static void *submit_all(void *arg) {
  load *l = arg;
  char key[t_key_size];
  t_key(key, "k");
  for (uint64_t i = 0; i < calls_per_thread; i++) {
    uint64_t tag = (uint64_t)l->thread * calls_per_thread + i;
    coord_op *op = i % 4 == 0 ? coord_op_put(key, strlen(key), &tag, sizeof tag)
                              : coord_op_get(key, strlen(key));
    /* etcd gives a put up that waits for 7 s, as behind 16,000 calls on a busy machine. */
    while (atomic_fetch_add(&under_way, 1) >= most_under_way) {
      atomic_fetch_sub(&under_way, 1);
      usleep(500);
    }
    l->ids[i] = submit(l->client, op, l->queue, tag);
  }
  return NULL;
}

static int compare_ids(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a;
  uint64_t y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static void expect_different_ids(const load *loads) {
  enum { n = threads_count * calls_per_thread };
  uint64_t *all = malloc(n * sizeof *all);
  T_FATAL(all != NULL);
  for (int i = 0; i < threads_count; i++) {
    memcpy(all + i * calls_per_thread, loads[i].ids, sizeof loads[i].ids);
  }
  qsort(all, n, sizeof *all, compare_ids);
  T_TRUE(all[0] != 0);
  int repeated = 0;
  for (int i = 1; i < n; i++) repeated += all[i] == all[i - 1];
  T_INT(repeated, 0);
  free(all);
}

static void each_of_16000_calls_of_eight_threads_completes_once(void) {
  static load loads[threads_count];
  static bool seen[threads_count * calls_per_thread];
  pthread_t threads[threads_count];
  /* A busy server may be silent for long. */
  coord_client *client =
      t_client_with("request.timeout.ms", "60000", "keepalive.timeout.ms", "60000", NULL);
  coord_queue *queue = t_queue();
  for (int i = 0; i < threads_count; i++) {
    loads[i] = (load){.client = client, .queue = queue, .thread = i};
    pthread_create(&threads[i], NULL, submit_all, &loads[i]);
  }
  for (int i = 0; i < threads_count * calls_per_thread; i++) {
    coord_event *event = coord_queue_next(queue, 30000);
    T_FATAL(event != NULL);
    uint64_t tag = coord_event_tag(event);
    atomic_fetch_sub(&under_way, 1);
    if (coord_event_code(event) != COORD_OK) {
      T_FAIL("call %llu gave %s: %s", (unsigned long long)tag,
             coord_code_name(coord_event_code(event)),
             coord_error_message(coord_event_error(event)));
    }
    if (tag >= sizeof seen || seen[tag % sizeof seen]) {
      T_FAIL("call %llu completed once more, as type %d", (unsigned long long)tag,
             (int)coord_event_type(event));
    }
    seen[tag % sizeof seen] = true;
    coord_event_free(event);
  }
  for (int i = 0; i < threads_count; i++) pthread_join(threads[i], NULL);
  T_TRUE(coord_queue_next(queue, 50) == NULL);
  expect_different_ids(loads);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void one_queue_serves_several_clients(void) {
  coord_queue *queue = t_queue();
  coord_client *clients[3];
  bool seen[3] = {false};
  for (uint64_t i = 0; i < 3; i++) {
    clients[i] = t_client();
    submit(clients[i], coord_op_get("absent", 6), queue, i);
  }
  for (int i = 0; i < 3; i++) {
    coord_event *event = coord_queue_next(queue, 10000);
    T_FATAL(event != NULL && coord_event_tag(event) < 3);
    seen[coord_event_tag(event)] = true;
    coord_event_free(event);
  }
  T_TRUE(seen[0] && seen[1] && seen[2]);
  for (int i = 0; i < 3; i++) coord_client_free(clients[i]);
  coord_queue_free(queue);
}

/* --- Cancelling ------------------------------------------------------------------------------------ */

static bool was_reset(void *peer) { return t_peer_resets(peer) == 1; }

static void cancelled_read_ends_at_once(void) {
  t_peer *peer = t_peer_grpc(never_answers, 1, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  coord_queue *queue = t_queue();
  uint64_t id = submit(client, coord_op_get("k", 1), queue, 3);
  T_TRUE(t_peer_wait_calls(peer, "KV/Range", 1, 5000));
  int64_t start = t_now_ms();
  T_CODE(coord_cancel(client, id), COORD_OK);
  coord_event *event = expect_event(queue, 3, COORD_CANCELED);
  T_WITHIN(start, 500);
  T_INT(coord_error_flags(coord_event_error(event)) & COORD_MAYBE_APPLIED, 0);
  coord_event_free(event);
  T_CODE(coord_cancel(client, id), COORD_OK);
  T_TRUE(coord_queue_next(queue, 50) == NULL);
  coord_queue_free(queue);
  coord_client_free(client);
  T_TRUE(t_wait_until(was_reset, peer, 2000));
  t_peer_stop(peer);
}

static void cancelled_write_may_have_been_applied(void) {
  t_peer *peer = t_peer_grpc(never_answers, 1, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  coord_queue *queue = t_queue();
  uint64_t id = submit(client, coord_op_put("k", 1, "v", 1), queue, 3);
  T_TRUE(t_peer_wait_calls(peer, "KV/Put", 1, 5000));
  T_CODE(coord_cancel(client, id), COORD_OK);
  coord_event *event = expect_event(queue, 3, COORD_CANCELED);
  T_TRUE((coord_error_flags(coord_event_error(event)) & COORD_MAYBE_APPLIED) != 0);
  coord_event_free(event);
  coord_queue_free(queue);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void call_that_was_never_sent_is_cancelled_without_doubt(void) {
  t_peer *down = t_peer_raw(&t_raw_refuses);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(down), "connect.lazy", "true",
                                       "log.level", "off", NULL);
  coord_queue *queue = t_queue();
  uint64_t id = submit(client, coord_op_put("k", 1, "v", 1), queue, 3);
  T_CODE(coord_cancel(client, id), COORD_OK);
  coord_event *event = expect_event(queue, 3, COORD_CANCELED);
  T_INT(coord_error_flags(coord_event_error(event)) & COORD_MAYBE_APPLIED, 0);
  coord_event_free(event);
  coord_queue_free(queue);
  coord_client_free(client);
  t_peer_stop(down);
}

static void finished_call_is_left_alone_and_unknown_ids_are_refused(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  uint64_t id = submit(client, coord_op_get("absent", 6), queue, 1);
  coord_event_free(expect_event(queue, 1, COORD_OK));
  T_CODE(coord_cancel(client, id), COORD_OK);
  T_CODE(coord_cancel(client, id + 1000), COORD_INVALID);
  T_CODE(coord_cancel(client, 0), COORD_INVALID);
  T_CODE(coord_cancel(client, UINT64_MAX), COORD_INVALID);
  T_TRUE(coord_queue_next(queue, 50) == NULL);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void cancelling_in_a_race_gives_each_call_one_event(void) {
  int canceled = 0;
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  for (uint64_t i = 0; i < 1000; i++) {
    uint64_t id = submit(client, coord_op_get("absent", 6), queue, i);
    if (i % 3 == 0) T_CODE(coord_cancel(client, id), COORD_OK);
  }
  for (int i = 0; i < 1000; i++) {
    coord_event *event = coord_queue_next(queue, 10000);
    T_FATAL(event != NULL);
    coord_code code = coord_event_code(event);
    canceled += code == COORD_CANCELED;
    T_TRUE(code == COORD_OK || (code == COORD_CANCELED && coord_event_tag(event) % 3 == 0));
    coord_event_free(event);
  }
  T_TRUE(coord_queue_next(queue, 50) == NULL);
  T_TRUE(canceled <= 334);
  T_TRUE(t_get_is(client, "absent", NULL));
  coord_queue_free(queue);
  coord_client_free(client);
}

/* --- Queues that go ---------------------------------------------------------------------------------- */

static void queue_may_be_freed_while_calls_are_under_way(void) {
  char key[t_key_size];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  t_key(key, "k");
  for (uint64_t i = 0; i < 500; i++) {
    submit(client, coord_op_put(key, strlen(key), "v", 1), queue, i);
  }
  coord_queue_free(queue);
  coord_error *err = NULL;
  T_OK(coord_client_close(client, 10000, &err), err);
  coord_client_free(client);
  client = t_client();
  T_TRUE(t_get_is(client, key, "v"));
  coord_client_free(client);
}

static void queue_and_client_may_go_in_any_order(void) {
  t_peer *peer = t_peer_grpc(never_answers, 1, NULL);
  for (int order = 0; order < 2; order++) {
    coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
    coord_queue *queue = t_queue();
    for (uint64_t i = 0; i < 10; i++) submit(client, coord_op_get("k", 1), queue, i);
    if (order == 0) coord_queue_free(queue);
    coord_client_free(client);
    if (order == 1) coord_queue_free(queue);
  }
  t_peer_stop(peer);
}

T_MAIN(T_CASE(result_arrives_with_its_tag), T_CASE(result_can_be_taken_out_of_its_event),
       T_CASE(failure_arrives_with_its_error), T_CASE(refused_submit_brings_no_event),
       T_CASE(event_getters_take_null), T_CASE(each_of_16000_calls_of_eight_threads_completes_once),
       T_CASE(one_queue_serves_several_clients), T_CASE(cancelled_read_ends_at_once),
       T_CASE(cancelled_write_may_have_been_applied),
       T_CASE(call_that_was_never_sent_is_cancelled_without_doubt),
       T_CASE(finished_call_is_left_alone_and_unknown_ids_are_refused),
       T_CASE(cancelling_in_a_race_gives_each_call_one_event),
       T_CASE(queue_may_be_freed_while_calls_are_under_way),
       T_CASE(queue_and_client_may_go_in_any_order))
