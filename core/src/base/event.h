/* The event object, for the code that makes and delivers events. */
#ifndef COORD_BASE_EVENT_H
#define COORD_BASE_EVENT_H

#include "base/list.h"
#include "coord/event.h"

/* What makes events and has to know how many of them wait in the queue. Guarded by the queue's lock. */
typedef struct coord__sender {
  coord__list waiting; /* its events there, by kept_link */
  size_t bytes;        /* of those */
  size_t low;          /* told once when bytes have fallen below this; 0: is not waiting for that */
  bool muted;          /* what comes is discarded */
  /* The queue's lock is held: no more than posting a job. */
  void (*drained)(struct coord__sender *sender);
} coord__sender;

/* Often the first member of something larger; `destroy` frees the whole of it. */
struct coord_event {
  coord__list link;
  coord__list kept_link; /* the queue's list of LOG or STATE events, or that of the sender */
  coord__sender *sender; /* NULL: of none */
  size_t bytes;          /* what it counts for with its sender */
  int32_t type;
  int32_t level;
  int32_t state;
  coord_code code;
  uint64_t tag;
  coord_error *error;
  coord_result *result;
  char *text;
  const char *endpoint;
  int64_t revision;
  const struct coord__changes *changes; /* CHANGES: what it holds */
  const struct coord__news *news; /* CHANGES of instances: the same; coord/discovery_handle.h */
  void (*destroy)(struct coord_event *event);
};

#endif
