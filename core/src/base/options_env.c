#include "base/options_env.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/options_file.h"
#include "base/text.h"

/* How etcdctl writes a value. */
typedef enum form { TEXT, DURATION, NOT_LESS, NEGATED, DOMAIN } form;

/* Options that this build does not know are passed over. ETCDCTL_USER stands apart. */
static const struct {
  const char *variable;
  const char *option;
  form form;
} etcdctl[] = {
    {"ETCDCTL_ENDPOINTS", "endpoints", TEXT},
    {"ETCDCTL_DISCOVERY_SRV", "endpoints", DOMAIN},
    {"ETCDCTL_DIAL_TIMEOUT", "connect.timeout.ms", DURATION},
    {"ETCDCTL_COMMAND_TIMEOUT", "request.timeout.ms", DURATION},
    {"ETCDCTL_KEEPALIVE_TIME", "keepalive.interval.ms", NOT_LESS},
    {"ETCDCTL_KEEPALIVE_TIMEOUT", "keepalive.timeout.ms", DURATION},
    {"ETCDCTL_PASSWORD", "password", TEXT},
    {"ETCDCTL_CACERT", "tls.ca", TEXT},
    {"ETCDCTL_CERT", "tls.cert", TEXT},
    {"ETCDCTL_KEY", "tls.key", TEXT},
    {"ETCDCTL_INSECURE_SKIP_TLS_VERIFY", "tls.verify", NEGATED},
};

typedef struct reader {
  coord_options *options;
  char *const *environment;
  coord_error **err;
} reader;

/* The value of a variable; NULL when it is absent or empty. */
static const char *value_of(const reader *r, const char *name) {
  size_t n = strlen(name);
  for (char *const *e = r->environment; *e != NULL; e++) {
    if (strncmp(*e, name, n) == 0 && (*e)[n] == '=') return (*e)[n + 1] != '\0' ? *e + n + 1 : NULL;
  }
  return NULL;
}

static coord_code set(const reader *r, coord__source source, const char *variable,
                      const char *option, const char *value) {
  coord_error *why = NULL;
  coord_code code = coord__options_set_from(r->options, source, option, value, &why);
  if (code == COORD_NO_MEMORY) {
    coord__no_memory(r->err);
  } else if (code != COORD_OK) {
    coord__fail(r->err, code, "environment variable %s: %s", variable, coord_error_message(why));
  }
  coord_error_free(why);
  return code;
}

/* ---- ETCDCTL_* ---- */

/* A duration as Go writes it: "2s", "1m30s", "1.5h"; false when it is none. */
static bool parse_duration(const char *text, double *out_ms) {
  static const struct {
    const char *unit;
    double ms;
  } units[] = {{"ms", 1}, {"us", 1e-3}, {"ns", 1e-6}, {"s", 1e3}, {"m", 6e4}, {"h", 3.6e6}};
  double ms = 0;
  if (strcmp(text, "0") == 0) text = "0s";
  if (*text == '\0') return false;
  while (*text != '\0') {
    double whole = 0;
    double scale = 1;
    bool any = false;
    for (; isdigit((unsigned char)*text); text++, any = true) whole = whole * 10 + (*text - '0');
    if (*text == '.') text++;
    for (; isdigit((unsigned char)*text); text++, any = true)
      whole += (*text - '0') * (scale /= 10);
    size_t i = 0;
    size_t count = sizeof units / sizeof *units;
    while (i < count && strncmp(text, units[i].unit, strlen(units[i].unit)) != 0) i++;
    if (!any || i == count) return false;
    text += strlen(units[i].unit);
    ms += whole * units[i].ms;
  }
  *out_ms = ms;
  return true;
}

static coord_code set_duration(const reader *r, const char *variable, const char *option,
                               const char *value, bool not_less) {
  double ms;
  char text[32];
  char shown[COORD__SHOWN];
  if (!parse_duration(value, &ms) || ms > 1e15) {
    return coord__fail(r->err, COORD_INVALID,
                       "environment variable %s: \"%s\" is no duration such as 5s or 500ms",
                       variable, coord__show(shown, value, strlen(value)));
  }
  int64_t least = coord__options_min(coord__options_find(option));
  int64_t n = (int64_t)(ms + 0.5);
  if (not_less && n < least) n = least;
  snprintf(text, sizeof text, "%lld", (long long)n);
  return set(r, COORD__SOURCE_ETCDCTL, variable, option, text);
}

static coord_code set_negated(const reader *r, const char *variable, const char *option,
                              const char *value) {
  static const char *const words[2][5] = {{"0", "f", "F", "false", "False"},
                                          {"1", "t", "T", "true", "True"}};
  for (int is = 0; is < 2; is++) {
    for (int i = 0; i < 5; i++) {
      if (strcmp(value, words[is][i]) != 0) continue;
      return set(r, COORD__SOURCE_ETCDCTL, variable, option, is ? "false" : "true");
    }
  }
  char shown[COORD__SHOWN];
  return coord__fail(r->err, COORD_INVALID,
                     "environment variable %s: \"%s\" is neither true nor false", variable,
                     coord__show(shown, value, strlen(value)));
}

static coord_code set_domain(const reader *r, const char *variable, const char *option,
                             const char *value) {
  char text[300];
  int n = snprintf(text, sizeof text, "srv://%s", value);
  if (n >= (int)sizeof text) {
    return coord__fail(r->err, COORD_INVALID, "environment variable %s: the domain is too long",
                       variable);
  }
  return set(r, COORD__SOURCE_ETCDCTL, variable, option, text);
}

/* "name" or "name:password"; with ETCDCTL_PASSWORD all of it is the name. */
static coord_code read_user(const reader *r) {
  static const char variable[] = "ETCDCTL_USER";
  const char *user = value_of(r, variable);
  if (user == NULL || coord__options_find("username") == COORD__OPTION_COUNT) return COORD_OK;
  const char *colon = strchr(user, ':');
  if (colon == NULL || value_of(r, "ETCDCTL_PASSWORD") != NULL) {
    return set(r, COORD__SOURCE_ETCDCTL, variable, "username", user);
  }
  char *name = coord__strdup(user);
  if (name == NULL) return coord__no_memory(r->err);
  name[colon - user] = '\0';
  coord_code code = set(r, COORD__SOURCE_ETCDCTL, variable, "username", name);
  if (code == COORD_OK && coord__options_find("password") != COORD__OPTION_COUNT) {
    code = set(r, COORD__SOURCE_ETCDCTL, variable, "password", colon + 1);
  }
  coord__free(name);
  return code;
}

static coord_code read_etcdctl(const reader *r) {
  coord_code code = read_user(r);
  for (size_t i = 0; code == COORD_OK && i < sizeof etcdctl / sizeof *etcdctl; i++) {
    const char *variable = etcdctl[i].variable;
    const char *option = etcdctl[i].option;
    const char *value = value_of(r, variable);
    if (value == NULL || coord__options_find(option) == COORD__OPTION_COUNT) continue;
    switch (etcdctl[i].form) {
      case TEXT:
        code = set(r, COORD__SOURCE_ETCDCTL, variable, option, value);
        break;
      case DURATION:
      case NOT_LESS:
        code = set_duration(r, variable, option, value, etcdctl[i].form == NOT_LESS);
        break;
      case NEGATED:
        code = set_negated(r, variable, option, value);
        break;
      case DOMAIN:
        code = set_domain(r, variable, option, value);
        break;
    }
  }
  return code;
}

/* ---- COORD_* ---- */

enum { NAME_BYTES = 96 };

/* COORD_REQUEST_TIMEOUT_MS of "request.timeout.ms". */
static void variable_of(const char *option, const char *suffix, char out[NAME_BYTES]) {
  snprintf(out, NAME_BYTES, "COORD_%s%s", option, suffix);
  for (char *c = out; *c != '\0'; c++) *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
}

/* Others may use the prefix too, but a name that is nearly one of ours is a slip. */
static coord_code check_unknown(const reader *r, const char *name) {
  size_t most = (strlen(name) - strlen("COORD_")) / 4;
  if (most > 2) most = 2;
  char known[NAME_BYTES];
  for (int i = 0; i < COORD__OPTION_COUNT; i++) {
    variable_of(coord__options_name((coord__option)i), "", known);
    if (coord__distance(name, known) > most) continue;
    return coord__fail(r->err, COORD_INVALID,
                       "environment variable %s is no option; did you mean %s?", name, known);
  }
  return COORD_OK;
}

static coord_code read_variable(const reader *r, const char *name, const char *value) {
  char known[NAME_BYTES];
  for (int i = 0; i < COORD__OPTION_COUNT; i++) {
    const char *option = coord__options_name((coord__option)i);
    variable_of(option, "", known);
    if (strcmp(name, known) == 0) return set(r, COORD__SOURCE_ENVIRONMENT, name, option, value);
    char by_file[NAME_BYTES];
    snprintf(by_file, sizeof by_file, "%s.file", option);
    if (coord__options_find_by_file(by_file) == COORD__OPTION_COUNT) continue;
    variable_of(option, ".file", known);
    if (strcmp(name, known) == 0) return set(r, COORD__SOURCE_ENVIRONMENT, name, by_file, value);
  }
  return strcmp(name, "COORD_CONFIG") == 0 ? COORD_OK : check_unknown(r, name);
}

static coord_code read_own(const reader *r) {
  coord_code code = COORD_OK;
  for (char *const *e = r->environment; code == COORD_OK && *e != NULL; e++) {
    size_t n = strcspn(*e, "=");
    char name[NAME_BYTES];
    if (strncmp(*e, "COORD_", 6) != 0 || n >= sizeof name || (*e)[n] == '\0') continue;
    if ((*e)[n + 1] == '\0') continue; /* empty is as good as absent */
    memcpy(name, *e, n);
    name[n] = '\0';
    code = read_variable(r, name, *e + n + 1);
  }
  return code;
}

/* COORD_CONFIG is "path" or "path#section". */
static coord_code read_file(const reader *r) {
  const char *value = value_of(r, "COORD_CONFIG");
  if (value == NULL) return COORD_OK;
  char *path = coord__strdup(value);
  if (path == NULL) return coord__no_memory(r->err);
  char *section = strrchr(path, '#');
  if (section != NULL) *section++ = '\0';
  coord_error *why = NULL;
  coord_code code = coord__options_load(r->options, path, section, &why);
  if (code == COORD_NO_MEMORY) {
    coord__no_memory(r->err);
  } else if (code != COORD_OK) {
    coord__fail(r->err, code, "environment variable COORD_CONFIG: %s", coord_error_message(why));
  }
  coord_error_free(why);
  coord__free(path);
  return code;
}

coord_code coord__options_env(coord_options *o, char *const *environment, coord_error **err) {
  reader r = {.environment = environment, .err = err};
  r.options = coord__options_copy(o);
  if (r.options == NULL) return coord__no_memory(err);
  coord_code code = read_file(&r);
  if (code == COORD_OK) code = read_etcdctl(&r);
  if (code == COORD_OK) code = read_own(&r);
  if (code == COORD_OK) {
    coord__options_take(o, r.options);
  } else {
    coord__options_free(r.options);
  }
  return code;
}
