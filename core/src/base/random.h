/* Randomness for jitter and ids; not for secrets. */
#ifndef COORD_BASE_RANDOM_H
#define COORD_BASE_RANDOM_H

#include <stdint.h>

/* Seeded by the system at first use and again after fork. Any thread. */
uint64_t coord__random(void);
/* A value in [base / 2, base * 3 / 2), base > 0. */
int64_t coord__jitter(int64_t base);
/* What `first` has become after it was doubled so often; `longest` at most. */
int64_t coord__backoff(int64_t first, int64_t longest, int64_t doublings);

#endif
