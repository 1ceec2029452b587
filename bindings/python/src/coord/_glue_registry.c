/* Compiled into the extension module behind _glue.c; see _glue_registry.h. */

static __thread coord_code pick_code;

coord_instances *py_discover(coord_registry *registry, const char *service, int32_t timeout_ms,
                             coord_instances *known) {
  coord_instances *found = NULL;
  coord_error *error = NULL;
  coord_code code = coord_registry_discover(registry, service, timeout_ms, &found, &error);
  if (code != COORD_OK) {
    py_free(last_failure);
    last_failure = py_error(code, error);
    return NULL;
  }
  if (found == known) coord_instances_free(found);
  return found;
}

coord_instance *py_pick(coord_picker *picker, const void *key, size_t key_len) {
  coord_instance *instance = NULL;
  pick_code = coord_picker_pick(picker, key, key_len, &instance);
  return pick_code == COORD_OK ? instance : NULL;
}

coord_code py_pick_code(void) { return pick_code; }
