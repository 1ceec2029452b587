/* Locks: opening, acquiring and looking at them. */
#ifndef COORD_TEST_LOCK_H
#define COORD_TEST_LOCK_H

#include "support/etcd.h"

/* Both end the case when it fails; options as in t_options. Its tag is 7. */
coord_lock *t_lock(coord_client *client, const char *name, coord_queue *queue);
coord_lock *t_lock_with(coord_client *client, const char *name, const char *option, ...)
    __attribute__((sentinel));
/* Acquires; 0 and a failure when that ends otherwise, else the token. */
int64_t t_acquire(coord_client *client, coord_lock *lock, int32_t timeout_ms);
/* How acquiring and releasing end. */
coord_code t_acquire_ends(coord_client *client, coord_lock *lock, bool wait, int32_t timeout_ms);
coord_code t_release_ends(coord_client *client, coord_lock *lock);
/* Keys in the queue of a name. */
int t_lock_keys(coord_client *client, const char *name);
/* The queue has so many before long. */
bool t_lock_has_keys(coord_client *client, const char *name, int count);

#endif
