/* etcd/waiter. */
#include "etcd/waiter.h"

#include <pthread.h>
#include <time.h>

#include "support/t.h"

typedef struct signaller {
  coord__waiter *waiter;
  atomic_int *done;
  int times;
  bool slow;
} signaller;

static void *signal_all(void *arg) {
  signaller *s = arg;
  for (int i = 0; i < s->times; i++) {
    if (s->slow) nanosleep(&(struct timespec){0, 1000000}, NULL);
    atomic_fetch_add(s->done, 1);
    coord__waiter_signal(s->waiter);
  }
  return NULL;
}

static coord__loop *acquire(void) {
  coord__loop *loop = NULL;
  T_FATAL(coord__loop_acquire(&loop, NULL) == COORD_OK);
  return loop;
}

static void release(coord__loop *loop) {
  coord__loop_leave(loop);
  coord__loop_release(loop);
}

static void signalled_before_the_wait_returns_at_once(void) {
  coord__loop *loop = acquire();
  coord__waiter w;
  coord__waiter_init(&w, loop, 3);
  for (int i = 0; i < 3; i++) coord__waiter_signal(&w);
  coord__waiter_wait(&w);
  T_INT(w.left, 0);
  release(loop);
}

static void wait_returns_only_after_the_last_of_many(void) {
  coord__loop *loop = acquire();
  coord__waiter w;
  atomic_int done = 0;
  pthread_t threads[4];
  signaller s = {&w, &done, 25, true};
  coord__waiter_init(&w, loop, 100);
  for (int i = 0; i < 4; i++) T_FATAL(pthread_create(&threads[i], NULL, signal_all, &s) == 0);
  coord__waiter_wait(&w);
  T_INT(done, 100);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  release(loop);
}

/* One thread signals waiters that live on the stack of another, which leaves at once. */
typedef struct relay {
  _Atomic(coord__waiter *) next;
  atomic_bool stop;
} relay;

static void *relay_signals(void *arg) {
  relay *r = arg;
  while (!atomic_load(&r->stop)) {
    coord__waiter *w = atomic_exchange(&r->next, NULL);
    if (w != NULL) coord__waiter_signal(w);
  }
  return NULL;
}

static void waiter_on_the_stack_may_go_when_the_wait_returns(void) {
  coord__loop *loop = acquire();
  relay r = {NULL, false};
  pthread_t thread;
  T_FATAL(pthread_create(&thread, NULL, relay_signals, &r) == 0);
  for (int i = 0; i < 20000; i++) {
    coord__waiter w;
    coord__waiter_init(&w, loop, 1);
    atomic_store(&r.next, &w);
    coord__waiter_wait(&w);
  }
  atomic_store(&r.stop, true);
  pthread_join(thread, NULL);
  release(loop);
}

T_MAIN(T_CASE(signalled_before_the_wait_returns_at_once),
       T_CASE(wait_returns_only_after_the_last_of_many),
       T_CASE(waiter_on_the_stack_may_go_when_the_wait_returns))
