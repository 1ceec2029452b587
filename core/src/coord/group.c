#include "coord/group.h"

#include <string.h>

#include "base/alloc.h"

coord__group *coord__group_new(const char *name) {
  size_t len = strlen(name);
  coord__group *g = coord__calloc(1, sizeof *g + len + 1);
  if (g == NULL) return NULL;
  memcpy(g->name, name, len);
  atomic_init(&g->refs, 1);
  return g;
}

coord__group *coord__group_retain(coord__group *g) {
  atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
  return g;
}

void coord__group_release(coord__group *g) {
  if (atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) > 1) return;
  coord__cell_set(&g->cell, NULL);
  coord__free(g);
}

static void drop(coord__shared *shared) {
  coord__roster_release(COORD__CONTAINER(shared, coord__roster, shared));
}

coord__roster *coord__roster_new(size_t count) {
  coord__roster *r = coord__calloc(1, sizeof *r + count * sizeof(coord_instance *));
  if (r == NULL) return NULL;
  r->shared.drop = drop;
  atomic_init(&r->refs, 1);
  return r;
}

coord__roster *coord__roster_retain(coord__roster *r) {
  atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
  return r;
}

void coord__roster_release(coord__roster *r) {
  if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1) return;
  for (size_t i = 0; i < r->count; i++) coord__instance_release(r->all[i]);
  coord__free(r);
}

void coord__group_set(coord__group *g, coord__roster *roster) {
  coord__cell_set(&g->cell, &roster->shared);
  atomic_fetch_add_explicit(&g->version, 1, memory_order_release);
}

coord__roster *coord__group_roster(const coord__group *g) {
  uint32_t look;
  coord__shared *shared = coord__cell_enter(&g->cell, &look);
  if (shared == NULL) return NULL;
  coord__roster *r = coord__roster_retain(COORD__CONTAINER(shared, coord__roster, shared));
  coord__cell_leave(look);
  return r;
}
