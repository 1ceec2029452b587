#include "base/options_url.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

/* What stands before each host in the list. */
static const struct {
  const char *scheme;
  const char *prefix;
} forms[] = {{"etcd://", ""},
             {"etcds://", "https://"},
             {"etcd+srv://", "srv://"},
             {"etcds+srv://", "srvs://"}};

typedef struct url {
  const char *prefix;
  coord__source source;
  coord__setting *settings;
  coord_error **err;
} url;

static coord_code refuse(const url *u, const char *why) {
  return coord__fail(u->err, COORD_INVALID,
                     "option endpoints: the URL %s; expected "
                     "etcd://user@host:port,host:port/namespace?option=value",
                     why);
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* A part of the URL with %XX replaced, as text of the caller's; NULL with *code at a fault. */
static char *decode(const url *u, const char *p, size_t n, coord_code *code) {
  char *text = coord__malloc(n + 1);
  if (text == NULL) {
    *code = coord__no_memory(u->err);
    return NULL;
  }
  size_t used = 0;
  for (size_t i = 0; i < n; i++) {
    char c = p[i];
    if (c == '%') {
      bool complete = n - i > 2;
      int high = complete ? hex_digit(p[i + 1]) : -1;
      int low = complete ? hex_digit(p[i + 2]) : -1;
      if (high < 0 || low < 0 || high + low == 0) {
        coord__free(text);
        *code = refuse(u, "has a % that two hexadecimal digits, not 00, do not follow");
        return NULL;
      }
      c = (char)(high * 16 + low);
      i += 2;
    }
    text[used++] = c;
  }
  text[used] = '\0';
  *code = COORD_OK;
  return text;
}

/* Set an option that the URL must not say twice. */
static coord_code set(const url *u, const char *name, const char *value) {
  coord__setting new;
  coord_code code = coord__options_resolve(name, value, &new, u->err);
  if (code != COORD_OK) return code;
  if (u->settings[new.id].source != COORD__SOURCE_NONE) {
    coord__free(new.text);
    return coord__fail(u->err, COORD_INVALID, "option endpoints: the URL sets option %s twice",
                       name);
  }
  new.source = u->source;
  u->settings[new.id] = new;
  return COORD_OK;
}

static coord_code set_decoded(const url *u, const char *name, const char *p, size_t n) {
  coord_code code;
  char *value = decode(u, p, n, &code);
  if (value == NULL) return code;
  code = set(u, name, value);
  coord__free(value);
  return code;
}

/* ---- hosts ---- */

/* A word behind the colon is no port: maybe a password with a "/" in it, so that it is not shown. */
static bool port_is_number(const char *host) {
  const char *close = strrchr(host, ']');
  const char *colon = strrchr(close != NULL ? close : host, ':');
  return colon == NULL || strspn(colon + 1, "0123456789") == strlen(colon + 1);
}

static coord_code add_host(const url *u, const char *p, size_t n, coord__buf *list) {
  if (n == 0) return refuse(u, "has an empty host");
  coord_code code;
  char *host = decode(u, p, n, &code);
  if (host == NULL) return code;
  const char *prefix = u->prefix;
  if (host[0] == '/') prefix = strcmp(prefix, "https://") == 0 ? "unixs:" : "unix:";
  if (strchr(host, ',') != NULL) {
    code = refuse(u, "has a host with a comma");
  } else if (host[0] != '/' && !port_is_number(host)) {
    code = refuse(u, "has a port that is no number");
  } else if ((list->len > 0 && !coord__buf_append_str(list, ",")) ||
             !coord__buf_append_str(list, prefix) || !coord__buf_append_str(list, host)) {
    code = coord__no_memory(u->err);
  }
  coord__free(host);
  return code;
}

static coord_code read_hosts(const url *u, const char *p, size_t n) {
  coord__buf list = {0};
  coord_code code = COORD_OK;
  for (size_t at = 0; code == COORD_OK && at <= n;) {
    const char *comma = memchr(p + at, ',', n - at);
    size_t len = comma != NULL ? (size_t)(comma - p) - at : n - at;
    code = add_host(u, p + at, len, &list);
    at += len + 1;
  }
  if (code == COORD_OK && !coord__buf_append(&list, "", 1)) code = coord__no_memory(u->err);
  if (code != COORD_OK) {
    coord__buf_free(&list);
    return code;
  }
  u->settings[COORD__OPTION_ENDPOINTS] = (coord__setting){
      .id = COORD__OPTION_ENDPOINTS, .source = u->source, .text = (char *)list.data};
  return COORD_OK;
}

static coord_code read_authority(const url *u, const char *p, size_t n) {
  size_t at = n;
  while (at > 0 && p[at - 1] != '@') at--;
  if (at > 0) {
    size_t user_len = at - 1;
    if (memchr(p, ':', user_len) != NULL) {
      return refuse(u,
                    "holds a password, and URLs end up in logs and process lists: use the option "
                    "password, or a file (password.file)");
    }
    if (user_len == 0) return refuse(u, "has an empty user name before the @");
    coord_code code = set_decoded(u, "username", p, user_len);
    if (code != COORD_OK) return code;
  }
  return read_hosts(u, p + at, n - at);
}

/* ---- query ---- */

static coord_code set_pair(const url *u, const char *name, const char *value) {
  coord__option id = coord__options_find(name);
  char shown[COORD__SHOWN];
  if (id == COORD__OPTION_ENDPOINTS) return refuse(u, "sets option endpoints within itself");
  if (id != COORD__OPTION_COUNT && coord__options_is_secret(id)) {
    return coord__fail(u->err, COORD_INVALID,
                       "option endpoints: the URL sets option %s, a secret, and URLs end up in "
                       "logs and process lists: set that option itself, or give %s.file",
                       name, name);
  }
  if (value[0] == '\0') {
    return coord__fail(u->err, COORD_INVALID, "option endpoints: the URL gives option %s no value",
                       coord__show(shown, name, strlen(name)));
  }
  return set(u, name, value);
}

static coord_code read_pair(const url *u, const char *p, size_t n) {
  const char *equals = memchr(p, '=', n);
  if (equals == NULL) return refuse(u, "has a word without = in its query");
  size_t name_len = (size_t)(equals - p);
  coord_code code;
  char *name = decode(u, p, name_len, &code);
  if (name == NULL) return code;
  char *value = decode(u, equals + 1, n - name_len - 1, &code);
  if (value != NULL) code = set_pair(u, name, value);
  coord__free(name);
  coord__free(value);
  return code;
}

static coord_code read_query(const url *u, const char *query) {
  coord_code code = COORD_OK;
  while (code == COORD_OK && *query != '\0') {
    size_t n = strcspn(query, "&");
    code = read_pair(u, query, n);
    query += n + (query[n] == '&');
  }
  return code;
}

coord_code coord__options_read_url(const char *text, coord__source source,
                                   coord__setting out[COORD__OPTION_COUNT], coord_error **err) {
  url u = {.source = source, .settings = out, .err = err};
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    size_t n = strlen(forms[i].scheme);
    if (strncmp(text, forms[i].scheme, n) != 0) continue;
    u.prefix = forms[i].prefix;
    text += n;
    break;
  }
  if (u.prefix == NULL) return COORD_OK;
  if (strchr(text, '#') != NULL) return refuse(&u, "has a #, which must be written as %23");
  size_t authority = strcspn(text, "/?");
  coord_code code = read_authority(&u, text, authority);
  const char *rest = text + authority;
  if (code == COORD_OK && *rest == '/') {
    size_t n = strcspn(++rest, "?");
    if (n > 0) code = set_decoded(&u, "namespace", rest, n);
    rest += n;
  }
  if (code == COORD_OK && *rest == '?') code = read_query(&u, rest + 1);
  return code;
}
