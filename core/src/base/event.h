/* The event object, for the code that makes and delivers events. */
#ifndef COORD_BASE_EVENT_H
#define COORD_BASE_EVENT_H

#include "base/list.h"
#include "coord/event.h"

/* Often the first member of something larger; `destroy` frees the whole of it. */
struct coord_event {
  coord__list link;
  coord__list kept_link; /* the queue's list of LOG or STATE events, when it is one */
  int32_t type;
  int32_t level;
  int32_t state;
  coord_code code;
  uint64_t tag;
  coord_error *error;
  coord_result *result;
  char *text;
  const char *endpoint;
  void (*destroy)(struct coord_event *event);
};

#endif
