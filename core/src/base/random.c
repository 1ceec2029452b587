#include "base/random.h"

#include <stdatomic.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/fork.h"

static atomic_uint_fast64_t state;
static atomic_uint seeded_for; /* fork generation + 1; 0 = never */

uint64_t coord__random(void) {
  unsigned now = coord__fork_generation() + 1;
  if (atomic_load(&seeded_for) != now) {
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed) {
      seed = (uint64_t)coord__clock_ns();
    }
    atomic_store(&state, seed);
    atomic_store(&seeded_for, now);
  }
  /* splitmix64 */
  uint64_t z = atomic_fetch_add(&state, 0x9E3779B97F4A7C15U) + 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

int64_t coord__jitter(int64_t base) {
  return base / 2 + (int64_t)(coord__random() % (uint64_t)base);
}

int64_t coord__backoff(int64_t first, int64_t longest, int64_t doublings) {
  int64_t pause = first;
  for (int64_t i = 0; i < doublings && pause < longest; i++) pause *= 2;
  return pause < longest ? pause : longest;
}
