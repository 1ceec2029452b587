/* An event: one thing that a queue reports. */
#ifndef COORD_EVENT_H
#define COORD_EVENT_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Types of events. Unknown types may come from a newer library: ignore them. */
enum {
  COORD_EVENT_RESULT = 0, /* a submitted op has ended: coord_event_error or coord_event_result */
  COORD_EVENT_STATE = 7,  /* something has happened to an endpoint */
  COORD_EVENT_LOG = 8     /* a line of the client's log: coord_event_text, coord_event_level */
};

/** What happens to an endpoint, in coord_event_state. */
enum {
  COORD_STATE_CONNECTED = 1,    /* a connection to it is ready */
  COORD_STATE_DISCONNECTED = 2, /* one was lost */
  COORD_STATE_UNREACHABLE = 3,  /* it could not be connected to */
  COORD_STATE_EJECTED = 4,      /* it gets no calls for now */
  COORD_STATE_RESTORED = 5,     /* it gets calls again */
  COORD_STATE_ENDPOINTS = 6     /* the list of endpoints is another one */
};

/** Levels of the log, in coord_event_level. */
enum { COORD_LOG_ERROR = 1, COORD_LOG_WARN = 2, COORD_LOG_INFO = 3, COORD_LOG_DEBUG = 4 };

/* Getters take NULL and then answer 0, -1 or NULL. None blocks. What they return is borrowed until
 * the event is freed. @threads any, @since 0.1 for all. */

/** COORD_EVENT_...; -1 for NULL. */
COORD_API int32_t coord_event_type(const coord_event *event);
/** The tag that was given with the submit or the handle. */
COORD_API uint64_t coord_event_tag(const coord_event *event);
/** COORD_OK, or why it failed. The code is there even when memory for the error object was not. */
COORD_API coord_code coord_event_code(const coord_event *event);
/** Why it failed; NULL when it succeeded. */
COORD_API const coord_error *coord_event_error(const coord_event *event);
/** The result of the op; NULL when it failed. */
COORD_API const coord_result *coord_event_result(const coord_event *event);
/**
 * The same, but handed over: the caller frees it with coord_result_free, and the event keeps none.
 * The one function that changes an event; one thread at a time.
 */
COORD_API coord_result *coord_event_take_result(coord_event *event);
/** LOG: one line of UTF-8 without a line end; NULL otherwise. */
COORD_API const char *coord_event_text(const coord_event *event);
/** LOG: COORD_LOG_ERROR to COORD_LOG_DEBUG; 0 otherwise. */
COORD_API int32_t coord_event_level(const coord_event *event);
/** Free an event and what it still holds. NULL is fine. */
COORD_API void coord_event_free(coord_event *event);

#ifdef __cplusplus
}
#endif

#endif
