/* Errors: a code for switch, an object for people. The table behind them is core/spec/errors.def. */
#ifndef COORD_ERROR_H
#define COORD_ERROR_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Codes. docs/ERRORS.md says what each means and what to do; the values never change. */
enum {
  COORD_OK = 0,
  COORD_INVALID = -1,
  COORD_TIMEOUT = -2,
  COORD_UNAVAILABLE = -3,
  COORD_AUTH = -4,
  COORD_TLS = -5,
  COORD_COMPACTED = -6,
  COORD_NOT_FOUND = -7,
  COORD_CONFLICT = -8,
  COORD_NOT_HELD = -9,
  COORD_LOST = -10,
  COORD_TOO_LARGE = -11,
  COORD_CANCELED = -12,
  COORD_CLOSED = -13,
  COORD_FORKED = -14,
  COORD_PROTOCOL = -15,
  COORD_NO_MEMORY = -16,
  COORD_UNSUPPORTED = -17,
  COORD_EXHAUSTED = -18,
  COORD_INTERNAL = -19
};

/** Bits of coord_error_flags. */
enum {
  /** The same call may succeed later without any change. */
  COORD_RETRIABLE = 1,
  /** A write whose outcome is unknown: it may have been applied, once. Read before repeating it. */
  COORD_MAYBE_APPLIED = 2,
  /** The handle is of no further use. */
  COORD_FATAL = 4
};

/**
 * Name of a code, without the prefix ("TIMEOUT").
 *
 * @return static text, never NULL; "UNKNOWN" for a code that this version does not know
 * @threads any   @blocks no   @since 0.1
 */
COORD_API const char *coord_code_name(coord_code code);

/**
 * The code of an error.
 *
 * @param err  NULL gives COORD_OK
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_error_code(const coord_error *err);

/**
 * What went wrong, in one line of UTF-8 for a person. Never holds a secret.
 *
 * @return borrowed, lives as long as err; "" for NULL   @threads any   @blocks no   @since 0.1
 */
COORD_API const char *coord_error_message(const coord_error *err);

/**
 * COORD_RETRIABLE, COORD_MAYBE_APPLIED, COORD_FATAL as bits; 0 for NULL.
 *
 * @threads any   @blocks no   @since 0.1
 */
COORD_API uint32_t coord_error_flags(const coord_error *err);

/**
 * The gRPC status that the server sent (0 to 16), or -1 when none came.
 *
 * @threads any   @blocks no   @since 0.1
 */
COORD_API int32_t coord_error_grpc_status(const coord_error *err);

/**
 * The HTTP status that the server sent when it was not 200, or -1.
 *
 * @threads any   @blocks no   @since 0.1
 */
COORD_API int32_t coord_error_http_status(const coord_error *err);

/**
 * The endpoint that the failing call talked to ("127.0.0.1:2379"), or "" when there was none.
 *
 * @return borrowed, lives as long as err   @threads any   @blocks no   @since 0.1
 */
COORD_API const char *coord_error_endpoint(const coord_error *err);

/**
 * Free an error that a function handed out.
 *
 * @param err  may be NULL; never one borrowed from an event
 * @threads any   @blocks no   @since 0.1
 */
COORD_API void coord_error_free(coord_error *err);

#ifdef __cplusplus
}
#endif

#endif
