#include "request.h"

#include <string.h>

static const char *const sorts[] = {[COORD_SORT_KEY] = "key",
                                    [COORD_SORT_VERSION] = "version",
                                    [COORD_SORT_CREATE] = "create",
                                    [COORD_SORT_MOD] = "mod",
                                    [COORD_SORT_VALUE] = "value"};

static int sort_value(const char *name) {
  for (size_t i = 0; i < sizeof sorts / sizeof *sorts; i++) {
    if (strcmp(sorts[i], name) == 0) return (int)i;
  }
  return -1;
}

bool sort_known(const char *name) { return sort_value(name) >= 0; }

const char *range_fault(const struct range *range) {
  if (range->prefix + range->from_key + range->has_end > 1) {
    return "prefix, from-key and range-end exclude each other";
  }
  if (range->key.len == 0 && !range->prefix && !range->from_key) {
    return "the key is empty; with prefix or from-key it means all keys";
  }
  if (range->has_end && range->end.len == 0) return "the end of the range is empty";
  return NULL;
}

bool range_is_wide(const struct range *range) {
  return range->prefix || range->from_key || range->has_end;
}

void range_free(struct range *range) {
  bytes_free(&range->key);
  bytes_free(&range->end);
}

static coord_code set_range(coord_op *op, const struct range *range) {
  if (range->prefix || (range->from_key && range->key.len == 0)) return coord_op_set_prefix(op);
  if (range->from_key) return coord_op_set_range_end(op, "", 1);
  if (range->has_end) return coord_op_set_range_end(op, range->end.data, range->end.len);
  return COORD_OK;
}

static coord_op *checked(coord_op *op, coord_code code) {
  if (code == COORD_OK) return op;
  coord_op_free(op);
  return NULL;
}

/* Attributes at their default are left out, so that the first failure is kept in *code. */
static void set(coord_op *op, int32_t attribute, int64_t value, coord_code *code) {
  if (value != 0 && *code == COORD_OK) *code = coord_op_set(op, attribute, value);
}

coord_op *get_op(const struct get_request *request) {
  coord_op *op = coord_op_get(request->range.key.data, request->range.key.len);
  if (op == NULL) return NULL;
  coord_code code = set_range(op, &request->range);
  set(op, COORD_OP_LIMIT, request->limit, &code);
  set(op, COORD_OP_REVISION, request->revision, &code);
  set(op, COORD_OP_KEYS_ONLY, request->keys_only, &code);
  set(op, COORD_OP_COUNT_ONLY, request->count_only, &code);
  set(op, COORD_OP_SERIALIZABLE, request->serializable, &code);
  if (request->sort != NULL && code == COORD_OK) {
    code = coord_op_set(op, COORD_OP_SORT_BY, sort_value(request->sort));
  }
  set(op, COORD_OP_SORT_DESCENDING, request->descending, &code);
  return checked(op, code);
}

coord_op *put_op(const struct put_request *request) {
  coord_op *op =
      coord_op_put(request->key.data, request->key.len, request->value.data, request->value.len);
  if (op == NULL) return NULL;
  coord_code code = COORD_OK;
  set(op, COORD_OP_LEASE, request->lease, &code);
  set(op, COORD_OP_PREV_KV, request->prev, &code);
  set(op, COORD_OP_IGNORE_VALUE, request->ignore_value, &code);
  set(op, COORD_OP_IGNORE_LEASE, request->ignore_lease, &code);
  return checked(op, code);
}

coord_op *delete_op(const struct delete_request *request) {
  coord_op *op = coord_op_delete(request->range.key.data, request->range.key.len);
  if (op == NULL) return NULL;
  coord_code code = set_range(op, &request->range);
  set(op, COORD_OP_PREV_KV, request->prev, &code);
  return checked(op, code);
}
