/* Scans: ranges of any size at one revision, a page at a time. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/etcd.h"
#include "support/proxy.h"

static void write_keys(coord_client *client, const char *prefix, int n, size_t value_len) {
  enum { batch = 1000 };
  char key[t_key_size + 16];
  coord_op *ops[batch];
  coord_error *err = NULL;
  char *value = calloc(1, value_len + 1);
  T_FATAL(value != NULL);
  for (int first = 0; first < n; first += batch) {
    int count = n - first < batch ? n - first : batch;
    for (int i = 0; i < count; i++) {
      snprintf(key, sizeof key, "%s%06d", prefix, first + i);
      ops[i] = coord_op_put(key, strlen(key), value, value_len);
    }
    T_OK(coord_call_many(client, (const coord_op *const *)ops, (size_t)count, 60000, NULL, NULL,
                         &err),
         err);
    for (int i = 0; i < count; i++) coord_op_free(ops[i]);
  }
  free(value);
}

static coord_scan *open_scan(coord_client *client, coord_op *get, int32_t page_keys) {
  coord_scan *scan = NULL;
  coord_error *err = NULL;
  T_OK(coord_scan_open(client, get, page_keys, &scan, &err), err);
  coord_op_free(get);
  T_FATAL(scan != NULL);
  return scan;
}

/* Reads on to the end. Every key must be the next number after `from`, unless prefix is NULL.
 * Gives the number of keys; *largest is the largest page. */
static int read_all(coord_scan *scan, const char *prefix, int from, size_t *largest) {
  int n = 0;
  int bad = 0;
  *largest = 0;
  for (;;) {
    coord_error *err = NULL;
    coord_result *page = NULL;
    T_OK(coord_scan_next(scan, 30000, &page, &err), err);
    coord_error_free(err);
    if (!page) break;
    T_TRUE(coord_result_count(page) > 0);
    if (coord_result_count(page) > *largest) *largest = coord_result_count(page);
    for (size_t i = 0; i < coord_result_count(page); i++, n++) {
      char expected[t_key_size + 16];
      coord_kv kv = {0};
      coord_result_kv(page, i, &kv);
      if (!prefix) continue;
      int len = snprintf(expected, sizeof expected, "%s%06d", prefix, from + n);
      bad += kv.key_len != (size_t)len || memcmp(kv.key, expected, kv.key_len) != 0;
    }
    coord_result_free(page);
  }
  T_INT(bad, 0);
  return n;
}

/* --- Reading --------------------------------------------------------------------------------------- */

typedef struct disturbance {
  coord_client *client;
  char prefix[t_key_size];
  int keys;
  atomic_bool stop;
  int writes;
} disturbance;

/* Adds, changes and removes keys of the range until told to stop. */
static void *disturb(void *arg) {
  disturbance *d = arg;
  char key[t_key_size + 16];
  for (; !atomic_load(&d->stop); d->writes++) {
    snprintf(key, sizeof key, "%s%06d", d->prefix, d->writes * 97 % d->keys);
    if (d->writes % 3 == 0) {
      T_CODE(coord_delete(d->client, key, strlen(key), NULL, NULL), COORD_OK);
    } else {
      if (d->writes % 3 == 1) strcat(key, "+");
      T_CODE(coord_put(d->client, key, strlen(key), "w", 1, NULL), COORD_OK);
    }
  }
  return NULL;
}

static void scan_of_many_keys_sees_one_revision_while_others_write(void) {
  size_t largest;
  pthread_t thread;
  static disturbance d;
  int keys = t_on_gateway() ? 5000 : 25000; /* which is slower */
  d.client = t_client();
  d.keys = keys;
  write_keys(d.client, t_key(d.prefix, "s/"), keys, 10);
  coord_scan *scan = open_scan(d.client, t_prefix(d.prefix), 0);
  T_INT(coord_scan_revision(scan), 0);
  T_INT(coord_scan_total(scan), -1);
  T_INT(coord_scan_delivered(scan), 0);
  coord_result *first = NULL;
  T_CODE(coord_scan_next(scan, 0, &first, NULL), COORD_OK);
  T_INT(coord_result_count(first), 1000);
  int64_t revision = coord_scan_revision(scan);
  T_TRUE(revision > 0);
  T_INT(coord_scan_total(scan), keys);
  T_INT(coord_scan_delivered(scan), 1000);
  coord_result_free(first);
  pthread_create(&thread, NULL, disturb, &d);
  T_INT(read_all(scan, d.prefix, 1000, &largest), keys - 1000);
  atomic_store(&d.stop, true);
  pthread_join(thread, NULL);
  T_TRUE(d.writes > 0);
  T_TRUE(largest <= 1000);
  T_INT(coord_scan_revision(scan), revision);
  T_INT(coord_scan_delivered(scan), keys);
  T_INT(coord_scan_total(scan), keys);
  coord_scan_free(scan);
  coord_client_free(d.client);
}

static void ended_scan_stays_ended(void) {
  char prefix[t_key_size];
  coord_result *page = NULL;
  size_t largest;
  coord_client *client = t_client();
  write_keys(client, t_key(prefix, "s/"), 3, 1);
  coord_scan *scan = open_scan(client, t_prefix(prefix), 0);
  T_INT(read_all(scan, prefix, 0, &largest), 3);
  for (int i = 0; i < 2; i++) {
    T_CODE(coord_scan_next(scan, 0, &page, NULL), COORD_OK);
    T_TRUE(page == NULL);
  }
  coord_op *op = coord_op_scan_next(scan);
  coord_result *result = t_call(client, op);
  T_TRUE(result != NULL);
  T_INT(coord_result_count(result), 0);
  coord_result_free(result);
  coord_scan_free(scan);
  coord_client_free(client);
}

static void empty_range_ends_at_once(void) {
  char prefix[t_key_size];
  size_t largest;
  coord_client *client = t_client();
  coord_scan *scan = open_scan(client, t_prefix(t_key(prefix, "nothing/")), 0);
  T_INT(read_all(scan, prefix, 0, &largest), 0);
  T_INT(coord_scan_total(scan), 0);
  T_TRUE(coord_scan_revision(scan) > 0);
  coord_scan_free(scan);
  coord_client_free(client);
}

static void page_size_is_kept_whatever_the_number_of_keys(void) {
  static const int32_t sizes[] = {1, 2, 49, 50, 51, 100000};
  char prefix[t_key_size];
  coord_client *client = t_client();
  write_keys(client, t_key(prefix, "s/"), 50, 1);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t largest;
    coord_scan *scan = open_scan(client, t_prefix(prefix), sizes[i]);
    T_INT(read_all(scan, prefix, 0, &largest), 50);
    T_TRUE(largest <= (size_t)sizes[i]);
    T_INT(coord_scan_delivered(scan), 50);
    coord_scan_free(scan);
  }
  coord_client_free(client);
}

static void limit_bounds_the_whole_scan(void) {
  static const int64_t limits[] = {1, 10, 11, 50, 51};
  char prefix[t_key_size];
  coord_client *client = t_client();
  write_keys(client, t_key(prefix, "s/"), 50, 1);
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    size_t largest;
    coord_op *op = t_prefix(prefix);
    T_CODE(coord_op_set(op, COORD_OP_LIMIT, limits[i]), COORD_OK);
    coord_scan *scan = open_scan(client, op, 10);
    T_INT(read_all(scan, prefix, 0, &largest), limits[i] < 50 ? limits[i] : 50);
    T_TRUE(largest <= 10);
    coord_scan_free(scan);
  }
  coord_client_free(client);
}

static void scan_at_a_past_revision_reads_what_was_there(void) {
  char prefix[t_key_size];
  size_t largest;
  coord_client *client = t_client();
  write_keys(client, t_key(prefix, "s/"), 30, 1);
  coord_result *now = t_call(client, coord_op_get("absent", 6));
  int64_t revision = coord_result_revision(now);
  coord_result_free(now);
  coord_op *op = coord_op_delete(prefix, strlen(prefix));
  T_CODE(coord_op_set_prefix(op), COORD_OK);
  coord_result_free(t_call(client, op));
  op = t_prefix(prefix);
  T_CODE(coord_op_set(op, COORD_OP_REVISION, revision), COORD_OK);
  T_CODE(coord_op_set(op, COORD_OP_KEYS_ONLY, 1), COORD_OK);
  coord_scan *scan = open_scan(client, op, 7);
  T_INT(read_all(scan, prefix, 0, &largest), 30);
  T_INT(coord_scan_revision(scan), revision);
  coord_scan_free(scan);
  coord_client_free(client);
}

static void revision_bounds_hold_on_every_page(void) {
  char prefix[t_key_size];
  size_t largest;
  coord_client *client = t_client();
  write_keys(client, t_key(prefix, "s/"), 30, 1);
  int64_t before = t_put(client, "marker", "");
  char key[t_key_size + 16];
  for (int i = 5; i < 30; i += 10) {
    snprintf(key, sizeof key, "%s%06d", prefix, i);
    t_put(client, key, "changed");
  }
  coord_op *op = t_prefix(prefix);
  T_CODE(coord_op_set(op, COORD_OP_MIN_MOD_REVISION, before), COORD_OK);
  coord_scan *scan = open_scan(client, op, 2);
  T_INT(read_all(scan, NULL, 0, &largest), 3);
  coord_scan_free(scan);
  coord_client_free(client);
}

static void pages_over_the_answer_limit_are_read_in_smaller_ones(void) {
  char prefix[t_key_size];
  size_t largest;
  coord_client *client = t_client_with("response.max.bytes", "300000", NULL);
  write_keys(client, t_key(prefix, "s/"), 200, 10000); /* 2 MB in all, 29 keys to an answer */
  coord_scan *scan = open_scan(client, t_prefix(prefix), 150);
  T_INT(read_all(scan, prefix, 0, &largest), 200);
  T_TRUE(largest < 30);
  coord_scan_free(scan);
  coord_client_free(client);
}

static void one_value_over_the_answer_limit_is_too_large(void) {
  char prefix[t_key_size];
  coord_error *err = NULL;
  coord_result *page = NULL;
  coord_client *client = t_client_with("response.max.bytes", "50000", NULL);
  write_keys(client, t_key(prefix, "s/"), 3, 60000);
  coord_scan *scan = open_scan(client, t_prefix(prefix), 0);
  T_ERROR(coord_scan_next(scan, 0, &page, &err), COORD_TOO_LARGE, err, "response.max.bytes");
  T_TRUE(page == NULL);
  coord_scan_free(scan);
  coord_client_free(client);
}

static void compaction_in_the_middle_ends_the_scan(void) {
  char prefix[t_key_size];
  coord_error *err = NULL;
  coord_result *page = NULL;
  coord_client *client = t_client();
  write_keys(client, t_key(prefix, "s/"), 50, 1);
  coord_scan *scan = open_scan(client, t_prefix(prefix), 5);
  T_OK(coord_scan_next(scan, 0, &page, &err), err);
  coord_result_free(page);
  int64_t revision = t_put(client, "marker", "");
  coord_result_free(t_call(client, coord_op_compact(revision)));
  /* What a stream has sent ahead may still come. */
  coord_code code = COORD_OK;
  for (int i = 0; i < 20 && code == COORD_OK; i++) {
    page = NULL;
    code = coord_scan_next(scan, 0, &page, NULL);
    coord_result_free(page);
  }
  T_TRUE(code == COORD_COMPACTED || (code == COORD_OK && coord_scan_delivered(scan) == 50));
  if (!t_etcd_is_at_least(3, 7)) T_CODE(code, COORD_COMPACTED);
  coord_scan_free(scan);
  coord_client_free(client);
}

/* --- Refusals -------------------------------------------------------------------------------------- */

static void refuse(coord_client *client, coord_op *op, int32_t page_keys, const char *part) {
  coord_scan *scan = NULL;
  coord_error *err = NULL;
  T_ERROR(coord_scan_open(client, op, page_keys, &scan, &err), COORD_INVALID, err, part);
  T_TRUE(scan == NULL);
  coord_op_free(op);
}

static void scan_takes_a_plain_range_only(void) {
  coord_client *client = t_client();
  refuse(client, coord_op_get("k", 1), 0, "range");
  refuse(client, coord_op_put("k", 1, "v", 1), 0, "get");
  refuse(client, coord_op_txn(), 0, "get");
  refuse(client, t_prefix("k"), -1, "page_keys");
  refuse(client, t_prefix("k"), 100001, "100001");
  coord_op *op = t_prefix("k");
  T_CODE(coord_op_set(op, COORD_OP_COUNT_ONLY, 1), COORD_OK);
  refuse(client, op, 0, "count");
  op = t_prefix("k");
  T_CODE(coord_op_set(op, COORD_OP_SORT_BY, COORD_SORT_MOD), COORD_OK);
  refuse(client, op, 0, "sort");
  op = t_prefix("k");
  T_CODE(coord_op_set(op, COORD_OP_SORT_DESCENDING, 1), COORD_OK);
  refuse(client, op, 0, "sort");
  coord_client_free(client);
}

static void missing_arguments_are_named(void) {
  coord_scan *scan = NULL;
  coord_result *page = NULL;
  coord_error *err = NULL;
  coord_client *client = t_client();
  coord_op *op = t_prefix("k");
  T_ERROR(coord_scan_open(NULL, op, 0, &scan, &err), COORD_INVALID, err, "client");
  T_ERROR(coord_scan_open(client, NULL, 0, &scan, &err), COORD_INVALID, err, "get");
  T_ERROR(coord_scan_open(client, op, 0, NULL, &err), COORD_INVALID, err, "out");
  T_ERROR(coord_scan_next(NULL, 0, &page, &err), COORD_INVALID, err, "scan");
  scan = open_scan(client, op, 0);
  T_ERROR(coord_scan_next(scan, 0, NULL, &err), COORD_INVALID, err, "out");
  T_ERROR(coord_scan_next(scan, -2, &page, &err), COORD_INVALID, err, "timeout_ms");
  coord_scan_free(scan);
  T_TRUE(coord_op_scan_next(NULL) == NULL);
  T_INT(coord_scan_revision(NULL), 0);
  T_INT(coord_scan_delivered(NULL), 0);
  T_INT(coord_scan_total(NULL), -1);
  coord_scan_free(NULL);
  coord_client_free(client);
}

static void page_op_belongs_to_its_client_and_to_no_txn(void) {
  coord_error *err = NULL;
  coord_client *client = t_client();
  coord_client *other = t_client();
  coord_scan *scan = open_scan(client, t_prefix("k"), 0);
  coord_op *next = coord_op_scan_next(scan);
  coord_op *txn = coord_op_txn();
  T_ERROR(coord_call(other, next, 0, NULL, &err), COORD_INVALID, err, "client");
  T_CODE(coord_op_then(txn, next), COORD_INVALID);
  T_CODE(coord_op_set(next, COORD_OP_LIMIT, 1), COORD_INVALID);
  coord_op_free(txn);
  coord_op_free(next);
  coord_scan_free(scan);
  coord_client_free(other);
  coord_client_free(client);
}

/* --- Pages under way --------------------------------------------------------------------------------- */

static void pages_may_be_submitted(void) {
  char prefix[t_key_size];
  int n = 0;
  coord_queue *queue = NULL;
  coord_client *client = t_client();
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  write_keys(client, t_key(prefix, "s/"), 25, 1);
  coord_scan *scan = open_scan(client, t_prefix(prefix), 10);
  coord_op *next = coord_op_scan_next(scan);
  coord_scan_free(scan); /* the op holds it */
  for (bool more = true; more;) {
    T_CODE(coord_submit(client, next, 0, queue, 1, NULL, NULL), COORD_OK);
    coord_event *event = coord_queue_next(queue, 10000);
    T_CODE(coord_event_code(event), COORD_OK);
    more = coord_result_count(coord_event_result(event)) > 0;
    n += (int)coord_result_count(coord_event_result(event));
    coord_event_free(event);
  }
  T_INT(n, 25);
  coord_op_free(next);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void two_pages_at_once_are_a_conflict(void) {
  coord_queue *queue = NULL;
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client = t_client_with("endpoints", t_proxy_endpoint(proxy), NULL);
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  coord_scan *scan = open_scan(client, t_prefix("k"), 0);
  coord_op *next = coord_op_scan_next(scan);
  t_proxy_stall(proxy, true);
  T_CODE(coord_submit(client, next, 0, queue, 1, NULL, NULL), COORD_OK);
  T_CODE(coord_submit(client, next, 0, queue, 2, NULL, NULL), COORD_OK);
  coord_event *event = coord_queue_next(queue, 5000);
  T_INT((long long)coord_event_tag(event), 2);
  T_CODE(coord_event_code(event), COORD_CONFLICT);
  coord_event_free(event);
  t_proxy_stall(proxy, false);
  event = coord_queue_next(queue, 5000);
  T_INT((long long)coord_event_tag(event), 1);
  T_CODE(coord_event_code(event), COORD_OK);
  coord_event_free(event);
  coord_op_free(next);
  coord_scan_free(scan);
  coord_queue_free(queue);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

static void freeing_a_scan_cancels_its_page(void) {
  coord_queue *queue = NULL;
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client = t_client_with("endpoints", t_proxy_endpoint(proxy), NULL);
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  coord_scan *scan = open_scan(client, t_prefix("k"), 0);
  coord_op *next = coord_op_scan_next(scan);
  t_proxy_stall(proxy, true);
  T_CODE(coord_submit(client, next, 0, queue, 1, NULL, NULL), COORD_OK);
  coord_op_free(next);
  coord_scan_free(scan);
  coord_event *event = coord_queue_next(queue, 5000);
  T_CODE(coord_event_code(event), COORD_CANCELED);
  coord_event_free(event);
  coord_queue_free(queue);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

static void same_page_comes_again_after_a_failure(void) {
  char prefix[t_key_size];
  coord_result *page = NULL;
  coord_error *err = NULL;
  size_t largest;
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client = t_client_with("endpoints", t_proxy_endpoint(proxy), NULL);
  write_keys(client, t_key(prefix, "s/"), 50, 1);
  coord_scan *scan = open_scan(client, t_prefix(prefix), 10);
  T_OK(coord_scan_next(scan, 0, &page, &err), err);
  coord_result_free(page);
  page = NULL;
  t_proxy_stall(proxy, true);
  coord_code code = coord_scan_next(scan, 200, &page, &err);
  /* A stream may have sent the page ahead. */
  int read = 10 + (int)coord_result_count(page);
  if (code != COORD_OK) T_ERROR(code, COORD_TIMEOUT, err, "deadline");
  coord_result_free(page);
  t_proxy_stall(proxy, false);
  T_INT(read_all(scan, prefix, read, &largest), 50 - read);
  coord_scan_free(scan);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

static void scan_goes_on_over_a_cut_connection(void) {
  char prefix[t_key_size];
  coord_result *page = NULL;
  coord_error *err = NULL;
  size_t largest;
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client = t_client_with("endpoints", t_proxy_endpoint(proxy), NULL);
  write_keys(client, t_key(prefix, "s/"), 500, 100);
  coord_scan *scan = open_scan(client, t_prefix(prefix), 50);
  T_OK(coord_scan_next(scan, 0, &page, &err), err);
  coord_result_free(page);
  int64_t revision = coord_scan_revision(scan);
  t_proxy_cut(proxy);
  T_INT(read_all(scan, prefix, 50, &largest), 450);
  T_INT(coord_scan_revision(scan), revision);
  coord_scan_free(scan);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

static void scan_without_its_client_is_closed(void) {
  coord_result *page = NULL;
  coord_error *err = NULL;
  coord_client *client = t_client();
  coord_scan *scan = open_scan(client, t_prefix("k"), 0);
  T_OK(coord_client_close(client, 1000, &err), err);
  coord_client_free(client);
  T_ERROR(coord_scan_next(scan, 0, &page, &err), COORD_CLOSED, err, "closed");
  T_TRUE(page == NULL);
  coord_scan_free(scan);
}

T_MAIN(T_CASE(scan_of_many_keys_sees_one_revision_while_others_write),
       T_CASE(ended_scan_stays_ended), T_CASE(empty_range_ends_at_once),
       T_CASE(page_size_is_kept_whatever_the_number_of_keys), T_CASE(limit_bounds_the_whole_scan),
       T_CASE(scan_at_a_past_revision_reads_what_was_there),
       T_CASE(revision_bounds_hold_on_every_page),
       T_CASE(pages_over_the_answer_limit_are_read_in_smaller_ones),
       T_CASE(one_value_over_the_answer_limit_is_too_large),
       T_CASE(compaction_in_the_middle_ends_the_scan), T_CASE(scan_takes_a_plain_range_only),
       T_CASE(missing_arguments_are_named), T_CASE(page_op_belongs_to_its_client_and_to_no_txn),
       T_CASE(pages_may_be_submitted), T_CASE(two_pages_at_once_are_a_conflict),
       T_CASE(freeing_a_scan_cancels_its_page), T_CASE(same_page_comes_again_after_a_failure),
       T_CASE(scan_goes_on_over_a_cut_connection), T_CASE(scan_without_its_client_is_closed))
