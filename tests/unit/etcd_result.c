/* Decoding: every response, and bytes that are none. */
#include "etcd/result.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "etcd/op.h"
#include "etcd/request.h"
#include "support/t.h"

typedef struct packed {
  uint8_t *bytes;
  size_t len;
} packed;

static packed pack(const void *message) {
  packed p = {.len = protobuf_c_message_get_packed_size(message)};
  p.bytes = malloc(p.len > 0 ? p.len : 1); /* exact, so that reading beyond is seen */
  protobuf_c_message_pack(message, p.bytes);
  return p;
}

static coord_result *decoded(coord__decode_fn decode, const void *message) {
  packed p = pack(message);
  coord_result *result = NULL;
  coord_error *err = NULL;
  coord_code code = decode(p.bytes, p.len, &result, &err);
  T_OK(code, err);
  coord_error_free(err);
  free(p.bytes); /* the result must not point there */
  T_FATAL(code == COORD_OK && result != NULL);
  return result;
}

static Etcdserverpb__ResponseHeader header = {
    .base = PROTOBUF_C_MESSAGE_INIT(&etcdserverpb__response_header__descriptor),
    .cluster_id = 0xfedcba9876543210,
    .member_id = 0x8e9e05c52164694d,
    .revision = 1234567890123,
    .raft_term = 77};

static ProtobufCBinaryData bytes_of(const char *text, size_t len) {
  return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)text};
}

static Etcdserverpb__KeyValue new_kv(const char *key, size_t key_len, const char *value,
                                     size_t value_len) {
  Etcdserverpb__KeyValue kv = ETCDSERVERPB__KEY_VALUE__INIT;
  kv.key = bytes_of(key, key_len);
  kv.value = bytes_of(value, value_len);
  kv.create_revision = 5;
  kv.mod_revision = 9;
  kv.version = 3;
  kv.lease = INT64_MIN + 7;
  return kv;
}

static void check_header(const coord_result *result) {
  T_TRUE(coord_result_cluster_id(result) == 0xfedcba9876543210);
  T_TRUE(coord_result_member_id(result) == 0x8e9e05c52164694d);
  T_INT(coord_result_revision(result), 1234567890123);
  T_INT(coord_result_raft_term(result), 77);
}

static void a_range_with_every_field(void) {
  Etcdserverpb__KeyValue first = new_kv("k\0\xff", 3, "v\0\0w", 4);
  Etcdserverpb__KeyValue second = new_kv("l", 1, "", 0);
  second.lease = 0;
  Etcdserverpb__KeyValue *kvs[] = {&first, &second};
  Etcdserverpb__RangeResponse range = ETCDSERVERPB__RANGE_RESPONSE__INIT;
  range.header = &header;
  range.n_kvs = 2;
  range.kvs = kvs;
  range.more = 1;
  range.count = INT64_MAX;
  coord_result *result = decoded(coord__decode_range, &range);
  check_header(result);
  T_INT(coord_result_succeeded(result), 1);
  T_INT(coord_result_count(result), 2);
  T_INT(coord_result_total(result), INT64_MAX);
  T_INT(coord_result_more(result), 1);
  T_INT(coord_result_parts(result), 0);
  T_TRUE(coord_result_part(result, 0) == NULL);
  T_TRUE(coord_result_json(result) == NULL);
  coord_kv kv;
  T_CODE(coord_result_kv(result, 0, &kv), COORD_OK);
  T_MEM(kv.key, kv.key_len + 1, "k\0\xff\0", 4); /* with the NUL behind it */
  T_MEM(kv.value, kv.value_len + 1, "v\0\0w\0", 5);
  T_INT(kv.create_revision, 5);
  T_INT(kv.mod_revision, 9);
  T_INT(kv.version, 3);
  T_TRUE(kv.lease_id == INT64_MIN + 7);
  T_CODE(coord_result_kv(result, 1, &kv), COORD_OK);
  T_STR(kv.key, "l");
  T_INT(kv.value_len, 0);
  T_STR(kv.value, "");
  T_INT(kv.lease_id, 0);
  T_CODE(coord_result_kv(result, 2, &kv), COORD_INVALID);
  T_CODE(coord_result_kv(result, SIZE_MAX, &kv), COORD_INVALID);
  T_CODE(coord_result_kv(result, 0, NULL), COORD_INVALID);
  coord_result_free(result);
}

static void values_of_all_sizes_end_in_nul(void) {
  char *value = malloc(70000);
  memset(value, 0xee, 70000);
  for (size_t len = 0; len < 70000; len = len < 70 ? len + 1 : len * 3) {
    Etcdserverpb__KeyValue one = new_kv(value, len > 0 ? len : 1, value, len);
    Etcdserverpb__KeyValue *kvs[40];
    for (size_t i = 0; i < 40; i++) kvs[i] = &one;
    Etcdserverpb__RangeResponse range = ETCDSERVERPB__RANGE_RESPONSE__INIT;
    range.header = &header;
    range.n_kvs = 40;
    range.kvs = kvs;
    coord_result *result = decoded(coord__decode_range, &range);
    for (size_t i = 0; i < coord_result_count(result); i++) {
      coord_kv kv;
      T_CODE(coord_result_kv(result, i, &kv), COORD_OK);
      T_INT(kv.value_len, len);
      T_TRUE(memcmp(kv.value, value, len) == 0 && ((const char *)kv.value)[len] == '\0');
      T_INT(((const char *)kv.key)[kv.key_len], 0);
    }
    T_INT(coord_result_count(result), 40);
    coord_result_free(result);
  }
  free(value);
}

static void puts_and_deletes(void) {
  Etcdserverpb__PutResponse put = ETCDSERVERPB__PUT_RESPONSE__INIT;
  put.header = &header;
  coord_result *result = decoded(coord__decode_put, &put);
  check_header(result);
  T_INT(coord_result_count(result), 0);
  T_INT(coord_result_total(result), 0);
  T_INT(coord_result_succeeded(result), 1);
  coord_result_free(result);
  Etcdserverpb__KeyValue old = new_kv("k", 1, "old", 3);
  put.prev_kv = &old;
  result = decoded(coord__decode_put, &put);
  T_INT(coord_result_count(result), 1);
  coord_kv kv;
  T_CODE(coord_result_kv(result, 0, &kv), COORD_OK);
  T_STR(kv.value, "old");
  coord_result_free(result);
  Etcdserverpb__KeyValue *olds[] = {&old, &old};
  Etcdserverpb__DeleteRangeResponse del = ETCDSERVERPB__DELETE_RANGE_RESPONSE__INIT;
  del.header = &header;
  del.deleted = 12;
  del.n_prev_kvs = 2;
  del.prev_kvs = olds;
  result = decoded(coord__decode_delete, &del);
  check_header(result);
  T_INT(coord_result_total(result), 12);
  T_INT(coord_result_count(result), 2);
  coord_result_free(result);
  Etcdserverpb__CompactionResponse compact = ETCDSERVERPB__COMPACTION_RESPONSE__INIT;
  compact.header = &header;
  result = decoded(coord__decode_compact, &compact);
  check_header(result);
  coord_result_free(result);
}

static void txns_have_parts(void) {
  Etcdserverpb__ResponseHeader at = ETCDSERVERPB__RESPONSE_HEADER__INIT;
  at.revision = 55;
  Etcdserverpb__KeyValue pair = new_kv("k", 1, "v", 1);
  Etcdserverpb__KeyValue *kvs[] = {&pair};
  Etcdserverpb__RangeResponse range = ETCDSERVERPB__RANGE_RESPONSE__INIT;
  range.header = &at;
  range.n_kvs = 1;
  range.kvs = kvs;
  range.count = 4;
  Etcdserverpb__PutResponse put = ETCDSERVERPB__PUT_RESPONSE__INIT;
  Etcdserverpb__DeleteRangeResponse del = ETCDSERVERPB__DELETE_RANGE_RESPONSE__INIT;
  del.header = &at;
  del.deleted = 6;
  Etcdserverpb__ResponseOp ops[4];
  for (int i = 0; i < 4; i++) etcdserverpb__response_op__init(&ops[i]);
  ops[0].response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_RANGE;
  ops[0].response_range = &range;
  ops[1].response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_PUT;
  ops[1].response_put = &put;
  ops[2].response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_DELETE_RANGE;
  ops[2].response_delete_range = &del;
  Etcdserverpb__ResponseOp *inner_ops[] = {&ops[2], &ops[0]};
  Etcdserverpb__TxnResponse inner = ETCDSERVERPB__TXN_RESPONSE__INIT;
  inner.n_responses = 2;
  inner.responses = inner_ops;
  ops[3].response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_TXN;
  ops[3].response_txn = &inner;
  Etcdserverpb__ResponseOp *outer_ops[] = {&ops[0], &ops[1], &ops[2], &ops[3]};
  Etcdserverpb__TxnResponse txn = ETCDSERVERPB__TXN_RESPONSE__INIT;
  txn.header = &header;
  txn.succeeded = 1;
  txn.n_responses = 4;
  txn.responses = outer_ops;

  coord_result *result = decoded(coord__decode_txn, &txn);
  check_header(result);
  T_INT(coord_result_succeeded(result), 1);
  T_INT(coord_result_parts(result), 4);
  T_TRUE(coord_result_part(result, 4) == NULL);
  const coord_result *part = coord_result_part(result, 0);
  T_INT(coord_result_revision(part), 55);
  T_TRUE(coord_result_cluster_id(part) == header.cluster_id);
  T_INT(coord_result_raft_term(part), 77);
  T_INT(coord_result_total(part), 4);
  T_INT(coord_result_count(part), 1);
  coord_kv kv;
  T_CODE(coord_result_kv(part, 0, &kv), COORD_OK);
  T_STR(kv.value, "v");
  T_INT(coord_result_revision(coord_result_part(result, 1)), header.revision);
  T_INT(coord_result_total(coord_result_part(result, 2)), 6);
  part = coord_result_part(result, 3);
  T_INT(coord_result_succeeded(part), 0);
  T_INT(coord_result_parts(part), 2);
  T_INT(coord_result_total(coord_result_part(part, 0)), 6);
  T_INT(coord_result_count(coord_result_part(part, 1)), 1);
  T_TRUE(coord_result_member_id(coord_result_part(part, 1)) == header.member_id);
  coord_result_free(result);

  txn.succeeded = 0;
  txn.n_responses = 0;
  result = decoded(coord__decode_txn, &txn);
  T_INT(coord_result_succeeded(result), 0);
  T_INT(coord_result_parts(result), 0);
  coord_result_free(result);

  etcdserverpb__response_op__init(&ops[0]); /* a response to no op */
  txn.n_responses = 1;
  packed p = pack(&txn);
  coord_error *err = NULL;
  T_ERROR(coord__decode_txn(p.bytes, p.len, &result, &err), COORD_PROTOCOL, err, "TxnResponse");
  free(p.bytes);
}

static void chunks_of_a_range_stream(void) {
  Etcdserverpb__KeyValue pair = new_kv("k", 1, "v", 1);
  Etcdserverpb__KeyValue *kvs[] = {&pair};
  Etcdserverpb__RangeResponse range = ETCDSERVERPB__RANGE_RESPONSE__INIT;
  range.n_kvs = 1;
  range.kvs = kvs;
  Etcdserverpb__RangeStreamResponse chunk = ETCDSERVERPB__RANGE_STREAM_RESPONSE__INIT;
  chunk.range_response = &range;
  coord_result *result = decoded(coord__decode_range_stream, &chunk);
  T_INT(coord_result_count(result), 1);
  T_INT(coord_result_revision(result), 0);
  T_INT(coord_result_cluster_id(result), 0);
  coord_result_free(result);
  range.header = &header;
  range.count = 9;
  range.more = 1;
  range.n_kvs = 0;
  result = decoded(coord__decode_range_stream, &chunk);
  check_header(result);
  T_INT(coord_result_count(result), 0);
  T_INT(coord_result_total(result), 9);
  T_INT(coord_result_more(result), 1);
  coord_result_free(result);
}

static const char *text_at(json_object *object, const char *name) {
  json_object *value = NULL;
  return json_object_object_get_ex(object, name, &value) ? json_object_get_string(value) : NULL;
}

static json_object *json_of(const coord_result *result) {
  const char *text = coord_result_json(result);
  T_FATAL(text != NULL);
  T_TRUE(strchr(text, '\n') == NULL);
  json_object *root = json_tokener_parse(text);
  T_FATAL(root != NULL);
  return root;
}

static void status_as_json(void) {
  Etcdserverpb__StatusResponse status = ETCDSERVERPB__STATUS_RESPONSE__INIT;
  char version[] = "3.7.3";
  char error[] = "etcdserver: no leader";
  char *errors[] = {error};
  status.header = &header;
  status.version = version;
  status.dbsize = INT64_MAX;
  status.leader = header.member_id;
  status.raftindex = UINT64_MAX;
  status.raftterm = 77;
  status.raftappliedindex = 9;
  status.n_errors = 1;
  status.errors = errors;
  status.islearner = 1;
  coord_result *result = decoded(coord__decode_status, &status);
  check_header(result);
  json_object *root = json_of(result);
  T_STR(text_at(root, "version"), "3.7.3");
  T_STR(text_at(root, "dbSize"), "9223372036854775807");
  T_STR(text_at(root, "leader"), "8e9e05c52164694d");
  T_STR(text_at(root, "raftIndex"), "18446744073709551615");
  T_STR(text_at(root, "raftTerm"), "77");
  T_STR(text_at(root, "raftAppliedIndex"), "9");
  T_STR(text_at(root, "errors"), "[ \"etcdserver: no leader\" ]");
  T_STR(text_at(root, "dbSizeInUse"), "0");
  T_STR(text_at(root, "isLearner"), "true");
  T_STR(text_at(root, "storageVersion"), "");
  T_STR(text_at(root, "dbSizeQuota"), "0");
  json_object *inner = NULL;
  T_TRUE(json_object_object_get_ex(root, "header", &inner));
  T_STR(text_at(inner, "cluster_id"), "fedcba9876543210");
  T_STR(text_at(inner, "member_id"), "8e9e05c52164694d");
  T_STR(text_at(inner, "revision"), "1234567890123");
  T_STR(text_at(inner, "raft_term"), "77");
  T_TRUE(json_object_object_get_ex(root, "downgradeInfo", &inner));
  T_STR(text_at(inner, "enabled"), "false");
  T_STR(text_at(inner, "targetVersion"), "");
  json_object_put(root);
  coord_result_free(result);
}

static void members_as_json(void) {
  char name[] = "n\"1\xff\xc3\xa4\xed\xa0\x80\xf0\x9f\x98\x80\xc0\xaf";
  char peer[] = "http://127.0.0.1:2380";
  char *urls[] = {peer, peer};
  Etcdserverpb__Member member = ETCDSERVERPB__MEMBER__INIT;
  member.id = 0xff;
  member.name = name;
  member.n_peerurls = 2;
  member.peerurls = urls;
  Etcdserverpb__Member *list[] = {&member, &member};
  Etcdserverpb__MemberListResponse members = ETCDSERVERPB__MEMBER_LIST_RESPONSE__INIT;
  members.header = &header;
  members.n_members = 2;
  members.members = list;
  coord_result *result = decoded(coord__decode_members, &members);
  check_header(result);
  json_object *root = json_of(result);
  json_object *array = NULL;
  T_TRUE(json_object_object_get_ex(root, "members", &array));
  T_FATAL(json_object_array_length(array) == 2);
  json_object *first = json_object_array_get_idx(array, 0);
  T_STR(text_at(first, "ID"), "ff");
  T_STR(text_at(first, "name"), "n\"1?\xc3\xa4???\xf0\x9f\x98\x80??");
  T_STR(text_at(first, "clientURLs"), "[ ]");
  T_STR(text_at(first, "isLearner"), "false");
  T_TRUE(strstr(coord_result_json(result),
                "\"peerURLs\":[\"http://127.0.0.1:2380\",\"http://127.0.0.1:2380\"]") != NULL);
  json_object_put(root);
  coord_result_free(result);
}

static void getters_take_null(void) {
  T_INT(coord_result_revision(NULL), 0);
  T_INT(coord_result_cluster_id(NULL), 0);
  T_INT(coord_result_member_id(NULL), 0);
  T_INT(coord_result_raft_term(NULL), 0);
  T_INT(coord_result_succeeded(NULL), 0);
  T_INT(coord_result_count(NULL), 0);
  T_INT(coord_result_total(NULL), 0);
  T_INT(coord_result_more(NULL), 0);
  T_INT(coord_result_parts(NULL), 0);
  T_TRUE(coord_result_part(NULL, 0) == NULL);
  T_TRUE(coord_result_json(NULL) == NULL);
  coord_kv kv;
  T_CODE(coord_result_kv(NULL, 0, &kv), COORD_INVALID);
  coord_result_free(NULL);
}

static const coord__decode_fn decoders[] = {
    coord__decode_range,   coord__decode_put,    coord__decode_delete,  coord__decode_txn,
    coord__decode_compact, coord__decode_status, coord__decode_members, coord__decode_range_stream};
enum { DECODERS = sizeof decoders / sizeof *decoders };

/* Read all that a result holds, so that a sanitizer sees what is wrong with it. */
static size_t read_all(const coord_result *result) {
  size_t sum = strlen(coord_result_json(result) != NULL ? coord_result_json(result) : "");
  for (size_t i = 0; i < coord_result_count(result); i++) {
    coord_kv kv;
    T_CODE(coord_result_kv(result, i, &kv), COORD_OK);
    for (size_t k = 0; k <= kv.key_len; k++) sum += ((const uint8_t *)kv.key)[k];
    for (size_t v = 0; v <= kv.value_len; v++) sum += ((const uint8_t *)kv.value)[v];
  }
  for (size_t i = 0; i < coord_result_parts(result); i++) {
    sum += read_all(coord_result_part(result, i));
  }
  return sum;
}

/* The bytes, copied to memory of exactly their size, are decoded as everything. */
static void decode_as_everything(const uint8_t *bytes, size_t len) {
  uint8_t *exact = malloc(len > 0 ? len : 1);
  if (len > 0) memcpy(exact, bytes, len);
  for (size_t i = 0; i < DECODERS; i++) {
    coord_result *result = NULL;
    coord_error *err = NULL;
    coord_code code = decoders[i](exact, len, &result, &err);
    T_TRUE(code == COORD_OK ? result != NULL && err == NULL
                            : code == COORD_PROTOCOL && result == NULL && err != NULL);
    if (result != NULL) T_TRUE(read_all(result) < SIZE_MAX);
    coord_error_free(err);
    coord_result_free(result);
  }
  free(exact);
}

/* A txn's answer with everything in it, nested. */
static packed rich_answer(void) {
  Etcdserverpb__KeyValue pair = new_kv("key", 3, "value", 5);
  Etcdserverpb__KeyValue *kvs[] = {&pair, &pair};
  Etcdserverpb__RangeResponse range = ETCDSERVERPB__RANGE_RESPONSE__INIT;
  range.header = &header;
  range.n_kvs = 2;
  range.kvs = kvs;
  range.count = 300;
  Etcdserverpb__ResponseOp get = ETCDSERVERPB__RESPONSE_OP__INIT;
  get.response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_RANGE;
  get.response_range = &range;
  Etcdserverpb__ResponseOp *ops[] = {&get, &get};
  Etcdserverpb__TxnResponse inner = ETCDSERVERPB__TXN_RESPONSE__INIT;
  inner.n_responses = 1;
  inner.responses = ops;
  Etcdserverpb__ResponseOp txn_op = ETCDSERVERPB__RESPONSE_OP__INIT;
  txn_op.response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_TXN;
  txn_op.response_txn = &inner;
  ops[1] = &txn_op;
  Etcdserverpb__TxnResponse txn = ETCDSERVERPB__TXN_RESPONSE__INIT;
  txn.header = &header;
  txn.n_responses = 2;
  txn.responses = ops;
  return pack(&txn);
}

static void cut_anywhere(void) {
  packed p = rich_answer();
  for (size_t len = 0; len <= p.len; len++) decode_as_everything(p.bytes, len);
  coord_result *result = NULL;
  coord_error *err = NULL;
  T_ERROR(coord__decode_txn(p.bytes, p.len - 1, &result, &err), COORD_PROTOCOL, err,
          "is not a valid TxnResponse");
  free(p.bytes);
}

static void every_bit_flipped(void) {
  packed p = rich_answer();
  for (size_t i = 0; i < p.len; i++) {
    for (int bit = 0; bit < 8; bit++) {
      p.bytes[i] ^= (uint8_t)(1U << bit);
      decode_as_everything(p.bytes, p.len);
      p.bytes[i] ^= (uint8_t)(1U << bit);
    }
  }
  free(p.bytes);
}

static uint32_t next_random(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

static void random_bytes_and_random_damage(void) {
  uint32_t state = 2463534242;
  uint8_t noise[96];
  packed p = rich_answer();
  uint8_t *copy = malloc(p.len);
  for (int round = 0; round < 3000; round++) {
    size_t len = next_random(&state) % sizeof noise;
    for (size_t i = 0; i < len; i++) noise[i] = (uint8_t)next_random(&state);
    decode_as_everything(noise, len);
    memcpy(copy, p.bytes, p.len);
    for (int i = 0; i < 4; i++) {
      copy[next_random(&state) % p.len] = (uint8_t)next_random(&state);
    }
    decode_as_everything(copy, p.len);
  }
  free(copy);
  free(p.bytes);
}

static void an_answer_without_header_is_refused(void) {
  coord_result *result = NULL;
  for (size_t i = 0; i + 1 < DECODERS; i++) {
    T_CODE(decoders[i]((const uint8_t *)"", 0, &result, NULL), COORD_PROTOCOL);
    T_CODE(decoders[i](NULL, 0, &result, NULL), COORD_PROTOCOL);
  }
  coord_error *err = NULL;
  T_ERROR(coord__decode_range_stream(NULL, 0, &result, &err), COORD_PROTOCOL, err,
          "RangeStreamResponse");
  T_TRUE(result == NULL);
}

/* A txn's answer of n levels, each the only part of the one around it. */
static packed nested(int levels) {
  packed p = {.bytes = malloc(1), .len = 0};
  for (int i = 0; i < levels; i++) {
    Etcdserverpb__TxnResponse empty = ETCDSERVERPB__TXN_RESPONSE__INIT;
    uint8_t *bytes = malloc(p.len + 64);
    size_t at = 0;
    for (int tag = 0x22; p.len > 0 || i > 0; tag = 0x1a) { /* field 4, then field 3 around it */
      size_t head = 0;
      uint8_t prefix[12];
      prefix[head++] = (uint8_t)tag;
      size_t rest = p.len + at;
      for (; rest >= 0x80; rest >>= 7) prefix[head++] = (uint8_t)(rest | 0x80);
      prefix[head++] = (uint8_t)rest;
      memmove(bytes + head, bytes, at);
      memcpy(bytes, prefix, head);
      at += head;
      if (tag == 0x1a) break;
    }
    memcpy(bytes + at, p.bytes, p.len);
    if (i == levels - 1) {
      empty.header = &header;
      size_t n = etcdserverpb__txn_response__get_packed_size(&empty);
      bytes = realloc(bytes, p.len + at + n);
      etcdserverpb__txn_response__pack(&empty, bytes + p.len + at);
      at += n;
    }
    free(p.bytes);
    p = (packed){.bytes = bytes, .len = p.len + at};
  }
  return p;
}

static void deep_nesting_is_refused(void) {
  packed p = nested(COORD__TXN_DEPTH);
  coord_result *result = NULL;
  coord_error *err = NULL;
  T_OK(coord__decode_txn(p.bytes, p.len, &result, &err), err);
  int depth = 0;
  for (const coord_result *at = result; at != NULL; at = coord_result_part(at, 0)) depth++;
  T_INT(depth, COORD__TXN_DEPTH);
  coord_result_free(result);
  free(p.bytes);
  result = NULL;
  p = nested(COORD__TXN_DEPTH + 1);
  T_ERROR(coord__decode_txn(p.bytes, p.len, &result, &err), COORD_PROTOCOL, err, "64 deep");
  free(p.bytes);
  p = nested(20000); /* would exhaust the stack */
  T_CODE(coord__decode_txn(p.bytes, p.len, &result, NULL), COORD_PROTOCOL);
  T_TRUE(result == NULL);
  decode_as_everything(p.bytes, p.len);
  free(p.bytes);
}

static void memory_out_of_proportion_is_refused(void) {
  size_t len = 2 << 20;
  uint8_t *bytes = malloc(len);
  for (size_t i = 0; i < len; i += 2) {
    bytes[i] = 0x12; /* kvs, empty */
    bytes[i + 1] = 0;
  }
  coord_result *result = NULL;
  coord_error *err = NULL;
  T_ERROR(coord__decode_range(bytes, len, &result, &err), COORD_PROTOCOL, err, "RangeResponse");
  decode_as_everything(bytes, len);
  free(bytes);
}

static void the_most_wasteful_honest_answers_are_taken(void) {
  enum { MANY = 20000 };
  Etcdserverpb__ResponseHeader small = ETCDSERVERPB__RESPONSE_HEADER__INIT;
  small.revision = 1;
  Etcdserverpb__KeyValue tiny = ETCDSERVERPB__KEY_VALUE__INIT;
  tiny.key = bytes_of("k", 1);
  tiny.create_revision = tiny.mod_revision = tiny.version = 1;
  Etcdserverpb__KeyValue **kvs = malloc(MANY * sizeof *kvs);
  for (int i = 0; i < MANY; i++) kvs[i] = &tiny;
  Etcdserverpb__RangeResponse range = ETCDSERVERPB__RANGE_RESPONSE__INIT;
  range.header = &small;
  range.n_kvs = MANY;
  range.kvs = kvs;
  coord_result *result = decoded(coord__decode_range, &range);
  T_INT(coord_result_count(result), MANY);
  coord_result_free(result);
  free(kvs);
  Etcdserverpb__DeleteRangeResponse del = ETCDSERVERPB__DELETE_RANGE_RESPONSE__INIT;
  del.header = &small;
  Etcdserverpb__ResponseOp op = ETCDSERVERPB__RESPONSE_OP__INIT;
  op.response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_DELETE_RANGE;
  op.response_delete_range = &del;
  Etcdserverpb__ResponseOp **ops = malloc(MANY * sizeof *ops);
  for (int i = 0; i < MANY; i++) ops[i] = &op;
  Etcdserverpb__TxnResponse txn = ETCDSERVERPB__TXN_RESPONSE__INIT;
  txn.header = &small;
  txn.n_responses = MANY;
  txn.responses = ops;
  result = decoded(coord__decode_txn, &txn);
  T_INT(coord_result_parts(result), MANY);
  coord_result_free(result);
  free(ops);
}

static void memory_may_end_anywhere(void) {
  packed p = rich_answer();
  coord_result *result = NULL;
  long n = 0;
  for (; n < 100; n++) {
    coord__alloc_fail_after(n);
    coord_code code = coord__decode_txn(p.bytes, p.len, &result, NULL);
    coord__alloc_fail_after(-1);
    if (code == COORD_OK) break;
    T_CODE(code, COORD_NO_MEMORY);
    T_TRUE(result == NULL);
  }
  T_TRUE(n > 0 && n < 100);
  coord_result_free(result);
  free(p.bytes);
}

static void small_answers_take_one_allocation(void) {
  Etcdserverpb__KeyValue pair = new_kv("0123456789abcdef", 16, "value", 5);
  Etcdserverpb__KeyValue *kvs[] = {&pair};
  Etcdserverpb__RangeResponse range = ETCDSERVERPB__RANGE_RESPONSE__INIT;
  range.header = &header;
  range.n_kvs = 1;
  range.kvs = kvs;
  char *big = calloc(1, 65536);
  for (int i = 0; i < 2; i++) {
    packed p = pack(&range);
    coord_result *result = NULL;
    coord__alloc_fail_after(-1);
    T_CODE(coord__decode_range(p.bytes, p.len, &result, NULL), COORD_OK);
    T_INT(coord__alloc_count(), 1);
    coord_result_free(result);
    free(p.bytes);
    pair.value = bytes_of(big, 65536);
  }
  free(big);
}

T_MAIN(T_CASE(a_range_with_every_field), T_CASE(values_of_all_sizes_end_in_nul),
       T_CASE(puts_and_deletes), T_CASE(txns_have_parts), T_CASE(chunks_of_a_range_stream),
       T_CASE(status_as_json), T_CASE(members_as_json), T_CASE(getters_take_null),
       T_CASE(cut_anywhere), T_CASE(every_bit_flipped), T_CASE(random_bytes_and_random_damage),
       T_CASE(an_answer_without_header_is_refused), T_CASE(deep_nesting_is_refused),
       T_CASE(memory_out_of_proportion_is_refused),
       T_CASE(the_most_wasteful_honest_answers_are_taken), T_CASE(memory_may_end_anywhere),
       T_CASE(small_answers_take_one_allocation))
