/* Three nodes with TLS, or with authentication, under the faults that the plain ones stand. */
#include <stdio.h>
#include <string.h>

#include "support/auth.h"
#include "support/cluster.h"
#include "support/load.h"

enum { longest_without_follower_ms = 2500, longest_without_leader_ms = 4500, cuts = 30 };

static void kill_and_restart(t_cluster *cluster, t_load *load, int node) {
  t_etcd_kill(cluster, node);
  t_load_run_ms(load, 200);
  T_TRUE(t_load_go_on(load, 20));
  t_etcd_restart(cluster, node);
  T_TRUE(t_load_go_on(load, 20));
}

/* One cluster at a time, which the cases of one kind share. */
typedef enum kind { TLS = 1, SIMPLE_TOKENS, JWT } kind;
static t_pki *pki;

static void free_pki(void) { t_pki_free(pki); }

static t_cluster *start_tls(void) {
  pki = t_pki_new();
  t_at_exit(free_pki);
  t_pki_issue(pki, &(t_certificate){.file = "client"});
  return t_etcd_start(
      &(t_etcd_options){.nodes = 3, .divisible = true, .pki = pki, .client_auth = true});
}

static t_cluster *start_auth(const char *const *args) {
  t_cluster *cluster = t_etcd_start(&(t_etcd_options){.nodes = 3, .divisible = true, .args = args});
  t_cluster_leader(cluster);
  t_auth_enable(cluster);
  return cluster;
}

static t_cluster *cluster_of(kind wanted) {
  static t_cluster *cluster;
  static kind current;
  if (cluster && current == wanted) {
    t_cluster_heal(cluster);
    return cluster;
  }
  if (cluster) t_etcd_stop(cluster);
  cluster = NULL;
  current = wanted;
  cluster = wanted == TLS ? start_tls() : start_auth(wanted == JWT ? t_auth_jwt("5m") : NULL);
  return cluster;
}

/* --- TLS -------------------------------------------------------------------------------------------- */

static coord_client *tls_client(const char *endpoints) {
  return t_client_with("endpoints", endpoints, "log.level", "off", "tls.ca",
                       t_pki_file(pki, "ca.pem"), "tls.cert", t_pki_file(pki, "client.pem"),
                       "tls.key", t_pki_file(pki, "client.key"), NULL);
}

static void tls_survives_servers_that_are_killed(void) {
  char endpoints[t_endpoints_size];
  t_cluster *cluster = cluster_of(TLS);
  coord_client *client = tls_client(t_cluster_endpoints(cluster, endpoints));
  t_load *load = t_load_begin(client);
  kill_and_restart(cluster, load, t_cluster_follower(cluster));
  kill_and_restart(cluster, load, t_cluster_leader(cluster));
  t_load_end(load, longest_without_leader_ms);
  coord_client_free(client);
}

static void tls_writes_once_however_often_connections_are_cut(void) {
  t_fronts fronts;
  t_cluster *cluster = cluster_of(TLS);
  t_fronts_start(&fronts, cluster);
  coord_client *client = tls_client(fronts.endpoints);
  t_load *load = t_load_begin(client);
  for (int i = 0; i < cuts; i++) {
    if (!t_load_go_on(load, 3)) break;
    t_proxy_cut(fronts.proxies[i % 3]);
  }
  t_load_end(load, longest_without_follower_ms);
  coord_client_free(client);
  t_fronts_stop(&fronts);
}

/* The kernel accepts the connection; nobody answers the ClientHello. */
static void tls_handshake_without_an_answer_costs_an_attempt_and_not_the_call(void) {
  char key[t_key_size];
  t_fronts fronts;
  t_cluster *cluster = cluster_of(TLS);
  t_fronts_start(&fronts, cluster);
  t_proxy_stall(fronts.proxies[0], true);
  int64_t began = t_now_ms();
  coord_client *client = tls_client(fronts.endpoints);
  T_TRUE(t_get_is(client, t_key(key, "absent"), NULL));
  T_WITHIN(began, longest_without_follower_ms);
  t_load *load = t_load_begin(client);
  t_load_end(load, longest_without_follower_ms);
  coord_client_free(client);
  t_fronts_stop(&fronts);
}

static void tls_endpoint_that_stalls_is_left(void) {
  t_fronts fronts;
  t_cluster *cluster = cluster_of(TLS);
  t_fronts_start(&fronts, cluster);
  coord_client *client = tls_client(fronts.endpoints);
  t_load *load = t_load_begin(client);
  t_proxy_stall(fronts.proxies[0], true);
  t_load_run_ms(load, 1500);
  T_TRUE(t_load_go_on(load, 20));
  t_proxy_stall(fronts.proxies[0], false);
  t_load_end(load, longest_without_follower_ms);
  coord_client_free(client);
  t_fronts_stop(&fronts);
}

/* --- Authentication ---------------------------------------------------------------------------------- */

static coord_client *ann(const t_cluster *cluster) {
  char endpoints[t_endpoints_size];
  return t_client_with("endpoints", t_cluster_endpoints(cluster, endpoints), "username", "ann",
                       "password", "annpw", "log.level", "off", NULL);
}

static void kill_each_kind(t_cluster *cluster) {
  coord_client *client = ann(cluster);
  t_load *load = t_load_begin(client);
  kill_and_restart(cluster, load, t_cluster_follower(cluster));
  kill_and_restart(cluster, load, t_cluster_leader(cluster));
  t_load_end(load, longest_without_leader_ms);
  coord_client_free(client);
}

/* Such a token is known to the member that gave it and ends with it: another member wants a login. */
static void simple_tokens_are_renewed_on_failover(void) {
  kill_each_kind(cluster_of(SIMPLE_TOKENS));
}

static void logins_are_repeated_after_a_restart_of_all(void) {
  t_cluster *cluster = cluster_of(SIMPLE_TOKENS);
  coord_client *client = ann(cluster);
  t_load *load = t_load_start(&(t_load_options){
      .client = client, .readers = 3, .writers = 3, .counters = 2, .timeout_ms = 15000});
  T_TRUE(t_load_go_on(load, 20));
  t_cluster_kill_all(cluster);
  t_load_run_ms(load, 500);
  t_cluster_restart_all(cluster);
  t_load_end(load, 10000);
  coord_client_free(client);
}

static void jwt_is_good_at_every_member(void) { kill_each_kind(cluster_of(JWT)); }

static void member_without_a_leader_is_left_by_a_client_that_is_logged_in(void) {
  t_cluster *cluster = cluster_of(JWT);
  coord_client *client = ann(cluster);
  t_load *load = t_load_begin(client);
  int node = t_cluster_follower(cluster);
  t_cluster_isolate(cluster, node);
  T_TRUE(t_cluster_wait_leaderless(cluster, node));
  T_TRUE(t_load_go_on(load, 20));
  t_cluster_reunite(cluster, node);
  t_cluster_leader(cluster);
  t_load_end(load, longest_without_leader_ms);
  coord_client_free(client);
}

T_MAIN(T_CASE(tls_survives_servers_that_are_killed),
       T_CASE(tls_writes_once_however_often_connections_are_cut),
       T_CASE(tls_handshake_without_an_answer_costs_an_attempt_and_not_the_call),
       T_CASE(tls_endpoint_that_stalls_is_left), T_CASE(simple_tokens_are_renewed_on_failover),
       T_CASE(logins_are_repeated_after_a_restart_of_all), T_CASE(jwt_is_good_at_every_member),
       T_CASE(member_without_a_leader_is_left_by_a_client_that_is_logged_in))
