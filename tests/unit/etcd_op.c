/* Ops: what is encoded for every verb and attribute, and every refusal. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "etcd/method.h"
#include "etcd/op.h"
#include "etcd/request.h"
#include "support/t.h"

static const coord__limits limits = {.request_max_bytes = 1572864, .request_max_ops = 128};

/* Encode an op, which is freed, and unpack what would be sent. The case ends when it fails. */
static void *sent(coord_op *op, coord__method_index method, coord__request *request) {
  coord_error *err = NULL;
  T_FATAL(op != NULL);
  coord_code code = coord__op_encode(op, &limits, request, &err);
  T_OK(code, err);
  coord_error_free(err);
  coord_op_free(op);
  T_FATAL(code == COORD_OK);
  T_INT(request->method->index, method);
  T_TRUE(request->method == &coord__methods[method]);
  T_FATAL(request->body.len >= COORD__FRAME_HEADROOM);
  void *message = protobuf_c_message_unpack(request->method->request, NULL,
                                            request->body.len - COORD__FRAME_HEADROOM,
                                            request->body.data + COORD__FRAME_HEADROOM);
  T_FATAL(message != NULL);
  coord__request_free(request);
  return message;
}

static void done(void *message) { protobuf_c_message_free_unpacked(message, NULL); }

/* The op, which is freed, is refused with a message that holds `part`. */
static void refused(coord_op *op, const char *part) {
  coord_error *err = NULL;
  coord__request request = {0};
  T_ERROR(coord__op_encode(op, &limits, &request, &err), COORD_INVALID, err, part);
  T_TRUE(request.body.data == NULL);
  T_CODE(coord__op_encode(op, &limits, &request, NULL), COORD_INVALID);
  coord_op_free(op);
}

#define T_BYTES(field, text) T_MEM((field).data, (field).len, text, sizeof(text) - 1)

static void get_of_one_key(void) {
  coord__request request;
  Etcdserverpb__RangeRequest *get = sent(coord_op_get("k\0y", 3), COORD__METHOD_RANGE, &request);
  T_BYTES(get->key, "k\0y");
  T_INT(get->range_end.len, 0);
  T_INT(get->limit, 0);
  T_INT(get->revision, 0);
  T_INT(get->sort_order, ETCDSERVERPB__RANGE_REQUEST__SORT_ORDER__NONE);
  T_INT(get->sort_target, ETCDSERVERPB__RANGE_REQUEST__SORT_TARGET__KEY);
  T_INT(get->serializable, 0);
  T_INT(get->keys_only, 0);
  T_INT(get->count_only, 0);
  T_TRUE(request.read_only);
  T_TRUE(!request.idempotent);
  done(get);
}

static void get_with_every_attribute(void) {
  static const struct {
    int32_t attribute;
    int64_t value;
  } set[] = {
      {COORD_OP_LIMIT, 7},
      {COORD_OP_REVISION, INT64_MAX},
      {COORD_OP_SERIALIZABLE, 1},
      {COORD_OP_KEYS_ONLY, 1},
      {COORD_OP_COUNT_ONLY, 1},
      {COORD_OP_SORT_BY, COORD_SORT_VALUE},
      {COORD_OP_SORT_DESCENDING, 1},
      {COORD_OP_MIN_MOD_REVISION, 11},
      {COORD_OP_MAX_MOD_REVISION, 12},
      {COORD_OP_MIN_CREATE_REVISION, 13},
      {COORD_OP_MAX_CREATE_REVISION, 14},
  };
  coord_op *op = coord_op_get("k", 1);
  for (size_t i = 0; i < sizeof set / sizeof *set; i++) {
    T_CODE(coord_op_set(op, set[i].attribute, set[i].value), COORD_OK);
  }
  coord__request request;
  Etcdserverpb__RangeRequest *get = sent(op, COORD__METHOD_RANGE, &request);
  T_INT(get->limit, 7);
  T_INT(get->revision, INT64_MAX);
  T_INT(get->serializable, 1);
  T_INT(get->keys_only, 1);
  T_INT(get->count_only, 1);
  T_INT(get->sort_target, ETCDSERVERPB__RANGE_REQUEST__SORT_TARGET__VALUE);
  T_INT(get->sort_order, ETCDSERVERPB__RANGE_REQUEST__SORT_ORDER__DESCEND);
  T_INT(get->min_mod_revision, 11);
  T_INT(get->max_mod_revision, 12);
  T_INT(get->min_create_revision, 13);
  T_INT(get->max_create_revision, 14);
  done(get);
}

static void each_attribute_alone_changes_its_field_alone(void) {
  for (int32_t attribute = COORD_OP_LIMIT; attribute <= COORD_OP_MAX_CREATE_REVISION; attribute++) {
    coord_op *op = coord_op_get("k", 1);
    if (attribute == COORD_OP_PREV_KV) attribute++; /* that of a watch */
    coord_code code = coord_op_set(op, attribute, 1);
    if (attribute >= COORD_OP_PREV_KV && attribute <= COORD_OP_IGNORE_LEASE) {
      T_CODE(code, COORD_INVALID);
      coord_op_free(op);
      continue;
    }
    T_CODE(code, COORD_OK);
    coord__request request;
    Etcdserverpb__RangeRequest *get = sent(op, COORD__METHOD_RANGE, &request);
    T_INT(get->limit, attribute == COORD_OP_LIMIT);
    T_INT(get->revision, attribute == COORD_OP_REVISION);
    T_INT(get->serializable, attribute == COORD_OP_SERIALIZABLE);
    T_INT(get->keys_only, attribute == COORD_OP_KEYS_ONLY);
    T_INT(get->count_only, attribute == COORD_OP_COUNT_ONLY);
    T_INT(get->sort_target, attribute == COORD_OP_SORT_BY);
    T_INT(get->sort_order, attribute == COORD_OP_SORT_BY           ? 1
                           : attribute == COORD_OP_SORT_DESCENDING ? 2
                                                                   : 0);
    T_INT(get->min_mod_revision, attribute == COORD_OP_MIN_MOD_REVISION);
    T_INT(get->max_mod_revision, attribute == COORD_OP_MAX_MOD_REVISION);
    T_INT(get->min_create_revision, attribute == COORD_OP_MIN_CREATE_REVISION);
    T_INT(get->max_create_revision, attribute == COORD_OP_MAX_CREATE_REVISION);
    done(get);
  }
}

static void sort_orders(void) {
  coord_op *op = coord_op_get("k", 1);
  T_CODE(coord_op_set(op, COORD_OP_SORT_DESCENDING, 1), COORD_OK);
  T_CODE(coord_op_set(op, COORD_OP_SORT_BY, COORD_SORT_MOD), COORD_OK);
  coord__request request;
  Etcdserverpb__RangeRequest *get = sent(op, COORD__METHOD_RANGE, &request);
  T_INT(get->sort_order, ETCDSERVERPB__RANGE_REQUEST__SORT_ORDER__DESCEND);
  T_INT(get->sort_target, ETCDSERVERPB__RANGE_REQUEST__SORT_TARGET__MOD);
  done(get);
  for (int64_t by = COORD_SORT_KEY; by <= COORD_SORT_VALUE; by++) {
    op = coord_op_get("k", 1);
    T_CODE(coord_op_set(op, COORD_OP_SORT_BY, by), COORD_OK);
    T_CODE(coord_op_set(op, COORD_OP_SORT_DESCENDING, 0), COORD_OK);
    get = sent(op, COORD__METHOD_RANGE, &request);
    T_INT(get->sort_order, ETCDSERVERPB__RANGE_REQUEST__SORT_ORDER__ASCEND);
    T_INT(get->sort_target, by);
    done(get);
  }
}

static void prefix_is_sent(const char *key, size_t key_len, const char *as, size_t as_len,
                           const char *end, size_t end_len) {
  coord__request request;
  coord_op *op = coord_op_get(key, key_len);
  T_CODE(coord_op_set_prefix(op), COORD_OK);
  Etcdserverpb__RangeRequest *get = sent(op, COORD__METHOD_RANGE, &request);
  T_MEM(get->key.data, get->key.len, as, as_len);
  T_MEM(get->range_end.data, get->range_end.len, end, end_len);
  done(get);
  op = coord_op_delete(key, key_len);
  T_CODE(coord_op_set_prefix(op), COORD_OK);
  Etcdserverpb__DeleteRangeRequest *del = sent(op, COORD__METHOD_DELETE, &request);
  T_MEM(del->key.data, del->key.len, as, as_len);
  T_MEM(del->range_end.data, del->range_end.len, end, end_len);
  done(del);
}

static void prefixes(void) {
  prefix_is_sent("/a/", 3, "/a/", 3, "/a0", 3);
  prefix_is_sent("a\xff", 2, "a\xff", 2, "b", 1);
  prefix_is_sent("a\xff\xff", 3, "a\xff\xff", 3, "b", 1);
  prefix_is_sent("\xff\xff", 2, "\xff\xff", 2, "\0", 1);
  prefix_is_sent("\xff", 1, "\xff", 1, "\0", 1);
  prefix_is_sent("a\0", 2, "a\0", 2, "a\1", 2);
  prefix_is_sent("\0", 1, "\0", 1, "\1", 1);
  prefix_is_sent("", 0, "\0", 1, "\0", 1);
  prefix_is_sent(NULL, 0, "\0", 1, "\0", 1);
}

static void range_ends(void) {
  coord__request request;
  coord_op *op = coord_op_get("a", 1);
  char end[] = "b\0c";
  T_CODE(coord_op_set_range_end(op, end, 3), COORD_OK);
  memset(end, 'x', 3); /* it was copied */
  Etcdserverpb__RangeRequest *get = sent(op, COORD__METHOD_RANGE, &request);
  T_BYTES(get->key, "a");
  T_BYTES(get->range_end, "b\0c");
  done(get);
  op = coord_op_delete("", 0);
  T_CODE(coord_op_set_range_end(op, "\0", 1), COORD_OK);
  Etcdserverpb__DeleteRangeRequest *del = sent(op, COORD__METHOD_DELETE, &request);
  T_BYTES(del->key, "\0");
  T_BYTES(del->range_end, "\0");
  done(del);
}

static void put_of_bytes(void) {
  coord__request request;
  char key[] = "\0k\xff";
  char value[] = "v\0\n\xfe";
  coord_op *op = coord_op_put(key, 3, value, 4);
  memset(key, 0, sizeof key); /* both were copied */
  memset(value, 0, sizeof value);
  Etcdserverpb__PutRequest *put = sent(op, COORD__METHOD_PUT, &request);
  T_BYTES(put->key, "\0k\xff");
  T_BYTES(put->value, "v\0\n\xfe");
  T_INT(put->lease, 0);
  T_INT(put->prev_kv, 0);
  T_INT(put->ignore_value, 0);
  T_INT(put->ignore_lease, 0);
  T_TRUE(!request.read_only);
  T_TRUE(!request.idempotent);
  done(put);
  put = sent(coord_op_put("k", 1, NULL, 0), COORD__METHOD_PUT, &request);
  T_INT(put->value.len, 0);
  done(put);
}

static void put_with_every_attribute(void) {
  coord__request request;
  coord_op *op = coord_op_put("k", 1, "v", 1);
  T_CODE(coord_op_set(op, COORD_OP_LEASE, INT64_MIN), COORD_OK);
  T_CODE(coord_op_set(op, COORD_OP_PREV_KV, 1), COORD_OK);
  T_CODE(coord_op_set(op, COORD_OP_IDEMPOTENT, 1), COORD_OK);
  Etcdserverpb__PutRequest *put = sent(op, COORD__METHOD_PUT, &request);
  T_TRUE(put->lease == INT64_MIN);
  T_INT(put->prev_kv, 1);
  T_TRUE(request.idempotent);
  done(put);
  op = coord_op_put("k", 1, NULL, 0);
  T_CODE(coord_op_set(op, COORD_OP_IGNORE_VALUE, 1), COORD_OK);
  T_CODE(coord_op_set(op, COORD_OP_IGNORE_LEASE, 1), COORD_OK);
  put = sent(op, COORD__METHOD_PUT, &request);
  T_INT(put->ignore_value, 1);
  T_INT(put->ignore_lease, 1);
  done(put);
}

static void delete_compact_status_members(void) {
  coord__request request;
  coord_op *op = coord_op_delete("k", 1);
  T_CODE(coord_op_set(op, COORD_OP_PREV_KV, 1), COORD_OK);
  T_CODE(coord_op_set(op, COORD_OP_IDEMPOTENT, 1), COORD_OK);
  Etcdserverpb__DeleteRangeRequest *del = sent(op, COORD__METHOD_DELETE, &request);
  T_BYTES(del->key, "k");
  T_INT(del->prev_kv, 1);
  T_TRUE(request.idempotent && !request.read_only);
  done(del);
  op = coord_op_compact(42);
  T_CODE(coord_op_set(op, COORD_OP_PHYSICAL, 1), COORD_OK);
  Etcdserverpb__CompactionRequest *compact = sent(op, COORD__METHOD_COMPACT, &request);
  T_INT(compact->revision, 42);
  T_INT(compact->physical, 1);
  T_TRUE(!request.read_only);
  done(compact);
  done(sent(coord_op_status(), COORD__METHOD_STATUS, &request));
  T_TRUE(request.read_only);
  Etcdserverpb__MemberListRequest *members =
      sent(coord_op_members(), COORD__METHOD_MEMBERS, &request);
  T_INT(members->linearizable, 1);
  T_TRUE(request.read_only);
  done(members);
  op = coord_op_members();
  T_CODE(coord_op_set(op, COORD_OP_SERIALIZABLE, 1), COORD_OK);
  members = sent(op, COORD__METHOD_MEMBERS, &request);
  T_INT(members->linearizable, 0);
  done(members);
}

static void empty_keys_are_refused(void) {
  refused(coord_op_get("", 0), "get: the key is empty");
  refused(coord_op_put(NULL, 0, "v", 1), "put: the key is empty");
  refused(coord_op_delete("", 0), "delete: the key is empty");
}

static void null_with_a_length_is_refused(void) {
  refused(coord_op_get(NULL, 3), "get: key is NULL although its length is 3");
  refused(coord_op_delete(NULL, 4), "delete: key is NULL although its length is 4");
  refused(coord_op_put(NULL, 5, "v", 1), "put: key is NULL although its length is 5");
  refused(coord_op_put("k", 1, NULL, 6), "put: value is NULL although its length is 6");
  refused(coord_op_put("k", 1, "v", SIZE_MAX), "more than memory can hold");
  refused(coord_op_get("k", (size_t)-1), "more than memory can hold");
  coord_op *op = coord_op_get(NULL, 3);
  T_CODE(coord_op_set_prefix(op), COORD_OK); /* does not make it a get of all keys */
  refused(op, "key is NULL");
  op = coord_op_get("k", 1);
  T_CODE(coord_op_set_range_end(op, NULL, 2), COORD_INVALID);
  refused(op, "range end is NULL although its length is 2");
  coord_error *err = NULL;
  T_ERROR(coord__op_encode(NULL, &limits, &(coord__request){0}, &err), COORD_INVALID, err, "NULL");
}

static void ranges_that_make_no_sense_are_refused(void) {
  coord_op *op = coord_op_get("key", 3);
  T_CODE(coord_op_set_range_end(op, "", 0), COORD_INVALID);
  refused(op, "the range end is empty");
  op = coord_op_get("key", 3);
  T_CODE(coord_op_set_prefix(op), COORD_OK);
  T_CODE(coord_op_set_range_end(op, "l", 1), COORD_INVALID);
  refused(op, "get of \"key\": a prefix or range end is set already");
  op = coord_op_delete("key", 3);
  T_CODE(coord_op_set_range_end(op, "l", 1), COORD_OK);
  T_CODE(coord_op_set_prefix(op), COORD_INVALID);
  refused(op, "delete of \"key\": a prefix or range end is set already");
  op = coord_op_put("k", 1, "v", 1);
  T_CODE(coord_op_set_prefix(op), COORD_INVALID);
  refused(op, "put: a prefix or range end is for get, delete and permissions only");
  op = coord_op_txn();
  T_CODE(coord_op_set_range_end(op, "z", 1), COORD_INVALID);
  refused(op, "txn: a prefix or range end is for get, delete and permissions only");
}

static void attributes_that_an_op_lacks_are_refused(void) {
  static const uint32_t has[] = {
      [COORD__OP_GET] =
          1U << COORD_OP_LIMIT | 1U << COORD_OP_REVISION | 1U << COORD_OP_SERIALIZABLE |
          1U << COORD_OP_KEYS_ONLY | 1U << COORD_OP_COUNT_ONLY | 1U << COORD_OP_SORT_BY |
          1U << COORD_OP_SORT_DESCENDING | 1U << COORD_OP_MIN_MOD_REVISION |
          1U << COORD_OP_MAX_MOD_REVISION | 1U << COORD_OP_MIN_CREATE_REVISION |
          1U << COORD_OP_MAX_CREATE_REVISION | 1U << COORD_OP_PREV_KV | 1U << COORD_OP_NO_PUTS |
          1U << COORD_OP_NO_DELETES | 1U << COORD_OP_PROGRESS,
      [COORD__OP_PUT] = 1U << COORD_OP_LEASE | 1U << COORD_OP_PREV_KV |
                        1U << COORD_OP_IGNORE_VALUE | 1U << COORD_OP_IGNORE_LEASE |
                        1U << COORD_OP_IDEMPOTENT,
      [COORD__OP_DELETE] = 1U << COORD_OP_PREV_KV | 1U << COORD_OP_IDEMPOTENT,
      [COORD__OP_COMPACT] = 1U << COORD_OP_PHYSICAL,
      [COORD__OP_STATUS] = 0,
      [COORD__OP_MEMBERS] = 1U << COORD_OP_SERIALIZABLE,
      [COORD__OP_TXN] = 1U << COORD_OP_IDEMPOTENT,
  };
  for (int kind = COORD__OP_GET; kind <= COORD__OP_TXN; kind++) {
    for (int32_t attribute = -1; attribute <= COORD_OP_PROGRESS + 1; attribute++) {
      coord_op *ops[] = {coord_op_get("k", 1), coord_op_put("k", 1, "", 0), coord_op_delete("k", 1),
                         coord_op_compact(1),  coord_op_status(),           coord_op_members(),
                         coord_op_txn()};
      bool known = attribute >= 0 && attribute <= COORD_OP_PROGRESS;
      bool expected = known && (has[kind] >> attribute & 1U) != 0;
      T_CODE(coord_op_set(ops[kind], attribute, 1), expected ? COORD_OK : COORD_INVALID);
      if (!expected) {
        refused(ops[kind], known ? "has no attribute " : "there is no attribute ");
        ops[kind] = NULL;
      }
      for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) coord_op_free(ops[i]);
    }
  }
  T_CODE(coord_op_set(NULL, COORD_OP_LEASE, 1), COORD_INVALID);
  T_CODE(coord_op_set_prefix(NULL), COORD_INVALID);
  T_CODE(coord_op_set_range_end(NULL, "a", 1), COORD_INVALID);
  coord_op_free(NULL);
}

static void values_out_of_range_are_refused(void) {
  static const struct {
    int32_t attribute;
    int64_t value;
    const char *part;
  } bad[] = {
      {COORD_OP_LIMIT, -1, "attribute limit is -1: it must not be negative"},
      {COORD_OP_REVISION, INT64_MIN, "attribute revision is -9223372036854775808"},
      {COORD_OP_MIN_MOD_REVISION, -2, "attribute min_mod_revision is -2"},
      {COORD_OP_MAX_MOD_REVISION, -3, "attribute max_mod_revision is -3"},
      {COORD_OP_MIN_CREATE_REVISION, -4, "attribute min_create_revision is -4"},
      {COORD_OP_MAX_CREATE_REVISION, -5, "attribute max_create_revision is -5"},
      {COORD_OP_SERIALIZABLE, 2, "attribute serializable is 2: it is 0 or 1"},
      {COORD_OP_KEYS_ONLY, -1, "attribute keys_only is -1: it is 0 or 1"},
      {COORD_OP_COUNT_ONLY, 256, "attribute count_only is 256: it is 0 or 1"},
      {COORD_OP_SORT_BY, 5, "attribute sort_by is 5: it is 0 (key)"},
      {COORD_OP_SORT_BY, -1, "attribute sort_by is -1"},
      {COORD_OP_SORT_DESCENDING, 2, "attribute sort_descending is 2"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    coord_op *op = coord_op_get("k", 1);
    T_CODE(coord_op_set(op, bad[i].attribute, bad[i].value), COORD_INVALID);
    refused(op, bad[i].part);
  }
  coord_op *op = coord_op_put("k", 1, "v", 1);
  T_CODE(coord_op_set(op, COORD_OP_PREV_KV, 2), COORD_INVALID);
  refused(op, "put: attribute prev_kv is 2");
  op = coord_op_txn();
  T_CODE(coord_op_set(op, COORD_OP_IDEMPOTENT, 3), COORD_INVALID);
  refused(op, "txn: attribute idempotent is 3");
  refused(coord_op_compact(0), "compact: the revision is 0: it must be greater than 0");
  refused(coord_op_compact(-7), "compact: the revision is -7");
}

static void the_first_fault_is_told(void) {
  coord_op *op = coord_op_get("k", 1);
  T_CODE(coord_op_set(op, COORD_OP_LIMIT, -1), COORD_INVALID);
  T_CODE(coord_op_set(op, COORD_OP_KEYS_ONLY, 9), COORD_INVALID);
  T_CODE(coord_op_set(op, COORD_OP_LIMIT, 1), COORD_OK);
  refused(op, "attribute limit is -1");
}

static void ignored_and_given_at_once_is_refused(void) {
  coord_op *op = coord_op_put("a\n", 2, "value", 5);
  T_CODE(coord_op_set(op, COORD_OP_IGNORE_VALUE, 1), COORD_OK);
  refused(op,
          "put of \"a\\x0a\": with attribute ignore_value the present value stays, but a value "
          "of 5 bytes");
  op = coord_op_put("a", 1, "v", 1);
  T_CODE(coord_op_set(op, COORD_OP_IGNORE_LEASE, 1), COORD_OK);
  T_CODE(coord_op_set(op, COORD_OP_LEASE, 77), COORD_OK);
  refused(op,
          "put of \"a\": with attribute ignore_lease the present lease stays, but attribute "
          "lease is 77");
}

static void size_limit_is_exact(void) {
  char *value = calloc(1, 2000);
  coord_op *op = coord_op_put("key", 3, value, 2000);
  coord__request request = {0};
  coord__limits exact = {.request_max_bytes = 2000 + 8, .request_max_ops = 128};
  coord_error *err = NULL;
  T_OK(coord__op_encode(op, &exact, &request, &err), err);
  T_INT(request.body.len, COORD__FRAME_HEADROOM + 2008);
  T_INT(request.body.cap, request.body.len);
  coord__request_free(&request);
  exact.request_max_bytes--;
  T_CODE(coord__op_encode(op, &exact, &request, &err), COORD_TOO_LARGE);
  T_HAS(coord_error_message(err), "2008 bytes");
  T_HAS(coord_error_message(err), "request.max.bytes allows 2007");
  coord_error_free(err);
  err = NULL;
  coord_op_free(op);
  free(value);
  value = calloc(1, 1572865);
  op = coord_op_put("k", 1, value, 1572865);
  T_ERROR(coord__op_encode(op, &limits, &request, &err), COORD_TOO_LARGE, err, "put: the request");
  coord_op_free(op);
  free(value);
}

static void pages_of_a_get(void) {
  coord_op *get = coord_op_get("/p/", 3);
  T_CODE(coord_op_set_prefix(get), COORD_OK);
  T_CODE(coord_op_set(get, COORD_OP_SERIALIZABLE, 1), COORD_OK);
  coord__request request;
  Etcdserverpb__RangeRequest *page =
      sent(coord__op_get_page(get, "/p/x\0", 5, 10, 99), COORD__METHOD_RANGE, &request);
  T_BYTES(page->key, "/p/x\0");
  T_BYTES(page->range_end, "/p0");
  T_INT(page->limit, 10);
  T_INT(page->revision, 99);
  T_INT(page->serializable, 1);
  done(page);
  coord_op *copy = coord__op_get_page(get, NULL, 0, 0, 0);
  T_CODE(coord_op_set_prefix(copy), COORD_INVALID);
  coord_op_free(copy);
  T_CODE(coord_op_set(get, COORD_OP_LIMIT, -1), COORD_INVALID);
  refused(coord__op_get_page(get, NULL, 0, 1, 1), "attribute limit is -1");
  coord_op_free(get);
  coord_op *one = coord_op_get("one", 3);
  copy = coord__op_get_page(one, NULL, 0, 0, 0);
  coord_op_free(one);
  T_CODE(coord_op_set_prefix(copy), COORD_OK);
  page = sent(copy, COORD__METHOD_RANGE, &request);
  T_BYTES(page->key, "one");
  T_BYTES(page->range_end, "onf");
  done(page);
}

static int held;
static void retain(void *self) {
  T_TRUE(self == &held);
  held++;
}
static void release(void *self) {
  T_TRUE(self == &held);
  held--;
}

static void custom_ops_hold_their_object_and_are_not_encoded(void) {
  static const coord__op_class class = {.name = "talk", .retain = retain, .release = release};
  coord_op *op = coord__op_custom(&class, &held);
  T_INT(held, 1);
  coord__request request = {0};
  coord_error *err = NULL;
  T_ERROR(coord__op_encode(op, &limits, &request, &err), COORD_INTERNAL, err, "talk");
  coord_op *txn = coord_op_txn();
  T_CODE(coord_op_then(txn, op), COORD_INVALID);
  refused(txn, "op 0 of then is a talk");
  T_CODE(coord_op_set(op, COORD_OP_LIMIT, 1), COORD_INVALID);
  refused(op, "talk has no attribute limit");
  T_INT(held, 0);
}

static void every_method_has_its_names(void) {
  for (int i = 0; i < COORD__METHOD_COUNT; i++) {
    const coord__method *method = &coord__methods[i];
    T_INT(method->index, i);
    T_TRUE(method->name != NULL && method->request != NULL && method->response != NULL);
    T_TRUE(strncmp(method->grpc_path, "/etcdserverpb.", 14) == 0);
    T_TRUE(i == COORD__METHOD_RANGE_STREAM ? method->gateway_path == NULL
                                           : strncmp(method->gateway_path, "/v3/", 4) == 0);
  }
}

/* Build and encode with memory that ends after n allocations. True when it held out. */
static bool builds_within(long n) {
  coord__alloc_fail_after(n);
  coord__request request = {0};
  coord_error *err = NULL;
  coord_op *op = coord_op_get("key", 3);
  coord_code end = COORD_NO_MEMORY;
  coord_code code = COORD_NO_MEMORY;
  if (op != NULL) {
    end = coord_op_set_range_end(op, "l", 1);
    code = coord__op_encode(op, &limits, &request, &err);
  }
  coord__alloc_fail_after(-1);
  T_TRUE(end == COORD_OK || end == COORD_NO_MEMORY);
  T_TRUE(code == COORD_OK || code == COORD_NO_MEMORY);
  T_TRUE(end == COORD_OK || code == COORD_NO_MEMORY); /* never half a range */
  T_TRUE(code == COORD_OK || request.body.data == NULL);
  coord_error_free(err);
  coord__request_free(&request);
  coord_op_free(op);
  return code == COORD_OK;
}

static void memory_may_end_anywhere(void) {
  long n = 0;
  while (!builds_within(n) && n < 100) n++;
  T_INT(n, 3); /* op, range end, request */
  coord__alloc_fail_after(0);
  coord_op *op = coord_op_put("k", 1, "v", 1);
  T_TRUE(op == NULL);
  T_TRUE(coord_op_txn() == NULL);
  coord__alloc_fail_after(1); /* a fault whose text cannot be kept is still a fault */
  op = coord_op_get("k", 1);
  T_CODE(coord_op_set(op, COORD_OP_LIMIT, -1), COORD_INVALID);
  coord__alloc_fail_after(-1);
  refused(op, "");
}

T_MAIN(T_CASE(get_of_one_key), T_CASE(get_with_every_attribute),
       T_CASE(each_attribute_alone_changes_its_field_alone), T_CASE(sort_orders), T_CASE(prefixes),
       T_CASE(range_ends), T_CASE(put_of_bytes), T_CASE(put_with_every_attribute),
       T_CASE(delete_compact_status_members), T_CASE(empty_keys_are_refused),
       T_CASE(null_with_a_length_is_refused), T_CASE(ranges_that_make_no_sense_are_refused),
       T_CASE(attributes_that_an_op_lacks_are_refused), T_CASE(values_out_of_range_are_refused),
       T_CASE(the_first_fault_is_told), T_CASE(ignored_and_given_at_once_is_refused),
       T_CASE(size_limit_is_exact), T_CASE(pages_of_a_get),
       T_CASE(custom_ops_hold_their_object_and_are_not_encoded), T_CASE(every_method_has_its_names),
       T_CASE(memory_may_end_anywhere))
