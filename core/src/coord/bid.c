#include "coord/bid.h"

#include "base/alloc.h"
#include "base/clock.h"

static coord__bid *bid_of(coord__claim *claim) { return (coord__bid *)claim; }

/* ---- calls ---- */

static void on_answer(coord__ask *ask, coord_code code, coord_error *err, coord_result *result,
                      bool doubt) {
  coord__claim_answered(&COORD__CONTAINER(ask, coord__bid, ask)->claim, code, err, result, doubt);
}

static void wire_ask(coord__claim *claim, coord_op *op) {
  coord__bid *bid = bid_of(claim);
  coord__ask_start(&bid->ask, op, coord__client_deadline_ns(bid->client, coord__clock_ns(), 0));
}

/* ---- watches ---- */

static coord__bid_eye *eye_of(coord__lookout *l) {
  return COORD__CONTAINER(l, coord__bid_eye, lookout);
}

static bool matters(coord__lookout *l, int32_t type, const coord_kv *kv) {
  const coord__bid_eye *eye = eye_of(l);
  return type == COORD_CHANGE_DELETE &&
         coord__claim_deleted(&eye->bid->claim, eye->which, kv->key, kv->key_len);
}

static void on_wake(coord__lookout *l) {
  const coord__bid_eye *eye = eye_of(l);
  coord__claim *claim = &eye->bid->claim;
  if (!l->watching && claim->watched[eye->which]) coord__claim_blind(claim, eye->which);
  coord__claim_attend(claim);
}

static void wire_unwatch(coord__claim *claim, coord__claim_eye eye) {
  coord__lookout_stop(&bid_of(claim)->eyes[eye].lookout);
}

static bool wire_watch(coord__claim *claim, coord__claim_eye eye, const void *key, size_t key_len,
                       bool prefix, int64_t revision) {
  coord_op *get = coord__op_get(key, key_len);
  if (get != NULL && prefix) coord__op_set_prefix(get);
  if (get != NULL) coord__op_set(get, COORD_OP_NO_PUTS, 1);
  return coord__lookout_watch(&bid_of(claim)->eyes[eye].lookout, get, revision);
}

/* ---- time ---- */

static void on_timer(coord__timer *timer) {
  coord__claim_run(&COORD__CONTAINER(timer, coord__bid, timer)->claim);
}

static void wire_wake(coord__claim *claim, int64_t after_ns) {
  coord__bid *bid = bid_of(claim);
  if (after_ns == INT64_MAX) {
    coord__timer_stop(bid->client->loop, &bid->timer);
  } else {
    coord__timer_set(bid->client->loop, &bid->timer, coord__clock_ns() + after_ns);
  }
}

static const coord__claim_wire wire = {wire_ask, wire_watch, wire_unwatch, wire_wake};

/* ---- life ---- */

coord__bid *coord__bid_new(coord_client *c, const void *name, size_t name_len,
                           void (*told)(coord__claim *claim, coord__claim_news news,
                                        coord_code code, coord_error *err)) {
  coord__bid *bid = coord__calloc(1, sizeof *bid);
  if (bid == NULL) return NULL;
  if (!coord__claim_init(&bid->claim, &wire, name, name_len)) {
    coord__claim_free(&bid->claim);
    coord__free(bid);
    return NULL;
  }
  bid->claim.told = told;
  bid->client = bid->ask.client = c;
  bid->ask.done = on_answer;
  bid->ask.repeatable = true;
  for (int i = 0; i < 2; i++) {
    bid->eyes[i].bid = bid;
    bid->eyes[i].which = (coord__claim_eye)i;
    coord__lookout_init(&bid->eyes[i].lookout, c, matters, on_wake);
  }
  bid->timer.fire = on_timer;
  coord__client_retain(c);
  return bid;
}

static void end_farewell(coord__bid *bid) {
  if (bid->takes_leave) coord__client_farewell_ended(bid->client);
  bid->takes_leave = false;
}

static void told_nobody(coord__claim *claim, coord__claim_news news, coord_code code,
                        coord_error *err) {
  (void)code;
  coord_error_free(err);
  if (news == COORD__CLAIM_HAS_LEFT) end_farewell(bid_of(claim));
  if (news == COORD__CLAIM_IS_OVER) coord__bid_free(bid_of(claim));
}

void coord__bid_abandon(coord__bid *bid) {
  coord__claim *claim = &bid->claim;
  if (claim->state == COORD__CLAIM_OUT && !claim->asking) { /* it has not begun */
    coord__bid_free(bid);
    return;
  }
  bid->owner = NULL;
  claim->told = told_nobody;
  if (!claim->ended) {
    bid->takes_leave = true;
    coord__client_farewell(bid->client);
  }
  coord__claim_leave(claim);
}

void coord__bid_free(coord__bid *bid) {
  coord_client *c = bid->client;
  end_farewell(bid);
  for (int i = 0; i < 2; i++) coord__lookout_stop(&bid->eyes[i].lookout);
  coord__timer_stop(c->loop, &bid->timer);
  coord__session_leave(&bid->member);
  coord__claim_free(&bid->claim);
  coord__free(bid);
  coord__client_release(c);
}
