#include "coord/portion.h"

#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "etcd/result.h"

typedef struct portion {
  coord_result result;
  coord__item *item; /* one of the two */
  coord__snapshot *snapshot;
  Etcdserverpb__KeyValue *kvs[];
} portion;

static void destroy(coord_result *result) {
  portion *p = COORD__CONTAINER(result, portion, result);
  coord__item_release(p->item);
  coord__snapshot_release(p->snapshot);
  coord__free(p);
}

/* By itself, so that the size is not known: else gcc would clear it by an instruction that takes longer
 * than all the rest. */
__attribute__((noinline)) static portion *make(size_t room, int64_t revision) {
  size_t size = sizeof(portion) + room * sizeof(Etcdserverpb__KeyValue *);
  portion *p = coord__malloc(size);
  if (p == NULL) return NULL;
  memset(p, 0, size);
  p->result.revision = revision;
  p->result.succeeded = true;
  p->result.kvs = p->kvs;
  p->result.destroy = destroy;
  return p;
}

coord_code coord__portion_of_key(coord__content *content, const void *key, size_t len,
                                 coord_result **out) {
  int64_t revision;
  coord__item *item;
  coord__slot *slot = coord__content_look(content, key, len, &item, &revision);
  if (slot == NULL) return COORD_UNAVAILABLE;
  portion *p = make(1, revision);
  if (p != NULL && item != NULL) {
    p->item = coord__item_retain(item);
    p->kvs[0] = &item->kv;
    p->result.kv_count = 1;
    p->result.total = 1;
  }
  coord__content_looked(slot);
  if (p == NULL) return COORD_NO_MEMORY;
  *out = &p->result;
  return COORD_OK;
}

static bool is_within(const coord__item *item, const coord__section *section) {
  const ProtobufCBinaryData *key = &item->kv.key;
  if (section->is_prefix) {
    return key->len >= section->from_len &&
           memcmp(key->data, section->from, section->from_len) == 0;
  }
  return section->end_len == 0 ||
         coord__compare_keys(key->data, key->len, section->end, section->end_len) < 0;
}

coord_code coord__portion_of_section(coord__content *content, const coord__section *section,
                                     coord_result **out) {
  coord__snapshot *s = coord__content_snapshot(content);
  if (s == NULL) return COORD_UNAVAILABLE;
  const coord__tree *tree = coord__snapshot_tree(s);
  bool is_all = section->from_len == 0 && section->end_len == 0;
  coord__cursor first = coord__tree_seek(tree, section->from, section->from_len);
  coord__cursor at = first;
  size_t total = is_all ? tree->count : 0;
  for (coord__item *item; !is_all && (item = coord__cursor_next(&at)) != NULL; total++) {
    if (!is_within(item, section)) break;
  }
  size_t count =
      section->limit > 0 && (uint64_t)section->limit < total ? (size_t)section->limit : total;
  portion *p = make(count, coord__snapshot_revision(s));
  if (p == NULL) {
    coord__snapshot_release(s);
    return COORD_NO_MEMORY;
  }
  p->snapshot = s;
  p->result.kv_count = count;
  p->result.total = (int64_t)total;
  p->result.more = count < total;
  for (size_t i = 0; i < count; i++) p->kvs[i] = &coord__cursor_next(&first)->kv;
  *out = &p->result;
  return COORD_OK;
}
