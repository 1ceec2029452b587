/* Servers that are killed and come back while calls are under way. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "support/etcd.h"

typedef struct load {
  coord_client *client;
  char key[t_key_size];
  atomic_bool stop;
  atomic_int done;
  atomic_int failed;
  int ok;
  int unknown;
} load;

/* Until n more are done; false when they take too long. */
static bool wait_for_more(load *l, int n) {
  int target = atomic_load(&l->done) + n;
  int64_t deadline = t_now_ms() + 25000;
  struct timespec pause = {0, 1000000};
  while (atomic_load(&l->done) < target && t_now_ms() < deadline) nanosleep(&pause, NULL);
  return atomic_load(&l->done) >= target;
}

static void *read_on(void *arg) {
  load *l = arg;
  while (!atomic_load(&l->stop)) {
    coord_error *err = NULL;
    coord_code code = coord_get(l->client, l->key, strlen(l->key), NULL, &err);
    if (code != COORD_OK) {
      T_FAIL("a read gave %s: %s", coord_code_name(code), coord_error_message(err));
    }
    coord_error_free(err);
    atomic_fetch_add(&l->done, 1);
  }
  return NULL;
}

static void *write_on(void *arg) {
  load *l = arg;
  while (!atomic_load(&l->stop)) {
    coord_error *err = NULL;
    coord_code code = coord_put(l->client, l->key, strlen(l->key), "v", 1, &err);
    l->ok += code == COORD_OK;
    if (code != COORD_OK) {
      l->unknown += (coord_error_flags(err) & COORD_MAYBE_APPLIED) != 0;
      atomic_fetch_add(&l->failed, 1);
    }
    coord_error_free(err);
    atomic_fetch_add(&l->done, 1);
  }
  return NULL;
}

static coord_client *patient_client(const char *endpoints) {
  return t_client_with("endpoints", endpoints, "request.timeout.ms", "20000", "log.level", "off",
                       NULL);
}

static void reads_wait_for_a_server_that_is_killed_and_restarted(void) {
  pthread_t threads[4];
  t_case_limit_s(90);
  t_cluster *cluster = t_etcd_start(NULL);
  load l = {.client = patient_client(t_etcd_endpoint(cluster, 0))};
  t_key(l.key, "k");
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, read_on, &l);
  for (int i = 0; i < 3; i++) {
    T_TRUE(wait_for_more(&l, 50));
    t_etcd_kill(cluster, 0);
    t_etcd_restart(cluster, 0);
  }
  T_TRUE(wait_for_more(&l, 50));
  atomic_store(&l.stop, true);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  coord_client_free(l.client);
  t_etcd_stop(cluster);
}

static void write_fails_once_at_most_and_is_never_done_twice(void) {
  enum { kills = 4 };
  pthread_t thread;
  coord_kv kv = {0};
  t_case_limit_s(90);
  t_cluster *cluster = t_etcd_start(NULL);
  load l = {.client = patient_client(t_etcd_endpoint(cluster, 0))};
  t_key(l.key, "k");
  pthread_create(&thread, NULL, write_on, &l);
  for (int i = 0; i < kills; i++) {
    T_TRUE(wait_for_more(&l, 30));
    t_etcd_kill(cluster, 0);
    t_etcd_restart(cluster, 0);
  }
  T_TRUE(wait_for_more(&l, 30));
  atomic_store(&l.stop, true);
  pthread_join(thread, NULL);
  coord_result *result = t_call(l.client, coord_op_get(l.key, strlen(l.key)));
  T_CODE(coord_result_kv(result, 0, &kv), COORD_OK);
  T_TRUE(kv.version >= l.ok);
  T_TRUE(kv.version <= l.ok + l.unknown);
  T_TRUE(atomic_load(&l.failed) <= kills);
  coord_result_free(result);
  coord_client_free(l.client);
  t_etcd_stop(cluster);
}

static void server_that_says_goodbye_is_waited_for_as_well(void) {
  pthread_t thread;
  t_case_limit_s(90);
  t_cluster *cluster = t_etcd_start(NULL);
  load l = {.client = patient_client(t_etcd_endpoint(cluster, 0))};
  t_key(l.key, "k");
  pthread_create(&thread, NULL, read_on, &l);
  for (int i = 0; i < 2; i++) {
    T_TRUE(wait_for_more(&l, 50));
    t_etcd_terminate(cluster, 0);
    t_etcd_restart(cluster, 0);
  }
  T_TRUE(wait_for_more(&l, 50));
  atomic_store(&l.stop, true);
  pthread_join(thread, NULL);
  coord_client_free(l.client);
  t_etcd_stop(cluster);
}

static void lazy_client_may_be_there_before_its_server(void) {
  t_cluster *cluster = t_etcd_start(NULL);
  t_etcd_kill(cluster, 0);
  coord_queue *queue = NULL;
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  coord_client *client = t_client_with("endpoints", t_etcd_endpoint(cluster, 0), "connect.lazy",
                                       "true", "log.level", "off", NULL);
  coord_op *op = coord_op_put("k", 1, "v", 1);
  T_CODE(coord_submit(client, op, 20000, queue, 1, NULL, NULL), COORD_OK);
  t_etcd_restart(cluster, 0);
  coord_event *event = coord_queue_next(queue, 20000);
  T_FATAL(event != NULL);
  T_CODE(coord_event_code(event), COORD_OK);
  coord_event_free(event);
  coord_op_free(op);
  coord_client_free(client);
  coord_queue_free(queue);
  t_etcd_stop(cluster);
}

static void calls_fail_by_their_deadline_while_the_server_is_gone(void) {
  char message[256];
  t_cluster *cluster = t_etcd_start(NULL);
  coord_client *client = t_client_with("endpoints", t_etcd_endpoint(cluster, 0),
                                       "request.timeout.ms", "800", "log.level", "off", NULL);
  T_TRUE(t_get_is(client, "absent", NULL));
  t_etcd_kill(cluster, 0);
  for (int i = 0; i < 3; i++) {
    int64_t start = t_now_ms();
    t_call_fails(client, coord_op_get("k", 1), COORD_UNAVAILABLE, message);
    T_HAS(message, t_etcd_endpoint(cluster, 0));
    T_WITHIN(start, 1300);
  }
  t_etcd_restart(cluster, 0);
  /* The pause between tries to connect is short enough for the next call. */
  coord_op *op = coord_op_get("absent", 6);
  coord_error *err = NULL;
  T_OK(coord_call(client, op, 5000, NULL, &err), err);
  coord_op_free(op);
  coord_client_free(client);
  t_etcd_stop(cluster);
}

static void reads_move_to_another_member_when_theirs_dies(void) {
  char endpoints[128];
  pthread_t thread;
  t_case_limit_s(90);
  t_cluster *cluster = t_etcd_start(&(t_etcd_options){.nodes = 3});
  snprintf(endpoints, sizeof endpoints, "%s,%s,%s", t_etcd_endpoint(cluster, 0),
           t_etcd_endpoint(cluster, 1), t_etcd_endpoint(cluster, 2));
  load l = {.client = patient_client(endpoints)};
  t_key(l.key, "k");
  T_TRUE(t_put(l.client, l.key, "v") > 0);
  pthread_create(&thread, NULL, read_on, &l);
  for (int i = 0; i < 3; i++) {
    T_TRUE(wait_for_more(&l, 50));
    t_etcd_kill(cluster, i);
    T_TRUE(wait_for_more(&l, 50));
    t_etcd_restart(cluster, i);
  }
  atomic_store(&l.stop, true);
  pthread_join(thread, NULL);
  T_TRUE(t_get_is(l.client, l.key, "v"));
  coord_client_free(l.client);
  t_etcd_stop(cluster);
}

T_MAIN(T_CASE(reads_wait_for_a_server_that_is_killed_and_restarted),
       T_CASE(write_fails_once_at_most_and_is_never_done_twice),
       T_CASE(server_that_says_goodbye_is_waited_for_as_well),
       T_CASE(lazy_client_may_be_there_before_its_server),
       T_CASE(calls_fail_by_their_deadline_while_the_server_is_gone),
       T_CASE(reads_move_to_another_member_when_theirs_dies))
