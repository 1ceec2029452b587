#include "conformance/check.h"

#include <coord.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "conformance/verbs.h"

typedef struct checker {
  const char *file;
  int line; /* of the step */
  int wrong;
  /* Of the scenario: */
  json_object *variables;
  json_object *handles; /* their kinds */
  json_object *calls;
} checker;

static const char every_field[] =
    "key value create_revision mod_revision version lease prev type json prev_json instance id "
    "name address "
    "port weight status metadata revision kvs count total more deleted succeeded parts";
static const char outcome_fields[] = "error retriable maybe_applied message";
static const char operators[] = "hex int gt ge lt ne has in";
static const char event_types[] = "CHANGES RESYNC AT_RISK LOST RESTORED ACQUIRED CLOSED REJECTED";

__attribute__((format(printf, 3, 4))) static void wrong(checker *c, json_object *where,
                                                        const char *format, ...) {
  va_list args;
  int line = conf_line(where);
  fprintf(stderr, "%s:%d: ", c->file, line > 0 ? line : c->line);
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
  c->wrong++;
}

static bool is_text(json_object *v) { return json_object_is_type(v, json_type_string); }
static bool is_map(json_object *v) { return json_object_is_type(v, json_type_object); }
static bool is_list(json_object *v) { return json_object_is_type(v, json_type_array); }

static const char *text_of(json_object *v) { return is_text(v) ? json_object_get_string(v) : ""; }

static json_object *member(json_object *map, const char *name) {
  json_object *value = NULL;
  if (is_map(map)) json_object_object_get_ex(map, name, &value);
  return value;
}

/* The one member of {name: ...} when it is an operator; else NULL. */
static const char *operator_of(json_object *v) {
  if (!is_map(v) || json_object_object_length(v) != 1) return NULL;
  struct json_object_iterator at = json_object_iter_begin(v);
  const char *name = json_object_iter_peek_name(&at);
  return conf_in_list(name, operators, ' ') ? name : NULL;
}

/* ---- values ---- */

static bool is_variable(json_object *v) {
  const char *text = text_of(v);
  return text[0] == '$' && text[1] != '$';
}

static void check_variable(checker *c, json_object *v) {
  if (member(c->variables, text_of(v) + 1) == NULL) {
    wrong(c, v, "nothing was saved as %s before", text_of(v) + 1);
  }
}

static bool is_hex(json_object *v) {
  const char *name = operator_of(v);
  const char *text = name && strcmp(name, "hex") == 0 ? text_of(member(v, "hex")) : "x";
  size_t n = strlen(text);
  return n % 2 == 0 && strspn(text, "0123456789abcdef") == n;
}

static bool is_big_int(json_object *v) {
  const char *name = operator_of(v);
  const char *text = name && strcmp(name, "int") == 0 ? text_of(member(v, "int")) : "";
  size_t n = strlen(text);
  return n > 0 && strspn(text[0] == '-' ? text + 1 : text, "0123456789") > 0;
}

static void check_scalar(checker *c, const char *name, const char *type, json_object *v) {
  bool good = false;
  if (is_variable(v)) {
    check_variable(c, v);
    return;
  }
  if (strcmp(type, "bytes") == 0) good = is_text(v) || is_hex(v);
  if (strcmp(type, "text") == 0) good = is_text(v);
  if (strcmp(type, "int") == 0) good = json_object_is_type(v, json_type_int) || is_big_int(v);
  if (strcmp(type, "bool") == 0) good = json_object_is_type(v, json_type_boolean);
  if (strchr(type, '|')) good = is_text(v) && conf_in_list(text_of(v), type, '|');
  if (!good) wrong(c, v, "%s is no %s", name, type);
}

static void check_options(checker *c, json_object *v) {
  if (!is_map(v)) {
    wrong(c, v, "options is no map");
    return;
  }
  json_object_object_foreach(v, name, value) {
    if (is_map(value) || is_list(value) || value == NULL) {
      wrong(c, value, "option %s is no text, int or bool", name);
    }
    if (is_variable(value)) check_variable(c, value);
    int32_t i = 0;
    while (i < coord_options_count() && strcmp(coord_options_name(i), name) != 0) i++;
    if (i == coord_options_count() && strncmp(name, "no.such.", 8) != 0) {
      wrong(c, v, "there is no option %s (one that shall not exist begins with no.such.)", name);
    }
  }
}

/* ---- names ---- */

static void declare(checker *c, json_object *names, json_object *v, const char *kind) {
  const char *name = text_of(v);
  size_t n = strlen(name);
  if (n == 0 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != n) {
    wrong(c, v, "a name is made of a-z, 0-9 and _");
  } else if (member(names, name) != NULL) {
    wrong(c, v, "the name %s is taken", name);
  } else {
    json_object_object_add(names, name, json_object_new_string(kind));
  }
}

/* A client that no step opened is opened at its first use. */
static void check_client(checker *c, json_object *v) {
  const char *name = v != NULL ? text_of(v) : "c";
  const char *kind = text_of(member(c->handles, name));
  if (kind[0] == '\0' && v == NULL) {
    json_object_object_add(c->handles, name, json_object_new_string("client"));
  } else if (kind[0] == '\0') {
    declare(c, c->handles, v, "client");
  } else if (strcmp(kind, "client") != 0) {
    wrong(c, v, "%s is a %s, no client", name, kind);
  }
}

static void check_handle(checker *c, json_object *v, const char *wanted) {
  const char *kind = text_of(member(c->handles, text_of(v)));
  if (kind[0] == '\0') {
    wrong(c, v, "no step before made %s", is_text(v) ? text_of(v) : "such a handle");
  } else if (strcmp(wanted, "any") != 0 && !conf_in_list(kind, wanted, '|')) {
    wrong(c, v, "%s is a %s, no %s", text_of(v), kind, wanted);
  }
}

/* ---- transactions ---- */

static void check_arguments(checker *c, const conf_verb *verb, json_object *step);

static void check_condition(checker *c, json_object *v) {
  const char *target = text_of(member(v, "target"));
  json_object *lock = member(v, "held"), *election = member(v, "leader");
  if (!is_map(v)) {
    wrong(c, v, "a condition is a map");
    return;
  }
  if (lock != NULL || election != NULL) {
    check_handle(c, lock ? lock : election, lock ? "lock" : "election");
    if (json_object_object_length(v) != 1) wrong(c, v, "held and leader stand alone");
    return;
  }
  json_object_object_foreach(v, name, value) {
    if (strcmp(name, "key") == 0 || strcmp(name, "end") == 0) {
      check_scalar(c, name, "bytes", value);
    } else if (strcmp(name, "target") == 0) {
      check_scalar(c, name, "version|create|mod|lease|value", value);
    } else if (strcmp(name, "is") == 0) {
      check_scalar(c, name, "equal|not_equal|greater|less", value);
    } else if (strcmp(name, "to") == 0) {
      check_scalar(c, name, strcmp(target, "value") == 0 ? "bytes" : "int", value);
    } else {
      wrong(c, value, "a condition has no %s", name);
    }
  }
  static const char *const needed[] = {"key", "target", "is", "to"};
  for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
    if (member(v, needed[i]) == NULL) wrong(c, v, "the condition lacks %s", needed[i]);
  }
}

static void check_txn_list(checker *c, const char *type, json_object *v) {
  if (!is_list(v)) {
    wrong(c, v, "this is no list");
    return;
  }
  for (size_t i = 0; i < json_object_array_length(v); i++) {
    json_object *item = json_object_array_get_idx(v, i);
    if (strcmp(type, "if") == 0) {
      check_condition(c, item);
    } else if (!conf_in_list(text_of(member(item, "do")),
                             "put get delete txn config_set config_delete", ' ')) {
      wrong(c, item, "what a txn does is put, get, delete, txn, config_set or config_delete");
    } else {
      check_arguments(c, conf_verb_named(text_of(member(item, "do"))), item);
    }
  }
}

/* ---- expectations ---- */

static bool is_error_name(const char *name) {
  for (int32_t code = 0; code > -100; code--) {
    const char *known = coord_code_name(code);
    if (strcmp(known, "UNKNOWN") != 0 && strcmp(known, name) == 0) return true;
  }
  return false;
}

static void check_word(checker *c, const char *name, json_object *v) {
  if (!is_text(v) || is_variable(v)) return;
  if ((strcmp(name, "error") == 0 || strcmp(name, "code") == 0) && !is_error_name(text_of(v))) {
    wrong(c, v, "there is no error %s", text_of(v));
  }
}

static void check_expected(checker *c, const char *name, json_object *v);

static void check_operator(checker *c, const char *name, const char *op_name, json_object *v) {
  json_object *operand = member(v, op_name);
  if (strcmp(op_name, "hex") == 0) {
    if (!is_hex(v)) wrong(c, v, "hex is an even number of digits, small letters");
  } else if (strcmp(op_name, "int") == 0) {
    if (!is_big_int(v)) wrong(c, v, "int is a text of digits");
  } else if (strcmp(op_name, "in") != 0) {
    check_expected(c, name, operand);
  } else if (!is_list(operand)) {
    wrong(c, v, "in takes a list");
  } else {
    for (size_t i = 0; i < json_object_array_length(operand); i++) {
      check_expected(c, name, json_object_array_get_idx(operand, i));
    }
  }
}

static void check_expected(checker *c, const char *name, json_object *v) {
  const char *op_name = operator_of(v);
  if (strcmp(name, "json") == 0 || strcmp(name, "prev_json") == 0) return;
  if (is_variable(v)) {
    check_variable(c, v);
  } else if (op_name != NULL) {
    check_operator(c, name, op_name, v);
  } else if (is_list(v)) {
    for (size_t i = 0; i < json_object_array_length(v); i++) {
      check_expected(c, name, json_object_array_get_idx(v, i));
    }
  } else if (is_map(v)) {
    json_object_object_foreach(v, part, value) {
      if (strcmp(name, "metadata") != 0 && !conf_in_list(part, every_field, ' ')) {
        wrong(c, value ? value : v, "no result has %s", part);
      }
      check_expected(c, part, value);
    }
  } else {
    check_word(c, name, v);
  }
}

static bool is_field(const conf_verb *verb, const char *name) {
  return verb->fields[0] == '*' || conf_in_list(name, verb->fields, ' ') ||
         conf_in_list(name, outcome_fields, ' ');
}

static void check_expectation(checker *c, const conf_verb *verb, json_object *v) {
  if (!is_map(v)) {
    wrong(c, v, "an expectation is a map");
    return;
  }
  json_object_object_foreach(v, name, value) {
    if (!is_field(verb, name)) wrong(c, value ? value : v, "%s has no result %s", verb->name, name);
    if (strcmp(verb->name, "event") == 0 && strcmp(name, "type") == 0 && is_text(value) &&
        !conf_in_list(text_of(value), event_types, ' ')) {
      wrong(c, value, "there is no event %s", text_of(value));
    }
    check_expected(c, name, value);
  }
}

static void check_save(checker *c, const conf_verb *verb, json_object *v) {
  if (!is_map(v)) {
    wrong(c, v, "save is a map from variables to places in the result");
    return;
  }
  json_object_object_foreach(v, name, path) {
    char first[64];
    const char *text = text_of(path);
    snprintf(first, sizeof first, "%.*s", (int)strcspn(text, "."), text);
    if (first[0] == '\0' || !is_field(verb, first)) {
      wrong(c, path, "%s has no result %s", verb->name, first);
    }
    (void)json_object_object_add(c->variables, name, json_object_new_boolean(1));
  }
}

/* ---- steps ---- */

static void check_argument(checker *c, const conf_arg *arg, json_object *v) {
  const char *type = arg->type;
  if (strncmp(type, "new-", 4) == 0) {
    declare(c, c->handles, v, type + 4);
  } else if (strcmp(arg->name, "of") == 0) {
    check_handle(c, v, type);
  } else if (strcmp(type, "call") == 0) {
    if (member(c->calls, text_of(v)) == NULL) wrong(c, v, "no step before started such a call");
  } else if (strcmp(type, "options") == 0) {
    check_options(c, v);
  } else if (strcmp(type, "if") == 0 || strcmp(type, "ops") == 0) {
    check_txn_list(c, type, v);
  } else if (strcmp(type, "names") == 0) {
    for (size_t i = 0; is_list(v) && i < json_object_array_length(v); i++) {
      check_scalar(c, arg->name, "bytes", json_object_array_get_idx(v, i));
    }
    if (!is_list(v)) wrong(c, v, "names is no list");
  } else if (strcmp(type, "json") != 0) {
    check_scalar(c, arg->name, type, v);
  }
}

static void check_arguments(checker *c, const conf_verb *verb, json_object *step) {
  static const char common[] = "do line client timeout_ms start until expect save";
  conf_arg arg;
  const char *at = verb->args;
  while (conf_next_arg(&at, &arg)) {
    json_object *value = NULL;
    bool given = json_object_object_get_ex(step, arg.name, &value);
    if (given) check_argument(c, &arg, value);
    if (!given && !arg.optional) wrong(c, step, "%s lacks %s", verb->name, arg.name);
  }
  json_object_object_foreach(step, name, value) {
    if (!conf_find_arg(verb, name, &arg) && !conf_in_list(name, common, ' ')) {
      wrong(c, value, "%s takes no %s", verb->name, name);
    }
  }
}

static void check_common(checker *c, const conf_verb *verb, json_object *step) {
  conf_arg of;
  bool operation = conf_verb_is(verb, 'o');
  bool has_client = (operation || conf_verb_is(verb, 'c')) && !conf_find_arg(verb, "of", &of);
  json_object *client = member(step, "client"), *start = member(step, "start");
  json_object *until = member(step, "until"), *expect = member(step, "expect");
  if (client != NULL && !has_client) wrong(c, client, "%s takes no client", verb->name);
  if (has_client) check_client(c, client);
  if (start != NULL && !operation) wrong(c, start, "%s cannot be started", verb->name);
  if (member(step, "timeout_ms") != NULL) {
    if (!operation) wrong(c, step, "%s takes no timeout_ms", verb->name);
    check_scalar(c, "timeout_ms", "int", member(step, "timeout_ms"));
  }
  if (until != NULL && !conf_verb_is(verb, 'r')) wrong(c, until, "%s is not repeated", verb->name);
  if (until != NULL && expect != NULL) wrong(c, until, "either until or expect");
  if (start != NULL) {
    declare(c, c->calls, start, "call");
    if (until || expect || member(step, "save")) wrong(c, start, "what comes of it is for join");
  }
  if (until != NULL) check_expectation(c, verb, until);
  if (expect != NULL) check_expectation(c, verb, expect);
  if (member(step, "save") != NULL) check_save(c, verb, member(step, "save"));
}

static void check_step(checker *c, json_object *step) {
  if (conf_line(step) > 0) c->line = conf_line(step);
  const conf_verb *verb = conf_verb_named(text_of(member(step, "do")));
  if (!is_map(step) || member(step, "do") == NULL) {
    wrong(c, step, "a step is a map with do");
  } else if (verb == NULL) {
    wrong(c, member(step, "do"), "there is no verb %s", text_of(member(step, "do")));
  } else {
    check_arguments(c, verb, step);
    check_common(c, verb, step);
    json_object_object_add(step, "line", json_object_new_int(c->line));
  }
}

/* ---- scenarios ---- */

static void check_needs(checker *c, json_object *needs) {
  if (needs == NULL) return;
  if (!is_map(needs) || text_of(member(needs, "why"))[0] == '\0') {
    wrong(c, needs, "needs is a map with why");
    return;
  }
  json_object_object_foreach(needs, name, value) {
    if (!conf_in_list(name, "wire etcd why", ' ')) wrong(c, value, "needs has no %s", name);
  }
  if (member(needs, "wire")) check_scalar(c, "wire", "grpc|gateway", member(needs, "wire"));
  if (member(needs, "etcd")) check_scalar(c, "etcd", "text", member(needs, "etcd"));
}

static void check_scenario(checker *c, json_object *s, json_object *names) {
  json_object *steps = member(s, "steps");
  c->line = conf_line(s);
  if (!is_map(s)) {
    wrong(c, s, "a scenario is a map");
    return;
  }
  json_object_object_foreach(s, name, value) {
    if (!conf_in_list(name, "name about needs steps", ' ')) {
      wrong(c, value, "a scenario has no %s", name);
    }
  }
  declare(c, names, member(s, "name"), "scenario");
  if (text_of(member(s, "about"))[0] == '\0') wrong(c, s, "a scenario has about: what it shows");
  check_needs(c, member(s, "needs"));
  if (!is_list(steps) || json_object_array_length(steps) == 0) {
    wrong(c, s, "a scenario has steps");
    return;
  }
  c->variables = json_object_new_object();
  c->handles = json_object_new_object();
  c->calls = json_object_new_object();
  for (size_t i = 0; i < json_object_array_length(steps); i++) {
    check_step(c, json_object_array_get_idx(steps, i));
  }
  json_object_put(c->variables);
  json_object_put(c->handles);
  json_object_put(c->calls);
  json_object_object_add(s, "file", json_object_new_string(c->file));
  json_object_object_add(s, "line", json_object_new_int(conf_line(s)));
}

json_object *conf_load(const char *path) {
  char why[256];
  checker c = {.file = path};
  json_object *list = conf_yaml_load(path, why);
  if (list == NULL) {
    int line = 0;
    const char *text = strchr(why, ':');
    sscanf(why, "line %d", &line);
    fprintf(stderr, "%s:%d: %s\n", path, line, text ? text + 2 : why);
    return NULL;
  }
  json_object *names = json_object_new_object();
  for (size_t i = 0; i < json_object_array_length(list); i++) {
    check_scenario(&c, json_object_array_get_idx(list, i), names);
  }
  json_object_put(names);
  if (c.wrong == 0) return list;
  json_object_put(list);
  return NULL;
}
