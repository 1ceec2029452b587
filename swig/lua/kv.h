/* An op from a verb, a key, a value and a table of options. Part of the file that SWIG writes. */
#ifndef COORD_LUA_KV_H
#define COORD_LUA_KV_H

#include "convert.h"

enum { COORD_LUA_GET, COORD_LUA_PUT, COORD_LUA_DELETE };

static const char *const coord_lua_verbs[] = {"get", "put", "delete", NULL};

/* What an option sets; which verbs have it is known to the library. */
static const struct coord_lua_attribute {
  const char *name;
  int32_t attribute;
} coord_lua_attributes[] = {
    {"lease", COORD_OP_LEASE},
    {"prev_kv", COORD_OP_PREV_KV},
    {"limit", COORD_OP_LIMIT},
    {"revision", COORD_OP_REVISION},
    {"serializable", COORD_OP_SERIALIZABLE},
    {"keys_only", COORD_OP_KEYS_ONLY},
    {"count_only", COORD_OP_COUNT_ONLY},
    {"ignore_value", COORD_OP_IGNORE_VALUE},
    {"ignore_lease", COORD_OP_IGNORE_LEASE},
    {"descending", COORD_OP_SORT_DESCENDING},
    {"idempotent", COORD_OP_IDEMPOTENT},
    {"min_mod_revision", COORD_OP_MIN_MOD_REVISION},
    {"max_mod_revision", COORD_OP_MAX_MOD_REVISION},
    {"min_create_revision", COORD_OP_MIN_CREATE_REVISION},
    {"max_create_revision", COORD_OP_MAX_CREATE_REVISION},
    {"no_puts", COORD_OP_NO_PUTS},
    {"no_deletes", COORD_OP_NO_DELETES},
    {"progress", COORD_OP_PROGRESS},
    {NULL, 0},
};

static const char *const coord_lua_sorts[] = {"key", "version", "create", "mod", "value", NULL};

static int coord_lua_index_of(const char *word, const char *const *words) {
  for (int i = 0; words[i] != NULL; i++) {
    if (strcmp(word, words[i]) == 0) return i;
  }
  return -1;
}

/* What an option is, for a message; pushed, and never long. */
static const char *coord_lua_show(lua_State *L, int index) {
  switch (lua_type(L, index)) {
    case LUA_TSTRING:
      return lua_pushfstring(L, "\"%s\"", lua_tostring(L, index));
    case LUA_TNUMBER:
      lua_pushvalue(L, index);
      return lua_tostring(L, -1);
    case LUA_TBOOLEAN:
      return lua_toboolean(L, index) ? "true" : "false";
    default:
      return luaL_typename(L, index);
  }
}

/* Seconds on top of the stack as milliseconds: math.huge is no limit. 0: they are none. */
static int coord_lua_seconds(lua_State *L, int32_t *ms) {
  if (lua_type(L, -1) != LUA_TNUMBER) return 0;
  lua_Number seconds = lua_tonumber(L, -1);
  if (!(seconds > 0)) return 0;
  lua_Number wanted = seconds * 1000 + 0.999999;
  *ms = wanted > 2147483647.0 ? (seconds > 1e15 ? -1 : 2147483647) : (int32_t)wanted;
  return 1;
}

/* Sets an attribute to the value on top of the stack: an integer, a boolean, or something with an `id`. */
static int coord_lua_set_attribute(lua_State *L, coord_op *op, int32_t attribute) {
  int64_t value = 0;
  int good;
  if (lua_isboolean(L, -1)) {
    value = lua_toboolean(L, -1);
    good = attribute != COORD_OP_LEASE || value == 0;
  } else if (lua_istable(L, -1) && attribute == COORD_OP_LEASE) {
    lua_getfield(L, -1, "id");
    good = coord_lua_read_integer(L, lua_gettop(L), &value);
    lua_pop(L, 1);
  } else {
    good = coord_lua_read_integer(L, lua_gettop(L), &value);
  }
  return good && coord_op_set(op, attribute, value) == COORD_OK;
}

/* One option, name at -2 and value at -1. 1: done, 0: the value is wrong, -1: there is no such option. */
static int coord_lua_option(lua_State *L, coord_op *op, const char *name, int32_t *timeout_ms) {
  size_t length = 0;
  if (strcmp(name, "timeout") == 0) return coord_lua_seconds(L, timeout_ms);
  if (strcmp(name, "prefix") == 0) {
    if (!lua_isboolean(L, -1)) return 0;
    return !lua_toboolean(L, -1) || coord_op_set_prefix(op) == COORD_OK;
  }
  if (strcmp(name, "range_end") == 0) {
    if (lua_type(L, -1) != LUA_TSTRING) return 0;
    const char *end = lua_tolstring(L, -1, &length);
    return coord_op_set_range_end(op, end, length) == COORD_OK;
  }
  if (strcmp(name, "sort") == 0) {
    int by = lua_type(L, -1) == LUA_TSTRING
                 ? coord_lua_index_of(lua_tostring(L, -1), coord_lua_sorts)
                 : -1;
    return by >= 0 && coord_op_set(op, COORD_OP_SORT_BY, by) == COORD_OK;
  }
  for (const struct coord_lua_attribute *a = coord_lua_attributes; a->name != NULL; a++) {
    if (strcmp(a->name, name) == 0) return coord_lua_set_attribute(L, op, a->attribute);
  }
  return -1;
}

/* All options of the table on top of the stack, at `index`. 0: one is wrong, and why is on the stack. */
static int coord_lua_options(lua_State *L, int index, int verb, coord_op *op, int32_t *timeout_ms) {
  int name = index + 1, value = index + 2;
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    int done = -1;
    if (lua_type(L, name) == LUA_TSTRING) {
      done = coord_lua_option(L, op, lua_tostring(L, name), timeout_ms);
    }
    if (done != 1) {
      const char *what =
          lua_type(L, name) == LUA_TSTRING ? lua_tostring(L, name) : luaL_typename(L, name);
      lua_pushfstring(
          L, done == 0 ? "%s cannot have the option %s = %s" : "%s has no option %s (it is %s)",
          coord_lua_verbs[verb], what, coord_lua_show(L, value));
      return 0;
    }
    lua_settop(L, name);
  }
  return 1;
}

/* Whether an argument is what it has to be; if not, why is on the stack. */
static int coord_lua_is_fit(lua_State *L, int index, int verb, const char *what, int needed) {
  int is_options = strcmp(what, "options") == 0;
  if (is_options ? lua_istable(L, index) : lua_isstring(L, index)) return 1;
  if (lua_isnil(L, index) && !needed) return 1;
  lua_pushfstring(L, "the %s of %s is a %s; a %s is wanted", what, coord_lua_verbs[verb],
                  luaL_typename(L, index), is_options ? "table" : "string");
  return 0;
}

/*
 * verb, key, value, options from `first` on; nil: none. NULL: refused, and all that is to be returned is on the stack,
 * its number in *results. The timeout is 0 when no option says otherwise.
 */
static coord_op *coord_lua_make_kv(lua_State *L, int first, int32_t *timeout_ms, int *results) {
  size_t key_len = 0, value_len = 0;
  int verb = (int)luaL_checkinteger(L, first);
  lua_settop(L, first + 3);
  if (!coord_lua_is_fit(L, first + 1, verb, "key", 1) ||
      !coord_lua_is_fit(L, first + 2, verb, "value", verb == COORD_LUA_PUT) ||
      !coord_lua_is_fit(L, first + 3, verb, "options", 0)) {
    *results = coord_lua_refuse(L);
    return NULL;
  }
  const char *key = lua_tolstring(L, first + 1, &key_len);
  const char *value = lua_tolstring(L, first + 2, &value_len);
  coord_op *op = verb == COORD_LUA_GET   ? coord_op_get(key, key_len)
                 : verb == COORD_LUA_PUT ? coord_op_put(key, key_len, value, value_len)
                                         : coord_op_delete(key, key_len);
  if (op == NULL) {
    *results = coord_lua_fail(L, COORD_NO_MEMORY, NULL);
  } else if (lua_istable(L, first + 3) && !coord_lua_options(L, first + 3, verb, op, timeout_ms)) {
    coord_op_free(op);
    op = NULL;
    *results = coord_lua_refuse(L);
  }
  return op;
}

#endif
