/* A member that its peers cannot reach, while the client still does. */
#include <stdio.h>
#include <string.h>

#include "support/cluster.h"
#include "support/load.h"

static coord_op *serializable_get(const char *key) {
  coord_op *op = coord_op_get(key, strlen(key));
  T_CODE(coord_op_set(op, COORD_OP_SERIALIZABLE, 1), COORD_OK);
  return op;
}

/* The isolated member comes first in the list, and is the one that answers at first. */
static coord_client *client_that_prefers(const t_cluster *cluster, int node) {
  char endpoints[t_endpoints_size];
  snprintf(endpoints, sizeof endpoints, "%s,%s,%s", t_etcd_endpoint(cluster, node),
           t_etcd_endpoint(cluster, (node + 1) % 3), t_etcd_endpoint(cluster, (node + 2) % 3));
  return t_client_with("endpoints", endpoints, "log.level", "off", NULL);
}

static void reads_go_elsewhere_from_a_member_that_has_no_leader(void) {
  char key[t_key_size];
  t_cluster *cluster = t_cluster_healed();
  int node = t_cluster_follower(cluster);
  coord_client *client = client_that_prefers(cluster, node);
  t_key(key, "k");
  T_TRUE(t_put(client, key, "v") > 0);
  t_cluster_isolate(cluster, node);
  T_TRUE(t_cluster_wait_leaderless(cluster, node));
  bool good = true;
  for (int i = 0; good && i < 12; i++) {
    int64_t began = t_now_ms();
    good = t_get_is(client, key, "v") && T_WITHIN(began, 2500);
  }
  T_TRUE(good);
  /* By now it is known and left alone: no read waits for it any more. */
  int64_t began = t_now_ms();
  for (int i = 0; good && i < 30; i++) good = t_get_is(client, key, "v");
  T_TRUE(good && T_WITHIN(began, 2500));
  coord_client_free(client);
}

static void isolate_under_load(t_cluster *cluster, int node, int longest_ms) {
  coord_client *client = client_that_prefers(cluster, node);
  t_load *load = t_load_begin(client);
  t_cluster_isolate(cluster, node);
  T_TRUE(t_cluster_wait_leaderless(cluster, node));
  T_TRUE(t_load_go_on(load, 20));
  t_cluster_reunite(cluster, node);
  t_cluster_leader(cluster);
  t_load_end(load, longest_ms);
  coord_client_free(client);
}

static void no_read_fails_when_a_follower_is_partitioned(void) {
  t_cluster *cluster = t_cluster_healed();
  isolate_under_load(cluster, t_cluster_follower(cluster), 3500);
}

static void no_read_fails_when_the_leader_is_partitioned(void) {
  t_cluster *cluster = t_cluster_healed();
  isolate_under_load(cluster, t_cluster_leader(cluster), 4500);
}

static void partitioned_member_alone_still_answers_serializable_reads(void) {
  char key[t_key_size];
  t_cluster *cluster = t_cluster_healed();
  int node = t_cluster_follower(cluster);
  coord_client *client = t_client_with("endpoints", t_etcd_endpoint(cluster, node), "log.level",
                                       "off", "request.timeout.ms", "3000", NULL);
  t_key(key, "k");
  T_TRUE(t_put(client, key, "v") > 0);
  T_TRUE(t_get_is(client, key, "v")); /* linearizable: this member has it now */
  t_cluster_isolate(cluster, node);
  T_TRUE(t_cluster_wait_leaderless(cluster, node));
  for (int i = 0; i < 2; i++) {
    int64_t began = t_now_ms();
    coord_error *err = NULL;
    coord_op *op = coord_op_get(key, strlen(key));
    coord_code code = coord_call(client, op, 1000, NULL, &err);
    T_TRUE(code == COORD_TIMEOUT || code == COORD_UNAVAILABLE);
    T_TRUE(coord_error_flags(err) & COORD_RETRIABLE);
    T_WITHIN(began, 1500);
    coord_error_free(err);
    coord_op_free(op);
    began = t_now_ms();
    coord_result *result = t_call(client, serializable_get(key));
    T_INT(coord_result_count(result), 1);
    coord_result_free(result);
    T_WITHIN(began, 1500);
  }
  t_cluster_reunite(cluster, node);
  t_cluster_leader(cluster);
  T_TRUE(t_get_is(client, key, "v"));
  coord_client_free(client);
}

/* What it accepts as leader without a majority is never acknowledged. */
static void nothing_is_acknowledged_by_a_leader_without_a_majority(void) {
  char key[t_key_size];
  t_cluster *cluster = t_cluster_healed();
  int node = t_cluster_leader(cluster);
  coord_client *alone =
      t_client_with("endpoints", t_etcd_endpoint(cluster, node), "log.level", "off", NULL);
  coord_client *client = client_that_prefers(cluster, (node + 1) % 3);
  t_key(key, "k");
  T_TRUE(t_put(client, key, "v") > 0);
  t_cluster_isolate(cluster, node);
  coord_error *err = NULL;
  coord_op *op = coord_op_put(key, strlen(key), "lost", 4);
  coord_code code = coord_call(alone, op, 1500, NULL, &err);
  T_TRUE(code == COORD_TIMEOUT || code == COORD_UNAVAILABLE);
  T_TRUE(coord_error_flags(err) & COORD_MAYBE_APPLIED);
  coord_error_free(err);
  coord_op_free(op);
  T_TRUE(t_put(client, key, "w") > 0);
  t_cluster_reunite(cluster, node);
  t_cluster_leader(cluster);
  T_TRUE(t_get_is(client, key, "w"));
  T_TRUE(t_get_is(alone, key, "w"));
  coord_client_free(alone);
  coord_client_free(client);
}

T_MAIN(T_CASE(reads_go_elsewhere_from_a_member_that_has_no_leader),
       T_CASE(no_read_fails_when_a_follower_is_partitioned),
       T_CASE(no_read_fails_when_the_leader_is_partitioned),
       T_CASE(partitioned_member_alone_still_answers_serializable_reads),
       T_CASE(nothing_is_acknowledged_by_a_leader_without_a_majority))
