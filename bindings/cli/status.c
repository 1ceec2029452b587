#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "progress.h"
#include "report.h"
#include "session.h"

static const char *text_of(json_object *object, const char *name) {
  json_object *value = NULL;
  if (!json_object_object_get_ex(object, name, &value)) return "";
  return json_object_get_string(value);
}

static double number_of(json_object *object, const char *name) {
  int64_t number = 0;
  return parse_number(text_of(object, name), 0, INT64_MAX, &number) ? (double)number : 0;
}

static void print_row(const char *endpoint, json_object *status, const char *member) {
  char size[32];
  char used[32];
  json_object *header = NULL;
  json_object *errors = NULL;
  json_object_object_get_ex(status, "header", &header);
  printf("%-24s  %-16s  %-8s  %10s  %10s  %-7s  %5s  %9s  %9s\n", endpoint, member,
         text_of(status, "version"), human_bytes(number_of(status, "dbSize"), size, sizeof size),
         human_bytes(number_of(status, "dbSizeInUse"), used, sizeof used),
         strcmp(text_of(status, "leader"), member) == 0      ? "leader"
         : strcmp(text_of(status, "isLearner"), "true") == 0 ? "learner"
                                                             : "member",
         text_of(status, "raftTerm"), text_of(status, "raftIndex"), text_of(header, "revision"));
  if (!json_object_object_get_ex(status, "errors", &errors)) return;
  for (size_t i = 0; i < json_object_array_length(errors); i++) {
    printf("  %salarm: %s%s\n", paint_out(PAINT_RED),
           json_object_get_string(json_object_array_get_idx(errors, i)), paint_out(PAINT_OFF));
  }
}

static void show(const char *endpoint, const coord_result *result) {
  json_object *status = json_tokener_parse(coord_result_json(result));
  json_object *header = NULL;
  json_object_object_get_ex(status, "header", &header);
  if (cli.json) {
    json_object_object_add(status, "endpoint", json_object_new_string(endpoint));
    puts(json_object_to_json_string_ext(status,
                                        JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
  } else {
    print_row(endpoint, status, text_of(header, "member_id"));
  }
  json_object_put(status);
}

/* Asks one endpoint by itself, so that each tells of itself. */
static int ask(coord_options *options, const char *endpoint, int32_t timeout_ms) {
  struct session session = {.timeout_ms = timeout_ms};
  coord_error *err = NULL;
  coord_result *result = NULL;
  coord_code code = coord_options_set(options, "endpoints", endpoint, &err);
  if (code == COORD_OK) code = coord_client_open(options, &session.client, &err);
  int exit_code = code == COORD_OK ? CLI_FINE : call_error("status", code, err);
  coord_error_free(err);
  if (code != COORD_OK) return exit_code;
  exit_code = session_call(&session, "status", coord_op_status(), &result);
  if (exit_code == CLI_FINE) show(endpoint, result);
  coord_result_free(result);
  session_close(&session);
  return exit_code;
}

static int ask_all(coord_options *options, const char *list, int32_t timeout_ms) {
  int worst = CLI_FINE;
  if (!cli.json) {
    printf("%s%-24s  %-16s  %-8s  %10s  %10s  %-7s  %5s  %9s  %9s%s\n", paint_out(PAINT_BOLD),
           "ENDPOINT", "ID", "VERSION", "DB SIZE", "IN USE", "ROLE", "TERM", "RAFT", "REVISION",
           paint_out(PAINT_OFF));
  }
  while (*list != '\0') {
    size_t len = strcspn(list, ",");
    struct bytes endpoint = bytes_copy(list + strspn(list, " "), len - strspn(list, " "));
    int code = ask(options, endpoint.data, timeout_ms);
    if (code > worst) worst = code;
    bytes_free(&endpoint);
    list += len;
    if (*list == ',') list++;
  }
  return worst;
}

/* Endpoints as a list instead of a URL, and what else the URL says as options. */
static void drop_url(coord_options *options, const char *list) {
  enum { OPTIONS_MAX = 128 };
  struct bytes before[OPTIONS_MAX] = {{0}};
  int32_t count = coord_options_count() < OPTIONS_MAX ? coord_options_count() : OPTIONS_MAX;
  for (int32_t i = 0; i < count; i++) {
    const char *value = NULL;
    if (coord_options_get(options, coord_options_name(i), &value, NULL) != COORD_OK) continue;
    before[i] = bytes_copy(value, strlen(value));
  }
  coord_options_set(options, "endpoints", list, NULL);
  for (int32_t i = 0; i < count; i++) {
    const char *value = NULL;
    coord_options_get(options, coord_options_name(i), &value, NULL);
    if (before[i].data != NULL && value != NULL && strcmp(before[i].data, value) != 0) {
      coord_options_set(options, coord_options_name(i), before[i].data, NULL);
    }
    bytes_free(&before[i]);
  }
}

static int run(const struct args *args) {
  coord_options *options = NULL;
  int32_t timeout_ms = 0;
  const char *value = NULL;
  if (!args_words(args, 0, 0)) return CLI_USAGE;
  int code = session_options(args, &options);
  if (code != CLI_FINE) return code;
  args_duration(args, "--timeout", &timeout_ms);
  if (coord_options_get(options, "endpoints", &value, NULL) == COORD_OK) {
    struct bytes list = bytes_copy(value, strlen(value));
    drop_url(options, list.data);
    code = ask_all(options, list.data, timeout_ms);
    bytes_free(&list);
  }
  coord_options_free(options);
  return code;
}

const struct verb verb_status = {
    .name = "status",
    .usage = "",
    .summary = "ask every endpoint how it is",
    .text =
        "One line for each endpoint: its member id, version, size of its database and how much\n"
        "of that is in use, whether it leads, raft term and index, revision of the store, and\n"
        "alarms below it. Ends with 3 when an endpoint does not answer.",
    .examples =
        "  $ coord status\n"
        "  $ coord status --json\n",
    .run = run,
};
