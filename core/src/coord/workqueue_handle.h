/* The handle of a queue of work. Same contracts as in coord/workqueue.h, without the checks. */
#ifndef COORD_COORD_WORKQUEUE_HANDLE_H
#define COORD_COORD_WORKQUEUE_HANDLE_H

#include "coord/work_ops.h"
#include "coord/workqueue.h"
#include "etcd/client.h"
#include "etcd/op.h"

coord_code coord__workqueue_open(coord_client *c, const void *name, size_t name_len,
                                 const coord_options *options, coord_queue *queue, uint64_t tag,
                                 coord_workqueue **out, coord_error **err);
void coord__workqueue_free(coord_workqueue *w);
coord_op *coord__op_work_put(const void *name, size_t name_len, const void *value,
                             size_t value_len);
coord_op *coord__op_work_take(coord_workqueue *w, bool wait);
/* The end of what was taken: done, or returned. */
coord_op *coord__op_work_end(coord_workqueue *w, bool done, const void *key, size_t key_len,
                             int64_t token);
coord_code coord__op_then_done(coord_op *txn, const coord_workqueue *w, const void *key,
                               size_t key_len, int64_t token);
int64_t coord__workqueue_remaining_ms(const coord_workqueue *w, int64_t token);

/* ---- for the ops that end what was taken ---- */

const coord__work_names *coord__workqueue_names(const coord_workqueue *w);
coord_client *coord__workqueue_client(const coord_workqueue *w);
/* I/O thread. */
bool coord__workqueue_is_freed(const coord_workqueue *w);
/* The memory; any thread. */
void coord__workqueue_retain(coord_workqueue *w);
void coord__workqueue_release(coord_workqueue *w);

#endif
