#include "coord/answer.h"

#include <string.h>

#include "etcd/fields.h"

/* Numbers of fields, in WatchResponse and in ResponseHeader. */
enum {
  HEADER = 1,
  WATCH_ID = 2,
  CREATED = 3,
  CANCELED = 4,
  COMPACT_REVISION = 5,
  REASON = 6,
  FRAGMENT = 7,
  EVENTS = 11
};
enum { HEADER_CLUSTER_ID = 1, HEADER_REVISION = 3 };

static bool read_header(const coord__field *field, coord__answer *out) {
  if (field->bytes == NULL) return false;
  coord__fields header = coord__fields_of(field->bytes, field->len);
  coord__field f;
  while (header.at < header.end) {
    if (!coord__fields_next(&header, &f)) return false;
    if (f.number == HEADER_CLUSTER_ID) out->cluster_id = f.value;
    if (f.number == HEADER_REVISION) out->revision = (int64_t)f.value;
  }
  return true;
}

static void read_reason(const coord__field *field, coord__answer *out) {
  size_t n = field->len < sizeof out->reason - 1 ? field->len : sizeof out->reason - 1;
  if (field->bytes != NULL && n > 0) memcpy(out->reason, field->bytes, n);
  out->reason[n] = '\0';
}

static bool read_field(const coord__field *field, coord__answer *out) {
  switch (field->number) {
    case HEADER:
      return read_header(field, out);
    case WATCH_ID:
      out->watch_id = (int64_t)field->value;
      return true;
    case CREATED:
      out->created = field->value != 0;
      return true;
    case CANCELED:
      out->canceled = field->value != 0;
      return true;
    case COMPACT_REVISION:
      out->compact_revision = (int64_t)field->value;
      return true;
    case REASON:
      read_reason(field, out);
      return true;
    case FRAGMENT:
      out->fragment = field->value != 0;
      return true;
    case EVENTS:
      out->has_events = true;
      return field->bytes != NULL;
    default:
      return true;
  }
}

bool coord__answer_read(const uint8_t *bytes, size_t len, coord__answer *out) {
  coord__fields fields = coord__fields_of(bytes, len);
  coord__field field;
  out->bytes = bytes;
  out->len = len;
  out->watch_id = out->revision = out->compact_revision = 0;
  out->cluster_id = 0;
  out->created = out->canceled = out->fragment = out->has_events = false;
  out->reason[0] = '\0';
  while (fields.at < fields.end) {
    if (!coord__fields_next(&fields, &field) || !read_field(&field, out)) return false;
  }
  return true;
}
