/* JSON as a text, which stays as it was written: no number changes its form. */
#ifndef CLI_JSON_TEXT_H
#define CLI_JSON_TEXT_H

#include "bytes.h"
#include "json_in.h"

/* Whether it is one JSON value, as RFC 8259 has it; false with the problem told. */
bool json_text_ok(const void *text, size_t len, struct problem *problem);

/* The same value on one line, without blanks around its parts. The text must be JSON. Owned by the
 * caller. */
struct bytes json_text_line(const void *text, size_t len);

#endif
