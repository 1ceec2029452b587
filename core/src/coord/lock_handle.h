/* The handle of a lock. Same contracts as in coord/lock.h, without the checks of arguments. */
#ifndef COORD_COORD_LOCK_HANDLE_H
#define COORD_COORD_LOCK_HANDLE_H

#include "coord/lock.h"
#include "coord/teller.h"
#include "etcd/client.h"
#include "etcd/op.h"
#include "etcd/task.h"

coord_code coord__lock_open(coord_client *c, const void *const *names, const size_t *name_lens,
                            size_t count, const coord_options *options, coord_queue *queue,
                            uint64_t tag, coord_lock **out, coord_error **err);
coord_op *coord__op_acquire(coord_lock *lock, bool wait);
coord_op *coord__op_release(coord_lock *lock);
coord_op *coord__op_lock_renew(coord_lock *lock);
coord_op *coord__op_lock_queue(const void *name, size_t name_len);
/* The same for the op `op_name`, of the oldest `limit` (0: all). */
coord_op *coord__queue_op(const char *op_name, const void *name, size_t name_len, int64_t limit);
coord_code coord__op_if_held(coord_op *txn, const coord_lock *lock);
int64_t coord__lock_token(const coord_lock *lock);
int64_t coord__lock_remaining_ms(const coord_lock *lock);
coord_code coord__lock_key(const coord_lock *lock, size_t i, coord_kv *out);
void coord__lock_free(coord_lock *lock);

/* ---- for elections, which are locks whose keys say something; I/O thread ---- */

/* Acquire for a task; candidacy: what the key says, NULL: what keys of locks say. It lives as long as
 * the task. */
void coord__lock_acquire(coord_lock *lock, coord__task *task, bool wait,
                         const coord__buf *candidacy);
void coord__lock_release(coord_lock *lock, coord__task *task);
/* End what this task has begun; fine for one that has begun nothing. */
void coord__lock_end(coord_lock *lock, coord__task *task, coord_code code, const char *why);
/* Of all kinds the plainest, whatever the options say; before its first acquire. Any thread. */
void coord__lock_for_election(coord_lock *lock);
/* The memory; any thread. */
void coord__lock_retain(coord_lock *lock);
void coord__lock_let_go(coord_lock *lock);
coord__teller *coord__lock_teller(coord_lock *lock);

#endif
