#include "etcd/waiter.h"

#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/waiting.h"

/* A futex and not a condition variable: one system call on each side and no lock, on the path of
 * every synchronous call. */

enum { RUNNING, LEADING, SLEEPING, DONE };

void coord__waiter_init(coord__waiter *w, coord__loop *loop, size_t count) {
  w->loop = loop;
  atomic_init(&w->left, count);
  atomic_init(&w->state, RUNNING);
}

void coord__waiter_signal(coord__waiter *w) {
  if (atomic_fetch_sub(&w->left, 1) > 1) return;
  coord__loop *loop = w->loop;
  unsigned before = atomic_exchange(&w->state, DONE);
  /* From here on the waiter may be gone; waking an address that nobody sleeps on is harmless. */
  if (before == LEADING) {
    coord__loop_nudge(loop);
  } else if (before == SLEEPING) {
    coord__waiting_served();
    syscall(SYS_futex, &w->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  }
}

static bool is_done(void *arg) {
  coord__waiter *w = arg;
  return atomic_load(&w->state) == DONE;
}

static bool change(coord__waiter *w, unsigned from, unsigned to) {
  return atomic_compare_exchange_strong(&w->state, &from, to);
}

static void sleep_until_done(coord__waiter *w) {
  while (!is_done(w)) {
    syscall(SYS_futex, &w->state, FUTEX_WAIT_PRIVATE, SLEEPING, NULL, NULL, 0);
  }
}

void coord__waiter_wait(coord__waiter *w) {
  if (!change(w, RUNNING, LEADING)) return;
  for (;;) {
    coord__loop_lead(w->loop, INT64_MAX, is_done, w);
    if (is_done(w)) return;
    coord__loop_kick(w->loop);
    coord__waiting_begin();
    if (!change(w, LEADING, SLEEPING)) {
      coord__waiting_end();
      return;
    }
    /* Whoever left the place just now has not seen this thread wait. */
    if (!coord__loop_is_free(w->loop)) {
      sleep_until_done(w);
      return;
    }
    if (!change(w, SLEEPING, LEADING)) return;
    coord__waiting_end();
  }
}
