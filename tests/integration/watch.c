/* Watches on a real etcd. */
#include "support/watch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void delete_key(coord_client *client, const char *key) {
  T_CODE(coord_delete(client, key, strlen(key), NULL, NULL), COORD_OK);
}

static int64_t put_at(coord_client *client, const char *prefix, const char *suffix,
                      const char *value) {
  char key[t_key_size + 32];
  snprintf(key, sizeof key, "%s%s", prefix, suffix);
  return t_put(client, key, value);
}

static void puts_and_deletes_arrive_in_order(void) {
  char prefix[t_key_size], key[t_key_size + 8];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_watch *watch = t_watch(client, t_key(prefix, ""), 0, queue, 7, -1);
  int64_t stands = t_stands(queue, 7, COORD_OK);
  int64_t first = put_at(client, prefix, "a", "1");
  T_TRUE(first > stands);
  put_at(client, prefix, "b", "2");
  t_put(client, "elsewhere", "x");
  snprintf(key, sizeof key, "%sa", prefix);
  delete_key(client, key);
  put_at(client, prefix, "b", "");
  T_STR(t_changes(queue, 7, 4, strlen(prefix)), "+a=1 +b=2 -a +b=");
  t_silent(queue);
  coord_watch_close(watch);
  coord_watch_close(watch);
  t_closed(queue, 7, COORD_OK, "");
  put_at(client, prefix, "c", "3");
  t_silent(queue);
  coord_watch_free(watch);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void one_key_and_no_other(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_watch *watch = NULL;
  t_key(prefix, "k");
  coord_op *get = coord_op_get(prefix, strlen(prefix));
  T_CODE(coord_watch_open(client, get, 0, queue, 1, &watch, NULL), COORD_OK);
  coord_op_free(get);
  t_stands(queue, 1, COORD_OK);
  put_at(client, prefix, "x", "no");
  put_at(client, prefix, "", "yes");
  T_STR(t_changes(queue, 1, 1, strlen(prefix)), "+=yes");
  t_silent(queue);
  coord_watch_free(watch);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void past_is_told_from_the_start_revision_on(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  t_key(prefix, "");
  put_at(client, prefix, "a", "1");
  int64_t from = put_at(client, prefix, "b", "2");
  put_at(client, prefix, "c", "3");
  coord_watch *watch = t_watch(client, prefix, from, queue, 1, -1);
  T_INT(t_stands(queue, 1, COORD_OK), from - 1);
  T_STR(t_changes(queue, 1, 2, strlen(prefix)), "+b=2 +c=3");
  put_at(client, prefix, "d", "4");
  T_STR(t_changes(queue, 1, 1, strlen(prefix)), "+d=4");
  coord_watch_free(watch);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void future_is_not_told_before_it_comes(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  int64_t now = put_at(client, t_key(prefix, ""), "a", "1");
  coord_watch *watch = t_watch(client, prefix, now + 3, queue, 1, -1);
  T_INT(t_stands(queue, 1, COORD_OK), now + 2);
  int64_t last = 0;
  for (char value[] = "0"; last < now + 4; value[0]++) last = put_at(client, prefix, "b", value);
  coord_event *event = t_event(queue, COORD_EVENT_CHANGES, 1);
  coord_kv kv;
  T_CODE(coord_event_change(event, 0, NULL, &kv, NULL), COORD_OK);
  T_TRUE(kv.mod_revision >= now + 3);
  coord_event_free(event);
  coord_watch_free(watch);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void filters_and_values_before(void) {
  char prefix[t_key_size], key[t_key_size + 8];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  t_key(prefix, "");
  snprintf(key, sizeof key, "%sa", prefix);
  coord_watch *puts = t_watch(client, prefix, 0, queue, 1, COORD_OP_NO_DELETES);
  t_stands(queue, 1, COORD_OK);
  coord_watch *deletes = t_watch(client, prefix, 0, queue, 2, COORD_OP_NO_PUTS);
  t_stands(queue, 2, COORD_OK);
  t_put(client, key, "1");
  T_STR(t_changes(queue, 1, 1, strlen(prefix)), "+a=1");
  delete_key(client, key);
  T_STR(t_changes(queue, 2, 1, strlen(prefix)), "-a");
  t_silent(queue);
  coord_watch_free(puts);
  coord_watch_free(deletes);
  coord_watch *both = t_watch(client, prefix, 0, queue, 3, COORD_OP_PREV_KV);
  t_stands(queue, 3, COORD_OK);
  t_put(client, key, "2");
  t_put(client, key, "3");
  coord_kv prev;
  coord_event *event = t_event(queue, COORD_EVENT_CHANGES, 3);
  T_CODE(coord_event_change(event, 0, NULL, NULL, &prev), COORD_OK);
  T_TRUE(prev.key == NULL);
  if (coord_event_count(event) == 1) {
    coord_event_free(event);
    event = t_event(queue, COORD_EVENT_CHANGES, 3);
  }
  T_CODE(coord_event_change(event, coord_event_count(event) - 1, NULL, NULL, &prev), COORD_OK);
  T_MEM(prev.value, prev.value_len, "2", 1);
  T_MEM(prev.key, prev.key_len, key, strlen(key));
  T_CODE(coord_event_change(event, 99, NULL, NULL, &prev), COORD_INVALID);
  coord_event_free(event);
  coord_watch_free(both);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void changes_of_a_transaction_are_not_divided(void) {
  enum { OPS = 100 };
  static char value[30000];
  char prefix[t_key_size], key[t_key_size + 8];
  coord_client *client = t_client_with("request.max.bytes", "4000000", NULL);
  coord_queue *queue = t_queue();
  coord_watch *watch = t_watch(client, t_key(prefix, ""), 0, queue, 1, COORD_OP_PREV_KV);
  t_stands(queue, 1, COORD_OK);
  memset(value, 'x', sizeof value);
  for (int round = 0; round < 2; round++) {
    coord_op *txn = coord_op_txn();
    for (int i = 0; i < OPS; i++) {
      int n = snprintf(key, sizeof key, "%s%03d", prefix, i);
      coord_op *put = coord_op_put(key, (size_t)n, value, round == 0 ? 10 : 10000);
      coord_op_then(txn, put);
      coord_op_free(put);
    }
    coord_result *result = t_call(client, txn);
    coord_event *event = t_event(queue, COORD_EVENT_CHANGES, 1);
    T_INT(coord_event_count(event), OPS);
    T_INT(coord_event_revision(event), coord_result_revision(result));
    coord_event_free(event);
    coord_result_free(result);
  }
  coord_watch_free(watch);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void past_that_is_too_large_for_one_answer_comes_in_parts(void) {
  enum { PUTS = 60, SIZE = 100000 };
  char prefix[t_key_size];
  char *value = calloc(1, SIZE + 1);
  T_FATAL(value != NULL);
  coord_client *client = t_client_with("response.max.bytes", "3000000", NULL);
  coord_queue *queue = t_queue();
  t_key(prefix, "");
  memset(value, 'x', SIZE);
  int64_t first = put_at(client, prefix, "k", value);
  for (int i = 1; i < PUTS; i++) put_at(client, prefix, "k", value);
  coord_watch *watch = t_watch(client, prefix, first, queue, 1, -1);
  int64_t revision = t_stands(queue, 1, COORD_OK);
  for (int count = 0; count < PUTS;) {
    coord_event *event = t_event(queue, COORD_EVENT_CHANGES, 1);
    T_FATAL(event != NULL);
    for (size_t i = 0; i < coord_event_count(event); i++, count++) {
      coord_kv kv;
      T_CODE(coord_event_change(event, i, NULL, &kv, NULL), COORD_OK);
      T_INT(kv.version, count + 1);
      T_INT(kv.value_len, SIZE);
      T_TRUE(kv.mod_revision > revision);
      revision = kv.mod_revision;
    }
    coord_event_free(event);
  }
  t_silent(queue);
  coord_watch_free(watch);
  coord_queue_free(queue);
  coord_client_free(client);
  free(value);
}

static void compacted_start_ends_the_watch(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  int64_t old = put_at(client, t_key(prefix, ""), "a", "1");
  int64_t now = put_at(client, prefix, "a", "2");
  coord_result_free(t_call(client, coord_op_compact(now)));
  coord_watch *watch = t_watch(client, prefix, old, queue, 1, -1);
  t_stands(queue, 1, COORD_OK);
  coord_event *event = t_event(queue, COORD_EVENT_CLOSED, 1);
  T_CODE(coord_event_code(event), COORD_COMPACTED);
  T_INT(coord_event_revision(event), now);
  T_HAS(coord_error_message(coord_event_error(event)), "has been compacted");
  coord_event_free(event);
  coord_watch_close(watch);
  t_silent(queue);
  coord_watch_free(watch);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void wrong_arguments_are_refused(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_watch *watch = NULL;
  coord_error *err = NULL;
  coord_op *get = coord_op_get("k", 1), *put = coord_op_put("k", 1, "", 0);
  coord_op *empty = coord_op_get("", 0), *limited = coord_op_get("k", 1);
  T_ERROR(coord_watch_open(NULL, get, 0, queue, 0, &watch, &err), COORD_INVALID, err, "client");
  T_ERROR(coord_watch_open(client, NULL, 0, queue, 0, &watch, &err), COORD_INVALID, err, "get");
  T_ERROR(coord_watch_open(client, get, 0, NULL, 0, &watch, &err), COORD_INVALID, err, "queue");
  T_ERROR(coord_watch_open(client, get, 0, queue, 0, NULL, &err), COORD_INVALID, err, "out");
  T_ERROR(coord_watch_open(client, get, -1, queue, 0, &watch, &err), COORD_INVALID, err,
          "start_revision is -1");
  T_ERROR(coord_watch_open(client, put, 0, queue, 0, &watch, &err), COORD_INVALID, err, "put");
  T_ERROR(coord_watch_open(client, empty, 0, queue, 0, &watch, &err), COORD_INVALID, err, "empty");
  T_CODE(coord_op_set(limited, COORD_OP_LIMIT, 3), COORD_OK);
  T_ERROR(coord_watch_open(client, limited, 0, queue, 0, &watch, &err), COORD_INVALID, err,
          "limit");
  T_CODE(coord_op_set(get, COORD_OP_NO_PUTS, 1), COORD_OK);
  coord_result *result = NULL;
  T_ERROR(coord_call(client, get, 0, &result, &err), COORD_INVALID, err, "coord_watch_open");
  T_CODE(coord_op_set(get, COORD_OP_NO_DELETES, 1), COORD_OK);
  T_ERROR(coord_watch_open(client, get, 0, queue, 0, &watch, &err), COORD_INVALID, err,
          "nothing is left");
  coord_watch_close(NULL);
  coord_watch_free(NULL);
  T_TRUE(coord_event_count(NULL) == 0 && coord_event_revision(NULL) == 0);
  coord_op_free(get);
  coord_op_free(put);
  coord_op_free(empty);
  coord_op_free(limited);
  coord_client_close(client, 0, NULL);
  get = coord_op_get("k", 1);
  T_ERROR(coord_watch_open(client, get, 0, queue, 0, &watch, &err), COORD_CLOSED, err, "closed");
  coord_op_free(get);
  coord_client_free(client);
  coord_queue_free(queue);
}

static void namespace_is_put_on_and_taken_off(void) {
  char space[t_key_size], key[t_key_size + 8];
  t_key(space, "ns/");
  coord_client *whole = t_client(), *within = t_client_with("namespace", space, NULL);
  coord_queue *queue = t_queue();
  coord_watch *all = t_watch(within, "", 0, queue, 1, -1);
  t_stands(queue, 1, COORD_OK);
  t_put(whole, "outside", "x");
  snprintf(key, sizeof key, "%sk", space);
  t_put(whole, key, "v");
  t_put(within, "l", "w");
  T_STR(t_changes(queue, 1, 2, 0), "+k=v +l=w");
  t_silent(queue);
  coord_watch_free(all);
  coord_queue_free(queue);
  coord_client_free(whole);
  coord_client_free(within);
}

static void many_watches_on_few_streams(void) {
  int count = t_on_gateway() ? 20 : 2500;
  enum { COUNT_MAX = 2500 };
  static coord_watch *watches[COUNT_MAX];
  static int seen[COUNT_MAX];
  char prefix[t_key_size], name[16];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  t_key(prefix, "");
  memset(seen, 0, sizeof seen);
  for (int i = 0; i < count; i++) {
    char key[t_key_size + 16];
    snprintf(key, sizeof key, "%s%d/", prefix, i);
    watches[i] = t_watch(client, key, 0, queue, (uint64_t)i, -1);
  }
  for (int i = 0; i < count; i++) {
    coord_event *event = coord_queue_next(queue, 15000);
    T_FATAL(event != NULL);
    T_INT(coord_event_type(event), COORD_EVENT_RESYNC);
    coord_event_free(event);
  }
  for (int i = 0; i < count; i += 7) {
    snprintf(name, sizeof name, "%d/k", i);
    put_at(client, prefix, name, "v");
  }
  for (int i = 0; i < count; i += 7) {
    coord_event *event = t_event(queue, COORD_EVENT_CHANGES, (uint64_t)i);
    seen[coord_event_tag(event)] += (int)coord_event_count(event);
    coord_event_free(event);
  }
  for (int i = 0; i < count; i++) T_INT(seen[i], i % 7 == 0);
  for (int i = 0; i < count; i += 2) coord_watch_free(watches[i]);
  put_at(client, prefix, "0/k", "v");
  put_at(client, prefix, "1/k", "v");
  T_STR(t_changes(queue, 1, 1, strlen(prefix)), "+1/k=v");
  for (int i = 1; i < count; i += 2) coord_watch_close(watches[i]);
  for (int i = 1; i < count; i += 2) {
    coord_event *event = coord_queue_next(queue, 15000);
    T_INT(coord_event_type(event), COORD_EVENT_CLOSED);
    coord_event_free(event);
  }
  t_silent(queue);
  for (int i = 1; i < count; i += 2) coord_watch_free(watches[i]);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void end_of_the_client_ends_its_watches(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_watch *a = t_watch(client, t_key(prefix, ""), 0, queue, 1, -1);
  t_stands(queue, 1, COORD_OK);
  T_CODE(coord_client_close(client, 0, NULL), COORD_OK);
  t_closed(queue, 1, COORD_CLOSED, "the client was closed");
  coord_watch_close(a);
  t_silent(queue);
  coord_watch_free(a);
  coord_client_free(client);
  coord_queue_free(queue);
}

static void handles_go_in_any_order(void) {
  char prefix[t_key_size];
  t_key(prefix, "");
  for (int order = 0; order < 6; order++) {
    coord_client *client = t_client();
    coord_queue *queue = t_queue();
    coord_watch *watch = t_watch(client, prefix, 1, queue, 1, -1);
    if (order % 2 == 0) put_at(client, prefix, "a", "1");
    if (order < 2) coord_client_free(client);
    if (order < 2 || order > 3) coord_queue_free(queue);
    if (order == 3) coord_watch_close(watch);
    coord_watch_free(watch);
    if (order == 2 || order == 3) {
      t_silent(queue);
      coord_queue_free(queue);
    }
    if (order >= 2) coord_client_free(client);
  }
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_watch *watch = t_watch(client, prefix, 0, queue, 1, -1);
  t_stands(queue, 1, COORD_OK);
  coord_client *other = t_client();
  coord_client_free(client); /* the watch holds it */
  put_at(other, prefix, "b", "2");
  T_STR(t_changes(queue, 1, 1, strlen(prefix)), "+b=2");
  coord_watch_free(watch);
  coord_queue_free(queue);
  coord_client_free(other);
}

static void nothing_comes_of_a_freed_watch(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_watch *freed = t_watch(client, t_key(prefix, ""), 0, queue, 1, -1);
  coord_watch *kept = t_watch(client, prefix, 0, queue, 2, -1);
  for (int i = 0; i < 2; i++) coord_event_free(coord_queue_next(queue, 15000));
  for (int i = 0; i < 10; i++) put_at(client, prefix, "a", "1");
  coord_event *event = NULL;
  size_t others = 0;
  for (;;) {
    event = coord_queue_next(queue, 15000);
    T_FATAL(event != NULL);
    if (coord_event_tag(event) == 1) break;
    others += coord_event_count(event);
    coord_event_free(event);
  }
  coord_watch_free(freed);
  if (others < 10) t_changes(queue, 2, 10 - others, strlen(prefix));
  t_silent(queue);
  T_TRUE(coord_event_count(event) > 0); /* it was taken before: it stays */
  coord_event_free(event);
  coord_watch_free(kept);
  coord_queue_free(queue);
  coord_client_free(client);
}

/* A consumer that sleeps: its watch waits, the others do not, and nothing is left out. */
static void slow_consumer_loses_nothing_and_holds_up_nobody(void) {
  enum { PUTS = 300 };
  static char value[4001];
  char prefix[t_key_size];
  coord_client *client = t_client_with("watch.buffer.bytes", "65536", NULL);
  coord_queue *slow = t_queue(), *quick = t_queue();
  coord_watch *sleeper = t_watch(client, t_key(prefix, ""), 0, slow, 1, -1);
  coord_watch *worker = t_watch(client, prefix, 0, quick, 2, -1);
  t_stands(slow, 1, COORD_OK);
  t_stands(quick, 2, COORD_OK);
  memset(value, 'v', sizeof value - 1);
  for (int i = 0; i < PUTS; i++) {
    snprintf(value, sizeof value, "%04d", i);
    value[4] = 'v';
    put_at(client, prefix, "k", value);
    coord_event_free(t_event(quick, COORD_EVENT_CHANGES, 2));
  }
  int next = 0;
  int alone = 0; /* changes that came one by one, before the watch had to wait */
  bool alone_over = false;
  while (next < PUTS) {
    coord_event *event = coord_queue_next(slow, 15000);
    T_FATAL(event != NULL);
    T_FATAL(coord_event_type(event) == COORD_EVENT_CHANGES);
    if (coord_event_count(event) > 1) alone_over = true;
    if (!alone_over) alone++;
    for (size_t i = 0; i < coord_event_count(event); i++) {
      coord_kv kv;
      char expected[16];
      snprintf(expected, sizeof expected, "%04d", next++);
      T_CODE(coord_event_change(event, i, NULL, &kv, NULL), COORD_OK);
      T_MEM(kv.value, 4, expected, 4);
    }
    coord_event_free(event);
  }
  T_TRUE(alone < 30);
  coord_watch_free(sleeper);
  coord_watch_free(worker);
  coord_queue_free(slow);
  coord_queue_free(quick);
  coord_client_free(client);
}

static void overtaken_consumer_is_told(void) {
  static char value[4001];
  char prefix[t_key_size];
  coord_client *client = t_client_with("watch.buffer.bytes", "16384", NULL);
  coord_queue *queue = t_queue();
  coord_watch *watch = t_watch(client, t_key(prefix, ""), 0, queue, 1, -1);
  t_stands(queue, 1, COORD_OK);
  memset(value, 'v', sizeof value - 1);
  int64_t last = 0;
  for (int i = 0; i < 50; i++) last = put_at(client, prefix, "k", value);
  coord_result_free(t_call(client, coord_op_compact(last)));
  int64_t told = 0;
  for (;;) {
    coord_event *event = coord_queue_next(queue, 15000);
    T_FATAL(event != NULL);
    int32_t type = coord_event_type(event);
    if (type == COORD_EVENT_CHANGES) told = coord_event_revision(event);
    if (type == COORD_EVENT_CLOSED) {
      T_CODE(coord_event_code(event), COORD_COMPACTED);
      T_INT(coord_event_revision(event), last);
    }
    coord_event_free(event);
    if (type == COORD_EVENT_CLOSED) break;
  }
  T_TRUE(told > 0 && told < last);
  coord_watch_free(watch);
  coord_queue_free(queue);
  coord_client_free(client);
}

/* ---- many threads ---- */

enum { OPENERS = 4, ROUNDS = 60 };

typedef struct opener {
  pthread_t thread;
  coord_client *client;
  const char *prefix;
  unsigned seed;
} opener;

static void *open_and_close(void *arg) {
  opener *o = arg;
  coord_queue *queue = t_queue();
  for (int i = 0; i < ROUNDS; i++) {
    coord_watch *watch = t_watch(o->client, o->prefix, i % 3, queue, (uint64_t)i, -1);
    unsigned how = (o->seed + (unsigned)i) % 4;
    if (how > 0) coord_event_free(coord_queue_next(queue, how == 1 ? 15000 : 1));
    if (how == 2) {
      coord_watch_close(watch);
      int closed = 0;
      while (closed == 0) {
        coord_event *event = coord_queue_next(queue, 15000);
        if (!T_TRUE(event != NULL)) break;
        T_INT(coord_event_tag(event), i);
        closed += coord_event_type(event) == COORD_EVENT_CLOSED;
        coord_event_free(event);
      }
    }
    coord_watch_free(watch);
    T_TRUE(coord_queue_next(queue, 0) == NULL);
  }
  coord_queue_free(queue);
  return NULL;
}

static void threads_open_and_close_under_load(void) {
  char prefix[t_key_size];
  opener openers[OPENERS];
  coord_client *client = t_client();
  t_key(prefix, "");
  for (int i = 0; i < OPENERS; i++) {
    openers[i] = (opener){.client = client, .prefix = prefix, .seed = (unsigned)i};
    pthread_create(&openers[i].thread, NULL, open_and_close, &openers[i]);
  }
  for (int i = 0; i < 200; i++) put_at(client, prefix, "k", "v");
  for (int i = 0; i < OPENERS; i++) pthread_join(openers[i].thread, NULL);
  coord_client_free(client);
}

T_MAIN(T_CASE(puts_and_deletes_arrive_in_order), T_CASE(one_key_and_no_other),
       T_CASE(past_is_told_from_the_start_revision_on), T_CASE(future_is_not_told_before_it_comes),
       T_CASE(filters_and_values_before), T_CASE(changes_of_a_transaction_are_not_divided),
       T_CASE(past_that_is_too_large_for_one_answer_comes_in_parts),
       T_CASE(compacted_start_ends_the_watch), T_CASE(wrong_arguments_are_refused),
       T_CASE(namespace_is_put_on_and_taken_off), T_CASE(many_watches_on_few_streams),
       T_CASE(end_of_the_client_ends_its_watches), T_CASE(handles_go_in_any_order),
       T_CASE(nothing_comes_of_a_freed_watch),
       T_CASE(slow_consumer_loses_nothing_and_holds_up_nobody), T_CASE(overtaken_consumer_is_told),
       T_CASE(threads_open_and_close_under_load))
