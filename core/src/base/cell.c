#include "base/cell.h"

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Hazard pointers. A thread that looks claims a slot, writes there what it looks at, and makes sure that
 * this was still current afterwards: then whoever replaces it comes later and finds it in the slot.
 */
enum { SLOTS = 128, LINE = 64 };

typedef struct slot {
  _Atomic(coord__shared *) held;
  char apart[LINE - sizeof(void *)];
} slot;

static _Alignas(LINE) slot slots[SLOTS];
static _Atomic(coord__shared *) retired;

/* Threads differ in their stacks, and so mostly in the slots that they try first. */
static uint32_t first_slot(void) {
  char here;
  uint64_t place = (uint64_t)(uintptr_t)&here >> 16;
  return (uint32_t)(place * UINT64_C(0x9E3779B97F4A7C15) >> 57);
}

coord__shared *coord__cell_enter(const coord__cell *cell, uint32_t *look) {
  coord__shared *p = atomic_load_explicit(&cell->current, memory_order_relaxed);
  uint32_t i = first_slot();
  for (unsigned tries = 1; p != NULL; tries++) {
    coord__shared *none = NULL;
    slot *s = &slots[i];
    if (atomic_compare_exchange_strong(&s->held, &none, p)) {
      coord__shared *now;
      while ((now = atomic_load(&cell->current)) != p) {
        atomic_store(&s->held, now);
        p = now;
        if (p == NULL) return NULL; /* which has freed the slot */
      }
      *look = i;
      return p;
    }
    i = (i + 1) % SLOTS;
    if (tries % SLOTS == 0) sched_yield();
    p = atomic_load_explicit(&cell->current, memory_order_relaxed);
  }
  return NULL;
}

void coord__cell_leave(uint32_t look) {
  atomic_store_explicit(&slots[look].held, NULL, memory_order_release);
}

__attribute__((cold)) static bool is_looked_at(const coord__shared *shared) {
  for (size_t i = 0; i < SLOTS; i++) {
    if (atomic_load(&slots[i].held) == shared) return true;
  }
  return false;
}

__attribute__((cold, noinline)) static void retire(coord__shared *shared) {
  coord__shared *first = atomic_load(&retired);
  do {
    shared->next = first;
  } while (!atomic_compare_exchange_weak(&retired, &first, shared));
}

/* Without a lock, which a forked child could find taken for ever. */
__attribute__((cold)) void coord__cell_set(coord__cell *cell, coord__shared *shared) {
  coord__shared *before = atomic_exchange(&cell->current, shared);
  if (before != NULL) retire(before);
  for (coord__shared *s = atomic_exchange(&retired, NULL), *next; s != NULL; s = next) {
    next = s->next;
    if (is_looked_at(s)) {
      retire(s);
    } else {
      s->drop(s);
    }
  }
}
