/* The gateway wire: connections, headers, streams, against servers by script. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "etcd.pb-c.h"
#include "support/etcd.h"
#include "support/peer.h"
#include "wire/duplex.h"

static t_peer *peer;
static coord_client *client;

static void start(const t_rule *rules, size_t n) {
  peer = t_peer_grpc(rules, n, NULL);
  client = t_client_with("wire", "gateway", "endpoints", t_peer_endpoint(peer), "log.level", "off",
                         NULL);
}

static void stop(void) {
  coord_client_free(client);
  t_peer_stop(peer);
}

static coord_code get(int32_t timeout_ms) {
  coord_op *op = coord_op_get("k", 1);
  coord_code code = coord_call(client, op, timeout_ms, NULL, NULL);
  coord_op_free(op);
  return code;
}

/* --- Calls ----------------------------------------------------------------------------------------- */

static void headers_are_those_of_the_gateway(void) {
  static const t_rule rules[] = {{0}};
  char value[256];
  int ms = 0;
  start(rules, 1);
  T_CODE(get(30000), COORD_OK);
  T_STR(t_peer_header(peer, "Content-Type", value), "application/json");
  T_STR(t_peer_header(peer, "Accept", value), "application/json");
  T_STR(t_peer_header(peer, "User-Agent", value), "coord-c");
  T_STR(t_peer_header(peer, "Host", value), t_peer_endpoint(peer));
  T_STR(t_peer_header(peer, "Expect", value), "");
  T_STR(t_peer_header(peer, "Content-Length", value), "14");
  T_INT(sscanf(t_peer_header(peer, "Grpc-Timeout", value), "%dm", &ms), 1);
  T_TRUE(ms > 20000 && ms <= 30000);
  T_CODE(get(-1), COORD_OK);
  T_STR(t_peer_header(peer, "Grpc-Timeout", value), "");
  stop();
}

static void calls_one_by_one_share_a_connection(void) {
  static const t_rule rules[] = {{.times = 50},
                                 {.times = 1, .http_status = "400", .json = "{\"code\":3}"},
                                 {.times = 1, .http_status = "502", .json = "no"},
                                 {0}};
  start(rules, 4);
  for (int i = 0; i < 50; i++) T_CODE(get(0), COORD_OK);
  T_CODE(get(0), COORD_INVALID);
  T_CODE(coord_put(client, "k", 1, "v", 1, NULL), COORD_UNAVAILABLE);
  T_CODE(get(0), COORD_OK);
  T_INT(t_peer_connections(peer), 1);
  stop();
}

static void submit(coord_queue *queue, int n) {
  coord_op *op = coord_op_get("k", 1);
  for (int i = 0; i < n; i++) {
    T_CODE(coord_submit(client, op, 10000, queue, 0, NULL, NULL), COORD_OK);
  }
  coord_op_free(op);
}

static void expect_ends(coord_queue *queue, int n, coord_code code) {
  for (int i = 0; i < n; i++) {
    coord_event *event = coord_queue_next(queue, 10000);
    T_FATAL(event != NULL);
    T_CODE(coord_event_code(event), code);
    coord_event_free(event);
  }
}

static bool three_were_open(t_peer *of) { return t_peer_open_calls_max(of) >= 3; }

static void no_more_connections_than_the_option_allows(void) {
  static const t_rule rules[] = {{.delay_ms = 5, .ready = three_were_open}};
  coord_queue *queue = NULL;
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  peer = t_peer_grpc(rules, 1, NULL);
  client = t_client_with("wire", "gateway", "endpoints", t_peer_endpoint(peer),
                         "gateway.max.connections", "3", NULL);
  submit(queue, 100);
  expect_ends(queue, 100, COORD_OK);
  T_INT(t_peer_open_calls_max(peer), 3);
  T_INT(t_peer_connections(peer), 3);
  stop();
  coord_queue_free(queue);
}

static bool none_is_open(void *unused) {
  (void)unused;
  return t_peer_open_connections(peer) == 0;
}

static bool one_is_open(void *unused) {
  (void)unused;
  return t_peer_open_connections(peer) == 1;
}

static bool two_are_open(void *unused) {
  (void)unused;
  return t_peer_open_connections(peer) == 2;
}

static atomic_int awaited;

static bool all_have_come(t_peer *of) { return t_peer_calls(of, "Range") >= atomic_load(&awaited); }

static void connections_that_are_not_needed_are_closed(void) {
  static const t_rule rules[] = {{.method = "Status"}, {.delay_ms = 20, .ready = all_have_come}};
  coord_queue *queue = NULL;
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  peer = t_peer_grpc(rules, 2, NULL);
  client = t_client_with("wire", "gateway", "endpoints", t_peer_endpoint(peer), "gateway.idle.ms",
                         "1000", NULL);
  atomic_store(&awaited, 12);
  submit(queue, 12);
  expect_ends(queue, 12, COORD_OK);
  T_TRUE(t_peer_connections(peer) > 8);
  T_TRUE(t_wait_until(none_is_open, NULL, 5000));
  int before = t_peer_connections(peer);
  T_CODE(get(0), COORD_OK);
  T_INT(t_peer_connections(peer), before + 1);
  atomic_store(&awaited, 25);
  submit(queue, 12);
  expect_ends(queue, 12, COORD_OK);
  T_TRUE(t_peer_connections(peer) > before + 8);
  /* One goes on being needed. */
  for (int i = 0; i < 500 && !one_is_open(NULL); i++) {
    T_CODE(get(0), COORD_OK);
    T_TRUE(coord_queue_next(queue, 30) == NULL);
  }
  T_TRUE(one_is_open(NULL));
  stop();
  coord_queue_free(queue);
}

static void write_is_not_repeated_on_a_connection_that_was_closed(void) {
  static const t_rule rules[] = {{.times = 1}, {.times = 1, .reset = T_RESET(0)}, {0}};
  coord_error *err = NULL;
  start(rules, 3);
  T_CODE(coord_put(client, "k", 1, "v", 1, NULL), COORD_OK);
  T_CODE(coord_put(client, "k", 1, "v", 1, &err), COORD_UNAVAILABLE);
  T_INT(coord_error_flags(err), COORD_RETRIABLE | COORD_MAYBE_APPLIED);
  T_INT(t_peer_calls(peer, "KV/Put"), 2);
  coord_error_free(err);
  stop();
}

static void read_is_repeated_and_goes_elsewhere(void) {
  static const t_rule broken[] = {{.raw = T_BYTES("HTTP/1.1 200 OK\r\nContent-Type: application/"
                                                  "json\r\nContent-Length: 9\r\n\r\n{"),
                                   .closes = true}};
  static const t_rule good[] = {{0}};
  char endpoints[100];
  t_peer *other = t_peer_grpc(good, 1, NULL);
  peer = t_peer_grpc(broken, 1, NULL);
  snprintf(endpoints, sizeof endpoints, "%s,%s", t_peer_endpoint(peer), t_peer_endpoint(other));
  client = t_client_with("wire", "gateway", "endpoints", endpoints, "log.level", "off", NULL);
  int gets = 0;
  while (gets < 5 || (t_peer_calls(peer, "KV/Range") == 0 && gets < 1000)) {
    T_CODE(get(2000), COORD_OK);
    gets++;
  }
  T_TRUE(t_peer_calls(peer, "KV/Range") >= 1);
  T_INT(t_peer_calls(other, "KV/Range"), gets);
  stop();
  t_peer_stop(other);
}

/* --- Streams --------------------------------------------------------------------------------------- */

#define CREATED "{\"result\":{\"created\":true}}\n"

static void open_stream(duplex *d, coord__method_index method) {
  duplex_open(d, client, &coord__methods[method]);
  T_FATAL(t_wait_until(duplex_is_open, d, 10000));
}

typedef struct wanted {
  duplex *d;
  size_t messages;
} wanted;

static bool have(void *arg) {
  wanted *w = arg;
  return atomic_load(&w->d->messages) >= w->messages;
}

static bool wait_for(duplex *d, size_t messages) {
  wanted w = {d, messages};
  return T_TRUE(t_wait_until(have, &w, 10000));
}

/* WatchRequest{create_request{watch_id}}, or cancel_request, or progress_request */
static void send_watch(duplex *d, int which, int id) {
  uint8_t create[] = {0x0a, 2, 0x38, (uint8_t)id};
  uint8_t cancel[] = {0x12, 2, 0x08, (uint8_t)id};
  uint8_t progress[] = {0x1a, 0};
  if (which == 1) duplex_send(d, create, sizeof create, false);
  if (which == 2) duplex_send(d, cancel, sizeof cancel, false);
  if (which == 3) duplex_send(d, progress, sizeof progress, false);
}

static void lines_in_pieces_are_messages(void) {
  static const t_rule rules[] = {
      {.json = CREATED "\n" CREATED "\r\n{\"result\":{}}\n{\"resu", .stays_open = true}};
  char value[256];
  duplex d = {0};
  start(rules, 1);
  open_stream(&d, COORD__METHOD_WATCH);
  send_watch(&d, 1, 0);
  wait_for(&d, 3);
  T_STR(t_peer_header(peer, "Grpc-Metadata-hasleader", value), "true");
  T_STR(t_peer_header(peer, "Grpc-Timeout", value), "");
  T_INT(atomic_load(&d.messages), 3);
  T_TRUE(!d.closed);
  duplex_end(&d);
  T_TRUE(t_wait_until(one_is_open, NULL, 5000));
  stop();
}

/* Of a watch every request is a call of its own. */
static void token_is_a_header_of_every_request(void) {
  static const t_rule rules[] = {{.json = CREATED, .stays_open = true}};
  char value[256];
  duplex d = {0};
  peer = t_peer_grpc(rules, 1, NULL);
  client = t_client_with("wire", "gateway", "endpoints", t_peer_endpoint(peer), "token", "abc.7",
                         "connect.lazy", "true", "log.level", "off", NULL);
  for (int i = 0; i < 100 && t_peer_calls(peer, "Range") == 0; i++) get(100);
  T_STR(t_peer_header(peer, "Authorization", value), "abc.7");
  open_stream(&d, COORD__METHOD_WATCH);
  for (int i = 1; i < 3; i++) {
    send_watch(&d, 1, i);
    wait_for(&d, (size_t)i);
    T_STR(t_peer_header(peer, "Authorization", value), "abc.7");
    T_STR(t_peer_header(peer, "Grpc-Metadata-hasleader", value), "true");
  }
  duplex_end(&d);
  stop();
}

static void streams_end_as_the_server_says(void) {
  static const struct {
    t_rule rule;
    coord_code code;
    const char *part;
    int messages;
  } rows[] = {
      {{.json = CREATED "{\"error\":{\"grpc_code\":14,\"message\":\"etcdserver: no leader\"}}"},
       COORD_UNAVAILABLE,
       "no leader",
       1},
      {{.json = CREATED "{\"error\":{\"code\":7,\"message\":\"etcdserver: permission denied\"}}\n"},
       COORD_AUTH,
       "permission",
       1},
      {{.json = CREATED}, COORD_UNAVAILABLE, "ended the stream", 1},
      {{.json = CREATED "{\"result\":", .closes = true}, COORD_PROTOCOL, "too early", 1},
      {{.raw = T_BYTES("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n1c\r\n" CREATED "\r\n40\r\n{\"res"),
        .closes = true},
       COORD_UNAVAILABLE,
       "",
       1},
      {{.json = CREATED "garbage\n", .stays_open = true}, COORD_PROTOCOL, "JSON", 1},
      {{.http_status = "503", .json = "{\"error\":{\"grpc_code\":14,\"message\":\"gone\"}}"},
       COORD_UNAVAILABLE,
       "gone",
       0},
      {{.content_type = "text/html", .json = "<html>"}, COORD_PROTOCOL, "text/html", 0},
      {{.http_status = "404", .content_type = "text/plain"}, COORD_UNSUPPORTED, "gateway", 0},
      {{.reset = T_RESET(0)}, COORD_UNAVAILABLE, "", 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    duplex d = {0};
    start(&rows[i].rule, 1);
    open_stream(&d, COORD__METHOD_WATCH);
    send_watch(&d, 1, 0);
    duplex_expect_closed(&d, rows[i].code, rows[i].part);
    if (!T_INT(atomic_load(&d.messages), rows[i].messages)) T_FAIL("this was number %zu", i);
    stop();
  }
}

/* Why it failed is told when its request is gone, and the link, which has another stream, is not. */
static void stream_that_fails_beside_another_tells_why(void) {
  static const t_rule rules[] = {{.times = 1, .json = CREATED, .stays_open = true},
                                 {.method = "Watch",
                                  .raw = T_BYTES("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                                                 "Content-Type: application/json\r\n\r\nzz\r\n")}};
  duplex stays = {0}, fails = {0};
  start(rules, 2);
  open_stream(&stays, COORD__METHOD_WATCH);
  send_watch(&stays, 1, 0);
  wait_for(&stays, 1);
  open_stream(&fails, COORD__METHOD_WATCH);
  send_watch(&fails, 1, 0);
  duplex_expect_closed(&fails, COORD_PROTOCOL, "chunk");
  T_TRUE(!stays.closed);
  duplex_end(&stays);
  stop();
}

static void watch_that_is_cancelled_is_told_and_leaves_its_connection(void) {
  static const t_rule rules[] = {{.json = CREATED, .stays_open = true}};
  duplex d = {0};
  start(rules, 1);
  open_stream(&d, COORD__METHOD_WATCH);
  send_watch(&d, 1, 4);
  send_watch(&d, 1, 5);
  wait_for(&d, 2);
  T_INT(t_peer_calls(peer, "Watch"), 2);
  send_watch(&d, 3, 0);
  send_watch(&d, 2, 4);
  wait_for(&d, 3);
  send_watch(&d, 2, 9);
  /* One of a watch, one for calls. */
  T_TRUE(t_wait_until(two_are_open, NULL, 5000));
  T_INT(atomic_load(&d.messages), 3);
  T_INT(t_peer_calls(peer, "Watch"), 2);
  T_TRUE(!d.closed);
  duplex_end(&d);
  T_TRUE(t_wait_until(one_is_open, NULL, 5000));
  stop();
}

static void watch_that_the_server_cancels_leaves_the_others(void) {
  static const t_rule rules[] = {
      {.times = 1,
       .json = CREATED "{\"result\":{\"canceled\":true,\"compact_revision\":\"9\"}}\n",
       .stays_open = true},
      {.json = CREATED, .stays_open = true}};
  duplex d = {0};
  start(rules, 2);
  open_stream(&d, COORD__METHOD_WATCH);
  send_watch(&d, 1, 0);
  wait_for(&d, 2);
  send_watch(&d, 1, 0);
  wait_for(&d, 3);
  T_TRUE(t_wait_until(two_are_open, NULL, 5000));
  T_TRUE(!d.closed);
  duplex_end(&d);
  stop();
}

static void go_on(void *arg) {
  duplex *d = arg;
  d->pause_on_message = false;
  coord__stream_pause(&d->stream, false);
}

static void pause_holds_the_server_up(void) {
  static char lines[40000];
  size_t used = 0;
  while (used + 64 < sizeof lines) used += (size_t)sprintf(lines + used, CREATED);
  size_t count = used / (sizeof CREATED - 1);
  const t_rule rules[] = {{.json = lines, .repeat = 150, .stays_open = true}};
  duplex d = {.pause_on_message = true};
  start(rules, 1);
  open_stream(&d, COORD__METHOD_WATCH);
  send_watch(&d, 1, 0);
  for (size_t i = 1; i < 4; i++) {
    wait_for(&d, i);
    T_TRUE(!t_wait_until(have, &(wanted){&d, i + 1}, 50));
    duplex_resume(&d);
  }
  duplex_on_loop(client, go_on, &d);
  wait_for(&d, count * 150);
  T_INT(atomic_load(&d.messages), count * 150);
  duplex_end(&d);
  stop();
}

static void watch_begun_in_a_pause_waits(void) {
  static const t_rule rules[] = {{.json = CREATED, .repeat = 100000, .stays_open = true}};
  duplex d = {.pause_on_open = true};
  start(rules, 1);
  open_stream(&d, COORD__METHOD_WATCH);
  send_watch(&d, 1, 0);
  T_TRUE(!t_wait_until(have, &(wanted){&d, 1}, 100));
  duplex_resume(&d);
  wait_for(&d, 100000);
  duplex_end(&d);
  stop();
}

static void stream_may_be_ended_from_within_a_message(void) {
  static const t_rule rules[] = {{.method = "Watch", .json = CREATED, .repeat = 10}, {0}};
  for (size_t i = 1; i <= 10; i++) {
    duplex d = {.end_after = i};
    start(rules, 2);
    open_stream(&d, COORD__METHOD_WATCH);
    send_watch(&d, 1, 0);
    wait_for(&d, i);
    T_CODE(get(0), COORD_OK);
    T_INT(atomic_load(&d.messages), i);
    T_TRUE(!d.closed);
    stop();
  }
}

static void message_over_the_limit_ends_its_stream(void) {
  static char line[3000];
  memset(line, ' ', sizeof line - 1);
  const t_rule rules[] = {{.json = line, .repeat = 100, .stays_open = true}};
  duplex d = {0};
  peer = t_peer_grpc(rules, 1, NULL);
  client = t_client_with("wire", "gateway", "endpoints", t_peer_endpoint(peer),
                         "response.max.bytes", "20000", NULL);
  open_stream(&d, COORD__METHOD_WATCH);
  send_watch(&d, 1, 0);
  duplex_expect_closed(&d, COORD_TOO_LARGE, "response.max.bytes");
  stop();
}

/* LeaseKeepAliveRequest{ID: 7} */
static void send_keepalives(duplex *d, int n, bool last) {
  for (int i = 0; i < n; i++) duplex_send(d, "\x08\x07", 2, last && i == n - 1);
}

static bool four_were_open(t_peer *of) { return t_peer_open_calls_max(of) >= 4; }

static void keepalives_are_requests_of_their_own_on_few_connections(void) {
  static const t_rule rules[] = {{.delay_ms = 5,
                                  .ready = four_were_open,
                                  .json = "{\"result\":{\"ID\":\"7\",\"TTL\":\"9\"}}\n"}};
  duplex d = {0};
  peer = t_peer_grpc(rules, 1, NULL);
  client = t_client_with("wire", "gateway", "endpoints", t_peer_endpoint(peer),
                         "gateway.max.connections", "4", NULL);
  open_stream(&d, COORD__METHOD_LEASE_KEEPALIVE);
  send_keepalives(&d, 50, false);
  wait_for(&d, 50);
  T_TRUE(!d.closed);
  send_keepalives(&d, 50, true);
  duplex_expect_closed(&d, COORD_OK, "");
  T_INT(atomic_load(&d.messages), 100);
  T_INT(t_peer_calls(peer, "LeaseKeepAlive"), 100);
  T_INT(t_peer_open_calls_max(peer), 4);
  T_TRUE(t_peer_connections(peer) <= 5);
  stop();
}

static void method_that_the_gateway_lacks_is_unsupported(void) {
  static const t_rule rules[] = {{0}};
  duplex d = {0};
  start(rules, 1);
  duplex_open(&d, client, &coord__methods[COORD__METHOD_RANGE_STREAM]);
  duplex_expect_closed(&d, COORD_UNSUPPORTED, "gateway");
  T_CODE(get(0), COORD_OK);
  stop();
}

static void closing_the_client_ends_all_that_is_open(void) {
  static const t_rule rules[] = {{.method = "Watch", .json = CREATED, .stays_open = true},
                                 {.never = true}};
  coord_queue *queue = NULL;
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  static duplex d[3];
  start(rules, 2);
  for (int i = 0; i < 3; i++) {
    open_stream(&d[i], COORD__METHOD_WATCH);
    send_watch(&d[i], 1, 0);
    wait_for(&d[i], 1);
  }
  submit(queue, 10);
  T_TRUE(t_peer_wait_calls(peer, "Range", 10, 5000));
  T_CODE(coord_client_close(client, 0, NULL), COORD_TIMEOUT);
  for (int i = 0; i < 3; i++) T_TRUE(t_wait_until(duplex_is_closed, &d[i], 5000));
  for (int i = 0; i < 3; i++) coord_error_free(d[i].err);
  expect_ends(queue, 10, COORD_CLOSED);
  T_TRUE(t_wait_until(none_is_open, NULL, 5000));
  stop();
  coord_queue_free(queue);
}

T_MAIN(T_CASE(headers_are_those_of_the_gateway), T_CASE(calls_one_by_one_share_a_connection),
       T_CASE(no_more_connections_than_the_option_allows),
       T_CASE(connections_that_are_not_needed_are_closed),
       T_CASE(write_is_not_repeated_on_a_connection_that_was_closed),
       T_CASE(read_is_repeated_and_goes_elsewhere), T_CASE(lines_in_pieces_are_messages),
       T_CASE(token_is_a_header_of_every_request), T_CASE(streams_end_as_the_server_says),
       T_CASE(stream_that_fails_beside_another_tells_why),
       T_CASE(watch_that_is_cancelled_is_told_and_leaves_its_connection),
       T_CASE(watch_that_the_server_cancels_leaves_the_others), T_CASE(pause_holds_the_server_up),
       T_CASE(watch_begun_in_a_pause_waits), T_CASE(stream_may_be_ended_from_within_a_message),
       T_CASE(message_over_the_limit_ends_its_stream),
       T_CASE(keepalives_are_requests_of_their_own_on_few_connections),
       T_CASE(method_that_the_gateway_lacks_is_unsupported),
       T_CASE(closing_the_client_ends_all_that_is_open))
