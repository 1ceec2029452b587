/* A client: the handle to one etcd cluster. One is enough for a process and all its threads. */
#ifndef COORD_CLIENT_H
#define COORD_CLIENT_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Open a client. Unless the option connect.lazy is true, waits until one endpoint has answered,
 * for at most connect.timeout.ms per endpoint; the first client of a process starts its I/O thread.
 *
 * @param options  NULL means defaults (etcd at 127.0.0.1:2379); copied
 * @param out      [out] owned by the caller, coord_client_free
 * @return COORD_OK, COORD_INVALID (an option), COORD_UNAVAILABLE (no endpoint answered),
 *         COORD_TIMEOUT (accepted, then silent), COORD_PROTOCOL (answered, but is no etcd),
 *         COORD_UNSUPPORTED, COORD_NO_MEMORY
 * @threads any   @blocks as stated   @since 0.1
 */
COORD_API coord_code coord_client_open(const coord_options *options, coord_client **out,
                                       coord_error **err);

/**
 * What this client has done so far, as one JSON object: per method the count of calls, errors,
 * bytes and a latency histogram; connections, calls in flight, endpoints.
 *
 * @param json  [out] owned by the caller, coord_memory_free
 * @return COORD_OK, COORD_INVALID, COORD_FORKED, COORD_NO_MEMORY
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_client_stats(const coord_client *client, char **json, coord_error **err);

/**
 * Send this client's log to a queue as COORD_EVENT_LOG events instead of standard error.
 * The level is the option log.level. A queue that nobody reads keeps the newest 1,024 lines.
 *
 * @param queue  NULL means standard error again
 * @param tag    carried by each event
 * @return COORD_OK, COORD_INVALID, COORD_CLOSED, COORD_FORKED
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_client_log_to(coord_client *client, coord_queue *queue, uint64_t tag,
                                         coord_error **err);

/**
 * Say goodbye: refuse new calls, let those under way finish for at most timeout_ms, end the rest
 * with COORD_CLOSED, close the connections. Closing twice is fine.
 *
 * @param timeout_ms  0 ends them at once; -1 waits as long as their own deadlines
 * @return COORD_OK, COORD_TIMEOUT (some had to be ended), COORD_INVALID, COORD_FORKED
 * @threads any   @blocks up to timeout_ms   @since 0.1
 */
COORD_API coord_code coord_client_close(coord_client *client, int32_t timeout_ms,
                                        coord_error **err);

/**
 * Drop the caller's reference. An open client is ended first, as by close with timeout 0, but
 * without waiting: each accepted submit still gets its one event, with COORD_CLOSED.
 *
 * @param client  may be NULL
 * @threads any, also while other threads wait in a call   @blocks no   @since 0.1
 */
COORD_API void coord_client_free(coord_client *client);

#ifdef __cplusplus
}
#endif

#endif
