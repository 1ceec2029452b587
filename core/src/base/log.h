/* The log of one client: a level, and standard error or a queue. */
#ifndef COORD_BASE_LOG_H
#define COORD_BASE_LOG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/queue.h"
#include "coord/event.h"

typedef struct coord__log {
  atomic_int level; /* COORD_LOG_..., 0 = off */
  pthread_mutex_t lock;
  coord_queue *queue; /* NULL: standard error */
  uint64_t tag;
} coord__log;

void coord__log_init(coord__log *log, int level);
/* The queue is retained; NULL goes back to standard error. */
void coord__log_to(coord__log *log, coord_queue *queue, uint64_t tag);
void coord__log_free(coord__log *log);

/* One line, no line end, no secrets. Any thread. Costs one load when the level is off. */
#define coord__log_at(log, lvl, ...)                                          \
  do {                                                                        \
    if (atomic_load_explicit(&(log)->level, memory_order_relaxed) >= (lvl)) { \
      coord__log_write((log), (lvl), __VA_ARGS__);                            \
    }                                                                         \
  } while (0)

void coord__log_write(coord__log *log, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
