/* A thread that waits for the I/O, and does it meanwhile if nobody else does. Lives on the stack of the
 * one that waits. */
#ifndef COORD_ETCD_WAITER_H
#define COORD_ETCD_WAITER_H

#include <stdatomic.h>
#include <stddef.h>

#include "net/loop.h"

typedef struct coord__waiter {
  coord__loop *loop;
  atomic_size_t left; /* things that have not ended yet */
  atomic_uint state;  /* the futex word */
} coord__waiter;

/* The loop is held until the wait is over. */
void coord__waiter_init(coord__waiter *w, coord__loop *loop, size_t count);
/* One thing has ended. The waiter may be gone when this returns. The loop is held by the caller. */
void coord__waiter_signal(coord__waiter *w);
/* Wait until all have. Runs jobs that were pushed. */
void coord__waiter_wait(coord__waiter *w);

#endif
