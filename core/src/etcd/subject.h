/* What a request is about, in words, for errors. */
#ifndef COORD_ETCD_SUBJECT_H
#define COORD_ETCD_SUBJECT_H

#include <stddef.h>
#include <stdint.h>

#include "rpc/method.h"

/* " of \"key\"", " of the range from \"a\" to \"b\" and 2 more", or "" when it is about no key, from an
 * encoded request. */
void coord__subject(const coord__method *method, const uint8_t *message, size_t len, char *out,
                    size_t size);

#endif
