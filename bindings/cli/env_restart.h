/* A command that is started anew when its configuration changes. */
#ifndef CLI_ENV_RESTART_H
#define CLI_ENV_RESTART_H

#include "config_app.h"
#include "env_vars.h"

struct env_task {
  struct config_app *app;
  const char *prefix; /* of the variables */
  char *const *argv;
  int32_t grace_ms; /* between SIGTERM and SIGKILL; -1: no end */
};

/* Before the client is opened: signals are waited for, and end nothing by themselves. */
void env_prepare(void);
/* The exit code of the command that ended by itself. */
int env_run(const struct env_task *task);

/* What is current. CLI_FINE, or the exit code after printing what is wrong. */
int env_read(const struct env_task *task, struct variables *out);

#endif
