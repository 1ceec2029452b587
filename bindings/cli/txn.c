/* coord txn */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { DEEPEST = 16 };

static bool bad(const char *where, const char *what) {
  usage_error("txn: %s %s", where, what);
  return false;
}

/* ---- reading members ---- */

typedef struct bytes {
  void *p;
  size_t n;
} bytes;

static bool get_bytes(json_object *o, const char *where, const char *name, bytes *out) {
  const char *why;
  char text[96];
  if (json_get_bytes(o, name, &out->p, &out->n, &why)) return true;
  snprintf(text, sizeof text, "\"%s\" %s", name, why);
  return bad(where, text);
}

static bool has(json_object *o, const char *name) {
  char coded[64];
  snprintf(coded, sizeof coded, "%s_base64", name);
  return json_object_object_get_ex(o, name, NULL) || json_object_object_get_ex(o, coded, NULL);
}

static bool is_true(json_object *o, const char *name) {
  json_object *value;
  return json_object_object_get_ex(o, name, &value) && json_object_get_boolean(value);
}

static int64_t get_int(json_object *o, const char *name) {
  json_object *value;
  return json_object_object_get_ex(o, name, &value) ? json_object_get_int64(value) : 0;
}

/* A misspelt member would otherwise change the meaning in silence. */
static bool only(json_object *o, const char *where, const char *const *known) {
  if (!json_object_is_type(o, json_type_object)) return bad(where, "is not an object");
  json_object_object_foreach(o, name, value) {
    (void)value;
    bool found = false;
    for (size_t i = 0; known[i] != NULL; i++) {
      size_t n = strlen(known[i]);
      found = found || (strncmp(name, known[i], n) == 0 &&
                        (name[n] == '\0' || strcmp(name + n, "_base64") == 0));
    }
    if (found) continue;
    char text[128];
    snprintf(text, sizeof text, "has an unknown member \"%.40s\"", name);
    return bad(where, text);
  }
  return true;
}

/* Which word of the list the member is; -1, with a message, when it is none. */
static int word(json_object *o, const char *where, const char *name, const char *const *words) {
  json_object *value;
  char text[128];
  if (json_object_object_get_ex(o, name, &value)) {
    for (int i = 0; words[i] != NULL; i++) {
      if (strcmp(words[i], json_object_get_string(value)) == 0) return i;
    }
  }
  int n = snprintf(text, sizeof text, "needs \"%s\", one of", name);
  for (int i = 0; words[i] != NULL; i++) {
    n += snprintf(text + n, sizeof text - (size_t)n, "%s %s", i > 0 ? "," : "", words[i]);
  }
  bad(where, text);
  return -1;
}

/* ---- compares ---- */

static bool add_compare(coord_op *txn, json_object *o) {
  static const char *const known[] = {"key",    "target",    "relation", "value",
                                      "prefix", "range_end", NULL};
  static const char *const targets[] = {"version", "create", "mod", "value", "lease", NULL};
  static const char *const relations[] = {"=", ">", "<", "!=", NULL};
  const char *where = "a compare";
  bytes key = {NULL, 0};
  bytes value = {NULL, 0};
  bytes end = {NULL, 0};
  if (!only(o, where, known)) return false;
  int target = word(o, where, "target", targets);
  int relation = target >= 0 ? word(o, where, "relation", relations) : -1;
  if (relation < 0 || !get_bytes(o, where, "key", &key)) return false;
  bool good = true;
  if (target == COORD_COMPARE_VALUE) {
    good = get_bytes(o, where, "value", &value);
    if (good) coord_op_if_value(txn, key.p, key.n, relation, value.p, value.n);
  } else if (!has(o, "value")) {
    good = bad(where, "has no \"value\"");
  } else {
    coord_op_if_int(txn, key.p, key.n, target, relation, get_int(o, "value"));
  }
  if (good && is_true(o, "prefix")) coord_op_if_range(txn, NULL, 0);
  if (good && has(o, "range_end")) {
    good = get_bytes(o, where, "range_end", &end);
    if (good) coord_op_if_range(txn, end.p, end.n);
  }
  free(key.p);
  free(value.p);
  free(end.p);
  return good;
}

/* ---- ops ---- */

static coord_op *make_txn(json_object *o, int depth);

static coord_op *make_put(json_object *o) {
  static const char *const known[] = {"key", "value", "prev", NULL};
  bytes key = {NULL, 0};
  bytes value = {NULL, 0};
  coord_op *op = NULL;
  if (only(o, "a put", known) && get_bytes(o, "a put", "key", &key) &&
      get_bytes(o, "a put", "value", &value)) {
    op = coord_op_put(key.p, key.n, value.p, value.n);
    if (is_true(o, "prev")) coord_op_set(op, COORD_OP_PREV_KV, 1);
  }
  free(key.p);
  free(value.p);
  return op;
}

static coord_op *make_ranged(json_object *o, bool is_get) {
  static const char *const of_get[] = {"key",       "prefix",     "range_end", "limit",
                                       "keys_only", "count_only", "revision",  NULL};
  static const char *const of_delete[] = {"key", "prefix", "range_end", "prev", NULL};
  const char *where = is_get ? "a get" : "a delete";
  bytes key = {NULL, 0};
  bytes end = {NULL, 0};
  if (!only(o, where, is_get ? of_get : of_delete) || !get_bytes(o, where, "key", &key))
    return NULL;
  coord_op *op = is_get ? coord_op_get(key.p, key.n) : coord_op_delete(key.p, key.n);
  if (is_true(o, "prefix")) coord_op_set_prefix(op);
  if (has(o, "range_end") && get_bytes(o, where, "range_end", &end)) {
    coord_op_set_range_end(op, end.p, end.n);
  }
  if (has(o, "limit")) coord_op_set(op, COORD_OP_LIMIT, get_int(o, "limit"));
  if (has(o, "revision")) coord_op_set(op, COORD_OP_REVISION, get_int(o, "revision"));
  if (is_true(o, "keys_only")) coord_op_set(op, COORD_OP_KEYS_ONLY, 1);
  if (is_true(o, "count_only")) coord_op_set(op, COORD_OP_COUNT_ONLY, 1);
  if (is_true(o, "prev")) coord_op_set(op, COORD_OP_PREV_KV, 1);
  free(key.p);
  free(end.p);
  return op;
}

static coord_op *make_op(json_object *o, int depth) {
  static const char *const known[] = {"put", "get", "delete", "txn", NULL};
  json_object *body;
  if (!only(o, "an op", known)) return NULL;
  if (json_object_object_length(o) != 1) {
    bad("an op", "needs exactly one of put, get, delete, txn");
    return NULL;
  }
  if (json_object_object_get_ex(o, "put", &body)) return make_put(body);
  if (json_object_object_get_ex(o, "get", &body)) return make_ranged(body, true);
  if (json_object_object_get_ex(o, "delete", &body)) return make_ranged(body, false);
  json_object_object_get_ex(o, "txn", &body);
  return make_txn(body, depth + 1);
}

static bool add_ops(coord_op *txn, json_object *list, bool is_then, int depth) {
  if (!json_object_is_type(list, json_type_array)) {
    return bad(is_then ? "\"then\"" : "\"else\"", "is not an array");
  }
  for (size_t i = 0; i < json_object_array_length(list); i++) {
    coord_op *op = make_op(json_object_array_get_idx(list, i), depth);
    if (op == NULL) return false;
    if (is_then) {
      coord_op_then(txn, op);
    } else {
      coord_op_else(txn, op);
    }
    coord_op_free(op);
  }
  return true;
}

static coord_op *make_txn(json_object *o, int depth) {
  static const char *const known[] = {"compare", "then", "else", NULL};
  json_object *list;
  if (depth > DEEPEST) {
    bad("the document", "nests more than 16 transactions");
    return NULL;
  }
  if (!only(o, "a txn", known)) return NULL;
  coord_op *txn = coord_op_txn();
  bool good = true;
  if (json_object_object_get_ex(o, "compare", &list)) {
    good = json_object_is_type(list, json_type_array) || bad("\"compare\"", "is not an array");
    for (size_t i = 0; good && i < json_object_array_length(list); i++) {
      good = add_compare(txn, json_object_array_get_idx(list, i));
    }
  }
  if (good && json_object_object_get_ex(o, "then", &list)) good = add_ops(txn, list, true, depth);
  if (good && json_object_object_get_ex(o, "else", &list)) good = add_ops(txn, list, false, depth);
  if (good) return txn;
  coord_op_free(txn);
  return NULL;
}

/* ---- the answer ---- */

static json_object *result_json(const coord_result *r) {
  json_object *o = json_object_new_object();
  size_t parts = coord_result_parts(r);
  if (parts > 0) {
    json_object *list = json_object_new_array();
    for (size_t i = 0; i < parts; i++) {
      json_object_array_add(list, result_json(coord_result_part(r, i)));
    }
    json_object_object_add(o, "succeeded", json_object_new_boolean(coord_result_succeeded(r)));
    json_object_object_add(o, "results", list);
    return o;
  }
  json_object *kvs = json_object_new_array();
  coord_kv kv;
  for (size_t i = 0; coord_result_kv(r, i, &kv) == COORD_OK; i++) {
    json_object_array_add(kvs, json_kv(&kv, false));
  }
  json_object_object_add(o, "kvs", kvs);
  json_object_object_add(o, "count", json_object_new_int64(coord_result_total(r)));
  return o;
}

static int print_result(const coord_result *r) {
  json_object *o = result_json(r);
  json_object_object_add(o, "succeeded", json_object_new_boolean(coord_result_succeeded(r)));
  json_object_object_add(o, "revision", json_object_new_int64(coord_result_revision(r)));
  json_print(o, stdout);
  return coord_result_succeeded(r) ? EXIT_FINE : EXIT_NOTHING;
}

static json_object *parse(const char *text, size_t len) {
  json_tokener *tokener = json_tokener_new();
  json_object *o = json_tokener_parse_ex(tokener, text, (int)len);
  enum json_tokener_error error = json_tokener_get_error(tokener);
  size_t at = json_tokener_get_parse_end(tokener);
  bool rest = error == json_tokener_success && strspn(text + at, " \t\r\n") + at != len;
  if (error != json_tokener_success || rest) {
    usage_error("txn: not one JSON document: %s at byte %zu",
                rest ? "more text after it" : json_tokener_error_desc(error), at);
    json_object_put(o);
    o = NULL;
  }
  json_tokener_free(tokener);
  return o;
}

static int run(cli *c, int argc, char **argv) {
  if (argc > 2) return usage_error("txn takes one FILE; see `coord txn --help`");
  char *text = NULL;
  size_t len = 0;
  if (!read_all(argc == 2 ? argv[1] : "-", &text, &len)) return EXIT_OTHER;
  /* One byte of room is always there: reading grows the buffer before it is full. */
  text[len] = '\0';
  json_object *document = parse(text, len);
  coord_op *txn = document != NULL ? make_txn(document, 1) : NULL;
  json_object_put(document);
  free(text);
  if (txn == NULL) return EXIT_USAGE;
  int status = EXIT_FINE;
  coord_client *client = open_client(c, &status);
  if (client == NULL) {
    coord_op_free(txn);
    return status;
  }
  coord_result *result = execute(c, client, txn, "txn", &status);
  if (result != NULL) status = print_result(result);
  coord_result_free(result);
  coord_client_free(client);
  return status;
}

const verb verb_txn = {
    "txn", "do several things at once, if compares hold",
    "usage: coord txn [FILE]\n\n"
    "Reads one JSON document from FILE, or from standard input, and executes it as one atomic\n"
    "transaction. Prints the result as JSON. Exits with 1 when the compares did not hold.\n\n"
    "  {\"compare\": [{\"key\": K, \"target\": T, \"relation\": R, \"value\": V}, ...],\n"
    "   \"then\": [OP, ...], \"else\": [OP, ...]}\n\n"
    "  T   version, create, mod, lease (V is a number) or value (V is a string)\n"
    "  R   =, >, < or !=; \"prefix\": true or \"range_end\": END: for every key of the range\n"
    "  OP  {\"put\": {\"key\": K, \"value\": V, \"prev\": true}}\n"
    "      {\"get\": {\"key\": K, \"prefix\": true, \"limit\": N, \"keys_only\": true,\n"
    "               \"count_only\": true, \"revision\": N, \"range_end\": END}}\n"
    "      {\"delete\": {\"key\": K, \"prefix\": true, \"range_end\": END, \"prev\": true}}\n"
    "      {\"txn\": {\"compare\": ...}}\n\n"
    "Bytes that are not UTF-8: \"key_base64\", \"value_base64\", \"range_end_base64\".\n\n"
    "Example: create a key only if it is absent.\n"
    "  echo '{\"compare\": [{\"key\": \"a\", \"target\": \"version\", \"relation\": \"=\", "
    "\"value\": 0}],\n"
    "         \"then\": [{\"put\": {\"key\": \"a\", \"value\": \"1\"}}],\n"
    "         \"else\": [{\"get\": {\"key\": \"a\"}}]}' | coord txn\n",
    run};
