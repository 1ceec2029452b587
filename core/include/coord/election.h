/* Elections: one of many leads, and all know who. */
#ifndef COORD_ELECTION_H
#define COORD_ELECTION_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * An election is a queue of keys under its name: NAME/<id of a lease in hexadecimal>, each with what its
 * candidate proclaims, as Go's concurrency package, etcdctl elect and the server's election service
 * write them. Whose key is the oldest leads.
 *
 * Options: lock.ttl.s, lock.lease and lock.lease.id, as for locks (coord/lock.h): who leads, leads on
 * after a restart by campaigning with the lease of its key. The queue reports, with the tag:
 *
 *   COORD_EVENT_ACQUIRED  this candidate leads; coord_event_revision is its token
 *   COORD_EVENT_AT_RISK, COORD_EVENT_RESTORED, COORD_EVENT_LOST, COORD_EVENT_CLOSED  as for locks
 *   COORD_EVENT_CHANGES   with coord_election_observe
 */

/**
 * Open an election. Nothing is sent yet.
 *
 * @param name  not empty; without the slash that follows it in keys. The rest as for coord_lock_open
 * @return as for coord_lock_open
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_election_open(coord_client *client, const void *name, size_t name_len,
                                         const coord_options *options, coord_queue *queue,
                                         uint64_t tag, coord_election **out, coord_error **err);

/**
 * An op that waits until this candidate leads; its key says `value` from the beginning. Of its result
 * coord_result_revision is the token. By one that leads already it proclaims. Codes as for
 * coord_op_acquire.
 *
 * @return owned by the caller; NULL when memory is out, or election is NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_op *coord_op_campaign(coord_election *election, const void *value,
                                      size_t value_len);
/**
 * An op by which the leader says something else. COORD_NOT_HELD: it does not lead, or not any more;
 * COORD_LOST: by the answer it does not, and another could. @since 0.1
 */
COORD_API coord_op *coord_op_proclaim(coord_election *election, const void *value,
                                      size_t value_len);
/** An op by which the leader leads no more; as coord_op_release. @since 0.1 */
COORD_API coord_op *coord_op_resign(coord_election *election);
/**
 * An op that asks who leads: one key-value, whose value is what it proclaims, whose create_revision is
 * its token and whose lease_id is its lease; none when nobody leads. It needs no handle. @since 0.1
 */
COORD_API coord_op *coord_op_leader(const void *name, size_t name_len);

/**
 * Tell the queue of each leader and of what it proclaims: COORD_EVENT_CHANGES with one change, a put of
 * the leader's key; a delete without a key when nobody leads. It begins with how things stand, and goes
 * on through compactions and lost connections. One that waits in the queue is replaced by the next: what
 * is read there is how things stand.
 *
 * @return COORD_OK, again too; COORD_INVALID: the election was opened without a queue; COORD_FORKED
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_election_observe(coord_election *election, coord_error **err);

/** Whether this candidate leads; as coord_lock_is_held. @threads any   @blocks no   @since 0.1 */
COORD_API int coord_election_is_leader(const coord_election *election);
/** As coord_lock_token. @threads any   @blocks no   @since 0.1 */
COORD_API int64_t coord_election_token(const coord_election *election);
/** As coord_lock_remaining_ms. @threads any   @blocks no   @since 0.1 */
COORD_API int64_t coord_election_remaining_ms(const coord_election *election);
/** The key by which it leads, as coord_lock_key. @threads any   @blocks no   @since 0.1 */
COORD_API coord_code coord_election_key(const coord_election *election, coord_kv *out);
/** Add to a txn that this candidate leads; as coord_op_if_held. @since 0.1 */
COORD_API coord_code coord_op_if_leader(coord_op *txn, const coord_election *election);

/**
 * Drop the handle, and resign in the background; as coord_lock_free.
 *
 * @param election  may be NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API void coord_election_free(coord_election *election);

#ifdef __cplusplus
}
#endif

#endif
