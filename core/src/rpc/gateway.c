#include "rpc/gateway.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "rpc/grpc.h"
#include "rpc/json_map.h"

/* Nested transactions are a few levels each; deeper than this is no answer of etcd. */
enum { DEEPEST = 256, SHOWN = 100 };

enum { UNKNOWN = 2, NOT_FOUND = 5, UNIMPLEMENTED = 12, UNAVAILABLE = 14 };

/* ---- tokens ---- */

char *coord__gateway_token(const char *token) {
  static const char name[] = "Authorization: ";
  /* No second header can follow it, whoever made the token. */
  size_t n = strcspn(token, "\r\n");
  char *header = coord__malloc(sizeof name + n);
  if (header == NULL) return NULL;
  memcpy(header, name, sizeof name - 1);
  memcpy(header + sizeof name - 1, token, n);
  header[sizeof name - 1 + n] = '\0';
  return header;
}

void coord__gateway_free_token(char *header) {
  if (header != NULL) explicit_bzero(header, strlen(header));
  coord__free(header);
}

/* ---- JSON ---- */

/* NULL when it is no JSON, or memory is out, as `code` says. */
static json_object *parse(const uint8_t *p, size_t n, coord_code *code, const char **why) {
  *code = COORD_PROTOCOL;
  *why = "it is too long";
  if (n > INT_MAX) return NULL;
  json_tokener *t = json_tokener_new_ex(DEEPEST);
  if (t == NULL) {
    *code = COORD_NO_MEMORY;
    return NULL;
  }
  json_object *o = json_tokener_parse_ex(t, (const char *)p, (int)n);
  enum json_tokener_error error = json_tokener_get_error(t);
  *why = error == json_tokener_continue ? "it ends too early" : json_tokener_error_desc(error);
  for (size_t end = json_tokener_get_parse_end(t); o != NULL && end < n; end++) {
    if (strchr(" \t\r\n", p[end]) != NULL && p[end] != 0) continue;
    *why = "something follows it";
    json_object_put(o);
    o = NULL;
  }
  json_tokener_free(t);
  if (o != NULL) *code = COORD_OK;
  return o;
}

static json_object *get(json_object *o, const char *name, json_type type) {
  json_object *v = NULL;
  if (json_object_get_type(o) != json_type_object || !json_object_object_get_ex(o, name, &v)) {
    return NULL;
  }
  return json_object_get_type(v) == type ? v : NULL;
}

/* ---- errors ---- */

static void set(coord__gateway_answer *a, coord_code code, int grpc_status, const char *message) {
  a->code = code;
  a->grpc_status = grpc_status;
  snprintf(a->message, sizeof a->message, "%s", message);
}

/* Printable text for a message, from what a proxy or a web server says. */
static void show(char out[SHOWN], const uint8_t *p, size_t n) {
  size_t used = 0;
  for (size_t i = 0; i < n && used + 1 < SHOWN; i++) {
    char c = p[i] >= 0x20 && p[i] < 0x7f ? (char)p[i] : ' ';
    if (c == ' ' && used > 0 && out[used - 1] == ' ') continue;
    out[used++] = c;
  }
  while (used > 0 && out[used - 1] == ' ') used--;
  out[used] = '\0';
}

/* An error object of the gateway: flat, as calls have it, or inside "error", as streams have it.
 * grpc_code is the older servers' name in streams. False: it is none. */
static bool read_error(json_object *o, coord__gateway_answer *a) {
  json_object *inner = get(o, "error", json_type_object);
  json_object *from = inner != NULL ? inner : o;
  json_object *code = get(from, "grpc_code", json_type_int);
  if (code == NULL) code = get(from, "code", json_type_int);
  json_object *message = get(from, "message", json_type_string);
  if (message == NULL) message = get(o, "error", json_type_string);
  if (code == NULL && message == NULL) return false;
  int status = code != NULL ? json_object_get_int(code) : 0;
  if (status <= 0) status = a->http_status > 0 ? coord__grpc_from_http(a->http_status) : UNKNOWN;
  set(a, COORD_OK, status, message != NULL ? json_object_get_string(message) : "");
  if (status == NOT_FOUND && strcmp(a->message, "Not Found") == 0) {
    set(a, COORD_OK, UNIMPLEMENTED, "the server's JSON gateway has no such method");
  }
  /* The gateway is a client of its own server, and this is how it says that the server stops. */
  if (strstr(a->message, "client connection is closing") != NULL) a->grpc_status = UNAVAILABLE;
  if (a->message[0] == '\0') {
    snprintf(a->message, sizeof a->message,
             "the server answered with gRPC status %d and no message", status);
  }
  return true;
}

/* What is not etcd's own answer. */
static void explain_foreign(int http_status, const uint8_t *p, size_t n, coord__gateway_answer *a) {
  char text[SHOWN];
  show(text, p, n);
  int status = coord__grpc_from_http(http_status);
  coord_code code = COORD_PROTOCOL;
  if (status == UNAVAILABLE) code = COORD_UNAVAILABLE;
  if (http_status == 404 || http_status == 405) {
    set(a, COORD_UNSUPPORTED, UNIMPLEMENTED,
        "the server has no JSON gateway, or not this method of it");
    return;
  }
  a->code = code;
  a->grpc_status = status;
  snprintf(a->message, sizeof a->message, "the server answered with HTTP status %d%s%s",
           http_status, text[0] != '\0' ? ": " : "", text);
}

static void begin(coord__gateway_answer *a, int http_status) {
  *a = (coord__gateway_answer){
      .code = COORD_OK, .grpc_status = -1, .http_status = http_status != 200 ? http_status : -1};
}

/* ---- answers ---- */

static bool is_json(const char *content_type) {
  static const char json[] = "application/json";
  size_t n = sizeof json - 1;
  return strncasecmp(content_type, json, n) == 0 &&
         (content_type[n] == '\0' || content_type[n] == ';' || content_type[n] == ' ');
}

bool coord__gateway_is_stream(int http_status, const char *content_type) {
  return http_status == 200 && is_json(content_type);
}

static void read_message(const ProtobufCMessageDescriptor *type, json_object *o, coord__buf *out,
                         coord__gateway_answer *a) {
  char why[COORD__JSON_WHY];
  coord_code code = coord__json_read(type, o, out, why);
  if (code == COORD_OK) {
    set(a, COORD_OK, 0, "");
  } else if (code == COORD_NO_MEMORY) {
    set(a, code, -1, "memory is exhausted");
  } else {
    set(a, code, -1, "");
    snprintf(a->message, sizeof a->message, "the answer is no %s: %s", type->short_name, why);
  }
}

static void explain_unreadable(coord_code code, const char *why, coord__gateway_answer *a) {
  set(a, code, -1, "memory is exhausted");
  if (code == COORD_NO_MEMORY) return;
  snprintf(a->message, sizeof a->message, "the answer is no JSON: %s", why);
}

static void read_failure(int http_status, const uint8_t *p, size_t n, coord__gateway_answer *a) {
  coord_code code;
  const char *why;
  json_object *o = parse(p, n, &code, &why);
  if (o == NULL || !read_error(o, a)) explain_foreign(http_status, p, n, a);
  json_object_put(o);
}

void coord__gateway_read(const coord__method *method, int http_status, const char *content_type,
                         const uint8_t *p, size_t n, coord__buf *out, coord__gateway_answer *a) {
  begin(a, http_status);
  if (http_status != 200) {
    read_failure(http_status, p, n, a);
    return;
  }
  if (!is_json(content_type)) {
    set(a, COORD_PROTOCOL, -1, "");
    snprintf(a->message, sizeof a->message,
             "the content type of the answer is \"%s\", not application/json", content_type);
    return;
  }
  coord_code code;
  const char *why;
  json_object *o = parse(p, n, &code, &why);
  if (o != NULL) {
    read_message(method->response, o, out, a);
  } else {
    explain_unreadable(code, why, a);
  }
  json_object_put(o);
}

void coord__gateway_read_line(const coord__method *method, const uint8_t *p, size_t n,
                              coord__buf *out, coord__gateway_answer *a) {
  begin(a, 200);
  coord_code code;
  const char *why;
  json_object *o = parse(p, n, &code, &why);
  json_object *result = get(o, "result", json_type_object);
  if (o == NULL) {
    explain_unreadable(code, why, a);
  } else if (result != NULL) {
    read_message(method->response, result, out, a);
    json_object *canceled = get(result, "canceled", json_type_boolean);
    a->ends = canceled != NULL && json_object_get_boolean(canceled);
  } else if (get(o, "error", json_type_object) == NULL || !read_error(o, a)) {
    set(a, COORD_PROTOCOL, -1, "the stream holds neither a result nor an error");
  }
  json_object_put(o);
}

bool coord__gateway_read_version(int http_status, const uint8_t *p, size_t n,
                                 coord__gateway_answer *a) {
  begin(a, http_status);
  /* A proxy may let through nothing but what is below /v3. */
  if (http_status == 401 || http_status == 403 || http_status == 404 || http_status == 405) {
    return true;
  }
  if (http_status != 200) {
    explain_foreign(http_status, p, n, a);
    return false;
  }
  coord_code code;
  const char *why;
  json_object *o = parse(p, n, &code, &why);
  bool is_etcd = get(o, "etcdserver", json_type_string) != NULL;
  json_object_put(o);
  if (!is_etcd) {
    char text[SHOWN];
    show(text, p, n);
    set(a, code == COORD_NO_MEMORY ? code : COORD_PROTOCOL, -1, "");
    snprintf(a->message, sizeof a->message, "this is no etcd: it answers /version with \"%s\"",
             text);
  }
  return is_etcd;
}
