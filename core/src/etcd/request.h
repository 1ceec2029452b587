/* From an op to bytes and from bytes to its result: the seam between ops and calls. */
#ifndef COORD_ETCD_REQUEST_H
#define COORD_ETCD_REQUEST_H

#include <stdbool.h>

#include "base/buf.h"
#include "coord/op.h"
#include "coord/result.h"
#include "rpc/method.h"
#include "rpc/target.h"

struct coord__namespace;

/* What is checked before anything is sent, and where its keys are. */
typedef struct coord__limits {
  size_t request_max_bytes;
  size_t request_max_ops;
  const struct coord__namespace *ns; /* NULL: none */
} coord__limits;

typedef coord_code (*coord__decode_fn)(const uint8_t *bytes, size_t len, coord_result **out,
                                       coord_error **err);

/* An answer that says no more than that an earlier try of the same call has come through. */
typedef struct coord__echo {
  coord_code code;  /* COORD_OK: there is none */
  int64_t lease_id; /* what the first answer has said, as far as is known: */
  int64_t ttl_s;
} coord__echo;

typedef struct coord__request {
  const coord__method *method;
  coord__buf body;   /* COORD__FRAME_HEADROOM free bytes, then the encoded message */
  bool read_only;    /* changes nothing: may always be repeated */
  bool needs_leader; /* a member without a leader cannot do it */
  bool idempotent;   /* the caller said that twice is as good as once */
  coord__echo echo;
  coord__decode_fn decode;
} coord__request;

/* Check an op that is one call of one method, and encode it. Any thread.
 * COORD_INVALID, COORD_TOO_LARGE, COORD_NO_MEMORY. On failure nothing is to be freed. */
coord_code coord__op_encode(const coord_op *op, const coord__limits *limits, coord__request *out,
                            coord_error **err);
void coord__request_free(coord__request *request);
/* What a healthy server answers: as etcd's own health check, a read of the key "health". */
void coord__health_probe(coord__probe *out);

/* The code, flags (COORD_RETRIABLE, COORD_MAYBE_APPLIED for writes) that a gRPC status and message
 * of etcd stand for. COORD_OK for status 0. */
coord_code coord__etcd_status(int grpc_status, const char *message, bool read_only,
                              uint32_t *flags);

#endif
