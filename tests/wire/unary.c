/* Unary calls over the gRPC wire, against a scripted server: answers, failures, what is repeated. */
#include <nghttp2/nghttp2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/etcd.h"
#include "support/peer.h"
#include "support/proxy.h"

#define OK_ANSWER .data = T_EMPTY_MESSAGE, .grpc_status = "0"

static t_peer *peer;
static coord_client *client;
static coord_error *err;

static void start(const t_rule *rules, size_t n, const t_h2_settings *settings) {
  peer = t_peer_grpc(rules, n, settings);
  client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  err = NULL;
}

#define START(rules) start(rules, sizeof(rules) / sizeof *(rules), NULL)

static void stop(void) {
  coord_client_free(client);
  t_peer_stop(peer);
  coord_error_free(err);
  err = NULL;
}

static coord_code call(coord_op *op, int32_t timeout_ms) {
  coord_error_free(err);
  err = NULL;
  coord_result *result = NULL;
  coord_code code = coord_call(client, op, timeout_ms, &result, &err);
  T_TRUE((code == COORD_OK) == (result != NULL));
  T_CODE(coord_error_code(err), code);
  coord_result_free(result);
  coord_op_free(op);
  return code;
}

static coord_code put(int32_t timeout_ms) { return call(coord_op_put("k", 1, "v", 1), timeout_ms); }

static coord_code get(int32_t timeout_ms) { return call(coord_op_get("k", 1), timeout_ms); }

static bool has_flags(uint32_t flags) { return coord_error_flags(err) == flags; }

/* ---- what is sent ---- */

static void headers_are_those_of_grpc(void) {
  static const t_rule rules[] = {{OK_ANSWER}};
  char value[256];
  START(rules);
  T_OK(put(0), err);
  T_STR(t_peer_header(peer, ":method", value), "POST");
  T_STR(t_peer_header(peer, ":scheme", value), "http");
  T_STR(t_peer_header(peer, ":path", value), "/etcdserverpb.KV/Put");
  T_STR(t_peer_header(peer, ":authority", value), t_peer_endpoint(peer));
  T_STR(t_peer_header(peer, "content-type", value), "application/grpc");
  T_STR(t_peer_header(peer, "te", value), "trailers");
  T_HAS(t_peer_header(peer, "user-agent", value), "coord");
  stop();
}

static int timeout_header_ms(int32_t timeout_ms) {
  char value[256];
  T_OK(put(timeout_ms), err);
  t_peer_header(peer, "grpc-timeout", value);
  size_t n = strlen(value);
  return n > 0 && value[n - 1] == 'm' ? atoi(value) : -1;
}

static void deadline_is_told_to_the_server(void) {
  static const t_rule rules[] = {{OK_ANSWER}};
  /* In steps of 100 ms, rounded up. */
  START(rules);
  int ms = timeout_header_ms(0);
  T_TRUE(ms > 1000 && ms <= 5100);
  ms = timeout_header_ms(30000);
  T_TRUE(ms > 20000 && ms <= 30100);
  ms = timeout_header_ms(3600000);
  T_TRUE(ms > 3590000 && ms <= 3600100);
  T_INT(timeout_header_ms(-1), -1);
  stop();
}

/* ---- good answers ---- */

static void answer_is_put_together_from_single_bytes(void) {
  static const t_rule rules[] = {
      {.data = T_BYTES("\0\0\0\0\x11\x0a\2\x18\7\x12\x09\x0a\1k\x20\1\x2a\2vv\x20\1"),
       .grpc_status = "0"}};
  coord_result *result = NULL;
  coord_kv kv = {0};
  peer = t_peer_grpc(rules, 1, NULL);
  t_proxy *proxy = t_proxy_start(atoi(strchr(t_peer_endpoint(peer), ':') + 1));
  t_proxy_trickle(proxy, 1);
  client = t_client_with("endpoints", t_proxy_endpoint(proxy), NULL);
  for (int i = 0; i < 3; i++) {
    coord_op *op = coord_op_get("k", 1);
    T_OK(coord_call(client, op, 20000, &result, &err), err);
    T_INT(coord_result_revision(result), 7);
    T_CODE(coord_result_kv(result, 0, &kv), COORD_OK);
    T_MEM(kv.key, kv.key_len, "k", 1);
    T_MEM(kv.value, kv.value_len, "vv", 2);
    coord_result_free(result);
    coord_op_free(op);
  }
  stop();
  t_proxy_stop(proxy);
}

static bool ten_were_open(t_peer *of) { return t_peer_open_calls_max(of) >= 10; }

static void many_calls_share_a_connection_that_allows_ten(void) {
  static const t_rule rules[] = {{.delay_ms = 10, .ready = ten_were_open, OK_ANSWER}};
  static const t_h2_settings ten = {.max_concurrent_streams = 10};
  coord_op *op = coord_op_put("k", 1, "v", 1);
  const coord_op *ops[50];
  coord_code codes[50];
  start(rules, 1, &ten);
  for (int i = 0; i < 50; i++) ops[i] = op;
  T_OK(coord_call_many(client, ops, 50, 20000, NULL, codes, &err), err);
  for (int i = 0; i < 50; i++) T_CODE(codes[i], COORD_OK);
  T_INT(t_peer_open_calls_max(peer), 10);
  T_INT(t_peer_connections(peer), 1);
  T_INT(t_peer_calls(peer, "KV/Put"), 50);
  coord_op_free(op);
  stop();
}

/* ---- answers that are failures ---- */

typedef struct failing {
  t_rule rule;
  coord_code code;
  const char *part;
  int grpc_status;
  int http_status;
} failing;

static const failing failings[] = {
    {{.trailers_only = true, .grpc_status = "3", .grpc_message = "etcdserver: key%20is%20bad%"},
     COORD_INVALID,
     "key is bad%",
     3,
     -1},
    {{.grpc_status = "5", .grpc_message = "not there"}, COORD_NOT_FOUND, "not there", 5, -1},
    {{.data = T_EMPTY_MESSAGE, .grpc_status = "13", .grpc_message = "late"},
     COORD_INTERNAL,
     "late",
     13,
     -1},
    {{.trailers_only = true, .grpc_status = "7"},
     COORD_AUTH,
     "gRPC status 7 and no message",
     7,
     -1},
    {{.trailers_only = true, .grpc_status = "99"}, COORD_PROTOCOL, "status 99", 99, -1},
    {{.trailers_only = true, .grpc_status = "abc"}, COORD_PROTOCOL, "not a number", -1, -1},
    {{.trailers_only = true}, COORD_UNAVAILABLE, "without a gRPC status", -1, -1},
    {{.data = T_EMPTY_MESSAGE}, COORD_UNAVAILABLE, "without a gRPC status", -1, -1},
    {{.trailers_only = true, .grpc_status = "0"}, COORD_PROTOCOL, "no message", 0, -1},
    {{.grpc_status = "0"}, COORD_PROTOCOL, "no message", 0, -1},
    {{.data = T_BYTES("\0\0\0\0\4\x0a"), .grpc_status = "0"}, COORD_PROTOCOL, "middle", 0, -1},
    {{.data = T_BYTES("\0\0"), .grpc_status = "0"}, COORD_PROTOCOL, "middle", 0, -1},
    {{.data = T_BYTES("\0\0\0\0\1\xff"), .grpc_status = "0"},
     COORD_PROTOCOL,
     "PutResponse",
     -1,
     -1},
    {{.data = T_BYTES("\0\0\0\0\2\x0a\0\0\0\0\0\2\x0a\0"), .grpc_status = "0"},
     COORD_PROTOCOL,
     "two messages",
     -1,
     -1},
    {{.data = T_BYTES("\1\0\0\0\4\x0a\2\x18\7"), .grpc_status = "0"},
     COORD_PROTOCOL,
     "compressed",
     -1,
     -1},
    {{.data = T_BYTES("\0\xff\xff\xff\xff and more"), .stays_open = true},
     COORD_TOO_LARGE,
     "response.max.bytes",
     -1,
     -1},
    {{.content_type = "text/html", .data = T_BYTES("<html>"), .grpc_status = "0"},
     COORD_PROTOCOL,
     "text/html",
     -1,
     -1},
    {{.content_type = "text/html", .trailers_only = true}, COORD_PROTOCOL, "text/html", -1, -1},
    {{.content_type = "", .data = T_EMPTY_MESSAGE, .grpc_status = "0"},
     COORD_PROTOCOL,
     "content type",
     -1,
     -1},
    {{.http_status = "503", .content_type = "text/html", .data = T_BYTES("<html>down</html>")},
     COORD_UNAVAILABLE,
     "503",
     -2,
     503},
    {{.http_status = "404", .content_type = "text/plain", .data = T_BYTES("404 page not found")},
     COORD_PROTOCOL,
     "404",
     -2,
     404},
    {{.http_status = "500", .data = T_EMPTY_MESSAGE, .grpc_status = "0"},
     COORD_INTERNAL,
     "500",
     2,
     500},
    {{.http_status = "429", .trailers_only = true, .grpc_status = "8", .grpc_message = "slow down"},
     COORD_EXHAUSTED,
     "slow down",
     8,
     429},
    {{.reset = T_RESET(NGHTTP2_INTERNAL_ERROR)}, COORD_UNAVAILABLE, "INTERNAL_ERROR", -1, -1},
    {{.reset = T_RESET(NGHTTP2_NO_ERROR)}, COORD_UNAVAILABLE, "without an answer", -1, -1},
    {{.data = T_EMPTY_MESSAGE, .reset = T_RESET(NGHTTP2_CANCEL)},
     COORD_UNAVAILABLE,
     "CANCEL",
     -1,
     -1},
    {{.data = T_BYTES("\0\0\0\0\4\x0a"), .closes = true}, COORD_UNAVAILABLE, "closed", -1, -1},
};

/* A write is not repeated, so that the first answer is what the caller learns. */
static void answers_that_are_no_success_are_told_as_they_are(void) {
  for (size_t i = 0; i < sizeof failings / sizeof *failings; i++) {
    const failing *f = &failings[i];
    start(&f->rule, 1, NULL);
    bool good = T_CODE(put(0), f->code);
    good = t_has(__FILE__, __LINE__, "message", coord_error_message(err), f->part) && good;
    good = T_STR(coord_error_endpoint(err), t_peer_endpoint(peer)) && good;
    if (f->grpc_status != -2) good = T_INT(coord_error_grpc_status(err), f->grpc_status) && good;
    good = T_INT(coord_error_http_status(err), f->http_status) && good;
    good = T_INT(t_peer_calls(peer, "Put"), 1) && good;
    if (!good) T_FAIL("this was number %zu", i);
    stop();
  }
}

static void connection_survives_bad_answers_to_single_calls(void) {
  static const t_rule rules[] = {
      {.times = 1, .data = T_BYTES("\0\xff\xff\xff\xff"), .repeat = 20000, .stays_open = true},
      {.times = 1, .data = T_BYTES("\1\0\0\0\0"), .repeat = 20000, .grpc_status = "0"},
      {.times = 1, .content_type = "text/html", .data = T_BYTES("x"), .repeat = 100000},
      {OK_ANSWER}};
  START(rules);
  T_CODE(put(0), COORD_TOO_LARGE);
  T_CODE(put(0), COORD_PROTOCOL);
  T_CODE(put(0), COORD_PROTOCOL);
  for (int i = 0; i < 20; i++) T_OK(put(0), err);
  T_INT(t_peer_connections(peer), 1);
  T_INT(t_peer_resets(peer), 3);
  stop();
}

static void answer_over_the_limit_is_not_read_into_memory(void) {
  static const t_rule rules[] = {
      {.times = 1, .data = T_BYTES("\0\0\0\4\1xxx"), .repeat = 100, .stays_open = true},
      {OK_ANSWER}};
  peer = t_peer_grpc(rules, 2, NULL);
  client = t_client_with("endpoints", t_peer_endpoint(peer), "response.max.bytes", "1024", NULL);
  T_CODE(get(0), COORD_TOO_LARGE);
  T_HAS(coord_error_message(err), "response.max.bytes");
  T_OK(get(0), err);
  stop();
}

/* ---- what is repeated, and what may have been applied ---- */

static void reads_are_repeated_after_a_break(void) {
  static const t_rule rules[] = {{.times = 1, .reset = T_RESET(NGHTTP2_INTERNAL_ERROR)},
                                 {.times = 1, .data = T_BYTES("\0\0"), .closes = true},
                                 {.times = 1, .data = T_EMPTY_MESSAGE},
                                 {.times = 1, .trailers_only = true, .grpc_status = "14"},
                                 {OK_ANSWER}};
  START(rules);
  T_OK(get(0), err);
  T_INT(t_peer_calls(peer, "Range"), 5);
  T_INT(t_peer_connections(peer), 2);
  stop();
}

static void repeating_pauses_in_between(void) {
  static const t_rule rules[] = {{.reset = T_RESET(NGHTTP2_INTERNAL_ERROR)},
                                 {.reset = T_RESET(NGHTTP2_REFUSED_STREAM)},
                                 {.trailers_only = true, .grpc_status = "14"},
                                 {.data = T_BYTES("\0"), .closes = true},
                                 {.goaway = true, .last_back = 1}};
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    start(&rules[i], 1, NULL);
    int calls = 0;
    for (int ms = 400; calls < 2 && ms < 20000; ms *= 2) { /* again if it came to one call only */
      int before = t_peer_calls(peer, "Range");
      T_TRUE(get(ms) != COORD_OK);
      calls = t_peer_calls(peer, "Range") - before;
      if (calls > 20 * ms / 400) T_FAIL("rule %zu: %d calls in %d ms", i, calls, ms);
    }
    if (calls < 2) T_FAIL("rule %zu: it is not repeated", i);
    stop();
  }
}

/* One that is never answered. It has more time when it was not even sent in its time. */
static coord_code put_that_arrives(void) {
  int before = t_peer_calls(peer, "Put");
  coord_code code;
  int ms = 50;
  do {
    int64_t began = t_now_ms();
    code = put(ms);
    T_TRUE(t_now_ms() - began >= ms - 1);
    T_WITHIN(began, ms + 1400);
    ms *= 4;
  } while (!t_peer_wait_calls(peer, "Put", before + 1, 500) && ms < 20000);
  T_INT(t_peer_calls(peer, "Put"), before + 1);
  return code;
}

static void writes_that_broke_off_may_have_been_applied(void) {
  static const t_rule rules[] = {{.times = 1, .reset = T_RESET(NGHTTP2_INTERNAL_ERROR)},
                                 {.times = 1, .data = T_EMPTY_MESSAGE},
                                 {.times = 1, .data = T_BYTES("\0"), .closes = true},
                                 {.times = 1, .trailers_only = true, .grpc_status = "3"},
                                 {.never = true}};
  START(rules);
  for (int i = 0; i < 3; i++) {
    T_CODE(put(0), COORD_UNAVAILABLE);
    T_TRUE(has_flags(COORD_RETRIABLE | COORD_MAYBE_APPLIED));
  }
  T_CODE(put(0), COORD_INVALID);
  T_TRUE(has_flags(0));
  T_INT(t_peer_calls(peer, "Put"), 4);
  T_CODE(put_that_arrives(), COORD_TIMEOUT);
  T_TRUE(has_flags(COORD_RETRIABLE | COORD_MAYBE_APPLIED));
  T_CODE(get(50), COORD_TIMEOUT);
  T_TRUE(has_flags(COORD_RETRIABLE));
  stop();
}

static void refused_stream_is_tried_again(void) {
  static const t_rule rules[] = {{.times = 3, .reset = T_RESET(NGHTTP2_REFUSED_STREAM)},
                                 {OK_ANSWER}};
  START(rules);
  T_OK(put(0), err);
  T_INT(t_peer_calls(peer, "Put"), 4);
  stop();
}

static void refused_write_was_not_applied(void) {
  static const t_rule rules[] = {{.reset = T_RESET(NGHTTP2_REFUSED_STREAM)}};
  /* A deadline could also pass while the server has it and has not refused it yet. */
  peer = t_peer_grpc(rules, 1, NULL);
  client = t_client_with("endpoints", t_peer_endpoint(peer), "retry.max.attempts", "3", NULL);
  T_CODE(put(0), COORD_UNAVAILABLE);
  T_TRUE(has_flags(COORD_RETRIABLE));
  T_INT(t_peer_calls(peer, "Put"), 3);
  stop();
}

static void expect_failover(const t_rule *refusing) {
  static const t_rule serving[] = {{OK_ANSWER}};
  char endpoints[128];
  t_peer *other = t_peer_grpc(serving, 1, NULL);
  peer = t_peer_grpc(refusing, 1, NULL);
  snprintf(endpoints, sizeof endpoints, "%s,%s", t_peer_endpoint(peer), t_peer_endpoint(other));
  client = t_client_with("endpoints", endpoints, NULL);
  /* Until its connection is there, all goes to the other. */
  int puts = 0;
  while (puts < 5 || (t_peer_calls(peer, "Put") == 0 && puts < 10000)) {
    T_OK(put(2000), err);
    puts++;
  }
  /* One that says goodbye politely is welcome again. */
  int refused = t_peer_calls(peer, "Put");
  T_TRUE(refused == 1 || (refused > 1 && refusing->goaway));
  T_INT(t_peer_calls(other, "Put"), puts);
  stop();
  t_peer_stop(other);
}

static void write_that_one_server_refuses_goes_to_another(void) {
  static const t_rule refusing[] = {
      {.reset = T_RESET(NGHTTP2_REFUSED_STREAM)},
      {.goaway = true, .last_back = 1},
      {.trailers_only = true, .grpc_status = "14", .grpc_message = "etcdserver: no leader"}};
  for (size_t i = 0; i < sizeof refusing / sizeof *refusing; i++) expect_failover(&refusing[i]);
}

/* ---- GOAWAY ---- */

static coord_queue *queue;

static void submit(coord_op *op, uint64_t tag) {
  T_OK(coord_submit(client, op, 10000, queue, tag, NULL, &err), err);
  coord_op_free(op);
}

static void expect_end(uint64_t tag, coord_code code, uint32_t flags) {
  coord_event *event = coord_queue_next(queue, 10000);
  T_FATAL(event != NULL);
  T_INT(coord_event_tag(event), tag);
  T_CODE(coord_event_code(event), code);
  T_INT(coord_error_flags(coord_event_error(event)), flags);
  coord_event_free(event);
}

static atomic_bool is_over; /* what the test waits for before an answer is due */

static bool when_it_is_over(t_peer *of) {
  (void)of;
  return atomic_load(&is_over);
}

static void calls_behind_a_goaway_go_elsewhere_and_those_before_it_end(void) {
  static const t_rule rules[] = {{.method = "Status", .ready = when_it_is_over, OK_ANSWER},
                                 {.method = "Put", .times = 1, .goaway = true, .last_back = 1},
                                 {.method = "Put", OK_ANSWER}};
  T_FATAL(coord_queue_open(&queue, NULL) == COORD_OK);
  atomic_store(&is_over, false);
  START(rules);
  submit(coord_op_status(), 1);
  T_TRUE(t_peer_wait_calls(peer, "Status", 1, 5000));
  submit(coord_op_put("k", 1, "v", 1), 2);
  expect_end(2, COORD_OK, 0);
  atomic_store(&is_over, true);
  expect_end(1, COORD_OK, 0);
  T_INT(t_peer_calls(peer, "Put"), 2);
  T_INT(t_peer_calls(peer, "Status"), 1);
  T_INT(t_peer_connections(peer), 2);
  stop();
  coord_queue_free(queue);
}

static void write_before_a_goaway_that_is_never_answered_may_have_been_applied(void) {
  static const t_rule rules[] = {
      {.method = "Put", .never = true},
      {.method = "Status", .times = 1, .goaway = true, .data = T_BYTES("\0"), .closes = true},
      {.method = "Status", OK_ANSWER}};
  T_FATAL(coord_queue_open(&queue, NULL) == COORD_OK);
  START(rules);
  submit(coord_op_put("k", 1, "v", 1), 1);
  T_TRUE(t_peer_wait_calls(peer, "Put", 1, 5000));
  submit(coord_op_status(), 2);
  expect_end(1, COORD_UNAVAILABLE, COORD_RETRIABLE | COORD_MAYBE_APPLIED);
  expect_end(2, COORD_OK, 0);
  T_INT(t_peer_calls(peer, "Put"), 1);
  T_INT(t_peer_calls(peer, "Status"), 2);
  stop();
  coord_queue_free(queue);
}

static bool one_connection_is_open(void *unused) {
  (void)unused;
  return t_peer_open_connections(peer) == 1;
}

static void connection_is_left_once_its_calls_have_ended(void) {
  static const t_rule rules[] = {{.times = 1, .goaway = true, OK_ANSWER}, {OK_ANSWER}};
  START(rules);
  T_OK(put(0), err);
  for (int i = 0; i < 5; i++) T_OK(put(0), err);
  T_TRUE(t_wait_until(one_connection_is_open, NULL, 5000));
  T_INT(t_peer_connections(peer), 2);
  stop();
}

/* ---- deadline and cancel ---- */

static bool resets_are_two(void *unused) {
  (void)unused;
  return t_peer_resets(peer) == 2;
}

static void calls_that_are_given_up_are_reset_and_the_connection_stays(void) {
  static const t_rule rules[] = {{.method = "Put", .never = true}, {OK_ANSWER}};
  uint64_t id = 0;
  T_FATAL(coord_queue_open(&queue, NULL) == COORD_OK);
  START(rules);
  T_CODE(put_that_arrives(), COORD_TIMEOUT);
  T_TRUE(has_flags(COORD_RETRIABLE | COORD_MAYBE_APPLIED));
  coord_op *op = coord_op_put("k", 1, "v", 1);
  T_OK(coord_submit(client, op, -1, queue, 9, &id, &err), err);
  coord_op_free(op);
  T_TRUE(t_peer_wait_calls(peer, "Put", 2, 5000));
  T_CODE(coord_cancel(client, id), COORD_OK);
  expect_end(9, COORD_CANCELED, COORD_MAYBE_APPLIED);
  T_OK(get(0), err);
  T_TRUE(t_wait_until(resets_are_two, NULL, 5000));
  T_INT(t_peer_connections(peer), 1);
  stop();
  coord_queue_free(queue);
}

static void call_that_waits_for_a_free_stream_can_be_given_up(void) {
  static const t_rule rules[] = {{.method = "Put", .never = true}, {OK_ANSWER}};
  static const t_h2_settings one = {.max_concurrent_streams = 1};
  T_FATAL(coord_queue_open(&queue, NULL) == COORD_OK);
  start(rules, 2, &one);
  uint64_t id = 0;
  coord_op *op = coord_op_put("k", 1, "v", 1);
  T_OK(coord_submit(client, op, -1, queue, 1, &id, &err), err);
  T_TRUE(t_peer_wait_calls(peer, "Put", 1, 5000));
  T_CODE(put(100), COORD_TIMEOUT);
  T_TRUE(has_flags(COORD_RETRIABLE));
  T_INT(t_peer_calls(peer, "Put"), 1);
  T_CODE(coord_cancel(client, id), COORD_OK);
  expect_end(1, COORD_CANCELED, COORD_MAYBE_APPLIED);
  T_OK(get(0), err);
  coord_op_free(op);
  stop();
  coord_queue_free(queue);
}

/* ---- proxies ---- */

static void password_of_a_proxy_stays_secret(void) {
  static const char *const proxies[] = {"http://me:hunter2@127.0.0.1:1", "ftp://me:hunter2@h:1",
                                        "socks5h://me:hunter2@no-such-host.invalid:1",
                                        "http://me:hunter2@[::1", "me:hunter2@h"};
  for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++) {
    coord_options *options = t_options("endpoints", "127.0.0.1:1", "log.level", "off",
                                       "connect.timeout.ms", "2000", "proxy", proxies[i], NULL);
    coord_client *none = NULL;
    coord_code code = coord_client_open(options, &none, &err);
    T_TRUE(code != COORD_OK && none == NULL);
    if (strstr(coord_error_message(err), "hunter2") != NULL) {
      T_FAIL("the password is shown: %s", coord_error_message(err));
    }
    coord_error_free(err);
    err = NULL;
    coord_options_free(options);
  }
}

T_MAIN(T_CASE(headers_are_those_of_grpc), T_CASE(deadline_is_told_to_the_server),
       T_CASE(answer_is_put_together_from_single_bytes),
       T_CASE(many_calls_share_a_connection_that_allows_ten),
       T_CASE(answers_that_are_no_success_are_told_as_they_are),
       T_CASE(connection_survives_bad_answers_to_single_calls),
       T_CASE(answer_over_the_limit_is_not_read_into_memory),
       T_CASE(reads_are_repeated_after_a_break), T_CASE(repeating_pauses_in_between),
       T_CASE(writes_that_broke_off_may_have_been_applied), T_CASE(refused_stream_is_tried_again),
       T_CASE(refused_write_was_not_applied), T_CASE(write_that_one_server_refuses_goes_to_another),
       T_CASE(calls_behind_a_goaway_go_elsewhere_and_those_before_it_end),
       T_CASE(write_before_a_goaway_that_is_never_answered_may_have_been_applied),
       T_CASE(connection_is_left_once_its_calls_have_ended),
       T_CASE(calls_that_are_given_up_are_reset_and_the_connection_stays),
       T_CASE(call_that_waits_for_a_free_stream_can_be_given_up),
       T_CASE(password_of_a_proxy_stays_secret))
