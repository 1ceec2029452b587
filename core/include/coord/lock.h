/* Locks that are safe to build on: fair, fenced, told when they are lost. */
#ifndef COORD_LOCK_H
#define COORD_LOCK_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A lock is a queue of keys under its name: NAME/<id of a lease in hexadecimal>, as Go's concurrency
 * package, etcdctl lock and the server's lock service write them; all of these exclude each other on one
 * name. Who stands first, in the order of creation, holds the lock; each waits for the one before it.
 * docs/LOCKS.md has the layout of each kind.
 *
 * Two handles exclude each other, in one process as in two. A handle holds a lock once; it can be
 * acquired and released any number of times.
 *
 * Options (coord_options_set; those of the client when none are given):
 *
 *   lock.kind       mutex; read or write (readers share, a writer excludes all; a mutex is a writer);
 *                   semaphore: as many at once as lock.permits
 *   lock.permits    of a semaphore; all contenders should say the same
 *   lock.ttl.s      how long the lock outlives its holder's death
 *   lock.lease      shared: all locks of the client with this TTL are kept alive by one lease;
 *                   own: each has a lease of its own
 *   lock.reentrant  true: acquiring what this handle holds counts, and as many releases let it go;
 *                   false: it is COORD_CONFLICT
 *   lock.delay.ms   after a holder was lost, not released, nobody who states this gets the lock for so
 *                   long: time for what the lost one still has on the way
 *   lock.owner      a text for those who look at the queue
 *
 * The queue of the handle reports, with its tag:
 *
 *   COORD_EVENT_ACQUIRED  it is held, coord_event_revision is the token
 *   COORD_EVENT_AT_RISK   its lease was not renewed for two thirds of its time; it is held still
 *   COORD_EVENT_RESTORED  after AT_RISK: all is well again
 *   COORD_EVENT_LOST      it is held no more, although it was not released: its lease has ended, or
 *                         somebody has deleted its key. Told at the latest when the next one may hold it
 *   COORD_EVENT_CLOSED    the last one, when the client was closed
 *
 * Each is waiting once at most.
 */

/**
 * Open a lock. Nothing is sent yet.
 *
 * @param name     not empty; without the slash that follows it in keys
 * @param options  copied; NULL: those of the client
 * @param queue    gets the events; NULL: nobody, and coord_lock_is_held is the way to know
 * @param out      [out] owned by the caller, coord_lock_free
 * @return COORD_OK, COORD_INVALID, COORD_CLOSED, COORD_FORKED, COORD_NO_MEMORY
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_lock_open(coord_client *client, const void *name, size_t name_len,
                                     const coord_options *options, coord_queue *queue, uint64_t tag,
                                     coord_lock **out, coord_error **err);

/**
 * Open several locks as one: all are held, or none. They are acquired in the order of their names, so
 * that no two that want some of the same wait for each other in a circle.
 *
 * @param names      not empty, each another one
 * @param name_lens  of each
 * @param count      1 to 64
 * @return as for coord_lock_open
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_lock_open_many(coord_client *client, const void *const *names,
                                          const size_t *name_lens, size_t count,
                                          const coord_options *options, coord_queue *queue,
                                          uint64_t tag, coord_lock **out, coord_error **err);

/**
 * An op that acquires the lock, for coord_call and coord_submit on the same client. The deadline bounds
 * the wait: a negative timeout waits for as long as it takes. Of its result coord_result_revision is
 * the token. Waiting that ends early, by the deadline or by coord_cancel, leaves the queue.
 *
 * COORD_CONFLICT: it is held by another (with `wait` 0), or this handle holds it, or waits for it,
 * already. COORD_LOST: the lease ended meanwhile, or somebody deleted the key. COORD_TIMEOUT.
 *
 * @param wait  1: until it is free; 0: only if it is free at once
 * @return owned by the caller; NULL when memory is out, or lock is NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_op *coord_op_acquire(coord_lock *lock, int wait);

/**
 * An op that releases the lock. From when it starts the lock does not count as held. When no answer
 * comes until the deadline it goes on being released in the background.
 *
 * COORD_NOT_HELD: it is not held. COORD_LOST: it was lost before. @since 0.1
 */
COORD_API coord_op *coord_op_release(coord_lock *lock);

/**
 * An op that gives the lock's lease its whole TTL again at once: coord_result_ttl_s. COORD_NOT_HELD: it
 * is not held, or not any more; COORD_LOST: by the answer the lease is gone, or the lock was lost
 * meanwhile. @since 0.1
 */
COORD_API coord_op *coord_op_lock_renew(coord_lock *lock);

/**
 * An op that lists the queue of a name, the oldest first: coord_result_kv, of which lease_id is whose it
 * is and the value what docs/LOCKS.md says. It needs no handle. @since 0.1
 */
COORD_API coord_op *coord_op_lock_queue(const void *name, size_t name_len);

/**
 * Add to a txn that the lock is held: it does nothing once another could hold it, whatever this host
 * believes. With several names: all of them.
 *
 * @return COORD_OK; COORD_NOT_HELD: it is not held now, which also fails the txn; COORD_INVALID
 * @since 0.1
 */
COORD_API coord_code coord_op_if_held(coord_op *txn, const coord_lock *lock);

/**
 * Whether it is held: 0 as soon as its lease could have ended by this host's clock. Without asking
 * anybody. 0 too for NULL, in a forked child, and once a release has begun.
 *
 * @threads any   @blocks no   @since 0.1
 */
COORD_API int coord_lock_is_held(const coord_lock *lock);
/**
 * The fencing token: each holder's is greater than that of those before. To be handed to whatever the
 * lock protects, which refuses one that is smaller than the greatest that it has seen. 0: not held.
 * With several names it is that of the first in the order of names.
 *
 * @threads any   @blocks no   @since 0.1
 */
COORD_API int64_t coord_lock_token(const coord_lock *lock);
/**
 * How long it is held at least if nobody is heard of any more; 0: it is not. As coord_lock_is_held.
 *
 * @threads any   @blocks no   @since 0.1
 */
COORD_API int64_t coord_lock_remaining_ms(const coord_lock *lock);
/**
 * The key by which it is held.
 *
 * @param i    which of its names, from 0, in their order
 * @param out  [out] key and lease_id, create_revision is the token; borrowed until the handle is freed
 *             or acquires again
 * @return COORD_OK, COORD_INVALID, COORD_NOT_HELD
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_lock_key(const coord_lock *lock, size_t i, coord_kv *out);

/**
 * Drop the handle. What it holds is released, and what it waits for given up, in the background; as far
 * as the client is not closed before that: then it ends with its lease.
 *
 * @param lock  may be NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API void coord_lock_free(coord_lock *lock);

#ifdef __cplusplus
}
#endif

#endif
