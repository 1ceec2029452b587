#include "etcd/txn.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

typedef Etcdserverpb__Compare Compare;
typedef Etcdserverpb__RequestOp RequestOp;
typedef Etcdserverpb__TxnRequest TxnRequest;

enum { FIRST_BLOCK = 1024, FIRST_ROOM = 4 };

coord_op *coord__op_txn(void) {
  coord_op *op = coord__op_new(COORD__OP_TXN, 0);
  if (op == NULL) return NULL;
  op->arena = coord__arena_new(FIRST_BLOCK, 0);
  if (op->arena == NULL) {
    coord__op_free(op);
    return NULL;
  }
  return op;
}

static coord_code no_memory(coord_op *txn) {
  return coord__op_fault(txn, COORD_NO_MEMORY, "memory is exhausted");
}

/* Room for one more pointer in a list that lies in the arena. Returns the list, perhaps moved. */
static void *make_room(coord__arena *arena, void *list, size_t count, size_t *room) {
  if (count < *room) return list;
  size_t more = *room == 0 ? FIRST_ROOM : *room * 2;
  void *moved = coord__arena_alloc(arena, more * sizeof(void *));
  if (moved == NULL) return NULL;
  if (count > 0) memcpy(moved, list, count * sizeof(void *));
  *room = more;
  return moved;
}

static bool copy_bytes(coord__arena *arena, ProtobufCBinaryData *to, const void *p, size_t n) {
  *to = (ProtobufCBinaryData){.len = n};
  if (n == 0) return true;
  to->data = coord__arena_memdup(arena, p, n);
  return to->data != NULL;
}

static bool copy_field(coord__arena *arena, ProtobufCBinaryData *field) {
  return copy_bytes(arena, field, field->data, field->len);
}

/* --- compares --------------------------------------------------------------------------------- */

/* COORD_OK when a compare may be added to `txn`. */
static coord_code check_compare(coord_op *txn, const void *key, size_t key_len, int32_t relation) {
  if (txn == NULL) return COORD_INVALID;
  if (txn->kind != COORD__OP_TXN) {
    return coord__op_fault(txn, COORD_INVALID, "%s: only a txn has compares", coord__op_name(txn));
  }
  if (!coord__op_bytes_ok(txn, "the key of a compare", key, key_len)) return COORD_INVALID;
  if (relation < COORD_EQUAL || relation > COORD_NOT_EQUAL) {
    return coord__op_fault(txn, COORD_INVALID,
                           "txn: the relation of compare %zu is %" PRId32
                           ": it is 0 (equal), 1 (greater), 2 (less) or 3 (not equal)",
                           txn->message.txn.n_compare, relation);
  }
  return COORD_OK;
}

/* A compare with key and relation, not yet in the list. NULL when memory is out. */
static Compare *new_compare(coord_op *txn, const void *key, size_t key_len, int32_t relation) {
  TxnRequest *request = &txn->message.txn;
  void *list = make_room(txn->arena, request->compare, request->n_compare, &txn->compare_room);
  if (list == NULL) return NULL;
  request->compare = list;
  Compare *compare = coord__arena_alloc(txn->arena, sizeof *compare);
  if (compare == NULL) return NULL;
  etcdserverpb__compare__init(compare);
  compare->result = (Etcdserverpb__Compare__CompareResult)relation;
  return copy_bytes(txn->arena, &compare->key, key, key_len) ? compare : NULL;
}

coord_code coord__op_if_int(coord_op *txn, const void *key, size_t key_len, int32_t target,
                            int32_t relation, int64_t operand) {
  coord_code code = check_compare(txn, key, key_len, relation);
  if (code != COORD_OK) return code;
  if (target < COORD_COMPARE_VERSION || target > COORD_COMPARE_LEASE ||
      target == COORD_COMPARE_VALUE) {
    return coord__op_fault(txn, COORD_INVALID,
                           "txn: the target of compare %zu is %" PRId32
                           ": a number is compared with 0 (version), 1 (create revision), "
                           "2 (mod revision) or 4 (lease)",
                           txn->message.txn.n_compare, target);
  }
  Compare *compare = new_compare(txn, key, key_len, relation);
  if (compare == NULL) return no_memory(txn);
  compare->target = (Etcdserverpb__Compare__CompareTarget)target;
  switch (target) {
    case COORD_COMPARE_VERSION:
      compare->target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_VERSION;
      compare->version = operand;
      break;
    case COORD_COMPARE_CREATE:
      compare->target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_CREATE_REVISION;
      compare->create_revision = operand;
      break;
    case COORD_COMPARE_MOD:
      compare->target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_MOD_REVISION;
      compare->mod_revision = operand;
      break;
    default:
      compare->target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_LEASE;
      compare->lease = operand;
      break;
  }
  txn->message.txn.compare[txn->message.txn.n_compare++] = compare;
  return COORD_OK;
}

coord_code coord__op_if_value(coord_op *txn, const void *key, size_t key_len, int32_t relation,
                              const void *value, size_t value_len) {
  coord_code code = check_compare(txn, key, key_len, relation);
  if (code != COORD_OK) return code;
  if (!coord__op_bytes_ok(txn, "the value of a compare", value, value_len)) return COORD_INVALID;
  Compare *compare = new_compare(txn, key, key_len, relation);
  if (compare == NULL || !copy_bytes(txn->arena, &compare->value, value, value_len)) {
    return no_memory(txn);
  }
  compare->target = ETCDSERVERPB__COMPARE__COMPARE_TARGET__VALUE;
  compare->target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_VALUE;
  txn->message.txn.compare[txn->message.txn.n_compare++] = compare;
  return COORD_OK;
}

coord_code coord__op_if_range(coord_op *txn, const void *end, size_t end_len) {
  if (txn == NULL) return COORD_INVALID;
  if (txn->kind != COORD__OP_TXN || txn->message.txn.n_compare == 0) {
    return coord__op_fault(txn, COORD_INVALID, "%s: there is no compare to stretch over a range",
                           coord__op_name(txn));
  }
  if (!coord__op_bytes_ok(txn, "the range end of a compare", end, end_len)) return COORD_INVALID;
  Compare *compare = txn->message.txn.compare[txn->message.txn.n_compare - 1];
  if (compare->range_end.len > 0) {
    return coord__op_fault(txn, COORD_INVALID, "txn: compare %zu has a range already",
                           txn->message.txn.n_compare - 1);
  }
  ProtobufCBinaryData range = {0};
  if (end_len > 0 || compare->key.len == 0) {
    bool everything = end_len == 0;
    if (!copy_bytes(txn->arena, &range, everything ? "" : end, everything ? 1 : end_len)) {
      return no_memory(txn);
    }
  } else {
    range.data = coord__arena_alloc(txn->arena, compare->key.len);
    if (range.data == NULL) return no_memory(txn);
    range.len = coord__prefix_end(compare->key.data, compare->key.len, range.data);
  }
  if (compare->key.len == 0 && !copy_bytes(txn->arena, &compare->key, "", 1)) {
    return no_memory(txn);
  }
  compare->range_end = range;
  return COORD_OK;
}

coord_code coord__txn_check_compares(const TxnRequest *txn, coord_error **err) {
  for (size_t i = 0; i < txn->n_compare; i++) {
    if (txn->compare[i]->key.len > 0) continue;
    return coord__fail(err, COORD_INVALID,
                       "txn: the key of compare %zu is empty: name a key, or give it a range", i);
  }
  return COORD_OK;
}

/* --- ops -------------------------------------------------------------------------------------- */

static RequestOp *copy_request(coord__arena *arena, const RequestOp *from);

static Compare *copy_compare(coord__arena *arena, const Compare *from) {
  Compare *to = coord__arena_memdup(arena, from, sizeof *from);
  if (to == NULL || !copy_field(arena, &to->key) || !copy_field(arena, &to->range_end)) return NULL;
  if (to->target_union_case == ETCDSERVERPB__COMPARE__TARGET_UNION_VALUE &&
      !copy_field(arena, &to->value)) {
    return NULL;
  }
  return to;
}

static bool copy_requests(coord__arena *arena, RequestOp ***list, size_t count) {
  RequestOp **from = *list;
  *list = coord__arena_alloc(arena, count * sizeof *from);
  if (*list == NULL) return false;
  for (size_t i = 0; i < count; i++) {
    (*list)[i] = copy_request(arena, from[i]);
    if ((*list)[i] == NULL) return false;
  }
  return true;
}

static TxnRequest *copy_txn(coord__arena *arena, const TxnRequest *from) {
  TxnRequest *to = coord__arena_memdup(arena, from, sizeof *from);
  if (to == NULL) return NULL;
  to->compare = coord__arena_alloc(arena, from->n_compare * sizeof *to->compare);
  if (to->compare == NULL) return NULL;
  for (size_t i = 0; i < from->n_compare; i++) {
    to->compare[i] = copy_compare(arena, from->compare[i]);
    if (to->compare[i] == NULL) return NULL;
  }
  if (!copy_requests(arena, &to->success, to->n_success)) return NULL;
  if (!copy_requests(arena, &to->failure, to->n_failure)) return NULL;
  return to;
}

/* Replace the message that *request points to by a copy that lies in the arena. */
static bool copy_inner(coord__arena *arena, RequestOp *request) {
  switch (request->request_case) {
    case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_RANGE: {
      Etcdserverpb__RangeRequest *get =
          coord__arena_memdup(arena, request->request_range, sizeof *get);
      request->request_range = get;
      return get != NULL && copy_field(arena, &get->key) && copy_field(arena, &get->range_end);
    }
    case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT: {
      Etcdserverpb__PutRequest *put = coord__arena_memdup(arena, request->request_put, sizeof *put);
      request->request_put = put;
      return put != NULL && copy_field(arena, &put->key) && copy_field(arena, &put->value);
    }
    case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE: {
      Etcdserverpb__DeleteRangeRequest *del =
          coord__arena_memdup(arena, request->request_delete_range, sizeof *del);
      request->request_delete_range = del;
      return del != NULL && copy_field(arena, &del->key) && copy_field(arena, &del->range_end);
    }
    case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_TXN:
      request->request_txn = copy_txn(arena, request->request_txn);
      return request->request_txn != NULL;
    default:
      return false;
  }
}

static RequestOp *copy_request(coord__arena *arena, const RequestOp *from) {
  RequestOp *to = coord__arena_memdup(arena, from, sizeof *from);
  return to != NULL && copy_inner(arena, to) ? to : NULL;
}

/* An op as part of a txn; it still points into the op. False when it cannot be one. */
static bool as_request(const coord_op *op, RequestOp *request) {
  etcdserverpb__request_op__init(request);
  switch (op->kind) {
    case COORD__OP_GET:
      request->request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_RANGE;
      request->request_range = (Etcdserverpb__RangeRequest *)&op->message.get;
      return true;
    case COORD__OP_PUT:
      request->request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT;
      request->request_put = (Etcdserverpb__PutRequest *)&op->message.put;
      return true;
    case COORD__OP_DELETE:
      request->request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE;
      request->request_delete_range = (Etcdserverpb__DeleteRangeRequest *)&op->message.del;
      return true;
    case COORD__OP_TXN:
      request->request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_TXN;
      request->request_txn = (TxnRequest *)&op->message.txn;
      return true;
    default:
      return false;
  }
}

/* Check what is to be added; the fault, if any, becomes the txn's. */
static coord_code check_added(coord_op *txn, const coord_op *op, const char *branch, size_t index) {
  if (op == NULL) {
    return coord__op_fault(txn, COORD_INVALID, "txn: op %zu of %s is NULL", index, branch);
  }
  coord_error *err = NULL;
  coord_code code = coord__op_check(op, &err);
  if (code != COORD_OK) {
    coord__op_fault(txn, code, "txn: op %zu of %s: %s", index, branch, coord_error_message(err));
    coord_error_free(err);
    return code;
  }
  if (op->kind == COORD__OP_TXN && op->depth >= COORD__TXN_DEPTH) {
    return coord__op_fault(txn, COORD_INVALID,
                           "txn: op %zu of %s nests transactions %d deep: the most is %d", index,
                           branch, op->depth + 1, (int)COORD__TXN_DEPTH);
  }
  return COORD_OK;
}

static coord_code add_op(coord_op *txn, const coord_op *op, const char *branch, bool when_held) {
  if (txn == NULL) return COORD_INVALID;
  if (txn->kind != COORD__OP_TXN) {
    return coord__op_fault(txn, COORD_INVALID, "%s: only a txn is made of ops",
                           coord__op_name(txn));
  }
  TxnRequest *request = &txn->message.txn;
  size_t *count = when_held ? &request->n_success : &request->n_failure;
  RequestOp ***list = when_held ? &request->success : &request->failure;
  size_t *room = when_held ? &txn->then_room : &txn->else_room;
  coord_code code = check_added(txn, op, branch, *count);
  if (code != COORD_OK) return code;
  RequestOp added;
  if (!as_request(op, &added)) {
    return coord__op_fault(txn, COORD_INVALID,
                           "txn: op %zu of %s is a %s: a txn is made of get, put, delete and txn",
                           *count, branch, coord__op_name(op));
  }
  RequestOp *copy = copy_request(txn->arena, &added);
  void *moved = copy != NULL ? make_room(txn->arena, *list, *count, room) : NULL;
  if (moved == NULL) return no_memory(txn);
  *list = moved;
  (*list)[(*count)++] = copy;
  if (op->kind == COORD__OP_PUT || op->kind == COORD__OP_DELETE || op->changes) {
    txn->changes = true;
  }
  if (op->kind == COORD__OP_TXN && op->depth >= txn->depth) txn->depth = op->depth + 1;
  return COORD_OK;
}

coord_code coord__op_then(coord_op *txn, const coord_op *op) {
  return add_op(txn, op, "then", true);
}

coord_code coord__op_else(coord_op *txn, const coord_op *op) {
  return add_op(txn, op, "else", false);
}

/* ---- in one go ---- */

bool coord__txn_if(coord_op *txn, const coord__buf *key, int32_t target, int32_t relation,
                   int64_t operand) {
  return txn != NULL &&
         coord__op_if_int(txn, key->data, key->len, target, relation, operand) == COORD_OK;
}

bool coord__txn_then(coord_op *txn, coord_op *op) {
  bool added = txn != NULL && op != NULL && coord__op_then(txn, op) == COORD_OK;
  coord__op_free(op);
  return added;
}

bool coord__txn_else(coord_op *txn, coord_op *op) {
  bool added = txn != NULL && op != NULL && coord__op_else(txn, op) == COORD_OK;
  coord__op_free(op);
  return added;
}

coord_op *coord__txn_finish(coord_op *txn, bool is_whole) {
  if (is_whole) return txn;
  coord__op_free(txn);
  return NULL;
}
