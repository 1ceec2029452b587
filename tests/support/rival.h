/*
 * Rivals: processes whose threads want one lock and act while they hold it, with an account of what each
 * believed and did. They can be killed and stopped at any moment.
 *
 * What they act on: a key, by transactions that the lock guards, and a file that refuses a token smaller
 * than the greatest it has seen.
 */
#ifndef COORD_TEST_RIVAL_H
#define COORD_TEST_RIVAL_H

#include <sys/types.h>

#include "support/etcd.h"

typedef enum t_entry_kind { T_WAIT_ENDED, T_ACTED } t_entry_kind;

enum {
  T_HELD_BEFORE = 1, /* is_held, before it acted */
  T_HELD_AFTER = 2,  /* and after it */
  T_FILE_WRITTEN = 4,
  T_FILE_REFUSED = 8,
  T_KEY_WRITTEN = 16,
  T_KEY_REFUSED = 32, /* the transaction was done, and did nothing */
  T_STALE_TRIED = 64, /* with what was built while it held the lock the time before */
  T_STALE_REFUSED = 128
};

/* One line of the account. Times are those of a clock that all processes share and that goes on while
 * they are stopped. */
typedef struct t_entry {
  int32_t kind;
  int32_t code;    /* of the wait */
  int32_t rival;   /* a number for each thread of each process */
  int32_t flags;   /* of the action */
  int64_t token;   /* 0: none */
  int64_t from_ns; /* it held the lock from here, at the latest, */
  int64_t to_ns;   /* until here, at least; less than from_ns: that is not known */
} t_entry;

/* What the file says. */
typedef struct t_register {
  int64_t token; /* the greatest */
  int64_t written;
  int64_t refused;
  int64_t acting; /* the pid of one that is in the middle of it; 0: nobody */
} t_register;

typedef struct t_rival_options {
  const char *endpoints;
  const char *name; /* of the lock; the key is `name` and "-guarded" */
  const char *dir;  /* of the file "register" and the accounts */
  const char *ttl_s;
  int threads;
  int number; /* of the process, from 0; each that is started has another */
  bool own_leases;
} t_rival_options;

/* Runs instead of the cases when the program was started as a rival; then it does not come back. */
void t_rival_main(int argc, char **argv);
/* Starts one; ends the case when it cannot. */
pid_t t_rival_start(const t_rival_options *options);
/* Asks it to end and waits for that; a failure when it does not end well. */
void t_rival_end(pid_t pid);
/* Its account, which the caller frees; `count` lines. */
t_entry *t_rival_account(const char *dir, int number, size_t *count);
t_register t_register_read(const char *dir);

#endif
