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
 * Options: lock.ttl.s and lock.lease, as for locks. The queue reports, with the tag:
 *
 *   COORD_EVENT_ACQUIRED  this candidate leads; coord_event_revision is its token
 *   COORD_EVENT_AT_RISK, COORD_EVENT_RESTORED, COORD_EVENT_LOST, COORD_EVENT_CLOSED  as for locks
 *   COORD_EVENT_CHANGES   with coord_election_observe
 */

/** Open an election. As coord_lock_open. @threads any   @blocks no   @since 0.1 */
COORD_API coord_code coord_election_open(coord_client *client, const void *name, size_t name_len,
                                         const coord_options *options, coord_queue *queue,
                                         uint64_t tag, coord_election **out, coord_error **err);

/**
 * An op that waits until this candidate leads, and proclaims `value`. Codes as for coord_op_acquire.
 * Of its result coord_result_revision is the token. By one that leads already: it proclaims.
 */
COORD_API coord_op *coord_op_campaign(coord_election *election, const void *value,
                                      size_t value_len);
/** An op by which the leader says something else. COORD_NOT_HELD: it does not lead; COORD_LOST. */
COORD_API coord_op *coord_op_proclaim(coord_election *election, const void *value,
                                      size_t value_len);
/** An op by which the leader leads no more. COORD_NOT_HELD, COORD_LOST. */
COORD_API coord_op *coord_op_resign(coord_election *election);
/**
 * An op that asks who leads: one key-value, whose value it has proclaimed and whose create_revision is
 * its token; none when nobody leads. It needs no handle.
 */
COORD_API coord_op *coord_op_leader(const void *name, size_t name_len);

/**
 * Lead on after a restart: with the lease that the process before this one led with, if it is alive.
 *
 * @param lease_id  of the key of the leader (coord_op_leader); kept alive from now on
 * @return COORD_OK; COORD_NOT_FOUND: there is no such lease, or it does not lead; as coord_election_open
 * @threads any   @blocks up to timeout_ms   @since 0.1
 */
COORD_API coord_code coord_election_resume(coord_election *election, int64_t lease_id,
                                           int32_t timeout_ms, coord_error **err);

/**
 * Tell the queue of each leader, and of all that it proclaims: COORD_EVENT_CHANGES with one change, a
 * put; a delete when nobody leads. It begins with who leads now, and goes on through compactions and
 * lost connections; what was said meanwhile may be left out, but never what is true in the end.
 *
 * @return COORD_OK; COORD_INVALID: it has no queue; COORD_CONFLICT: it observes already
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_election_observe(coord_election *election, coord_error **err);

/** Whether this candidate leads; as coord_lock_is_held. */
COORD_API int coord_election_is_leader(const coord_election *election);
/** As coord_lock_token. */
COORD_API int64_t coord_election_token(const coord_election *election);
/** As coord_lock_remaining_ms. */
COORD_API int64_t coord_election_remaining_ms(const coord_election *election);
/** Add to a txn that this candidate leads; as coord_op_if_held. */
COORD_API coord_code coord_op_if_leader(coord_op *txn, const coord_election *election);

/** Drop the handle, and resign in the background; as coord_lock_free. */
COORD_API void coord_election_free(coord_election *election);

#ifdef __cplusplus
}
#endif

#endif
