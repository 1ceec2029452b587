/* The larger actions of `coord config`. */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "args.h"

/* Takes the blanks around a value off. CLI_FINE, or the exit code after saying why it is no JSON. `from`
 * says where it is from; NULL: it is a word. */
int config_check(const char *what, const char *from, struct bytes *value);

int config_watch(const struct args *args, char **words);
int config_edit(const struct args *args, char **words);

#endif
