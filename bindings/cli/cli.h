/* The coord command: what every verb is made of. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes; `coord --help` explains them. */
enum {
  CLI_FINE = 0,
  CLI_ABSENT = 1,
  CLI_USAGE = 2,
  CLI_UNREACHABLE = 3,
  CLI_REFUSED = 4,
  CLI_OTHER = 5
};

/* A flag as written in the help; `value` names its value, NULL for a switch. A table ends with {0}. */
struct flag {
  const char *name;
  const char *value;
  const char *help;
};

struct args;

/* One verb: how it is called, explained and run. `run` returns the exit code. */
struct verb {
  const char *name;
  const char *usage;
  const char *summary;
  const char *text;
  const struct flag *flags;
  const char *examples;
  int (*run)(const struct args *args);
};

/* What the global flags and the terminal decide, set once by main. */
struct settings {
  bool json;
  bool base64;
  bool quiet;
  bool colour_out;
  bool colour_err;
  bool terminal_out;
  bool terminal_err;
};

extern struct settings cli;

extern const struct flag global_flags[];
extern const struct verb *const verbs[]; /* ends with NULL */

extern const struct verb verb_get, verb_put, verb_del, verb_txn, verb_watch, verb_lease, verb_lock,
    verb_elect, verb_config, verb_env, verb_export, verb_import, verb_compact, verb_status,
    verb_members, verb_auth, verb_user, verb_role, verb_dev, verb_version;
extern const struct verb verb_register, verb_discover, verb_services;

#endif
