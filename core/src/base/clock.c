#include "base/clock.h"

#include <time.h>

static int64_t read_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t coord__clock_ns(void) { return read_ns(CLOCK_MONOTONIC); }

int64_t coord__clock_boot_ns(void) { return read_ns(CLOCK_BOOTTIME); }
