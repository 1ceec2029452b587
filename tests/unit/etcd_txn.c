/* Transactions: what is encoded, and the checks that etcd would make. */
#include <string.h>

#include "base/alloc.h"
#include "etcd/method.h"
#include "etcd/request.h"
#include "etcd/txn.h"
#include "support/t.h"

static const coord__limits limits = {.request_max_bytes = 1572864, .request_max_ops = 128};

static void then_put(coord_op *txn, const char *key) {
  coord_op *op = coord_op_put(key, strlen(key), "v", 1);
  T_CODE(coord_op_then(txn, op), COORD_OK);
  coord_op_free(op);
}

static void else_put(coord_op *txn, const char *key) {
  coord_op *op = coord_op_put(key, strlen(key), "v", 1);
  T_CODE(coord_op_else(txn, op), COORD_OK);
  coord_op_free(op);
}

/* end NULL: one key; "": the prefix */
static void then_delete(coord_op *txn, const char *key, const char *end) {
  coord_op *op = coord_op_delete(key, strlen(key));
  if (end != NULL && *end != '\0') T_CODE(coord_op_set_range_end(op, end, strlen(end)), COORD_OK);
  if (end != NULL && *end == '\0') T_CODE(coord_op_set_prefix(op), COORD_OK);
  T_CODE(coord_op_then(txn, op), COORD_OK);
  coord_op_free(op);
}

/* Add a txn to another's then, and free it. */
static void then_txn(coord_op *txn, coord_op *inner) {
  T_CODE(coord_op_then(txn, inner), COORD_OK);
  coord_op_free(inner);
}

static Etcdserverpb__TxnRequest *sent(coord_op *op, coord__request *request) {
  coord_error *err = NULL;
  coord_code code = coord__op_encode(op, &limits, request, &err);
  T_OK(code, err);
  coord_error_free(err);
  coord_op_free(op);
  T_FATAL(code == COORD_OK);
  T_INT(request->method->index, COORD__METHOD_TXN);
  Etcdserverpb__TxnRequest *txn = etcdserverpb__txn_request__unpack(
      NULL, request->body.len - COORD__FRAME_HEADROOM, request->body.data + COORD__FRAME_HEADROOM);
  T_FATAL(txn != NULL);
  coord__request_free(request);
  return txn;
}

static void accepted(coord_op *op) {
  coord__request request;
  etcdserverpb__txn_request__free_unpacked(sent(op, &request), NULL);
}

static void refused(coord_op *op, const char *part) {
  coord_error *err = NULL;
  coord__request request = {0};
  T_ERROR(coord__op_encode(op, &limits, &request, &err), COORD_INVALID, err, part);
  T_TRUE(request.body.data == NULL);
  coord_op_free(op);
}

#define T_BYTES(field, text) T_MEM((field).data, (field).len, text, sizeof(text) - 1)

static void compares_of_every_target_and_relation(void) {
  coord_op *op = coord_op_txn();
  for (int32_t target = COORD_COMPARE_VERSION; target <= COORD_COMPARE_LEASE; target++) {
    for (int32_t relation = COORD_EQUAL; relation <= COORD_NOT_EQUAL; relation++) {
      if (target == COORD_COMPARE_VALUE) {
        T_CODE(coord_op_if_value(op, "k\0", 2, relation, "v\0", 2), COORD_OK);
      } else {
        T_CODE(coord_op_if_int(op, "k\0", 2, target, relation, 100 * target), COORD_OK);
      }
    }
  }
  coord__request request;
  Etcdserverpb__TxnRequest *txn = sent(op, &request);
  T_TRUE(request.read_only);
  T_INT(txn->n_success, 0);
  T_INT(txn->n_failure, 0);
  T_FATAL(txn->n_compare == 20);
  for (int i = 0; i < 20; i++) {
    const Etcdserverpb__Compare *compare = txn->compare[i];
    T_BYTES(compare->key, "k\0");
    T_INT(compare->range_end.len, 0);
    T_INT(compare->target, i / 4);
    T_INT(compare->result, i % 4);
    switch (compare->target_union_case) {
      case ETCDSERVERPB__COMPARE__TARGET_UNION_VERSION:
        T_INT(compare->target, COORD_COMPARE_VERSION);
        T_INT(compare->version, 0);
        break;
      case ETCDSERVERPB__COMPARE__TARGET_UNION_CREATE_REVISION:
        T_INT(compare->target, COORD_COMPARE_CREATE);
        T_INT(compare->create_revision, 100);
        break;
      case ETCDSERVERPB__COMPARE__TARGET_UNION_MOD_REVISION:
        T_INT(compare->target, COORD_COMPARE_MOD);
        T_INT(compare->mod_revision, 200);
        break;
      case ETCDSERVERPB__COMPARE__TARGET_UNION_VALUE:
        T_INT(compare->target, COORD_COMPARE_VALUE);
        T_BYTES(compare->value, "v\0");
        break;
      case ETCDSERVERPB__COMPARE__TARGET_UNION_LEASE:
        T_INT(compare->target, COORD_COMPARE_LEASE);
        T_INT(compare->lease, 400);
        break;
      default:
        T_FAIL("compare %d has no operand", i);
    }
  }
  etcdserverpb__txn_request__free_unpacked(txn, NULL);
}

static void compares_over_ranges(void) {
  coord_op *op = coord_op_txn();
  T_CODE(coord_op_if_int(op, "/a/", 3, COORD_COMPARE_VERSION, COORD_GREATER, 0), COORD_OK);
  T_CODE(coord_op_if_range(op, NULL, 0), COORD_OK);
  T_CODE(coord_op_if_value(op, "b", 1, COORD_EQUAL, "", 0), COORD_OK);
  T_CODE(coord_op_if_range(op, "c\0", 2), COORD_OK);
  T_CODE(coord_op_if_int(op, "", 0, COORD_COMPARE_LEASE, COORD_EQUAL, 0), COORD_OK);
  T_CODE(coord_op_if_range(op, NULL, 0), COORD_OK);
  T_CODE(coord_op_if_int(op, NULL, 0, COORD_COMPARE_MOD, COORD_LESS, 9), COORD_OK);
  T_CODE(coord_op_if_range(op, "m", 1), COORD_OK);
  T_CODE(coord_op_if_int(op, "\xff", 1, COORD_COMPARE_MOD, COORD_LESS, 9), COORD_OK);
  T_CODE(coord_op_if_range(op, "", 0), COORD_OK);
  coord__request request;
  Etcdserverpb__TxnRequest *txn = sent(op, &request);
  T_FATAL(txn->n_compare == 5);
  T_BYTES(txn->compare[0]->key, "/a/");
  T_BYTES(txn->compare[0]->range_end, "/a0");
  T_BYTES(txn->compare[1]->key, "b");
  T_BYTES(txn->compare[1]->range_end, "c\0");
  T_INT(txn->compare[1]->target_union_case, ETCDSERVERPB__COMPARE__TARGET_UNION_VALUE);
  T_INT(txn->compare[1]->value.len, 0);
  T_BYTES(txn->compare[2]->key, "\0");
  T_BYTES(txn->compare[2]->range_end, "\0");
  T_BYTES(txn->compare[3]->key, "\0");
  T_BYTES(txn->compare[3]->range_end, "m");
  T_BYTES(txn->compare[4]->range_end, "\0");
  etcdserverpb__txn_request__free_unpacked(txn, NULL);
}

static void bad_compares_are_refused(void) {
  coord_op *op = coord_op_txn();
  T_CODE(coord_op_if_int(op, "k", 1, COORD_COMPARE_VALUE, COORD_EQUAL, 0), COORD_INVALID);
  refused(op, "the target of compare 0 is 3");
  op = coord_op_txn();
  T_CODE(coord_op_if_int(op, "k", 1, 5, COORD_EQUAL, 0), COORD_INVALID);
  refused(op, "the target of compare 0 is 5");
  op = coord_op_txn();
  T_CODE(coord_op_if_int(op, "k", 1, -1, COORD_EQUAL, 0), COORD_INVALID);
  refused(op, "is -1");
  op = coord_op_txn();
  T_CODE(coord_op_if_int(op, "k", 1, COORD_COMPARE_MOD, COORD_EQUAL, 0), COORD_OK);
  T_CODE(coord_op_if_int(op, "k", 1, COORD_COMPARE_MOD, 4, 0), COORD_INVALID);
  refused(op, "the relation of compare 1 is 4");
  op = coord_op_txn();
  T_CODE(coord_op_if_value(op, "k", 1, -1, "v", 1), COORD_INVALID);
  refused(op, "the relation of compare 0 is -1");
  op = coord_op_txn();
  T_CODE(coord_op_if_value(op, "k", 1, COORD_EQUAL, NULL, 1), COORD_INVALID);
  refused(op, "the value of a compare is NULL although its length is 1");
  op = coord_op_txn();
  T_CODE(coord_op_if_value(op, NULL, 2, COORD_EQUAL, "v", 1), COORD_INVALID);
  refused(op, "the key of a compare is NULL although its length is 2");
  op = coord_op_txn();
  T_CODE(coord_op_if_int(op, "", 0, COORD_COMPARE_MOD, COORD_EQUAL, 0), COORD_OK);
  refused(op, "the key of compare 0 is empty");
  op = coord_op_txn();
  T_CODE(coord_op_if_range(op, "k", 1), COORD_INVALID);
  refused(op, "there is no compare to stretch");
  op = coord_op_txn();
  T_CODE(coord_op_if_int(op, "k", 1, COORD_COMPARE_MOD, COORD_EQUAL, 0), COORD_OK);
  T_CODE(coord_op_if_range(op, "l", 1), COORD_OK);
  T_CODE(coord_op_if_range(op, "m", 1), COORD_INVALID);
  refused(op, "compare 0 has a range already");
  op = coord_op_txn();
  T_CODE(coord_op_if_int(op, "k", 1, COORD_COMPARE_MOD, COORD_EQUAL, 0), COORD_OK);
  T_CODE(coord_op_if_range(op, NULL, 1), COORD_INVALID);
  refused(op, "the range end of a compare is NULL");
  op = coord_op_get("k", 1);
  T_CODE(coord_op_if_int(op, "k", 1, COORD_COMPARE_MOD, COORD_EQUAL, 0), COORD_INVALID);
  refused(op, "get: only a txn has compares");
  T_CODE(coord_op_if_int(NULL, "k", 1, COORD_COMPARE_MOD, COORD_EQUAL, 0), COORD_INVALID);
  T_CODE(coord_op_if_value(NULL, "k", 1, COORD_EQUAL, "v", 1), COORD_INVALID);
  T_CODE(coord_op_if_range(NULL, "k", 1), COORD_INVALID);
}

static void ops_of_both_branches_are_copied(void) {
  coord_op *txn = coord_op_txn();
  coord_op *get = coord_op_get("g", 1);
  coord_op_set(get, COORD_OP_LIMIT, 5);
  coord_op_set_prefix(get);
  coord_op *put = coord_op_put("p", 1, "va\0lue", 6);
  coord_op_set(put, COORD_OP_LEASE, 3);
  coord_op *del = coord_op_delete("d", 1);
  coord_op_set_range_end(del, "e", 1);
  T_CODE(coord_op_then(txn, get), COORD_OK);
  T_CODE(coord_op_then(txn, put), COORD_OK);
  T_CODE(coord_op_else(txn, del), COORD_OK);
  coord_op_set(get, COORD_OP_LIMIT, 6); /* the txn keeps its own copy */
  coord_op_free(get);
  coord_op_free(put);
  coord_op_free(del);
  T_CODE(coord_op_set(txn, COORD_OP_IDEMPOTENT, 1), COORD_OK);
  coord__request request;
  Etcdserverpb__TxnRequest *sent_txn = sent(txn, &request);
  T_TRUE(!request.read_only && request.idempotent);
  T_FATAL(sent_txn->n_success == 2 && sent_txn->n_failure == 1);
  T_BYTES(sent_txn->success[0]->request_range->key, "g");
  T_BYTES(sent_txn->success[0]->request_range->range_end, "h");
  T_INT(sent_txn->success[0]->request_range->limit, 5);
  T_BYTES(sent_txn->success[1]->request_put->key, "p");
  T_BYTES(sent_txn->success[1]->request_put->value, "va\0lue");
  T_INT(sent_txn->success[1]->request_put->lease, 3);
  T_BYTES(sent_txn->failure[0]->request_delete_range->key, "d");
  T_BYTES(sent_txn->failure[0]->request_delete_range->range_end, "e");
  etcdserverpb__txn_request__free_unpacked(sent_txn, NULL);
}

static void a_txn_within_is_copied_whole(void) {
  coord_op *inner = coord_op_txn();
  coord_op_if_value(inner, "c", 1, COORD_NOT_EQUAL, "value", 5);
  coord_op_if_range(inner, "d", 1);
  coord_op_if_int(inner, "n", 1, COORD_COMPARE_CREATE, COORD_EQUAL, 8);
  then_put(inner, "in");
  coord_op *get = coord_op_get("g", 1);
  T_CODE(coord_op_else(inner, get), COORD_OK);
  coord_op *middle = coord_op_txn();
  T_CODE(coord_op_else(middle, inner), COORD_OK);
  coord_op_free(inner);
  coord_op *outer = coord_op_txn();
  T_CODE(coord_op_then(outer, get), COORD_OK);
  coord_op_free(get);
  then_txn(outer, middle);
  coord__request request;
  Etcdserverpb__TxnRequest *txn = sent(outer, &request);
  T_TRUE(!request.read_only);
  T_FATAL(txn->n_success == 2 && txn->success[1]->request_txn->n_failure == 1);
  const Etcdserverpb__TxnRequest *deep = txn->success[1]->request_txn->failure[0]->request_txn;
  T_FATAL(deep->n_compare == 2 && deep->n_success == 1 && deep->n_failure == 1);
  T_BYTES(deep->compare[0]->value, "value");
  T_BYTES(deep->compare[0]->range_end, "d");
  T_INT(deep->compare[1]->create_revision, 8);
  T_BYTES(deep->success[0]->request_put->key, "in");
  T_BYTES(deep->failure[0]->request_range->key, "g");
  etcdserverpb__txn_request__free_unpacked(txn, NULL);
}

static void only_reads_make_it_read_only(void) {
  coord_op *get = coord_op_get("g", 1);
  coord_op *inner = coord_op_txn();
  coord_op_then(inner, get);
  coord_op *txn = coord_op_txn();
  coord_op_then(txn, get);
  coord_op_else(txn, inner);
  coord__request request;
  etcdserverpb__txn_request__free_unpacked(sent(txn, &request), NULL);
  T_TRUE(request.read_only);
  else_put(inner, "p");
  txn = coord_op_txn();
  coord_op_then(txn, get);
  coord_op_else(txn, inner);
  etcdserverpb__txn_request__free_unpacked(sent(txn, &request), NULL);
  T_TRUE(!request.read_only);
  coord_op_free(inner);
  coord_op_free(get);
}

static void ops_that_cannot_be_part_are_refused(void) {
  coord_op *status = coord_op_status();
  coord_op *txn = coord_op_txn();
  then_put(txn, "a");
  T_CODE(coord_op_then(txn, status), COORD_INVALID);
  refused(txn, "op 1 of then is a status: a txn is made of get, put, delete and txn");
  coord_op_free(status);
  coord_op *compact = coord_op_compact(5);
  txn = coord_op_txn();
  T_CODE(coord_op_else(txn, compact), COORD_INVALID);
  refused(txn, "op 0 of else is a compact");
  coord_op_free(compact);
  txn = coord_op_txn();
  T_CODE(coord_op_then(txn, NULL), COORD_INVALID);
  refused(txn, "op 0 of then is NULL");
  coord_op *get = coord_op_get("k", 1);
  T_CODE(coord_op_then(get, get), COORD_INVALID);
  refused(get, "get: only a txn is made of ops");
  T_CODE(coord_op_then(NULL, NULL), COORD_INVALID);
  T_CODE(coord_op_else(NULL, NULL), COORD_INVALID);
  coord_op *empty = coord_op_put("", 0, "v", 1);
  txn = coord_op_txn();
  T_CODE(coord_op_else(txn, empty), COORD_INVALID);
  refused(txn, "txn: op 0 of else: put: the key is empty");
  coord_op_free(empty);
  coord_op *bad = coord_op_get("k", 1);
  coord_op_set(bad, COORD_OP_LIMIT, -1);
  txn = coord_op_txn();
  T_CODE(coord_op_then(txn, bad), COORD_INVALID);
  refused(txn, "txn: op 0 of then: get: attribute limit is -1");
  coord_op_free(bad);
  coord_op *inner = coord_op_txn();
  coord_op_if_int(inner, "", 0, COORD_COMPARE_MOD, COORD_EQUAL, 0);
  txn = coord_op_txn();
  T_CODE(coord_op_then(txn, inner), COORD_INVALID);
  refused(txn, "the key of compare 0 is empty");
  coord_op_free(inner);
}

static void a_txn_may_hold_a_copy_of_itself(void) {
  coord_op *txn = coord_op_txn();
  coord_op *get = coord_op_get("k", 1);
  coord_op_then(txn, get);
  coord_op_free(get);
  for (int i = 0; i < 3; i++) T_CODE(coord_op_then(txn, txn), COORD_OK);
  coord__request request;
  Etcdserverpb__TxnRequest *got = sent(txn, &request);
  T_INT(got->n_success, 4);
  T_INT(got->success[3]->request_txn->n_success, 3);
  etcdserverpb__txn_request__free_unpacked(got, NULL);
}

static coord_op *gets(int n) {
  coord_op *txn = coord_op_txn();
  coord_op *get = coord_op_get("k", 1);
  for (int i = 0; i < n; i++) T_CODE(coord_op_then(txn, get), COORD_OK);
  coord_op_free(get);
  return txn;
}

static void ops_are_counted_as_etcd_counts(void) {
  accepted(gets(128));
  refused(gets(129), "129 ops in then");
  coord_op *txn = gets(128);
  coord_op *get = coord_op_get("k", 1);
  for (int i = 0; i < 128; i++) coord_op_else(txn, get);
  for (int i = 0; i < 128; i++) coord_op_if_int(txn, "k", 1, 0, 0, 0);
  accepted(txn); /* the largest of the three lists counts */
  txn = coord_op_txn();
  for (int i = 0; i < 129; i++) coord_op_if_int(txn, "k", 1, 0, 0, 0);
  refused(txn, "txn of 129 compares");
  txn = coord_op_txn();
  for (int i = 0; i < 129; i++) coord_op_else(txn, get);
  refused(txn, "129 in else");
  coord_op_free(get);
  txn = gets(28);
  then_txn(txn, gets(99)); /* 29 + 99 */
  then_txn(txn, gets(98)); /* 30 + 99 */
  refused(txn, "option request.max.ops");
  txn = gets(28);
  then_txn(txn, gets(99));
  accepted(txn);
  txn = gets(28);
  then_txn(txn, gets(100));
  refused(txn, "at most 128");
  coord__limits small = {.request_max_bytes = 1000, .request_max_ops = 2};
  txn = gets(3);
  coord_error *err = NULL;
  coord__request request;
  T_ERROR(coord__op_encode(txn, &small, &request, &err), COORD_INVALID, err, "at most 2 ");
  coord_op_free(txn);
}

static void nesting_is_bounded(void) {
  coord_op *txn = coord_op_txn();
  for (int depth = 1; depth < COORD__TXN_DEPTH; depth++) {
    coord_op *outer = coord_op_txn();
    then_txn(outer, txn);
    txn = outer;
  }
  coord_op *outer = coord_op_txn();
  T_CODE(coord_op_else(outer, txn), COORD_INVALID);
  refused(outer, "op 0 of else nests transactions 65 deep: the most is 64");
  accepted(txn);
}

static void a_key_put_twice_is_refused(void) {
  coord_op *txn = coord_op_txn();
  then_put(txn, "a");
  then_put(txn, "b");
  then_put(txn, "a");
  refused(txn, "key \"a\" is put twice in then");
  txn = coord_op_txn();
  else_put(txn, "x");
  else_put(txn, "x");
  refused(txn, "key \"x\" is put twice in else");
  txn = coord_op_txn(); /* only one branch is done */
  then_put(txn, "a");
  else_put(txn, "a");
  accepted(txn);
}

static void a_key_put_and_deleted_is_refused(void) {
  coord_op *txn = coord_op_txn();
  then_put(txn, "a");
  then_delete(txn, "a", NULL);
  refused(txn, "key \"a\" is both put and deleted in then");
  txn = coord_op_txn();
  then_delete(txn, "a", "c");
  then_put(txn, "0");
  then_put(txn, "b");
  refused(txn, "key \"b\" is both put and deleted");
  txn = coord_op_txn();
  then_delete(txn, "a", "");
  then_put(txn, "ab");
  refused(txn, "key \"ab\" is both");
  txn = coord_op_txn(); /* the end is not part of the range */
  then_delete(txn, "a", "c");
  then_put(txn, "c");
  then_put(txn, "0");
  then_delete(txn, "d", NULL);
  then_put(txn, "da");
  accepted(txn);
  txn = coord_op_txn(); /* deletes may overlap */
  then_delete(txn, "a", "c");
  then_delete(txn, "b", "d");
  then_delete(txn, "b", NULL);
  accepted(txn);
}

static coord_op *puts_in(const char *then, const char *other) {
  coord_op *txn = coord_op_txn();
  if (then != NULL) then_put(txn, then);
  if (other != NULL) else_put(txn, other);
  return txn;
}

static void overlaps_of_nested_txns_are_refused(void) {
  coord_op *txn = coord_op_txn();
  then_put(txn, "a");
  then_txn(txn, puts_in(NULL, "a"));
  refused(txn, "key \"a\" is put twice in then");
  txn = coord_op_txn();
  then_txn(txn, puts_in("a", NULL));
  then_txn(txn, puts_in(NULL, "a"));
  refused(txn, "key \"a\" is put twice");
  txn = coord_op_txn(); /* then and else of the same txn exclude each other */
  then_txn(txn, puts_in("a", "a"));
  then_put(txn, "b");
  accepted(txn);
  txn = coord_op_txn();
  then_delete(txn, "a", "c");
  then_txn(txn, puts_in(NULL, "b"));
  refused(txn, "key \"b\" is both put and deleted");
  txn = coord_op_txn();
  coord_op *inner = coord_op_txn();
  then_delete(inner, "a", "c");
  then_txn(txn, inner);
  then_put(txn, "b");
  refused(txn, "key \"b\" is both put and deleted");
  txn = coord_op_txn();
  inner = puts_in("k", "k");
  coord_op *middle = coord_op_txn();
  then_txn(middle, inner);
  then_txn(txn, middle);
  then_put(txn, "k");
  refused(txn, "key \"k\" is put twice");
  txn = coord_op_txn();
  inner = coord_op_txn();
  then_put(inner, "z");
  then_put(inner, "z");
  T_CODE(coord_op_else(txn, inner), COORD_OK);
  coord_op_free(inner);
  refused(txn, "key \"z\" is put twice in else");
}

/* Build and encode a txn of everything with memory that ends after n allocations. What could not be
 * added must not be missing in silence. */
static bool builds_within(long n) {
  coord__alloc_fail_after(n);
  coord__request request = {0};
  coord_error *err = NULL;
  char value[700];
  memset(value, 'v', sizeof value);
  coord_op *put = coord_op_put("p", 1, value, sizeof value);
  coord_op *del = coord_op_delete("d", 1);
  coord_op *inner = coord_op_txn();
  coord_op *txn = coord_op_txn();
  bool whole = coord_op_if_value(inner, "k", 1, COORD_EQUAL, value, sizeof value) == COORD_OK;
  whole &= coord_op_if_range(inner, NULL, 0) == COORD_OK;
  whole &= coord_op_then(inner, put) == COORD_OK;
  whole &= coord_op_else(inner, del) == COORD_OK;
  for (int i = 0; i < 60; i++) {
    whole &= coord_op_if_int(txn, "k", 1, COORD_COMPARE_MOD, COORD_EQUAL, i) == COORD_OK;
  }
  whole &= coord_op_then(txn, inner) == COORD_OK;
  whole &= coord_op_then(txn, del) == COORD_OK;
  coord__alloc_fail_after(-1);
  coord_code code = coord__op_encode(txn, &limits, &request, &err);
  T_TRUE(whole == (code == COORD_OK));
  /* A part whose constructor returned NULL is INVALID; the rest is NO_MEMORY. */
  T_TRUE(code == COORD_OK || code == COORD_NO_MEMORY || code == COORD_INVALID);
  T_TRUE(code == COORD_OK || request.body.data == NULL);
  coord_error_free(err);
  coord__request_free(&request);
  coord_op_free(put);
  coord_op_free(del);
  coord_op_free(inner);
  coord_op_free(txn);
  return whole && code == COORD_OK;
}

static void memory_may_end_while_building(void) {
  long n = 0;
  while (!builds_within(n) && n < 100) n++;
  T_TRUE(n > 8 && n < 100);
}

static void memory_may_end_while_encoding(void) {
  coord_op *txn = coord_op_txn();
  then_txn(txn, puts_in("a", "b"));
  then_put(txn, "c");
  coord__request request = {0};
  long n = 0;
  for (; n < 100; n++) {
    coord__alloc_fail_after(n);
    coord_code code = coord__op_encode(txn, &limits, &request, NULL);
    coord__alloc_fail_after(-1);
    if (code == COORD_OK) break;
    T_CODE(code, COORD_NO_MEMORY);
    T_TRUE(request.body.data == NULL);
  }
  T_INT(n, 7); /* puts and deletes of three lists, and the request */
  coord__request_free(&request);
  coord_op_free(txn);
}

T_MAIN(T_CASE(compares_of_every_target_and_relation), T_CASE(compares_over_ranges),
       T_CASE(bad_compares_are_refused), T_CASE(ops_of_both_branches_are_copied),
       T_CASE(a_txn_within_is_copied_whole), T_CASE(only_reads_make_it_read_only),
       T_CASE(ops_that_cannot_be_part_are_refused), T_CASE(a_txn_may_hold_a_copy_of_itself),
       T_CASE(ops_are_counted_as_etcd_counts), T_CASE(nesting_is_bounded),
       T_CASE(a_key_put_twice_is_refused), T_CASE(a_key_put_and_deleted_is_refused),
       T_CASE(overlaps_of_nested_txns_are_refused), T_CASE(memory_may_end_while_building),
       T_CASE(memory_may_end_while_encoding))
