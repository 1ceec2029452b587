/*
 * Many calls at once from one thread: submit them with a queue, and let poll(2) say when some have
 * completed. Any event loop takes the queue's descriptor in the same way.
 */
#define _POSIX_C_SOURCE 200809L
#include <coord.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WINDOW = 256, BATCH = 64, MOST = 10000000 };

typedef struct {
  coord_client *client;
  coord_queue *queue;
  long total;     /* puts to do */
  long submitted; /* so far; submitted - completed are in flight */
  long completed;
  coord_code code; /* of the first put that failed */
} work;

static void complain(coord_code code, const coord_error *err) {
  fprintf(stderr, "submit: %s: %s\n", coord_code_name(code), coord_error_message(err));
}

static coord_code set_up(work *w) {
  const char *endpoints = getenv("COORD_ENDPOINTS");
  coord_options *options = NULL;
  coord_error *err = NULL;
  coord_code code = coord_options_new(&options);
  if (code == COORD_OK) {
    code = coord_options_set(options, "endpoints", endpoints ? endpoints : "", &err);
  }
  if (code == COORD_OK) code = coord_client_open(options, &w->client, &err);
  if (code == COORD_OK) code = coord_queue_open(&w->queue, &err);
  if (code != COORD_OK) complain(code, err);
  coord_error_free(err);
  coord_options_free(options);
  return code;
}

/* Keep WINDOW puts in flight. None of this waits. */
static void submit_some(work *w) {
  while (w->code == COORD_OK && w->submitted < w->total && w->submitted - w->completed < WINDOW) {
    char key[32], value[32];
    coord_error *err = NULL;
    int key_len = snprintf(key, sizeof key, "submit/%08ld", w->submitted);
    int value_len = snprintf(value, sizeof value, "%ld", w->submitted);
    coord_op *put = coord_op_put(key, (size_t)key_len, value, (size_t)value_len);

    /* The tag comes back with the event: here the number of the put, often a pointer or an index. */
    w->code = coord_submit(w->client, put, 0, w->queue, (uint64_t)w->submitted, NULL, &err);
    if (w->code == COORD_OK) {
      w->submitted++;
    } else {
      complain(w->code, err);
    }
    coord_error_free(err);
    coord_op_free(put); /* the call has its own copy */
  }
}

/* Take what has completed. An accepted submit gets one event, whatever happens. */
static void take_events(work *w) {
  coord_event *events[BATCH];
  size_t n = coord_queue_drain(w->queue, events, BATCH);
  for (size_t i = 0; i < n; i++) {
    if (coord_event_code(events[i]) != COORD_OK && w->code == COORD_OK) {
      w->code = coord_event_code(events[i]);
      fprintf(stderr, "submit: put %llu: %s: %s\n", (unsigned long long)coord_event_tag(events[i]),
              coord_code_name(w->code), coord_error_message(coord_event_error(events[i])));
    }
    w->completed++;
    coord_event_free(events[i]);
  }
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  work w = {.total = 10000};
  char *end = NULL;

  if (argc > 1 && strcmp(argv[1], "--help") == 0) {
    puts(
        "usage: submit [COUNT]\n\nPuts COUNT keys (10000) below submit/, 256 in flight at a time.");
    return EXIT_SUCCESS;
  }
  if (argc > 1) w.total = strtol(argv[1], &end, 10);
  if (argc > 2 || (end != NULL && *end != '\0') || w.total < 1 || w.total > MOST) {
    fprintf(stderr, "submit: takes one number, 1 to %d; see submit --help\n", (int)MOST);
    return 2;
  }

  w.code = set_up(&w);
  double start = seconds();
  submit_some(&w);
  while (w.completed < w.submitted) {
    struct pollfd ready = {.fd = coord_queue_fd(w.queue), .events = POLLIN};
    if (poll(&ready, 1, -1) < 0 && errno != EINTR) {
      perror("submit: poll");
      w.code = COORD_INTERNAL;
      break;
    }
    take_events(&w);
    submit_some(&w);
  }
  if (w.code == COORD_OK) {
    double took = seconds() - start;
    printf("%ld puts in %.3f s: %.0f/s from one thread\n", w.completed, took,
           (double)w.completed / took);
  }
  coord_queue_free(w.queue);
  coord_client_free(w.client);
  return w.code == COORD_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
