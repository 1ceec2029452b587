#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

size_t coord__utf8_character(const void *text, size_t left) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const unsigned char *s = text;
  if (left == 0) return 0;
  size_t n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
  if (n == 0 || n > left) return 0;
  uint32_t code = n == 1 ? s[0] : s[0] & (0x7fU >> n);
  for (size_t i = 1; i < n; i++) {
    if (s[i] >> 6 != 2) return 0;
    code = code << 6 | (s[i] & 0x3fU);
  }
  bool surrogate = code >= 0xd800 && code <= 0xdfff;
  return n > 1 && (code < least[n] || code > 0x10ffff || surrogate) ? 0 : n;
}

bool coord__utf8_ok(const char *text) {
  size_t left = strlen(text);
  while (left > 0) {
    size_t n = coord__utf8_character(text, left);
    if (n == 0) return false;
    text += n;
    left -= n;
  }
  return true;
}
