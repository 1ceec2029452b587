/*
 * What the layers of a configuration come to: an immutable list of values, in the order of their keys.
 * It is made of what the layers hold, topmost first, and of the one before: a value that is no JSON is
 * passed over, and the last good one of its layer stays. Any thread.
 */
#ifndef COORD_COORD_CONFIG_VIEW_H
#define COORD_COORD_CONFIG_VIEW_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/buf.h"
#include "coord/changes.h"
#include "coord/content.h"

enum { COORD__CONFIG_LAYERS = 8 };

typedef struct coord__config_value {
  const coord__item *named_by;            /* one of those below, whose key counts */
  size_t skip;                            /* so many bytes of that key are its layer's */
  coord__item *item;                      /* NULL: none is good */
  int layer;                              /* of item: 0 is the topmost */
  coord__item *bad[COORD__CONFIG_LAYERS]; /* by layer; NULL: not bad, or not looked at */
} coord__config_value;

typedef struct coord__config_view {
  atomic_int refs;
  int64_t revision; /* the newest of the layers */
  uint64_t number;  /* in the order of their making; revisions go back when a store is restored */
  size_t count;
  size_t room;
  coord__config_value *values;
} coord__config_view;

/* The keys of a tree that begin with the first `skip` bytes of `name`. */
typedef struct coord__config_source {
  const coord__tree *tree; /* NULL: empty */
  const uint8_t *name;
  size_t skip;
} coord__config_source;

/* `before` may be NULL. rejected(arg, item, why): a value that was
 * not bad before, or not known. NULL: memory is out. */
coord__config_view *coord__config_view_new(const coord__config_source *layers, size_t count,
                                           int64_t revision, const coord__config_view *before,
                                           void (*rejected)(void *arg, const coord__item *item,
                                                            const char *why),
                                           void *arg);
coord__config_view *coord__config_view_retain(coord__config_view *v);
/* NULL is fine. */
void coord__config_view_release(coord__config_view *v);

/* NULL: no good value. */
const coord__config_value *coord__config_view_find(const coord__config_view *v, const char *key);
/* With the key of the configuration, borrowed; version 0: not of the topmost layer. */
coord_kv coord__config_value_kv(const coord__config_value *value);

/* What leads from one to the other (from may be NULL: from nothing); *out NULL: they say the same.
 * COORD_NO_MEMORY. */
coord_code coord__config_view_changes(coord__config_view *from, coord__config_view *to,
                                      coord__changes **out);
/* Where an event leads that has such changes; borrowed. NULL: it has not. */
coord__config_view *coord__config_view_of(const coord_event *event);

#endif
