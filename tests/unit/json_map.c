/* Messages as JSON and back. */
#include "rpc/json_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "etcd.pb-c.h"
#include "etcd/method.h"
#include "support/t.h"

typedef const ProtobufCMessageDescriptor *type;

static ProtobufCBinaryData bytes(const char *text, size_t n) {
  return (ProtobufCBinaryData){n, (uint8_t *)(uintptr_t)text};
}

/* A message as JSON text; the caller frees it. */
static char *json_of(const ProtobufCMessage *m) {
  coord__buf out = {0};
  size_t n = protobuf_c_message_get_packed_size(m);
  uint8_t *packed = malloc(n + 1);
  T_FATAL(packed != NULL);
  protobuf_c_message_pack(m, packed);
  T_CODE(coord__json_write(m->descriptor, packed, n, &out), COORD_OK);
  T_TRUE(coord__buf_append(&out, "", 1));
  char *text = strdup((const char *)out.data);
  coord__buf_free(&out);
  free(packed);
  return text;
}

static void expect_json(const ProtobufCMessage *m, const char *expected) {
  char *text = json_of(m);
  T_STR(text, expected);
  free(text);
}

/* The message that a text is, NULL with `why` when it is none. */
static void *message_of(type t, const char *text, char why[COORD__JSON_WHY]) {
  coord__buf out = {0};
  json_object *o = json_tokener_parse(text);
  T_TRUE(o != NULL);
  coord_code code = coord__json_read(t, o, &out, why);
  json_object_put(o);
  void *m = NULL;
  if (code == COORD_OK) {
    m = protobuf_c_message_unpack(t, NULL, out.len, out.data);
    T_TRUE(m != NULL);
  } else {
    T_CODE(code, COORD_PROTOCOL);
    T_INT(out.len, 0);
  }
  coord__buf_free(&out);
  return m;
}

static void put_is_written_with_base64_texts_and_without_zeros(void) {
  Etcdserverpb__PutRequest put = ETCDSERVERPB__PUT_REQUEST__INIT;
  expect_json(&put.base, "{}");
  put.key = bytes("a\0b", 3);
  put.value = bytes("\xff\xfe", 2);
  put.lease = INT64_MAX;
  put.prev_kv = true;
  expect_json(&put.base,
              "{\"key\":\"YQBi\",\"value\":\"//4=\",\"lease\":\"9223372036854775807\","
              "\"prev_kv\":true}");
}

static void enums_are_written_by_name(void) {
  Etcdserverpb__RangeRequest get = ETCDSERVERPB__RANGE_REQUEST__INIT;
  get.key = bytes("k", 1);
  get.sort_order = ETCDSERVERPB__RANGE_REQUEST__SORT_ORDER__DESCEND;
  get.sort_target = ETCDSERVERPB__RANGE_REQUEST__SORT_TARGET__MOD;
  get.limit = -5;
  expect_json(&get.base,
              "{\"key\":\"aw==\",\"limit\":\"-5\",\"sort_order\":\"DESCEND\","
              "\"sort_target\":\"MOD\"}");
}

static void choice_among_several_is_written_though_it_is_zero(void) {
  Etcdserverpb__Compare compare = ETCDSERVERPB__COMPARE__INIT;
  compare.target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_VERSION;
  compare.key = bytes("k", 1);
  Etcdserverpb__Compare *compares[] = {&compare};
  Etcdserverpb__RequestOp op = ETCDSERVERPB__REQUEST_OP__INIT;
  Etcdserverpb__RangeRequest get = ETCDSERVERPB__RANGE_REQUEST__INIT;
  op.request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_RANGE;
  op.request_range = &get;
  Etcdserverpb__RequestOp *ops[] = {&op, &op};
  Etcdserverpb__TxnRequest txn = ETCDSERVERPB__TXN_REQUEST__INIT;
  txn.n_compare = 1;
  txn.compare = compares;
  txn.n_success = 2;
  txn.success = ops;
  expect_json(&txn.base,
              "{\"compare\":[{\"key\":\"aw==\",\"version\":\"0\"}],"
              "\"success\":[{\"request_range\":{}},{\"request_range\":{}}]}");
}

static void lists_of_enums_are_written(void) {
  Etcdserverpb__WatchCreateRequest create = ETCDSERVERPB__WATCH_CREATE_REQUEST__INIT;
  Etcdserverpb__WatchCreateRequest__FilterType filters[] = {
      ETCDSERVERPB__WATCH_CREATE_REQUEST__FILTER_TYPE__NOPUT,
      ETCDSERVERPB__WATCH_CREATE_REQUEST__FILTER_TYPE__NODELETE};
  create.n_filters = 2;
  create.filters = filters;
  expect_json(&create.base, "{\"filters\":[\"NOPUT\",\"NODELETE\"]}");
}

static void texts_are_escaped(void) {
  Etcdserverpb__Member member = ETCDSERVERPB__MEMBER__INIT;
  char name[] = "a\"\\/\n\xc3\xa9";
  member.name = name;
  member.id = UINT64_MAX;
  expect_json(&member.base, "{\"ID\":\"18446744073709551615\",\"name\":\"a\\\"\\\\/\\n\xc3\xa9\"}");
}

static void answer_of_a_range_is_read(void) {
  char why[COORD__JSON_WHY];
  Etcdserverpb__RangeResponse *r = message_of(
      &etcdserverpb__range_response__descriptor,
      "{\"header\":{\"cluster_id\":\"18446744073709551615\",\"revision\":7,\"raft_term\":null},"
      "\"kvs\":[{\"key\":\"YQ==\",\"value\":\"__-_\",\"mod_revision\":\"5\",\"new\":[1,{}]},"
      "{\"key\":\"YWI\",\"lease\":\"-1\"}],\"more\":true,\"count\":\"2\",\"unknown\":{\"x\":1}}",
      why);
  T_FATAL(r != NULL);
  T_TRUE(r->header->cluster_id == UINT64_MAX);
  T_INT(r->header->revision, 7);
  T_INT(r->n_kvs, 2);
  T_MEM(r->kvs[0]->key.data, r->kvs[0]->key.len, "a", 1);
  T_MEM(r->kvs[0]->value.data, r->kvs[0]->value.len, "\xff\xff\xbf", 3);
  T_MEM(r->kvs[1]->key.data, r->kvs[1]->key.len, "ab", 2);
  T_INT(r->kvs[1]->lease, -1);
  T_TRUE(r->more);
  T_INT(r->count, 2);
  etcdserverpb__range_response__free_unpacked(r, NULL);
}

static void enums_are_read_by_name_and_by_number(void) {
  static const char *const texts[] = {"{\"type\":\"DELETE\"}", "{\"type\":1}", "{\"type\":\"1\"}"};
  char why[COORD__JSON_WHY];
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    Etcdserverpb__Event *e = message_of(&etcdserverpb__event__descriptor, texts[i], why);
    T_FATAL(e != NULL);
    T_INT(e->type, ETCDSERVERPB__EVENT__EVENT_TYPE__DELETE);
    etcdserverpb__event__free_unpacked(e, NULL);
  }
}

static void what_is_no_message_is_refused_by_the_name_of_the_field(void) {
  static const struct row {
    type t;
    const char *text;
    const char *part;
  } rows[] = {
      {&etcdserverpb__range_response__descriptor, "[]", "RangeResponse"},
      {&etcdserverpb__range_response__descriptor, "\"x\"", "RangeResponse"},
      {&etcdserverpb__range_response__descriptor, "{\"kvs\":{}}", "kvs"},
      {&etcdserverpb__range_response__descriptor, "{\"kvs\":[null]}", "kvs"},
      {&etcdserverpb__range_response__descriptor, "{\"kvs\":[7]}", "kvs"},
      {&etcdserverpb__range_response__descriptor, "{\"header\":[]}", "header"},
      {&etcdserverpb__range_response__descriptor, "{\"count\":\"\"}", "count"},
      {&etcdserverpb__range_response__descriptor, "{\"count\":\"7x\"}", "count"},
      {&etcdserverpb__range_response__descriptor, "{\"count\":\" 7\"}", "count"},
      {&etcdserverpb__range_response__descriptor, "{\"count\":\"--7\"}", "count"},
      {&etcdserverpb__range_response__descriptor, "{\"count\":1.5}", "count"},
      {&etcdserverpb__range_response__descriptor, "{\"count\":true}", "count"},
      {&etcdserverpb__range_response__descriptor, "{\"count\":\"9223372036854775808\"}", "count"},
      {&etcdserverpb__range_response__descriptor, "{\"more\":\"true\"}", "more"},
      {&etcdserverpb__response_header__descriptor, "{\"member_id\":\"-1\"}", "member_id"},
      {&etcdserverpb__key_value__descriptor, "{\"key\":\"Y\"}", "key"},
      {&etcdserverpb__key_value__descriptor, "{\"key\":\"YQ=\"}", "key"},
      {&etcdserverpb__key_value__descriptor, "{\"key\":\"Y!==\"}", "key"},
      {&etcdserverpb__key_value__descriptor, "{\"key\":\"====\"}", "key"},
      {&etcdserverpb__key_value__descriptor, "{\"key\":7}", "key"},
      {&etcdserverpb__event__descriptor, "{\"type\":\"TELL\"}", "type"},
      {&etcdserverpb__event__descriptor, "{\"type\":4294967296}", "type"},
      {&etcdserverpb__member__descriptor, "{\"name\":{}}", "name"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char why[COORD__JSON_WHY];
    void *m = message_of(rows[i].t, rows[i].text, why);
    if (m != NULL) {
      T_FAIL("%s was taken", rows[i].text);
      protobuf_c_message_free_unpacked(m, NULL);
    } else {
      T_HAS(why, rows[i].part);
    }
  }
}

static void base64_of_every_length_goes_there_and_back(void) {
  uint8_t data[300];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 7 + 3);
  for (size_t n = 0; n < sizeof data; n++) {
    char why[COORD__JSON_WHY];
    Etcdserverpb__KeyValue kv = ETCDSERVERPB__KEY_VALUE__INIT;
    kv.value = (ProtobufCBinaryData){n, data};
    char *text = json_of(&kv.base);
    Etcdserverpb__KeyValue *back = message_of(&etcdserverpb__key_value__descriptor, text, why);
    T_FATAL(back != NULL);
    T_MEM(back->value.data, back->value.len, data, n);
    etcdserverpb__key_value__free_unpacked(back, NULL);
    free(text);
  }
}

static bool is_mapped(type t, int depth) {
  for (unsigned i = 0; i < t->n_fields; i++) {
    const ProtobufCFieldDescriptor *f = &t->fields[i];
    switch (f->type) {
      case PROTOBUF_C_TYPE_INT32:
      case PROTOBUF_C_TYPE_UINT32:
      case PROTOBUF_C_TYPE_INT64:
      case PROTOBUF_C_TYPE_UINT64:
      case PROTOBUF_C_TYPE_BOOL:
      case PROTOBUF_C_TYPE_ENUM:
      case PROTOBUF_C_TYPE_STRING:
      case PROTOBUF_C_TYPE_BYTES:
        break;
      case PROTOBUF_C_TYPE_MESSAGE:
        if (depth < 6 && !is_mapped(f->descriptor, depth + 1)) return false;
        break;
      default:
        T_FAIL("%s.%s has a type that the mapping does not know", t->name, f->name);
        return false;
    }
  }
  return true;
}

static void every_type_of_field_that_our_methods_use_is_mapped(void) {
  for (int i = 0; i < COORD__METHOD_COUNT; i++) {
    T_TRUE(is_mapped(coord__methods[i].request, 0));
    T_TRUE(is_mapped(coord__methods[i].response, 0));
  }
}

static void bytes_that_are_no_message_are_refused(void) {
  coord__buf out = {0};
  T_CODE(coord__json_write(&etcdserverpb__put_request__descriptor, (const uint8_t *)"\x0a\x05", 2,
                           &out),
         COORD_INVALID);
  T_INT(out.len, 0);
  coord__buf_free(&out);
}

static void without_memory_nothing_is_appended(void) {
  static const char text[] = "{\"kvs\":[{\"key\":\"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\"}]}";
  char why[COORD__JSON_WHY];
  json_object *o = json_tokener_parse(text);
  coord_code code = COORD_NO_MEMORY;
  for (long n = 0; code != COORD_OK && n < 100; n++) {
    coord__buf out = {0}, back = {0};
    coord__alloc_fail_after(n);
    code = coord__json_read(&etcdserverpb__range_response__descriptor, o, &out, why);
    if (code == COORD_OK) {
      code = coord__json_write(&etcdserverpb__range_response__descriptor, out.data, out.len, &back);
      if (code != COORD_OK) T_INT(back.len, 0);
    } else {
      T_INT(out.len, 0);
    }
    coord__alloc_fail_after(-1);
    T_TRUE(code == COORD_OK || code == COORD_NO_MEMORY);
    if (code == COORD_OK) T_MEM(back.data, back.len, text, sizeof text - 1);
    coord__buf_free(&out);
    coord__buf_free(&back);
  }
  T_CODE(code, COORD_OK);
  json_object_put(o);
}

T_MAIN(T_CASE(put_is_written_with_base64_texts_and_without_zeros),
       T_CASE(enums_are_written_by_name), T_CASE(choice_among_several_is_written_though_it_is_zero),
       T_CASE(lists_of_enums_are_written), T_CASE(texts_are_escaped),
       T_CASE(answer_of_a_range_is_read), T_CASE(enums_are_read_by_name_and_by_number),
       T_CASE(what_is_no_message_is_refused_by_the_name_of_the_field),
       T_CASE(base64_of_every_length_goes_there_and_back),
       T_CASE(every_type_of_field_that_our_methods_use_is_mapped),
       T_CASE(bytes_that_are_no_message_are_refused), T_CASE(without_memory_nothing_is_appended))
