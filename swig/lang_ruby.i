/*
 * Typemaps for Ruby. A call that fails raises Coord::Error; a wrong type is a TypeError, a wrong number a RangeError. What waits
 * leaves the global lock to other threads; ruby/wait.h says what ends a wait.
 */
%{
#include "ruby/convert.h"
#include "ruby/wait.h"
%}
%init %{
  coord_ruby_open(mCoord);
%}

/* ---- numbers ---------------------------------------------------------------------------------- */

%typemap(in) int64_t, int32_t, int
  %{ $1 = ($1_ltype)coord_ruby_to_signed($input, sizeof($1_ltype), "$symname", "$1_name"); %}
%typemap(in) uint64_t, uint32_t, size_t
  %{ $1 = ($1_ltype)coord_ruby_to_unsigned($input, sizeof($1_ltype), "$symname", "$1_name"); %}
%typemap(out) int64_t, int32_t, int %{ $result = LL2NUM($1); %}
%typemap(out) uint64_t, uint32_t, size_t %{ $result = ULL2NUM($1); %}

%typemap(in, numinputs = 0) int64_t *number (int64_t out = 0), uint64_t *id (uint64_t out = 0),
                            int32_t *kind (int32_t out = 0) %{ $1 = &out; %}
%typemap(argout) int64_t *number, int32_t *kind %{ if (result == COORD_OK) $result = coord_ruby_add($result, LL2NUM(*$1)); %}
%typemap(argout) uint64_t *id %{ if (result == COORD_OK) $result = coord_ruby_add($result, ULL2NUM(*$1)); %}

/* ---- bytes and text --------------------------------------------------------------------------- */

/* Strings are frozen copies that share their bytes: another thread may change the one that was given. */
%typemap(in) (const void *bytes, size_t bytes_len) (VALUE text = Qnil)
  %{ text = coord_ruby_to_string($input, "$symname", "$1_name");
     $1 = ($1_ltype)(NIL_P(text) ? NULL : RSTRING_PTR(text));
     $2 = NIL_P(text) ? 0 : (size_t)RSTRING_LEN(text); %}
%typemap(freearg) (const void *bytes, size_t bytes_len) %{ RB_GC_GUARD(text$argnum); %}
%typemap(in) const char * (VALUE text = Qnil)
  %{ text = coord_ruby_to_string($input, "$symname", "$1_name");
     $1 = ($1_ltype)coord_ruby_text(text, "$symname", "$1_name"); %}
%typemap(freearg) const char * %{ RB_GC_GUARD(text$argnum); %}
%typemap(in) (const void *const *names, const size_t *name_lens, size_t count) (coord_ruby_names list)
  %{ list = coord_ruby_to_names($input, "$symname", "$1_name");
     $1 = (void **)list.names; $2 = list.lens; $3 = list.count; %}
%typemap(freearg) (const void *const *names, const size_t *name_lens, size_t count)
  %{ RB_GC_GUARD(list$argnum.strings); RB_GC_GUARD(list$argnum.memory); %}
%typemap(out) coord_bytes %{ $result = $1.bytes != NULL ? rb_str_new($1.bytes, (long)$1.length) : Qnil; %}
%typemap(out) const char *, char * %{ $result = $1 != NULL ? rb_utf8_str_new_cstr($1) : Qnil; %}

%typemap(in, numinputs = 0) char **json (char *text = NULL), const char **value (char *text = NULL)
  %{ $1 = ($1_ltype)&text; %}
%typemap(argout) char **json
  %{ if (result == COORD_OK) {
       $result = coord_ruby_add($result, rb_utf8_str_new_cstr(*$1));
       coord_memory_free(*$1);
     } %}
%typemap(argout) const char **value
  %{ if (result == COORD_OK) $result = coord_ruby_add($result, rb_utf8_str_new_cstr(*$1)); %}

/* ---- handles ---------------------------------------------------------------------------------- */

%typemap(in) SWIGTYPE *
  %{ $1 = ($1_ltype)coord_ruby_to_handle($input, $descriptor, "$symname", "$1_name"); %}

%define COORD_RUBY_OUT(name)
%typemap(in, numinputs = 0) coord_##name **out (coord_##name *out = NULL) "$1 = &out;"
%typemap(argout) coord_##name **out
  %{ if (result == COORD_OK) $result = coord_ruby_add($result, SWIG_NewPointerObj(*$1, $*1_descriptor, SWIG_POINTER_OWN)); %}
%enddef
COORD_HANDLES(COORD_RUBY_OUT)

/* Those that carry keys and values: the collector is told how much. */
%typemap(argout) coord_result **out
  %{ if (result == COORD_OK) {
       $result = coord_ruby_add($result, SWIG_NewPointerObj(coord_ruby_weigh(*$1), $*1_descriptor, SWIG_POINTER_OWN));
     } %}
%typemap(out) coord_result * %{ $result = SWIG_NewPointerObj(coord_ruby_weigh($1), $descriptor, $owner); %}

/* ---- failures --------------------------------------------------------------------------------- */

%typemap(out) coord_code "$result = Qnil;"
%typemap(in, numinputs = 0) coord_error **err (coord_error *error = NULL) "$1 = &error;"
%typemap(argout) coord_error **err %{ if (result != COORD_OK) coord_ruby_fail(result, *$1); %}
/* Of functions that give no coord_error. */
%typemap(ret) coord_code {
  if (result != COORD_OK) coord_ruby_fail(result, NULL);
}

/* ---- what waits ------------------------------------------------------------------------------- */

/* Thread#raise and the like end a wait, of that thread alone. */
%ignore coord_queue_wake;

%feature("action") coord_call "*arg4 = coord_ruby_call(argv[0], arg1, arg2, arg3); result = COORD_OK;"
%feature("action") coord_get
  "*arg4 = coord_ruby_run(argv[0], arg1, coord_op_get(arg2, arg3)); result = COORD_OK;"
%feature("action") coord_put
  "coord_result_free(coord_ruby_run(argv[0], arg1, coord_op_put(arg2, arg3, arg4, arg5))); result = COORD_OK;"
%feature("action") coord_delete
  "{ coord_result *answer = coord_ruby_run(argv[0], arg1, coord_op_delete(arg2, arg3));
     *arg4 = coord_result_total(answer); coord_result_free(answer); result = COORD_OK; }"
%feature("action") coord_queue_next "(void)arg1; result = coord_ruby_next(argv[0], arg2);"

%feature("action") coord_client_open "COORD_RUBY_RUN(client_open, .options = arg1, .out = arg2, .err = arg3)"
%feature("action") coord_client_sync_endpoints
  "COORD_RUBY_RUN(client_sync_endpoints, .handle = arg1, .timeout_ms = arg2, .err = arg3)"
%feature("action") coord_client_close
  "COORD_RUBY_RUN(client_close, .handle = arg1, .timeout_ms = arg2, .err = arg3)"
%feature("action") coord_scan_next
  "COORD_RUBY_RUN(scan_next, .handle = arg1, .timeout_ms = arg2, .out = arg3, .err = arg4)"
%feature("action") coord_lease_open
  "COORD_RUBY_RUN(lease_open, .handle = arg1, .number = arg2, .timeout_ms = arg3, .queue = arg4, .tag = arg5, .out = arg6,
                  .err = arg7)"
%feature("action") coord_lease_adopt
  "COORD_RUBY_RUN(lease_adopt, .handle = arg1, .number = arg2, .timeout_ms = arg3, .queue = arg4, .tag = arg5, .out = arg6,
                  .err = arg7)"
%feature("action") coord_lease_close
  "COORD_RUBY_RUN(lease_close, .handle = arg1, .timeout_ms = arg2, .err = arg3)"
%feature("action") coord_mirror_open
  "COORD_RUBY_RUN(mirror_open, .handle = arg1, .bytes = arg2, .length = arg3, .options = arg4, .queue = arg5, .tag = arg6,
                  .out = arg7, .err = arg8)"
%feature("action") coord_config_open
  "COORD_RUBY_RUN(config_open, .handle = arg1, .bytes = arg2, .options = arg3, .queue = arg4, .tag = arg5, .out = arg6,
                  .err = arg7)"
%feature("action") coord_registry_discover
  "COORD_RUBY_RUN(registry_discover, .handle = arg1, .bytes = arg2, .timeout_ms = arg3, .out = arg4, .err = arg5)"
%feature("action") coord_registry_services
  "COORD_RUBY_RUN(registry_services, .handle = arg1, .timeout_ms = arg2, .out = arg3, .err = arg4)"
