/*
 * Typemaps for Tcl 8.6: commands coord::put, variables coord::INVALID. Handles are names (coord_client1) of what is in a table,
 * for Tcl collects nothing: coord::free frees, and a name that is not there, or of another type, is an error. What fails is an
 * error with -errorcode {COORD NAME number retriable|final maybe_applied|"" endpoint}.
 */
%{
#include "tcl/convert.h"
%}
%{
#undef SWIG_GetArgs /* which names arguments that Tcl does not have */
#define SWIG_GetArgs(interp, objc, objv, format, ...) coord_tcl_count(interp, objc, objv, format)
%}
%init %{
  if (coord_tcl_open(interp) != TCL_OK) return TCL_ERROR;
%}

/* ---- numbers ---------------------------------------------------------------------------------- */

%typemap(in) int64_t, uint64_t, int32_t, uint32_t, size_t, int {
  Tcl_WideInt number;
  if (!coord_tcl_to_integer(COORD_TCL_ARG($input, "$1_name"), sizeof($1_ltype), (($1_ltype)-1) > 0, &number)) SWIG_fail;
  $1 = ($1_ltype)number;
}
%typemap(out) int64_t, int32_t, uint32_t, size_t, int "Tcl_SetObjResult(interp, Tcl_NewWideIntObj((Tcl_WideInt)$1));"
%typemap(out) uint64_t "Tcl_SetObjResult(interp, coord_tcl_unsigned($1));"

%typemap(in, numinputs = 0) int64_t *number (int64_t out = 0), uint64_t *id (uint64_t out = 0),
                            int32_t *kind (int32_t out = 0) "$1 = &out;"
%typemap(argout) int64_t *number, int32_t *kind
  %{ if (result == COORD_OK) coord_tcl_append(interp, Tcl_NewWideIntObj(*$1)); %}
%typemap(argout) uint64_t *id
  %{ if (result == COORD_OK) coord_tcl_append(interp, coord_tcl_unsigned(*$1)); %}

/* ---- bytes and text --------------------------------------------------------------------------- */

%typemap(in) (const void *bytes, size_t bytes_len) (char *copy = NULL) {
  copy = coord_tcl_to_bytes(COORD_TCL_ARG($input, "$1_name"), &$2);
  if (copy == NULL) SWIG_fail;
  $1 = ($1_ltype)copy;
}
%typemap(freearg) (const void *bytes, size_t bytes_len) "if (copy$argnum != NULL) ckfree(copy$argnum);"
%typemap(in) const char * {
  $1 = ($1_ltype)coord_tcl_to_text(COORD_TCL_ARG($input, "$1_name"));
  if ($1 == NULL) SWIG_fail;
}
%typemap(freearg) const char * ""
%typemap(in) (const void *const *names, const size_t *name_lens, size_t count)
             (coord_tcl_names list = {.count = 0}) {
  if (!coord_tcl_to_names(COORD_TCL_ARG($input, "$1_name"), &list)) SWIG_fail;
  $1 = ($1_ltype)list.names;
  $2 = list.lens;
  $3 = list.count;
}
%typemap(argout) (const void *const *names, const size_t *name_lens, size_t count) ""
%typemap(freearg) (const void *const *names, const size_t *name_lens, size_t count)
  "coord_tcl_free_names(&list$argnum);"
%typemap(out) coord_bytes
  %{ Tcl_SetObjResult(interp, Tcl_NewByteArrayObj($1.bytes, $1.bytes != NULL ? (int)$1.length : 0)); %}
%typemap(out) const char *, char * %{ Tcl_SetObjResult(interp, Tcl_NewStringObj($1 != NULL ? $1 : "", -1)); %}

%typemap(in, numinputs = 0) char **json (char *text = NULL), const char **value (char *text = NULL)
  "$1 = ($1_ltype)&text;"
%typemap(argout) const char **value
  %{ if (result == COORD_OK) coord_tcl_append(interp, Tcl_NewStringObj(*$1, -1)); %}
%typemap(argout) char **json %{
  if (result == COORD_OK) coord_tcl_append(interp, Tcl_NewStringObj(*$1, -1));
  coord_memory_free(*$1);
%}

/* ---- handles ---------------------------------------------------------------------------------- */

%define COORD_TCL_HANDLE(name)
%fragment("coord_tcl_free_" #name, "header") {
static void coord_tcl_free_##name(void *handle) {
  coord_##name##_free(handle);
}
}
%typemap(in) coord_##name * {
  if (!coord_tcl_to_handle(COORD_TCL_ARG($input, "$1_name"), "coord_" #name, (void **)&$1)) SWIG_fail;
}
%typemap(out, fragment = "coord_tcl_free_" #name) coord_##name * {
  Tcl_SetObjResult(interp, coord_tcl_new(interp, $1, "coord_" #name, coord_tcl_free_##name));
}
%typemap(in, numinputs = 0) coord_##name **out (coord_##name *out = NULL) "$1 = &out;"
%typemap(argout, fragment = "coord_tcl_free_" #name) coord_##name **out {
  if (result == COORD_OK) coord_tcl_append(interp, coord_tcl_new(interp, *$1, "coord_" #name, coord_tcl_free_##name));
}
%enddef
COORD_HANDLES(COORD_TCL_HANDLE)

/* ---- failures --------------------------------------------------------------------------------- */

%typemap(out) coord_code "Tcl_ResetResult(interp);"
%typemap(in, numinputs = 0) coord_error **err (coord_error *error = NULL) "$1 = &error;"
%typemap(argout) coord_error **err %{
  if (result != COORD_OK) {
    coord_tcl_fail(interp, result, *$1);
    SWIG_fail;
  }
%}
/* Functions that give no coord_error. What they were given is freed by now. */
%typemap(ret) coord_code %{ if (result != COORD_OK) return coord_tcl_fail(interp, result, NULL); %}

%native(free) int coord_tcl_free(ClientData data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]);
%native(queue_script) int coord_tcl_queue_script(ClientData data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]);
