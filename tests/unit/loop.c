/* net/loop. */
#include "net/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fork.h"
#include "etcd/waiter.h"
#include "support/t.h"

static coord__loop *acquire(void) {
  coord__loop *loop = NULL;
  coord_error *err = NULL;
  T_OK(coord__loop_acquire(&loop, &err), err);
  T_FATAL(loop != NULL);
  return loop;
}

static void release(coord__loop *loop) {
  coord__loop_leave(loop);
  coord__loop_release(loop);
}

/* Run a function on the I/O thread and wait for it. */
typedef struct errand {
  coord__job job;
  coord__waiter waiter;
  void (*run)(void *arg);
  void *arg;
} errand;

static void run_errand(coord__job *job) {
  errand *e = COORD__CONTAINER(job, errand, job);
  e->run(e->arg);
  coord__waiter_signal(&e->waiter);
}

static void on_loop(coord__loop *loop, void (*run)(void *), void *arg) {
  errand e = {.job.run = run_errand, .run = run, .arg = arg};
  coord__waiter_init(&e.waiter, loop, 1);
  coord__loop_post(loop, &e.job);
  coord__waiter_wait(&e.waiter);
}

/* ---- timers ---- */

enum { TIMERS = 40 };

typedef struct timers {
  coord__loop *loop;
  coord__waiter waiter;
  coord__timer timers[TIMERS];
  int64_t due[TIMERS];
  int fired[TIMERS];
  int count;
  bool early;
} timers;

static timers *timers_now;

static void note_fired(coord__timer *timer) {
  timers *t = timers_now;
  long i = timer - t->timers;
  t->early |= coord__clock_ns() < t->due[i];
  t->fired[t->count++] = (int)i;
  coord__waiter_signal(&t->waiter);
}

static void set_timers(void *arg) {
  timers *t = arg;
  int64_t now = coord__clock_ns();
  for (int i = 0; i < TIMERS; i++) {
    int place = i * 17 % TIMERS;
    t->timers[i].fire = note_fired;
    t->due[i] = now + place * COORD__NS_PER_MS;
    coord__timer_set(t->loop, &t->timers[i], now + 3600000 * COORD__NS_PER_MS);
    coord__timer_set(t->loop, &t->timers[i], t->due[i]);
  }
}

static void timers_fire_in_the_order_of_their_times(void) {
  timers t = {.loop = acquire()};
  timers_now = &t;
  coord__waiter_init(&t.waiter, t.loop, TIMERS);
  on_loop(t.loop, set_timers, &t);
  coord__waiter_wait(&t.waiter);
  for (int i = 0; i < TIMERS; i++) T_INT(t.fired[i] * 17 % TIMERS, i);
  T_TRUE(!t.early);
  release(t.loop);
}

static void set_and_stop_timers(void *arg) {
  timers *t = arg;
  set_timers(t);
  for (int i = 0; i < TIMERS; i++) {
    if (i != 5) coord__timer_stop(t->loop, &t->timers[i]);
    if (i != 5) coord__timer_stop(t->loop, &t->timers[i]);
  }
}

static void stopped_timers_do_not_fire(void) {
  timers t = {.loop = acquire()};
  timers_now = &t;
  coord__waiter_init(&t.waiter, t.loop, 1);
  on_loop(t.loop, set_and_stop_timers, &t);
  coord__waiter_wait(&t.waiter);
  nanosleep(&(struct timespec){0, 60000000}, NULL);
  release(t.loop);
  T_INT(t.count, 1);
  T_INT(t.fired[0], 5);
}

/* ---- alarms ---- */

typedef struct rising {
  coord__loop *loop;
  coord__waiter waiter;
  coord__timer alarm;
  coord__timer stopped;
  coord__timer timer;
  coord__io io;
  int64_t due;
  bool early;
  char order[8];
} rising;

static void note_rising(rising *r, char what) {
  r->order[strlen(r->order)] = what;
  coord__waiter_signal(&r->waiter);
}

static void on_alarm(coord__timer *timer) {
  rising *r = COORD__CONTAINER(timer, rising, alarm);
  r->early |= coord__clock_boot_ns() < r->due;
  note_rising(r, 'a');
}

static void on_stopped(coord__timer *timer) {
  note_rising(COORD__CONTAINER(timer, rising, stopped), 's');
}

static void on_its_timer(coord__timer *timer) {
  note_rising(COORD__CONTAINER(timer, rising, timer), 't');
}

static void on_rising_readable(coord__io *io, uint32_t events) {
  rising *r = COORD__CONTAINER(io, rising, io);
  (void)events;
  coord__io_set(r->loop, io, 0);
  note_rising(r, 'r');
}

/* All three are due when the loop looks next. */
static void set_rising(void *arg) {
  rising *r = arg;
  r->alarm.fire = on_alarm;
  r->stopped.fire = on_stopped;
  r->timer.fire = on_its_timer;
  r->io.ready = on_rising_readable;
  r->due = coord__clock_boot_ns();
  coord__alarm_set(r->loop, &r->alarm, r->due + 3600000 * COORD__NS_PER_MS);
  coord__alarm_set(r->loop, &r->alarm, r->due);
  coord__alarm_set(r->loop, &r->stopped, r->due);
  coord__alarm_stop(r->loop, &r->stopped);
  coord__timer_set(r->loop, &r->timer, coord__clock_ns());
  T_TRUE(coord__io_set(r->loop, &r->io, EPOLLIN));
}

static void alarms_come_before_what_is_received(void) {
  rising r = {.loop = acquire()};
  int fds[2];
  T_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  T_TRUE(write(fds[1], "x", 1) == 1);
  r.io.fd = fds[0];
  coord__waiter_init(&r.waiter, r.loop, 3);
  on_loop(r.loop, set_rising, &r);
  coord__waiter_wait(&r.waiter);
  T_STR(r.order, "art");
  T_TRUE(!r.early);
  release(r.loop);
  close(fds[0]);
  close(fds[1]);
}

static void set_alarm(void *arg) {
  rising *r = arg;
  r->alarm.fire = on_alarm;
  r->due = coord__clock_boot_ns() + 30 * COORD__NS_PER_MS;
  coord__alarm_set(r->loop, &r->alarm, r->due);
}

static void alarm_ends_a_sleep(void) {
  rising r = {.loop = acquire()};
  int64_t began = t_now_ms();
  coord__waiter_init(&r.waiter, r.loop, 1);
  on_loop(r.loop, set_alarm, &r);
  coord__waiter_wait(&r.waiter);
  int64_t took = t_now_ms() - began;
  T_TRUE(!r.early);
  if (took < 29) T_FAIL("it came after %d ms", (int)took);
  T_WITHIN(began, 229);
  release(r.loop);
}

/* ---- jobs ---- */

enum { POSTERS = 8, JOBS = 5000 };

typedef struct numbered {
  coord__job job;
  int poster;
  int number;
} numbered;

typedef struct posting {
  coord__loop *loop;
  numbered *jobs;
  bool kick;
  int poster;
} posting;

static int next_number[POSTERS];
static atomic_int out_of_order;
static atomic_int ran;

static void check_number(coord__job *job) {
  numbered *n = COORD__CONTAINER(job, numbered, job);
  if (next_number[n->poster]++ != n->number) atomic_fetch_add(&out_of_order, 1);
  atomic_fetch_add(&ran, 1);
}

static void *post_all(void *arg) {
  posting *p = arg;
  for (int i = 0; i < JOBS; i++) {
    p->jobs[i] = (numbered){{NULL, check_number}, p->poster, i};
    if (p->kick) {
      coord__loop_push(p->loop, &p->jobs[i].job);
      if (i % 3 != 1 || i == JOBS - 1) coord__loop_kick(p->loop);
    } else {
      coord__loop_post(p->loop, &p->jobs[i].job);
    }
  }
  return NULL;
}

static bool all_ran(void *unused) {
  (void)unused;
  return atomic_load(&ran) == POSTERS * JOBS;
}

static void post_from_all_threads(int kickers) {
  coord__loop *loop = acquire();
  pthread_t threads[POSTERS];
  posting postings[POSTERS];
  memset(next_number, 0, sizeof next_number);
  atomic_store(&ran, 0);
  atomic_store(&out_of_order, 0);
  for (int i = 0; i < POSTERS; i++) {
    postings[i] = (posting){loop, calloc(JOBS, sizeof(numbered)), i < kickers, i};
    T_FATAL(postings[i].jobs != NULL);
    T_FATAL(pthread_create(&threads[i], NULL, post_all, &postings[i]) == 0);
  }
  for (int i = 0; i < POSTERS; i++) pthread_join(threads[i], NULL);
  T_TRUE(t_wait_until(all_ran, NULL, 20000));
  T_INT(out_of_order, 0);
  for (int i = 0; i < POSTERS; i++) free(postings[i].jobs);
  release(loop);
}

static void jobs_of_eight_threads_run_once_and_in_order(void) { post_from_all_threads(0); }

static void jobs_that_are_kicked_run_once_and_in_order(void) { post_from_all_threads(POSTERS); }

static void posted_and_kicked_jobs_mix(void) { post_from_all_threads(POSTERS / 2); }

/* ---- deferred work ---- */

typedef struct deferring {
  coord__loop *loop;
  coord__idle idle;
  coord__idle other;
  coord__waiter waiter;
  int runs;
  int other_runs;
  int runs_at_job; /* seen by the job that asked for it */
} deferring;

static void run_idle(coord__idle *idle) {
  deferring *d = COORD__CONTAINER(idle, deferring, idle);
  /* Asking again from within runs it again, still before the loop sleeps. */
  if (++d->runs < 3) {
    coord__loop_defer(d->loop, idle);
  } else {
    coord__waiter_signal(&d->waiter);
  }
}

static void run_other(coord__idle *idle) { COORD__CONTAINER(idle, deferring, other)->other_runs++; }

static void ask(void *arg) {
  deferring *d = arg;
  d->idle.run = run_idle;
  d->other.run = run_other;
  coord__loop_defer(d->loop, &d->other);
  for (int i = 0; i < 5; i++) coord__loop_defer(d->loop, &d->idle);
  coord__idle_cancel(&d->other);
  coord__idle_cancel(&d->other);
  d->runs_at_job = d->runs;
}

static void deferred_work_runs_once_and_after_the_job(void) {
  deferring d = {.loop = acquire()};
  coord__waiter_init(&d.waiter, d.loop, 1);
  on_loop(d.loop, ask, &d);
  coord__waiter_wait(&d.waiter);
  T_INT(d.runs_at_job, 0);
  T_INT(d.runs, 3);
  T_INT(d.other_runs, 0);
  release(d.loop);
}

/* ---- descriptors ---- */

typedef struct watching {
  coord__loop *loop;
  coord__io io[2];
  int peers[2];
  coord__waiter waiter;
  int reports;
} watching;

static watching *watched;

static void on_readable(coord__io *io, uint32_t events) {
  char byte;
  (void)events;
  watched->reports++;
  T_INT(recv(io->fd, &byte, 1, 0), 1);
  /* Both were ready in the same round; the first to be told takes the other one away. */
  coord__io_set(watched->loop, &watched->io[0], 0);
  coord__io_set(watched->loop, &watched->io[1], 0);
  coord__waiter_signal(&watched->waiter);
}

static void watch_both(void *arg) {
  watching *w = arg;
  for (int i = 0; i < 2; i++) {
    T_INT(send(w->peers[i], "x", 1, 0), 1);
    w->io[i].ready = on_readable;
    T_TRUE(coord__io_set(w->loop, &w->io[i], EPOLLIN));
    T_TRUE(coord__io_set(w->loop, &w->io[i], EPOLLIN));
  }
}

static void nothing(void *unused) { (void)unused; }

static void descriptor_that_is_given_up_is_not_reported_any_more(void) {
  watching w = {.loop = acquire()};
  watched = &w;
  coord__waiter_init(&w.waiter, w.loop, 1);
  for (int i = 0; i < 2; i++) {
    int ends[2];
    T_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    w.io[i].fd = ends[0];
    w.peers[i] = ends[1];
  }
  on_loop(w.loop, watch_both, &w);
  coord__waiter_wait(&w.waiter);
  on_loop(w.loop, nothing, NULL);
  on_loop(w.loop, nothing, NULL);
  T_INT(w.reports, 1);
  for (int i = 0; i < 2; i++) {
    close(w.io[i].fd);
    close(w.peers[i]);
  }
  release(w.loop);
}

/* ---- life ---- */

/* More descriptors are ready, and a timer due, than one round takes. */
enum { CROWD = 500 };

typedef struct crowd {
  coord__loop *loop;
  coord__waiter waiter;
  coord__io ios[CROWD];
  coord__timer timer;
  int seen;
  int seen_before_timer;
} crowd;

static crowd *crowd_now;

static void on_crowd(coord__io *io, uint32_t events) {
  (void)events;
  coord__io_set(crowd_now->loop, io, 0);
  crowd_now->seen++;
  coord__waiter_signal(&crowd_now->waiter);
}

static void on_crowd_timer(coord__timer *timer) {
  (void)timer;
  crowd_now->seen_before_timer = crowd_now->seen;
  coord__waiter_signal(&crowd_now->waiter);
}

static void set_crowd(void *arg) {
  crowd *c = arg;
  c->timer.fire = on_crowd_timer;
  coord__timer_set(c->loop, &c->timer, coord__clock_ns());
  for (int i = 0; i < CROWD; i++) T_TRUE(coord__io_set(c->loop, &c->ios[i], EPOLLIN));
}

static void clear_crowd(void *arg) {
  crowd *c = arg;
  for (int i = 0; i < CROWD; i++) coord__io_set(c->loop, &c->ios[i], 0);
}

/* All at once; until so many signals have come. */
static crowd *gather(void (*ready)(coord__io *io, uint32_t events), int signals) {
  static crowd c;
  c = (crowd){.loop = acquire()};
  crowd_now = &c;
  coord__waiter_init(&c.waiter, c.loop, (size_t)signals);
  for (int i = 0; i < CROWD; i++) {
    c.ios[i] = (coord__io){.fd = eventfd(1, EFD_CLOEXEC), .ready = ready};
    T_FATAL(c.ios[i].fd >= 0);
  }
  on_loop(c.loop, set_crowd, &c);
  coord__waiter_wait(&c.waiter);
  return &c;
}

static void disperse(crowd *c) {
  on_loop(c->loop, clear_crowd, c);
  for (int i = 0; i < CROWD; i++) close(c->ios[i].fd);
  release(c->loop);
}

static void timers_wait_for_what_has_come(void) {
  crowd *c = gather(on_crowd, CROWD + 1);
  T_INT(c->seen_before_timer, CROWD);
  disperse(c);
}

/* Some that are ready again and again do not keep a timer from its time for long. */
static void on_noise(coord__io *io, uint32_t events) {
  (void)io;
  (void)events;
  crowd_now->seen++;
}

static void timers_do_not_wait_for_ever(void) {
  crowd *c = gather(on_noise, 1);
  T_TRUE(c->seen_before_timer > CROWD);
  disperse(c);
}

static void all_who_hold_the_engine_hold_the_same(void) {
  coord__loop *first = acquire();
  coord__loop *second = acquire();
  T_TRUE(first == second);
  T_TRUE(coord__loop_retain(first) == first);
  coord__loop_release(second);
  release(first);
  on_loop(first, nothing, NULL);
  release(first);
}

static void engine_starts_and_ends_a_thousand_times(void) {
  for (int i = 0; i < 1000; i++) {
    coord__loop *loop = acquire();
    if (i % 3 == 0) on_loop(loop, nothing, NULL);
    release(loop);
  }
}

static void *cycle(void *unused) {
  (void)unused;
  for (int i = 0; i < 200; i++) {
    coord__loop *loop = acquire();
    if (i % 2 == 0) on_loop(loop, nothing, NULL);
    release(loop);
  }
  return NULL;
}

static void engine_starts_and_ends_from_several_threads(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) T_FATAL(pthread_create(&threads[i], NULL, cycle, NULL) == 0);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

static void release_here(void *loop) { coord__loop_release(loop); }

static void engine_may_be_released_on_its_own_thread(void) {
  for (int i = 0; i < 100; i++) {
    coord__loop *loop = acquire();
    coord__loop_retain(loop);
    on_loop(loop, release_here, loop);
    release(loop);
  }
}

/* ---- fork ---- */

static atomic_bool stop_posting;

static void *keep_busy(void *loop) {
  while (!atomic_load(&stop_posting)) on_loop(loop, nothing, NULL);
  return NULL;
}

/* ThreadSanitizer lets no child of a program with threads start one of its own. */
#if defined(__SANITIZE_THREAD__)
#define CHILD_HAS_NO_THREADS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CHILD_HAS_NO_THREADS 1
#endif
#endif
#ifndef CHILD_HAS_NO_THREADS
#define CHILD_HAS_NO_THREADS 0
#endif

static int child_sees(coord__loop *parents, unsigned before) {
  if (coord__fork_generation() != before + 1) return 2;
  if (CHILD_HAS_NO_THREADS) return 0;
  coord__loop *own = NULL;
  if (coord__loop_acquire(&own, NULL) != COORD_OK) return 3;
  if (own == parents) return 4;
  on_loop(own, nothing, NULL);
  release(own);
  return 0;
}

static void fork_while_the_loop_is_busy(void) {
  coord__loop *loop = acquire();
  pthread_t threads[3];
  atomic_store(&stop_posting, false);
  for (int i = 0; i < 3; i++) T_FATAL(pthread_create(&threads[i], NULL, keep_busy, loop) == 0);
  for (int i = 0; i < 20; i++) {
    unsigned before = coord__fork_generation();
    pid_t child = fork();
    T_FATAL(child >= 0);
    if (child == 0) {
      alarm(30);
      _exit(child_sees(loop, before));
    }
    int status = -1;
    T_TRUE(waitpid(child, &status, 0) == child);
    T_INT(status, 0);
    T_INT(coord__fork_generation(), before);
    on_loop(loop, nothing, NULL);
  }
  atomic_store(&stop_posting, true);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  release(loop);
}

T_MAIN(T_CASE(timers_fire_in_the_order_of_their_times), T_CASE(stopped_timers_do_not_fire),
       T_CASE(alarms_come_before_what_is_received), T_CASE(alarm_ends_a_sleep),
       T_CASE(jobs_of_eight_threads_run_once_and_in_order),
       T_CASE(jobs_that_are_kicked_run_once_and_in_order), T_CASE(posted_and_kicked_jobs_mix),
       T_CASE(deferred_work_runs_once_and_after_the_job),
       T_CASE(descriptor_that_is_given_up_is_not_reported_any_more),
       T_CASE(timers_wait_for_what_has_come), T_CASE(timers_do_not_wait_for_ever),
       T_CASE(all_who_hold_the_engine_hold_the_same),
       T_CASE(engine_starts_and_ends_a_thousand_times),
       T_CASE(engine_starts_and_ends_from_several_threads),
       T_CASE(engine_may_be_released_on_its_own_thread), T_CASE(fork_while_the_loop_is_busy))
