/* The handle of a configuration. Same contracts as in coord/config.h, without the checks of pointers. */
#ifndef COORD_COORD_CONFIG_HANDLE_H
#define COORD_COORD_CONFIG_HANDLE_H

#include "base/buf.h"
#include "coord/config.h"
#include "coord/mirror_handle.h"

/* Does not wait. */
coord_code coord__config_open(coord_client *c, const char *application,
                              const coord_options *options, coord_queue *queue, uint64_t tag,
                              coord_config **out, coord_error **err);
size_t coord__config_layer_count(const coord_config *config);
/* 0: the topmost. */
coord_mirror *coord__config_mirror(const coord_config *config, size_t layer);
coord_code coord__config_default(coord_config *config, const char *key, const char *json,
                                 coord_error **err);
coord_code coord__config_get(const coord_config *config, const char *key, char **json,
                             int64_t *version, coord_error **err);
coord_code coord__config_all(const coord_config *config, coord_result **out, coord_error **err);
coord_code coord__config_accept(coord_config *config, const coord_event *event, coord_error **err);
/* Of the whole name, with the slash behind it. */
const coord__buf *coord__config_layer(const coord_config *config);
coord_client *coord__config_client(const coord_config *config);
void coord__config_free(coord_config *config);

#endif
