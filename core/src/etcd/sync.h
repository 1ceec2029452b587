/* Endpoints from the list of the cluster's members. */
#ifndef COORD_ETCD_SYNC_H
#define COORD_ETCD_SYNC_H

#include "coord/client.h"
#include "rpc/rpc.h"

typedef struct coord__sync {
  coord_client *client;
  int64_t interval_ns; /* 0: never */
  coord__job first;
  /* I/O thread only. */
  coord__timer timer;
  coord__call call;
  int64_t called_ns;
  coord_code told; /* what the log was told last; not again until it changes */
} coord__sync;

void coord__sync_init(coord__sync *sync, coord_client *c, int64_t interval_ms);
/* Begin, if the interval says so. Any thread. */
void coord__sync_start(coord__sync *sync);
/* I/O thread, before the rpc is closed. */
void coord__sync_stop(coord__sync *sync);

/* The function of coord_client_sync_endpoints, without the checks. */
coord_code coord__client_sync_endpoints(coord_client *c, int32_t timeout_ms, coord_error **err);

/* For the tests: what members announce as endpoints, those with TLS or those without; `secure`: the
 * present ones are with TLS. COORD_NOT_FOUND, COORD_TLS, COORD_NO_MEMORY, COORD_PROTOCOL. */
coord_code coord__sync_read(const uint8_t *bytes, size_t len, bool secure, coord__endpoints *out,
                            coord_error **err);

#endif
