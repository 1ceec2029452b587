/* Locks in tests: opened, acquired and released in one line each, and what is left of them. */
#ifndef COORD_TEST_LOCK_H
#define COORD_TEST_LOCK_H

#include "support/etcd.h"

/* A lock with options: name, value, ..., NULL. Ends the case when it fails. */
coord_lock *t_lock_with(coord_client *client, const char *name, coord_queue *queue, uint64_t tag,
                        ...) __attribute__((sentinel));

/* The code of an acquire that waits for so long; the token goes to `token` unless that is NULL. */
coord_code t_acquire(coord_client *client, coord_lock *lock, int timeout_ms, int64_t *token);
/* Of one that does not wait. */
coord_code t_try(coord_client *client, coord_lock *lock);
coord_code t_release(coord_client *client, coord_lock *lock);
/* An acquire that waits, whose RESULT goes to the queue with this tag; the id of the call. */
uint64_t t_begin_acquire(coord_client *client, coord_lock *lock, coord_queue *queue, uint64_t tag);

/* The next RESULT with this tag, other events are passed over: its code; the token goes to `token`
 * unless that is NULL. A failure, and COORD_INTERNAL, when there is none in time. */
coord_code t_acquired(coord_queue *queue, uint64_t tag, int timeout_ms, int64_t *token);
/* Until the queue tells this of a handle, other events are passed over; false when it does not. */
bool t_lock_told(coord_queue *queue, int32_t type, uint64_t tag, int timeout_ms);

/* How many stand in the queue of a name. */
int t_queue_of(coord_client *client, const char *name);
/* Until there are so many; false, and a failure, when it takes longer. */
bool t_queue_becomes(coord_client *client, const char *name, int count, int timeout_ms);
/* The i-th of them, its key copied to `key` and NUL-terminated; false when there is none. */
bool t_queue_at(coord_client *client, const char *name, size_t i, coord_kv *kv, char key[160]);

#endif
