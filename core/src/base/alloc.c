#include "base/alloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static atomic_long fail_after = -1;
static atomic_long counted;
static atomic_bool watched;

void coord__alloc_fail_after(long n) {
  atomic_store(&counted, 0);
  atomic_store(&fail_after, n);
  atomic_store(&watched, true);
}

long coord__alloc_count(void) { return atomic_load(&counted); }

static bool must_fail(void) {
  if (!atomic_load_explicit(&watched, memory_order_relaxed)) return false;
  long before = atomic_fetch_add(&counted, 1);
  long limit = atomic_load(&fail_after);
  return limit >= 0 && before >= limit;
}

void *coord__malloc(size_t n) { return must_fail() ? NULL : malloc(n > 0 ? n : 1); }

void *coord__calloc(size_t count, size_t size) {
  return must_fail() ? NULL : calloc(count > 0 ? count : 1, size > 0 ? size : 1);
}

void *coord__realloc(void *p, size_t n) { return must_fail() ? NULL : realloc(p, n > 0 ? n : 1); }

char *coord__strdup(const char *s) { return coord__memdup(s, strlen(s) + 1); }

void *coord__memdup(const void *p, size_t n) {
  void *copy = coord__malloc(n);
  if (copy != NULL && n > 0) memcpy(copy, p, n);
  return copy;
}

void coord__free(void *p) { free(p); }
