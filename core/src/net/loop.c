#include "net/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/waiting.h"
#include "net/dial.h"

enum { SCRATCH_BYTES = 256 * 1024, STACK_BYTES = 1024 * 1024, MAX_READY = 64, JOBS_AT_ONCE = 256 };

static const int64_t NAP_NS = 500 * COORD__NS_PER_MS;
/* How long the I/O thread leaves its place to threads that come and go, before it looks after it; and
 * how long it stays when nobody had come. */
static const int64_t ASIDE_NS = COORD__NS_PER_MS;
static const int64_t ASIDE_MAX_NS = 4 * COORD__NS_PER_MS; /* while they keep coming */
static const int64_t STAY_NS = 20 * COORD__NS_PER_MS;
/* How long timers wait for what has come already, and is more than fits into one round. */
static const int64_t HOLD_NS = 100 * COORD__NS_PER_MS;

/* The place at epoll_wait, and so who looks for jobs. */
enum {
  AWAKE,    /* somebody has it and runs a round: looks for jobs before that ends */
  SLEEPING, /* somebody has it and is in epoll_wait, or looks for jobs before that */
  FREE      /* nobody; the I/O thread will look soon, a thread that waits may take it */
};

struct coord__loop {
  atomic_int refs; /* once 0 it stays 0 */
  atomic_int held; /* acquired and not left */
  bool stopping;
  int epoll_fd;
  int wake_fd;
  coord__io wake_io;
  atomic_int place;
  atomic_bool nudged;     /* whoever leads should ask once more whether it is over */
  int64_t sleep_until_ns; /* while it is SLEEPING */
  unsigned long long jobs_run;
  unsigned long long jobs_seen; /* jobs_run when somebody went to sleep last */
  unsigned
      removals; /* descriptors that were given up: what epoll_wait had collected may be stale */
  _Atomic(coord__job *) jobs; /* newest first */
  coord__job stop_job;
  coord__heap timers;
  coord__heap alarms;
  int64_t boot_ahead_ns; /* of the clock of alarms, when last looked at */
  coord__list idle;
  coord__list fds;
  int64_t now_ns;
  int64_t held_ns;       /* since then timers wait; 0: they do not */
  pthread_mutex_t round; /* held by whoever has the place, except while it sleeps */
  /* The I/O thread while others have its place; all under `round`. */
  pthread_cond_t back; /* it should look after its place */
  bool called;         /* and take it, if it is free */
  bool is_off;         /* it sleeps until it is told, not only for ASIDE_NS */
  unsigned leads;      /* how often another thread has done the I/O */
  int64_t stay_until_ns;
  unsigned served_seen; /* threads served when the I/O thread slept last */
  struct epoll_event ready[MAX_READY];
  int ready_count;
  uint8_t *scratch;
  void *shared;
  void (*destroy_shared)(void *);
};

static pthread_mutex_t engine_lock = PTHREAD_MUTEX_INITIALIZER;
static coord__loop *engine;
/* Held while the last holder of an engine tells it to stop. Taken after a round, never before. */
static pthread_mutex_t stop_lock = PTHREAD_MUTEX_INITIALIZER;
/* In a forked child: what the parent's engine was. Kept reachable, never used. */
static coord__loop *orphan;

/* Threads that have ended are joined: by the next one that ends, the last one when the library is
 * unloaded or the program exits. */
static atomic_int ending; /* engines that nobody holds, whose thread still runs */
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static pthread_t last_thread;
static bool has_last_thread;

/* ---- jobs ---- */

void coord__loop_push(coord__loop *loop, coord__job *job) {
  coord__job *head = atomic_load_explicit(&loop->jobs, memory_order_relaxed);
  do {
    job->next = head;
  } while (!atomic_compare_exchange_weak(&loop->jobs, &head, job));
}

static void wake(coord__loop *loop) {
  uint64_t one = 1;
  while (write(loop->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

static void wake_sleeper(coord__loop *loop) {
  int sleeping = SLEEPING;
  if (atomic_load(&loop->place) != SLEEPING) return;
  if (atomic_compare_exchange_strong(&loop->place, &sleeping, AWAKE)) wake(loop);
}

static void push_and_wake(coord__loop *loop, coord__job *job) {
  coord__loop_push(loop, job);
  wake_sleeper(loop);
}

void coord__loop_nudge(coord__loop *loop) {
  atomic_store(&loop->nudged, true);
  wake_sleeper(loop);
}

void coord__loop_post(coord__loop *loop, coord__job *job) {
  coord__loop_retain(loop);
  push_and_wake(loop, job);
  coord__loop_release(loop);
}

static size_t run_jobs_once(coord__loop *loop) {
  size_t count = 0;
  coord__job *newest = atomic_exchange(&loop->jobs, NULL);
  coord__job *oldest = NULL;
  while (newest != NULL) {
    coord__job *next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != NULL) {
    coord__job *next = oldest->next;
    oldest->run(oldest);
    oldest = next;
    count++;
  }
  loop->jobs_run += count;
  return count;
}

/* A thread that starts many calls is still at it when the first one is run: what comes in the
 * meantime goes out with it, in one write. Bounded, for the sake of everything else. */
static void run_jobs(coord__loop *loop) {
  size_t count = 0;
  while (atomic_load_explicit(&loop->jobs, memory_order_relaxed) != NULL && count < JOBS_AT_ONCE) {
    count += run_jobs_once(loop);
  }
}

/* Edge-triggered: each write wakes once, and nobody has to read. */
static void on_wake(coord__io *io, uint32_t events) {
  (void)io;
  (void)events;
}

static void run_stop(coord__job *job) {
  coord__loop *loop = COORD__CONTAINER(job, coord__loop, stop_job);
  loop->stopping = true;
  pthread_cond_signal(&loop->back);
}

/* ---- descriptors, timers, idle work ---- */

bool coord__io_set(coord__loop *loop, coord__io *io, uint32_t events) {
  if (events == io->events) return true;
  struct epoll_event ev = {.events = events, .data.ptr = io};
  int how = EPOLL_CTL_MOD;
  if (io->events == 0) how = EPOLL_CTL_ADD;
  if (events == 0) {
    how = EPOLL_CTL_DEL;
    loop->removals++;
    /* What this round has collected for it must not be reported any more. */
    for (int i = 0; i < loop->ready_count; i++) {
      if (loop->ready[i].data.ptr == io) loop->ready[i].data.ptr = NULL;
    }
  }
  if (epoll_ctl(loop->epoll_fd, how, io->fd, &ev) != 0 && events != 0) return false;
  io->events = events;
  return true;
}

void coord__timer_set(coord__loop *loop, coord__timer *timer, int64_t at_ns) {
  coord__heap_set(&loop->timers, &timer->node, at_ns);
}

void coord__timer_stop(coord__loop *loop, coord__timer *timer) {
  coord__heap_remove(&loop->timers, &timer->node);
}

void coord__alarm_set(coord__loop *loop, coord__timer *timer, int64_t at_boot_ns) {
  if (loop->alarms.top == NULL) loop->boot_ahead_ns = coord__clock_boot_ns() - coord__clock_ns();
  coord__heap_set(&loop->alarms, &timer->node, at_boot_ns);
}

void coord__alarm_stop(coord__loop *loop, coord__timer *timer) {
  coord__heap_remove(&loop->alarms, &timer->node);
}

void coord__loop_defer(coord__loop *loop, coord__idle *idle) {
  if (!coord__list_linked(&idle->link)) coord__list_append(&loop->idle, &idle->link);
}

void coord__loop_defer_first(coord__loop *loop, coord__idle *idle) {
  if (!coord__list_linked(&idle->link)) coord__list_prepend(&loop->idle, &idle->link);
}

void coord__idle_cancel(coord__idle *idle) { coord__list_remove(&idle->link); }

int64_t coord__loop_now_ns(const coord__loop *loop) { return loop->now_ns; }

uint8_t *coord__loop_scratch(coord__loop *loop, size_t *size) {
  *size = SCRATCH_BYTES;
  return loop->scratch;
}

void *coord__loop_get_shared(coord__loop *loop) { return loop->shared; }

void coord__loop_set_shared(coord__loop *loop, void *shared, void (*destroy)(void *shared)) {
  loop->shared = shared;
  loop->destroy_shared = destroy;
}

void coord__loop_own_fd(coord__loop *loop, coord__fd_entry *entry, int fd) {
  entry->fd = fd;
  coord__list_append(&loop->fds, &entry->link);
}

void coord__loop_disown_fd(coord__fd_entry *entry) { coord__list_remove(&entry->link); }

/* ---- the round ---- */

static void fire(coord__heap *heap, int64_t until_ns) {
  for (coord__heap_node *top; (top = heap->top) != NULL;) {
    if (top->key > until_ns) break;
    coord__heap_remove(heap, top);
    coord__timer *timer = COORD__CONTAINER(top, coord__timer, node);
    timer->fire(timer);
  }
}

/* A round begins. */
static void begin_round(coord__loop *loop) {
  loop->now_ns = coord__clock_ns();
  if (loop->alarms.top == NULL) return;
  int64_t boot_ns = coord__clock_boot_ns();
  loop->boot_ahead_ns = boot_ns - loop->now_ns;
  fire(&loop->alarms, boot_ns);
}

/* What is deferred now; what that defers comes after the jobs that have come in the meantime. */
static void run_idle(coord__loop *loop) {
  coord__list now;
  coord__list_init(&now);
  coord__list_splice(&now, &loop->idle);
  for (coord__list *node; (node = coord__list_pop(&now)) != NULL;) {
    coord__idle *idle = COORD__CONTAINER(node, coord__idle, link);
    idle->run(idle);
  }
}

/* Jobs, and what they defer, until there is nothing left to do without waiting. */
static void run_work(coord__loop *loop) {
  do {
    run_jobs(loop);
    run_idle(loop);
  } while (!coord__list_empty(&loop->idle));
}

static int64_t next_timer_ns(const coord__loop *loop) {
  coord__heap_node *top = loop->timers.top;
  coord__heap_node *alarm = loop->alarms.top;
  int64_t at_ns = top != NULL ? top->key : INT64_MAX;
  if (alarm == NULL || alarm->key - loop->boot_ahead_ns >= at_ns) return at_ns;
  return alarm->key - loop->boot_ahead_ns;
}

/* Until the next timer. While calls keep coming only for a while: a call that is started from its own
 * thread has a deadline further off than that, and so need not wake the sleeper because of it. */
static int plan_sleep(coord__loop *loop, int64_t until_ns) {
  int64_t now = coord__clock_ns();
  loop->sleep_until_ns = next_timer_ns(loop);
  if (loop->sleep_until_ns > until_ns) loop->sleep_until_ns = until_ns;
  bool busy = loop->jobs_run != loop->jobs_seen;
  loop->jobs_seen = loop->jobs_run;
  if (busy && loop->sleep_until_ns > now + NAP_NS) loop->sleep_until_ns = now + NAP_NS;
  if (loop->sleep_until_ns == INT64_MAX) return -1;
  int64_t left = loop->sleep_until_ns - now;
  if (left <= 0) return 0;
  int64_t ms = (left + COORD__NS_PER_MS - 1) / COORD__NS_PER_MS;
  return ms > 3600000 ? 3600000 : (int)ms;
}

static void wait_ready(coord__loop *loop, int64_t until_ns) {
  int timeout = plan_sleep(loop, until_ns);
  unsigned removals = loop->removals;
  atomic_store(&loop->place, SLEEPING);
  pthread_mutex_unlock(&loop->round);
  /* After the unlock: whoever found the round taken relies on this look. */
  if (atomic_load(&loop->jobs) != NULL || atomic_load(&loop->nudged)) timeout = 0;
  int count = epoll_wait(loop->epoll_fd, loop->ready, MAX_READY, timeout);
  pthread_mutex_lock(&loop->round);
  atomic_store(&loop->place, AWAKE);
  /* Stale reports are dropped; what is still true is reported again. */
  loop->ready_count = removals == loop->removals ? count : 0;
  begin_round(loop);
}

static void run_ready(coord__loop *loop) {
  for (int i = 0; i < loop->ready_count; i++) {
    coord__io *io = loop->ready[i].data.ptr;
    if (io != NULL) io->ready(io, loop->ready[i].events);
  }
  loop->ready_count = 0;
}

/* While descriptors by the hundred are ready, answers may wait behind those of this round: whether they
 * are late is not to be asked before they were read. */
static bool holds_timers(coord__loop *loop, bool more) {
  if (more && loop->held_ns == 0) loop->held_ns = loop->now_ns;
  if (more && loop->now_ns - loop->held_ns < HOLD_NS) return true;
  loop->held_ns = 0;
  return false;
}

/* Sleep until there is something to do or the time has come, and do it. */
static void wait_and_run(coord__loop *loop, int64_t until_ns) {
  wait_ready(loop, until_ns);
  bool more = loop->ready_count == MAX_READY;
  run_ready(loop);
  if (!holds_timers(loop, more)) fire(&loop->timers, loop->now_ns);
}

void coord__loop_kick(coord__loop *loop) {
  while (atomic_load(&loop->jobs) != NULL) {
    /* Awake, the one who has the place looks for jobs before that changes; and so does, below,
     * whoever stands in for it. */
    if (atomic_load(&loop->place) == AWAKE) return;
    if (pthread_mutex_trylock(&loop->round) != 0) return;
    begin_round(loop);
    run_work(loop);
    bool must_wake = loop->stopping || next_timer_ns(loop) < loop->sleep_until_ns;
    pthread_mutex_unlock(&loop->round);
    if (must_wake) wake_sleeper(loop);
  }
}

/* ---- the place at epoll_wait ---- */

/*
 * A thread that waits for an answer does the I/O itself while it waits, when it finds the place free:
 * the answer then needs no way from one thread to another. The I/O thread offers its place after it
 * has served all who waited, and looks after it once in ASIDE_NS while others come and go.
 */

bool coord__loop_is_free(const coord__loop *loop) {
  return atomic_load(&loop->place) == FREE && atomic_load(&loop->held) > 0;
}

/* Round held. Leave the place, to the I/O thread if somebody waits for what comes next. */
static void leave_place(coord__loop *loop) {
  atomic_store(&loop->place, FREE);
  bool call = coord__waiting_now() > 0 || atomic_load(&loop->held) == 0;
  loop->called |= call;
  if (call || loop->is_off) {
    loop->is_off = false;
    pthread_cond_signal(&loop->back);
  }
}

bool coord__loop_lead(coord__loop *loop, int64_t until_ns, bool (*over)(void *arg), void *arg) {
  if (!coord__loop_is_free(loop)) return false;
  /* epoll_wait would be a place to die, with all that others wait for. */
  int cancel_state;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
  pthread_mutex_lock(&loop->round);
  bool leads = coord__loop_is_free(loop) && !loop->stopping;
  if (leads) {
    bool has_looked = false;
    atomic_store(&loop->place, AWAKE);
    begin_round(loop);
    for (;;) {
      run_work(loop);
      atomic_store(&loop->nudged, false);
      if (over(arg) || loop->now_ns >= until_ns || atomic_load(&loop->held) == 0) break;
      wait_and_run(loop, until_ns);
      has_looked = true;
    }
    /* One that ends before it has looked at descriptors and timers does not count as one. */
    if (has_looked) loop->leads++;
    leave_place(loop);
  }
  pthread_mutex_unlock(&loop->round);
  /* Of those who pushed while this thread was awake, or found the round taken. */
  coord__loop_kick(loop);
  pthread_setcancelstate(cancel_state, NULL);
  return leads;
}

/* Nobody is left without an answer, and somebody got one who may come again. */
static bool may_step_aside(coord__loop *loop) {
  unsigned served = coord__waiting_served_count();
  bool has_served = served != loop->served_seen;
  loop->served_seen = served;
  return has_served && coord__waiting_now() == 0 && loop->now_ns >= loop->stay_until_ns;
}

static void wait_aside(coord__loop *loop, int64_t aside_ns) {
  if (loop->is_off) {
    pthread_cond_wait(&loop->back, &loop->round);
    return;
  }
  int64_t at_ns = coord__clock_ns() + aside_ns;
  struct timespec at = {.tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000};
  pthread_cond_timedwait(&loop->back, &loop->round, &at);
}

/* I/O thread, round held: offer the place, and return with it. */
static void step_aside(coord__loop *loop) {
  atomic_store(&loop->place, FREE);
  loop->called = loop->is_off = false;
  /* Those who pushed before that, or have begun to wait, rely on this look. */
  bool is_back = atomic_load(&loop->jobs) != NULL || coord__waiting_now() > 0;
  unsigned leads = loop->leads;
  int64_t aside_ns = ASIDE_NS;
  while (!loop->stopping && !is_back) {
    wait_aside(loop, aside_ns);
    bool is_free = atomic_load(&loop->place) == FREE;
    bool has_changed = leads != loop->leads;
    leads = loop->leads;
    if (has_changed && aside_ns < ASIDE_MAX_NS) aside_ns *= 2;
    is_back = is_free && (loop->called || !has_changed);
    if (is_back && !loop->called) loop->stay_until_ns = coord__clock_ns() + STAY_NS;
    loop->is_off = !is_free && !has_changed;
    loop->called = false;
  }
  loop->is_off = false;
  atomic_store(&loop->place, AWAKE);
  loop->now_ns = coord__clock_ns();
}

static void free_loop(coord__loop *loop) {
  if (loop->destroy_shared != NULL) loop->destroy_shared(loop->shared);
  if (loop->wake_fd >= 0) close(loop->wake_fd);
  if (loop->epoll_fd >= 0) close(loop->epoll_fd);
  pthread_cond_destroy(&loop->back);
  pthread_mutex_destroy(&loop->round);
  coord__free(loop->scratch);
  coord__free(loop);
}

static void end_thread(coord__loop *loop) {
  pthread_mutex_lock(&engine_lock);
  if (engine == loop) engine = NULL;
  pthread_mutex_unlock(&engine_lock);
  pthread_mutex_lock(&stop_lock); /* the one who stopped it has let go */
  pthread_mutex_unlock(&stop_lock);
  free_loop(loop);
  pthread_mutex_lock(&engine_lock);
  bool had_before = has_last_thread;
  pthread_t before = last_thread;
  last_thread = pthread_self();
  has_last_thread = true;
  atomic_fetch_sub(&ending, 1);
  pthread_cond_broadcast(&ended);
  pthread_mutex_unlock(&engine_lock);
  if (had_before) pthread_join(before, NULL);
}

static void *thread_main(void *arg) {
  coord__loop *loop = arg;
  pthread_setname_np(pthread_self(), "coord-io");
  pthread_mutex_lock(&loop->round);
  for (;;) {
    run_work(loop);
    atomic_store(&loop->nudged, false);
    if (loop->stopping) break;
    if (may_step_aside(loop)) {
      step_aside(loop);
    } else {
      wait_and_run(loop, INT64_MAX);
    }
  }
  pthread_mutex_unlock(&loop->round);
  end_thread(loop);
  return NULL;
}

/* ---- fork ---- */

static void before_fork(void) {
  pthread_mutex_lock(&engine_lock);
  if (engine != NULL) pthread_mutex_lock(&engine->round);
  pthread_mutex_lock(&stop_lock);
}

static void after_fork_in_parent(void) {
  pthread_mutex_unlock(&stop_lock);
  if (engine != NULL) {
    pthread_mutex_unlock(&engine->round);
    /* Whoever found the round taken relies on its holder to look for jobs. */
    wake(engine);
  }
  pthread_mutex_unlock(&engine_lock);
}

static void after_fork_in_child(void) {
  pthread_mutex_unlock(&stop_lock);
  if (engine != NULL) {
    for (coord__list *n = engine->fds.next; n != &engine->fds; n = n->next) {
      close(COORD__CONTAINER(n, coord__fd_entry, link)->fd);
    }
    close(engine->wake_fd);
    close(engine->epoll_fd);
    pthread_mutex_unlock(&engine->round);
    orphan = engine;
    engine = NULL;
  }
  coord__waiting_forget();
  atomic_store(&ending, 0);
  has_last_thread = false;
  pthread_mutex_unlock(&engine_lock);
}

static const coord__fork_hooks fork_hooks = {before_fork, after_fork_in_parent,
                                             after_fork_in_child};

/* ---- start and stop ---- */

static coord__loop *new_loop(coord_error **err) {
  coord__loop *loop = coord__calloc(1, sizeof *loop);
  if (loop == NULL) {
    coord__no_memory(err);
    return NULL;
  }
  atomic_init(&loop->refs, 1);
  atomic_init(&loop->held, 0);
  loop->stop_job.run = run_stop;
  coord__list_init(&loop->idle);
  coord__list_init(&loop->fds);
  pthread_mutex_init(&loop->round, NULL);
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&loop->back, &attr);
  pthread_condattr_destroy(&attr);
  loop->now_ns = coord__clock_ns();
  loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  loop->scratch = coord__malloc(SCRATCH_BYTES);
  loop->wake_io = (coord__io){.fd = loop->wake_fd, .ready = on_wake};
  if (loop->wake_fd < 0 || loop->epoll_fd < 0 || loop->scratch == NULL ||
      !coord__io_set(loop, &loop->wake_io, EPOLLIN | EPOLLET)) {
    coord__fail(err, loop->scratch == NULL ? COORD_NO_MEMORY : COORD_EXHAUSTED,
                "the I/O engine cannot start: %s", strerror(errno));
    free_loop(loop);
    return NULL;
  }
  return loop;
}

static bool start_thread(coord__loop *loop, coord_error **err) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, STACK_BYTES);
  /* Signals, SIGPIPE among them, are for the program's own threads. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  pthread_t thread;
  int failed = pthread_create(&thread, &attr, thread_main, loop);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attr);
  if (failed == 0) return true;
  coord__fail(err, COORD_EXHAUSTED, "the I/O thread cannot start: %s", strerror(failed));
  return false;
}

/* No thread of ours may be running when the code goes away. One that a program still holds at its
 * exit is left alone. */
static void join_threads(void) {
  struct timespec patience;
  clock_gettime(CLOCK_REALTIME, &patience);
  patience.tv_sec += 2;
  pthread_mutex_lock(&engine_lock);
  while (atomic_load(&ending) > 0 || (engine != NULL && atomic_load(&engine->held) == 0)) {
    if (pthread_cond_timedwait(&ended, &engine_lock, &patience) != 0) break;
  }
  bool joinable = has_last_thread;
  pthread_t thread = last_thread;
  has_last_thread = false;
  pthread_mutex_unlock(&engine_lock);
  if (joinable) pthread_join(thread, NULL);
}

static void prepare_process(void) {
  coord__dial_prepare();
  /* After the libraries below have set up their own clean-up: ours then comes before theirs. */
  atexit(join_threads);
}

static bool retain_unless_ending(coord__loop *loop) {
  int refs = atomic_load(&loop->refs);
  while (refs > 0) {
    if (atomic_compare_exchange_weak(&loop->refs, &refs, refs + 1)) return true;
  }
  return false;
}

/* engine_lock held. */
static coord_code start_engine(coord_error **err) {
  coord_error *why = NULL;
  coord__loop *loop = new_loop(&why);
  if (loop != NULL && start_thread(loop, &why)) {
    engine = loop;
    return COORD_OK;
  }
  coord_code code = why != NULL ? why->code : COORD_NO_MEMORY;
  if (loop != NULL) free_loop(loop);
  if (err != NULL) {
    *err = why;
  } else {
    coord_error_free(why);
  }
  return code;
}

coord_code coord__loop_acquire(coord__loop **out, coord_error **err) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, prepare_process);
  coord__fork_watch(&fork_hooks);
  coord_code code = COORD_OK;
  pthread_mutex_lock(&engine_lock);
  if (engine == NULL || !retain_unless_ending(engine)) code = start_engine(err);
  if (code == COORD_OK) {
    atomic_fetch_add(&engine->held, 1);
    *out = engine;
  }
  pthread_mutex_unlock(&engine_lock);
  return code;
}

coord__loop *coord__loop_retain(coord__loop *loop) {
  atomic_fetch_add(&loop->refs, 1);
  return loop;
}

coord__loop *coord__loop_borrow(void) {
  pthread_mutex_lock(&engine_lock);
  coord__loop *loop = engine;
  if (loop != NULL && (atomic_load(&loop->held) == 0 || !retain_unless_ending(loop))) loop = NULL;
  pthread_mutex_unlock(&engine_lock);
  return loop;
}

void coord__loop_leave(coord__loop *loop) {
  /* Those who lead go, lest they hold up its end. */
  if (atomic_fetch_sub(&loop->held, 1) == 1) coord__loop_nudge(loop);
}

void coord__loop_release(coord__loop *loop) {
  int refs = atomic_load(&loop->refs);
  while (refs > 1) {
    if (atomic_compare_exchange_weak(&loop->refs, &refs, refs - 1)) return;
  }
  /* Perhaps the last one. */
  atomic_fetch_add(&ending, 1);
  pthread_mutex_lock(&stop_lock);
  if (atomic_fetch_sub(&loop->refs, 1) == 1) {
    push_and_wake(loop, &loop->stop_job);
  } else {
    atomic_fetch_sub(&ending, 1);
  }
  pthread_mutex_unlock(&stop_lock);
}
