#include "coord/roster.h"

#include <string.h>

#include "base/alloc.h"
#include "base/list.h"

static void drop(coord__shared *shared) {
  coord__roster_release(COORD__CONTAINER(shared, coord_instances, shared));
}

coord_instances *coord__roster_new(size_t count) {
  coord_instances *r = coord__calloc(1, sizeof *r + count * sizeof(coord_instance *));
  if (r == NULL) return NULL;
  r->shared.drop = drop;
  atomic_init(&r->refs, 1);
  return r;
}

coord_instances *coord__roster_retain(coord_instances *r) {
  atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
  return r;
}

void coord__roster_release(coord_instances *r) {
  if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1) return;
  for (size_t i = 0; i < r->count; i++) coord__instance_release(r->all[i]);
  coord__free(r);
}

coord_instance *coord__roster_find(const coord_instances *r, const char *id, size_t *from) {
  for (; r != NULL && *from < r->count; ++*from) {
    int order = strcmp(r->all[*from]->id, id);
    if (order == 0) return r->all[*from];
    if (order > 0) break;
  }
  return NULL;
}

char *coord__roster_json(const coord_instances *r) {
  coord__buf json = {0};
  bool ok = coord__buf_append_str(&json, "[");
  for (size_t i = 0; ok && i < r->count; i++) {
    ok = (i == 0 || coord__buf_append_str(&json, ",")) &&
         coord__buf_append(&json, r->all[i]->json, r->all[i]->json_len);
  }
  if (ok && coord__buf_append(&json, "]", 2)) return (char *)json.data;
  coord__buf_free(&json);
  return NULL;
}

/* ---- differences ---- */

static void add(coord__difference *d, int32_t change, const coord_instance *instance) {
  d->of[d->count].change = change;
  d->of[d->count++].instance = instance;
}

coord__difference *coord__roster_between(const coord_instances *from, const coord_instances *to) {
  size_t gone = from != NULL ? from->count : 0, a = 0, b = 0;
  coord__difference *d = coord__malloc(sizeof *d + (gone + to->count) * sizeof d->of[0]);
  if (d == NULL) return NULL;
  d->count = 0;
  while (a < gone || b < to->count) {
    int order = a == gone ? 1 : b == to->count ? -1 : strcmp(from->all[a]->id, to->all[b]->id);
    if (order < 0) {
      add(d, COORD_INSTANCE_DOWN, from->all[a++]);
    } else if (order > 0) {
      add(d, COORD_INSTANCE_UP, to->all[b++]);
    } else {
      if (from->all[a]->mod != to->all[b]->mod) add(d, COORD_INSTANCE_CHANGED, to->all[b]);
      a++;
      b++;
    }
  }
  return d;
}

/* ---- the guard ---- */

static void set(coord_instances **at, coord_instances *r) {
  if (r != NULL) coord__roster_retain(r);
  if (*at != NULL) coord__roster_release(*at);
  *at = r;
}

static size_t count_gone(const coord_instances *base, const coord_instances *now) {
  size_t gone = 0, at = 0;
  for (size_t i = 0; i < base->count; i++) {
    gone += coord__roster_find(now, base->all[i]->id, &at) == NULL;
  }
  return gone;
}

/* All that is there, and what has gone. NULL: memory is out. */
static coord_instances *unite(const coord_instances *base, const coord_instances *now) {
  coord_instances *r = coord__roster_new(base->count + now->count);
  size_t a = 0, b = 0;
  if (r == NULL) return NULL;
  while (a < base->count || b < now->count) {
    int order = a == base->count  ? 1
                : b == now->count ? -1
                                  : strcmp(base->all[a]->id, now->all[b]->id);
    r->all[r->count++] = coord__instance_retain(order < 0 ? base->all[a] : now->all[b]);
    a += order <= 0;
    b += order >= 0;
  }
  r->version = now->version;
  r->revision = now->revision;
  r->guarded = true;
  return r;
}

/* Whether what has gone is to be held back. */
static bool holds(coord__guard *g, coord_instances *now, int64_t now_ns) {
  if (g->until_ns == 0 && now_ns - g->since_ns >= g->for_ns) {
    set(&g->base, g->last); /* and from here on it looks for so long */
    g->since_ns = now_ns;
  }
  size_t gone = g->base != NULL ? count_gone(g->base, now) : 0;
  bool is_over = g->until_ns != 0 && now_ns >= g->until_ns;
  if (gone == 0 || is_over) {
    set(&g->base, now);
    g->since_ns = now_ns;
  } else if (gone * 100 >= g->base->count * (size_t)g->percent) {
    return true;
  }
  g->until_ns = 0;
  return false;
}

coord_instances *coord__guard_pass(coord__guard *g, coord_instances *now, int64_t now_ns) {
  if (g->percent == 0) return now;
  bool held_back = holds(g, now, now_ns);
  set(&g->last, now);
  if (!held_back) return now;
  coord_instances *both = unite(g->base, now);
  if (both == NULL) return now;
  if (g->until_ns == 0) g->until_ns = now_ns + g->for_ns;
  coord__roster_release(now);
  return both;
}

void coord__guard_free(coord__guard *g) {
  set(&g->base, NULL);
  set(&g->last, NULL);
}
