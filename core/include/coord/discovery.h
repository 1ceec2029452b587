/* Discovery: the instances of a service, from a local copy that follows the store. */
#ifndef COORD_DISCOVERY_H
#define COORD_DISCOVERY_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The first use of a function here, or of a picker, opens a mirror of all that the registry holds
 * (coord/mirror.h, whose options apply, mirror.file too). From then on answers need no server. What was
 * there last stays when no server is reached: coord_registry_staleness_ms tells.
 *
 * The guard, if it is wanted: when registry.guard.percent or more of the instances of a service are gone
 * within registry.guard.ms, they are shown on for that time, beside those that are there, and
 * coord_instances_guarded is 1. A network that has failed, or leases that all ended, often lie, and callers
 * do better with addresses that may not answer than with none.
 */

/** What has become of an instance, in coord_event_instance. */
enum {
  COORD_INSTANCE_UP = 0,     /* it has come */
  COORD_INSTANCE_DOWN = 1,   /* it has gone */
  COORD_INSTANCE_CHANGED = 2 /* it is described anew, its status perhaps */
};

/**
 * The instances of a service, all of them, whatever their status, in the order of their ids.
 *
 * @param timeout_ms  for the first use, which has to read them; as for coord_call
 * @param out         [out] owned by the caller, coord_instances_free; there may be none in it
 * @return COORD_OK; as coord_mirror_open; COORD_INVALID: service
 * @threads any   @blocks up to timeout_ms, the first time   @since 0.1
 */
COORD_API coord_code coord_registry_discover(coord_registry *registry, const char *service,
                                             int32_t timeout_ms, coord_instances **out,
                                             coord_error **err);
/**
 * The names of all services that have an instance, as a JSON array of strings.
 *
 * @param json  [out] owned by the caller, coord_memory_free
 * @return as coord_registry_discover
 * @threads any   @blocks up to timeout_ms, the first time   @since 0.1
 */
COORD_API coord_code coord_registry_services(coord_registry *registry, int32_t timeout_ms,
                                             char **json, coord_error **err);
/**
 * How long ago the local copy was surely what the server has, as coord_mirror_staleness_ms. -1: there is
 * none yet.
 *
 * @threads any   @blocks no   @since 0.1
 */
COORD_API int64_t coord_registry_staleness_ms(const coord_registry *registry);

/* Getters of the instances take NULL and then answer 0 or NULL. @threads any   @blocks no */

/** How many there are. @since 0.1 */
COORD_API size_t coord_instances_count(const coord_instances *instances);
/** The i-th, borrowed; NULL when i is out of range. @since 0.1 */
COORD_API const coord_instance *coord_instances_at(const coord_instances *instances, size_t i);
/** The revision of the store that they are of. @since 0.1 */
COORD_API int64_t coord_instances_revision(const coord_instances *instances);
/** 1: some of them have gone, and are shown because of the guard. @since 0.1 */
COORD_API int coord_instances_guarded(const coord_instances *instances);
/** All of them as a JSON array; coord_memory_free. NULL when memory is out. @since 0.1 */
COORD_API char *coord_instances_json(const coord_instances *instances);
/** Keep one beyond the life of the list: coord_instance_free. @since 0.1 */
COORD_API coord_instance *coord_instance_keep(const coord_instance *instance);
/** Let go of them. NULL is fine. @since 0.1 */
COORD_API void coord_instances_free(coord_instances *instances);

/**
 * Follow a service: the queue gets COORD_EVENT_CHANGES with what has changed (coord_event_count,
 * coord_event_instance) and with all instances as they are then (coord_event_instances). The first one
 * tells those that are there, perhaps none. One at most is waiting in the queue: it tells all that differs
 * from the one that was taken before it. COORD_EVENT_CLOSED is the last one.
 *
 * @param out  [out] owned by the caller, coord_discovery_free
 * @return COORD_OK, COORD_INVALID, COORD_CLOSED, COORD_FORKED, COORD_NO_MEMORY
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_discovery_open(coord_registry *registry, const char *service,
                                          coord_queue *queue, uint64_t tag, coord_discovery **out,
                                          coord_error **err);
/** All instances that this event of a discovery tells of, borrowed; NULL for others. @since 0.1 */
COORD_API const coord_instances *coord_event_instances(const coord_event *event);
/**
 * What has changed, number i of coord_event_count; borrowed from the event.
 *
 * @param change  [out] COORD_INSTANCE_...; may be NULL
 * @return the instance, as it was last if it has gone; NULL when i is out of range
 * @threads any   @blocks no   @since 0.1
 */
COORD_API const coord_instance *coord_event_instance(const coord_event *event, size_t i,
                                                     int32_t *change);
/** Drop the handle. No event of it comes out of the queue any more. NULL is fine. @since 0.1 */
COORD_API void coord_discovery_free(coord_discovery *discovery);

#ifdef __cplusplus
}
#endif

#endif
