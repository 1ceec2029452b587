/* base/queue and its public functions. */
#include "base/queue.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/event.h"
#include "support/t.h"

static atomic_int freed;

static void destroy(coord_event *event) {
  atomic_fetch_add(&freed, 1);
  free(event);
}

static coord_queue *open_queue(void) {
  coord_queue *q = NULL;
  coord_error *err = NULL;
  T_OK(coord_queue_open(&q, &err), err);
  T_FATAL(q != NULL);
  atomic_store(&freed, 0);
  return q;
}

static void add(coord__list *events, int32_t type, uint64_t tag) {
  coord_event *event = calloc(1, sizeof *event);
  if (event == NULL) abort();
  event->type = type;
  event->tag = tag;
  event->destroy = destroy;
  coord__list_append(events, &event->link);
}

/* n events with the tags first, first + 1, ... in one delivery. */
static void push(coord_queue *q, int32_t type, uint64_t first, int n) {
  coord__list events;
  coord__list_init(&events);
  for (int i = 0; i < n; i++) add(&events, type, first + (uint64_t)i);
  coord__queue_push(q, &events);
  T_TRUE(coord__list_empty(&events));
}

static bool expect(coord_queue *q, uint64_t tag) {
  coord_event *event = coord_queue_next(q, 0);
  T_FATAL(event != NULL);
  bool good = T_INT(coord_event_tag(event), tag);
  coord_event_free(event);
  return good;
}

static bool readable(int fd) {
  struct pollfd p = {fd, POLLIN, 0};
  return poll(&p, 1, 0) == 1;
}

static void null_arguments_are_harmless(void) {
  coord_error *err = NULL;
  coord_event *one;
  coord_queue *q = open_queue();
  T_ERROR(coord_queue_open(NULL, &err), COORD_INVALID, err, "out");
  T_INT(coord_queue_fd(NULL), -1);
  T_TRUE(coord_queue_next(NULL, -1) == NULL);
  T_INT(coord_queue_drain(NULL, &one, 1), 0);
  T_INT(coord_queue_drain(q, NULL, 1), 0);
  coord_queue_wake(NULL);
  coord_queue_free(NULL);
  coord_queue_free(q);
}

static void events_come_out_in_order(void) {
  coord_queue *q = open_queue();
  T_TRUE(coord_queue_next(q, 0) == NULL);
  push(q, COORD_EVENT_RESULT, 1, 1);
  push(q, COORD_EVENT_RESULT, 2, 3);
  for (uint64_t tag = 1; tag <= 4; tag++) expect(q, tag);
  T_TRUE(coord_queue_next(q, 0) == NULL);
  T_INT(freed, 4);
  coord_queue_free(q);
}

static void drain_takes_what_is_there_up_to_its_room(void) {
  coord_event *out[4];
  coord_queue *q = open_queue();
  T_INT(coord_queue_drain(q, out, 4), 0);
  push(q, COORD_EVENT_RESULT, 0, 6);
  T_INT(coord_queue_drain(q, out, 0), 0);
  T_INT(coord_queue_drain(q, out, 4), 4);
  for (uint64_t i = 0; i < 4; i++) {
    T_INT(coord_event_tag(out[i]), i);
    coord_event_free(out[i]);
  }
  T_INT(coord_queue_drain(q, out, 4), 2);
  for (int i = 0; i < 2; i++) coord_event_free(out[i]);
  coord_queue_free(q);
}

static void descriptor_is_level_triggered(void) {
  coord_event *out[8];
  coord_queue *q = open_queue();
  push(q, COORD_EVENT_RESULT, 0, 2);
  int fd = coord_queue_fd(q);
  T_TRUE(fd >= 0);
  T_INT(coord_queue_fd(q), fd);
  T_TRUE(readable(fd));
  T_TRUE(readable(fd));
  expect(q, 0);
  T_TRUE(readable(fd));
  expect(q, 1);
  T_TRUE(!readable(fd));
  push(q, COORD_EVENT_RESULT, 2, 3);
  push(q, COORD_EVENT_RESULT, 5, 1);
  T_TRUE(readable(fd));
  T_INT(coord_queue_drain(q, out, 3), 3);
  T_TRUE(readable(fd));
  T_INT(coord_queue_drain(q, out + 3, 5), 1);
  T_TRUE(!readable(fd));
  for (int i = 0; i < 4; i++) coord_event_free(out[i]);
  push(q, COORD_EVENT_RESULT, 9, 1);
  T_TRUE(readable(fd));
  coord_queue_free(q);
}

static void next_with_a_timeout_waits_about_that_long(void) {
  coord_queue *q = open_queue();
  int64_t start = t_now_ms();
  T_TRUE(coord_queue_next(q, 60) == NULL);
  T_TRUE(t_now_ms() - start >= 59);
  T_WITHIN(start, 1500);
  start = t_now_ms();
  T_TRUE(coord_queue_next(q, 0) == NULL);
  T_WITHIN(start, 500);
  push(q, COORD_EVENT_RESULT, 1, 1);
  start = t_now_ms();
  coord_event *event = coord_queue_next(q, 30000);
  T_TRUE(event != NULL && t_now_ms() - start < 5000);
  coord_event_free(event);
  coord_queue_free(q);
}

/* ---- several threads ---- */

typedef struct taker {
  coord_queue *q;
  int32_t timeout_ms;
  atomic_bool returned;
  coord_event *event;
} taker;

static void *take_one(void *arg) {
  taker *t = arg;
  t->event = coord_queue_next(t->q, t->timeout_ms);
  atomic_store(&t->returned, true);
  return NULL;
}

static void pause_ms(int ms) {
  nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

static void next_without_a_limit_waits_for_an_event(void) {
  coord_queue *q = open_queue();
  taker t = {.q = q, .timeout_ms = -1};
  pthread_t thread;
  T_FATAL(pthread_create(&thread, NULL, take_one, &t) == 0);
  pause_ms(30);
  T_TRUE(!t.returned);
  push(q, COORD_EVENT_RESULT, 5, 1);
  pthread_join(thread, NULL);
  T_INT(coord_event_tag(t.event), 5);
  coord_event_free(t.event);
  coord_queue_free(q);
}

static void wake_before_anybody_waits_ends_the_next_wait_once(void) {
  coord_queue *q = open_queue();
  coord_queue_wake(q);
  coord_queue_wake(q);
  T_TRUE(coord_queue_next(q, 0) == NULL);
  int64_t start = t_now_ms();
  T_TRUE(coord_queue_next(q, -1) == NULL);
  T_TRUE(t_now_ms() - start < 5000);
  start = t_now_ms();
  T_TRUE(coord_queue_next(q, 40) == NULL);
  T_TRUE(t_now_ms() - start >= 39);
  coord_queue_wake(q);
  push(q, COORD_EVENT_RESULT, 1, 1);
  expect(q, 1);
  T_TRUE(coord_queue_next(q, -1) == NULL);
  coord_queue_free(q);
}

static void wake_ends_all_who_wait(void) {
  enum { count = 4 };
  coord_queue *q = open_queue();
  taker takers[count];
  pthread_t threads[count];
  for (int i = 0; i < count; i++) {
    takers[i] = (taker){.q = q, .timeout_ms = -1};
    T_FATAL(pthread_create(&threads[i], NULL, take_one, &takers[i]) == 0);
  }
  /* Whoever is late finds either the wake that is pending or gets the next one. */
  for (int i = 0; i < count; i++) {
    while (!atomic_load(&takers[i].returned)) {
      coord_queue_wake(q);
      pause_ms(1);
    }
    pthread_join(threads[i], NULL);
    T_TRUE(takers[i].event == NULL);
  }
  coord_queue_free(q);
}

typedef struct consumer {
  coord_queue *q;
  atomic_int *seen; /* by tag */
  atomic_int *total;
  bool in_order;
} consumer;

static void *consume(void *arg) {
  consumer *c = arg;
  uint64_t last = 0;
  c->in_order = true;
  for (;;) {
    coord_event *event = coord_queue_next(c->q, -1);
    if (event == NULL) return NULL;
    uint64_t tag = coord_event_tag(event);
    if (tag < last) c->in_order = false;
    last = tag;
    atomic_fetch_add(&c->seen[tag], 1);
    atomic_fetch_add(c->total, 1);
    coord_event_free(event);
  }
}

static bool all_seen(void *total) { return atomic_load((atomic_int *)total) == 20000; }

static void each_event_goes_to_one_of_several_threads(void) {
  enum { threads_count = 6, events = 20000 };
  static atomic_int seen[events];
  atomic_int total = 0;
  coord_queue *q = open_queue();
  consumer consumers[threads_count];
  pthread_t threads[threads_count];
  for (int i = 0; i < threads_count; i++) {
    consumers[i] = (consumer){.q = q, .seen = seen, .total = &total};
    T_FATAL(pthread_create(&threads[i], NULL, consume, &consumers[i]) == 0);
  }
  for (int i = 0, n = 1; i < events; i += n) {
    n = 1 + i % 7;
    if (n > events - i) n = events - i;
    push(q, COORD_EVENT_RESULT, (uint64_t)i, n);
  }
  T_TRUE(t_wait_until(all_seen, &total, 20000));
  coord__queue_shut(q);
  for (int i = 0; i < threads_count; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < threads_count; i++) T_TRUE(consumers[i].in_order);
  for (int i = 0; i < events; i++) T_FATAL(seen[i] == 1);
  T_INT(freed, events);
  coord_queue_free(q);
}

/* ---- the end of a queue ---- */

static void freeing_discards_what_waits(void) {
  coord_queue *q = open_queue();
  push(q, COORD_EVENT_RESULT, 0, 10);
  push(q, COORD_EVENT_LOG, 0, 10);
  coord_queue_free(q);
  T_INT(freed, 20);
}

static void events_for_a_freed_queue_are_freed(void) {
  coord_queue *q = open_queue();
  coord__queue_retain(q);
  push(q, COORD_EVENT_RESULT, 0, 1);
  coord_queue_free(q);
  T_INT(freed, 1);
  push(q, COORD_EVENT_RESULT, 1, 5);
  push(q, COORD_EVENT_LOG, 1, 5);
  T_INT(freed, 11);
  coord__queue_release(q);
}

static void freeing_ends_all_who_wait(void) {
  coord_queue *q = open_queue();
  taker takers[3];
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) {
    takers[i] = (taker){.q = q, .timeout_ms = i == 0 ? 30000 : -1};
    T_FATAL(pthread_create(&threads[i], NULL, take_one, &takers[i]) == 0);
  }
  coord__queue_retain(q); /* until all have arrived */
  pause_ms(30);
  coord_queue_free(q);
  for (int i = 0; i < 3; i++) {
    pthread_join(threads[i], NULL);
    T_TRUE(takers[i].event == NULL);
  }
  coord__queue_release(q);
}

static void event_outlives_its_queue(void) {
  coord_queue *q = open_queue();
  push(q, COORD_EVENT_RESULT, 42, 1);
  coord_event *event = coord_queue_next(q, 0);
  coord_queue_free(q);
  T_INT(coord_event_tag(event), 42);
  T_INT(freed, 0);
  coord_event_free(event);
  T_INT(freed, 1);
}

static void only_the_newest_log_lines_are_kept(void) {
  coord_queue *q = open_queue();
  push(q, COORD_EVENT_RESULT, 100000, 1);
  push(q, COORD_EVENT_LOG, 0, 700);
  push(q, COORD_EVENT_RESULT, 100001, 1);
  push(q, COORD_EVENT_LOG, 700, 1500);
  push(q, COORD_EVENT_LOG, 2200, 1);
  T_INT(freed, 2201 - 1024);
  expect(q, 100000);
  expect(q, 100001);
  for (uint64_t tag = 2201 - 1024; tag <= 2200; tag++) T_FATAL(expect(q, tag));
  T_TRUE(coord_queue_next(q, 0) == NULL);
  push(q, COORD_EVENT_LOG, 5, 1024);
  for (uint64_t tag = 5; tag < 5 + 1024; tag++) T_FATAL(expect(q, tag));
  coord_queue_free(q);
}

static void only_the_newest_states_are_kept_beside_log_lines(void) {
  coord_queue *q = open_queue();
  push(q, COORD_EVENT_LOG, 0, 1024);
  push(q, COORD_EVENT_STATE, 2000, 1500);
  T_INT(freed, 1500 - 1024);
  for (uint64_t tag = 0; tag < 1024; tag++) T_FATAL(expect(q, tag));
  for (uint64_t tag = 3500 - 1024; tag < 3500; tag++) T_FATAL(expect(q, tag));
  T_TRUE(coord_queue_next(q, 0) == NULL);
  coord_queue_free(q);
}

static void other_events_are_not_bounded(void) {
  coord_queue *q = open_queue();
  push(q, COORD_EVENT_RESULT, 0, 5000);
  T_INT(freed, 0);
  for (uint64_t tag = 0; tag < 5000; tag++) T_FATAL(expect(q, tag));
  coord_queue_free(q);
}

static void event_is_withdrawn_until_somebody_has_taken_it(void) {
  coord_queue *q = open_queue();
  int fd = coord_queue_fd(q);
  coord__list events;
  coord__list_init(&events);
  add(&events, COORD_EVENT_LOST, 7);
  coord_event *event = COORD__CONTAINER(events.next, coord_event, link);
  coord__queue_push(q, &events);
  T_TRUE(readable(fd));
  T_TRUE(coord__queue_withdraw(q, event));
  T_TRUE(!readable(fd));
  T_TRUE(coord_queue_next(q, 0) == NULL);
  T_TRUE(!coord__queue_withdraw(q, event));
  coord__list_append(&events, &event->link);
  coord__queue_push(q, &events);
  T_TRUE(coord_queue_next(q, 0) == event);
  T_TRUE(!coord__queue_withdraw(q, event));
  T_INT(atomic_load(&freed), 0);
  coord_event_free(event);
  coord_queue_free(q);
}

static void without_memory_none_is_opened(void) {
  coord_queue *q = NULL;
  coord__alloc_fail_after(0);
  coord_code code = coord_queue_open(&q, NULL);
  coord__alloc_fail_after(-1);
  T_CODE(code, COORD_NO_MEMORY);
  T_TRUE(q == NULL);
}

/* ---- senders ---- */

typedef struct counted {
  coord__sender sender; /* first */
  int drained;
} counted;

static void on_drained(coord__sender *sender) { ((counted *)sender)->drained++; }

static void init_sender(counted *c) {
  *c = (counted){.sender.drained = on_drained};
  coord__list_init(&c->sender.waiting);
}

/* Events of 100 bytes each, with the tags first, first + 1, ... */
static void push_of(coord_queue *q, counted *c, uint64_t first, int n) {
  coord__list events;
  coord__list_init(&events);
  for (int i = 0; i < n; i++) {
    add(&events, COORD_EVENT_CHANGES, first + (uint64_t)i);
    coord_event *event = COORD__CONTAINER(events.prev, coord_event, link);
    event->sender = &c->sender;
    event->bytes = 100;
  }
  coord__queue_push(q, &events);
}

static void sender_is_told_once_when_half_is_taken(void) {
  coord_queue *q = open_queue();
  counted c;
  init_sender(&c);
  push_of(q, &c, 1, 3);
  T_TRUE(!coord__queue_is_full(q, &c.sender, 400));
  push_of(q, &c, 4, 1);
  push(q, COORD_EVENT_RESULT, 5, 1);
  T_TRUE(coord__queue_is_full(q, &c.sender, 400));
  for (uint64_t tag = 1; tag <= 5; tag++) {
    expect(q, tag);
    T_INT(c.drained, tag >= 3);
  }
  T_INT(c.sender.bytes, 0);
  push_of(q, &c, 6, 1);
  expect(q, 6);
  T_INT(c.drained, 1); /* it has not asked again */
  coord_queue_free(q);
}

static void muted_sender_is_not_heard_any_more(void) {
  coord_queue *q = open_queue();
  counted c, other;
  init_sender(&c);
  init_sender(&other);
  push_of(q, &c, 1, 2);
  push_of(q, &other, 3, 1);
  push_of(q, &c, 4, 1);
  T_TRUE(readable(coord_queue_fd(q)));
  coord__queue_mute(q, &c.sender);
  T_INT(atomic_load(&freed), 3);
  T_INT(c.sender.bytes, 0);
  push_of(q, &c, 5, 2);
  T_INT(atomic_load(&freed), 5);
  expect(q, 3);
  T_TRUE(coord_queue_next(q, 0) == NULL);
  T_TRUE(!readable(coord_queue_fd(q)));
  T_INT(c.drained, 0);
  coord_queue_free(q);
}

static void sender_with_a_queue_that_is_gone_waits_for_ever(void) {
  coord_queue *q = open_queue();
  counted c;
  init_sender(&c);
  coord__queue_retain(q);
  push_of(q, &c, 1, 2);
  T_TRUE(coord__queue_is_full(q, &c.sender, 200));
  coord_queue_free(q);
  T_INT(atomic_load(&freed), 2);
  T_INT(c.drained, 0);
  T_TRUE(coord__queue_is_full(q, &c.sender, 1000));
  push_of(q, &c, 3, 1);
  T_INT(atomic_load(&freed), 3);
  coord__queue_mute(q, &c.sender);
  coord__queue_release(q);
}

T_MAIN(T_CASE(null_arguments_are_harmless), T_CASE(events_come_out_in_order),
       T_CASE(drain_takes_what_is_there_up_to_its_room), T_CASE(descriptor_is_level_triggered),
       T_CASE(next_with_a_timeout_waits_about_that_long),
       T_CASE(next_without_a_limit_waits_for_an_event),
       T_CASE(wake_before_anybody_waits_ends_the_next_wait_once), T_CASE(wake_ends_all_who_wait),
       T_CASE(each_event_goes_to_one_of_several_threads), T_CASE(freeing_discards_what_waits),
       T_CASE(events_for_a_freed_queue_are_freed), T_CASE(freeing_ends_all_who_wait),
       T_CASE(event_outlives_its_queue), T_CASE(only_the_newest_log_lines_are_kept),
       T_CASE(only_the_newest_states_are_kept_beside_log_lines),
       T_CASE(other_events_are_not_bounded), T_CASE(event_is_withdrawn_until_somebody_has_taken_it),
       T_CASE(sender_is_told_once_when_half_is_taken), T_CASE(muted_sender_is_not_heard_any_more),
       T_CASE(sender_with_a_queue_that_is_gone_waits_for_ever),
       T_CASE(without_memory_none_is_opened))
