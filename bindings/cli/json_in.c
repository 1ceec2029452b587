#include "json_in.h"

#include <inttypes.h>
#include <string.h>

void problem_set(struct problem *problem, const char *format, ...) {
  if (problem->text[0] != '\0') return;
  va_list list;
  va_start(list, format);
  vsnprintf(problem->text, sizeof problem->text, format, list);
  va_end(list);
}

/* Value of the four hexadecimal digits of \uXXXX, -1 when they are not there. */
static int unit_at(const char *p, const char *end) {
  int value = 0;
  if (end - p < 6 || p[0] != '\\' || p[1] != 'u') return -1;
  for (int i = 2; i < 6; i++) {
    char c = p[i];
    int d = c >= '0' && c <= '9'                 ? c - '0'
            : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 87
                                                 : -1;
    if (d < 0) return -1;
    value = value * 16 + d;
  }
  return value;
}

/* json-c turns half a surrogate pair into U+FFFD, which would silently change a value. */
static const char *half_pair(const char *p, const char *end) {
  while ((p = memchr(p, '\\', (size_t)(end - p))) != NULL) {
    int unit = unit_at(p, end);
    if (unit < 0) {
      p += end - p >= 2 ? 2 : 1;
      continue;
    }
    if (unit >= 0xdc00 && unit <= 0xdfff) return p;
    if (unit >= 0xd800 && unit <= 0xdbff) {
      int low = unit_at(p + 6, end);
      if (low < 0xdc00 || low > 0xdfff) return p;
      p += 6;
    }
    p += 6;
  }
  return NULL;
}

static void locate(const char *text, size_t at, int *line, int *column) {
  *line = 1;
  *column = 1;
  for (size_t i = 0; i < at; i++) {
    (*column)++;
    if (text[i] == '\n') {
      (*line)++;
      *column = 1;
    }
  }
}

void json_fault(struct problem *problem, const char *text, size_t len, size_t at, const char *why) {
  int line;
  int column;
  locate(text, at < len ? at : len, &line, &column);
  if (memchr(text, '\n', len) != NULL) {
    problem_set(problem, "not JSON at line %d, column %d: %s", line, column, why);
  } else {
    problem_set(problem, "not JSON at column %d: %s", column, why);
  }
}

json_object *json_parse_object(const char *text, size_t len, struct problem *problem) {
  const char *bad = memchr(text, '\0', len);
  if (bad != NULL) {
    json_fault(problem, text, len, (size_t)(bad - text), "a NUL byte");
    return NULL;
  }
  bad = half_pair(text, text + len);
  if (bad != NULL) {
    json_fault(problem, text, len, (size_t)(bad - text), "half a surrogate pair");
    return NULL;
  }
  if (len > INT32_MAX) {
    problem_set(problem, "the text is longer than 2 GiB");
    return NULL;
  }
  json_tokener *tokener = json_tokener_new_ex(64);
  json_object *object = NULL;
  if (tokener == NULL) {
    problem_set(problem, "memory is exhausted");
    return NULL;
  }
  json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
  object = json_tokener_parse_ex(tokener, text, (int)len);
  enum json_tokener_error status = json_tokener_get_error(tokener);
  if (status == json_tokener_continue) {
    json_fault(problem, text, len, len, "it ends too early");
  } else if (status != json_tokener_success) {
    json_fault(problem, text, len, json_tokener_get_parse_end(tokener),
               json_tokener_error_desc(status));
  } else if (!json_object_is_type(object, json_type_object)) {
    problem_set(problem, "%s where an object {...} belongs", json_kind(object));
  }
  json_tokener_free(tokener);
  if (problem->text[0] == '\0') return object;
  json_object_put(object);
  return NULL;
}

const char *json_kind(json_object *value) {
  switch (json_object_get_type(value)) {
    case json_type_null:
      return "null";
    case json_type_boolean:
      return "a boolean";
    case json_type_double:
    case json_type_int:
      return "a number";
    case json_type_object:
      return "an object";
    case json_type_array:
      return "an array";
    case json_type_string:
      return "a string";
  }
  return "something else";
}

bool json_bytes(json_object *object, const char *where, const char *name, struct bytes *out,
                struct problem *problem) {
  char encoded_name[64];
  snprintf(encoded_name, sizeof encoded_name, "%s_base64", name);
  json_object *plain = NULL;
  json_object *encoded = NULL;
  bool has_plain = json_object_object_get_ex(object, name, &plain);
  bool has_encoded = json_object_object_get_ex(object, encoded_name, &encoded);
  if (has_plain && has_encoded) {
    problem_set(problem, "%s\"%s\" is given twice, as text and as base64", where, name);
    return false;
  }
  if (!has_plain && !has_encoded) return false;
  json_object *value = has_plain ? plain : encoded;
  if (!json_object_is_type(value, json_type_string)) {
    problem_set(problem, "%s\"%s\" is %s, not a string", where, has_plain ? name : encoded_name,
                json_kind(value));
    return false;
  }
  const char *text = json_object_get_string(value);
  size_t len = (size_t)json_object_get_string_len(value);
  if (has_plain) {
    *out = bytes_copy(text, len);
    return true;
  }
  if (base64_decode(text, len, out)) return true;
  problem_set(problem, "%s\"%s\" is not base64 (A-Z a-z 0-9 + / with = at the end)", where,
              encoded_name);
  return false;
}

void json_flag(json_object *object, const char *where, const char *name, bool *out,
               struct problem *problem) {
  json_object *value = NULL;
  if (!json_object_object_get_ex(object, name, &value)) return;
  if (json_object_is_type(value, json_type_boolean)) {
    *out = json_object_get_boolean(value);
  } else {
    problem_set(problem, "%s\"%s\" is %s, not true or false", where, name, json_kind(value));
  }
}

void json_number(json_object *object, const char *where, const char *name, int64_t min,
                 int64_t *out, struct problem *problem) {
  json_object *value = NULL;
  if (!json_object_object_get_ex(object, name, &value)) return;
  int64_t number = json_object_get_int64(value);
  if (!json_object_is_type(value, json_type_int)) {
    problem_set(problem, "%s\"%s\" is %s, not a whole number", where, name, json_kind(value));
  } else if (number < min) {
    problem_set(problem, "%s\"%s\" is %" PRId64 ", the least is %" PRId64, where, name, number,
                min);
  } else {
    *out = number;
  }
}

void json_only(json_object *object, const char *where, const char *const *names,
               struct problem *problem) {
  json_object_object_foreach(object, member, value) {
    (void)value;
    size_t i = 0;
    while (names[i] != NULL && strcmp(names[i], member) != 0) i++;
    if (names[i] != NULL) continue;
    char list[160] = "";
    for (i = 0; names[i] != NULL; i++) {
      size_t at = strlen(list);
      snprintf(list + at, sizeof list - at, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    problem_set(problem, "%sunknown member \"%.40s\"; there are: %s", where, member, list);
    return;
  }
}
