/*
 * Instances of services: JSON objects, checked, and what is stored of them in one of two formats. Pure
 * code. An instance is immutable but for its tally, which it shares with its later versions.
 */
#ifndef COORD_COORD_INSTANCE_OBJECT_H
#define COORD_COORD_INSTANCE_OBJECT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "coord/instance.h"

struct json_object;

typedef enum coord__format {
  COORD__FORMAT_JSON,  /* the object itself */
  COORD__FORMAT_NAMING /* of etcd's package naming/endpoints; coord/instance_naming.c */
} coord__format;

enum { COORD__WEIGHT_MAX = 1000000 };

/* What a program has told about an instance. */
typedef struct coord__tally {
  atomic_int refs;
  atomic_int pending;
  _Atomic int64_t excluded_ns; /* until then, on the monotonic clock; 0: is not */
} coord__tally;

struct coord_instance {
  atomic_int refs;
  int64_t mod;  /* revision of its key; 0: it has none */
  int32_t port; /* 0: none */
  int32_t weight;
  bool is_up;
  coord__tally *tally; /* NULL until it is shared among threads: see coord__instance_share */
  const char *id;
  const char *name;
  const char *address;
  const char *status;
  const char *version; /* "": none */
  size_t metadata_count;
  const char **metadata; /* keys and values in turn */
  const char *json;
  size_t json_len;
  coord__arena *arena; /* that all of this is in */
};

/* From a program: all is checked, what may be left out is filled in. COORD_INVALID names the field. */
coord_code coord__instance_parse(const char *json, size_t len, coord_instance **out,
                                 coord_error **err);
/* With another object's fields in place of its own; null takes one away, and so in "metadata". */
coord_code coord__instance_patch(const coord_instance *from, const char *patch, size_t len,
                                 coord_instance **out, coord_error **err);
/* From the store: the rest of its key after PREFIX/SERVICE/ is its id. COORD_INVALID: it is none. */
coord_code coord__instance_read(coord__format format, const char *service, const char *id,
                                const void *value, size_t len, coord_instance **out,
                                coord_error **err);
/* What is to be stored. */
coord_code coord__instance_value(const coord_instance *instance, coord__format format,
                                 coord__buf *out, coord_error **err);

coord_instance *coord__instance_retain(coord_instance *instance);
void coord__instance_release(coord_instance *instance);
/* Give it the tally of an earlier version, or (NULL) a new one. False: memory is out. */
bool coord__instance_share(coord_instance *instance, const coord_instance *before);
/* NULL: none of this key. */
const char *coord__instance_metadata(const coord_instance *instance, const char *key,
                                     size_t key_len);

/* ---- for the other format ---- */

/* An object of the bytes; COORD_INVALID when they are something else. `what` begins the message. */
coord_code coord__json_object(const char *what, const void *json, size_t len,
                              struct json_object **out, coord_error **err);
/* Hand a value over to an object. False: memory is out; NULL is taken for that. */
bool coord__json_put(struct json_object *to, const char *name, struct json_object *value);
/* A copy of all; NULL when memory is out. */
struct json_object *coord__json_copy(struct json_object *from);
/* From fields as a program gives them; `root` is borrowed and gets what was left out. */
coord_code coord__instance_build(struct json_object *root, bool from_store, coord_instance **out,
                                 coord_error **err);
/* coord/instance_naming.c: what an Endpoint is as fields, and back. NULL: it is none (COORD_INVALID, and err
 * says why), or memory is out. */
struct json_object *coord__naming_read(const char *service, const char *id, const void *value,
                                       size_t len, coord_error **err);
struct json_object *coord__naming_write(const coord_instance *instance, struct json_object *fields);
/* "host:port", "[v6]:port" or the address alone. False: memory is out. */
bool coord__naming_join(const char *address, int32_t port, coord__buf *out);

#endif
