/* JSON that comes in: strict, with errors that name the place. */
#ifndef CLI_JSON_IN_H
#define CLI_JSON_IN_H

#include <json-c/json.h>

#include "bytes.h"
#include "report.h"

/* What is wrong, for a person; "" while nothing is. The first one stays. */
struct problem {
  char text[320];
};

void problem_set(struct problem *problem, const char *format, ...) PRINTF_LIKE(2, 3);

/* "not JSON at column 7: why"; with the line when there are several. */
void json_fault(struct problem *problem, const char *text, size_t len, size_t at, const char *why);

/* One JSON object from text; NULL with the problem told. Released with json_object_put. */
json_object *json_parse_object(const char *text, size_t len, struct problem *problem);

/* Bytes from the member `name` (a string) or `name`_base64. True when it was there; false with no
 * problem told when it is missing. `where` leads the message. */
bool json_bytes(json_object *object, const char *where, const char *name, struct bytes *out,
                struct problem *problem);
/* The member, of the right type, or *out untouched when it is missing. */
void json_flag(json_object *object, const char *where, const char *name, bool *out,
               struct problem *problem);
void json_number(json_object *object, const char *where, const char *name, int64_t min,
                 int64_t *out, struct problem *problem);
/* Every member must be in the list (ended by NULL); the message names those. */
void json_only(json_object *object, const char *where, const char *const *names,
               struct problem *problem);
/* "an object", "a string", ... */
const char *json_kind(json_object *value);

#endif
