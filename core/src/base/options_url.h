/* A URL in the option endpoints: etcd://user@host:port,host:port/namespace?option=value. */
#ifndef COORD_BASE_OPTIONS_URL_H
#define COORD_BASE_OPTIONS_URL_H

#include "base/options.h"

/* What a URL says of each option, and of endpoints as a list; nothing when the text is a list. The
 * texts are the caller's, on failure too. Messages show no part that may be a secret. */
coord_code coord__options_read_url(const char *text, coord__source source,
                                   coord__setting out[COORD__OPTION_COUNT], coord_error **err);

#endif
