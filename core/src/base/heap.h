/* A pairing heap of timers, the earliest on top. It needs no memory of its own, so that setting a
 * timer cannot fail. */
#ifndef COORD_BASE_HEAP_H
#define COORD_BASE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/* Embedded in what waits; all zero is a node that is in no heap. */
typedef struct coord__heap_node {
  int64_t key;
  bool is_in; /* a heap */
  struct coord__heap_node *child;
  struct coord__heap_node *next; /* sibling */
  struct coord__heap_node *prev; /* sibling, or the parent of a first child */
} coord__heap_node;

/* All zero is an empty heap. */
typedef struct coord__heap {
  coord__heap_node *top;
} coord__heap;

/* Put it in, or give it another key. */
void coord__heap_set(coord__heap *h, coord__heap_node *n, int64_t key);
/* A node that is in no heap is fine. */
void coord__heap_remove(coord__heap *h, coord__heap_node *n);

#endif
