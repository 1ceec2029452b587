/* The configuration of one application, opened for a verb. */
#ifndef CLI_CONFIG_APP_H
#define CLI_CONFIG_APP_H

#include "session.h"

/* Exit code of its own: the value is of another version than the one expected. */
enum { CLI_CONFLICT = 75 };

struct config_app {
  const char *what; /* leads errors: "config get" */
  struct session session;
  coord_queue *queue; /* of its events */
  coord_config *config;
  size_t skip; /* bytes before the keys of its layer */
};

#define FLAG_CONFIG_PREFIX \
  { "--prefix", "TEXT", "keys are TEXT/APP/KEY; default config (option config.prefix)" }

/* CLI_FINE, or the exit code after printing what is wrong. `whole`: with all layers at hand, as
 * coord_config_get needs it; else for ops alone. config_close in any case. */
int config_open(const struct args *args, const char *what, const char *application, bool whole,
                struct config_app *out);
void config_close(struct config_app *app);

/* Executes the op, and frees it. CLI_FINE, or the exit code after printing what is wrong. */
int config_call(struct config_app *app, coord_op *op, coord_result **out);

/* Says of an event of the queue what a person should know: rejected values, interruptions. */
void config_tell(const struct config_app *app, const coord_event *event);
/* The same for all that wait. */
void config_tell_all(const struct config_app *app);

#endif
