/* Time. */
#ifndef COORD_BASE_CLOCK_H
#define COORD_BASE_CLOCK_H

#include <stdint.h>

#define COORD__NS_PER_MS INT64_C(1000000)

/* Nanoseconds on the monotonic clock. */
int64_t coord__clock_ns(void);
/* The same on a clock that goes on while the host is suspended. */
int64_t coord__clock_boot_ns(void);

#endif
