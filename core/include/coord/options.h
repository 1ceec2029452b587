/* Options of a client: text keys from one table, core/spec/options.def; docs/CONFIGURATION.md. */
#ifndef COORD_OPTIONS_H
#define COORD_OPTIONS_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A set of options, all at their defaults.
 *
 * @param out  [out] owned by the caller, coord_options_free
 * @return COORD_OK, COORD_INVALID (out is NULL), COORD_NO_MEMORY
 * @threads one at a time   @blocks no   @since 0.1
 */
COORD_API coord_code coord_options_new(coord_options **out);

/**
 * Set one option. The value is checked now: type, range, choices. It wins over what a URL, the
 * environment or a file say of that option, whatever the order.
 *
 * @param name   as in CONFIGURATION.md ("request.timeout.ms"); behind a secret one, ".file"
 *               ("proxy.file") reads its value now from the file that `value` names, without one
 *               line end
 * @param value  text; numbers in decimal, booleans "true" or "false"; "" gives the default back
 * @param err    [out,opt] names the option, the value (not of a secret) and what would be right
 * @return COORD_OK, COORD_INVALID, COORD_NO_MEMORY
 * @owns both texts are copied   @threads one at a time   @blocks only to read a file   @since 0.1
 */
COORD_API coord_code coord_options_set(coord_options *options, const char *name, const char *value,
                                       coord_error **err);

/**
 * The value of an option: the one that was set, or the default.
 *
 * @param value  [out] borrowed until the option is set again or the options are freed; a secret
 *               that was set reads as "***", a URL in "endpoints" as the list within
 * @return COORD_OK, COORD_INVALID (no such option)
 * @threads one at a time   @blocks no   @since 0.1
 */
COORD_API coord_code coord_options_get(const coord_options *options, const char *name,
                                       const char **value, coord_error **err);

/**
 * Set options from a YAML file: those of its section "defaults", then those of the named one.
 * docs/GUIDE.md shows such a file. They give way to the environment and to coord_options_set.
 *
 * @param path     of the file; at most 256 KiB
 * @param section  NULL or "": "defaults" alone
 * @param err      [out,opt] names file, line, column, option and value (not of a secret)
 * @return COORD_OK, COORD_INVALID (nothing was set), COORD_EXHAUSTED, COORD_NO_MEMORY
 * @threads one at a time   @blocks reading files   @since 0.1
 */
COORD_API coord_code coord_options_load(coord_options *options, const char *path,
                                        const char *section, coord_error **err);

/**
 * Set options from the environment: the file that COORD_CONFIG names ("path" or "path#section"),
 * etcdctl's ETCDCTL_* variables, and COORD_* (COORD_REQUEST_TIMEOUT_MS for request.timeout.ms), each
 * of which wins over those before it. They give way to coord_options_set. Nothing of the environment
 * is used without this call.
 *
 * @param err  [out,opt] names the variable
 * @return COORD_OK, COORD_INVALID (nothing was set), COORD_EXHAUSTED, COORD_NO_MEMORY
 * @threads one at a time, and none may change the environment meanwhile   @blocks reading files
 * @since 0.1
 */
COORD_API coord_code coord_options_env(coord_options *options, coord_error **err);

/**
 * How many options this library knows.
 *
 * @threads any   @blocks no   @since 0.1
 */
COORD_API int32_t coord_options_count(void);

/**
 * Name of option number i, counted from 0.
 *
 * @return static text, NULL when i is out of range   @threads any   @blocks no   @since 0.1
 */
COORD_API const char *coord_options_name(int32_t i);

/**
 * Free a set of options. Clients opened with it keep their own copy.
 *
 * @param options  may be NULL
 * @threads one at a time   @blocks no   @since 0.1
 */
COORD_API void coord_options_free(coord_options *options);

#ifdef __cplusplus
}
#endif

#endif
