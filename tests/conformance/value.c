#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/run.h"

bool run_fail(run *r, const char *format, ...) {
  va_list args;
  if (r->why[0] != '\0') return false;
  va_start(args, format);
  vsnprintf(r->why, sizeof r->why, format, args);
  va_end(args);
  for (char *p = r->why; *p != '\0'; p++) {
    if (*p == '\n') *p = ' ';
  }
  return false;
}

json_object *run_member(json_object *map, const char *name) {
  json_object *value = NULL;
  if (json_object_is_type(map, json_type_object)) json_object_object_get_ex(map, name, &value);
  return value;
}

/* ---- as they are written ---- */

static json_object *keep(run *r, json_object *value) {
  json_object_array_add(r->scratch, value);
  return value;
}

/* The operand when this is {name: operand}; NULL for all else. */
static json_object *operand_of(json_object *v, const char *name) {
  if (!json_object_is_type(v, json_type_object) || json_object_object_length(v) != 1) return NULL;
  return run_member(v, name);
}

static json_object *from_hex(run *r, const char *hex) {
  size_t n = strlen(hex) / 2;
  char *data = malloc(n + 1);
  for (size_t i = 0; data != NULL && i < n; i++) {
    char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
    data[i] = (char)strtol(digits, NULL, 16);
  }
  json_object *value = json_object_new_string_len(data, (int)n);
  free(data);
  return keep(r, value);
}

json_object *run_value(run *r, json_object *written) {
  json_object *hex = operand_of(written, "hex"), *integer = operand_of(written, "int");
  if (hex != NULL) return from_hex(r, json_object_get_string(hex));
  if (integer != NULL) {
    return keep(r, json_object_new_int64(strtoll(json_object_get_string(integer), NULL, 10)));
  }
  if (!json_object_is_type(written, json_type_string)) return written;
  const char *text = json_object_get_string(written);
  if (text[0] != '$') return written;
  if (text[1] == '$') return keep(r, json_object_new_string(text + 1));
  json_object *value = NULL;
  if (!json_object_object_get_ex(r->variables, text + 1, &value)) {
    run_fail(r, "nothing was saved as %s", text + 1);
  }
  return value;
}

bool run_given(json_object *step, const char *name) { return run_member(step, name) != NULL; }

bytes run_bytes(run *r, json_object *step, const char *name) {
  json_object *v = run_value(r, run_member(step, name));
  if (!json_object_is_type(v, json_type_string)) return (bytes){"", 0};
  return (bytes){json_object_get_string(v), (size_t)json_object_get_string_len(v)};
}

const char *run_text(run *r, json_object *step, const char *name) {
  json_object *v = run_value(r, run_member(step, name));
  return v != NULL ? json_object_get_string(v) : NULL;
}

int64_t run_int(run *r, json_object *step, const char *name, int64_t otherwise) {
  json_object *v = run_value(r, run_member(step, name));
  return v != NULL ? json_object_get_int64(v) : otherwise;
}

bool run_bool(run *r, json_object *step, const char *name, bool otherwise) {
  json_object *v = run_value(r, run_member(step, name));
  return v != NULL ? json_object_get_boolean(v) : otherwise;
}

const char *run_json(json_object *step) {
  return json_object_to_json_string(run_member(step, "json"));
}

coord_options *run_options(run *r, json_object *step, coord_error **err) {
  coord_options *options = NULL;
  json_object *given = run_member(step, "options");
  if (given == NULL) return NULL;
  coord_options_new(&options);
  json_object_object_foreach(given, name, written) {
    const char *value = json_object_get_string(run_value(r, written));
    if (*err == NULL) coord_options_set(options, name, value, err);
  }
  return options;
}

/* ---- comparing ---- */

static bool is_number(json_object *v) {
  return json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double);
}

static bool same_text(json_object *a, json_object *b) {
  int n = json_object_get_string_len(a);
  return n == json_object_get_string_len(b) &&
         memcmp(json_object_get_string(a), json_object_get_string(b), (size_t)n) == 0;
}

static bool same_json(json_object *a, json_object *b) {
  json_type type = json_object_get_type(a);
  if (type == json_type_int && json_object_is_type(b, json_type_int)) {
    return json_object_get_int64(a) == json_object_get_int64(b);
  }
  if (is_number(a) && is_number(b)) return json_object_get_double(a) == json_object_get_double(b);
  if (type != json_object_get_type(b)) return false;
  if (type == json_type_string) return same_text(a, b);
  if (type == json_type_array) {
    size_t n = json_object_array_length(a);
    bool same = n == json_object_array_length(b);
    for (size_t i = 0; same && i < n; i++) {
      same = same_json(json_object_array_get_idx(a, i), json_object_array_get_idx(b, i));
    }
    return same;
  }
  if (type == json_type_object) {
    bool same = json_object_object_length(a) == json_object_object_length(b);
    json_object_object_foreach(a, name, value) {
      json_object *other = NULL;
      same = same && json_object_object_get_ex(b, name, &other) && same_json(value, other);
    }
    return same;
  }
  return json_object_equal(a, b);
}

static bool fits(run *r, const char *name, json_object *expected, json_object *actual);

static bool holds(json_object *text, json_object *part) {
  return memmem(json_object_get_string(text), (size_t)json_object_get_string_len(text),
                json_object_get_string(part), (size_t)json_object_get_string_len(part)) != NULL;
}

static bool any_fits(run *r, json_object *options, json_object *actual) {
  for (size_t i = 0; i < json_object_array_length(options); i++) {
    if (fits(r, "", json_object_array_get_idx(options, i), actual)) return true;
  }
  return false;
}

/* true, false, or -1: it is no operator. */
static int by_operator(run *r, json_object *expected, json_object *actual) {
  static const char *const names[] = {"gt", "ge", "lt", "ne", "has", "in"};
  json_object *operand = NULL;
  size_t i = 0;
  while (i < 6 && (operand = operand_of(expected, names[i])) == NULL) i++;
  if (i == 6) return -1;
  json_type type = json_object_get_type(actual);
  if (i == 5) return any_fits(r, operand, actual);
  if (i == 3) return !fits(r, "", operand, actual);
  if (i == 4 && type == json_type_array) {
    for (size_t k = 0; k < json_object_array_length(actual); k++) {
      if (fits(r, "", operand, json_object_array_get_idx(actual, k))) return true;
    }
    return false;
  }
  operand = run_value(r, operand);
  if (i == 4) return type == json_type_string && operand != NULL && holds(actual, operand);
  if (type != json_type_int) return false;
  int64_t a = json_object_get_int64(actual), b = json_object_get_int64(operand);
  return i == 0 ? a > b : i == 1 ? a >= b : a < b;
}

static bool list_fits(run *r, json_object *expected, json_object *actual) {
  size_t n = json_object_array_length(expected);
  if (!json_object_is_type(actual, json_type_array)) return false;
  if (n != json_object_array_length(actual)) return false;
  for (size_t i = 0; i < n; i++) {
    json_object *e = json_object_array_get_idx(expected, i);
    if (!fits(r, "", e, json_object_array_get_idx(actual, i))) return false;
  }
  return true;
}

static bool fits(run *r, const char *name, json_object *expected, json_object *actual) {
  if (strcmp(name, "json") == 0 || strcmp(name, "prev_json") == 0) {
    return same_json(expected, actual);
  }
  int answer = by_operator(r, expected, actual);
  if (answer >= 0) return answer;
  expected = run_value(r, expected);
  if (json_object_is_type(expected, json_type_array)) return list_fits(r, expected, actual);
  if (!json_object_is_type(expected, json_type_object)) return same_json(expected, actual);
  if (!json_object_is_type(actual, json_type_object)) return false;
  json_object_object_foreach(expected, part, value) {
    if (!fits(r, part, value, run_member(actual, part))) return false;
  }
  return true;
}

static const char *shown(json_object *v) {
  return json_object_to_json_string_ext(v, JSON_C_TO_STRING_NOSLASHESCAPE);
}

bool run_compare(run *r, json_object *expected, json_object *actual) {
  json_object *error = run_member(actual, "error");
  if (error != NULL && run_member(expected, "error") == NULL) {
    return run_fail(r, "it failed: %s: %s", json_object_get_string(error),
                    json_object_get_string(run_member(actual, "message")));
  }
  if (expected == NULL) return true;
  json_object_object_foreach(expected, name, value) {
    json_object *there = run_member(actual, name);
    if (fits(r, name, value, there)) continue;
    const char *message = json_object_get_string(run_member(actual, "message"));
    return run_fail(r, "%s is %.400s, not %.300s%s%s", name, shown(there), shown(value),
                    message ? "; " : "", message ? message : "");
  }
  return true;
}

/* ---- saving ---- */

static json_object *at_path(json_object *v, const char *path) {
  while (*path != '\0' && v != NULL) {
    char part[64];
    size_t n = strcspn(path, ".");
    snprintf(part, sizeof part, "%.*s", (int)n, path);
    path += path[n] == '.' ? n + 1 : n;
    if (json_object_is_type(v, json_type_array)) {
      v = json_object_array_get_idx(v, (size_t)atoi(part));
    } else {
      v = run_member(v, part);
    }
  }
  return v;
}

bool run_save(run *r, json_object *save, json_object *result) {
  if (save == NULL) return true;
  json_object_object_foreach(save, name, path) {
    json_object *value = at_path(result, json_object_get_string(path));
    if (value == NULL) return run_fail(r, "there is no %s to save", json_object_get_string(path));
    json_object_object_add(r->variables, name, json_object_get(value));
  }
  return true;
}
