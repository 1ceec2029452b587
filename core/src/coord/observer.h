/* Who leads an election, told whenever that changes, through compactions and lost connections. I/O
 * thread only. */
#ifndef COORD_COORD_OBSERVER_H
#define COORD_COORD_OBSERVER_H

#include "coord/ask.h"
#include "coord/lookout.h"

typedef struct coord__observer {
  coord_client *client;
  coord__buf prefix; /* NAME/ */
  /* The leader's key, or NULL: nobody leads, since this revision. */
  void (*told)(struct coord__observer *o, const coord_kv *kv, int64_t revision);
  /* After coord__observer_stop, once nothing is under way. */
  void (*stopped)(struct coord__observer *o);
  coord__ask ask;
  bool asking;
  bool stopping;
  bool stale; /* a look is to come: what changes until then is seen by it */
  coord__lookout lookout;
  coord__buf leader; /* its key; empty: nobody leads */
  int64_t told_revision;
  bool has_told;
} coord__observer;

/* False: memory is out. */
bool coord__observer_init(coord__observer *o, coord_client *c, const void *name, size_t name_len);
void coord__observer_free(coord__observer *o);
void coord__observer_start(coord__observer *o);
/* `stopped` follows, or comes from within. */
void coord__observer_stop(coord__observer *o);

#endif
