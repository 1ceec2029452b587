/*
 * The transactions of a queue of work. An item is a key under NAME/; who has taken it has written a mark,
 * NAME.taken/<item>, under a lease. '.' comes right before '/', so that one range holds the marks and the
 * items, and little else: one watch sees both, in the order of what happened.
 *
 * Whatever ends the taking of an item leaves the item changed (or gone): what is on the way of an earlier
 * try to take it compares its mod revision, and comes too late.
 */
#ifndef COORD_COORD_WORK_OPS_H
#define COORD_COORD_WORK_OPS_H

#include "base/buf.h"
#include "etcd/op.h"

typedef struct coord__work_names {
  coord__buf items; /* NAME/ */
  coord__buf marks; /* NAME.taken/ */
} coord__work_names;

/* One item, and what a worker has to do with it. */
typedef struct coord__work_item {
  coord__buf key;
  coord__buf mark;
  int64_t revision; /* its mod revision */
  char id[17];      /* what the mark says; each try to take has its own */
} coord__work_item;

/* False: memory is out; to be freed in any case. */
bool coord__work_names_init(coord__work_names *n, const void *name, size_t name_len);
void coord__work_names_free(coord__work_names *n);
bool coord__work_is_item(const coord__work_names *n, const void *key, size_t key_len);
bool coord__work_is_mark(const coord__work_names *n, const void *key, size_t key_len);
/* False: memory is out. */
bool coord__work_item_set(coord__work_item *item, const coord__work_names *n, const void *key,
                          size_t key_len);
void coord__work_item_free(coord__work_item *item);

/* Each NULL when memory is out. */

/* Then: the marks, and the oldest items, without values. */
coord_op *coord__work_look_op(const coord__work_names *n, int64_t limit);
/* Then: the mark was written; the item. Else: the mark, the item, and the two of the look. */
coord_op *coord__work_take_op(const coord__work_names *n, const coord__work_item *item,
                              int64_t lease_id, int64_t limit);
/* Whatever became of a try to take: it is not taken by that one. */
coord_op *coord__work_undo_op(const coord__work_item *item);
/* What was taken by this token; else: the mark. */
coord_op *coord__work_done_op(const coord__work_item *item, int64_t token);
coord_op *coord__work_return_op(const coord__work_item *item, int64_t token);
/* The get of a watch on both. */
coord_op *coord__work_watch_op(const coord__work_names *n);

/* Add to a txn what done is. */
coord_code coord__work_add_done(coord_op *txn, const coord__work_item *item, int64_t token);

#endif
