/* A network that is cut, slow or one-sided between the client and a healthy etcd. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/etcd.h"
#include "support/proxy.h"

static coord_client *client_through(t_proxy *proxy) {
  return t_client_with("endpoints", t_proxy_endpoint(proxy), "request.timeout.ms", "20000",
                       "log.level", "off", NULL);
}

typedef struct load {
  coord_client *client;
  char key[t_key_size];
  atomic_bool stop;
  atomic_int done;
  atomic_int failed;
} load;

static bool has_done(const load *l, int n) { return atomic_load(&l->done) >= n; }

/* Until n more are done; false when they take too long. */
static bool wait_for_more(load *l, int n) {
  int target = atomic_load(&l->done) + n;
  int64_t deadline = t_now_ms() + 20000;
  struct timespec pause = {0, 1000000};
  while (!has_done(l, target) && t_now_ms() < deadline) nanosleep(&pause, NULL);
  return has_done(l, target);
}

static void *read_on(void *arg) {
  load *l = arg;
  while (!atomic_load(&l->stop)) {
    if (coord_get(l->client, l->key, strlen(l->key), NULL, NULL) != COORD_OK) {
      atomic_fetch_add(&l->failed, 1);
    }
    atomic_fetch_add(&l->done, 1);
  }
  return NULL;
}

static void reads_notice_nothing_of_cuts(void) {
  pthread_t threads[8];
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  load l = {.client = client_through(proxy)};
  t_key(l.key, "k");
  for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, read_on, &l);
  for (int i = 0; i < 25; i++) {
    T_TRUE(wait_for_more(&l, 20));
    t_proxy_cut(proxy);
  }
  T_TRUE(wait_for_more(&l, 20));
  atomic_store(&l.stop, true);
  for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
  T_INT(atomic_load(&l.failed), 0);
  T_TRUE(t_proxy_connections(proxy) >= 20);
  coord_client_free(l.client);
  t_proxy_stop(proxy);
}

/* --- Writes ---------------------------------------------------------------------------------------- */

typedef struct tally {
  load load;
  int ok;
  int unknown; /* MAYBE_APPLIED */
  int not_done;
} tally;

static void *write_on(void *arg) {
  tally *t = arg;
  while (!atomic_load(&t->load.stop)) {
    coord_error *err = NULL;
    coord_code code = coord_put(t->load.client, t->load.key, strlen(t->load.key), "v", 1, &err);
    if (code == COORD_OK) {
      t->ok++;
    } else if (coord_error_flags(err) & COORD_MAYBE_APPLIED) {
      T_CODE(code, COORD_UNAVAILABLE);
      t->unknown++;
    } else {
      t->not_done++;
    }
    coord_error_free(err);
    atomic_fetch_add(&t->load.done, 1);
  }
  return NULL;
}

static int64_t version_of(coord_client *client, const char *key) {
  coord_kv kv = {0};
  coord_result *result = t_call(client, coord_op_get(key, strlen(key)));
  coord_result_kv(result, 0, &kv);
  coord_result_free(result);
  return kv.version;
}

static void no_write_is_done_twice_however_often_the_connection_is_cut(void) {
  pthread_t thread;
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  tally t = {.load.client = client_through(proxy)};
  t_key(t.load.key, "k");
  pthread_create(&thread, NULL, write_on, &t);
  for (int i = 0; i < 25; i++) {
    T_TRUE(wait_for_more(&t.load, 5));
    t_proxy_cut(proxy);
  }
  T_TRUE(wait_for_more(&t.load, 5));
  atomic_store(&t.load.stop, true);
  pthread_join(thread, NULL);
  int64_t version = version_of(t.load.client, t.load.key);
  T_TRUE(version >= t.ok);
  T_TRUE(version <= t.ok + t.unknown);
  /* One write is under way at a time: a cut costs one at most. */
  T_TRUE(t.unknown <= 25);
  T_INT(t.not_done, 0);
  coord_client_free(t.load.client);
  t_proxy_stop(proxy);
}

static void *write_idempotent(void *arg) {
  load *l = arg;
  coord_op *op = coord_op_put(l->key, strlen(l->key), "v", 1);
  T_CODE(coord_op_set(op, COORD_OP_IDEMPOTENT, 1), COORD_OK);
  while (!atomic_load(&l->stop)) {
    if (coord_call(l->client, op, 0, NULL, NULL) != COORD_OK) atomic_fetch_add(&l->failed, 1);
    atomic_fetch_add(&l->done, 1);
  }
  coord_op_free(op);
  return NULL;
}

static void idempotent_writes_are_repeated(void) {
  pthread_t thread;
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  load l = {.client = client_through(proxy)};
  t_key(l.key, "k");
  pthread_create(&thread, NULL, write_idempotent, &l);
  for (int i = 0; i < 15; i++) {
    T_TRUE(wait_for_more(&l, 5));
    t_proxy_cut(proxy);
  }
  atomic_store(&l.stop, true);
  pthread_join(thread, NULL);
  T_INT(atomic_load(&l.failed), 0);
  coord_client_free(l.client);
  t_proxy_stop(proxy);
}

static void write_under_way_at_the_cut_is_unknown(void) {
  coord_queue *queue = NULL;
  char key[t_key_size];
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client = client_through(proxy);
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  t_key(key, "k");
  coord_op *op = coord_op_put(key, strlen(key), "v", 1);
  t_proxy_stall(proxy, true);
  long before = t_etcd_unread(t_proxy_port(proxy));
  T_CODE(coord_submit(client, op, 0, queue, 1, NULL, NULL), COORD_OK);
  T_TRUE(t_etcd_wait_unread(t_proxy_port(proxy), before + (long)strlen(key) + 20));
  T_TRUE(coord_queue_next(queue, 20) == NULL);
  t_proxy_cut(proxy);
  coord_event *event = coord_queue_next(queue, 10000);
  T_CODE(coord_event_code(event), COORD_UNAVAILABLE);
  T_INT(coord_error_flags(coord_event_error(event)), COORD_RETRIABLE | COORD_MAYBE_APPLIED);
  T_STR(coord_error_endpoint(coord_event_error(event)), t_proxy_endpoint(proxy));
  coord_event_free(event);
  t_proxy_stall(proxy, false);
  T_TRUE(t_get_is(client, key, NULL));
  coord_op_free(op);
  coord_client_free(client);
  coord_queue_free(queue);
  t_proxy_stop(proxy);
}

static void connection_that_worked_is_made_anew_at_once(void) {
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client = client_through(proxy);
  for (int i = 0; i < 10; i++) {
    T_TRUE(t_get_is(client, "absent", NULL));
    t_proxy_cut(proxy);
    int64_t start = t_now_ms();
    T_TRUE(t_get_is(client, "absent", NULL));
    T_WITHIN(start, 300);
  }
  coord_client_free(client);
  t_proxy_stop(proxy);
}

static void write_after_the_cut_is_simply_done(void) {
  char key[t_key_size];
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client = client_through(proxy);
  t_key(key, "k");
  for (int i = 0; i < 8; i++) {
    coord_error *err = NULL;
    T_TRUE(t_get_is(client, "absent", NULL));
    t_proxy_cut(proxy);
    T_TRUE(t_get_is(client, "absent", NULL)); /* the loss is noticed by now */
    T_OK(coord_put(client, key, strlen(key), "v", 1, &err), err);
  }
  T_INT(version_of(client, key), 8);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

/* --- Slow --------------------------------------------------------------------------------------------- */

static void bytes_may_come_in_pieces_of_any_size(void) {
  char key[t_key_size];
  char value[1501];
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  for (int i = 0; i < 1500; i++) value[i] = (char)('a' + i % 26);
  value[1500] = '\0';
  t_key(key, "k");
  for (int piece = t_on_gateway() ? 3 : 1; piece <= 64; piece = piece * 2 + 1) {
    t_proxy_trickle(proxy, piece);
    coord_client *client = client_through(proxy);
    T_TRUE(t_put(client, key, piece < 10 ? "short" : value) > 0);
    T_TRUE(t_get_is(client, key, piece < 10 ? "short" : value));
    coord_client_free(client);
  }
  t_proxy_stop(proxy);
}

static void calls_share_a_slow_line_instead_of_queueing_for_it(void) {
  const coord_op *ops[200];
  coord_error *err = NULL;
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client = client_through(proxy);
  coord_op *op = coord_op_get("absent", 6);
  for (int i = 0; i < 200; i++) ops[i] = op;
  t_proxy_delay(proxy, 50);
  int64_t start = t_now_ms();
  T_OK(coord_call_many(client, ops, 200, 0, NULL, NULL, &err), err);
  T_WITHIN(start, 5000); /* one after the other: 20 s, on the gateway's 16 connections 1.3 s */
  coord_op_free(op);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

static void stall_that_ends_in_time_does_no_harm(void) {
  coord_queue *queue = NULL;
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client = client_through(proxy);
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  coord_op *op = coord_op_get("absent", 6);
  t_proxy_stall(proxy, true);
  for (uint64_t i = 0; i < 50; i++) {
    T_CODE(coord_submit(client, op, 0, queue, i, NULL, NULL), COORD_OK);
  }
  T_TRUE(coord_queue_next(queue, 200) == NULL);
  t_proxy_stall(proxy, false);
  for (int i = 0; i < 50; i++) {
    coord_event *event = coord_queue_next(queue, 20000);
    T_TRUE(event != NULL);
    T_CODE(coord_event_code(event), COORD_OK);
    coord_event_free(event);
  }
  T_TRUE(t_proxy_connections(proxy) <= (t_on_gateway() ? 16 : 1));
  coord_op_free(op);
  coord_client_free(client);
  coord_queue_free(queue);
  t_proxy_stop(proxy);
}

static void large_answers_do_not_starve_small_ones(void) {
  char key[t_key_size];
  coord_queue *queue = NULL;
  coord_error *err = NULL;
  size_t n = t_on_gateway() ? 100000 : 1000000; /* there it waits for its turn */
  char *value = calloc(1, n);
  coord_client *client = t_client();
  T_FATAL(value != NULL);
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  t_key(key, "large");
  T_OK(coord_put(client, key, strlen(key), value, n, &err), err);
  coord_op *op = coord_op_get(key, strlen(key));
  for (uint64_t i = 0; i < 64; i++) {
    T_CODE(coord_submit(client, op, 60000, queue, i, NULL, NULL), COORD_OK);
  }
  int64_t start = t_now_ms();
  T_TRUE(t_get_is(client, "absent", NULL));
  T_WITHIN(start, 3000);
  for (int i = 0; i < 64; i++) {
    coord_event *event = coord_queue_next(queue, 30000);
    coord_kv kv = {0};
    T_CODE(coord_result_kv(coord_event_result(event), 0, &kv), COORD_OK);
    T_INT(kv.value_len, n);
    coord_event_free(event);
  }
  coord_op_free(op);
  coord_client_free(client);
  coord_queue_free(queue);
  free(value);
}

/* --- Endpoints ------------------------------------------------------------------------------------------ */

static void reads_move_to_the_next_endpoint_and_back(void) {
  char endpoints[100];
  pthread_t thread;
  t_proxy *proxies[2] = {t_proxy_start(t_etcd_port(t_etcd(), 0)),
                         t_proxy_start(t_etcd_port(t_etcd(), 0))};
  snprintf(endpoints, sizeof endpoints, "%s,%s", t_proxy_endpoint(proxies[0]),
           t_proxy_endpoint(proxies[1]));
  load l = {.client = t_client_with("endpoints", endpoints, "request.timeout.ms", "20000",
                                    "log.level", "off", NULL)};
  t_key(l.key, "k");
  pthread_create(&thread, NULL, read_on, &l);
  for (int i = 0; i < 6; i++) {
    T_TRUE(wait_for_more(&l, 10));
    t_proxy_refuse(proxies[i % 2], true);
    T_TRUE(wait_for_more(&l, 10));
    t_proxy_refuse(proxies[i % 2], false);
  }
  atomic_store(&l.stop, true);
  pthread_join(thread, NULL);
  T_INT(atomic_load(&l.failed), 0);
  T_TRUE(t_proxy_connections(proxies[0]) >= 1 && t_proxy_connections(proxies[1]) >= 1);
  coord_client_free(l.client);
  for (int i = 0; i < 2; i++) t_proxy_stop(proxies[i]);
}

static void refusing_endpoint_is_not_stormed(void) {
  char message[256];
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client = t_client_with("endpoints", t_proxy_endpoint(proxy), "request.timeout.ms",
                                       "1000", "log.level", "debug", NULL);
  coord_queue *queue = NULL;
  int warnings = 0, calls = 0;
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  T_CODE(coord_client_log_to(client, queue, 0, NULL), COORD_OK);
  t_proxy_refuse(proxy, true);
  for (; warnings < 2 && calls < 10; calls++) { /* one for each try */
    t_call_fails(client, coord_op_get("k", 1), COORD_UNAVAILABLE, message);
    T_HAS(message, t_proxy_endpoint(proxy));
    for (coord_event *event; (event = coord_queue_next(queue, 0)) != NULL;) {
      warnings += coord_event_level(event) == COORD_LOG_WARN;
      coord_event_free(event);
    }
  }
  T_TRUE(warnings >= 2 && warnings < 20 * calls);
  t_proxy_refuse(proxy, false);
  coord_error *err = NULL;
  coord_op *op = coord_op_get("absent", 6);
  T_OK(coord_call(client, op, 20000, NULL, &err), err);
  coord_op_free(op);
  coord_client_free(client);
  coord_queue_free(queue);
  t_proxy_stop(proxy);
}

T_MAIN(T_CASE(reads_notice_nothing_of_cuts),
       T_CASE(no_write_is_done_twice_however_often_the_connection_is_cut),
       T_CASE(idempotent_writes_are_repeated), T_CASE(write_under_way_at_the_cut_is_unknown),
       T_CASE(connection_that_worked_is_made_anew_at_once),
       T_CASE(write_after_the_cut_is_simply_done), T_CASE(bytes_may_come_in_pieces_of_any_size),
       T_CASE(calls_share_a_slow_line_instead_of_queueing_for_it),
       T_CASE(stall_that_ends_in_time_does_no_harm), T_CASE(large_answers_do_not_starve_small_ones),
       T_CASE(reads_move_to_the_next_endpoint_and_back), T_CASE(refusing_endpoint_is_not_stormed))
