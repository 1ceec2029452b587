#include "json_text.h"

#include <string.h>

/* As the library has it. */
#define DEEPEST 64

struct reader {
  const char *p;
  const char *end;
  const char *why; /* it is wrong at p; NULL: it is right so far */
  int depth;
};

static bool value(struct reader *r);

static bool wrong(struct reader *r, const char *why) {
  if (r->why == NULL) r->why = r->p == r->end ? "it ends too early" : why;
  return false;
}

static bool is_digit(const struct reader *r) {
  return r->p < r->end && *r->p >= '0' && *r->p <= '9';
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static void skip_blanks(struct reader *r) {
  while (r->p < r->end && is_blank(*r->p)) r->p++;
}

static bool take(struct reader *r, char c) {
  if (r->p == r->end || *r->p != c) return false;
  r->p++;
  return true;
}

static bool digits(struct reader *r) {
  if (!is_digit(r)) return wrong(r, "a digit is missing");
  while (is_digit(r)) r->p++;
  return true;
}

static bool number(struct reader *r) {
  take(r, '-');
  if (take(r, '0')) {
    if (is_digit(r)) return wrong(r, "a number begins with 0");
  } else if (!digits(r)) {
    return false;
  }
  if (take(r, '.') && !digits(r)) return false;
  if (!take(r, 'e') && !take(r, 'E')) return true;
  if (!take(r, '+')) take(r, '-');
  return digits(r);
}

static bool escape(struct reader *r) {
  if (r->p == r->end || strchr("\"\\/bfnrtu", *r->p) == NULL || *r->p == '\0') {
    return wrong(r, "no such escape");
  }
  if (*r->p++ != 'u') return true;
  for (int i = 0; i < 4; i++, r->p++) {
    if (!is_digit(r) && (r->p == r->end || (*r->p | 32) < 'a' || (*r->p | 32) > 'f')) {
      return wrong(r, "\\u needs four hexadecimal digits");
    }
  }
  return true;
}

static bool string(struct reader *r) {
  if (!take(r, '"')) return wrong(r, "a string in quotes is missing");
  while (!take(r, '"')) {
    if (r->p == r->end) return wrong(r, "");
    if ((unsigned char)*r->p < 0x20) return wrong(r, "a control character in a string");
    if (*r->p++ == '\\' && !escape(r)) return false;
  }
  return true;
}

static bool word(struct reader *r, const char *text) {
  size_t len = strlen(text);
  if ((size_t)(r->end - r->p) < len || memcmp(r->p, text, len) != 0) {
    if (r->why == NULL) r->why = "unexpected character";
    return false;
  }
  r->p += len;
  return true;
}

static bool member(struct reader *r) {
  skip_blanks(r);
  if (!string(r)) return false;
  skip_blanks(r);
  return take(r, ':') ? value(r) : wrong(r, "a colon is missing");
}

/* Behind the opening bracket. */
static bool parts(struct reader *r, char close, bool (*part)(struct reader *)) {
  if (++r->depth > DEEPEST) return wrong(r, "it is nested too deeply");
  skip_blanks(r);
  if (!take(r, close)) {
    do {
      if (!part(r)) return false;
      skip_blanks(r);
    } while (take(r, ','));
    if (!take(r, close)) return wrong(r, "a comma or the closing bracket is missing");
  }
  r->depth--;
  return true;
}

/* As deep as DEEPEST at most. */
static bool value(struct reader *r) {
  skip_blanks(r);
  if (r->p == r->end) return wrong(r, "");
  if (*r->p == '-' || is_digit(r)) return number(r);
  switch (*r->p) {
    case '{':
      r->p++;
      return parts(r, '}', member);
    case '[':
      r->p++;
      return parts(r, ']', value);
    case '"':
      return string(r);
    case 't':
      return word(r, "true");
    case 'f':
      return word(r, "false");
    default:
      return word(r, "null");
  }
}

bool json_text_ok(const void *text, size_t len, struct problem *problem) {
  struct reader r = {.p = text, .end = (const char *)text + len};
  if (len == 0 || !utf8_valid(text, len)) {
    problem_set(problem, "not JSON: it is %s", len == 0 ? "empty" : "no UTF-8");
    return false;
  }
  bool ok = value(&r);
  skip_blanks(&r);
  if (ok && r.p < r.end) ok = wrong(&r, "something follows the value");
  if (!ok) json_fault(problem, text, len, (size_t)(r.p - (const char *)text), r.why);
  return ok;
}

struct bytes json_text_line(const void *text, size_t len) {
  const char *p = text;
  struct bytes out = {must_alloc(len + 1, 1), 0};
  bool quoted = false;
  for (size_t i = 0; i < len; i++) {
    if (!quoted && is_blank(p[i])) continue;
    if (p[i] == '"') quoted = !quoted;
    out.data[out.len++] = p[i];
    if (quoted && p[i] == '\\' && i + 1 < len) out.data[out.len++] = p[++i];
  }
  return out;
}
