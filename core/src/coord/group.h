/*
 * The instances of one service as they are known now, for pickers to follow: one writer, any number of
 * readers that take no lock.
 */
#ifndef COORD_COORD_GROUP_H
#define COORD_COORD_GROUP_H

#include "base/cell.h"
#include "base/list.h"
#include "coord/instance_object.h"

/* All instances, in the order of their ids; immutable. */
typedef struct coord__roster {
  coord__shared shared; /* first */
  atomic_int refs;
  int64_t revision;
  bool guarded; /* it is kept although most of it has gone */
  size_t count;
  coord_instance *all[]; /* each retained, with a tally */
} coord__roster;

typedef struct coord__group {
  coord__list link; /* for the owner */
  atomic_int refs;
  _Atomic uint64_t version; /* 0: nothing is known yet; grows with each roster */
  coord__cell cell;         /* a roster */
  void *owner_data;
  char name[];
} coord__group;

/* NULL: memory is out. */
coord__group *coord__group_new(const char *name);
coord__group *coord__group_retain(coord__group *g);
void coord__group_release(coord__group *g);

/* A roster with room for so many, to be filled in; NULL: memory is out. */
coord__roster *coord__roster_new(size_t count);
coord__roster *coord__roster_retain(coord__roster *r);
void coord__roster_release(coord__roster *r);

/* The roster is handed over. One thread at a time. */
void coord__group_set(coord__group *g, coord__roster *roster);
/* NULL: nothing is known yet. Any thread; to be released. */
coord__roster *coord__group_roster(const coord__group *g);

#endif
