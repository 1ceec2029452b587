/* The handle of a lease that is kept alive: making, events, revoking. Same contracts as in coord/lease.h,
 * without the checks of arguments. */
#ifndef COORD_COORD_LEASE_HANDLE_H
#define COORD_COORD_LEASE_HANDLE_H

#include "coord/lease.h"
#include "etcd/client.h"

coord_code coord__lease_open(coord_client *c, int64_t ttl_s, int32_t timeout_ms, coord_queue *queue,
                             uint64_t tag, coord_lease **out, coord_error **err);
coord_code coord__lease_adopt(coord_client *c, int64_t lease_id, int32_t timeout_ms,
                              coord_queue *queue, uint64_t tag, coord_lease **out,
                              coord_error **err);
coord_client *coord__lease_client(const coord_lease *l);
int64_t coord__lease_id(const coord_lease *l);
int64_t coord__lease_ttl_s(const coord_lease *l);
int64_t coord__lease_remaining_ms(const coord_lease *l);
coord_code coord__lease_close(coord_lease *l, int32_t timeout_ms, coord_error **err);
void coord__lease_free(coord_lease *l);

#endif
