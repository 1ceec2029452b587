/*
 * Messages as JSON and back, for any message, by its descriptor: the mapping of proto3 as etcd's
 * gateway speaks it. Bytes are base64, 64-bit numbers are texts, enum values are names, names of
 * fields are those of the .proto file, what has its zero value is left out.
 */
#ifndef COORD_RPC_JSON_MAP_H
#define COORD_RPC_JSON_MAP_H

#include <json-c/json.h>
#include <protobuf-c/protobuf-c.h>

#include "base/buf.h"
#include "coord/error.h"

enum { COORD__JSON_WHY = 160 };

/* Append the JSON text of a packed message. COORD_NO_MEMORY, or COORD_INVALID when the bytes are no
 * such message. `out` is unchanged then. */
coord_code coord__json_write(const ProtobufCMessageDescriptor *type, const uint8_t *p, size_t n,
                             coord__buf *out);

/* Append the packed message that an object is. Enum values may be names or numbers, numbers also
 * texts; fields that the type does not have, and null, are passed over. COORD_NO_MEMORY, or
 * COORD_PROTOCOL with the reason in `why`. */
coord_code coord__json_read(const ProtobufCMessageDescriptor *type, json_object *o, coord__buf *out,
                            char why[COORD__JSON_WHY]);

#endif
