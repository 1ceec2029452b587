#include "coord/instance.h"

#include <string.h>

#include "base/clock.h"
#include "coord/instance_object.h"

const char *coord_instance_id(const coord_instance *i) { return i != NULL ? i->id : NULL; }

const char *coord_instance_name(const coord_instance *i) { return i != NULL ? i->name : NULL; }

const char *coord_instance_address(const coord_instance *i) {
  return i != NULL ? i->address : NULL;
}

const char *coord_instance_status(const coord_instance *i) { return i != NULL ? i->status : NULL; }

const char *coord_instance_version(const coord_instance *i) {
  return i != NULL ? i->version : NULL;
}

int32_t coord_instance_port(const coord_instance *i) { return i != NULL ? i->port : 0; }

int32_t coord_instance_weight(const coord_instance *i) { return i != NULL ? i->weight : 0; }

const char *coord_instance_metadata(const coord_instance *i, const char *key) {
  return i != NULL && key != NULL ? coord__instance_metadata(i, key, strlen(key)) : NULL;
}

const char *coord_instance_json(const coord_instance *i) { return i != NULL ? i->json : NULL; }

void coord_instance_begin(const coord_instance *i) {
  if (i != NULL && i->tally != NULL)
    atomic_fetch_add_explicit(&i->tally->pending, 1, memory_order_relaxed);
}

void coord_instance_done(const coord_instance *i) {
  if (i != NULL && i->tally != NULL)
    atomic_fetch_sub_explicit(&i->tally->pending, 1, memory_order_relaxed);
}

void coord_instance_failed(const coord_instance *i, int32_t for_ms) {
  if (i == NULL || i->tally == NULL) return;
  int64_t until = for_ms > 0 ? coord__clock_ns() + for_ms * COORD__NS_PER_MS : 0;
  atomic_store_explicit(&i->tally->excluded_ns, until, memory_order_relaxed);
}

void coord_instance_free(coord_instance *i) {
  if (i != NULL) coord__instance_release(i);
}
