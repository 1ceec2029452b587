#include "config_app.h"

#include <string.h>

#include "report.h"

static int set_options(const struct args *args, bool whole, coord_options *options) {
  const char *prefix = args_text(args, "--prefix");
  int code = CLI_FINE;
  if (prefix != NULL && *prefix == '\0') {
    return usage_error(args->verb->name, "--prefix is empty; it is config by default");
  }
  if (prefix != NULL) code = session_set(options, "--prefix", "config.prefix", prefix);
  /* What a program wants that shares the options file does not matter here. */
  if (code == CLI_FINE) code = session_set(options, "config", "config.manual", "false");
  if (code == CLI_FINE) code = session_set(options, "config", "mirror.wait", "true");
  /* What reading the layers takes at most; ops have it by themselves. */
  if (code == CLI_FINE) code = session_bound(args, options, "request.timeout.ms");
  if (code != CLI_FINE) return code;
  return session_set(options, "config", "config.live", whole ? "true" : "false");
}

int config_open(const struct args *args, const char *what, const char *application, bool whole,
                struct config_app *out) {
  coord_options *options = NULL;
  coord_error *err = NULL;
  const char *prefix = "";
  *out = (struct config_app){.what = what};
  int exit_code = session_options(args, &options);
  if (exit_code != CLI_FINE) return exit_code;
  exit_code = set_options(args, whole, options);
  if (exit_code != CLI_FINE) {
    coord_options_free(options);
    return exit_code;
  }
  coord_options_get(options, "config.prefix", &prefix, NULL);
  out->skip = strlen(prefix) + strlen(application) + 2;
  exit_code = session_open_with(args, options, &out->session);
  if (exit_code != CLI_FINE) return exit_code;
  coord_code code = coord_queue_open(&out->queue, &err);
  if (code == COORD_OK) {
    code = coord_config_open(out->session.client, application, NULL, out->queue, 0, &out->config,
                             &err);
  }
  if (code != COORD_OK) exit_code = call_error(what, code, err);
  coord_error_free(err);
  return exit_code;
}

void config_close(struct config_app *app) {
  coord_config_free(app->config);
  coord_queue_free(app->queue);
  session_close(&app->session);
  *app = (struct config_app){0};
}

int config_call(struct config_app *app, coord_op *op, coord_result **out) {
  coord_error *err = NULL;
  coord_code code = op != NULL
                        ? coord_call(app->session.client, op, app->session.timeout_ms, out, &err)
                        : COORD_NO_MEMORY;
  int exit_code = code == COORD_OK ? CLI_FINE : call_error(app->what, code, err);
  coord_error_free(err);
  coord_op_free(op);
  return code == COORD_CONFLICT ? CLI_CONFLICT : exit_code;
}

void config_tell(const struct config_app *app, const coord_event *event) {
  coord_code code = coord_event_code(event);
  if (coord_event_type(event) == COORD_EVENT_REJECTED) {
    call_error(app->what, code, coord_event_error(event));
  } else if (coord_event_type(event) == COORD_EVENT_RESYNC && code != COORD_OK) {
    remark("The watch was interrupted (%s) and goes on.", coord_code_name(code));
  }
}

void config_tell_all(const struct config_app *app) {
  for (coord_event *e; (e = coord_queue_next(app->queue, 0)) != NULL; coord_event_free(e)) {
    config_tell(app, e);
  }
}
