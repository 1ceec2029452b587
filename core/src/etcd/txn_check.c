#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "etcd/txn.h"

typedef Etcdserverpb__RequestOp RequestOp;
typedef Etcdserverpb__TxnRequest TxnRequest;
typedef Etcdserverpb__DeleteRangeRequest Delete;
typedef ProtobufCBinaryData Bytes;

static const TxnRequest *as_txn(const RequestOp *op) {
  return op->request_case == ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_TXN ? op->request_txn : NULL;
}

static const Bytes *put_key(const RequestOp *op) {
  return op->request_case == ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT ? &op->request_put->key
                                                                           : NULL;
}

static const Delete *as_delete(const RequestOp *op) {
  return op->request_case == ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE
             ? op->request_delete_range
             : NULL;
}

/* --- how many ------------------------------------------------------------------------------- */

static bool count_fits(const TxnRequest *txn, size_t left) {
  size_t most = txn->n_compare;
  if (most < txn->n_success) most = txn->n_success;
  if (most < txn->n_failure) most = txn->n_failure;
  if (most > left) return false;
  for (size_t i = 0; i < txn->n_success + txn->n_failure; i++) {
    const TxnRequest *inner =
        as_txn(i < txn->n_success ? txn->success[i] : txn->failure[i - txn->n_success]);
    if (inner != NULL && !count_fits(inner, left - most)) return false;
  }
  return true;
}

coord_code coord__txn_check_count(const TxnRequest *txn, size_t max_ops, coord_error **err) {
  if (count_fits(txn, max_ops)) return COORD_OK;
  return coord__fail(err, COORD_INVALID,
                     "txn of %zu compares, %zu ops in then and %zu in else, with the txns within: "
                     "each way through it may have at most %zu (option request.max.ops; etcd's "
                     "own limit is --max-txn-ops)",
                     txn->n_compare, txn->n_success, txn->n_failure, max_ops);
}

/* --- overlaps --------------------------------------------------------------------------------- */

/* The keys put and ranges deleted by one list of ops and the transactions within. */
typedef struct changes {
  const Bytes **puts;
  size_t put_count;
  const Delete **deletes;
  size_t delete_count;
} changes;

typedef struct overlap {
  const Bytes *key;
  bool deleted; /* put and deleted; else put twice */
  bool no_memory;
} overlap;

static int compare_bytes(const Bytes *a, const Bytes *b) {
  size_t n = a->len < b->len ? a->len : b->len;
  int order = n > 0 ? memcmp(a->data, b->data, n) : 0;
  if (order != 0) return order;
  return (a->len > b->len) - (a->len < b->len);
}

static int compare_keys(const void *a, const void *b) {
  return compare_bytes(*(const Bytes *const *)a, *(const Bytes *const *)b);
}

static void sort_keys(const Bytes **keys, size_t count) {
  if (count > 1) qsort(keys, count, sizeof *keys, compare_keys);
}

/* Drop what is there twice from a sorted list. Returns the new count. */
static size_t unique_keys(const Bytes **keys, size_t count) {
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    if (kept == 0 || compare_bytes(keys[kept - 1], keys[i]) != 0) keys[kept++] = keys[i];
  }
  return kept;
}

/* The first of the sorted keys that the delete hits, or NULL. As in etcd, a delete without upper
 * bound (end "\0") hits none here: the server takes such a txn and does its ops in order. */
static const Bytes *find_deleted(const Bytes **keys, size_t count, const Delete *del) {
  size_t low = 0;
  size_t high = count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (compare_bytes(keys[middle], &del->key) < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == count) return NULL;
  bool hit = del->range_end.len > 0 ? compare_bytes(keys[low], &del->range_end) < 0
                                    : compare_bytes(keys[low], &del->key) == 0;
  return hit ? keys[low] : NULL;
}

static bool any_deleted(const changes *c, const Bytes **keys, size_t count, overlap *found) {
  for (size_t i = 0; i < c->delete_count; i++) {
    const Bytes *key = find_deleted(keys, count, c->deletes[i]);
    if (key == NULL) continue;
    *found = (overlap){.key = key, .deleted = true};
    return true;
  }
  return false;
}

static void count_changes(RequestOp *const *ops, size_t count, changes *c) {
  for (size_t i = 0; i < count; i++) {
    const TxnRequest *inner = as_txn(ops[i]);
    if (put_key(ops[i]) != NULL) c->put_count++;
    if (as_delete(ops[i]) != NULL) c->delete_count++;
    if (inner == NULL) continue;
    count_changes(inner->success, inner->n_success, c);
    count_changes(inner->failure, inner->n_failure, c);
  }
}

static void free_changes(changes *c) {
  coord__free(c->puts);
  coord__free(c->deletes);
  *c = (changes){0};
}

static bool collect(RequestOp *const *ops, size_t count, changes *c, overlap *found);

/* Add what an inner txn may change: only one of its branches is done, so that both may put the
 * same key, and each may delete what the other puts. */
static bool collect_txn(const TxnRequest *txn, changes *c, overlap *found) {
  changes then = {0};
  changes other = {0};
  size_t before = c->put_count;
  bool ok = collect(txn->success, txn->n_success, &then, found) &&
            collect(txn->failure, txn->n_failure, &other, found);
  if (ok) {
    const Bytes **puts = c->puts + before;
    if (then.put_count > 0) memcpy(puts, then.puts, then.put_count * sizeof *puts);
    if (other.put_count > 0) {
      memcpy(puts + then.put_count, other.puts, other.put_count * sizeof *puts);
    }
    sort_keys(puts, then.put_count + other.put_count);
    size_t added = unique_keys(puts, then.put_count + other.put_count);
    c->put_count += added;
    ok = !any_deleted(c, puts, added, found);
  }
  if (ok) {
    for (size_t i = 0; i < then.delete_count; i++) c->deletes[c->delete_count++] = then.deletes[i];
    for (size_t i = 0; i < other.delete_count; i++)
      c->deletes[c->delete_count++] = other.deletes[i];
  }
  free_changes(&then);
  free_changes(&other);
  return ok;
}

/* Gather the changes of a list of ops, in the order in which etcd looks at them: the list's own
 * deletes, the transactions within, the list's own puts. False at an overlap, or without memory;
 * the changes are then freed. */
static bool collect(RequestOp *const *ops, size_t count, changes *c, overlap *found) {
  count_changes(ops, count, c);
  if (c->put_count == 0 && c->delete_count == 0) return true;
  c->puts = coord__malloc(c->put_count * sizeof(Bytes *));
  c->deletes = coord__malloc(c->delete_count * sizeof(Delete *));
  bool ok = c->puts != NULL && c->deletes != NULL;
  if (!ok) found->no_memory = true;
  c->put_count = 0;
  c->delete_count = 0;
  for (size_t i = 0; ok && i < count; i++) {
    const Delete *del = as_delete(ops[i]);
    if (del != NULL) c->deletes[c->delete_count++] = del;
  }
  for (size_t i = 0; ok && i < count; i++) {
    const TxnRequest *inner = as_txn(ops[i]);
    if (inner != NULL) ok = collect_txn(inner, c, found);
  }
  if (ok) {
    const Bytes **own = c->puts + c->put_count;
    size_t added = 0;
    for (size_t i = 0; i < count; i++) {
      const Bytes *key = put_key(ops[i]);
      if (key != NULL) own[added++] = key;
    }
    c->put_count += added;
    sort_keys(own, added);
    ok = !any_deleted(c, own, added, found);
  }
  if (ok) {
    sort_keys(c->puts, c->put_count);
    for (size_t i = 1; ok && i < c->put_count; i++) {
      ok = compare_bytes(c->puts[i - 1], c->puts[i]) != 0;
      if (!ok) *found = (overlap){.key = c->puts[i]};
    }
  }
  if (!ok) free_changes(c);
  return ok;
}

coord_code coord__txn_check_overlap(const TxnRequest *txn, coord_error **err) {
  for (int branch = 0; branch < 2; branch++) {
    RequestOp *const *ops = branch == 0 ? txn->success : txn->failure;
    size_t count = branch == 0 ? txn->n_success : txn->n_failure;
    changes c = {0};
    overlap found = {0};
    if (collect(ops, count, &c, &found)) {
      free_changes(&c);
      continue;
    }
    if (found.no_memory) return coord__no_memory(err);
    char shown[COORD__SHOWN];
    return coord__fail(err, COORD_INVALID, "txn: key \"%s\" is %s in %s: a txn changes a key once",
                       coord__show(shown, found.key->data, found.key->len),
                       found.deleted ? "both put and deleted" : "put twice",
                       branch == 0 ? "then" : "else");
  }
  return COORD_OK;
}
