#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "password.h"
#include "report.h"

int session_set(coord_options *options, const char *what, const char *name, const char *value) {
  coord_error *err = NULL;
  coord_code code = coord_options_set(options, name, value, &err);
  int exit_code = code == COORD_OK ? CLI_FINE : call_error(what, code, err);
  coord_error_free(err);
  return exit_code;
}

static int set_pair(coord_options *options, const struct args *args, const char *pair) {
  size_t len = strcspn(pair, "=");
  if (pair[len] != '=' || len == 0) {
    return usage_error(args->verb->name, "--option takes NAME=VALUE, got \"%s\"", pair);
  }
  struct bytes name = bytes_copy(pair, len);
  int exit_code = session_set(options, "--option", name.data, pair + len + 1);
  bytes_free(&name);
  return exit_code;
}

static bool was_set(const struct args *args, const char *name) {
  size_t len = strlen(name);
  for (int i = 0; i < args->flag_count; i++) {
    const struct given *given = &args->flags[i];
    if (strcmp(given->flag->name, "--option") == 0 && strncmp(given->value, name, len) == 0 &&
        given->value[len] == '=') {
      return true;
    }
  }
  return false;
}

/* Flags that are options under a name that etcdctl and curl have too. */
static const struct shortcut {
  const char *flag;
  const char *option;
  const char *value; /* of a switch */
} shortcuts[] = {{"--cacert", "tls.ca", NULL},
                 {"--cert", "tls.cert", NULL},
                 {"--key", "tls.key", NULL},
                 {"--insecure-skip-tls-verify", "tls.verify", "false"}};

static int set_shortcuts(coord_options *options, const struct args *args) {
  int exit_code = CLI_FINE;
  for (size_t i = 0; exit_code == CLI_FINE && i < sizeof shortcuts / sizeof *shortcuts; i++) {
    const struct shortcut *s = &shortcuts[i];
    const char *value = args_text(args, s->flag);
    if (value == NULL) continue;
    if (s->value == NULL && *value == '\0') {
      return usage_error(args->verb->name, "%s is empty", s->flag);
    }
    exit_code = session_set(options, s->flag, s->option, s->value != NULL ? s->value : value);
  }
  return exit_code;
}

int session_bound(const struct args *args, coord_options *options, const char *name) {
  const char *now = NULL;
  int32_t timeout_ms = 0;
  int64_t present = 0;
  if (!args_duration(args, "--timeout", &timeout_ms)) return CLI_USAGE;
  if (timeout_ms <= 0 || was_set(args, name)) return CLI_FINE;
  if (coord_options_get(options, name, &now, NULL) != COORD_OK) return CLI_FINE;
  if (!parse_number(now, 1, INT32_MAX, &present) || present <= timeout_ms) return CLI_FINE;
  char text[16];
  snprintf(text, sizeof text, "%d", (int)timeout_ms);
  return session_set(options, "--timeout", name, text);
}

static const char *present(const coord_options *options, const char *name) {
  const char *value = NULL;
  return coord_options_get(options, name, &value, NULL) == COORD_OK ? value : "";
}

/* The user of --user, else of file or environment, and the password that belongs to it. */
static int set_user(coord_options *options, const struct args *args) {
  static const char *const variables[] = {"COORD_PASSWORD", "ETCDCTL_PASSWORD", NULL};
  const char *user = args_text(args, "--user");
  if (user != NULL && *user == '\0') {
    return usage_error(args->verb->name, "--user is empty; leave it out to be nobody");
  }
  int exit_code = CLI_FINE;
  if (user != NULL) exit_code = session_set(options, "--user", "username", user);
  if (exit_code != CLI_FINE) return exit_code;
  bool has_file = args_has(args, "--password-file");
  if (*present(options, "username") == '\0') {
    if (!has_file) return CLI_FINE;
    return usage_error(args->verb->name, "--password-file needs --user, whose password it is");
  }
  if (!has_file && *present(options, "password") != '\0') return CLI_FINE;
  char prompt[128];
  struct bytes password = {0};
  snprintf(prompt, sizeof prompt, "Password of %.80s: ", present(options, "username"));
  if (!password_read(args, "--password-file", variables, prompt, false, &password)) {
    return CLI_USAGE;
  }
  exit_code = session_set(options, "password", "password", password.data);
  password_free(&password);
  return exit_code;
}

/* The file and section of the flags; where these say nothing, of COORD_CONFIG ("FILE#SECTION"), which
 * is then out of the environment. */
static int load_file(coord_options *options, const struct args *args) {
  const char *path = args_text(args, "--config");
  const char *section = args_text(args, "--section");
  const char *variable = getenv("COORD_CONFIG");
  if (path == NULL && section == NULL) return CLI_FINE;
  if (path != NULL && *path == '\0') return usage_error(args->verb->name, "--config is empty");
  if (path == NULL && (variable == NULL || *variable == '\0')) {
    return usage_error(args->verb->name, "--section goes with --config or COORD_CONFIG");
  }
  size_t len = path != NULL ? strlen(path) : strcspn(variable, "#");
  struct bytes file = bytes_copy(path != NULL ? path : variable, len);
  coord_error *err = NULL;
  coord_code code = coord_options_load(options, file.data, section, &err);
  int exit_code = code == COORD_OK ? CLI_FINE : call_error("--config", code, err);
  coord_error_free(err);
  bytes_free(&file);
  unsetenv("COORD_CONFIG");
  return exit_code;
}

static int load_environment(coord_options *options) {
  coord_error *err = NULL;
  coord_code code = coord_options_env(options, &err);
  int exit_code = code == COORD_OK ? CLI_FINE : call_error("environment", code, err);
  coord_error_free(err);
  return exit_code;
}

/* What goes wrong is told once, by the verb, unless more is asked for. */
static int hush(coord_options *options) {
  const char *level = NULL;
  if (coord_options_get(options, "log.level", &level, NULL) != COORD_OK) return CLI_FINE;
  if (strcmp(level, "warn") != 0) return CLI_FINE;
  return session_set(options, "log.level", "log.level", "error");
}

static int set_flags(coord_options *options, const struct args *args) {
  int exit_code = CLI_FINE;
  const char *endpoints = args_text(args, "--endpoints");
  const char *namespace = args_text(args, "--namespace");
  for (int i = 0; exit_code == CLI_FINE && i < args->flag_count; i++) {
    if (strcmp(args->flags[i].flag->name, "--option") == 0) {
      exit_code = set_pair(options, args, args->flags[i].value);
    }
  }
  if (exit_code == CLI_FINE && endpoints != NULL && *endpoints == '\0') {
    exit_code =
        usage_error(args->verb->name, "--endpoints is empty; 127.0.0.1:2379 is the default");
  } else if (exit_code == CLI_FINE && endpoints != NULL) {
    exit_code = session_set(options, "--endpoints", "endpoints", endpoints);
  }
  if (exit_code == CLI_FINE && namespace != NULL) {
    exit_code = session_set(options, "--namespace", "namespace", namespace);
  }
  return exit_code == CLI_FINE ? set_shortcuts(options, args) : exit_code;
}

int session_options(const struct args *args, coord_options **out) {
  int32_t timeout_ms = 0;
  if (!args_duration(args, "--timeout", &timeout_ms)) return CLI_USAGE;
  coord_options *options = NULL;
  if (coord_options_new(&options) != COORD_OK) {
    complain(args->verb->name, "NO_MEMORY", "memory is exhausted");
    return CLI_OTHER;
  }
  int exit_code = load_file(options, args);
  if (exit_code == CLI_FINE) exit_code = load_environment(options);
  if (exit_code == CLI_FINE) exit_code = hush(options);
  if (exit_code == CLI_FINE) exit_code = set_flags(options, args);
  if (exit_code == CLI_FINE) exit_code = set_user(options, args);
  if (exit_code == CLI_FINE) exit_code = session_bound(args, options, "connect.timeout.ms");
  if (exit_code == CLI_FINE) {
    *out = options;
  } else {
    coord_options_free(options);
  }
  return exit_code;
}

/* A newcomer without a server learns where to get one. */
static void hint(const coord_options *options, coord_code code) {
  static const char standard[] = "127.0.0.1:2379";
  const char *endpoints = standard;
  coord_options_get(options, "endpoints", &endpoints, NULL);
  if (code != COORD_UNAVAILABLE || strcmp(endpoints, standard) != 0) return;
  remark(
      "Neither --endpoints nor COORD_ENDPOINTS is set. \"coord dev\" starts an etcd to try with.");
}

int session_open(const struct args *args, struct session *out) {
  coord_options *options = NULL;
  *out = (struct session){0};
  int exit_code = session_options(args, &options);
  return exit_code == CLI_FINE ? session_open_with(args, options, out) : exit_code;
}

int session_open_with(const struct args *args, coord_options *options, struct session *out) {
  int exit_code = CLI_FINE;
  coord_error *err = NULL;
  *out = (struct session){0};
  coord_code code = coord_client_open(options, &out->client, &err);
  if (code == COORD_OK) {
    args_duration(args, "--timeout", &out->timeout_ms);
  } else {
    exit_code = call_error(args->verb->name, code, err);
    if (!args_has(args, "--endpoints")) hint(options, code);
  }
  coord_error_free(err);
  coord_options_free(options);
  return exit_code;
}

void session_close(struct session *session) {
  coord_client_close(session->client, 0, NULL);
  coord_client_free(session->client);
  session->client = NULL;
}

int session_call(struct session *session, const char *what, coord_op *op, coord_result **out) {
  coord_error *err = NULL;
  coord_code code = op != NULL ? coord_call(session->client, op, session->timeout_ms, out, &err)
                               : COORD_NO_MEMORY;
  int exit_code = code == COORD_OK ? CLI_FINE : call_error(what, code, err);
  coord_error_free(err);
  coord_op_free(op);
  return exit_code;
}
