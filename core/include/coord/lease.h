/* Leases: ops on them, and leases that a client keeps alive by itself. */
#ifndef COORD_LEASE_H
#define COORD_LEASE_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Ops as in coord/op.h, to be executed by coord_call or coord_submit; none can be part of a txn. What
 * is wrong is answered with COORD_INVALID at execution. @since 0.1 for all.
 */

/**
 * Make a lease, which ends after ttl_s seconds unless it is kept alive. The server may grant more.
 * Answer: coord_result_lease_id, coord_result_ttl_s.
 *
 * @param ttl_s     1 to 9,000,000,000
 * @param lease_id  0: one that is free, chosen anew at each execution; such a grant is repeated
 *                  safely when an answer was lost, and makes one lease. Otherwise this one, which is
 *                  COORD_CONFLICT if it exists; with COORD_MAYBE_APPLIED it may be from this very call
 */
COORD_API coord_op *coord_op_lease_grant(int64_t ttl_s, int64_t lease_id);
/** End a lease and delete all keys attached to it. COORD_NOT_FOUND when there is none. */
COORD_API coord_op *coord_op_lease_revoke(int64_t lease_id);
/** Give a lease its whole TTL again, once: coord_result_ttl_s. COORD_NOT_FOUND when there is none. */
COORD_API coord_op *coord_op_lease_keepalive(int64_t lease_id);
/**
 * Ask what is left of a lease: coord_result_ttl_s, which is -1 when there is no such lease, and
 * coord_result_granted_ttl_s. Its keys are those of the result's key-values, in byte order and
 * without values; a client with a namespace sees those in it.
 *
 * @param with_keys  1: and the keys attached to it
 */
COORD_API coord_op *coord_op_lease_info(int64_t lease_id, int with_keys);
/** List all leases (coord_result_leases, coord_result_lease). */
COORD_API coord_op *coord_op_lease_list(void);

/*
 * A lease that is kept alive: by the client, on a connection that serves nothing else, a third of the
 * TTL after the last time, whatever the program does. Its queue reports, with the lease's tag:
 *
 *   COORD_EVENT_ACQUIRED  only after coord_lease_start: it is kept alive now
 *   COORD_EVENT_AT_RISK   a renewal is overdue: two thirds of the time have passed, or the server
 *                         refuses it (coord_event_error says why); the client goes on trying
 *   COORD_EVENT_RESTORED  after AT_RISK: all is well again
 *   COORD_EVENT_LOST      it is gone: the server says so, or its time is up by this host's clock.
 *                         Whoever may have taken its place is told no earlier than this
 *   COORD_EVENT_CLOSED    the last one, exactly one: after LOST, after coord_lease_close, or when the
 *                         client was closed; coord_event_code tells which (LOST, OK, CLOSED)
 *
 * Each is waiting once at most: a program that does not read its queue costs no memory and no lease.
 * The time that is left is counted from when the last renewal that was answered had been sent, on the
 * clock that goes on while the host is suspended. A process that was stopped for longer than that is
 * told LOST before it sends or receives anything.
 */

/**
 * Make a lease and keep it alive.
 *
 * @param ttl_s       1 to 9,000,000,000; the server may grant more (coord_lease_ttl_s)
 * @param timeout_ms  for the grant; as for coord_call
 * @param queue       gets the events; NULL: nobody, and coord_lease_remaining_ms is the way to know
 * @param tag         comes back with every event
 * @param out         [out] owned by the caller, coord_lease_free
 * @return COORD_OK, what coord_call of a grant may answer, COORD_INVALID, COORD_FORKED
 * @threads any   @blocks up to timeout_ms   @since 0.1
 */
COORD_API coord_code coord_lease_open(coord_client *client, int64_t ttl_s, int32_t timeout_ms,
                                      coord_queue *queue, uint64_t tag, coord_lease **out,
                                      coord_error **err);

/**
 * Keep a lease alive that exists already: granted by an op, or by a process before this one. It is
 * kept alive once before this returns.
 *
 * @return COORD_OK; COORD_NOT_FOUND: there is no such lease; COORD_CONFLICT: this client keeps it
 *         already; the others as for coord_lease_open
 * @threads any   @blocks up to timeout_ms   @since 0.1
 */
COORD_API coord_code coord_lease_adopt(coord_client *client, int64_t lease_id, int32_t timeout_ms,
                                       coord_queue *queue, uint64_t tag, coord_lease **out,
                                       coord_error **err);

/**
 * Begin to open a lease (lease_id 0) or to adopt the one of this id, without waiting. The queue then gets
 * COORD_EVENT_ACQUIRED when the lease is kept alive; or COORD_EVENT_CLOSED, which then is the only event,
 * with the code of what coord_lease_open or coord_lease_adopt would return. Until then
 * coord_lease_close answers COORD_CONFLICT, and coord_lease_free gives it up: a lease that the server
 * grants nevertheless ends with its time.
 *
 * @param ttl_s       as for coord_lease_open; of no meaning with a lease_id
 * @param timeout_ms  until one of the two events comes; as for coord_call
 * @param queue       as for coord_lease_open, but not NULL
 * @return COORD_OK, COORD_INVALID, COORD_CLOSED, COORD_FORKED, COORD_NO_MEMORY
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_lease_start(coord_client *client, int64_t ttl_s, int64_t lease_id,
                                       int32_t timeout_ms, coord_queue *queue, uint64_t tag,
                                       coord_lease **out, coord_error **err);

/** Its id, for COORD_OP_LEASE; 0 for NULL. @threads any   @since 0.1 */
COORD_API int64_t coord_lease_id(const coord_lease *lease);
/** The TTL that the server has granted, in seconds; 0 for NULL. @threads any   @since 0.1 */
COORD_API int64_t coord_lease_ttl_s(const coord_lease *lease);

/**
 * How long the lease lives at least, by this host's clock and without asking anybody. 0: act as if it
 * is lost; once 0 it stays 0, and LOST follows. 0 too for NULL, in a forked child, and once
 * coord_lease_close was called.
 *
 * @threads any   @blocks no   @since 0.1
 */
COORD_API int64_t coord_lease_remaining_ms(const coord_lease *lease);

/**
 * Revoke the lease, and with it all keys attached to it. From then on it is not kept alive, also when
 * this fails. A lease that is gone is fine; so is a second call.
 *
 * @param timeout_ms  as for coord_call
 * @return COORD_OK, what coord_call of a revoke may answer, COORD_FORKED, COORD_CLOSED
 * @threads any   @blocks up to timeout_ms   @since 0.1
 */
COORD_API coord_code coord_lease_close(coord_lease *lease, int32_t timeout_ms, coord_error **err);

/**
 * Drop the handle. A lease that was not closed is kept alive no longer, and ends with its time. No
 * event of it comes out of the queue any more, not even one that waits there.
 *
 * @param lease  may be NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API void coord_lease_free(coord_lease *lease);

#ifdef __cplusplus
}
#endif

#endif
