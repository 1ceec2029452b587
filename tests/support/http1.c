#include "support/http1.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "etcd/method.h"

void t_http1_add(t_http1 *h, const void *p, size_t n) {
  h->in = realloc(h->in, h->in_len + n + 1);
  if (!h->in) abort();
  memcpy(h->in + h->in_len, p, n);
  h->in_len += n;
  h->in[h->in_len] = '\0';
}

/* Under the name that the method has in gRPC, so that rules fit on both wires. */
static void set_path(char *path, size_t size, const char *from, size_t n) {
  snprintf(path, size, "%.*s", (int)n, from);
  for (int i = 0; i < COORD__METHOD_COUNT; i++) {
    const char *gateway = coord__methods[i].gateway_path;
    if (gateway && strlen(gateway) == n && memcmp(gateway, from, n) == 0) {
      snprintf(path, size, "%s", coord__methods[i].grpc_path);
    }
  }
}

bool t_http1_next(t_http1 *h, char *path, size_t size, t_http1_header *header, void *user) {
  char *end = h->in ? strstr(h->in, "\r\n\r\n") : NULL;
  if (!end) return false;
  size_t length = 0;
  for (char *line = strstr(h->in, "\r\n"); line < end;) {
    line += 2;
    char *stop = strstr(line, "\r\n");
    char *colon = strchr(line, ':');
    if (strncasecmp(line, "content-length:", 15) == 0) length = strtoul(line + 15, NULL, 10);
    if (colon && colon < stop) {
      header(user, line, (size_t)(colon - line), colon + 2, (size_t)(stop - colon - 2));
    }
    line = stop;
  }
  size_t whole = (size_t)(end + 4 - h->in) + length;
  if (h->in_len < whole) return false;
  char *from = strchr(h->in, ' ') + 1;
  set_path(path, size, from, strcspn(from, " "));
  memmove(h->in, h->in + whole, h->in_len - whole + 1);
  h->in_len -= whole;
  return true;
}

t_bytes t_http1_answer(t_http1 *h, const t_rule *rule) {
  if (rule->raw.p) return rule->raw;
  const char *json = rule->json ? rule->json : "{\"header\":{\"revision\":\"7\"}}";
  const char *type = rule->content_type ? rule->content_type : "application/json";
  const char *status = rule->http_status ? rule->http_status : "200";
  size_t n = strlen(json);
  size_t times = rule->repeat ? rule->repeat : 1;
  free(h->out);
  h->out = malloc(n * times + 512);
  if (!h->out) abort();
  bool lasts = rule->stays_open || rule->closes;
  int used = snprintf(h->out, 512, "HTTP/1.1 %s Told So\r\nContent-Type: %s\r\n", status, type);
  used += lasts ? sprintf(h->out + used, "X-Length: none\r\n\r\n")
                : sprintf(h->out + used, "Content-Length: %zu\r\n\r\n", n * times);
  for (size_t i = 0; i < times; i++) memcpy(h->out + used + i * n, json, n);
  return (t_bytes){h->out, (size_t)used + n * times};
}

void t_http1_free(t_http1 *h) {
  free(h->in);
  free(h->out);
}
