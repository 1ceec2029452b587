/* etcd/stats. */
#include "etcd/stats.h"

#include <json-c/json.h>
#include <string.h>

#include "base/alloc.h"
#include "support/t.h"

static void bucket_tops_rise(void) {
  /* Below 4 us several buckets stand for the same whole number. */
  for (int i = 9; i < COORD__STATS_BUCKETS; i++) {
    T_TRUE(coord__stats_bucket_top_us(i) > coord__stats_bucket_top_us(i - 1));
  }
  for (int i = 1; i < COORD__STATS_BUCKETS; i++) {
    T_TRUE(coord__stats_bucket_top_us(i) >= coord__stats_bucket_top_us(i - 1));
  }
}

static void buckets_rise_with_the_latency(void) {
  int last = 0;
  for (int64_t us = 0; us < 200000; us++) {
    int bucket = coord__stats_bucket(us);
    T_FATAL(bucket >= last && bucket < COORD__STATS_BUCKETS);
    last = bucket;
  }
  T_INT(coord__stats_bucket(-5), coord__stats_bucket(1));
  T_INT(coord__stats_bucket(INT64_MAX), COORD__STATS_BUCKETS - 1);
}

static void latency_lies_under_the_top_of_its_bucket_and_near_it(void) {
  for (int64_t us = 1; us < 60000000; us += 1 + us / 97) {
    int64_t top = coord__stats_bucket_top_us(coord__stats_bucket(us));
    T_FATAL(top >= us);
    T_FATAL(top <= us + us / 4 + 1);
    int bucket = coord__stats_bucket(us);
    if (us > 4) T_FATAL(coord__stats_bucket_top_us(bucket - 1) < us);
  }
  T_TRUE(coord__stats_bucket_top_us(COORD__STATS_BUCKETS - 1) > 60000000);
}

static coord__stats stats;
static coord__rpc_counters counters;

static json_object *parsed(const coord__endpoints *endpoints) {
  char *text = coord__stats_json(&stats, &counters, endpoints);
  T_FATAL(text != NULL);
  enum json_tokener_error error;
  json_object *root = json_tokener_parse_verbose(text, &error);
  T_INT(error, json_tokener_success);
  coord__free(text);
  T_FATAL(root != NULL);
  return root;
}

static json_object *at(json_object *o, const char *name) {
  json_object *found = NULL;
  if (!json_object_object_get_ex(o, name, &found)) T_FAIL("the JSON lacks \"%s\"", name);
  return found;
}

static void unused_statistics_are_well_formed_json(void) {
  memset(&stats, 0, sizeof stats);
  coord__endpoints none = {0};
  json_object *root = parsed(&none);
  T_INT(json_object_object_length(at(root, "methods")), 0);
  T_INT(json_object_array_length(at(root, "endpoints")), 0);
  T_INT(json_object_get_int64(at(root, "in_flight")), 0);
  T_INT(json_object_get_int64(at(root, "connections")), 0);
  T_INT(json_object_get_int64(at(root, "retries")), 0);
  json_object_put(root);
}

static void recorded_calls_appear_in_the_json(void) {
  char name[] = "unix:///a \"quoted\" \\ path";
  coord__endpoint endpoint = {.name = name};
  coord__endpoints endpoints = {&endpoint, 1};
  memset(&stats, 0, sizeof stats);
  for (int i = 0; i < 100; i++) {
    coord__stats_record(&stats, &coord__methods[COORD__METHOD_PUT], i * 1000000, 10, 20, i == 7);
  }
  json_object *root = parsed(&endpoints);
  T_STR(json_object_get_string(json_object_array_get_idx(at(root, "endpoints"), 0)), name);
  json_object *put = at(at(root, "methods"), "put");
  T_INT(json_object_get_int64(at(put, "calls")), 100);
  T_INT(json_object_get_int64(at(put, "errors")), 1);
  T_INT(json_object_get_int64(at(put, "bytes_sent")), 1000);
  T_INT(json_object_get_int64(at(put, "bytes_received")), 2000);
  json_object *latency = at(put, "latency_us");
  int64_t p50 = json_object_get_int64(at(latency, "p50"));
  int64_t p99 = json_object_get_int64(at(latency, "p99"));
  T_INT(json_object_get_int64(at(latency, "mean")), 49500);
  T_INT(json_object_get_int64(at(latency, "max")), 99000);
  T_TRUE(p50 >= 50000 && p50 <= 63000);
  T_TRUE(p99 >= 99000 && p99 <= 125000);
  int64_t total = 0;
  json_object *histogram = at(latency, "histogram");
  for (size_t i = 0; i < json_object_array_length(histogram); i++) {
    json_object *pair = json_object_array_get_idx(histogram, i);
    total += json_object_get_int64(json_object_array_get_idx(pair, 1));
  }
  T_INT(total, 100);
  json_object_put(root);
  coord__stats_free(&stats);
}

static void recording_without_memory_is_harmless(void) {
  coord__endpoints none = {0};
  memset(&stats, 0, sizeof stats);
  coord__alloc_fail_after(0);
  coord__stats_record(&stats, &coord__methods[COORD__METHOD_PUT], 1, 1, 1, 0);
  char *text = coord__stats_json(&stats, &counters, &none);
  coord__alloc_fail_after(-1);
  T_TRUE(text == NULL);
  json_object *root = parsed(&none);
  T_INT(json_object_object_length(at(root, "methods")), 0);
  json_object_put(root);
}

T_MAIN(T_CASE(bucket_tops_rise), T_CASE(buckets_rise_with_the_latency),
       T_CASE(latency_lies_under_the_top_of_its_bucket_and_near_it),
       T_CASE(unused_statistics_are_well_formed_json), T_CASE(recorded_calls_appear_in_the_json),
       T_CASE(recording_without_memory_is_harmless))
