#include "coord/config_view.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"

typedef struct source {
  coord__cursor at;
  coord__item *item; /* the next one; NULL: the end */
  size_t skip;
} source;

typedef struct merge {
  coord__config_view *view;
  const coord__config_view *before;
  size_t before_at;
  source sources[COORD__CONFIG_LAYERS];
  size_t count;
  void (*rejected)(void *arg, const coord__item *item, const char *why);
  void *arg;
} merge;

/* ---- keys ---- */

static const uint8_t *key_of(const coord__item *item, size_t skip, size_t *len) {
  *len = item->kv.key.len - skip;
  return item->kv.key.data + skip;
}

static int compare_items(const coord__item *a, size_t a_skip, const coord__item *b, size_t b_skip) {
  size_t a_len, b_len;
  const uint8_t *a_key = key_of(a, a_skip, &a_len);
  const uint8_t *b_key = key_of(b, b_skip, &b_len);
  return coord__compare_keys(a_key, a_len, b_key, b_len);
}

static int compare_values(const coord__config_value *a, const coord__config_value *b) {
  return compare_items(a->named_by, a->skip, b->named_by, b->skip);
}

/* One that can be asked for by name. */
static bool is_name(const coord__item *item, size_t skip) {
  size_t len;
  const uint8_t *key = key_of(item, skip, &len);
  return len > 0 && memchr(key, '\0', len) == NULL && coord__utf8_ok((const char *)key);
}

/* ---- making one ---- */

static void next_item(source *s, const coord__config_source *layer) {
  do {
    s->item = layer->tree != NULL ? coord__cursor_next(&s->at) : NULL;
    if (s->item != NULL && (s->item->kv.key.len < s->skip ||
                            memcmp(s->item->kv.key.data, layer->name, s->skip) != 0)) {
      s->item = NULL;
    }
  } while (s->item != NULL && !is_name(s->item, s->skip));
}

static bool add(coord__config_view *v, const coord__config_value *value) {
  if (v->count == v->room) {
    size_t room = v->room > 0 ? 2 * v->room : 16;
    void *grown = coord__realloc(v->values, room * sizeof v->values[0]);
    if (grown == NULL) return false;
    v->values = grown;
    v->room = room;
  }
  if (value->item != NULL) coord__item_retain(value->item);
  for (int i = 0; i < COORD__CONFIG_LAYERS; i++) {
    if (value->bad[i] != NULL) coord__item_retain(value->bad[i]);
  }
  v->values[v->count++] = *value;
  return true;
}

/* What there was of this key. */
static const coord__config_value *value_before(merge *m, const coord__item *item, size_t skip) {
  if (m->before == NULL) return NULL;
  while (m->before_at < m->before->count) {
    const coord__config_value *v = &m->before->values[m->before_at];
    int order = compare_items(v->named_by, v->skip, item, skip);
    if (order == 0) return v;
    if (order > 0) return NULL;
    m->before_at++;
  }
  return NULL;
}

/* COORD_OK, COORD_INVALID, COORD_NO_MEMORY. */
static coord_code judge(merge *m, const coord__item *item, size_t layer,
                        const coord__config_value *before) {
  coord_error *err = NULL;
  if (before != NULL && before->item == item) return COORD_OK;
  if (before != NULL && before->bad[layer] == item) return COORD_INVALID;
  coord_code code =
      coord__json_parse("its value", item->kv.value.data, item->kv.value.len, NULL, &err);
  if (code == COORD_INVALID) m->rejected(m->arg, item, coord_error_message(err));
  coord_error_free(err);
  return code;
}

/* The value of the least key that is next. False: memory is out. */
static bool merge_one(merge *m, const coord__item *key, size_t skip) {
  const coord__config_value *before = value_before(m, key, skip);
  coord__config_value value = {.layer = -1};
  for (size_t i = 0; i < m->count && value.item == NULL; i++) {
    const source *s = &m->sources[i];
    if (s->item == NULL || compare_items(s->item, s->skip, key, skip) != 0) continue;
    coord_code code = judge(m, s->item, i, before);
    if (code == COORD_NO_MEMORY) return false;
    bool lasts = before != NULL && before->item != NULL && before->layer == (int)i;
    if (code != COORD_OK) value.bad[i] = s->item;
    if (code == COORD_OK || lasts) {
      value.item = code == COORD_OK ? s->item : before->item;
      value.layer = (int)i;
    }
    if (value.named_by == NULL || value.item != NULL) {
      value.named_by = value.item != NULL ? value.item : s->item;
      value.skip = s->skip;
    }
  }
  return add(m->view, &value);
}

static void advance(merge *m, const coord__config_source *layers, const coord__item *key,
                    size_t skip) {
  for (size_t i = 0; i < m->count; i++) {
    source *s = &m->sources[i];
    bool is_it = s->item == key;
    if (!is_it && s->item != NULL) is_it = compare_items(s->item, s->skip, key, skip) == 0;
    if (is_it) next_item(s, &layers[i]);
  }
}

static bool run(merge *m, const coord__config_source *layers) {
  for (;;) {
    const source *least = NULL;
    for (size_t i = 0; i < m->count; i++) {
      const source *s = &m->sources[i];
      if (s->item == NULL) continue;
      if (least == NULL || compare_items(s->item, s->skip, least->item, least->skip) < 0) least = s;
    }
    if (least == NULL) return true;
    const coord__item *key = least->item;
    size_t skip = least->skip;
    if (!merge_one(m, key, skip)) return false;
    advance(m, layers, key, skip);
  }
}

coord__config_view *coord__config_view_new(const coord__config_source *layers, size_t count,
                                           int64_t revision, const coord__config_view *before,
                                           void (*rejected)(void *arg, const coord__item *item,
                                                            const char *why),
                                           void *arg) {
  coord__config_view *v = coord__calloc(1, sizeof *v);
  if (v == NULL) return NULL;
  atomic_init(&v->refs, 1);
  v->revision = revision;
  merge m = {.view = v, .before = before, .count = count, .rejected = rejected, .arg = arg};
  for (size_t i = 0; i < count; i++) {
    source *s = &m.sources[i];
    s->skip = layers[i].skip;
    if (layers[i].tree != NULL) s->at = coord__tree_seek(layers[i].tree, layers[i].name, s->skip);
    next_item(s, &layers[i]);
  }
  if (run(&m, layers)) return v;
  coord__config_view_release(v);
  return NULL;
}

coord__config_view *coord__config_view_retain(coord__config_view *v) {
  atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
  return v;
}

void coord__config_view_release(coord__config_view *v) {
  if (v == NULL || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) > 1) return;
  for (size_t i = 0; i < v->count; i++) {
    if (v->values[i].item != NULL) coord__item_release(v->values[i].item);
    for (int j = 0; j < COORD__CONFIG_LAYERS; j++) {
      if (v->values[i].bad[j] != NULL) coord__item_release(v->values[i].bad[j]);
    }
  }
  coord__free(v->values);
  coord__free(v);
}

/* ---- reading ---- */

const coord__config_value *coord__config_view_find(const coord__config_view *v, const char *key) {
  size_t len = strlen(key), from = 0, to = v->count;
  while (from < to) {
    size_t middle = from + (to - from) / 2, is_len;
    const coord__config_value *value = &v->values[middle];
    const uint8_t *is = key_of(value->named_by, value->skip, &is_len);
    int order = coord__compare_keys(is, is_len, key, len);
    if (order == 0) return value->item != NULL ? value : NULL;
    if (order < 0) from = middle + 1;
    if (order > 0) to = middle;
  }
  return NULL;
}

coord_kv coord__config_value_kv(const coord__config_value *value) {
  coord_kv kv = coord__item_kv(value->item);
  kv.key = (const uint8_t *)kv.key + value->skip;
  kv.key_len -= value->skip;
  if (value->layer != 0) kv.version = 0;
  return kv;
}

/* ---- what differs ---- */

typedef struct pair {
  const coord__config_value *from; /* NULL: there was none */
  const coord__config_value *to;   /* NULL: there is none */
} pair;

static bool is_same(const coord__config_value *a, const coord__config_value *b) {
  if (a == NULL || b == NULL) return a == b;
  if (a->item == b->item && a->layer == b->layer) return true;
  const ProtobufCBinaryData *x = &a->item->kv.value, *y = &b->item->kv.value;
  return a->layer == b->layer && a->item->kv.mod_revision == b->item->kv.mod_revision &&
         x->len == y->len && memcmp(x->data, y->data, x->len) == 0;
}

static const coord__config_value *good(const coord__config_value *v) {
  return v != NULL && v->item != NULL ? v : NULL;
}

/* Goes through both in step. False: that was all. */
static bool next_pair(const coord__config_view *from, const coord__config_view *to, size_t *i,
                      size_t *j, pair *out) {
  size_t from_count = from != NULL ? from->count : 0;
  while (*i < from_count || *j < to->count) {
    const coord__config_value *a = *i < from_count ? &from->values[*i] : NULL;
    const coord__config_value *b = *j < to->count ? &to->values[*j] : NULL;
    int order = a == NULL ? 1 : b == NULL ? -1 : compare_values(a, b);
    if (order <= 0) (*i)++;
    if (order >= 0) (*j)++;
    *out = (pair){good(order <= 0 ? a : NULL), good(order >= 0 ? b : NULL)};
    if (!is_same(out->from, out->to)) return true;
  }
  return false;
}

/* The changes hold the two views that they lie between. */
typedef struct difference {
  coord__changes changes; /* first */
  coord__config_view *from;
  coord__config_view *to;
} difference;

static void destroy(coord_event *event) {
  difference *d = (difference *)event;
  coord__config_view_release(d->from);
  coord__config_view_release(d->to);
  coord__free(d);
}

static coord_kv gone(const coord__config_value *value, int64_t revision) {
  coord_kv kv = coord__config_value_kv(value);
  return (coord_kv){.key = kv.key, .key_len = kv.key_len, .value = "", .mod_revision = revision};
}

coord_code coord__config_view_changes(coord__config_view *from, coord__config_view *to,
                                      coord__changes **out) {
  size_t i = 0, j = 0, count = 0;
  pair p;
  *out = NULL;
  while (next_pair(from, to, &i, &j, &p)) count++;
  if (count == 0) return COORD_OK;
  size_t size = sizeof(difference) + count * (2 * sizeof(coord_kv) + 1);
  difference *d = coord__calloc(1, size);
  if (d == NULL) return COORD_NO_MEMORY;
  coord__changes *c = &d->changes;
  c->event = (coord_event){.type = COORD_EVENT_CHANGES,
                           .bytes = size,
                           .revision = to->revision,
                           .changes = c,
                           .destroy = destroy};
  c->count = count;
  c->kvs = (coord_kv *)(void *)(d + 1);
  c->prevs = c->kvs + count;
  c->types = (uint8_t *)(c->prevs + count);
  i = j = 0;
  for (size_t n = 0; next_pair(from, to, &i, &j, &p); n++) {
    c->types[n] = p.to != NULL ? COORD_CHANGE_PUT : COORD_CHANGE_DELETE;
    c->kvs[n] = p.to != NULL ? coord__config_value_kv(p.to) : gone(p.from, to->revision);
    if (p.from != NULL) c->prevs[n] = coord__config_value_kv(p.from);
  }
  if (from != NULL) d->from = coord__config_view_retain(from);
  d->to = coord__config_view_retain(to);
  *out = c;
  return COORD_OK;
}

coord__config_view *coord__config_view_of(const coord_event *event) {
  const coord__changes *c = event->changes;
  if (c == NULL || c->event.destroy != destroy) return NULL;
  return ((const difference *)c)->to;
}
