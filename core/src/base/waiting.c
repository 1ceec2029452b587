#include "base/waiting.h"

#include <stdatomic.h>

static atomic_int now;
static atomic_uint served;

void coord__waiting_begin(void) { atomic_fetch_add(&now, 1); }

void coord__waiting_served(void) {
  atomic_fetch_add_explicit(&served, 1, memory_order_relaxed);
  atomic_fetch_sub(&now, 1);
}

void coord__waiting_end(void) { atomic_fetch_sub(&now, 1); }

int coord__waiting_now(void) { return atomic_load(&now); }

unsigned coord__waiting_served_count(void) {
  return atomic_load_explicit(&served, memory_order_relaxed);
}

void coord__waiting_forget(void) { atomic_store(&now, 0); }
