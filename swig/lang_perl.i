/*
 * Typemaps for Perl. A call that fails dies with a Coord::Error; a wrong type or number of arguments dies with a text that names the
 * argument. Strings are bytes both ways. What waits, lets signal handlers run; perl/wait.h says how.
 */
%{
#include "perl/convert.h"
#include "perl/wait.h"
%}
%init %{ newXS("Coord::event_error", coord_perl_event_error, __FILE__); %}

/* ---- numbers ---------------------------------------------------------------------------------- */

%typemap(in) int64_t, int32_t, int
  %{ $1 = ($1_ltype)coord_perl_to_signed($input, sizeof($1_ltype), "$symname", "$1_name"); %}
%typemap(in) uint64_t, uint32_t, size_t
  %{ $1 = ($1_ltype)coord_perl_to_unsigned($input, sizeof($1_ltype), "$symname", "$1_name"); %}
%typemap(out) int64_t, int32_t, int %{ COORD_PERL_GIVE(newSViv((IV)$1)); %}
%typemap(out) uint64_t, uint32_t, size_t %{ COORD_PERL_GIVE(newSVuv((UV)$1)); %}
%typemap(constcode) int %{ newCONSTSUB(gv_stashpvs("Coord", GV_ADD), "$symname", newSViv($value)); %}

%typemap(in, numinputs = 0) int64_t *number (int64_t out = 0), uint64_t *id (uint64_t out = 0),
                            int32_t *kind (int32_t out = 0) %{ $1 = &out; %}
%typemap(argout) int64_t *number, int32_t *kind %{ if (result == COORD_OK) COORD_PERL_GIVE(newSViv((IV)*$1)); %}
%typemap(argout) uint64_t *id %{ if (result == COORD_OK) COORD_PERL_GIVE(newSVuv((UV)*$1)); %}

/* ---- bytes and text --------------------------------------------------------------------------- */

%typemap(in) (const void *bytes, size_t bytes_len) (STRLEN length = 0)
  %{ $1 = ($1_ltype)coord_perl_to_bytes($input, &length, "$symname", "$1_name"); $2 = length; %}
%typemap(in) const char * %{ $1 = ($1_ltype)coord_perl_to_text($input, "$symname", "$1_name"); %}
%typemap(freearg) const char * ""
%typemap(in) (const void *const *names, const size_t *name_lens, size_t count) (coord_perl_names list)
  %{ list = coord_perl_to_names($input, "$symname", "$1_name");
     $1 = (void **)list.names; $2 = list.lens; $3 = list.count; %}
%typemap(out) coord_bytes
  %{ COORD_PERL_GIVE($1.bytes != NULL ? newSVpvn($1.bytes, $1.length) : newSV(0)); %}
%typemap(out) const char * %{ COORD_PERL_GIVE($1 != NULL ? newSVpv($1, 0) : newSV(0)); %}
%typemap(out) char * %{ COORD_PERL_GIVE($1 != NULL ? newSVpv($1, 0) : newSV(0)); %}

%typemap(in, numinputs = 0) char **json (char *text = NULL), const char **value (char *text = NULL)
  %{ $1 = ($1_ltype)&text; %}
%typemap(argout) char **json
  %{ if (result == COORD_OK) { COORD_PERL_GIVE(newSVpv(*$1, 0)); coord_memory_free(*$1); } %}
%typemap(argout) const char **value %{ if (result == COORD_OK) COORD_PERL_GIVE(newSVpv(*$1, 0)); %}

/* ---- handles: scalars with the pointer, blessed into a class that frees it ---------------------- */

%define COORD_PERL_HANDLE(name)
%ignore coord_##name::~coord_##name;
%typemap(in) coord_##name *, const coord_##name *
  %{ $1 = ($1_ltype)coord_perl_to_handle($input, "coord_"#name, "$symname", "$1_name"); %}
%typemap(out) coord_##name * %{ COORD_PERL_GIVE(coord_perl_new_handle($1, "coord_"#name)); %}
%typemap(in, numinputs = 0) coord_##name **out (coord_##name *out = NULL) "$1 = &out;"
%typemap(argout) coord_##name **out
  %{ if (result == COORD_OK) COORD_PERL_GIVE(coord_perl_new_handle(*$1, "coord_"#name)); %}
%init %{ coord_perl_class("coord_"#name, (void (*)(void *))coord_##name##_free); %}
%enddef
COORD_HANDLES(COORD_PERL_HANDLE)

/* ---- failures --------------------------------------------------------------------------------- */

%typemap(out) coord_code ""
%typemap(in, numinputs = 0) coord_error **err (coord_error *error = NULL) "$1 = &error;"
%typemap(argout) coord_error **err %{ if (result != COORD_OK) coord_perl_fail(result, *$1); %}
/* Of functions that give no coord_error. */
%typemap(ret) coord_code {
  if (result != COORD_OK) coord_perl_fail(result, NULL);
}

/* ---- what waits ------------------------------------------------------------------------------- */

/* A signal handler ends a wait by die. */
%ignore coord_queue_wake;

%feature("action") coord_call "(void)arg1; *arg4 = coord_perl_call(ST(0), arg2, arg3); result = COORD_OK;"
%feature("action") coord_get "(void)arg1; *arg4 = coord_perl_run(ST(0), coord_op_get(arg2, arg3)); result = COORD_OK;"
%feature("action") coord_put
  "(void)arg1; coord_result_free(coord_perl_run(ST(0), coord_op_put(arg2, arg3, arg4, arg5))); result = COORD_OK;"
%feature("action") coord_delete
  "{ (void)arg1; coord_result *answer = coord_perl_run(ST(0), coord_op_delete(arg2, arg3));
     *arg4 = coord_result_total(answer); coord_result_free(answer); result = COORD_OK; }"
%feature("action") coord_queue_next "(void)arg1; result = coord_perl_next(ST(0), arg2);"
