#include "coord/picker.h"

#include "api/check.h"
#include "base/error.h"
#include "coord/lineup.h"
#include "coord/picker_handle.h"
#include "coord/view.h"

static coord_code check(const coord_registry *registry, int32_t policy, const char *subset,
                        coord_error **err) {
  coord_code code = coord__check_pointer(registry, "registry", err);
  if (code == COORD_OK) code = coord__check_open(registry->client, err);
  if (code != COORD_OK) return code;
  if (policy < COORD_PICK_FIRST || policy > COORD_PICK_CONSISTENT_HASH) {
    return coord__fail(err, COORD_INVALID,
                       "argument policy is %d; expected COORD_PICK_FIRST to "
                       "COORD_PICK_CONSISTENT_HASH, %d to %d",
                       (int)policy, COORD_PICK_FIRST, COORD_PICK_CONSISTENT_HASH);
  }
  if (coord__lineup_subset_ok(subset)) return COORD_OK;
  return coord__fail(
      err, COORD_INVALID,
      "argument subset is \"%.100s\"; expected key=value, several separated by commas", subset);
}

coord_code coord_picker_open(coord_registry *registry, const char *service, int32_t policy,
                             const char *subset, coord_picker **out, coord_error **err) {
  coord_code code = check(registry, policy, subset, err);
  if (code == COORD_OK) code = coord__check_service(service, err);
  if (code == COORD_OK) code = coord__check_pointer(out, "out", err);
  if (code == COORD_OK) code = coord__view_open(registry, err);
  if (code != COORD_OK) return code;
  coord__service *s = coord__view_service(registry, service);
  coord_picker *p = s != NULL ? coord__picker_new(&s->group, policy, subset, registry) : NULL;
  if (p == NULL) return coord__no_memory(err);
  coord__registry_use(registry);
  coord__client_use(registry->client);
  *out = p;
  return COORD_OK;
}

coord_code coord_picker_pick(coord_picker *picker, const void *hash_key, size_t hash_key_len,
                             coord_instance **out) {
  if (picker == NULL || out == NULL || (hash_key == NULL && hash_key_len > 0)) {
    return COORD_INVALID;
  }
  if (hash_key == NULL && coord__picker_policy(picker) == COORD_PICK_CONSISTENT_HASH) {
    return COORD_INVALID;
  }
  const coord_registry *registry = coord__picker_owner(picker);
  if (coord__client_forked(registry->client)) return COORD_FORKED;
  return coord__picker_pick(picker, hash_key, hash_key_len, out);
}

void coord_picker_free(coord_picker *picker) {
  if (picker == NULL) return;
  coord_registry *registry = coord__picker_owner(picker);
  coord_client *client = registry->client;
  coord__picker_free(picker);
  coord__registry_unuse(registry);
  coord__client_unuse(client);
}
