#include "coord/keeper_wire.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "etcd/lease.h"
#include "etcd/result.h"

typedef struct bound {
  coord__part part;
  coord__keeper keeper;
  coord_client *client;
  coord__stream stream;
  coord__timer alarm;
} bound;

static bound *bound_of(coord__keeper *k) { return COORD__CONTAINER(k, bound, keeper); }

static const coord__method *method(void) { return &coord__methods[COORD__METHOD_LEASE_KEEPALIVE]; }

/* ---- the stream ---- */

static void on_opened(coord__stream *stream) {
  bound *b = COORD__CONTAINER(stream, bound, stream);
  coord__keeper_opened(&b->keeper, coord__clock_boot_ns());
}

static void on_message(coord__stream *stream, const uint8_t *p, size_t n) {
  bound *b = COORD__CONTAINER(stream, bound, stream);
  int64_t took_ns = coord__keeper_message(&b->keeper, p, n, coord__clock_boot_ns());
  if (took_ns < 0) return;
  coord__stats_record(&b->client->stats, method(), took_ns, COORD__KEEPALIVE_FRAME, n, 0);
}

static void on_closed(coord__stream *stream, coord_code code, coord_error *err) {
  bound *b = COORD__CONTAINER(stream, bound, stream);
  bool again = (coord_error_flags(err) & COORD_RETRIABLE) != 0;
  const char *why = err != NULL ? coord_error_message(err) : "the server ended the stream";
  coord__log_at(&b->client->log, COORD_LOG_DEBUG, "%s", why);
  coord__keeper_closed(&b->keeper, code, again, why, coord__clock_boot_ns());
  coord_error_free(err);
}

static void wire_open(coord__keeper *k) {
  bound *b = bound_of(k);
  b->stream = (coord__stream){
      .lane = COORD__LANE_LEASES, .opened = on_opened, .message = on_message, .closed = on_closed};
  coord__stream_open(&b->client->rpc, &b->stream, method());
}

static bool wire_send(coord__keeper *k, int64_t id) {
  uint8_t frame[COORD__KEEPALIVE_FRAME];
  size_t len = coord__keepalive_write(frame, id);
  return coord__stream_send(&bound_of(k)->stream, frame, len, false);
}

static void wire_leave(coord__keeper *k, bool silent) {
  bound *b = bound_of(k);
  if (!silent) {
    coord__stream_end(&b->stream);
    return;
  }
  coord__log_at(&b->client->log, COORD_LOG_WARN, "%s", k->why);
  coord__stream_leave(&b->stream, k->why);
}

/* ---- calls ---- */

static void on_told(coord__call *call) {
  coord__tenant *t = COORD__CONTAINER(call, coord__tenant, ask.call);
  coord_client *c = t->client;
  int64_t now = coord__clock_boot_ns();
  coord_code code = call->code;
  coord_error *err = call->error;
  coord__buf answer = call->response;
  int64_t id = 0, ttl_s = 0;
  if (code == COORD_OK && !coord__keepalive_read(answer.data, answer.len, &id, &ttl_s)) {
    code = COORD_PROTOCOL;
  }
  coord__stats_record(&c->stats, method(), now - t->kept.asked_ns, COORD__KEEPALIVE_FRAME,
                      answer.len, code != COORD_OK);
  coord__buf_free(&answer);
  coord__keeper_told(t->keeper, &t->kept, code, ttl_s, coord_error_message(err), now);
  coord_error_free(err);
}

static void wire_ask(coord__keeper *k, coord__kept *kept, int64_t until_boot_ns) {
  coord__tenant *t = (coord__tenant *)kept;
  coord_client *c = bound_of(k)->client;
  int64_t left_ns = until_boot_ns - coord__clock_boot_ns();
  coord__call *call = &t->ask.call;
  *call = (coord__call){.method = method(),
                        .repeatable = true,
                        .read_only = true,
                        .deadline_ns = coord__clock_ns() + left_ns,
                        .done = on_told};
  if (!coord__buf_reserve(&call->request, COORD__KEEPALIVE_FRAME)) {
    coord__keeper_told(k, kept, COORD_NO_MEMORY, 0, "memory is exhausted", kept->asked_ns);
    return;
  }
  call->request.len = coord__keepalive_write(call->request.data, kept->id);
  coord__call_start(&c->rpc, call);
}

static void ignore(coord__call *call) { coord_error_free(call->error); }

static void wire_cancel(coord__keeper *k, coord__kept *kept) {
  coord__tenant *t = (coord__tenant *)kept;
  (void)k;
  t->ask.call.done = ignore;
  coord__call_end(&t->ask.call, COORD_CANCELED, "nobody wants to know any more");
}

/* ---- the clock ---- */

static void on_alarm(coord__timer *timer) {
  bound *b = COORD__CONTAINER(timer, bound, alarm);
  coord__keeper_run(&b->keeper, coord__clock_boot_ns());
}

static void wire_wake(coord__keeper *k, int64_t at_ns) {
  bound *b = bound_of(k);
  if (at_ns == INT64_MAX) {
    coord__alarm_stop(b->client->loop, &b->alarm);
  } else {
    coord__alarm_set(b->client->loop, &b->alarm, at_ns);
  }
}

static const coord__keeper_wire wire = {wire_open, wire_send,   wire_leave,
                                        wire_ask,  wire_cancel, wire_wake};

/* ---- life ---- */

static void on_end(coord__part *part) {
  coord__keeper_end(&COORD__CONTAINER(part, bound, part)->keeper);
}

static void on_free(coord__part *part) {
  bound *b = COORD__CONTAINER(part, bound, part);
  coord__keeper_free(&b->keeper);
  coord__free(b);
}

coord__keeper *coord__client_keeper(coord_client *c) {
  if (c->keeper != NULL) return c->keeper;
  bound *b = coord__calloc(1, sizeof *b);
  if (b == NULL) return NULL;
  *b = (bound){.part.end = on_end, .part.free = on_free, .client = c, .alarm.fire = on_alarm};
  /* On the gateway each message of a stream is a request anyway. */
  coord__keeper_init(&b->keeper, &wire, c->rpc.config.wire == &coord__wire_gateway);
  coord__list_append(&c->parts, &b->part.link);
  c->keeper = &b->keeper;
  return c->keeper;
}

/* ---- tenants ---- */

static void start(coord__tenant *t, coord_op *op, int64_t deadline_ns,
                  void (*done)(coord__ask *ask, coord_code code, coord_error *err,
                               coord_result *result, bool doubt),
                  void (*told)(coord__tenant *t, coord_code code, coord_error *err)) {
  t->told = told;
  t->ask.client = t->client;
  t->ask.repeatable = true;
  t->ask.done = done;
  t->kept.asked_ns = coord__clock_boot_ns();
  coord__client_retain(t->client);
  coord__ask_start(&t->ask, op, deadline_ns);
}

/* The tenant may be gone with this. */
static void tell(coord__tenant *t, coord_code code, coord_error *err) {
  coord_client *c = t->client;
  t->told(t, code, err);
  coord__client_release(c);
}

static void on_tenant_opened(coord__ask *ask, coord_code code, coord_error *err,
                             coord_result *result, bool doubt) {
  coord__tenant *t = COORD__CONTAINER(ask, coord__tenant, ask);
  int64_t ttl_s = result != NULL ? result->ttl_s : 0;
  (void)doubt;
  coord__result_free(result);
  if (code == t->echo.code && coord__lease_is_echo(&ask->call, &t->echo)) {
    coord_error_free(err);
    err = NULL;
    code = COORD_OK;
    ttl_s = t->echo.ttl_s;
  }
  if (code != COORD_OK) {
    coord__keeper_leave(t->keeper, &t->kept);
  } else if (!coord__keeper_start(t->keeper, &t->kept, t->kept.asked_ns, ttl_s,
                                  coord__clock_boot_ns())) {
    code =
        coord__fail(&err, COORD_TIMEOUT, "%s: the answer took longer than the TTL of %" PRId64 " s",
                    ask->call.method->name, ttl_s);
  }
  tell(t, code, err);
}

void coord__tenant_open(coord__tenant *t, coord_op *op, const coord__echo *echo,
                        int64_t deadline_ns,
                        void (*opened)(coord__tenant *t, coord_code code, coord_error *err)) {
  coord_error *err = NULL;
  coord__keeper *k = coord__client_keeper(t->client);
  coord_code code = k != NULL ? coord__keeper_join(k, &t->kept) : COORD_NO_MEMORY;
  if (code == COORD_OK) {
    t->keeper = k;
    t->echo = *echo;
    start(t, op, deadline_ns, on_tenant_opened, opened);
    return;
  }
  coord__op_free(op);
  if (code == COORD_CONFLICT) {
    coord__fail(&err, code, "this client keeps lease %" PRIx64 " alive already; it has one handle",
                (uint64_t)t->kept.id);
  } else {
    coord__no_memory(&err);
  }
  opened(t, code, err);
}

static void on_tenant_revoked(coord__ask *ask, coord_code code, coord_error *err,
                              coord_result *result, bool doubt) {
  (void)doubt;
  coord__result_free(result);
  if (code == COORD_NOT_FOUND) {
    coord_error_free(err);
    err = NULL;
    code = COORD_OK;
  }
  tell(COORD__CONTAINER(ask, coord__tenant, ask), code, err);
}

void coord__tenant_revoke(coord__tenant *t, int64_t deadline_ns,
                          void (*revoked)(coord__tenant *t, coord_code code, coord_error *err)) {
  coord__keeper_leave(t->keeper, &t->kept);
  atomic_store(&t->kept.deadline_ns, 0);
  start(t, coord__op_lease_revoke(t->kept.id), deadline_ns, on_tenant_revoked, revoked);
}
