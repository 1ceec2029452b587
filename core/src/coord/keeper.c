#include "coord/keeper.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/random.h"
#include "etcd/lease.h"

/* Times of renewal are rounded down to this part of the interval, so that those of many leases fall
 * together: one packet and one waking for a batch of them. */
enum { SLOTS = 64, NS_PER_S = 1000000000 };

static const int64_t LEAST_PATIENCE_NS = 200 * COORD__NS_PER_MS;
static const int64_t MOST_PATIENCE_NS = 5000 * COORD__NS_PER_MS;
static const int64_t FIRST_PAUSE_NS = 50 * COORD__NS_PER_MS;
static const int64_t LONGEST_PAUSE_NS = 1000 * COORD__NS_PER_MS;

/* ---- one lease ---- */

static coord__kept *kept_of(coord__list *link) { return COORD__CONTAINER(link, coord__kept, link); }

int64_t coord__kept_left_ns(coord__kept *e, int64_t now) {
  int64_t deadline = atomic_load(&e->deadline_ns);
  while (deadline != 0) {
    if (now < deadline) return deadline - now;
    if (atomic_compare_exchange_weak(&e->deadline_ns, &deadline, 0)) return 0;
  }
  return 0;
}

/* False: the time was up, or somebody was told so meanwhile. */
static bool extend(coord__kept *e, int64_t until, int64_t now) {
  int64_t deadline = atomic_load(&e->deadline_ns);
  do {
    if (deadline == 0) return false;
    if (now >= deadline) return coord__kept_left_ns(e, now) > 0;
    if (until <= deadline) return true;
  } while (!atomic_compare_exchange_weak(&e->deadline_ns, &deadline, until));
  return true;
}

static int64_t risk_ns(const coord__kept *e) { return e->deadline_ns - e->ttl_ns / 3; }

static void rest_until(coord__kept *e, int64_t at, int64_t now) {
  int64_t slot = e->ttl_ns / 3 / SLOTS;
  e->state = COORD__KEPT_RESTS;
  e->renew_ns = slot > 0 ? at / slot * slot : at;
  if (e->renew_ns < now) e->renew_ns = now;
}

/* A fraction of the shortest TTL, for a stream carries all. After some failures it is more: it may be
 * that answers take their time. */
static int64_t patience_ns(const coord__keeper *k) {
  int64_t ns = k->least_ttl_ns / 6;
  if (ns < LEAST_PATIENCE_NS) ns = LEAST_PATIENCE_NS;
  if (ns > MOST_PATIENCE_NS) ns = MOST_PATIENCE_NS;
  ns <<= k->failures / 2 < 4 ? k->failures / 2 : 4;
  return ns < MOST_PATIENCE_NS ? ns : MOST_PATIENCE_NS;
}

/* ---- in and out ---- */

static void plan(coord__keeper *k, coord__kept *e) {
  int64_t at = e->at_risk ? e->deadline_ns : risk_ns(e);
  if (e->state == COORD__KEPT_RESTS && e->renew_ns < at) at = e->renew_ns;
  coord__heap_set(&k->due, &e->node, at);
}

/* When the stream is looked at again. */
static int64_t stream_due_ns(const coord__keeper *k) {
  bool asks = !coord__list_empty(&k->asked);
  bool waits = !coord__list_empty(&k->queued);
  if (k->state == COORD__KEEPER_OPEN && asks) {
    int64_t asked = COORD__CONTAINER(k->asked.next, coord__kept, link)->asked_ns;
    return (asked > k->since_ns ? asked : k->since_ns) + patience_ns(k);
  }
  if (k->state == COORD__KEEPER_OPENING && waits) return k->since_ns + patience_ns(k);
  if (k->state == COORD__KEEPER_PAUSE && waits) return k->since_ns;
  return INT64_MAX;
}

static void arm(coord__keeper *k) {
  int64_t at = stream_due_ns(k);
  if (k->due.top != NULL && k->due.top->key < at) at = k->due.top->key;
  if (at == k->wake_ns) return;
  k->wake_ns = at;
  k->wire->wake(k, at);
}

static void end_stream(coord__keeper *k, bool silent) {
  bool there = k->state == COORD__KEEPER_OPENING || k->state == COORD__KEEPER_OPEN;
  k->state = COORD__KEEPER_IDLE;
  if (there) k->wire->leave(k, silent);
}

static void end_unused_stream(coord__keeper *k) {
  if (k->all.len == 0) end_stream(k, false);
}

static void take_out(coord__keeper *k, coord__kept *e) {
  if (e->state == COORD__KEPT_ALONE) k->wire->cancel(k, e);
  e->state = COORD__KEPT_OUT;
  coord__list_remove(&e->link);
  coord__heap_remove(&k->due, &e->node);
  if (coord__map_find(&k->all, (uint64_t)e->id) == e) coord__map_remove(&k->all, (uint64_t)e->id);
}

static void lose(coord__keeper *k, coord__kept *e, const char *why) {
  take_out(k, e);
  atomic_store(&e->deadline_ns, 0);
  e->news(e, COORD__KEPT_LOST, COORD_LOST, why);
  end_unused_stream(k);
}

static void lose_in_time(coord__keeper *k, coord__kept *e) {
  char why[400];
  snprintf(why, sizeof why,
           "lease %" PRIx64 ": no keepalive was answered within its TTL of %" PRId64 " s%s%s",
           (uint64_t)e->id, e->ttl_ns / NS_PER_S, k->why[0] != '\0' ? "; last: " : "", k->why);
  lose(k, e, why);
}

static void lose_by_word(coord__keeper *k, coord__kept *e) {
  char why[96];
  snprintf(why, sizeof why, "lease %" PRIx64 ": etcd has it no more: it was revoked, or expired",
           (uint64_t)e->id);
  lose(k, e, why);
}

static void see_risk(coord__keeper *k, coord__kept *e, coord_code code, const char *why) {
  char text[400];
  e->at_risk = true;
  if (why == NULL) {
    snprintf(text, sizeof text, "lease %" PRIx64 ": no keepalive was answered for a while%s%s",
             (uint64_t)e->id, k->why[0] != '\0' ? "; last: " : "", k->why);
    why = text;
  }
  e->news(e, COORD__KEPT_AT_RISK, code, why);
}

/* ---- asking ---- */

static void note_failure(coord__keeper *k, coord_code code, const char *why) {
  k->failures++;
  k->code = code;
  snprintf(k->why, sizeof k->why, "%s", why);
}

static void note_success(coord__keeper *k) {
  k->failures = 0;
  k->why[0] = '\0';
}

/* What was asked and not answered is to be asked again, before all else. */
static void ask_again(coord__keeper *k) {
  for (coord__list *node = k->asked.next; node != &k->asked; node = node->next) {
    kept_of(node)->state = COORD__KEPT_QUEUED;
  }
  coord__list_splice(&k->asked, &k->queued);
  coord__list_splice(&k->queued, &k->asked);
}

static void pause_stream(coord__keeper *k, int64_t now) {
  int64_t ns = coord__backoff(FIRST_PAUSE_NS, LONGEST_PAUSE_NS, (int64_t)k->failures - 2);
  k->state = COORD__KEEPER_PAUSE;
  k->since_ns = k->failures > 1 ? now + coord__jitter(ns) : now;
}

static void send_queued(coord__keeper *k, int64_t now) {
  for (coord__list *node; (node = coord__list_pop(&k->queued)) != NULL;) {
    coord__kept *e = kept_of(node);
    if (!k->wire->send(k, e->id)) {
      coord__list_prepend(&k->queued, node);
      note_failure(k, COORD_NO_MEMORY, "memory is exhausted");
      ask_again(k);
      end_stream(k, false);
      k->failures++;
      pause_stream(k, now);
      return;
    }
    e->state = COORD__KEPT_ASKED;
    e->asked_ns = now;
    coord__list_append(&k->asked, node);
  }
}

/* Do what can be done about those that are queued. */
static void advance(coord__keeper *k, int64_t now) {
  if (coord__list_empty(&k->queued) || k->ended) return;
  bool opens =
      k->state == COORD__KEEPER_IDLE || (k->state == COORD__KEEPER_PAUSE && now >= k->since_ns);
  if (k->state == COORD__KEEPER_OPEN) send_queued(k, now);
  if (!opens) return;
  k->state = COORD__KEEPER_OPENING;
  k->since_ns = now;
  k->wire->open(k);
}

static void ask_alone(coord__keeper *k, coord__kept *e, int64_t now) {
  int64_t until = now + e->ttl_ns / 3;
  int64_t deadline = e->deadline_ns;
  e->state = COORD__KEPT_ALONE;
  e->asked_ns = now;
  k->wire->ask(k, e, until < deadline ? until : deadline);
}

static void renewed(coord__keeper *k, coord__kept *e, int64_t ttl_s, int64_t now) {
  int64_t ttl_ns = (ttl_s < COORD__TTL_MAX ? ttl_s : COORD__TTL_MAX) * NS_PER_S;
  e->ttl_ns = ttl_ns;
  if (ttl_ns < k->least_ttl_ns) k->least_ttl_ns = ttl_ns;
  if (!extend(e, e->asked_ns + ttl_ns, now)) {
    lose_in_time(k, e);
    return;
  }
  rest_until(e, e->asked_ns + ttl_ns / 3, now);
  bool was_at_risk = e->at_risk;
  e->at_risk = false;
  plan(k, e);
  if (was_at_risk) e->news(e, COORD__KEPT_RESTORED, COORD_OK, NULL);
}

/* ---- life ---- */

void coord__keeper_init(coord__keeper *k, const coord__keeper_wire *wire, bool only_alone) {
  *k = (coord__keeper){.wire = wire, .only_alone = only_alone, .wake_ns = INT64_MAX};
  k->least_ttl_ns = COORD__TTL_MAX * NS_PER_S;
  coord__list_init(&k->queued);
  coord__list_init(&k->asked);
}

void coord__keeper_free(coord__keeper *k) { coord__map_free(&k->all); }

coord_code coord__keeper_join(coord__keeper *k, coord__kept *e) {
  if (coord__map_find(&k->all, (uint64_t)e->id) != NULL) return COORD_CONFLICT;
  return coord__map_insert(&k->all, (uint64_t)e->id, e) ? COORD_OK : COORD_NO_MEMORY;
}

bool coord__keeper_start(coord__keeper *k, coord__kept *e, int64_t sent, int64_t ttl_s,
                         int64_t now) {
  int64_t ttl_ns = (ttl_s < COORD__TTL_MAX ? ttl_s : COORD__TTL_MAX) * NS_PER_S;
  if (k->ended || now >= sent + ttl_ns) {
    coord__keeper_leave(k, e);
    return false;
  }
  e->ttl_ns = ttl_ns;
  e->single = k->only_alone;
  atomic_store(&e->deadline_ns, sent + ttl_ns);
  if (ttl_ns < k->least_ttl_ns) k->least_ttl_ns = ttl_ns;
  /* The first time a little early, so that leases made together do not stay together. */
  int64_t half = ttl_ns / 6;
  rest_until(e, sent + half + (int64_t)(coord__random() % (uint64_t)half), now);
  plan(k, e);
  arm(k);
  return true;
}

void coord__keeper_refresh(coord__keeper *k, coord__kept *e, int64_t sent, int64_t ttl_s,
                           int64_t now) {
  if (e->state == COORD__KEPT_OUT) return;
  int64_t ttl_ns = (ttl_s < COORD__TTL_MAX ? ttl_s : COORD__TTL_MAX) * NS_PER_S;
  extend(e, sent + ttl_ns, now);
  plan(k, e);
  arm(k);
}

void coord__keeper_leave(coord__keeper *k, coord__kept *e) {
  take_out(k, e);
  end_unused_stream(k);
  arm(k);
}

void coord__keeper_end(coord__keeper *k) {
  k->ended = true;
  while (k->due.top != NULL) {
    coord__kept *e = COORD__CONTAINER(k->due.top, coord__kept, node);
    take_out(k, e);
    e->news(e, COORD__KEPT_ENDED, COORD_CLOSED, "the client was closed");
  }
  end_stream(k, false);
  arm(k);
}

/* ---- what happens ---- */

/* Nothing came for too long, on the stream or before it was open. */
static void watch_stream(coord__keeper *k, int64_t now) {
  if (k->state == COORD__KEEPER_PAUSE || now < stream_due_ns(k)) return;
  char why[96];
  snprintf(why, sizeof why, "lease_keepalive: no %s within %" PRId64 " ms",
           k->state == COORD__KEEPER_OPEN ? "answer" : "connection",
           patience_ns(k) / COORD__NS_PER_MS);
  note_failure(k, COORD_TIMEOUT, why);
  ask_again(k);
  end_stream(k, true);
}

void coord__keeper_run(coord__keeper *k, int64_t now) {
  coord__list due;
  coord__list_init(&due);
  k->wake_ns = INT64_MAX;
  /* What is lost is told before anything is sent. */
  for (coord__heap_node *top; (top = k->due.top) != NULL && top->key <= now;) {
    coord__kept *e = COORD__CONTAINER(top, coord__kept, node);
    if (coord__kept_left_ns(e, now) == 0) {
      lose_in_time(k, e);
      continue;
    }
    if (e->state == COORD__KEPT_RESTS && now >= e->renew_ns) {
      e->state = COORD__KEPT_QUEUED;
      coord__list_append(&due, &e->link);
    }
    bool is_late = !e->at_risk && now >= risk_ns(e);
    if (is_late) see_risk(k, e, k->failures > 0 ? k->code : COORD_TIMEOUT, NULL);
    plan(k, e);
  }
  for (coord__list *node; (node = coord__list_pop(&due)) != NULL;) {
    coord__kept *e = kept_of(node);
    if (e->single) {
      ask_alone(k, e, now);
    } else {
      coord__list_append(&k->queued, node);
    }
  }
  watch_stream(k, now);
  advance(k, now);
  arm(k);
}

void coord__keeper_opened(coord__keeper *k, int64_t now) {
  k->state = COORD__KEEPER_OPEN;
  k->since_ns = now;
  ask_again(k);
  advance(k, now);
  arm(k);
}

int64_t coord__keeper_message(coord__keeper *k, const uint8_t *bytes, size_t len, int64_t now) {
  int64_t id, ttl_s;
  if (!coord__keepalive_read(bytes, len, &id, &ttl_s)) {
    note_failure(k, COORD_PROTOCOL, "lease_keepalive: the server sent what is no answer to it");
    ask_again(k);
    end_stream(k, true);
    k->failures++;
    pause_stream(k, now);
    arm(k);
    return -1;
  }
  k->since_ns = now;
  note_success(k);
  coord__kept *e = coord__map_find(&k->all, (uint64_t)id);
  if (e == NULL || e->state != COORD__KEPT_ASKED) return -1;
  coord__list_remove(&e->link);
  int64_t took = now - e->asked_ns;
  if (ttl_s > 0) {
    renewed(k, e, ttl_s, now);
  } else {
    lose_by_word(k, e);
  }
  arm(k);
  return took;
}

/* Whether an end of the stream may be due to what it was asked. */
static bool is_refusal(coord_code code) {
  return code != COORD_OK && code != COORD_UNAVAILABLE && code != COORD_TIMEOUT &&
         code != COORD_CLOSED && code != COORD_CANCELED && code != COORD_NO_MEMORY;
}

void coord__keeper_closed(coord__keeper *k, coord_code code, bool again, const char *why,
                          int64_t now) {
  coord__kept *suspect = NULL;
  k->state = COORD__KEEPER_IDLE;
  /* The server does one after the other: it ended at the first that it has not answered. */
  if (!again && is_refusal(code) && !coord__list_empty(&k->asked)) {
    suspect = kept_of(coord__list_pop(&k->asked));
    suspect->single = true;
  } else {
    note_failure(k, code, why);
    pause_stream(k, now);
  }
  ask_again(k);
  if (suspect != NULL) ask_alone(k, suspect, now);
  advance(k, now);
  arm(k);
}

void coord__keeper_told(coord__keeper *k, coord__kept *e, coord_code code, int64_t ttl_s,
                        const char *why, int64_t now) {
  e->state = COORD__KEPT_RESTS;
  if (code == COORD_OK && ttl_s > 0) {
    e->single = k->only_alone;
    note_success(k);
    renewed(k, e, ttl_s, now);
  } else if (code == COORD_OK || code == COORD_NOT_FOUND) {
    lose_by_word(k, e);
  } else if (coord__kept_left_ns(e, now) == 0) {
    lose_in_time(k, e);
  } else {
    /* At once after a long silence; a refusal that comes quickly is not asked for in a circle. */
    int64_t pause = e->ttl_ns / 6 < MOST_PATIENCE_NS ? e->ttl_ns / 6 : MOST_PATIENCE_NS;
    int64_t again = e->asked_ns + coord__jitter(pause);
    e->renew_ns = again > now ? again : now;
    snprintf(k->why, sizeof k->why, "%s", why);
    if (!e->at_risk && is_refusal(code)) see_risk(k, e, code, why);
    plan(k, e);
  }
  arm(k);
}
