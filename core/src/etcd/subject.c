#include "etcd/subject.h"

#include <stdio.h>

#include "base/error.h"
#include "etcd/fields.h"
#include "etcd/method.h"

/* Numbers of fields in etcd's messages. */
enum { KEY = 1, RANGE_END = 2, COMPARE = 1, COMPARE_KEY = 3, COMPARE_END = 64, REQUEST_TXN = 4 };
enum { DEPTH_MAX = 64 };

/* The first range that was found, and how many more there are. */
typedef struct found {
  coord__field key;
  coord__field end;
  size_t count;
} found;

/* A message that holds one range: a request, or a compare. */
static void add_range(found *f, coord__field message, uint64_t key_number, uint64_t end_number) {
  coord__fields fields = coord__fields_of(message.bytes, message.len);
  coord__field field;
  coord__field key = {0};
  coord__field end = {0};
  while (coord__fields_next(&fields, &field)) {
    if (field.bytes == NULL) continue;
    if (field.number == key_number) key = field;
    if (field.number == end_number) end = field;
  }
  if (f->count++ > 0) return;
  f->key = key;
  f->end = end;
}

/* A TxnRequest: compares, and in both branches RequestOps that hold one request each. */
static void add_txn(found *f, coord__field txn, int depth) {
  coord__fields fields = coord__fields_of(txn.bytes, txn.len);
  coord__field field;
  while (coord__fields_next(&fields, &field)) {
    if (field.bytes == NULL) continue;
    if (field.number == COMPARE) {
      add_range(f, field, COMPARE_KEY, COMPARE_END);
      continue;
    }
    coord__fields op = coord__fields_of(field.bytes, field.len);
    coord__field request;
    if (!coord__fields_next(&op, &request) || request.bytes == NULL) continue;
    if (request.number == REQUEST_TXN) {
      if (depth < DEPTH_MAX) add_txn(f, request, depth + 1);
    } else {
      add_range(f, request, KEY, request.number == 2 ? 0 : RANGE_END);
    }
  }
}

static int write_range(const found *f, char *out, size_t size) {
  char key[COORD__SHOWN];
  char end[COORD__SHOWN];
  coord__show(key, f->key.bytes, f->key.len);
  coord__show(end, f->end.bytes, f->end.len);
  if (f->end.len == 0) return snprintf(out, size, " of \"%s\"", key);
  if (f->end.len == 1 && f->end.bytes[0] == 0) {
    return snprintf(out, size, " of all keys from \"%s\" on", key);
  }
  return snprintf(out, size, " of the range from \"%s\" to \"%s\"", key, end);
}

void coord__subject(const coord__method *method, const uint8_t *message, size_t len, char *out,
                    size_t size) {
  found f = {0};
  coord__field whole = {.bytes = message, .len = len};
  out[0] = '\0';
  switch (method->index) {
    case COORD__METHOD_PUT:
      add_range(&f, whole, KEY, 0);
      break;
    case COORD__METHOD_RANGE:
    case COORD__METHOD_DELETE:
      add_range(&f, whole, KEY, RANGE_END);
      break;
    case COORD__METHOD_TXN:
      add_txn(&f, whole, 1);
      break;
    default:
      break;
  }
  if (f.count == 0) return;
  int n = write_range(&f, out, size);
  if (f.count > 1 && n > 0 && (size_t)n < size) {
    snprintf(out + n, size - (size_t)n, " and %zu more", f.count - 1);
  }
}
