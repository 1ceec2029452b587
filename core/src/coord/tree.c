#include "coord/tree.h"

#include <string.h>

#include "base/alloc.h"
#include "base/list.h"

enum { FANOUT = 64, COMMON_MAX = 36, MERGE_BELOW = FANOUT / 2, NODES_MAX = 32 };

/* Nodes that were made one after the other lie together: each by itself between the items it would need
 * an entry of its own in the processor's table of pages. */
struct coord__nodes {
  atomic_int refs; /* its nodes, and the edit that takes more of it */
  size_t left;
  coord__node *next;
};

struct coord__node {
  coord__piece piece;
  coord__nodes *among; /* NULL: it is by itself */
  uint16_t count;
  uint8_t level; /* 0: the entries are items, else nodes */
  uint8_t common_len;
  uint16_t prints[FANOUT]; /* of a leaf: of the whole keys, by which one of them is found */
  void *entries[FANOUT];   /* a node's key is the first one in it */
  /* To find one in a leaf nothing from here on is looked at. */
  uint8_t
      common[COMMON_MAX]; /* what all keys of the entries begin with, after what the tree skips */
  uint64_t heads[FANOUT]; /* the 8 bytes behind that, so that they compare as the keys do */
};

/* ---- items ---- */

coord__item *coord__item_new(const coord_kv *kv) {
  coord__item *item = coord__malloc(sizeof *item + kv->key_len + 1 + kv->value_len + 1);
  if (item == NULL) return NULL;
  uint8_t *key = (uint8_t *)(item + 1);
  uint8_t *value = key + kv->key_len + 1;
  item->piece = (coord__piece){.is_item = true};
  atomic_init(&item->refs, 1);
  etcdserverpb__key_value__init(&item->kv);
  item->kv.key = (ProtobufCBinaryData){kv->key_len, key};
  item->kv.value = (ProtobufCBinaryData){kv->value_len, value};
  item->kv.create_revision = kv->create_revision;
  item->kv.mod_revision = kv->mod_revision;
  item->kv.version = kv->version;
  item->kv.lease = kv->lease_id;
  if (kv->key_len > 0) memcpy(key, kv->key, kv->key_len);
  if (kv->value_len > 0) memcpy(value, kv->value, kv->value_len);
  key[kv->key_len] = value[kv->value_len] = '\0';
  return item;
}

coord__item *coord__item_retain(coord__item *item) {
  atomic_fetch_add_explicit(&item->refs, 1, memory_order_relaxed);
  return item;
}

void coord__item_release(coord__item *item) {
  if (item == NULL) return;
  if (atomic_fetch_sub_explicit(&item->refs, 1, memory_order_acq_rel) > 1) return;
  coord__free(item);
}

coord_kv coord__item_kv(const coord__item *item) {
  const Etcdserverpb__KeyValue *kv = &item->kv;
  return (coord_kv){.key = kv->key.data,
                    .key_len = kv->key.len,
                    .value = kv->value.data,
                    .value_len = kv->value.len,
                    .create_revision = kv->create_revision,
                    .mod_revision = kv->mod_revision,
                    .version = kv->version,
                    .lease_id = kv->lease};
}

bool coord__item_is(const coord__item *item, const coord_kv *kv) {
  const Etcdserverpb__KeyValue *have = &item->kv;
  return have->mod_revision == kv->mod_revision && have->create_revision == kv->create_revision &&
         have->version == kv->version && have->lease == kv->lease_id &&
         coord__compare_keys(have->key.data, have->key.len, kv->key, kv->key_len) == 0 &&
         coord__compare_keys(have->value.data, have->value.len, kv->value, kv->value_len) == 0;
}

/* ---- keys ---- */

/* Without what the tree skips. */
typedef struct bytes {
  const uint8_t *at;
  size_t len;
} bytes;

int coord__compare_keys(const void *a, size_t a_len, const void *b, size_t b_len) {
  size_t n = a_len < b_len ? a_len : b_len;
  int order = n > 0 ? memcmp(a, b, n) : 0;
  if (order != 0) return order;
  return a_len < b_len ? -1 : a_len > b_len;
}

static bytes rest(const void *key, size_t len, size_t skip) {
  return len > skip ? (bytes){(const uint8_t *)key + skip, len - skip}
                    : (bytes){(const uint8_t *)"", 0};
}

static coord__item *first_item(const void *entry, unsigned level) {
  while (level > 0) {
    const coord__node *node = entry;
    entry = node->entries[0];
    level = node->level;
  }
  return (coord__item *)(uintptr_t)entry;
}

/* An entry of a node is on the level below; items are below the lowest. */
static bytes key_of(const coord__node *n, size_t i, size_t skip) {
  const coord__item *item = first_item(n->entries[i], n->level);
  return rest(item->kv.key.data, item->kv.key.len, skip);
}

static uint64_t head_of(bytes key, size_t from) {
  uint64_t head = 0;
  if (key.len >= from + 8) {
    memcpy(&head, key.at + from, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    head = __builtin_bswap64(head);
#endif
    return head;
  }
  for (size_t i = from; i < key.len; i++) head |= (uint64_t)key.at[i] << (56 - 8 * (i - from));
  return head;
}

static uint16_t print_of(bytes key) {
  const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
  uint64_t sum = key.len;
  size_t from = 0;
  for (; from + 8 < key.len; from += 8) {
    sum = (sum ^ head_of(key, from)) * odd;
    sum ^= sum >> 32;
  }
  return (uint16_t)(((sum ^ head_of(key, from)) * odd) >> 48);
}

static size_t common_of(bytes a, bytes b) {
  size_t most = a.len < b.len ? a.len : b.len;
  size_t n = 0;
  if (most > COMMON_MAX) most = COMMON_MAX;
  while (n < most && a.at[n] == b.at[n]) n++;
  return n;
}

/* ---- within a node ---- */

enum { STEP = 8 };

static size_t less_among(const coord__node *n, size_t from, size_t stride, uint64_t head) {
  size_t less = 0;
  for (size_t i = 0; i < STEP; i++) {
    size_t at = from + i * stride;
    less += (size_t)(at < n->count) & (size_t)(n->heads[at] < head);
  }
  return less;
}

/* How many heads are less: in which step of eight that ends, and in it. No branch depends on them, which
 * would be guessed wrong, and no load on more than one other. */
static size_t lower(const coord__node *n, uint64_t head) {
  size_t step = less_among(n, STEP - 1, STEP, head) * STEP;
  return step < FANOUT ? step + less_among(n, step, 1, head) : step;
}

/* How many entries are less than the key; *equal: whether the one after them is it. */
static size_t position(const coord__node *n, bytes key, size_t skip, bool *equal) {
  size_t c = key.len < n->common_len ? key.len : n->common_len;
  int order = c > 0 ? memcmp(key.at, n->common, c) : 0;
  *equal = false;
  if (order < 0 || (order == 0 && key.len < n->common_len)) return 0;
  if (order > 0) return n->count;
  uint64_t head = head_of(key, n->common_len);
  size_t low = lower(n, head);
  size_t high = low;
  while (high < n->count && n->heads[high] == head) high++;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    bytes other = key_of(n, middle, skip);
    order = coord__compare_keys(other.at, other.len, key.at, key.len);
    if (order == 0) {
      *equal = true;
      return middle;
    }
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/* Where in an inner node the key is, or would be. */
static size_t child_for(const coord__node *n, bytes key, size_t skip) {
  bool equal;
  size_t at = position(n, key, skip, &equal);
  return equal || at == 0 ? at : at - 1;
}

/* What the keys have in common may have changed. */
static void refresh(coord__node *n, size_t skip) {
  if (n->count == 0) return;
  bytes first = key_of(n, 0, skip);
  n->common_len = (uint8_t)common_of(first, key_of(n, n->count - 1, skip));
  if (n->common_len > 0) memcpy(n->common, first.at, n->common_len);
  for (size_t i = 0; i < n->count; i++) n->heads[i] = head_of(key_of(n, i, skip), n->common_len);
}

static void set_head(coord__node *n, size_t i, size_t skip) {
  bytes key = key_of(n, i, skip);
  if (key.len < n->common_len || memcmp(key.at, n->common, n->common_len) != 0) {
    refresh(n, skip);
  } else {
    n->heads[i] = head_of(key, n->common_len);
  }
}

/* Room must be there. Heads are not moved. */
static void move(coord__node *to, size_t to_at, const coord__node *from, size_t from_at,
                 size_t count) {
  memmove(to->prints + to_at, from->prints + from_at, count * sizeof to->prints[0]);
  memmove(to->entries + to_at, from->entries + from_at, count * sizeof to->entries[0]);
}

static void open_gap(coord__node *n, size_t at) {
  size_t behind = n->count - at;
  memmove(n->heads + at + 1, n->heads + at, behind * sizeof n->heads[0]);
  move(n, at + 1, n, at, behind);
  n->count++;
}

static void close_gap(coord__node *n, size_t at) {
  size_t behind = n->count - at - 1;
  memmove(n->heads + at, n->heads + at + 1, behind * sizeof n->heads[0]);
  move(n, at, n, at + 1, behind);
  n->count--;
}

/* Its head is not set. */
static void set_entry(coord__node *n, size_t at, void *entry, size_t skip) {
  n->entries[at] = entry;
  if (n->level == 0) n->prints[at] = print_of(key_of(n, at, skip));
}

/* ---- finding ---- */

enum { LINE = 64 };

/* What is looked at next comes from far away: all lines of it at once, not one after the other. */
static void fetch(const void *at, size_t size) {
  for (size_t i = 0; i < size; i += LINE) __builtin_prefetch((const char *)at + i);
}

/* How many entries have this print, and where they are: with one, which. All at once, in a few
 * instructions that handle eight of them each. */
static size_t matches(const coord__node *n, uint16_t print, size_t *at) {
  uint16_t count = 0, sum = 0;
  for (unsigned i = 0; i < FANOUT; i++) {
    uint16_t is = (uint16_t) - (n->prints[i] == print);
    count = (uint16_t)(count - is);
    sum = (uint16_t)(sum + (i & is));
  }
  *at = sum;
  return count;
}

static coord__item *find_in_leaf(const coord__node *n, bytes key, uint16_t print, size_t skip) {
  size_t at;
  bool equal;
  size_t count = matches(n, print, &at);
  if (count == 0) return NULL;
  if (count == 1 && at < n->count) {
    coord__item *item = n->entries[at];
    fetch(item, sizeof *item + skip + key.len + LINE); /* with the beginning of the value */
    bytes other = rest(item->kv.key.data, item->kv.key.len, skip);
    bool is = other.len == key.len && (key.len == 0 || memcmp(other.at, key.at, key.len) == 0);
    return is ? item : NULL;
  }
  at = position(n, key, skip, &equal); /* also what is no longer there has a print */
  return equal ? n->entries[at] : NULL;
}

coord__item *coord__tree_find(const coord__tree *tree, const void *key, size_t len) {
  const coord__node *n = tree->root;
  bytes wanted = rest(key, len, tree->skip);
  if (n == NULL || len < tree->skip) return NULL;
  uint16_t print = print_of(wanted);
  while (n->level > 0) {
    bool is_lowest = n->level == 1; /* those above are near: they are few */
    n = n->entries[child_for(n, wanted, tree->skip)];
    if (is_lowest) fetch(n, offsetof(coord__node, common));
  }
  return find_in_leaf(n, wanted, print, tree->skip);
}

coord__cursor coord__tree_seek(const coord__tree *tree, const void *key, size_t len) {
  coord__cursor c = {0};
  bytes wanted = rest(key, len, tree->skip);
  for (const coord__node *n = tree->root; n != NULL;) {
    bool equal = false;
    size_t at = 0;
    if (len > 0) {
      at =
          n->level > 0 ? child_for(n, wanted, tree->skip) : position(n, wanted, tree->skip, &equal);
    }
    c.path[c.depth].node = n;
    c.path[c.depth++].at = at;
    n = n->level > 0 ? n->entries[at] : NULL;
  }
  return c;
}

coord__item *coord__cursor_next(coord__cursor *c) {
  while (c->depth > 0) {
    const coord__node *n = c->path[c->depth - 1].node;
    size_t at = c->path[c->depth - 1].at;
    if (at >= n->count) {
      if (--c->depth > 0) c->path[c->depth - 1].at++;
    } else if (n->level == 0) {
      c->path[c->depth - 1].at++;
      return n->entries[at];
    } else {
      c->path[c->depth].node = n->entries[at];
      c->path[c->depth++].at = 0;
    }
  }
  return NULL;
}

/* ---- pieces ---- */

static coord__node *node_of(coord__piece *piece) {
  return COORD__CONTAINER(piece, coord__node, piece);
}

static coord__item *item_of(coord__piece *piece) {
  return COORD__CONTAINER(piece, coord__item, piece);
}

static void release_nodes(coord__nodes *nodes) {
  if (nodes != NULL && atomic_fetch_sub(&nodes->refs, 1) == 1) coord__free(nodes);
}

static void free_node(coord__node *n) {
  if (n->among != NULL) {
    release_nodes(n->among);
  } else {
    coord__free(n);
  }
}

static void free_piece(coord__piece *piece) {
  if (piece->is_item) {
    coord__item_release(item_of(piece));
  } else {
    free_node(node_of(piece));
  }
}

void coord__pieces_free(coord__piece *list) {
  while (list != NULL) {
    coord__piece *next = list->next;
    free_piece(list);
    list = next;
  }
}

/* What came with this version or later. */
static void free_below(coord__node *n, uint64_t since) {
  for (size_t i = 0; i < n->count; i++) {
    if (n->level == 0) {
      coord__item *item = n->entries[i];
      if (item->piece.birth >= since) coord__item_release(item);
    } else if (((coord__node *)n->entries[i])->piece.birth >= since) {
      free_below(n->entries[i], since);
    }
  }
  free_node(n);
}

void coord__tree_free(coord__tree *tree) {
  if (tree->root != NULL) free_below(tree->root, 0);
  tree->root = NULL;
  tree->count = 0;
}

/* ---- an edit ---- */

coord__edit coord__edit_begin(const coord__tree *from, uint64_t version) {
  return (coord__edit){.tree = *from, .version = version};
}

/* What was seen lives on in older versions. */
static void retire(coord__edit *e, coord__piece *piece) {
  if (piece->birth < e->version) {
    piece->next = e->dead;
    e->dead = piece;
  } else {
    free_piece(piece);
  }
}

void coord__edit_retire(coord__edit *e, coord__item *item) { retire(e, &item->piece); }

static void add_spare(coord__edit *e, coord__node *n) {
  n->piece = (coord__piece){.next = e->spare};
  e->spare = &n->piece;
  e->spares++;
}

/* So that what follows cannot fail half way. */
static bool reserve(coord__edit *e, size_t count) {
  while (e->spares < count) {
    coord__node *n = coord__malloc(sizeof *n);
    if (n == NULL) return false;
    n->among = NULL;
    add_spare(e, n);
  }
  return true;
}

static coord__node *take_node(coord__edit *e, unsigned level) {
  coord__node *n = node_of(e->spare);
  e->spare = n->piece.next;
  e->spares--;
  n->piece = (coord__piece){.birth = e->version};
  n->count = 0;
  n->level = (uint8_t)level;
  n->common_len = 0;
  memset(n->prints, 0, sizeof n->prints);
  memset(n->heads, 0, sizeof n->heads);
  return n;
}

/* The node, or its copy in this version. */
static coord__node *own(coord__edit *e, coord__node *n) {
  if (n->piece.birth == e->version) return n;
  coord__node *copy = take_node(e, n->level);
  copy->count = n->count;
  copy->common_len = n->common_len;
  memcpy(copy->common, n->common, n->common_len);
  memcpy(copy->heads, n->heads, n->count * sizeof n->heads[0]);
  move(copy, 0, n, 0, n->count);
  retire(e, &n->piece);
  return copy;
}

/* The node to the right of one that was full, or NULL. */
static coord__node *insert(coord__edit *e, coord__node *n, size_t at, void *entry) {
  coord__node *right = NULL;
  if (n->count == FANOUT) {
    /* Behind all others nothing comes between: as with keys that grow. */
    size_t keep = at == FANOUT ? FANOUT : FANOUT / 2;
    right = take_node(e, n->level);
    right->count = (uint16_t)(FANOUT - keep);
    move(right, 0, n, keep, right->count);
    n->count = (uint16_t)keep;
    if (keep < FANOUT) refresh(n, e->tree.skip);
  }
  coord__node *into = n;
  if (right != NULL && at >= n->count) {
    into = right;
    at -= n->count;
  }
  open_gap(into, at);
  set_entry(into, at, entry, e->tree.skip);
  if (into == right) {
    refresh(right, e->tree.skip);
  } else {
    set_head(into, at, e->tree.skip);
    if (right != NULL) refresh(right, e->tree.skip);
  }
  return right;
}

static coord__node *put(coord__edit *e, coord__node *n, bytes key, coord__item *item,
                        coord__node **right) {
  size_t skip = e->tree.skip;
  n = own(e, n);
  if (n->level == 0) {
    bool equal;
    size_t at = position(n, key, skip, &equal);
    if (equal) {
      coord__item *old = n->entries[at];
      n->entries[at] = item; /* whose print is that of the old one */
      retire(e, &old->piece);
    } else {
      *right = insert(e, n, at, item);
      e->tree.count++;
    }
    return n;
  }
  size_t at = child_for(n, key, skip);
  coord__node *beside = NULL;
  n->entries[at] = put(e, n->entries[at], key, item, &beside);
  if (at == 0) set_head(n, 0, skip);
  if (beside != NULL) *right = insert(e, n, at + 1, beside);
  return n;
}

bool coord__edit_put(coord__edit *e, coord__item *item) {
  size_t levels = e->tree.root != NULL ? e->tree.root->level + 1U : 0;
  if (!reserve(e, 2 * levels + 1)) return false;
  item->piece.birth = e->version;
  bytes key = rest(item->kv.key.data, item->kv.key.len, e->tree.skip);
  if (e->tree.root == NULL) e->tree.root = take_node(e, 0);
  coord__node *right = NULL;
  coord__node *left = put(e, e->tree.root, key, item, &right);
  e->tree.root = left;
  if (right != NULL) {
    coord__node *root = take_node(e, left->level + 1U);
    root->entries[0] = left;
    root->entries[1] = right;
    root->count = 2;
    refresh(root, e->tree.skip);
    e->tree.root = root;
  }
  return true;
}

/* Two neighbours of which little is left become one. */
static void merge(coord__edit *e, coord__node *parent, size_t at) {
  coord__node *n = parent->entries[at];
  size_t other_at = at + 1 < parent->count ? at + 1 : at - 1;
  if (parent->count < 2) return;
  coord__node *other = parent->entries[other_at];
  if (n->count + other->count > MERGE_BELOW) return;
  size_t to = other_at > at ? n->count : 0;
  if (to == 0) move(n, other->count, n, 0, n->count);
  move(n, to, other, 0, other->count);
  n->count = (uint16_t)(n->count + other->count);
  refresh(n, e->tree.skip);
  retire(e, &other->piece);
  close_gap(parent, other_at);
  if (other_at < at) at--;
  set_head(parent, at, e->tree.skip);
}

static coord__node *take_out(coord__edit *e, coord__node *n, bytes key) {
  size_t skip = e->tree.skip;
  n = own(e, n);
  if (n->level == 0) {
    bool equal;
    size_t at = position(n, key, skip, &equal);
    coord__item *old = n->entries[at];
    close_gap(n, at);
    retire(e, &old->piece);
    return n;
  }
  size_t at = child_for(n, key, skip);
  coord__node *child = take_out(e, n->entries[at], key);
  n->entries[at] = child;
  if (child->count == 0) {
    close_gap(n, at);
    retire(e, &child->piece);
  } else {
    set_head(n, at, skip);
    if (child->count < MERGE_BELOW) merge(e, n, at);
  }
  return n;
}

bool coord__edit_remove(coord__edit *e, const void *key, size_t len) {
  if (coord__tree_find(&e->tree, key, len) == NULL) return true;
  if (!reserve(e, e->tree.root->level + 1U)) return false;
  /* The key may be that of the item that goes. */
  coord__node *root = take_out(e, e->tree.root, rest(key, len, e->tree.skip));
  e->tree.count--;
  while (root != NULL && (root->count == 0 || (root->level > 0 && root->count == 1))) {
    coord__node *below = root->count == 0 ? NULL : root->entries[0];
    retire(e, &root->piece);
    root = below;
  }
  e->tree.root = root;
  return true;
}

/* ---- building in order ---- */

/* One more node, beside the one before; the more there are the more come at once. */
static bool reserve_among(coord__edit *e) {
  coord__nodes *nodes = e->nodes;
  if (e->spares > 0) return true;
  if (nodes == NULL || nodes->left == 0) {
    size_t count = e->built / FANOUT < NODES_MAX ? e->built / FANOUT + 1 : NODES_MAX;
    nodes = coord__malloc(sizeof *nodes + count * sizeof(coord__node));
    if (nodes == NULL) return false;
    atomic_init(&nodes->refs, 1);
    nodes->left = count;
    nodes->next = (coord__node *)(void *)(nodes + 1);
    release_nodes(e->nodes);
    e->nodes = nodes;
  }
  coord__node *n = nodes->next++;
  nodes->left--;
  atomic_fetch_add(&nodes->refs, 1);
  n->among = nodes;
  add_spare(e, n);
  return true;
}

/* Into the open node of a level; a full one goes into that of the next. */
static bool append(coord__edit *e, unsigned level, void *entry) {
  coord__node *n = e->open[level];
  if (n != NULL && n->count == FANOUT) {
    if (level + 1 >= COORD__TREE_DEPTH || !append(e, level + 1, n)) return false;
    n = e->open[level] = NULL;
  }
  if (n == NULL) {
    if (!reserve_among(e)) return false;
    n = e->open[level] = take_node(e, level);
  }
  set_entry(n, n->count++, entry, e->tree.skip);
  if (n->count == FANOUT) refresh(n, e->tree.skip);
  return true;
}

bool coord__edit_append(coord__edit *e, coord__item *item) {
  bool is_new = item->piece.birth == 0;
  if (is_new) item->piece.birth = e->version;
  if (append(e, 0, item)) {
    e->built++;
    return true;
  }
  if (is_new) item->piece.birth = 0;
  return false;
}

/* Once for a list: small. */
__attribute__((cold)) static void retire_nodes(coord__edit *e, coord__node *n) {
  for (size_t i = 0; n->level > 0 && i < n->count; i++) retire_nodes(e, n->entries[i]);
  retire(e, &n->piece);
}

__attribute__((cold)) bool coord__edit_built(coord__edit *e) {
  coord__node *root = NULL;
  for (unsigned level = 0; level < COORD__TREE_DEPTH; level++) {
    coord__node *n = e->open[level];
    bool is_top = true;
    for (unsigned i = level + 1; i < COORD__TREE_DEPTH; i++) is_top = is_top && e->open[i] == NULL;
    if (n == NULL) continue;
    if (n->count < FANOUT) refresh(n, e->tree.skip);
    if (is_top) {
      root = n;
      break;
    }
    if (!append(e, level + 1, n)) return false;
    e->open[level] = NULL;
  }
  if (e->tree.root != NULL) retire_nodes(e, e->tree.root);
  e->tree.root = root;
  e->tree.count = e->built;
  memset(e->open, 0, sizeof e->open);
  e->built = 0;
  return true;
}

/* ---- the end ---- */

static void free_spares(coord__edit *e) {
  coord__pieces_free(e->spare);
  e->spare = NULL;
  e->spares = 0;
  release_nodes(e->nodes);
  e->nodes = NULL;
}

void coord__edit_end(coord__edit *e) {
  free_spares(e);
  e->dead = NULL;
}

__attribute__((cold)) void coord__edit_revert(coord__edit *e) {
  if (e->tree.root != NULL && e->tree.root->piece.birth == e->version) {
    free_below(e->tree.root, e->version);
  }
  for (unsigned level = 0; level < COORD__TREE_DEPTH; level++) {
    if (e->open[level] != NULL) free_below(e->open[level], e->version);
    e->open[level] = NULL;
  }
  e->tree.root = NULL;
  coord__edit_end(e);
}
