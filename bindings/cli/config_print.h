/* Values of a configuration on standard output. */
#ifndef CLI_CONFIG_PRINT_H
#define CLI_CONFIG_PRINT_H

#include <coord.h>

/* "value":JSON; "text":"..." when it is none. */
void config_print_member(const char *name, const coord_kv *kv);
/* On one line; what is no JSON as it is. */
void config_print_line(const coord_kv *kv);

#endif
