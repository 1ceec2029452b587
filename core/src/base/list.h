/* A doubly linked list through a member of its elements. */
#ifndef COORD_BASE_LIST_H
#define COORD_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A head points at itself when empty; a node that is in no list has next == NULL. */
typedef struct coord__list {
  struct coord__list *next;
  struct coord__list *prev;
} coord__list;

#define COORD__CONTAINER(node, type, member) \
  ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void coord__list_init(coord__list *head) { head->next = head->prev = head; }

static inline bool coord__list_empty(const coord__list *head) { return head->next == head; }

static inline bool coord__list_linked(const coord__list *node) { return node->next != NULL; }

static inline void coord__list_append(coord__list *head, coord__list *node) {
  node->next = head;
  node->prev = head->prev;
  head->prev->next = node;
  head->prev = node;
}

static inline void coord__list_prepend(coord__list *head, coord__list *node) {
  coord__list_append(head->next, node);
}

/* Taking out a node that is in no list does nothing. */
static inline void coord__list_remove(coord__list *node) {
  if (node->next == NULL) return;
  node->next->prev = node->prev;
  node->prev->next = node->next;
  node->next = node->prev = NULL;
}

/* The first node, taken out; NULL when empty. */
static inline coord__list *coord__list_pop(coord__list *head) {
  coord__list *node = head->next;
  if (node == head) return NULL;
  coord__list_remove(node);
  return node;
}

/* Move all nodes of `from` to the end of `to`; `from` is empty then. */
static inline void coord__list_splice(coord__list *to, coord__list *from) {
  if (coord__list_empty(from)) return;
  from->next->prev = to->prev;
  to->prev->next = from->next;
  from->prev->next = to;
  to->prev = from->prev;
  coord__list_init(from);
}

#endif
