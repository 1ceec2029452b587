/* Streams over the gRPC wire, against a scripted server: messages, flow control, the end. */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <string.h>

#include "support/etcd.h"
#include "support/peer.h"
#include "support/proxy.h"
#include "wire/duplex.h"

#define WATCH (&coord__methods[COORD__METHOD_WATCH])
#define KEEPALIVE (&coord__methods[COORD__METHOD_LEASE_KEEPALIVE])
/* A message of 16 bytes: 21 on the wire. */
#define MESSAGE      \
  T_BYTES(           \
      "\0\0\0\0\x10" \
      "0123456789abcdef")
enum { WINDOW = 65535, WIRE_SIZE = 21 };

static t_peer *peer;
static coord_client *client;

static void start(const t_rule *rules, size_t n, const t_h2_settings *settings) {
  peer = t_peer_grpc(rules, n, settings);
  client = t_client_with("endpoints", t_peer_endpoint(peer), "connect.lazy", "true",
                         "http2.stream.window.bytes", "65535", NULL);
}

#define START(rules) start(rules, sizeof(rules) / sizeof *(rules), NULL)

static void stop(void) {
  coord_client_free(client);
  t_peer_stop(peer);
}

typedef struct awaited {
  duplex *d;
  size_t messages;
} awaited;

static bool has_messages(void *arg) {
  awaited *a = arg;
  return atomic_load(&a->d->messages) >= a->messages;
}

static void expect_messages(duplex *d, size_t messages) {
  awaited a = {d, messages};
  t_wait_until(has_messages, &a, 20000);
  T_INT(d->messages, messages);
}

static bool was_reset(void *times) { return t_peer_resets(peer) >= *(int *)times; }

static void expect_resets(int times) {
  t_wait_until(was_reset, &times, 5000);
  T_INT(t_peer_resets(peer), times);
}

/* ---- messages ---- */

static void messages_come_in_order_and_then_the_end(void) {
  static const t_rule rules[] = {
      {.early = true, .data = MESSAGE, .repeat = 1000, .grpc_status = "0"}};
  duplex d = {0};
  char value[256];
  START(rules);
  duplex_open(&d, client, WATCH);
  duplex_expect_closed(&d, COORD_OK, "");
  T_TRUE(d.opened);
  T_INT(d.messages, 1000);
  T_INT(d.bytes, 16000);
  T_STR(t_peer_header(peer, ":path", value), "/etcdserverpb.Watch/Watch");
  T_STR(t_peer_header(peer, "hasleader", value), "true");
  T_STR(t_peer_header(peer, "grpc-timeout", value), "");
  stop();
}

static void last_message_ends_our_side(void) {
  static const t_rule rules[] = {{.data = MESSAGE, .grpc_status = "0"}};
  static char big[200000];
  duplex d = {0};
  START(rules);
  duplex_open(&d, client, WATCH);
  T_TRUE(t_wait_until(duplex_is_open, &d, 5000));
  duplex_send(&d, "one", 3, false);
  duplex_send(&d, big, sizeof big, false);
  duplex_send(&d, "", 0, false);
  T_INT(d.messages, 0);
  duplex_send(&d, "last", 4, true);
  duplex_expect_closed(&d, COORD_OK, "");
  T_INT(d.messages, 1);
  T_INT(t_peer_resets(peer), 0);
  stop();
}

static void messages_are_put_together_from_single_bytes(void) {
  static const t_rule rules[] = {{.early = true,
                                  .data = T_BYTES("\0\0\0\0\0\0\0\0\0\3one\0\0\0\0\2\1\2"),
                                  .repeat = 10,
                                  .grpc_status = "0"}};
  duplex d = {0};
  peer = t_peer_grpc(rules, 1, NULL);
  t_proxy *proxy = t_proxy_start(atoi(strchr(t_peer_endpoint(peer), ':') + 1));
  t_proxy_trickle(proxy, 1);
  client = t_client_with("endpoints", t_proxy_endpoint(proxy), "connect.lazy", "true", NULL);
  duplex_open(&d, client, WATCH);
  duplex_expect_closed(&d, COORD_OK, "");
  T_INT(d.messages, 30);
  T_INT(d.bytes, 50);
  stop();
  t_proxy_stop(proxy);
}

static void lanes_have_connections_of_their_own(void) {
  static const t_rule rules[] = {{.method = "Watch", .never = true},
                                 {.data = T_EMPTY_MESSAGE, .grpc_status = "0"}};
  duplex a = {0}, b = {0};
  coord_error *err = NULL;
  START(rules);
  T_OK(coord_put(client, "k", 1, "v", 1, &err), err);
  T_INT(t_peer_connections(peer), 1);
  duplex_open(&a, client, WATCH);
  duplex_open(&b, client, WATCH);
  T_TRUE(t_wait_until(duplex_is_open, &a, 5000) && t_wait_until(duplex_is_open, &b, 5000));
  T_INT(t_peer_connections(peer), 2);
  duplex_end(&a);
  duplex_end(&b);
  stop();
}

/* ---- flow control ---- */

static void paused_stream_stops_at_its_window_while_others_go_on(void) {
  enum { count = 100000 };
  static const t_rule rules[] = {
      {.early = true, .data = MESSAGE, .repeat = count, .stays_open = true}};
  duplex paused = {.pause_on_open = true}, other = {0};
  peer = t_peer_grpc(rules, 1, NULL);
  t_proxy *proxy = t_proxy_start(atoi(strchr(t_peer_endpoint(peer), ':') + 1));
  client = t_client_with("endpoints", t_proxy_endpoint(proxy), "connect.lazy", "true",
                         "http2.stream.window.bytes", "65535", NULL);
  duplex_open(&paused, client, WATCH);
  T_TRUE(t_wait_until(duplex_is_open, &paused, 5000));
  duplex_open(&other, client, WATCH);
  expect_messages(&other, count);
  T_INT(paused.messages, 0);
  /* The whole of one stream, and of the other one no more than its window. */
  int64_t down = t_proxy_bytes_down(proxy);
  T_TRUE(down > count * WIRE_SIZE);
  T_TRUE(down < count * WIRE_SIZE + WINDOW + 20000);
  duplex_resume(&paused);
  expect_messages(&paused, count);
  T_INT(paused.bytes, count * 16);
  duplex_end(&paused);
  duplex_end(&other);
  stop();
  t_proxy_stop(proxy);
}

static void stream_paused_after_each_message_delivers_one_at_a_time(void) {
  enum { count = 5000 };
  static const t_rule rules[] = {
      {.early = true, .data = MESSAGE, .repeat = count, .stays_open = true}};
  duplex d = {.pause_on_message = true};
  START(rules);
  duplex_open(&d, client, WATCH);
  for (size_t i = 1; i <= count; i++) {
    awaited a = {&d, i};
    T_FATAL(t_wait_until(has_messages, &a, 5000));
    T_FATAL(atomic_load(&d.messages) == i);
    duplex_resume(&d);
  }
  duplex_end(&d);
  stop();
}

/* No stream of the link is open any more: all that the server, which states no limit, allows are to
 * be had. */
static void look_at_capacity(void *arg) {
  duplex *d = arg;
  coord__link *link = d->stream.carrier->wire;
  *(bool *)d->user = link->ops->capacity(link) == UINT32_MAX;
}

static bool server_has_ended(void *arg) {
  duplex *d = arg;
  bool ended = false;
  d->user = &ended;
  duplex_on_loop(d->client, look_at_capacity, d);
  return ended;
}

static void stream_that_ended_while_paused_still_delivers_what_it_held(void) {
  static const t_rule rules[] = {
      {.early = true, .data = MESSAGE, .repeat = 1000, .grpc_status = "0"}};
  duplex d = {.pause_on_open = true};
  START(rules);
  duplex_open(&d, client, WATCH);
  T_TRUE(t_wait_until(duplex_is_open, &d, 5000));
  T_TRUE(t_wait_until(server_has_ended, &d, 5000));
  T_INT(d.messages, 0);
  T_TRUE(!d.closed);
  duplex_resume(&d);
  duplex_expect_closed(&d, COORD_OK, "");
  T_INT(d.messages, 1000);
  stop();
}

static void stream_that_ended_is_read_one_message_at_a_time(void) {
  static const t_rule rules[] = {{.early = true,
                                  .data = MESSAGE,
                                  .repeat = 100,
                                  .grpc_status = "9",
                                  .grpc_message = "that was it"}};
  duplex d = {.pause_on_open = true, .pause_on_message = true};
  START(rules);
  duplex_open(&d, client, WATCH);
  T_TRUE(t_wait_until(duplex_is_open, &d, 5000));
  T_TRUE(t_wait_until(server_has_ended, &d, 5000));
  for (size_t i = 1; i <= 100; i++) {
    T_TRUE(!d.closed);
    duplex_resume(&d);
    T_INT(d.messages, i);
  }
  duplex_expect_closed(&d, COORD_CONFLICT, "that was it");
  stop();
}

static void held_messages_may_be_dropped_in_every_state(void) {
  static const t_rule rules[] = {
      {.early = true, .data = MESSAGE, .repeat = 100, .grpc_status = "0"}};
  duplex ended = {.pause_on_open = true}, within = {.pause_on_open = true, .end_after = 5};
  duplex left = {.pause_on_open = true};
  START(rules);
  duplex *const all[] = {&ended, &within, &left};
  for (int i = 0; i < 3; i++) {
    duplex_open(all[i], client, WATCH);
    T_TRUE(t_wait_until(duplex_is_open, all[i], 5000));
    T_TRUE(t_wait_until(server_has_ended, all[i], 5000));
  }
  duplex_end(&ended);
  duplex_resume(&within);
  T_INT(within.messages, 5);
  coord_client_free(client);
  duplex_expect_closed(&left, COORD_UNAVAILABLE, "closed");
  T_TRUE(!ended.closed && !within.closed);
  T_INT(ended.messages, 0);
  t_peer_stop(peer);
}

/* ---- the end ---- */

static void ending_a_stream_resets_it_and_nothing_follows(void) {
  static const t_rule rules[] = {
      {.early = true, .data = MESSAGE, .repeat = 10000000, .grpc_status = "0"}};
  duplex d = {0}, within = {.end_after = 10};
  START(rules);
  duplex_open(&d, client, WATCH);
  awaited some = {&d, 100};
  T_TRUE(t_wait_until(has_messages, &some, 5000));
  duplex_end(&d);
  size_t seen = d.messages;
  duplex_open(&within, client, WATCH);
  expect_messages(&within, 10);
  expect_resets(2);
  T_INT(within.messages, 10);
  T_INT(d.messages, seen);
  T_TRUE(!d.closed && !within.closed);
  stop();
}

static void stream_may_be_ended_before_it_is_open(void) {
  static const t_rule rules[] = {{.never = true}};
  duplex d = {0}, again = {0};
  START(rules);
  duplex_open(&d, client, WATCH);
  duplex_end(&d);
  duplex_open(&again, client, WATCH);
  T_TRUE(t_wait_until(duplex_is_open, &again, 5000));
  T_TRUE(!d.closed);
  duplex_end(&again);
  stop();
}

typedef struct ending {
  t_rule rule;
  coord_code code;
  const char *part;
} ending;

static const ending endings[] = {
    {{.trailers_only = true, .grpc_status = "7", .grpc_message = "no"}, COORD_AUTH, "no"},
    {{.early = true, .trailers_only = true, .grpc_status = "14"}, COORD_UNAVAILABLE, "status 14"},
    {{.early = true, .data = MESSAGE, .grpc_status = "13"}, COORD_INTERNAL, "status 13"},
    {{.early = true, .data = MESSAGE}, COORD_UNAVAILABLE, "without a gRPC status"},
    {{.early = true, .data = MESSAGE, .reset = T_RESET(NGHTTP2_INTERNAL_ERROR)},
     COORD_UNAVAILABLE,
     "INTERNAL_ERROR"},
    {{.early = true, .reset = T_RESET(NGHTTP2_REFUSED_STREAM)}, COORD_UNAVAILABLE, "refused"},
    {{.early = true, .goaway = true, .last_back = 1}, COORD_UNAVAILABLE, "refused"},
    {{.early = true, .data = MESSAGE, .closes = true}, COORD_UNAVAILABLE, "closed"},
    {{.early = true, .data = T_BYTES("\1\0\0\0\0"), .stays_open = true},
     COORD_PROTOCOL,
     "compressed"},
    {{.early = true, .data = T_BYTES("\0\0\0\0\5half"), .grpc_status = "0"},
     COORD_PROTOCOL,
     "middle"},
    {{.early = true, .data = T_BYTES("\0\xff\xff\xff\xff"), .stays_open = true},
     COORD_TOO_LARGE,
     "response.max.bytes"},
    {{.early = true, .content_type = "text/html", .data = T_BYTES("<html>"), .stays_open = true},
     COORD_PROTOCOL,
     "text/html"},
    {{.early = true, .http_status = "502", .content_type = "text/html", .data = T_BYTES("x")},
     COORD_UNAVAILABLE,
     "502"},
};

static void ends_are_told_as_they_are(void) {
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    duplex d = {0};
    start(&endings[i].rule, 1, NULL);
    duplex_open(&d, client, KEEPALIVE);
    if (!endings[i].rule.early) {
      T_TRUE(t_wait_until(duplex_is_open, &d, 5000));
      duplex_send(&d, "x", 1, true);
    }
    bool seen = t_wait_until(duplex_is_closed, &d, 5000);
    if (!seen || d.code != endings[i].code ||
        strstr(coord_error_message(d.err), endings[i].part) == NULL) {
      T_FAIL("number %zu: %s: %s", i, coord_code_name(d.code), coord_error_message(d.err));
    }
    if (seen && d.code == COORD_UNAVAILABLE) {
      T_TRUE(coord_error_flags(d.err) & COORD_RETRIABLE);
    }
    T_STR(coord_error_endpoint(d.err), t_peer_endpoint(peer));
    coord_error_free(d.err);
    stop();
  }
}

static void stream_to_nobody_is_told_so(void) {
  duplex d = {0};
  peer = t_peer_raw(&t_raw_refuses);
  client = t_client_with("endpoints", t_peer_endpoint(peer), "connect.lazy", "true", "log.level",
                         "off", NULL);
  duplex_open(&d, client, WATCH);
  duplex_expect_closed(&d, COORD_UNAVAILABLE, "efused");
  T_TRUE(!d.opened);
  stop();
}

static void closing_the_client_closes_its_streams(void) {
  static const t_rule rules[] = {{.never = true}};
  duplex open = {0}, paused = {.pause_on_open = true}, late = {0};
  START(rules);
  duplex_open(&open, client, WATCH);
  duplex_open(&paused, client, WATCH);
  T_TRUE(t_wait_until(duplex_is_open, &open, 5000));
  T_TRUE(t_wait_until(duplex_is_open, &paused, 5000));
  coord_error *err = NULL;
  T_OK(coord_client_close(client, 10000, &err), err);
  duplex_open(&late, client, WATCH);
  T_TRUE(late.closed);
  duplex_expect_closed(&late, COORD_CLOSED, "client was closed");
  T_TRUE(t_wait_until(duplex_is_closed, &open, 5000));
  T_TRUE(t_wait_until(duplex_is_closed, &paused, 5000));
  coord_error_free(open.err);
  coord_error_free(paused.err);
  stop();
}

T_MAIN(T_CASE(messages_come_in_order_and_then_the_end), T_CASE(last_message_ends_our_side),
       T_CASE(messages_are_put_together_from_single_bytes),
       T_CASE(lanes_have_connections_of_their_own),
       T_CASE(paused_stream_stops_at_its_window_while_others_go_on),
       T_CASE(stream_paused_after_each_message_delivers_one_at_a_time),
       T_CASE(stream_that_ended_while_paused_still_delivers_what_it_held),
       T_CASE(stream_that_ended_is_read_one_message_at_a_time),
       T_CASE(held_messages_may_be_dropped_in_every_state),
       T_CASE(ending_a_stream_resets_it_and_nothing_follows),
       T_CASE(stream_may_be_ended_before_it_is_open), T_CASE(ends_are_told_as_they_are),
       T_CASE(stream_to_nobody_is_told_so), T_CASE(closing_the_client_closes_its_streams))
