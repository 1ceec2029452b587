/*
 * Typemaps for Lua 5.1, 5.3, 5.4 and LuaJIT, from one generated file. A call that fails gives
 * nil, message, code, flags, endpoint, gRPC status, HTTP status; one that hands out nothing gives true.
 * A wrong type or number of arguments is an error, as in Lua's own libraries.
 */
%{
#include "lua/convert.h"
#include "lua/flat.h"
#include "lua/kv.h"
#include "lua/native.h"
%}
%init %{
  coord_lua_open(L);
%}

/* ---- numbers: SWIG's own go through double ---------------------------------------------------- */

%typemap(in) int64_t, uint64_t, int32_t, uint32_t, size_t, int
  %{ $1 = ($1_ltype)coord_lua_to_integer(L, $input, sizeof($1_ltype), (($1_ltype)-1) > 0); %}
%typemap(out) int64_t, uint64_t, int32_t, uint32_t, size_t, int
  %{ coord_lua_push_integer(L, (int64_t)$1); SWIG_arg++; %}

%typemap(in, numinputs = 0) int64_t *number (int64_t out = 0), uint64_t *id (uint64_t out = 0),
                            int32_t *kind (int32_t out = 0) %{ $1 = &out; %}
%typemap(argout) int64_t *number, uint64_t *id, int32_t *kind
  %{ if (result == COORD_OK) { coord_lua_push_integer(L, (int64_t)*$1); SWIG_arg++; } %}

/* ---- bytes and text --------------------------------------------------------------------------- */

%typemap(in) (const void *bytes, size_t bytes_len)
  %{ $1 = ($1_ltype)coord_lua_to_bytes(L, $input, &$2); %}
%typemap(in) const char * %{ $1 = ($1_ltype)coord_lua_to_text(L, $input); %}
%typemap(in) (const void *const *names, const size_t *name_lens, size_t count) (coord_lua_names list)
  %{ list = coord_lua_to_names(L, $input); $1 = (void **)list.names; $2 = list.lens; $3 = list.count; %}
%typemap(out) coord_bytes
  %{ if ($1.bytes != NULL) lua_pushlstring(L, $1.bytes, $1.length); else lua_pushnil(L);
     SWIG_arg++; %}

%typemap(in, numinputs = 0) char **json (char *text = NULL), const char **value (char *text = NULL)
  %{ $1 = ($1_ltype)&text; %}
%typemap(argout) char **json
  %{ if (result == COORD_OK) { lua_pushstring(L, *$1); coord_memory_free(*$1); SWIG_arg++; } %}
%typemap(argout) const char **value
  %{ if (result == COORD_OK) { lua_pushstring(L, *$1); SWIG_arg++; } %}

/* ---- handles ---------------------------------------------------------------------------------- */

%typemap(in) SWIGTYPE * %{ $1 = ($1_ltype)coord_lua_to_handle(L, $input, $descriptor); %}

%define COORD_LUA_OUT(name)
%typemap(in, numinputs = 0) coord_##name **out (coord_##name *out = NULL) "$1 = &out;"
%typemap(argout) coord_##name **out
  %{ if (result == COORD_OK) { SWIG_NewPointerObj(L, *$1, $*1_descriptor, 1); SWIG_arg++; } %}
%enddef
COORD_HANDLES(COORD_LUA_OUT)

/* ---- failures --------------------------------------------------------------------------------- */

%typemap(out) coord_code ""
%typemap(in, numinputs = 0) coord_error **err (coord_error *error = NULL) "$1 = &error;"
%typemap(argout) coord_error **err
  %{ if (result != COORD_OK) return coord_lua_fail(L, result, *$1); %}
/* What is left to say when all of it was handed out: also of functions that give no coord_error. */
%typemap(ret) coord_code
  %{ if (result != COORD_OK) return coord_lua_fail(L, result, NULL);
     if (SWIG_arg == 0) { lua_pushboolean(L, 1); SWIG_arg = 1; } %}

/* ---- in one step what the glue of bindings/lua does most -------------------------------------- */

%native(run) int coord_lua_run(lua_State *L);
%native(start) int coord_lua_start(lua_State *L);
%native(kv) int coord_lua_kv(lua_State *L);
%native(run_kv) int coord_lua_run_kv(lua_State *L);
%native(start_kv) int coord_lua_start_kv(lua_State *L);
%native(take) int coord_lua_take(lua_State *L);
%native(drain) int coord_lua_drain(lua_State *L);
%native(flat) int coord_lua_flat(lua_State *L);
%native(read_kv) int coord_lua_read_kv(lua_State *L);
%native(read_value) int coord_lua_read_value(lua_State *L);
%native(pick) int coord_lua_pick(lua_State *L);
%native(address) int coord_lua_address(lua_State *L);
%native(release) int coord_lua_release(lua_State *L);
