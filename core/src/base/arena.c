#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

enum { ALIGNMENT = 8, SMALLEST_BLOCK = 1024, LARGEST_BLOCK = 256 * 1024 };

typedef struct block {
  struct block *next;
  size_t used; /* counted from the block's own beginning */
  size_t size;
} block;

struct coord__arena {
  block first; /* must be the first member: the arena lives in its own first block */
  block *current;
  ProtobufCAllocator allocator;
  size_t next_size;
  size_t left;
  coord__arena_state state;
};

static size_t round_up(size_t n) { return (n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1); }

static void *allocator_alloc(void *arena, size_t n) { return coord__arena_alloc(arena, n); }

static void allocator_free(void *arena, void *p) {
  (void)arena;
  (void)p;
}

coord__arena *coord__arena_new(size_t first, size_t limit) {
  size_t head = round_up(sizeof(coord__arena));
  if (first > SIZE_MAX / 2) return NULL;
  size_t size = head + round_up(first);
  coord__arena *arena = coord__malloc(size);
  if (arena == NULL) return NULL;
  *arena = (coord__arena){.first = {.used = head, .size = size},
                          .allocator = {allocator_alloc, allocator_free, arena},
                          .next_size = SMALLEST_BLOCK,
                          .left = limit > 0 ? limit : SIZE_MAX};
  arena->current = &arena->first;
  return arena;
}

static void *fail(coord__arena *arena, coord__arena_state state) {
  if (arena->state == COORD__ARENA_OK) arena->state = state;
  return NULL;
}

/* A block with room for n bytes. A large request gets a block to itself, behind the current one,
 * which then goes on serving small requests. */
static block *add_block(coord__arena *arena, size_t n) {
  size_t head = round_up(sizeof(block));
  while (arena->next_size < arena->first.size && arena->next_size < LARGEST_BLOCK) {
    arena->next_size *= 2;
  }
  size_t size = head + n;
  if (n <= arena->next_size / 2) size = arena->next_size;
  block *added = coord__malloc(size);
  if (added == NULL) return NULL;
  *added = (block){.next = arena->current->next, .used = head, .size = size};
  arena->current->next = added;
  if (size == arena->next_size) {
    arena->current = added;
    if (arena->next_size < LARGEST_BLOCK) arena->next_size *= 2;
  }
  return added;
}

void *coord__arena_alloc(coord__arena *arena, size_t n) {
  if (n > SIZE_MAX / 2) return fail(arena, COORD__ARENA_OVER_LIMIT);
  size_t taken = round_up(n + 1);
  if (taken > arena->left) return fail(arena, COORD__ARENA_OVER_LIMIT);
  block *b = arena->current;
  if (taken > b->size - b->used) {
    b = add_block(arena, taken);
    if (b == NULL) return fail(arena, COORD__ARENA_NO_MEMORY);
  }
  arena->left -= taken;
  char *p = (char *)b + b->used;
  b->used += taken;
  p[n] = '\0';
  return p;
}

void *coord__arena_memdup(coord__arena *arena, const void *p, size_t n) {
  void *copy = coord__arena_alloc(arena, n);
  if (copy != NULL && n > 0) memcpy(copy, p, n);
  return copy;
}

coord__arena_state coord__arena_get_state(const coord__arena *arena) { return arena->state; }

ProtobufCAllocator *coord__arena_allocator(coord__arena *arena) { return &arena->allocator; }

void coord__arena_free(coord__arena *arena) {
  if (arena == NULL) return;
  block *b = arena->first.next;
  while (b != NULL) {
    block *next = b->next;
    coord__free(b);
    b = next;
  }
  coord__free(arena);
}
