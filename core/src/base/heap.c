#include "base/heap.h"

#include "base/alloc.h"

static void put_at(coord__heap *h, size_t i, coord__heap_node *n) {
  h->nodes[i] = n;
  n->place = i + 1;
}

static void sift_up(coord__heap *h, size_t i) {
  coord__heap_node *n = h->nodes[i];
  while (i > 0) {
    size_t parent = (i - 1) / 2;
    if (h->nodes[parent]->key <= n->key) break;
    put_at(h, i, h->nodes[parent]);
    i = parent;
  }
  put_at(h, i, n);
}

static void sift_down(coord__heap *h, size_t i) {
  coord__heap_node *n = h->nodes[i];
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= h->len) break;
    if (child + 1 < h->len && h->nodes[child + 1]->key < h->nodes[child]->key) child++;
    if (n->key <= h->nodes[child]->key) break;
    put_at(h, i, h->nodes[child]);
    i = child;
  }
  put_at(h, i, n);
}

bool coord__heap_insert(coord__heap *h, coord__heap_node *n, int64_t key) {
  if (h->len == h->cap) {
    size_t cap = h->cap > 0 ? 2 * h->cap : 64;
    coord__heap_node **nodes = coord__realloc(h->nodes, cap * sizeof *nodes);
    if (nodes == NULL) return false;
    h->nodes = nodes;
    h->cap = cap;
  }
  n->key = key;
  h->nodes[h->len] = n;
  sift_up(h, h->len++);
  return true;
}

void coord__heap_update(coord__heap *h, coord__heap_node *n, int64_t key) {
  int64_t before = n->key;
  n->key = key;
  if (key < before) {
    sift_up(h, n->place - 1);
  } else {
    sift_down(h, n->place - 1);
  }
}

void coord__heap_remove(coord__heap *h, coord__heap_node *n) {
  if (n->place == 0) return;
  size_t i = n->place - 1;
  n->place = 0;
  coord__heap_node *last = h->nodes[--h->len];
  if (last == n) return;
  put_at(h, i, last);
  sift_up(h, i);
  sift_down(h, last->place - 1);
}

coord__heap_node *coord__heap_top(const coord__heap *h) { return h->len > 0 ? h->nodes[0] : NULL; }

void coord__heap_free(coord__heap *h) {
  coord__free(h->nodes);
  *h = (coord__heap){0};
}
