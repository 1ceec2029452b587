/* The result of an op: immutable, in one block of memory, safe to read from any thread. */
#ifndef COORD_RESULT_H
#define COORD_RESULT_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Getters take NULL and then answer 0 or NULL. None blocks. What they return is borrowed until the
 * result is freed. @threads any, @since 0.1 for all. */

/** Revision of the store when the op was done. */
COORD_API int64_t coord_result_revision(const coord_result *result);
/** Id of the cluster that answered. */
COORD_API uint64_t coord_result_cluster_id(const coord_result *result);
/** Id of the member that answered. */
COORD_API uint64_t coord_result_member_id(const coord_result *result);
/** Raft term of the member that answered. */
COORD_API uint64_t coord_result_raft_term(const coord_result *result);
/** txn: 1 when the compares held. auth_status: 1 when authentication is on. Other ops: 1. */
COORD_API int coord_result_succeeded(const coord_result *result);
/** Key-values carried: those read, or with COORD_OP_PREV_KV those replaced or deleted. */
COORD_API size_t coord_result_count(const coord_result *result);
/** get: keys in the range, whatever the limit; delete: keys deleted. */
COORD_API int64_t coord_result_total(const coord_result *result);
/** get: 1 when the limit cut the answer. */
COORD_API int coord_result_more(const coord_result *result);
/**
 * Key-value number i.
 *
 * @param out  [out] borrows from the result
 * @return COORD_OK, COORD_INVALID (i out of range, or NULL)
 */
COORD_API coord_code coord_result_kv(const coord_result *result, size_t i, coord_kv *out);
/** txn: how many ops were done, each with a part of its own. */
COORD_API size_t coord_result_parts(const coord_result *result);
/** txn: the result of the i-th op done, borrowed; NULL when i is out of range. */
COORD_API const coord_result *coord_result_part(const coord_result *result, size_t i);
/** lease_grant, _keepalive, _info: the lease; 0 for other ops. */
COORD_API int64_t coord_result_lease_id(const coord_result *result);
/** lease_grant, _keepalive, _info: seconds that the lease has left; -1: there is none. */
COORD_API int64_t coord_result_ttl_s(const coord_result *result);
/** lease_grant, _info: seconds that it was granted. */
COORD_API int64_t coord_result_granted_ttl_s(const coord_result *result);
/** lease_list: how many leases there are. */
COORD_API size_t coord_result_leases(const coord_result *result);
/** lease_list: the id of the i-th; 0 when i is out of range. */
COORD_API int64_t coord_result_lease(const coord_result *result, size_t i);
/**
 * status, members, auth_status, user_get, user_list, role_get, role_list, lease_grant,
 * lease_keepalive, lease_info, lease_list: the answer as one JSON object with etcd's field names, 64-bit numbers as decimal strings, ids in hexadecimal and keys in
 * base64; NULL for other ops.
 */
COORD_API const char *coord_result_json(const coord_result *result);
/** Free a result that was handed out (not a part). NULL is fine. */
COORD_API void coord_result_free(coord_result *result);

#ifdef __cplusplus
}
#endif

#endif
