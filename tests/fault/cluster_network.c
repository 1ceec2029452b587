/* Endpoints of a healthy cluster behind a network that loses or holds back. */
#include <stdio.h>

#include "support/cluster.h"
#include "support/load.h"

/* A try is given up after about 1 s; the next may meet the same fate before it is known. */
enum { longest_ms = 2500 };

static coord_client *client_of(const char *endpoints, const char *lazy) {
  return t_client_with("endpoints", endpoints, "log.level", "off", "connect.lazy", lazy, NULL);
}

static bool has_traffic(void *arg) {
  t_proxy **proxy_and_start = arg;
  static int64_t before;
  if (proxy_and_start[1] != NULL) {
    before = t_proxy_bytes_down(proxy_and_start[0]);
    proxy_and_start[1] = NULL;
  }
  /* More than a probe and the PINGs. */
  return t_proxy_bytes_down(proxy_and_start[0]) > before + 4000;
}

/* An endpoint that works again is found out and used, without a new client. */
static void expect_return_to(t_proxy *proxy) {
  t_proxy *arg[2] = {proxy, proxy};
  if (!t_wait_until(has_traffic, arg, 15000)) T_FAIL("the endpoint is not used again");
}

/* --- Black holes ----------------------------------------------------------------------------------- */

static void expect_quick_first_call(const char *endpoints) {
  coord_client *client = client_of(endpoints, "true");
  for (int i = 0; i < 6; i++) {
    char key[t_key_size];
    int64_t began = t_now_ms();
    T_TRUE(t_get_is(client, t_key(key, "absent"), NULL));
    T_WITHIN(began, longest_ms);
  }
  t_load *load = t_load_begin(client);
  t_load_end(load, longest_ms);
  coord_client_free(client);
}

static void black_hole_in_front_costs_an_attempt_and_not_the_call(void) {
  char endpoints[t_endpoints_size];
  t_hole hole;
  t_cluster *cluster = t_cluster_healed();
  t_hole_start(&hole);
  snprintf(endpoints, sizeof endpoints, "%s,%s,%s", hole.endpoint, t_etcd_endpoint(cluster, 0),
           t_etcd_endpoint(cluster, 1));
  expect_quick_first_call(endpoints);
  t_hole_stop(&hole);
}

static void one_endpoint_among_black_holes_is_enough(void) {
  char endpoints[t_endpoints_size];
  t_hole holes[2];
  t_cluster *cluster = t_cluster_healed();
  t_hole_start(&holes[0]);
  t_hole_start(&holes[1]);
  snprintf(endpoints, sizeof endpoints, "%s,%s,%s", holes[0].endpoint, holes[1].endpoint,
           t_etcd_endpoint(cluster, 0));
  expect_quick_first_call(endpoints);
  t_hole_stop(&holes[0]);
  t_hole_stop(&holes[1]);
}

/* --- What breaks while it is used ------------------------------------------------------------------ */

typedef void (*fault)(t_proxy *proxy, bool on);

static void break_under_load(fault apply) {
  t_fronts fronts;
  t_cluster *cluster = t_cluster_healed();
  t_fronts_start(&fronts, cluster);
  coord_client *client = client_of(fronts.endpoints, "false");
  t_load *load = t_load_begin(client);
  apply(fronts.proxies[0], true);
  t_load_run_ms(load, 1300);
  T_TRUE(t_load_go_on(load, 20));
  apply(fronts.proxies[0], false);
  expect_return_to(fronts.proxies[0]);
  t_load_end(load, longest_ms);
  coord_client_free(client);
  t_fronts_stop(&fronts);
}

static void endpoint_that_stalls_is_left_and_found_again(void) { break_under_load(t_proxy_stall); }

static void endpoint_that_loses_everything_is_left_and_found_again(void) {
  break_under_load(t_proxy_swallow);
}

static void endpoint_that_refuses_is_left_and_found_again(void) {
  break_under_load(t_proxy_refuse);
}

static void delay_by_seconds(t_proxy *proxy, bool on) { t_proxy_delay(proxy, on ? 2500 : 0); }

static void endpoint_that_answers_late_is_left_and_found_again(void) {
  break_under_load(delay_by_seconds);
}

static void two_of_three_may_stall(void) {
  t_fronts fronts;
  t_cluster *cluster = t_cluster_healed();
  t_fronts_start(&fronts, cluster);
  coord_client *client = client_of(fronts.endpoints, "false");
  t_load *load = t_load_begin(client);
  t_proxy_stall(fronts.proxies[0], true);
  t_proxy_swallow(fronts.proxies[1], true);
  t_load_run_ms(load, 1300);
  T_TRUE(t_load_go_on(load, 20));
  t_proxy_stall(fronts.proxies[0], false);
  t_proxy_swallow(fronts.proxies[1], false);
  t_load_end(load, 3500);
  coord_client_free(client);
  t_fronts_stop(&fronts);
}

T_MAIN(T_CASE(black_hole_in_front_costs_an_attempt_and_not_the_call),
       T_CASE(one_endpoint_among_black_holes_is_enough),
       T_CASE(endpoint_that_stalls_is_left_and_found_again),
       T_CASE(endpoint_that_loses_everything_is_left_and_found_again),
       T_CASE(endpoint_that_refuses_is_left_and_found_again),
       T_CASE(endpoint_that_answers_late_is_left_and_found_again), T_CASE(two_of_three_may_stall))
