/* Options: every row of the table is known, has its default, and refuses what it says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/etcd.h"

typedef enum option_type { STRING, INT, BOOL, CHOICE } option_type;

static const struct row {
  const char *name;
  option_type type;
  const char *standard;
  long long min;
  long long max;
  const char *choices;
  int secret;
} rows[] = {
#define COORD_OPTION(id, name, type, standard, min, max, choices, secret, since, text) \
  {name, type, standard, min, max, choices, secret},
#include "options.def"
#undef COORD_OPTION
};
enum { row_count = sizeof rows / sizeof *rows };

static void accept_value(coord_options *options, const char *name, const char *value) {
  const char *now = NULL;
  coord_error *err = NULL;
  T_OK(coord_options_set(options, name, value, &err), err);
  T_OK(coord_options_get(options, name, &now, &err), err);
  T_STR(now, value);
}

/* The message names the option and the value. */
static void refuse_value(coord_options *options, const char *name, const char *value) {
  coord_error *err = NULL;
  T_CODE(coord_options_set(options, name, value, &err), COORD_INVALID);
  T_HAS(coord_error_message(err), name);
  T_HAS(coord_error_message(err), value);
  coord_error_free(err);
}

static void table_and_library_know_the_same_options(void) {
  T_INT(coord_options_count(), row_count);
  for (int i = 0; i < row_count; i++) T_STR(coord_options_name(i), rows[i].name);
  T_TRUE(coord_options_name(-1) == NULL);
  T_TRUE(coord_options_name(row_count) == NULL);
}

static void every_option_has_its_default(void) {
  coord_options *options = t_options(NULL, NULL);
  for (int i = 0; i < row_count; i++) {
    const char *value = NULL;
    coord_error *err = NULL;
    T_OK(coord_options_get(options, rows[i].name, &value, &err), err);
    bool other_wire = t_on_gateway() && strcmp(rows[i].name, "wire") == 0;
    T_STR(value, other_wire ? "gateway" : rows[i].standard);
  }
  coord_options_free(options);
}

static void empty_value_gives_the_default_back(void) {
  coord_options *options = t_options("log.level", "debug", "scan.page.keys", "7", NULL);
  const char *value = NULL;
  T_CODE(coord_options_set(options, "log.level", "", NULL), COORD_OK);
  T_CODE(coord_options_get(options, "log.level", &value, NULL), COORD_OK);
  T_STR(value, "warn");
  T_CODE(coord_options_get(options, "scan.page.keys", &value, NULL), COORD_OK);
  T_STR(value, "7");
  coord_options_free(options);
}

static void numbers_are_held_to_their_range(void) {
  static const char *const no_numbers[] = {"x",   "1x", " 1", "1 ",  "0x10",
                                           "1.5", "-",  "+1", "1e3", "99999999999999999999"};
  coord_options *options = t_options(NULL, NULL);
  for (int i = 0; i < row_count; i++) {
    char text[32];
    if (rows[i].type != INT) continue;
    snprintf(text, sizeof text, "%lld", rows[i].min);
    accept_value(options, rows[i].name, text);
    snprintf(text, sizeof text, "%lld", rows[i].max);
    accept_value(options, rows[i].name, text);
    snprintf(text, sizeof text, "%lld", rows[i].min - 1);
    refuse_value(options, rows[i].name, text);
    snprintf(text, sizeof text, "%llu", (unsigned long long)rows[i].max + 1);
    refuse_value(options, rows[i].name, text);
    for (size_t j = 0; j < sizeof no_numbers / sizeof *no_numbers; j++) {
      refuse_value(options, rows[i].name, no_numbers[j]);
    }
    accept_value(options, rows[i].name, rows[i].standard);
  }
  coord_options_free(options);
}

static void booleans_are_true_or_false(void) {
  coord_options *options = t_options(NULL, NULL);
  for (int i = 0; i < row_count; i++) {
    if (rows[i].type != BOOL) continue;
    accept_value(options, rows[i].name, "true");
    accept_value(options, rows[i].name, "false");
    refuse_value(options, rows[i].name, "1");
    refuse_value(options, rows[i].name, "yes");
    refuse_value(options, rows[i].name, "TRUE");
  }
  coord_options_free(options);
}

static void choices_are_those_of_the_table(void) {
  coord_options *options = t_options(NULL, NULL);
  for (int i = 0; i < row_count; i++) {
    char choices[100];
    char *rest = NULL;
    if (rows[i].type != CHOICE) continue;
    refuse_value(options, rows[i].name, "other");
    refuse_value(options, rows[i].name, rows[i].choices[0] == 'g' ? "grpc,gateway" : "warn|info");
    snprintf(choices, sizeof choices, "%s", rows[i].choices);
    for (char *c = strtok_r(choices, "|", &rest); c; c = strtok_r(NULL, "|", &rest)) {
      accept_value(options, rows[i].name, c);
    }
  }
  coord_options_free(options);
}

static void refused_value_leaves_the_old_one(void) {
  const char *value = NULL;
  coord_options *options = t_options("request.timeout.ms", "1234", NULL);
  refuse_value(options, "request.timeout.ms", "0");
  T_CODE(coord_options_get(options, "request.timeout.ms", &value, NULL), COORD_OK);
  T_STR(value, "1234");
  coord_options_free(options);
}

static void unknown_option_is_named(void) {
  const char *value = NULL;
  coord_error *err = NULL;
  coord_options *options = t_options(NULL, NULL);
  T_ERROR(coord_options_set(options, "no.such", "1", &err), COORD_INVALID, err, "no.such");
  T_ERROR(coord_options_set(options, "", "1", &err), COORD_INVALID, err, "");
  T_ERROR(coord_options_set(options, "ENDPOINTS", "a", &err), COORD_INVALID, err, "ENDPOINTS");
  T_ERROR(coord_options_get(options, "no.such", &value, &err), COORD_INVALID, err, "no.such");
  T_TRUE(value == NULL);
  coord_options_free(options);
}

static void missing_arguments_are_named(void) {
  const char *value = NULL;
  coord_error *err = NULL;
  coord_options *options = t_options(NULL, NULL);
  T_CODE(coord_options_new(NULL), COORD_INVALID);
  T_ERROR(coord_options_set(NULL, "wire", "grpc", &err), COORD_INVALID, err, "options");
  T_ERROR(coord_options_set(options, NULL, "grpc", &err), COORD_INVALID, err, "name");
  T_ERROR(coord_options_set(options, "wire", NULL, &err), COORD_INVALID, err, "value");
  T_ERROR(coord_options_get(NULL, "wire", &value, &err), COORD_INVALID, err, "options");
  T_ERROR(coord_options_get(options, NULL, &value, &err), COORD_INVALID, err, "name");
  T_ERROR(coord_options_get(options, "wire", NULL, &err), COORD_INVALID, err, "value");
  coord_options_free(options);
}

static void secrets_read_as_stars(void) {
  const char *value = NULL;
  coord_options *options = t_options("proxy", "http://user:hunter2@proxy:3128", NULL);
  T_CODE(coord_options_get(options, "proxy", &value, NULL), COORD_OK);
  T_STR(value, "***");
  T_CODE(coord_options_set(options, "proxy", "", NULL), COORD_OK);
  T_CODE(coord_options_get(options, "proxy", &value, NULL), COORD_OK);
  T_STR(value, "");
  coord_options_free(options);
}

/* Refused when it is set or, at the latest, when a client is opened with it. */
static void refuse_to_open(const char *name, const char *value, coord_code code) {
  coord_client *client = NULL;
  coord_error *err = NULL;
  coord_options *options = t_options("connect.lazy", "true", NULL);
  coord_code actual = coord_options_set(options, name, value, &err);
  if (actual == COORD_OK) actual = coord_client_open(options, &client, &err);
  if (actual != code) T_FAIL("%s = \"%s\" gave %s", name, value, coord_code_name(actual));
  T_HAS(coord_error_message(err), name);
  T_TRUE(client == NULL);
  coord_error_free(err);
  coord_client_free(client);
  coord_options_free(options);
}

static void endpoints_that_cannot_be_read_are_refused(void) {
  static const char *const bad[] = {",",
                                    "a:1,",
                                    "a:1,,b:1",
                                    "127.0.0.1:0",
                                    "127.0.0.1:65536",
                                    "127.0.0.1:x",
                                    "127.0.0.1:-1",
                                    "127.0.0.1:",
                                    "127.0.0.1:12345678901234567890",
                                    ":2379",
                                    "[::1:2379",
                                    "[::1]2379",
                                    "[xyz]:2379",
                                    "a b:2379",
                                    "ftp://a:1",
                                    "http://",
                                    "http://a:1/path",
                                    "unix://",
                                    "http://user@a:1",
                                    " ",
                                    "grpc://a:2379",
                                    "::1:2379",
                                    "[]:2379",
                                    "\x01:2379"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    refuse_to_open("endpoints", bad[i], COORD_INVALID);
  }
}

static void tls_and_plain_endpoints_do_not_mix(void) {
  refuse_to_open("endpoints", "127.0.0.1:2379,https://127.0.0.1:2379", COORD_INVALID);
}

static void proxy_that_cannot_be_used_is_refused(void) {
  static const char *const bad[] = {"ftp://proxy:1", "http://", "http://proxy:99999", "gopher"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    refuse_to_open("proxy", bad[i], COORD_INVALID);
  }
}

static void connection_window_below_the_streams_is_refused(void) {
  coord_client *client = NULL;
  coord_error *err = NULL;
  coord_options *options = t_options("connect.lazy", "true", "http2.stream.window.bytes", "1000000",
                                     "http2.connection.window.bytes", "65535", NULL);
  T_ERROR(coord_client_open(options, &client, &err), COORD_INVALID, err,
          "http2.connection.window.bytes");
  coord_client_free(client);
  coord_options_free(options);
}

static void every_number_works_at_both_ends_of_its_range(void) {
  for (int i = 0; i < row_count; i++) {
    if (rows[i].type != INT) continue;
    for (int end = 0; end < 2; end++) {
      char text[32];
      snprintf(text, sizeof text, "%lld", end == 0 ? rows[i].min : rows[i].max);
      bool is_time = strstr(rows[i].name, "timeout") != NULL && end == 0;
      if (strcmp(rows[i].name, "http2.connection.window.bytes") == 0 && end == 0) continue;
      if (strcmp(rows[i].name, "http2.stream.window.bytes") == 0 && end == 1) continue;
      coord_client *client = t_client_with(rows[i].name, text, "connect.lazy", "true", NULL);
      /* One millisecond may be too short for an answer; it must not do any other harm. */
      coord_code code = coord_get(client, "absent", 6, NULL, NULL);
      T_TRUE(code == COORD_OK || (is_time && (code == COORD_TIMEOUT || code == COORD_UNAVAILABLE)));
      coord_client_free(client);
    }
  }
}

T_MAIN(T_CASE(table_and_library_know_the_same_options), T_CASE(every_option_has_its_default),
       T_CASE(empty_value_gives_the_default_back), T_CASE(numbers_are_held_to_their_range),
       T_CASE(booleans_are_true_or_false), T_CASE(choices_are_those_of_the_table),
       T_CASE(refused_value_leaves_the_old_one), T_CASE(unknown_option_is_named),
       T_CASE(missing_arguments_are_named), T_CASE(secrets_read_as_stars),
       T_CASE(endpoints_that_cannot_be_read_are_refused),
       T_CASE(tls_and_plain_endpoints_do_not_mix), T_CASE(proxy_that_cannot_be_used_is_refused),
       T_CASE(connection_window_below_the_streams_is_refused),
       T_CASE(every_number_works_at_both_ends_of_its_range))
