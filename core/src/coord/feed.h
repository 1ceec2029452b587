/* One stream of watches. I/O thread only. */
#ifndef COORD_COORD_FEED_H
#define COORD_COORD_FEED_H

#include "coord/watcher.h"

struct coord__feed {
  coord__list link;
  coord__watcher *watcher;
  coord__stream stream;
  bool streaming;   /* the stream exists */
  bool open;        /* and may be sent on */
  size_t count;     /* of subscriptions */
  coord__list todo; /* those to be asked for */
  coord__list subs; /* those asked for */
  coord__map by_id; /* live ones */
  coord__buf asked; /* slots: what was asked for and is not answered, in order */
  size_t answered;  /* of those, from the front on */
  int64_t last_id;
  coord__timer retry;   /* to open the stream, or to ask */
  coord__timer silence; /* while it matters */
  int64_t heard_ns;
  int64_t active_ns; /* something was told that was no progress, or asked for */
  int64_t probed_ns; /* 0: no answer is waited for */
  int failures;      /* of the stream, in a row */
  int stalls;        /* in a row */
};

/* NULL: memory is out. */
coord__feed *coord__feed_new(coord__watcher *watcher);
/* Has no subscriptions any more. */
void coord__feed_free(coord__feed *feed);

/* The same as of the watcher, for its own; after _settle the feed may be gone. */
coord__subscription *coord__feed_doubts(coord__feed *feed);
/* The store must have come as far, by what those were told. */
int64_t coord__feed_reached(const coord__feed *feed);
void coord__feed_settle(coord__feed *feed);

void coord__feed_add(coord__feed *feed, coord__subscription *s);
/* Takes it out, and off the server; the feed may be gone then. */
void coord__feed_remove(coord__feed *feed, coord__subscription *s);

#endif
