/* base/options_file: sections of options in YAML. */
#include "base/options_file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "support/t.h"

static coord_options *options;
static coord_error *err;
static char path[64];

static void fresh(void) {
  coord_options_free(options);
  options = NULL;
  T_FATAL(coord_options_new(&options) == COORD_OK);
}

static void write_bytes(const void *p, size_t n) {
  snprintf(path, sizeof path, "/tmp/coord-options-%d.yaml", (int)getpid());
  FILE *file = fopen(path, "wb");
  T_FATAL(file != NULL);
  fchmod(fileno(file), 0600);
  fwrite(p, 1, n, file);
  fclose(file);
}

static void write_file(const char *text) { write_bytes(text, strlen(text)); }

static void done(void) {
  coord_options_free(options);
  options = NULL;
  unlink(path);
}

static const char *value_of(const char *name) {
  const char *value = NULL;
  T_CODE(coord_options_get(options, name, &value, NULL), COORD_OK);
  return value;
}

static void load(const char *section) {
  T_OK(coord_options_load(options, path, section, &err), err);
}

/* Refused, with `why` behind the position, and nothing is set. */
static void refuse(const char *text, const char *why) {
  fresh();
  write_file(text);
  T_CODE(coord_options_load(options, path, "a", &err), COORD_INVALID);
  if (!T_HAS(coord_error_message(err), why)) T_FAIL("this was %s", text);
  T_HAS(coord_error_message(err), path);
  T_TRUE(strstr(coord_error_message(err), "hunter2") == NULL);
  coord_error_free(err);
  err = NULL;
  for (int i = 0; i < COORD__OPTION_COUNT; i++) {
    T_TRUE(!coord__options_is_set(options, (coord__option)i));
  }
}

static const char sample[] =
    "# clients of this host\n"
    "defaults:\n"
    "  endpoints: [10.0.0.1:2379, '[::1]:2379', \"unix:///run/etcd.sock\"]\n"
    "  request.timeout.ms: 2000\n"
    "  log:\n"
    "    level: info\n"
    "  scan.page.keys: 7\n"
    "billing:\n"
    "  namespace: billing/\n"
    "  request:\n"
    "    timeout: {ms: 3000}\n"
    "    max.bytes: 4096\n"
    "  connect.lazy: true\n"
    "  scan.page.keys:\n"
    "other:\n"
    "  endpoints:\n"
    "  - etcd://x/y\n"
    "  unknown.to.this.version: [1, {a: b}]\n"
    "empty:\n";

static void sections_inherit_from_defaults(void) {
  fresh();
  write_file(sample);
  load("billing");
  T_STR(value_of("endpoints"), "10.0.0.1:2379,[::1]:2379,unix:///run/etcd.sock");
  T_STR(value_of("request.timeout.ms"), "3000");
  T_STR(value_of("request.max.bytes"), "4096");
  T_STR(value_of("log.level"), "info");
  T_STR(value_of("namespace"), "billing/");
  T_STR(value_of("connect.lazy"), "true");
  T_STR(value_of("scan.page.keys"), "1000");
  fresh();
  load(NULL);
  T_STR(value_of("request.timeout.ms"), "2000");
  T_STR(value_of("namespace"), "");
  fresh();
  load("");
  T_STR(value_of("scan.page.keys"), "7");
  fresh();
  load("defaults");
  T_STR(value_of("scan.page.keys"), "7");
  fresh();
  load("empty");
  T_STR(value_of("scan.page.keys"), "7");
  done();
}

static void order_of_the_sections_does_not_matter(void) {
  fresh();
  write_file("a: {scan.page.keys: 1}\ndefaults: {scan.page.keys: 2, namespace: n}\n");
  load("a");
  T_STR(value_of("scan.page.keys"), "1");
  T_STR(value_of("namespace"), "n");
  done();
}

static void json_and_other_spellings_are_taken(void) {
  fresh();
  write_file(
      "{\"a\": {\"scan.page.keys\": 5, \"namespace\": \"\\u00e9\\xe9/\", \"log.level\": null}}");
  load("a");
  T_STR(value_of("scan.page.keys"), "5");
  T_STR(value_of("namespace"), "\xc3\xa9\xc3\xa9/");
  fresh();
  write_file("\xef\xbb\xbf%YAML 1.1\n---\na:\n  namespace: '~'\r\n  log.level: ~\r\n...\n");
  load("a");
  T_STR(value_of("namespace"), "~");
  T_STR(value_of("log.level"), "warn");
  done();
}

static void url_in_a_file_sets_what_the_section_does_not(void) {
  fresh();
  write_file(
      "defaults: {namespace: d, log.level: info}\n"
      "a: {endpoints: 'etcd://u@h/url?request.timeout.ms=7', log.level: debug}\n");
  load("a");
  T_STR(value_of("namespace"), "url");
  T_STR(value_of("username"), "u");
  T_STR(value_of("request.timeout.ms"), "7");
  T_STR(value_of("log.level"), "debug");
  done();
}

static void explicit_values_win_before_and_after(void) {
  fresh();
  T_OK(coord_options_set(options, "namespace", "own", &err), err);
  write_file("a: {namespace: file, log.level: info}\n");
  load("a");
  T_OK(coord_options_set(options, "log.level", "debug", &err), err);
  T_STR(value_of("namespace"), "own");
  T_STR(value_of("log.level"), "debug");
  done();
}

static void faults_are_named_with_their_place(void) {
  refuse("a:\n  request.timeout.ms: 5s\n",
         "line 2, column 3: option request.timeout.ms: \"5s\" is not a whole number");
  refuse("a:\n  log: {level: loud}\n", "line 2, column 9: option log.level: \"loud\" is none of");
  refuse("a:\n\n    connect.lazy: yes\n", "line 3, column 5: option connect.lazy: \"yes\"");
  refuse("a:\n  endpoint: x\n",
         "line 2, column 3: there is no option \"endpoint\"; did you mean endpoints?");
  refuse("a:\n  log.levels: hunter2\n",
         "there is no option \"log.levels\"; did you mean log.level?");
  refuse("a:\n  namespace: x\n  namespace: y\n", "line 3, column 3: option namespace is set twice");
  refuse("a:\n  log.level: info\n  log: {level: info}\n", "option log.level is set twice");
  refuse("a:\n  proxy: hunter2\n  proxy.file: /x\n", "option proxy is set twice");
  refuse("a:\n  proxy.file: /nowhere/x\n", "option proxy.file: file \"/nowhere/x\" cannot be read");
  refuse("a:\n  namespace: [x]\n",
         "line 2, column 3: option namespace takes one value, not a list");
  refuse("a:\n  endpoints: []\n", "the list is empty");
  refuse("a:\n  endpoints: [x, [y]]\n", "line 2, column 18: option endpoints: this is no endpoint");
  refuse("a:\n  endpoints: [x, ]\n  endpoints: y\n", "set twice");
  refuse("a:\n  endpoints: etcd://u:hunter2@h\n", "holds a password");
  refuse("a:\n  namespace: \"a\\0b\"\n", "holds a NUL byte");
  refuse("a:\n  ? [x]\n  : y\n", "the name of an option is expected");
  refuse("a:\n  {x: {y: {z: 1}}}\n", "there is no option \"x.y.z\"");
  done();
}

static void faults_of_the_whole_file_are_named(void) {
  refuse("", "is empty");
  refuse("\n# nothing\n", "is empty");
  refuse("---\n", "is empty");
  refuse("b: {}\nc: {}\n", "has no section \"a\"; it has b, c");
  refuse("{}\n", "has no section \"a\"; it has none");
  refuse("endpoints: hunter2\n", "line 1, column 12: a section holds options");
  refuse("a: [x]\n", "a section holds options");
  refuse("hunter2\n", "line 1, column 1: expected sections of options");
  refuse("- a\n", "expected sections of options");
  refuse("? {}\n: {}\n", "the name of a section is expected");
  refuse("a: {}\na: {}\n", "line 2, column 1: this section is there twice");
  refuse("a: {}\n---\nb: {}\n", "a second document begins here");
  refuse("a: {\n", "this is no YAML in UTF-8");
  refuse("a:\n\tnamespace: x\n", "line 2, column 1: this is no YAML in UTF-8");
  refuse("a: {}\nb: \"hunter2\n", "this is no YAML in UTF-8");
  refuse("a:\n  namespace: \xff\n", "line 2, column 14: this is no YAML in UTF-8: invalid leading");
  refuse(
      "\xff\xfe"
      "a\0:\0",
      "this is no YAML in UTF-8");
  refuse("a: {}\nb: {x: \x01}\n", "control characters are not allowed");
  fresh();
  write_file("a: {}\n");
  T_ERROR(coord_options_load(options, path, NULL, &err), COORD_INVALID, err,
          "has no section \"defaults\", and no other was asked for; it has a");
  T_ERROR(coord_options_load(options, path, "a\nb", &err), COORD_INVALID, err, "\"a\\x0ab\"");
  done();
}

static void anchors_aliases_and_tags_are_refused(void) {
  refuse("a: &x\n  namespace: n\n", "anchors and aliases");
  refuse("a: {}\nb: &x [1]\nc: *x\n", "line 2, column 4: anchors and aliases");
  refuse("a: {namespace: &x n}\n", "anchors and aliases");
  refuse("a: {namespace: *x}\n", "anchors and aliases");
  refuse("z: &a [l, l]\ny: &b [*a, *a]\nx: &c [*b, *b]\na: {}\n", "line 1, column 4: anchors");
  refuse("a: {namespace: !!binary aGk=}\n", "tags");
  done();
}

static void size_and_depth_are_limited(void) {
  static char big[300000];
  memset(big, '[', 2000);
  memcpy(big, "b: {x: ", 7);
  refuse(big, "nested too deep");
  memset(big, 0, sizeof big);
  strcpy(big, "a: ");
  for (int i = 0; i < 40; i++) strcat(big, "{b: ");
  refuse(big, "nested too deep");
  memset(big, '#', sizeof big);
  fresh();
  write_bytes(big, sizeof big);
  T_ERROR(coord_options_load(options, path, "a", &err), COORD_INVALID, err,
          "is larger than 262144 bytes");
  write_bytes(big, 262144);
  T_ERROR(coord_options_load(options, path, "a", &err), COORD_INVALID, err, "is empty");
  done();
}

static void files_that_cannot_be_read_are_named(void) {
  fresh();
  T_ERROR(coord_options_load(options, "/nowhere/c.yaml", NULL, &err), COORD_INVALID, err,
          "options file \"/nowhere/c.yaml\" cannot be read: No such file or directory");
  T_ERROR(coord_options_load(options, "", NULL, &err), COORD_INVALID, err, "No such file");
  T_ERROR(coord_options_load(options, "/tmp", NULL, &err), COORD_INVALID, err, "Is a directory");
  T_ERROR(coord_options_load(options, NULL, NULL, &err), COORD_INVALID, err, "path");
  T_ERROR(coord_options_load(NULL, "x", NULL, &err), COORD_INVALID, err, "options");
  T_CODE(coord_options_load(options, "/tmp", NULL, NULL), COORD_INVALID);
  write_file("a: {}\n");
  chmod(path, 0);
  bool root = geteuid() == 0; /* who may read every file */
  if (root) T_FATAL(seteuid(65534) == 0);
  T_ERROR(coord_options_load(options, path, "a", &err), COORD_INVALID, err, "Permission denied");
  if (root) T_FATAL(seteuid(0) == 0);
  done();
}

static void secret_in_a_file_that_everybody_can_read_is_warned_of(void) {
  static const struct {
    mode_t mode;
    size_t lines;
  } cases[] = {{0600, 0}, {0640, 0}, {0644, 1}};
  coord_queue *queue = NULL;
  T_OK(coord_queue_open(&queue, &err), err);
  for (int i = 0; i < 3; i++) {
    coord__log log;
    coord_event *event = NULL;
    fresh();
    write_file("a: {proxy: 'http://u:hunter2@p:1', namespace: n}\n");
    chmod(path, cases[i].mode);
    load("a");
    T_STR(value_of("proxy"), "***");
    coord__log_init(&log, COORD_LOG_WARN);
    coord__log_to(&log, queue, 1);
    coord__options_warn(options, &log);
    T_INT(coord_queue_drain(queue, &event, 1), cases[i].lines);
    if (cases[i].lines > 0) {
      T_HAS(coord_event_text(event), "option proxy: every user");
      T_TRUE(strstr(coord_event_text(event), "hunter2") == NULL);
      coord_event_free(event);
    }
    coord__log_free(&log);
  }
  coord_queue_free(queue);
  done();
}

static void without_memory_nothing_is_set(void) {
  write_file("a:\n  endpoints: [etcd://u@h/ns]\n  log.level: info\n");
  coord_code code = COORD_NO_MEMORY;
  long n = 0;
  for (; code != COORD_OK && n < 200; n++) {
    fresh();
    coord__alloc_fail_after(n);
    code = coord_options_load(options, path, "a", &err);
    coord__alloc_fail_after(-1);
    coord_error_free(err);
    err = NULL;
    if (code == COORD_OK) break;
    T_CODE(code, COORD_NO_MEMORY);
    T_STR(value_of("namespace"), "");
  }
  T_TRUE(n > 5);
  T_STR(value_of("namespace"), "ns");
  done();
}

T_MAIN(T_CASE(sections_inherit_from_defaults), T_CASE(order_of_the_sections_does_not_matter),
       T_CASE(json_and_other_spellings_are_taken),
       T_CASE(url_in_a_file_sets_what_the_section_does_not),
       T_CASE(explicit_values_win_before_and_after), T_CASE(faults_are_named_with_their_place),
       T_CASE(faults_of_the_whole_file_are_named), T_CASE(anchors_aliases_and_tags_are_refused),
       T_CASE(size_and_depth_are_limited), T_CASE(files_that_cannot_be_read_are_named),
       T_CASE(secret_in_a_file_that_everybody_can_read_is_warned_of),
       T_CASE(without_memory_nothing_is_set))
