/* Endpoints that are no etcd, and servers that answer what no etcd answers. */
#include <nghttp2/nghttp2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "support/etcd.h"
#include "support/peer.h"

/* --- Opening towards strangers ------------------------------------------------------------------- */

static const struct stranger {
  const t_raw *peer;
  coord_code code;
  const char *hint; /* in the message */
} strangers[] = {
    {&t_raw_http1, COORD_PROTOCOL, "HTTP/1"}, {&t_raw_tls, COORD_PROTOCOL, "TLS"},
    {&t_raw_smtp, COORD_PROTOCOL, "etcd"},    {&t_raw_random, COORD_PROTOCOL, "etcd"},
    {&t_raw_silent, COORD_TIMEOUT, "400"},    {&t_raw_closes, COORD_UNAVAILABLE, ""},
    {&t_raw_resets, COORD_UNAVAILABLE, ""},   {&t_raw_refuses, COORD_UNAVAILABLE, ""},
};

static void open_towards(const struct stranger *row) {
  coord_client *client = NULL;
  coord_error *err = NULL;
  t_peer *peer = t_peer_raw(row->peer);
  /* Who says something is not waited for until then. */
  const char *timeout_ms = row->code == COORD_TIMEOUT ? "400" : "20000";
  coord_options *options = t_options("endpoints", t_peer_endpoint(peer), "connect.timeout.ms",
                                     timeout_ms, "log.level", "off", NULL);
  int64_t start = t_now_ms();
  coord_code code = coord_client_open(options, &client, &err);
  if (code != row->code) {
    T_FAIL("%s: open gave %s: %s", row->peer->what, coord_code_name(code),
           coord_error_message(err));
  }
  T_WITHIN(start, 1000);
  T_HAS(coord_error_message(err), t_peer_endpoint(peer));
  T_HAS(coord_error_message(err), row->hint);
  T_STR(coord_error_endpoint(err), t_peer_endpoint(peer));
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
    coord_client *client = t_client_with("endpoints", endpoints, "connect.timeout.ms", "20000",
                                         "log.level", "off", NULL);
    T_TRUE(t_get_is(client, "absent", NULL));
    coord_client_free(client);
    t_peer_stop(peer);
  }
}

static void call_towards_a_stranger_ends_by_its_deadline(void) {
  for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
    coord_error *err = NULL;
    t_peer *peer = t_peer_raw(strangers[i].peer);
    coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), "connect.lazy", "true",
                                         "connect.timeout.ms", "100", "log.level", "off", NULL);
    coord_op *op = coord_op_put("k", 1, "v", 1);
    int64_t start = t_now_ms();
    coord_code code = coord_call(client, op, 400, NULL, &err);
    T_WITHIN(start, 900);
    T_TRUE(code == COORD_UNAVAILABLE || code == COORD_PROTOCOL || code == COORD_TIMEOUT);
    T_HAS(coord_error_message(err), t_peer_endpoint(peer));
    T_INT(coord_error_flags(err) & COORD_MAYBE_APPLIED, 0);
    /* It tries again, but not in a tight circle. */
    T_TRUE(t_peer_connections(peer) < 30);
    coord_error_free(err);
    coord_op_free(op);
    coord_client_free(client);
    t_peer_stop(peer);
  }
}

static void settings_and_then_silence_end_the_call_not_the_open(void) {
  coord_error *err = NULL;
  t_peer *peer = t_peer_raw(&t_raw_settings);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  int64_t start = t_now_ms();
  coord_op *op = coord_op_get("k", 1);
  T_ERROR(coord_call(client, op, 300, NULL, &err), COORD_TIMEOUT, err, "deadline");
  T_WITHIN(start, 900);
  coord_op_free(op);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void *open_and_wait(void *options) {
  coord_client *client = NULL;
  T_CODE(coord_client_open(options, &client, NULL), COORD_TIMEOUT);
  return NULL;
}

static void silent_endpoint_holds_up_nobody_else(void) {
  pthread_t thread;
  t_peer *silent = t_peer_raw(&t_raw_silent);
  coord_options *options =
      t_options("endpoints", t_peer_endpoint(silent), "connect.timeout.ms", "1500", NULL);
  coord_client *client = t_client();
  pthread_create(&thread, NULL, open_and_wait, options);
  for (int i = 0; i < 100; i++) {
    int64_t start = t_now_ms();
    T_TRUE(t_get_is(client, "absent", NULL));
    T_WITHIN(start, 500);
  }
  pthread_join(thread, NULL);
  coord_client_free(client);
  coord_options_free(options);
  t_peer_stop(silent);
}

/* --- Answers that are wrong ------------------------------------------------------------------------ */

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
    {"a frame of 4 GiB",
     {.data = T_BYTES("\0\xff\xff\xff\xff"
                      "abc"),
      .stays_open = true},
     COORD_TOO_LARGE,
     "response.max.bytes",
     true,
     -1,
     -1},
    {"half a message",
     {.data = T_BYTES("\0\0\0\0\x10"
                      "abc"),
      .grpc_status = "0"},
     COORD_PROTOCOL,
     "message",
     true,
     0,
     -1},
    {"half a frame header",
     {.data = T_BYTES("\0\0\0"), .grpc_status = "0"},
     COORD_PROTOCOL,
     "message",
     true,
     0,
     -1},
    {"half a message, then a reset",
     {.data = T_BYTES("\0\0\0\0\x10"
                      "abc"),
      .reset = T_RESET(NGHTTP2_INTERNAL_ERROR)},
     COORD_UNAVAILABLE,
     "INTERNAL_ERROR",
     true,
     -1,
     -1},
    {"half a message, then the end of the connection",
     {.data = T_BYTES("\0\0\0\0\x10"
                      "abc"),
      .closes = true},
     COORD_UNAVAILABLE,
     "",
     true,
     -1,
     -1},
    {"a compressed message",
     {.data = T_BYTES("\1\0\0\0\4\x0a\2\x18\7"), .grpc_status = "0"},
     COORD_PROTOCOL,
     "compressed",
     true,
     -1,
     -1},
    {"an unknown frame flag",
     {.data = T_BYTES("\7\0\0\0\4\x0a\2\x18\7"), .grpc_status = "0"},
     COORD_PROTOCOL,
     "",
     true,
     -1,
     -1},
    {"two messages",
     {.data = T_EMPTY_MESSAGE, .repeat = 2, .grpc_status = "0"},
     COORD_PROTOCOL,
     "two",
     true,
     -1,
     -1},
    {"two messages, the first empty",
     {.data = T_BYTES("\0\0\0\0\0"), .repeat = 2, .grpc_status = "0"},
     COORD_PROTOCOL,
     "two",
     true,
     -1,
     -1},
    {"no message", {.grpc_status = "0"}, COORD_PROTOCOL, "answer", true, 0, -1},
    {"success in trailers alone",
     {.trailers_only = true, .grpc_status = "0"},
     COORD_PROTOCOL,
     "answer",
     true,
     0,
     -1},
    {"bytes that are no protobuf",
     {.data = T_BYTES("\0\0\0\0\4\xff\xff\xff\xff"), .grpc_status = "0"},
     COORD_PROTOCOL,
     "",
     true,
     0,
     -1},
    {"a message without a status",
     {.data = T_EMPTY_MESSAGE},
     COORD_UNAVAILABLE,
     "status",
     true,
     -1,
     -1},
    {"a status that is no number",
     {.data = T_EMPTY_MESSAGE, .grpc_status = "good"},
     COORD_PROTOCOL,
     "status",
     true,
     -1,
     -1},
    {"a status that is not defined",
     {.data = T_EMPTY_MESSAGE, .grpc_status = "99"},
     COORD_PROTOCOL,
     "",
     true,
     99,
     -1},
    {"a web page",
     {.content_type = "text/html", .data = T_BYTES("<html>hello</html>")},
     COORD_PROTOCOL,
     "text/html",
     true,
     -1,
     -1},
    {"a web page without a body",
     {.content_type = "text/html"},
     COORD_PROTOCOL,
     "text/html",
     true,
     -1,
     -1},
    {"no content type",
     {.content_type = "", .data = T_EMPTY_MESSAGE, .grpc_status = "0"},
     COORD_PROTOCOL,
     "content type",
     true,
     -1,
     -1},
    {"HTTP 404 with a page",
     {.http_status = "404", .content_type = "text/html", .data = T_BYTES("no")},
     COORD_PROTOCOL,
     "404",
     true,
     -1,
     404},
    {"HTTP 503 of a balancer",
     {.http_status = "503", .content_type = "text/plain", .data = T_BYTES("no")},
     COORD_UNAVAILABLE,
     "503",
     true,
     -1,
     503},
    {"an error in trailers alone",
     {.trailers_only = true,
      .grpc_status = "3",
      .grpc_message = "etcdserver: key%20is%3A%20%C3%A9"},
     COORD_INVALID,
     "key is: \xc3\xa9",
     false,
     3,
     -1},
    {"an error with wrong escapes",
     {.trailers_only = true, .grpc_status = "3", .grpc_message = "100% of %zz and %4"},
     COORD_INVALID,
     "100% of %zz and %4",
     false,
     3,
     -1},
    {"an error before the request has ended",
     {.early = true, .trailers_only = true, .grpc_status = "7", .grpc_message = "no"},
     COORD_AUTH,
     "no",
     false,
     7,
     -1},
    {"a reset",
     {.reset = T_RESET(NGHTTP2_INTERNAL_ERROR)},
     COORD_UNAVAILABLE,
     "INTERNAL_ERROR",
     true,
     -1,
     -1},
};

static void expect_answer(const struct answer *row) {
  coord_error *err = NULL;
  coord_result *result = NULL;
  t_peer *peer = t_peer_grpc(&row->rule, 1, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
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
  }
  if (row->grpc_status > 0) T_INT(coord_error_grpc_status(err), row->grpc_status);
  T_INT(coord_error_http_status(err), row->http_status);
  T_STR(coord_error_endpoint(err), err ? t_peer_endpoint(peer) : "");
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

static void good_answer_in_small_pieces_is_good(void) {
  static const t_rule rule = {.data = T_EMPTY_MESSAGE, .grpc_status = "0"};
  t_peer *peer = t_peer_grpc(&rule, 1, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  T_INT(t_put(client, "k", "v"), 7);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void wrong_answer_leaves_the_connection_to_the_others(void) {
  static const t_rule rules[] = {
      {.method = "KV/Put", .data = T_BYTES("\0\xff\xff\xff\xff"), .stays_open = true},
      {.method = "KV/Range", .data = T_EMPTY_MESSAGE, .grpc_status = "0"}};
  t_peer *peer = t_peer_grpc(rules, 2, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  for (int i = 0; i < 50; i++) {
    t_call_fails(client, coord_op_put("k", 1, "v", 1), COORD_TOO_LARGE, NULL);
    T_TRUE(t_get_is(client, "k", NULL));
  }
  T_INT(t_peer_connections(peer), 1);
  coord_client_free(client);
  t_peer_stop(peer);
}

static long resident_kib(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

static void claimed_size_takes_no_memory_before_the_bytes_come(void) {
  /* 60 MiB are claimed, eight bytes come. */
  static const t_rule rule = {.data = T_BYTES("\0\x03\xc0\0\0"
                                              "12345678"),
                              .stays_open = true};
  coord_queue *queue = NULL;
  t_peer *peer = t_peer_grpc(&rule, 1, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  long before = resident_kib();
  coord_op *op = coord_op_get("k", 1);
  for (int i = 0; i < 50; i++) {
    T_CODE(coord_submit(client, op, 500, queue, 0, NULL, NULL), COORD_OK);
  }
  for (int i = 0; i < 50; i++) {
    coord_event *event = coord_queue_next(queue, 10000);
    T_CODE(coord_event_code(event), COORD_TIMEOUT);
    coord_event_free(event);
  }
  T_TRUE(resident_kib() - before < 200 * 1024);
  coord_op_free(op);
  coord_queue_free(queue);
  coord_client_free(client);
  t_peer_stop(peer);
}

static void endless_answer_is_cut_off_at_the_limit(void) {
  /* Not a word about the size at first: many empty messages, as no etcd sends them to one call. */
  static char zeros[100000];
  const t_rule rule = {.data = {zeros, sizeof zeros}, .repeat = 2000, .grpc_status = "0"};
  char message[256];
  t_peer *peer = t_peer_grpc(&rule, 1, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  int64_t start = t_now_ms();
  t_call_fails(client, coord_op_put("k", 1, "v", 1), COORD_PROTOCOL, message);
  T_WITHIN(start, 1000);
  coord_client_free(client);
  t_peer_stop(peer);
}

T_MAIN(T_CASE(open_tells_what_kind_of_stranger_it_met),
       T_CASE(stranger_before_etcd_in_the_list_does_no_harm),
       T_CASE(call_towards_a_stranger_ends_by_its_deadline),
       T_CASE(settings_and_then_silence_end_the_call_not_the_open),
       T_CASE(silent_endpoint_holds_up_nobody_else),
       T_CASE(wrong_answer_is_told_and_never_taken_for_success),
       T_CASE(good_answer_in_small_pieces_is_good),
       T_CASE(wrong_answer_leaves_the_connection_to_the_others),
       T_CASE(claimed_size_takes_no_memory_before_the_bytes_come),
       T_CASE(endless_answer_is_cut_off_at_the_limit))
