/* Locks that wait and are lost: with tags, by what their queue tells, and by what stands in theirs. */
#ifndef COORD_TEST_LOCK_QUEUE_H
#define COORD_TEST_LOCK_QUEUE_H

#include "support/lock.h"

/* A lock with options: name, value, ..., NULL. Ends the case when it fails. */
coord_lock *t_lock_tagged(coord_client *client, const char *name, coord_queue *queue, uint64_t tag,
                          ...) __attribute__((sentinel));

/* An acquire that waits, whose RESULT goes to the queue with this tag; the id of the call. */
uint64_t t_begin_acquire(coord_client *client, coord_lock *lock, coord_queue *queue, uint64_t tag);

/* The next RESULT with this tag, other events are passed over: its code; the token goes to `token`
 * unless that is NULL. A failure, and COORD_INTERNAL, when there is none in time. */
coord_code t_acquired(coord_queue *queue, uint64_t tag, int timeout_ms, int64_t *token);
/* Until the queue tells this of a handle, other events are passed over; false when it does not. */
bool t_lock_told(coord_queue *queue, int32_t type, uint64_t tag, int timeout_ms);

/* Until there are so many; false, and a failure, when it takes longer. */
bool t_queue_becomes(coord_client *client, const char *name, int count, int timeout_ms);
/* The i-th of them, its key copied to `key` and NUL-terminated; false when there is none. */
bool t_queue_at(coord_client *client, const char *name, size_t i, coord_kv *kv, char key[160]);

#endif
