/* A client opened the way the global flags and the environment ask for. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <coord.h>

#include "args.h"

struct session {
  coord_client *client;
  int32_t timeout_ms; /* for coord_call: 0 is the client's default */
};

/* Options from environment and flags; CLI_FINE, or the exit code after printing what is wrong. */
int session_options(const struct args *args, coord_options **out);
/* Sets one option; `what` names in an error where the value is from. Returns the exit code. */
int session_set(coord_options *options, const char *what, const char *name, const char *value);
/* Makes an option in milliseconds no longer than --timeout, unless --option sets it. Returns the exit code. */
int session_bound(const struct args *args, coord_options *options, const char *name);
/* Opens a client; CLI_FINE, or the exit code after printing what is wrong. */
int session_open(const struct args *args, struct session *out);
/* The same with options that session_options has made, which it frees. */
int session_open_with(const struct args *args, coord_options *options, struct session *out);
void session_close(struct session *session);

/* Executes the op, frees it, and prints what went wrong under the name of the verb. */
int session_call(struct session *session, const char *what, coord_op *op, coord_result **out);

#endif
