/*
 * The format of etcd's package naming/endpoints, which gRPC-Go's resolver reads: {"Op":0,"Addr":
 * "host:port","Metadata":...}. Our other fields are members of Metadata. Of what others write there, texts
 * become metadata, and the rest is kept.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "coord/instance_object.h"

bool coord__naming_join(const char *address, int32_t port, coord__buf *out) {
  char text[16];
  snprintf(text, sizeof text, ":%d", (int)port);
  bool brackets = port != 0 && strchr(address, ':') != NULL && strncmp(address, "unix:", 5) != 0;
  return (!brackets || coord__buf_append_str(out, "[")) && coord__buf_append_str(out, address) &&
         (!brackets || coord__buf_append_str(out, "]")) &&
         (port == 0 || coord__buf_append_str(out, text));
}

/* The port behind the last colon, and where the address ends; 0: there is none. */
static int split(const char *addr, const char **from, size_t *len) {
  const char *colon = strrchr(addr, ':');
  *from = addr;
  *len = strlen(addr);
  if (colon == NULL || colon == addr || strncmp(addr, "unix:", 5) == 0) return 0;
  size_t digits = strspn(colon + 1, "0123456789");
  long port =
      digits > 0 && digits < 6 && colon[1 + digits] == '\0' ? strtol(colon + 1, NULL, 10) : 0;
  size_t host = (size_t)(colon - addr);
  bool brackets = addr[0] == '[' && colon[-1] == ']' && host > 2;
  bool has_more = memchr(addr, ':', host) != NULL; /* an IPv6 address alone */
  if (port < 1 || port > 65535 || colon[1] == '0' || (has_more && !brackets)) return 0;
  *from = brackets ? addr + 1 : addr;
  *len = brackets ? host - 2 : host;
  return (int)port;
}

static bool is_ours(const char *key, json_object *value) {
  if (strcmp(key, "weight") == 0) {
    return json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0 &&
           json_object_get_int64(value) <= COORD__WEIGHT_MAX;
  }
  bool is_text = strcmp(key, "status") == 0 || strcmp(key, "version") == 0;
  return is_text && json_object_is_type(value, json_type_string);
}

static bool is_taken(const char *key) {
  static const char *const taken[] = {"id",     "name",    "address", "port",
                                      "weight", "version", "status",  "metadata"};
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
    if (strcmp(key, taken[i]) == 0) return true;
  }
  return false;
}

static bool is_plain_text(json_object *value) {
  return json_object_is_type(value, json_type_string) &&
         strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value);
}

/* What are texts to metadata, what is ours or of no meaning here to the fields. */
static bool spread(json_object *fields, json_object *metadata, json_object *from) {
  json_object_object_foreach(from, key, value) {
    bool ok = true;
    if (strcmp(key, "metadata") == 0 && json_object_is_type(value, json_type_object)) {
      json_object_object_foreach(value, k, v) {
        if (is_plain_text(v)) ok = ok && coord__json_put(metadata, k, json_object_get(v));
      }
    } else if (is_plain_text(value) && !is_ours(key, value)) {
      ok = coord__json_put(metadata, key, json_object_get(value));
    } else if (is_ours(key, value) || (value != NULL && !is_taken(key))) {
      ok = coord__json_put(fields, key, json_object_get(value));
    }
    if (!ok) return false;
  }
  return true;
}

/* Metadata is any JSON: an object, a text that is one (as grpc-proxy writes it), or something else. */
static bool read_metadata(json_object *fields, json_object *from) {
  json_object *metadata = json_object_new_object(), *inner = NULL;
  if (!coord__json_put(fields, "metadata", metadata)) return false;
  if (from == NULL) return true;
  if (json_object_is_type(from, json_type_object)) return spread(fields, metadata, from);
  const char *text = json_object_is_type(from, json_type_string)
                         ? json_object_get_string(from)
                         : json_object_to_json_string_ext(from, JSON_C_TO_STRING_PLAIN);
  if (text == NULL) return false;
  coord_error *err = NULL;
  bool ok = false;
  if (json_object_is_type(from, json_type_string) &&
      coord__json_object("", text, strlen(text), &inner, &err) == COORD_OK) {
    ok = spread(fields, metadata, inner);
  } else {
    ok = coord__json_put(metadata, "Metadata", json_object_new_string(text));
  }
  json_object_put(inner);
  coord_error_free(err);
  return ok;
}

static json_object *not_one(json_object *root, coord_error **err, const char *why) {
  coord__fail(err, COORD_INVALID, "endpoint: %s", why);
  json_object_put(root);
  return NULL;
}

json_object *coord__naming_read(const char *service, const char *id, const void *value, size_t len,
                                coord_error **err) {
  json_object *root = NULL, *op = NULL, *addr = NULL;
  if (coord__json_object("endpoint", value, len, &root, err) != COORD_OK) return NULL;
  json_object_object_get_ex(root, "Addr", &addr);
  if (addr == NULL || !is_plain_text(addr) || *json_object_get_string(addr) == '\0') {
    return not_one(root, err, "field \"Addr\" is no address");
  }
  if (json_object_object_get_ex(root, "Op", &op) &&
      (!json_object_is_type(op, json_type_int) || json_object_get_int64(op) != 0)) {
    return not_one(root, err, "field \"Op\" is not 0");
  }
  const char *from;
  size_t n;
  int port = split(json_object_get_string(addr), &from, &n);
  json_object *fields = json_object_new_object();
  bool ok = coord__json_put(fields, "id", json_object_new_string(id)) &&
            coord__json_put(fields, "name", json_object_new_string(service)) &&
            coord__json_put(fields, "address", json_object_new_string_len(from, (int)n)) &&
            coord__json_put(fields, "port", json_object_new_int(port)) &&
            read_metadata(fields, json_object_object_get(root, "Metadata"));
  json_object_put(root);
  if (ok) return fields;
  json_object_put(fields);
  coord__no_memory(err);
  return NULL;
}

/* `fields` is changed. */
json_object *coord__naming_write(const coord_instance *i, json_object *fields) {
  coord__buf addr = {0};
  json_object *root = json_object_new_object(), *metadata = NULL;
  static const char *const told[] = {"id", "name", "address", "port"};
  for (size_t n = 0; n < sizeof told / sizeof *told; n++) json_object_object_del(fields, told[n]);
  if (i->weight == 1) json_object_object_del(fields, "weight");
  if (i->is_up) json_object_object_del(fields, "status");
  if (i->metadata_count == 0) json_object_object_del(fields, "metadata");
  if (json_object_object_length(fields) > 0) metadata = json_object_get(fields);
  bool ok = root != NULL && coord__naming_join(i->address, i->port, &addr) &&
            coord__json_put(root, "Op", json_object_new_int(0)) &&
            coord__json_put(root, "Addr",
                            json_object_new_string_len((const char *)addr.data, (int)addr.len));
  if (!ok || json_object_object_add(root, "Metadata", metadata) != 0) {
    json_object_put(metadata);
    json_object_put(root);
    root = NULL;
  }
  coord__buf_free(&addr);
  return root;
}
