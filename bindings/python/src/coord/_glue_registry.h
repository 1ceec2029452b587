/* Steps of registries and pickers that are one for Python; see _glue.h. */

/*
 * The instances of a service as they are now. `known`: those of the last time, or NULL; the same pointer comes back
 * while they are the same, and is no further reference. NULL: it failed, and py_failure tells why.
 */
coord_instances *py_discover(coord_registry *registry, const char *service, int32_t timeout_ms,
                             coord_instances *known);
/* Pick one, which the caller frees. NULL: none; py_pick_code tells why. */
coord_instance *py_pick(coord_picker *picker, const void *key, size_t key_len);
/* Of the last py_pick of this thread. */
coord_code py_pick_code(void);
