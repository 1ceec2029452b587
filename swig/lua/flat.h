/* Results and events as tables, all of one in a single step: nothing of them is left in C. Part of the file that SWIG writes. */
#ifndef COORD_LUA_FLAT_H
#define COORD_LUA_FLAT_H

#include "convert.h"

static void coord_lua_set(lua_State *L, const char *name, int64_t value) {
  coord_lua_push_integer(L, value);
  lua_setfield(L, -2, name);
}

static void coord_lua_set_text(lua_State *L, const char *name, const char *text) {
  if (text == NULL) return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

/* Numbers that are 0 are left out of all but key-values. */
static void coord_lua_set_some(lua_State *L, const char *name, int64_t value) {
  if (value != 0) coord_lua_set(L, name, value);
}

static void coord_lua_push_kv(lua_State *L, const coord_kv *kv, int more) {
  lua_createtable(L, 0, 6 + more);
  lua_pushlstring(L, kv->key != NULL ? kv->key : "", kv->key_len);
  lua_setfield(L, -2, "key");
  lua_pushlstring(L, kv->value != NULL ? kv->value : "", kv->value_len);
  lua_setfield(L, -2, "value");
  coord_lua_set(L, "mod_revision", kv->mod_revision);
  coord_lua_set(L, "create_revision", kv->create_revision);
  coord_lua_set(L, "version", kv->version);
  coord_lua_set(L, "lease", kv->lease_id);
}

/* ---- results ------------------------------------------------------------------------------------ */

static void coord_lua_fill_result(lua_State *L, const coord_result *result);

static void coord_lua_fill_kvs(lua_State *L, const coord_result *result) {
  size_t count = coord_result_count(result);
  coord_kv kv;
  if (count == 0) return;
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    coord_result_kv(result, i, &kv);
    coord_lua_push_kv(L, &kv, 0);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "kvs");
}

static void coord_lua_fill_parts(lua_State *L, const coord_result *result) {
  size_t parts = coord_result_parts(result);
  if (parts == 0) return;
  luaL_checkstack(L, 8, "a txn in a txn in a txn");
  lua_createtable(L, (int)parts, 0);
  for (size_t i = 0; i < parts; i++) {
    lua_createtable(L, 0, 4);
    coord_lua_fill_result(L, coord_result_part(result, i));
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "parts");
}

static void coord_lua_fill_lists(lua_State *L, const coord_result *result) {
  size_t leases = coord_result_leases(result);
  size_t names = coord_result_names(result);
  if (leases > 0) {
    lua_createtable(L, (int)leases, 0);
    for (size_t i = 0; i < leases; i++) {
      coord_lua_push_integer(L, coord_result_lease(result, i));
      lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "leases");
  }
  if (names > 0) {
    lua_createtable(L, (int)names, 0);
    for (size_t i = 0; i < names; i++) {
      lua_pushstring(L, coord_result_name(result, i));
      lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "names");
  }
}

static void coord_lua_fill_permissions(lua_State *L, const coord_result *result) {
  size_t count = coord_result_permissions(result);
  if (count == 0) return;
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    int32_t permission = 0;
    const void *key = NULL, *end = NULL;
    size_t key_len = 0, end_len = 0;
    coord_result_permission(result, i, &permission, &key, &key_len, &end, &end_len);
    lua_createtable(L, 0, 3);
    coord_lua_set(L, "permission", permission);
    lua_pushlstring(L, key, key_len);
    lua_setfield(L, -2, "key");
    lua_pushlstring(L, end != NULL ? end : "", end_len);
    lua_setfield(L, -2, "range_end");
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "permissions");
}

/* Into the table on the top. */
static void coord_lua_fill_result(lua_State *L, const coord_result *result) {
  coord_lua_set(L, "revision", coord_result_revision(result));
  coord_lua_set_some(L, "total", coord_result_total(result));
  coord_lua_fill_kvs(L, result);
  coord_lua_fill_parts(L, result);
  if (!coord_result_succeeded(result)) {
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "succeeded");
  }
  if (coord_result_more(result)) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "more");
  }
  if (coord_result_json(result) == NULL) return; /* the rest is of those that have one */
  coord_lua_set_text(L, "json", coord_result_json(result));
  coord_lua_set_some(L, "lease", coord_result_lease_id(result));
  coord_lua_set_some(L, "ttl", coord_result_ttl_s(result));
  coord_lua_set_some(L, "granted_ttl", coord_result_granted_ttl_s(result));
  coord_lua_fill_lists(L, result);
  coord_lua_fill_permissions(L, result);
}

static void coord_lua_push_result(lua_State *L, const coord_result *result) {
  lua_createtable(L, 0, 4);
  coord_lua_fill_result(L, result);
}

/* ---- events ------------------------------------------------------------------------------------- */

static void coord_lua_fill_error(lua_State *L, coord_code code, const coord_error *error) {
  lua_createtable(L, 0, 8);
  coord_lua_set_text(L, "message",
                     error != NULL ? coord_error_message(error) : coord_code_name(code));
  coord_lua_set(L, "number", code);
  coord_lua_set(L, "flags", coord_error_flags(error));
  coord_lua_set_text(L, "endpoint", coord_error_endpoint(error));
  coord_lua_set(L, "grpc_status", error != NULL ? coord_error_grpc_status(error) : -1);
  coord_lua_set(L, "http_status", error != NULL ? coord_error_http_status(error) : -1);
  lua_setfield(L, -2, "error");
}

static void coord_lua_push_instance(lua_State *L, const coord_instance *instance) {
  coord_instance *kept = coord_instance_keep(instance);
  SWIG_NewPointerObj(L, kept, SWIGTYPE_p_coord_instance, 1);
}

static void coord_lua_push_change(lua_State *L, const coord_event *event, size_t i) {
  int32_t type = 0;
  coord_kv kv, previous;
  if (coord_event_instances(event) != NULL) {
    const coord_instance *instance = coord_event_instance(event, i, &type);
    lua_createtable(L, 0, 2);
    coord_lua_push_instance(L, instance);
    lua_setfield(L, -2, "instance");
    coord_lua_set(L, "type", type);
    return;
  }
  memset(&kv, 0, sizeof kv);
  memset(&previous, 0, sizeof previous);
  coord_event_change(event, i, &type, &kv, &previous);
  coord_lua_push_kv(L, &kv, 2);
  lua_pushstring(L, type == COORD_CHANGE_DELETE ? "delete" : "put");
  lua_setfield(L, -2, "type");
  if (previous.key == NULL) return;
  coord_lua_push_kv(L, &previous, 0);
  lua_setfield(L, -2, "previous");
}

static void coord_lua_fill_changes(lua_State *L, const coord_event *event) {
  const coord_instances *instances = coord_event_instances(event);
  size_t count = coord_event_count(event);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    coord_lua_push_change(L, event, i);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "changes");
  if (instances == NULL) return;
  lua_createtable(L, (int)coord_instances_count(instances), 0);
  for (size_t i = 0; i < coord_instances_count(instances); i++) {
    coord_lua_push_instance(L, coord_instances_at(instances, i));
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "instances");
  lua_pushboolean(L, coord_instances_guarded(instances));
  lua_setfield(L, -2, "guarded");
}

/* One table for the event and the result in it. Fields: type, tag, and what there is. */
static void coord_lua_push_event(lua_State *L, const coord_event *event) {
  coord_code code = coord_event_code(event);
  int32_t type = coord_event_type(event);
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, type);
  lua_setfield(L, -2, "event");
  lua_pushinteger(L, (lua_Integer)coord_event_tag(event));
  lua_setfield(L, -2, "tag");
  if (code != COORD_OK) coord_lua_fill_error(L, code, coord_event_error(event));
  if (type == COORD_EVENT_RESULT) {
    if (coord_event_result(event) != NULL) coord_lua_fill_result(L, coord_event_result(event));
    return;
  }
  coord_lua_set(L, "revision", coord_event_revision(event));
  if (type == COORD_EVENT_CHANGES) coord_lua_fill_changes(L, event);
  if (type != COORD_EVENT_STATE && type != COORD_EVENT_LOG) return;
  coord_lua_set_text(L, "text", coord_event_text(event));
  coord_lua_set_text(L, "endpoint", coord_event_endpoint(event));
  coord_lua_set(L, "level", coord_event_level(event));
  coord_lua_set(L, "state", coord_event_state(event));
}

#endif
