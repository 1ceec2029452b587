/* base/map, compared with a naive model. */
#include "base/map.h"

#include <string.h>

#include "base/alloc.h"
#include "support/t.h"

enum { KEYS = 400 };

static uint64_t seed = 2463534242U;

static uint64_t next_random(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

static void empty_map_finds_nothing(void) {
  coord__map m = {0};
  T_TRUE(coord__map_find(&m, 0) == NULL);
  T_TRUE(coord__map_remove(&m, 0) == NULL);
  T_TRUE(coord__map_any(&m) == NULL);
  coord__map_free(&m);
  coord__map_free(&m);
}

static void all_kinds_of_numbers_are_keys(void) {
  static const uint64_t keys[] = {0, 1, UINT64_MAX, UINT64_MAX - 1, (uint64_t)1 << 63, 1U << 20};
  enum { count = sizeof keys / sizeof *keys };
  int values[count];
  coord__map m = {0};
  for (size_t i = 0; i < count; i++) T_FATAL(coord__map_insert(&m, keys[i], &values[i]));
  for (size_t i = 0; i < count; i++) T_TRUE(coord__map_find(&m, keys[i]) == &values[i]);
  T_TRUE(coord__map_any(&m) != NULL);
  for (size_t i = 0; i < count; i++) T_TRUE(coord__map_remove(&m, keys[i]) == &values[i]);
  T_INT(m.len, 0);
  T_TRUE(coord__map_any(&m) == NULL);
  coord__map_free(&m);
}

static void growth_keeps_everything(void) {
  static char values[50000];
  coord__map m = {0};
  for (uint64_t i = 0; i < 50000; i++) T_FATAL(coord__map_insert(&m, i * 4096, &values[i]));
  T_INT(m.len, 50000);
  for (uint64_t i = 0; i < 50000; i++) T_FATAL(coord__map_find(&m, i * 4096) == &values[i]);
  T_TRUE(coord__map_find(&m, 4095) == NULL);
  for (uint64_t i = 0; i < 50000; i += 2) T_FATAL(coord__map_remove(&m, i * 4096) == &values[i]);
  for (uint64_t i = 0; i < 50000; i++) {
    T_FATAL(coord__map_find(&m, i * 4096) == (i % 2 == 1 ? &values[i] : NULL));
  }
  coord__map_free(&m);
}

/* Keys whose home is one of few slots, so that runs form, wrap around and are repaired. */
static void random_use_agrees_with_a_naive_model(void) {
  static char values[KEYS];
  uint64_t keys[KEYS];
  bool present[KEYS] = {false};
  size_t count = 0;
  coord__map m = {0};
  for (size_t i = 0; i < KEYS; i++) keys[i] = i % 3 == 0 ? (uint64_t)i << 44 : next_random();
  for (int step = 0; step < 60000; step++) {
    size_t i = (size_t)(next_random() % KEYS);
    size_t bound = step % 20000 < 10000 ? 20 : KEYS; /* phases of few and of many */
    if (present[i]) {
      T_FATAL(coord__map_remove(&m, keys[i]) == &values[i]);
      count--;
      present[i] = false;
    } else if (count < bound) {
      T_FATAL(coord__map_insert(&m, keys[i], &values[i]));
      count++;
      present[i] = true;
    }
    T_FATAL(m.len == count);
    if (step % 64 != 0) continue;
    for (size_t k = 0; k < KEYS; k++) {
      T_FATAL(coord__map_find(&m, keys[k]) == (present[k] ? &values[k] : NULL));
    }
  }
  coord__map_free(&m);
}

static void emptying_by_any_ends(void) {
  static char values[100];
  coord__map m = {0};
  for (uint64_t i = 0; i < 100; i++) T_FATAL(coord__map_insert(&m, i, &values[i]));
  size_t taken = 0;
  for (char *v; (v = coord__map_any(&m)) != NULL && taken <= 100; taken++) {
    T_TRUE(coord__map_remove(&m, (uint64_t)(v - values)) == v);
  }
  T_INT(taken, 100);
  coord__map_free(&m);
}

static void failed_growth_keeps_the_map(void) {
  static char values[33];
  coord__map m = {0};
  coord__alloc_fail_after(0);
  bool first = coord__map_insert(&m, 1, &values[0]);
  coord__alloc_fail_after(-1);
  T_TRUE(!first);
  T_TRUE(coord__map_find(&m, 1) == NULL);
  for (uint64_t i = 0; i < 32; i++) T_FATAL(coord__map_insert(&m, i, &values[i]));
  coord__alloc_fail_after(0);
  bool grown = coord__map_insert(&m, 32, &values[32]);
  coord__alloc_fail_after(-1);
  T_TRUE(!grown);
  T_INT(m.len, 32);
  T_TRUE(coord__map_find(&m, 32) == NULL);
  for (uint64_t i = 0; i < 32; i++) T_TRUE(coord__map_find(&m, i) == &values[i]);
  coord__map_free(&m);
}

T_MAIN(T_CASE(empty_map_finds_nothing), T_CASE(all_kinds_of_numbers_are_keys),
       T_CASE(growth_keeps_everything), T_CASE(random_use_agrees_with_a_naive_model),
       T_CASE(emptying_by_any_ends), T_CASE(failed_growth_keeps_the_map))
