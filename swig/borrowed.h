/*
 * In the place of functions that hand out what they borrow: the same by value, or with a reference of its own. Compiled
 * into every module that SWIG makes, and read by SWIG.
 *
 * A key-value is told by its parts: of a result number i, of a change number i as it is now, or as it was before. `part`
 * is that of a txn's result, -1 the result itself.
 */
#ifndef COORD_BORROWED_H
#define COORD_BORROWED_H

#include <coord.h>

/* Bytes by value, that whoever they come from still has. NULL: nothing. */
typedef struct coord_bytes {
  const void *bytes;
  size_t length;
} coord_bytes;

static inline const coord_result *coord_swig_part(const coord_result *result, int32_t part) {
  return part < 0 ? result : coord_result_part(result, (size_t)part);
}

static inline coord_kv coord_swig_kv(const coord_result *result, int32_t part, size_t i) {
  coord_kv kv = {.key = NULL};
  coord_result_kv(coord_swig_part(result, part), i, &kv);
  return kv;
}

static inline coord_kv coord_swig_change(const coord_event *event, size_t i, int previous) {
  coord_kv kv = {.key = NULL}, before = {.key = NULL};
  coord_event_change(event, i, NULL, &kv, &before);
  return previous ? before : kv;
}

/* ---- results ---------------------------------------------------------------------------------- */

static inline int64_t coord_part_revision(const coord_result *result, int32_t part) {
  return coord_result_revision(coord_swig_part(result, part));
}
static inline size_t coord_part_count(const coord_result *result, int32_t part) {
  return coord_result_count(coord_swig_part(result, part));
}
static inline int64_t coord_part_total(const coord_result *result, int32_t part) {
  return coord_result_total(coord_swig_part(result, part));
}
static inline int coord_part_more(const coord_result *result, int32_t part) {
  return coord_result_more(coord_swig_part(result, part));
}
static inline coord_bytes coord_kv_key(const coord_result *result, int32_t part, size_t i) {
  coord_kv kv = coord_swig_kv(result, part, i);
  return (coord_bytes){kv.key, kv.key_len};
}
static inline coord_bytes coord_kv_value(const coord_result *result, int32_t part, size_t i) {
  coord_kv kv = coord_swig_kv(result, part, i);
  return (coord_bytes){kv.value, kv.value_len};
}
static inline int64_t coord_kv_create_revision(const coord_result *result, int32_t part, size_t i) {
  return coord_swig_kv(result, part, i).create_revision;
}
static inline int64_t coord_kv_mod_revision(const coord_result *result, int32_t part, size_t i) {
  return coord_swig_kv(result, part, i).mod_revision;
}
static inline int64_t coord_kv_version(const coord_result *result, int32_t part, size_t i) {
  return coord_swig_kv(result, part, i).version;
}
static inline int64_t coord_kv_lease_id(const coord_result *result, int32_t part, size_t i) {
  return coord_swig_kv(result, part, i).lease_id;
}

/* ---- events ----------------------------------------------------------------------------------- */

/* COORD_OK, or why it failed. */
static inline int32_t coord_event_number(const coord_event *event) {
  return coord_event_code(event);
}
/* "" when all is well. */
static inline const char *coord_event_message(const coord_event *event) {
  return coord_error_message(coord_event_error(event));
}
/* COORD_RETRIABLE and others. */
static inline uint32_t coord_event_flags(const coord_event *event) {
  return coord_error_flags(coord_event_error(event));
}
/* COORD_CHANGE_PUT or COORD_CHANGE_DELETE; of a discovery COORD_INSTANCE_...; -1: there is none. */
static inline int32_t coord_change_type(const coord_event *event, size_t i) {
  int32_t type = -1;
  if (coord_event_instances(event) != NULL) {
    coord_event_instance(event, i, &type);
  } else {
    coord_event_change(event, i, &type, NULL, NULL);
  }
  return type;
}
static inline coord_bytes coord_change_key(const coord_event *event, size_t i) {
  coord_kv kv = coord_swig_change(event, i, 0);
  return (coord_bytes){kv.key, kv.key_len};
}
static inline coord_bytes coord_change_value(const coord_event *event, size_t i) {
  coord_kv kv = coord_swig_change(event, i, 0);
  return (coord_bytes){kv.value, kv.value_len};
}
static inline int64_t coord_change_create_revision(const coord_event *event, size_t i) {
  return coord_swig_change(event, i, 0).create_revision;
}
static inline int64_t coord_change_mod_revision(const coord_event *event, size_t i) {
  return coord_swig_change(event, i, 0).mod_revision;
}
static inline int64_t coord_change_version(const coord_event *event, size_t i) {
  return coord_swig_change(event, i, 0).version;
}
static inline int64_t coord_change_lease_id(const coord_event *event, size_t i) {
  return coord_swig_change(event, i, 0).lease_id;
}
/* Nothing when there was none, or it is not known. */
static inline coord_bytes coord_change_previous(const coord_event *event, size_t i) {
  coord_kv kv = coord_swig_change(event, i, 1);
  return (coord_bytes){kv.key != NULL ? kv.value : NULL, kv.value_len};
}

/* ---- locks and elections ---------------------------------------------------------------------- */

static inline coord_bytes coord_lock_key_of(const coord_lock *lock, size_t i) {
  coord_kv kv = {.key = NULL};
  coord_lock_key(lock, i, &kv);
  return (coord_bytes){kv.key, kv.key_len};
}
/* The lease that its key hangs on; 0: it is not held. */
static inline int64_t coord_lock_lease_of(const coord_lock *lock) {
  coord_kv kv = {.key = NULL};
  coord_lock_key(lock, 0, &kv);
  return kv.lease_id;
}
static inline int64_t coord_election_lease_of(const coord_election *election) {
  coord_kv kv = {.key = NULL};
  coord_election_key(election, &kv);
  return kv.lease_id;
}
static inline coord_bytes coord_election_key_of(const coord_election *election) {
  coord_kv kv = {.key = NULL};
  coord_election_key(election, &kv);
  return (coord_bytes){kv.key, kv.key_len};
}

/* ---- instances -------------------------------------------------------------------------------- */

#ifdef SWIG
%newobject coord_instances_get;
%newobject coord_change_instance;
%newobject coord_event_instance_get;
#endif

static inline coord_instance *coord_instances_get(const coord_instances *instances, size_t i) {
  return coord_instance_keep(coord_instances_at(instances, i));
}
static inline coord_instance *coord_change_instance(const coord_event *event, size_t i) {
  return coord_instance_keep(coord_event_instance(event, i, NULL));
}
/* Of all instances that an event of a discovery tells of. */
static inline size_t coord_event_instance_count(const coord_event *event) {
  return coord_instances_count(coord_event_instances(event));
}
static inline coord_instance *coord_event_instance_get(const coord_event *event, size_t i) {
  return coord_instance_keep(coord_instances_at(coord_event_instances(event), i));
}

#endif
