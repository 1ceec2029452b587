/* Lists of the instances of a service, what differs between two of them, and the guard against losing most
 * of them at once. Pure code. */
#ifndef COORD_COORD_ROSTER_H
#define COORD_COORD_ROSTER_H

#include "coord/group.h"

/* With room for so many, to be filled in the order of their ids; NULL: memory is out. */
coord_instances *coord__roster_new(size_t count);
coord_instances *coord__roster_retain(coord_instances *r);
void coord__roster_release(coord_instances *r);

/* NULL: it has none of this id. `from`: begin there, and go on from there next time. */
coord_instance *coord__roster_find(const coord_instances *r, const char *id, size_t *from);

/* A JSON array of them; NULL: memory is out. */
char *coord__roster_json(const coord_instances *r);

/* ---- differences ---- */

typedef struct coord__difference {
  size_t count;
  struct {
    int32_t change; /* COORD_INSTANCE_... */
    const coord_instance *instance;
  } of[];
} coord__difference;

/* From one (NULL: nothing) to the other, which must both live as long as it does. coord__free. NULL:
 * memory is out. */
coord__difference *coord__roster_between(const coord_instances *from, const coord_instances *to);

/* ---- the guard ---- */

typedef struct coord__guard {
  int32_t percent; /* 0: there is none */
  int64_t for_ns;
  coord_instances *last; /* what there was; NULL: nothing yet */
  coord_instances *base; /* what there was when it began to look, since_ns */
  int64_t since_ns;
  int64_t until_ns; /* 0: it does not hold anything back */
} coord__guard;

/* What is to be shown when this is what there is: that, or also what has gone; handed over and back. What
 * was gone when the time is up is gone. Without memory it is that. */
coord_instances *coord__guard_pass(coord__guard *guard, coord_instances *now, int64_t now_ns);
void coord__guard_free(coord__guard *guard);

#endif
