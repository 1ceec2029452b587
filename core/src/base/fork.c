#include "base/fork.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_uint generation;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const coord__fork_hooks *watcher;

unsigned coord__fork_generation(void) {
  return atomic_load_explicit(&generation, memory_order_relaxed);
}

static void in_prepare(void) { watcher->prepare(); }

static void in_parent(void) { watcher->parent(); }

static void in_child(void) {
  atomic_fetch_add(&generation, 1);
  watcher->child();
}

static void watch(void) { pthread_atfork(in_prepare, in_parent, in_child); }

void coord__fork_watch(const coord__fork_hooks *hooks) {
  /* Every caller passes the same hooks: the first store wins and the others repeat it. */
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&lock);
  watcher = hooks;
  pthread_mutex_unlock(&lock);
  pthread_once(&once, watch);
}
