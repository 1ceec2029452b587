/*
 * The copy that mirrors read: first all keys, page by page at one revision, then what a watch tells from
 * the next revision on; and all keys again when the watch cannot go on. Without clock, wire or thread:
 * it asks through a table of functions, and is told what came. I/O thread only, but for what says so.
 */
#ifndef COORD_COORD_REPLICA_H
#define COORD_COORD_REPLICA_H

#include "coord/changes.h"
#include "coord/content.h"
#include "coord/transition.h"

typedef struct coord__replica coord__replica;

typedef enum coord__replica_news {
  COORD__REPLICA_FILE,    /* there is content, from a file */
  COORD__REPLICA_REREAD,  /* all was read: `before` (NULL: there was nothing) is now the newest */
  COORD__REPLICA_CHANGED, /* transition: from `before` to the newest */
  COORD__REPLICA_RESUMED, /* the watch stands again, after an interruption with this code */
  COORD__REPLICA_TRIES,   /* reading has failed with this code, for now */
  COORD__REPLICA_ENDED    /* for good */
} coord__replica_news;

/* What is told. All borrowed. */
typedef struct coord__replica_told {
  coord__replica_news news;
  coord_code code;
  const coord_error *error;
  coord__snapshot *before;
  coord__transition *transition; /* NULL with REREAD: there was nothing before, or memory is out */
} coord__replica_told;

/* What it does in the world. */
typedef struct coord__replica_world {
  /* Ask for a page: the first one of a list at the newest revision (anew), or the next one. Answered
   * by coord__replica_page again and again, until coord__replica_listed or _failed; not from within. */
  void (*list)(coord__replica *r, bool anew);
  /* Watch from this revision on. False: memory is out. */
  bool (*watch)(coord__replica *r, int64_t revision);
  void (*unwatch)(coord__replica *r);
  /* coord__replica_resume after a while. */
  void (*pause)(coord__replica *r, unsigned failures);
  int64_t (*boot_ns)(coord__replica *r);
  /* Not to call the replica from within. */
  void (*told)(coord__replica *r, const coord__replica_told *told);
} coord__replica_world;

typedef enum coord__replica_state {
  COORD__REPLICA_NEW,
  COORD__REPLICA_LISTING,
  COORD__REPLICA_PAUSED, /* before a list, or before its next page */
  COORD__REPLICA_WATCHING,
  COORD__REPLICA_OVER
} coord__replica_state;

struct coord__replica {
  const coord__replica_world *world;
  coord__content *content;
  coord__replica_state state;
  bool listing;            /* a list has begun, and its pages so far are in the edit */
  bool loaded;             /* by a list, not only from a file */
  unsigned failures;       /* in a row */
  coord_code why;          /* of the list */
  int64_t fixed_ns;        /* when its first page came, of whose revision all are; 0: not yet */
  coord__snapshot *before; /* what the list is compared with; NULL: nothing */
  coord__cursor at;        /* in that, behind: */
  coord__item *next;       /* what comes next there; NULL: its end */
  uint64_t cluster_id;     /* of the content; 0: not known */
  /* When the content was last surely that of the server, on the clock that goes on in sleep. Any
   * thread. */
  atomic_llong fresh_ns;
};

#define COORD__REPLICA_NEVER INT64_MIN /* nothing is loaded */
#define COORD__REPLICA_NOW INT64_MAX   /* it is now */

/* False: memory is out. All keys begin with the same `skip` bytes. */
bool coord__replica_init(coord__replica *r, const coord__replica_world *world, size_t skip);
void coord__replica_free(coord__replica *r);

/* Content from a file, so old, while there is no other. Those of the items that it takes are NULL
 * then. False: memory is out. */
bool coord__replica_restore(coord__replica *r, coord__item **items, size_t count, int64_t revision,
                            int64_t age_ns);
void coord__replica_start(coord__replica *r);
/* Nothing is asked or told any more. */
void coord__replica_stop(coord__replica *r);
/* It is over. err is borrowed. */
void coord__replica_end(coord__replica *r, coord_code code, const coord_error *err);

/* What came. */
void coord__replica_page(coord__replica *r, const coord_result *page);
void coord__replica_listed(coord__replica *r, int64_t revision);
void coord__replica_failed(coord__replica *r, coord_code code, const coord_error *err);
void coord__replica_resume(coord__replica *r);
/* Of the watch. */
void coord__replica_stands(coord__replica *r, coord_code broken);
void coord__replica_broke(coord__replica *r, int64_t heard_ago_ns);
void coord__replica_changes(coord__replica *r, const coord_event *event);
void coord__replica_unwatched(coord__replica *r, coord_code code, const coord_error *err);

/* Any thread. -1: nothing is loaded. */
int64_t coord__replica_staleness_ms(const coord__replica *r, int64_t boot_ns);

#endif
