/*
 * Values between Lua and C, for Lua 5.1 and newer and for LuaJIT. Part of the file that SWIG writes.
 *
 * Integers of 64 bits are exact: Lua's own where it has them (5.3); else numbers up to 2^53, and beyond that int64_t of
 * LuaJIT's ffi, or decimal text in plain Lua 5.1. All of these are taken in everywhere.
 */
#ifndef COORD_LUA_CONVERT_H
#define COORD_LUA_CONVERT_H

#include <stdlib.h>
#include <string.h>

enum { COORD_LUA_CDATA = 10 }; /* what lua_type says in LuaJIT */

#define COORD_LUA_EXACT 9007199254740992.0 /* 2^53 */

#if LUA_VERSION_NUM < 502
#define coord_lua_rawlen lua_objlen
#else
#define coord_lua_rawlen lua_rawlen
#endif

/* ---- integers ----------------------------------------------------------------------------------- */

static const char coord_lua_make_key,
    coord_lua_test_key; /* where the registry has LuaJIT's functions */

static const char coord_lua_jit[] =
    "local ffi = require 'ffi'\n"
    "local pointer = ffi.typeof 'const int64_t *'\n"
    "local int, uint = ffi.typeof 'int64_t', ffi.typeof 'uint64_t'\n"
    "return function(p) return ffi.cast(pointer, p)[0] end,\n"
    "  function(x) return ffi.istype(int, x) or ffi.istype(uint, x) end";

static void coord_lua_open(lua_State *L) {
#if LUA_VERSION_NUM < 503
  lua_getglobal(L, "jit");
  int is_jit = lua_istable(L, -1);
  lua_pop(L, 1);
  if (!is_jit || luaL_loadstring(L, coord_lua_jit) != 0 || lua_pcall(L, 0, 2, 0) != 0) return;
  lua_pushlightuserdata(L, (void *)&coord_lua_test_key);
  lua_insert(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
  lua_pushlightuserdata(L, (void *)&coord_lua_make_key);
  lua_insert(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
#else
  (void)L, (void)coord_lua_jit, (void)coord_lua_make_key, (void)coord_lua_test_key;
#endif
}

#if LUA_VERSION_NUM >= 503

static void coord_lua_push_integer(lua_State *L, int64_t value) {
  lua_pushinteger(L, (lua_Integer)value);
}

static int coord_lua_read_integer(lua_State *L, int index, int64_t *out) {
  int exact = 0;
  *out = lua_tointegerx(L, index, &exact);
  return exact;
}

#else

static void coord_lua_push_integer(lua_State *L, int64_t value) {
  char text[24];
  if ((double)value >= -COORD_LUA_EXACT && (double)value <= COORD_LUA_EXACT) {
    lua_pushnumber(L, (lua_Number)value);
    return;
  }
  lua_pushlightuserdata(L, (void *)&coord_lua_make_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  if (lua_isfunction(L, -1)) {
    lua_pushlightuserdata(L, &value);
    lua_call(L, 1, 1);
    return;
  }
  lua_pop(L, 1);
  lua_pushlstring(L, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)value));
}

static int coord_lua_is_cdata_integer(lua_State *L, int index) {
  if (lua_type(L, index) != COORD_LUA_CDATA) return 0;
  lua_pushvalue(L, index);
  lua_pushlightuserdata(L, (void *)&coord_lua_test_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  if (!lua_isfunction(L, -1)) {
    lua_pop(L, 2);
    return 0;
  }
  lua_insert(L, -2);
  lua_call(L, 1, 1);
  int is = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is;
}

static int coord_lua_read_integer(lua_State *L, int index, int64_t *out) {
  if (lua_type(L, index) == LUA_TNUMBER) {
    lua_Number number = lua_tonumber(L, index);
    if (!(number >= -COORD_LUA_EXACT && number <= COORD_LUA_EXACT)) return 0;
    *out = (int64_t)number;
    return (lua_Number)*out == number;
  }
  if (lua_type(L, index) == LUA_TSTRING) {
    char *end = NULL;
    const char *text = lua_tostring(L, index);
    *out = strtoll(text, &end, 10);
    return end != text && *end == 0;
  }
  if (!coord_lua_is_cdata_integer(L, index)) return 0;
  memcpy(out, lua_topointer(L, index), sizeof *out);
  return 1;
}

#endif

/* An argument. Booleans are 1 and 0; what does not fit into so many bytes is an error. */
static int64_t coord_lua_to_integer(lua_State *L, int index, size_t size, int is_unsigned) {
  int64_t value = 0;
  if (lua_isboolean(L, index)) return lua_toboolean(L, index);
  if (!coord_lua_read_integer(L, index, &value)) {
    luaL_argerror(L, index,
                  lua_pushfstring(L, "integer expected, got %s", luaL_typename(L, index)));
  }
  if (size < sizeof value) {
    int64_t most = (int64_t)(UINT64_C(1) << (8 * size - (is_unsigned ? 0 : 1))) - 1;
    int64_t least = is_unsigned ? 0 : -most - 1;
    if (value < least || value > most) luaL_argerror(L, index, "integer out of range");
  }
  return value;
}

/* ---- bytes and text ----------------------------------------------------------------------------- */

static const void *coord_lua_to_bytes(lua_State *L, int index, size_t *length) {
  *length = 0;
  if (lua_isnoneornil(L, index)) return NULL;
  return luaL_checklstring(L, index, length);
}

/* Text that ends in NUL: one inside it would cut it, unseen. */
static const char *coord_lua_to_text(lua_State *L, int index) {
  size_t length = 0;
  if (lua_isnoneornil(L, index)) return NULL;
  const char *text = luaL_checklstring(L, index, &length);
  if (strlen(text) != length) luaL_argerror(L, index, "text has a NUL byte");
  return text;
}

typedef struct coord_lua_names {
  const void **names;
  size_t *lens;
  size_t count;
} coord_lua_names;

/* A list of strings; the arrays are the collector's. */
static coord_lua_names coord_lua_to_names(lua_State *L, int index) {
  luaL_checktype(L, index, LUA_TTABLE);
  coord_lua_names list = {NULL, NULL, coord_lua_rawlen(L, index)};
  list.names = lua_newuserdata(L, (list.count + 1) * sizeof *list.names);
  list.lens = lua_newuserdata(L, (list.count + 1) * sizeof *list.lens);
  for (size_t i = 0; i < list.count; i++) {
    lua_rawgeti(L, index, (int)i + 1);
    /* A number would become a string that only this stack has. */
    if (lua_type(L, -1) != LUA_TSTRING) luaL_argerror(L, index, "list of strings expected");
    list.names[i] = lua_tolstring(L, -1, &list.lens[i]);
    lua_pop(L, 1);
  }
  return list;
}

/* ---- handles ------------------------------------------------------------------------------------ */

/* nil is no handle, as NULL is in C; SWIG looks into any userdata, so one of another size is kept from it. */
static int coord_lua_is_handle(lua_State *L, int index) {
  if (lua_isnil(L, index)) return 1;
  return lua_type(L, index) == LUA_TUSERDATA &&
         coord_lua_rawlen(L, index) == sizeof(swig_lua_userdata);
}

static void *coord_lua_to_handle(lua_State *L, int index, swig_type_info *type) {
  void *handle = NULL;
  if (!coord_lua_is_handle(L, index) || !SWIG_IsOK(SWIG_ConvertPtr(L, index, &handle, type, 0))) {
    luaL_argerror(L, index, lua_pushfstring(L, "%s expected", type->str));
  }
  return handle;
}

/* ---- failures ----------------------------------------------------------------------------------- */

/* Frees the error. */
static int coord_lua_fail(lua_State *L, coord_code code, coord_error *error) {
  lua_pushnil(L);
  lua_pushstring(L, error != NULL ? coord_error_message(error) : coord_code_name(code));
  lua_pushinteger(L, code);
  lua_pushinteger(L, (lua_Integer)coord_error_flags(error));
  lua_pushstring(L, coord_error_endpoint(error));
  lua_pushinteger(L, error != NULL ? coord_error_grpc_status(error) : -1);
  lua_pushinteger(L, error != NULL ? coord_error_http_status(error) : -1);
  coord_error_free(error);
  return 7;
}

/* A failure found here. The message is on the stack. */
static int coord_lua_refuse(lua_State *L) {
  lua_pushnil(L);
  lua_insert(L, -2);
  lua_pushinteger(L, COORD_INVALID);
  return 3;
}

#endif
