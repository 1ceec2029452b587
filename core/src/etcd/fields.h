/* Walking over the fields of an encoded message without unpacking it. */
#ifndef COORD_ETCD_FIELDS_H
#define COORD_ETCD_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct coord__fields {
  const uint8_t *at;
  const uint8_t *end;
} coord__fields;

typedef struct coord__field {
  uint64_t number;
  const uint8_t *bytes; /* of a length-delimited field; NULL for others */
  size_t len;
  uint64_t value; /* of a varint */
} coord__field;

coord__fields coord__fields_of(const uint8_t *bytes, size_t len);

/* The next field. False at the end and where the bytes are no message. */
bool coord__fields_next(coord__fields *fields, coord__field *field);

#endif
