/* An event: one thing that a queue reports. */
#ifndef COORD_EVENT_H
#define COORD_EVENT_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Types of events. Unknown types may come from a newer library: ignore them. */
enum {
  COORD_EVENT_RESULT = 0,   /* a submitted op has ended: coord_event_error or coord_event_result */
  COORD_EVENT_CHANGES = 1,  /* of a watch or a mirror: coord_event_count, coord_event_change,
                               coord_event_revision */
  COORD_EVENT_RESYNC = 2,   /* a watch stands, for the first time or again: coord_event_revision,
                               coord_event_code; of a mirror: see coord/mirror.h */
  COORD_EVENT_AT_RISK = 3,  /* of a lease: see coord/lease.h */
  COORD_EVENT_LOST = 4,     /* the same */
  COORD_EVENT_RESTORED = 5, /* the same */
  COORD_EVENT_ACQUIRED = 6, /* of a lock, an election or a lease: see coord/lock.h, coord/lease.h */
  COORD_EVENT_STATE = 7,  /* of an endpoint or their list: coord_event_state, coord_event_endpoint,
                               coord_event_text, coord_event_code */
  COORD_EVENT_LOG = 8,    /* a line of the client's log: coord_event_text, coord_event_level */
  COORD_EVENT_CLOSED = 9, /* the last one of a handle: coord_event_code, coord_event_error */
  COORD_EVENT_REJECTED = 10 /* of a configuration: see coord/config.h */
};

/** What has happened to a key, from coord_event_change. */
enum {
  COORD_CHANGE_PUT = 0,   /* created when create_revision is mod_revision, else changed */
  COORD_CHANGE_DELETE = 1 /* also by the end of a lease; there are only key and mod_revision */
};

/** What has become of an endpoint, in coord_event_state. More may come: ignore what is unknown. */
enum {
  COORD_STATE_CONNECTED = 1,    /* there is a connection, after there was none */
  COORD_STATE_DISCONNECTED = 2, /* the last connection was lost */
  COORD_STATE_UNREACHABLE = 3,  /* it could not be connected to; not repeated for the same reason */
  COORD_STATE_EJECTED = 4,      /* it gets no calls for now */
  COORD_STATE_RESTORED = 5,     /* it gets them again */
  COORD_STATE_ENDPOINTS = 6     /* the list of endpoints is now another one */
};

/** Levels of the log, in coord_event_level. */
enum { COORD_LOG_ERROR = 1, COORD_LOG_WARN = 2, COORD_LOG_INFO = 3, COORD_LOG_DEBUG = 4 };

/* Getters take NULL and then answer 0, -1 or NULL. None blocks. What they return is borrowed until
 * the event is freed. @threads any, @since 0.1 for all. */

/** COORD_EVENT_...; -1 for NULL. */
COORD_API int32_t coord_event_type(const coord_event *event);
/** The tag that was given with the submit or the handle. */
COORD_API uint64_t coord_event_tag(const coord_event *event);
/** COORD_OK, or why it failed. The code is there even when memory for the error object was not.
 * STATE: the code of the failure that was the reason, if any. */
COORD_API coord_code coord_event_code(const coord_event *event);
/** Why it failed, is at risk or lost; NULL when all is well. */
COORD_API const coord_error *coord_event_error(const coord_event *event);
/** The result of the op; NULL when it failed. */
COORD_API const coord_result *coord_event_result(const coord_event *event);
/**
 * The same, but handed over: the caller frees it with coord_result_free, and the event keeps none.
 * The one function that changes an event; one thread at a time.
 */
COORD_API coord_result *coord_event_take_result(coord_event *event);
/** One line of UTF-8 without a line end. LOG: the line. STATE: why, "" when there is no more to say;
 * for ENDPOINTS the new list, separated by commas. NULL otherwise. */
COORD_API const char *coord_event_text(const coord_event *event);
/** LOG: COORD_LOG_ERROR to COORD_LOG_DEBUG; 0 otherwise. */
COORD_API int32_t coord_event_level(const coord_event *event);
/** STATE: COORD_STATE_...; 0 otherwise. */
COORD_API int32_t coord_event_state(const coord_event *event);
/**
 * CHANGES: the revision of the last change in it; without changes (COORD_OP_PROGRESS): so far there
 * are no others. RESYNC: all changes after this revision will be told. CLOSED with COORD_COMPACTED:
 * the oldest revision that is left, if the server says so. ACQUIRED: the token. 0 otherwise.
 */
COORD_API int64_t coord_event_revision(const coord_event *event);
/** CHANGES: how many. 0 otherwise. */
COORD_API size_t coord_event_count(const coord_event *event);
/**
 * CHANGES: the change number `i`, in the order of revisions.
 *
 * @param type  [out] COORD_CHANGE_PUT or COORD_CHANGE_DELETE; may be NULL
 * @param kv    [out] the key as it is since then; may be NULL
 * @param prev  [out] as it was before, of a mirror, or with COORD_OP_PREV_KV; key is NULL when there
 *              was none, or it was compacted meanwhile; may be NULL
 * @return COORD_OK, COORD_INVALID (no such change); kv and prev are borrowed from the event
 */
COORD_API coord_code coord_event_change(const coord_event *event, size_t i, int32_t *type,
                                        coord_kv *kv, coord_kv *prev);
/** STATE: name of the endpoint; NULL for ENDPOINTS, and otherwise. */
COORD_API const char *coord_event_endpoint(const coord_event *event);
/** Free an event and what it still holds. NULL is fine. */
COORD_API void coord_event_free(coord_event *event);

#ifdef __cplusplus
}
#endif

#endif
