#include "env_vars.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json_text.h"
#include "report.h"

/* Strings without quotes, other values as JSON. False: no variable can hold it. */
static bool text_of(const coord_kv *kv, struct bytes *out) {
  struct bytes line = json_text_line(kv->value, kv->value_len);
  *out = line;
  if (line.data[0] != '"') return true;
  json_tokener *tokener = json_tokener_new();
  json_object *string =
      tokener != NULL ? json_tokener_parse_ex(tokener, line.data, (int)line.len) : NULL;
  const char *text = json_object_get_string(string);
  bool ok = text != NULL && strlen(text) == (size_t)json_object_get_string_len(string);
  if (ok) *out = bytes_copy(text, strlen(text));
  if (ok) bytes_free(&line);
  json_object_put(string);
  json_tokener_free(tokener);
  return ok;
}

static char in_name(char c) {
  if (c >= 'a' && c <= 'z') return (char)(c - 'a' + 'A');
  return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
}

static bool make(const coord_kv *kv, const char *prefix, struct variable *out) {
  struct bytes value = {0};
  bool ok = text_of(kv, &value);
  size_t before = strlen(prefix);
  out->key = bytes_copy(kv->key, kv->key_len).data;
  out->name_len = before + kv->key_len;
  out->text = must_alloc(out->name_len + value.len + 2, 1);
  memcpy(out->text, prefix, before);
  for (size_t i = 0; i < kv->key_len; i++) out->text[before + i] = in_name(out->key[i]);
  out->text[out->name_len] = '=';
  memcpy(out->text + out->name_len + 1, value.data, value.len);
  bytes_free(&value);
  return ok;
}

static int compare_names(const char *a, size_t a_len, const char *b, size_t b_len) {
  int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
  return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int compare(const void *a, const void *b) {
  const struct variable *x = a;
  const struct variable *y = b;
  return compare_names(x->text, x->name_len, y->text, y->name_len);
}

static int check(const struct variables *vars) {
  for (size_t i = 1; i < vars->count; i++) {
    const struct variable *a = &vars->all[i - 1];
    const struct variable *b = &vars->all[i];
    if (compare(a, b) != 0) continue;
    return input_error("env", "the keys \"%s\" and \"%s\" would both be the variable %.*s", a->key,
                       b->key, (int)a->name_len, a->text);
  }
  return CLI_FINE;
}

int variables_from(const coord_result *all, const char *prefix, struct variables *out) {
  coord_kv kv;
  int code = CLI_FINE;
  *out = (struct variables){.all = must_alloc(coord_result_count(all), sizeof *out->all)};
  for (size_t i = 0; code == CLI_FINE && coord_result_kv(all, i, &kv) == COORD_OK; i++) {
    struct variable *variable = &out->all[out->count++];
    if (!make(&kv, prefix, variable)) {
      code = input_error("env", "the value of \"%s\" has a NUL, which no variable can hold",
                         variable->key);
    }
  }
  if (code == CLI_FINE && out->count > 1) qsort(out->all, out->count, sizeof *out->all, compare);
  if (code == CLI_FINE) code = check(out);
  if (code != CLI_FINE) variables_free(out);
  return code;
}

bool variables_equal(const struct variables *a, const struct variables *b) {
  if (a->count != b->count) return false;
  for (size_t i = 0; i < a->count; i++) {
    if (strcmp(a->all[i].text, b->all[i].text) != 0) return false;
  }
  return true;
}

void variables_free(struct variables *vars) {
  for (size_t i = 0; i < vars->count; i++) {
    free(vars->all[i].text);
    free(vars->all[i].key);
  }
  free(vars->all);
  *vars = (struct variables){0};
}

static bool has(const struct variables *vars, const char *text) {
  size_t len = strcspn(text, "=");
  size_t low = 0;
  for (size_t high = vars->count; low < high;) {
    size_t middle = low + (high - low) / 2;
    const struct variable *v = &vars->all[middle];
    int order = compare_names(v->text, v->name_len, text, len);
    if (order == 0) return true;
    if (order < 0) low = middle + 1;
    if (order > 0) high = middle;
  }
  return false;
}

char **variables_environment(const struct variables *vars) {
  size_t own = 0, count = 0;
  while (environ[own] != NULL) own++;
  char **out = must_alloc(own + vars->count + 1, sizeof *out);
  for (size_t i = 0; i < own; i++) {
    if (!has(vars, environ[i])) out[count++] = environ[i];
  }
  for (size_t i = 0; i < vars->count; i++) out[count++] = vars->all[i].text;
  return out;
}
