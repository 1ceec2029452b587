#include "base/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/event.h"
#include "base/fork.h"
#include "base/waiting.h"

enum { KEPT_EVENTS = 1024 };

/* Events that nobody has to read: only the newest are kept. */
typedef struct kept {
  coord__list events;
  size_t count;
} kept;

struct coord_queue {
  atomic_int refs;
  unsigned generation;
  pthread_mutex_t lock;
  pthread_cond_t come; /* an event has come, or somebody called wake */
  coord__list events;
  kept logs;
  kept states;
  size_t waiting;                    /* threads in coord__queue_next */
  bool is_missed;                    /* it counts among those who wait for the I/O */
  const coord__queue_leader *leader; /* of the thread among those that does the I/O, or NULL */
  uint64_t wakes;    /* calls of wake that nobody has used up yet, as a count of epochs */
  bool wake_pending; /* wake came while nobody waited */
  bool shut;
  bool fd_used; /* somebody polls the descriptor: only then it is kept up to date */
  bool fd_raised;
  int fd;
};

coord_code coord__queue_new(coord_queue **out, coord_error **err) {
  coord_queue *q = coord__calloc(1, sizeof *q);
  if (q == NULL) return coord__no_memory(err);
  q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (q->fd < 0) {
    coord_code code = errno == ENOMEM ? COORD_NO_MEMORY : COORD_EXHAUSTED;
    coord__fail(err, code, "no descriptor for a queue: %s", strerror(errno));
    coord__free(q);
    return code;
  }
  atomic_init(&q->refs, 1);
  q->generation = coord__fork_generation();
  pthread_mutex_init(&q->lock, NULL);
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&q->come, &attr);
  pthread_condattr_destroy(&attr);
  coord__list_init(&q->events);
  coord__list_init(&q->logs.events);
  coord__list_init(&q->states.events);
  *out = q;
  return COORD_OK;
}

bool coord__queue_forked(const coord_queue *q) { return q->generation != coord__fork_generation(); }

coord_queue *coord__queue_retain(coord_queue *q) {
  atomic_fetch_add_explicit(&q->refs, 1, memory_order_relaxed);
  return q;
}

static void free_events(coord__list *events) {
  for (coord__list *node; (node = coord__list_pop(events)) != NULL;) {
    coord_event_free(COORD__CONTAINER(node, coord_event, link));
  }
}

void coord__queue_release(coord_queue *q) {
  if (atomic_fetch_sub_explicit(&q->refs, 1, memory_order_acq_rel) > 1) return;
  free_events(&q->events);
  close(q->fd);
  if (!coord__queue_forked(q)) {
    /* In a forked child a thread that is no more may "hold" these. */
    pthread_cond_destroy(&q->come);
    pthread_mutex_destroy(&q->lock);
  }
  coord__free(q);
}

/* The descriptor is readable exactly while events wait. Lock held. */
static void update_fd(coord_queue *q) {
  if (!q->fd_used) return;
  bool raise = !coord__list_empty(&q->events);
  if (raise == q->fd_raised) return;
  uint64_t one = 1;
  ssize_t n = raise ? write(q->fd, &one, sizeof one) : read(q->fd, &one, sizeof one);
  if (n == (ssize_t)sizeof one) q->fd_raised = raise;
}

/* Threads sleep here, and there is nothing for them. Lock held. */
static bool misses_events(const coord_queue *q) {
  return q->waiting > (q->leader != NULL ? 1 : 0) && coord__list_empty(&q->events);
}

/* Lock held. */
static void update_missed(coord_queue *q) {
  bool missed = misses_events(q);
  if (missed == q->is_missed) return;
  q->is_missed = missed;
  if (missed) {
    coord__waiting_begin();
  } else {
    coord__waiting_end();
  }
}

/* After events were taken. Lock held. */
static void settle(coord_queue *q) {
  update_fd(q);
  update_missed(q);
}

/* Events have come. Lock held. */
static void note_served(coord_queue *q) {
  if (!q->is_missed) return;
  q->is_missed = false;
  coord__waiting_served();
}

/* Lock held. */
static void nudge_leader(coord_queue *q) {
  if (q->leader != NULL) q->leader->nudge(q->leader->self);
}

/* NULL: all of this type are kept. */
static kept *kept_of(coord_queue *q, const coord_event *event) {
  if (event->type == COORD_EVENT_LOG) return &q->logs;
  return event->type == COORD_EVENT_STATE ? &q->states : NULL;
}

static void note_taken(coord_queue *q, coord_event *event) {
  if (!coord__list_linked(&event->kept_link)) return;
  coord__list_remove(&event->kept_link);
  coord__sender *sender = event->sender;
  if (sender == NULL) {
    kept_of(q, event)->count--;
    return;
  }
  sender->bytes -= event->bytes;
  if (sender->bytes >= sender->low) return;
  sender->low = 0;
  sender->drained(sender);
}

/* Lock held. */
static void note_come(coord_queue *q, coord_event *event) {
  kept *k = kept_of(q, event);
  if (k != NULL) {
    coord__list_append(&k->events, &event->kept_link);
    k->count++;
  } else if (event->sender != NULL) {
    coord__list_append(&event->sender->waiting, &event->kept_link);
    event->sender->bytes += event->bytes;
  }
}

/* Those that are too many are moved to `cut`. Lock held. */
static void bound(coord_queue *q, kept *k, coord__list *cut) {
  while (k->count > KEPT_EVENTS) {
    coord_event *oldest = COORD__CONTAINER(k->events.next, coord_event, kept_link);
    note_taken(q, oldest);
    coord__list_remove(&oldest->link);
    coord__list_append(cut, &oldest->link);
  }
}

void coord__queue_push(coord_queue *q, coord__list *events) {
  coord__list cut;
  coord__list_init(&cut);
  bool wake_one = false;
  bool wake_all = false;
  pthread_mutex_lock(&q->lock);
  if (q->shut) {
    coord__list_splice(&cut, events);
  } else {
    size_t n = 0;
    for (coord__list *node; (node = coord__list_pop(events)) != NULL;) {
      coord_event *event = COORD__CONTAINER(node, coord_event, link);
      if (event->sender != NULL && event->sender->muted) {
        coord__list_append(&cut, node);
        continue;
      }
      note_come(q, event);
      coord__list_append(&q->events, node);
      n++;
    }
    bound(q, &q->logs, &cut);
    bound(q, &q->states, &cut);
    update_fd(q);
    note_served(q);
    nudge_leader(q);
    size_t asleep = q->waiting - (q->leader != NULL ? 1 : 0);
    wake_all = n > 1 && asleep > 1;
    wake_one = asleep > 0;
  }
  pthread_mutex_unlock(&q->lock);
  /* The caller holds the queue; those who wake do not have to wait for the lock. */
  if (wake_all) {
    pthread_cond_broadcast(&q->come);
  } else if (wake_one) {
    pthread_cond_signal(&q->come);
  }
  free_events(&cut);
}

bool coord__queue_withdraw(coord_queue *q, coord_event *event) {
  pthread_mutex_lock(&q->lock);
  bool waits = coord__list_linked(&event->link);
  coord__list_remove(&event->link);
  settle(q);
  pthread_mutex_unlock(&q->lock);
  return waits;
}

bool coord__queue_is_full(coord_queue *q, coord__sender *sender, size_t limit) {
  pthread_mutex_lock(&q->lock);
  bool full = q->shut || sender->bytes >= limit;
  if (full && !q->shut) sender->low = (limit + 1) / 2;
  pthread_mutex_unlock(&q->lock);
  return full;
}

void coord__queue_mute(coord_queue *q, coord__sender *sender) {
  coord__list discarded;
  coord__list_init(&discarded);
  pthread_mutex_lock(&q->lock);
  sender->muted = true;
  sender->low = 0;
  while (!coord__list_empty(&sender->waiting)) {
    coord_event *event = COORD__CONTAINER(sender->waiting.next, coord_event, kept_link);
    note_taken(q, event);
    coord__list_remove(&event->link);
    coord__list_append(&discarded, &event->link);
  }
  settle(q);
  pthread_mutex_unlock(&q->lock);
  free_events(&discarded);
}

int coord__queue_fd(coord_queue *q) {
  pthread_mutex_lock(&q->lock);
  q->fd_used = true;
  update_fd(q);
  pthread_mutex_unlock(&q->lock);
  return q->fd;
}

/* Lock held. */
static coord_event *take(coord_queue *q) {
  coord__list *node = coord__list_pop(&q->events);
  if (node == NULL) return NULL;
  coord_event *event = COORD__CONTAINER(node, coord_event, link);
  note_taken(q, event);
  return event;
}

static bool wait_until(coord_queue *q, int64_t deadline_ns) {
  if (deadline_ns < 0) return pthread_cond_wait(&q->come, &q->lock) == 0;
  struct timespec at = {.tv_sec = deadline_ns / 1000000000, .tv_nsec = deadline_ns % 1000000000};
  return pthread_cond_timedwait(&q->come, &q->lock, &at) == 0;
}

/* A thread in coord__queue_next. */
typedef struct wait {
  coord_queue *q;
  uint64_t epoch;
  int64_t deadline_ns; /* -1: none */
} wait;

/* Lock held. */
static bool is_over(const wait *w) {
  return !coord__list_empty(&w->q->events) || w->q->shut || w->epoch != w->q->wakes;
}

static bool ask_over(void *arg) {
  const wait *w = arg;
  pthread_mutex_lock(&w->q->lock);
  bool over = is_over(w);
  pthread_mutex_unlock(&w->q->lock);
  return over;
}

/* True if the thread has tried to do the I/O: the lock, which is held, was left meanwhile. */
static bool lead(wait *w, const coord__queue_leader *leader) {
  coord_queue *q = w->q;
  if (leader == NULL || q->leader != NULL || !leader->is_free(leader->self)) return false;
  q->leader = leader;
  pthread_mutex_unlock(&q->lock);
  int64_t until_ns = w->deadline_ns < 0 ? INT64_MAX : w->deadline_ns;
  leader->lead(leader->self, until_ns, ask_over, w);
  pthread_mutex_lock(&q->lock);
  q->leader = NULL;
  return true;
}

/* Lock held. */
static coord_event *wait_for_event(wait *w, const coord__queue_leader *leader) {
  coord_queue *q = w->q;
  coord_event *event;
  q->waiting++;
  while ((event = take(q)) == NULL && !is_over(w)) {
    if (lead(w, leader)) {
      if (w->deadline_ns < 0 || coord__clock_ns() < w->deadline_ns) continue;
      event = take(q);
      break;
    }
    update_missed(q);
    /* Whoever left the place just now has not seen this thread wait. */
    if (leader != NULL && q->leader == NULL && leader->is_free(leader->self)) continue;
    if (!wait_until(q, w->deadline_ns)) {
      event = take(q);
      break;
    }
  }
  q->waiting--;
  return event;
}

coord_event *coord__queue_next(coord_queue *q, int32_t timeout_ms,
                               const coord__queue_leader *leader) {
  wait w = {.q = q, .deadline_ns = -1};
  if (timeout_ms > 0) w.deadline_ns = coord__clock_ns() + timeout_ms * COORD__NS_PER_MS;
  coord__queue_retain(q);
  pthread_mutex_lock(&q->lock);
  coord_event *event = take(q);
  if (event == NULL && timeout_ms != 0 && q->wake_pending) {
    q->wake_pending = false;
  } else if (event == NULL && timeout_ms != 0) {
    w.epoch = q->wakes;
    event = wait_for_event(&w, leader);
  }
  settle(q);
  pthread_mutex_unlock(&q->lock);
  coord__queue_release(q);
  return event;
}

size_t coord__queue_drain(coord_queue *q, coord_event **out, size_t max) {
  size_t n = 0;
  pthread_mutex_lock(&q->lock);
  while (n < max && (out[n] = take(q)) != NULL) n++;
  settle(q);
  pthread_mutex_unlock(&q->lock);
  return n;
}

void coord__queue_wake(coord_queue *q) {
  pthread_mutex_lock(&q->lock);
  if (q->waiting > 0) {
    q->wakes++;
    pthread_cond_broadcast(&q->come);
    nudge_leader(q);
  } else {
    q->wake_pending = true;
  }
  pthread_mutex_unlock(&q->lock);
}

void coord__queue_shut(coord_queue *q) {
  coord__list discarded;
  coord__list_init(&discarded);
  pthread_mutex_lock(&q->lock);
  q->shut = true;
  for (coord__list *node = q->events.next; node != &q->events; node = node->next) {
    coord_event *event = COORD__CONTAINER(node, coord_event, link);
    if (event->sender == NULL) continue;
    event->sender->low = 0;
    note_taken(q, event);
  }
  coord__list_splice(&discarded, &q->events);
  coord__list_init(&q->logs.events);
  coord__list_init(&q->states.events);
  q->logs.count = q->states.count = 0;
  pthread_cond_broadcast(&q->come);
  nudge_leader(q);
  pthread_mutex_unlock(&q->lock);
  free_events(&discarded);
}
