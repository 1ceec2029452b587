#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "password.h"
#include "report.h"

static int set_option(coord_options *options, const char *what, const char *name,
                      const char *value) {
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
  int exit_code = set_option(options, "--option", name.data, pair + len + 1);
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

/* A shorter --timeout bounds connecting too. */
static int bound_connect(coord_options *options, const struct args *args, int32_t timeout_ms) {
  const char *now = NULL;
  int64_t present = 0;
  if (timeout_ms <= 0 || was_set(args, "connect.timeout.ms")) return CLI_FINE;
  if (coord_options_get(options, "connect.timeout.ms", &now, NULL) != COORD_OK) return CLI_FINE;
  if (!parse_number(now, 1, INT32_MAX, &present) || present <= timeout_ms) return CLI_FINE;
  char text[16];
  snprintf(text, sizeof text, "%d", (int)timeout_ms);
  return set_option(options, "--timeout", "connect.timeout.ms", text);
}

/* The user of --user or the environment, and the password that belongs to it. */
static int set_user(coord_options *options, const struct args *args) {
  static const char *const variables[] = {"COORD_PASSWORD", "ETCDCTL_PASSWORD", NULL};
  const char *user = args_text(args, "--user");
  if (user != NULL && *user == '\0') {
    return usage_error(args->verb->name, "--user is empty; leave it out to be nobody");
  }
  if (user == NULL && !was_set(args, "username")) user = getenv("COORD_USERNAME");
  if (user == NULL || *user == '\0') {
    if (!args_has(args, "--password-file")) return CLI_FINE;
    if (!was_set(args, "username")) {
      return usage_error(args->verb->name, "--password-file needs --user, whose password it is");
    }
  }
  int exit_code = CLI_FINE;
  if (user != NULL && *user != '\0') exit_code = set_option(options, "--user", "username", user);
  if (exit_code != CLI_FINE || was_set(args, "password")) return exit_code;
  char prompt[128];
  struct bytes password = {0};
  snprintf(prompt, sizeof prompt, "Password of %.80s: ", user != NULL ? user : "the user");
  if (!password_read(args, "--password-file", variables, prompt, false, &password)) {
    return CLI_USAGE;
  }
  exit_code = set_option(options, "password", "password", password.data);
  password_free(&password);
  return exit_code;
}

int session_options(const struct args *args, coord_options **out) {
  int32_t timeout_ms = 0;
  if (!args_duration(args, "--timeout", &timeout_ms)) return CLI_USAGE;
  coord_options *options = NULL;
  if (coord_options_new(&options) != COORD_OK) {
    complain(args->verb->name, "NO_MEMORY", "memory is exhausted");
    return CLI_OTHER;
  }
  /* What goes wrong is told once, by the verb. */
  int exit_code = set_option(options, "log.level", "log.level", "error");
  const char *env = getenv("COORD_ENDPOINTS");
  const char *endpoints = args_text(args, "--endpoints");
  if (exit_code == CLI_FINE && endpoints == NULL && env != NULL && *env != '\0' &&
      !was_set(args, "endpoints")) {
    exit_code = set_option(options, "COORD_ENDPOINTS", "endpoints", env);
  }
  for (int i = 0; exit_code == CLI_FINE && i < args->flag_count; i++) {
    if (strcmp(args->flags[i].flag->name, "--option") == 0) {
      exit_code = set_pair(options, args, args->flags[i].value);
    }
  }
  if (exit_code == CLI_FINE && endpoints != NULL && *endpoints == '\0') {
    exit_code =
        usage_error(args->verb->name, "--endpoints is empty; 127.0.0.1:2379 is the default");
  } else if (exit_code == CLI_FINE && endpoints != NULL) {
    exit_code = set_option(options, "--endpoints", "endpoints", endpoints);
  }
  if (exit_code == CLI_FINE) exit_code = set_user(options, args);
  if (exit_code == CLI_FINE) exit_code = bound_connect(options, args, timeout_ms);
  if (exit_code == CLI_FINE) {
    *out = options;
  } else {
    coord_options_free(options);
  }
  return exit_code;
}

/* A newcomer without a server learns where to get one. */
static void hint(const struct args *args, coord_code code) {
  const char *env = getenv("COORD_ENDPOINTS");
  if (code != COORD_UNAVAILABLE || args_has(args, "--endpoints") || was_set(args, "endpoints")) {
    return;
  }
  if (env != NULL && *env != '\0') return;
  remark(
      "Neither --endpoints nor COORD_ENDPOINTS is set. \"coord dev\" starts an etcd to try with.");
}

int session_open(const struct args *args, struct session *out) {
  coord_options *options = NULL;
  *out = (struct session){0};
  int exit_code = session_options(args, &options);
  if (exit_code != CLI_FINE) return exit_code;
  coord_error *err = NULL;
  coord_code code = coord_client_open(options, &out->client, &err);
  if (code == COORD_OK) {
    args_duration(args, "--timeout", &out->timeout_ms);
  } else {
    exit_code = call_error(args->verb->name, code, err);
    hint(args, code);
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
