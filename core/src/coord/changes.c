#include "coord/changes.h"

#include <string.h>

#include "base/alloc.h"
#include "etcd/fields.h"

/* Numbers of fields, in WatchResponse, Event and KeyValue. */
enum { EVENTS = 11 };
enum { EVENT_TYPE = 1, EVENT_KV = 2, EVENT_PREV = 3 };
enum {
  KV_KEY = 1,
  KV_CREATE_REVISION = 2,
  KV_MOD_REVISION = 3,
  KV_VERSION = 4,
  KV_VALUE = 5,
  KV_LEASE = 6
};

/* One encoded Event. */
typedef struct raw {
  uint64_t type;
  const uint8_t *kv;
  size_t kv_len;
  const uint8_t *prev; /* NULL: none */
  size_t prev_len;
} raw;

static bool read_raw(const coord__field *event, raw *out) {
  coord__fields fields = coord__fields_of(event->bytes, event->len);
  coord__field f;
  *out = (raw){0};
  if (event->bytes == NULL) return false;
  while (fields.at < fields.end) {
    if (!coord__fields_next(&fields, &f)) return false;
    if (f.number == EVENT_TYPE) {
      out->type = f.value;
    } else if (f.number == EVENT_KV) {
      out->kv = f.bytes;
      out->kv_len = f.len;
    } else if (f.number == EVENT_PREV) {
      out->prev = f.bytes;
      out->prev_len = f.len;
    }
  }
  return out->kv != NULL && out->type <= 1;
}

static bool read_kv(const uint8_t *bytes, size_t len, coord_kv *out) {
  coord__fields fields = coord__fields_of(bytes, len);
  coord__field f;
  /* What is empty is left out; it points at an end too. */
  *out = (coord_kv){.key = "", .value = ""};
  while (fields.at < fields.end) {
    if (!coord__fields_next(&fields, &f)) return false;
    switch (f.number) {
      case KV_KEY:
        if (f.bytes == NULL) return false;
        out->key = f.bytes;
        out->key_len = f.len;
        break;
      case KV_VALUE:
        if (f.bytes == NULL) return false;
        out->value = f.bytes;
        out->value_len = f.len;
        break;
      case KV_CREATE_REVISION:
        out->create_revision = (int64_t)f.value;
        break;
      case KV_MOD_REVISION:
        out->mod_revision = (int64_t)f.value;
        break;
      case KV_VERSION:
        out->version = (int64_t)f.value;
        break;
      case KV_LEASE:
        out->lease_id = (int64_t)f.value;
        break;
      default:
        break;
    }
  }
  return true;
}

coord_code coord__changes_find(const uint8_t *bytes, size_t len, int64_t next, bool more_follows,
                               coord__span *out) {
  coord__fields fields = coord__fields_of(bytes, len);
  coord__field f;
  coord__span span = {.rest = len};
  coord__span whole = {0}; /* without what has the newest revision so far */
  int64_t newest = 0;
  while (fields.at < fields.end) {
    const uint8_t *begin = fields.at;
    raw event;
    coord_kv kv;
    if (!coord__fields_next(&fields, &f)) return COORD_PROTOCOL;
    if (f.number != EVENTS) continue;
    if (!read_raw(&f, &event) || !read_kv(event.kv, event.kv_len, &kv)) return COORD_PROTOCOL;
    if (kv.mod_revision < next) continue; /* some servers repeat themselves */
    if (kv.mod_revision < newest || kv.mod_revision <= 0) return COORD_PROTOCOL;
    if (kv.mod_revision > newest) {
      whole = span;
      span.rest = (size_t)(begin - bytes);
      newest = kv.mod_revision;
    }
    if (span.count++ == 0) span.from = (size_t)(begin - bytes);
    span.to = (size_t)(fields.at - bytes);
    span.last = kv.mod_revision;
    if (event.prev != NULL) span.has_prev = true;
  }
  if (more_follows) {
    whole.rest = span.rest;
    span = whole;
  }
  *out = span;
  return COORD_OK;
}

static void destroy(coord_event *event) { coord__free(event); }

static bool leave_namespace(const coord__namespace *ns, coord_kv *kv) {
  if (ns->len == 0) return true;
  if (kv->key_len < ns->len || memcmp(kv->key, ns->prefix, ns->len) != 0) return false;
  kv->key = (const uint8_t *)kv->key + ns->len;
  kv->key_len -= ns->len;
  return true;
}

/* The courtesy of a NUL behind: where the next field begins, which has been read. */
static void end_bytes(const void *p, size_t len, const uint8_t *copy, size_t size) {
  const uint8_t *at = p;
  if (at < copy || at > copy + size) return;
  ((uint8_t *)(uintptr_t)at)[len] = '\0';
}

static void end_all(coord_kv *kvs, size_t count, const uint8_t *copy, size_t size) {
  for (size_t i = 0; i < count; i++) {
    end_bytes(kvs[i].key, kvs[i].key_len, copy, size);
    end_bytes(kvs[i].value, kvs[i].value_len, copy, size);
  }
}

static bool fill(coord__changes *c, const uint8_t *copy, size_t size, int64_t next,
                 const coord__namespace *ns) {
  coord__fields fields = coord__fields_of(copy, size);
  coord__field f;
  size_t count = 0;
  while (fields.at < fields.end) {
    raw event;
    if (!coord__fields_next(&fields, &f)) return false;
    if (f.number != EVENTS) continue;
    coord_kv *kv = &c->kvs[count];
    if (!read_raw(&f, &event) || !read_kv(event.kv, event.kv_len, kv)) return false;
    if (kv->mod_revision < next) continue;
    if (!leave_namespace(ns, kv)) return false;
    if (c->prevs != NULL) {
      c->prevs[count] = (coord_kv){0};
      if (event.prev != NULL) {
        if (!read_kv(event.prev, event.prev_len, &c->prevs[count])) return false;
        if (!leave_namespace(ns, &c->prevs[count])) return false;
      }
    }
    c->types[count++] = (uint8_t)event.type;
  }
  end_all(c->kvs, count, copy, size);
  if (c->prevs != NULL) end_all(c->prevs, count, copy, size);
  return count == c->count;
}

static coord__changes *allocate(size_t extra) {
  coord__changes *c = coord__malloc(sizeof *c + extra);
  if (c == NULL) return NULL;
  memset(c, 0, sizeof *c);
  c->event = (coord_event){
      .type = COORD_EVENT_CHANGES, .bytes = sizeof *c + extra, .changes = c, .destroy = destroy};
  return c;
}

coord_code coord__changes_new(const uint8_t *bytes, const coord__span *span, int64_t next,
                              const coord__namespace *ns, coord__changes **out) {
  size_t size = span->to - span->from;
  size_t lists = span->count * sizeof(coord_kv) * (span->has_prev ? 2 : 1);
  coord__changes *c = allocate(lists + span->count + size + 1);
  if (c == NULL) return COORD_NO_MEMORY;
  c->count = span->count;
  c->kvs = (coord_kv *)(void *)(c + 1);
  if (span->has_prev) c->prevs = c->kvs + span->count;
  c->types = (uint8_t *)(c + 1) + lists;
  uint8_t *copy = c->types + span->count;
  memcpy(copy, bytes + span->from, size);
  c->event.revision = span->last;
  if (!fill(c, copy, size, next, ns)) {
    coord__free(c);
    return COORD_PROTOCOL;
  }
  *out = c;
  return COORD_OK;
}

static const void *copy_bytes(uint8_t **at, const void *p, size_t n) {
  const void *copy = *at;
  if (n > 0) memcpy(*at, p, n);
  (*at)[n] = '\0';
  *at += n + 1;
  return copy;
}

coord__changes *coord__changes_one(int32_t type, const coord_kv *kv) {
  coord__changes *c = allocate(sizeof(coord_kv) + 1 + kv->key_len + 1 + kv->value_len + 1);
  if (c == NULL) return NULL;
  c->count = 1;
  c->kvs = (coord_kv *)(void *)(c + 1);
  c->types = (uint8_t *)(c->kvs + 1);
  c->types[0] = (uint8_t)type;
  uint8_t *at = c->types + 1;
  c->kvs[0] = *kv;
  c->kvs[0].key = copy_bytes(&at, kv->key, kv->key_len);
  c->kvs[0].value = copy_bytes(&at, kv->value, kv->value_len);
  c->event.revision = kv->mod_revision;
  return c;
}

coord__changes *coord__changes_none(int64_t revision) {
  coord__changes *c = allocate(0);
  if (c != NULL) c->event.revision = revision;
  return c;
}
