#include "coord/discovery.h"

#include "api/check.h"
#include "base/error.h"
#include "coord/call.h"
#include "coord/discovery_handle.h"
#include "coord/op.h"
#include "coord/view.h"

static coord_code check_registry(const coord_registry *registry, coord_error **err) {
  coord_code code = coord__check_pointer(registry, "registry", err);
  return code == COORD_OK ? coord__check_open(registry->client, err) : code;
}

/* Until the registry was read. */
static coord_code wait_for(coord_registry *r, int32_t timeout_ms, coord_error **err) {
  coord_op *op = coord__op_viewed(r);
  if (op == NULL) return coord__no_memory(err);
  coord_code code = coord_call(r->client, op, timeout_ms, NULL, err);
  coord_op_free(op);
  return code;
}

coord_code coord_registry_discover(coord_registry *registry, const char *service,
                                   int32_t timeout_ms, coord_instances **out, coord_error **err) {
  coord_code code = check_registry(registry, err);
  if (code == COORD_OK) code = coord__check_service(service, err);
  if (code == COORD_OK) code = coord__check_timeout(timeout_ms, err);
  if (code == COORD_OK) code = coord__check_pointer(out, "out", err);
  if (code == COORD_OK) code = coord__view_open(registry, err);
  if (code != COORD_OK) return code;
  coord__service *s = coord__view_service(registry, service);
  if (s == NULL) return coord__no_memory(err);
  coord_instances *roster = coord__group_newest(&s->group);
  if (roster == NULL) {
    code = wait_for(registry, timeout_ms, err);
    if (code != COORD_OK) return code;
    roster = coord__group_newest(&s->group);
  }
  if (roster == NULL) return coord__no_memory(err);
  *out = roster;
  return COORD_OK;
}

coord_code coord_registry_services(coord_registry *registry, int32_t timeout_ms, char **json,
                                   coord_error **err) {
  coord_code code = check_registry(registry, err);
  if (code == COORD_OK) code = coord__check_timeout(timeout_ms, err);
  if (code == COORD_OK) code = coord__check_pointer(json, "json", err);
  if (code == COORD_OK) code = coord__view_open(registry, err);
  if (code == COORD_OK && coord__view_staleness_ms(registry) < 0) {
    code = wait_for(registry, timeout_ms, err);
  }
  return code == COORD_OK ? coord__view_names(registry, json, err) : code;
}

int64_t coord_registry_staleness_ms(const coord_registry *registry) {
  return registry != NULL ? coord__view_staleness_ms(registry) : 0;
}

size_t coord_instances_count(const coord_instances *instances) {
  return instances != NULL ? instances->count : 0;
}

const coord_instance *coord_instances_at(const coord_instances *instances, size_t i) {
  return i < coord_instances_count(instances) ? instances->all[i] : NULL;
}

int64_t coord_instances_revision(const coord_instances *instances) {
  return instances != NULL ? instances->revision : 0;
}

int coord_instances_guarded(const coord_instances *instances) {
  return instances != NULL && instances->guarded;
}

char *coord_instances_json(const coord_instances *instances) {
  return instances != NULL ? coord__roster_json(instances) : NULL;
}

coord_instance *coord_instance_keep(const coord_instance *instance) {
  return instance != NULL ? coord__instance_retain((coord_instance *)(uintptr_t)instance) : NULL;
}

void coord_instances_free(coord_instances *instances) {
  if (instances != NULL) coord__roster_release(instances);
}

coord_code coord_discovery_open(coord_registry *registry, const char *service, coord_queue *queue,
                                uint64_t tag, coord_discovery **out, coord_error **err) {
  coord_code code = check_registry(registry, err);
  if (code == COORD_OK) code = coord__check_service(service, err);
  if (code == COORD_OK) code = coord__check_queue(queue, err);
  if (code == COORD_OK) code = coord__check_pointer(out, "out", err);
  if (code == COORD_OK) code = coord__view_open(registry, err);
  if (code != COORD_OK) return code;
  coord__service *s = coord__view_service(registry, service);
  return s != NULL ? coord__discovery_open(s, queue, tag, out, err) : coord__no_memory(err);
}

void coord_discovery_free(coord_discovery *discovery) {
  if (discovery != NULL) coord__discovery_free(discovery);
}
