#include <string.h>

#include "conformance/run.h"

static void put_int(json_object *map, const char *name, int64_t n) {
  json_object_object_add(map, name, json_object_new_int64(n));
}

static void put_text(json_object *map, const char *name, const char *text) {
  json_object_object_add(map, name, text != NULL ? json_object_new_string(text) : NULL);
}

json_object *record_bytes(const void *data, size_t len) {
  return json_object_new_string_len(data != NULL ? data : "", (int)len);
}

json_object *record_json(const char *text) {
  return text != NULL ? json_tokener_parse(text) : NULL;
}

json_object *record_failure(coord_code code, const coord_error *err) {
  json_object *map = json_object_new_object();
  uint32_t flags = coord_error_flags(err);
  put_text(map, "error", coord_code_name(code));
  put_text(map, "message", coord_error_message(err));
  json_object_object_add(map, "retriable", json_object_new_boolean((flags & COORD_RETRIABLE) != 0));
  json_object_object_add(map, "maybe_applied",
                         json_object_new_boolean((flags & COORD_MAYBE_APPLIED) != 0));
  return map;
}

/* ---- results ---- */

static json_object *record_kv(const coord_kv *kv) {
  json_object *map = json_object_new_object();
  json_object_object_add(map, "key", record_bytes(kv->key, kv->key_len));
  json_object_object_add(map, "value", record_bytes(kv->value, kv->value_len));
  put_int(map, "create_revision", kv->create_revision);
  put_int(map, "mod_revision", kv->mod_revision);
  put_int(map, "version", kv->version);
  put_int(map, "lease", kv->lease_id);
  return map;
}

/* A value of a configuration; `json` is no text that ends with NUL. */
static json_object *record_value(const void *json, size_t len) {
  json_object *text = record_bytes(json, len);
  json_object *value = record_json(json_object_get_string(text));
  json_object_put(text);
  return value;
}

static json_object *record_entries(const coord_result *result, bool history) {
  json_object *list = json_object_new_array();
  coord_kv kv;
  for (size_t i = 0; coord_result_kv(result, i, &kv) == COORD_OK; i++) {
    json_object *map = json_object_new_object();
    json_object_object_add(map, "key", record_bytes(kv.key, kv.key_len));
    json_object_object_add(map, "json", record_value(kv.value, kv.value_len));
    put_int(map, "version", history ? kv.mod_revision : kv.version);
    json_object_array_add(list, map);
  }
  return list;
}

static json_object *record_kvs(const coord_result *result) {
  json_object *list = json_object_new_array();
  coord_kv kv;
  for (size_t i = 0; coord_result_kv(result, i, &kv) == COORD_OK; i++) {
    json_object_array_add(list, record_kv(&kv));
  }
  return list;
}

static void put_lists(json_object *map, const char *verb, const coord_result *result) {
  json_object *leases = json_object_new_array(), *parts = json_object_new_array();
  bool history = strcmp(verb, "config_history") == 0;
  for (size_t i = 0; i < coord_result_leases(result); i++) {
    json_object_array_add(leases, json_object_new_int64(coord_result_lease(result, i)));
  }
  for (size_t i = 0; i < coord_result_parts(result); i++) {
    json_object_array_add(parts, record_result("part", coord_result_part(result, i)));
  }
  json_object_object_add(map, "leases", leases);
  json_object_object_add(map, "parts", parts);
  json_object_object_add(map, "kvs", record_kvs(result));
  if (history || strcmp(verb, "config_all") == 0) {
    json_object_object_add(map, "entries", record_entries(result, history));
  }
  if (strcmp(verb, "discover") == 0) {
    json_object_object_add(map, "instances", record_json(coord_result_json(result)));
  }
}

json_object *record_result(const char *verb, const coord_result *result) {
  json_object *map = json_object_new_object();
  if (result == NULL) return map;
  put_int(map, "revision", coord_result_revision(result));
  put_int(map, "token", coord_result_revision(result));
  put_int(map, "count", (int64_t)coord_result_count(result));
  put_int(map, "total", coord_result_total(result));
  put_int(map, "deleted", coord_result_total(result));
  put_int(map, "lease", coord_result_lease_id(result));
  put_int(map, "ttl", coord_result_ttl_s(result));
  put_int(map, "granted_ttl", coord_result_granted_ttl_s(result));
  json_object_object_add(map, "more", json_object_new_boolean(coord_result_more(result)));
  json_object_object_add(map, "succeeded", json_object_new_boolean(coord_result_succeeded(result)));
  put_lists(map, verb, result);
  return map;
}

/* ---- events ---- */

static json_object *record_change(const handle *h, const coord_event *event, size_t i) {
  json_object *map;
  coord_kv kv = {0}, prev = {0};
  int32_t type = 0;
  coord_event_change(event, i, &type, &kv, &prev);
  if (h->kind == CONFIG) {
    map = json_object_new_object();
    json_object_object_add(map, "key", record_bytes(kv.key, kv.key_len));
    json_object_object_add(map, "json", kv.value ? record_value(kv.value, kv.value_len) : NULL);
    json_object_object_add(map, "prev_json",
                           prev.key ? record_value(prev.value, prev.value_len) : NULL);
  } else {
    map = record_kv(&kv);
    json_object_object_add(map, "prev", prev.key != NULL ? record_kv(&prev) : NULL);
  }
  put_text(map, "type", type == COORD_CHANGE_DELETE ? "DELETE" : "PUT");
  return map;
}

static json_object *record_coming(const coord_event *event, size_t i) {
  static const char *const names[] = {"UP", "DOWN", "CHANGED"};
  json_object *map = json_object_new_object();
  int32_t change = 0;
  const coord_instance *instance = coord_event_instance(event, i, &change);
  put_text(map, "type", names[change]);
  json_object_object_add(map, "instance", record_json(coord_instance_json(instance)));
  return map;
}

static void put_changes(json_object *map, const handle *h, const coord_event *event) {
  json_object *list = json_object_new_array();
  for (size_t i = 0; i < coord_event_count(event); i++) {
    bool discovery = h->kind == DISCOVERY;
    json_object_array_add(list, discovery ? record_coming(event, i) : record_change(h, event, i));
  }
  json_object_object_add(map, "changes", list);
  const coord_instances *all = coord_event_instances(event);
  if (all == NULL) return;
  char *json = coord_instances_json(all);
  json_object_object_add(map, "instances", record_json(json));
  coord_memory_free(json);
}

json_object *record_event(const handle *h, const coord_event *event) {
  static const char *const names[] = {"RESULT", "CHANGES",  "RESYNC",   "AT_RISK",
                                      "LOST",   "RESTORED", "ACQUIRED", "STATE",
                                      "LOG",    "CLOSED",   "REJECTED"};
  json_object *map = json_object_new_object();
  int32_t type = coord_event_type(event);
  put_text(map, "type", type >= 0 && type <= COORD_EVENT_REJECTED ? names[type] : "?");
  put_text(map, "code", coord_code_name(coord_event_code(event)));
  put_text(map, "message", coord_error_message(coord_event_error(event)));
  put_int(map, "revision", coord_event_revision(event));
  put_int(map, "token", coord_event_revision(event));
  if (type == COORD_EVENT_CHANGES) put_changes(map, h, event);
  return map;
}
