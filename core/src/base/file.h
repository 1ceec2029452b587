/* Reading a small file. */
#ifndef COORD_BASE_FILE_H
#define COORD_BASE_FILE_H

#include <stdbool.h>

#include "base/buf.h"
#include "coord/base.h"

/* All of a file of at most `most` bytes; `out` is empty before. *exposed tells whether every user of
 * the machine can read it. `what` begins the message of an error: "option password.file:". Blocks on
 * the file. COORD_INVALID, COORD_EXHAUSTED, COORD_NO_MEMORY. */
coord_code coord__file_read(const char *what, const char *path, size_t most, coord__buf *out,
                            bool *exposed, coord_error **err);

#endif
