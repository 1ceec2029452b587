/* A queue: where completions and changes arrive, once, in order, with one pollable descriptor. */
#ifndef COORD_QUEUE_H
#define COORD_QUEUE_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Open a queue. It belongs to no client: any number of clients and handles may use it.
 *
 * @param out  [out] owned by the caller, coord_queue_free
 * @return COORD_OK, COORD_INVALID, COORD_EXHAUSTED (no file descriptor left), COORD_NO_MEMORY
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_queue_open(coord_queue **out, coord_error **err);

/**
 * A descriptor that is readable while events wait (level-triggered), for poll, epoll, kqueue-like
 * loops, asyncio and so on. Never read, write or close it. It may be readable without an event.
 *
 * @return >= 0; -1 for NULL or after fork   @threads any   @blocks no   @since 0.1
 */
COORD_API int coord_queue_fd(coord_queue *queue);

/**
 * Take the oldest event.
 *
 * @param timeout_ms  0 looks once; > 0 waits that long; -1 waits until there is one
 * @return owned by the caller, coord_event_free; NULL when none came, coord_queue_wake was called,
 *         the queue is being freed, or after fork
 * @threads any; several may wait, each event goes to one   @blocks up to timeout_ms   @since 0.1
 */
COORD_API coord_event *coord_queue_next(coord_queue *queue, int32_t timeout_ms);

/**
 * Take up to `max` events that are there now.
 *
 * @param out  [out] array of `max`; each event is owned by the caller
 * @return how many   @threads any   @blocks no   @since 0.1
 */
COORD_API size_t coord_queue_drain(coord_queue *queue, coord_event **out, size_t max);

/**
 * Make every coord_queue_next that waits now, or else the next one to wait, return NULL.
 *
 * @threads any   @blocks no   @since 0.1
 */
COORD_API void coord_queue_wake(coord_queue *queue);

/**
 * Drop the caller's reference. Events that wait in it, or arrive later, are discarded.
 *
 * @param queue  may be NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API void coord_queue_free(coord_queue *queue);

#ifdef __cplusplus
}
#endif

#endif
