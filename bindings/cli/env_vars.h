/* A configuration as variables of an environment. */
#ifndef CLI_ENV_VARS_H
#define CLI_ENV_VARS_H

#include <coord.h>
#include <stdbool.h>

struct variable {
  char *text; /* "NAME=value" */
  size_t name_len;
  char *key; /* of the configuration */
};

/* In the order of names. Freed with variables_free. */
struct variables {
  struct variable *all;
  size_t count;
};

/* The names begin with `prefix`. CLI_FINE, or the exit code after printing what cannot be a variable. */
int variables_from(const coord_result *all, const char *prefix, struct variables *out);
bool variables_equal(const struct variables *a, const struct variables *b);
void variables_free(struct variables *vars);

/* The environment of this process with the variables in it; borrows from both, ends with NULL. Freed
 * with free. */
char **variables_environment(const struct variables *vars);

#endif
