/*
 * A pointer that is read by any number of threads, without a lock and without waiting for whoever sets
 * it: what is replaced is freed once nobody looks at it any more.
 */
#ifndef COORD_BASE_CELL_H
#define COORD_BASE_CELL_H

#include <stdatomic.h>
#include <stdint.h>

/* Embedded in what a cell holds. */
typedef struct coord__shared {
  struct coord__shared *next; /* of those that were replaced */
  void (*drop)(struct coord__shared *shared);
} coord__shared;

/* All zero is one that holds nothing. */
typedef struct coord__cell {
  _Atomic(coord__shared *) current;
} coord__cell;

/* Look at what it holds, for a moment: it stays until coord__cell_leave with the same look. NULL: it
 * holds nothing; no leaving then. */
coord__shared *coord__cell_enter(const coord__cell *cell, uint32_t *look);
void coord__cell_leave(uint32_t look);

/* Put something else there, or NULL, and drop what was there, at the latest when another cell is set and
 * nobody looks at it. Any thread. */
void coord__cell_set(coord__cell *cell, coord__shared *shared);

#endif
