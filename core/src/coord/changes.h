/* Changes of keys, as a watch is told of them, and the event that carries them. */
#ifndef COORD_COORD_CHANGES_H
#define COORD_COORD_CHANGES_H

#include "base/event.h"
#include "base/list.h"
#include "etcd/namespace.h"

/* In one block, with a copy of the bytes that the keys and values point into. */
typedef struct coord__changes {
  coord_event event; /* first */
  size_t count;
  coord_kv *kvs;
  coord_kv *prevs; /* NULL: none */
  uint8_t *types;  /* COORD_CHANGE_... */
} coord__changes;

/* Which of the events in a run of encoded fields are to be delivered. */
typedef struct coord__span {
  size_t from; /* bytes [from, to) hold them all */
  size_t to;
  size_t count;
  bool has_prev;
  int64_t last; /* the revision of the last one */
  size_t rest;  /* from here on nothing but events of the newest revision */
} coord__span;

/* Look at the events among the fields of an encoded WatchResponse, or of several ones laid end to
 * end: those with revisions from `next` on, up to the end, or to the newest revision exclusively when
 * more of that one may follow. COORD_PROTOCOL: the bytes are wrong, or revisions go back. */
coord_code coord__changes_find(const uint8_t *bytes, size_t len, int64_t next, bool more_follows,
                               coord__span *out);

/* An event CHANGES of what was found in these bytes. COORD_NO_MEMORY, COORD_PROTOCOL (a key is not
 * in the namespace). */
coord_code coord__changes_new(const uint8_t *bytes, const coord__span *span, int64_t next,
                              const coord__namespace *ns, coord__changes **out);
/* One with one change. NULL: memory is out. */
coord__changes *coord__changes_one(int32_t type, const coord_kv *kv);
/* One without changes: so far the watch has come. NULL: memory is out. */
coord__changes *coord__changes_none(int64_t revision);

#endif
