#include "coord/instance_object.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"

enum { LONGEST_NAME = 512 };

static const char *const statuses[] = {"up", "starting", "draining", "down"};

/* ---- JSON ---- */

coord_code coord__json_object(const char *what, const void *json, size_t len, json_object **out,
                              coord_error **err) {
  char name[64];
  snprintf(name, sizeof name, "%s:", what);
  *out = NULL;
  if (len == 0) return coord__fail(err, COORD_INVALID, "%s is no JSON object", name);
  coord_code code = coord__json_parse(name, json, len, out, err);
  if (code != COORD_OK || json_object_is_type(*out, json_type_object)) return code;
  json_object_put(*out);
  *out = NULL;
  return coord__fail(err, COORD_INVALID, "%s is no JSON object", name);
}

bool coord__json_put(json_object *to, const char *name, json_object *value) {
  if (value != NULL && to != NULL && json_object_object_add(to, name, value) == 0) return true;
  json_object_put(value);
  return false;
}

json_object *coord__json_copy(json_object *from) {
  json_object *copy = NULL;
  if (json_object_deep_copy(from, &copy, NULL) == 0) return copy;
  json_object_put(copy);
  return NULL;
}

/* ---- checks ---- */

static coord_code wrong(const char *field, json_object *value, const char *expected,
                        coord_error **err) {
  char shown[COORD__SHOWN];
  const char *text = json_object_to_json_string_ext(
      value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
  if (text == NULL) return coord__no_memory(err);
  return coord__fail(err, COORD_INVALID, "instance: field \"%s\" is %s; expected %s", field,
                     coord__show(shown, text, strlen(text)), expected);
}

/* NULL: it is no string, or one that no C text can hold. */
static const char *text_of(json_object *value) {
  if (!json_object_is_type(value, json_type_string)) return NULL;
  const char *text = json_object_get_string(value);
  return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

static bool is_printable(const char *text) {
  for (; *text != '\0'; text++) {
    if ((unsigned char)*text < 0x20 || *text == 0x7f) return false;
  }
  return true;
}

static bool is_label(const char *text) {
  return text != NULL && *text != '\0' && strlen(text) <= LONGEST_NAME && is_printable(text);
}

static bool is_id(const char *text, bool from_store) {
  (void)from_store;
  return is_label(text);
}

static bool is_name(const char *text, bool from_store) {
  (void)from_store;
  return is_label(text) && strchr(text, '/') == NULL;
}

static bool is_address(const char *text, bool from_store) {
  if (!is_label(text)) return false;
  const char *colon = strchr(text, ':');
  bool has_port = colon != NULL && strchr(colon + 1, ':') == NULL && strncmp(text, "unix:", 5) != 0;
  return from_store || (!has_port && strchr(text, ' ') == NULL && text[0] != '[');
}

static bool is_status(const char *text, bool from_store) {
  for (size_t i = 0; text != NULL && i < sizeof statuses / sizeof *statuses; i++) {
    if (strcmp(text, statuses[i]) == 0) return true;
  }
  return from_store && text != NULL; /* of a version to come */
}

static bool is_text(const char *text, bool from_store) {
  (void)from_store;
  return text != NULL;
}

typedef struct text_field {
  const char *name;
  bool (*is_good)(const char *text, bool from_store);
  const char *expected;
} text_field;

static const text_field text_fields[] = {
    {"id", is_id, "a string of 1 to 512 bytes without control characters"},
    {"name", is_name, "a string of 1 to 512 bytes without \"/\" and control characters"},
    {"address", is_address,
     "a host name or IP address, without the port, which has a field of its own, and without [ ]"},
    {"status", is_status, "\"up\", \"starting\", \"draining\" or \"down\""},
    {"version", is_text, "a string"},
};

typedef struct number_field {
  const char *name;
  int64_t max;
  const char *expected;
} number_field;

static const number_field number_fields[] = {
    {"port", 65535, "an integer from 0 to 65535"},
    {"weight", COORD__WEIGHT_MAX, "an integer from 0 to 1000000"},
};

static coord_code check_metadata(json_object *root, coord_error **err) {
  json_object *metadata = NULL;
  if (!json_object_object_get_ex(root, "metadata", &metadata)) return COORD_OK;
  if (!json_object_is_type(metadata, json_type_object)) {
    return wrong("metadata", metadata, "an object of strings", err);
  }
  json_object_object_foreach(metadata, key, value) {
    if (text_of(value) != NULL) continue;
    char field[COORD__SHOWN], name[COORD__SHOWN + 16];
    snprintf(name, sizeof name, "metadata.%s", coord__show(field, key, strlen(key)));
    return wrong(name, value, "a string", err);
  }
  return COORD_OK;
}

static coord_code check(json_object *root, bool from_store, coord_error **err) {
  json_object *value = NULL;
  for (size_t i = 0; i < sizeof text_fields / sizeof *text_fields; i++) {
    const text_field *f = &text_fields[i];
    bool is_there = json_object_object_get_ex(root, f->name, &value);
    if (is_there && !f->is_good(text_of(value), from_store)) {
      return wrong(f->name, value, f->expected, err);
    }
    if (!is_there && (f->is_good == is_name || f->is_good == is_address)) {
      return coord__fail(err, COORD_INVALID, "instance: field \"%s\" is missing", f->name);
    }
  }
  for (size_t i = 0; i < sizeof number_fields / sizeof *number_fields; i++) {
    const number_field *f = &number_fields[i];
    if (!json_object_object_get_ex(root, f->name, &value)) continue;
    int64_t n = json_object_get_int64(value);
    if (!json_object_is_type(value, json_type_int) || n < 0 || n > f->max) {
      return wrong(f->name, value, f->expected, err);
    }
  }
  return check_metadata(root, err);
}

/* ---- building ---- */

static json_object *default_id(json_object *root) {
  coord__buf id = {0};
  json_object *value = NULL;
  const char *address = json_object_get_string(json_object_object_get(root, "address"));
  if (coord__naming_join(address, json_object_get_int(json_object_object_get(root, "port")), &id)) {
    value = json_object_new_string_len((const char *)id.data, (int)id.len);
  }
  coord__buf_free(&id);
  return value;
}

static bool has(json_object *root, const char *name) {
  return json_object_object_get_ex(root, name, NULL);
}

static bool fill_in(json_object *root) {
  return (has(root, "id") || coord__json_put(root, "id", default_id(root))) &&
         (has(root, "port") || coord__json_put(root, "port", json_object_new_int(0))) &&
         (has(root, "metadata") || coord__json_put(root, "metadata", json_object_new_object())) &&
         (has(root, "weight") || coord__json_put(root, "weight", json_object_new_int(1))) &&
         (has(root, "status") || coord__json_put(root, "status", json_object_new_string("up")));
}

static const char *copy_text(coord__arena *arena, const char *text) {
  if (text == NULL) text = "";
  return coord__arena_memdup(arena, text, strlen(text));
}

static const char *copy_field(coord__arena *arena, json_object *root, const char *name) {
  return copy_text(arena, json_object_get_string(json_object_object_get(root, name)));
}

static bool copy_metadata(coord_instance *i, json_object *root) {
  json_object *metadata = json_object_object_get(root, "metadata");
  size_t count = (size_t)json_object_object_length(metadata);
  i->metadata = coord__arena_alloc(i->arena, count * 2 * sizeof *i->metadata + 1);
  if (i->metadata == NULL) return false;
  json_object_object_foreach(metadata, key, value) {
    const char *k = copy_text(i->arena, key);
    const char *v = copy_text(i->arena, json_object_get_string(value));
    if (k == NULL || v == NULL) return false;
    i->metadata[i->metadata_count * 2] = k;
    i->metadata[i->metadata_count++ * 2 + 1] = v;
  }
  return true;
}

static bool copy(coord_instance *i, json_object *root, const char *json, size_t len) {
  i->id = copy_field(i->arena, root, "id");
  i->name = copy_field(i->arena, root, "name");
  i->address = copy_field(i->arena, root, "address");
  i->status = copy_field(i->arena, root, "status");
  i->version = copy_field(i->arena, root, "version");
  i->port = json_object_get_int(json_object_object_get(root, "port"));
  i->weight = json_object_get_int(json_object_object_get(root, "weight"));
  i->json = coord__arena_memdup(i->arena, json, len);
  i->json_len = len;
  i->is_up = i->status != NULL && strcmp(i->status, "up") == 0;
  return i->id != NULL && i->name != NULL && i->address != NULL && i->status != NULL &&
         i->version != NULL && i->json != NULL && copy_metadata(i, root);
}

coord_code coord__instance_build(json_object *root, bool from_store, coord_instance **out,
                                 coord_error **err) {
  coord_code code = check(root, from_store, err);
  if (code != COORD_OK) return code;
  if (!fill_in(root)) return coord__no_memory(err);
  size_t len = 0;
  const char *json = json_object_to_json_string_length(
      root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
  coord__arena *arena = coord__arena_new(sizeof **out + 2 * len + 256, 0);
  coord_instance *i = arena != NULL ? coord__arena_alloc(arena, sizeof *i) : NULL;
  if (i != NULL) {
    *i = (coord_instance){.arena = arena};
    atomic_init(&i->refs, 1);
  }
  if (i == NULL || json == NULL || !copy(i, root, json, len)) {
    coord__arena_free(arena);
    return coord__no_memory(err);
  }
  *out = i;
  return COORD_OK;
}

coord_code coord__instance_parse(const char *json, size_t len, coord_instance **out,
                                 coord_error **err) {
  json_object *root = NULL;
  coord_code code = coord__json_object("instance", json, len, &root, err);
  if (code == COORD_OK) code = coord__instance_build(root, false, out, err);
  json_object_put(root);
  return code;
}

/* ---- changing ---- */

/* As in a JSON merge patch (RFC 7386), but no deeper than metadata. False: memory is out. */
static bool merge(json_object *into, json_object *patch, bool is_root) {
  json_object_object_foreach(patch, key, value) {
    json_object *old = NULL;
    bool ok = true;
    if (value == NULL) {
      json_object_object_del(into, key);
    } else if (is_root && strcmp(key, "metadata") == 0 &&
               json_object_object_get_ex(into, key, &old) &&
               json_object_is_type(value, json_type_object)) {
      ok = merge(old, value, false);
    } else {
      ok = coord__json_put(into, key, json_object_get(value));
    }
    if (!ok) return false;
  }
  return true;
}

static coord_code check_same(const coord_instance *a, const coord_instance *b, coord_error **err) {
  bool same_name = strcmp(a->name, b->name) == 0;
  if (same_name && strcmp(a->id, b->id) == 0) return COORD_OK;
  char shown[COORD__SHOWN];
  const char *now = same_name ? b->id : b->name;
  return coord__fail(
      err, COORD_INVALID,
      "instance: field \"%s\" is \"%s\"; it says where the instance is registered and "
      "cannot be changed",
      same_name ? "id" : "name", coord__show(shown, now, strlen(now)));
}

coord_code coord__instance_patch(const coord_instance *from, const char *patch, size_t len,
                                 coord_instance **out, coord_error **err) {
  json_object *root = NULL, *changes = NULL;
  coord_instance *made = NULL;
  coord_code code = coord__json_object("update", patch, len, &changes, err);
  if (code == COORD_OK)
    code = coord__json_object("instance", from->json, from->json_len, &root, err);
  if (code == COORD_OK && !merge(root, changes, true)) code = coord__no_memory(err);
  if (code == COORD_OK) code = coord__instance_build(root, false, &made, err);
  if (code == COORD_OK) code = check_same(from, made, err);
  json_object_put(changes);
  json_object_put(root);
  if (code == COORD_OK) {
    *out = made;
  } else if (made != NULL) {
    coord__instance_release(made);
  }
  return code;
}

/* ---- the store ---- */

static coord_code check_place(json_object *root, const char *field, const char *place,
                              coord_error **err) {
  json_object *value = NULL;
  if (!json_object_object_get_ex(root, field, &value)) {
    return coord__json_put(root, field, json_object_new_string(place)) ? COORD_OK
                                                                       : coord__no_memory(err);
  }
  const char *text = text_of(value);
  return text != NULL && strcmp(text, place) == 0 ? COORD_OK
                                                  : wrong(field, value, "what its key says", err);
}

coord_code coord__instance_read(coord__format format, const char *service, const char *id,
                                const void *value, size_t len, coord_instance **out,
                                coord_error **err) {
  json_object *root = NULL;
  coord_code code = COORD_OK;
  coord_error *why = NULL;
  if (format == COORD__FORMAT_NAMING) {
    root = coord__naming_read(service, id, value, len, &why);
    if (root == NULL) code = why != NULL ? coord_error_code(why) : COORD_NO_MEMORY;
  } else {
    code = coord__json_object("instance", value, len, &root, &why);
    if (code == COORD_OK) code = check_place(root, "name", service, &why);
    if (code == COORD_OK) code = check_place(root, "id", id, &why);
  }
  if (code == COORD_OK) code = coord__instance_build(root, true, out, &why);
  json_object_put(root);
  if (err != NULL) {
    *err = why;
  } else {
    coord_error_free(why);
  }
  return code;
}

coord_code coord__instance_value(const coord_instance *i, coord__format format, coord__buf *out,
                                 coord_error **err) {
  if (format == COORD__FORMAT_JSON) {
    return coord__buf_append(out, i->json, i->json_len) ? COORD_OK : coord__no_memory(err);
  }
  json_object *root = NULL;
  coord_code code = coord__json_object("instance", i->json, i->json_len, &root, err);
  if (code != COORD_OK) return code;
  json_object *endpoint = coord__naming_write(i, root);
  const char *text = endpoint != NULL
                         ? json_object_to_json_string_ext(
                               endpoint, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
                         : NULL;
  bool ok = text != NULL && coord__buf_append_str(out, text);
  json_object_put(endpoint);
  json_object_put(root);
  return ok ? COORD_OK : coord__no_memory(err);
}

/* ---- life ---- */

coord_instance *coord__instance_retain(coord_instance *i) {
  atomic_fetch_add_explicit(&i->refs, 1, memory_order_relaxed);
  return i;
}

void coord__instance_release(coord_instance *i) {
  if (atomic_fetch_sub_explicit(&i->refs, 1, memory_order_acq_rel) > 1) return;
  coord__tally *t = i->tally;
  if (t != NULL && atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1) {
    coord__free(t);
  }
  coord__arena_free(i->arena);
}

bool coord__instance_share(coord_instance *i, const coord_instance *before) {
  if (before != NULL) {
    i->tally = before->tally;
    atomic_fetch_add_explicit(&i->tally->refs, 1, memory_order_relaxed);
    return true;
  }
  i->tally = coord__calloc(1, sizeof *i->tally);
  if (i->tally == NULL) return false;
  atomic_init(&i->tally->refs, 1);
  return true;
}

const char *coord__instance_metadata(const coord_instance *i, const char *key, size_t key_len) {
  for (size_t n = 0; n < i->metadata_count; n++) {
    const char *k = i->metadata[2 * n];
    if (strncmp(k, key, key_len) == 0 && k[key_len] == '\0') return i->metadata[2 * n + 1];
  }
  return NULL;
}
