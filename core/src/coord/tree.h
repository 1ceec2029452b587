/*
 * Key-values in the order of their keys, in a tree whose nodes are never changed once they were seen: a
 * change makes new ones from the root down to it. So any number of versions share what they have in
 * common.
 *
 * A node has up to 64 entries, and of each its next 8 bytes behind what all keys of the node have in
 * common: a search touches few other lines of memory until it arrives at the key.
 */
#ifndef COORD_COORD_TREE_H
#define COORD_COORD_TREE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coord/base.h"
#include "etcd.pb-c.h"

/* What a tree is made of, as it is given back: a version that it is no part of any more keeps it. */
typedef struct coord__piece {
  struct coord__piece *next;
  uint64_t birth; /* the version that it came with */
  bool is_item;
} coord__piece;

/* A key-value, in one block with its bytes. Immutable; counted: the trees together count as one. */
typedef struct coord__item {
  coord__piece piece;
  atomic_int refs;
  Etcdserverpb__KeyValue kv;
} coord__item;

/* NULL: memory is out. One reference. */
coord__item *coord__item_new(const coord_kv *kv);
coord__item *coord__item_retain(coord__item *item);
void coord__item_release(coord__item *item);
/* As the public struct, borrowed. */
coord_kv coord__item_kv(const coord__item *item);

typedef struct coord__node coord__node;

typedef struct coord__tree {
  coord__node *root; /* NULL: empty */
  size_t count;
} coord__tree;

/* NULL: it is not there. */
coord__item *coord__tree_find(const coord__tree *tree, const void *key, size_t len);

enum { COORD__TREE_DEPTH = 12 };

/* A place between keys. Valid as long as the tree is. */
typedef struct coord__cursor {
  int depth; /* 0: the end */
  struct {
    const coord__node *node;
    size_t at;
  } path[COORD__TREE_DEPTH];
} coord__cursor;

/* Before the first key that is not less than this one. */
coord__cursor coord__tree_seek(const coord__tree *tree, const void *key, size_t len);
/* The item after it, and go on; NULL: the end. */
coord__item *coord__cursor_next(coord__cursor *cursor);

#endif
