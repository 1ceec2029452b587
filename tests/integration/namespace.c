/* A client with a namespace sees its keys alone, by their names within; another sees them whole. */
#include <stdio.h>
#include <string.h>

#include "support/etcd.h"

static coord_client *whole;  /* without a namespace */
static coord_client *inside; /* with the one in `space` */
static char space[t_key_size];
static coord_error *err;

/* The namespace is the case's own prefix and `rest`. */
static void open_inside(const char *rest) {
  t_key(space, rest);
  whole = t_client();
  inside = t_client_with("namespace", space, NULL);
}

static void done(void) {
  coord_client_free(inside);
  coord_client_free(whole);
}

static char *full(char out[2 * t_key_size], const char *key) {
  snprintf(out, 2 * t_key_size, "%s%s", space, key);
  return out;
}

static bool whole_has(const char *key, const char *value) {
  char name[2 * t_key_size];
  return t_get_is(whole, full(name, key), value);
}

/* The keys of a result, with commas. */
static void keys_are(const coord_result *result, const char *expected) {
  char text[512] = "";
  for (size_t i = 0; i < coord_result_count(result); i++) {
    coord_kv kv;
    size_t used = strlen(text);
    T_CODE(coord_result_kv(result, i, &kv), COORD_OK);
    snprintf(text + used, sizeof text - used, "%s%.*s", used > 0 ? "," : "", (int)kv.key_len,
             (const char *)kv.key);
  }
  T_STR(text, expected);
}

static void op_gives(coord_op *op, const char *keys) {
  coord_result *result = t_call(inside, op);
  keys_are(result, keys);
  coord_result_free(result);
}

static coord_op *range(const char *key, const char *end, size_t end_len) {
  coord_op *op = coord_op_get(key, strlen(key));
  T_CODE(coord_op_set_range_end(op, end, end_len), COORD_OK);
  return op;
}

/* Keys in the namespace and around it. */
static void fill(void) {
  char name[2 * t_key_size];
  t_put(inside, "a", "1");
  t_put(inside, "b", "2");
  t_put(inside, "b/1", "3");
  t_put(inside, "\xff", "4");
  /* The namespace itself is no key in it. */
  t_put(whole, space, "itself");
  snprintf(name, sizeof name, "%s", space);
  name[strlen(name) - 1]--;
  t_put(whole, name, "before");
  name[strlen(name) - 1] = (char)(name[strlen(name) - 1] + 2);
  t_put(whole, name, "after");
  t_put(whole, "t/~", "far behind");
}

static void keys_are_put_got_and_deleted_within(void) {
  open_inside("ns/");
  t_put(inside, "k", "v");
  T_TRUE(t_get_is(inside, "k", "v"));
  T_TRUE(whole_has("k", "v"));
  T_TRUE(t_get_is(whole, "k", NULL));
  coord_op *put = coord_op_put("k", 1, "w", 1);
  T_CODE(coord_op_set(put, COORD_OP_PREV_KV, 1), COORD_OK);
  op_gives(put, "k");
  coord_op *del = coord_op_delete("k", 1);
  T_CODE(coord_op_set(del, COORD_OP_PREV_KV, 1), COORD_OK);
  op_gives(del, "k");
  T_TRUE(whole_has("k", NULL));
  done();
}

static void ranges_end_with_the_namespace(void) {
  static const char *const spaces[] = {"ns/", "other", "\xff", "x\xff\xff"};
  for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
    open_inside(spaces[i]);
    fill();
    op_gives(t_prefix("b"), "b,b/1");
    op_gives(t_prefix("\xff"), "\xff");
    op_gives(t_prefix(""), "a,b,b/1,\xff");
    op_gives(range("", "\0", 1), "a,b,b/1,\xff");
    op_gives(range("b", "\0", 1), "b,b/1,\xff");
    op_gives(range("a", "b/", 2), "a,b");
    op_gives(range("b", "a", 1), "");
    coord_op *last = coord_op_get("", 0);
    T_CODE(coord_op_set_prefix(last), COORD_OK);
    T_CODE(coord_op_set(last, COORD_OP_SORT_DESCENDING, 1), COORD_OK);
    T_CODE(coord_op_set(last, COORD_OP_LIMIT, 2), COORD_OK);
    op_gives(last, "\xff,b/1");
    coord_op *del = coord_op_delete("b", 1);
    T_CODE(coord_op_set_range_end(del, "\0", 1), COORD_OK);
    T_CODE(coord_op_set(del, COORD_OP_PREV_KV, 1), COORD_OK);
    op_gives(del, "b,b/1,\xff");
    op_gives(t_prefix(""), "a");
    T_TRUE(t_get_is(whole, space, "itself"));
    T_TRUE(t_get_is(whole, "t/~", "far behind"));
    done();
  }
}

static void empty_keys_are_refused_as_ever(void) {
  char message[256];
  open_inside("ns/");
  t_call_fails(inside, coord_op_put("", 0, "v", 1), COORD_INVALID, message);
  T_HAS(message, "the key is empty");
  t_call_fails(inside, coord_op_get("", 0), COORD_INVALID, NULL);
  t_call_fails(inside, coord_op_delete("", 0), COORD_INVALID, NULL);
  coord_op *txn = coord_op_txn();
  T_CODE(coord_op_if_int(txn, "", 0, COORD_COMPARE_VERSION, COORD_EQUAL, 0), COORD_OK);
  t_call_fails(inside, txn, COORD_INVALID, NULL);
  done();
}

static void then(coord_op *txn, coord_op *op) {
  T_CODE(coord_op_then(txn, op), COORD_OK);
  coord_op_free(op);
}

static void otherwise(coord_op *txn, coord_op *op) {
  T_CODE(coord_op_else(txn, op), COORD_OK);
  coord_op_free(op);
}

static void transactions_are_within_at_any_depth(void) {
  open_inside("ns/");
  fill();
  coord_op *inner = coord_op_txn();
  T_CODE(coord_op_if_value(inner, "b", 1, COORD_EQUAL, "2", 1), COORD_OK);
  then(inner, t_prefix("b"));
  then(inner, coord_op_put("c", 1, "5", 1));
  otherwise(inner, coord_op_put("wrong", 5, "", 0));
  coord_op *txn = coord_op_txn();
  coord_op *del = coord_op_delete("a", 1);
  T_CODE(coord_op_set(del, COORD_OP_PREV_KV, 1), COORD_OK);
  T_CODE(coord_op_if_int(txn, "a", 1, COORD_COMPARE_VERSION, COORD_EQUAL, 1), COORD_OK);
  T_CODE(coord_op_if_int(txn, "x", 1, COORD_COMPARE_CREATE, COORD_EQUAL, 0), COORD_OK);
  then(txn, coord_op_get("a", 1));
  then(txn, inner);
  then(txn, del);
  coord_result *result = t_call(inside, txn);
  T_TRUE(coord_result_succeeded(result) == 1);
  T_INT(coord_result_parts(result), 3);
  keys_are(coord_result_part(result, 0), "a");
  const coord_result *part = coord_result_part(result, 1);
  T_TRUE(coord_result_succeeded(part) == 1);
  keys_are(coord_result_part(part, 0), "b,b/1");
  keys_are(coord_result_part(result, 2), "a");
  coord_result_free(result);
  T_TRUE(whole_has("c", "5"));
  T_TRUE(whole_has("a", NULL));
  T_TRUE(whole_has("wrong", NULL));
  done();
}

/* Whether all keys of a range have version 1. */
static bool all_new(const char *key, const char *end, size_t end_len) {
  coord_op *txn = coord_op_txn();
  T_CODE(coord_op_if_int(txn, key, strlen(key), COORD_COMPARE_VERSION, COORD_EQUAL, 1), COORD_OK);
  T_CODE(coord_op_if_range(txn, end, end_len), COORD_OK);
  coord_result *result = t_call(inside, txn);
  bool held = coord_result_succeeded(result) == 1;
  coord_result_free(result);
  return held;
}

static void compares_of_ranges_end_with_the_namespace(void) {
  open_inside("ns/");
  fill();
  /* Were these in any range below, it would not hold. */
  t_put(whole, "t/~", "twice");
  t_put(whole, space, "twice");
  T_TRUE(all_new("", NULL, 0));
  T_TRUE(all_new("b", NULL, 0));
  T_TRUE(all_new("a", "\0", 1));
  T_TRUE(all_new("\xff", NULL, 0));
  t_put(inside, "b/1", "again");
  T_TRUE(!all_new("", NULL, 0));
  T_TRUE(!all_new("b", NULL, 0));
  T_TRUE(!all_new("b", "\0", 1));
  T_TRUE(all_new("a", "b/", 2));
  done();
}

static void scan_goes_through_the_namespace_alone(void) {
  enum { KEYS = 25 };
  open_inside("ns/");
  fill();
  for (int i = 0; i < KEYS; i++) {
    char key[16];
    snprintf(key, sizeof key, "s%02d", i);
    t_put(inside, key, "v");
  }
  coord_op *get = t_prefix("");
  coord_scan *scan = NULL;
  T_OK(coord_scan_open(inside, get, 4, &scan, &err), err);
  coord_op_free(get);
  char last[16] = "";
  int count = 0;
  for (;;) {
    coord_result *page = NULL;
    T_OK(coord_scan_next(scan, 0, &page, &err), err);
    if (page == NULL) break;
    for (size_t i = 0; i < coord_result_count(page); i++, count++) {
      coord_kv kv;
      char key[16];
      T_CODE(coord_result_kv(page, i, &kv), COORD_OK);
      snprintf(key, sizeof key, "%.*s", (int)kv.key_len, (const char *)kv.key);
      T_TRUE(strcmp(last, key) < 0);
      memcpy(last, key, sizeof last);
    }
    coord_result_free(page);
  }
  T_INT(count, KEYS + 4);
  T_INT(coord_scan_total(scan), KEYS + 4);
  T_STR(last, "\xff");
  coord_scan_free(scan);
  done();
}

static void namespace_of_a_url_is_one(void) {
  char url[256];
  t_key(space, "url/");
  snprintf(url, sizeof url, "etcd://%s/%s?log.level=error", t_etcd_endpoint(t_etcd(), 0), space);
  whole = t_client();
  inside = t_client_with("endpoints", url, NULL);
  t_put(inside, "k", "v");
  T_TRUE(whole_has("k", "v"));
  done();
}

static void request_limit_counts_the_namespace(void) {
  char key[2000];
  memset(key, 'k', sizeof key);
  t_key(space, "ns/");
  inside = t_client_with("namespace", space, "request.max.bytes", "2005", NULL);
  whole = t_client_with("request.max.bytes", "2005", NULL);
  t_call_fails(inside, coord_op_get(key, sizeof key), COORD_TOO_LARGE, NULL);
  coord_result_free(t_call(whole, coord_op_get(key, sizeof key)));
  done();
}

static void ops_without_keys_work_as_ever(void) {
  open_inside("ns/");
  coord_result *result = t_call(inside, coord_op_status());
  T_HAS(coord_result_json(result), "version");
  coord_result_free(result);
  coord_result_free(t_call(inside, coord_op_members()));
  done();
}

T_MAIN(T_CASE(keys_are_put_got_and_deleted_within), T_CASE(ranges_end_with_the_namespace),
       T_CASE(empty_keys_are_refused_as_ever), T_CASE(transactions_are_within_at_any_depth),
       T_CASE(compares_of_ranges_end_with_the_namespace),
       T_CASE(scan_goes_through_the_namespace_alone), T_CASE(namespace_of_a_url_is_one),
       T_CASE(request_limit_counts_the_namespace), T_CASE(ops_without_keys_work_as_ever))
