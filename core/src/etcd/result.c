#include "etcd/result.h"

#include <string.h>

#include "base/error.h"
#include "etcd/fields.h"
#include "etcd/json.h"
#include "etcd/op.h"

/* What the arena holds besides a copy of the bytes: structs of about 100 bytes for each key-value,
 * and what unpacking leaves behind. The first block is made for an answer of a few key-values. The
 * limit is twice what the most wasteful honest answer takes (many tiny parts of a txn). */
enum { FIRST_SPARE = 512, FIRST_SHARE_MAX = 4096, LIMIT_BASE = 65536, LIMIT_FACTOR = 64 };

/* An answer being decoded. */
typedef struct decoding {
  const uint8_t *bytes;
  size_t len;
  const char *what; /* name of the response, for errors */
  coord__arena *arena;
  coord_result *result;
} decoding;

static coord_code fail(decoding *d, coord_error **err) {
  coord__arena_state state = coord__arena_get_state(d->arena);
  coord__arena_free(d->arena);
  if (state == COORD__ARENA_NO_MEMORY) return coord__no_memory(err);
  return coord__fail(err, COORD_PROTOCOL, "the server's answer of %zu bytes is not a valid %s",
                     d->len, d->what);
}

/* Make arena and result, and unpack the bytes. NULL, with *code set, on failure. */
static void *begin(decoding *d, const ProtobufCMessageDescriptor *type, coord_code *code,
                   coord_error **err) {
  d->what = type->short_name;
  size_t share = d->len < FIRST_SHARE_MAX ? d->len : FIRST_SHARE_MAX;
  size_t limit = d->len < (SIZE_MAX - LIMIT_BASE) / LIMIT_FACTOR
                     ? LIMIT_BASE + d->len * LIMIT_FACTOR
                     : SIZE_MAX;
  d->arena = coord__arena_new(sizeof(coord_result) + FIRST_SPARE + d->len + share, limit);
  if (d->arena == NULL) {
    *code = coord__no_memory(err);
    return NULL;
  }
  d->result = coord__arena_alloc(d->arena, sizeof *d->result);
  void *message = NULL;
  if (d->result != NULL) {
    *d->result = (coord_result){.arena = d->arena, .succeeded = true};
    message = protobuf_c_message_unpack(type, coord__arena_allocator(d->arena), d->len, d->bytes);
  }
  if (message == NULL) *code = fail(d, err);
  return message;
}

coord_result *coord__result_empty(void) {
  coord__arena *arena = coord__arena_new(2 * sizeof(coord_result), 0);
  if (arena == NULL) return NULL;
  coord_result *result = coord__arena_alloc(arena, sizeof *result);
  if (result == NULL) {
    coord__arena_free(arena);
    return NULL;
  }
  *result = (coord_result){.arena = arena, .succeeded = true};
  return result;
}

coord_result *coord__result_slice(coord_result *whole, size_t from, size_t count) {
  coord_result *slice = coord__result_empty();
  if (slice == NULL) return NULL;
  atomic_fetch_add(&whole->slices, 1);
  slice->whole = whole;
  slice->cluster_id = whole->cluster_id;
  slice->member_id = whole->member_id;
  slice->raft_term = whole->raft_term;
  slice->revision = whole->revision;
  slice->total = whole->total;
  slice->more = whole->more || from + count < whole->kv_count;
  slice->kv_count = count;
  slice->kvs = whole->kvs + from;
  return slice;
}

static void set_header(coord_result *result, const Etcdserverpb__ResponseHeader *header) {
  if (header == NULL) return;
  result->cluster_id = header->cluster_id;
  result->member_id = header->member_id;
  result->raft_term = header->raft_term;
  result->revision = header->revision;
}

/* Hand out the result of a whole answer, which must have a header: one without it comes from a
 * server that is no etcd. */
static coord_code finish(decoding *d, const Etcdserverpb__ResponseHeader *header,
                         coord_result **out, coord_error **err) {
  if (header == NULL) return fail(d, err);
  set_header(d->result, header);
  *out = d->result;
  return COORD_OK;
}

static void set_range(coord_result *result, const Etcdserverpb__RangeResponse *range) {
  result->total = range->count;
  result->more = range->more != 0;
  result->kv_count = range->n_kvs;
  result->kvs = range->kvs;
}

static void set_put(coord_result *result, Etcdserverpb__PutResponse *put) {
  if (put->prev_kv == NULL) return;
  result->kv_count = 1;
  result->kvs = &put->prev_kv;
}

static void set_delete(coord_result *result, const Etcdserverpb__DeleteRangeResponse *del) {
  result->total = del->deleted;
  result->kv_count = del->n_prev_kvs;
  result->kvs = del->prev_kvs;
}

coord_code coord__decode_range(const uint8_t *bytes, size_t len, coord_result **out,
                               coord_error **err) {
  decoding d = {.bytes = bytes, .len = len};
  coord_code code = COORD_OK;
  Etcdserverpb__RangeResponse *range =
      begin(&d, &etcdserverpb__range_response__descriptor, &code, err);
  if (range == NULL) return code;
  set_range(d.result, range);
  return finish(&d, range->header, out, err);
}

coord_code coord__decode_range_stream(const uint8_t *bytes, size_t len, coord_result **out,
                                      coord_error **err) {
  decoding d = {.bytes = bytes, .len = len};
  coord_code code = COORD_OK;
  Etcdserverpb__RangeStreamResponse *chunk =
      begin(&d, &etcdserverpb__range_stream_response__descriptor, &code, err);
  if (chunk == NULL) return code;
  if (chunk->range_response == NULL) return fail(&d, err);
  set_range(d.result, chunk->range_response);
  set_header(d.result, chunk->range_response->header);
  *out = d.result;
  return COORD_OK;
}

coord_code coord__decode_put(const uint8_t *bytes, size_t len, coord_result **out,
                             coord_error **err) {
  decoding d = {.bytes = bytes, .len = len};
  coord_code code = COORD_OK;
  Etcdserverpb__PutResponse *put = begin(&d, &etcdserverpb__put_response__descriptor, &code, err);
  if (put == NULL) return code;
  set_put(d.result, put);
  return finish(&d, put->header, out, err);
}

coord_code coord__decode_delete(const uint8_t *bytes, size_t len, coord_result **out,
                                coord_error **err) {
  decoding d = {.bytes = bytes, .len = len};
  coord_code code = COORD_OK;
  Etcdserverpb__DeleteRangeResponse *del =
      begin(&d, &etcdserverpb__delete_range_response__descriptor, &code, err);
  if (del == NULL) return code;
  set_delete(d.result, del);
  return finish(&d, del->header, out, err);
}

coord_code coord__decode_with(const ProtobufCMessageDescriptor *type,
                              bool (*fill)(coord_result *result, const void *message),
                              const uint8_t *bytes, size_t len, coord_result **out,
                              coord_error **err) {
  decoding d = {.bytes = bytes, .len = len};
  coord_code code = COORD_OK;
  const void *message = begin(&d, type, &code, err);
  if (message == NULL) return code;
  const Etcdserverpb__ResponseHeader *header = NULL;
  memcpy(&header, (const char *)message + type->fields[0].offset, sizeof(void *));
  if (header != NULL && fill != NULL && !fill(d.result, message)) {
    coord__arena_free(d.arena);
    return coord__no_memory(err);
  }
  return finish(&d, header, out, err);
}

coord_code coord__decode_compact(const uint8_t *bytes, size_t len, coord_result **out,
                                 coord_error **err) {
  decoding d = {.bytes = bytes, .len = len};
  coord_code code = COORD_OK;
  Etcdserverpb__CompactionResponse *compact =
      begin(&d, &etcdserverpb__compaction_response__descriptor, &code, err);
  if (compact == NULL) return code;
  return finish(&d, compact->header, out, err);
}

coord_code coord__decode_status(const uint8_t *bytes, size_t len, coord_result **out,
                                coord_error **err) {
  decoding d = {.bytes = bytes, .len = len};
  coord_code code = COORD_OK;
  Etcdserverpb__StatusResponse *status =
      begin(&d, &etcdserverpb__status_response__descriptor, &code, err);
  if (status == NULL) return code;
  if (status->header != NULL) {
    d.result->json = coord__json_status(status, d.arena);
    if (d.result->json == NULL) {
      coord__arena_free(d.arena);
      return coord__no_memory(err);
    }
  }
  return finish(&d, status->header, out, err);
}

coord_code coord__decode_members(const uint8_t *bytes, size_t len, coord_result **out,
                                 coord_error **err) {
  decoding d = {.bytes = bytes, .len = len};
  coord_code code = COORD_OK;
  Etcdserverpb__MemberListResponse *members =
      begin(&d, &etcdserverpb__member_list_response__descriptor, &code, err);
  if (members == NULL) return code;
  if (members->header != NULL) {
    d.result->json = coord__json_members(members, d.arena);
    if (d.result->json == NULL) {
      coord__arena_free(d.arena);
      return coord__no_memory(err);
    }
  }
  return finish(&d, members->header, out, err);
}

/* --- txn -------------------------------------------------------------------------------------- */

static bool set_txn(coord__arena *arena, coord_result *result,
                    const Etcdserverpb__TxnResponse *txn);

/* Only the revision is told for a part; the ids are those of the whole. */
static void set_part_revision(coord_result *part, const Etcdserverpb__ResponseHeader *header) {
  if (header != NULL && header->revision != 0) part->revision = header->revision;
}

static bool set_part(coord__arena *arena, coord_result *part, Etcdserverpb__ResponseOp *op) {
  switch (op->response_case) {
    case ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_RANGE:
      set_part_revision(part, op->response_range->header);
      set_range(part, op->response_range);
      return true;
    case ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_PUT:
      set_part_revision(part, op->response_put->header);
      set_put(part, op->response_put);
      return true;
    case ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_DELETE_RANGE:
      set_part_revision(part, op->response_delete_range->header);
      set_delete(part, op->response_delete_range);
      return true;
    case ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_TXN:
      set_part_revision(part, op->response_txn->header);
      return set_txn(arena, part, op->response_txn);
    default:
      return false;
  }
}

/* The result of a txn, whose header is set already, and those of its parts. */
static bool set_txn(coord__arena *arena, coord_result *result,
                    const Etcdserverpb__TxnResponse *txn) {
  result->succeeded = txn->succeeded != 0;
  if (txn->n_responses == 0) return true;
  result->parts = coord__arena_alloc(arena, txn->n_responses * sizeof *result->parts);
  if (result->parts == NULL) return false;
  for (size_t i = 0; i < txn->n_responses; i++) {
    result->parts[i] = (coord_result){.cluster_id = result->cluster_id,
                                      .member_id = result->member_id,
                                      .raft_term = result->raft_term,
                                      .revision = result->revision,
                                      .succeeded = true};
    if (!set_part(arena, &result->parts[i], txn->responses[i])) return false;
  }
  result->part_count = txn->n_responses;
  return true;
}

/* Whether transactions in the bytes of a TxnResponse are nested at most `depth` deep, so that
 * unpacking, which recurses, keeps within the stack. Bytes that are no message pass: unpacking
 * finds them out at that very level. */
static bool depth_within(const uint8_t *bytes, size_t len, int depth) {
  if (depth == 0) return false;
  enum { RESPONSES = 3, RESPONSE_TXN = 4 }; /* in TxnResponse and in ResponseOp */
  coord__fields responses = coord__fields_of(bytes, len);
  coord__field response;
  while (coord__fields_next(&responses, &response)) {
    if (response.number != RESPONSES || response.bytes == NULL) continue;
    coord__fields inner = coord__fields_of(response.bytes, response.len);
    coord__field field;
    while (coord__fields_next(&inner, &field)) {
      if (field.number != RESPONSE_TXN || field.bytes == NULL) continue;
      if (!depth_within(field.bytes, field.len, depth - 1)) return false;
    }
  }
  return true;
}

coord_code coord__decode_txn(const uint8_t *bytes, size_t len, coord_result **out,
                             coord_error **err) {
  if (!depth_within(bytes, len, COORD__TXN_DEPTH)) {
    return coord__fail(err, COORD_PROTOCOL,
                       "the server's answer to a txn nests transactions more than %d deep",
                       (int)COORD__TXN_DEPTH);
  }
  decoding d = {.bytes = bytes, .len = len};
  coord_code code = COORD_OK;
  Etcdserverpb__TxnResponse *txn = begin(&d, &etcdserverpb__txn_response__descriptor, &code, err);
  if (txn == NULL) return code;
  set_header(d.result, txn->header);
  if (!set_txn(d.arena, d.result, txn)) return fail(&d, err);
  return finish(&d, txn->header, out, err);
}

void coord__result_free(coord_result *result) {
  if (result == NULL) return;
  if (result->whole != NULL) coord__result_free(result->whole);
  /* None counted: the last one who needs it. */
  bool is_sole = atomic_load_explicit(&result->slices, memory_order_acquire) == 0;
  if (!is_sole && atomic_fetch_sub(&result->slices, 1) > 0) return;
  if (result->destroy != NULL) {
    result->destroy(result);
  } else {
    coord__arena_free(result->arena);
  }
}
