/* base/random. */
#include "base/random.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fork.h"
#include "support/t.h"

static void nothing(void) {}
static const coord__fork_hooks hooks = {nothing, nothing, nothing};

static void numbers_do_not_repeat(void) {
  enum { count = 1000 };
  uint64_t seen[count];
  for (int i = 0; i < count; i++) seen[i] = coord__random();
  for (int i = 0; i < count; i++) {
    for (int k = 0; k < i; k++) T_FATAL(seen[i] != seen[k]);
  }
}

static void every_bit_is_sometimes_set_and_sometimes_not(void) {
  uint64_t ones = 0, zeros = 0;
  for (int i = 0; i < 1000; i++) {
    uint64_t r = coord__random();
    ones |= r;
    zeros |= ~r;
  }
  T_TRUE(ones == UINT64_MAX && zeros == UINT64_MAX);
}

static void jitter_stays_in_its_range_and_uses_it(void) {
  static const int64_t bases[] = {1, 2, 3, 10, 1000, 50000000, INT64_C(1) << 40};
  for (size_t b = 0; b < sizeof bases / sizeof *bases; b++) {
    int64_t base = bases[b], least = INT64_MAX, most = 0;
    for (int i = 0; i < 2000; i++) {
      int64_t j = coord__jitter(base);
      T_FATAL(j >= base / 2 && j < base / 2 + base);
      if (j < least) least = j;
      if (j > most) most = j;
    }
    if (base >= 1000) T_TRUE(least < base * 6 / 10 && most > base * 14 / 10);
  }
}

static void *draw(void *out) {
  for (int i = 0; i < 200; i++) ((uint64_t *)out)[i] = coord__random();
  return NULL;
}

static void threads_draw_different_numbers(void) {
  static uint64_t drawn[8][200];
  pthread_t threads[8];
  for (int t = 0; t < 8; t++) T_FATAL(pthread_create(&threads[t], NULL, draw, drawn[t]) == 0);
  for (int t = 0; t < 8; t++) pthread_join(threads[t], NULL);
  const uint64_t *all = drawn[0];
  for (int i = 0; i < 1600; i++) {
    for (int k = 0; k < i; k++) T_FATAL(all[i] != all[k]);
  }
}

static void forked_child_draws_numbers_of_its_own(void) {
  coord__fork_watch(&hooks);
  coord__random();
  int ends[2];
  T_FATAL(pipe(ends) == 0);
  pid_t child = fork();
  T_FATAL(child >= 0);
  if (child == 0) {
    uint64_t mine = coord__random();
    _exit(write(ends[1], &mine, sizeof mine) == (ssize_t)sizeof mine ? 0 : 1);
  }
  uint64_t its = 0, mine = coord__random();
  int status = -1;
  T_INT(read(ends[0], &its, sizeof its), sizeof its);
  T_TRUE(its != mine);
  T_TRUE(waitpid(child, &status, 0) == child && status == 0);
  close(ends[0]);
  close(ends[1]);
}

static void backoff_doubles_up_to_the_longest(void) {
  static const int64_t pauses[] = {25, 50, 100, 200, 250, 250};
  for (int i = 0; i < 6; i++) T_INT(coord__backoff(25, 250, i), pauses[i]);
  T_INT(coord__backoff(25, 250, -1), 25);
  T_INT(coord__backoff(25, 10, 0), 10);
  T_INT(coord__backoff(1, INT64_MAX / 4, INT64_MAX), INT64_MAX / 4);
}

T_MAIN(T_CASE(numbers_do_not_repeat), T_CASE(every_bit_is_sometimes_set_and_sometimes_not),
       T_CASE(jitter_stays_in_its_range_and_uses_it), T_CASE(threads_draw_different_numbers),
       T_CASE(forked_child_draws_numbers_of_its_own), T_CASE(backoff_doubles_up_to_the_longest))
