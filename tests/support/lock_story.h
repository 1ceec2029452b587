/* What a store tells of a lock and of the key that it guards, and what its rivals tell: whether both
 * are of one who holds it at a time. */
#ifndef COORD_TEST_LOCK_STORY_H
#define COORD_TEST_LOCK_STORY_H

#include "support/rival.h"

typedef struct t_lock_story t_lock_story;

typedef struct t_lock_tally {
  int keys; /* that were written to wait or hold */
  int held; /* tokens with which somebody was sure to hold it */
  int actions;
  int cut_short; /* of these: not sure to hold it any more at the end */
  int guarded;   /* writes of the key that were done */
  int refused;   /* and that were not */
  int stale;     /* tried with a token of before */
  int stale_refused;
  int ended[8]; /* waits: held, CONFLICT, TIMEOUT, CANCELED, LOST, UNAVAILABLE, others */
} t_lock_tally;

/* Watches keys below NAME/ and the key NAME-guarded from now on, with a client that nothing hurts. */
t_lock_story *t_lock_story_start(coord_client *client, const char *name);
/* Adds the account of a process that has ended. */
void t_lock_story_add(t_lock_story *story, const t_entry *entries, size_t count);
/* Checks all of it and frees it. */
t_lock_tally t_lock_story_end(t_lock_story *story);

#endif
