/* Deadlines: kept to the millisecond's order, sent to the server, and honest about what was done. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/etcd.h"
#include "support/peer.h"
#include "support/proxy.h"

static const t_rule never_answers[] = {{.never = true}};

/* Whether all calls so far were sent; with `arg`. */
typedef bool arrived(void *arg);

/* A call of `op` fails as it should, in time, after 200 ms. With more time when it has not even been
 * sent in these. */
static void expect_end(coord_client *client, coord_op *op, coord_code code, uint32_t flags,
                       const char *endpoint, arrived *has_arrived, void *arg) {
  coord_error *err = NULL;
  coord_result *result = NULL;
  for (int32_t timeout_ms = 200; timeout_ms < 20000; timeout_ms *= 4) {
    coord_error_free(err);
    err = NULL;
    int64_t start = t_now_ms();
    T_CODE(coord_call(client, op, timeout_ms, &result, &err), code);
    T_TRUE(t_now_ms() - start >= timeout_ms - 2);
    T_WITHIN(start, timeout_ms + 300);
    if (t_wait_until(has_arrived, arg, 500)) break;
  }
  T_INT(coord_error_flags(err), flags);
  T_STR(coord_error_endpoint(err), endpoint);
  T_TRUE(result == NULL);
  coord_error_free(err);
  coord_op_free(op);
}

static bool was_reset(void *peer) { return t_peer_resets(peer) >= 2; }
static bool get_arrived(void *peer) { return t_peer_calls(peer, "KV/Range") > 0; }
static bool put_arrived(void *peer) { return t_peer_calls(peer, "KV/Put") > 0; }

static void silent_server_ends_in_a_timeout_and_is_told_so(void) {
  t_peer *peer = t_peer_grpc(never_answers, 1, NULL);
  const char *endpoint = t_peer_endpoint(peer);
  coord_client *client = t_client_with("endpoints", endpoint, NULL);
  expect_end(client, coord_op_get("k", 1), COORD_TIMEOUT, COORD_RETRIABLE, endpoint, get_arrived,
             peer);
  expect_end(client, coord_op_put("k", 1, "v", 1), COORD_TIMEOUT,
             COORD_RETRIABLE | COORD_MAYBE_APPLIED, endpoint, put_arrived, peer);
  T_TRUE(t_wait_until(was_reset, peer, 10000));
  /* A call that is given up takes its connection of HTTP/1.1 with it. */
  T_INT(t_peer_connections(peer), t_on_gateway() ? t_peer_calls(peer, "KV/") : 1);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void timeout_zero_takes_the_clients_default(void) {
  t_peer *peer = t_peer_grpc(never_answers, 1, NULL);
  coord_client *client =
      t_client_with("endpoints", t_peer_endpoint(peer), "request.timeout.ms", "250", NULL);
  coord_op *op = coord_op_get("k", 1);
  int64_t start = t_now_ms();
  T_CODE(coord_call(client, op, 0, NULL, NULL), COORD_TIMEOUT);
  T_TRUE(t_now_ms() - start >= 248);
  T_WITHIN(start, 700);
  coord_op_free(op);
  coord_client_free(client);
  t_peer_stop(peer);
}

/* A mirror, and then a configuration of two layers, of which the server gives so many before it falls silent. */
static void expect_no_content(const t_rule *rules, size_t n) {
  t_peer *peer = t_peer_grpc(rules, n, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), "request.timeout.ms",
                                       "250", "log.level", "off", NULL);
  coord_config *config = NULL;
  coord_mirror *mirror = NULL;
  coord_error *err = NULL;
  int64_t start = t_now_ms();
  T_ERROR(coord_config_open(client, "a.b", NULL, NULL, 0, &config, &err), COORD_TIMEOUT, err,
          "deadline");
  T_TRUE(config == NULL && t_now_ms() - start >= 248);
  start = t_now_ms();
  T_ERROR(coord_mirror_open(client, "c", 1, NULL, NULL, 0, &mirror, &err), COORD_TIMEOUT, err,
          "deadline");
  T_TRUE(mirror == NULL && t_now_ms() - start >= 248);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void opening_waits_for_content_as_long_as_for_a_call(void) {
  static const t_rule second_is_silent[] = {
      {.method = "KV/Range", .times = 1, .data = T_EMPTY_MESSAGE, .grpc_status = "0"},
      {.never = true}};
  expect_no_content(never_answers, 1);
  expect_no_content(second_is_silent, 2);
}

/* Neither waits for the server; the second one does not even ask it. */
static void opening_without_content_does_not_wait(void) {
  t_peer *peer = t_peer_grpc(never_answers, 1, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  coord_options *waits_not = t_options("mirror.wait", "false", NULL);
  coord_options *for_ops = t_options("config.live", "false", NULL);
  coord_config *config = NULL;
  coord_result *all = NULL;
  coord_error *err = NULL;
  char *json = NULL;
  T_OK(coord_config_open(client, "a.b", for_ops, NULL, 0, &config, &err), err);
  T_ERROR(coord_config_get(config, "k", &json, NULL, &err), COORD_INVALID, err, "config.live");
  T_ERROR(coord_config_all(config, &all, &err), COORD_INVALID, err, "config.live");
  expect_end(client, coord_op_config_set(config, "k", "1", -1), COORD_TIMEOUT,
             COORD_RETRIABLE | COORD_MAYBE_APPLIED, t_peer_endpoint(peer), put_arrived, peer);
  T_INT(t_peer_calls(peer, "KV/Range"), 0);
  T_INT(t_peer_calls(peer, "Watch"), 0);
  coord_config_free(config);
  T_OK(coord_config_open(client, "a.b", waits_not, NULL, 0, &config, &err), err);
  T_ERROR(coord_config_get(config, "k", &json, NULL, &err), COORD_UNAVAILABLE, err,
          "not there yet");
  T_TRUE(t_peer_wait_calls(peer, "KV/Range", 2, 10000));
  coord_config_free(config);
  coord_options_free(waits_not);
  coord_options_free(for_ops);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void server_is_told_how_long_it_has(void) {
  if (t_on_gateway()) T_SKIP("wire/gateway.c has the headers of HTTP/1.1");
  static const t_rule rules[] = {{.data = T_EMPTY_MESSAGE, .grpc_status = "0"}};
  char value[256];
  t_peer *peer = t_peer_grpc(rules, 1, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  coord_op *op = coord_op_get("k", 1);
  T_CODE(coord_call(client, op, 30000, NULL, NULL), COORD_OK);
  int ms = 0;
  T_INT(sscanf(t_peer_header(peer, "grpc-timeout", value), "%dm", &ms), 1);
  if (ms <= 20000 || ms > 30000) T_FAIL("grpc-timeout is \"%s\", not about 30000m", value);
  T_CODE(coord_call(client, op, 7200000, NULL, NULL), COORD_OK);
  T_INT(sscanf(t_peer_header(peer, "grpc-timeout", value), "%dm", &ms), 1);
  T_TRUE(ms > 7190000 && ms <= 7200000);
  T_CODE(coord_call(client, op, -1, NULL, NULL), COORD_OK);
  T_STR(t_peer_header(peer, "grpc-timeout", value), "");
  T_STR(t_peer_header(peer, "content-type", value), "application/grpc");
  T_STR(t_peer_header(peer, "te", value), "trailers");
  T_STR(t_peer_header(peer, ":path", value), "/etcdserverpb.KV/Range");
  T_STR(t_peer_header(peer, ":authority", value), t_peer_endpoint(peer));
  coord_op_free(op);
  coord_client_free(client);
  t_peer_stop(peer);
}

static atomic_bool given_up;

static bool when_given_up(t_peer *peer) {
  (void)peer;
  return atomic_load(&given_up);
}

static void answer_after_the_deadline_disturbs_nobody(void) {
  static const t_rule rules[] = {
      {.method = "KV/Put", .ready = when_given_up, .data = T_EMPTY_MESSAGE, .grpc_status = "0"},
      {.data = T_EMPTY_MESSAGE, .grpc_status = "0"}};
  t_peer *peer = t_peer_grpc(rules, 2, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  coord_op *put = coord_op_put("k", 1, "v", 1);
  for (int i = 0; i < 10; i++) {
    atomic_store(&given_up, false);
    T_CODE(coord_call(client, put, 40, NULL, NULL), COORD_TIMEOUT);
    atomic_store(&given_up, true);
    T_TRUE(t_get_is(client, "k", NULL));
  }
  T_INT(t_put(client, "k", "v"), 7);
  /* Each that was sent in its time, of all but the last. */
  T_INT(t_peer_connections(peer), t_on_gateway() ? t_peer_calls(peer, "KV/Put") : 1);
  coord_op_free(put);
  coord_client_free(client);
  t_peer_stop(peer);
}

static int32_t timeout_of(uint64_t i) { return 200 + (int32_t)(i * 7 % 400); }

static void deadlines_of_a_thousand_calls_are_kept(void) {
  coord_queue *queue = NULL;
  t_peer *peer = t_peer_grpc(never_answers, 1, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  coord_op *op = coord_op_get("k", 1);
  static int64_t starts[1000];
  for (uint64_t i = 0; i < 1000; i++) {
    starts[i] = t_now_ms();
    T_CODE(coord_submit(client, op, timeout_of(i), queue, i, NULL, NULL), COORD_OK);
  }
  int late = 0;
  for (int i = 0; i < 1000; i++) {
    coord_event *event = coord_queue_next(queue, 5000);
    T_FATAL(event != NULL);
    T_CODE(coord_event_code(event), COORD_TIMEOUT);
    uint64_t tag = coord_event_tag(event);
    late += t_took_ms(starts[tag]) > timeout_of(tag) + 300 * T_SLOW;
    T_TRUE(t_now_ms() - starts[tag] >= timeout_of(tag) - 2);
    coord_event_free(event);
  }
  T_INT(late, 0);
  coord_op_free(op);
  coord_queue_free(queue);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void very_short_deadlines_do_not_cost_the_connection(void) {
  if (t_on_gateway()) T_SKIP("a call that is given up takes its connection of HTTP/1.1 with it");
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client = t_client_with("endpoints", t_proxy_endpoint(proxy), NULL);
  coord_op *op = coord_op_get("absent", 6);
  for (int i = 0; i < 500; i++) {
    coord_error *err = NULL;
    coord_code code = coord_call(client, op, 1, NULL, &err);
    if (code != COORD_OK && code != COORD_TIMEOUT) {
      T_FAIL("a call gave %s: %s", coord_code_name(code), coord_error_message(err));
    }
    coord_error_free(err);
  }
  T_TRUE(t_get_is(client, "absent", NULL));
  T_INT(t_proxy_connections(proxy), 1);
  coord_op_free(op);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

/* --- Without a connection ------------------------------------------------------------------------------ */

static void nobody_there_ends_in_unavailable_at_the_deadline(void) {
  char message[256];
  coord_error *err = NULL;
  t_peer *down = t_peer_raw(&t_raw_refuses);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(down), "connect.lazy", "true",
                                       "log.level", "off", NULL);
  coord_op *op = coord_op_put("k", 1, "v", 1);
  int64_t start = t_now_ms();
  T_CODE(coord_call(client, op, 800, NULL, &err), COORD_UNAVAILABLE);
  T_WITHIN(start, 1200);
  snprintf(message, sizeof message, "%s", coord_error_message(err));
  T_HAS(message, t_peer_endpoint(down));
  T_INT(coord_error_flags(err), COORD_RETRIABLE);
  coord_error_free(err);
  coord_op_free(op);
  coord_client_free(client);
  t_peer_stop(down);
}

static void deadline_is_kept_while_connecting(void) {
  coord_error *err = NULL;
  t_peer *silent = t_peer_raw(&t_raw_silent);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(silent), "connect.lazy", "true",
                                       "connect.timeout.ms", "5000", NULL);
  coord_op *op = coord_op_get("k", 1);
  int64_t start = t_now_ms();
  coord_code code = coord_call(client, op, 250, NULL, &err);
  T_TRUE(code == COORD_TIMEOUT || code == COORD_UNAVAILABLE);
  T_WITHIN(start, 600);
  T_TRUE(coord_error_message(err)[0] != '\0');
  coord_error_free(err);
  coord_op_free(op);
  coord_client_free(client);
  t_peer_stop(silent);
}

static void call_without_deadline_waits_until_the_server_is_there(void) {
  coord_queue *queue = NULL;
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  t_proxy_refuse(proxy, true);
  coord_client *client = t_client_with("endpoints", t_proxy_endpoint(proxy), "connect.lazy", "true",
                                       "log.level", "off", NULL);
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  coord_op *op = coord_op_get("absent", 6);
  T_CODE(coord_submit(client, op, -1, queue, 1, NULL, NULL), COORD_OK);
  T_TRUE(coord_queue_next(queue, 600) == NULL);
  t_proxy_refuse(proxy, false);
  coord_event *event = coord_queue_next(queue, 20000);
  T_CODE(coord_event_code(event), COORD_OK);
  T_TRUE(event != NULL);
  coord_event_free(event);
  coord_op_free(op);
  coord_client_free(client);
  coord_queue_free(queue);
  t_proxy_stop(proxy);
}

/* --- A server that stops ---------------------------------------------------------------------------------- */

static bool stopped_one_has_it(void *port_and_before) {
  const long *both = port_and_before;
  return t_etcd_unread((int)both[0]) > both[1] + 40;
}

static void stopped_server_times_out_and_comes_back(void) {
  t_cluster *cluster = t_etcd();
  const char *endpoint = t_etcd_endpoint(cluster, 0);
  coord_client *client = t_client();
  T_TRUE(t_get_is(client, "absent", NULL));
  t_etcd_pause(cluster, 0);
  long before[2] = {t_etcd_port(cluster, 0), t_etcd_unread(t_etcd_port(cluster, 0))};
  expect_end(client, coord_op_get("k", 1), COORD_TIMEOUT, COORD_RETRIABLE, endpoint,
             stopped_one_has_it, before);
  t_etcd_resume(cluster, 0);
  T_TRUE(t_get_is(client, "absent", NULL));
  coord_client_free(client);
}

static void opening_towards_a_stopped_server_times_out(void) {
  coord_client *client = NULL;
  coord_error *err = NULL;
  t_cluster *cluster = t_etcd();
  coord_options *options = t_options("endpoints", t_etcd_endpoint(cluster, 0), "connect.timeout.ms",
                                     "300", "log.level", "off", NULL);
  t_etcd_pause(cluster, 0);
  int64_t start = t_now_ms();
  T_ERROR(coord_client_open(options, &client, &err), COORD_TIMEOUT, err, "connect.timeout.ms");
  T_WITHIN(start, 900);
  t_etcd_resume(cluster, 0);
  coord_options_free(options);
}

T_MAIN(T_CASE(silent_server_ends_in_a_timeout_and_is_told_so),
       T_CASE(timeout_zero_takes_the_clients_default),
       T_CASE(opening_waits_for_content_as_long_as_for_a_call),
       T_CASE(opening_without_content_does_not_wait), T_CASE(server_is_told_how_long_it_has),
       T_CASE(answer_after_the_deadline_disturbs_nobody),
       T_CASE(deadlines_of_a_thousand_calls_are_kept),
       T_CASE(very_short_deadlines_do_not_cost_the_connection),
       T_CASE(nobody_there_ends_in_unavailable_at_the_deadline),
       T_CASE(deadline_is_kept_while_connecting),
       T_CASE(call_without_deadline_waits_until_the_server_is_there),
       T_CASE(stopped_server_times_out_and_comes_back),
       T_CASE(opening_towards_a_stopped_server_times_out))
