#include <stdlib.h>
#include <string.h>

#include "config_app.h"
#include "env_restart.h"
#include "process.h"
#include "report.h"

static int run_once(const struct env_task *task) {
  struct variables vars;
  int code = env_read(task, &vars);
  if (code != CLI_FINE) return code;
  /* Nothing of this process is left then; signals and the exit code are those of CMD. */
  config_close(task->app);
  char **env = variables_environment(&vars);
  code = process_become("env", task->argv, env);
  free(env);
  variables_free(&vars);
  return code;
}

static bool is_variable(const char *text) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
  return strspn(text, letters) == strlen(text) && strspn(text, "0123456789") == 0;
}

static int run(const struct args *args) {
  struct config_app app = {0};
  struct env_task task = {
      .app = &app, .prefix = args_text(args, "--prefix-var"), .grace_ms = 10000};
  bool restarts = args_has(args, "--restart");
  int words = args->tail >= 0 ? args->tail : args->count;
  if (words == 0 || args->words[0][0] == '\0') {
    return usage_error("env", "APP is %s: coord env %s", words == 0 ? "missing" : "empty",
                       args->verb->usage);
  }
  if (words > 1 || args->tail < 0) {
    return usage_error("env", "the command goes behind --: coord env %s -- %s ...", args->words[0],
                       words > 1 ? args->words[1] : "CMD");
  }
  if (args->tail == args->count) return usage_error("env", "there is no command behind --");
  if (task.prefix == NULL) task.prefix = "";
  if (!is_variable(task.prefix)) {
    return usage_error(
        "env", "--prefix-var takes letters, digits and _, no digit first, got \"%s\"", task.prefix);
  }
  if (!args_duration(args, "--grace", &task.grace_ms)) return CLI_USAGE;
  if (args_has(args, "--grace") && !restarts) {
    return usage_error("env", "--grace goes with --restart");
  }
  task.argv = args->words + args->tail;
  if (restarts) env_prepare();
  int code = config_open(args, "env", args->words[0], true, &app);
  if (code == CLI_FINE) {
    config_tell_all(&app);
    code = restarts ? env_run(&task) : run_once(&task);
  }
  config_close(&app);
  return code;
}

static const struct flag flags[] = {
    {"--restart", NULL, "when the configuration changes, end CMD and start it anew"},
    {"--grace", "TIME", "with --restart: how long after SIGTERM it gets SIGKILL; default 10s"},
    {"--prefix-var", "P", "the variables begin with P, as in SHOP_PORT"},
    FLAG_CONFIG_PREFIX,
    {0}};

const struct verb verb_env = {
    .name = "env",
    .usage = "APP [FLAGS] -- CMD [ARG...]",
    .summary = "run a command with the configuration of an application as environment",
    .text =
        "Each key of what \"coord config get APP\" shows is a variable: in capitals, and with _ "
        "in\n"
        "the place of all that is no letter and no digit: http.port is HTTP_PORT. Strings come\n"
        "without quotes, other values as JSON. A variable that was there before is replaced, also\n"
        "PATH by a key called path: --prefix-var keeps them apart. Two keys that would be the "
        "same\n"
        "variable are an error.\n"
        "With --restart, CMD and all that it has started get SIGTERM when the variables change,\n"
        "and CMD starts anew once they have ended. When CMD ends by itself, so does this. "
        "SIGTERM,\n"
        "SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 are passed on; after the first two it is not started\n"
        "anew. When etcd cannot be reached, CMD runs on.\n"
        "Ends with the exit code of CMD (128 + N when signal N ended it, 127 when there is no "
        "such\n"
        "program), or with 2 to 5 as every verb when it was not started.",
    .flags = flags,
    .examples =
        "  $ coord config set prod.shop http.port 8080\n"
        "  $ coord config set prod.shop greeting '\"hello to you\"'\n"
        "  $ coord env prod.shop -- sh -c 'echo \"$GREETING on $HTTP_PORT\"'\n"
        "  $ coord env prod.shop --restart --prefix-var SHOP_ -- printenv SHOP_HTTP_PORT\n",
    .run = run,
};
