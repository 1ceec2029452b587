/* Leases that are kept alive, and their events. */
#ifndef COORD_TEST_LEASE_H
#define COORD_TEST_LEASE_H

#include "support/etcd.h"

/* Each ends the case when it fails. */
coord_lease *t_lease(coord_client *client, int64_t ttl_s, coord_queue *queue, uint64_t tag);

/* AT_RISK, or RESTORED after it, when something else is expected and the machine was busy just now: a
 * renewal came late. Both of the next two pass over these. */
bool t_lease_is_late(const coord_event *event, int32_t expected);
/* The next event is one of a lease, of this type, tag and code. False, and a failure, when there is
 * another or, after timeout_ms, none. Its message goes to `message`, 256 bytes, unless that is NULL. */
bool t_lease_told(coord_queue *queue, int timeout_ms, int32_t type, uint64_t tag, coord_code code,
                  char *message);
/* Nothing is told for so long. */
bool t_lease_quiet(coord_queue *queue, int ms);
/* What the server says: seconds left, -1: there is no such lease. */
int64_t t_lease_ttl(coord_client *client, int64_t id);
/* A put of a key attached to a lease. */
void t_lease_put(coord_client *client, int64_t id, const char *key);

#endif
