#include "coord/op.h"

#include "etcd/op.h"
#include "etcd/txn.h"

coord_op *coord_op_get(const void *key, size_t key_len) { return coord__op_get(key, key_len); }

coord_op *coord_op_put(const void *key, size_t key_len, const void *value, size_t value_len) {
  return coord__op_put(key, key_len, value, value_len);
}

coord_op *coord_op_delete(const void *key, size_t key_len) {
  return coord__op_delete(key, key_len);
}

coord_op *coord_op_compact(int64_t revision) { return coord__op_compact(revision); }

coord_op *coord_op_status(void) { return coord__op_status(); }

coord_op *coord_op_members(void) { return coord__op_members(); }

coord_op *coord_op_txn(void) { return coord__op_txn(); }

coord_code coord_op_if_int(coord_op *txn, const void *key, size_t key_len, int32_t target,
                           int32_t relation, int64_t operand) {
  return coord__op_if_int(txn, key, key_len, target, relation, operand);
}

coord_code coord_op_if_value(coord_op *txn, const void *key, size_t key_len, int32_t relation,
                             const void *value, size_t value_len) {
  return coord__op_if_value(txn, key, key_len, relation, value, value_len);
}

coord_code coord_op_if_range(coord_op *txn, const void *end, size_t end_len) {
  return coord__op_if_range(txn, end, end_len);
}

coord_code coord_op_then(coord_op *txn, const coord_op *op) { return coord__op_then(txn, op); }

coord_code coord_op_else(coord_op *txn, const coord_op *op) { return coord__op_else(txn, op); }

coord_code coord_op_set_prefix(coord_op *op) { return coord__op_set_prefix(op); }

coord_code coord_op_set_range_end(coord_op *op, const void *end, size_t end_len) {
  return coord__op_set_range_end(op, end, end_len);
}

coord_code coord_op_set(coord_op *op, int32_t attribute, int64_t value) {
  return coord__op_set(op, attribute, value);
}

void coord_op_free(coord_op *op) { coord__op_free(op); }
