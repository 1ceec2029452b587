/* base/heap, compared with a naive model. */
#include "base/heap.h"

#include <string.h>

#include "base/alloc.h"
#include "support/t.h"

enum { NODES = 300 };

static uint64_t seed = 88172645463325252U;

static uint64_t next_random(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

static void empty_heap_has_no_top(void) {
  coord__heap h = {0};
  coord__heap_node n = {0};
  T_TRUE(coord__heap_top(&h) == NULL);
  coord__heap_remove(&h, &n);
  T_TRUE(coord__heap_top(&h) == NULL);
  coord__heap_free(&h);
  coord__heap_free(&h);
}

static void one_node_comes_and_goes(void) {
  coord__heap h = {0};
  coord__heap_node n = {0};
  T_FATAL(coord__heap_insert(&h, &n, -5));
  T_TRUE(coord__heap_top(&h) == &n);
  T_INT(n.key, -5);
  T_TRUE(n.place != 0);
  coord__heap_update(&h, &n, INT64_MAX);
  T_TRUE(coord__heap_top(&h) == &n);
  coord__heap_remove(&h, &n);
  T_INT(n.place, 0);
  coord__heap_remove(&h, &n);
  T_INT(h.len, 0);
  coord__heap_free(&h);
}

static void keys_come_out_sorted(void) {
  static coord__heap_node nodes[1000];
  coord__heap h = {0};
  memset(nodes, 0, sizeof nodes);
  for (int i = 0; i < 1000; i++) {
    T_FATAL(coord__heap_insert(&h, &nodes[i], (int64_t)(next_random() % 500)));
  }
  int64_t last = INT64_MIN;
  for (int i = 0; i < 1000; i++) {
    coord__heap_node *top = coord__heap_top(&h);
    T_FATAL(top != NULL);
    T_TRUE(top->key >= last);
    last = top->key;
    coord__heap_remove(&h, top);
  }
  T_TRUE(coord__heap_top(&h) == NULL);
  coord__heap_free(&h);
}

/* The model: the nodes that have a place, and the least of their keys. */
static bool agrees(const coord__heap *h, const coord__heap_node *nodes) {
  size_t count = 0;
  int64_t least = INT64_MAX;
  for (int i = 0; i < NODES; i++) {
    if (nodes[i].place == 0) continue;
    count++;
    if (nodes[i].key < least) least = nodes[i].key;
    if (nodes[i].place > h->len || h->nodes[nodes[i].place - 1] != &nodes[i]) return false;
  }
  for (size_t i = 1; i < h->len; i++) {
    if (h->nodes[(i - 1) / 2]->key > h->nodes[i]->key) return false;
  }
  const coord__heap_node *top = coord__heap_top(h);
  return count == h->len && (count == 0 ? top == NULL : top->key == least);
}

static void random_use_agrees_with_a_naive_model(void) {
  static coord__heap_node nodes[NODES];
  int64_t wanted[NODES] = {0};
  coord__heap h = {0};
  memset(nodes, 0, sizeof nodes);
  for (int step = 0; step < 30000; step++) {
    size_t i = (size_t)(next_random() % NODES);
    int64_t key = (int64_t)(next_random() % 64) - 32;
    if (nodes[i].place == 0) {
      T_FATAL(coord__heap_insert(&h, &nodes[i], key));
      wanted[i] = key;
    } else if (next_random() % 2 == 0) {
      coord__heap_update(&h, &nodes[i], key);
      wanted[i] = key;
    } else {
      coord__heap_remove(&h, &nodes[i]);
    }
    T_FATAL(nodes[i].place == 0 || nodes[i].key == wanted[i]);
    if (step % 16 == 0) T_FATAL(agrees(&h, nodes));
  }
  for (int i = 0; i < NODES; i++) coord__heap_remove(&h, &nodes[i]);
  T_TRUE(agrees(&h, nodes));
  coord__heap_free(&h);
}

static void failed_insert_leaves_the_node_outside(void) {
  static coord__heap_node nodes[65];
  coord__heap h = {0};
  memset(nodes, 0, sizeof nodes);
  coord__alloc_fail_after(0);
  bool first = coord__heap_insert(&h, &nodes[0], 1);
  coord__alloc_fail_after(-1);
  T_TRUE(!first);
  T_INT(nodes[0].place, 0);
  for (int i = 0; i < 64; i++) T_FATAL(coord__heap_insert(&h, &nodes[i], i));
  T_INT(h.len, h.cap);
  coord__alloc_fail_after(0);
  bool grown = coord__heap_insert(&h, &nodes[64], -1);
  coord__alloc_fail_after(-1);
  T_TRUE(!grown);
  T_INT(nodes[64].place, 0);
  T_TRUE(coord__heap_top(&h) == &nodes[0]);
  coord__heap_free(&h);
}

T_MAIN(T_CASE(empty_heap_has_no_top), T_CASE(one_node_comes_and_goes), T_CASE(keys_come_out_sorted),
       T_CASE(random_use_agrees_with_a_naive_model), T_CASE(failed_insert_leaves_the_node_outside))
