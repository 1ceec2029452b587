/* What lies between two versions of the content: changes whose key-values are those of the versions,
 * held for as long as it is needed. Shared by all who are told of it. */
#ifndef COORD_COORD_TRANSITION_H
#define COORD_COORD_TRANSITION_H

#include "coord/changes.h"
#include "coord/tree.h"

typedef struct coord__transition {
  coord__changes
      changes; /* with prevs; its event is not used, but for the revision and the bytes */
  atomic_int refs;
  size_t capacity;
  coord__item **items; /* held; of each change the new one and the old one, either may be NULL */
} coord__transition;

/* With room for so many changes. NULL: memory is out. */
coord__transition *coord__transition_new(size_t capacity, int64_t revision);
/* One of the two is not NULL; both are retained. There is room. */
void coord__transition_add(coord__transition *t, coord__item *old, coord__item *now,
                           int64_t revision);
coord__transition *coord__transition_retain(coord__transition *t);
/* NULL is fine. */
void coord__transition_release(coord__transition *t);

/* All that differs, in the order of keys. NULL: memory is out. */
coord__transition *coord__transition_between(const coord__tree *from, const coord__tree *to,
                                             int64_t revision);

#endif
