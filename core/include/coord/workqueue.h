/* Queues of work: each item is done once, and that of a worker that died returns to its place. */
#ifndef COORD_WORKQUEUE_H
#define COORD_WORKQUEUE_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The items of a queue are all keys under NAME/, the oldest by its creation first, as in Go's recipe
 * Queue. A worker takes one by a key of its own beside it, NAME.taken/<item>, which hangs on a lease:
 * when the worker dies that key goes, and the item is there for others again. Done is what deletes both,
 * in one transaction that does nothing once another could have taken the item. docs/RECIPES.md has more.
 *
 * Options: lock.ttl.s, for how long what a dead worker has taken is out of reach. Each handle has a lease
 * of its own, whatever lock.lease says. The queue of the handle reports, with its tag:
 *
 *   COORD_EVENT_AT_RISK   the lease was not renewed for two thirds of its time
 *   COORD_EVENT_RESTORED  after AT_RISK: all is well again
 *   COORD_EVENT_LOST      the lease has ended: all that was taken before may be taken by others
 *   COORD_EVENT_CLOSED    the last one, when the client was closed
 */

/**
 * Open a queue of work, to take from it. Nothing is sent yet.
 *
 * @param name     not empty; without the slash that follows it in keys
 * @param options  copied; NULL: those of the client
 * @param queue    gets the events; NULL: nobody
 * @param out      [out] owned by the caller, coord_workqueue_free
 * @return COORD_OK, COORD_INVALID, COORD_CLOSED, COORD_FORKED, COORD_NO_MEMORY
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_workqueue_open(coord_client *client, const void *name, size_t name_len,
                                          const coord_options *options, coord_queue *queue,
                                          uint64_t tag, coord_workqueue **out, coord_error **err);

/**
 * An op that puts an item into a queue of work. It is a put, with all attributes of one, and may be part
 * of a txn. It needs no handle. One op is one item: after an outcome that is not known it can be executed
 * again as long as nobody can have done the item meanwhile.
 *
 * @return owned by the caller; NULL when memory is out
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_op *coord_op_work_put(const void *name, size_t name_len, const void *value,
                                      size_t value_len);

/**
 * An op that takes an item, the oldest one that nobody has taken; among many who take at once not always
 * that. Its result has one key-value, the item, and coord_result_revision is the token by which it is
 * taken. Any number may be taken at once; ops on one handle are served in the order of their coming. One
 * that ends early, by the deadline or by coord_cancel, has taken nothing.
 *
 * COORD_NOT_FOUND: there is none (with `wait` 0). COORD_TIMEOUT.
 *
 * @param wait  1: until there is one; 0: only what is there
 * @return owned by the caller; NULL when memory is out, or queue is NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_op *coord_op_work_take(coord_workqueue *queue, int wait);

/**
 * An op by which an item that was taken is done, and gone. COORD_LOST: it was not taken by this token any
 * more; another may have it, or have done it. After an outcome that is not known the same op, executed
 * again, tells. @since 0.1
 *
 * @param key    of the item, as it was taken
 * @param token  the one of taking it
 */
COORD_API coord_op *coord_op_work_done(coord_workqueue *queue, const void *key, size_t key_len,
                                       int64_t token);
/** An op that gives an item back, undone, to its place. Codes as above. @since 0.1 */
COORD_API coord_op *coord_op_work_return(coord_workqueue *queue, const void *key, size_t key_len,
                                         int64_t token);
/**
 * Add to a txn that an item is done: the txn, with what it writes besides, is executed once for each
 * item, or not at all when the item is not taken by this token any more (coord_result_succeeded is 0).
 *
 * @return COORD_OK, COORD_INVALID, COORD_NO_MEMORY
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_op_then_done(coord_op *txn, const coord_workqueue *queue,
                                        const void *key, size_t key_len, int64_t token);

/**
 * How long what was taken by this token is this worker's at least, if nobody is heard of any more. 0: it
 * may be another's. Without asking anybody, so items that were done or returned count too.
 *
 * @threads any   @blocks no   @since 0.1
 */
COORD_API int64_t coord_workqueue_remaining_ms(const coord_workqueue *queue, int64_t token);

/**
 * Drop the handle. What it has taken is returned in the background; as far as the client is not closed
 * before that: then it returns when the lease has ended.
 *
 * @param queue  may be NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API void coord_workqueue_free(coord_workqueue *queue);

#ifdef __cplusplus
}
#endif

#endif
