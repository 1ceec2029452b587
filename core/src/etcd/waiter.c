#include "etcd/waiter.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A futex and not a condition variable: one system call on each side and no lock, on the path of
 * every synchronous call. */

enum { RUNNING, SLEEPING, DONE };

void coord__waiter_init(coord__waiter *w, size_t count) {
  atomic_init(&w->left, count);
  atomic_init(&w->state, RUNNING);
}

void coord__waiter_signal(coord__waiter *w) {
  if (atomic_fetch_sub(&w->left, 1) > 1) return;
  /* From the exchange on the waiter may be gone; waking an address that nobody sleeps on is
   * harmless. */
  if (atomic_exchange(&w->state, DONE) == SLEEPING) {
    syscall(SYS_futex, &w->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  }
}

void coord__waiter_wait(coord__waiter *w) {
  unsigned expected = RUNNING;
  if (!atomic_compare_exchange_strong(&w->state, &expected, SLEEPING)) return;
  while (atomic_load(&w->state) != DONE) {
    syscall(SYS_futex, &w->state, FUTEX_WAIT_PRIVATE, SLEEPING, NULL, NULL, 0);
  }
}
