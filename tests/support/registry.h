/* Registries in tests. */
#ifndef COORD_TEST_REGISTRY_H
#define COORD_TEST_REGISTRY_H

#include "support/etcd.h"

/* One whose prefix is that of the case; more options: name, value, ..., NULL. Ends the case on failure. */
coord_registry *t_registry(coord_client *client, ...) __attribute__((sentinel));
/* "t/<case id>/<rest>". */
char *t_service_key(char key[t_key_size], const char *rest);

/* An instance with the name "web", this id, and a port; ends the case when it is refused. */
coord_registration *t_register(coord_registry *registry, const char *id, int64_t ttl_s,
                               coord_queue *queue, uint64_t tag);
/* How an op on a registration ends, which is freed. */
coord_code t_ends(coord_client *client, coord_op *op, int32_t timeout_ms);
/* The next event, others than CLOSED, LOST, RESTORED, ACQUIRED are passed over, is of this type and tag. */
bool t_registration_told(coord_queue *queue, int timeout_ms, int32_t type, uint64_t tag,
                         coord_code code);
/* The ids of a service by the server, as "a b c". */
const char *t_discovered(coord_client *client, coord_registry *registry, const char *service);

#endif
