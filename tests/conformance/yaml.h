/* Files of scenarios as json-c objects that know their lines. */
#ifndef COORD_TEST_CONFORMANCE_YAML_H
#define COORD_TEST_CONFORMANCE_YAML_H

#include <json-c/json.h>

/* The list in a file; NULL, and `why` ("line 7: ..."), when it is none. The caller puts it. Duplicate keys,
 * anchors, tags, and scalars that one reader of YAML takes for another type than the next are refused. */
json_object *conf_yaml_load(const char *path, char why[256]);
/* Where this value begins; 0: it does not know (null is nowhere). */
int conf_line(json_object *value);

#endif
