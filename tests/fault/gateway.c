/* The JSON gateway in bad hands: strangers, answers that no etcd gives, servers that die or fall
 * silent. What is true of both wires is in cut.c, deadline.c, oom.c and restart.c. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "support/etcd.h"
#include "support/peer.h"
#include "support/proxy.h"

static coord_client *client_of(const char *endpoint) {
  return t_client_with("wire", "gateway", "endpoints", endpoint, "log.level", "off", NULL);
}

/* --- Strangers ----------------------------------------------------------------------------------- */

static const t_raw speaks_http = {
    .what = "a web server",
    .answer = T_BYTES("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 18\r\n\r\n"
                      "<html>Hello</html>")};
static const t_raw bad_gateway = {
    .what = "a proxy without a server behind it",
    .answer = T_BYTES("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")};
static const t_raw half_a_head = {
    .what = "half a head", .answer = T_BYTES("HTTP/1.1 200 OK\r\nContent-Ty"), .closes = true};

static const struct stranger {
  const t_raw *peer;
  coord_code code;
  const char *hint; /* in the message */
} strangers[] = {
    {&t_raw_http1, COORD_PROTOCOL, "400"},     {&t_raw_tls, COORD_PROTOCOL, "TLS"},
    {&t_raw_smtp, COORD_PROTOCOL, "etcd"},     {&t_raw_random, COORD_PROTOCOL, "etcd"},
    {&t_raw_settings, COORD_PROTOCOL, "port"}, {&speaks_http, COORD_PROTOCOL, "Hello"},
    {&bad_gateway, COORD_UNAVAILABLE, "502"},  {&half_a_head, COORD_PROTOCOL, "etcd"},
    {&t_raw_silent, COORD_TIMEOUT, "400"},     {&t_raw_closes, COORD_UNAVAILABLE, ""},
    {&t_raw_resets, COORD_UNAVAILABLE, ""},    {&t_raw_refuses, COORD_UNAVAILABLE, "refused"},
};

static void open_towards(const struct stranger *row) {
  coord_client *client = NULL;
  coord_error *err = NULL;
  t_peer *peer = t_peer_raw(row->peer);
  /* Who says something is not waited for until then. */
  const char *timeout_ms = row->code == COORD_TIMEOUT ? "400" : "20000";
  coord_options *options = t_options("wire", "gateway", "endpoints", t_peer_endpoint(peer),
                                     "connect.timeout.ms", timeout_ms, "log.level", "off", NULL);
  int64_t start = t_now_ms();
  coord_code code = coord_client_open(options, &client, &err);
  if (code != row->code) {
    T_FAIL("%s: open gave %s: %s", row->peer->what, coord_code_name(code),
           coord_error_message(err));
  }
  T_WITHIN(start, 1000);
  T_HAS(coord_error_message(err), t_peer_endpoint(peer));
  T_HAS(coord_error_message(err), row->hint);
  T_TRUE(client == NULL);
  coord_error_free(err);
  coord_client_free(client);
  coord_options_free(options);
  t_peer_stop(peer);
}

static void open_tells_what_kind_of_stranger_it_met(void) {
  for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) open_towards(&strangers[i]);
}

static void stranger_before_etcd_in_the_list_does_no_harm(void) {
  for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
    char endpoints[100];
    t_peer *peer = t_peer_raw(strangers[i].peer);
    snprintf(endpoints, sizeof endpoints, "%s,%s", t_peer_endpoint(peer),
             t_etcd_endpoint(t_etcd(), 0));
    coord_client *client = t_client_with("wire", "gateway", "endpoints", endpoints,
                                         "connect.timeout.ms", "20000", "log.level", "off", NULL);
    T_TRUE(t_get_is(client, "absent", NULL));
    coord_client_free(client);
    t_peer_stop(peer);
  }
}

/* --- Answers that are wrong ------------------------------------------------------------------------ */

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

/* To a put, so that nothing is repeated. Each comes back as `code` with `part` in the message. */
static const struct answer {
  const char *what;
  t_rule rule;
  coord_code code;
  const char *part;
  bool unknown; /* MAYBE_APPLIED */
  int grpc_status;
  int http_status;
} answers[] = {
    {"garbage", {.json = "garbage"}, COORD_PROTOCOL, "JSON", true, -1, -1},
    {"nothing", {.json = ""}, COORD_PROTOCOL, "too early", true, -1, -1},
    {"half a JSON", {.json = "{\"header\":{"}, COORD_PROTOCOL, "too early", true, -1, -1},
    {"two answers", {.json = "{}", .repeat = 2}, COORD_PROTOCOL, "follows", true, -1, -1},
    {"an array", {.json = "[]"}, COORD_PROTOCOL, "PutResponse", true, -1, -1},
    {"a field of a wrong type",
     {.json = "{\"header\":{\"revision\":\"x\"}}"},
     COORD_PROTOCOL,
     "revision",
     true,
     -1,
     -1},
    {"another content type",
     {.content_type = "text/html", .json = "{}"},
     COORD_PROTOCOL,
     "text/html",
     true,
     -1,
     -1},
    {"an answer that ends before its length",
     {.raw = T_BYTES(HEAD "Content-Length: 100\r\n\r\n{\"header\""), .closes = true},
     COORD_UNAVAILABLE,
     "too early",
     true,
     -1,
     -1},
    {"half a chunk",
     {.raw = T_BYTES(HEAD "Transfer-Encoding: chunked\r\n\r\n40\r\n{\"header\""), .closes = true},
     COORD_UNAVAILABLE,
     "",
     true,
     -1,
     -1},
    {"a chunk whose length is no number",
     {.raw = T_BYTES(HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n")},
     COORD_PROTOCOL,
     "chunk",
     true,
     -1,
     -1},
    {"a length that is a lie",
     {.raw = T_BYTES(HEAD "Content-Length: 18446744073709551615\r\n\r\n{}"), .closes = true},
     COORD_PROTOCOL,
     "",
     true,
     -1,
     -1},
    {"a status line that is none",
     {.raw = T_BYTES("HTTP/9.9 abc\r\n\r\n"), .closes = true},
     COORD_PROTOCOL,
     "",
     true,
     -1,
     -1},
    {"no HTTP", {.raw = T_BYTES("hello\r\n"), .closes = true}, COORD_PROTOCOL, "", true, -1, -1},
    {"a reset", {.reset = T_RESET(0)}, COORD_UNAVAILABLE, "", true, -1, -1},
    {"a close", {.raw = T_BYTES("\0"), .closes = true}, COORD_PROTOCOL, "", true, -1, -1},
    {"a redirection",
     {.raw = T_BYTES("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
                     "Content-Length: 0\r\n\r\n")},
     COORD_PROTOCOL,
     "302",
     true,
     2,
     302},
    {"a page of a proxy",
     {.http_status = "503", .content_type = "text/html", .json = "<html>later</html>"},
     COORD_UNAVAILABLE,
     "later",
     true,
     14,
     503},
    {"no gateway",
     {.http_status = "404", .content_type = "text/plain", .json = "404 page not found"},
     COORD_UNSUPPORTED,
     "gateway",
     true,
     12,
     404},
    {"an error of 3.4",
     {.http_status = "400", .json = "{\"error\":\"etcdserver: x\",\"code\":3,\"message\":\"y\"}"},
     COORD_INVALID,
     "y",
     false,
     3,
     400},
    {"an error of 3.6",
     {.http_status = "403", .json = "{\"code\":7,\"message\":\"etcdserver: permission denied\"}"},
     COORD_AUTH,
     "permission",
     false,
     7,
     403},
};

static void expect_answer(const struct answer *row) {
  coord_error *err = NULL;
  coord_result *result = NULL;
  t_peer *peer = t_peer_grpc(&row->rule, 1, NULL);
  coord_client *client = client_of(t_peer_endpoint(peer));
  coord_op *op = coord_op_put("k", 1, "v", 1);
  int64_t start = t_now_ms();
  coord_code code = coord_call(client, op, 20000, &result, &err);
  uint32_t flags = coord_error_flags(err);
  const char *message = coord_error_message(err);
  if (code != row->code || !strstr(message, row->part)) {
    T_FAIL("%s: gave %s, not %s with \"%s\": %s", row->what, coord_code_name(code),
           coord_code_name(row->code), row->part, message);
  } else if (((flags & COORD_MAYBE_APPLIED) != 0) != row->unknown) {
    T_FAIL("%s: MAYBE_APPLIED is %s: %s", row->what, row->unknown ? "missing" : "set", message);
  } else if (coord_error_grpc_status(err) != row->grpc_status ||
             coord_error_http_status(err) != row->http_status) {
    T_FAIL("%s: statuses are %d and %d", row->what, coord_error_grpc_status(err),
           coord_error_http_status(err));
  }
  T_STR(coord_error_endpoint(err), t_peer_endpoint(peer));
  T_TRUE(result == NULL);
  T_WITHIN(start, 1500);
  T_INT(t_peer_calls(peer, "KV/Put"), 1);
  coord_result_free(result);
  coord_error_free(err);
  coord_op_free(op);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void wrong_answer_is_told_and_never_taken_for_success(void) {
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) expect_answer(&answers[i]);
}

static long resident_kb(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

static void answer_over_the_limit_is_not_read_into_memory(void) {
  static char piece[100001];
  memset(piece, ' ', sizeof piece - 1);
  const t_rule rules[] = {
      {.method = "KV/Range", .times = 1, .json = piece, .repeat = 1000},
      {.method = "KV/Put", .times = 1, .json = piece, .repeat = 1000, .stays_open = true},
      {0}};
  coord_error *err = NULL;
  t_peer *peer = t_peer_grpc(rules, 3, NULL);
  coord_client *client = t_client_with("wire", "gateway", "endpoints", t_peer_endpoint(peer),
                                       "response.max.bytes", "100000", NULL);
  long before = resident_kb();
  coord_op *op = coord_op_get("k", 1);
  T_ERROR(coord_call(client, op, 5000, NULL, &err), COORD_TOO_LARGE, err, "response.max.bytes");
  T_CODE(coord_put(client, "k", 1, "v", 1, &err), COORD_TOO_LARGE);
  T_TRUE(coord_error_flags(err) & COORD_MAYBE_APPLIED);
  /* The peer itself takes 100 MB for each. */
  T_TRUE(resident_kb() - before < 230000 * T_SLOW);
  T_CODE(coord_call(client, op, 5000, NULL, NULL), COORD_OK);
  coord_error_free(err);
  coord_op_free(op);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void wrong_answer_leaves_the_other_calls_alone(void) {
  static const t_rule rules[] = {{.method = "KV/Range", .delay_ms = 300},
                                 {.method = "KV/Put", .reset = T_RESET(0)}};
  coord_queue *queue = NULL;
  t_peer *peer = t_peer_grpc(rules, 2, NULL);
  coord_client *client = client_of(t_peer_endpoint(peer));
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  coord_op *get = coord_op_get("k", 1);
  for (uint64_t i = 0; i < 5; i++) {
    T_CODE(coord_submit(client, get, 5000, queue, i, NULL, NULL), COORD_OK);
  }
  T_TRUE(t_peer_wait_calls(peer, "KV/Range", 5, 5000));
  T_CODE(coord_put(client, "k", 1, "v", 1, NULL), COORD_UNAVAILABLE);
  for (int i = 0; i < 5; i++) {
    coord_event *event = coord_queue_next(queue, 5000);
    T_CODE(coord_event_code(event), COORD_OK);
    coord_event_free(event);
  }
  T_INT(t_peer_calls(peer, "KV/Range"), 5);
  coord_op_free(get);
  coord_client_free(client);
  coord_queue_free(queue);
  t_peer_stop(peer);
}

/* --- Servers that die or fall silent ------------------------------------------------------------------ */

static void write_whose_server_is_killed_is_unknown(void) {
  coord_queue *queue = NULL;
  t_cluster *cluster = t_etcd_start(NULL);
  coord_client *client = client_of(t_etcd_endpoint(cluster, 0));
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  coord_op *put = coord_op_put("k", 1, "v", 1);
  coord_op *get = coord_op_get("k", 1);
  t_put(client, "k", "before");
  t_etcd_pause(cluster, 0);
  long before = t_etcd_unread(t_etcd_port(cluster, 0));
  T_CODE(coord_submit(client, put, 20000, queue, 1, NULL, NULL), COORD_OK);
  T_CODE(coord_submit(client, get, 50000, queue, 2, NULL, NULL), COORD_OK);
  /* Two requests with their headers. */
  T_TRUE(t_etcd_wait_unread(t_etcd_port(cluster, 0), before + 250));
  T_TRUE(coord_queue_next(queue, 20) == NULL);
  t_etcd_kill(cluster, 0);
  coord_event *event = coord_queue_next(queue, 10000);
  T_INT(coord_event_tag(event), 1);
  T_CODE(coord_event_code(event), COORD_UNAVAILABLE);
  T_INT(coord_error_flags(coord_event_error(event)), COORD_RETRIABLE | COORD_MAYBE_APPLIED);
  coord_event_free(event);
  t_etcd_restart(cluster, 0);
  event = coord_queue_next(queue, 50000);
  T_INT(coord_event_tag(event), 2);
  T_CODE(coord_event_code(event), COORD_OK);
  coord_event_free(event);
  coord_op_free(put);
  coord_op_free(get);
  coord_client_free(client);
  coord_queue_free(queue);
  t_etcd_stop(cluster);
}

static void write_that_meets_no_server_was_not_applied(void) {
  coord_error *err = NULL;
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client = client_of(t_proxy_endpoint(proxy));
  t_put(client, "k", "v");
  t_proxy_refuse(proxy, true);
  coord_op *put = coord_op_put("k", 1, "w", 1);
  coord_code code = coord_call(client, put, 1000, NULL, &err);
  T_CODE(code, COORD_UNAVAILABLE);
  T_INT(coord_error_flags(err), COORD_RETRIABLE);
  coord_error_free(err);
  t_proxy_refuse(proxy, false);
  T_CODE(coord_call(client, put, 20000, NULL, NULL), COORD_OK);
  coord_op_free(put);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

static void call_without_deadline_leaves_a_server_that_falls_silent(void) {
  coord_queue *queue = NULL;
  char endpoints[100];
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  snprintf(endpoints, sizeof endpoints, "%s,%s", t_proxy_endpoint(proxy),
           t_etcd_endpoint(t_etcd(), 0));
  coord_client *client =
      t_client_with("wire", "gateway", "endpoints", endpoints, "log.level", "off", NULL);
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  coord_op *get = coord_op_get("absent", 6);
  t_proxy_stall(proxy, true);
  int64_t start = t_now_ms();
  T_CODE(coord_submit(client, get, -1, queue, 1, NULL, NULL), COORD_OK);
  coord_event *event = coord_queue_next(queue, 15000 * T_SLOW);
  T_CODE(coord_event_code(event), COORD_OK);
  T_WITHIN(start, 5000);
  coord_event_free(event);
  coord_op_free(get);
  coord_client_free(client);
  coord_queue_free(queue);
  t_proxy_stop(proxy);
}

/* The probe of a server that gets no calls for now fails with its connection, while a call of before
 * still waits there: with that the link is left, which gives up the probe, which has ended already. */
static void probe_that_fails_beside_a_call_does_no_harm(void) {
  static const t_rule bad[] = {{.method = "KV/Put", .never = true},
                               {.method = "KV/Range", .reset = T_RESET(0)}};
  static const t_rule good[] = {{.json = NULL}};
  char endpoints[100];
  coord_queue *queue = t_queue();
  t_peer *first = t_peer_grpc(bad, 2, NULL), *second = t_peer_grpc(good, 1, NULL);
  snprintf(endpoints, sizeof endpoints, "%s,%s", t_peer_endpoint(first), t_peer_endpoint(second));
  coord_client *client = t_client_with("wire", "gateway", "endpoints", endpoints, "log.level",
                                       "off", "attempt.timeout.ms", "100", NULL);
  coord_op *put = coord_op_put("k", 1, "v", 1);
  int sent = 0; /* they go to the second one alone until there is a connection to the first */
  do {
    T_CODE(coord_submit(client, put, 2000, queue, 0, NULL, NULL), COORD_OK);
  } while (++sent < 500 && !t_peer_wait_calls(first, "KV/Put", 1, 10));
  T_TRUE(t_peer_wait_calls(first, "KV/Range", 1, 5000 * T_SLOW));
  for (int i = 0; i < sent; i++) {
    coord_event *event = coord_queue_next(queue, 5000);
    coord_code code = coord_event_code(event);
    if (code != COORD_OK) T_CODE(code, COORD_TIMEOUT);
    coord_event_free(event);
  }
  T_CODE(coord_call(client, put, 5000, NULL, NULL), COORD_OK);
  coord_op_free(put);
  coord_client_free(client);
  coord_queue_free(queue);
  t_peer_stop(first);
  t_peer_stop(second);
}

T_MAIN(T_CASE(open_tells_what_kind_of_stranger_it_met),
       T_CASE(stranger_before_etcd_in_the_list_does_no_harm),
       T_CASE(wrong_answer_is_told_and_never_taken_for_success),
       T_CASE(answer_over_the_limit_is_not_read_into_memory),
       T_CASE(wrong_answer_leaves_the_other_calls_alone),
       T_CASE(write_whose_server_is_killed_is_unknown),
       T_CASE(write_that_meets_no_server_was_not_applied),
       T_CASE(call_without_deadline_leaves_a_server_that_falls_silent),
       T_CASE(probe_that_fails_beside_a_call_does_no_harm))
