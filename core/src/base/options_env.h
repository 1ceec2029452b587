/* Options from the environment: COORD_*, etcdctl's ETCDCTL_*, and the file that COORD_CONFIG names. */
#ifndef COORD_BASE_OPTIONS_ENV_H
#define COORD_BASE_OPTIONS_ENV_H

#include "base/options.h"

/* `environment` ends with NULL, like environ. After a failure nothing is set. COORD_INVALID names the
 * variable. */
coord_code coord__options_env(coord_options *o, char *const *environment, coord_error **err);

#endif
