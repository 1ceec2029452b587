#include "etcd/op.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "etcd/admin.h"

static const char *const kind_names[] = {
    [COORD__OP_GET] = "get",         [COORD__OP_PUT] = "put",       [COORD__OP_DELETE] = "delete",
    [COORD__OP_COMPACT] = "compact", [COORD__OP_STATUS] = "status", [COORD__OP_MEMBERS] = "members",
    [COORD__OP_TXN] = "txn",
};

static const char *const attribute_names[] = {
    [COORD_OP_LEASE] = "lease",
    [COORD_OP_LIMIT] = "limit",
    [COORD_OP_REVISION] = "revision",
    [COORD_OP_SERIALIZABLE] = "serializable",
    [COORD_OP_KEYS_ONLY] = "keys_only",
    [COORD_OP_COUNT_ONLY] = "count_only",
    [COORD_OP_PREV_KV] = "prev_kv",
    [COORD_OP_IGNORE_VALUE] = "ignore_value",
    [COORD_OP_IGNORE_LEASE] = "ignore_lease",
    [COORD_OP_SORT_BY] = "sort_by",
    [COORD_OP_SORT_DESCENDING] = "sort_descending",
    [COORD_OP_MIN_MOD_REVISION] = "min_mod_revision",
    [COORD_OP_MAX_MOD_REVISION] = "max_mod_revision",
    [COORD_OP_MIN_CREATE_REVISION] = "min_create_revision",
    [COORD_OP_MAX_CREATE_REVISION] = "max_create_revision",
    [COORD_OP_IDEMPOTENT] = "idempotent",
    [COORD_OP_PHYSICAL] = "physical",
    [COORD_OP_NO_PUTS] = "no_puts",
    [COORD_OP_NO_DELETES] = "no_deletes",
    [COORD_OP_PROGRESS] = "progress",
};
enum { ATTRIBUTES = sizeof attribute_names / sizeof attribute_names[0] };

/* The smallest key there is: where a range with an empty start begins. Never written to. */
static uint8_t smallest_key[1] = {0};

const char *coord__op_name(const coord_op *op) {
  if (op->kind == COORD__OP_ADMIN) return coord__admin_name(op);
  return op->kind == COORD__OP_CUSTOM ? op->class->name : kind_names[op->kind];
}

coord_code coord__op_fault(coord_op *op, coord_code code, const char *format, ...) {
  if (op->fault_code != COORD_OK) return code;
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  op->fault_code = code;
  op->fault = coord__strdup(text);
  return code;
}

static bool usable(const void *p, size_t n) { return n == 0 || (p != NULL && n <= PTRDIFF_MAX); }

bool coord__op_bytes_ok(coord_op *op, const char *what, const void *p, size_t n) {
  if (usable(p, n)) return true;
  if (p == NULL) {
    coord__op_fault(op, COORD_INVALID, "%s: %s is NULL although its length is %zu",
                    coord__op_name(op), what, n);
  } else {
    coord__op_fault(op, COORD_INVALID, "%s: the length of %s is %zu, more than memory can hold",
                    coord__op_name(op), what, n);
  }
  return false;
}

/* --- making and freeing ----------------------------------------------------------------------- */

coord_op *coord__op_new(coord__op_kind kind, size_t extra) {
  if (extra > SIZE_MAX / 2) return NULL;
  coord_op *op = coord__malloc(sizeof *op + extra);
  if (op == NULL) return NULL;
  memset(op, 0, sizeof *op);
  op->kind = kind;
  op->extra = extra;
  switch (kind) {
    case COORD__OP_GET:
      etcdserverpb__range_request__init(&op->message.get);
      break;
    case COORD__OP_PUT:
      etcdserverpb__put_request__init(&op->message.put);
      break;
    case COORD__OP_DELETE:
      etcdserverpb__delete_range_request__init(&op->message.del);
      break;
    case COORD__OP_COMPACT:
      etcdserverpb__compaction_request__init(&op->message.compact);
      break;
    case COORD__OP_STATUS:
      etcdserverpb__status_request__init(&op->message.status);
      break;
    case COORD__OP_MEMBERS:
      etcdserverpb__member_list_request__init(&op->message.members);
      op->message.members.linearizable = 1;
      break;
    case COORD__OP_TXN:
      etcdserverpb__txn_request__init(&op->message.txn);
      op->depth = 1;
      break;
    case COORD__OP_ADMIN:
    case COORD__OP_CUSTOM:
      break;
  }
  return op;
}

/* Copy bytes to `place` and let *field name them there. Returns the place after them. */
static uint8_t *lay_down(ProtobufCBinaryData *field, uint8_t *place, const void *p, size_t n) {
  field->len = n;
  field->data = place;
  if (n > 0) memcpy(place, p, n);
  return place + n;
}

/* A get or delete, with room for the end of its prefix behind the key. */
static coord_op *new_ranged(coord__op_kind kind, const void *key, size_t key_len) {
  size_t len = usable(key, key_len) ? key_len : 0;
  coord_op *op = coord__op_new(kind, 2 * len);
  if (op == NULL) return NULL;
  ProtobufCBinaryData *field = kind == COORD__OP_GET ? &op->message.get.key : &op->message.del.key;
  op->prefix_end = lay_down(field, (uint8_t *)(op + 1), key, len);
  coord__op_bytes_ok(op, "key", key, key_len);
  return op;
}

coord_op *coord__op_get(const void *key, size_t key_len) {
  return new_ranged(COORD__OP_GET, key, key_len);
}

coord_op *coord__op_delete(const void *key, size_t key_len) {
  return new_ranged(COORD__OP_DELETE, key, key_len);
}

coord_op *coord__op_put(const void *key, size_t key_len, const void *value, size_t value_len) {
  size_t key_n = usable(key, key_len) ? key_len : 0;
  size_t value_n = usable(value, value_len) ? value_len : 0;
  coord_op *op = coord__op_new(COORD__OP_PUT, key_n + value_n);
  if (op == NULL) return NULL;
  uint8_t *place = lay_down(&op->message.put.key, (uint8_t *)(op + 1), key, key_n);
  lay_down(&op->message.put.value, place, value, value_n);
  if (coord__op_bytes_ok(op, "key", key, key_len)) {
    coord__op_bytes_ok(op, "value", value, value_len);
  }
  return op;
}

coord_op *coord__op_compact(int64_t revision) {
  coord_op *op = coord__op_new(COORD__OP_COMPACT, 0);
  if (op != NULL) op->message.compact.revision = revision;
  return op;
}

coord_op *coord__op_status(void) { return coord__op_new(COORD__OP_STATUS, 0); }

coord_op *coord__op_members(void) { return coord__op_new(COORD__OP_MEMBERS, 0); }

coord_op *coord__op_custom(const coord__op_class *class, void *self) {
  coord_op *op = coord__op_new(COORD__OP_CUSTOM, 0);
  if (op == NULL) return NULL;
  op->class = class;
  op->self = self;
  class->retain(self);
  return op;
}

void coord__op_free(coord_op *op) {
  if (op == NULL) return;
  if (op->kind == COORD__OP_CUSTOM) op->class->release(op->self);
  coord__arena_free(op->arena);
  coord__free(op->range_end);
  coord__free(op->fault);
  if (op->kind == COORD__OP_ADMIN) explicit_bzero(op + 1, op->extra);
  coord__free(op);
}

coord_op *coord__op_get_page(const coord_op *get, const void *key, size_t key_len, int64_t limit,
                             int64_t revision) {
  const Etcdserverpb__RangeRequest *from = &get->message.get;
  if (key == NULL) {
    key = from->key.data;
    key_len = from->key.len;
  }
  size_t end_len = from->range_end.len;
  if (key_len > PTRDIFF_MAX / 2) return NULL;
  coord_op *op = coord__op_new(COORD__OP_GET, 2 * key_len + end_len);
  if (op == NULL) return NULL;
  op->has_end = get->has_end;
  op->message.get = *from;
  op->message.get.limit = limit;
  op->message.get.revision = revision;
  uint8_t *place = lay_down(&op->message.get.key, (uint8_t *)(op + 1), key, key_len);
  op->prefix_end = lay_down(&op->message.get.range_end, place, from->range_end.data, end_len);
  if (get->fault_code != COORD_OK) {
    coord__op_fault(op, get->fault_code, "%s", get->fault != NULL ? get->fault : "");
  }
  return op;
}

/* --- ranges ----------------------------------------------------------------------------------- */

size_t coord__prefix_end(const void *key, size_t key_len, uint8_t *end) {
  memcpy(end, key, key_len);
  for (size_t n = key_len; n > 0; n--) {
    if (end[n - 1] == 0xff) continue;
    end[n - 1]++;
    return n;
  }
  end[0] = 0;
  return 1;
}

/* The key and range end of an op that may be a range; false, and a fault, for other ops. */
static bool range_fields(coord_op *op, ProtobufCBinaryData **key, ProtobufCBinaryData **end) {
  if (op->kind == COORD__OP_GET) {
    *key = &op->message.get.key;
    *end = &op->message.get.range_end;
  } else if (op->kind == COORD__OP_DELETE) {
    *key = &op->message.del.key;
    *end = &op->message.del.range_end;
  } else if (op->kind == COORD__OP_ADMIN && op->admin_key != NULL) {
    *key = op->admin_key;
    *end = op->admin_end;
  } else {
    coord__op_fault(op, COORD_INVALID,
                    "%s: a prefix or range end is for get, delete and permissions only",
                    coord__op_name(op));
    return false;
  }
  if (op->has_end) {
    char shown[COORD__SHOWN];
    coord__op_fault(op, COORD_INVALID,
                    "%s of \"%s\": a prefix or range end is set already, and it has only one",
                    coord__op_name(op), coord__show(shown, (*key)->data, (*key)->len));
    return false;
  }
  op->has_end = true;
  if ((*key)->len == 0) **key = (ProtobufCBinaryData){.len = 1, .data = smallest_key};
  return true;
}

coord_code coord__op_set_prefix(coord_op *op) {
  if (op == NULL) return COORD_INVALID;
  ProtobufCBinaryData *key;
  ProtobufCBinaryData *end;
  if (!range_fields(op, &key, &end)) return COORD_INVALID;
  if (key->data == smallest_key) {
    *end = *key;
  } else {
    end->data = op->prefix_end;
    end->len = coord__prefix_end(key->data, key->len, end->data);
  }
  return COORD_OK;
}

coord_code coord__op_set_range_end(coord_op *op, const void *end, size_t end_len) {
  if (op == NULL || !coord__op_bytes_ok(op, "range end", end, end_len)) return COORD_INVALID;
  if (end_len == 0) {
    return coord__op_fault(op, COORD_INVALID,
                           "%s: the range end is empty: give the first key that is out of the "
                           "range, or \"\\0\" of length 1 for no upper bound",
                           coord__op_name(op));
  }
  ProtobufCBinaryData *key;
  ProtobufCBinaryData *field;
  if (!range_fields(op, &key, &field)) return COORD_INVALID;
  op->range_end = coord__memdup(end, end_len);
  if (op->range_end == NULL) return coord__op_fault(op, COORD_NO_MEMORY, "memory is exhausted");
  *field = (ProtobufCBinaryData){.len = end_len, .data = op->range_end};
  return COORD_OK;
}

/* --- attributes ------------------------------------------------------------------------------- */

static coord_code set_flag(coord_op *op, int32_t attribute, protobuf_c_boolean *flag,
                           int64_t value) {
  if (value != 0 && value != 1) {
    return coord__op_fault(op, COORD_INVALID, "%s: attribute %s is %" PRId64 ": it is 0 or 1",
                           coord__op_name(op), attribute_names[attribute], value);
  }
  *flag = (protobuf_c_boolean)value;
  return COORD_OK;
}

static coord_code set_number(coord_op *op, int32_t attribute, int64_t *number, int64_t value) {
  if (value < 0) {
    return coord__op_fault(op, COORD_INVALID,
                           "%s: attribute %s is %" PRId64 ": it must not be negative",
                           coord__op_name(op), attribute_names[attribute], value);
  }
  *number = value;
  return COORD_OK;
}

static coord_code set_idempotent(coord_op *op, int64_t value) {
  protobuf_c_boolean flag = op->idempotent;
  coord_code code = set_flag(op, COORD_OP_IDEMPOTENT, &flag, value);
  op->idempotent = flag != 0;
  return code;
}

static coord_code set_watch(coord_op *op, int32_t attribute, uint32_t bit, int64_t value) {
  protobuf_c_boolean flag = (op->watch & bit) != 0;
  coord_code code = set_flag(op, attribute, &flag, value);
  op->watch = flag ? op->watch | bit : op->watch & ~bit;
  return code;
}

static coord_code no_such_attribute(coord_op *op, int32_t attribute) {
  if (attribute < 0 || attribute >= ATTRIBUTES) {
    return coord__op_fault(op, COORD_INVALID, "%s: there is no attribute %" PRId32,
                           coord__op_name(op), attribute);
  }
  return coord__op_fault(op, COORD_INVALID, "%s has no attribute %s", coord__op_name(op),
                         attribute_names[attribute]);
}

static coord_code set_sort_by(coord_op *op, int64_t value) {
  if (value < COORD_SORT_KEY || value > COORD_SORT_VALUE) {
    return coord__op_fault(op, COORD_INVALID,
                           "get: attribute sort_by is %" PRId64
                           ": it is 0 (key), 1 (version), 2 (create), 3 (mod) or 4 (value)",
                           value);
  }
  Etcdserverpb__RangeRequest *get = &op->message.get;
  get->sort_target = (Etcdserverpb__RangeRequest__SortTarget)value;
  if (get->sort_order == ETCDSERVERPB__RANGE_REQUEST__SORT_ORDER__NONE) {
    get->sort_order = ETCDSERVERPB__RANGE_REQUEST__SORT_ORDER__ASCEND;
  }
  return COORD_OK;
}

static coord_code set_sort_descending(coord_op *op, int64_t value) {
  protobuf_c_boolean descending = 0;
  coord_code code = set_flag(op, COORD_OP_SORT_DESCENDING, &descending, value);
  if (code != COORD_OK) return code;
  op->message.get.sort_order = descending ? ETCDSERVERPB__RANGE_REQUEST__SORT_ORDER__DESCEND
                                          : ETCDSERVERPB__RANGE_REQUEST__SORT_ORDER__ASCEND;
  return COORD_OK;
}

static coord_code set_get(coord_op *op, int32_t attribute, int64_t value) {
  Etcdserverpb__RangeRequest *get = &op->message.get;
  switch (attribute) {
    case COORD_OP_LIMIT:
      return set_number(op, attribute, &get->limit, value);
    case COORD_OP_REVISION:
      return set_number(op, attribute, &get->revision, value);
    case COORD_OP_SERIALIZABLE:
      return set_flag(op, attribute, &get->serializable, value);
    case COORD_OP_KEYS_ONLY:
      return set_flag(op, attribute, &get->keys_only, value);
    case COORD_OP_COUNT_ONLY:
      return set_flag(op, attribute, &get->count_only, value);
    case COORD_OP_SORT_BY:
      return set_sort_by(op, value);
    case COORD_OP_SORT_DESCENDING:
      return set_sort_descending(op, value);
    case COORD_OP_MIN_MOD_REVISION:
      return set_number(op, attribute, &get->min_mod_revision, value);
    case COORD_OP_MAX_MOD_REVISION:
      return set_number(op, attribute, &get->max_mod_revision, value);
    case COORD_OP_MIN_CREATE_REVISION:
      return set_number(op, attribute, &get->min_create_revision, value);
    case COORD_OP_MAX_CREATE_REVISION:
      return set_number(op, attribute, &get->max_create_revision, value);
    case COORD_OP_PREV_KV:
      return set_watch(op, attribute, COORD__WATCH_PREV_KV, value);
    case COORD_OP_NO_PUTS:
      return set_watch(op, attribute, COORD__WATCH_NO_PUTS, value);
    case COORD_OP_NO_DELETES:
      return set_watch(op, attribute, COORD__WATCH_NO_DELETES, value);
    case COORD_OP_PROGRESS:
      return set_watch(op, attribute, COORD__WATCH_PROGRESS, value);
    default:
      return no_such_attribute(op, attribute);
  }
}

static coord_code set_put(coord_op *op, int32_t attribute, int64_t value) {
  Etcdserverpb__PutRequest *put = &op->message.put;
  switch (attribute) {
    case COORD_OP_LEASE:
      put->lease = value;
      return COORD_OK;
    case COORD_OP_PREV_KV:
      return set_flag(op, attribute, &put->prev_kv, value);
    case COORD_OP_IGNORE_VALUE:
      return set_flag(op, attribute, &put->ignore_value, value);
    case COORD_OP_IGNORE_LEASE:
      return set_flag(op, attribute, &put->ignore_lease, value);
    case COORD_OP_IDEMPOTENT:
      return set_idempotent(op, value);
    default:
      return no_such_attribute(op, attribute);
  }
}

static coord_code set_members(coord_op *op, int32_t attribute, int64_t value) {
  if (attribute != COORD_OP_SERIALIZABLE) return no_such_attribute(op, attribute);
  protobuf_c_boolean serializable = 0;
  coord_code code = set_flag(op, attribute, &serializable, value);
  if (code == COORD_OK) op->message.members.linearizable = !serializable;
  return code;
}

coord_code coord__op_set(coord_op *op, int32_t attribute, int64_t value) {
  if (op == NULL) return COORD_INVALID;
  switch (op->kind) {
    case COORD__OP_GET:
      return set_get(op, attribute, value);
    case COORD__OP_PUT:
      return set_put(op, attribute, value);
    case COORD__OP_MEMBERS:
      return set_members(op, attribute, value);
    case COORD__OP_DELETE:
      if (attribute == COORD_OP_PREV_KV) {
        return set_flag(op, attribute, &op->message.del.prev_kv, value);
      }
      if (attribute == COORD_OP_IDEMPOTENT) return set_idempotent(op, value);
      return no_such_attribute(op, attribute);
    case COORD__OP_COMPACT:
      if (attribute == COORD_OP_PHYSICAL) {
        return set_flag(op, attribute, &op->message.compact.physical, value);
      }
      return no_such_attribute(op, attribute);
    case COORD__OP_TXN:
      if (attribute == COORD_OP_IDEMPOTENT) return set_idempotent(op, value);
      return no_such_attribute(op, attribute);
    case COORD__OP_STATUS:
    case COORD__OP_ADMIN:
    case COORD__OP_CUSTOM:
      break;
  }
  return no_such_attribute(op, attribute);
}
