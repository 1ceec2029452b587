/* A mirror: a live copy of all keys under a prefix, read without asking anybody. */
#ifndef COORD_MIRROR_H
#define COORD_MIRROR_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The keys are read once, page by page at one revision, and a watch follows from the next one: nothing
 * is missed between. From then on the content is what the server had at coord_mirror_revision, a
 * moment ago while there is a connection, longer ago while there is none (coord_mirror_staleness_ms).
 * It outlives lost connections, servers and compactions: what was there last stays readable.
 *
 * A read is a snapshot: it sees one revision whole, or a later one whole, takes no lock, waits for
 * nobody, and makes nobody wait. What a result holds goes on to exist, as it was, until the result is
 * freed; the mirror may have changed or be freed by then.
 *
 * Content lies in a tree that is never changed where it can be seen: a change copies the few nodes
 * above it, and puts a new root in place at once. A key takes about 180 bytes besides the bytes of key
 * and value, which are there once, however many mirrors of the client have this prefix.
 *
 * Mirrors of one client with the same prefix and the same mirror.file share one copy and one watch.
 *
 * Options (coord_options_set; those of the client when none are given):
 *
 *   mirror.wait              true: opening waits until the content is there; false: it returns at
 *                            once, and events tell
 *   mirror.file              where to keep the last content, to begin with when etcd is away
 *   mirror.file.interval.ms  how often that is written at most
 *   scan.page.keys           keys to a page, of the client
 *   watch.buffer.bytes       of the client: memory for changes of one mirror that wait in the queue.
 *                            Beyond it they are not kept one by one; see COORD_COMPACTED below
 *
 * The queue of the handle reports, with its tag, in this order. The content is never older than what
 * was told.
 *
 *   COORD_EVENT_RESYNC   with COORD_OK: the content is complete as of coord_event_revision, and all
 *                        after that will be told. The first event, unless there was a file:
 *                        COORD_UNAVAILABLE as the first one: the content is that of mirror.file.
 *                        COORD_COMPACTED: changes were left out, for they were compacted during an
 *                        interruption, or too many waited in the queue, or the store was restored from
 *                        a backup, and revisions go back (see coord_watch_open). CHANGES follow that lead from
 *                        what was told last to what is there now, whatever happened between (none
 *                        when nothing differs), and then RESYNC with COORD_OK.
 *                        Any other code: there was an interruption for this reason; nothing was left out.
 *   COORD_EVENT_CHANGES  as of a watch: those of one revision are never divided, revisions only grow.
 *                        The previous key-value is always there.
 *   COORD_EVENT_CLOSED   once, the last one: with COORD_CLOSED, the client was closed; with
 *                        COORD_AUTH and others, the server refuses it. What was read last stays.
 */

/**
 * Open a mirror. With mirror.wait it waits until the content is there and fails when the server cannot
 * be reached or refuses; it waits for as long as pages come, each within request.timeout.ms. With a
 * mirror.file that is there, a server that cannot be reached is no failure.
 *
 * @param prefix   of the keys; may be empty: all keys (of the client's namespace)
 * @param options  copied; NULL: those of the client
 * @param queue    gets the events; NULL: nobody
 * @param out      [out] owned by the caller, coord_mirror_free
 * @return COORD_OK; COORD_INVALID: also mirror.file is damaged, or of another prefix; COORD_CONFLICT:
 *         it is of another cluster; COORD_AUTH, COORD_UNAVAILABLE, COORD_TIMEOUT and others;
 *         COORD_CLOSED, COORD_FORKED, COORD_NO_MEMORY
 * @threads any   @blocks until the content is there; not with mirror.wait false   @since 0.1
 */
COORD_API coord_code coord_mirror_open(coord_client *client, const void *prefix, size_t prefix_len,
                                       const coord_options *options, coord_queue *queue,
                                       uint64_t tag, coord_mirror **out, coord_error **err);

/**
 * Read one key. Its result has it, or nothing (coord_result_count 0) when there is no such key;
 * coord_result_revision is that of the content. Nothing of it is copied.
 *
 * @param key  begins with the prefix; with it
 * @param out  [out] owned by the caller, coord_result_free
 * @return COORD_OK; COORD_INVALID: also a key outside the prefix; COORD_UNAVAILABLE: the content is not
 *         there yet (mirror.wait false); COORD_FORKED, COORD_NO_MEMORY
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_mirror_get(const coord_mirror *mirror, const void *key, size_t key_len,
                                      coord_result **out);

/**
 * Read a range, in the order of keys, all at one revision. coord_result_total tells how many there are
 * and coord_result_more whether the limit has cut some.
 *
 * @param from      the first key, begins with the prefix; from_len 0: the first of the mirror
 * @param end       behind the last key; end_len 0: the end of the mirror
 * @param limit     keys at most; 0: all
 * @return as coord_mirror_get
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_mirror_range(const coord_mirror *mirror, const void *from,
                                        size_t from_len, const void *end, size_t end_len,
                                        int64_t limit, coord_result **out);

/**
 * Read all keys that begin with these bytes, which begin with the prefix of the mirror.
 *
 * @return as coord_mirror_get
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_mirror_prefix(const coord_mirror *mirror, const void *prefix,
                                         size_t prefix_len, coord_result **out);

/** Read all. As coord_mirror_get. @threads any   @blocks no   @since 0.1 */
COORD_API coord_code coord_mirror_all(const coord_mirror *mirror, coord_result **out);

/** How many keys there are; 0 when it is not loaded. @threads any   @blocks no   @since 0.1 */
COORD_API int64_t coord_mirror_count(const coord_mirror *mirror);
/**
 * The revision of the content: that of the last change in it, or of the read that it began with. 0: it
 * is not loaded. @threads any   @blocks no   @since 0.1
 */
COORD_API int64_t coord_mirror_revision(const coord_mirror *mirror);
/**
 * How long ago the content was surely that of the server. 0: it is now, as far as one can know, for
 * the watch stands. Else it counts from the last sign of life of the server on the watch, or from when
 * mirror.file was written. -1: it is not loaded.
 *
 * @threads any   @blocks no   @since 0.1
 */
COORD_API int64_t coord_mirror_staleness_ms(const coord_mirror *mirror);

/**
 * Drop the handle. None of its events can be taken from the queue after that; results stay valid.
 *
 * @param mirror  may be NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API void coord_mirror_free(coord_mirror *mirror);

#ifdef __cplusplus
}
#endif

#endif
