#include "etcd/namespace.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "etcd/lease.h"
#include "etcd/result.h"

typedef Etcdserverpb__RequestOp RequestOp;
typedef Etcdserverpb__TxnRequest TxnRequest;
typedef ProtobufCBinaryData Bytes;

bool coord__namespace_init(coord__namespace *ns, const char *prefix) {
  *ns = (coord__namespace){0};
  size_t len = strlen(prefix);
  if (len == 0) return true;
  ns->prefix = coord__memdup(prefix, len);
  ns->end = coord__malloc(len);
  if (ns->prefix == NULL || ns->end == NULL) {
    coord__namespace_free(ns);
    return false;
  }
  ns->len = len;
  ns->end_len = coord__prefix_end(prefix, len, ns->end);
  return true;
}

void coord__namespace_free(coord__namespace *ns) {
  coord__free(ns->prefix);
  coord__free(ns->end);
  *ns = (coord__namespace){0};
}

/* --- what is sent ------------------------------------------------------------------------------ */

static bool is_unbounded(const void *end, size_t len) {
  return len == 1 && *(const uint8_t *)end == 0;
}

bool coord__namespace_key(const coord__namespace *ns, const void *key, size_t len,
                          coord__buf *out) {
  return coord__buf_append(out, ns->prefix, ns->len) && coord__buf_append(out, key, len);
}

bool coord__namespace_range_end(const coord__namespace *ns, const void *end, size_t len,
                                coord__buf *out) {
  if (ns->len > 0 && is_unbounded(end, len)) return coord__buf_append(out, ns->end, ns->end_len);
  return coord__namespace_key(ns, end, len, out);
}

static bool enter_key(const coord__namespace *ns, coord__arena *arena, Bytes *key) {
  if (key->len > SIZE_MAX / 2 - ns->len) return false;
  uint8_t *data = coord__arena_alloc(arena, ns->len + key->len);
  if (data == NULL) return false;
  memcpy(data, ns->prefix, ns->len);
  if (key->len > 0) memcpy(data + ns->len, key->data, key->len);
  *key = (Bytes){.len = ns->len + key->len, .data = data};
  return true;
}

/* Key and range end; an empty end is none. */
static bool enter_range(const coord__namespace *ns, coord__arena *arena, Bytes *key, Bytes *end) {
  if (!enter_key(ns, arena, key)) return false;
  if (end->len == 0) return true;
  if (!is_unbounded(end->data, end->len)) return enter_key(ns, arena, end);
  *end = (Bytes){.len = ns->end_len, .data = ns->end};
  return true;
}

static TxnRequest *enter_txn(const coord__namespace *ns, coord__arena *arena,
                             const TxnRequest *txn);

static bool enter_request(const coord__namespace *ns, coord__arena *arena, RequestOp *op) {
  switch (op->request_case) {
    case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_RANGE: {
      Etcdserverpb__RangeRequest *get = coord__arena_memdup(arena, op->request_range, sizeof *get);
      op->request_range = get;
      return get != NULL && enter_range(ns, arena, &get->key, &get->range_end);
    }
    case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT: {
      Etcdserverpb__PutRequest *put = coord__arena_memdup(arena, op->request_put, sizeof *put);
      op->request_put = put;
      return put != NULL && enter_key(ns, arena, &put->key);
    }
    case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE: {
      Etcdserverpb__DeleteRangeRequest *del =
          coord__arena_memdup(arena, op->request_delete_range, sizeof *del);
      op->request_delete_range = del;
      return del != NULL && enter_range(ns, arena, &del->key, &del->range_end);
    }
    case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_TXN:
      op->request_txn = enter_txn(ns, arena, op->request_txn);
      return op->request_txn != NULL;
    default:
      return false;
  }
}

static RequestOp **enter_requests(const coord__namespace *ns, coord__arena *arena,
                                  RequestOp *const *ops, size_t count) {
  RequestOp **list = coord__arena_alloc(arena, count * sizeof *list);
  for (size_t i = 0; list != NULL && i < count; i++) {
    list[i] = coord__arena_memdup(arena, ops[i], sizeof *ops[i]);
    if (list[i] == NULL || !enter_request(ns, arena, list[i])) return NULL;
  }
  return list;
}

/* The structs are new, down to the bytes of keys; values are those of the op. */
static TxnRequest *enter_txn(const coord__namespace *ns, coord__arena *arena,
                             const TxnRequest *txn) {
  TxnRequest *copy = coord__arena_memdup(arena, txn, sizeof *txn);
  if (copy == NULL) return NULL;
  copy->compare = coord__arena_alloc(arena, txn->n_compare * sizeof *copy->compare);
  if (copy->compare == NULL) return NULL;
  for (size_t i = 0; i < txn->n_compare; i++) {
    Etcdserverpb__Compare *compare =
        coord__arena_memdup(arena, txn->compare[i], sizeof *txn->compare[i]);
    copy->compare[i] = compare;
    if (compare == NULL) return NULL;
    if (!enter_range(ns, arena, &compare->key, &compare->range_end)) return NULL;
  }
  copy->success = enter_requests(ns, arena, txn->success, txn->n_success);
  copy->failure = enter_requests(ns, arena, txn->failure, txn->n_failure);
  return copy->success != NULL && copy->failure != NULL ? copy : NULL;
}

static const ProtobufCMessage *enter(const coord__namespace *ns, const coord_op *op,
                                     coord__arena *arena) {
  if (op->kind == COORD__OP_TXN) {
    TxnRequest *txn = enter_txn(ns, arena, &op->message.txn);
    return txn != NULL ? &txn->base : NULL;
  }
  if (op->kind == COORD__OP_PUT) {
    Etcdserverpb__PutRequest *put = coord__arena_memdup(arena, &op->message.put, sizeof *put);
    return put != NULL && enter_key(ns, arena, &put->key) ? &put->base : NULL;
  }
  if (op->kind == COORD__OP_GET) {
    Etcdserverpb__RangeRequest *get = coord__arena_memdup(arena, &op->message.get, sizeof *get);
    bool entered = get != NULL && enter_range(ns, arena, &get->key, &get->range_end);
    return entered ? &get->base : NULL;
  }
  Etcdserverpb__DeleteRangeRequest *del = coord__arena_memdup(arena, &op->message.del, sizeof *del);
  bool entered = del != NULL && enter_range(ns, arena, &del->key, &del->range_end);
  return entered ? &del->base : NULL;
}

const ProtobufCMessage *coord__namespace_enter(const coord__namespace *ns, const coord_op *op,
                                               coord__arena **arena) {
  enum { FIRST_BLOCK = 512 };
  *arena = NULL;
  bool has_keys = op->kind == COORD__OP_GET || op->kind == COORD__OP_PUT ||
                  op->kind == COORD__OP_DELETE || op->kind == COORD__OP_TXN;
  if (ns == NULL || ns->len == 0 || !has_keys) return &op->message.base;
  *arena = coord__arena_new(FIRST_BLOCK, 0);
  if (*arena == NULL) return NULL;
  const ProtobufCMessage *message = enter(ns, op, *arena);
  if (message == NULL) {
    coord__arena_free(*arena);
    *arena = NULL;
  }
  return message;
}

/* --- what comes back --------------------------------------------------------------------------- */

coord_code coord__namespace_leave_kvs(const coord__namespace *ns, Etcdserverpb__KeyValue **kvs,
                                      size_t count, coord_error **err) {
  for (size_t i = 0; ns->len > 0 && i < count; i++) {
    Bytes *key = &kvs[i]->key;
    if (key->len < ns->len || memcmp(key->data, ns->prefix, ns->len) != 0) {
      char shown[COORD__SHOWN];
      return coord__fail(err, COORD_PROTOCOL,
                         "the server's answer has key \"%s\", which is not in the namespace",
                         coord__show(shown, key->data, key->len));
    }
    key->data += ns->len;
    key->len -= ns->len;
  }
  return COORD_OK;
}

coord_code coord__namespace_leave(const coord__namespace *ns, coord_result *result,
                                  coord_error **err) {
  if (ns->len == 0) return COORD_OK;
  if (result->lease_info != NULL) return coord__lease_leave(ns, result, err);
  coord_code code = coord__namespace_leave_kvs(ns, result->kvs, result->kv_count, err);
  for (size_t i = 0; code == COORD_OK && i < result->part_count; i++) {
    code = coord__namespace_leave(ns, &result->parts[i], err);
  }
  return code;
}
