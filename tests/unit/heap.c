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
  T_TRUE(h.top == NULL);
  coord__heap_remove(&h, &n);
  T_TRUE(h.top == NULL);
}

static void one_node_comes_and_goes(void) {
  coord__heap h = {0};
  coord__heap_node n = {0};
  coord__heap_set(&h, &n, -5);
  T_TRUE(h.top == &n);
  T_INT(n.key, -5);
  T_TRUE(n.is_in);
  coord__heap_set(&h, &n, INT64_MAX);
  T_TRUE(h.top == &n);
  coord__heap_remove(&h, &n);
  T_TRUE(!n.is_in);
  coord__heap_remove(&h, &n);
  T_TRUE(h.top == NULL);
}

static void keys_come_out_sorted(void) {
  static coord__heap_node nodes[1000];
  coord__heap h = {0};
  memset(nodes, 0, sizeof nodes);
  for (int i = 0; i < 1000; i++) coord__heap_set(&h, &nodes[i], (int64_t)(next_random() % 500));
  int64_t last = INT64_MIN;
  for (int i = 0; i < 1000; i++) {
    coord__heap_node *top = h.top;
    T_FATAL(top != NULL);
    T_TRUE(top->key >= last);
    last = top->key;
    coord__heap_remove(&h, top);
  }
  T_TRUE(h.top == NULL);
}

/* The model: the nodes that are in, and the least of their keys. */
static bool agrees(const coord__heap *h, const coord__heap_node *nodes) {
  int64_t least = INT64_MAX;
  bool any = false;
  for (int i = 0; i < NODES; i++) {
    if (!nodes[i].is_in) continue;
    any = true;
    if (nodes[i].key < least) least = nodes[i].key;
  }
  return any ? h->top != NULL && h->top->is_in && h->top->key == least : h->top == NULL;
}

static void random_use_agrees_with_a_naive_model(void) {
  static coord__heap_node nodes[NODES];
  int64_t wanted[NODES] = {0};
  coord__heap h = {0};
  memset(nodes, 0, sizeof nodes);
  for (int step = 0; step < 30000; step++) {
    size_t i = (size_t)(next_random() % NODES);
    if (next_random() % 3 > 0) {
      wanted[i] = (int64_t)(next_random() % 64) - 32;
      coord__heap_set(&h, &nodes[i], wanted[i]);
    } else {
      coord__heap_remove(&h, &nodes[i]);
    }
    T_FATAL(!nodes[i].is_in || nodes[i].key == wanted[i]);
    T_FATAL(agrees(&h, nodes));
  }
  for (int i = 0; i < NODES; i++) coord__heap_remove(&h, &nodes[i]);
  T_TRUE(agrees(&h, nodes));
}

static void a_million_growing_keys_are_quick(void) {
  enum { MANY = 1000000 };
  coord__heap_node *nodes = coord__calloc(MANY, sizeof *nodes);
  coord__heap h = {0};
  T_FATAL(nodes != NULL);
  int64_t began = t_now_ms();
  for (int i = 0; i < MANY; i++) coord__heap_set(&h, &nodes[i], i);
  for (int i = 0; i < MANY; i++) {
    T_FATAL(h.top == &nodes[i]);
    coord__heap_remove(&h, &nodes[i]);
  }
  T_WITHIN(began, 10000);
  coord__free(nodes);
}

T_MAIN(T_CASE(empty_heap_has_no_top), T_CASE(one_node_comes_and_goes), T_CASE(keys_come_out_sorted),
       T_CASE(random_use_agrees_with_a_naive_model), T_CASE(a_million_growing_keys_are_quick))
