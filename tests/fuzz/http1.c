/* Answers of HTTP/1.1 with any bytes. Read in one piece and in small ones they are the same. */
#include "net/http1.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "fuzz/replay.h"

static size_t feed(coord__http1 *h, const uint8_t *p, size_t n, size_t piece, coord__buf *out) {
  size_t used = 0;
  coord__http1_init(h);
  while (used < n && !h->done && h->fault == NULL) {
    const uint8_t *body = NULL;
    size_t body_len = 0;
    size_t len = n - used < piece ? n - used : piece;
    size_t took = coord__http1_feed(h, p + used, len, &body, &body_len);
    if (took == 0 || took > len) abort();
    if (body_len > 0 && (body < p + used || body + body_len > p + used + took)) abort();
    if (body_len > 0 && !coord__buf_append(out, body, body_len)) abort();
    used += took;
  }
  return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  coord__http1 a, b;
  coord__buf whole = {0}, pieces = {0};
  if (size == 0) return 0;
  size_t used = feed(&a, data + 1, size - 1, size, &whole);
  size_t used_too = feed(&b, data + 1, size - 1, 1 + data[0] % 16, &pieces);
  if (a.done != b.done || (a.fault == NULL) != (b.fault == NULL)) abort();
  if (a.done && (used != used_too || a.status != b.status || a.closes != b.closes)) abort();
  if (a.fault == NULL && whole.len != pieces.len) abort();
  if (a.fault == NULL && whole.len > 0 && memcmp(whole.data, pieces.data, whole.len) != 0) abort();
  if (coord__http1_end(&a) != coord__http1_end(&b)) abort();
  coord__buf_free(&whole);
  coord__buf_free(&pieces);
  return 0;
}
