/* Types, version and memory: what every other header needs. */
#ifndef COORD_BASE_H
#define COORD_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifndef COORD_API
#if defined(__GNUC__)
#define COORD_API __attribute__((visibility("default")))
#else
#define COORD_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Outcome of a call: COORD_OK or one of the negative codes in error.h. */
typedef int32_t coord_code;

typedef struct coord_error coord_error;
typedef struct coord_options coord_options;
typedef struct coord_client coord_client;
typedef struct coord_queue coord_queue;
typedef struct coord_op coord_op;
typedef struct coord_result coord_result;
typedef struct coord_event coord_event;
typedef struct coord_scan coord_scan;
typedef struct coord_lease coord_lease;
typedef struct coord_watch coord_watch;
typedef struct coord_mirror coord_mirror;
typedef struct coord_config coord_config;
typedef struct coord_lock coord_lock;
typedef struct coord_election coord_election;
typedef struct coord_workqueue coord_workqueue;
typedef struct coord_registry coord_registry;
typedef struct coord_registration coord_registration;
typedef struct coord_instance coord_instance;
typedef struct coord_instances coord_instances;
typedef struct coord_discovery coord_discovery;
typedef struct coord_picker coord_picker;

/**
 * etcd's KeyValue: the one public struct, frozen. Borrowed from the result or event it came from.
 * One NUL byte follows key and value as a courtesy that is not counted in the lengths.
 * lease_id is 0 when no lease is attached.
 */
typedef struct coord_kv {
  const void *key;
  size_t key_len;
  const void *value;
  size_t value_len;
  int64_t create_revision;
  int64_t mod_revision;
  int64_t version;
  int64_t lease_id;
} coord_kv;

/**
 * The version of the library that is loaded, as 0x00MMmmpp.
 *
 * @return never 0   @threads any   @blocks no   @since 0.1
 */
COORD_API uint32_t coord_version(void);

/**
 * The version of the library that is loaded, as text ("0.1.0").
 *
 * @return static text, never NULL   @threads any   @blocks no   @since 0.1
 */
COORD_API const char *coord_version_string(void);

/**
 * Free memory that the library returned as a plain pointer (text of coord_client_stats).
 *
 * @param p  may be NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API void coord_memory_free(void *p);

#ifdef __cplusplus
}
#endif

#endif
