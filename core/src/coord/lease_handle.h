/* The handle of a lease that is kept alive: making, events, revoking. Same contracts as in coord/lease.h,
 * without the checks of arguments. */
#ifndef COORD_COORD_LEASE_HANDLE_H
#define COORD_COORD_LEASE_HANDLE_H

#include "coord/lease.h"
#include "etcd/client.h"

/* As ttl_s: it is one to be adopted, also with lease_id 0, which is then refused. */
#define COORD__LEASE_ADOPTED INT64_MIN

/* coord_lease_open (lease_id 0) or coord_lease_adopt; without `wait` coord_lease_start. */
coord_code coord__lease_open(coord_client *c, int64_t ttl_s, int64_t lease_id, int32_t timeout_ms,
                             bool wait, coord_queue *queue, uint64_t tag, coord_lease **out,
                             coord_error **err);
coord_client *coord__lease_client(const coord_lease *l);
int64_t coord__lease_id(const coord_lease *l);
int64_t coord__lease_ttl_s(const coord_lease *l);
int64_t coord__lease_remaining_ms(const coord_lease *l);
coord_code coord__lease_close(coord_lease *l, int32_t timeout_ms, coord_error **err);
void coord__lease_free(coord_lease *l);

#endif
