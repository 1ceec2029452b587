/* net/loop: threads that wait and do the I/O meanwhile. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/event.h"
#include "base/queue.h"
#include "coord/event.h"
#include "etcd/waiter.h"
#include "net/loop.h"
#include "support/t.h"

static coord__loop *acquire(void) {
  coord__loop *loop = NULL;
  T_FATAL(coord__loop_acquire(&loop, NULL) == COORD_OK);
  return loop;
}

static void release(coord__loop *loop) {
  coord__loop_leave(loop);
  coord__loop_release(loop);
}

static void sleep_ms(int ms) {
  nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* A call: a job that sets a timer, at whose end the waiter is told. */
typedef struct call {
  coord__job job;
  coord__timer timer;
  coord__waiter waiter;
  coord__loop *loop;
  int64_t delay_ns;
  pthread_t ran_on;
  pthread_t fired_on;
} call;

static void on_fire(coord__timer *timer) {
  call *c = COORD__CONTAINER(timer, call, timer);
  c->fired_on = pthread_self();
  coord__waiter_signal(&c->waiter);
}

static void run_call(coord__job *job) {
  call *c = COORD__CONTAINER(job, call, job);
  c->ran_on = pthread_self();
  c->timer.fire = on_fire;
  coord__timer_set(c->loop, &c->timer, coord__clock_ns() + c->delay_ns);
}

static void start(call *c, coord__loop *loop, int64_t delay_ns) {
  *c = (call){.job.run = run_call, .loop = loop, .delay_ns = delay_ns};
  coord__waiter_init(&c->waiter, loop, 1);
  coord__loop_push(loop, &c->job);
}

static call make_call(coord__loop *loop, int64_t delay_ns) {
  call c;
  start(&c, loop, delay_ns);
  coord__waiter_wait(&c.waiter);
  return c;
}

/* ---- one thread ---- */

static void thread_that_calls_again_and_again_serves_itself(void) {
  coord__loop *loop = acquire();
  int own = 0;
  int64_t until_ns = coord__clock_ns() + 10000 * COORD__NS_PER_MS;
  while (own < 100 && coord__clock_ns() < until_ns) {
    call c = make_call(loop, 0);
    own += pthread_equal(c.fired_on, pthread_self()) != 0;
  }
  release(loop);
  T_INT(own, 100);
}

typedef struct late {
  coord__job job;
  coord__timer timer;
  coord__loop *loop;
  atomic_bool fired;
} late;

static void on_late(coord__timer *timer) {
  atomic_store(&COORD__CONTAINER(timer, late, timer)->fired, true);
}

static void set_late(coord__job *job) {
  late *l = COORD__CONTAINER(job, late, job);
  l->timer.fire = on_late;
  coord__timer_set(l->loop, &l->timer, coord__clock_ns() + 20 * COORD__NS_PER_MS);
}

typedef struct end_job {
  coord__job job;
  coord__waiter *waiter;
} end_job;

static void end_at_once(coord__job *job) {
  coord__waiter_signal(COORD__CONTAINER(job, end_job, job)->waiter);
}

static bool has_fired(void *arg) { return atomic_load(&((late *)arg)->fired); }

static void io_thread_takes_over_when_nobody_comes_back(void) {
  coord__loop *loop = acquire();
  for (int round = 0; round < 5; round++) {
    for (int i = 0; i < 50; i++) make_call(loop, 0);
    late l = {.job.run = set_late, .loop = loop};
    coord__loop_post(loop, &l.job);
    T_TRUE(t_wait_until(has_fired, &l, 2000));
    sleep_ms(110); /* the I/O thread is ready to step aside again */
  }
  release(loop);
}

/* Calls that end at once look at no timer. */
static void timer_fires_while_threads_come_and_go_without_waiting(void) {
  coord__loop *loop = acquire();
  for (int i = 0; i < 50; i++) make_call(loop, 0);
  late l = {.job.run = set_late, .loop = loop};
  coord__loop_post(loop, &l.job);
  int64_t until_ns = coord__clock_ns() + 5000 * COORD__NS_PER_MS;
  while (!has_fired(&l) && coord__clock_ns() < until_ns) {
    coord__waiter waiter;
    coord__waiter_init(&waiter, loop, 1);
    end_job e = {.job.run = end_at_once, .waiter = &waiter};
    coord__loop_push(loop, &e.job);
    coord__waiter_wait(&waiter);
  }
  T_TRUE(has_fired(&l));
  release(loop);
}

static bool is_set(void *arg) { return atomic_load((atomic_bool *)arg); }

static void leading_ends_at_its_time(void) {
  coord__loop *loop = acquire();
  atomic_bool over = false;
  bool has_led = false;
  int64_t patience_ns = coord__clock_ns() + 10000 * COORD__NS_PER_MS;
  while (!has_led && coord__clock_ns() < patience_ns) {
    make_call(loop, 0);
    int64_t before = coord__clock_ns();
    has_led = coord__loop_lead(loop, before + 30 * COORD__NS_PER_MS, is_set, &over);
    if (has_led) T_TRUE(coord__clock_ns() - before >= 30 * COORD__NS_PER_MS);
  }
  T_TRUE(has_led);
  release(loop);
}

/* ---- several ---- */

enum { THREADS = 8, CALLS = 400 };

typedef struct caller {
  coord__loop *loop;
  int seed;
  int64_t longest_ns;
} caller;

static void *call_often(void *arg) {
  caller *c = arg;
  for (int i = 0; i < CALLS; i++) {
    int64_t delay_ns = (i * 7 + c->seed * 13) % 5 * 100000;
    int64_t before = coord__clock_ns();
    make_call(c->loop, delay_ns);
    int64_t took_ns = coord__clock_ns() - before - delay_ns;
    if (took_ns > c->longest_ns) c->longest_ns = took_ns;
    if ((i + c->seed) % 37 == 0) sleep_ms(2);
  }
  return NULL;
}

static void calls_of_eight_threads_all_end(void) {
  coord__loop *loop = acquire();
  pthread_t threads[THREADS];
  caller callers[THREADS];
  for (int i = 0; i < THREADS; i++) {
    callers[i] = (caller){loop, i, 0};
    T_FATAL(pthread_create(&threads[i], NULL, call_often, &callers[i]) == 0);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    T_TRUE(callers[i].longest_ns < 5000 * COORD__NS_PER_MS);
  }
  release(loop);
}

typedef struct slow {
  coord__loop *loop;
  int64_t took_ns;
} slow;

static void *call_slowly(void *arg) {
  slow *s = arg;
  int64_t before = coord__clock_ns();
  make_call(s->loop, 300 * COORD__NS_PER_MS);
  s->took_ns = coord__clock_ns() - before;
  return NULL;
}

/* The one who does the I/O leaves with its own answer while another still waits for one. */
static void one_who_waits_longer_is_not_forgotten(void) {
  coord__loop *loop = acquire();
  for (int i = 0; i < 50; i++) make_call(loop, 0);
  slow s = {.loop = loop};
  pthread_t thread;
  T_FATAL(pthread_create(&thread, NULL, call_slowly, &s) == 0);
  for (int i = 0; i < 20; i++) make_call(loop, 2 * COORD__NS_PER_MS);
  pthread_join(thread, NULL);
  T_TRUE(s.took_ns >= 300 * COORD__NS_PER_MS);
  release(loop);
}

/* ---- queues ---- */

static void destroy(coord_event *event) { coord__free(event); }

typedef struct delivery {
  coord__job job;
  coord_queue *queue;
  int count;
} delivery;

static void push_events(coord_queue *queue, int count) {
  coord__list events;
  coord__list_init(&events);
  for (int i = 0; i < count; i++) {
    coord_event *event = coord__calloc(1, sizeof *event);
    *event = (coord_event){.type = COORD_EVENT_RESULT, .destroy = destroy};
    coord__list_append(&events, &event->link);
  }
  coord__queue_push(queue, &events);
}

static void deliver(coord__job *job) {
  delivery *d = COORD__CONTAINER(job, delivery, job);
  push_events(d->queue, d->count);
}

static bool next(coord_queue *queue, int32_t timeout_ms) {
  coord_event *event = coord_queue_next(queue, timeout_ms);
  coord_event_free(event);
  return event != NULL;
}

static coord_queue *open_queue(void) {
  coord_queue *queue = NULL;
  T_FATAL(coord_queue_open(&queue, NULL) == COORD_OK);
  return queue;
}

static void events_reach_a_thread_that_does_the_io(void) {
  coord__loop *loop = acquire();
  coord_queue *queue = open_queue();
  for (int i = 0; i < 1000; i++) {
    delivery d = {.job.run = deliver, .queue = queue, .count = 1 + i % 3};
    coord__loop_post(loop, &d.job);
    for (int n = 0; n < d.count; n++) T_FATAL(next(queue, 10000));
  }
  T_TRUE(!next(queue, 20));
  coord_queue_free(queue);
  release(loop);
}

typedef struct outsider {
  coord_queue *queue;
  coord__loop *loop;
  int pause_ms;
  enum { PUSH, WAKE, LET_GO } what;
} outsider;

static void *act_from_outside(void *arg) {
  outsider *o = arg;
  sleep_ms(o->pause_ms);
  if (o->what == PUSH) push_events(o->queue, 1);
  if (o->what == WAKE) coord_queue_wake(o->queue);
  if (o->what == LET_GO) release(o->loop);
  return NULL;
}

static void become_leader(coord__loop *loop, coord_queue *queue) {
  delivery d = {.job.run = deliver, .queue = queue, .count = 1};
  for (int i = 0; i < 100; i++) {
    coord__loop_post(loop, &d.job);
    T_FATAL(next(queue, 10000));
  }
}

static void act_on_a_leader(outsider o) {
  o.loop = acquire();
  o.queue = open_queue();
  become_leader(o.loop, o.queue);
  pthread_t thread;
  T_FATAL(pthread_create(&thread, NULL, act_from_outside, &o) == 0);
  int64_t before = coord__clock_ns();
  bool got = next(o.queue, o.what == LET_GO ? 200 : 20000);
  T_TRUE(coord__clock_ns() - before < 10000 * COORD__NS_PER_MS);
  T_TRUE(got == (o.what == PUSH));
  pthread_join(thread, NULL);
  if (o.what != LET_GO) release(o.loop);
  coord_queue_free(o.queue);
}

static void leader_hears_of_an_event_from_elsewhere(void) {
  for (int i = 0; i < 20; i++) act_on_a_leader((outsider){.pause_ms = i % 7, .what = PUSH});
}

static void leader_is_woken(void) {
  for (int i = 0; i < 20; i++) act_on_a_leader((outsider){.pause_ms = i % 7, .what = WAKE});
}

static void leader_does_not_hold_up_the_end_of_the_engine(void) {
  for (int i = 0; i < 5; i++) act_on_a_leader((outsider){.pause_ms = i % 7, .what = LET_GO});
}

typedef struct consumer {
  coord_queue *queue;
  atomic_int *left;
} consumer;

static void *consume(void *arg) {
  consumer *c = arg;
  while (atomic_load(c->left) > 0) {
    if (next(c->queue, 100)) atomic_fetch_sub(c->left, 1);
  }
  return NULL;
}

static void several_consumers_and_callers_share_the_io(void) {
  enum { EVENTS = 3000, CONSUMERS = 3 };
  coord__loop *loop = acquire();
  coord_queue *queue = open_queue();
  atomic_int left = EVENTS;
  consumer c = {queue, &left};
  caller callers[2] = {{loop, 1, 0}, {loop, 2, 0}};
  pthread_t threads[CONSUMERS + 2];
  for (int i = 0; i < CONSUMERS; i++) {
    T_FATAL(pthread_create(&threads[i], NULL, consume, &c) == 0);
  }
  for (int i = 0; i < 2; i++) {
    T_FATAL(pthread_create(&threads[CONSUMERS + i], NULL, call_often, &callers[i]) == 0);
  }
  static delivery deliveries[EVENTS / 3];
  for (int i = 0; i < EVENTS / 3; i++) {
    deliveries[i] = (delivery){.job.run = deliver, .queue = queue, .count = 3};
    coord__loop_post(loop, &deliveries[i].job);
    if (i % 50 == 0) sleep_ms(1);
  }
  for (int i = 0; i < CONSUMERS + 2; i++) pthread_join(threads[i], NULL);
  T_INT(left, 0);
  coord_queue_free(queue);
  release(loop);
}

/* ---- fork, and threads that are cancelled ---- */

static void *lead_for_long(void *queue) {
  next(queue, 500);
  return NULL;
}

static void fork_while_another_thread_leads(void) {
  coord__loop *loop = acquire();
  coord_queue *queue = open_queue();
  for (int i = 0; i < 3; i++) {
    become_leader(loop, queue);
    pthread_t thread;
    T_FATAL(pthread_create(&thread, NULL, lead_for_long, queue) == 0);
    sleep_ms(5);
    pid_t child = fork();
    T_FATAL(child >= 0);
    if (child == 0) _exit(coord_queue_next(queue, -1) == NULL ? 0 : 1);
    int status = -1;
    T_TRUE(waitpid(child, &status, 0) == child);
    T_INT(status, 0);
    make_call(loop, 0);
    pthread_join(thread, NULL);
  }
  coord_queue_free(queue);
  release(loop);
}

static void cancelling_a_thread_that_leads_harms_nobody(void) {
  coord__loop *loop = acquire();
  coord_queue *queue = open_queue();
  become_leader(loop, queue);
  pthread_t thread;
  T_FATAL(pthread_create(&thread, NULL, call_slowly, &(slow){.loop = loop}) == 0);
  sleep_ms(5);
  pthread_cancel(thread);
  for (int i = 0; i < 20; i++) make_call(loop, COORD__NS_PER_MS);
  pthread_join(thread, NULL);
  coord_queue_free(queue);
  release(loop);
}

T_MAIN(T_CASE(thread_that_calls_again_and_again_serves_itself),
       T_CASE(io_thread_takes_over_when_nobody_comes_back),
       T_CASE(timer_fires_while_threads_come_and_go_without_waiting),
       T_CASE(leading_ends_at_its_time), T_CASE(calls_of_eight_threads_all_end),
       T_CASE(one_who_waits_longer_is_not_forgotten),
       T_CASE(events_reach_a_thread_that_does_the_io),
       T_CASE(leader_hears_of_an_event_from_elsewhere), T_CASE(leader_is_woken),
       T_CASE(leader_does_not_hold_up_the_end_of_the_engine),
       T_CASE(several_consumers_and_callers_share_the_io), T_CASE(fork_while_another_thread_leads),
       T_CASE(cancelling_a_thread_that_leads_harms_nobody))
