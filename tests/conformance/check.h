/* Whether a file of scenarios is well-formed. */
#ifndef COORD_TEST_CONFORMANCE_CHECK_H
#define COORD_TEST_CONFORMANCE_CHECK_H

#include "conformance/yaml.h"

/* The list of scenarios in a file: each an object with "file", "line", "name", "about", "needs" (may be
 * missing) and "steps", each of which has its "line". NULL when it is not well-formed: what is wrong is
 * told, all of it, one line each on stderr: "FILE:LINE: WHY". */
json_object *conf_load(const char *path);

#endif
