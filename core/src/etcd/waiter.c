#include "etcd/waiter.h"

void coord__waiter_init(coord__waiter *w, size_t count) {
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->done, NULL);
  w->left = count;
}

void coord__waiter_signal(coord__waiter *w) {
  pthread_mutex_lock(&w->lock);
  /* Signalled with the lock held: the waiter cannot be gone before this is over. */
  if (--w->left == 0) pthread_cond_signal(&w->done);
  pthread_mutex_unlock(&w->lock);
}

void coord__waiter_wait(coord__waiter *w) {
  pthread_mutex_lock(&w->lock);
  while (w->left > 0) pthread_cond_wait(&w->done, &w->lock);
  pthread_mutex_unlock(&w->lock);
  pthread_cond_destroy(&w->done);
  pthread_mutex_destroy(&w->lock);
}
