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

#endif
