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
 * Set one option. The value is checked now: type, range, choices.
 *
 * @param name   as in CONFIGURATION.md ("request.timeout.ms")
 * @param value  text; numbers in decimal, booleans "true" or "false"; "" gives the default back
 * @param err    [out,opt] names the option, the value (not of a secret) and what would be right
 * @return COORD_OK, COORD_INVALID, COORD_NO_MEMORY
 * @owns both texts are copied   @threads one at a time   @blocks no   @since 0.1
 */
COORD_API coord_code coord_options_set(coord_options *options, const char *name, const char *value,
                                       coord_error **err);

/**
 * The value of an option: the one that was set, or the default.
 *
 * @param value  [out] borrowed until the option is set again or the options are freed; a secret
 *               that was set reads as "***"
 * @return COORD_OK, COORD_INVALID (no such option)
 * @threads one at a time   @blocks no   @since 0.1
 */
COORD_API coord_code coord_options_get(const coord_options *options, const char *name,
                                       const char **value, coord_error **err);

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
