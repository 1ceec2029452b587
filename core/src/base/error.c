#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

static coord_error *new_error(coord_code code, const char *message, size_t len) {
  coord_error *e = coord__malloc(sizeof *e + len + 1);
  if (e == NULL) return NULL;
  *e = (coord_error){.code = code, .grpc_status = -1, .http_status = -1};
  e->message = (char *)(e + 1);
  memcpy(e->message, message, len);
  e->message[len] = '\0';
  return e;
}

coord_code coord__failv(coord_error **err, coord_code code, const char *format, va_list args) {
  if (err == NULL) return code;
  char text[1024];
  int n = vsnprintf(text, sizeof text, format, args);
  size_t len = n < 0 ? 0 : (size_t)n;
  if (len >= sizeof text) len = sizeof text - 1;
  coord_error_free(*err);
  *err = new_error(code, text, len);
  return code;
}

coord_code coord__fail(coord_error **err, coord_code code, const char *format, ...) {
  va_list args;
  va_start(args, format);
  coord__failv(err, code, format, args);
  va_end(args);
  return code;
}

coord_code coord__no_memory(coord_error **err) {
  return coord__fail(err, COORD_NO_MEMORY, "memory is exhausted");
}

void coord__error_set_endpoint(coord_error *err, const char *endpoint) {
  if (err == NULL || endpoint == NULL) return;
  coord__free(err->endpoint);
  err->endpoint = coord__strdup(endpoint);
}

bool coord__error_may_pass(coord_code code, const coord_error *err, bool doubt) {
  return doubt || code == COORD_TIMEOUT || code == COORD_UNAVAILABLE ||
         (coord_error_flags(err) & COORD_RETRIABLE) != 0;
}

coord_error *coord__error_dup(const coord_error *err) {
  if (err == NULL) return NULL;
  coord_error *copy = new_error(err->code, err->message, strlen(err->message));
  if (copy == NULL) return NULL;
  copy->flags = err->flags;
  copy->grpc_status = err->grpc_status;
  copy->http_status = err->http_status;
  coord__error_set_endpoint(copy, err->endpoint);
  return copy;
}

const char *coord__show(char out[COORD__SHOWN], const void *p, size_t n) {
  const unsigned char *bytes = p;
  size_t used = 0;
  for (size_t i = 0; i < n; i++) {
    if (used > 40) {
      memcpy(out + used, "...", 3);
      used += 3;
      break;
    }
    if (bytes[i] >= 0x20 && bytes[i] < 0x7f) {
      out[used++] = (char)bytes[i];
    } else {
      used += (size_t)snprintf(out + used, COORD__SHOWN - used, "\\x%02x", bytes[i]);
    }
  }
  out[used] = '\0';
  return out;
}

const char *coord_code_name(coord_code code) {
  switch (code) {
#define COORD_ERROR(name, value, meaning, action) \
  case value:                                     \
    return #name;
#include "errors.def"
#undef COORD_ERROR
    default:
      return "UNKNOWN";
  }
}

coord_code coord_error_code(const coord_error *err) { return err != NULL ? err->code : COORD_OK; }

const char *coord_error_message(const coord_error *err) { return err != NULL ? err->message : ""; }

uint32_t coord_error_flags(const coord_error *err) { return err != NULL ? err->flags : 0; }

int32_t coord_error_grpc_status(const coord_error *err) {
  return err != NULL ? err->grpc_status : -1;
}

int32_t coord_error_http_status(const coord_error *err) {
  return err != NULL ? err->http_status : -1;
}

const char *coord_error_endpoint(const coord_error *err) {
  return err != NULL && err->endpoint != NULL ? err->endpoint : "";
}

void coord_error_free(coord_error *err) {
  if (err == NULL) return;
  coord__free(err->endpoint);
  coord__free(err);
}
