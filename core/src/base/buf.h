/* A growing run of bytes. All zero is a valid empty one. */
#ifndef COORD_BASE_BUF_H
#define COORD_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct coord__buf {
  uint8_t *data;
  size_t len;
  size_t cap;
} coord__buf;

/* Room for `extra` more bytes. False when memory is out; the buffer is then unchanged. */
bool coord__buf_reserve(coord__buf *b, size_t extra);
bool coord__buf_append(coord__buf *b, const void *p, size_t n);
bool coord__buf_append_str(coord__buf *b, const char *s);
/* Drop the first n bytes. */
void coord__buf_consume(coord__buf *b, size_t n);
void coord__buf_free(coord__buf *b);
/* Overwrite what it holds, which was a secret. */
void coord__buf_wipe(coord__buf *b);

#endif
