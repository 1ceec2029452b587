/* Options from a YAML file: sections of options, each for one client. */
#ifndef COORD_BASE_OPTIONS_FILE_H
#define COORD_BASE_OPTIONS_FILE_H

#include "base/options.h"

/* Set what the sections `defaults` and `section` (NULL or "": none) say. After a failure nothing is
 * set. COORD_INVALID names file, line and column. */
coord_code coord__options_load(coord_options *o, const char *path, const char *section,
                               coord_error **err);

#endif
