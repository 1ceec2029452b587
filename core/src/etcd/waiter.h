/* A thread that waits for the I/O thread. Lives on the stack of the one that waits. */
#ifndef COORD_ETCD_WAITER_H
#define COORD_ETCD_WAITER_H

#include <stdatomic.h>
#include <stddef.h>

typedef struct coord__waiter {
  atomic_size_t left; /* things that have not ended yet */
  atomic_uint state;  /* the futex word */
} coord__waiter;

void coord__waiter_init(coord__waiter *w, size_t count);
/* One thing has ended. The waiter may be gone when this returns. */
void coord__waiter_signal(coord__waiter *w);
/* Wait until all have. */
void coord__waiter_wait(coord__waiter *w);

#endif
