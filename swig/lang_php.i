/*
 * Typemaps for PHP 8. Functions and constants are PHP's own, global, so they keep their prefix, as those of any extension:
 * coord_put, COORD_INVALID, class coord_client. A call that fails throws Coord\Exception; wrong types are a TypeError.
 * uint64_t beyond 2^63 is the negative int of the same 64 bits.
 */
%{
#include "php/convert.h"
%}
%init %{
  coord_php_open();
%}

%rename("%s") "";
%rename("%s", %$isenumitem) "";
%rename(coord_event_code) coord_event_number;
%feature("php:type", "0");

/* ---- numbers ---------------------------------------------------------------------------------- */

%typemap(in) int64_t, uint64_t, int32_t, uint32_t, size_t, int {
  int64_t number;
  if (!coord_php_to_integer(&$input, COORD_PHP_ARG($input, "$1_name"), sizeof($1_ltype), (($1_ltype)-1) > 0, &number)) goto fail;
  $1 = ($1_ltype)number;
}
%typemap(out) int64_t, uint64_t, int32_t, uint32_t, size_t, int "RETVAL_LONG((zend_long)$1);"

%typemap(in, numinputs = 0) int64_t *number (int64_t out = 0), uint64_t *id (uint64_t out = 0),
                            int32_t *kind (int32_t out = 0) "$1 = &out;"
%typemap(argout) int64_t *number, uint64_t *id, int32_t *kind {
  zval one;
  ZVAL_LONG(&one, (zend_long)*$1);
  if (result == COORD_OK) coord_php_append(return_value, &one);
}

/* ---- bytes and text --------------------------------------------------------------------------- */

%typemap(in) (const void *bytes, size_t bytes_len) {
  if (!coord_php_to_bytes(&$input, COORD_PHP_ARG($input, "$1_name"), 0, (const void **)&$1, &$2)) goto fail;
}
%typemap(in) const char * {
  size_t length;
  if (!coord_php_to_bytes(&$input, COORD_PHP_ARG($input, "$1_name"), 1, (const void **)&$1, &length)) goto fail;
}
%typemap(in) (const void *const *names, const size_t *name_lens, size_t count)
             (const void *names[COORD_PHP_NAMES], size_t lens[COORD_PHP_NAMES]) {
  if (!coord_php_to_names(&$input, COORD_PHP_ARG($input, "$1_name"), names, lens, &$3)) goto fail;
  $1 = ($1_ltype)names;
  $2 = lens;
}
%typemap(argout) (const void *const *names, const size_t *name_lens, size_t count) ""
%typemap(out) coord_bytes
  %{ if ($1.bytes != NULL) RETVAL_STRINGL($1.bytes, $1.length); else RETVAL_NULL(); %}

%typemap(in, numinputs = 0) char **json (char *text = NULL), const char **value (char *text = NULL)
  "$1 = ($1_ltype)&text;"
%typemap(argout) char **json, const char **value {
  zval one;
  if (result == COORD_OK) {
    ZVAL_STRING(&one, *$1);
    coord_php_append(return_value, &one);
  }
}
%typemap(freearg) char **json "coord_memory_free(*$1);"

/* ---- handles ---------------------------------------------------------------------------------- */

%typemap(in) SWIGTYPE * {
  if (!coord_php_to_handle(&$input, COORD_PHP_ARG($input, "$1_name"), $descriptor, (void **)&$1)) goto fail;
}

%define COORD_PHP_OUT(name)
%typemap(in, numinputs = 0) coord_##name **out (coord_##name *out = NULL) "$1 = &out;"
%typemap(argout) coord_##name **out
  %{ if (result == COORD_OK) SWIG_SetPointerZval(return_value, *$1, $*1_descriptor, 1); %}
%enddef
COORD_HANDLES(COORD_PHP_OUT)

/* ---- failures --------------------------------------------------------------------------------- */

%typemap(out) coord_code ""
%typemap(in, numinputs = 0) coord_error **err (coord_error *error = NULL) "$1 = &error;"
%typemap(argout) coord_error **err
  %{ if (result != COORD_OK) coord_php_fail(result, *$1); %}
/* Functions that give no coord_error. */
%typemap(ret) coord_code
  %{ if (result != COORD_OK && EG(exception) == NULL) coord_php_fail(result, NULL); %}

/* ---- "now" ------------------------------------------------------------------------------------ */

%typemap(in) zval *handle "$1 = &$input;"
/* Frees a handle now; what is done with it after that is refused, as with null. */
void coord_release(zval *handle);
