/* Configuration: JSON values under an application, current without I/O, changed by compare-and-set. */
#ifndef COORD_CONFIG_H
#define COORD_CONFIG_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A value is a JSON text at <config.prefix>/<application>/<key>. The dots in the name of an application
 * make layers: what "prod.shop.cart" does not have is that of "prod.shop", then that of "prod", then the
 * default of this process (coord_config_default). So an environment, an application and its components
 * each have a place, and each a set of keys that is permitted and watched by itself.
 *
 * A handle keeps what is current at hand, by a mirror of each layer (coord/mirror.h). A value that is no
 * JSON is never current: the one before it stays, or what is beneath if there was none, and the queue is
 * told. With config.manual nothing becomes current before the program has accepted it.
 *
 * Options (coord_options_set; those of the client when none are given):
 *
 *   config.prefix   what all keys begin with, without the slash behind it
 *   config.live     false: nothing is read or watched, and the queue is told nothing; for who only needs
 *                   the ops below
 *   config.manual   true: a change is current when it was accepted (coord_config_accept)
 *   mirror.wait     of coord/mirror.h, as are the other options of mirrors
 *   mirror.file     each layer has a file of this name with a dot and the layer's name behind it
 *
 * The queue of the handle reports, with its tag:
 *
 *   COORD_EVENT_RESYNC   with COORD_OK: all layers are there; the first event. Any other code: a layer
 *                        was interrupted for this reason, or left out changes; what differs follows.
 *   COORD_EVENT_CHANGES  what differs since the last one, all of one revision together; of several that
 *                        nobody has taken meanwhile, one is left. The key of a change is that of the
 *                        configuration; value and prev are what the layers come to now, and came to
 *                        before. DELETE: no layer has it any more. Defaults do not count here.
 *   COORD_EVENT_REJECTED a value is no JSON, as coord_event_error says: what was before it stays
 *   COORD_EVENT_CLOSED   once, the last one: as of a mirror
 */

/**
 * Open the configuration of an application. It waits for the layers as coord_mirror_open does for its
 * content: a server that does not answer is an error after request.timeout.ms.
 *
 * @param application  not empty, UTF-8, without slash; no part between dots is empty; 8 parts at most
 * @param options      copied; NULL: those of the client
 * @param queue        gets the events; NULL: nobody. With config.manual there must be one
 * @param out          [out] owned by the caller, coord_config_free
 * @return as coord_mirror_open
 * @threads any   @blocks until all layers are there; not with mirror.wait or config.live false
 * @since 0.1
 */
COORD_API coord_code coord_config_open(coord_client *client, const char *application,
                                       const coord_options *options, coord_queue *queue,
                                       uint64_t tag, coord_config **out, coord_error **err);

/**
 * What a key is when no layer has it, for this handle. The last one counts; NULL: none.
 *
 * @return COORD_OK; COORD_INVALID: also no JSON; COORD_NO_MEMORY
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_config_default(coord_config *config, const char *key, const char *json,
                                          coord_error **err);

/**
 * What is current.
 *
 * @param json     [out] a JSON text, owned by the caller, coord_memory_free
 * @param version  [out] for coord_op_config_set: the revision of the value where that would write, 0 when
 *                 it is from a layer beneath or a default; may be NULL
 * @return COORD_OK; COORD_NOT_FOUND: no layer has it, nor is there a default; COORD_UNAVAILABLE: the layers
 *         are not there yet (mirror.wait false); COORD_INVALID: also config.live is false;
 *         COORD_FORKED, COORD_NO_MEMORY
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_config_get(const coord_config *config, const char *key, char **json,
                                      int64_t *version, coord_error **err);

/**
 * All that is current, at one moment.
 *
 * @param out  [out] key-values in the order of keys: the key of the configuration, its JSON text; version
 *             is 0 for what is from a layer beneath or a default. Owned by the caller, coord_result_free
 * @return as coord_config_get
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_config_all(const coord_config *config, coord_result **out,
                                      coord_error **err);

/**
 * With config.manual: what an event CHANGES told is current from now on. What is not accepted is told
 * again with the next change: a value that is rejected stays out until it is replaced, and the rest of its
 * revision with it.
 *
 * @return COORD_OK; COORD_INVALID: it is no event CHANGES; COORD_NO_MEMORY
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_config_accept(coord_config *config, const coord_event *event,
                                         coord_error **err);

/*
 * Constructors as those in coord/op.h, for any client. Keys are UTF-8 and not empty. They write to, and
 * read from, the layer of the application's whole name.
 */

/**
 * An op that writes a value. Without an expected version it is a put, and can be part of a txn: many of
 * them in one are a batch.
 *
 * @param expected_version  -1: whatever is there; 0: nothing is there; else the revision of the value
 *                          (coord_config_get, or mod_revision). COORD_CONFLICT: it is another one
 * @return owned by the caller; NULL when memory is out
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_op *coord_op_config_set(const coord_config *config, const char *key,
                                        const char *json, int64_t expected_version);
/** An op that deletes one; as coord_op_config_set. @since 0.1 */
COORD_API coord_op *coord_op_config_delete(const coord_config *config, const char *key,
                                           int64_t expected_version);
/** An op that reads one from the server: a get. COORD_OP_REVISION: as it was then. @since 0.1 */
COORD_API coord_op *coord_op_config_get(const coord_config *config, const char *key);
/** An op that reads all of the layer: a get of its prefix. @since 0.1 */
COORD_API coord_op *coord_op_config_list(const coord_config *config);
/**
 * An op that reads the values that a key had, the newest first, since it was last created and as far as
 * they are not compacted: coord_result_more tells that there were older ones.
 *
 * @param most  how many, 1 to 1000
 * @since 0.1
 */
COORD_API coord_op *coord_op_config_history(const coord_config *config, const char *key,
                                            int32_t most);

/**
 * Drop the handle. None of its events can be taken from the queue after that.
 *
 * @param config  may be NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API void coord_config_free(coord_config *config);

#ifdef __cplusplus
}
#endif

#endif
