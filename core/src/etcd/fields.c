#include "etcd/fields.h"

enum { VARINT = 0, FIXED64 = 1, DELIMITED = 2, FIXED32 = 5 };

coord__fields coord__fields_of(const uint8_t *bytes, size_t len) {
  return (coord__fields){.at = bytes, .end = len > 0 ? bytes + len : bytes};
}

static bool read_varint(coord__fields *r, uint64_t *value) {
  *value = 0;
  for (unsigned shift = 0; shift < 64 && r->at < r->end; shift += 7) {
    uint8_t byte = *r->at++;
    *value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

static bool skip(coord__fields *r, uint64_t n) {
  if (n > (uint64_t)(r->end - r->at)) return false;
  r->at += n;
  return true;
}

bool coord__fields_next(coord__fields *fields, coord__field *field) {
  uint64_t tag;
  uint64_t value = 0;
  if (!read_varint(fields, &tag)) return false;
  *field = (coord__field){.number = tag >> 3};
  switch (tag & 7) {
    case VARINT:
      return read_varint(fields, &field->value);
    case FIXED64:
      return skip(fields, 8);
    case FIXED32:
      return skip(fields, 4);
    case DELIMITED:
      if (!read_varint(fields, &value)) return false;
      field->bytes = fields->at;
      field->len = (size_t)value;
      return skip(fields, value);
    default:
      return false;
  }
}
