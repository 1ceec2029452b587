/* coord_call and coord_call_many against a real etcd. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/etcd.h"
#include "support/peer.h"

static void timeout_zero_means_the_default_and_minus_one_none(void) {
  coord_error *err = NULL;
  coord_client *client = t_client();
  coord_op *op = coord_op_get("absent", 6);
  T_OK(coord_call(client, op, 0, NULL, &err), err);
  T_OK(coord_call(client, op, -1, NULL, &err), err);
  T_OK(coord_call(client, op, INT32_MAX, NULL, &err), err);
  T_OK(coord_call(client, op, 5000, NULL, NULL), NULL);
  coord_op_free(op);
  coord_client_free(client);
}

static void other_negative_timeouts_are_refused(void) {
  coord_error *err = NULL;
  coord_result *result = NULL;
  coord_queue *queue = NULL;
  coord_client *client = t_client();
  coord_op *op = coord_op_get("absent", 6);
  const coord_op *ops[] = {op};
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  T_ERROR(coord_call(client, op, -2, &result, &err), COORD_INVALID, err, "-2");
  T_ERROR(coord_call(client, op, INT32_MIN, &result, &err), COORD_INVALID, err, "timeout_ms");
  T_ERROR(coord_submit(client, op, -2, queue, 0, NULL, &err), COORD_INVALID, err, "timeout_ms");
  T_ERROR(coord_call_many(client, ops, 1, -2, NULL, NULL, &err), COORD_INVALID, err, "timeout_ms");
  T_TRUE(result == NULL);
  T_TRUE(coord_queue_next(queue, 0) == NULL);
  coord_queue_free(queue);
  coord_op_free(op);
  coord_client_free(client);
}

static void missing_arguments_are_named(void) {
  coord_error *err = NULL;
  coord_queue *queue = NULL;
  coord_client *client = t_client();
  coord_op *op = coord_op_get("absent", 6);
  const coord_op *ops[] = {op, NULL};
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  T_ERROR(coord_call(NULL, op, 0, NULL, &err), COORD_INVALID, err, "client");
  T_ERROR(coord_call(client, NULL, 0, NULL, &err), COORD_INVALID, err, "op");
  T_ERROR(coord_submit(NULL, op, 0, queue, 0, NULL, &err), COORD_INVALID, err, "client");
  T_ERROR(coord_submit(client, NULL, 0, queue, 0, NULL, &err), COORD_INVALID, err, "op");
  T_ERROR(coord_submit(client, op, 0, NULL, 0, NULL, &err), COORD_INVALID, err, "queue");
  T_ERROR(coord_call_many(NULL, ops, 1, 0, NULL, NULL, &err), COORD_INVALID, err, "client");
  T_ERROR(coord_call_many(client, NULL, 1, 0, NULL, NULL, &err), COORD_INVALID, err, "ops");
  T_ERROR(coord_call_many(client, ops, 2, 0, NULL, NULL, &err), COORD_INVALID, err, "ops[1]");
  T_CODE(coord_call(client, NULL, 0, NULL, NULL), COORD_INVALID);
  T_CODE(coord_cancel(NULL, 1), COORD_INVALID);
  coord_queue_free(queue);
  coord_op_free(op);
  coord_client_free(client);
}

static void failure_leaves_the_result_untouched(void) {
  int anything;
  coord_client *client = t_client();
  coord_result *untouched = (coord_result *)(void *)&anything;
  coord_result *result = untouched;
  coord_op *op = coord_op_get("", 0);
  T_CODE(coord_call(client, op, 0, &result, NULL), COORD_INVALID);
  T_TRUE(result == untouched);
  coord_op_free(op);
  op = coord_op_put("k", 1, "v", 1);
  T_CODE(coord_op_set(op, COORD_OP_LEASE, 987654321), COORD_OK);
  T_CODE(coord_call(client, op, 0, &result, NULL), COORD_NOT_FOUND);
  T_TRUE(result == untouched);
  coord_op_free(op);
  coord_client_free(client);
}

static void one_op_may_be_executed_again_and_again(void) {
  char key[t_key_size];
  coord_kv kv = {0};
  coord_client *client = t_client();
  t_key(key, "k");
  coord_op *op = coord_op_put(key, strlen(key), "v", 1);
  for (int i = 0; i < 10; i++) T_CODE(coord_call(client, op, 0, NULL, NULL), COORD_OK);
  coord_op_free(op);
  coord_result *result = t_call(client, coord_op_get(key, strlen(key)));
  T_CODE(coord_result_kv(result, 0, &kv), COORD_OK);
  T_INT(kv.version, 10);
  coord_result_free(result);
  coord_client_free(client);
}

static void result_outlives_its_client(void) {
  char key[t_key_size];
  char text[256];
  coord_client *client = t_client();
  t_put(client, t_key(key, "k"), "v");
  coord_result *result = t_call(client, coord_op_get(key, strlen(key)));
  coord_client_free(client);
  T_STR(t_kv_text(result, 0, key, text), "=v");
  coord_result_free(result);
}

/* --- Many ----------------------------------------------------------------------------------------- */

enum { many = 5000 };

static coord_op **make_ops(const char *prefix, bool puts) {
  char key[t_key_size + 8];
  coord_op **ops = calloc(many, sizeof *ops);
  T_FATAL(ops != NULL);
  for (int i = 0; i < many; i++) {
    snprintf(key, sizeof key, "%s%04d", prefix, i);
    ops[i] =
        puts ? coord_op_put(key, strlen(key), key, strlen(key)) : coord_op_get(key, strlen(key));
  }
  return ops;
}

static void free_ops(coord_op **ops) {
  for (int i = 0; i < many; i++) coord_op_free(ops[i]);
  free(ops);
}

static void five_thousand_ops_are_done_at_once(void) {
  char prefix[t_key_size];
  char text[256];
  coord_error *err = NULL;
  coord_client *client = t_client();
  coord_result **results = calloc(many, sizeof(coord_result *));
  coord_code *codes = malloc(many * sizeof *codes);
  T_FATAL(results && codes);
  coord_op **puts = make_ops(t_key(prefix, "r/"), true);
  coord_op **gets = make_ops(prefix, false);
  T_OK(coord_call_many(client, (const coord_op *const *)puts, many, 30000, NULL, codes, &err), err);
  for (int i = 0; i < many; i++) T_CODE(codes[i], COORD_OK);
  T_OK(coord_call_many(client, (const coord_op *const *)gets, many, 30000, results, NULL, &err),
       err);
  for (int i = 0; i < many; i++) {
    char expected[t_key_size + 32];
    snprintf(expected, sizeof expected, "%04d=%s%04d", i, prefix, i);
    T_STR(t_kv_text(results[i], 0, prefix, text), expected);
    coord_result_free(results[i]);
  }
  free_ops(puts);
  free_ops(gets);
  free(results);
  free(codes);
  coord_client_free(client);
}

static void many_of_none_is_done_at_once(void) {
  coord_error *err = NULL;
  const coord_op *none[1] = {NULL};
  coord_client *client = t_client();
  T_OK(coord_call_many(client, none, 0, 0, NULL, NULL, &err), err);
  coord_client_free(client);
}

static void failures_do_not_stop_the_others(void) {
  char key[t_key_size];
  coord_error *err = NULL;
  coord_result *results[5] = {NULL};
  coord_code codes[5];
  coord_client *client = t_client();
  t_key(key, "k");
  coord_op *good = coord_op_put(key, strlen(key), "v", 1);
  coord_op *leased = coord_op_put(key, strlen(key), "w", 1);
  T_CODE(coord_op_set(leased, COORD_OP_LEASE, 987654321), COORD_OK);
  coord_op *future = coord_op_compact(1000000000);
  const coord_op *ops[] = {good, leased, good, future, good};
  T_ERROR(coord_call_many(client, ops, 5, 0, results, codes, &err), COORD_NOT_FOUND, err, "lease");
  static const coord_code expected[] = {COORD_OK, COORD_NOT_FOUND, COORD_OK, COORD_INVALID,
                                        COORD_OK};
  for (int i = 0; i < 5; i++) {
    T_CODE(codes[i], expected[i]);
    T_TRUE((results[i] != NULL) == (expected[i] == COORD_OK));
    coord_result_free(results[i]);
  }
  coord_result *result = t_call(client, coord_op_get(key, strlen(key)));
  coord_kv kv = {0};
  T_CODE(coord_result_kv(result, 0, &kv), COORD_OK);
  T_INT(kv.version, 3);
  coord_result_free(result);
  coord_op_free(good);
  coord_op_free(leased);
  coord_op_free(future);
  coord_client_free(client);
}

static void invalid_op_among_many_keeps_all_from_being_sent(void) {
  char key[t_key_size];
  coord_error *err = NULL;
  coord_client *client = t_client();
  t_key(key, "k");
  coord_op *good = coord_op_put(key, strlen(key), "v", 1);
  coord_op *bad = coord_op_get("", 0);
  const coord_op *ops[] = {good, good, bad, good};
  T_ERROR(coord_call_many(client, ops, 4, 0, NULL, NULL, &err), COORD_INVALID, err, "key");
  T_TRUE(t_get_is(client, key, NULL));
  coord_op_free(good);
  coord_op_free(bad);
  coord_client_free(client);
}

static void many_share_one_deadline(void) {
  static const t_rule rules[] = {{.times = 1, .data = T_EMPTY_MESSAGE, .grpc_status = "0"},
                                 {.never = true}};
  coord_error *err = NULL;
  coord_code codes[3];
  t_peer *peer = t_peer_grpc(rules, 2, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  coord_op *op = coord_op_get("k", 1);
  const coord_op *ops[] = {op, op, op};
  int64_t start = t_now_ms();
  T_ERROR(coord_call_many(client, ops, 3, 300, NULL, codes, &err), COORD_TIMEOUT, err, "deadline");
  T_WITHIN(start, 1500);
  T_INT((codes[0] == COORD_OK) + (codes[1] == COORD_OK) + (codes[2] == COORD_OK), 1);
  coord_op_free(op);
  coord_client_free(client);
  t_peer_stop(peer);
}

T_MAIN(T_CASE(timeout_zero_means_the_default_and_minus_one_none),
       T_CASE(other_negative_timeouts_are_refused), T_CASE(missing_arguments_are_named),
       T_CASE(failure_leaves_the_result_untouched), T_CASE(one_op_may_be_executed_again_and_again),
       T_CASE(result_outlives_its_client), T_CASE(five_thousand_ops_are_done_at_once),
       T_CASE(many_of_none_is_done_at_once), T_CASE(failures_do_not_stop_the_others),
       T_CASE(invalid_op_among_many_keeps_all_from_being_sent), T_CASE(many_share_one_deadline))
