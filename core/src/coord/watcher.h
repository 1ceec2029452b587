/*
 * All watches of a client on few streams: asking for them, taking answers to them, finding streams
 * that have fallen silent, and asking again elsewhere. I/O thread only.
 */
#ifndef COORD_COORD_WATCHER_H
#define COORD_COORD_WATCHER_H

#include "base/map.h"
#include "coord/watch_state.h"
#include "rpc/rpc.h"

typedef struct coord__watcher coord__watcher;
typedef struct coord__feed coord__feed;

typedef enum coord__subscription_state {
  COORD__SUBSCRIPTION_NEW,     /* not with a watcher, or not any more */
  COORD__SUBSCRIPTION_WAITING, /* to be asked for */
  COORD__SUBSCRIPTION_ASKED,
  COORD__SUBSCRIPTION_LIVE,
  COORD__SUBSCRIPTION_PARKED /* takes nothing now */
} coord__subscription_state;

/* Whether the store still holds what was told: its server has not come as far. */
typedef enum coord__doubt {
  COORD__DOUBT_NONE,
  COORD__DOUBT_NEW,
  COORD__DOUBT_ASKED /* what is under way settles it */
} coord__doubt;

/* A watch and its place. Owned by whoever adds it, until it is removed or has ended. */
typedef struct coord__subscription {
  coord__watch watch;
  coord__list link; /* a list of its feed, or the watcher's parked ones */
  coord__feed *feed;
  int64_t id; /* on the stream; once it is live */
  coord__subscription_state state;
  coord_code broken; /* why it had to be asked for again; COORD_OK: it has not */
  int refusals;      /* in a row */
  coord__doubt doubt;
  unsigned era; /* of the store in which it has stood */
  const struct coord__subscriber *subscriber;
  void *owner; /* for the subscriber */
  /* May be NULL: it stood, and is interrupted now; its stream was last heard of then. */
  void (*broke)(struct coord__subscription *s, int64_t heard_ns);
} coord__subscription;

/* Who is told. Not to call the watcher from within. */
typedef struct coord__subscriber {
  /* It stands after `revision`: for the first time, or (broken is not COORD_OK) again. */
  bool (*stands)(coord__subscription *s, int64_t revision, coord_code broken);
  void (*changes)(coord__subscription *s, coord_event *event);
  /* The end; it is out of the watcher. err is handed over; compacted: the oldest revision left. */
  void (*ended)(coord__subscription *s, coord_code code, coord_error *err, int64_t compacted);
} coord__subscriber;

typedef struct coord__watcher_config {
  const coord__method *method;
  int64_t liveness_ns;
  /* There are doubts: coord__watcher_doubts and then _settle are to be called, neither from within.
   * NULL: a server that is behind is taken to lag. */
  void (*verify)(coord__watcher *watcher);
  bool one_at_a_time; /* the wire answers out of order, and knows no requests for progress */
} coord__watcher_config;

enum { COORD__ERA_REASON = 160 };

struct coord__watcher {
  coord__rpc *rpc;
  coord__watcher_config config;
  coord__list feeds;
  size_t feed_count;
  coord__list parked;
  coord__buf frame; /* for what is sent */
  /* So many times the store was found restored, and how that was known the last time. How far the backup
   * goes back nobody says, and so all who know something from an era before look anew, however far the
   * store has come since. */
  unsigned era;
  char new_era[COORD__ERA_REASON];
  uint64_t cluster_id; /* 0: not known */
};

void coord__watcher_init(coord__watcher *watcher, coord__rpc *rpc,
                         const coord__watcher_config *config);
/* Ends all subscriptions. */
void coord__watcher_end(coord__watcher *watcher, coord_code code, const char *why);
/* After that. */
void coord__watcher_free(coord__watcher *watcher);

/* The store is going to be asked for its newest revision, by a read that no member answers by itself, for
 * all that are in doubt now: one of them; NULL: none is. */
coord__subscription *coord__watcher_doubts(coord__watcher *watcher);
/* It is this one. If one of those was told what this store does not hold, all end that were told something;
 * else they are with servers that only lag, and stand. */
void coord__watcher_settle(coord__watcher *watcher, int64_t revision);

/* The store is not the one from before, for this reason. */
void coord__watcher_begin_era(coord__watcher *watcher, const char *why);

/* False: memory is out. */
bool coord__watcher_add(coord__watcher *watcher, coord__subscription *s);
/* Nothing is told of it any more. In any state. */
void coord__watcher_remove(coord__subscription *s);
/* Give it up on its stream, and go on from there later. */
void coord__watcher_park(coord__watcher *watcher, coord__subscription *s);
void coord__watcher_unpark(coord__watcher *watcher, coord__subscription *s);

#endif
