#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "action.h"
#include "config_app.h"
#include "config_print.h"
#include "json_text.h"
#include "print.h"
#include "report.h"
#include "value_in.h"

/* ---- reading what is current ---- */

static void print_current(const coord_kv *kv, int64_t version) {
  if (!cli.json) {
    print_bytes(kv->value, kv->value_len);
    putchar('\n');
    return;
  }
  putchar('{');
  print_json_bytes("key", kv->key, kv->key_len);
  putchar(',');
  config_print_member("value", kv);
  printf(",\"version\":%" PRId64 "}\n", version);
}

static int get_one(const struct config_app *app, const char *key, const char *fallback) {
  coord_error *err = NULL;
  char *json = NULL;
  int64_t version = 0;
  coord_code code = COORD_OK;
  if (fallback != NULL) code = coord_config_default(app->config, key, fallback, &err);
  if (code == COORD_OK) code = coord_config_get(app->config, key, &json, &version, &err);
  int exit_code = CLI_FINE;
  if (code == COORD_OK) {
    coord_kv kv = {.key = key, .key_len = strlen(key), .value = json, .value_len = strlen(json)};
    print_current(&kv, version);
  } else if (code == COORD_NOT_FOUND) {
    exit_code = absent(app->what, "no layer has \"%s\", and there is no --default", key);
  } else {
    exit_code = call_error(app->what, code, err);
  }
  coord_memory_free(json);
  coord_error_free(err);
  return exit_code;
}

static int get_all(const struct config_app *app, const char *application) {
  coord_error *err = NULL;
  coord_result *all = NULL;
  coord_kv kv;
  coord_code code = coord_config_all(app->config, &all, &err);
  int exit_code = code == COORD_OK ? CLI_FINE : call_error(app->what, code, err);
  coord_error_free(err);
  for (size_t i = 0; coord_result_kv(all, i, &kv) == COORD_OK; i++) {
    if (cli.json) {
      print_current(&kv, kv.version > 0 ? kv.mod_revision : 0);
    } else {
      print_kv(&kv, false);
    }
  }
  if (exit_code == CLI_FINE && coord_result_count(all) == 0) {
    exit_code = absent(app->what, "\"%s\" has no configuration", application);
  }
  coord_result_free(all);
  return exit_code;
}

/* What shows how to write a string that was meant. */
static int not_json(const char *what, const char *from, const char *text,
                    const struct problem *problem) {
  bool is_plain = *text != '\0' && strpbrk(text, "'\"\\\n") == NULL && strlen(text) <= 60;
  bool is_open = *text != '\0' && strchr("{[\"", *text) != NULL;
  if (is_open) return input_error(what, "%s is %s", from, problem->text);
  return input_error(what, "%s is %s; a string has quotes: '\"%s\"'", from, problem->text,
                     is_plain ? text : "text");
}

int config_check(const char *what, const char *from, struct bytes *value) {
  struct problem problem = {0};
  char shown[96];
  size_t before = strspn(value->data, " \t\r\n");
  while (value->len > before && strchr(" \t\r\n", value->data[value->len - 1]) != NULL &&
         value->data[value->len - 1] != '\0') {
    value->len--;
  }
  if (value->len >= before) value->len -= before;
  memmove(value->data, value->data + before, value->len);
  value->data[value->len] = '\0';
  if (json_text_ok(value->data, value->len, &problem)) return CLI_FINE;
  snprintf(shown, sizeof shown, "\"%.80s\"", value->data);
  return not_json(what, from != NULL ? from : shown, value->data, &problem);
}

static int run_get(const struct args *args, char **words) {
  const char *fallback = args_text(args, "--default");
  struct config_app app = {0};
  int code = CLI_FINE;
  if (fallback != NULL && words[1] == NULL) {
    return usage_error("config", "--default needs a KEY, whose value it is");
  }
  if (fallback != NULL) {
    struct bytes copy = bytes_copy(fallback, strlen(fallback));
    code = config_check("config get", "--default", &copy);
    bytes_free(&copy);
  }
  if (code != CLI_FINE) return code;
  code = config_open(args, "config get", words[0], true, &app);
  if (code == CLI_FINE) {
    config_tell_all(&app);
    code = words[1] != NULL ? get_one(&app, words[1], fallback) : get_all(&app, words[0]);
  }
  config_close(&app);
  return code;
}

/* ---- writing ---- */

/* The version that was written. */
static void print_written(const coord_result *result) {
  if (cli.json) {
    printf("{\"version\":%" PRId64 "}\n", coord_result_revision(result));
  } else {
    printf("%" PRId64 "\n", coord_result_revision(result));
  }
}

/* `at`: of the words, that with the value. */
static int write_value(const struct args *args, char **words, int at, int64_t expected) {
  const char *what = expected < 0 ? "config set" : "config cas";
  const char *file = args_text(args, "--file");
  struct config_app app = {0};
  struct bytes value = {0};
  coord_result *result = NULL;
  bool is_word = args->count > at && strcmp(args->words[at], "-") != 0;
  if (file != NULL && args->count > at) {
    return usage_error("config", "JSON and --file exclude each other");
  }
  int code = value_read(args, at, &value);
  if (code == CLI_FINE) {
    const char *from = file != NULL ? file : is_word ? NULL : "standard input";
    code = config_check(what, from, &value);
  }
  if (code == CLI_FINE) {
    code = config_open(args, what, words[0], false, &app);
    if (code == CLI_FINE) {
      code = config_call(&app, coord_op_config_set(app.config, words[1], value.data, expected),
                         &result);
    }
    if (code == CLI_FINE) print_written(result);
    coord_result_free(result);
    config_close(&app);
  }
  bytes_free(&value);
  return code;
}

static int run_set(const struct args *args, char **words) {
  return write_value(args, words, 3, -1);
}

static int run_cas(const struct args *args, char **words) {
  int64_t expected = 0;
  if (!parse_number(words[2], 0, INT64_MAX, &expected)) {
    return usage_error("config",
                       "VERSION is that of \"coord config list\", or 0 for a new key, got \"%s\"",
                       words[2]);
  }
  return write_value(args, words, 4, expected);
}

static int run_delete(const struct args *args, char **words) {
  struct config_app app = {0};
  coord_result *result = NULL;
  int64_t expected = -1;
  if (!args_number(args, "--if-version", 1, INT64_MAX, &expected)) return CLI_USAGE;
  int code = config_open(args, "config delete", words[0], false, &app);
  if (code == CLI_FINE) {
    code = config_call(&app, coord_op_config_delete(app.config, words[1], expected), &result);
  }
  if (code == CLI_FINE && expected < 0 && coord_result_total(result) == 0) {
    code = absent(app.what, "\"%s\" itself has no \"%s\"", words[0], words[1]);
  } else if (code == CLI_FINE && cli.json) {
    printf("{\"revision\":%" PRId64 "}\n", coord_result_revision(result));
  }
  coord_result_free(result);
  config_close(&app);
  return code;
}

/* ---- the layer ---- */

static void print_version(const coord_kv *kv, const coord_kv *key) {
  if (!cli.json) {
    printf("%-10" PRId64 "  ", kv->mod_revision);
    if (key != NULL) {
      print_bytes(key->key, key->key_len);
      fputs("  ", stdout);
    }
    config_print_line(kv);
    return;
  }
  putchar('{');
  if (key != NULL) {
    print_json_bytes("key", key->key, key->key_len);
    putchar(',');
  }
  config_print_member("value", kv);
  printf(",\"version\":%" PRId64 "}\n", kv->mod_revision);
}

static void print_heading(const char *rest) {
  if (cli.json) return;
  printf("%s%-10s  %s%s\n", paint_out(PAINT_BOLD), "VERSION", rest, paint_out(PAINT_OFF));
}

static int run_list(const struct args *args, char **words) {
  struct config_app app = {0};
  coord_result *result = NULL;
  coord_kv kv;
  int code = config_open(args, "config list", words[0], false, &app);
  if (code == CLI_FINE) code = config_call(&app, coord_op_config_list(app.config), &result);
  if (code == CLI_FINE && coord_result_count(result) == 0) {
    code = absent(app.what, "\"%s\" itself has no configuration", words[0]);
  } else if (code == CLI_FINE) {
    print_heading("KEY  VALUE");
  }
  for (size_t i = 0; coord_result_kv(result, i, &kv) == COORD_OK; i++) {
    coord_kv key = kv;
    if (kv.key_len < app.skip) continue;
    key.key = (const char *)kv.key + app.skip;
    key.key_len = kv.key_len - app.skip;
    print_version(&kv, &key);
  }
  coord_result_free(result);
  config_close(&app);
  return code;
}

static int run_history(const struct args *args, char **words) {
  struct config_app app = {0};
  coord_result *result = NULL;
  coord_kv kv;
  int64_t most = 20;
  if (!args_number(args, "--most", 1, 1000, &most)) return CLI_USAGE;
  int code = config_open(args, "config history", words[0], false, &app);
  if (code == CLI_FINE) {
    code = config_call(&app, coord_op_config_history(app.config, words[1], (int32_t)most), &result);
  }
  if (code == CLI_FINE && coord_result_count(result) == 0) {
    code = absent(app.what, "\"%s\" itself has no \"%s\"", words[0], words[1]);
  } else if (code == CLI_FINE) {
    print_heading("VALUE");
  }
  for (size_t i = 0; coord_result_kv(result, i, &kv) == COORD_OK; i++) print_version(&kv, NULL);
  if (coord_result_more(result)) {
    remark("There were older ones: --most cut them, or they were compacted away.");
  }
  coord_result_free(result);
  config_close(&app);
  return code;
}

static const struct action actions[] = {
    {"get", "get APP [KEY]", 1, 2, " --prefix --default ", run_get},
    {"set", "set APP KEY [JSON | --file F | -]", 2, 3, " --prefix --file ", run_set},
    {"cas", "cas APP KEY VERSION [JSON | --file F | -]", 3, 4, " --prefix --file ", run_cas},
    {"delete", "delete APP KEY", 2, 2, " --prefix --if-version ", run_delete},
    {"list", "list APP", 1, 1, " --prefix ", run_list},
    {"history", "history APP KEY", 2, 2, " --prefix --most ", run_history},
    {"watch", "watch APP [KEY]", 1, 2, " --prefix --limit ", config_watch},
    {"edit", "edit APP KEY", 2, 2, " --prefix ", config_edit},
    {0}};

static int run(const struct args *args) {
  /* APP and KEY stand at the same place for all. */
  for (int i = 1; i < args->count && i < 3; i++) {
    if (args->words[i][0] == '\0') {
      return usage_error("config", "%s is empty", i == 1 ? "APP" : "KEY");
    }
  }
  return action_run(args, actions);
}

static const struct flag flags[] = {
    {"--default", "JSON", "[get] print this when no layer has KEY"},
    {"--file", "F", "[set, cas] the value is the JSON text in file F"},
    {"--if-version", "N", "[delete] only when the value is of this version"},
    {"--most", "N", "[history] the newest N values, at most 1000; default 20"},
    {"--limit", "N", "[watch] end after N sets of changes"},
    FLAG_CONFIG_PREFIX,
    {0}};

const struct verb verb_config = {
    .name = "config",
    .usage =
        "get APP [KEY] | set APP KEY [JSON] | cas APP KEY VERSION [JSON] |\n"
        "       delete APP KEY | list APP | history APP KEY | watch APP [KEY] | edit APP KEY",
    .summary = "read and change the configuration of an application",
    .text =
        "A value is JSON: 8080, true, '\"text\"', '{\"a\": [1, 2]}'. The dots in the name of an\n"
        "application make layers: what prod.shop.cart does not have is that of prod.shop, then\n"
        "that of prod. get and watch tell what the layers come to; the others see the layer APP\n"
        "alone. The version of a value is the revision that wrote it; 0 is none in this layer.\n"
        "\n"
        "  get      the value of KEY, or each key and below it its value\n"
        "  set      writes JSON, or the content of a file, or with - or without JSON what comes\n"
        "           from standard input; prints the version. -5 and the like go behind --\n"
        "  cas      the same when the value is of VERSION still, or when there is none and\n"
        "           VERSION is 0; else ends with 75\n"
        "  delete   what is beneath comes to light; with --if-version ends with 75 as cas does\n"
        "  list     the keys of the layer, each with its version\n"
        "  history  the values that a key had since it was created, the newest first\n"
        "  watch    each set of changes as it comes, until Ctrl-C: REVISION and its number, then\n"
        "           PUT, the key and the value, or DELETE and the key; with --json one object to\n"
        "           a set. A value that is no JSON is told on standard error and not taken over\n"
        "  edit     opens the value in $VISUAL or $EDITOR (else vi) and writes what was made of\n"
        "           it, when nobody else did meanwhile: else ends with 75. What is not written,\n"
        "           also because it is no JSON, stays in the file that is named\n"
        "\n"
        "get, delete, list and history end with 1 when there is nothing.",
    .flags = flags,
    .examples =
        "  $ coord config set prod log '\"info\"'\n"
        "  $ coord config set prod.shop port 8080\n"
        "  $ coord config get prod.shop\n"
        "  $ coord config get prod.shop colour --default '\"red\"'\n"
        "  $ version=$(coord config set prod.shop limits '{\"carts\": 100}')\n"
        "  $ coord config cas prod.shop limits $version '{\"carts\": 200}'\n"
        "  $ coord config history prod.shop limits\n"
        "  $ EDITOR='sed -i s/200/300/' coord config edit prod.shop limits\n"
        "  $ coord config list prod.shop --json\n"
        "  $ coord config delete prod.shop limits\n",
    .run = run,
};
