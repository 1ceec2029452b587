/* Transactions: compares, branches, nesting, limits, and a race that only works when they do. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/etcd.h"

static coord_op *put(const char *key, const char *value) {
  return coord_op_put(key, strlen(key), value, strlen(value));
}

static coord_op *get(const char *key) { return coord_op_get(key, strlen(key)); }

static coord_op *del(const char *key) { return coord_op_delete(key, strlen(key)); }

/* Adds and frees. */
static void then(coord_op *txn, coord_op *op) {
  T_CODE(coord_op_then(txn, op), COORD_OK);
  coord_op_free(op);
}

static void otherwise(coord_op *txn, coord_op *op) {
  T_CODE(coord_op_else(txn, op), COORD_OK);
  coord_op_free(op);
}

static bool holds_int(coord_client *client, const char *key, int32_t target, int32_t relation,
                      int64_t operand) {
  coord_op *txn = coord_op_txn();
  T_CODE(coord_op_if_int(txn, key, strlen(key), target, relation, operand), COORD_OK);
  coord_result *result = t_call(client, txn);
  bool holds = coord_result_succeeded(result) == 1;
  coord_result_free(result);
  return holds;
}

static bool holds_value(coord_client *client, const char *key, int32_t relation,
                        const char *value) {
  coord_op *txn = coord_op_txn();
  T_CODE(coord_op_if_value(txn, key, strlen(key), relation, value, strlen(value)), COORD_OK);
  coord_result *result = t_call(client, txn);
  bool holds = coord_result_succeeded(result) == 1;
  coord_result_free(result);
  return holds;
}

/* --- Compares ------------------------------------------------------------------------------------ */

static void every_target_compares_with_every_relation(void) {
  char key[t_key_size];
  coord_client *client = t_client();
  t_key(key, "k");
  int64_t create = t_put(client, key, "a");
  t_put(client, key, "b");
  int64_t mod = t_put(client, key, "c");
  const struct {
    int32_t target;
    int64_t actual;
  } rows[] = {{COORD_COMPARE_VERSION, 3},
              {COORD_COMPARE_CREATE, create},
              {COORD_COMPARE_MOD, mod},
              {COORD_COMPARE_LEASE, 0}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    int32_t target = rows[i].target;
    int64_t n = rows[i].actual;
    T_TRUE(holds_int(client, key, target, COORD_EQUAL, n));
    T_TRUE(!holds_int(client, key, target, COORD_EQUAL, n + 1));
    T_TRUE(holds_int(client, key, target, COORD_NOT_EQUAL, n + 1));
    T_TRUE(!holds_int(client, key, target, COORD_NOT_EQUAL, n));
    T_TRUE(holds_int(client, key, target, COORD_GREATER, n - 1));
    T_TRUE(!holds_int(client, key, target, COORD_GREATER, n));
    T_TRUE(holds_int(client, key, target, COORD_LESS, n + 1));
    T_TRUE(!holds_int(client, key, target, COORD_LESS, n));
  }
  coord_client_free(client);
}

static void values_compare_as_bytes(void) {
  char key[t_key_size];
  coord_client *client = t_client();
  t_put(client, t_key(key, "k"), "b");
  T_TRUE(holds_value(client, key, COORD_EQUAL, "b"));
  T_TRUE(!holds_value(client, key, COORD_EQUAL, "bb"));
  T_TRUE(holds_value(client, key, COORD_NOT_EQUAL, ""));
  T_TRUE(holds_value(client, key, COORD_GREATER, "az"));
  T_TRUE(holds_value(client, key, COORD_LESS, "ba"));
  T_TRUE(!holds_value(client, key, COORD_LESS, "b"));
  t_key(key, "absent");
  T_TRUE(!holds_value(client, key, COORD_EQUAL, ""));
  T_TRUE(!holds_value(client, key, COORD_NOT_EQUAL, "x"));
  coord_client_free(client);
}

static void absent_key_has_zero_everywhere(void) {
  char key[t_key_size];
  coord_client *client = t_client();
  t_key(key, "absent");
  for (int32_t target = 0; target <= COORD_COMPARE_LEASE; target++) {
    if (target == COORD_COMPARE_VALUE) continue;
    T_TRUE(holds_int(client, key, target, COORD_EQUAL, 0));
  }
  coord_client_free(client);
}

static void compare_holds_over_a_range_when_it_holds_for_every_key(void) {
  char prefix[t_key_size];
  char key[t_key_size + 8];
  coord_client *client = t_client();
  t_key(prefix, "r/");
  for (char c = 'a'; c <= 'c'; c++) {
    snprintf(key, sizeof key, "%s%c", prefix, c);
    t_put(client, key, c == 'c' ? "other" : "same");
  }
  const struct {
    const char *end; /* NULL: the prefix */
    int succeeded;
  } rows[] = {{NULL, 0}, {"b", 1}, {"c", 1}, {"d", 0}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    coord_op *txn = coord_op_txn();
    T_CODE(coord_op_if_value(txn, prefix, strlen(prefix), COORD_EQUAL, "same", 4), COORD_OK);
    snprintf(key, sizeof key, "%s%s", prefix, rows[i].end ? rows[i].end : "");
    const char *end = rows[i].end ? key : NULL;
    T_CODE(coord_op_if_range(txn, end, end ? strlen(end) : 0), COORD_OK);
    coord_result *result = t_call(client, txn);
    T_INT(coord_result_succeeded(result), rows[i].succeeded);
    coord_result_free(result);
  }
  coord_client_free(client);
}

static void all_compares_must_hold(void) {
  char key[t_key_size];
  char other[t_key_size];
  coord_client *client = t_client();
  t_put(client, t_key(key, "k"), "v");
  t_key(other, "absent");
  for (int64_t version = 0; version <= 1; version++) {
    coord_op *txn = coord_op_txn();
    T_CODE(coord_op_if_value(txn, key, strlen(key), COORD_EQUAL, "v", 1), COORD_OK);
    T_CODE(coord_op_if_int(txn, other, strlen(other), COORD_COMPARE_VERSION, COORD_EQUAL, version),
           COORD_OK);
    coord_result *result = t_call(client, txn);
    T_INT(coord_result_succeeded(result), version == 0);
    coord_result_free(result);
  }
  coord_client_free(client);
}

/* --- Branches ------------------------------------------------------------------------------------ */

static void then_and_else_are_alternatives(void) {
  char key[t_key_size];
  char text[256];
  coord_client *client = t_client();
  t_key(key, "k");
  for (int round = 0; round < 2; round++) {
    coord_op *txn = coord_op_txn();
    T_CODE(coord_op_if_int(txn, key, strlen(key), COORD_COMPARE_CREATE, COORD_EQUAL, 0), COORD_OK);
    then(txn, put(key, "mine"));
    otherwise(txn, get(key));
    coord_result *result = t_call(client, txn);
    T_INT(coord_result_succeeded(result), round == 0);
    T_INT(coord_result_parts(result), 1);
    const coord_result *part = coord_result_part(result, 0);
    T_INT(coord_result_count(part), round);
    if (round == 1) T_STR(t_kv_text(part, 0, key, text), "=mine");
    T_TRUE(coord_result_part(result, 1) == NULL);
    coord_result_free(result);
  }
  coord_client_free(client);
}

static void parts_come_in_the_order_of_the_ops(void) {
  char a[t_key_size];
  char b[t_key_size];
  char text[256];
  coord_client *client = t_client();
  t_put(client, t_key(a, "a"), "1");
  t_key(b, "b");
  coord_op *txn = coord_op_txn();
  then(txn, get(a));
  then(txn, put(b, "2"));
  then(txn, get(b));
  coord_op *removal = del(a);
  T_CODE(coord_op_set(removal, COORD_OP_PREV_KV, 1), COORD_OK);
  then(txn, removal);
  then(txn, get(a));
  coord_result *result = t_call(client, txn);
  T_INT(coord_result_succeeded(result), 1);
  T_INT(coord_result_parts(result), 5);
  T_STR(t_kv_text(coord_result_part(result, 0), 0, a, text), "=1");
  T_STR(t_kv_text(coord_result_part(result, 2), 0, b, text), "=2");
  T_INT(coord_result_total(coord_result_part(result, 3)), 1);
  T_STR(t_kv_text(coord_result_part(result, 3), 0, a, text), "=1");
  T_INT(coord_result_count(coord_result_part(result, 4)), 0);
  coord_result_free(result);
  coord_client_free(client);
}

static void empty_txn_succeeds(void) {
  coord_client *client = t_client();
  coord_result *result = t_call(client, coord_op_txn());
  T_INT(coord_result_succeeded(result), 1);
  T_INT(coord_result_parts(result), 0);
  T_TRUE(coord_result_revision(result) > 0);
  coord_result_free(result);
  coord_client_free(client);
}

static void inner_txn_decides_by_itself(void) {
  char key[t_key_size];
  char text[256];
  coord_client *client = t_client();
  t_put(client, t_key(key, "k"), "v");
  coord_op *inner = coord_op_txn();
  T_CODE(coord_op_if_value(inner, key, strlen(key), COORD_EQUAL, "no", 2), COORD_OK);
  then(inner, del(key));
  otherwise(inner, get(key));
  coord_op *outer = coord_op_txn();
  T_CODE(coord_op_if_int(outer, key, strlen(key), COORD_COMPARE_VERSION, COORD_EQUAL, 1), COORD_OK);
  then(outer, get(key));
  then(outer, inner);
  coord_result *result = t_call(client, outer);
  T_INT(coord_result_succeeded(result), 1);
  T_INT(coord_result_parts(result), 2);
  const coord_result *part = coord_result_part(result, 1);
  T_INT(coord_result_succeeded(part), 0);
  T_INT(coord_result_parts(part), 1);
  T_STR(t_kv_text(coord_result_part(part, 0), 0, key, text), "=v");
  coord_result_free(result);
  coord_client_free(client);
}

static void op_added_to_a_txn_may_be_changed_and_freed(void) {
  char key[t_key_size];
  coord_client *client = t_client();
  t_put(client, t_key(key, "k"), "v");
  coord_op *txn = coord_op_txn();
  coord_op *op = get(key);
  T_CODE(coord_op_then(txn, op), COORD_OK);
  T_CODE(coord_op_set(op, COORD_OP_COUNT_ONLY, 1), COORD_OK);
  T_CODE(coord_op_then(txn, op), COORD_OK);
  coord_op_free(op);
  coord_result *result = t_call(client, txn);
  T_INT(coord_result_count(coord_result_part(result, 0)), 1);
  T_INT(coord_result_count(coord_result_part(result, 1)), 0);
  coord_result_free(result);
  coord_client_free(client);
}

/* --- Refusals ------------------------------------------------------------------------------------ */

static coord_op *txn_of_puts(const char *prefix, int n) {
  char key[t_key_size + 8];
  coord_op *txn = coord_op_txn();
  for (int i = 0; i < n; i++) {
    snprintf(key, sizeof key, "%s%d", prefix, i % 1000);
    then(txn, put(key, "v"));
  }
  return txn;
}

static void txn_of_128_ops_is_done_and_of_129_refused(void) {
  char prefix[t_key_size];
  char message[256];
  coord_client *client = t_client();
  coord_result *result = t_call(client, txn_of_puts(t_key(prefix, "r/"), 128));
  T_INT(coord_result_parts(result), 128);
  coord_result_free(result);
  t_call_fails(client, txn_of_puts(prefix, 129), COORD_INVALID, message);
  T_HAS(message, "129");
  T_HAS(message, "128");
  T_HAS(message, "request.max.ops");
  coord_client_free(client);
}

static void compares_and_inner_ops_count_as_well(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  t_key(prefix, "r/");
  coord_op *txn = coord_op_txn();
  for (int i = 0; i < 129; i++) {
    T_CODE(coord_op_if_int(txn, "k", 1, COORD_COMPARE_VERSION, COORD_GREATER, -1), COORD_OK);
  }
  t_call_fails(client, txn, COORD_INVALID, NULL);
  /* One op outside leaves room for 127 inside. */
  for (int n = 127; n <= 128; n++) {
    txn = coord_op_txn();
    then(txn, txn_of_puts(prefix, n));
    if (n == 127) {
      coord_result_free(t_call(client, txn));
    } else {
      t_call_fails(client, txn, COORD_INVALID, NULL);
    }
  }
  coord_client_free(client);
}

static void server_refuses_what_our_higher_limit_lets_pass(void) {
  char prefix[t_key_size];
  char message[256];
  coord_client *client = t_client_with("request.max.ops", "1000", NULL);
  t_call_fails(client, txn_of_puts(t_key(prefix, "r/"), 129), COORD_INVALID, message);
  T_HAS(message, "too many operations");
  coord_client_free(client);
}

static void one_key_changes_only_once_in_a_branch(void) {
  char message[256];
  char key[t_key_size];
  coord_client *client = t_client();
  t_key(key, "duplicate");
  coord_op *txn = coord_op_txn();
  then(txn, put(key, "1"));
  then(txn, put(key, "2"));
  t_call_fails(client, txn, COORD_INVALID, message);
  T_HAS(message, "duplicate");
  T_HAS(message, "twice");
  txn = coord_op_txn();
  coord_op *range = coord_op_delete(key, strlen(key) - 2);
  T_CODE(coord_op_set_prefix(range), COORD_OK);
  then(txn, range);
  otherwise(txn, put(key, "1"));
  coord_result_free(t_call(client, txn));
  txn = coord_op_txn();
  then(txn, put(key, "1"));
  then(txn, del(key));
  t_call_fails(client, txn, COORD_INVALID, message);
  T_HAS(message, "duplicate");
  T_TRUE(t_get_is(client, key, NULL));
  coord_client_free(client);
}

static void both_branches_may_put_the_same_key(void) {
  char key[t_key_size];
  coord_client *client = t_client();
  t_key(key, "k");
  coord_op *txn = coord_op_txn();
  then(txn, put(key, "then"));
  otherwise(txn, put(key, "else"));
  coord_result_free(t_call(client, txn));
  T_TRUE(t_get_is(client, key, "then"));
  coord_client_free(client);
}

static void what_is_no_txn_takes_no_parts(void) {
  coord_op *op = get("k");
  coord_op *txn = coord_op_txn();
  coord_op *others[] = {coord_op_compact(1), coord_op_status(), coord_op_members()};
  T_CODE(coord_op_then(NULL, op), COORD_INVALID);
  T_CODE(coord_op_else(NULL, op), COORD_INVALID);
  T_CODE(coord_op_if_int(NULL, "k", 1, COORD_COMPARE_MOD, COORD_EQUAL, 0), COORD_INVALID);
  T_CODE(coord_op_if_value(NULL, "k", 1, COORD_EQUAL, "v", 1), COORD_INVALID);
  T_CODE(coord_op_if_range(NULL, NULL, 0), COORD_INVALID);
  T_CODE(coord_op_then(txn, NULL), COORD_INVALID);
  coord_op_free(txn);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    txn = coord_op_txn();
    T_CODE(coord_op_then(txn, others[i]), COORD_INVALID);
    T_CODE(coord_op_else(txn, others[i]), COORD_INVALID);
    coord_op_free(others[i]);
    coord_op_free(txn);
  }
  T_CODE(coord_op_then(op, op), COORD_INVALID);
  coord_op_free(op);
  op = get("k");
  T_CODE(coord_op_if_int(op, "k", 1, COORD_COMPARE_MOD, COORD_EQUAL, 0), COORD_INVALID);
  coord_op_free(op);
}

static void unknown_target_and_relation_are_refused(void) {
  static const struct {
    int32_t target;
    int32_t relation;
  } rows[] = {{5, COORD_EQUAL},
              {-1, COORD_EQUAL},
              {COORD_COMPARE_VALUE, COORD_EQUAL},
              {COORD_COMPARE_MOD, 4},
              {COORD_COMPARE_MOD, -1}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    coord_op *txn = coord_op_txn();
    T_CODE(coord_op_if_int(txn, "k", 1, rows[i].target, rows[i].relation, 0), COORD_INVALID);
    coord_op_free(txn);
  }
  coord_op *txn = coord_op_txn();
  T_CODE(coord_op_if_value(txn, "k", 1, 9, "v", 1), COORD_INVALID);
  coord_op_free(txn);
  txn = coord_op_txn();
  T_CODE(coord_op_if_range(txn, "z", 1), COORD_INVALID); /* there is no compare yet */
  coord_op_free(txn);
}

static void wrong_op_within_is_refused_when_it_is_executed(void) {
  char message[256];
  coord_client *client = t_client();
  coord_op *txn = coord_op_txn();
  coord_op *bad = coord_op_put("", 0, "v", 1);
  if (coord_op_then(txn, bad) == COORD_OK) {
    t_call_fails(client, txn, COORD_INVALID, message);
    T_HAS(message, "key");
  } else {
    coord_op_free(txn);
  }
  coord_op_free(bad);
  txn = coord_op_txn();
  T_CODE(coord_op_if_int(txn, "", 0, COORD_COMPARE_MOD, COORD_EQUAL, 0), COORD_OK);
  t_call_fails(client, txn, COORD_INVALID, message);
  T_HAS(message, "key");
  coord_client_free(client);
}

/* --- Compare and set ----------------------------------------------------------------------------- */

typedef struct counter {
  coord_client *client;
  char key[t_key_size];
} counter;

static bool add_one(const counter *c) {
  coord_kv kv = {0};
  char next[32];
  coord_result *now = t_call(c->client, get(c->key));
  if (coord_result_kv(now, 0, &kv) != COORD_OK) return false;
  snprintf(next, sizeof next, "%d", atoi(kv.value) + 1);
  coord_op *txn = coord_op_txn();
  T_CODE(
      coord_op_if_int(txn, c->key, strlen(c->key), COORD_COMPARE_MOD, COORD_EQUAL, kv.mod_revision),
      COORD_OK);
  then(txn, put(c->key, next));
  coord_result *result = t_call(c->client, txn);
  bool done = coord_result_succeeded(result) == 1;
  coord_result_free(result);
  coord_result_free(now);
  return done;
}

static void *add_fifty(void *arg) {
  for (int done = 0; done < 50 && !t_any_failed();) done += add_one(arg);
  return NULL;
}

static void no_increment_is_lost_in_a_race_of_eight_threads(void) {
  pthread_t threads[8];
  counter c = {.client = t_client()};
  t_put(c.client, t_key(c.key, "counter"), "0");
  for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, add_fifty, &c);
  for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
  T_TRUE(t_get_is(c.client, c.key, "400"));
  coord_client_free(c.client);
}

T_MAIN(T_CASE(every_target_compares_with_every_relation), T_CASE(values_compare_as_bytes),
       T_CASE(absent_key_has_zero_everywhere),
       T_CASE(compare_holds_over_a_range_when_it_holds_for_every_key),
       T_CASE(all_compares_must_hold), T_CASE(then_and_else_are_alternatives),
       T_CASE(parts_come_in_the_order_of_the_ops), T_CASE(empty_txn_succeeds),
       T_CASE(inner_txn_decides_by_itself), T_CASE(op_added_to_a_txn_may_be_changed_and_freed),
       T_CASE(txn_of_128_ops_is_done_and_of_129_refused),
       T_CASE(compares_and_inner_ops_count_as_well),
       T_CASE(server_refuses_what_our_higher_limit_lets_pass),
       T_CASE(one_key_changes_only_once_in_a_branch), T_CASE(both_branches_may_put_the_same_key),
       T_CASE(what_is_no_txn_takes_no_parts), T_CASE(unknown_target_and_relation_are_refused),
       T_CASE(wrong_op_within_is_refused_when_it_is_executed),
       T_CASE(no_increment_is_lost_in_a_race_of_eight_threads))
