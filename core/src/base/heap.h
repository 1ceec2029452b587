/* A binary heap of timers, the earliest on top. */
#ifndef COORD_BASE_HEAP_H
#define COORD_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in what waits; all zero is a node that is in no heap. */
typedef struct coord__heap_node {
  int64_t key;
  size_t place; /* index + 1; 0 when in no heap */
} coord__heap_node;

typedef struct coord__heap {
  coord__heap_node **nodes;
  size_t len;
  size_t cap;
} coord__heap;

/* False when memory is out; the node is then in no heap. */
bool coord__heap_insert(coord__heap *h, coord__heap_node *n, int64_t key);
/* Change the key of a node that is in the heap. */
void coord__heap_update(coord__heap *h, coord__heap_node *n, int64_t key);
/* A node that is in no heap is fine. */
void coord__heap_remove(coord__heap *h, coord__heap_node *n);
coord__heap_node *coord__heap_top(const coord__heap *h);
void coord__heap_free(coord__heap *h);

#endif
