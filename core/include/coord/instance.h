/* An instance of a service, as the registry knows it. */
#ifndef COORD_INSTANCE_H
#define COORD_INSTANCE_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * An instance is a JSON object. Fields beside these are kept, and mean nothing here.
 *
 *   name      the service. A string without "/"
 *   id        which instance; a string. Left out: "address:port"
 *   address   a host name or IP address, a string
 *   port      0 to 65535; 0 or left out: none
 *   metadata  an object of strings; left out: {}
 *   weight    0 to 1,000,000, how much of the work it takes beside others; left out: 1
 *   status    "up", "starting", "draining" or "down"; only "up" is picked. Left out: "up"
 *   version   a string, of the program
 *
 * Getters take NULL and then answer 0 or NULL. None blocks. What they return is borrowed until the
 * instance is freed. @threads any, @since 0.1 for all.
 */

/** Which instance it is. */
COORD_API const char *coord_instance_id(const coord_instance *instance);
/** The service. */
COORD_API const char *coord_instance_name(const coord_instance *instance);
/** Host name or IP address, without the port. */
COORD_API const char *coord_instance_address(const coord_instance *instance);
/** "up" and others; unknown ones may come. */
COORD_API const char *coord_instance_status(const coord_instance *instance);
/** "" when there is none. */
COORD_API const char *coord_instance_version(const coord_instance *instance);
/** 0 when there is none. */
COORD_API int32_t coord_instance_port(const coord_instance *instance);
/** How much of the work it takes beside others. */
COORD_API int32_t coord_instance_weight(const coord_instance *instance);
/** A value of its metadata; NULL when there is none of this key. */
COORD_API const char *coord_instance_metadata(const coord_instance *instance, const char *key);
/** The whole object as JSON, with what was left out filled in. */
COORD_API const char *coord_instance_json(const coord_instance *instance);

/**
 * Work on it begins: for COORD_PICK_LEAST_PENDING. It counts for all pickers of the registry that it came
 * from, and whatever version of it they hold.
 */
COORD_API void coord_instance_begin(const coord_instance *instance);
/** Work on it that was begun has ended. */
COORD_API void coord_instance_done(const coord_instance *instance);
/**
 * It has failed: pickers of its registry leave it out for so long, as long as there is another one. 0
 * milliseconds: it is well again.
 */
COORD_API void coord_instance_failed(const coord_instance *instance, int32_t for_ms);
/** Let go of it. NULL is fine. */
COORD_API void coord_instance_free(coord_instance *instance);

#ifdef __cplusplus
}
#endif

#endif
