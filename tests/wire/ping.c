/* Signs of life: an HTTP/2 PING while something waits and the connection is silent, never else.
 *
 * The option keepalive.interval.ms is 10 s at least; these cases set less behind its back. */
#include <nghttp2/nghttp2.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "support/etcd.h"
#include "support/peer.h"
#include "wire/duplex.h"

enum { INTERVAL_MS = 200 };

static t_peer *peer;
static coord_client *client;
static coord_error *err;

/* A peer that answers may be slow to do so, on a busy machine. */
static void shorten(void *deaf) {
  client->rpc.config.link.keepalive_interval_ns = INTERVAL_MS * COORD__NS_PER_MS;
  client->rpc.config.link.keepalive_timeout_ns = (*(bool *)deaf ? 100 : 30000) * COORD__NS_PER_MS;
}

static void start(const t_rule *rules, size_t n, bool deaf) {
  const t_h2_settings settings = {.deaf_to_pings = deaf};
  err = NULL;
  peer = t_peer_grpc(rules, n, &settings);
  client = t_client_with("endpoints", t_peer_endpoint(peer), "connect.lazy", "true", "log.level",
                         "off", NULL);
  duplex_on_loop(client, shorten, &deaf);
}

static void stop(void) {
  coord_client_free(client);
  t_peer_stop(peer);
  coord_error_free(err);
}

static void pause_ms(int ms) {
  nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

static coord_code get(int32_t timeout_ms) {
  coord_op *op = coord_op_get("k", 1);
  coord_error_free(err);
  err = NULL;
  coord_code code = coord_call(client, op, timeout_ms, NULL, &err);
  coord_op_free(op);
  return code;
}

static void idle_connection_is_not_pinged(void) {
  static const t_rule rules[] = {{.data = T_EMPTY_MESSAGE, .grpc_status = "0"}};
  start(rules, 1, false);
  T_OK(get(0), err);
  pause_ms(INTERVAL_MS * 5);
  T_INT(t_peer_pings(peer), 0);
  T_INT(t_peer_open_connections(peer), 1);
  stop();
}

static bool two_pings_came(t_peer *of) { return t_peer_pings(of) >= 2; }

static void waiting_call_pings_once_an_interval(void) {
  static const t_rule rules[] = {{.delay_ms = INTERVAL_MS * 4,
                                  .ready = two_pings_came,
                                  .data = T_EMPTY_MESSAGE,
                                  .grpc_status = "0"}};
  start(rules, 1, false);
  int64_t began = t_now_ms();
  T_OK(get(20000), err);
  int64_t intervals = (t_now_ms() - began) / INTERVAL_MS;
  pause_ms(50); /* for one that crosses the answer */
  int before = t_peer_pings(peer);
  T_TRUE(before >= 2 && before <= intervals);
  pause_ms(INTERVAL_MS * 3);
  T_INT(t_peer_pings(peer), before);
  T_INT(t_peer_connections(peer), 1);
  stop();
}

static void busy_connection_is_not_pinged(void) {
  static const t_rule rules[] = {{.method = "Watch", .never = true},
                                 {.delay_ms = 20, .data = T_EMPTY_MESSAGE, .grpc_status = "0"}};
  start(rules, 2, false);
  /* A call always waits, but bytes keep coming. Where the machine makes them wait, a PING is due. */
  int64_t end = t_now_ms() + INTERVAL_MS * 4, before = 0, began = t_now_ms(), silences = 0;
  while (began < end) {
    T_OK(get(0), err);
    if (before > 0) silences += (t_now_ms() - before) / INTERVAL_MS;
    before = began;
    began = t_now_ms();
  }
  T_TRUE(t_peer_pings(peer) <= silences);
  stop();
}

static bool has_two_pings(void *unused) {
  (void)unused;
  return t_peer_pings(peer) >= 2;
}

static void streams_are_kept_alive_too(void) {
  static const t_rule rules[] = {{.never = true}};
  duplex d = {0};
  start(rules, 1, false);
  duplex_open(&d, client, &coord__methods[COORD__METHOD_WATCH]);
  T_TRUE(t_wait_until(duplex_is_open, &d, 5000));
  int64_t began = t_now_ms();
  pause_ms(INTERVAL_MS * 4);
  T_TRUE(t_wait_until(has_two_pings, NULL, 10000));
  int pings = t_peer_pings(peer);
  T_TRUE(pings <= (t_now_ms() - began) / INTERVAL_MS + 1);
  T_TRUE(!d.closed);
  duplex_end(&d);
  pings = t_peer_pings(peer);
  pause_ms(INTERVAL_MS * 3);
  T_TRUE(t_peer_pings(peer) <= pings + 1);
  stop();
}

static void connection_without_an_answer_to_a_ping_is_given_up(void) {
  static const t_rule rules[] = {{.method = "Put", .never = true},
                                 {.times = 1, .never = true},
                                 {.data = T_EMPTY_MESSAGE, .grpc_status = "0"}};
  start(rules, 3, true);
  int64_t began = t_now_ms();
  T_ERROR(coord_put(client, "k", 1, "v", 1, &err), COORD_UNAVAILABLE, err, "PING");
  int64_t took = t_now_ms() - began;
  T_TRUE(took >= INTERVAL_MS);
  T_WITHIN(began, 3000);
  T_INT(t_peer_pings(peer), 1);
  /* What may be repeated goes over a new connection. */
  T_OK(get(0), err);
  T_INT(t_peer_connections(peer), 3);
  T_INT(t_peer_calls(peer, "Put"), 1);
  stop();
}

static void read_interval(void *out) {
  *(int64_t *)out = client->rpc.config.link.keepalive_interval_ns;
}

static void server_that_asks_for_calm_is_pinged_half_as_often(void) {
  static const t_rule rules[] = {{.times = 1,
                                  .goaway = true,
                                  .goaway_code = NGHTTP2_ENHANCE_YOUR_CALM,
                                  .data = T_EMPTY_MESSAGE,
                                  .grpc_status = "0"},
                                 {.data = T_EMPTY_MESSAGE, .grpc_status = "0"}};
  int64_t interval_ns = 0;
  start(rules, 2, false);
  T_OK(get(0), err);
  duplex_on_loop(client, read_interval, &interval_ns);
  T_INT(interval_ns, 2 * INTERVAL_MS * COORD__NS_PER_MS);
  T_OK(get(0), err);
  stop();
}

static void interval_cannot_be_shorter_than_ten_seconds(void) {
  coord_options *options = NULL;
  T_FATAL(coord_options_new(&options) == COORD_OK);
  T_ERROR(coord_options_set(options, "keepalive.interval.ms", "9999", &err), COORD_INVALID, err,
          "10000");
  T_OK(coord_options_set(options, "keepalive.interval.ms", "10000", &err), err);
  coord_options_free(options);
}

T_MAIN(T_CASE(idle_connection_is_not_pinged), T_CASE(waiting_call_pings_once_an_interval),
       T_CASE(busy_connection_is_not_pinged), T_CASE(streams_are_kept_alive_too),
       T_CASE(connection_without_an_answer_to_a_ping_is_given_up),
       T_CASE(server_that_asks_for_calm_is_pinged_half_as_often),
       T_CASE(interval_cannot_be_shorter_than_ten_seconds))
