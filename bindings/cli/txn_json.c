#include "txn_json.h"

#include <inttypes.h>
#include <string.h>

#include "args.h"
#include "print.h"
#include "request.h"

#define DEEPEST 8

/* Where we are in the document, as "then[1].put: ". */
struct place {
  char text[128];
};

static struct place place_of(const char *parent, const char *branch, size_t i, const char *verb) {
  struct place out;
  snprintf(out.text, sizeof out.text, "%.80s%s[%zu]%s%s: ", parent, branch, i, *verb ? "." : "",
           verb);
  return out;
}

/* "then[0].txn: " leads to "then[0].txn." for what lies inside. */
static struct place inside(const struct place *at) {
  struct place out = *at;
  size_t len = strlen(out.text);
  if (len >= 2) {
    out.text[len - 2] = '.';
    out.text[len - 1] = '\0';
  }
  return out;
}

static void took(coord_code code, const struct place *at, struct problem *problem) {
  if (code != COORD_OK) problem_set(problem, "%s%s", at->text, coord_code_name(code));
}

static void read_range(json_object *object, const struct place *at, struct range *out,
                       struct problem *problem) {
  if (!json_bytes(object, at->text, "key", &out->key, problem)) {
    problem_set(problem, "%s\"key\" is missing", at->text);
  }
  out->has_end = json_bytes(object, at->text, "range_end", &out->end, problem);
  json_flag(object, at->text, "prefix", &out->prefix, problem);
  json_flag(object, at->text, "from_key", &out->from_key, problem);
  const char *fault = range_fault(out);
  if (fault != NULL) problem_set(problem, "%s%s", at->text, fault);
}

static coord_op *read_get(json_object *object, const struct place *at, struct problem *problem) {
  static const char *const members[] = {
      "key",          "key_base64", "range_end", "range_end_base64", "prefix", "from_key",
      "limit",        "revision",   "keys_only", "count_only",       "sort",   "desc",
      "serializable", NULL};
  struct get_request get = {0};
  json_object *sort = NULL;
  json_only(object, at->text, members, problem);
  read_range(object, at, &get.range, problem);
  json_number(object, at->text, "limit", 0, &get.limit, problem);
  json_number(object, at->text, "revision", 0, &get.revision, problem);
  json_flag(object, at->text, "keys_only", &get.keys_only, problem);
  json_flag(object, at->text, "count_only", &get.count_only, problem);
  json_flag(object, at->text, "desc", &get.descending, problem);
  json_flag(object, at->text, "serializable", &get.serializable, problem);
  if (json_object_object_get_ex(object, "sort", &sort)) {
    get.sort = json_object_is_type(sort, json_type_string) ? json_object_get_string(sort) : "";
    if (!sort_known(get.sort)) {
      problem_set(problem, "%s\"sort\" takes " SORTS ", got %s", at->text,
                  json_object_to_json_string(sort));
    }
  }
  coord_op *op = problem->text[0] == '\0' ? get_op(&get) : NULL;
  range_free(&get.range);
  return op;
}

static void read_lease(json_object *object, const struct place *at, const char *name, int64_t *out,
                       struct problem *problem) {
  json_object *lease = NULL;
  if (!json_object_object_get_ex(object, name, &lease)) return;
  if (!json_object_is_type(lease, json_type_string) ||
      !parse_lease(json_object_get_string(lease), out)) {
    problem_set(problem, "%s\"%s\" is a lease id, a string of hexadecimal digits, got %s", at->text,
                name, json_object_to_json_string(lease));
  }
}

static coord_op *read_put(json_object *object, const struct place *at, struct problem *problem) {
  static const char *const members[] = {"key",          "key_base64",   "value",
                                        "value_base64", "lease",        "prev",
                                        "ignore_value", "ignore_lease", NULL};
  struct put_request put = {0};
  json_only(object, at->text, members, problem);
  if (!json_bytes(object, at->text, "key", &put.key, problem)) {
    problem_set(problem, "%s\"key\" is missing", at->text);
  } else if (put.key.len == 0) {
    problem_set(problem, "%sthe key is empty", at->text);
  }
  json_flag(object, at->text, "prev", &put.prev, problem);
  json_flag(object, at->text, "ignore_value", &put.ignore_value, problem);
  json_flag(object, at->text, "ignore_lease", &put.ignore_lease, problem);
  bool has_value = json_bytes(object, at->text, "value", &put.value, problem);
  if (!has_value && !put.ignore_value) problem_set(problem, "%s\"value\" is missing", at->text);
  read_lease(object, at, "lease", &put.lease, problem);
  coord_op *op = problem->text[0] == '\0' ? put_op(&put) : NULL;
  bytes_free(&put.key);
  bytes_free(&put.value);
  return op;
}

static coord_op *read_delete(json_object *object, const struct place *at, struct problem *problem) {
  static const char *const members[] = {"key",    "key_base64", "range_end", "range_end_base64",
                                        "prefix", "from_key",   "prev",      NULL};
  struct delete_request del = {0};
  json_only(object, at->text, members, problem);
  read_range(object, at, &del.range, problem);
  json_flag(object, at->text, "prev", &del.prev, problem);
  coord_op *op = problem->text[0] == '\0' ? delete_op(&del) : NULL;
  range_free(&del.range);
  return op;
}

/* Which of the words the member is; -1 with the problem told. */
static int word_of(json_object *object, const struct place *at, const char *name,
                   const char *const *words, struct problem *problem) {
  json_object *value = NULL;
  char list[64] = "";
  json_object_object_get_ex(object, name, &value);
  for (int i = 0; words[i] != NULL; i++) {
    if (json_object_is_type(value, json_type_string) &&
        strcmp(words[i], json_object_get_string(value)) == 0) {
      return i;
    }
    size_t len = strlen(list);
    snprintf(list + len, sizeof list - len, "%s%s", i > 0 ? ", " : "", words[i]);
  }
  if (value == NULL) {
    problem_set(problem, "%s\"%s\" is missing, one of %s", at->text, name, list);
  } else {
    problem_set(problem, "%s\"%s\" is one of %s, got %s", at->text, name, list,
                json_object_to_json_string(value));
  }
  return -1;
}

/* The number to compare with; a lease may be hexadecimal text, as everywhere else. */
static int64_t operand_of(json_object *object, const struct place *at, int target,
                          struct problem *problem) {
  json_object *value = NULL;
  int64_t number = 0;
  if (!json_object_object_get_ex(object, "value", &value)) {
    problem_set(problem, "%s\"value\" is missing", at->text);
  } else if (target == COORD_COMPARE_LEASE && json_object_is_type(value, json_type_string)) {
    read_lease(object, at, "value", &number, problem);
  } else {
    json_number(object, at->text, "value", 0, &number, problem);
  }
  return number;
}

static void add_operand(coord_op *txn, json_object *object, const struct place *at,
                        const struct bytes *key, struct problem *problem) {
  /* In the order of COORD_COMPARE_... and of COORD_EQUAL, ... */
  static const char *const targets[] = {"version", "create", "mod", "value", "lease", NULL};
  static const char *const relations[] = {"=", ">", "<", "!=", NULL};
  int target = word_of(object, at, "target", targets, problem);
  int relation = word_of(object, at, "relation", relations, problem);
  if (target == COORD_COMPARE_VALUE) {
    struct bytes value = {0};
    if (!json_bytes(object, at->text, "value", &value, problem)) {
      problem_set(problem, "%s\"value\" is missing", at->text);
    }
    if (problem->text[0] == '\0') {
      took(coord_op_if_value(txn, key->data, key->len, relation, value.data, value.len), at,
           problem);
    }
    bytes_free(&value);
    return;
  }
  int64_t number = target >= 0 ? operand_of(object, at, target, problem) : 0;
  if (problem->text[0] == '\0') {
    took(coord_op_if_int(txn, key->data, key->len, target, relation, number), at, problem);
  }
}

static void add_compare(coord_op *txn, json_object *object, const struct place *at,
                        struct problem *problem) {
  static const char *const members[] = {
      "key",          "key_base64", "target",    "relation",         "value",
      "value_base64", "prefix",     "range_end", "range_end_base64", NULL};
  if (!json_object_is_type(object, json_type_object)) {
    problem_set(problem, "%s%s where an object {\"key\": ...} belongs", at->text,
                json_kind(object));
    return;
  }
  struct range range = {0};
  json_only(object, at->text, members, problem);
  read_range(object, at, &range, problem);
  add_operand(txn, object, at, &range.key, problem);
  if (problem->text[0] == '\0' && range.prefix) took(coord_op_if_range(txn, NULL, 0), at, problem);
  if (problem->text[0] == '\0' && range.has_end) {
    took(coord_op_if_range(txn, range.end.data, range.end.len), at, problem);
  }
  range_free(&range);
}

static coord_op *read_txn(json_object *object, const char *where, int depth,
                          struct problem *problem);

/* The verb of {"put": {...}} and what it is done with; NULL with the problem told. */
static const char *verb_of(json_object *object, const struct place *at, json_object **inner,
                           struct problem *problem) {
  static const char *const known[] = {"get", "put", "delete", "txn"};
  const char *verb = NULL;
  *inner = NULL;
  if (json_object_is_type(object, json_type_object) && json_object_object_length(object) == 1) {
    for (size_t i = 0; verb == NULL && i < sizeof known / sizeof *known; i++) {
      if (json_object_object_get_ex(object, known[i], inner)) verb = known[i];
    }
  }
  if (verb == NULL) {
    problem_set(problem, "%san op has one member, one of get, put, delete, txn", at->text);
  } else if (!json_object_is_type(*inner, json_type_object)) {
    problem_set(problem, "%s\"%s\" is %s, not an object", at->text, verb, json_kind(*inner));
    verb = NULL;
  }
  return verb;
}

static coord_op *read_op(json_object *object, const char *parent, const char *branch, size_t i,
                         int depth, struct problem *problem) {
  struct place at = place_of(parent, branch, i, "");
  json_object *inner = NULL;
  const char *verb = verb_of(object, &at, &inner, problem);
  if (verb == NULL) return NULL;
  at = place_of(parent, branch, i, verb);
  if (strcmp(verb, "get") == 0) return read_get(inner, &at, problem);
  if (strcmp(verb, "put") == 0) return read_put(inner, &at, problem);
  if (strcmp(verb, "delete") == 0) return read_delete(inner, &at, problem);
  at = inside(&at);
  return read_txn(inner, at.text, depth + 1, problem);
}

static json_object *array_of(json_object *object, const char *where, const char *name,
                             struct problem *problem) {
  json_object *array = NULL;
  if (!json_object_object_get_ex(object, name, &array)) return NULL;
  if (json_object_is_type(array, json_type_array)) return array;
  problem_set(problem, "%s\"%s\" is %s, not an array", where, name, json_kind(array));
  return NULL;
}

static void add_branch(coord_op *txn, json_object *object, const char *where, const char *branch,
                       int depth, struct problem *problem) {
  json_object *array = array_of(object, where, branch, problem);
  size_t n = array != NULL ? json_object_array_length(array) : 0;
  for (size_t i = 0; i < n && problem->text[0] == '\0'; i++) {
    coord_op *op = read_op(json_object_array_get_idx(array, i), where, branch, i, depth, problem);
    struct place at = place_of(where, branch, i, "");
    if (op == NULL) {
      problem_set(problem, "%smemory is exhausted", at.text);
    } else {
      took(branch[0] == 't' ? coord_op_then(txn, op) : coord_op_else(txn, op), &at, problem);
    }
    coord_op_free(op);
  }
}

static coord_op *read_txn(json_object *object, const char *where, int depth,
                          struct problem *problem) {
  static const char *const members[] = {"compare", "then", "else", NULL};
  if (depth > DEEPEST) {
    problem_set(problem, "%.40s... transactions are nested deeper than %d", where, DEEPEST);
    return NULL;
  }
  json_only(object, where, members, problem);
  coord_op *txn = coord_op_txn();
  if (txn == NULL) {
    problem_set(problem, "memory is exhausted");
    return NULL;
  }
  json_object *compares = array_of(object, where, "compare", problem);
  size_t n = compares != NULL ? json_object_array_length(compares) : 0;
  for (size_t i = 0; i < n && problem->text[0] == '\0'; i++) {
    struct place at = place_of(where, "compare", i, "");
    add_compare(txn, json_object_array_get_idx(compares, i), &at, problem);
  }
  add_branch(txn, object, where, "then", depth, problem);
  add_branch(txn, object, where, "else", depth, problem);
  if (problem->text[0] == '\0') return txn;
  coord_op_free(txn);
  return NULL;
}

coord_op *txn_from_json(json_object *document, struct problem *problem) {
  return read_txn(document, "", 1, problem);
}

static void print_members(const coord_result *result);

/* A txn inside has parts; so has no other op, and one without any answers like an empty get. */
static void print_part(const coord_result *part) {
  putchar('{');
  if (coord_result_parts(part) > 0) {
    print_members(part);
  } else {
    printf("\"count\":%" PRId64 ",\"kvs\":", coord_result_total(part));
    print_json_kvs(part, false);
  }
  putchar('}');
}

static void print_members(const coord_result *result) {
  printf("\"succeeded\":%s,\"results\":[", coord_result_succeeded(result) ? "true" : "false");
  for (size_t i = 0; i < coord_result_parts(result); i++) {
    if (i > 0) putchar(',');
    print_part(coord_result_part(result, i));
  }
  putchar(']');
}

void txn_print(const coord_result *result) {
  printf("{\"revision\":%" PRId64 ",", coord_result_revision(result));
  print_members(result);
  puts("}");
}
