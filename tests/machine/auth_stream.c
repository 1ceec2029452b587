/* Opening a client, and streams, where a login comes first. */
#include "machine/login.h"

/* ---- opening a client ---- */

typedef struct opening {
  bool told;
  coord_code code;
  char message[128];
} opening;

static void on_opened(void *user, coord_code code, const coord_error *err) {
  opening *o = user;
  T_TRUE(!o->told);
  *o = (opening){.told = true, .code = code};
  snprintf(o->message, sizeof o->message, "%s", coord_error_message(err));
}

static void do_open(void *o) { coord__auth_open(&auth, on_opened, o); }

static void look_told(void *arg) {
  opening **both = arg;
  both[1] = both[0]->told ? both[0] : NULL;
}

static bool is_told(void *o) {
  opening *both[2] = {o, NULL};
  on_loop(look_told, both);
  return both[1] != NULL;
}

static void opening_waits_for_the_login(void) {
  opening o = {0};
  start();
  on_loop(do_open, &o);
  arrives("authenticate", 1, "-");
  T_TRUE(!is_told(&o));
  give_token("t1");
  T_TRUE(t_wait_until(is_told, &o, 1000));
  T_CODE(o.code, COORD_OK);
  stop();
}

static void opening_is_told_of_a_refusal(void) {
  opening o = {0};
  start();
  on_loop(do_open, &o);
  arrives("authenticate", 1, "-");
  answer("authenticate", 3, "etcdserver: authentication failed, invalid user ID or password");
  T_TRUE(t_wait_until(is_told, &o, 1000));
  T_CODE(o.code, COORD_AUTH);
  T_HAS(o.message, "login as \"ann\": etcdserver: authentication failed");
  stop();
}

static void opening_does_not_wait_for_ever(void) {
  opening o = {0};
  start_as("ann", "secret", "", 100);
  on_loop(do_open, &o);
  T_TRUE(t_wait_until(is_told, &o, 1000));
  T_CODE(o.code, COORD_TIMEOUT);
  T_HAS(o.message, "login as \"ann\": the deadline passed");
  stop();
}

static void opening_with_a_given_token_asks_nobody(void) {
  opening o = {0};
  start_as("", "", "given", 100);
  on_loop(do_open, &o);
  T_TRUE(o.told);
  T_CODE(o.code, COORD_OK);
  stop();
}

/* ---- streams ---- */

typedef struct flow {
  coord__stream stream; /* first */
  int opened;
  bool closed;
  bool refused; /* what coord__stream_refused said */
  coord_code code;
  uint32_t flags;
} flow;

static void on_flow_opened(coord__stream *stream) { ((flow *)stream)->opened++; }

static void on_flow_message(coord__stream *stream, const uint8_t *p, size_t n) {
  (void)stream, (void)p, (void)n;
}

static void on_flow_closed(coord__stream *stream, coord_code code, coord_error *err) {
  flow *f = (flow *)stream;
  f->closed = true;
  f->code = code;
  f->flags = coord_error_flags(err);
  coord_error_free(err);
}

static void do_flow(void *arg) {
  flow *f = arg;
  f->stream = (coord__stream){.lane = COORD__LANE_CALLS,
                              .opened = on_flow_opened,
                              .message = on_flow_message,
                              .closed = on_flow_closed};
  coord__stream_open(&rpc, &f->stream, &coord__methods[COORD__METHOD_WATCH]);
}

static void do_send(void *f) {
  uint8_t frame[COORD__FRAME_HEADROOM + 1] = {0};
  T_TRUE(coord__stream_send(&((flow *)f)->stream, frame, sizeof frame, false));
}

static void do_hear(void *f) {
  coord__wire_stream *stream = &((flow *)f)->stream.wire;
  stream->message(stream, (const uint8_t *)"x", 1);
}

static void do_refuse(void *arg) {
  flow *f = arg;
  f->refused = coord__stream_refused(&f->stream, "rpc error: etcdserver: invalid auth token");
}

static void do_end(void *f) { coord__stream_end(&((flow *)f)->stream); }

static void stream_refused_at_its_opening_is_opened_again(void) {
  flow f = {0};
  start();
  on_loop(do_flow, &f);
  logged_in("t0");
  arrives("watch", 1, "t0");
  on_loop(do_send, &f);
  settle();
  answer("watch", 16, bad_token);
  T_INT(f.opened, 1);
  on_loop(do_send, &f); /* goes nowhere */
  T_INT(messages_sent, 1);
  logged_in("t1");
  arrives("watch", 1, "t1");
  T_INT(f.opened, 2);
  T_TRUE(!f.closed);
  on_loop(do_end, &f);
  arrives("watch", 0, "");
  stop();
}

static void stream_that_has_begun_is_closed_with_a_hint(void) {
  flow f = {0};
  start();
  on_loop(do_flow, &f);
  logged_in("t0");
  arrives("watch", 1, "t0");
  settle();
  on_loop(do_hear, &f);
  answer("watch", 16, bad_token);
  T_TRUE(f.closed);
  T_CODE(f.code, COORD_AUTH);
  T_INT(f.flags, COORD_RETRIABLE);
  f = (flow){0};
  on_loop(do_flow, &f); /* as whoever keeps it up does */
  logged_in("t1");
  arrives("watch", 1, "t1");
  on_loop(do_end, &f);
  stop();
}

static void reason_in_a_message_of_a_stream(void) {
  flow f = {0};
  start();
  on_loop(do_flow, &f);
  logged_in("t0");
  arrives("watch", 1, "t0");
  settle();
  on_loop(do_refuse, &f);
  T_TRUE(f.refused);
  on_loop(do_end, &f);
  f = (flow){0};
  on_loop(do_flow, &f);
  logged_in("t1");
  arrives("watch", 1, "t1");
  on_loop(do_end, &f);
  stop();
}

static void streams_end_with_a_refused_login(void) {
  flow held = {0}, ended = {0}, closed = {0};
  start();
  on_loop(do_flow, &held);
  on_loop(do_flow, &ended);
  arrives("authenticate", 1, "-");
  on_loop(do_end, &ended);
  answer("authenticate", 3, "etcdserver: authentication failed, invalid user ID or password");
  T_TRUE(held.closed && !ended.closed);
  T_CODE(held.code, COORD_AUTH);
  on_loop(do_flow, &closed);
  on_loop(do_close, NULL);
  T_TRUE(closed.closed);
  stop();
}

T_MAIN(T_CASE(opening_waits_for_the_login), T_CASE(opening_is_told_of_a_refusal),
       T_CASE(opening_does_not_wait_for_ever), T_CASE(opening_with_a_given_token_asks_nobody),
       T_CASE(stream_refused_at_its_opening_is_opened_again),
       T_CASE(stream_that_has_begun_is_closed_with_a_hint), T_CASE(reason_in_a_message_of_a_stream),
       T_CASE(streams_end_with_a_refused_login))
