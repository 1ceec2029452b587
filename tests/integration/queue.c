/* Queues: the descriptor, waiting, waking, draining, freeing. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/etcd.h"
#include "support/peer.h"

static coord_queue *open_queue(void) {
  coord_queue *queue = NULL;
  coord_error *err = NULL;
  T_OK(coord_queue_open(&queue, &err), err);
  T_FATAL(queue != NULL);
  return queue;
}

/* Starts n reads; their events carry the tags first, first+1, ... */
static void start_reads(coord_client *client, coord_queue *queue, uint64_t first, uint64_t n) {
  coord_op *op = coord_op_get("absent", 6);
  for (uint64_t i = 0; i < n; i++) {
    T_CODE(coord_submit(client, op, 0, queue, first + i, NULL, NULL), COORD_OK);
  }
  coord_op_free(op);
}

static bool is_readable(int fd, int timeout_ms) {
  struct pollfd p = {fd, POLLIN, 0};
  return poll(&p, 1, timeout_ms) == 1 && (p.revents & POLLIN);
}

/* --- Arguments ------------------------------------------------------------------------------------ */

static void missing_arguments_are_harmless(void) {
  coord_error *err = NULL;
  coord_event *events[1];
  T_ERROR(coord_queue_open(NULL, &err), COORD_INVALID, err, "out");
  T_INT(coord_queue_fd(NULL), -1);
  T_TRUE(coord_queue_next(NULL, 0) == NULL);
  T_TRUE(coord_queue_next(NULL, -1) == NULL);
  T_INT(coord_queue_drain(NULL, events, 1), 0);
  coord_queue_wake(NULL);
  coord_queue_free(NULL);
  coord_queue *queue = open_queue();
  T_INT(coord_queue_drain(queue, NULL, 1), 0);
  T_INT(coord_queue_drain(queue, events, 0), 0);
  coord_queue_free(queue);
}

/* --- The descriptor --------------------------------------------------------------------------------- */

static void descriptor_is_readable_while_events_wait(void) {
  coord_client *client = t_client();
  coord_queue *queue = open_queue();
  int fd = coord_queue_fd(queue);
  T_TRUE(fd >= 0);
  T_INT(coord_queue_fd(queue), fd);
  T_TRUE(!is_readable(fd, 0));
  start_reads(client, queue, 0, 2);
  T_TRUE(is_readable(fd, 5000));
  T_TRUE(is_readable(fd, 0)); /* level-triggered: looking changes nothing */
  for (int i = 0; i < 2; i++) {
    T_TRUE(is_readable(fd, 5000));
    coord_event *event = coord_queue_next(queue, 5000);
    T_TRUE(event != NULL);
    coord_event_free(event);
  }
  T_TRUE(!is_readable(fd, 0));
  coord_queue_free(queue);
  coord_client_free(client);
}

static void descriptor_tells_of_events_that_came_before_it_was_asked_for(void) {
  coord_client *client = t_client();
  coord_queue *queue = open_queue();
  coord_error *err = NULL;
  start_reads(client, queue, 0, 3);
  T_OK(coord_client_close(client, 5000, &err), err);
  int fd = coord_queue_fd(queue);
  T_TRUE(is_readable(fd, 0));
  coord_event *events[8];
  T_INT(coord_queue_drain(queue, events, 8), 3);
  T_TRUE(!is_readable(fd, 0));
  for (int i = 0; i < 3; i++) coord_event_free(events[i]);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void loop_on_the_descriptor_gets_every_event(void) {
  coord_client *client = t_client();
  coord_queue *queue = open_queue();
  int fd = coord_queue_fd(queue);
  int got = 0;
  start_reads(client, queue, 0, 500);
  while (got < 500 && is_readable(fd, 5000)) {
    coord_event *events[7];
    size_t n = coord_queue_drain(queue, events, 7);
    for (size_t i = 0; i < n; i++) coord_event_free(events[i]);
    got += (int)n;
    if (got % 100 < 7) start_reads(client, queue, 0, 0);
  }
  T_INT(got, 500);
  T_TRUE(!is_readable(fd, 0));
  coord_queue_free(queue);
  coord_client_free(client);
}

/* --- Taking ----------------------------------------------------------------------------------------- */

static void next_waits_as_long_as_it_is_told(void) {
  coord_queue *queue = open_queue();
  int64_t start = t_now_ms();
  T_TRUE(coord_queue_next(queue, 0) == NULL);
  T_WITHIN(start, 50);
  start = t_now_ms();
  T_TRUE(coord_queue_next(queue, 120) == NULL);
  T_TRUE(t_now_ms() - start >= 115);
  T_WITHIN(start, 600);
  coord_queue_free(queue);
}

static void drain_takes_at_most_what_it_is_told(void) {
  coord_client *client = t_client();
  coord_queue *queue = open_queue();
  coord_event *events[16];
  coord_error *err = NULL;
  start_reads(client, queue, 0, 10);
  T_OK(coord_client_close(client, 5000, &err), err);
  T_INT(coord_queue_drain(queue, events, 4), 4);
  T_INT(coord_queue_drain(queue, events + 4, 16 - 4), 6);
  T_INT(coord_queue_drain(queue, events + 10, 4), 0);
  bool seen[10] = {false};
  for (int i = 0; i < 10; i++) {
    uint64_t tag = coord_event_tag(events[i]);
    T_TRUE(tag < 10 && !seen[tag]);
    seen[tag % 10] = true;
    coord_event_free(events[i]);
  }
  coord_queue_free(queue);
  coord_client_free(client);
}

static void events_wait_in_the_order_in_which_they_came(void) {
  static const t_rule rules[] = {{.never = true}};
  uint64_t ids[20];
  t_peer *peer = t_peer_grpc(rules, 1, NULL);
  coord_client *client =
      t_client_with("endpoints", t_peer_endpoint(peer), "gateway.max.connections", "20", NULL);
  coord_queue *queue = open_queue();
  coord_op *op = coord_op_get("k", 1);
  for (uint64_t i = 0; i < 20; i++) {
    T_CODE(coord_submit(client, op, 0, queue, i, &ids[i], NULL), COORD_OK);
  }
  /* They end in the order in which they are cancelled: 0, 7, 14, 1, 8, ... */
  for (uint64_t i = 0; i < 20; i++) T_CODE(coord_cancel(client, ids[i * 7 % 20]), COORD_OK);
  for (uint64_t i = 0; i < 20; i++) {
    coord_event *event = coord_queue_next(queue, 5000);
    T_INT((long long)coord_event_tag(event), (long long)(i * 7 % 20));
    coord_event_free(event);
  }
  coord_op_free(op);
  coord_queue_free(queue);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void event_outlives_its_queue_and_client(void) {
  coord_client *client = t_client();
  coord_queue *queue = open_queue();
  start_reads(client, queue, 5, 1);
  coord_event *event = coord_queue_next(queue, 5000);
  coord_queue_free(queue);
  coord_client_free(client);
  T_INT((long long)coord_event_tag(event), 5);
  T_TRUE(coord_result_revision(coord_event_result(event)) > 0);
  coord_event_free(event);
}

/* --- Waking ----------------------------------------------------------------------------------------- */

typedef struct waiter {
  coord_queue *queue;
  atomic_int tid;
  atomic_int events;
  atomic_bool ended;
} waiter;

/* Takes events until next gives none. */
static void *take_until_woken(void *arg) {
  waiter *w = arg;
  atomic_store(&w->tid, (int)syscall(SYS_gettid));
  for (coord_event *event; (event = coord_queue_next(w->queue, -1)) != NULL;) {
    atomic_fetch_add(&w->events, 1);
    coord_event_free(event);
  }
  atomic_store(&w->ended, true);
  return NULL;
}

/* The thread sleeps in a system call. */
static bool sleeps(void *arg) {
  waiter *w = arg;
  char path[64];
  char state[512] = "";
  int tid = atomic_load(&w->tid);
  if (tid == 0) return false;
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
  FILE *file = fopen(path, "r");
  if (!file) return false;
  size_t n = fread(state, 1, sizeof state - 1, file);
  fclose(file);
  state[n] = '\0';
  const char *close = strrchr(state, ')');
  return close && close[1] == ' ' && close[2] == 'S';
}

static void wake_ends_every_wait(void) {
  pthread_t threads[3];
  waiter waiters[3] = {{0}};
  coord_queue *queue = open_queue();
  for (int i = 0; i < 3; i++) {
    waiters[i].queue = queue;
    pthread_create(&threads[i], NULL, take_until_woken, &waiters[i]);
  }
  for (int i = 0; i < 3; i++) T_TRUE(t_wait_until(sleeps, &waiters[i], 5000));
  coord_queue_wake(queue);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  T_TRUE(coord_queue_next(queue, 0) == NULL);
  coord_queue_free(queue);
}

static void wake_before_the_wait_ends_the_next_one(void) {
  coord_queue *queue = open_queue();
  coord_queue_wake(queue);
  int64_t start = t_now_ms();
  T_TRUE(coord_queue_next(queue, -1) == NULL);
  T_WITHIN(start, 1000);
  start = t_now_ms();
  T_TRUE(coord_queue_next(queue, 60) == NULL); /* it is used up */
  T_TRUE(t_now_ms() - start >= 55);
  coord_queue_free(queue);
}

static void wake_does_not_swallow_events(void) {
  coord_client *client = t_client();
  coord_queue *queue = open_queue();
  coord_error *err = NULL;
  start_reads(client, queue, 0, 1);
  T_OK(coord_client_close(client, 5000, &err), err);
  coord_queue_wake(queue);
  int events = 0;
  for (int i = 0; i < 2; i++) {
    coord_event *event = coord_queue_next(queue, 100);
    events += event != NULL;
    coord_event_free(event);
  }
  T_INT(events, 1);
  coord_queue_free(queue);
  coord_client_free(client);
}

static bool all_taken(void *arg) {
  waiter *waiters = arg;
  int n = 0;
  for (int i = 0; i < 4; i++) n += atomic_load(&waiters[i].events);
  return n == 2000;
}

static void each_event_goes_to_one_of_several_waiters(void) {
  pthread_t threads[4];
  static waiter waiters[4];
  coord_client *client = t_client();
  coord_queue *queue = open_queue();
  for (int i = 0; i < 4; i++) {
    waiters[i].queue = queue;
    pthread_create(&threads[i], NULL, take_until_woken, &waiters[i]);
  }
  for (int i = 0; i < 4; i++) T_TRUE(t_wait_until(sleeps, &waiters[i], 5000));
  start_reads(client, queue, 0, 2000);
  T_TRUE(t_wait_until(all_taken, waiters, 20000));
  for (int i = 0; i < 4; i++) T_TRUE(t_wait_until(sleeps, &waiters[i], 5000));
  coord_queue_wake(queue);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  T_TRUE(all_taken(waiters));
  coord_queue_free(queue);
  coord_client_free(client);
}

static void freeing_a_queue_ends_the_waits_on_it(void) {
  pthread_t thread;
  waiter w = {.queue = open_queue()};
  pthread_create(&thread, NULL, take_until_woken, &w);
  T_TRUE(t_wait_until(sleeps, &w, 5000));
  coord_queue_free(w.queue);
  pthread_join(thread, NULL);
  T_TRUE(atomic_load(&w.ended));
}

static void freeing_a_queue_frees_the_events_in_it(void) {
  coord_client *client = t_client();
  coord_queue *queue = open_queue();
  start_reads(client, queue, 0, 100);
  T_TRUE(is_readable(coord_queue_fd(queue), 5000));
  coord_queue_free(queue);
  coord_client_free(client);
}

T_MAIN(T_CASE(missing_arguments_are_harmless), T_CASE(descriptor_is_readable_while_events_wait),
       T_CASE(descriptor_tells_of_events_that_came_before_it_was_asked_for),
       T_CASE(loop_on_the_descriptor_gets_every_event), T_CASE(next_waits_as_long_as_it_is_told),
       T_CASE(drain_takes_at_most_what_it_is_told),
       T_CASE(events_wait_in_the_order_in_which_they_came),
       T_CASE(event_outlives_its_queue_and_client), T_CASE(wake_ends_every_wait),
       T_CASE(wake_before_the_wait_ends_the_next_one), T_CASE(wake_does_not_swallow_events),
       T_CASE(each_event_goes_to_one_of_several_waiters),
       T_CASE(freeing_a_queue_ends_the_waits_on_it), T_CASE(freeing_a_queue_frees_the_events_in_it))
