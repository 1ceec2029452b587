/* A registry of services: instances that register, and stay registered as long as they live. */
#ifndef COORD_REGISTRY_H
#define COORD_REGISTRY_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * An instance is a key PREFIX/SERVICE/ID with a value that describes it (coord/instance.h), under a lease:
 * when its process dies it is gone after the TTL. Options of a registry:
 *
 *   registry.prefix   PREFIX. A client's namespace comes before it
 *   registry.format   json: the value is the instance as JSON. etcd-naming: it is an Endpoint of etcd's
 *                     package naming/endpoints, which gRPC-Go's resolver reads under the target
 *                     PREFIX/SERVICE. Fields that this has no place for go to its Metadata, and back
 *   registry.replace  whether to take over an id that is registered already
 *
 * What a registration's queue tells, with its tag:
 *
 *   COORD_EVENT_ACQUIRED  it is registered, for the first time; coord_event_revision
 *   COORD_EVENT_AT_RISK   the lease was not renewed for two thirds of its time
 *   COORD_EVENT_LOST      the lease has ended, or somebody else has deleted the key or restored a backup
 *                         without it, and others see the instance no more. It is registered again as
 *                         soon as that can be, and as often
 *   COORD_EVENT_RESTORED  after AT_RISK or LOST: all is well again
 *   COORD_EVENT_CLOSED    the last one, exactly one: COORD_OK after coord_op_deregister;
 *                         COORD_CONFLICT: another has registered this id, at first or while ours was
 *                         lost; COORD_AUTH and others: the server refuses the first registration;
 *                         COORD_CLOSED: the client was closed
 */

/**
 * Open a registry. Nothing is sent yet.
 *
 * @param options  copied; NULL: those of the client
 * @param out      [out] owned by the caller, coord_registry_free
 * @return COORD_OK, COORD_CLOSED, COORD_FORKED, COORD_NO_MEMORY
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_registry_open(coord_client *client, const coord_options *options,
                                         coord_registry **out, coord_error **err);

/**
 * Register an instance. It is done in the background, also later when no server can be reached now;
 * events tell, and coord_op_registered waits for it. Up to a thousand registrations of one TTL hang on one
 * lease: what happens to it happens to all of them.
 *
 * @param instance_json  see coord/instance.h
 * @param ttl_s          1 to 9,000,000,000: for how long the instance outlives its process
 * @param queue          gets the events; NULL: nobody
 * @param out            [out] owned by the caller, coord_registration_free
 * @return COORD_OK; COORD_INVALID: the error names the field; COORD_CLOSED, COORD_FORKED,
 *         COORD_NO_MEMORY
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_code coord_registry_register(coord_registry *registry, const char *instance_json,
                                             int64_t ttl_s, coord_queue *queue, uint64_t tag,
                                             coord_registration **out, coord_error **err);

/**
 * An op that waits until the instance is registered as it was described last; at once when it is. The
 * revision of its key is coord_result_revision.
 *
 * Ops on a registration fail with COORD_CONFLICT and the others of COORD_EVENT_CLOSED when it ends so;
 * with COORD_CLOSED when it has ended by coord_op_deregister. One that ends early, by its deadline or
 * coord_cancel, changes nothing about what is wanted.
 *
 * @return owned by the caller; NULL when memory is out, or registration is NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_op *coord_op_registered(coord_registration *registration);
/**
 * An op that changes what the instance is described as, and waits until that is stored. While the
 * registration is lost it waits for its return. COORD_INVALID, COORD_TOO_LARGE: all is as before.
 *
 * @param patch  JSON of the fields to change; null takes one away, and so for each in "metadata"; all
 *               others stay, those unknown here too. {"status":"draining"} before an instance leaves:
 *               nobody picks it any more
 * @since 0.1
 */
COORD_API coord_op *coord_op_update_instance(coord_registration *registration, const char *patch);
/** An op that takes the instance out of the registry, and waits until its key is gone. @since 0.1 */
COORD_API coord_op *coord_op_deregister(coord_registration *registration);

/**
 * As the instance was described last.
 *
 * @return owned by the caller, coord_instance_free; NULL for NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_instance *coord_registration_instance(const coord_registration *registration);
/**
 * How long it is registered at least, if nobody is heard of any more. 0: it may not be, or not any more.
 *
 * @threads any   @blocks no   @since 0.1
 */
COORD_API int64_t coord_registration_remaining_ms(const coord_registration *registration);

/**
 * Drop the handle. The instance is taken out of the registry in the background, as far as the client is
 * not closed before that: then when its lease has ended. No event of it comes out of the queue any more.
 *
 * @param registration  may be NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API void coord_registration_free(coord_registration *registration);

/**
 * An op that asks the server for the instances of a service. Each is a key-value of the result;
 * coord_result_json has them all as a JSON array, in the order of their ids. Values that describe no
 * instance are left out, and logged.
 *
 * @param service  its name
 * @return owned by the caller; NULL when memory is out, or an argument is NULL
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_op *coord_op_discover(coord_registry *registry, const char *service);

/** Drop the handle; registrations stay. NULL is fine. @threads any   @blocks no   @since 0.1 */
COORD_API void coord_registry_free(coord_registry *registry);

#ifdef __cplusplus
}
#endif

#endif
