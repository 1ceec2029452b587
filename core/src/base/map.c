#include "base/map.h"

#include "base/alloc.h"

/* Linear probing, at most half full, deletion by shifting back: no tombstones. */

static size_t home(const coord__map *m, uint64_t key) {
  return (size_t)((key * 0x9E3779B97F4A7C15U) >> 20) & (m->cap - 1);
}

static void place(coord__map *m, uint64_t key, void *value) {
  size_t i = home(m, key);
  while (m->slots[i].value != NULL) i = (i + 1) & (m->cap - 1);
  m->slots[i] = (coord__map_slot){key, value};
}

static bool grow(coord__map *m) {
  coord__map bigger = {.cap = m->cap > 0 ? 2 * m->cap : 64, .len = m->len};
  bigger.slots = coord__calloc(bigger.cap, sizeof *bigger.slots);
  if (bigger.slots == NULL) return false;
  for (size_t i = 0; i < m->cap; i++) {
    if (m->slots[i].value != NULL) place(&bigger, m->slots[i].key, m->slots[i].value);
  }
  coord__free(m->slots);
  *m = bigger;
  return true;
}

bool coord__map_insert(coord__map *m, uint64_t key, void *value) {
  if (2 * (m->len + 1) > m->cap && !grow(m)) return false;
  place(m, key, value);
  m->len++;
  return true;
}

static coord__map_slot *find(const coord__map *m, uint64_t key) {
  if (m->cap == 0) return NULL;
  for (size_t i = home(m, key); m->slots[i].value != NULL; i = (i + 1) & (m->cap - 1)) {
    if (m->slots[i].key == key) return &m->slots[i];
  }
  return NULL;
}

void *coord__map_find(const coord__map *m, uint64_t key) {
  coord__map_slot *slot = find(m, key);
  return slot != NULL ? slot->value : NULL;
}

void *coord__map_remove(coord__map *m, uint64_t key) {
  coord__map_slot *slot = find(m, key);
  if (slot == NULL) return NULL;
  void *value = slot->value;
  size_t mask = m->cap - 1;
  size_t hole = (size_t)(slot - m->slots);
  for (size_t i = (hole + 1) & mask; m->slots[i].value != NULL; i = (i + 1) & mask) {
    size_t from = home(m, m->slots[i].key);
    if (((i - from) & mask) < ((i - hole) & mask)) continue;
    m->slots[hole] = m->slots[i];
    hole = i;
  }
  m->slots[hole].value = NULL;
  m->len--;
  return value;
}

void *coord__map_any(const coord__map *m) {
  for (size_t i = 0; m->len > 0 && i < m->cap; i++) {
    if (m->slots[i].value != NULL) return m->slots[i].value;
  }
  return NULL;
}

void coord__map_free(coord__map *m) {
  coord__free(m->slots);
  *m = (coord__map){0};
}
