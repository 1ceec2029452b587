#include "etcd/request.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/error.h"
#include "etcd/admin.h"
#include "etcd/lease.h"
#include "etcd/method.h"
#include "etcd/namespace.h"
#include "etcd/op.h"
#include "etcd/result.h"
#include "etcd/txn.h"

typedef struct encoding {
  coord__method_index method;
  coord__decode_fn decode;
} encoding;

static const encoding encodings[] = {
    [COORD__OP_GET] = {COORD__METHOD_RANGE, coord__decode_range},
    [COORD__OP_PUT] = {COORD__METHOD_PUT, coord__decode_put},
    [COORD__OP_DELETE] = {COORD__METHOD_DELETE, coord__decode_delete},
    [COORD__OP_COMPACT] = {COORD__METHOD_COMPACT, coord__decode_compact},
    [COORD__OP_STATUS] = {COORD__METHOD_STATUS, coord__decode_status},
    [COORD__OP_MEMBERS] = {COORD__METHOD_MEMBERS, coord__decode_members},
    [COORD__OP_TXN] = {COORD__METHOD_TXN, coord__decode_txn},
};

static coord_code check_put(const Etcdserverpb__PutRequest *put, coord_error **err) {
  char shown[COORD__SHOWN];
  if (put->key.len == 0) return coord__fail(err, COORD_INVALID, "put: the key is empty");
  if (put->ignore_value && put->value.len > 0) {
    return coord__fail(err, COORD_INVALID,
                       "put of \"%s\": with attribute ignore_value the present value stays, but a "
                       "value of %zu bytes is given: leave it empty",
                       coord__show(shown, put->key.data, put->key.len), put->value.len);
  }
  if (put->ignore_lease && put->lease != 0) {
    return coord__fail(err, COORD_INVALID,
                       "put of \"%s\": with attribute ignore_lease the present lease stays, but "
                       "attribute lease is %" PRId64 ": leave it 0",
                       coord__show(shown, put->key.data, put->key.len), put->lease);
  }
  return COORD_OK;
}

coord_code coord__op_fault_of(const coord_op *op, coord_error **err) {
  if (op->fault_code == COORD_OK) return COORD_OK;
  if (op->fault_code == COORD_NO_MEMORY) return coord__no_memory(err);
  return coord__fail(err, op->fault_code, "%s",
                     op->fault != NULL ? op->fault : "an argument of the op is wrong");
}

coord_code coord__op_check(const coord_op *op, coord_error **err) {
  if (op == NULL) return coord__fail(err, COORD_INVALID, "the op is NULL");
  coord_code code = coord__op_fault_of(op, err);
  if (code != COORD_OK) return code;
  if (op->watch != 0) {
    return coord__fail(err, COORD_INVALID,
                       "get: attributes prev_kv, no_puts, no_deletes and progress are for a watch: "
                       "give it to coord_watch_open");
  }
  switch (op->kind) {
    case COORD__OP_PUT:
      return check_put(&op->message.put, err);
    case COORD__OP_GET:
    case COORD__OP_DELETE: {
      size_t len = op->kind == COORD__OP_GET ? op->message.get.key.len : op->message.del.key.len;
      if (len > 0) return COORD_OK;
      return coord__fail(err, COORD_INVALID,
                         "%s: the key is empty: name a key, or set a prefix (all keys) or a range "
                         "end",
                         coord__op_name(op));
    }
    case COORD__OP_COMPACT:
      if (op->message.compact.revision > 0) return COORD_OK;
      return coord__fail(err, COORD_INVALID,
                         "compact: the revision is %" PRId64 ": it must be greater than 0",
                         op->message.compact.revision);
    case COORD__OP_TXN:
      return coord__txn_check_compares(&op->message.txn, err);
    case COORD__OP_ADMIN:
      return coord__admin_check(op, err);
    case COORD__OP_STATUS:
    case COORD__OP_MEMBERS:
    case COORD__OP_CUSTOM:
      break;
  }
  return COORD_OK;
}

static coord_code check(const coord_op *op, const coord__limits *limits, coord_error **err) {
  coord_code code = coord__op_check(op, err);
  if (code != COORD_OK || op->kind != COORD__OP_TXN) return code;
  code = coord__txn_check_count(&op->message.txn, limits->request_max_ops, err);
  if (code != COORD_OK) return code;
  return coord__txn_check_overlap(&op->message.txn, err);
}

static bool is_read_only(const coord_op *op) {
  switch (op->kind) {
    case COORD__OP_GET:
    case COORD__OP_STATUS:
    case COORD__OP_MEMBERS:
      return true;
    case COORD__OP_TXN:
      return !op->changes;
    case COORD__OP_ADMIN:
      return op->admin->read_only;
    default:
      return false;
  }
}

/* Only for what is about keys: who looks after a sick cluster wants answers. */
static bool needs_leader(const coord_op *op) {
  switch (op->kind) {
    case COORD__OP_GET:
      return !op->message.get.serializable;
    case COORD__OP_TXN:
      return op->changes;
    case COORD__OP_PUT:
    case COORD__OP_DELETE:
      return true;
    default:
      return false;
  }
}

/* Pack the message of a checked op. */
static coord_code pack(const coord_op *op, const ProtobufCMessage *message,
                       const coord__limits *limits, encoding as, coord__request *out,
                       coord_error **err) {
  size_t size = protobuf_c_message_get_packed_size(message);
  if (size > limits->request_max_bytes) {
    return coord__fail(
        err, COORD_TOO_LARGE,
        "%s: the request is %zu bytes, and option request.max.bytes allows %zu: send "
        "less, or raise it along with etcd's --max-request-bytes",
        coord__op_name(op), size, limits->request_max_bytes);
  }
  size_t whole = COORD__FRAME_HEADROOM + size;
  uint8_t *data = coord__malloc(whole);
  if (data == NULL) return coord__no_memory(err);
  for (int i = 0; i < COORD__FRAME_HEADROOM; i++) data[i] = 0;
  protobuf_c_message_pack(message, data + COORD__FRAME_HEADROOM);
  *out = (coord__request){.method = &coord__methods[as.method],
                          .body = {.data = data, .len = whole, .cap = whole},
                          .read_only = is_read_only(op),
                          .needs_leader = needs_leader(op),
                          .idempotent = op->idempotent,
                          .decode = as.decode};
  return COORD_OK;
}

coord_code coord__op_encode(const coord_op *op, const coord__limits *limits, coord__request *out,
                            coord_error **err) {
  coord_code code = check(op, limits, err);
  if (code != COORD_OK) return code;
  if (op->kind == COORD__OP_CUSTOM) {
    return coord__fail(err, COORD_INTERNAL, "%s is not one call of one method", coord__op_name(op));
  }
  if (op->kind == COORD__OP_ADMIN) {
    coord__lease_message lease;
    const ProtobufCMessage *message = coord__lease_prepare(op, &lease);
    code = pack(op, message, limits, (encoding){op->admin->method, op->admin->decode}, out, err);
    if (code == COORD_OK) out->echo = lease.echo;
    return code;
  }
  coord__arena *arena;
  const ProtobufCMessage *message = coord__namespace_enter(limits->ns, op, &arena);
  if (message == NULL) return coord__no_memory(err);
  code = pack(op, message, limits, encodings[op->kind], out, err);
  coord__arena_free(arena);
  return code;
}

void coord__request_free(coord__request *request) {
  if (request == NULL) return;
  if (request->method != NULL && request->method->secret) coord__buf_wipe(&request->body);
  coord__buf_free(&request->body);
}

void coord__health_probe(coord__probe *out) {
  Etcdserverpb__RangeRequest range;
  etcdserverpb__range_request__init(&range);
  range.key = (ProtobufCBinaryData){6, (uint8_t *)(uintptr_t) "health"};
  range.keys_only = 1;
  *out = (coord__probe){.method = &coord__methods[COORD__METHOD_RANGE],
                        .len = etcdserverpb__range_request__get_packed_size(&range)};
  etcdserverpb__range_request__pack(&range, out->message);
}
