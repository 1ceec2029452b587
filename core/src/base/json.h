/* Reading one JSON text, strictly. */
#ifndef COORD_BASE_JSON_H
#define COORD_BASE_JSON_H

#include <json-c/json.h>

#include <stddef.h>

#include "coord/error.h"

/* `what` begins the message of COORD_INVALID, which says where the text goes wrong: "argument json",
 * for example. One value, UTF-8, nothing but blanks around it. *out (may be NULL) is to be put; NULL for
 * the value null. COORD_NO_MEMORY. */
coord_code coord__json_parse(const char *what, const void *text, size_t len, json_object **out,
                             coord_error **err);

#endif
