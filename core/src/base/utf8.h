/* What is well-formed UTF-8. */
#ifndef COORD_BASE_UTF8_H
#define COORD_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* How many of the `left` bytes at `s` are one well-formed character, 0 for none. */
size_t coord__utf8_character(const void *s, size_t left);
bool coord__utf8_ok(const char *text);

#endif
