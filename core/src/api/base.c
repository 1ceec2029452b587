#include "coord/base.h"

#include "base/alloc.h"

#define VERSION_MAJOR 0
#define VERSION_MINOR 1
#define VERSION_PATCH 0
#define TEXT_OF(n) #n
#define TEXT(n) TEXT_OF(n)

uint32_t coord_version(void) {
  return (uint32_t)VERSION_MAJOR << 16 | VERSION_MINOR << 8 | VERSION_PATCH;
}

const char *coord_version_string(void) {
  return TEXT(VERSION_MAJOR) "." TEXT(VERSION_MINOR) "." TEXT(VERSION_PATCH);
}

void coord_memory_free(void *p) { coord__free(p); }
