/* Servers that go and come one after the other, all at once, or for good. */
#include <stdio.h>
#include <string.h>

#include "support/cluster.h"
#include "support/load.h"

static coord_client *client_of(const t_cluster *cluster) {
  char endpoints[t_endpoints_size];
  return t_client_with("endpoints", t_cluster_endpoints(cluster, endpoints), "log.level", "off",
                       NULL);
}

static void rolling_restart_costs_no_read(void) {
  t_cluster *cluster = t_cluster_healed();
  coord_client *client = client_of(cluster);
  t_load *load = t_load_begin(client);
  for (int i = 0; i < 3; i++) {
    T_TRUE(t_load_go_on(load, 20));
    t_etcd_terminate(cluster, i);
    T_TRUE(t_load_go_on(load, 20));
    t_etcd_restart(cluster, i);
  }
  t_load_end(load, 4500);
  coord_client_free(client);
}

/* A call while no server is there ends at its deadline and says what the last failure was. */
static void expect_unavailable(coord_client *client, coord_op *op, int timeout_ms) {
  coord_error *err = NULL;
  int64_t began = t_now_ms();
  coord_code code = coord_call(client, op, timeout_ms, NULL, &err);
  int64_t took = t_now_ms() - began, late = t_took_ms(began) - timeout_ms;
  T_CODE(code, COORD_UNAVAILABLE);
  T_HAS(coord_error_message(err), "127.0.0.1:");
  T_HAS(coord_error_message(err), "efused");
  T_INT(coord_error_flags(err) & COORD_MAYBE_APPLIED, 0);
  T_TRUE(coord_error_flags(err) & COORD_RETRIABLE);
  if (took < timeout_ms - 100 || late > 500 * T_SLOW) {
    T_FAIL("it took %lld ms, not %d", (long long)took, timeout_ms);
  }
  coord_error_free(err);
  coord_op_free(op);
}

static void calls_end_at_their_deadline_when_all_are_down_and_work_when_they_are_back(void) {
  char key[t_key_size];
  t_cluster *cluster = t_cluster_healed();
  coord_client *client = client_of(cluster);
  t_key(key, "k");
  T_TRUE(t_put(client, key, "v") > 0);
  t_cluster_kill_all(cluster);
  /* The first may have been on a connection whose end is not known yet; a read is repeated. */
  expect_unavailable(client, coord_op_get(key, strlen(key)), 900);
  expect_unavailable(client, coord_op_get(key, strlen(key)), 400);
  expect_unavailable(client, coord_op_put(key, strlen(key), "w", 1), 400);
  t_cluster_restart_all(cluster);
  T_TRUE(t_get_is(client, key, "v"));
  T_TRUE(t_put(client, key, "x") > 0);
  T_TRUE(t_get_is(client, key, "x"));
  coord_client_free(client);
}

static void calls_under_way_survive_a_restart_of_all(void) {
  t_cluster *cluster = t_cluster_healed();
  coord_client *client = client_of(cluster);
  t_load *load = t_load_start(&(t_load_options){
      .client = client, .readers = 3, .writers = 3, .counters = 2, .timeout_ms = 25000});
  T_TRUE(t_load_go_on(load, 20));
  t_cluster_kill_all(cluster);
  t_load_run_ms(load, 500);
  t_cluster_restart_all(cluster);
  t_load_end(load, 15000);
  coord_client_free(client);
}

static void replace(t_cluster *cluster, t_load *load, int node,
                    void (*add)(t_cluster *cluster, int node)) {
  uint64_t before = t_cluster_member_id(cluster, node);
  t_cluster_remove(cluster, node);
  T_TRUE(t_load_go_on(load, 20));
  add(cluster, node);
  T_TRUE(t_load_go_on(load, 20));
  T_TRUE(t_cluster_member_id(cluster, node) != before);
}

static void member_is_replaced_by_a_new_one(void) {
  t_cluster *cluster = t_cluster_healed();
  coord_client *client = client_of(cluster);
  t_load *load = t_load_begin(client);
  replace(cluster, load, t_cluster_follower(cluster), t_cluster_add);
  t_load_end(load, 2500);
  coord_client_free(client);
}

/* In the end none of the endpoints that the client was given is there any more. */
static void all_members_are_replaced_by_others_at_other_endpoints(void) {
  char endpoints[t_endpoints_size];
  t_cluster *cluster = t_cluster_healed();
  coord_client *client =
      t_client_with("endpoints", t_cluster_endpoints(cluster, endpoints),
                    "endpoints.sync.interval.ms", "100", "log.level", "off", NULL);
  t_load *load = t_load_begin(client);
  for (int node = 0; node < 3; node++) {
    replace(cluster, load, node, t_cluster_add_elsewhere);
    t_load_run_ms(load, 300); /* the client learns of it */
  }
  t_load_end(load, 4500);
  coord_client_free(client);
}

T_MAIN(T_CASE(rolling_restart_costs_no_read),
       T_CASE(calls_end_at_their_deadline_when_all_are_down_and_work_when_they_are_back),
       T_CASE(calls_under_way_survive_a_restart_of_all), T_CASE(member_is_replaced_by_a_new_one),
       T_CASE(all_members_are_replaced_by_others_at_other_endpoints))
