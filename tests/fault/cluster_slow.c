/* A network that is slow but works, and which endpoints of a healthy cluster are used. */
#include <stdint.h>
#include <stdio.h>

#include "support/cluster.h"
#include "support/load.h"

/* A try is given up after about 1 s; the next may meet the same fate before it is known. */
enum { longest_ms = 2500 };

static coord_client *client_of(const char *endpoints) {
  return t_client_with("endpoints", endpoints, "log.level", "off", NULL);
}

/* --- What is slow but works ------------------------------------------------------------------------ */

static void slow_under_load(t_fronts *fronts, int longest) {
  coord_client *client = client_of(fronts->endpoints);
  t_load *load = t_load_begin(client);
  t_tally writes = t_load_tally(load, T_LOAD_WRITE);
  T_INT(writes.maybe + writes.clean, 0);
  t_load_end(load, longest);
  coord_client_free(client);
  t_fronts_stop(fronts);
}

static void delay_shorter_than_an_attempt_costs_no_call(void) {
  t_fronts fronts;
  t_cluster *cluster = t_cluster_healed();
  t_fronts_start(&fronts, cluster);
  t_proxy_delay(fronts.proxies[0], 50);
  slow_under_load(&fronts, longest_ms);
}

static void bytes_that_trickle_from_everywhere_are_put_together(void) {
  t_fronts fronts;
  t_cluster *cluster = t_cluster_healed();
  t_fronts_start(&fronts, cluster);
  for (int i = 0; i < fronts.count; i++) t_proxy_trickle(fronts.proxies[i], 20);
  slow_under_load(&fronts, longest_ms);
}

static void endpoint_that_trickles_does_not_break_reads(void) {
  t_fronts fronts;
  t_cluster *cluster = t_cluster_healed();
  t_fronts_start(&fronts, cluster);
  coord_client *client = client_of(fronts.endpoints);
  t_load *load = t_load_begin(client);
  t_proxy_trickle(fronts.proxies[0], 1);
  t_load_run_ms(load, 1500);
  T_TRUE(t_load_go_on(load, 20));
  t_proxy_trickle(fronts.proxies[0], 0);
  t_load_end(load, longest_ms);
  coord_client_free(client);
  t_fronts_stop(&fronts);
}

/* --- Which endpoints are used ---------------------------------------------------------------------- */

static void healthy_endpoints_are_used_evenly(void) {
  t_fronts fronts;
  int64_t before[3], least = INT64_MAX, most = 0;
  t_cluster *cluster = t_cluster_healed();
  t_fronts_start(&fronts, cluster);
  coord_client *client = client_of(fronts.endpoints);
  t_load *load = t_load_begin(client);
  for (int i = 0; i < 3; i++) before[i] = t_proxy_bytes_up(fronts.proxies[i]);
  T_TRUE(t_load_go_on(load, 300));
  for (int i = 0; i < 3; i++) {
    int64_t bytes = t_proxy_bytes_up(fronts.proxies[i]) - before[i];
    if (bytes < least) least = bytes;
    if (bytes > most) most = bytes;
  }
  if (least * 2 < most) {
    T_FAIL("one endpoint got %lld bytes, another %lld", (long long)least, (long long)most);
  }
  t_load_end(load, longest_ms);
  coord_client_free(client);
  t_fronts_stop(&fronts);
}

/* localhost is ::1 and 127.0.0.1: whichever comes first, one of them refuses. */
static void all_addresses_of_a_name_are_tried(void) {
  char endpoint[64], key[t_key_size];
  t_cluster *cluster = t_cluster_healed();
  snprintf(endpoint, sizeof endpoint, "localhost:%d", t_etcd_port(cluster, 0));
  coord_client *client = client_of(endpoint);
  T_TRUE(t_get_is(client, t_key(key, "absent"), NULL));
  coord_client_free(client);
  t_proxy *proxy = t_proxy_start_ipv6(t_etcd_port(cluster, 0));
  if (!proxy) T_SKIP("no IPv6");
  snprintf(endpoint, sizeof endpoint, "localhost:%d", t_proxy_port(proxy));
  client = client_of(endpoint);
  T_TRUE(t_get_is(client, t_key(key, "absent"), NULL));
  T_TRUE(t_proxy_connections(proxy) > 0);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

T_MAIN(T_CASE(delay_shorter_than_an_attempt_costs_no_call),
       T_CASE(bytes_that_trickle_from_everywhere_are_put_together),
       T_CASE(endpoint_that_trickles_does_not_break_reads),
       T_CASE(healthy_endpoints_are_used_evenly), T_CASE(all_addresses_of_a_name_are_tried))
