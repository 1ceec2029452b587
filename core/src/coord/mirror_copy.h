/*
 * The copies of a client that its mirrors read: one for each prefix and file, made for the first mirror
 * of it and gone with the last. I/O thread only, but for what says so.
 */
#ifndef COORD_COORD_MIRROR_COPY_H
#define COORD_COORD_MIRROR_COPY_H

#include "base/list.h"
#include "coord/mirror_file.h"
#include "coord/replica.h"
#include "coord/scan.h"
#include "coord/watcher.h"
#include "etcd/client.h"
#include "etcd/task.h"

typedef struct coord__copy coord__copy;

/* A mirror, as its copy sees it. */
typedef struct coord__mirror_member {
  coord__list link;
  coord__copy *copy; /* NULL: it is with none */
  void (*told)(struct coord__mirror_member *m, const coord__replica_told *told);
  /* Try again what memory was out for. */
  void (*again)(struct coord__mirror_member *m);
  /* Events were delivered: look whether too many wait. */
  void (*delivered)(struct coord__mirror_member *m);
  coord_queue *queue; /* NULL: none */
  coord__list touched;
} coord__mirror_member;

/* An event of a member. */
typedef struct coord__mirror_event {
  coord_event event;
  coord__mirror_member *member;
  coord__transition *transition;
} coord__mirror_event;

struct coord__copy {
  atomic_int refs; /* mirrors, a page under way, the file being written */
  coord_client *client;
  coord__list link; /* while others may join it */
  coord__list members;
  coord__buf prefix;
  coord__replica replica;
  coord_code code;    /* why it has ended, once it has */
  coord_error *error; /* the same */
  /* The list. */
  coord_scan *scan;
  coord__task *page;  /* under way */
  coord_code unasked; /* it could not be asked for, for this reason */
  /* The watch. */
  coord__subscription sub;
  bool subscribed;
  bool telling; /* the watcher is on the stack, which is not to be called then */
  coord__idle attend;
  bool unwatch_later;
  coord__timer pause;
  coord__timer again;
  /* The file. */
  coord__mirror_file *file; /* NULL: none */
  bool file_wanted;         /* to go on with what it holds */
  bool unsaved;
  bool saving;
  coord__timer save;
};

/* The copy of this prefix and file (NULL: none); made, and begun, if there is none. `file` is handed
 * over. One reference. NULL: memory is out. */
coord__copy *coord__copy_of(coord_client *c, const coord__buf *prefix, coord__mirror_file *file,
                            bool file_first);
void coord__copy_join(coord__copy *copy, coord__mirror_member *m);
void coord__copy_leave(coord__mirror_member *m);
/* Any thread in a forked child. */
void coord__copy_release(coord__copy *copy);
/* Call `again` of its members after a while. */
void coord__copy_again_later(coord__copy *copy);

/* To be delivered before the loop sleeps, all events of a round together. */
void coord__copies_tell(coord_client *c, coord__mirror_event *event);
/* What is there; before a member goes. */
void coord__copies_deliver(coord_client *c);

#endif
