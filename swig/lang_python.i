/*
 * Typemaps for Python 3: a test of what coord.i names, never installed. Programs in Python use bindings/python. A call that fails
 * raises coord_core.Error, which has code, flags, endpoint, grpc_status and http_status; bytes are bytes, text is str.
 */
%{
#include "python/convert.h"
%}
%init %{
  if (coord_python_open(m) != 0) return NULL;
%}
%pythoncode %{
Error = _coord_core.Error
%}

/* ---- the interpreter's lock: let go of where a call may wait ---------------------------------- */

%nothread;
%thread coord_client_open;
%thread coord_client_close;
%thread coord_client_sync_endpoints;
%thread coord_queue_next;
%thread coord_call;
%thread coord_put;
%thread coord_get;
%thread coord_delete;
%thread coord_scan_next;
%thread coord_lease_open;
%thread coord_lease_adopt;
%thread coord_lease_close;
%thread coord_mirror_open;
%thread coord_config_open;
%thread coord_registry_open;
%thread coord_registry_discover;
%thread coord_registry_services;

/* ---- numbers ---------------------------------------------------------------------------------- */

%typemap(in, numinputs = 0) int64_t *number (int64_t out = 0), uint64_t *id (uint64_t out = 0),
                            int32_t *kind (int32_t out = 0) "$1 = &out;"
%typemap(argout) int64_t *number, int32_t *kind
  "if (result == COORD_OK) $result = SWIG_Python_AppendOutput($result, PyLong_FromLongLong(*$1));"
%typemap(argout) uint64_t *id
  "if (result == COORD_OK) $result = SWIG_Python_AppendOutput($result, PyLong_FromUnsignedLongLong(*$1));"
%apply int32_t { coord_code code };

/* ---- bytes and text --------------------------------------------------------------------------- */

%typemap(in) (const void *bytes, size_t bytes_len) (COORD_PYTHON_VIEW view = {NULL})
  %{ if (coord_python_view($input, &view) != 0) SWIG_fail;
     $1 = view.buf; $2 = (size_t)view.len; %}
%typemap(in) (const void *const *names, const size_t *name_lens, size_t count) (COORD_PYTHON_NAMES list = {NULL})
  %{ if (coord_python_names_of($input, &list) != 0) SWIG_fail;
     $1 = list.names; $2 = list.lengths; $3 = list.count; %}
%typemap(out) coord_bytes "$result = coord_python_bytes($1);"

%typemap(in, numinputs = 0) char **json (char *text = NULL), const char **value (char *text = NULL)
  "$1 = ($1_ltype)&text;"
%typemap(argout) char **json
  %{ if (result == COORD_OK) $result = SWIG_Python_AppendOutput($result, PyUnicode_FromString(*$1));
     coord_memory_free(*$1); %}
%typemap(argout) const char **value
  "if (result == COORD_OK) $result = SWIG_Python_AppendOutput($result, PyUnicode_FromString(*$1));"

/* ---- handles: of those that are needed None is refused ---------------------------------------- */

%define COORD_PYTHON_HANDLE(name)
%typemap(check) coord_##name *, const coord_##name *
  %{ if ($1 == NULL) SWIG_exception_fail(SWIG_TypeError, "$1_name is None"); %}
%typemap(in, numinputs = 0) coord_##name **out (coord_##name *out = NULL) "$1 = &out;"
%typemap(argout) coord_##name **out
  %{ if (result == COORD_OK) {
       $result = SWIG_Python_AppendOutput($result, SWIG_NewPointerObj(*$1, $*1_descriptor, SWIG_POINTER_OWN));
     } %}
%enddef
COORD_HANDLES(COORD_PYTHON_HANDLE)
%typemap(check) const coord_options *options, coord_queue *queue ""

/* ---- failures --------------------------------------------------------------------------------- */

%typemap(out) coord_code "$result = SWIG_Py_Void();"
%typemap(in, numinputs = 0) coord_error **err (coord_error *error = NULL) "$1 = &error;"
%typemap(argout) coord_error **err
  %{ if (result != COORD_OK) { coord_python_fail(result, *$1); Py_CLEAR($result); SWIG_fail; } %}
/* Also of functions that give no coord_error. */
%typemap(ret) coord_code
  %{ if (result != COORD_OK) { coord_python_fail(result, NULL); Py_CLEAR($result); SWIG_fail; } %}
