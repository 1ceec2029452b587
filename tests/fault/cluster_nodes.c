/* One of three servers is killed or stopped under a load of reads and writes, and comes back. */
#include <stdio.h>

#include "support/cluster.h"
#include "support/load.h"

/* A leader that is gone is missed for an election timeout of 0.5 to 1 s; a try takes 1 s. */
enum { longest_without_follower_ms = 2500, longest_without_leader_ms = 4500 };

static coord_client *client_of(const t_cluster *cluster) {
  char endpoints[t_endpoints_size];
  return t_client_with("endpoints", t_cluster_endpoints(cluster, endpoints), "log.level", "off",
                       NULL);
}

static void kill_and_restart(t_cluster *cluster, int node, int longest_ms) {
  coord_client *client = client_of(cluster);
  t_load *load = t_load_begin(client);
  t_etcd_kill(cluster, node);
  t_load_run_ms(load, 500);
  T_TRUE(t_load_go_on(load, 20));
  t_etcd_restart(cluster, node);
  t_load_end(load, longest_ms);
  coord_client_free(client);
}

static void stop_and_resume(t_cluster *cluster, int node, int longest_ms) {
  coord_client *client = client_of(cluster);
  t_load *load = t_load_begin(client);
  t_etcd_pause(cluster, node);
  t_load_run_ms(load, 1500);
  T_TRUE(t_load_go_on(load, 20));
  t_etcd_resume(cluster, node);
  t_load_end(load, longest_ms);
  coord_client_free(client);
}

static void no_read_fails_when_a_follower_is_killed(void) {
  t_cluster *cluster = t_cluster_healed();
  kill_and_restart(cluster, t_cluster_follower(cluster), longest_without_follower_ms);
}

static void no_read_fails_when_the_leader_is_killed(void) {
  t_cluster *cluster = t_cluster_healed();
  kill_and_restart(cluster, t_cluster_leader(cluster), longest_without_leader_ms);
}

static void no_read_fails_when_a_follower_is_stopped(void) {
  t_cluster *cluster = t_cluster_healed();
  stop_and_resume(cluster, t_cluster_follower(cluster), longest_without_follower_ms);
}

static void no_read_fails_when_the_leader_is_stopped(void) {
  t_cluster *cluster = t_cluster_healed();
  stop_and_resume(cluster, t_cluster_leader(cluster), longest_without_leader_ms);
}

T_MAIN(T_CASE(no_read_fails_when_a_follower_is_killed),
       T_CASE(no_read_fails_when_the_leader_is_killed),
       T_CASE(no_read_fails_when_a_follower_is_stopped),
       T_CASE(no_read_fails_when_the_leader_is_stopped))
