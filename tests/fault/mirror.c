/* Mirrors while servers and networks fail: what is read is what the server had, at one revision. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/cluster.h"
#include "support/watch.h"

enum { KEYS = 24, READERS = 3 };

static void sleep_ms(int ms) {
  struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
  nanosleep(&pause, NULL);
}

static coord_client *client_with(const char *endpoints, const char *liveness_ms) {
  return t_client_with("endpoints", endpoints, "log.level", "off", "watch.liveness.ms", liveness_ms,
                       "scan.page.keys", "5", NULL);
}

static coord_client *client_of(const char *endpoints) { return client_with(endpoints, "400"); }

/* Where each interruption is counted: not one more because the machine is busy. */
static coord_client *patient_client_of(const char *endpoints) {
  return client_with(endpoints, "30000");
}

static coord_mirror *mirror_of(coord_client *client, const char *prefix, coord_queue *queue) {
  coord_mirror *mirror = NULL;
  coord_error *err = NULL;
  T_OK(coord_mirror_open(client, prefix, strlen(prefix), NULL, queue, 1, &mirror, &err), err);
  coord_error_free(err);
  T_FATAL(mirror != NULL);
  return mirror;
}

/* ---- a storm of readers ---- */

/* Each transaction writes one number to all keys, and makes one of them come or go: whoever sees two
 * numbers, or numbers that fall, has seen half of it. */
typedef struct storm {
  coord_client *writer;
  const coord_mirror *mirror;
  char prefix[t_key_size];
  atomic_bool over;
  atomic_int written;
  atomic_llong last; /* revision */
  atomic_llong reads;
  pthread_t write_thread;
  pthread_t read_threads[READERS];
} storm;

static bool write_once(storm *s, int number, int timeout_ms) {
  coord_op *txn = coord_op_txn();
  char key[t_key_size + 16], value[16];
  size_t value_len = (size_t)snprintf(value, sizeof value, "%d", number);
  for (int i = 0; i < KEYS; i++) {
    size_t len = (size_t)snprintf(key, sizeof key, "%s%02d", s->prefix, i);
    bool goes = i == number % KEYS && number > 0;
    coord_op *op = goes ? coord_op_delete(key, len) : coord_op_put(key, len, value, value_len);
    coord_op_then(txn, op);
    coord_op_free(op);
  }
  coord_result *result = NULL;
  coord_code code = coord_call(s->writer, txn, timeout_ms, &result, NULL);
  if (code == COORD_OK) atomic_store(&s->last, coord_result_revision(result));
  coord_result_free(result);
  coord_op_free(txn);
  return code == COORD_OK;
}

static void *write_storm(void *arg) {
  storm *s = arg;
  for (int number = 1; !atomic_load(&s->over); number++) {
    if (write_once(s, number, 2000)) atomic_fetch_add(&s->written, 1);
    sleep_ms(2);
  }
  return NULL;
}

static int number_in(const coord_result *result, size_t i) {
  coord_kv kv;
  return coord_result_kv(result, i, &kv) == COORD_OK ? atoi(kv.value) : -1;
}

static bool is_whole(const coord_result *result, int *number) {
  size_t count = coord_result_count(result);
  *number = number_in(result, 0);
  for (size_t i = 1; i < count; i++) {
    if (number_in(result, i) != *number) return false;
  }
  return count == (size_t)(*number > 0 ? KEYS - 1 : KEYS);
}

static void *read_storm(void *arg) {
  storm *s = arg;
  int64_t last_revision = 0;
  int last_number = -1, number = 0;
  char key[t_key_size + 16];
  for (unsigned i = 0; !atomic_load(&s->over); i++) {
    coord_result *result = NULL;
    if (i % 8 == 0) {
      T_CODE(coord_mirror_all(s->mirror, &result), COORD_OK);
      int64_t revision = coord_result_revision(result);
      bool good = is_whole(result, &number) && number >= last_number && revision >= last_revision;
      if (!good) {
        T_FAIL("torn: %zu keys, number %d after %d, revision %lld after %lld",
               coord_result_count(result), number, last_number, (long long)revision,
               (long long)last_revision);
        atomic_store(&s->over, true);
      }
      last_number = number;
      last_revision = revision;
    } else {
      size_t len = (size_t)snprintf(key, sizeof key, "%s%02u", s->prefix, i % KEYS);
      T_CODE(coord_mirror_get(s->mirror, key, len, &result), COORD_OK);
      if (coord_result_count(result) == 1 && number_in(result, 0) < last_number) {
        T_FAIL("a key went back from %d to %d", last_number, number_in(result, 0));
        atomic_store(&s->over, true);
      }
    }
    coord_result_free(result);
    atomic_fetch_add(&s->reads, 1);
  }
  return NULL;
}

static storm *begin_storm(coord_client *writer, coord_client *reader, coord_queue *queue) {
  storm *s = calloc(1, sizeof *s);
  s->writer = writer;
  t_key(s->prefix, "");
  T_TRUE(write_once(s, 0, 20000));
  s->mirror = mirror_of(reader, s->prefix, queue);
  pthread_create(&s->write_thread, NULL, write_storm, s);
  for (int i = 0; i < READERS; i++) {
    pthread_create(&s->read_threads[i], NULL, read_storm, s);
  }
  return s;
}

static bool has_written(void *arg) {
  storm *const *s = arg;
  return atomic_load(&(*s)->written) >= 10 || atomic_load(&(*s)->over);
}

/* So many more writes, wherever they go. */
static void let_it_blow(storm *s) {
  atomic_store(&s->written, 0);
  T_TRUE(t_wait_until(has_written, &s, 15000));
}

static bool is_up_to_date(void *arg) {
  storm *const *s = arg;
  return coord_mirror_revision((*s)->mirror) >= atomic_load(&(*s)->last);
}

/* What was told leads from one value of each key to the next; the end of it is the last number. */
static void check_events(coord_queue *queue) {
  int now[KEYS];
  bool known[KEYS] = {false};
  int resyncs = 0;
  for (coord_event *event; (event = coord_queue_next(queue, 0)) != NULL;) {
    if (coord_event_type(event) == COORD_EVENT_RESYNC) resyncs++;
    for (size_t i = 0; i < coord_event_count(event); i++) {
      coord_kv kv, prev;
      int32_t type;
      T_CODE(coord_event_change(event, i, &type, &kv, &prev), COORD_OK);
      int key = atoi((const char *)kv.key + kv.key_len - 2);
      int before = prev.key != NULL ? atoi(prev.value) : -1;
      if (known[key]) T_INT(before, now[key]);
      known[key] = true;
      now[key] = type == COORD_CHANGE_PUT ? atoi(kv.value) : -1;
    }
    coord_event_free(event);
  }
  T_TRUE(resyncs > 0);
  for (int i = 0; i < KEYS; i++) {
    if (known[i]) T_INT(now[i], i == 1000000 % KEYS ? -1 : 1000000);
  }
}

/* Ends when the mirror has what the server has. */
static void end_storm(storm *s, coord_queue *queue) {
  atomic_store(&s->over, true);
  pthread_join(s->write_thread, NULL);
  for (int i = 0; i < READERS; i++) pthread_join(s->read_threads[i], NULL);
  T_TRUE(write_once(s, 1000000, 20000));
  T_TRUE(t_wait_until(is_up_to_date, &s, 15000));
  coord_result *mine = NULL;
  coord_result *theirs = t_call(s->writer, t_prefix(s->prefix));
  T_CODE(coord_mirror_all(s->mirror, &mine), COORD_OK);
  T_INT(coord_result_count(mine), coord_result_count(theirs));
  for (size_t i = 0; i < coord_result_count(mine); i++) {
    coord_kv a, b;
    coord_result_kv(mine, i, &a);
    coord_result_kv(theirs, i, &b);
    T_INT(a.mod_revision, b.mod_revision);
    T_MEM(a.key, a.key_len, b.key, b.key_len);
  }
  coord_result_free(mine);
  coord_result_free(theirs);
  T_TRUE(atomic_load(&s->reads) > 100);
  check_events(queue);
  coord_mirror_free((coord_mirror *)(uintptr_t)s->mirror);
  free(s);
}

/* ---- what fails ---- */

static void connections_that_are_cut(void) {
  t_cluster *cluster = t_etcd();
  t_proxy *proxy = t_proxy_start(t_etcd_port(cluster, 0));
  coord_client *writer = t_client(), *reader = client_of(t_proxy_endpoint(proxy));
  coord_queue *queue = t_queue();
  storm *s = begin_storm(writer, reader, queue);
  for (int i = 0; i < 5; i++) {
    t_proxy_cut(proxy);
    let_it_blow(s);
  }
  t_proxy_refuse(proxy, true);
  let_it_blow(s);
  t_proxy_refuse(proxy, false);
  let_it_blow(s);
  end_storm(s, queue);
  coord_queue_free(queue);
  coord_client_free(writer);
  coord_client_free(reader);
  t_proxy_stop(proxy);
}

static void compactions_while_away(void) {
  t_cluster *cluster = t_etcd();
  t_proxy *proxy = t_proxy_start(t_etcd_port(cluster, 0));
  coord_client *writer = t_client(), *reader = client_of(t_proxy_endpoint(proxy));
  coord_queue *queue = t_queue();
  storm *s = begin_storm(writer, reader, queue);
  for (int i = 0; i < 3; i++) {
    t_proxy_refuse(proxy, true);
    let_it_blow(s);
    coord_result *result = NULL;
    coord_op *compact = coord_op_compact(atomic_load(&s->last));
    coord_call(writer, compact, 0, &result, NULL);
    coord_op_free(compact);
    coord_result_free(result);
    t_proxy_refuse(proxy, false);
    let_it_blow(s);
  }
  end_storm(s, queue);
  coord_queue_free(queue);
  coord_client_free(writer);
  coord_client_free(reader);
  t_proxy_stop(proxy);
}

static void compaction_is_told_as_a_difference(void) {
  char prefix[t_key_size], key[t_key_size + 8];
  t_cluster *cluster = t_etcd();
  t_proxy *proxy = t_proxy_start(t_etcd_port(cluster, 0));
  coord_client *writer = t_client(), *reader = patient_client_of(t_proxy_endpoint(proxy));
  coord_queue *queue = t_queue();
  t_key(prefix, "");
  for (char c = 'a'; c < 'e'; c++) {
    snprintf(key, sizeof key, "%s%c", prefix, c);
    t_put(writer, key, "1");
  }
  coord_mirror *mirror = mirror_of(reader, prefix, queue);
  t_stands(queue, 1, COORD_OK);
  snprintf(key, sizeof key, "%sa", prefix);
  t_put(writer, key, "1a"); /* the watch stands when this comes */
  T_STR(t_changes(queue, 1, 1, strlen(prefix)), "+a=1a");
  t_proxy_refuse(proxy, true);
  snprintf(key, sizeof key, "%sb", prefix);
  T_CODE(coord_delete(writer, key, strlen(key), NULL, NULL), COORD_OK);
  snprintf(key, sizeof key, "%sd", prefix);
  t_put(writer, key, "2");
  t_put(writer, key, "3");
  snprintf(key, sizeof key, "%se", prefix);
  int64_t last = t_put(writer, key, "4");
  coord_result_free(t_call(writer, coord_op_compact(last)));
  T_INT(coord_mirror_count(mirror), 4);
  t_proxy_refuse(proxy, false);
  t_stands(queue, 1, COORD_UNAVAILABLE);
  t_stands(queue, 1, COORD_COMPACTED);
  T_STR(t_changes(queue, 1, 3, strlen(prefix)), "-b +d=3 +e=4");
  T_INT(t_stands(queue, 1, COORD_OK), coord_mirror_revision(mirror));
  T_INT(coord_mirror_count(mirror), 4);
  t_silent(queue);
  coord_mirror_free(mirror);
  coord_queue_free(queue);
  coord_client_free(writer);
  coord_client_free(reader);
  t_proxy_stop(proxy);
}

static bool is_fresh(void *mirror) { return coord_mirror_staleness_ms(mirror) == 0; }
static bool is_stale(void *mirror) { return coord_mirror_staleness_ms(mirror) > 0; }

static void server_that_is_killed_and_comes_back(void) {
  char prefix[t_key_size];
  t_cluster *cluster = t_etcd_start(NULL);
  coord_client *writer = client_of(t_etcd_endpoint(cluster, 0));
  coord_client *reader = patient_client_of(t_etcd_endpoint(cluster, 0));
  coord_queue *queue = t_queue();
  t_put(writer, t_key(prefix, ""), "1");
  coord_mirror *mirror = mirror_of(reader, prefix, queue);
  t_stands(queue, 1, COORD_OK);
  t_put(writer, prefix, "1a"); /* the watch stands when this comes */
  T_STR(t_changes(queue, 1, 1, strlen(prefix)), "+=1a");
  T_INT(coord_mirror_staleness_ms(mirror), 0);
  t_etcd_kill(cluster, 0);
  T_TRUE(t_wait_until(is_stale, mirror, 5000));
  int64_t stale = coord_mirror_staleness_ms(mirror);
  sleep_ms(150);
  T_TRUE(coord_mirror_staleness_ms(mirror) >= stale + 140);
  T_INT(coord_mirror_count(mirror), 1);
  t_etcd_restart(cluster, 0);
  T_TRUE(t_wait_until(is_fresh, mirror, 10000));
  t_stands(queue, 1, COORD_UNAVAILABLE);
  t_put(writer, prefix, "2");
  T_STR(t_changes(queue, 1, 1, strlen(prefix)), "+=2");
  coord_mirror_free(mirror);
  coord_queue_free(queue);
  coord_client_free(writer);
  coord_client_free(reader);
  t_etcd_stop(cluster);
}

static void server_that_is_stopped_for_a_while(void) {
  t_cluster *cluster = t_etcd_start(NULL);
  coord_client *writer = client_of(t_etcd_endpoint(cluster, 0));
  coord_client *reader = client_of(t_etcd_endpoint(cluster, 0));
  coord_queue *queue = t_queue();
  storm *s = begin_storm(writer, reader, queue);
  let_it_blow(s);
  t_etcd_pause(cluster, 0);
  sleep_ms(1200);
  t_etcd_resume(cluster, 0);
  let_it_blow(s);
  end_storm(s, queue);
  coord_queue_free(queue);
  coord_client_free(writer);
  coord_client_free(reader);
  t_etcd_stop(cluster);
}

/* Pages are lost. */
static void connection_that_is_lost_while_it_loads(void) {
  char prefix[t_key_size], key[t_key_size + 16];
  t_cluster *cluster = t_etcd();
  t_proxy *proxy = t_proxy_start(t_etcd_port(cluster, 0));
  coord_client *writer = t_client(), *reader = patient_client_of(t_proxy_endpoint(proxy));
  coord_options *options = t_options("mirror.wait", "false", NULL);
  coord_queue *queue = t_queue();
  t_key(prefix, "");
  for (int i = 0; i < 60; i++) {
    snprintf(key, sizeof key, "%s%02d", prefix, i);
    t_put(writer, key, "1");
  }
  for (int i = 0; i < 8; i++) {
    coord_mirror *mirror = NULL;
    T_CODE(coord_mirror_open(reader, prefix, strlen(prefix), options, queue, 1, &mirror, NULL),
           COORD_OK);
    if (i % 2 == 0) t_proxy_trickle(proxy, 200);
    sleep_ms(i * 3);
    t_proxy_cut(proxy);
    t_proxy_trickle(proxy, 0);
    t_stands(queue, 1, COORD_OK);
    T_INT(coord_mirror_count(mirror), 60);
    coord_mirror_free(mirror);
  }
  coord_options_free(options);
  coord_queue_free(queue);
  coord_client_free(writer);
  coord_client_free(reader);
  t_proxy_stop(proxy);
}

T_MAIN(T_CASE(connections_that_are_cut), T_CASE(compactions_while_away),
       T_CASE(compaction_is_told_as_a_difference), T_CASE(server_that_is_killed_and_comes_back),
       T_CASE(server_that_is_stopped_for_a_while), T_CASE(connection_that_is_lost_while_it_loads))
