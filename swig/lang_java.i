/*
 * Typemaps for Java: class Core, and one class for each kind of handle. A call that fails throws CoordException. What
 * is handed out by a parameter becomes what C returns, of the type that the list at the end gives to the function.
 */
%{
#include "java/convert.h"
%}

%javaconst(1);
%pragma(java) moduleclassmodifiers="public final class"
%pragma(java) modulecode=%{
  private Core() {}
%}
%pragma(java) jniclassclassmodifiers="final class"
%pragma(java) jniclasscode=%{
  static {
    Library.load();
  }
%}

/* ---- numbers: an id of 64 bits is a long ------------------------------------------------------ */

%apply int64_t { uint64_t, size_t };
%apply int32_t { coord_code code };

%typemap(in, numinputs = 0) int64_t *number (int64_t out = 0), uint64_t *id (uint64_t out = 0),
                            int32_t *kind (int32_t out = 0) "$1 = &out;"
%typemap(argout) int64_t *number, uint64_t *id, int32_t *kind
  "if (result == COORD_OK) jresult = (jlong)*$1;"

/* ---- bytes and text --------------------------------------------------------------------------- */

%typemap(jni) (const void *bytes, size_t bytes_len) "jbyteArray"
%typemap(jtype) (const void *bytes, size_t bytes_len) "byte[]"
%typemap(jstype) (const void *bytes, size_t bytes_len) "byte[]"
%typemap(javain) (const void *bytes, size_t bytes_len) "$javainput"
%typemap(in) (const void *bytes, size_t bytes_len) (COORD_JAVA_COPY copy = {NULL})
  %{ if (!coord_java_copy_of(jenv, $input, &copy)) return $null;
     $1 = copy.bytes; $2 = copy.length; %}
%typemap(freearg) (const void *bytes, size_t bytes_len) ""

%typemap(jni) (const void *const *names, const size_t *name_lens, size_t count) "jobjectArray"
%typemap(jtype) (const void *const *names, const size_t *name_lens, size_t count) "byte[][]"
%typemap(jstype) (const void *const *names, const size_t *name_lens, size_t count) "byte[][]"
%typemap(javain) (const void *const *names, const size_t *name_lens, size_t count) "$javainput"
%typemap(in) (const void *const *names, const size_t *name_lens, size_t count) (COORD_JAVA_NAMES list = {0})
  %{ if (!coord_java_names_of(jenv, $input, &list)) return $null;
     $1 = list.names; $2 = list.lengths; $3 = list.count; %}
%typemap(freearg) (const void *const *names, const size_t *name_lens, size_t count) ""

%typemap(jni) coord_bytes "jbyteArray"
%typemap(jtype) coord_bytes "byte[]"
%typemap(jstype) coord_bytes "byte[]"
%typemap(javaout) coord_bytes "{ return $jnicall; }"
%typemap(out) coord_bytes "$result = coord_java_bytes(jenv, $1.bytes, $1.length);"

%typemap(jni) const char *, char * "jbyteArray"
%typemap(jtype) const char *, char * "byte[]"
%typemap(jstype) const char *, char * "String"
%typemap(javain) const char *, char * "Text.needed($javainput, \"$javainput\")"
%typemap(javain) const char *section, const char *subset "Text.utf8($javainput, \"$javainput\")"
%typemap(javaout) const char *, char * "{ return Text.of($jnicall); }"
%typemap(in) const char * (COORD_JAVA_COPY copy = {NULL})
  %{ if (!coord_java_copy_of(jenv, $input, &copy)) return $null;
     $1 = copy.bytes; %}
%typemap(freearg) const char *, char * ""
%typemap(out) const char *, char * "$result = coord_java_text(jenv, $1);"

%typemap(in, numinputs = 0) char **json (char *text = NULL), const char **value (char *text = NULL)
  "$1 = ($1_ltype)&text;"
%typemap(argout) char **json "if (result == COORD_OK) jresult = coord_java_json(jenv, *$1);"
%typemap(argout) const char **value "if (result == COORD_OK) jresult = coord_java_text(jenv, *$1);"
%typemap(in, numinputs = 0) (char **json, int64_t *version) (char *text = NULL, int64_t number = 0)
  "$1 = &text; $2 = &number;"
%typemap(argout) (char **json, int64_t *version)
  "if (result == COORD_OK) jresult = coord_java_value(jenv, *$1, *$2);"

/* ---- handles ---------------------------------------------------------------------------------- */

%typemap(jni) SWIGTYPE * "jobject"
%typemap(jtype) SWIGTYPE * "Handle"
%typemap(jstype) SWIGTYPE * "$javaclassname"
%typemap(javain) SWIGTYPE * "$javainput"
%typemap(in) SWIGTYPE * (COORD_JAVA_PINNED pin = NULL)
  %{ if (!coord_java_pin(jenv, $input, "$1_name", &pin)) return $null;
     $1 = ($1_ltype)pin->handle; %}
%typemap(in) const coord_options *options (COORD_JAVA_PINNED pin = NULL), coord_queue *queue (COORD_JAVA_PINNED pin = NULL)
  %{ if (!coord_java_pin_optional(jenv, $input, "$1_name", "$symname", &pin)) return $null;
     $1 = pin != NULL ? ($1_ltype)pin->handle : NULL; %}
%typemap(javaout) SWIGTYPE * "{ return ($javaclassname)$jnicall; }"

%define COORD_JAVA_HANDLE(name)
%typemap(out) coord_##name * "$result = coord_java_give(jenv, $1, &coord_java_kind_" #name ");"
%typemap(in, numinputs = 0) coord_##name **out (coord_##name *out = NULL) "$1 = &out;"
%typemap(argout) coord_##name **out
  "if (result == COORD_OK) jresult = coord_java_give(jenv, *$1, &coord_java_kind_" #name ");"
%enddef
COORD_HANDLES(COORD_JAVA_HANDLE)
%typemap(out) coord_op *
  %{ $result = coord_java_give(jenv, $1, &coord_java_kind_op);
     if ($1 == NULL) coord_java_throw_memory(jenv); %}

/* ---- failures --------------------------------------------------------------------------------- */

%typemap(jni) coord_code "void"
%typemap(jtype) coord_code "void"
%typemap(jstype) coord_code "void"
%typemap(javaout) coord_code "{ $jnicall; }"
%typemap(out) coord_code ""
%typemap(in, numinputs = 0) coord_error **err (coord_error *error = NULL) "$1 = &error;"
%typemap(argout) coord_error **err
  %{ if (result != COORD_OK) { coord_java_fail(jenv, result, *$1); return $null; } %}
/* Also of functions that give no coord_error. */
%typemap(ret) coord_code
  %{ if (result != COORD_OK) coord_java_fail(jenv, result, NULL); %}

/* ---- what functions return that hand out something -------------------------------------------- */

%define COORD_JAVA_AS(name, jni_type, java_type, class, make)
%typemap(jni) coord_code as_##name #jni_type
%typemap(jtype) coord_code as_##name #java_type
%typemap(jstype) coord_code as_##name #class
%typemap(javaout) coord_code as_##name make
%enddef
%define COORD_JAVA_AS_HANDLE(name, class)
COORD_JAVA_AS(name, jobject, Handle, class, "{ return (" #class ")$jnicall; }")
%enddef
%define COORD_JAVA_RETURNS(name, function)
%apply coord_code as_##name { coord_code coord_##function };
%enddef

COORD_JAVA_AS(long, jlong, long, long, "{ return $jnicall; }")
COORD_JAVA_RETURNS(long, delete)
COORD_JAVA_RETURNS(long, submit)

COORD_JAVA_AS(text, jbyteArray, byte[], String, "{ return Text.of($jnicall); }")
COORD_JAVA_RETURNS(text, client_stats)
COORD_JAVA_RETURNS(text, options_get)
COORD_JAVA_RETURNS(text, registry_services)

COORD_JAVA_AS(config_value, jobject, ConfigValue, ConfigValue, "{ return $jnicall; }")
COORD_JAVA_RETURNS(config_value, config_get)

COORD_JAVA_AS_HANDLE(result, Result)
COORD_JAVA_RETURNS(result, call)
COORD_JAVA_RETURNS(result, get)
COORD_JAVA_RETURNS(result, scan_next)
COORD_JAVA_RETURNS(result, config_all)
COORD_JAVA_RETURNS(result, mirror_get)
COORD_JAVA_RETURNS(result, mirror_range)
COORD_JAVA_RETURNS(result, mirror_prefix)
COORD_JAVA_RETURNS(result, mirror_all)

COORD_JAVA_AS_HANDLE(lease, Lease)
COORD_JAVA_RETURNS(lease, lease_open)
COORD_JAVA_RETURNS(lease, lease_adopt)
COORD_JAVA_RETURNS(lease, lease_start)

COORD_JAVA_AS_HANDLE(lock, Lock)
COORD_JAVA_RETURNS(lock, lock_open)
COORD_JAVA_RETURNS(lock, lock_open_many)

COORD_JAVA_AS_HANDLE(instances, Instances)
COORD_JAVA_RETURNS(instances, registry_discover)
COORD_JAVA_AS_HANDLE(instance, Instance)
COORD_JAVA_RETURNS(instance, picker_pick)
COORD_JAVA_AS_HANDLE(registration, Registration)
COORD_JAVA_RETURNS(registration, registry_register)
COORD_JAVA_AS_HANDLE(options, Options)
COORD_JAVA_RETURNS(options, options_new)

/* As name_open. */
%define COORD_JAVA_OPENS(name, class)
COORD_JAVA_AS_HANDLE(name, class)
COORD_JAVA_RETURNS(name, name##_open)
%enddef
COORD_JAVA_OPENS(client, Client)
COORD_JAVA_OPENS(queue, Queue)
COORD_JAVA_OPENS(scan, Scan)
COORD_JAVA_OPENS(watch, Watch)
COORD_JAVA_OPENS(mirror, Mirror)
COORD_JAVA_OPENS(config, Config)
COORD_JAVA_OPENS(election, Election)
COORD_JAVA_OPENS(workqueue, Workqueue)
COORD_JAVA_OPENS(registry, Registry)
COORD_JAVA_OPENS(discovery, Discovery)
COORD_JAVA_OPENS(picker, Picker)
