#include "coord/transition.h"

#include <string.h>

#include "base/alloc.h"
#include "coord/event.h"

coord__transition *coord__transition_new(size_t capacity, int64_t revision) {
  size_t kvs = capacity * sizeof(coord_kv);
  size_t items = 2 * capacity * sizeof(coord__item *);
  coord__transition *t = coord__malloc(sizeof *t + 2 * kvs + items + capacity);
  if (t == NULL) return NULL;
  memset(t, 0, sizeof *t);
  atomic_init(&t->refs, 1);
  t->capacity = capacity;
  t->changes.kvs = (coord_kv *)(void *)(t + 1);
  t->changes.prevs = t->changes.kvs + capacity;
  t->items = (coord__item **)(void *)(t->changes.prevs + capacity);
  t->changes.types = (uint8_t *)(t->items + 2 * capacity);
  t->changes.event.revision = revision;
  t->changes.event.bytes = sizeof *t + 2 * kvs + items + capacity;
  return t;
}

void coord__transition_add(coord__transition *t, coord__item *old, coord__item *now,
                           int64_t revision) {
  coord__changes *c = &t->changes;
  size_t i = c->count++;
  c->types[i] = now != NULL ? COORD_CHANGE_PUT : COORD_CHANGE_DELETE;
  c->prevs[i] = old != NULL ? coord__item_kv(old) : (coord_kv){0};
  if (now != NULL) {
    c->kvs[i] = coord__item_kv(now);
  } else {
    c->kvs[i] = (coord_kv){.key = c->prevs[i].key,
                           .key_len = c->prevs[i].key_len,
                           .value = "",
                           .mod_revision = revision};
  }
  t->items[2 * i] = now != NULL ? coord__item_retain(now) : NULL;
  t->items[2 * i + 1] = old != NULL ? coord__item_retain(old) : NULL;
  c->event.bytes += c->kvs[i].key_len + c->kvs[i].value_len;
}

coord__transition *coord__transition_retain(coord__transition *t) {
  atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
  return t;
}

void coord__transition_release(coord__transition *t) {
  if (t == NULL || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) > 1) return;
  for (size_t i = 0; i < 2 * t->changes.count; i++) coord__item_release(t->items[i]);
  coord__free(t);
}

/* The next key at which two trees differ. False: there is none. */
typedef struct pair {
  coord__cursor from, to;
  coord__item *old, *now; /* next in each */
} pair;

static bool differ(pair *p, coord__item **old, coord__item **now) {
  while (p->old != NULL || p->now != NULL) {
    int order = p->old == p->now ? 0 : p->old == NULL ? 1 : p->now == NULL ? -1 : 2;
    if (order == 2) {
      order = coord__compare_keys(p->old->kv.key.data, p->old->kv.key.len, p->now->kv.key.data,
                                  p->now->kv.key.len);
    }
    *old = order <= 0 ? p->old : NULL;
    *now = order >= 0 ? p->now : NULL;
    if (order <= 0) p->old = coord__cursor_next(&p->from);
    if (order >= 0) p->now = coord__cursor_next(&p->to);
    if (*old != *now) return true;
  }
  return false;
}

static pair begin(const coord__tree *from, const coord__tree *to) {
  pair p = {.from = coord__tree_seek(from, NULL, 0), .to = coord__tree_seek(to, NULL, 0)};
  p.old = coord__cursor_next(&p.from);
  p.now = coord__cursor_next(&p.to);
  return p;
}

coord__transition *coord__transition_between(const coord__tree *from, const coord__tree *to,
                                             int64_t revision) {
  coord__item *old = NULL, *now = NULL;
  size_t count = 0;
  pair p = begin(from, to);
  while (differ(&p, &old, &now)) count++;
  coord__transition *t = coord__transition_new(count, revision);
  if (t == NULL) return NULL;
  p = begin(from, to);
  while (differ(&p, &old, &now)) coord__transition_add(t, old, now, revision);
  return t;
}
