/* A prefix of all keys of a client: put before what is sent, taken off what comes back. */
#ifndef COORD_ETCD_NAMESPACE_H
#define COORD_ETCD_NAMESPACE_H

#include <stdbool.h>

#include "base/buf.h"
#include "etcd/op.h"

/* All zero is no namespace. Never changes once it is made. */
typedef struct coord__namespace {
  uint8_t *prefix;
  size_t len; /* 0: none, and nothing below does anything */
  uint8_t *end;
  size_t end_len; /* of the range of all keys that begin with the prefix */
} coord__namespace;

/* False when memory is out. */
bool coord__namespace_init(coord__namespace *ns, const char *prefix);
void coord__namespace_free(coord__namespace *ns);

/* The message of an op with its keys and range ends in the namespace; values stay where they are.
 * What is made for that lies in *arena, which the caller frees; without a namespace it is the op's own
 * message and *arena NULL. NULL when memory is out. */
const ProtobufCMessage *coord__namespace_enter(const coord__namespace *ns, const coord_op *op,
                                               coord__arena **arena);
/* One key, or the end of a range ("\0": no upper bound), appended to `out`. False when memory is
 * out. */
bool coord__namespace_key(const coord__namespace *ns, const void *key, size_t len, coord__buf *out);
bool coord__namespace_range_end(const coord__namespace *ns, const void *end, size_t len,
                                coord__buf *out);

/* Take the namespace off all keys of a result just decoded, also in its parts; nothing is copied.
 * COORD_PROTOCOL when a key is not in it. */
coord_code coord__namespace_leave(const coord__namespace *ns, coord_result *result,
                                  coord_error **err);
/* The same for key-values that are in no result. */
coord_code coord__namespace_leave_kvs(const coord__namespace *ns, Etcdserverpb__KeyValue **kvs,
                                      size_t count, coord_error **err);

#endif
