#include "base/buf.h"

#include <string.h>

#include "base/alloc.h"

bool coord__buf_reserve(coord__buf *b, size_t extra) {
  if (extra <= b->cap - b->len) return true;
  if (extra > SIZE_MAX / 2 - b->len) return false;
  size_t cap = b->cap < 32 ? 32 : b->cap;
  while (cap - b->len < extra) cap *= 2;
  uint8_t *data = coord__realloc(b->data, cap);
  if (data == NULL) return false;
  b->data = data;
  b->cap = cap;
  return true;
}

bool coord__buf_append(coord__buf *b, const void *p, size_t n) {
  if (!coord__buf_reserve(b, n)) return false;
  if (n > 0) memcpy(b->data + b->len, p, n);
  b->len += n;
  return true;
}

bool coord__buf_append_str(coord__buf *b, const char *s) {
  return coord__buf_append(b, s, strlen(s));
}

void coord__buf_consume(coord__buf *b, size_t n) {
  if (n < b->len) memmove(b->data, b->data + n, b->len - n);
  b->len -= n;
}

void coord__buf_free(coord__buf *b) {
  coord__free(b->data);
  *b = (coord__buf){0};
}

void coord__buf_wipe(coord__buf *b) {
  if (b->data != NULL) explicit_bzero(b->data, b->cap);
}
