/* Something that is held, such as a lock: waiting for it, and running a command as long as it is. */
#ifndef CLI_HOLD_H
#define CLI_HOLD_H

#include <sys/types.h>

#include "session.h"

/* Exit codes of their own, which a command hardly has. */
enum { CLI_HELD_BY_OTHER = 75, CLI_LOST = 76 };

#define HOLD_EXIT_CODES                                                                         \
  "Ends with the exit code of CMD (128 + N when signal N ended it, 127 when there is no such\n" \
  "program), or with 75 when it was not got, 76 when it was lost; 2 to 5 as with every verb."

struct hold {
  const char *what;  /* the verb */
  const char *waits; /* a remark while it is not got for long; NULL: that it waits for its turn */
  struct session session;
  coord_queue *queue; /* of the events and results of all this */
  int64_t margin_ms;  /* before the end of its lease CMD is told to end */
  const void *handle; /* the lock or election */
  int64_t (*remaining_ms)(const void *handle);
  int signals; /* descriptor */
};

/* Before the client is opened: SIGINT, SIGTERM, SIGHUP and SIGCHLD are waited for, and end nothing by
 * themselves. */
void hold_prepare(void);
/* CLI_FINE, or the exit code after printing what is wrong. Takes over the options; hold_close in any
 * case. */
int hold_open(struct hold *hold, const struct args *args, coord_options *options);
void hold_close(struct hold *hold);

/* From lock.ttl.s: a sixth of it. */
int64_t hold_margin_ms(const coord_options *options);

/* Waits for the op that gets it, and frees it. CLI_FINE, or the exit code after printing what is wrong:
 * 128 + N when signal N came first. */
int hold_get(struct hold *hold, coord_op *op, int32_t timeout_ms, coord_result **out);
/* The op that gives it back, freed too. The exit code to end with, given that so far. */
int hold_give_back(struct hold *hold, coord_op *op, int code);

/* Runs the command; its exit code, or CLI_LOST. */
int hold_run(struct hold *hold, char *const *argv);
/* Until a signal comes or a pipe on standard input ends (CLI_FINE), or it is lost. */
int hold_stay(struct hold *hold);

/* A part of these, for those who hold in another way. */
/* Starts the command with the signals that this process had before; -1 after printing what is wrong. */
pid_t hold_start(const struct hold *hold, char *const *argv);
/* The next signal that has come, 0 when there is none. From a terminal: a command has got it too. */
int hold_next_signal(const struct hold *hold, bool *from_terminal);
/* Whether standard input can end, as a pipe does. */
bool hold_input_can_end(void);
/* Once there is something to read there. */
bool hold_input_ended(void);

/* The token and the key by which it is held. */
void hold_show(const coord_kv *kv);

/* "user@host:pid", for others to see. */
void hold_owner(char *out, size_t size);

#endif
