#include "etcd/lease.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/random.h"
#include "etcd/admin.h"
#include "etcd/fields.h"
#include "etcd/json.h"

/* ---- answers ---- */

#define DECODE(verb, type, fill)                                                                \
  static coord_code decode_##verb(const uint8_t *bytes, size_t len, coord_result **out,         \
                                  coord_error **err) {                                          \
    return coord__decode_with(&etcdserverpb__##type##__descriptor, fill, bytes, len, out, err); \
  }

static bool fill_grant(coord_result *result, const void *message) {
  const Etcdserverpb__LeaseGrantResponse *grant = message;
  result->lease_id = grant->id;
  result->ttl_s = result->granted_ttl_s = grant->ttl;
  result->json = coord__json_lease(grant->header, grant->id, grant->ttl, result->arena);
  return result->json != NULL;
}

static bool fill_keepalive(coord_result *result, const void *message) {
  const Etcdserverpb__LeaseKeepAliveResponse *kept = message;
  result->lease_id = kept->id;
  result->ttl_s = kept->ttl;
  result->json = coord__json_lease(kept->header, kept->id, kept->ttl, result->arena);
  return result->json != NULL;
}

static bool write_info(coord_result *result) {
  result->json =
      coord__json_lease_info(result->lease_info, result->kvs, result->kv_count, result->arena);
  return result->json != NULL;
}

static int by_key(const void *a, const void *b) {
  const ProtobufCBinaryData *x = &(*(Etcdserverpb__KeyValue *const *)a)->key;
  const ProtobufCBinaryData *y = &(*(Etcdserverpb__KeyValue *const *)b)->key;
  size_t n = x->len < y->len ? x->len : y->len;
  int order = n > 0 ? memcmp(x->data, y->data, n) : 0;
  return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/* The keys, of which the server keeps no order, are key-values without a value. */
static bool fill_info(coord_result *result, const void *message) {
  const Etcdserverpb__LeaseTimeToLiveResponse *info = message;
  result->lease_id = info->id;
  result->ttl_s = info->ttl;
  result->granted_ttl_s = info->grantedttl;
  result->lease_info = info;
  size_t n = info->n_keys;
  Etcdserverpb__KeyValue *kvs = coord__arena_alloc(result->arena, (n + 1) * sizeof *kvs);
  result->kvs = coord__arena_alloc(result->arena, (n + 1) * sizeof(void *));
  if (kvs == NULL || result->kvs == NULL) return false;
  for (size_t i = 0; i < n; i++) {
    etcdserverpb__key_value__init(&kvs[i]);
    kvs[i].key = info->keys[i];
    kvs[i].lease = info->id;
    result->kvs[i] = &kvs[i];
  }
  qsort(result->kvs, n, sizeof *result->kvs, by_key);
  result->kv_count = n;
  result->total = (int64_t)n;
  return write_info(result);
}

static bool fill_list(coord_result *result, const void *message) {
  const Etcdserverpb__LeaseLeasesResponse *list = message;
  result->lease_count = list->n_leases;
  result->leases = list->leases;
  result->total = (int64_t)list->n_leases;
  result->json = coord__json_lease_list(list, result->arena);
  return result->json != NULL;
}

DECODE(grant, lease_grant_response, fill_grant)
DECODE(revoke, lease_revoke_response, NULL)
DECODE(answered_keepalive, lease_keep_alive_response, fill_keepalive)
DECODE(info, lease_time_to_live_response, fill_info)
DECODE(list, lease_leases_response, fill_list)

/* A lease that is gone is answered with a TTL of 0. */
static coord_code decode_keepalive(const uint8_t *bytes, size_t len, coord_result **out,
                                   coord_error **err) {
  coord_result *result = NULL;
  coord_code code = decode_answered_keepalive(bytes, len, &result, err);
  if (code != COORD_OK) return code;
  if (result->ttl_s > 0) {
    *out = result;
    return COORD_OK;
  }
  code = coord__fail(err, COORD_NOT_FOUND, "lease_keepalive: lease %" PRIx64 " does not exist",
                     (uint64_t)result->lease_id);
  coord__result_free(result);
  return code;
}

coord_code coord__lease_leave(const coord__namespace *ns, coord_result *result, coord_error **err) {
  size_t kept = 0;
  for (size_t i = 0; i < result->kv_count; i++) {
    Etcdserverpb__KeyValue *kv = result->kvs[i];
    if (kv->key.len < ns->len || memcmp(kv->key.data, ns->prefix, ns->len) != 0) continue;
    kv->key.data += ns->len;
    kv->key.len -= ns->len;
    result->kvs[kept++] = kv;
  }
  result->kv_count = kept;
  result->total = (int64_t)kept;
  return write_info(result) ? COORD_OK : coord__no_memory(err);
}

/* ---- ops ---- */

int64_t coord__lease_new_id(void) {
  int64_t id = (int64_t)(coord__random() >> 1);
  return id != 0 ? id : 1;
}

static void check_id(coord_op *op, int64_t lease_id) {
  if (lease_id != 0) return;
  coord__op_fault(op, COORD_INVALID, "%s: the lease id is 0, which is no lease",
                  coord__op_name(op));
}

coord_op *coord__op_lease_grant(int64_t ttl_s, int64_t lease_id) {
  static const coord__admin admin = {COORD__METHOD_LEASE_GRANT, decode_grant, false};
  coord_op *op = coord__op_plain(&admin);
  if (op == NULL) return NULL;
  op->idempotent = true;
  op->message.lease_grant.ttl = ttl_s;
  op->message.lease_grant.id = lease_id;
  if (ttl_s < 1 || ttl_s > COORD__TTL_MAX) {
    coord__op_fault(op, COORD_INVALID,
                    "lease_grant: the TTL is %" PRId64 " s; expected 1 to %" PRId64, ttl_s,
                    COORD__TTL_MAX);
  } else if (lease_id < 0) {
    coord__op_fault(op, COORD_INVALID,
                    "lease_grant: the lease id is %" PRId64
                    "; expected a positive one, or 0 for "
                    "one that is free",
                    lease_id);
  }
  return op;
}

coord_op *coord__op_lease_revoke(int64_t lease_id) {
  static const coord__admin admin = {COORD__METHOD_LEASE_REVOKE, decode_revoke, false};
  coord_op *op = coord__op_plain(&admin);
  if (op == NULL) return NULL;
  op->idempotent = true;
  op->message.lease_revoke.id = lease_id;
  check_id(op, lease_id);
  return op;
}

/* Twice is as good as once, and so is once too often. */
coord_op *coord__op_lease_keepalive(int64_t lease_id) {
  static const coord__admin admin = {COORD__METHOD_LEASE_KEEPALIVE, decode_keepalive, true};
  coord_op *op = coord__op_plain(&admin);
  if (op == NULL) return NULL;
  op->message.lease_keepalive.id = lease_id;
  check_id(op, lease_id);
  return op;
}

coord_op *coord__op_lease_info(int64_t lease_id, int with_keys) {
  static const coord__admin admin = {COORD__METHOD_LEASE_TTL, decode_info, true};
  coord_op *op = coord__op_plain(&admin);
  if (op == NULL) return NULL;
  op->message.lease_info.id = lease_id;
  op->message.lease_info.keys = with_keys != 0;
  check_id(op, lease_id);
  return op;
}

coord_op *coord__op_lease_list(void) {
  static const coord__admin admin = {COORD__METHOD_LEASE_LIST, decode_list, true};
  return coord__op_plain(&admin);
}

/* ---- what is repeated ---- */

const ProtobufCMessage *coord__lease_prepare(const coord_op *op, coord__lease_message *out) {
  out->echo = (coord__echo){.code = COORD_OK};
  if (op->admin->method == COORD__METHOD_LEASE_REVOKE) {
    out->echo = (coord__echo){.code = COORD_NOT_FOUND};
  }
  if (op->admin->method != COORD__METHOD_LEASE_GRANT || op->message.lease_grant.id != 0) {
    return &op->message.base;
  }
  out->grant = op->message.lease_grant;
  out->grant.id = coord__lease_new_id();
  out->echo = (coord__echo){COORD_CONFLICT, out->grant.id, out->grant.ttl};
  return &out->grant.base;
}

bool coord__lease_is_echo(const coord__call *call, const coord__echo *echo) {
  return echo->code != COORD_OK && call->code == echo->code && call->maybe_applied;
}

coord_code coord__lease_result(const coord__echo *echo, coord_result **out, coord_error **err) {
  coord_result *result = coord__result_empty();
  if (result == NULL) return coord__no_memory(err);
  result->lease_id = echo->lease_id;
  /* The server grants no less than what was asked for. */
  result->ttl_s = result->granted_ttl_s = echo->ttl_s;
  if (echo->lease_id != 0) {
    static const Etcdserverpb__ResponseHeader none = ETCDSERVERPB__RESPONSE_HEADER__INIT;
    result->json = coord__json_lease(&none, echo->lease_id, echo->ttl_s, result->arena);
    if (result->json == NULL) {
      coord__result_free(result);
      return coord__no_memory(err);
    }
  }
  *out = result;
  return COORD_OK;
}

/* ---- keepalives without an op ---- */

size_t coord__keepalive_write(uint8_t out[COORD__KEEPALIVE_FRAME], int64_t lease_id) {
  Etcdserverpb__LeaseKeepAliveRequest request = ETCDSERVERPB__LEASE_KEEP_ALIVE_REQUEST__INIT;
  request.id = lease_id;
  memset(out, 0, COORD__FRAME_HEADROOM);
  return COORD__FRAME_HEADROOM +
         etcdserverpb__lease_keep_alive_request__pack(&request, out + COORD__FRAME_HEADROOM);
}

bool coord__keepalive_read(const uint8_t *bytes, size_t len, int64_t *lease_id, int64_t *ttl_s) {
  enum { ID = 2, TTL = 3 };
  coord__fields fields = coord__fields_of(bytes, len);
  coord__field field;
  *lease_id = *ttl_s = 0;
  while (fields.at < fields.end) {
    if (!coord__fields_next(&fields, &field)) return false;
    if (field.number == ID && field.bytes == NULL) *lease_id = (int64_t)field.value;
    if (field.number == TTL && field.bytes == NULL) *ttl_s = (int64_t)field.value;
  }
  return *lease_id != 0;
}
