/* Transactions: composing them and the checks that etcd makes on them. */
#ifndef COORD_ETCD_TXN_H
#define COORD_ETCD_TXN_H

#include "base/buf.h"
#include "etcd/op.h"

/* The functions behind coord_op_...; same contracts. */
coord_op *coord__op_txn(void);
coord_code coord__op_if_int(coord_op *txn, const void *key, size_t key_len, int32_t target,
                            int32_t relation, int64_t operand);
coord_code coord__op_if_value(coord_op *txn, const void *key, size_t key_len, int32_t relation,
                              const void *value, size_t value_len);
coord_code coord__op_if_range(coord_op *txn, const void *end, size_t end_len);
coord_code coord__op_then(coord_op *txn, const coord_op *op);
coord_code coord__op_else(coord_op *txn, const coord_op *op);

/* For those who compose in one go, with one check at the end: the txn, and what is handed over, may be
 * NULL, for memory is out, which is answered with false. */
bool coord__txn_if(coord_op *txn, const coord__buf *key, int32_t target, int32_t relation,
                   int64_t operand);
/* `op` is handed over. */
bool coord__txn_then(coord_op *txn, coord_op *op);
bool coord__txn_else(coord_op *txn, coord_op *op);
/* The txn, if it is whole; else NULL, and the txn is freed. */
coord_op *coord__txn_finish(coord_op *txn, bool is_whole);

/* A compare with an empty key is COORD_INVALID. */
coord_code coord__txn_check_compares(const Etcdserverpb__TxnRequest *txn, coord_error **err);

/* At most max_ops compares and ops on any way down, counted as etcd counts: the largest of the
 * three lists, and what that leaves over for the transactions within. */
coord_code coord__txn_check_count(const Etcdserverpb__TxnRequest *txn, size_t max_ops,
                                  coord_error **err);

/* No key is put twice, or put and deleted, in ops that would all be done. */
coord_code coord__txn_check_overlap(const Etcdserverpb__TxnRequest *txn, coord_error **err);

#endif
