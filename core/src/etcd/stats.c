#include "etcd/stats.h"

#include <json-c/json.h>

#include "base/alloc.h"

int coord__stats_bucket(int64_t us) {
  if (us < 1) us = 1;
  int power = 63 - __builtin_clzll((unsigned long long)us);
  /* The two bits below the highest one tell the quarter. */
  int quarter = power >= 2 ? (int)(us >> (power - 2)) & 3 : (int)(us << (2 - power)) & 3;
  int bucket = 4 * power + quarter;
  return bucket < COORD__STATS_BUCKETS ? bucket : COORD__STATS_BUCKETS - 1;
}

int64_t coord__stats_bucket_top_us(int bucket) {
  int power = bucket / 4;
  int64_t quarters = 5 + bucket % 4;
  return power >= 2 ? (quarters << (power - 2)) - 1 : (quarters << power) / 4;
}

static coord__method_stats *slot(coord__stats *stats, int index) {
  coord__method_stats *m = atomic_load_explicit(&stats->methods[index], memory_order_relaxed);
  if (m == NULL) {
    m = coord__calloc(1, sizeof *m);
    atomic_store_explicit(&stats->methods[index], m, memory_order_release);
  }
  return m;
}

/* There is one writer: a plain load and store is enough, and cheaper than a locked add. */
static void add(atomic_llong *counter, long long n) {
  atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                        memory_order_relaxed);
}

void coord__stats_record(coord__stats *stats, const coord__method *method, int64_t latency_ns,
                         size_t sent, size_t received, int failed) {
  coord__method_stats *m = slot(stats, method->index);
  if (m == NULL) return;
  int64_t us = latency_ns / 1000;
  add(&m->calls, 1);
  if (failed) add(&m->errors, 1);
  add(&m->bytes_sent, (long long)sent);
  add(&m->bytes_received, (long long)received);
  add(&m->latency_sum_us, us);
  if (us > atomic_load_explicit(&m->latency_max_us, memory_order_relaxed)) {
    atomic_store_explicit(&m->latency_max_us, us, memory_order_relaxed);
  }
  atomic_uint *bucket = &m->buckets[coord__stats_bucket(us)];
  atomic_store_explicit(bucket, atomic_load_explicit(bucket, memory_order_relaxed) + 1,
                        memory_order_relaxed);
}

void coord__stats_free(coord__stats *stats) {
  for (int i = 0; i < COORD__METHOD_COUNT; i++) coord__free(atomic_load(&stats->methods[i]));
}

/* ---- as JSON ---- */

static void add_number(json_object *o, const char *name, long long n) {
  json_object_object_add(o, name, json_object_new_int64(n));
}

static long long percentile_us(const unsigned *counts, unsigned long long total, double share) {
  unsigned long long wanted = (unsigned long long)((double)total * share);
  unsigned long long seen = 0;
  for (int i = 0; i < COORD__STATS_BUCKETS; i++) {
    seen += counts[i];
    if (seen > wanted || (seen == total && total > 0)) return coord__stats_bucket_top_us(i);
  }
  return 0;
}

static json_object *latency_json(const coord__method_stats *m) {
  unsigned counts[COORD__STATS_BUCKETS];
  unsigned long long total = 0;
  json_object *histogram = json_object_new_array();
  for (int i = 0; i < COORD__STATS_BUCKETS; i++) {
    counts[i] = atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
    total += counts[i];
    if (counts[i] == 0) continue;
    json_object *pair = json_object_new_array();
    json_object_array_add(pair, json_object_new_int64(coord__stats_bucket_top_us(i)));
    json_object_array_add(pair, json_object_new_int64(counts[i]));
    json_object_array_add(histogram, pair);
  }
  json_object *o = json_object_new_object();
  long long sum = atomic_load_explicit(&m->latency_sum_us, memory_order_relaxed);
  add_number(o, "mean", total > 0 ? sum / (long long)total : 0);
  add_number(o, "p50", percentile_us(counts, total, 0.50));
  add_number(o, "p90", percentile_us(counts, total, 0.90));
  add_number(o, "p99", percentile_us(counts, total, 0.99));
  add_number(o, "max", atomic_load_explicit(&m->latency_max_us, memory_order_relaxed));
  json_object_object_add(o, "histogram", histogram);
  return o;
}

static json_object *method_json(const coord__method_stats *m) {
  json_object *o = json_object_new_object();
  add_number(o, "calls", atomic_load_explicit(&m->calls, memory_order_relaxed));
  add_number(o, "errors", atomic_load_explicit(&m->errors, memory_order_relaxed));
  add_number(o, "bytes_sent", atomic_load_explicit(&m->bytes_sent, memory_order_relaxed));
  add_number(o, "bytes_received", atomic_load_explicit(&m->bytes_received, memory_order_relaxed));
  json_object_object_add(o, "latency_us", latency_json(m));
  return o;
}

char *coord__stats_json(const coord__stats *stats, const coord__rpc_counters *rpc,
                        const coord__endpoints *endpoints) {
  json_object *root = json_object_new_object();
  json_object *methods = json_object_new_object();
  json_object *names = json_object_new_array();
  if (root == NULL || methods == NULL || names == NULL) return NULL;
  for (size_t i = 0; i < endpoints->count; i++) {
    json_object_array_add(names, json_object_new_string(endpoints->items[i].name));
  }
  for (int i = 0; i < COORD__METHOD_COUNT; i++) {
    const coord__method_stats *m = atomic_load_explicit(&stats->methods[i], memory_order_acquire);
    if (m != NULL) json_object_object_add(methods, coord__methods[i].name, method_json(m));
  }
  json_object_object_add(root, "endpoints", names);
  add_number(root, "in_flight", atomic_load(&stats->in_flight));
  add_number(root, "connections", atomic_load(&rpc->connections));
  add_number(root, "connected", atomic_load(&rpc->connected));
  add_number(root, "connect_failed", atomic_load(&rpc->connect_failed));
  add_number(root, "connections_lost", atomic_load(&rpc->connections_lost));
  add_number(root, "retries", atomic_load(&rpc->retries));
  add_number(root, "ejections", atomic_load(&rpc->ejections));
  json_object_object_add(root, "methods", methods);
  const char *text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN);
  char *copy = text != NULL ? coord__strdup(text) : NULL;
  json_object_put(root);
  return copy;
}
