#include "coord/registry.h"

#include <inttypes.h>
#include <string.h>

#include "api/check.h"
#include "base/error.h"
#include "coord/registration_handle.h"
#include "etcd/lease.h"

coord_code coord_registry_open(coord_client *client, const coord_options *options,
                               coord_registry **out, coord_error **err) {
  coord_code code = coord__check_open(client, err);
  if (code == COORD_OK) code = coord__check_pointer(out, "out", err);
  if (code != COORD_OK) return code;
  return coord__registry_open(client, options, out, err);
}

static coord_code check_registry(const coord_registry *registry, coord_error **err) {
  coord_code code = coord__check_pointer(registry, "registry", err);
  return code == COORD_OK ? coord__check_open(registry->client, err) : code;
}

coord_code coord_registry_register(coord_registry *registry, const char *instance_json,
                                   int64_t ttl_s, coord_queue *queue, uint64_t tag,
                                   coord_registration **out, coord_error **err) {
  coord_code code = check_registry(registry, err);
  if (code == COORD_OK) code = coord__check_pointer(instance_json, "instance_json", err);
  if (code == COORD_OK && (ttl_s < 1 || ttl_s > COORD__TTL_MAX)) {
    code = coord__fail(err, COORD_INVALID,
                       "argument ttl_s is %" PRId64 "; expected 1 to 9000000000 seconds", ttl_s);
  }
  if (code == COORD_OK && queue != NULL) code = coord__check_queue(queue, err);
  if (code == COORD_OK) code = coord__check_pointer(out, "out", err);
  if (code != COORD_OK) return code;
  return coord__registry_register(registry, instance_json, ttl_s, queue, tag, out, err);
}

coord_op *coord_op_registered(coord_registration *registration) {
  return registration != NULL ? coord__op_registered(registration) : NULL;
}

coord_op *coord_op_update_instance(coord_registration *registration, const char *patch) {
  return registration != NULL && patch != NULL ? coord__op_update_instance(registration, patch)
                                               : NULL;
}

coord_op *coord_op_deregister(coord_registration *registration) {
  return registration != NULL ? coord__op_deregister(registration) : NULL;
}

coord_instance *coord_registration_instance(const coord_registration *registration) {
  return registration != NULL ? coord__registration_instance(registration) : NULL;
}

int64_t coord_registration_remaining_ms(const coord_registration *registration) {
  return registration != NULL ? coord__registration_remaining_ms(registration) : 0;
}

void coord_registration_free(coord_registration *registration) {
  if (registration != NULL) coord__registration_free(registration);
}

coord_op *coord_op_discover(coord_registry *registry, const char *service) {
  return registry != NULL && service != NULL ? coord__op_discover(registry, service) : NULL;
}

void coord_registry_free(coord_registry *registry) {
  if (registry != NULL) coord__registry_free(registry);
}
