/* Watches while servers and networks fail: nothing is lost, nothing told twice. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "support/auth.h"
#include "support/cluster.h"
#include "support/history.h"
#include "support/watch.h"

static coord_client *client_of(const char *endpoints) {
  return t_client_with("endpoints", endpoints, "log.level", "off", NULL);
}

static t_history *start(coord_client *writer, coord_client *watcher) {
  t_history_options options = {
      .writer = writer, .watcher = watcher, .writers = 3, .watches = 2, .pause_us = 500};
  t_history *h = t_history_start(&options);
  T_FATAL(t_history_go_on(h, 100));
  return h;
}

/* ---- one server ---- */

static void connections_that_are_cut(void) {
  t_cluster *cluster = t_etcd();
  t_proxy *proxy = t_proxy_start(t_etcd_port(cluster, 0));
  coord_client *writer = t_client(), *watcher = client_of(t_proxy_endpoint(proxy));
  t_history *h = start(writer, watcher);
  for (int i = 0; i < 10; i++) {
    t_proxy_cut(proxy);
    T_TRUE(t_history_go_on(h, 30));
  }
  t_proxy_refuse(proxy, true);
  t_history_forget_gaps(h);
  struct timespec pause = {0, 300000000};
  nanosleep(&pause, NULL);
  t_proxy_refuse(proxy, false);
  T_TRUE(t_history_go_on(h, 30));
  t_history_tally tally = t_history_end(h);
  T_TRUE(tally.resumed >= 11 * 2);
  coord_client_free(writer);
  coord_client_free(watcher);
  t_proxy_stop(proxy);
}

/* Pieces of frames, cut anywhere. */
static void slow_connections_that_are_cut(void) {
  t_cluster *cluster = t_etcd();
  t_proxy *proxy = t_proxy_start(t_etcd_port(cluster, 0));
  coord_client *writer = t_client(), *watcher = client_of(t_proxy_endpoint(proxy));
  t_history *h = start(writer, watcher);
  for (int i = 0; i < 6; i++) {
    t_proxy_trickle(proxy, 97 + 31 * i);
    struct timespec pause = {0, 40000000 + i * 7000000};
    nanosleep(&pause, NULL);
    t_proxy_cut(proxy);
    t_proxy_trickle(proxy, 0);
    T_TRUE(t_history_go_on(h, 20));
  }
  t_history_end(h);
  coord_client_free(writer);
  coord_client_free(watcher);
  t_proxy_stop(proxy);
}

static void server_that_is_killed_and_comes_back(void) {
  t_cluster *cluster = t_etcd_start(NULL);
  coord_client *writer = client_of(t_etcd_endpoint(cluster, 0));
  coord_client *watcher = client_of(t_etcd_endpoint(cluster, 0));
  t_history *h = start(writer, watcher);
  for (int i = 0; i < 2; i++) {
    if (i == 0) {
      t_etcd_kill(cluster, 0);
    } else {
      t_etcd_terminate(cluster, 0);
    }
    t_etcd_restart(cluster, 0);
    T_TRUE(t_history_go_on(h, 50));
  }
  T_TRUE(t_history_end(h).resumed >= 4);
  coord_client_free(writer);
  coord_client_free(watcher);
  t_etcd_stop(cluster);
}

static void compaction_while_away_is_told(void) {
  char prefix[t_key_size];
  t_cluster *cluster = t_etcd();
  t_proxy *proxy = t_proxy_start(t_etcd_port(cluster, 0));
  coord_client *writer = t_client(), *watcher = client_of(t_proxy_endpoint(proxy));
  coord_queue *queue = t_queue();
  coord_watch *watch = t_watch(watcher, t_key(prefix, ""), 0, queue, 1, -1);
  t_stands(queue, 1, COORD_OK);
  t_put(writer, prefix, "1");
  t_changes(queue, 1, 1, strlen(prefix));
  t_proxy_refuse(proxy, true);
  t_put(writer, prefix, "2");
  int64_t last = t_put(writer, prefix, "3");
  coord_result_free(t_call(writer, coord_op_compact(last)));
  t_proxy_refuse(proxy, false);
  t_stands(queue, 1, COORD_UNAVAILABLE);
  t_closed(queue, 1, COORD_COMPACTED, "has been compacted");
  t_silent(queue);
  coord_watch_free(watch);
  coord_queue_free(queue);
  coord_client_free(writer);
  coord_client_free(watcher);
  t_proxy_stop(proxy);
}

static void server_that_is_not_there_yet(void) {
  char prefix[t_key_size];
  t_cluster *cluster = t_etcd();
  t_proxy *proxy = t_proxy_start(t_etcd_port(cluster, 0));
  t_proxy_refuse(proxy, true);
  coord_client *client = t_client_with("endpoints", t_proxy_endpoint(proxy), "log.level", "off",
                                       "connect.lazy", "true", NULL);
  coord_queue *queue = t_queue();
  coord_watch *watch = t_watch(client, t_key(prefix, ""), 0, queue, 1, -1);
  coord_watch *closed = t_watch(client, prefix, 0, queue, 2, -1);
  coord_watch_close(closed);
  t_closed(queue, 2, COORD_OK, "");
  t_silent(queue);
  t_proxy_refuse(proxy, false);
  t_stands(queue, 1, COORD_OK);
  t_put(client, prefix, "1");
  T_STR(t_changes(queue, 1, 1, strlen(prefix)), "+=1");
  coord_watch_free(closed);
  coord_watch_free(watch);
  coord_queue_free(queue);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

/* ---- three servers ---- */

enum { LONGEST_GAP_MS = 5000 };

/* The node that the watches of a client are on: of the two proxies the one that carries them. */
static int busiest(t_fronts *fronts, t_history *h) {
  int64_t before[t_etcd_nodes_max];
  for (int i = 0; i < fronts->count; i++) before[i] = t_proxy_bytes_down(fronts->proxies[i]);
  T_TRUE(t_history_go_on(h, 60));
  int best = 0;
  int64_t most = -1;
  for (int i = 0; i < fronts->count; i++) {
    int64_t bytes = t_proxy_bytes_down(fronts->proxies[i]) - before[i];
    if (bytes > most) best = i;
    if (bytes > most) most = bytes;
  }
  return best;
}

static void server_in_use_falls_silent(void) {
  t_cluster *cluster = t_cluster_healed();
  t_fronts fronts;
  char endpoints[t_endpoints_size];
  t_fronts_start(&fronts, cluster);
  coord_client *writer = client_of(t_cluster_endpoints(cluster, endpoints));
  coord_client *watcher = client_of(fronts.endpoints);
  t_history *h = start(writer, watcher);
  int node = busiest(&fronts, h);
  t_history_forget_gaps(h);
  t_proxy_stall(fronts.proxies[node], true);
  T_TRUE(t_history_go_on(h, 30));
  t_proxy_stall(fronts.proxies[node], false);
  t_history_tally tally = t_history_end(h);
  T_TRUE(tally.resumed >= 2);
  T_TRUE(tally.longest_gap_ms < LONGEST_GAP_MS * T_SLOW);
  coord_client_free(writer);
  coord_client_free(watcher);
  t_fronts_stop(&fronts);
}

static void servers_stop_and_die_in_turn(void) {
  t_cluster *cluster = t_cluster_healed();
  char endpoints[t_endpoints_size];
  coord_client *client = client_of(t_cluster_endpoints(cluster, endpoints));
  t_history *h = start(client, client);
  for (int node = 0; node < 3; node++) {
    t_history_forget_gaps(h);
    if (node == 0) {
      t_etcd_pause(cluster, node);
    } else if (node == 1) {
      t_etcd_kill(cluster, node);
    } else {
      t_cluster_isolate(cluster, node);
    }
    T_TRUE(t_history_go_on(h, 30));
    t_cluster_heal(cluster);
    T_TRUE(t_history_go_on(h, 30));
  }
  t_history_end(h);
  coord_client_free(client);
}

/* ---- users ---- */

static void permission_hits_only_the_watch_that_lacks_it(void) {
  t_cluster *cluster = t_etcd_start(NULL);
  t_auth_enable(cluster);
  coord_client *client = t_auth_client(cluster, "ann", "annpw");
  coord_queue *queue = t_queue();
  coord_watch *good = t_watch(client, "t/a", 0, queue, 1, -1);
  t_stands(queue, 1, COORD_OK);
  coord_watch *bad = t_watch(client, "forbidden/", 0, queue, 2, -1);
  t_closed(queue, 2, COORD_AUTH, "permission denied");
  coord_watch *later = t_watch(client, "t/b", 0, queue, 3, -1);
  t_stands(queue, 3, COORD_OK);
  t_put(client, "t/a", "1");
  T_STR(t_changes(queue, 1, 1, 2), "+a=1");
  t_put(client, "t/b", "2");
  T_STR(t_changes(queue, 3, 1, 2), "+b=2");
  coord_watch_free(good);
  coord_watch_free(bad);
  coord_watch_free(later);
  coord_queue_free(queue);
  coord_client_free(client);
  t_etcd_stop(cluster);
}

static void tokens_that_expire_are_not_noticed(void) {
  static const char *const args[] = {"--auth-token-ttl", "1", NULL};
  int major, minor;
  t_etcd_version(&major, &minor);
  t_cluster *cluster = t_etcd_start(&(t_etcd_options){.args = minor > 3 ? args : NULL});
  t_auth_enable(cluster);
  t_proxy *proxy = t_proxy_start(t_etcd_port(cluster, 0));
  coord_client *client = t_auth_client(cluster, "ann", "annpw");
  coord_client *watcher = t_client_with("endpoints", t_proxy_endpoint(proxy), "username", "ann",
                                        "password", "annpw", "log.level", "off", NULL);
  coord_queue *queue = t_queue();
  coord_watch *watch = t_watch(watcher, "t/a", 0, queue, 1, -1);
  t_stands(queue, 1, COORD_OK);
  struct timespec pause = {2, 500000000};
  nanosleep(&pause, NULL);
  /* Another one on the same stream, whose token is no longer good. */
  coord_watch *second = t_watch(watcher, "t/b", 0, queue, 2, -1);
  t_stands(queue, 2, COORD_OK);
  t_put(client, "t/a", "1");
  T_STR(t_changes(queue, 1, 1, 2), "+a=1");
  t_put(client, "t/b", "2");
  T_STR(t_changes(queue, 2, 1, 2), "+b=2");
  coord_watch_free(watch);
  coord_watch_free(second);
  coord_queue_free(queue);
  coord_client_free(client);
  coord_client_free(watcher);
  t_proxy_stop(proxy);
  t_etcd_stop(cluster);
}

T_MAIN(T_CASE(connections_that_are_cut), T_CASE(slow_connections_that_are_cut),
       T_CASE(server_that_is_killed_and_comes_back), T_CASE(compaction_while_away_is_told),
       T_CASE(server_that_is_not_there_yet), T_CASE(permission_hits_only_the_watch_that_lacks_it),
       T_CASE(tokens_that_expire_are_not_noticed), T_CASE(server_in_use_falls_silent),
       T_CASE(servers_stop_and_die_in_turn))
