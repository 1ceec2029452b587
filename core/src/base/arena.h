/* Memory that is taken in small pieces and given back all at once. */
#ifndef COORD_BASE_ARENA_H
#define COORD_BASE_ARENA_H

#include <protobuf-c/protobuf-c.h>

#include <stddef.h>

typedef enum coord__arena_state {
  COORD__ARENA_OK = 0,
  COORD__ARENA_NO_MEMORY, /* an allocation failed */
  COORD__ARENA_OVER_LIMIT /* more was asked for than the limit allows */
} coord__arena_state;

typedef struct coord__arena coord__arena;

/* `first` bytes come with the arena itself, in one allocation; `limit` bounds all that is handed
 * out, 0 bounds nothing. NULL when memory is out. */
coord__arena *coord__arena_new(size_t first, size_t limit);

/* Aligned for pointers and 64-bit numbers, not zeroed, and followed by one NUL byte that is not
 * counted. NULL on failure, which coord__arena_get_state then explains. */
void *coord__arena_alloc(coord__arena *arena, size_t n);
void *coord__arena_memdup(coord__arena *arena, const void *p, size_t n);

/* The first failure of this arena. */
coord__arena_state coord__arena_get_state(const coord__arena *arena);

/* For unpacking messages into the arena. Its free does nothing. */
ProtobufCAllocator *coord__arena_allocator(coord__arena *arena);

/* NULL is fine. */
void coord__arena_free(coord__arena *arena);

#endif
