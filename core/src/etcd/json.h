/* Answers that are handed out as JSON text. */
#ifndef COORD_ETCD_JSON_H
#define COORD_ETCD_JSON_H

#include "base/arena.h"
#include "etcd.pb-c.h"

/* The text lies in the arena; NULL when memory is out. Every field of the message is there, also
 * one that is zero; 64-bit numbers are decimal strings, ids are hexadecimal strings. */
const char *coord__json_status(const Etcdserverpb__StatusResponse *status, coord__arena *arena);
const char *coord__json_members(const Etcdserverpb__MemberListResponse *members,
                                coord__arena *arena);
const char *coord__json_auth_status(const Etcdserverpb__AuthStatusResponse *status,
                                    coord__arena *arena);
/* The names under `field`. */
const char *coord__json_names(const Etcdserverpb__ResponseHeader *header, const char *field,
                              char *const *names, size_t count, coord__arena *arena);
const char *coord__json_lease(const Etcdserverpb__ResponseHeader *header, int64_t id, int64_t ttl,
                              coord__arena *arena);
/* Of the keys those in `kvs`. */
const char *coord__json_lease_info(const Etcdserverpb__LeaseTimeToLiveResponse *info,
                                   Etcdserverpb__KeyValue *const *kvs, size_t kv_count,
                                   coord__arena *arena);
const char *coord__json_lease_list(const Etcdserverpb__LeaseLeasesResponse *list,
                                   coord__arena *arena);
/* Keys are base64, as in etcd's own JSON. */
const char *coord__json_permissions(const Etcdserverpb__AuthRoleGetResponse *role,
                                    coord__arena *arena);

#endif
