/*
 * The C interface of coord for SWIG: what is alike in all languages. README.md says how a language is added.
 *
 * Every function of the public headers is there under its name without "coord_", and every constant without
 * "COORD_". What a function hands out by a parameter is what it returns; coord_code and coord_error are an
 * exception, or whatever a language has for that. Handles are freed when the language collects them: the
 * library's own references make any order right.
 */
#ifdef SWIGJAVA
%module(package="io.coord") core
#else
%module coord_core
#endif

%{
#include <coord.h>
#include "borrowed.h"
%}

%include "stdint.i"

%rename("%(strip:[coord_])s") "";
%rename("%(strip:[COORD_])s", %$isenumitem) "";
#ifdef SWIGJAVA
%include "java/classes.i"
#elif defined(SWIGRUBY) || defined(SWIGPERL)
%rename("%(regex:/^coord_(.*)/\\u\\1/)s", %$isclass) "";
#endif

/* ---- handles ---------------------------------------------------------------------------------- */

/* Opaque, with a destructor. Explicit frees are left out: each language has a way of its own to say "now". */
%define COORD_HANDLE(name)
%nodefaultctor coord_##name;
struct coord_##name {};
%extend coord_##name {
  ~coord_##name() { coord_##name##_free($self); }
}
%ignore coord_##name##_free;
%enddef

%define COORD_HANDLES(DO)
DO(options) DO(client) DO(queue) DO(op) DO(result) DO(event) DO(scan) DO(lease) DO(watch) DO(mirror) DO(config)
DO(lock) DO(election) DO(workqueue) DO(registry) DO(registration) DO(instance) DO(instances) DO(discovery) DO(picker)
%enddef
COORD_HANDLES(COORD_HANDLE)

/* Functions that return a handle which is the caller's; those that hand it out by a parameter need no word. */
%newobject coord_op_get;
%newobject coord_op_put;
%newobject coord_op_delete;
%newobject coord_op_compact;
%newobject coord_op_status;
%newobject coord_op_members;
%newobject coord_op_txn;
%newobject coord_op_scan_next;
%newobject coord_op_lease_grant;
%newobject coord_op_lease_revoke;
%newobject coord_op_lease_keepalive;
%newobject coord_op_lease_info;
%newobject coord_op_lease_list;
%newobject coord_op_acquire;
%newobject coord_op_release;
%newobject coord_op_lock_renew;
%newobject coord_op_lock_queue;
%newobject coord_op_campaign;
%newobject coord_op_proclaim;
%newobject coord_op_resign;
%newobject coord_op_leader;
%newobject coord_op_barrier_raise;
%newobject coord_op_barrier_lower;
%newobject coord_op_barrier_wait;
%newobject coord_op_work_put;
%newobject coord_op_work_take;
%newobject coord_op_work_done;
%newobject coord_op_work_return;
%newobject coord_op_registered;
%newobject coord_op_update_instance;
%newobject coord_op_deregister;
%newobject coord_op_discover;
%newobject coord_op_config_set;
%newobject coord_op_config_delete;
%newobject coord_op_config_get;
%newobject coord_op_config_list;
%newobject coord_op_config_history;
%newobject coord_op_auth_enable;
%newobject coord_op_auth_disable;
%newobject coord_op_auth_status;
%newobject coord_op_user_add;
%newobject coord_op_user_delete;
%newobject coord_op_user_get;
%newobject coord_op_user_list;
%newobject coord_op_user_password;
%newobject coord_op_user_grant;
%newobject coord_op_user_revoke;
%newobject coord_op_role_add;
%newobject coord_op_role_delete;
%newobject coord_op_role_get;
%newobject coord_op_role_list;
%newobject coord_op_role_grant;
%newobject coord_op_role_revoke;
%newobject coord_queue_next;
%newobject coord_event_take_result;
%newobject coord_registration_instance;
%newobject coord_instances_json;
%typemap(newfree) char *coord_instances_json "coord_memory_free($1);"

/* ---- what is left out ------------------------------------------------------------------------- */

/* What is borrowed must not outlive its owner, which no collector knows: borrowed.h has it by value, or kept. */
%ignore coord_event_result;
%ignore coord_event_error;
%ignore coord_event_change;
%ignore coord_event_instances;
%ignore coord_event_instance;
%ignore coord_result_part;
%ignore coord_result_kv;
%ignore coord_result_permission;
%ignore coord_instances_at;
%ignore coord_instance_keep;
%ignore coord_lock_key;
%ignore coord_election_key;
/* A code that is a value, not a failure: event_code is in borrowed.h. */
%ignore coord_event_code;
%rename(event_code) coord_event_number;
/* Errors are the language's own. */
%ignore coord_error_code;
%ignore coord_error_message;
%ignore coord_error_flags;
%ignore coord_error_grpc_status;
%ignore coord_error_http_status;
%ignore coord_error_endpoint;
%ignore coord_error_free;
%ignore coord_memory_free;
%ignore coord_kv;
/* Arrays: coord_submit of each, and coord_queue_next in turn, do the same. */
%ignore coord_call_many;
%ignore coord_submit_many;
%ignore coord_queue_drain;
/* What borrowed.h is made of; bytes are strings. */
%ignore coord_swig_part;
%ignore coord_swig_kv;
%ignore coord_swig_change;
%ignore coord_bytes;

/* ---- typemaps: a language gives those that are named here ------------------------------------- */

/*
 * lang_X.i defines, before this line has any effect, typemaps for
 *
 *   (const void *bytes, size_t bytes_len)      in: a string of bytes; NULL and 0 for nothing
 *   (const void *const *names, const size_t *name_lens, size_t count)     in: a list of such
 *   coord_bytes                                out: a string of bytes; nothing when .bytes is NULL
 *   coord_code, coord_error **err              the failure of a call; err is never NULL
 *   coord_HANDLE **out                         handed out, owned
 *   char **json                                handed out; to be freed with coord_memory_free
 *   const char **value                         handed out, borrowed
 *   int64_t *number, uint64_t *id, int32_t *kind      handed out
 */
#if defined(SWIGLUA)
%include "lang_lua.i"
#elif defined(SWIGRUBY)
%include "lang_ruby.i"
#elif defined(SWIGPERL)
%include "lang_perl.i"
#elif defined(SWIGPHP)
%include "lang_php.i"
#elif defined(SWIGTCL)
%include "lang_tcl.i"
#elif defined(SWIGJAVA)
%include "lang_java.i"
#elif defined(SWIGPYTHON)
%include "lang_python.i"
#endif

%define COORD_BYTES(name)
%apply (const void *bytes, size_t bytes_len) { (const void *name, size_t name##_len) };
%enddef
COORD_BYTES(key)
COORD_BYTES(value)
COORD_BYTES(end)
COORD_BYTES(name)
COORD_BYTES(prefix)
COORD_BYTES(from)
COORD_BYTES(hash_key)
%apply int64_t *number { int64_t *deleted, int64_t *version };
%apply uint64_t *id { uint64_t *call_id };
%apply int32_t *kind { int32_t *type, int32_t *change };

#define COORD_API
%include "coord/base.h"
%include "coord/error.h"
%include "coord/options.h"
%include "coord/client.h"
%include "coord/queue.h"
%include "coord/op.h"
%include "coord/call.h"
%include "coord/result.h"
%include "coord/event.h"
%include "coord/scan.h"
%include "coord/lease.h"
%include "coord/watch.h"
%include "coord/lock.h"
%include "coord/election.h"
%include "coord/mirror.h"
%include "coord/config.h"
%include "coord/instance.h"
%include "coord/registry.h"
%include "coord/discovery.h"
%include "coord/picker.h"
%include "coord/barrier.h"
%include "coord/workqueue.h"
%include "coord/auth.h"
%include "borrowed.h"
