/* etcd/namespace: what is sent and what is taken off, also when the server or memory fails. */
#include "etcd/namespace.h"

#include <string.h>

#include "base/alloc.h"
#include "etcd/request.h"
#include "etcd/result.h"
#include "support/t.h"

static coord__namespace ns;
static coord_error *err;

#define T_BYTES(field, text) T_MEM((field).data, (field).len, text, sizeof(text) - 1)

static void end_follows_all_keys_of_the_namespace(void) {
  T_FATAL(coord__namespace_init(&ns, "a/"));
  T_MEM(ns.end, ns.end_len, "a0", 2);
  coord__namespace_free(&ns);
  T_FATAL(coord__namespace_init(&ns, "a\xff\xff"));
  T_MEM(ns.end, ns.end_len, "b", 1);
  coord__namespace_free(&ns);
  T_FATAL(coord__namespace_init(&ns, "\xff\xff"));
  T_MEM(ns.end, ns.end_len, "\0", 1);
  coord__namespace_free(&ns);
  T_FATAL(coord__namespace_init(&ns, ""));
  T_INT(ns.len, 0);
  coord__namespace_free(&ns);
}

static void keys_and_range_ends_of_others_are_put_in(void) {
  coord__buf out = {0};
  T_FATAL(coord__namespace_init(&ns, "n/"));
  T_TRUE(coord__namespace_key(&ns, "k\0", 2, &out));
  T_MEM(out.data, out.len, "n/k\0", 4);
  out.len = 0;
  T_TRUE(coord__namespace_range_end(&ns, "\0", 1, &out));
  T_MEM(out.data, out.len, "n0", 2);
  out.len = 0;
  T_TRUE(coord__namespace_range_end(&ns, "\0\0", 2, &out));
  T_MEM(out.data, out.len, "n/\0\0", 4);
  out.len = 0;
  coord__namespace none = {0};
  T_TRUE(coord__namespace_range_end(&none, "\0", 1, &out));
  T_MEM(out.data, out.len, "\0", 1);
  coord__buf_free(&out);
  coord__namespace_free(&ns);
}

static void values_are_not_copied_and_the_op_stays(void) {
  coord__arena *arena;
  T_FATAL(coord__namespace_init(&ns, "n/"));
  coord_op *op = coord_op_put("k", 1, "value", 5);
  const ProtobufCMessage *message = coord__namespace_enter(&ns, op, &arena);
  T_FATAL(message != NULL && arena != NULL);
  const Etcdserverpb__PutRequest *put = (const Etcdserverpb__PutRequest *)message;
  T_BYTES(put->key, "n/k");
  T_TRUE(put->value.data == op->message.put.value.data);
  T_BYTES(op->message.put.key, "k");
  coord__arena_free(arena);
  coord__namespace none = {0};
  T_TRUE(coord__namespace_enter(&none, op, &arena) == &op->message.base && arena == NULL);
  T_TRUE(coord__namespace_enter(NULL, op, &arena) == &op->message.base && arena == NULL);
  coord_op_free(op);
  op = coord_op_status();
  T_TRUE(coord__namespace_enter(&ns, op, &arena) == &op->message.base && arena == NULL);
  coord_op_free(op);
  coord__namespace_free(&ns);
}

static coord_op *nested(void) {
  coord_op *get = coord_op_get("p", 1);
  coord_op *txn = coord_op_txn();
  T_CODE(coord_op_set_prefix(get), COORD_OK);
  T_CODE(coord_op_if_value(txn, "c", 1, COORD_EQUAL, "v", 1), COORD_OK);
  T_CODE(coord_op_then(txn, get), COORD_OK);
  coord_op *outer = coord_op_txn();
  T_CODE(coord_op_if_int(outer, "r", 1, COORD_COMPARE_MOD, COORD_LESS, 9), COORD_OK);
  T_CODE(coord_op_if_range(outer, "\0", 1), COORD_OK);
  T_CODE(coord_op_else(outer, txn), COORD_OK);
  coord_op_free(get);
  coord_op_free(txn);
  return outer;
}

static void transactions_are_entered_at_every_depth(void) {
  coord__arena *arena;
  T_FATAL(coord__namespace_init(&ns, "n/"));
  coord_op *op = nested();
  const Etcdserverpb__TxnRequest *txn =
      (const Etcdserverpb__TxnRequest *)coord__namespace_enter(&ns, op, &arena);
  T_FATAL(txn != NULL);
  T_BYTES(txn->compare[0]->key, "n/r");
  T_BYTES(txn->compare[0]->range_end, "n0");
  const Etcdserverpb__TxnRequest *inner = txn->failure[0]->request_txn;
  T_BYTES(inner->compare[0]->key, "n/c");
  T_BYTES(inner->compare[0]->value, "v");
  T_BYTES(inner->success[0]->request_range->key, "n/p");
  T_BYTES(inner->success[0]->request_range->range_end, "n/q");
  coord__arena_free(arena);
  coord_op_free(op);
  coord__namespace_free(&ns);
}

static void key_outside_is_a_fault_of_the_server(void) {
  Etcdserverpb__KeyValue kv = ETCDSERVERPB__KEY_VALUE__INIT;
  Etcdserverpb__KeyValue *kvs[] = {&kv};
  static const char *const texts[] = {"n", "", "m/k", "N/k"};
  T_FATAL(coord__namespace_init(&ns, "n/"));
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    kv.key = (ProtobufCBinaryData){.data = (uint8_t *)texts[i], .len = strlen(texts[i])};
    T_ERROR(coord__namespace_leave_kvs(&ns, kvs, 1, &err), COORD_PROTOCOL, err,
            "not in the namespace");
  }
  kv.key = (ProtobufCBinaryData){.data = (uint8_t *)"n/k", .len = 3};
  T_OK(coord__namespace_leave_kvs(&ns, kvs, 1, &err), err);
  T_BYTES(kv.key, "k");
  coord__namespace_free(&ns);
}

static void memory_that_is_out_is_told(void) {
  const coord__limits limits = {.request_max_bytes = 1000, .request_max_ops = 128, .ns = &ns};
  coord__request request;
  coord__alloc_fail_after(0);
  bool made = coord__namespace_init(&ns, "n/");
  coord__alloc_fail_after(1);
  made = coord__namespace_init(&ns, "n/") || made;
  coord__alloc_fail_after(-1);
  T_TRUE(!made);
  T_FATAL(coord__namespace_init(&ns, "n/"));
  coord_op *op = nested();
  coord_code code = COORD_NO_MEMORY;
  long n = 0;
  for (; code != COORD_OK && n < 50; n++) {
    coord__alloc_fail_after(n);
    code = coord__op_encode(op, &limits, &request, NULL);
    coord__alloc_fail_after(-1);
    if (code != COORD_OK) T_CODE(code, COORD_NO_MEMORY);
  }
  T_TRUE(n > 2);
  coord__request_free(&request);
  coord_op_free(op);
  coord__namespace_free(&ns);
}

T_MAIN(T_CASE(end_follows_all_keys_of_the_namespace),
       T_CASE(keys_and_range_ends_of_others_are_put_in),
       T_CASE(values_are_not_copied_and_the_op_stays),
       T_CASE(transactions_are_entered_at_every_depth),
       T_CASE(key_outside_is_a_fault_of_the_server), T_CASE(memory_that_is_out_is_told))
