/* At most once: whatever happens to connections and servers, no write is done twice. */
#include <stdlib.h>

#include "support/cluster.h"
#include "support/load.h"

enum { cuts = 60 };

static coord_client *client_through(const t_fronts *fronts) {
  return t_client_with("endpoints", fronts->endpoints, "log.level", "off", NULL);
}

static void end_load(t_load *load, coord_client *client, t_fronts *fronts) {
  t_load_end(load, 4500);
  coord_client_free(client);
  t_fronts_stop(fronts);
}

static void no_write_is_done_twice_however_often_connections_are_cut(void) {
  t_fronts fronts;
  t_cluster *cluster = t_cluster_healed();
  t_fronts_start(&fronts, cluster);
  coord_client *client = client_through(&fronts);
  t_load *load = t_load_begin(client);
  for (int i = 0; i < cuts; i++) {
    if (!t_load_go_on(load, 3)) break;
    t_proxy_cut(fronts.proxies[i % 3]);
  }
  T_TRUE(t_load_go_on(load, 20));
  t_tally writes = t_load_tally(load, T_LOAD_WRITE);
  t_tally steps = t_load_tally(load, T_LOAD_COUNT);
  /* A cut ends what is under way on one connection: one call at most of each thread. */
  T_TRUE(writes.maybe <= cuts * 3);
  T_TRUE(steps.maybe <= cuts * 2);
  /* What was not sent is sent elsewhere and does not fail. */
  T_INT(writes.clean, 0);
  T_INT(steps.clean, 0);
  end_load(load, client, &fronts);
}

static void no_write_is_done_twice_when_all_connections_are_cut_at_once(void) {
  t_fronts fronts;
  t_cluster *cluster = t_cluster_healed();
  t_fronts_start(&fronts, cluster);
  coord_client *client = client_through(&fronts);
  t_load *load = t_load_begin(client);
  for (int i = 0; i < cuts / 2; i++) {
    if (!t_load_go_on(load, 3)) break;
    for (int node = 0; node < fronts.count; node++) t_proxy_cut(fronts.proxies[node]);
  }
  end_load(load, client, &fronts);
}

static void no_write_is_done_twice_when_endpoints_come_and_go(void) {
  t_fronts fronts;
  t_cluster *cluster = t_cluster_healed();
  t_fronts_start(&fronts, cluster);
  coord_client *client = client_through(&fronts);
  t_load *load = t_load_begin(client);
  for (int i = 0; i < 18; i++) {
    t_proxy_refuse(fronts.proxies[i % 3], true);
    if (!t_load_go_on(load, 5)) break;
    t_proxy_refuse(fronts.proxies[i % 3], false);
  }
  end_load(load, client, &fronts);
}

static void no_write_is_done_twice_when_servers_are_killed(void) {
  t_fronts fronts;
  t_cluster *cluster = t_cluster_healed();
  t_fronts_start(&fronts, cluster);
  coord_client *client = client_through(&fronts);
  t_load *load = t_load_begin(client);
  for (int i = 0; i < 3; i++) {
    int node = i % 2 == 0 ? t_cluster_leader(cluster) : t_cluster_follower(cluster);
    t_etcd_kill(cluster, node);
    if (!t_load_go_on(load, 5)) break;
    t_etcd_restart(cluster, node);
  }
  end_load(load, client, &fronts);
}

/* The writes that a stopped server has received it may still do when it goes on. */
static void no_write_is_done_twice_by_servers_that_were_stopped(void) {
  t_fronts fronts;
  t_cluster *cluster = t_cluster_healed();
  t_fronts_start(&fronts, cluster);
  coord_client *client = client_through(&fronts);
  t_load *load = t_load_start(&(t_load_options){
      .client = client, .readers = 2, .writers = 4, .counters = 3, .timeout_ms = 2500});
  T_TRUE(t_load_go_on(load, 20));
  for (int node = 0; node < 3; node++) {
    t_etcd_pause(cluster, node);
    t_load_run_ms(load, 1100);
    t_etcd_resume(cluster, node);
    if (!t_load_go_on(load, 5)) break;
  }
  t_load_stop(load);
  t_load_expect_once(load);
  t_load_free(load);
  coord_client_free(client);
  t_fronts_stop(&fronts);
}

T_MAIN(T_CASE(no_write_is_done_twice_however_often_connections_are_cut),
       T_CASE(no_write_is_done_twice_when_all_connections_are_cut_at_once),
       T_CASE(no_write_is_done_twice_when_endpoints_come_and_go),
       T_CASE(no_write_is_done_twice_when_servers_are_killed),
       T_CASE(no_write_is_done_twice_by_servers_that_were_stopped))
