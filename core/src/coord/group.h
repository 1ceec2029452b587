/*
 * The instances of one service as they are known now, for any number of threads to follow without a
 * lock. Whoever finds that something has changed makes the next roster; others go on with the one before.
 */
#ifndef COORD_COORD_GROUP_H
#define COORD_COORD_GROUP_H

#include <pthread.h>

#include "base/cell.h"
#include "coord/discovery.h"
#include "coord/instance_object.h"

/* All instances, in the order of their ids; immutable. */
struct coord_instances {
  coord__shared shared; /* first */
  atomic_int refs;
  uint64_t version; /* of the group */
  int64_t revision; /* of the store */
  bool guarded;     /* some have gone, and are kept here for now */
  size_t count;
  coord_instance *all[]; /* each retained, with a tally */
};

typedef struct coord__group coord__group;
struct coord__group {
  atomic_int refs;
  _Atomic uint64_t version; /* 0: nothing is known yet; grows when there is something new */
  coord__cell cell;         /* the roster */
  pthread_mutex_t mutex;    /* whoever makes the next one */
  /* Make and set it, of this version at least; by the mutex. NULL: rosters come by coord__group_set. */
  void (*refresh)(coord__group *g, uint64_t version);
  void (*destroy)(coord__group *g);
};

void coord__group_init(coord__group *g, void (*refresh)(coord__group *g, uint64_t version),
                       void (*destroy)(coord__group *g));
coord__group *coord__group_retain(coord__group *g);
void coord__group_release(coord__group *g);

/* The roster is handed over, with its version. By the mutex, if others may do it too. */
void coord__group_set(coord__group *g, coord_instances *roster);
/* The roster; the newest one, unless somebody else is about to make that, or memory is out. To be
 * released. NULL: nothing is known yet. Any thread. */
coord_instances *coord__group_roster(coord__group *g);
/* The newest one for sure, but for memory that is out. */
coord_instances *coord__group_newest(coord__group *g);

#endif
