/* base/options and its public functions. */
#include "base/options.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "support/t.h"

static coord_options *options;
static coord_error *err;

static void fresh(void) {
  coord_options_free(options);
  options = NULL;
  T_FATAL(coord_options_new(&options) == COORD_OK && options != NULL);
}

static const char *value_of(const char *name) {
  const char *value = NULL;
  T_CODE(coord_options_get(options, name, &value, NULL), COORD_OK);
  return value;
}

static void done(void) {
  coord_options_free(options);
  options = NULL;
}

static void every_option_has_a_name_and_a_default_that_it_accepts(void) {
  fresh();
  T_TRUE(coord_options_count() > 10);
  for (int32_t i = 0; i < coord_options_count(); i++) {
    const char *name = coord_options_name(i);
    T_FATAL(name != NULL);
    char value[256];
    snprintf(value, sizeof value, "%s", value_of(name));
    T_OK(coord_options_set(options, name, value, &err), err);
    if (value[0] != '\0') T_STR(value_of(name), value);
    for (int32_t k = 0; k < i; k++) T_TRUE(strcmp(name, coord_options_name(k)) != 0);
  }
  T_TRUE(coord_options_name(-1) == NULL);
  T_TRUE(coord_options_name(coord_options_count()) == NULL);
  done();
}

static void missing_arguments_are_named(void) {
  const char *value;
  fresh();
  T_CODE(coord_options_new(NULL), COORD_INVALID);
  T_ERROR(coord_options_set(NULL, "wire", "grpc", &err), COORD_INVALID, err, "options");
  T_ERROR(coord_options_set(options, NULL, "grpc", &err), COORD_INVALID, err, "name");
  T_ERROR(coord_options_set(options, "wire", NULL, &err), COORD_INVALID, err, "value");
  T_ERROR(coord_options_get(NULL, "wire", &value, &err), COORD_INVALID, err, "options");
  T_ERROR(coord_options_get(options, NULL, &value, &err), COORD_INVALID, err, "name");
  T_ERROR(coord_options_get(options, "wire", NULL, &err), COORD_INVALID, err, "value");
  coord_options_free(NULL);
  done();
}

static void unknown_options_are_refused_by_name(void) {
  const char *value = "untouched";
  fresh();
  T_ERROR(coord_options_set(options, "request.timeout", "1", &err), COORD_INVALID, err,
          "\"request.timeout\"");
  T_ERROR(coord_options_set(options, "", "1", &err), COORD_INVALID, err, "\"\"");
  T_ERROR(coord_options_set(options, "WIRE", "grpc", &err), COORD_INVALID, err, "WIRE");
  T_ERROR(coord_options_set(options, "a\nb", "1", &err), COORD_INVALID, err, "a\\x0ab");
  T_ERROR(coord_options_get(options, "nothing", &value, &err), COORD_INVALID, err, "nothing");
  T_STR(value, "untouched");
  T_CODE(coord_options_set(options, "nothing", "1", NULL), COORD_INVALID);
  done();
}

static void numbers_are_accepted_up_to_both_ends_of_their_range(void) {
  fresh();
  T_OK(coord_options_set(options, "request.timeout.ms", "1", &err), err);
  T_OK(coord_options_set(options, "request.timeout.ms", "86400000", &err), err);
  T_STR(value_of("request.timeout.ms"), "86400000");
  T_INT(coord__options_int(options, COORD__OPTION_REQUEST_TIMEOUT_MS), 86400000);
  static const char *const bad[] = {
      "0",   "86400001", "-1", "-",   "abc", "1.5", "1e3",
      " 5",  "5 ",       "+5", "0x5", "5ms", "--5", "99999999999999999999",
      "5\n", "true"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    T_ERROR(coord_options_set(options, "request.timeout.ms", bad[i], &err), COORD_INVALID, err,
            "request.timeout.ms");
  }
  T_ERROR(coord_options_set(options, "request.timeout.ms", "0", &err), COORD_INVALID, err,
          "\"0\" is not a whole number from 1 to 86400000");
  T_STR(value_of("request.timeout.ms"), "86400000");
  done();
}

static void booleans_are_true_or_false(void) {
  static const char *const bad[] = {"1", "0", "yes", "True", "FALSE", "tru", "true ", "on"};
  fresh();
  T_TRUE(!coord__options_bool(options, COORD__OPTION_CONNECT_LAZY));
  T_OK(coord_options_set(options, "connect.lazy", "true", &err), err);
  T_TRUE(coord__options_bool(options, COORD__OPTION_CONNECT_LAZY));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    T_ERROR(coord_options_set(options, "connect.lazy", bad[i], &err), COORD_INVALID, err,
            "neither true nor false");
  }
  T_TRUE(coord__options_bool(options, COORD__OPTION_CONNECT_LAZY));
  T_OK(coord_options_set(options, "connect.lazy", "false", &err), err);
  T_TRUE(!coord__options_bool(options, COORD__OPTION_CONNECT_LAZY));
  done();
}

static void choices_are_one_of_those_that_are_named(void) {
  static const char *const levels[] = {"off", "error", "warn", "info", "debug"};
  static const char *const bad[] = {"of", "offf", "off|error", "|", "Warn", "trace", " info"};
  fresh();
  for (int i = 0; i < 5; i++) {
    T_OK(coord_options_set(options, "log.level", levels[i], &err), err);
    T_INT(coord__options_choice(options, COORD__OPTION_LOG_LEVEL), i);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    T_ERROR(coord_options_set(options, "log.level", bad[i], &err), COORD_INVALID, err,
            "none of off|error|warn|info|debug");
  }
  T_STR(value_of("log.level"), "debug");
  done();
}

static void empty_value_gives_the_default_back(void) {
  fresh();
  for (int32_t i = 0; i < coord_options_count(); i++) {
    T_OK(coord_options_set(options, coord_options_name(i), "", &err), err);
  }
  T_OK(coord_options_set(options, "request.timeout.ms", "7", &err), err);
  T_TRUE(coord__options_is_set(options, COORD__OPTION_REQUEST_TIMEOUT_MS));
  T_OK(coord_options_set(options, "request.timeout.ms", "", &err), err);
  T_STR(value_of("request.timeout.ms"), "5000");
  T_TRUE(!coord__options_is_set(options, COORD__OPTION_REQUEST_TIMEOUT_MS));
  done();
}

static void secret_is_never_read_back(void) {
  fresh();
  T_STR(value_of("proxy"), "");
  T_OK(coord_options_set(options, "proxy", "http://me:hunter2@proxy:3128", &err), err);
  T_STR(value_of("proxy"), "***");
  T_STR(coord__options_text(options, COORD__OPTION_PROXY), "http://me:hunter2@proxy:3128");
  T_OK(coord_options_set(options, "proxy", "", &err), err);
  T_STR(value_of("proxy"), "");
  done();
}

/* ---- secrets from files ---- */

static char secret_path[64];

static void write_secret(const void *p, size_t n, mode_t mode) {
  snprintf(secret_path, sizeof secret_path, "/tmp/coord-secret-%d", (int)getpid());
  FILE *file = fopen(secret_path, "wb");
  T_FATAL(file != NULL);
  fwrite(p, 1, n, file);
  fchmod(fileno(file), mode);
  fclose(file);
}

static void secret_is_read_from_a_file_without_its_line_end(void) {
  static const char *const texts[] = {"http://p:1", "http://p:1\n", "http://p:1\r\n"};
  fresh();
  for (int i = 0; i < 3; i++) {
    write_secret(texts[i], strlen(texts[i]), 0600);
    T_OK(coord_options_set(options, "proxy.file", secret_path, &err), err);
    T_STR(coord__options_text(options, COORD__OPTION_PROXY), "http://p:1");
    T_STR(value_of("proxy"), "***");
  }
  write_secret("a\n\n", 3, 0600);
  T_OK(coord_options_set(options, "proxy.file", secret_path, &err), err);
  T_STR(coord__options_text(options, COORD__OPTION_PROXY), "a\n");
  T_OK(coord_options_set(options, "proxy.file", "", &err), err);
  T_STR(value_of("proxy"), "");
  unlink(secret_path);
  done();
}

static void bad_secret_files_are_refused(void) {
  static char big[70000];
  fresh();
  T_OK(coord_options_set(options, "proxy", "http://p:1", &err), err);
  T_ERROR(coord_options_set(options, "proxy.file", "/nowhere/x", &err), COORD_INVALID, err,
          "option proxy.file: file \"/nowhere/x\" cannot be read: No such file");
  T_ERROR(coord_options_set(options, "proxy.file", "/tmp", &err), COORD_INVALID, err,
          "Is a directory");
  T_ERROR(coord_options_set(options, "proxy.file", "/dev/zero", &err), COORD_INVALID, err,
          "larger than 65536 bytes");
  write_secret("\n", 1, 0600);
  T_ERROR(coord_options_set(options, "proxy.file", secret_path, &err), COORD_INVALID, err,
          "is empty");
  write_secret("hunter2\0x", 9, 0600);
  T_ERROR(coord_options_set(options, "proxy.file", secret_path, &err), COORD_INVALID, err,
          "holds a NUL byte");
  memset(big, 'x', sizeof big);
  write_secret(big, sizeof big, 0600);
  T_ERROR(coord_options_set(options, "proxy.file", secret_path, &err), COORD_INVALID, err,
          "larger than 65536 bytes");
  unlink(secret_path);
  T_ERROR(coord_options_set(options, "endpoints.file", secret_path, &err), COORD_INVALID, err,
          "no option \"endpoints.file\"");
  T_ERROR(coord_options_set(options, ".file", secret_path, &err), COORD_INVALID, err, "\".file\"");
  T_STR(coord__options_text(options, COORD__OPTION_PROXY), "http://p:1");
  done();
}

static void warn_to(coord_queue *queue, size_t lines) {
  coord__log log;
  coord__log_init(&log, COORD_LOG_WARN);
  coord__log_to(&log, queue, 1);
  coord__options_warn(options, &log);
  coord_event *event = NULL;
  for (size_t i = 0; i < lines; i++) {
    T_FATAL(coord_queue_drain(queue, &event, 1) == 1);
    T_HAS(coord_event_text(event), "option proxy: every user of this machine can read");
    T_TRUE(strstr(coord_event_text(event), "hunter2") == NULL);
    coord_event_free(event);
  }
  T_INT(coord_queue_drain(queue, &event, 1), 0);
  coord__log_free(&log);
}

static void secret_that_everybody_can_read_is_warned_of(void) {
  coord_queue *queue = NULL;
  fresh();
  T_OK(coord_queue_open(&queue, &err), err);
  write_secret("hunter2", 7, 0644);
  T_OK(coord_options_set(options, "proxy.file", secret_path, &err), err);
  warn_to(queue, 1);
  chmod(secret_path, 0640);
  T_OK(coord_options_set(options, "proxy.file", secret_path, &err), err);
  warn_to(queue, 0);
  unlink(secret_path);
  coord_queue_free(queue);
  done();
}

static void near_names_are_told(void) {
  fresh();
  T_ERROR(coord_options_set(options, "endpoint", "x", &err), COORD_INVALID, err,
          "\"endpoint\"; did you mean endpoints?");
  T_ERROR(coord_options_set(options, "log.levle", "x", &err), COORD_INVALID, err,
          "did you mean log.level?");
  T_STR(coord__options_nearest("quite.another.thing"), NULL);
  char longest[200];
  memset(longest, 'a', sizeof longest);
  longest[sizeof longest - 1] = '\0';
  T_STR(coord__options_nearest(longest), NULL);
  T_STR(coord__options_nearest(""), NULL);
  done();
}

/* ---- all together ---- */

static void values_of_a_higher_source_win_in_any_order(void) {
  for (int a = COORD__SOURCE_FILE_DEFAULTS; a <= COORD__SOURCE_CALL; a++) {
    for (int b = COORD__SOURCE_FILE_DEFAULTS; b <= COORD__SOURCE_CALL; b++) {
      fresh();
      T_OK(coord__options_set_from(options, (coord__source)a, "namespace", "a", &err), err);
      T_OK(coord__options_set_from(options, (coord__source)b, "namespace", "b", &err), err);
      T_STR(value_of("namespace"), b >= a ? "b" : "a");
    }
  }
  done();
}

static void copy_is_independent(void) {
  fresh();
  T_OK(coord_options_set(options, "request.timeout.ms", "123", &err), err);
  coord_options *copy = coord__options_copy(options);
  T_FATAL(copy != NULL);
  T_OK(coord_options_set(options, "request.timeout.ms", "456", &err), err);
  T_INT(coord__options_int(copy, COORD__OPTION_REQUEST_TIMEOUT_MS), 123);
  T_STR(coord__options_text(copy, COORD__OPTION_WIRE), "grpc");
  coord_options_free(copy);
  copy = coord__options_copy(NULL);
  T_FATAL(copy != NULL);
  T_INT(coord__options_int(copy, COORD__OPTION_REQUEST_TIMEOUT_MS), 5000);
  coord_options_free(copy);
  done();
}

static void value_may_be_set_from_the_value_it_has(void) {
  fresh();
  T_OK(coord_options_set(options, "endpoints", "a:1,b:2", &err), err);
  T_OK(coord_options_set(options, "endpoints", value_of("endpoints"), &err), err);
  T_STR(value_of("endpoints"), "a:1,b:2");
  done();
}

static void without_memory_nothing_changes(void) {
  fresh();
  T_OK(coord_options_set(options, "endpoints", "a:1", &err), err);
  coord__alloc_fail_after(0);
  coord_code set = coord_options_set(options, "endpoints", "b:2", NULL);
  coord_options *copy = coord__options_copy(options);
  coord_options *none = NULL;
  coord_code made = coord_options_new(&none);
  coord__alloc_fail_after(1);
  coord_options *half = coord__options_copy(options);
  coord__alloc_fail_after(-1);
  T_CODE(set, COORD_NO_MEMORY);
  T_CODE(made, COORD_NO_MEMORY);
  T_TRUE(copy == NULL && half == NULL && none == NULL);
  T_STR(value_of("endpoints"), "a:1");
  done();
}

T_MAIN(T_CASE(every_option_has_a_name_and_a_default_that_it_accepts),
       T_CASE(missing_arguments_are_named), T_CASE(unknown_options_are_refused_by_name),
       T_CASE(numbers_are_accepted_up_to_both_ends_of_their_range),
       T_CASE(booleans_are_true_or_false), T_CASE(choices_are_one_of_those_that_are_named),
       T_CASE(empty_value_gives_the_default_back), T_CASE(secret_is_never_read_back),
       T_CASE(secret_is_read_from_a_file_without_its_line_end),
       T_CASE(bad_secret_files_are_refused), T_CASE(secret_that_everybody_can_read_is_warned_of),
       T_CASE(near_names_are_told), T_CASE(values_of_a_higher_source_win_in_any_order),
       T_CASE(copy_is_independent), T_CASE(value_may_be_set_from_the_value_it_has),
       T_CASE(without_memory_nothing_changes))
