/*
 * Whether a server that is behind only lags, or its store was restored from a backup: what settles the
 * doubts of a watcher. I/O thread only.
 */
#ifndef COORD_COORD_VERIFIER_H
#define COORD_COORD_VERIFIER_H

#include "coord/ask.h"
#include "coord/watcher.h"

typedef struct coord__verifier {
  coord__watcher *watcher;
  coord__ask ask;
  bool asking;
  unsigned failures; /* in a row */
  coord__timer timer;
} coord__verifier;

void coord__verifier_init(coord__verifier *v, coord_client *c, coord__watcher *watcher);
/* The watcher has doubts. */
void coord__verifier_start(coord__verifier *v);
/* The client is being closed. */
void coord__verifier_end(coord__verifier *v);

#endif
