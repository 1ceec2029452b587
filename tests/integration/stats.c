/* coord_client_stats: what is counted, and that it adds up. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "support/etcd.h"
#include "support/peer.h"
#include "support/proxy.h"

static json_object *stats_of(coord_client *client) {
  char *text = NULL;
  coord_error *err = NULL;
  T_OK(coord_client_stats(client, &text, &err), err);
  T_FATAL(text != NULL);
  json_object *stats = json_tokener_parse(text);
  coord_memory_free(text);
  T_FATAL(json_object_is_type(stats, json_type_object));
  return stats;
}

/* Follows names separated by dots, as in "methods.put.calls"; NULL when there is none. */
static json_object *find(json_object *object, const char *path) {
  char name[64];
  while (object && *path) {
    size_t n = strcspn(path, ".");
    snprintf(name, sizeof name, "%.*s", (int)n, path);
    json_object *next = NULL;
    json_object_object_get_ex(object, name, &next);
    object = next;
    path += path[n] == '.' ? n + 1 : n;
  }
  return object;
}

static int64_t number(json_object *stats, const char *path) {
  json_object *value = find(stats, path);
  if (!json_object_is_type(value, json_type_int)) T_FAIL("stats have no number %s", path);
  return json_object_get_int64(value);
}

static int64_t number_of(coord_client *client, const char *path) {
  json_object *stats = stats_of(client);
  int64_t n = number(stats, path);
  json_object_put(stats);
  return n;
}

static void missing_arguments_are_named(void) {
  char *text = NULL;
  coord_error *err = NULL;
  coord_client *client = t_client();
  T_ERROR(coord_client_stats(NULL, &text, &err), COORD_INVALID, err, "client");
  T_ERROR(coord_client_stats(client, NULL, &err), COORD_INVALID, err, "json");
  T_TRUE(text == NULL);
  coord_client_free(client);
}

static void fresh_client_has_one_connection_and_no_calls(void) {
  coord_client *client = t_client();
  json_object *stats = stats_of(client);
  T_INT(number(stats, "connections"), 1);
  T_INT(number(stats, "connected"), 1);
  T_INT(number(stats, "connect_failed"), 0);
  T_INT(number(stats, "connections_lost"), 0);
  T_INT(number(stats, "in_flight"), 0);
  T_INT(json_object_object_length(find(stats, "methods")), 0);
  json_object *endpoints = find(stats, "endpoints");
  T_INT(json_object_array_length(endpoints), 1);
  T_STR(json_object_get_string(json_object_array_get_idx(endpoints, 0)),
        t_etcd_endpoint(t_etcd(), 0));
  json_object_put(stats);
  coord_client_free(client);
}

static void calls_errors_and_bytes_are_counted_by_method(void) {
  char key[t_key_size];
  char value[1000] = {0};
  coord_client *client = t_client();
  t_key(key, "k");
  for (int i = 0; i < 10; i++) {
    T_CODE(coord_put(client, key, strlen(key), value, sizeof value, NULL), COORD_OK);
  }
  for (int i = 0; i < 5; i++) T_CODE(coord_get(client, key, strlen(key), NULL, NULL), COORD_OK);
  coord_op *op = coord_op_put(key, strlen(key), "v", 1);
  T_CODE(coord_op_set(op, COORD_OP_LEASE, 987654321), COORD_OK);
  t_call_fails(client, op, COORD_NOT_FOUND, NULL);
  json_object *stats = stats_of(client);
  T_INT(number(stats, "methods.put.calls"), 11);
  T_INT(number(stats, "methods.put.errors"), 1);
  T_INT(number(stats, "methods.get.calls"), 5);
  T_INT(number(stats, "methods.get.errors"), 0);
  T_TRUE(number(stats, "methods.put.bytes_sent") >= 10000);
  T_TRUE(number(stats, "methods.put.bytes_sent") < 12000);
  T_TRUE(number(stats, "methods.get.bytes_received") >= 5000);
  T_TRUE(number(stats, "methods.get.bytes_received") < 6000);
  T_INT(number(stats, "in_flight"), 0);
  json_object_put(stats);
  coord_client_free(client);
}

static void histogram_holds_every_call_in_rising_bounds(void) {
  int64_t sum = 0;
  int64_t last = 0;
  coord_client *client = t_client();
  for (int i = 0; i < 200; i++) T_TRUE(t_get_is(client, "absent", NULL));
  json_object *stats = stats_of(client);
  json_object *histogram = find(stats, "methods.get.latency_us.histogram");
  T_FATAL(json_object_is_type(histogram, json_type_array));
  for (size_t i = 0; i < json_object_array_length(histogram); i++) {
    json_object *pair = json_object_array_get_idx(histogram, i);
    int64_t bound = json_object_get_int64(json_object_array_get_idx(pair, 0));
    T_TRUE(bound > last);
    last = bound;
    sum += json_object_get_int64(json_object_array_get_idx(pair, 1));
  }
  T_INT(sum, 200);
  int64_t p50 = number(stats, "methods.get.latency_us.p50");
  int64_t p90 = number(stats, "methods.get.latency_us.p90");
  int64_t p99 = number(stats, "methods.get.latency_us.p99");
  int64_t max = number(stats, "methods.get.latency_us.max");
  T_TRUE(p50 > 0 && p50 <= p90 && p90 <= p99 && p99 <= last);
  T_TRUE(max > 0 && max <= last && last < 2 * max);
  T_TRUE(number(stats, "methods.get.latency_us.mean") <= max);
  json_object_put(stats);
  coord_client_free(client);
}

static void calls_under_way_are_told(void) {
  static const t_rule rules[] = {{.never = true}};
  coord_queue *queue = NULL;
  t_peer *peer = t_peer_grpc(rules, 1, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  coord_op *op = coord_op_get("k", 1);
  uint64_t ids[7];
  for (int i = 0; i < 7; i++) {
    T_CODE(coord_submit(client, op, 0, queue, 0, &ids[i], NULL), COORD_OK);
  }
  T_TRUE(t_peer_wait_calls(peer, "KV/Range", 7, 5000));
  T_INT(number_of(client, "in_flight"), 7);
  for (int i = 0; i < 7; i++) {
    T_CODE(coord_cancel(client, ids[i]), COORD_OK);
    coord_event_free(coord_queue_next(queue, 5000));
  }
  T_INT(number_of(client, "in_flight"), 0);
  T_INT(number_of(client, "methods.get.errors"), 7);
  coord_op_free(op);
  coord_client_free(client);
  coord_queue_free(queue);
  t_peer_stop(peer);
}

static void lost_and_new_connections_are_counted(void) {
  if (t_on_gateway()) T_SKIP("a connection of HTTP/1.1 that rests is replaced unseen");
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client = t_client_with("endpoints", t_proxy_endpoint(proxy), NULL);
  for (int i = 0; i < 3; i++) {
    T_TRUE(t_get_is(client, "absent", NULL));
    t_proxy_cut(proxy);
  }
  T_TRUE(t_get_is(client, "absent", NULL));
  json_object *stats = stats_of(client);
  T_INT(number(stats, "connected"), 4);
  T_INT(number(stats, "connections_lost"), 3);
  T_INT(number(stats, "connections"), 1);
  json_object_put(stats);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

static void closed_client_still_tells(void) {
  coord_error *err = NULL;
  coord_client *client = t_client();
  T_TRUE(t_get_is(client, "absent", NULL));
  T_OK(coord_client_close(client, 1000, &err), err);
  T_INT(number_of(client, "methods.get.calls"), 1);
  T_INT(number_of(client, "connections"), 0);
  coord_client_free(client);
}

T_MAIN(T_CASE(missing_arguments_are_named), T_CASE(fresh_client_has_one_connection_and_no_calls),
       T_CASE(calls_errors_and_bytes_are_counted_by_method),
       T_CASE(histogram_holds_every_call_in_rising_bounds), T_CASE(calls_under_way_are_told),
       T_CASE(lost_and_new_connections_are_counted), T_CASE(closed_client_still_tells))
