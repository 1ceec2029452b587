#include "rpc/grpc.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

void coord__grpc_put_header(uint8_t *p, size_t n) {
  p[0] = 0; /* not compressed */
  p[1] = (uint8_t)(n >> 24);
  p[2] = (uint8_t)(n >> 16);
  p[3] = (uint8_t)(n >> 8);
  p[4] = (uint8_t)n;
}

void coord__grpc_reader_init(coord__grpc_reader *r, size_t max_bytes) {
  *r = (coord__grpc_reader){.max_bytes = max_bytes, .grpc_status = COORD__GRPC_NO_STATUS};
}

void coord__grpc_reader_reset(coord__grpc_reader *r) {
  coord__free(r->grpc_message);
  coord__buf_free(&r->body);
  coord__grpc_reader_init(r, r->max_bytes);
}

/* ---- headers ---- */

static int number(const uint8_t *p, size_t n, int longest) {
  int v = 0;
  if (n == 0 || n > (size_t)longest) return -1;
  for (size_t i = 0; i < n; i++) {
    if (p[i] < '0' || p[i] > '9') return -1;
    v = v * 10 + (p[i] - '0');
  }
  return v;
}

static int hex(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

/* Percent-decoded, as the specification of gRPC has it: what is no escape stays as it is. */
static char *decode_message(const uint8_t *p, size_t n) {
  if (n > 3 * COORD__GRPC_MESSAGE_MAX) n = 3 * COORD__GRPC_MESSAGE_MAX;
  char *out = coord__malloc(n + 1);
  if (out == NULL) return NULL;
  size_t used = 0;
  for (size_t i = 0; i < n && used < COORD__GRPC_MESSAGE_MAX; i++) {
    uint8_t c = p[i];
    if (c == '%' && i + 2 < n && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
      c = (uint8_t)(hex(p[i + 1]) * 16 + hex(p[i + 2]));
      i += 2;
    }
    out[used++] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
  }
  out[used] = '\0';
  return out;
}

static bool is(const uint8_t *name, size_t n, const char *wanted, size_t wanted_len) {
  return n == wanted_len && memcmp(name, wanted, n) == 0;
}

#define IS(wanted) is(name, name_len, wanted, sizeof(wanted) - 1)

static void note_content_type(coord__grpc_reader *r, const uint8_t *value, size_t n) {
  static const char grpc[] = "application/grpc";
  size_t len = sizeof grpc - 1;
  r->is_grpc = n >= len && memcmp(value, grpc, len) == 0 &&
               (n == len || value[len] == '+' || value[len] == ';');
  if (r->is_grpc) return;
  snprintf(r->content_type, sizeof r->content_type, "%.*s", (int)(n < 47 ? n : 47),
           (const char *)value);
}

void coord__grpc_header(coord__grpc_reader *r, const uint8_t *name, size_t name_len,
                        const uint8_t *value, size_t value_len) {
  if (IS("grpc-status")) {
    int status = number(value, value_len, 4);
    r->grpc_status = status >= 0 ? status : COORD__GRPC_BAD_STATUS;
  } else if (IS(":status")) {
    r->http_status = number(value, value_len, 3);
  } else if (IS("content-type")) {
    note_content_type(r, value, value_len);
  } else if (IS("grpc-message")) {
    coord__free(r->grpc_message);
    r->grpc_message = decode_message(value, value_len);
  }
}

/* ---- messages ---- */

static coord__grpc_step fault(coord_code code, const char *why) {
  return (coord__grpc_step){.code = code, .fault = why};
}

static coord__grpc_step start_message(coord__grpc_reader *r) {
  const uint8_t *h = r->head;
  size_t len = (size_t)h[1] << 24 | (size_t)h[2] << 16 | (size_t)h[3] << 8 | (size_t)h[4];
  if (h[0] != 0) return fault(COORD_PROTOCOL, "the answer is compressed, which was not agreed on");
  if (len > r->max_bytes) return fault(COORD_TOO_LARGE, "the answer is over response.max.bytes");
  r->body.len = 0;
  /* All at once for what is usual; what claims to be huge has to come before memory is given. */
  size_t first = len < 1024 * 1024 ? len : 1024 * 1024;
  if (!coord__buf_reserve(&r->body, first)) return fault(COORD_NO_MEMORY, "memory is exhausted");
  r->left = len;
  return (coord__grpc_step){.code = COORD_OK};
}

coord__grpc_step coord__grpc_read(coord__grpc_reader *r, const uint8_t *p, size_t n) {
  coord__grpc_step step = {.code = COORD_OK};
  if (r->head_len < COORD__GRPC_HEADER) {
    size_t take = COORD__GRPC_HEADER - r->head_len;
    if (take > n) take = n;
    memcpy(r->head + r->head_len, p, take);
    r->head_len += take;
    step.used = take;
    if (r->head_len < COORD__GRPC_HEADER) return step;
    coord__grpc_step started = start_message(r);
    if (started.code != COORD_OK) return started;
  }
  size_t take = n - step.used < r->left ? n - step.used : r->left;
  if (!coord__buf_append(&r->body, p + step.used, take)) {
    return fault(COORD_NO_MEMORY, "memory is exhausted");
  }
  step.used += take;
  r->left -= take;
  step.complete = r->left == 0;
  if (step.complete) {
    r->head_len = 0;
    r->messages++;
  }
  return step;
}

bool coord__grpc_is_partial(const coord__grpc_reader *r) { return r->head_len > 0; }

/* ---- status and time ---- */

int coord__grpc_from_http(int http_status) {
  switch (http_status) {
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;
    default:
      return 2;
  }
}

size_t coord__grpc_timeout(char out[16], int64_t left_ns) {
  int64_t ms = (left_ns + COORD__NS_PER_MS - 1) / COORD__NS_PER_MS;
  if (ms < 1) ms = 1;
  /* Few different values, so that the header stays in the compressor's table. */
  if (ms > 1000) ms = (ms + 99) / 100 * 100;
  /* At most eight digits are allowed. */
  bool in_seconds = ms >= 100000000;
  if (in_seconds) ms = (ms + 999) / 1000;
  char digits[24];
  size_t n = 0;
  for (; ms > 0; ms /= 10) digits[n++] = (char)('0' + ms % 10);
  for (size_t i = 0; i < n; i++) out[i] = digits[n - 1 - i];
  out[n] = in_seconds ? 'S' : 'm';
  return n + 1;
}
