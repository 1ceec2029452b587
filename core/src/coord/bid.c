#include "coord/bid.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "coord/changes.h"
#include "coord/watch_handle.h"

static coord__bid *bid_of(coord__claim *claim) { return (coord__bid *)claim; }

/* ---- calls ---- */

static void on_answer(coord__ask *ask, coord_code code, coord_error *err, coord_result *result,
                      bool doubt) {
  coord__claim_answered(&COORD__CONTAINER(ask, coord__bid, ask)->claim, code, err, result, doubt);
}

static void wire_ask(coord__claim *claim, coord_op *op) {
  coord__bid *bid = bid_of(claim);
  coord__ask_start(&bid->ask, op, coord__client_deadline_ns(bid->client, 0));
}

/* ---- watches ---- */

static coord__bid *bid_of_sub(coord__subscription *s, coord__claim_eye *eye) {
  coord__bid *bid = s->owner;
  *eye = s == &bid->subs[COORD__EYE_OWN] ? COORD__EYE_OWN : COORD__EYE_BLOCKER;
  return bid;
}

/* What is to be done must not be done from within the watcher. */
static void attend_later(coord__bid *bid) {
  coord__loop_defer_first(bid->client->loop, &bid->attend);
}

static void on_attend(coord__idle *idle) {
  coord__claim_attend(&COORD__CONTAINER(idle, coord__bid, attend)->claim);
}

static bool on_stands(coord__subscription *s, int64_t revision, coord_code broken) {
  (void)s;
  (void)revision;
  (void)broken;
  return true;
}

static void on_changes(coord__subscription *s, coord_event *event) {
  coord__claim_eye eye;
  coord__bid *bid = bid_of_sub(s, &eye);
  for (size_t i = 0; i < coord_event_count(event); i++) {
    int32_t type = COORD_CHANGE_PUT;
    coord_kv kv;
    if (coord_event_change(event, i, &type, &kv, NULL) != COORD_OK) continue;
    if (type != COORD_CHANGE_DELETE) continue;
    if (coord__claim_deleted(&bid->claim, eye, kv.key, kv.key_len)) attend_later(bid);
  }
  coord_event_free(event);
}

static void on_ended(coord__subscription *s, coord_code code, coord_error *err, int64_t compacted) {
  coord__claim_eye eye;
  coord__bid *bid = bid_of_sub(s, &eye);
  (void)compacted;
  coord__log_at(&bid->client->log, COORD_LOG_DEBUG, "lock: a watch has ended: %s",
                err != NULL ? coord_error_message(err) : coord_code_name(code));
  coord_error_free(err);
  if (coord__claim_blind(&bid->claim, eye)) attend_later(bid);
}

static const coord__subscriber subscriber = {on_stands, on_changes, on_ended};

static void wire_unwatch(coord__claim *claim, coord__claim_eye eye) {
  coord__bid *bid = bid_of(claim);
  if (!bid->used[eye]) return;
  bid->used[eye] = false;
  coord__watcher_remove(&bid->subs[eye]);
  coord__watch_free(&bid->subs[eye].watch);
}

static bool wire_watch(coord__claim *claim, coord__claim_eye eye, const void *key, size_t key_len,
                       bool prefix, int64_t revision) {
  coord__bid *bid = bid_of(claim);
  coord_client *c = bid->client;
  coord__subscription *s = &bid->subs[eye];
  wire_unwatch(claim, eye);
  coord__watcher *watcher = coord__client_watcher(c);
  coord_op *get = watcher != NULL ? coord__op_get(key, key_len) : NULL;
  if (get == NULL) return false;
  if (prefix) coord__op_set_prefix(get);
  coord__op_set(get, COORD_OP_NO_PUTS, 1);
  *s = (coord__subscription){.subscriber = &subscriber, .owner = bid};
  bool ok = coord__watch_init(&s->watch, get, revision, &c->ns, NULL) == COORD_OK;
  coord__op_free(get);
  if (ok && !coord__watcher_add(watcher, s)) {
    coord__watch_free(&s->watch);
    ok = false;
  }
  bid->used[eye] = ok;
  return ok;
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
  bid->attend.run = on_attend;
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
  for (int eye = 0; eye < 2; eye++) wire_unwatch(&bid->claim, (coord__claim_eye)eye);
  coord__timer_stop(c->loop, &bid->timer);
  coord__idle_cancel(&bid->attend);
  coord__session_leave(&bid->member);
  coord__claim_free(&bid->claim);
  coord__free(bid);
  coord__client_release(c);
}
