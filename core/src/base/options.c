#include "base/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

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

struct coord_options {
  char *values[COORD__OPTION_COUNT]; /* NULL: the default */
};

coord_options *coord__options_new(void) { return coord__calloc(1, sizeof(coord_options)); }

coord_options *coord__options_copy(const coord_options *o) {
  coord_options *copy = coord__options_new();
  for (int i = 0; copy != NULL && o != NULL && i < COORD__OPTION_COUNT; i++) {
    if (o->values[i] == NULL) continue;
    copy->values[i] = coord__strdup(o->values[i]);
    if (copy->values[i] == NULL) {
      coord__options_free(copy);
      return NULL;
    }
  }
  return copy;
}

static void free_value(coord_options *o, int i) {
  if (rows[i].secret && o->values[i] != NULL) explicit_bzero(o->values[i], strlen(o->values[i]));
  coord__free(o->values[i]);
}

void coord__options_free(coord_options *o) {
  for (int i = 0; o != NULL && i < COORD__OPTION_COUNT; i++) free_value(o, i);
  coord__free(o);
}

coord__option coord__options_find(const char *name) {
  int i = 0;
  while (i < COORD__OPTION_COUNT && strcmp(rows[i].name, name) != 0) i++;
  return (coord__option)i;
}

const char *coord__options_name(coord__option id) { return rows[id].name; }

bool coord__options_is_secret(coord__option id) { return rows[id].secret; }

bool coord__options_is_set(const coord_options *o, coord__option id) {
  return o->values[id] != NULL;
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

coord_code coord__options_set(coord_options *o, const char *name, const char *value,
                              coord_error **err) {
  coord__option id = coord__options_find(name);
  if (id == COORD__OPTION_COUNT) {
    char shown[COORD__SHOWN];
    return coord__fail(err, COORD_INVALID, "there is no option \"%s\"; see docs/CONFIGURATION.md",
                       coord__show(shown, name, strlen(name)));
  }
  char *copy = NULL;
  if (value[0] != '\0') {
    coord_code code = check(&rows[id], value, err);
    if (code != COORD_OK) return code;
    copy = coord__strdup(value);
    if (copy == NULL) return coord__no_memory(err);
  }
  free_value(o, (int)id);
  o->values[id] = copy;
  return COORD_OK;
}

/* ---- values ---- */

const char *coord__options_text(const coord_options *o, coord__option id) {
  return o->values[id] != NULL ? o->values[id] : rows[id].value;
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
