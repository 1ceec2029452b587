#include "coord/content.h"

#include <pthread.h>
#include <sched.h>

#include "base/alloc.h"
#include "base/fork.h"
#include "base/list.h"

enum { SLOTS = 32, LINE = 64 };

/* Each in a line of its own. */
struct coord__slot {
  _Atomic(coord__snapshot *) reads; /* NULL: free */
  char rest_of_line[LINE - sizeof(void *)];
};

struct coord__snapshot {
  coord__list link;
  coord__content *content;
  atomic_int refs; /* of results and the like; the newest version is there without any */
  uint64_t version;
  int64_t revision;
  coord__tree tree;
  coord__piece *dead; /* what is in this version, and not in the one after it in the list */
};

struct coord__content {
  coord__slot slots[SLOTS];
  _Atomic(coord__snapshot *) newest;
  atomic_int refs; /* its owner's, and one for each that a snapshot has */
  unsigned generation;
  size_t skip;
  pthread_mutex_t lock; /* of the list */
  coord__list versions; /* in their order; the last is the newest */
  /* The writer's: */
  bool editing;
  coord__edit edit;
};

/* ---- reading ---- */

/* Threads begin at different slots. */
static size_t first_slot(void) {
  uint64_t self = (uint64_t)pthread_self();
  return (size_t)((self * UINT64_C(0x9e3779b97f4a7c15)) >> 59);
}

/* While it is in the slot the version is not freed. */
static coord__slot *enter(coord__content *c, coord__snapshot **out) {
  coord__slot *s;
  for (size_t i = first_slot();; i++) {
    coord__snapshot *expected = NULL;
    s = &c->slots[i % SLOTS];
    *out = atomic_load_explicit(&c->newest, memory_order_acquire);
    if (*out == NULL) return NULL;
    if (atomic_compare_exchange_strong(&s->reads, &expected, *out)) break;
    if (i % SLOTS == SLOTS - 1) sched_yield();
  }
  /* It may have been freed before it was marked: only the newest surely was not. */
  for (;;) {
    coord__snapshot *newest = atomic_load(&c->newest);
    if (newest == *out) return s;
    *out = newest;
    atomic_store(&s->reads, newest);
  }
}

static void leave(coord__slot *s) { atomic_store_explicit(&s->reads, NULL, memory_order_release); }

coord__slot *coord__content_look(coord__content *c, const void *key, size_t len, coord__item **item,
                                 int64_t *revision) {
  coord__snapshot *s;
  coord__slot *at = enter(c, &s);
  if (at == NULL) return NULL;
  *revision = s->revision;
  *item = coord__tree_find(&s->tree, key, len);
  return at;
}

void coord__content_looked(coord__slot *slot) { leave(slot); }

coord__item *coord__content_get(coord__content *c, const void *key, size_t len, int64_t *revision) {
  coord__item *item;
  coord__slot *at = coord__content_look(c, key, len, &item, revision);
  if (at == NULL) {
    *revision = 0;
    return NULL;
  }
  if (item != NULL) coord__item_retain(item);
  leave(at);
  return item;
}

int64_t coord__content_revision(coord__content *c) {
  coord__snapshot *s;
  coord__slot *at = enter(c, &s);
  if (at == NULL) return 0;
  int64_t revision = s->revision;
  leave(at);
  return revision;
}

size_t coord__content_count(coord__content *c) {
  coord__snapshot *s;
  coord__slot *at = enter(c, &s);
  if (at == NULL) return 0;
  size_t count = s->tree.count;
  leave(at);
  return count;
}

coord__snapshot *coord__content_snapshot(coord__content *c) {
  coord__snapshot *s;
  coord__slot *at = enter(c, &s);
  if (at == NULL) return NULL;
  coord__snapshot_retain(s);
  leave(at);
  return s;
}

coord__snapshot *coord__snapshot_retain(coord__snapshot *s) {
  coord__content_retain(s->content);
  atomic_fetch_add(&s->refs, 1);
  return s;
}

int64_t coord__snapshot_revision(const coord__snapshot *s) { return s->revision; }

const coord__tree *coord__snapshot_tree(const coord__snapshot *s) { return &s->tree; }

/* ---- giving back ---- */

static bool is_read(coord__content *c, const coord__snapshot *s) {
  for (size_t i = 0; i < SLOTS; i++) {
    if (atomic_load(&c->slots[i].reads) == s) return true;
  }
  return atomic_load(&s->refs) > 0; /* after the slots: a reader counts before it leaves */
}

/* The pieces that only this version had are to be freed; the version before it takes over the others. */
static void drop(coord__content *c, coord__snapshot *s, coord__piece **freed) {
  bool is_oldest = s->link.prev == &c->versions;
  coord__snapshot *before = COORD__CONTAINER(s->link.prev, coord__snapshot, link);
  while (s->dead != NULL) {
    coord__piece *piece = s->dead;
    bool is_shared = !is_oldest && before->version >= piece->birth;
    coord__piece **to = is_shared ? &before->dead : freed;
    s->dead = piece->next;
    piece->next = *to;
    *to = piece;
  }
  coord__list_remove(&s->link);
  coord__free(s);
}

bool coord__content_sweep(coord__content *c) {
  coord__piece *freed = NULL;
  pthread_mutex_lock(&c->lock);
  coord__snapshot *newest = atomic_load(&c->newest);
  for (coord__list *n = c->versions.next, *next; n != &c->versions; n = next) {
    coord__snapshot *s = COORD__CONTAINER(n, coord__snapshot, link);
    next = n->next;
    if (s != newest && !is_read(c, s)) drop(c, s, &freed);
  }
  bool more = c->versions.next != c->versions.prev;
  pthread_mutex_unlock(&c->lock);
  coord__pieces_free(freed);
  return more;
}

void coord__snapshot_release(coord__snapshot *s) {
  if (s == NULL) return;
  coord__content *c = s->content;
  /* In a forked child a thread that is no more may hold the lock. */
  bool may_sweep = c->generation == coord__fork_generation();
  bool is_last = atomic_fetch_sub(&s->refs, 1) == 1;
  if (is_last && may_sweep && atomic_load(&c->newest) != s) coord__content_sweep(c);
  coord__content_release(c);
}

/* ---- changing ---- */

coord__edit *coord__content_edit(coord__content *c) {
  if (c->editing) return &c->edit;
  coord__snapshot *newest = atomic_load_explicit(&c->newest, memory_order_relaxed);
  coord__tree nothing = {.skip = c->skip};
  c->edit = newest != NULL ? coord__edit_begin(&newest->tree, newest->version + 1)
                           : coord__edit_begin(&nothing, 1);
  c->editing = true;
  return &c->edit;
}

bool coord__content_publish(coord__content *c, int64_t revision) {
  coord__snapshot *s = coord__calloc(1, sizeof *s);
  if (s == NULL) return false;
  coord__edit *edit = coord__content_edit(c);
  coord__snapshot *before = atomic_load_explicit(&c->newest, memory_order_relaxed);
  s->content = c;
  s->version = edit->version;
  s->revision = revision;
  s->tree = edit->tree;
  pthread_mutex_lock(&c->lock);
  if (before != NULL) before->dead = edit->dead;
  coord__list_append(&c->versions, &s->link);
  atomic_store(&c->newest, s);
  pthread_mutex_unlock(&c->lock);
  coord__edit_end(edit);
  c->editing = false;
  coord__content_sweep(c);
  return true;
}

__attribute__((cold)) void coord__content_revert(coord__content *c) {
  if (c->editing) coord__edit_revert(&c->edit);
  c->editing = false;
}

/* ---- life ---- */

__attribute__((cold)) coord__content *coord__content_new(size_t skip) {
  coord__content *c = coord__calloc(1, sizeof *c);
  if (c == NULL) return NULL;
  atomic_init(&c->refs, 1);
  c->generation = coord__fork_generation();
  c->skip = skip;
  pthread_mutex_init(&c->lock, NULL);
  coord__list_init(&c->versions);
  return c;
}

coord__content *coord__content_retain(coord__content *c) {
  atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
  return c;
}

/* Nobody has a version of it. */
__attribute__((cold)) void coord__content_release(coord__content *c) {
  if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) > 1) return;
  /* What a fork has caught in the middle stays where it is. */
  if (c->generation != coord__fork_generation() && pthread_mutex_trylock(&c->lock) != 0) return;
  coord__content_revert(c);
  coord__snapshot *newest = atomic_load(&c->newest);
  if (newest != NULL) coord__tree_free(&newest->tree);
  for (coord__list *n; (n = coord__list_pop(&c->versions)) != NULL;) {
    coord__snapshot *s = COORD__CONTAINER(n, coord__snapshot, link);
    coord__pieces_free(s->dead);
    coord__free(s);
  }
  if (c->generation == coord__fork_generation()) pthread_mutex_destroy(&c->lock);
  coord__free(c);
}
