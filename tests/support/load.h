/*
 * A steady load on a client while something happens to its servers, with an account of every call:
 * readers of one key, writers of a key each, counters that raise one number by compare-and-set.
 */
#ifndef COORD_TEST_LOAD_H
#define COORD_TEST_LOAD_H

#include "support/etcd.h"

typedef struct t_load t_load;

typedef struct t_load_options {
  coord_client *client;
  int readers;
  int writers;
  int counters;
  int timeout_ms;       /* deadline of each call; 0: the client's */
  int write_timeout_ms; /* of those that write; 0: the same. What a leader took with it is waited for
                         * until then. */
} t_load_options;

typedef enum t_load_kind { T_LOAD_READ, T_LOAD_WRITE, T_LOAD_COUNT, T_LOAD_KINDS } t_load_kind;

/* What the threads of one kind have seen. */
typedef struct t_tally {
  int ok;
  int maybe;          /* failed with MAYBE_APPLIED */
  int clean;          /* failed otherwise */
  int64_t longest_ms; /* without the time for which the machine was busy */
  char first_error[256];
} t_tally;

/* Writes the keys and starts the threads; at most 16. */
t_load *t_load_start(const t_load_options *options);
/* The usual one: some of each kind, writes that give up after 1.5 s; it has done some calls. */
t_load *t_load_begin(coord_client *client);
/* Lets it do some more calls and stops it; no read may have failed or taken longer, and each write
 * was done once. Frees it. */
void t_load_end(t_load *load, int longest_read_ms);
/* Until each kind has done n more calls with success; false, and a failure, after 25 s. */
bool t_load_go_on(t_load *load, int n);
/* Lets it run for so long. */
void t_load_run_ms(t_load *load, int ms);
/* Ends the threads and waits for them. */
void t_load_stop(t_load *load);
t_tally t_load_tally(t_load *load, t_load_kind kind);
/* After the stop: no read has failed, and none took longer. */
void t_load_expect_reads(t_load *load, int longest_ms);
/* After the stop: each write was done once when acknowledged, once at most when it may have been,
 * and not at all when it failed otherwise; likewise each step of the counter. */
void t_load_expect_once(t_load *load);
void t_load_free(t_load *load);

#endif
