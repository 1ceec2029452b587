/* The handle of a lock. Same contracts as in coord/lock.h, without the checks of arguments. */
#ifndef COORD_COORD_LOCK_HANDLE_H
#define COORD_COORD_LOCK_HANDLE_H

#include "coord/lock.h"
#include "etcd/client.h"
#include "etcd/op.h"

coord_code coord__lock_open(coord_client *c, const void *const *names, const size_t *name_lens,
                            size_t count, const coord_options *options, coord_queue *queue,
                            uint64_t tag, coord_lock **out, coord_error **err);
coord_op *coord__op_acquire(coord_lock *lock, bool wait);
coord_op *coord__op_release(coord_lock *lock);
coord_op *coord__op_lock_renew(coord_lock *lock);
coord_op *coord__op_lock_queue(const void *name, size_t name_len);
coord_code coord__op_if_held(coord_op *txn, const coord_lock *lock);
int64_t coord__lock_token(const coord_lock *lock);
int64_t coord__lock_remaining_ms(const coord_lock *lock);
coord_code coord__lock_key(const coord_lock *lock, size_t i, coord_kv *out);
void coord__lock_free(coord_lock *lock);

#endif
