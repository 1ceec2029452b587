#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/event.h"

static const char *const level_names[] = {"off", "error", "warn", "info", "debug"};

void coord__log_init(coord__log *log, int level) {
  *log = (coord__log){0};
  atomic_init(&log->level, level);
  pthread_mutex_init(&log->lock, NULL);
}

void coord__log_to(coord__log *log, coord_queue *queue, uint64_t tag) {
  if (queue != NULL) coord__queue_retain(queue);
  pthread_mutex_lock(&log->lock);
  coord_queue *before = log->queue;
  log->queue = queue;
  log->tag = tag;
  pthread_mutex_unlock(&log->lock);
  if (before != NULL) coord__queue_release(before);
}

void coord__log_free(coord__log *log) {
  if (log->queue != NULL) coord__queue_release(log->queue);
  pthread_mutex_destroy(&log->lock);
}

static void destroy_event(coord_event *event) {
  coord__free(event->text);
  coord__free(event);
}

static void to_queue(coord_queue *queue, uint64_t tag, int level, const char *text) {
  coord_event *event = coord__calloc(1, sizeof *event);
  if (event == NULL) return;
  event->text = coord__strdup(text);
  if (event->text == NULL) {
    coord__free(event);
    return;
  }
  event->type = COORD_EVENT_LOG;
  event->level = level;
  event->tag = tag;
  event->destroy = destroy_event;
  coord__list events;
  coord__list_init(&events);
  coord__list_append(&events, &event->link);
  coord__queue_push(queue, &events);
}

static void to_stderr(int level, const char *text) {
  struct timespec t;
  struct tm utc;
  clock_gettime(CLOCK_REALTIME, &t);
  gmtime_r(&t.tv_sec, &utc);
  char stamp[32];
  strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
  fprintf(stderr, "%s.%03ldZ coord %s: %s\n", stamp, t.tv_nsec / 1000000, level_names[level], text);
}

void coord__log_write(coord__log *log, int level, const char *format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  for (char *c = text; *c != '\0'; c++) {
    if ((unsigned char)*c < 0x20) *c = ' ';
  }
  pthread_mutex_lock(&log->lock);
  coord_queue *queue = log->queue != NULL ? coord__queue_retain(log->queue) : NULL;
  uint64_t tag = log->tag;
  pthread_mutex_unlock(&log->lock);
  if (queue != NULL) {
    to_queue(queue, tag, level, text);
    coord__queue_release(queue);
  } else {
    to_stderr(level, text);
  }
}
