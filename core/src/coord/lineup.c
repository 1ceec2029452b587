#include "coord/lineup.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/random.h"

/* An instance of weight 1 has so many points on the ring, if there are no more than that in all. */
enum { POINTS = 160, POINTS_MAX = 1 << 17, FEW = 8, REDRAWS = 4 };

#define GOLDEN UINT64_C(0x9E3779B97F4A7C15) /* 2^64 divided by the golden ratio */

static uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

/* Of the same bytes the same on every machine. */
uint64_t coord__lineup_hash(const void *key, size_t len) {
  const uint8_t *p = key;
  uint64_t h = (uint64_t)len * GOLDEN;
  for (; len > 0;) {
    uint64_t word = 0;
    size_t n = len < 8 ? len : 8;
    for (size_t i = 0; i < n; i++) word |= (uint64_t)p[i] << (8 * i);
    h = (h ^ word) * UINT64_C(0xBF58476D1CE4E5B9);
    h ^= h >> 32;
    p += n;
    len -= n;
  }
  return mix(h);
}

/* As much of n as x is of 2^64. */
static uint64_t share(uint64_t x, uint64_t n) {
  return (x >> 32) * (n >> 32) + ((x >> 32) * (n & UINT32_MAX) >> 32);
}

/* ---- subsets ---- */

static bool next_term(const char **at, const char **key, size_t *key_len, const char **value,
                      size_t *value_len) {
  if (**at == '\0') return false;
  size_t len = strcspn(*at, ",");
  const char *equals = memchr(*at, '=', len);
  *key = *at;
  *key_len = equals != NULL ? (size_t)(equals - *at) : 0;
  *value = equals != NULL ? equals + 1 : *at + len;
  *value_len = (size_t)(*at + len - *value);
  *at += len;
  if (**at == ',') ++*at;
  return true;
}

__attribute__((cold)) bool coord__lineup_subset_ok(const char *subset) {
  const char *key, *value;
  size_t key_len, value_len, len = subset != NULL ? strlen(subset) : 0;
  if (len > 0 && subset[len - 1] == ',') return false;
  while (subset != NULL && next_term(&subset, &key, &key_len, &value, &value_len)) {
    if (key_len == 0) return false;
  }
  return true;
}

static bool belongs(const coord_instance *i, const char *subset) {
  const char *key, *value;
  size_t key_len, value_len;
  while (subset != NULL && next_term(&subset, &key, &key_len, &value, &value_len)) {
    const char *has = coord__instance_metadata(i, key, key_len);
    if (has == NULL || strlen(has) != value_len || memcmp(has, value, value_len) != 0) return false;
  }
  return i->is_up;
}

/* ---- making one ---- */

/* Its weight among others, none of which counts when all are 0. */
static uint64_t weight_of(const coord__lineup *l, size_t i, bool equal) {
  return equal ? 1 : (uint64_t)l->all[i]->weight;
}

static bool is_equal(const coord__lineup *l) {
  for (size_t i = 0; i < l->count; i++) {
    if (l->all[i]->weight > 0) return false;
  }
  return true;
}

__attribute__((cold)) static bool make_edges(coord__lineup *l) {
  bool equal = is_equal(l);
  uint64_t sum = 0;
  l->edges = coord__calloc(l->count, sizeof *l->edges);
  for (size_t i = 0; l->edges != NULL && i < l->count; i++) {
    sum += weight_of(l, i, equal);
    l->edges[i] = sum;
  }
  return l->edges != NULL;
}

static int by_hash(const void *a, const void *b) {
  const coord__lineup_point *x = a, *y = b;
  if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
  return x->index < y->index ? -1 : x->index > y->index;
}

/* About as many as there are points, so that a search has a step or two left. */
__attribute__((cold)) static bool make_starts(coord__lineup *l) {
  l->shift = 31;
  while (l->shift > 0 && (size_t)1 << (32 - l->shift) < l->point_count) l->shift--;
  size_t count = (size_t)1 << (32 - l->shift), at = 0;
  l->starts = coord__malloc(count * sizeof *l->starts);
  if (l->starts == NULL) return false;
  for (size_t i = 0; i < count; i++) {
    while (at < l->point_count && l->points[at].hash < (uint64_t)i << l->shift) at++;
    l->starts[i] = (uint32_t)at;
  }
  return true;
}

/* The points of an instance are the first ones of a row that depends on nothing but its id: a change of
 * weights, its own or those of others, adds or takes away some of them. */
__attribute__((cold)) static bool make_points(coord__lineup *l) {
  bool equal = is_equal(l);
  uint64_t total = 0;
  unsigned halvings = 0;
  for (size_t i = 0; i < l->count; i++) total += weight_of(l, i, equal) * POINTS;
  while (total >> halvings > POINTS_MAX) halvings++;
  l->points = coord__malloc((size_t)((total >> halvings) + l->count) * sizeof *l->points);
  if (l->points == NULL) return false;
  for (size_t i = 0; i < l->count; i++) {
    uint64_t weight = weight_of(l, i, equal), n = weight * POINTS >> halvings;
    uint64_t seed = coord__lineup_hash(l->all[i]->id, strlen(l->all[i]->id));
    if (n == 0 && weight > 0) n = 1;
    for (uint64_t k = 0; k < n; k++) {
      l->points[l->point_count++] = (coord__lineup_point){
          .hash = (uint32_t)(mix(seed + k * GOLDEN) >> 32), .index = (uint32_t)i};
    }
  }
  qsort(l->points, l->point_count, sizeof *l->points, by_hash);
  return make_starts(l);
}

__attribute__((cold)) void coord__lineup_free(coord__lineup *l) {
  for (size_t i = 0; l->all != NULL && i < l->count; i++) coord__instance_release(l->all[i]);
  coord__free(l->all);
  coord__free(l->edges);
  coord__free(l->points);
  coord__free(l->starts);
  coord__free(l);
}

static void drop(coord__shared *shared) {
  coord__lineup_free(COORD__CONTAINER(shared, coord__lineup, shared));
}

__attribute__((cold)) coord__lineup *coord__lineup_new(int32_t policy,
                                                       coord_instance *const *instances,
                                                       size_t count, const char *subset) {
  coord__lineup *l = coord__calloc(1, sizeof *l);
  if (l == NULL) return NULL;
  l->shared.drop = drop;
  l->policy = policy;
  l->all = coord__calloc(count + 1, sizeof(coord_instance *));
  for (size_t i = 0; l->all != NULL && i < count; i++) {
    if (belongs(instances[i], subset)) l->all[l->count++] = coord__instance_retain(instances[i]);
  }
  bool ok = l->all != NULL;
  if (ok && l->count > 0 && policy == COORD_PICK_WEIGHTED) ok = make_edges(l);
  if (ok && l->count > 0 && policy == COORD_PICK_CONSISTENT_HASH) ok = make_points(l);
  if (ok) return l;
  coord__lineup_free(l);
  return NULL;
}

/* ---- picking ---- */

static bool is_out(const coord_instance *i) {
  int64_t until = atomic_load_explicit(&i->tally->excluded_ns, memory_order_relaxed);
  if (until == 0) return false;
  if (until > coord__clock_ns()) return true;
  atomic_compare_exchange_strong(&i->tally->excluded_ns, &until, 0);
  return false;
}

static uint64_t take_turn(atomic_uint_fast64_t *turn) {
  return atomic_fetch_add_explicit(turn, 1, memory_order_relaxed);
}

/* The first from here on that is not out; this one when all are. */
static size_t walk(const coord__lineup *l, size_t from) {
  for (size_t n = 0, i = from; n < l->count; n++) {
    if (!is_out(l->all[i])) return i;
    if (++i == l->count) i = 0;
  }
  return from;
}

/* Who stands in for others has had his own turn with that: else he would get theirs besides his. */
static size_t in_turn(const coord__lineup *l, atomic_uint_fast64_t *turn) {
  size_t from = (size_t)(take_turn(turn) % l->count), i = walk(l, from);
  if (i != from) {
    size_t skipped = (i + l->count - from) % l->count;
    atomic_fetch_add_explicit(turn, skipped, memory_order_relaxed);
  }
  return i;
}

static size_t draw_random(const coord__lineup *l, atomic_uint_fast64_t *turn) {
  (void)turn;
  return (size_t)share(coord__random(), l->count);
}

/* Steps of the golden ratio around a circle come to lie as evenly as can be, at any time. */
static size_t draw_weighted(const coord__lineup *l, atomic_uint_fast64_t *turn) {
  uint64_t at = share(take_turn(turn) * GOLDEN, l->edges[l->count - 1]);
  size_t low = 0, high = l->count - 1;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (at < l->edges[middle]) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

/* Another one is drawn for one that is out, so that not all of its work goes to its neighbour. */
static size_t draw(const coord__lineup *l, atomic_uint_fast64_t *turn,
                   size_t (*one)(const coord__lineup *l, atomic_uint_fast64_t *turn)) {
  size_t i = one(l, turn);
  for (int n = 0; n < REDRAWS && is_out(l->all[i]); n++) i = one(l, turn);
  return walk(l, i);
}

static int pending_of(const coord_instance *i) {
  return atomic_load_explicit(&i->tally->pending, memory_order_relaxed);
}

static size_t least_pending(const coord__lineup *l, atomic_uint_fast64_t *turn) {
  if (l->count > FEW) {
    uint64_t two = coord__random();
    size_t a = walk(l, (size_t)share(two, l->count)),
           b = walk(l, (size_t)share(two << 32, l->count));
    return pending_of(l->all[b]) < pending_of(l->all[a]) ? b : a;
  }
  size_t best = walk(l, (size_t)(take_turn(turn) % l->count));
  for (size_t n = 1, i = best; n < l->count; n++) {
    if (++i == l->count) i = 0;
    if (pending_of(l->all[i]) < pending_of(l->all[best]) && !is_out(l->all[i])) best = i;
  }
  return best;
}

static size_t on_the_ring(const coord__lineup *l, uint64_t hash) {
  uint32_t upper = (uint32_t)(hash >> 32);
  size_t low = l->starts[upper >> l->shift];
  while (low < l->point_count && l->points[low].hash < upper) low++;
  if (low == l->point_count) low = 0;
  for (size_t n = 0, at = low; n < l->point_count; n++) {
    if (!is_out(l->all[l->points[at].index])) return l->points[at].index;
    if (++at == l->point_count) at = 0;
  }
  return l->points[low].index;
}

coord_instance *coord__lineup_pick(const coord__lineup *l, atomic_uint_fast64_t *turn,
                                   const void *hash_key, size_t hash_key_len) {
  size_t i = 0;
  if (l->count == 0) return NULL;
  switch (l->policy) {
    case COORD_PICK_ROUND_ROBIN:
      i = in_turn(l, turn);
      break;
    case COORD_PICK_RANDOM:
      i = draw(l, turn, draw_random);
      break;
    case COORD_PICK_WEIGHTED:
      i = draw(l, turn, draw_weighted);
      break;
    case COORD_PICK_LEAST_PENDING:
      i = least_pending(l, turn);
      break;
    case COORD_PICK_CONSISTENT_HASH:
      i = on_the_ring(l, coord__lineup_hash(hash_key, hash_key_len));
      break;
    default:
      i = walk(l, 0);
      break;
  }
  return coord__instance_retain(l->all[i]);
}
