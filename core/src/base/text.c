#include "base/text.h"

#include <stdint.h>
#include <string.h>

enum { LONGEST = 63 };

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

size_t coord__distance(const char *a, const char *b) {
  size_t row[LONGEST + 1];
  size_t n = strlen(b);
  if (n > LONGEST || strlen(a) > LONGEST) return SIZE_MAX;
  for (size_t j = 0; j <= n; j++) row[j] = j;
  for (size_t i = 1; a[i - 1] != '\0'; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= n; j++) {
      size_t up = row[j];
      size_t changed = diagonal + (a[i - 1] != b[j - 1]);
      row[j] = least(least(row[j] + 1, row[j - 1] + 1), changed);
      diagonal = up;
    }
  }
  return row[n];
}
