#include "coord/group.h"

#include "base/list.h"
#include "coord/roster.h"

__attribute__((cold)) void coord__group_init(coord__group *g,
                                             void (*refresh)(coord__group *g, uint64_t version),
                                             void (*destroy)(coord__group *g)) {
  *g = (coord__group){.refresh = refresh, .destroy = destroy};
  atomic_init(&g->refs, 1);
  pthread_mutex_init(&g->mutex, NULL);
}

coord__group *coord__group_retain(coord__group *g) {
  atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
  return g;
}

__attribute__((cold)) void coord__group_release(coord__group *g) {
  if (atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) > 1) return;
  coord__cell_set(&g->cell, NULL);
  pthread_mutex_destroy(&g->mutex);
  g->destroy(g);
}

void coord__group_set(coord__group *g, coord_instances *roster) {
  coord__cell_set(&g->cell, &roster->shared);
}

static coord_instances *current(const coord__group *g) {
  uint32_t look;
  coord__shared *shared = coord__cell_enter(&g->cell, &look);
  if (shared == NULL) return NULL;
  coord_instances *r = coord__roster_retain(COORD__CONTAINER(shared, coord_instances, shared));
  coord__cell_leave(look);
  return r;
}

static coord_instances *follow(coord__group *g, bool waits) {
  uint64_t version = atomic_load_explicit(&g->version, memory_order_acquire);
  coord_instances *r = current(g);
  if (version == 0 || g->refresh == NULL || (r != NULL && r->version >= version)) return r;
  if (waits || r == NULL) {
    pthread_mutex_lock(&g->mutex);
  } else if (pthread_mutex_trylock(&g->mutex) != 0) {
    return r;
  }
  if (r != NULL) coord__roster_release(r);
  r = current(g);
  bool done = r != NULL && r->version >= version;
  if (!done) g->refresh(g, version);
  pthread_mutex_unlock(&g->mutex);
  if (done) return r;
  if (r != NULL) coord__roster_release(r);
  return current(g);
}

coord_instances *coord__group_roster(coord__group *g) { return follow(g, false); }

coord_instances *coord__group_newest(coord__group *g) { return follow(g, true); }
