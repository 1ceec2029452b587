/*
 * What wakes those who wait for others: changes of keys, the end of a watch, and pauses after failures.
 * Who is woken looks how things stand; no change says that by itself. I/O thread only.
 */
#ifndef COORD_COORD_LOOKOUT_H
#define COORD_COORD_LOOKOUT_H

#include "coord/watcher.h"
#include "etcd/client.h"
#include "etcd/op.h"

typedef struct coord__lookout {
  coord_client *client; /* held by the owner */
  /* Whether to wake for a change. From within the watcher. */
  bool (*matters)(struct coord__lookout *l, int32_t type, const coord_kv *kv);
  /* A change that matters, the end of the watch, or of a pause. Not from within the watcher. */
  void (*wakes)(struct coord__lookout *l);
  bool used;
  bool watching;
  unsigned failures; /* in a row; the owner sets it back to 0 */
  coord__subscription sub;
  coord__idle attend;
  coord__timer timer;
} coord__lookout;

void coord__lookout_init(coord__lookout *l, coord_client *c,
                         bool (*matters)(coord__lookout *l, int32_t type, const coord_kv *kv),
                         void (*wakes)(coord__lookout *l));
/* Watch what `get` names, which is handed over and may be NULL (memory is out), from this revision on;
 * instead of what was watched before. False: memory is out. */
bool coord__lookout_watch(coord__lookout *l, coord_op *get, int64_t revision);
/* The store has come to this revision, by what somebody else was told. */
void coord__lookout_reached(coord__lookout *l, int64_t revision);
/* Wake after a while, longer with each failure. */
void coord__lookout_pause(coord__lookout *l);
/* Nothing wakes any more. */
void coord__lookout_stop(coord__lookout *l);

#endif
