/* Building error objects. */
#ifndef COORD_BASE_ERROR_H
#define COORD_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "coord/error.h"

/* Immutable once it has left the library; the fields are for the code that builds it. */
struct coord_error {
  coord_code code;
  uint32_t flags;
  int32_t grpc_status; /* -1: none came */
  int32_t http_status; /* -1: none came, or 200 */
  char *endpoint;      /* NULL: none */
  char *message;       /* after the struct, in the same block */
};

/* Fill *err (when err is not NULL) with code and message, and return the code. An error that is
 * there already is replaced. The message is one sentence without a full stop or line end. */
coord_code coord__fail(coord_error **err, coord_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
coord_code coord__failv(coord_error **err, coord_code code, const char *format, va_list args);

/* For failures of memory, where building an object is not worth the try. */
coord_code coord__no_memory(coord_error **err);

/* Set details on an error that is being built; NULL is fine. */
void coord__error_set_endpoint(coord_error *err, const char *endpoint);

/* Whether what ended so is worth another try; doubt: it may have been done. */
bool coord__error_may_pass(coord_code code, const coord_error *err, bool doubt);

/* A copy, NULL for NULL or when memory is out. */
coord_error *coord__error_dup(const coord_error *err);

/* A key or value as text for a message: printable ASCII as it is, the rest as \xNN, cut with "..."
 * after about 40 characters. `out` holds COORD__SHOWN bytes. Returns out. */
enum { COORD__SHOWN = 64 };
const char *coord__show(char out[COORD__SHOWN], const void *p, size_t n);

#endif
