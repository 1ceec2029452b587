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

/* What a tree is made of, and how it is given back. */
typedef struct coord__piece {
  struct coord__piece *next;
  uint64_t birth; /* the version that it came with */
  bool is_item;
} coord__piece;

/* A key-value, in one block with its bytes. Immutable; counted: all versions together count as one. */
typedef struct coord__item {
  coord__piece piece;
  atomic_int refs;
  Etcdserverpb__KeyValue kv;
} coord__item;

/* One reference. NULL: memory is out. */
coord__item *coord__item_new(const coord_kv *kv);
coord__item *coord__item_retain(coord__item *item);
/* NULL is fine. */
void coord__item_release(coord__item *item);
/* As the public struct, borrowed. */
coord_kv coord__item_kv(const coord__item *item);
/* Whether it says the same, in all that a key-value says. */
bool coord__item_is(const coord__item *item, const coord_kv *kv);

typedef struct coord__node coord__node;
typedef struct coord__nodes coord__nodes;

/* One version. */
typedef struct coord__tree {
  coord__node *root; /* NULL: empty */
  size_t count;
  size_t skip; /* so many bytes at the beginning of all keys are the same, and not looked at */
} coord__tree;

/* The order of keys. */
int coord__compare_keys(const void *a, size_t a_len, const void *b, size_t b_len);

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

/* Before the first key that is not less than this one; len 0: before all. */
coord__cursor coord__tree_seek(const coord__tree *tree, const void *key, size_t len);
/* The item after it, and go on; NULL: the end. */
coord__item *coord__cursor_next(coord__cursor *cursor);

/* ---- making the next version of a tree ---- */

typedef struct coord__edit {
  coord__tree tree;   /* as it will be */
  uint64_t version;   /* of what is new in it */
  coord__piece *dead; /* what was in the tree before, and is not in this one */
  coord__piece *spare;
  size_t spares;
  coord__nodes *nodes; /* that were made together and are not all in use yet; NULL: none */
  coord__node
      *open[COORD__TREE_DEPTH]; /* while it is built in order: the last node of each level */
  size_t built;
} coord__edit;

coord__edit coord__edit_begin(const coord__tree *from, uint64_t version);
/* The item is handed over if that goes well, and takes the place of one with its key. False: memory is
 * out, nothing has changed. */
bool coord__edit_put(coord__edit *e, coord__item *item);
/* False: memory is out, nothing has changed. Fine for a key that is not there. */
bool coord__edit_remove(coord__edit *e, const void *key, size_t len);
/* From nothing, in the order of keys: append all, then `built`. An item that is in the tree before has
 * its reference there; a new one is handed over if that goes well. What is not appended again of those
 * is retired by the caller. */
bool coord__edit_append(coord__edit *e, coord__item *item);
bool coord__edit_built(coord__edit *e);
/* An item of the tree before that is not to be in this one. */
void coord__edit_retire(coord__edit *e, coord__item *item);
/* Done: what is left over is freed. The caller has taken tree and dead. */
void coord__edit_end(coord__edit *e);
/* As if nothing had been done. */
void coord__edit_revert(coord__edit *e);

/* Give a list of pieces back. */
void coord__pieces_free(coord__piece *list);
/* All of a tree that nobody reads any more. */
void coord__tree_free(coord__tree *tree);

#endif
