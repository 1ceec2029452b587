#include "coord/work_ops.h"

#include <string.h>

#include "etcd/txn.h"

static const char taken[] = ".taken/";

/* ---- names ---- */

bool coord__work_names_init(coord__work_names *n, const void *name, size_t name_len) {
  return coord__buf_append(&n->items, name, name_len) && coord__buf_append(&n->items, "/", 1) &&
         coord__buf_append(&n->marks, name, name_len) && coord__buf_append_str(&n->marks, taken);
}

void coord__work_names_free(coord__work_names *n) {
  coord__buf_free(&n->items);
  coord__buf_free(&n->marks);
}

static bool begins_with(const coord__buf *prefix, const void *key, size_t key_len) {
  return key_len > prefix->len && memcmp(key, prefix->data, prefix->len) == 0;
}

bool coord__work_is_item(const coord__work_names *n, const void *key, size_t key_len) {
  return begins_with(&n->items, key, key_len);
}

bool coord__work_is_mark(const coord__work_names *n, const void *key, size_t key_len) {
  return begins_with(&n->marks, key, key_len);
}

bool coord__work_item_set(coord__work_item *item, const coord__work_names *n, const void *key,
                          size_t key_len) {
  const char *id = (const char *)key + n->items.len;
  item->key.len = item->mark.len = 0;
  return coord__buf_append(&item->key, key, key_len) &&
         coord__buf_append(&item->mark, n->marks.data, n->marks.len) &&
         coord__buf_append(&item->mark, id, key_len - n->items.len);
}

void coord__work_item_free(coord__work_item *item) {
  coord__buf_free(&item->key);
  coord__buf_free(&item->mark);
}

/* ---- pieces ---- */

static coord_op *get(const coord__buf *key) { return coord__op_get(key->data, key->len); }

static coord_op *delete (const coord__buf *key) { return coord__op_delete(key->data, key->len); }

static coord_op *keys_of(const coord__buf *prefix, int64_t limit) {
  coord_op *op = get(prefix);
  if (op == NULL) return NULL;
  coord__op_set_prefix(op);
  coord__op_set(op, COORD_OP_KEYS_ONLY, 1);
  coord__op_set(op, COORD_OP_LIMIT, limit);
  if (limit > 0) coord__op_set(op, COORD_OP_SORT_BY, COORD_SORT_CREATE);
  return op;
}

static bool add_look(bool (*add)(coord_op *txn, coord_op *op), coord_op *txn,
                     const coord__work_names *n, int64_t limit) {
  return add(txn, keys_of(&n->marks, 0)) && add(txn, keys_of(&n->items, limit));
}

/* A put that changes nothing but the mod revision. */
static coord_op *touch(const coord__work_item *item) {
  coord_op *put = coord__op_put(item->key.data, item->key.len, NULL, 0);
  if (put == NULL) return NULL;
  coord__op_set(put, COORD_OP_IGNORE_VALUE, 1);
  coord__op_set(put, COORD_OP_IGNORE_LEASE, 1);
  return put;
}

/* ---- transactions ---- */

coord_op *coord__work_look_op(const coord__work_names *n, int64_t limit) {
  coord_op *txn = coord__op_txn();
  return coord__txn_finish(txn, add_look(coord__txn_then, txn, n, limit));
}

coord_op *coord__work_take_op(const coord__work_names *n, const coord__work_item *item,
                              int64_t lease_id, int64_t limit) {
  coord_op *txn = coord__op_txn();
  coord_op *put = coord__op_put(item->mark.data, item->mark.len, item->id, strlen(item->id));
  if (put != NULL) coord__op_set(put, COORD_OP_LEASE, lease_id);
  bool ok = coord__txn_then(txn, put) && coord__txn_then(txn, get(&item->key)) &&
            coord__txn_if(txn, &item->key, COORD_COMPARE_MOD, COORD_EQUAL, item->revision) &&
            coord__txn_if(txn, &item->mark, COORD_COMPARE_CREATE, COORD_EQUAL, 0) &&
            coord__txn_else(txn, get(&item->mark)) && coord__txn_else(txn, get(&item->key)) &&
            add_look(coord__txn_else, txn, n, limit);
  return coord__txn_finish(txn, ok);
}

static coord_op *unmark(const coord__work_item *item) {
  coord_op *txn = coord__op_txn();
  bool ok = coord__txn_then(txn, delete (&item->mark)) &&
            coord__op_if_value(txn, item->mark.data, item->mark.len, COORD_EQUAL, item->id,
                               strlen(item->id)) == COORD_OK;
  return coord__txn_finish(txn, ok);
}

coord_op *coord__work_undo_op(const coord__work_item *item) {
  coord_op *txn = coord__op_txn();
  bool ok = coord__txn_then(txn, unmark(item)) && coord__txn_then(txn, touch(item)) &&
            coord__txn_else(txn, unmark(item)) &&
            coord__txn_if(txn, &item->key, COORD_COMPARE_MOD, COORD_EQUAL, item->revision);
  return coord__txn_finish(txn, ok);
}

coord_code coord__work_add_done(coord_op *txn, const coord__work_item *item, int64_t token) {
  /* The item before its mark: who watches both knows then that it is not free. */
  bool ok = coord__txn_if(txn, &item->mark, COORD_COMPARE_CREATE, COORD_EQUAL, token) &&
            coord__txn_if(txn, &item->key, COORD_COMPARE_VERSION, COORD_GREATER, 0) &&
            coord__txn_then(txn, delete (&item->key)) && coord__txn_then(txn, delete (&item->mark));
  return ok ? COORD_OK : COORD_NO_MEMORY;
}

coord_op *coord__work_done_op(const coord__work_item *item, int64_t token) {
  coord_op *txn = coord__op_txn();
  bool ok = txn != NULL && coord__work_add_done(txn, item, token) == COORD_OK;
  return coord__txn_finish(txn, ok && coord__txn_else(txn, get(&item->mark)));
}

coord_op *coord__work_return_op(const coord__work_item *item, int64_t token) {
  coord_op *txn = coord__op_txn();
  coord_op *if_there = coord__op_txn();
  bool ok = coord__txn_then(if_there, touch(item)) &&
            coord__txn_if(if_there, &item->key, COORD_COMPARE_VERSION, COORD_GREATER, 0);
  if (!ok) {
    coord__op_free(if_there);
    if_there = NULL;
  }
  ok = ok && coord__txn_if(txn, &item->mark, COORD_COMPARE_CREATE, COORD_EQUAL, token) &&
       coord__txn_then(txn, delete (&item->mark));
  ok = coord__txn_then(txn, if_there) && ok && coord__txn_else(txn, get(&item->mark));
  return coord__txn_finish(txn, ok);
}

coord_op *coord__work_watch_op(const coord__work_names *n) {
  coord_op *op = get(&n->marks);
  if (op == NULL) return NULL;
  uint8_t *end = n->items.data; /* NAME/, and after it NAME0 */
  end[n->items.len - 1]++;
  coord_code code = coord__op_set_range_end(op, end, n->items.len);
  end[n->items.len - 1]--;
  if (code == COORD_OK) return op;
  coord__op_free(op);
  return NULL;
}
