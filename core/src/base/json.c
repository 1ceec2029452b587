#include "base/json.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "base/error.h"

enum { DEEPEST = 64 };

static size_t skip_blanks(const char *text, size_t at, size_t len) {
  while (at < len && text[at] != '\0' && strchr(" \t\r\n", text[at]) != NULL) at++;
  return at;
}

/* Where json-c is generous even if it is told to be strict: 'text', NaN, Infinity, 1. ; len: nowhere. */
static size_t find_license(const char *text, size_t len) {
  bool in_string = false;
  for (size_t i = 0; i < len; i++) {
    if (text[i] == '"') in_string = !in_string;
    bool bare_point = text[i] == '.' && (i + 1 == len || text[i + 1] < '0' || text[i + 1] > '9');
    if (in_string) {
      if (text[i] == '\\') i++;
    } else if (bare_point || text[i] == '\'' || text[i] == 'N' || text[i] == 'I') {
      return i;
    }
  }
  return len;
}

coord_code coord__json_parse(const char *what, const void *text, size_t len, json_object **out,
                             coord_error **err) {
  if (out != NULL) *out = NULL;
  if (len == 0) return coord__fail(err, COORD_INVALID, "%s is empty; it must be JSON", what);
  if (len > INT_MAX) return coord__fail(err, COORD_INVALID, "%s is too long", what);
  json_tokener *t = json_tokener_new_ex(DEEPEST);
  if (t == NULL) return coord__no_memory(err);
  json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
  json_object *value = json_tokener_parse_ex(t, text, (int)len);
  enum json_tokener_error error = json_tokener_get_error(t);
  size_t end = json_tokener_get_parse_end(t);
  const char *why = json_tokener_error_desc(error);
  bool is_whole = error == json_tokener_success;
  if (error == json_tokener_continue) {
    /* A number goes on until something else follows. */
    value = json_tokener_parse_ex(t, "\n", 1);
    is_whole = json_tokener_get_error(t) == json_tokener_success;
    why = "it ends too early";
    end = len;
  } else if (is_whole && skip_blanks(text, end, len) < len) {
    is_whole = false;
    why = "something follows the value";
  }
  json_tokener_free(t);
  size_t license = is_whole ? find_license(text, len) : len;
  if (license < len) {
    is_whole = false;
    why = "unexpected character";
    end = license;
  }
  if (is_whole && out != NULL) {
    *out = value;
  } else {
    json_object_put(value);
  }
  if (is_whole) return COORD_OK;
  return coord__fail(err, COORD_INVALID, "%s is no JSON: %s at byte %zu", what, why, end);
}
