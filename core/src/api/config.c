#include "coord/config.h"

#include "api/check.h"
#include "base/error.h"
#include "base/options.h"
#include "coord/call.h"
#include "coord/config_handle.h"
#include "coord/config_ops.h"

static coord_code wait_for_layers(coord_config *g, coord_error **err) {
  coord_code code = COORD_OK;
  for (size_t i = 0; i < coord__config_layer_count(g) && code == COORD_OK; i++) {
    coord_mirror *mirror = coord__config_mirror(g, i);
    if (mirror == NULL) break; /* config.live false */
    coord_op *op = coord__op_mirror_loaded(mirror);
    if (op == NULL) return coord__no_memory(err);
    code = coord_call(coord__config_client(g), op, -1, NULL, err);
    coord__op_free(op);
  }
  return code;
}

coord_code coord_config_open(coord_client *client, const char *application,
                             const coord_options *options, coord_queue *queue, uint64_t tag,
                             coord_config **out, coord_error **err) {
  coord_code code = coord__check_open(client, err);
  if (code == COORD_OK) code = coord__check_pointer(application, "application", err);
  if (code == COORD_OK && queue != NULL) code = coord__check_queue(queue, err);
  if (code == COORD_OK) code = coord__check_pointer(out, "out", err);
  if (code != COORD_OK) return code;
  coord_config *g = NULL;
  code = coord__config_open(client, application, options, queue, tag, &g, err);
  if (code != COORD_OK) return code;
  const coord_options *o = options != NULL ? options : client->options;
  if (coord__options_bool(o, COORD__OPTION_MIRROR_WAIT)) code = wait_for_layers(g, err);
  if (code != COORD_OK) {
    coord__config_free(g);
    return code;
  }
  *out = g;
  return COORD_OK;
}

/* What all that are given a handle and a key have to look at. */
static coord_code check(const coord_config *config, const char *key, coord_error **err) {
  coord_code code = coord__check_pointer(config, "config", err);
  if (code == COORD_OK) code = coord__check_pointer(key, "key", err);
  if (code == COORD_OK) code = coord__check_client(coord__config_client(config), err);
  return code;
}

coord_code coord_config_default(coord_config *config, const char *key, const char *json,
                                coord_error **err) {
  coord_code code = check(config, key, err);
  return code != COORD_OK ? code : coord__config_default(config, key, json, err);
}

coord_code coord_config_get(const coord_config *config, const char *key, char **json,
                            int64_t *version, coord_error **err) {
  coord_code code = check(config, key, err);
  if (code == COORD_OK) code = coord__check_pointer(json, "json", err);
  return code != COORD_OK ? code : coord__config_get(config, key, json, version, err);
}

coord_code coord_config_all(const coord_config *config, coord_result **out, coord_error **err) {
  coord_code code = check(config, "", err);
  if (code == COORD_OK) code = coord__check_pointer(out, "out", err);
  return code != COORD_OK ? code : coord__config_all(config, out, err);
}

coord_code coord_config_accept(coord_config *config, const coord_event *event, coord_error **err) {
  coord_code code = check(config, "", err);
  if (code == COORD_OK) code = coord__check_pointer(event, "event", err);
  return code != COORD_OK ? code : coord__config_accept(config, event, err);
}

coord_op *coord_op_config_set(const coord_config *config, const char *key, const char *json,
                              int64_t expected_version) {
  if (config == NULL) return NULL;
  return coord__op_config_write(coord__config_layer(config), key, json, expected_version);
}

coord_op *coord_op_config_delete(const coord_config *config, const char *key,
                                 int64_t expected_version) {
  if (config == NULL) return NULL;
  return coord__op_config_delete(coord__config_layer(config), key, expected_version);
}

coord_op *coord_op_config_get(const coord_config *config, const char *key) {
  return config != NULL ? coord__op_config_get(coord__config_layer(config), key) : NULL;
}

coord_op *coord_op_config_list(const coord_config *config) {
  return config != NULL ? coord__op_config_list(coord__config_layer(config)) : NULL;
}

coord_op *coord_op_config_history(const coord_config *config, const char *key, int32_t most) {
  return config != NULL ? coord__op_config_history(coord__config_layer(config), key, most) : NULL;
}

void coord_config_free(coord_config *config) {
  if (config != NULL) coord__config_free(config);
}
