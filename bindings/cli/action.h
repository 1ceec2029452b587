/* Verbs that have actions of their own: coord user add, coord role grant, ... */
#ifndef CLI_ACTION_H
#define CLI_ACTION_H

#include <coord.h>

#include "args.h"

/* One action; a table ends with {0}. */
struct action {
  const char *name;
  const char *usage; /* behind the verb, the name included */
  int min;           /* words behind the name */
  int max;
  const char *flags; /* those of the verb that it takes, each with a space around; NULL: none */
  /* `words` are those behind the name. Returns the exit code. */
  int (*run)(const struct args *args, char **words);
};

/* Finds the action that the first word names, checks its words and flags, and runs it. */
int action_run(const struct args *args, const struct action *actions);

/* Opens a client, executes the op and frees it. CLI_FINE, or the exit code after printing what went
 * wrong. */
int action_call(const struct args *args, coord_op *op, coord_result **out);

/* Executes the op; prints `done` with `name` in it, or {"KIND":NAME,"revision":N}. */
int action_do(const struct args *args, coord_op *op, const char *kind, const char *name,
              const char *done);
/* Executes the op, whose answer is names: one to a line, or {"FIELD":[...],"revision":N}. */
int action_names(const struct args *args, coord_op *op, const char *field);

#endif
