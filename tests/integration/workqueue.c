/* Queues of work on a real server. */
#include <inttypes.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/lease.h"
#include "support/proxy.h"

/* An item that was taken. */
typedef struct taken {
  char key[160];
  char value[64];
  int64_t token;
} taken;

static coord_workqueue *work(coord_client *client, const char *name, coord_queue *queue) {
  coord_workqueue *w = NULL;
  T_CODE(coord_workqueue_open(client, name, strlen(name), NULL, queue, 7, &w, NULL), COORD_OK);
  T_FATAL(w != NULL);
  return w;
}

static void put(coord_client *client, const char *name, const char *value) {
  coord_result_free(t_call(client, coord_op_work_put(name, strlen(name), value, strlen(value))));
}

static void read_taken(const coord_result *result, taken *out) {
  coord_kv kv = {0};
  T_FATAL(coord_result_count(result) == 1);
  T_CODE(coord_result_kv(result, 0, &kv), COORD_OK);
  snprintf(out->key, sizeof out->key, "%.*s", (int)kv.key_len, (const char *)kv.key);
  snprintf(out->value, sizeof out->value, "%.*s", (int)kv.value_len, (const char *)kv.value);
  out->token = coord_result_revision(result);
}

static taken take(coord_client *client, coord_workqueue *w) {
  taken out = {0};
  coord_result *result = t_call(client, coord_op_work_take(w, 1));
  T_FATAL(result != NULL);
  read_taken(result, &out);
  coord_result_free(result);
  return out;
}

static uint64_t take_later(coord_client *client, coord_workqueue *w, int32_t timeout_ms,
                           coord_queue *queue, uint64_t tag) {
  uint64_t id = 0;
  coord_op *op = coord_op_work_take(w, 1);
  T_CODE(coord_submit(client, op, timeout_ms, queue, tag, &id, NULL), COORD_OK);
  coord_op_free(op);
  return id;
}

/* What a take that was started comes to. */
static taken told(coord_queue *queue, int32_t timeout_ms, uint64_t tag) {
  taken out = {0};
  coord_event *event = coord_queue_next(queue, timeout_ms);
  T_FATAL(event != NULL);
  T_INT(coord_event_type(event), COORD_EVENT_RESULT);
  T_INT(coord_event_tag(event), tag);
  T_CODE(coord_event_code(event), COORD_OK);
  T_FATAL(coord_event_code(event) == COORD_OK);
  read_taken(coord_event_result(event), &out);
  coord_event_free(event);
  return out;
}

static coord_op *done_op(coord_workqueue *w, const taken *item) {
  return coord_op_work_done(w, item->key, strlen(item->key), item->token);
}

static coord_op *return_op(coord_workqueue *w, const taken *item) {
  return coord_op_work_return(w, item->key, strlen(item->key), item->token);
}

static int keys(coord_client *client, const char *prefix) {
  coord_result *result = t_call(client, t_prefix(prefix));
  int count = (int)coord_result_count(result);
  coord_result_free(result);
  return count;
}

static void items_are_taken_in_order_and_done_once(void) {
  coord_client *client = t_client();
  char name[t_key_size], key[t_key_size + 8], message[256];
  coord_workqueue *w = work(client, t_key(name, "q"), NULL), *other = work(client, name, NULL);
  T_TRUE(t_call_fails(client, coord_op_work_take(w, 0), COORD_NOT_FOUND, message));
  put(client, name, "first");
  snprintf(key, sizeof key, "%s/17", name); /* as Go's recipe puts them */
  t_put(client, key, "second");
  put(client, name, "third");
  taken first = take(client, w), second = take(client, other), third = take(client, w);
  T_STR(first.value, "first");
  T_STR(second.value, "second");
  T_STR(second.key, key);
  T_STR(third.value, "third");
  T_TRUE(first.token < second.token && second.token < third.token);
  T_TRUE(coord_workqueue_remaining_ms(w, first.token) > 5000);
  T_INT(coord_workqueue_remaining_ms(other, first.token), 0);
  T_TRUE(t_call_fails(client, coord_op_work_take(w, 0), COORD_NOT_FOUND, NULL));
  coord_result_free(t_call(client, done_op(w, &first)));
  T_TRUE(t_call_fails(client, done_op(w, &first), COORD_LOST, message));
  /* One that was returned comes before what is younger. */
  put(client, name, "fourth");
  coord_result_free(t_call(client, return_op(other, &second)));
  T_TRUE(t_call_fails(client, return_op(other, &second), COORD_LOST, NULL));
  taken again = take(client, w);
  T_STR(again.key, second.key);
  T_TRUE(again.token > third.token);
  T_TRUE(t_call_fails(client, done_op(other, &second), COORD_LOST, NULL));
  coord_result_free(t_call(client, done_op(w, &again)));
  coord_result_free(t_call(client, done_op(w, &third)));
  taken fourth = take(client, other);
  T_STR(fourth.value, "fourth");
  coord_result_free(t_call(client, done_op(other, &fourth)));
  T_INT(keys(client, name), 0);
  coord_workqueue_free(w);
  coord_workqueue_free(other);
  coord_client_free(client);
}

/* What is written with the item being done is written once. */
static void done_is_part_of_a_txn(void) {
  coord_client *client = t_client();
  char name[t_key_size], result_key[t_key_size];
  coord_workqueue *w = work(client, t_key(name, "q"), NULL);
  t_key(result_key, "result");
  put(client, name, "item");
  taken item = take(client, w);
  for (int i = 0; i < 2; i++) {
    coord_op *txn = coord_op_txn(), *write = coord_op_put(result_key, strlen(result_key), "x", 1);
    T_CODE(coord_op_then_done(txn, w, item.key, strlen(item.key), item.token), COORD_OK);
    T_CODE(coord_op_then(txn, write), COORD_OK);
    coord_result *result = t_call(client, txn);
    T_INT(coord_result_succeeded(result), i == 0);
    coord_result_free(result);
    coord_op_free(write);
  }
  coord_result *result = t_call(client, coord_op_get(result_key, strlen(result_key)));
  coord_kv kv = {0};
  T_CODE(coord_result_kv(result, 0, &kv), COORD_OK);
  T_INT(kv.version, 1);
  coord_result_free(result);
  T_INT(keys(client, name), 0);
  coord_workqueue_free(w);
  coord_client_free(client);
}

static void takers_wait_in_order(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  char name[t_key_size], message[256];
  coord_workqueue *w = work(client, t_key(name, "q"), NULL);
  T_CODE(coord_call(client, coord_op_work_take(NULL, 1), 10, NULL, NULL), COORD_INVALID);
  coord_op *op = coord_op_work_take(w, 1);
  coord_error *err = NULL;
  /* With more time when it has not come to know that in this. */
  for (int ms = 100; ms < 20000; ms *= 4) {
    coord_error_free(err);
    err = NULL;
    T_CODE(coord_call(client, op, ms, NULL, &err), COORD_TIMEOUT);
    if (strstr(coord_error_message(err), "nothing is there to take") != NULL) break;
  }
  T_HAS(coord_error_message(err), "nothing is there to take");
  coord_error_free(err);
  coord_op_free(op);
  take_later(client, w, -1, queue, 1);
  uint64_t second = take_later(client, w, -1, queue, 2);
  take_later(client, w, -1, queue, 3);
  T_TRUE(t_lease_quiet(queue, 50));
  T_CODE(coord_cancel(client, second), COORD_OK);
  T_TRUE(t_lease_told(queue, 5000, COORD_EVENT_RESULT, 2, COORD_CANCELED, message));
  put(client, name, "a");
  taken a = told(queue, 5000, 1);
  T_STR(a.value, "a");
  T_TRUE(t_lease_quiet(queue, 50));
  put(client, name, "b");
  T_STR(told(queue, 5000, 3).value, "b");
  /* What is returned wakes who waits. */
  take_later(client, w, -1, queue, 4);
  T_TRUE(t_lease_quiet(queue, 50));
  coord_result_free(t_call(client, return_op(w, &a)));
  T_STR(told(queue, 5000, 4).key, a.key);
  take_later(client, w, -1, queue, 5);
  T_TRUE(t_lease_quiet(queue, 20));
  coord_workqueue_free(w);
  T_TRUE(t_lease_told(queue, 5000, COORD_EVENT_RESULT, 5, COORD_CANCELED, NULL));
  coord_queue_free(queue);
  coord_client_free(client);
}

/* However far a take has come when it is cancelled: what it took, if anything, is not out of reach. */
static void cancelled_take_leaves_nothing_taken(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  char name[t_key_size];
  coord_workqueue *w = work(client, t_key(name, "q"), NULL), *other = work(client, name, NULL);
  put(client, name, "item");
  for (int i = 0; i < 30; i++) {
    uint64_t id = take_later(client, w, -1, queue, 1);
    struct timespec pause = {.tv_nsec = (i % 10) * 100000};
    nanosleep(&pause, NULL);
    coord_cancel(client, id);
    coord_event *event = coord_queue_next(queue, 5000);
    T_FATAL(event != NULL);
    taken item = {0};
    bool has = coord_event_code(event) == COORD_OK;
    if (has) read_taken(coord_event_result(event), &item);
    coord_event_free(event);
    if (has) coord_result_free(t_call(client, return_op(w, &item)));
  }
  taken item = take(client, other);
  coord_result_free(t_call(client, done_op(other, &item)));
  T_INT(keys(client, name), 0);
  coord_workqueue_free(w);
  coord_workqueue_free(other);
  coord_queue_free(queue);
  coord_client_free(client);
}

/* The lease ends, as that of a process that was stopped or cut off. */
static void item_of_a_dead_worker_returns(void) {
  coord_client *client = t_client(), *dead = t_client();
  coord_queue *queue = t_queue();
  char name[t_key_size], prefix[t_key_size + 16], message[256];
  coord_options *options = t_options("lock.ttl.s", "3", NULL);
  coord_workqueue *w = NULL, *other = work(client, t_key(name, "q"), NULL);
  T_CODE(coord_workqueue_open(dead, name, strlen(name), options, queue, 7, &w, NULL), COORD_OK);
  coord_options_free(options);
  put(client, name, "item");
  taken item = take(dead, w);
  snprintf(prefix, sizeof prefix, "%s.taken/", name);
  coord_result *marks = t_call(client, t_prefix(prefix));
  coord_kv kv = {0};
  T_CODE(coord_result_kv(marks, 0, &kv), COORD_OK);
  T_INT(kv.create_revision, item.token);
  int64_t lease = kv.lease_id;
  coord_result_free(marks);
  take_later(client, other, -1, queue, 1);
  T_TRUE(t_lease_quiet(queue, 50));
  coord_result_free(t_call(client, coord_op_lease_revoke(lease)));
  taken again = {0};
  for (int i = 0; i < 2; i++) { /* in either order */
    coord_event *event = coord_queue_next(queue, 10000);
    T_FATAL(event != NULL);
    if (coord_event_type(event) == COORD_EVENT_RESULT) {
      read_taken(coord_event_result(event), &again);
    } else {
      T_INT(coord_event_type(event), COORD_EVENT_LOST);
      T_INT(coord_event_tag(event), 7);
    }
    coord_event_free(event);
  }
  T_STR(again.key, item.key);
  T_TRUE(again.token > item.token);
  T_INT(coord_workqueue_remaining_ms(w, item.token), 0);
  T_TRUE(t_call_fails(dead, done_op(w, &item), COORD_LOST, message));
  coord_result_free(t_call(client, done_op(other, &again)));
  /* The handle goes on with another lease. */
  put(client, name, "next");
  taken next = take(dead, w);
  T_STR(next.value, "next");
  T_INT(coord_workqueue_remaining_ms(w, item.token), 0);
  T_TRUE(coord_workqueue_remaining_ms(w, next.token) > 0);
  /* And what is taken returns at once when the handle is freed. */
  coord_workqueue_free(w);
  T_STR(take(client, other).key, next.key);
  coord_workqueue_free(other);
  coord_queue_free(queue);
  coord_client_free(dead);
  coord_client_free(client);
}

/* ---- many ---- */

enum { WORKERS = 6, ITEMS = 90 };

typedef struct crowd {
  atomic_int left;
  atomic_int done[ITEMS];
  atomic_int wrong;
} crowd;

typedef struct worker {
  pthread_t thread;
  crowd *crowd;
  coord_client *client;
  coord_workqueue *work;
} worker;

static bool is_unclear(coord_code code) {
  return code == COORD_UNAVAILABLE || code == COORD_TIMEOUT;
}

static void finish_item(worker *m, const coord_result *result) {
  coord_kv kv = {0};
  coord_code code = coord_result_kv(result, 0, &kv);
  int item = kv.value_len > 0 ? atoi(kv.value) : 0;
  coord_op *op = coord_op_work_done(m->work, kv.key, kv.key_len, coord_result_revision(result));
  while (code == COORD_OK) {
    coord_result *end = NULL;
    code = coord_call(m->client, op, 2000, &end, NULL);
    coord_result_free(end);
    if (!is_unclear(code)) break;
    code = COORD_OK;
  }
  coord_op_free(op);
  if (code != COORD_OK) atomic_fetch_add(&m->crowd->wrong, 1);
  atomic_fetch_add(&m->crowd->done[item], 1);
  atomic_fetch_sub(&m->crowd->left, 1);
}

static void *labour(void *arg) {
  worker *m = arg;
  while (atomic_load(&m->crowd->left) > 0 && atomic_load(&m->crowd->wrong) == 0) {
    coord_result *result = NULL;
    coord_op *op = coord_op_work_take(m->work, 1);
    coord_code code = coord_call(m->client, op, 300, &result, NULL);
    coord_op_free(op);
    if (code == COORD_OK) {
      finish_item(m, result);
    } else if (!is_unclear(code)) {
      atomic_fetch_add(&m->crowd->wrong, 1);
    }
    coord_result_free(result);
  }
  return NULL;
}

/* Until nothing is left; with a proxy, which is cut now and then, if there is one. */
static void run_crowd(crowd *c, const char *name, t_proxy *proxy) {
  coord_client *client = t_client();
  worker workers[WORKERS];
  atomic_store(&c->left, ITEMS);
  for (int i = 0; i < WORKERS; i++) {
    workers[i].crowd = c;
    workers[i].client =
        proxy == NULL ? t_client() : t_client_with("endpoints", t_proxy_endpoint(proxy), NULL);
    workers[i].work = work(workers[i].client, name, NULL);
    pthread_create(&workers[i].thread, NULL, labour, &workers[i]);
  }
  for (int i = 0; i < ITEMS; i++) {
    char value[16];
    snprintf(value, sizeof value, "%d", i);
    put(client, name, value);
    if (proxy != NULL && i % 15 == 7) t_proxy_cut(proxy);
  }
  for (int i = 0; i < WORKERS; i++) {
    pthread_join(workers[i].thread, NULL);
    coord_workqueue_free(workers[i].work);
    coord_client_free(workers[i].client);
  }
  T_INT(atomic_load(&c->wrong), 0);
  for (int i = 0; i < ITEMS; i++) T_INT(atomic_load(&c->done[i]), 1);
  T_INT(keys(client, name), 0);
  coord_client_free(client);
}

static void many_workers_do_each_item_once(void) {
  char name[t_key_size];
  crowd c = {.left = 0};
  run_crowd(&c, t_key(name, "crowd"), NULL);
}

/* Whatever the network does. */
static void cut_workers_do_each_item_once(void) {
  char name[t_key_size];
  crowd c = {.left = 0};
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  run_crowd(&c, t_key(name, "cut"), proxy);
  t_proxy_stop(proxy);
}

static int64_t txns(const coord_client *client) {
  char *text = NULL;
  T_CODE(coord_client_stats(client, &text, NULL), COORD_OK);
  struct json_object *at = json_tokener_parse(text), *stats = at, *next = NULL;
  static const char *const path[] = {"methods", "txn", "calls"};
  for (size_t i = 0; i < 3; i++, at = next) T_FATAL(json_object_object_get_ex(at, path[i], &next));
  int64_t calls = json_object_get_int64(at);
  json_object_put(stats);
  coord_memory_free(text);
  return calls;
}

/* Twenty wait: an item costs each of them one try, and one that is done nothing. */
static void waiting_takers_do_not_stampede(void) {
  enum { TAKERS = 20 };
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  char name[t_key_size];
  coord_workqueue *takers[TAKERS];
  t_key(name, "q");
  for (uint64_t i = 0; i < TAKERS; i++) {
    takers[i] = work(client, name, NULL);
    take_later(client, takers[i], -1, queue, i);
  }
  T_TRUE(t_lease_quiet(queue, 300));
  int64_t before = txns(client);
  put(client, name, "one");
  coord_event *event = coord_queue_next(queue, 5000);
  T_FATAL(event != NULL);
  taken item = {0};
  read_taken(coord_event_result(event), &item);
  coord_result_free(t_call(client, done_op(takers[coord_event_tag(event)], &item)));
  coord_event_free(event);
  T_TRUE(t_lease_quiet(queue, 300));
  int64_t calls = txns(client) - before;
  if (calls > TAKERS + 1) T_FAIL("an item cost %" PRId64 " txns", calls);
  for (int i = 0; i < TAKERS; i++) coord_workqueue_free(takers[i]);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void wrong_arguments_are_named(void) {
  coord_client *client = t_client();
  coord_workqueue *w = NULL;
  coord_error *err = NULL;
  char message[256];
  T_CODE(coord_workqueue_open(client, "", 0, NULL, NULL, 0, &w, &err), COORD_INVALID);
  T_STR(coord_error_message(err), "argument name is empty; a queue needs a name");
  coord_error_free(err);
  T_TRUE(t_call_fails(client, coord_op_work_put("", 0, "x", 1), COORD_INVALID, message));
  T_STR(message, "work_put: argument name is empty; a queue needs a name");
  w = work(client, "t/wrong", NULL);
  T_TRUE(t_call_fails(client, coord_op_work_done(w, "t/other/1", 9, 1), COORD_INVALID, message));
  T_STR(message, "work_done: argument key \"t/other/1\" is not an item of this queue");
  coord_op *txn = coord_op_txn();
  T_CODE(coord_op_then_done(txn, w, "t/wrong/", 8, 1), COORD_INVALID);
  T_TRUE(t_call_fails(client, txn, COORD_INVALID, NULL));
  T_CODE(coord_op_then_done(NULL, w, "t/wrong/1", 9, 1), COORD_INVALID);
  T_INT(coord_workqueue_remaining_ms(NULL, 1), 0);
  coord_workqueue_free(w);
  coord_workqueue_free(NULL);
  coord_client_free(client);
}

T_MAIN(T_CASE(items_are_taken_in_order_and_done_once), T_CASE(done_is_part_of_a_txn),
       T_CASE(takers_wait_in_order), T_CASE(cancelled_take_leaves_nothing_taken),
       T_CASE(item_of_a_dead_worker_returns), T_CASE(many_workers_do_each_item_once),
       T_CASE(cut_workers_do_each_item_once), T_CASE(waiting_takers_do_not_stampede),
       T_CASE(wrong_arguments_are_named))
