#include "bytes.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "report.h"

void *must_grow(void *old, size_t count, size_t size) {
  void *p = size != 0 && count > SIZE_MAX / size ? NULL : realloc(old, count * size + 1);
  if (p == NULL) {
    complain("coord", "NO_MEMORY", "memory is exhausted");
    exit(CLI_OTHER);
  }
  return p;
}

void *must_alloc(size_t count, size_t size) {
  void *p = must_grow(NULL, count, size);
  memset(p, 0, count * size);
  return p;
}

struct bytes bytes_copy(const void *data, size_t len) {
  struct bytes out = {must_alloc(len + 1, 1), len};
  if (len > 0) memcpy(out.data, data, len);
  return out;
}

void bytes_free(struct bytes *bytes) {
  free(bytes->data);
  *bytes = (struct bytes){0};
}

bool bytes_read_fd(int fd, size_t most, struct bytes *out) {
  size_t cap = 65536;
  struct bytes got = {must_alloc(cap + 1, 1), 0};
  for (;;) {
    if (got.len == cap) {
      cap *= 2;
      got.data = must_grow(got.data, cap + 1, 1);
    }
    ssize_t n = read(fd, got.data + got.len, cap - got.len);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) break;
    if (n > 0) got.len += (size_t)n;
    if (n > 0 && got.len <= most) continue;
    int why = n < 0 ? errno : EFBIG;
    bytes_free(&got);
    errno = why;
    return false;
  }
  got.data[got.len] = '\0';
  *out = got;
  return true;
}

bool utf8_valid(const void *data, size_t len) {
  const unsigned char *p = data;
  const unsigned char *end = p + len;
  while (p < end) {
    unsigned char c = *p++;
    if (c < 0x80) continue;
    int more = c >= 0xc2 && c <= 0xdf ? 1 : (c & 0xf0) == 0xe0 ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 0;
    if (more == 0 || end - p < more) return false;
    /* The second byte rules out overlong forms, surrogates and what lies above U+10FFFF. */
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (*p < low || *p > high) return false;
    p++;
    for (int i = 1; i < more; i++, p++) {
      if ((*p & 0xc0) != 0x80) return false;
    }
  }
  return true;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit(char c) {
  const char *at = c != '\0' ? strchr(alphabet, c) : NULL;
  return at != NULL ? (int)(at - alphabet) : -1;
}

bool base64_decode(const char *text, size_t len, struct bytes *out) {
  if (len % 4 != 0) return false;
  size_t pad = 0;
  while (pad < 2 && pad < len && text[len - 1 - pad] == '=') pad++;
  struct bytes got = {must_alloc(len / 4 * 3 + 1, 1), len / 4 * 3 - pad};
  size_t at = 0;
  for (size_t i = 0; i < len; i += 4) {
    uint32_t group = 0;
    bool good = true;
    for (size_t j = 0; j < 4; j++) {
      int d = i + j >= len - pad ? 0 : digit(text[i + j]);
      if (d < 0) good = false;
      group = group << 6 | (uint32_t)(d & 63);
    }
    size_t n = i + 4 == len ? 3 - pad : 3;
    /* Bits that the padding cuts off must be zero, so that every value has one form. */
    if ((group & ((1U << (8 * (3 - n))) - 1)) != 0) good = false;
    if (!good) {
      bytes_free(&got);
      return false;
    }
    for (size_t j = 0; j < n; j++) got.data[at++] = (char)(group >> (16 - 8 * j) & 0xff);
  }
  *out = got;
  return true;
}

void base64_write(FILE *file, const void *data, size_t len) {
  const unsigned char *p = data;
  for (size_t i = 0; i < len; i += 3) {
    size_t n = len - i < 3 ? len - i : 3;
    uint32_t group = (uint32_t)p[i] << 16;
    if (n > 1) group |= (uint32_t)p[i + 1] << 8;
    if (n > 2) group |= p[i + 2];
    for (size_t j = 0; j < 4; j++) {
      putc_unlocked(j <= n ? alphabet[group >> (18 - 6 * j) & 63] : '=', file);
    }
  }
}
