/* Results from the inside, and decoding them. */
#ifndef COORD_ETCD_RESULT_H
#define COORD_ETCD_RESULT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/arena.h"
#include "coord/error.h"
#include "coord/result.h"
#include "etcd.pb-c.h"

/* Lives in its own arena, with the message that it was made of. Parts live in that of the whole. */
struct coord_result {
  coord__arena *arena; /* NULL for a part */
  uint64_t cluster_id;
  uint64_t member_id;
  uint64_t raft_term;
  int64_t revision;
  int64_t total;
  bool succeeded;
  bool more;
  size_t kv_count;
  Etcdserverpb__KeyValue **kvs;
  size_t part_count;
  coord_result *parts;
  const char *json;
  size_t name_count;
  char **names;
  int64_t lease_id;
  int64_t ttl_s;
  int64_t granted_ttl_s;
  size_t lease_count;
  Etcdserverpb__LeaseStatus **leases;
  const Etcdserverpb__LeaseTimeToLiveResponse *lease_info; /* whose keys are the key-values */
  size_t permission_count;
  Etcdserverpb__Permission **permissions;
  atomic_int slices;   /* of a whole: the slices that need it, and its owner */
  coord_result *whole; /* of a slice: what it is a slice of */
  void (*destroy)(
      coord_result *result); /* of one that was not decoded: instead of freeing the arena */
};

/* Each decodes one whole response. COORD_OK, COORD_PROTOCOL (not such a response), COORD_NO_MEMORY.
 * *out is untouched on failure. */
coord_code coord__decode_range(const uint8_t *bytes, size_t len, coord_result **out,
                               coord_error **err);
coord_code coord__decode_put(const uint8_t *bytes, size_t len, coord_result **out,
                             coord_error **err);
coord_code coord__decode_delete(const uint8_t *bytes, size_t len, coord_result **out,
                                coord_error **err);
coord_code coord__decode_txn(const uint8_t *bytes, size_t len, coord_result **out,
                             coord_error **err);
coord_code coord__decode_compact(const uint8_t *bytes, size_t len, coord_result **out,
                                 coord_error **err);
coord_code coord__decode_status(const uint8_t *bytes, size_t len, coord_result **out,
                                coord_error **err);
coord_code coord__decode_members(const uint8_t *bytes, size_t len, coord_result **out,
                                 coord_error **err);

/* One response of which only the header, its first field, is looked at here; `fill` (NULL: there is
 * nothing more to it) makes the rest of the result, false when memory is out. */
coord_code coord__decode_with(const ProtobufCMessageDescriptor *type,
                              bool (*fill)(coord_result *result, const void *message),
                              const uint8_t *bytes, size_t len, coord_result **out,
                              coord_error **err);

/* One message of a RangeStream. Revision, ids, total and more are 0 but in the last one. */
coord_code coord__decode_range_stream(const uint8_t *bytes, size_t len, coord_result **out,
                                      coord_error **err);

/* Key-values [from, from + count) of a result, which goes on to live for as long as a slice of it
 * does. NULL when memory is out. */
coord_result *coord__result_slice(coord_result *whole, size_t from, size_t count);

/* A result that holds nothing. NULL when memory is out. */
coord_result *coord__result_empty(void);

void coord__result_free(coord_result *result);

#endif
