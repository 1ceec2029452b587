/* get, put, delete and compact with every option, against a real etcd. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/etcd.h"

static coord_op *with(coord_op *op, int32_t attribute, int64_t value) {
  T_CODE(coord_op_set(op, attribute, value), COORD_OK);
  return op;
}

static coord_op *get(const char *key) { return coord_op_get(key, strlen(key)); }

static coord_op *put(const char *key, const char *value) {
  return coord_op_put(key, strlen(key), value, strlen(value));
}

/* --- Bytes ---------------------------------------------------------------------------------------- */

static void what_was_put_is_read_back(void) {
  char key[t_key_size];
  coord_kv kv;
  coord_client *client = t_client();
  int64_t first = t_put(client, t_key(key, "k"), "one");
  int64_t second = t_put(client, key, "two");
  coord_result *result = t_call(client, get(key));
  T_INT(coord_result_count(result), 1);
  T_INT(coord_result_total(result), 1);
  T_INT(coord_result_more(result), 0);
  T_CODE(coord_result_kv(result, 0, &kv), COORD_OK);
  T_MEM(kv.key, kv.key_len, key, strlen(key));
  T_MEM(kv.value, kv.value_len, "two", 3);
  T_INT(((const char *)kv.key)[kv.key_len], 0);
  T_INT(((const char *)kv.value)[kv.value_len], 0);
  T_INT(kv.create_revision, first);
  T_INT(kv.mod_revision, second);
  T_INT(kv.version, 2);
  T_INT(kv.lease_id, 0);
  T_CODE(coord_result_kv(result, 1, &kv), COORD_INVALID);
  T_CODE(coord_result_kv(result, 0, NULL), COORD_INVALID);
  coord_result_free(result);
  coord_client_free(client);
}

static void bytes_of_any_kind_go_both_ways(void) {
  char key[t_key_size];
  unsigned char value[256];
  coord_kv kv;
  coord_error *err = NULL;
  coord_client *client = t_client();
  size_t key_len = strlen(t_key(key, "a\x01z"));
  key[key_len - 2] = '\0'; /* a key with a NUL in it */
  for (int i = 0; i < 256; i++) value[i] = (unsigned char)i;
  T_OK(coord_put(client, key, key_len, value, sizeof value, &err), err);
  coord_result *result = NULL;
  T_OK(coord_get(client, key, key_len, &result, &err), err);
  T_INT(coord_result_count(result), 1);
  T_FATAL(coord_result_kv(result, 0, &kv) == COORD_OK);
  T_MEM(kv.key, kv.key_len, key, key_len);
  T_MEM(kv.value, kv.value_len, value, sizeof value);
  coord_result_free(result);
  result = NULL;
  T_OK(coord_get(client, key, key_len - 2, &result, &err), err);
  T_INT(coord_result_count(result), 0);
  coord_result_free(result);
  coord_client_free(client);
}

static void empty_value_is_a_value(void) {
  char key[t_key_size];
  coord_kv kv;
  coord_error *err = NULL;
  coord_result *result = NULL;
  coord_client *client = t_client();
  t_key(key, "k");
  T_OK(coord_put(client, key, strlen(key), NULL, 0, &err), err);
  T_OK(coord_get(client, key, strlen(key), &result, &err), err);
  T_FATAL(coord_result_kv(result, 0, &kv) == COORD_OK);
  T_INT(kv.value_len, 0);
  T_TRUE(kv.value != NULL && *(const char *)kv.value == '\0');
  T_INT(kv.version, 1);
  coord_result_free(result);
  coord_client_free(client);
}

static void absent_key_is_no_error(void) {
  char key[t_key_size];
  int64_t deleted = 9;
  coord_result *result = NULL;
  coord_error *err = NULL;
  coord_client *client = t_client();
  t_key(key, "absent");
  T_OK(coord_get(client, key, strlen(key), &result, &err), err);
  T_INT(coord_result_count(result), 0);
  T_INT(coord_result_total(result), 0);
  T_TRUE(coord_result_revision(result) > 0);
  T_OK(coord_delete(client, key, strlen(key), &deleted, &err), err);
  T_INT(deleted, 0);
  coord_result_free(result);
  coord_client_free(client);
}

static void empty_key_and_null_bytes_are_refused(void) {
  coord_error *err = NULL;
  coord_result *result = NULL;
  coord_client *client = t_client();
  T_ERROR(coord_put(client, "", 0, "v", 1, &err), COORD_INVALID, err, "key");
  T_ERROR(coord_get(client, "", 0, &result, &err), COORD_INVALID, err, "key");
  T_ERROR(coord_delete(client, "", 0, NULL, &err), COORD_INVALID, err, "key");
  T_ERROR(coord_put(client, NULL, 3, "v", 1, &err), COORD_INVALID, err, "key");
  T_ERROR(coord_get(client, NULL, 3, &result, &err), COORD_INVALID, err, "key");
  T_ERROR(coord_delete(client, NULL, 3, NULL, &err), COORD_INVALID, err, "key");
  T_ERROR(coord_put(client, "k", 1, NULL, 3, &err), COORD_INVALID, err, "value");
  T_ERROR(coord_put(NULL, "k", 1, "v", 1, &err), COORD_INVALID, err, "client");
  T_ERROR(coord_get(NULL, "k", 1, &result, &err), COORD_INVALID, err, "client");
  T_ERROR(coord_delete(NULL, "k", 1, NULL, &err), COORD_INVALID, err, "client");
  T_TRUE(result == NULL);
  T_CODE(coord_get(client, "absent", 6, NULL, NULL), COORD_OK);
  coord_client_free(client);
}

/* --- Sizes ---------------------------------------------------------------------------------------- */

static void value_over_the_limit_is_refused_before_it_is_sent(void) {
  char key[t_key_size];
  coord_error *err = NULL;
  size_t n = 1536 * 1024 + 1;
  char *value = calloc(1, n);
  coord_client *client = t_client();
  T_FATAL(value != NULL);
  t_key(key, "big");
  T_CODE(coord_put(client, key, strlen(key), value, n, &err), COORD_TOO_LARGE);
  T_HAS(coord_error_message(err), "request.max.bytes");
  T_HAS(coord_error_message(err), "1572864");
  T_INT(coord_error_flags(err), 0);
  T_INT(coord_error_grpc_status(err), -1);
  coord_error_free(err);
  T_TRUE(t_get_is(client, key, NULL));
  free(value);
  coord_client_free(client);
}

static void value_just_under_the_limit_goes_both_ways(void) {
  char key[t_key_size];
  coord_kv kv;
  coord_error *err = NULL;
  coord_result *result = NULL;
  size_t n = 1536 * 1024 - 300;
  unsigned char *value = malloc(n);
  coord_client *client = t_client();
  T_FATAL(value != NULL);
  for (size_t i = 0; i < n; i++) value[i] = (unsigned char)(i * 7 + (i >> 8));
  t_key(key, "big");
  T_OK(coord_put(client, key, strlen(key), value, n, &err), err);
  T_OK(coord_get(client, key, strlen(key), &result, &err), err);
  T_FATAL(coord_result_kv(result, 0, &kv) == COORD_OK);
  T_MEM(kv.value, kv.value_len, value, n);
  coord_result_free(result);
  free(value);
  coord_client_free(client);
}

static void servers_own_limit_is_reported_as_too_large(void) {
  char key[t_key_size];
  coord_error *err = NULL;
  size_t n = 1700 * 1024;
  char *value = calloc(1, n);
  coord_client *client = t_client_with("request.max.bytes", "8000000", NULL);
  T_FATAL(value != NULL);
  t_key(key, "big");
  T_CODE(coord_put(client, key, strlen(key), value, n, &err), COORD_TOO_LARGE);
  T_HAS(coord_error_message(err), "too large");
  T_TRUE(coord_error_grpc_status(err) > 0);
  T_STR(coord_error_endpoint(err), t_etcd_endpoint(t_etcd(), 0));
  coord_error_free(err);
  /* Beyond what its gRPC library lets in at all. */
  err = NULL;
  char *huge = calloc(1, 5000000);
  T_ERROR(coord_put(client, key, strlen(key), huge, 5000000, &err), COORD_TOO_LARGE, err, "larger");
  T_TRUE(t_get_is(client, key, NULL));
  free(huge);
  free(value);
  coord_client_free(client);
}

static void answer_of_several_mebibytes_is_received(void) {
  char prefix[t_key_size];
  char key[t_key_size + 16];
  coord_error *err = NULL;
  size_t n = 1200 * 1000;
  char *value = calloc(1, n);
  coord_client *client = t_client();
  T_FATAL(value != NULL);
  t_key(prefix, "big/");
  for (int i = 0; i < 5; i++) {
    snprintf(key, sizeof key, "%s%d", prefix, i);
    T_OK(coord_put(client, key, strlen(key), value, n, &err), err);
  }
  coord_result *result = t_call(client, t_prefix(prefix));
  T_INT(coord_result_count(result), 5);
  for (size_t i = 0; i < 5; i++) {
    coord_kv kv = {0};
    T_CODE(coord_result_kv(result, i, &kv), COORD_OK);
    T_MEM(kv.value, kv.value_len, value, n);
  }
  coord_result_free(result);
  free(value);
  coord_client_free(client);
}

static void answer_over_the_limit_ends_its_call_alone(void) {
  char key[t_key_size];
  char message[256];
  size_t n = 200 * 1024;
  char *value = calloc(1, n);
  coord_error *err = NULL;
  coord_client *client = t_client_with("response.max.bytes", "100000", NULL);
  T_FATAL(value != NULL);
  t_key(key, "k");
  T_OK(coord_put(client, key, strlen(key), value, n, &err), err);
  for (int i = 0; i < 20; i++) {
    t_call_fails(client, get(key), COORD_TOO_LARGE, message);
    T_HAS(message, "response.max.bytes");
    T_TRUE(t_get_is(client, "absent", NULL));
  }
  free(value);
  coord_client_free(client);
}

/* --- Ranges ---------------------------------------------------------------------------------------- */

/* Writes a, b, c, d, e under the prefix; the values are in the opposite order, and c is changed
 * last. Returns the revision of the first write. */
static int64_t write_five(coord_client *client, const char *prefix) {
  static const char *const values[] = {"5", "4", "3", "2", "1"};
  char key[t_key_size + 8];
  int64_t first = 0;
  for (int i = 0; i < 5; i++) {
    snprintf(key, sizeof key, "%s%c", prefix, 'a' + i);
    int64_t revision = t_put(client, key, values[i]);
    if (i == 0) first = revision;
  }
  snprintf(key, sizeof key, "%sc", prefix);
  t_put(client, key, "3");
  return first;
}

static void expect_keys(coord_client *client, coord_op *op, const char *prefix, const char *keys) {
  char found[64] = "";
  coord_result *result = t_call(client, op);
  for (size_t i = 0; i < coord_result_count(result) && i < 60; i++) {
    coord_kv kv = {0};
    T_CODE(coord_result_kv(result, i, &kv), COORD_OK);
    T_TRUE(kv.key_len == strlen(prefix) + 1);
    found[i] = ((const char *)kv.key)[kv.key_len - 1];
  }
  T_STR(found, keys);
  coord_result_free(result);
}

static void prefix_and_range_end_bound_a_range(void) {
  char prefix[t_key_size];
  char from[t_key_size + 8];
  char to[t_key_size + 8];
  coord_client *client = t_client();
  write_five(client, t_key(prefix, "r/"));
  snprintf(from, sizeof from, "%sb", prefix);
  snprintf(to, sizeof to, "%sd", prefix);
  expect_keys(client, t_prefix(prefix), prefix, "abcde");
  coord_op *op = get(from);
  T_CODE(coord_op_set_range_end(op, to, strlen(to)), COORD_OK);
  expect_keys(client, op, prefix, "bc");
  op = get(to);
  T_CODE(coord_op_set_range_end(op, from, strlen(from)), COORD_OK);
  expect_keys(client, op, prefix, "");
  coord_client_free(client);
}

static void range_without_upper_bound_reads_to_the_end(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  write_five(client, t_key(prefix, "r/"));
  /* Keys of later cases and of other programs may follow, so count alone is compared. */
  coord_op *op = get(prefix);
  T_CODE(coord_op_set_range_end(op, "\0", 1), COORD_OK);
  coord_result *from = t_call(client, with(op, COORD_OP_COUNT_ONLY, 1));
  T_TRUE(coord_result_total(from) >= 5);
  op = coord_op_get("", 0);
  T_CODE(coord_op_set_prefix(op), COORD_OK);
  coord_result *all = t_call(client, with(op, COORD_OP_COUNT_ONLY, 1));
  T_TRUE(coord_result_total(all) >= coord_result_total(from));
  T_INT(coord_result_count(all), 0);
  coord_result_free(from);
  coord_result_free(all);
  coord_client_free(client);
}

static void prefix_of_0xff_bytes_reaches_to_the_end(void) {
  coord_client *client = t_client();
  coord_error *err = NULL;
  static const unsigned char first[] = {0xff, 0xff, 1};
  static const unsigned char last[] = {0xff, 0xff, 0xff, 0xff};
  T_OK(coord_put(client, first, sizeof first, "v", 1, &err), err);
  T_OK(coord_put(client, last, sizeof last, "v", 1, &err), err);
  coord_op *op = coord_op_get(first, 2);
  T_CODE(coord_op_set_prefix(op), COORD_OK);
  coord_result *result = t_call(client, op);
  T_INT(coord_result_count(result), 2);
  coord_result_free(result);
  op = coord_op_delete(first, 1);
  T_CODE(coord_op_set_prefix(op), COORD_OK);
  result = t_call(client, op);
  T_INT(coord_result_total(result), 2);
  coord_result_free(result);
  coord_client_free(client);
}

static void limit_cuts_and_says_so(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  write_five(client, t_key(prefix, "r/"));
  coord_result *result = t_call(client, with(t_prefix(prefix), COORD_OP_LIMIT, 2));
  T_INT(coord_result_count(result), 2);
  T_INT(coord_result_total(result), 5);
  T_INT(coord_result_more(result), 1);
  coord_result_free(result);
  result = t_call(client, with(t_prefix(prefix), COORD_OP_LIMIT, 5));
  T_INT(coord_result_count(result), 5);
  T_INT(coord_result_more(result), 0);
  coord_result_free(result);
  expect_keys(client, with(t_prefix(prefix), COORD_OP_LIMIT, 0), prefix, "abcde");
  coord_client_free(client);
}

static void sort_orders_by_each_target(void) {
  static const struct {
    int32_t by;
    const char *ascending;
    const char *descending;
  } rows[] = {
      {COORD_SORT_KEY, "abcde", "edcba"},
      {COORD_SORT_CREATE, "abcde", "edcba"},
      {COORD_SORT_MOD, "abdec", "cedba"},
      {COORD_SORT_VALUE, "edcba", "abcde"},
  };
  char prefix[t_key_size];
  coord_client *client = t_client();
  write_five(client, t_key(prefix, "r/"));
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    coord_op *op = with(t_prefix(prefix), COORD_OP_SORT_BY, rows[i].by);
    expect_keys(client, op, prefix, rows[i].ascending);
    op = with(t_prefix(prefix), COORD_OP_SORT_BY, rows[i].by);
    expect_keys(client, with(op, COORD_OP_SORT_DESCENDING, 1), prefix, rows[i].descending);
    op = with(t_prefix(prefix), COORD_OP_SORT_DESCENDING, 0);
    expect_keys(client, with(op, COORD_OP_SORT_BY, rows[i].by), prefix, rows[i].ascending);
  }
  /* c alone has version 2. */
  coord_op *op = with(t_prefix(prefix), COORD_OP_SORT_BY, COORD_SORT_VERSION);
  op = with(with(op, COORD_OP_SORT_DESCENDING, 1), COORD_OP_LIMIT, 1);
  expect_keys(client, op, prefix, "c");
  coord_client_free(client);
}

static void keys_only_and_count_only_leave_out_the_rest(void) {
  char prefix[t_key_size];
  coord_kv kv;
  coord_client *client = t_client();
  write_five(client, t_key(prefix, "r/"));
  coord_result *result = t_call(client, with(t_prefix(prefix), COORD_OP_KEYS_ONLY, 1));
  T_INT(coord_result_count(result), 5);
  T_FATAL(coord_result_kv(result, 2, &kv) == COORD_OK);
  T_INT(kv.value_len, 0);
  T_INT(kv.version, 2);
  coord_result_free(result);
  result = t_call(client, with(t_prefix(prefix), COORD_OP_COUNT_ONLY, 1));
  T_INT(coord_result_count(result), 0);
  T_INT(coord_result_total(result), 5);
  coord_result_free(result);
  coord_op *op = with(t_prefix(prefix), COORD_OP_KEYS_ONLY, 1);
  result = t_call(client, with(op, COORD_OP_COUNT_ONLY, 1));
  T_INT(coord_result_count(result), 0);
  T_INT(coord_result_total(result), 5);
  coord_result_free(result);
  coord_client_free(client);
}

static void revision_bounds_select_by_age(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  int64_t a = write_five(client, t_key(prefix, "r/")); /* b at a+1, ..., e at a+4; c again at a+5 */
  expect_keys(client, with(t_prefix(prefix), COORD_OP_MIN_MOD_REVISION, a + 4), prefix, "ce");
  expect_keys(client, with(t_prefix(prefix), COORD_OP_MAX_MOD_REVISION, a + 2), prefix, "ab");
  expect_keys(client, with(t_prefix(prefix), COORD_OP_MIN_CREATE_REVISION, a + 3), prefix, "de");
  expect_keys(client, with(t_prefix(prefix), COORD_OP_MAX_CREATE_REVISION, a + 2), prefix, "abc");
  expect_keys(client, with(t_prefix(prefix), COORD_OP_MIN_MOD_REVISION, 0), prefix, "abcde");
  coord_client_free(client);
}

static void past_revision_shows_the_store_as_it_was(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  int64_t a = write_five(client, t_key(prefix, "r/"));
  expect_keys(client, with(t_prefix(prefix), COORD_OP_REVISION, a + 1), prefix, "ab");
  coord_result *result = t_call(client, with(t_prefix(prefix), COORD_OP_REVISION, a + 1));
  T_TRUE(coord_result_revision(result) >= a + 5);
  coord_result_free(result);
  coord_client_free(client);
}

static void serializable_read_is_answered(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  write_five(client, t_key(prefix, "r/"));
  expect_keys(client, with(t_prefix(prefix), COORD_OP_SERIALIZABLE, 1), prefix, "abcde");
  coord_result *members = t_call(client, with(coord_op_members(), COORD_OP_SERIALIZABLE, 1));
  T_TRUE(coord_result_json(members) != NULL);
  coord_result_free(members);
  coord_client_free(client);
}

static void delete_takes_a_prefix_and_returns_what_was_there(void) {
  char prefix[t_key_size];
  char text[256];
  coord_client *client = t_client();
  write_five(client, t_key(prefix, "r/"));
  coord_op *op = coord_op_delete(prefix, strlen(prefix));
  T_CODE(coord_op_set_prefix(op), COORD_OK);
  coord_result *result = t_call(client, with(op, COORD_OP_PREV_KV, 1));
  T_INT(coord_result_total(result), 5);
  T_INT(coord_result_count(result), 5);
  T_STR(t_kv_text(result, 0, prefix, text), "a=5");
  T_STR(t_kv_text(result, 4, prefix, text), "e=1");
  coord_result_free(result);
  expect_keys(client, t_prefix(prefix), prefix, "");
  coord_client_free(client);
}

/* --- Options of put ------------------------------------------------------------------------------ */

static void put_returns_what_was_there(void) {
  char key[t_key_size];
  char text[256];
  coord_client *client = t_client();
  t_key(key, "k");
  coord_result *result = t_call(client, with(put(key, "old"), COORD_OP_PREV_KV, 1));
  T_INT(coord_result_count(result), 0);
  coord_result_free(result);
  result = t_call(client, with(put(key, "new"), COORD_OP_PREV_KV, 1));
  T_INT(coord_result_count(result), 1);
  T_STR(t_kv_text(result, 0, key, text), "=old");
  coord_result_free(result);
  result = t_call(client, put(key, "newer"));
  T_INT(coord_result_count(result), 0);
  coord_result_free(result);
  coord_client_free(client);
}

static void ignore_value_keeps_the_value(void) {
  char key[t_key_size];
  char message[256];
  coord_client *client = t_client();
  t_put(client, t_key(key, "k"), "kept");
  coord_result_free(t_call(client, with(put(key, ""), COORD_OP_IGNORE_VALUE, 1)));
  T_TRUE(t_get_is(client, key, "kept"));
  t_call_fails(client, with(put(key, "other"), COORD_OP_IGNORE_VALUE, 1), COORD_INVALID, message);
  T_HAS(message, "ignore_value");
  t_key(key, "absent");
  t_call_fails(client, with(put(key, ""), COORD_OP_IGNORE_VALUE, 1), COORD_INVALID, message);
  coord_client_free(client);
}

static void ignore_lease_keeps_the_lease(void) {
  char key[t_key_size];
  char message[256];
  coord_client *client = t_client();
  t_put(client, t_key(key, "k"), "v");
  coord_result_free(t_call(client, with(put(key, "w"), COORD_OP_IGNORE_LEASE, 1)));
  T_TRUE(t_get_is(client, key, "w"));
  coord_op *op = with(with(put(key, "x"), COORD_OP_IGNORE_LEASE, 1), COORD_OP_LEASE, 5);
  t_call_fails(client, op, COORD_INVALID, message);
  T_HAS(message, "lease");
  coord_client_free(client);
}

static void put_under_a_lease_that_is_not_there_is_not_found(void) {
  char key[t_key_size];
  coord_error *err = NULL;
  coord_client *client = t_client();
  coord_op *op = with(put(t_key(key, "k"), "v"), COORD_OP_LEASE, 0x123456);
  T_CODE(coord_call(client, op, 0, NULL, &err), COORD_NOT_FOUND);
  T_HAS(coord_error_message(err), "lease");
  T_INT(coord_error_grpc_status(err), 5);
  T_INT(coord_error_http_status(err), t_on_gateway() ? 404 : -1);
  T_INT(coord_error_flags(err), 0);
  T_STR(coord_error_endpoint(err), t_etcd_endpoint(t_etcd(), 0));
  coord_error_free(err);
  coord_op_free(op);
  coord_client_free(client);
}

/* --- Compaction ---------------------------------------------------------------------------------- */

static void compacted_revision_can_no_longer_be_read(void) {
  char key[t_key_size];
  char message[256];
  coord_client *client = t_client();
  int64_t first = t_put(client, t_key(key, "k"), "1");
  int64_t last = t_put(client, key, "2");
  coord_result_free(t_call(client, with(coord_op_compact(last), COORD_OP_PHYSICAL, 1)));
  t_call_fails(client, with(get(key), COORD_OP_REVISION, first), COORD_COMPACTED, message);
  T_HAS(message, "compacted");
  T_TRUE(t_get_is(client, key, "2"));
  t_call_fails(client, coord_op_compact(first), COORD_COMPACTED, NULL);
  t_call_fails(client, coord_op_compact(last + 1000000), COORD_INVALID, message);
  T_HAS(message, "future");
  t_call_fails(client, with(get(key), COORD_OP_REVISION, last + 1000000), COORD_INVALID, message);
  T_HAS(message, "future");
  t_call_fails(client, coord_op_compact(0), COORD_INVALID, NULL);
  t_call_fails(client, coord_op_compact(-4), COORD_INVALID, message);
  T_HAS(message, "-4");
  coord_client_free(client);
}

/* --- Attributes ---------------------------------------------------------------------------------- */

static void attribute_out_of_range_is_refused(void) {
  static const struct {
    int32_t attribute;
    int64_t value;
  } rows[] = {{COORD_OP_LIMIT, -1},
              {COORD_OP_REVISION, -1},
              {COORD_OP_MIN_MOD_REVISION, -1},
              {COORD_OP_MAX_MOD_REVISION, -1},
              {COORD_OP_MIN_CREATE_REVISION, -1},
              {COORD_OP_MAX_CREATE_REVISION, INT64_MIN},
              {COORD_OP_SERIALIZABLE, 2},
              {COORD_OP_KEYS_ONLY, -1},
              {COORD_OP_COUNT_ONLY, 7},
              {COORD_OP_SORT_BY, 5},
              {COORD_OP_SORT_BY, -1},
              {COORD_OP_SORT_DESCENDING, 2},
              {COORD_OP_LEASE, 1},
              {COORD_OP_PREV_KV, 2},
              {COORD_OP_IDEMPOTENT, 1},
              {COORD_OP_PHYSICAL, 1},
              {-1, 0},
              {COORD_OP_PROGRESS + 1, 0},
              {INT32_MAX, 0}};
  coord_client *client = t_client();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    coord_op *op = coord_op_get("k", 1);
    T_CODE(coord_op_set(op, rows[i].attribute, rows[i].value), COORD_INVALID);
    coord_op_free(op);
  }
  T_CODE(coord_op_set(NULL, COORD_OP_LIMIT, 1), COORD_INVALID);
  coord_client_free(client);
}

static void op_refuses_the_attributes_of_other_ops(void) {
  coord_op *ops[] = {put("k", "v"),     coord_op_delete("k", 1), coord_op_compact(1),
                     coord_op_status(), coord_op_members(),      coord_op_txn()};
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
    T_CODE(coord_op_set(ops[i], COORD_OP_LIMIT, 1), COORD_INVALID);
    coord_op_free(ops[i]);
  }
  coord_op *one = put("k", "v");
  T_CODE(coord_op_set_prefix(one), COORD_INVALID);
  T_CODE(coord_op_set_range_end(one, "z", 1), COORD_INVALID);
  coord_op_free(one);
  T_CODE(coord_op_set_prefix(NULL), COORD_INVALID);
  T_CODE(coord_op_set_range_end(NULL, "z", 1), COORD_INVALID);
}

static void result_getters_take_null(void) {
  coord_kv kv;
  T_INT(coord_result_revision(NULL), 0);
  T_INT((long long)coord_result_cluster_id(NULL), 0);
  T_INT((long long)coord_result_member_id(NULL), 0);
  T_INT((long long)coord_result_raft_term(NULL), 0);
  T_INT(coord_result_succeeded(NULL), 0);
  T_INT(coord_result_count(NULL), 0);
  T_INT(coord_result_total(NULL), 0);
  T_INT(coord_result_more(NULL), 0);
  T_INT(coord_result_parts(NULL), 0);
  T_TRUE(coord_result_part(NULL, 0) == NULL);
  T_TRUE(coord_result_json(NULL) == NULL);
  T_CODE(coord_result_kv(NULL, 0, &kv), COORD_INVALID);
  T_CODE(coord_error_code(NULL), COORD_OK);
  T_STR(coord_error_message(NULL), "");
  T_STR(coord_error_endpoint(NULL), "");
  T_INT(coord_error_flags(NULL), 0);
  T_INT(coord_error_grpc_status(NULL), -1);
  T_INT(coord_error_http_status(NULL), -1);
}

T_MAIN(T_CASE(what_was_put_is_read_back), T_CASE(bytes_of_any_kind_go_both_ways),
       T_CASE(empty_value_is_a_value), T_CASE(absent_key_is_no_error),
       T_CASE(empty_key_and_null_bytes_are_refused),
       T_CASE(value_over_the_limit_is_refused_before_it_is_sent),
       T_CASE(value_just_under_the_limit_goes_both_ways),
       T_CASE(servers_own_limit_is_reported_as_too_large),
       T_CASE(answer_of_several_mebibytes_is_received),
       T_CASE(answer_over_the_limit_ends_its_call_alone),
       T_CASE(prefix_and_range_end_bound_a_range),
       T_CASE(range_without_upper_bound_reads_to_the_end),
       T_CASE(prefix_of_0xff_bytes_reaches_to_the_end), T_CASE(limit_cuts_and_says_so),
       T_CASE(sort_orders_by_each_target), T_CASE(keys_only_and_count_only_leave_out_the_rest),
       T_CASE(revision_bounds_select_by_age), T_CASE(past_revision_shows_the_store_as_it_was),
       T_CASE(serializable_read_is_answered),
       T_CASE(delete_takes_a_prefix_and_returns_what_was_there), T_CASE(put_returns_what_was_there),
       T_CASE(ignore_value_keeps_the_value), T_CASE(ignore_lease_keeps_the_lease),
       T_CASE(put_under_a_lease_that_is_not_there_is_not_found),
       T_CASE(compacted_revision_can_no_longer_be_read), T_CASE(attribute_out_of_range_is_refused),
       T_CASE(op_refuses_the_attributes_of_other_ops), T_CASE(result_getters_take_null))
