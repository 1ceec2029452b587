#include "rpc/json_map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* ---- base64 ---- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static bool write_base64(coord__buf *out, const uint8_t *p, size_t n) {
  if (n > SIZE_MAX / 2 || !coord__buf_reserve(out, (n + 2) / 3 * 4)) return false;
  uint8_t *to = out->data + out->len;
  for (; n >= 3; p += 3, n -= 3) {
    *to++ = (uint8_t)digits[p[0] >> 2];
    *to++ = (uint8_t)digits[(p[0] & 3) << 4 | p[1] >> 4];
    *to++ = (uint8_t)digits[(p[1] & 15) << 2 | p[2] >> 6];
    *to++ = (uint8_t)digits[p[2] & 63];
  }
  if (n > 0) {
    unsigned second = n == 2 ? p[1] : 0;
    *to++ = (uint8_t)digits[p[0] >> 2];
    *to++ = (uint8_t)digits[(p[0] & 3U) << 4 | second >> 4];
    *to++ = n == 2 ? (uint8_t)digits[(second & 15) << 2] : '=';
    *to++ = '=';
  }
  out->len = (size_t)(to - out->data);
  return true;
}

/* The value of a digit in either alphabet, the usual one or that for URLs; 64 for what is none. */
static unsigned digit_value(char c) {
  if (c >= 'A' && c <= 'Z') return (unsigned)(c - 'A');
  if (c >= 'a' && c <= 'z') return (unsigned)(c - 'a') + 26;
  if (c >= '0' && c <= '9') return (unsigned)(c - '0') + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return 64;
}

/* Into `to`, which has room for n * 3 / 4 bytes. How many came out, or -1. */
static ptrdiff_t read_base64(uint8_t *to, const char *text, size_t n) {
  const uint8_t *start = to;
  size_t padding = 0;
  while (n > 0 && padding < 2 && text[n - 1] == '=') n--, padding++;
  if (n % 4 == 1 || (padding > 0 && (n + padding) % 4 != 0)) return -1;
  for (; n > 0; text += 4) {
    size_t here = n < 4 ? n : 4;
    unsigned bits = 0;
    for (size_t i = 0; i < 4; i++) {
      unsigned value = i < here ? digit_value(text[i]) : 0;
      if (value == 64) return -1;
      bits = bits << 6 | value;
    }
    for (size_t i = 0; i + 1 < here; i++) *to++ = (uint8_t)(bits >> (16 - 8 * i));
    n -= here;
  }
  return to - start;
}

/* ---- to JSON ---- */

static bool write_text(coord__buf *out, const char *text) {
  json_object *o = json_object_new_string(text != NULL ? text : "");
  const char *quoted =
      o != NULL ? json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE) : NULL;
  bool ok = quoted != NULL && coord__buf_append_str(out, quoted);
  json_object_put(o);
  return ok;
}

static bool write_message(coord__buf *out, const ProtobufCMessage *m);

static bool write_quoted(coord__buf *out, const char *text) {
  return coord__buf_append(out, "\"", 1) && coord__buf_append_str(out, text) &&
         coord__buf_append(out, "\"", 1);
}

static bool write_enum(coord__buf *out, const ProtobufCEnumDescriptor *type, int value) {
  const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);
  char text[16];
  if (known != NULL) return write_quoted(out, known->name);
  snprintf(text, sizeof text, "%d", value);
  return coord__buf_append_str(out, text);
}

static bool write_value(coord__buf *out, const ProtobufCFieldDescriptor *f, const void *at) {
  char text[32];
  switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
      snprintf(text, sizeof text, "%" PRId32, *(const int32_t *)at);
      return coord__buf_append_str(out, text);
    case PROTOBUF_C_TYPE_UINT32:
      snprintf(text, sizeof text, "%" PRIu32, *(const uint32_t *)at);
      return coord__buf_append_str(out, text);
    case PROTOBUF_C_TYPE_INT64:
      snprintf(text, sizeof text, "%" PRId64, *(const int64_t *)at);
      return write_quoted(out, text);
    case PROTOBUF_C_TYPE_UINT64:
      snprintf(text, sizeof text, "%" PRIu64, *(const uint64_t *)at);
      return write_quoted(out, text);
    case PROTOBUF_C_TYPE_BOOL:
      return coord__buf_append_str(out, *(const protobuf_c_boolean *)at ? "true" : "false");
    case PROTOBUF_C_TYPE_ENUM:
      return write_enum(out, f->descriptor, *(const int *)at);
    case PROTOBUF_C_TYPE_STRING:
      return write_text(out, *(const char *const *)at);
    case PROTOBUF_C_TYPE_BYTES: {
      const ProtobufCBinaryData *bytes = at;
      return coord__buf_append(out, "\"", 1) && write_base64(out, bytes->data, bytes->len) &&
             coord__buf_append(out, "\"", 1);
    }
    case PROTOBUF_C_TYPE_MESSAGE:
      return write_message(out, *(const ProtobufCMessage *const *)at);
    default: /* no message of etcd's has one */
      return coord__buf_append_str(out, "null");
  }
}

static size_t size_of(ProtobufCType type) {
  switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
      return sizeof(int64_t);
    case PROTOBUF_C_TYPE_BOOL:
      return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_BYTES:
      return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
      return sizeof(void *);
    default:
      return sizeof(int32_t);
  }
}

static bool is_zero(const ProtobufCFieldDescriptor *f, const void *at) {
  switch (f->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
      return *(const int64_t *)at == 0;
    case PROTOBUF_C_TYPE_BOOL:
      return !*(const protobuf_c_boolean *)at;
    case PROTOBUF_C_TYPE_BYTES:
      return ((const ProtobufCBinaryData *)at)->len == 0;
    case PROTOBUF_C_TYPE_STRING: {
      const char *text = *(const char *const *)at;
      return text == NULL || text[0] == '\0';
    }
    case PROTOBUF_C_TYPE_MESSAGE:
      return *(const void *const *)at == NULL;
    default:
      return *(const int32_t *)at == 0;
  }
}

static const void *member(const ProtobufCMessage *m, unsigned offset) {
  return (const char *)m + offset;
}

static bool is_present(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f) {
  if (f->label == PROTOBUF_C_LABEL_REPEATED) {
    return *(const size_t *)member(m, f->quantifier_offset) > 0;
  }
  /* Also its zero value: that one was chosen among several is what counts. */
  if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
    return *(const uint32_t *)member(m, f->quantifier_offset) == f->id;
  }
  return !is_zero(f, member(m, f->offset));
}

static bool write_field(coord__buf *out, const ProtobufCMessage *m,
                        const ProtobufCFieldDescriptor *f) {
  if (!write_quoted(out, f->name) || !coord__buf_append(out, ":", 1)) return false;
  if (f->label != PROTOBUF_C_LABEL_REPEATED) return write_value(out, f, member(m, f->offset));
  size_t count = *(const size_t *)member(m, f->quantifier_offset);
  const char *items = *(const char *const *)member(m, f->offset);
  bool ok = coord__buf_append(out, "[", 1);
  for (size_t i = 0; ok && i < count; i++) {
    ok = (i == 0 || coord__buf_append(out, ",", 1)) &&
         write_value(out, f, items + i * size_of(f->type));
  }
  return ok && coord__buf_append(out, "]", 1);
}

static bool write_message(coord__buf *out, const ProtobufCMessage *m) {
  bool first = true;
  if (!coord__buf_append(out, "{", 1)) return false;
  for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
    const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
    if (!is_present(m, f)) continue;
    if (!first && !coord__buf_append(out, ",", 1)) return false;
    if (!write_field(out, m, f)) return false;
    first = false;
  }
  return coord__buf_append(out, "}", 1);
}

/* Tells failures of memory from bytes that are no message. */
typedef struct memory {
  bool exhausted;
} memory;

static void *take(void *data, size_t size) {
  memory *m = data;
  void *p = coord__malloc(size);
  if (p == NULL) m->exhausted = true;
  return p;
}

static void give_back(void *data, void *p) {
  (void)data;
  coord__free(p);
}

coord_code coord__json_write(const ProtobufCMessageDescriptor *type, const uint8_t *p, size_t n,
                             coord__buf *out) {
  memory m = {false};
  ProtobufCAllocator allocator = {take, give_back, &m};
  ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, n, p);
  if (message == NULL) return m.exhausted ? COORD_NO_MEMORY : COORD_INVALID;
  size_t before = out->len;
  bool ok = write_message(out, message);
  protobuf_c_message_free_unpacked(message, &allocator);
  if (!ok) out->len = before;
  return ok ? COORD_OK : COORD_NO_MEMORY;
}

/* ---- from JSON ---- */

typedef struct reader {
  coord__buf *out;
  char *why;
} reader;

static coord_code refuse(reader *r, const ProtobufCFieldDescriptor *f, const char *expected) {
  snprintf(r->why, COORD__JSON_WHY, "field %s is no %s", f->name, expected);
  return COORD_PROTOCOL;
}

static coord_code appended(bool ok) { return ok ? COORD_OK : COORD_NO_MEMORY; }

static size_t varint(uint8_t out[10], uint64_t value) {
  size_t n = 0;
  for (; value >= 0x80; value >>= 7) out[n++] = (uint8_t)(value | 0x80);
  out[n++] = (uint8_t)value;
  return n;
}

static bool put_varint(reader *r, uint64_t value) {
  uint8_t bytes[10];
  return coord__buf_append(r->out, bytes, varint(bytes, value));
}

static bool put_tag(reader *r, const ProtobufCFieldDescriptor *f, unsigned wire_type) {
  return put_varint(r, (uint64_t)f->id << 3 | wire_type);
}

/* A number that stands for itself or in a text. */
static bool read_number(json_object *v, bool is_signed, uint64_t *out) {
  json_type type = json_object_get_type(v);
  if (type != json_type_int && type != json_type_string) return false;
  const char *text = json_object_get_string(v);
  if (text == NULL) return false;
  const char *first = is_signed && text[0] == '-' ? text + 1 : text;
  if (*first < '0' || *first > '9') return false;
  char *end;
  errno = 0;
  *out = is_signed ? (uint64_t)strtoll(text, &end, 10) : strtoull(text, &end, 10);
  return errno == 0 && *end == '\0';
}

static coord_code put_number(reader *r, const ProtobufCFieldDescriptor *f, json_object *v) {
  bool is_signed = f->type == PROTOBUF_C_TYPE_INT64 || f->type == PROTOBUF_C_TYPE_INT32;
  uint64_t number;
  if (!read_number(v, is_signed, &number)) return refuse(r, f, "number");
  if (f->type == PROTOBUF_C_TYPE_UINT32 && number > UINT32_MAX) return refuse(r, f, "number");
  if (f->type == PROTOBUF_C_TYPE_INT32 &&
      ((int64_t)number > INT32_MAX || (int64_t)number < INT32_MIN)) {
    return refuse(r, f, "number");
  }
  return appended(put_tag(r, f, 0) && put_varint(r, number));
}

static coord_code put_enum(reader *r, const ProtobufCFieldDescriptor *f, json_object *v) {
  const ProtobufCEnumValue *known = NULL;
  uint64_t number;
  if (json_object_get_type(v) == json_type_string) {
    known = protobuf_c_enum_descriptor_get_value_by_name(f->descriptor, json_object_get_string(v));
  }
  if (known != NULL) {
    number = (uint64_t)(int64_t)known->value;
  } else if (!read_number(v, true, &number) || (int64_t)number > INT32_MAX ||
             (int64_t)number < INT32_MIN) {
    return refuse(r, f, "known name or number");
  }
  return appended(put_tag(r, f, 0) && put_varint(r, number));
}

static coord_code put_bytes(reader *r, const ProtobufCFieldDescriptor *f, json_object *v) {
  if (json_object_get_type(v) != json_type_string) return refuse(r, f, "text");
  const char *text = json_object_get_string(v);
  size_t n = (size_t)json_object_get_string_len(v);
  if (f->type == PROTOBUF_C_TYPE_STRING) {
    return appended(put_tag(r, f, 2) && put_varint(r, n) && coord__buf_append(r->out, text, n));
  }
  /* The length in front, once it is known: decoded at the far end of its room. */
  uint8_t length[10];
  size_t room = n / 4 * 3 + 3;
  if (!put_tag(r, f, 2) || !coord__buf_reserve(r->out, sizeof length + room)) {
    return COORD_NO_MEMORY;
  }
  uint8_t *to = r->out->data + r->out->len;
  ptrdiff_t got = read_base64(to + sizeof length, text, n);
  if (got < 0) return refuse(r, f, "base64");
  size_t head = varint(length, (uint64_t)got);
  memmove(to + head, to + sizeof length, (size_t)got);
  memcpy(to, length, head);
  r->out->len += head + (size_t)got;
  return COORD_OK;
}

static coord_code put_fields(reader *r, const ProtobufCMessageDescriptor *type, json_object *o);

static coord_code put_message(reader *r, const ProtobufCFieldDescriptor *f, json_object *v) {
  uint8_t length[10];
  if (json_object_get_type(v) != json_type_object) return refuse(r, f, "object");
  if (!put_tag(r, f, 2)) return COORD_NO_MEMORY;
  size_t start = r->out->len;
  coord_code code = put_fields(r, f->descriptor, v);
  if (code != COORD_OK) return code;
  size_t n = r->out->len - start;
  size_t head = varint(length, n);
  if (!coord__buf_reserve(r->out, head)) return COORD_NO_MEMORY;
  memmove(r->out->data + start + head, r->out->data + start, n);
  memcpy(r->out->data + start, length, head);
  r->out->len += head;
  return COORD_OK;
}

static coord_code put_value(reader *r, const ProtobufCFieldDescriptor *f, json_object *v) {
  switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
      return put_number(r, f, v);
    case PROTOBUF_C_TYPE_ENUM:
      return put_enum(r, f, v);
    case PROTOBUF_C_TYPE_BOOL:
      if (json_object_get_type(v) != json_type_boolean) return refuse(r, f, "boolean");
      return appended(put_tag(r, f, 0) && put_varint(r, json_object_get_boolean(v) ? 1 : 0));
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
      return put_bytes(r, f, v);
    case PROTOBUF_C_TYPE_MESSAGE:
      return put_message(r, f, v);
    default:
      return refuse(r, f, "field of a type that is known here");
  }
}

static coord_code put_items(reader *r, const ProtobufCFieldDescriptor *f, json_object *v) {
  if (json_object_get_type(v) != json_type_array) return refuse(r, f, "array");
  size_t count = json_object_array_length(v);
  for (size_t i = 0; i < count; i++) {
    json_object *item = json_object_array_get_idx(v, i);
    coord_code code = item != NULL ? put_value(r, f, item) : refuse(r, f, "array without null");
    if (code != COORD_OK) return code;
  }
  return COORD_OK;
}

static coord_code put_fields(reader *r, const ProtobufCMessageDescriptor *type, json_object *o) {
  for (unsigned i = 0; i < type->n_fields; i++) {
    const ProtobufCFieldDescriptor *f = &type->fields[i];
    json_object *v = NULL;
    if (!json_object_object_get_ex(o, f->name, &v) || v == NULL) continue;
    coord_code code =
        f->label == PROTOBUF_C_LABEL_REPEATED ? put_items(r, f, v) : put_value(r, f, v);
    if (code != COORD_OK) return code;
  }
  return COORD_OK;
}

coord_code coord__json_read(const ProtobufCMessageDescriptor *type, json_object *o, coord__buf *out,
                            char why[COORD__JSON_WHY]) {
  reader r = {out, why};
  size_t before = out->len;
  why[0] = '\0';
  coord_code code = COORD_PROTOCOL;
  if (json_object_get_type(o) == json_type_object) {
    code = put_fields(&r, type, o);
  } else {
    snprintf(why, COORD__JSON_WHY, "a %s is no object", type->short_name);
  }
  if (code != COORD_OK) out->len = before;
  return code;
}
