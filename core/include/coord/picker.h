/* Picking an instance of a service, for each call that goes there. */
#ifndef COORD_PICKER_H
#define COORD_PICKER_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How to choose among the instances that are up. */
enum {
  COORD_PICK_FIRST = 0, /* the one with the lowest id, as long as it is there */
  COORD_PICK_ROUND_ROBIN = 1,
  COORD_PICK_RANDOM = 2,
  COORD_PICK_WEIGHTED = 3,      /* in proportion to their weights, evenly spread over time */
  COORD_PICK_LEAST_PENDING = 4, /* the one with the least work begun and not done; among more than
                                   eight the least of two at random */
  COORD_PICK_CONSISTENT_HASH =
      5 /* the same one for the same key; when an instance comes or goes, only
                                    keys that it gets or had move. In proportion to weights */
};

/**
 * Open a picker for a service. It follows the registry's view of the service from the first one on,
 * see coord_registry_discover. Picks may be made from any number of threads at once, and take no lock.
 *
 * @param policy  COORD_PICK_...
 * @param subset  only instances with this metadata: "key=value", more of them separated by commas.
 *                NULL or "": all
 * @param out     [out] owned by the caller, coord_picker_free
 * @return COORD_OK, COORD_INVALID, COORD_CLOSED, COORD_FORKED, COORD_NO_MEMORY
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_picker_open(coord_registry *registry, const char *service,
                                       int32_t policy, const char *subset, coord_picker **out,
                                       coord_error **err);

/**
 * Pick an instance. One that is not "up", or that a caller has told to have failed, is not picked; when
 * all have failed, that is overlooked.
 *
 * @param hash_key  COORD_PICK_CONSISTENT_HASH: what the instance is for; else it may be NULL
 * @param out       [out] owned by the caller, coord_instance_free
 * @return COORD_OK; COORD_NOT_FOUND: there is no such instance; COORD_UNAVAILABLE: the registry has not
 *         been read yet; COORD_INVALID, COORD_FORKED, COORD_NO_MEMORY
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_picker_pick(coord_picker *picker, const void *hash_key,
                                       size_t hash_key_len, coord_instance **out);

/** Drop the handle. NULL is fine. @threads any, when no pick is under way   @since 0.1 */
COORD_API void coord_picker_free(coord_picker *picker);

#ifdef __cplusplus
}
#endif

#endif
