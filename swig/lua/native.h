/* What the glue of bindings/lua does most, each in one step. Part of the file that SWIG writes. */
#ifndef COORD_LUA_NATIVE_H
#define COORD_LUA_NATIVE_H

#include "flat.h"
#include "kv.h"

enum { COORD_LUA_EVENTS = 64 }; /* that are taken at once */

static int32_t coord_lua_to_ms(lua_State *L, int index) {
  return (int32_t)coord_lua_to_integer(L, index, sizeof(int32_t), 0);
}

/* Execute an op, which is freed if it is not Lua's, and wait: a table, or the failure. */
static int coord_lua_execute(lua_State *L, coord_client *client, coord_op *op, int owned,
                             int32_t timeout_ms) {
  coord_result *result = NULL;
  coord_error *error = NULL;
  coord_code code = coord_call(client, op, timeout_ms, &result, &error);
  if (owned) coord_op_free(op);
  if (code != COORD_OK) return coord_lua_fail(L, code, error);
  coord_lua_push_result(L, result);
  coord_result_free(result);
  return 1;
}

/* The same without waiting: the id of the call, or the failure. */
static int coord_lua_submit(lua_State *L, coord_client *client, coord_queue *queue, coord_op *op,
                            int owned, int32_t timeout_ms, uint64_t tag) {
  uint64_t call_id = 0;
  coord_error *error = NULL;
  coord_code code = coord_submit(client, op, timeout_ms, queue, tag, &call_id, &error);
  if (owned) coord_op_free(op);
  if (code != COORD_OK) return coord_lua_fail(L, code, error);
  coord_lua_push_integer(L, (int64_t)call_id);
  return 1;
}

/* run(client, timeout_ms, op) */
static int coord_lua_run(lua_State *L) {
  coord_client *client = coord_lua_to_handle(L, 1, SWIGTYPE_p_coord_client);
  coord_op *op = coord_lua_to_handle(L, 3, SWIGTYPE_p_coord_op);
  return coord_lua_execute(L, client, op, 0, coord_lua_to_ms(L, 2));
}

/* start(client, queue, timeout_ms, tag, op) */
static int coord_lua_start(lua_State *L) {
  coord_client *client = coord_lua_to_handle(L, 1, SWIGTYPE_p_coord_client);
  coord_queue *queue = coord_lua_to_handle(L, 2, SWIGTYPE_p_coord_queue);
  coord_op *op = coord_lua_to_handle(L, 5, SWIGTYPE_p_coord_op);
  return coord_lua_submit(L, client, queue, op, 0, coord_lua_to_ms(L, 3),
                          (uint64_t)coord_lua_to_integer(L, 4, 8, 0));
}

/* kv(verb, key, value, options): an op, and the timeout in milliseconds that the options name, or 0 */
static int coord_lua_kv(lua_State *L) {
  int results = 0;
  int32_t timeout_ms = 0;
  coord_op *op = coord_lua_make_kv(L, 1, &timeout_ms, &results);
  if (op == NULL) return results;
  SWIG_NewPointerObj(L, op, SWIGTYPE_p_coord_op, 1);
  lua_pushinteger(L, timeout_ms);
  return 2;
}

/* run_kv(client, verb, key, value, options) */
static int coord_lua_run_kv(lua_State *L) {
  int results = 0;
  int32_t timeout_ms = 0;
  coord_client *client = coord_lua_to_handle(L, 1, SWIGTYPE_p_coord_client);
  coord_op *op = coord_lua_make_kv(L, 2, &timeout_ms, &results);
  return op != NULL ? coord_lua_execute(L, client, op, 1, timeout_ms) : results;
}

/* start_kv(client, queue, tag, verb, key, value, options) */
static int coord_lua_start_kv(lua_State *L) {
  int results = 0;
  int32_t timeout_ms = 0;
  coord_client *client = coord_lua_to_handle(L, 1, SWIGTYPE_p_coord_client);
  coord_queue *queue = coord_lua_to_handle(L, 2, SWIGTYPE_p_coord_queue);
  uint64_t tag = (uint64_t)coord_lua_to_integer(L, 3, 8, 0);
  coord_op *op = coord_lua_make_kv(L, 4, &timeout_ms, &results);
  return op != NULL ? coord_lua_submit(L, client, queue, op, 1, timeout_ms, tag) : results;
}

/* ---- events ------------------------------------------------------------------------------------- */

/* The event, which is freed unless it is to be kept as the field `handle`. */
static void coord_lua_take_event(lua_State *L, coord_event *event, int keep) {
  coord_lua_push_event(L, event);
  if (!keep) {
    coord_event_free(event);
    return;
  }
  SWIG_NewPointerObj(L, event, SWIGTYPE_p_coord_event, 1);
  lua_setfield(L, -2, "handle");
}

/* take(queue, timeout_ms, keep): an event, or nil */
static int coord_lua_take(lua_State *L) {
  coord_queue *queue = coord_lua_to_handle(L, 1, SWIGTYPE_p_coord_queue);
  coord_event *event = coord_queue_next(queue, coord_lua_to_ms(L, 2));
  if (event == NULL) return 0;
  coord_lua_take_event(L, event, lua_toboolean(L, 3));
  return 1;
}

/* drain(queue, keep): a list of events, up to 64, or nil when there are none */
static int coord_lua_drain(lua_State *L) {
  coord_event *events[COORD_LUA_EVENTS];
  coord_queue *queue = coord_lua_to_handle(L, 1, SWIGTYPE_p_coord_queue);
  int keep = lua_toboolean(L, 2);
  size_t count = coord_queue_drain(queue, events, COORD_LUA_EVENTS);
  if (count == 0) return 0;
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    coord_lua_take_event(L, events[i], keep);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

/* flat(result): as a table */
static int coord_lua_flat(lua_State *L) {
  coord_lua_push_result(L, coord_lua_to_handle(L, 1, SWIGTYPE_p_coord_result));
  return 1;
}

/* ---- local reads -------------------------------------------------------------------------------- */

/* The only key-value of a mirror's answer; 0: there is none, 1: there is, -1: all that is to be returned is pushed. */
static int coord_lua_local(lua_State *L, coord_result **result, coord_kv *kv) {
  size_t length = 0;
  coord_mirror *mirror = coord_lua_to_handle(L, 1, SWIGTYPE_p_coord_mirror);
  const char *key = luaL_checklstring(L, 2, &length);
  coord_code code = coord_mirror_get(mirror, key, length, result);
  if (code != COORD_OK) {
    coord_lua_fail(L, code, NULL);
    return -1;
  }
  return coord_result_count(*result) > 0 && coord_result_kv(*result, 0, kv) == COORD_OK;
}

/*
 * read_kv(mirror, key): key, value, mod revision, create revision, version, lease; nothing when there is none; or the
 * failure. Lua makes a table of these sooner than C does.
 */
static int coord_lua_read_kv(lua_State *L) {
  coord_result *result = NULL;
  coord_kv kv;
  int there = coord_lua_local(L, &result, &kv);
  if (there < 0) return 7;
  if (there) {
    lua_pushvalue(L, 2);
    lua_pushlstring(L, kv.value, kv.value_len);
    coord_lua_push_integer(L, kv.mod_revision);
    coord_lua_push_integer(L, kv.create_revision);
    coord_lua_push_integer(L, kv.version);
    coord_lua_push_integer(L, kv.lease_id);
  }
  coord_result_free(result);
  return there ? 6 : 0;
}

/* read_value(mirror, key): the value alone */
static int coord_lua_read_value(lua_State *L) {
  coord_result *result = NULL;
  coord_kv kv;
  int there = coord_lua_local(L, &result, &kv);
  if (there < 0) return 7;
  if (there) lua_pushlstring(L, kv.value, kv.value_len);
  coord_result_free(result);
  return there;
}

/*
 * pick(picker, hash_key, known): what `known` has for the address of the instance that was picked; when it has nothing,
 * the instance. nil: there is none that could be picked. Or the failure.
 */
static int coord_lua_pick(lua_State *L) {
  size_t length = 0;
  coord_instance *instance = NULL;
  coord_picker *picker = coord_lua_to_handle(L, 1, SWIGTYPE_p_coord_picker);
  const void *key = coord_lua_to_bytes(L, 2, &length);
  coord_code code = coord_picker_pick(picker, key, length, &instance);
  if (code == COORD_NOT_FOUND) return 0;
  if (code != COORD_OK) return coord_lua_fail(L, code, NULL);
  lua_pushlightuserdata(L, instance);
  lua_rawget(L, 3);
  if (lua_isnil(L, -1)) {
    SWIG_NewPointerObj(L, instance, SWIGTYPE_p_coord_instance, 1);
  } else {
    coord_instance_free(instance);
  }
  return 1;
}

/* ---- handles ------------------------------------------------------------------------------------ */

/* address(handle): a light userdata, the same for all userdata of one handle */
static int coord_lua_address(lua_State *L) {
  if (!coord_lua_is_handle(L, 1)) return luaL_argerror(L, 1, "handle expected");
  swig_lua_userdata *handle = lua_touserdata(L, 1);
  lua_pushlightuserdata(L, handle != NULL ? handle->ptr : NULL);
  return 1;
}

/* release(handle): frees it now. What is done with it after that is refused, as with NULL. */
static int coord_lua_release(lua_State *L) {
  if (!coord_lua_is_handle(L, 1)) return luaL_argerror(L, 1, "handle expected");
  swig_lua_userdata *handle = lua_touserdata(L, 1);
  if (handle == NULL || !handle->own || handle->ptr == NULL) return 0;
  swig_lua_class *class = handle->type->clientdata;
  void *freed = handle->ptr;
  handle->own = 0;
  handle->ptr = NULL;
  if (class != NULL && class->destructor != NULL) class->destructor(freed);
  return 0;
}

#endif
