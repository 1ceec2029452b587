/* Bytes of any content, base64, UTF-8. Running out of memory ends the program. */
#ifndef CLI_BYTES_H
#define CLI_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Owned bytes; one NUL that is not counted follows them. Freed with bytes_free. */
struct bytes {
  char *data;
  size_t len;
};

void *must_alloc(size_t count, size_t size);
void *must_grow(void *old, size_t count, size_t size);

struct bytes bytes_copy(const void *data, size_t len);
void bytes_free(struct bytes *bytes);

/* All that a descriptor has to give; false with errno set, EFBIG above `most`. */
bool bytes_read_fd(int fd, size_t most, struct bytes *out);

bool utf8_valid(const void *data, size_t len);

/* Standard alphabet with padding, nothing else. */
bool base64_decode(const char *text, size_t len, struct bytes *out);
void base64_write(FILE *file, const void *data, size_t len);

#endif
