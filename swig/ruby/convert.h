/* Values between Ruby and C, and failures. Part of the file that SWIG writes. */
#ifndef COORD_RUBY_CONVERT_H
#define COORD_RUBY_CONVERT_H

#include <ruby/encoding.h>
#include <ruby/io.h>
#include <ruby/thread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static VALUE coord_ruby_error_class = Qnil;

/* ---- failures ----------------------------------------------------------------------------------- */

static VALUE coord_ruby_new_error(coord_code code, VALUE text, const coord_error *error) {
  VALUE raised = rb_exc_new_str(coord_ruby_error_class, text);
  rb_iv_set(raised, "@code", INT2NUM(code));
  rb_iv_set(raised, "@flags", UINT2NUM(coord_error_flags(error)));
  rb_iv_set(raised, "@endpoint", rb_utf8_str_new_cstr(coord_error_endpoint(error)));
  rb_iv_set(raised, "@grpc_status", INT2NUM(error != NULL ? coord_error_grpc_status(error) : -1));
  rb_iv_set(raised, "@http_status", INT2NUM(error != NULL ? coord_error_http_status(error) : -1));
  return raised;
}

/* error: may be NULL */
static VALUE coord_ruby_to_error(coord_code code, const coord_error *error) {
  const char *text = error != NULL ? coord_error_message(error) : coord_code_name(code);
  return coord_ruby_new_error(code, rb_utf8_str_new_cstr(text), error);
}

/* Frees the error. */
static void coord_ruby_fail(coord_code code, coord_error *error) {
  VALUE raised = coord_ruby_to_error(code, error);
  coord_error_free(error);
  rb_exc_raise(raised);
}

static const char *coord_ruby_short(const char *function) {
  return strncmp(function, "coord_", 6) == 0 ? function + 6 : function;
}

static void coord_ruby_refuse(VALUE error, VALUE value, const char *function, const char *argument,
                              const char *right) {
  rb_raise(error, "%s: %s has to be %s, not %" PRIsVALUE, coord_ruby_short(function), argument,
           right, error == rb_eTypeError ? rb_obj_class(value) : rb_inspect(value));
}

/* ---- numbers ------------------------------------------------------------------------------------ */

/* True and false are 1 and 0. */
static VALUE coord_ruby_integer(VALUE value, const char *function, const char *argument) {
  if (value == Qtrue || value == Qfalse) return INT2FIX(value == Qtrue);
  if (!RB_INTEGER_TYPE_P(value)) {
    coord_ruby_refuse(rb_eTypeError, value, function, argument, "an Integer");
  }
  return value;
}

static int64_t coord_ruby_to_signed(VALUE value, size_t size, const char *function,
                                    const char *argument) {
  int64_t number = 0;
  value = coord_ruby_integer(value, function, argument);
  int sign = rb_integer_pack(value, &number, 1, sizeof number, 0,
                             INTEGER_PACK_2COMP | INTEGER_PACK_NATIVE_BYTE_ORDER);
  bool fits = sign >= -1 && sign <= 1 && (sign < 0) == (number < 0);
  if (!fits || (size == 4 && number != (int32_t)number)) {
    coord_ruby_refuse(rb_eRangeError, value, function, argument,
                      size == 4 ? "of 32 bits" : "of 64 bits");
  }
  return number;
}

static uint64_t coord_ruby_to_unsigned(VALUE value, size_t size, const char *function,
                                       const char *argument) {
  uint64_t number = 0;
  value = coord_ruby_integer(value, function, argument);
  int sign = rb_integer_pack(value, &number, 1, sizeof number, 0, INTEGER_PACK_NATIVE_BYTE_ORDER);
  if (sign < 0 || sign > 1 || (size == 4 && number != (uint32_t)number)) {
    coord_ruby_refuse(rb_eRangeError, value, function, argument,
                      size == 4 ? "of 32 bits, and not negative" : "of 64 bits, and not negative");
  }
  return number;
}

/* What is returned, and one more. */
static VALUE coord_ruby_add(VALUE result, VALUE value) {
  if (NIL_P(result)) return value;
  return rb_assoc_new(result, value);
}

/* ---- bytes and text ----------------------------------------------------------------------------- */

/* The bytes as they are, whatever the encoding. nil stays nil. */
static VALUE coord_ruby_to_string(VALUE value, const char *function, const char *argument) {
  if (NIL_P(value)) return Qnil;
  VALUE text = rb_check_string_type(value);
  if (NIL_P(text)) coord_ruby_refuse(rb_eTypeError, value, function, argument, "a String");
  return rb_str_new_frozen(text);
}

/* Text that ends in NUL: one inside it would cut it, unseen. */
static const char *coord_ruby_text(VALUE text, const char *function, const char *argument) {
  if (NIL_P(text)) return NULL;
  if (memchr(RSTRING_PTR(text), 0, (size_t)RSTRING_LEN(text)) != NULL) {
    coord_ruby_refuse(rb_eArgError, text, function, argument, "without a NUL byte");
  }
  return StringValueCStr(text); /* which sees to the NUL behind it */
}

typedef struct coord_ruby_names {
  const void **names;
  size_t *lens;
  size_t count;
  VALUE strings; /* these keep what the others point to */
  VALUE memory;
} coord_ruby_names;

static coord_ruby_names coord_ruby_to_names(VALUE value, const char *function,
                                            const char *argument) {
  VALUE array = rb_check_array_type(value);
  if (NIL_P(array)) {
    coord_ruby_refuse(rb_eTypeError, value, function, argument, "an Array of Strings");
  }
  size_t count = (size_t)RARRAY_LEN(array);
  coord_ruby_names list = {.count = count, .strings = rb_ary_new()};
  list.memory = rb_str_buf_new((long)((count + 1) * (sizeof *list.names + sizeof *list.lens)));
  list.names = (const void **)(void *)RSTRING_PTR(list.memory);
  list.lens = (size_t *)(list.names + count + 1);
  for (size_t i = 0; i < count; i++) {
    VALUE text = coord_ruby_to_string(rb_ary_entry(array, (long)i), function, argument);
    if (NIL_P(text)) coord_ruby_refuse(rb_eTypeError, Qnil, function, argument, "of Strings");
    rb_ary_push(list.strings, text);
    list.names[i] = RSTRING_PTR(text);
    list.lens[i] = (size_t)RSTRING_LEN(text);
  }
  return list;
}

/* ---- handles ------------------------------------------------------------------------------------ */

/* nil is no handle, as NULL is in C. */
static void *coord_ruby_to_handle(VALUE value, swig_type_info *type, const char *function,
                                  const char *argument) {
  void *handle = NULL;
  int status = SWIG_ConvertPtr(value, &handle, type, 0);
  if (status == SWIG_ObjectPreviouslyDeletedError) {
    VALUE text = rb_sprintf("%s: %s was released", coord_ruby_short(function), argument);
    rb_exc_raise(coord_ruby_new_error(COORD_INVALID, text, NULL));
  }
  if (!SWIG_IsOK(status)) {
    swig_class *class = type->clientdata;
    VALUE name = class != NULL ? rb_class_name(class->klass) : rb_str_new_cstr(type->str);
    coord_ruby_refuse(rb_eTypeError, value, function, argument, StringValueCStr(name));
  }
  return handle;
}

#endif
