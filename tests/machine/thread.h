/* The thread that a machine lives on: what is to be done there is done on it, and waited for. */
#ifndef MACHINE_THREAD_H
#define MACHINE_THREAD_H

#include "etcd/waiter.h"
#include "net/loop.h"

static coord__loop *loop;

typedef struct errand {
  coord__job job;
  coord__waiter waiter;
  void (*run)(void *arg);
  void *arg;
} errand;

static inline void run_errand(coord__job *job) {
  errand *e = COORD__CONTAINER(job, errand, job);
  e->run(e->arg);
  coord__waiter_signal(&e->waiter);
}

static inline void on_loop(void (*run)(void *), void *arg) {
  errand e = {.job.run = run_errand, .run = run, .arg = arg};
  coord__waiter_init(&e.waiter, loop, 1);
  coord__loop_post(loop, &e.job);
  coord__waiter_wait(&e.waiter);
}

#endif
