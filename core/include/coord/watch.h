/* A watch: every change of a key or a range, once, in order, whatever happens to connections. */
#ifndef COORD_WATCH_H
#define COORD_WATCH_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Begin to watch. Events with this tag arrive in the queue, in this order:
 *
 *   COORD_EVENT_RESYNC   with COORD_OK: the watch stands, all after coord_event_revision will be told.
 *                        Later ones, with the code of what was wrong: it was interrupted, and stands
 *                        again; nothing was left out.
 *   COORD_EVENT_CHANGES  changes of one revision or of several ones; those of one revision are never
 *                        divided. Revisions only grow.
 *   COORD_EVENT_CLOSED   once, the last one. COORD_OK after coord_watch_close. COORD_COMPACTED: what
 *                        comes next was compacted before it could be told, because of a slow consumer,
 *                        a long interruption or an old start_revision; or the store was restored from
 *                        a backup, and what was told is not what it holds (revision 0): read the keys,
 *                        then watch from the revision after that. COORD_CLOSED with the client.
 *                        COORD_AUTH and others: the server refuses it.
 *
 * Interruptions do not end it: it goes on at another endpoint, however long that takes. Changes that
 * nobody takes from the queue are bounded by watch.buffer.bytes. Keys come and go without the client's
 * namespace.
 *
 * A store that was restored is recognized when a watch of the client would stand again: by another
 * cluster id, or by a newest revision, as the quorum says it, below what was told; a member that only lags
 * is waited for. Then all watches of the client end that were told something. With the same id and more
 * revisions than before it cannot be told from the old one: for that there is etcdutl snapshot restore
 * --bump-revision --mark-compacted. A start_revision that is still to come when the watch first stands is
 * waited for.
 *
 * @param get             a get of a key, a prefix or a range; copied. Of the attributes it may have
 *                        COORD_OP_PREV_KV, COORD_OP_NO_PUTS, COORD_OP_NO_DELETES, COORD_OP_PROGRESS
 * @param start_revision  the first revision to tell; 0: what comes once it stands. With a read before:
 *                        coord_result_revision + 1
 * @param queue           where the events go; held until the watch is freed
 * @param tag             of these events
 * @param out             [out] owned by the caller, coord_watch_free
 * @return COORD_OK, COORD_INVALID, COORD_CLOSED, COORD_FORKED, COORD_NO_MEMORY; whatever the server
 *         says comes as an event
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_watch_open(coord_client *client, const coord_op *get,
                                      int64_t start_revision, coord_queue *queue, uint64_t tag,
                                      coord_watch **out, coord_error **err);

/**
 * End the watch. COORD_EVENT_CLOSED follows, behind what was there already, unless it had ended
 * before. Again: nothing.
 *
 * @param watch  may be NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API void coord_watch_close(coord_watch *watch);

/**
 * Drop the caller's reference, and with it the watch. None of its events can be taken from the queue
 * after that, those that wait there included. An event that was taken before stays valid.
 *
 * @param watch  may be NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API void coord_watch_free(coord_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
