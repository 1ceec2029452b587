/* Ops on leases, and what they answer. */
#ifndef COORD_ETCD_LEASE_H
#define COORD_ETCD_LEASE_H

#include "etcd/namespace.h"
#include "etcd/op.h"
#include "etcd/request.h"
#include "etcd/result.h"
#include "rpc/rpc.h"

/* What etcd takes at most, in seconds. */
#define COORD__TTL_MAX INT64_C(9000000000)

/* The functions behind coord_op_lease_...; same contracts. */
coord_op *coord__op_lease_grant(int64_t ttl_s, int64_t lease_id);
coord_op *coord__op_lease_revoke(int64_t lease_id);
coord_op *coord__op_lease_keepalive(int64_t lease_id);
coord_op *coord__op_lease_info(int64_t lease_id, int with_keys);
coord_op *coord__op_lease_list(void);

/* An id for a new lease: positive. So many are possible that it is nobody else's. */
int64_t coord__lease_new_id(void);

/* ---- from op to request and back ---- */

typedef struct coord__lease_message {
  Etcdserverpb__LeaseGrantRequest grant;
  coord__echo echo;
} coord__lease_message;

/* The message of an op with an admin row: its own, or `out`, with an id that is chosen anew for each
 * execution; so a grant that is repeated makes one lease. */
const ProtobufCMessage *coord__lease_prepare(const coord_op *op, coord__lease_message *out);
/* A call that has ended: whether its answer says that an earlier try has come through. */
bool coord__lease_is_echo(const coord__call *call, const coord__echo *echo);
/* What the answer to that earlier try would have been, as far as is known. */
coord_code coord__lease_result(const coord__echo *echo, coord_result **out, coord_error **err);

/* ---- keepalives without an op ---- */

enum { COORD__KEEPALIVE_FRAME = COORD__FRAME_HEADROOM + 11 };

/* The request, with room for a frame header in front. Returns the length of both. */
size_t coord__keepalive_write(uint8_t out[COORD__KEEPALIVE_FRAME], int64_t lease_id);
/* False when the bytes are no answer to one. */
bool coord__keepalive_read(const uint8_t *bytes, size_t len, int64_t *lease_id, int64_t *ttl_s);

/* Of a lease's keys those in the namespace, without it. */
coord_code coord__lease_leave(const coord__namespace *ns, coord_result *result, coord_error **err);

#endif
