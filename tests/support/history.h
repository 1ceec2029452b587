/*
 * Numbered values from several writers, and a watch that has to tell each of them once, in order,
 * whatever happens to the servers meanwhile.
 */
#ifndef COORD_TEST_HISTORY_H
#define COORD_TEST_HISTORY_H

#include "support/etcd.h"

typedef struct t_history t_history;

typedef struct t_history_options {
  coord_client *writer;
  coord_client *watcher;
  int writers;           /* at most 8 */
  int watches;           /* of the same keys; at most 8 */
  int pause_us;          /* between the puts of a writer */
  bool may_be_overtaken; /* a compaction may end the watch; it is opened anew behind a read */
} t_history_options;

typedef struct t_history_tally {
  int written;            /* puts that were acknowledged */
  int maybe;              /* puts of which that is not known */
  int told;               /* changes, by all watches */
  int resumed;            /* RESYNC behind the first */
  int overtaken;          /* COMPACTED */
  int64_t longest_gap_ms; /* between changes of a watch */
} t_history_tally;

/* Keys under a prefix of this case. */
t_history *t_history_start(const t_history_options *options);
/* Until `n` more puts were acknowledged and the watches have told as many; false, and a failure,
 * after 40 s. */
bool t_history_go_on(t_history *h, int n);
/* The newest revision that all watches have told. */
int64_t t_history_told(t_history *h);
/* From now on gaps are measured anew. */
void t_history_forget_gaps(t_history *h);
/* Stops the writers, waits until all was told, checks it and frees it. */
t_history_tally t_history_end(t_history *h);

#endif
