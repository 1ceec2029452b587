/*
 * Whom to pick among the instances of a service, by one policy. A lineup is immutable and made anew when
 * the instances change; picking takes no lock. Pure code.
 */
#ifndef COORD_COORD_LINEUP_H
#define COORD_COORD_LINEUP_H

#include "base/cell.h"
#include "coord/instance_object.h"
#include "coord/picker.h"

typedef struct coord__lineup_point {
  uint32_t hash; /* the upper half */
  uint32_t index;
} coord__lineup_point;

typedef struct coord__lineup {
  coord__shared shared; /* first */
  uint64_t version;     /* for the owner */
  int32_t policy;
  size_t count;
  coord_instance **all;        /* in the order of their ids */
  uint64_t *edges;             /* WEIGHTED: sums of the weights so far */
  coord__lineup_point *points; /* CONSISTENT_HASH: a ring */
  size_t point_count;
  uint32_t *starts; /* by the upper bits of a hash: the first point that is not before it */
  int shift;
} coord__lineup;

/* Those that are up and in the subset, "key=value,..." of their metadata; NULL or "": all. The instances
 * are in the order of their ids, and shared. NULL: memory is out. */
coord__lineup *coord__lineup_new(int32_t policy, coord_instance *const *instances, size_t count,
                                 const char *subset);
/* For one that was not put into a cell. */
void coord__lineup_free(coord__lineup *lineup);

/* Whom to pick, retained; NULL: there is nobody. `turn` counts the picks of whoever asks. */
coord_instance *coord__lineup_pick(const coord__lineup *lineup, atomic_uint_fast64_t *turn,
                                   const void *hash_key, size_t hash_key_len);

bool coord__lineup_subset_ok(const char *subset);
uint64_t coord__lineup_hash(const void *key, size_t len);

#endif
