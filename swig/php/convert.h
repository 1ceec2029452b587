/* Values between PHP and C. Part of the file that SWIG writes. */
#ifndef COORD_PHP_CONVERT_H
#define COORD_PHP_CONVERT_H

#include <string.h>
#include <ext/spl/spl_exceptions.h>

enum { COORD_PHP_NAMES = 64 }; /* that a lock has at most */

/* Which argument is looked at, for messages. */
typedef struct coord_php_arg {
  int number;
  const char *name;
} coord_php_arg;
/* In a wrapper, which has all arguments in `args`. */
#define COORD_PHP_ARG(input, name) ((coord_php_arg){(int)(&(input)-args) + 1, name})

/* 0, for those who give up. */
static int coord_php_refuse(coord_php_arg arg, const char *want, const zval *have) {
  zend_type_error("%s(): argument %d (%s) must be %s, %s given", get_active_function_name(),
                  arg.number, arg.name, want, zend_zval_type_name(have));
  return 0;
}

static int coord_php_refuse_value(coord_php_arg arg, const char *why) {
  zend_value_error("%s(): argument %d (%s) %s", get_active_function_name(), arg.number, arg.name,
                   why);
  return 0;
}

/* What does not fit into so many bytes is an error; in eight, uint64_t is any int. */
static int coord_php_to_integer(const zval *value, coord_php_arg arg, size_t size, int is_unsigned,
                                int64_t *out) {
  if (Z_TYPE_P(value) == IS_TRUE || Z_TYPE_P(value) == IS_FALSE) {
    *out = Z_TYPE_P(value) == IS_TRUE;
    return 1;
  }
  if (Z_TYPE_P(value) != IS_LONG) return coord_php_refuse(arg, "of type int", value);
  *out = Z_LVAL_P(value);
  if (size < sizeof *out) {
    int64_t most = (int64_t)(UINT64_C(1) << (8 * size - (is_unsigned ? 0 : 1))) - 1;
    int64_t least = is_unsigned ? 0 : -most - 1;
    if (*out < least || *out > most) return coord_php_refuse_value(arg, "is out of range");
  }
  return 1;
}

/* null is nothing. Text ends in NUL in C: one inside it would cut it, unseen. */
static int coord_php_to_bytes(const zval *value, coord_php_arg arg, int is_text, const void **bytes,
                              size_t *length) {
  *bytes = NULL;
  *length = 0;
  if (Z_TYPE_P(value) == IS_NULL) return 1;
  if (Z_TYPE_P(value) != IS_STRING) return coord_php_refuse(arg, "of type string", value);
  *bytes = Z_STRVAL_P(value);
  *length = Z_STRLEN_P(value);
  if (!is_text || memchr(*bytes, 0, *length) == NULL) return 1;
  return coord_php_refuse_value(arg, "must not contain NUL bytes");
}

static int coord_php_to_names(zval *value, coord_php_arg arg, const void **names, size_t *lens,
                              size_t *count) {
  zval *one;
  *count = 0;
  if (Z_TYPE_P(value) != IS_ARRAY) return coord_php_refuse(arg, "an array of strings", value);
  if (zend_hash_num_elements(Z_ARRVAL_P(value)) > COORD_PHP_NAMES) {
    return coord_php_refuse_value(arg, "has more than 64 names");
  }
  ZEND_HASH_FOREACH_VAL(Z_ARRVAL_P(value), one) {
    ZVAL_DEREF(one);
    if (Z_TYPE_P(one) != IS_STRING) return coord_php_refuse(arg, "an array of strings", one);
    names[*count] = Z_STRVAL_P(one);
    lens[(*count)++] = Z_STRLEN_P(one);
  }
  ZEND_HASH_FOREACH_END();
  return 1;
}

/* The first value that a function hands out is its result; with a second one it is a list of them. */
static void coord_php_append(zval *result, zval *one) {
  if (Z_TYPE_P(result) == IS_NULL) {
    ZVAL_COPY_VALUE(result, one);
    return;
  }
  if (Z_TYPE_P(result) != IS_ARRAY) {
    zval first;
    ZVAL_COPY_VALUE(&first, result);
    array_init(result);
    add_next_index_zval(result, &first);
  }
  add_next_index_zval(result, one);
}

/* ---- handles ------------------------------------------------------------------------------------ */

/* null is no handle, as NULL is in C, and so is one that was released, or made by `new`. */
static int coord_php_to_handle(zval *value, coord_php_arg arg, swig_type_info *type, void **out) {
  char want[64];
  zend_class_entry *class = type->clientdata;
  *out = NULL;
  if (Z_TYPE_P(value) == IS_NULL) return 1;
  if (class != NULL && Z_TYPE_P(value) == IS_OBJECT &&
      instanceof_function(Z_OBJCE_P(value), class)) {
    *out = SWIG_Z_FETCH_OBJ_P(value)->ptr;
    return 1;
  }
  snprintf(want, sizeof want, "of type %s", class != NULL ? ZSTR_VAL(class->name) : type->str);
  return coord_php_refuse(arg, want, value);
}

/* All of a class share their way to be freed, which frees the object too: it is given a hull for that. */
static void coord_release(zval *handle) {
  if (Z_TYPE_P(handle) != IS_OBJECT ||
      !zend_class_implements_interface(Z_OBJCE_P(handle), &SWIG_Php_swig_wrapped_interface_ce)) {
    coord_php_refuse((coord_php_arg){1, "handle"}, "a handle", handle);
    return;
  }
  swig_object_wrapper *object = SWIG_Z_FETCH_OBJ_P(handle);
  if (object->ptr == NULL || !object->newobject) return;
  zval hull;
  ZVAL_UNDEF(&hull);
  SWIG_SetPointerZval(&hull, object->ptr, (swig_type_info *)object->type, 1);
  object->ptr = NULL;
  object->newobject = 0;
  zval_ptr_dtor(&hull);
}

/* ---- failures ----------------------------------------------------------------------------------- */

static zend_class_entry *coord_php_exception;

static void coord_php_open(void) {
  zend_class_entry class;
  INIT_NS_CLASS_ENTRY(class, "Coord", "Exception", NULL);
  coord_php_exception = zend_register_internal_class_ex(&class, spl_ce_RuntimeException);
  const int flags = ZEND_ACC_PUBLIC;
  zend_declare_property_string(coord_php_exception, "name", 4, "", flags);
  zend_declare_property_bool(coord_php_exception, "retriable", 9, 0, flags);
  zend_declare_property_bool(coord_php_exception, "maybeApplied", 12, 0, flags);
  zend_declare_property_string(coord_php_exception, "endpoint", 8, "", flags);
}

/* Throws, and frees the error. */
static void coord_php_fail(coord_code code, coord_error *error) {
  zval exception;
  zend_class_entry *class = coord_php_exception;
  const char *name = coord_code_name(code);
  uint32_t flags = coord_error_flags(error);
  object_init_ex(&exception, class);
  zend_object *object = Z_OBJ(exception);
  zend_update_property_string(class, object, "message", 7,
                              error != NULL ? coord_error_message(error) : name);
  zend_update_property_long(class, object, "code", 4, code);
  zend_update_property_string(class, object, "name", 4, name);
  zend_update_property_bool(class, object, "retriable", 9, (flags & COORD_RETRIABLE) != 0);
  zend_update_property_bool(class, object, "maybeApplied", 12, (flags & COORD_MAYBE_APPLIED) != 0);
  zend_update_property_string(class, object, "endpoint", 8, coord_error_endpoint(error));
  coord_error_free(error);
  zend_throw_exception_object(&exception);
}

#endif
