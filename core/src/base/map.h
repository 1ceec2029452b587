/* A hash map from a 64-bit number to a pointer. */
#ifndef COORD_BASE_MAP_H
#define COORD_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct coord__map_slot {
  uint64_t key;
  void *value; /* NULL: free */
} coord__map_slot;

/* All zero is a valid empty map. Values are never NULL. */
typedef struct coord__map {
  coord__map_slot *slots;
  size_t len;
  size_t cap; /* 0 or a power of two */
} coord__map;

/* The key must not be there. False when memory is out. */
bool coord__map_insert(coord__map *m, uint64_t key, void *value);
void *coord__map_find(const coord__map *m, uint64_t key);
/* What was there, or NULL. */
void *coord__map_remove(coord__map *m, uint64_t key);
/* Some value, or NULL when empty. */
void *coord__map_any(const coord__map *m);
void coord__map_free(coord__map *m);

#endif
