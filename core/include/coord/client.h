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
 * Send what happens to endpoints to a queue as COORD_EVENT_STATE events: connected and lost, not
 * reachable, taken out of use and put back, the list changed. The present state of each endpoint,
 * as far as there is one, comes first. A queue that nobody reads keeps the newest 1,024.
 *
 * @param queue  NULL means no such events any more; one that is under way may still come
 * @param tag    carried by each event
 * @return COORD_OK, COORD_INVALID, COORD_CLOSED, COORD_FORKED, COORD_NO_MEMORY
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_client_states_to(coord_client *client, coord_queue *queue, uint64_t tag,
                                            coord_error **err);

/**
 * Use other endpoints from now on, for what is started after this call and for what waits. What an
 * endpoint of before carries may end there; then its connections are closed. An event of state
 * COORD_STATE_ENDPOINTS tells when it is done. Options stay as they are.
 *
 * @param endpoints  as the option "endpoints": a list, a domain, or a URL that names hosts alone
 * @return COORD_OK, COORD_INVALID (the list, or an option tls.* that it needs), COORD_CLOSED,
 *         COORD_FORKED, COORD_NO_MEMORY; then the endpoints are those of before
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_client_set_endpoints(coord_client *client, const char *endpoints,
                                                coord_error **err);

/**
 * Ask the cluster for its members and use what they announce to clients as endpoints from now on:
 * what the option endpoints.sync.interval.ms does again and again. Members that have not started,
 * learners, and members that announce nothing are left out. The scheme of what they announce
 * decides about TLS, but a client with TLS stays with TLS.
 *
 * @param timeout_ms  0 means the option request.timeout.ms; -1 none
 * @return COORD_OK, COORD_NOT_FOUND (no member announces anything of use), COORD_TLS (all of it is
 *         without TLS, and this client is with), COORD_AUTH (the user may not ask), or what else
 *         a call may give; then the endpoints are those of before
 * @threads any   @blocks up to timeout_ms   @since 0.1
 */
COORD_API coord_code coord_client_sync_endpoints(coord_client *client, int32_t timeout_ms,
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
