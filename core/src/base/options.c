#include "base/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/options_url.h"
#include "base/text.h"

typedef enum type { STRING, INT, BOOL, CHOICE } type;

typedef struct row {
  const char *name;
  type type;
  const char *value;
  int64_t min;
  int64_t max;
  const char *choices;
  bool secret;
} row;

static const row rows[] = {
#define COORD_OPTION(id, name, type, value, min, max, choices, secret, since, text) \
  {name, type, value, min, max, choices, secret},
#include "options.def"
#undef COORD_OPTION
};

typedef coord__setting setting;

struct coord_options {
  setting own[COORD__OPTION_COUNT];
  /* What the URL in `endpoints` says of other options, and of endpoints itself as a list. It ranks
   * right below what else its source says. */
  setting url[COORD__OPTION_COUNT];
};

/* ---- life ---- */

coord_options *coord__options_new(void) { return coord__calloc(1, sizeof(coord_options)); }

static bool copy_settings(setting *to, const setting *from) {
  for (int i = 0; i < COORD__OPTION_COUNT; i++) {
    to[i] = from[i];
    if (from[i].text == NULL) continue;
    to[i].text = coord__strdup(from[i].text);
    if (to[i].text == NULL) return false;
  }
  return true;
}

coord_options *coord__options_copy(const coord_options *o) {
  coord_options *copy = coord__options_new();
  if (copy == NULL || o == NULL) return copy;
  if (copy_settings(copy->own, o->own) && copy_settings(copy->url, o->url)) return copy;
  coord__options_free(copy);
  return NULL;
}

/* Secrets do not stay in freed memory. */
static void free_text(setting *s) {
  if (rows[s->id].secret && s->text != NULL) explicit_bzero(s->text, strlen(s->text));
  coord__free(s->text);
}

static void clear(setting *settings) {
  for (int i = 0; i < COORD__OPTION_COUNT; i++) {
    free_text(&settings[i]);
    settings[i] = (setting){0};
  }
}

void coord__options_free(coord_options *o) {
  if (o == NULL) return;
  clear(o->own);
  clear(o->url);
  coord__free(o);
}

void coord__options_take(coord_options *to, coord_options *from) {
  coord_options before = *to;
  *to = *from;
  *from = before;
  coord__options_free(from);
}

/* ---- the table ---- */

coord__option coord__options_find(const char *name) {
  int i = 0;
  while (i < COORD__OPTION_COUNT && strcmp(rows[i].name, name) != 0) i++;
  return (coord__option)i;
}

const char *coord__options_name(coord__option id) { return rows[id].name; }

bool coord__options_is_secret(coord__option id) { return rows[id].secret; }

int64_t coord__options_min(coord__option id) { return rows[id].min; }

const char *coord__options_nearest(const char *name) {
  size_t best = strlen(name) / 3 + 1;
  const char *found = NULL;
  for (int i = 0; i < COORD__OPTION_COUNT; i++) {
    size_t distance = coord__distance(name, rows[i].name);
    if (distance > best || (distance == best && found != NULL)) continue;
    best = distance;
    found = rows[i].name;
  }
  return found;
}

coord_code coord__options_unknown(const char *name, coord_error **err) {
  char shown[COORD__SHOWN];
  coord__show(shown, name, strlen(name));
  const char *near = coord__options_nearest(name);
  if (near == NULL) {
    return coord__fail(err, COORD_INVALID, "there is no option \"%s\"; see docs/CONFIGURATION.md",
                       shown);
  }
  return coord__fail(err, COORD_INVALID,
                     "there is no option \"%s\"; did you mean %s? See docs/CONFIGURATION.md", shown,
                     near);
}

/* ---- checking ---- */

/* Number of the choice that `value` is, or -1. */
static int choice_of(const row *r, const char *value) {
  size_t n = strlen(value);
  int number = 0;
  for (const char *c = r->choices; n > 0; number++) {
    size_t len = strcspn(c, "|");
    if (len == n && memcmp(c, value, n) == 0) return number;
    if (c[len] == '\0') break;
    c += len + 1;
  }
  return -1;
}

static bool parse_int(const char *value, int64_t *out) {
  const char *digits = value[0] == '-' ? value + 1 : value;
  if (digits[0] < '0' || digits[0] > '9') return false;
  char *end;
  errno = 0;
  long long n = strtoll(value, &end, 10);
  *out = n;
  return errno == 0 && *end == '\0';
}

static coord_code check(const row *r, const char *value, coord_error **err) {
  char shown[COORD__SHOWN];
  coord__show(shown, value, strlen(value));
  int64_t n;
  switch (r->type) {
    case INT:
      if (!parse_int(value, &n) || n < r->min || n > r->max) {
        return coord__fail(err, COORD_INVALID,
                           "option %s: \"%s\" is not a whole number from %lld to %lld", r->name,
                           shown, (long long)r->min, (long long)r->max);
      }
      return COORD_OK;
    case BOOL:
      if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
        return coord__fail(err, COORD_INVALID, "option %s: \"%s\" is neither true nor false",
                           r->name, shown);
      }
      return COORD_OK;
    case CHOICE:
      if (choice_of(r, value) < 0) {
        return coord__fail(err, COORD_INVALID, "option %s: \"%s\" is none of %s", r->name, shown,
                           r->choices);
      }
      return COORD_OK;
    default:
      return COORD_OK;
  }
}

enum { SECRET_BYTES_MAX = 65536 };

/* The text of a secret's file, without its line end. */
static coord_code read_secret(const char *name, const char *path, setting *out, coord_error **err) {
  char what[96];
  snprintf(what, sizeof what, "option %s:", name);
  coord__buf text = {0};
  coord_code code = coord__file_read(what, path, SECRET_BYTES_MAX, &text, &out->exposed, err);
  if (code != COORD_OK) return code;
  if (text.len > 0 && text.data[text.len - 1] == '\n') text.len--;
  if (text.len > 0 && text.data[text.len - 1] == '\r') text.len--;
  if (text.len == 0 || memchr(text.data, '\0', text.len) != NULL) {
    code = coord__fail(err, COORD_INVALID, "option %s: the file %s; it holds the secret alone",
                       name, text.len == 0 ? "is empty" : "holds a NUL byte");
  } else if (!coord__buf_append(&text, "", 1)) {
    code = coord__no_memory(err);
  } else {
    out->text = coord__strdup((char *)text.data);
    if (out->text == NULL) code = coord__no_memory(err);
  }
  explicit_bzero(text.data, text.cap);
  coord__buf_free(&text);
  return code;
}

coord__option coord__options_find_by_file(const char *name) {
  char base[64];
  size_t n = strlen(name);
  if (n <= 5 || n - 5 >= sizeof base || strcmp(name + n - 5, ".file") != 0) {
    return COORD__OPTION_COUNT;
  }
  memcpy(base, name, n - 5);
  base[n - 5] = '\0';
  coord__option id = coord__options_find(base);
  bool has_file = id != COORD__OPTION_COUNT && rows[id].secret && rows[id].type == STRING;
  return has_file ? id : COORD__OPTION_COUNT;
}

coord_code coord__options_resolve(const char *name, const char *value, setting *out,
                                  coord_error **err) {
  *out = (setting){.id = coord__options_find(name)};
  if (out->id == COORD__OPTION_COUNT) {
    out->id = coord__options_find_by_file(name);
    if (out->id == COORD__OPTION_COUNT) return coord__options_unknown(name, err);
    return value[0] == '\0' ? COORD_OK : read_secret(name, value, out, err);
  }
  if (value[0] == '\0') return COORD_OK;
  coord_code code = check(&rows[out->id], value, err);
  if (code != COORD_OK) return code;
  out->text = coord__strdup(value);
  return out->text != NULL ? COORD_OK : coord__no_memory(err);
}

static void put(setting *place, const setting *value) {
  free_text(place);
  *place = *value;
}

coord_code coord__options_set_from(coord_options *o, coord__source source, const char *name,
                                   const char *value, coord_error **err) {
  setting new;
  setting url[COORD__OPTION_COUNT] = {{0}};
  coord_code code = coord__options_resolve(name, value, &new, err);
  if (code != COORD_OK) return code;
  new.source = source;
  if (new.id == COORD__OPTION_ENDPOINTS &&new.text != NULL) {
    code = coord__options_read_url(new.text, source, url, err);
  }
  if (code != COORD_OK || source < o->own[new.id].source) {
    free_text(&new);
    clear(url);
    return code;
  }
  put(&o->own[new.id], &new);
  if (new.id == COORD__OPTION_ENDPOINTS) {
    for (int i = 0; i < COORD__OPTION_COUNT; i++) put(&o->url[i], &url[i]);
  }
  return COORD_OK;
}

coord_code coord__options_set(coord_options *o, const char *name, const char *value,
                              coord_error **err) {
  return coord__options_set_from(o, COORD__SOURCE_CALL, name, value, err);
}

/* ---- values ---- */

static const setting *effective(const coord_options *o, coord__option id) {
  bool list = id == COORD__OPTION_ENDPOINTS && o->url[id].text != NULL;
  return list || o->url[id].source > o->own[id].source ? &o->url[id] : &o->own[id];
}

bool coord__options_is_set(const coord_options *o, coord__option id) {
  return effective(o, id)->text != NULL;
}

const char *coord__options_text(const coord_options *o, coord__option id) {
  const setting *found = effective(o, id);
  return found->text != NULL ? found->text : rows[id].value;
}

int64_t coord__options_int(const coord_options *o, coord__option id) {
  int64_t n = 0;
  parse_int(coord__options_text(o, id), &n);
  return n;
}

bool coord__options_bool(const coord_options *o, coord__option id) {
  return strcmp(coord__options_text(o, id), "true") == 0;
}

int coord__options_choice(const coord_options *o, coord__option id) {
  return choice_of(&rows[id], coord__options_text(o, id));
}

/* ---- secrets that are none ---- */

void coord__options_expose(coord_options *o, coord__source source, coord__option id) {
  if (o->own[id].source == source) o->own[id].exposed = true;
}

void coord__options_warn(const coord_options *o, coord__log *log) {
  for (int i = 0; i < COORD__OPTION_COUNT; i++) {
    if (!effective(o, (coord__option)i)->exposed) continue;
    coord__log_at(log, COORD_LOG_WARN,
                  "option %s: every user of this machine can read the file that it comes from; "
                  "chmod 600 it",
                  rows[i].name);
  }
}
