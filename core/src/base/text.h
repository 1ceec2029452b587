/* Text: how far apart two words are. */
#ifndef COORD_BASE_TEXT_H
#define COORD_BASE_TEXT_H

#include <stddef.h>

/* Edits (Levenshtein) that make `a` of `b`; SIZE_MAX when a word is longer than 63 bytes. */
size_t coord__distance(const char *a, const char *b);

#endif
