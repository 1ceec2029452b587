/* What is done to configuration over the wire. Same contracts as in coord/config.h. */
#ifndef COORD_COORD_CONFIG_OPS_H
#define COORD_COORD_CONFIG_OPS_H

#include "base/buf.h"
#include "coord/config.h"
#include "etcd/op.h"

/* The place of a key: `layer` ends with a slash. An op with a fault when the key is none. */
coord_op *coord__op_config_write(const coord__buf *layer, const char *key, const char *json,
                                 int64_t expected);
coord_op *coord__op_config_delete(const coord__buf *layer, const char *key, int64_t expected);
coord_op *coord__op_config_get(const coord__buf *layer, const char *key);
coord_op *coord__op_config_list(const coord__buf *layer);
coord_op *coord__op_config_history(const coord__buf *layer, const char *key, int32_t most);

#endif
