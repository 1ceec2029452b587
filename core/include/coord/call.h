/* Executing ops: wait for one, start one, pipeline many. */
#ifndef COORD_CALL_H
#define COORD_CALL_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * timeout_ms, everywhere: > 0 is the deadline of the whole call, retries and connecting included;
 * 0 means the client's request.timeout.ms; -1 means no deadline. Others are COORD_INVALID.
 *
 * Codes of every executed op: COORD_OK, COORD_INVALID, COORD_TIMEOUT, COORD_UNAVAILABLE, COORD_AUTH,
 * COORD_COMPACTED, COORD_NOT_FOUND, COORD_CONFLICT, COORD_TOO_LARGE, COORD_CANCELED, COORD_CLOSED,
 * COORD_FORKED, COORD_PROTOCOL, COORD_NO_MEMORY, COORD_UNSUPPORTED, COORD_EXHAUSTED, COORD_INTERNAL.
 * A write that failed with COORD_MAYBE_APPLIED in its error's flags may have taken effect.
 */

/**
 * Execute an op and wait for its result.
 *
 * @param out  [out,opt] owned by the caller, coord_result_free
 * @threads any; many threads may call at once on one client   @blocks up to timeout_ms
 * @since 0.1
 */
COORD_API coord_code coord_call(coord_client *client, const coord_op *op, int32_t timeout_ms,
                                coord_result **out, coord_error **err);

/**
 * Start an op. When COORD_OK is returned, exactly one COORD_EVENT_RESULT with `tag` arrives at the
 * queue, never before this function has set *call_id; otherwise none does.
 *
 * @param tag      the caller's, returned with the event, not interpreted
 * @param call_id  [out,opt] for coord_cancel; never 0, never reused by this client
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_submit(coord_client *client, const coord_op *op, int32_t timeout_ms,
                                  coord_queue *queue, uint64_t tag, uint64_t *call_id,
                                  coord_error **err);

/**
 * Start independent ops, all at once, so that they go out together: each as coord_submit does it, with
 * the tags `tag`, `tag` + 1 and so on. All of them are started, or none. What this thread can do of it
 * without waiting is done by it: one call at a time costs no way over the I/O thread either.
 *
 * @param call_ids  [out,opt] array of n, for coord_cancel
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_submit_many(coord_client *client, const coord_op *const *ops, size_t n,
                                       int32_t timeout_ms, coord_queue *queue, uint64_t tag,
                                       uint64_t *call_ids, coord_error **err);

/**
 * Cancel a submitted call: its event arrives, with COORD_CANCELED unless it was faster. A cancelled
 * write may have been applied (COORD_MAYBE_APPLIED says so). One that has finished is left alone.
 *
 * @return COORD_OK, COORD_INVALID (an id that this client never gave), COORD_CLOSED, COORD_FORKED
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_cancel(coord_client *client, uint64_t call_id);

/**
 * Execute independent ops, all at once, and wait for them all. Nothing is atomic among them and
 * no order is promised; all are tried whatever happens to the others.
 *
 * @param results  [out,opt] array of n: results[i] belongs to ops[i], NULL where it failed; each
 *                 owned by the caller
 * @param codes    [out,opt] array of n
 * @param err      [out,opt] the error of the failed op with the lowest index
 * @return COORD_OK when all succeeded, else the code of the failed op with the lowest index;
 *         COORD_INVALID before anything was sent when an op is invalid
 * @threads any   @blocks up to timeout_ms   @since 0.1
 */
COORD_API coord_code coord_call_many(coord_client *client, const coord_op *const *ops, size_t n,
                                     int32_t timeout_ms, coord_result **results, coord_code *codes,
                                     coord_error **err);

/* What every program does, in one line each: coord_call at the client's default timeout. */

/** Put one key. @blocks up to request.timeout.ms   @threads any   @since 0.1 */
COORD_API coord_code coord_put(coord_client *client, const void *key, size_t key_len,
                               const void *value, size_t value_len, coord_error **err);
/** Get one key: coord_result_count is 0 or 1. @blocks, @threads as above   @since 0.1 */
COORD_API coord_code coord_get(coord_client *client, const void *key, size_t key_len,
                               coord_result **out, coord_error **err);
/** Delete one key; `deleted` [out,opt] is 0 or 1. @blocks, @threads as above   @since 0.1 */
COORD_API coord_code coord_delete(coord_client *client, const void *key, size_t key_len,
                                  int64_t *deleted, coord_error **err);

#ifdef __cplusplus
}
#endif

#endif
