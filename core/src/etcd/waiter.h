/* A thread that waits for the I/O thread. Lives on the stack of the one that waits. */
#ifndef COORD_ETCD_WAITER_H
#define COORD_ETCD_WAITER_H

#include <pthread.h>
#include <stddef.h>

typedef struct coord__waiter {
  pthread_mutex_t lock;
  pthread_cond_t done;
  size_t left; /* things that have not ended yet */
} coord__waiter;

void coord__waiter_init(coord__waiter *w, size_t count);
/* One thing has ended. The waiter may be gone when this returns. */
void coord__waiter_signal(coord__waiter *w);
/* Wait until all have, and take the waiter down. */
void coord__waiter_wait(coord__waiter *w);

#endif
