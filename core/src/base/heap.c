#include "base/heap.h"

#include <stddef.h>

/* The one with the later key becomes the first child of the other. Either may be NULL. */
static coord__heap_node *meld(coord__heap_node *a, coord__heap_node *b) {
  if (a == NULL) return b;
  if (b == NULL) return a;
  if (b->key < a->key) {
    coord__heap_node *swap = a;
    a = b;
    b = swap;
  }
  b->next = a->child;
  b->prev = a;
  if (a->child != NULL) a->child->prev = b;
  a->child = b;
  return a;
}

/* One heap of a list of siblings: in pairs from the left, then the pairs from the right. */
static coord__heap_node *meld_all(coord__heap_node *first) {
  coord__heap_node *pairs = NULL;
  while (first != NULL) {
    coord__heap_node *a = first;
    coord__heap_node *b = a->next;
    first = b != NULL ? b->next : NULL;
    a->next = a->prev = NULL;
    if (b != NULL) b->next = b->prev = NULL;
    coord__heap_node *pair = meld(a, b);
    pair->next = pairs;
    pairs = pair;
  }
  coord__heap_node *all = NULL;
  while (pairs != NULL) {
    coord__heap_node *pair = pairs;
    pairs = pair->next;
    pair->next = NULL;
    all = meld(all, pair);
  }
  return all;
}

void coord__heap_remove(coord__heap *h, coord__heap_node *n) {
  if (!n->is_in) return;
  if (h->top == n) {
    h->top = meld_all(n->child);
  } else {
    if (n->prev->child == n) {
      n->prev->child = n->next;
    } else {
      n->prev->next = n->next;
    }
    if (n->next != NULL) n->next->prev = n->prev;
    h->top = meld(h->top, meld_all(n->child));
  }
  *n = (coord__heap_node){.key = n->key};
}

void coord__heap_set(coord__heap *h, coord__heap_node *n, int64_t key) {
  coord__heap_remove(h, n);
  n->key = key;
  n->is_in = true;
  h->top = meld(h->top, n);
}
