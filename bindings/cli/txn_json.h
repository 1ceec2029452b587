/* A transaction as a JSON document: read into an op, and its answer written. */
#ifndef CLI_TXN_JSON_H
#define CLI_TXN_JSON_H

#include <coord.h>

#include "json_in.h"

/* NULL with the problem told. */
coord_op *txn_from_json(json_object *document, struct problem *problem);

/* The answer as one line of JSON. */
void txn_print(const coord_result *result);

#endif
