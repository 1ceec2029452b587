#include "rpc/endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "base/error.h"

enum { DEFAULT_PORT = 2379, LONGEST_NAME = 255 };

static const char *const expected =
    "expected host:port, [IPv6]:port, http://host:port, https://host:port, unix:///path or "
    "unixs:///path, or srv://domain";

typedef struct text {
  const char *p;
  size_t n;
} text;

static bool starts_with(text t, const char *prefix) {
  size_t n = strlen(prefix);
  return t.n >= n && memcmp(t.p, prefix, n) == 0;
}

static text skip(text t, size_t n) { return (text){t.p + n, t.n - n}; }

static text trim(text t) {
  while (t.n > 0 && isspace((unsigned char)t.p[0])) t = skip(t, 1);
  while (t.n > 0 && isspace((unsigned char)t.p[t.n - 1])) t.n--;
  return t;
}

static char *copy(text t) {
  char *s = coord__malloc(t.n + 1);
  if (s == NULL) return NULL;
  memcpy(s, t.p, t.n);
  s[t.n] = '\0';
  return s;
}

/* For messages. What stands before an "@" may be a password. */
static const char *show(char out[COORD__SHOWN], text item) {
  text rest = item;
  for (size_t i = 0; i < item.n; i++) {
    if (item.p[i] == '@') rest = skip(item, i);
  }
  return coord__show(out, rest.p, rest.n);
}

static coord_code refuse(coord_error **err, text item, const char *why) {
  char shown[COORD__SHOWN];
  return coord__fail(err, COORD_INVALID, "option endpoints: \"%s\" %s; %s", show(shown, item), why,
                     expected);
}

static coord_code parse_unix(text item, text path, coord__endpoint *out, coord_error **err) {
  /* unix:///run/etcd.sock, unix:/run/etcd.sock and unix:relative.sock */
  if (starts_with(path, "//")) path = skip(path, 2);
  if (path.n == 0) return refuse(err, item, "has no path");
  if (path.n >= sizeof((struct sockaddr_un *)0)->sun_path) {
    return refuse(err, item, "has too long a path for a unix socket");
  }
  out->unix_path = copy(path);
  out->name = copy(item);
  out->authority = coord__strdup("localhost");
  return COORD_OK;
}

static bool parse_port(text t, int *port) {
  int n = 0;
  if (t.n == 0 || t.n > 5) return false;
  for (size_t i = 0; i < t.n; i++) {
    if (!isdigit((unsigned char)t.p[i])) return false;
    n = n * 10 + (t.p[i] - '0');
  }
  *port = n;
  return n >= 1 && n <= 65535;
}

static bool is_host(text host, bool bracketed) {
  if (host.n == 0 || host.n > LONGEST_NAME) return false;
  for (size_t i = 0; i < host.n; i++) {
    unsigned char c = (unsigned char)host.p[i];
    bool plain = isalnum(c) || c == '-' || c == '.' || c == '_';
    if (!plain && !(bracketed && (c == ':' || c == '%'))) return false;
  }
  return true;
}

static bool is_ipv6(text host) {
  char address[INET6_ADDRSTRLEN];
  struct in6_addr parsed;
  const char *zone = memchr(host.p, '%', host.n);
  size_t n = zone != NULL ? (size_t)(zone - host.p) : host.n;
  if (n >= sizeof address) return false;
  memcpy(address, host.p, n);
  address[n] = '\0';
  return inet_pton(AF_INET6, address, &parsed) == 1;
}

static coord_code parse_tcp(text item, text rest, coord__endpoint *out, coord_error **err) {
  if (rest.n > 0 && rest.p[rest.n - 1] == '/') rest.n--;
  text host = rest;
  text port = {NULL, 0};
  bool bracketed = rest.n > 0 && rest.p[0] == '[';
  if (bracketed) {
    const char *close = memchr(rest.p, ']', rest.n);
    if (close == NULL) return refuse(err, item, "has no closing bracket");
    host = (text){rest.p + 1, (size_t)(close - rest.p - 1)};
    port = skip(rest, (size_t)(close - rest.p) + 1);
    if (port.n > 0 && port.p[0] != ':') return refuse(err, item, "has text after the bracket");
  } else {
    const char *colon = memchr(rest.p, ':', rest.n);
    if (colon != NULL) {
      host.n = (size_t)(colon - rest.p);
      port = skip(rest, host.n);
    }
  }
  if (memchr(rest.p, '@', rest.n) != NULL) return refuse(err, item, "holds a user name");
  if (memchr(rest.p, '/', rest.n) != NULL) return refuse(err, item, "has a path");
  if (bracketed && !is_ipv6(host)) return refuse(err, item, "has no IPv6 address in its brackets");
  if (!is_host(host, bracketed)) return refuse(err, item, "has no valid host name");
  out->port = DEFAULT_PORT;
  if (port.n > 0 && !parse_port(skip(port, 1), &out->port)) {
    return refuse(err, item, "has a port that is not 1 to 65535");
  }
  char name[LONGEST_NAME + 24];
  int scheme = snprintf(name, sizeof name, "%s", out->tls ? "https://" : "");
  snprintf(name + scheme, sizeof name - (size_t)scheme, bracketed ? "[%.*s]:%d" : "%.*s:%d",
           (int)host.n, host.p, out->port);
  out->host = copy(host);
  out->name = coord__strdup(name);
  out->authority = coord__strdup(name + scheme);
  return COORD_OK;
}

static coord_code parse_srv(text item, text domain, coord__endpoint *out, coord_error **err) {
  /* Room for "_etcd-client-ssl._tcp." before it. */
  if (!is_host(domain, false) || domain.n > LONGEST_NAME - 32) {
    return refuse(err, item, "has no valid domain");
  }
  out->domain = copy(domain);
  out->name = copy(item);
  out->authority = copy(domain);
  return COORD_OK;
}

static coord_code parse_one(text item, coord__endpoint *out, coord_error **err) {
  if (item.n == 0) return refuse(err, item, "is empty");
  if (memchr(item.p, '\0', item.n) != NULL) return refuse(err, item, "holds a NUL byte");
  coord_code code;
  out->tls = starts_with(item, "https:") || starts_with(item, "unixs:");
  if (starts_with(item, "unix:")) {
    code = parse_unix(item, skip(item, 5), out, err);
  } else if (starts_with(item, "unixs:")) {
    code = parse_unix(item, skip(item, 6), out, err);
  } else if (starts_with(item, "https://")) {
    code = parse_tcp(item, skip(item, 8), out, err);
  } else if (starts_with(item, "srv://")) {
    code = parse_srv(item, skip(item, 6), out, err);
  } else if (starts_with(item, "srvs://")) {
    out->tls = true;
    code = parse_srv(item, skip(item, 7), out, err);
  } else if (starts_with(item, "http://")) {
    code = parse_tcp(item, skip(item, 7), out, err);
  } else {
    code = parse_tcp(item, item, out, err);
  }
  if (code != COORD_OK) return code;
  bool complete = out->name != NULL && out->authority != NULL &&
                  (out->host != NULL || out->unix_path != NULL || out->domain != NULL);
  return complete ? COORD_OK : coord__no_memory(err);
}

/* A list with both would send over the wire in the clear what TLS is to hide, whenever it fails
 * over. */
static coord_code check_mixed(const coord__endpoints *parsed, coord_error **err) {
  for (size_t i = 0; parsed->count > 1 && i < parsed->count; i++) {
    if (parsed->items[i].domain == NULL) continue;
    return coord__fail(err, COORD_INVALID,
                       "option endpoints: \"%s\" stands with others; it is the whole list; %s",
                       parsed->items[i].name, expected);
  }
  for (size_t i = 1; i < parsed->count; i++) {
    const coord__endpoint *first = &parsed->items[0];
    const coord__endpoint *other = &parsed->items[i];
    if (other->tls == first->tls) continue;
    return coord__fail(err, COORD_INVALID,
                       "option endpoints: \"%s\" is with TLS and \"%s\" without: write https:// "
                       "before all of them or before none; %s",
                       first->tls ? first->name : other->name,
                       first->tls ? other->name : first->name, expected);
  }
  return COORD_OK;
}

coord_code coord__endpoints_parse(const char *list, coord__endpoints *out, coord_error **err) {
  coord__endpoints parsed = {0};
  size_t commas = 0;
  for (const char *c = list; *c != '\0'; c++) commas += *c == ',';
  parsed.items = coord__calloc(commas + 1, sizeof *parsed.items);
  if (parsed.items == NULL) return coord__no_memory(err);
  for (const char *p = list;;) {
    size_t n = strcspn(p, ",");
    text item = trim((text){p, n});
    coord_code code = parse_one(item, &parsed.items[parsed.count++], err);
    if (code == COORD_OK && p[n] == '\0') code = check_mixed(&parsed, err);
    if (code != COORD_OK) {
      coord__endpoints_free(&parsed);
      return code;
    }
    if (p[n] == '\0') break;
    p += n + 1;
  }
  *out = parsed;
  return COORD_OK;
}

void coord__endpoints_free(coord__endpoints *endpoints) {
  for (size_t i = 0; i < endpoints->count; i++) {
    coord__endpoint *e = &endpoints->items[i];
    coord__free(e->name);
    coord__free(e->host);
    coord__free(e->unix_path);
    coord__free(e->domain);
    coord__free(e->authority);
  }
  coord__free(endpoints->items);
  *endpoints = (coord__endpoints){0};
}
