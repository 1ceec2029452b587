#include "rpc/target.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "rpc/rpc.h"
#include "rpc/state.h"

/* Probes follow each other ever more slowly; one who was well for CALM_MS begins anew. */
enum { FIRST_PROBE_MS = 100, LAST_PROBE_MS = 5000, CALM_MS = 10000 };

static void on_timer(coord__timer *timer);
static void on_probed(coord__attempt *attempt, const coord__outcome *outcome, coord__buf *body);

coord__target *coord__target_new(coord__rpc *rpc, const coord__endpoint *endpoint) {
  coord__target *t = coord__calloc(1, sizeof *t);
  if (t == NULL) return NULL;
  *t = (coord__target){.rpc = rpc, .endpoint = endpoint, .timer.fire = on_timer};
  for (int i = 0; i < COORD__LANES; i++) {
    coord__path_init(&t->paths[i], &rpc->channels[i], t);
  }
  return t;
}

/* ---- probes ---- */

static void cancel_probe(coord__target *t) {
  coord__timer_stop(t->rpc->loop, &t->timer);
  if (!t->probing) return;
  t->probing = false;
  t->paths[COORD__LANE_CALLS].carrier->wire->ops->cancel(&t->probe);
}

static void probe_later(coord__target *t) {
  int64_t ms = coord__backoff(FIRST_PROBE_MS, LAST_PROBE_MS, t->strikes - 1);
  coord__timer_set(t->rpc->loop, &t->timer,
                   coord__loop_now_ns(t->rpc->loop) + coord__jitter(ms * COORD__NS_PER_MS));
}

static void fail_probe(coord__target *t) {
  t->strikes++;
  probe_later(t);
}

static void probe(coord__target *t) {
  const coord__carrier *c = t->paths[COORD__LANE_CALLS].carrier;
  if (c == NULL || !c->is_ready) return; /* coord__target_linked follows */
  const coord__rpc_config *config = &t->rpc->config;
  int64_t until = coord__clock_ns() + config->attempt_timeout_ms * COORD__NS_PER_MS;
  memcpy(t->frame + COORD__FRAME_HEADROOM, config->probe.message, config->probe.len);
  t->probe = (coord__attempt){.method = config->probe.method,
                              .frame = t->frame,
                              .frame_len = COORD__FRAME_HEADROOM + config->probe.len,
                              .deadline_ns = until,
                              .needs_leader = true,
                              .done = on_probed};
  if (!c->wire->ops->call(c->wire, &t->probe)) {
    fail_probe(t);
    return;
  }
  t->probing = true;
  coord__timer_set(t->rpc->loop, &t->timer, until);
}

static void on_timer(coord__timer *timer) {
  coord__target *t = COORD__CONTAINER(timer, coord__target, timer);
  if (!t->probing) {
    probe(t);
    return;
  }
  cancel_probe(t);
  fail_probe(t);
}

static void on_probed(coord__attempt *attempt, const coord__outcome *outcome, coord__buf *body) {
  coord__target *t = COORD__CONTAINER(attempt, coord__target, probe);
  (void)body;
  t->probing = false;
  coord__timer_stop(t->rpc->loop, &t->timer);
  uint32_t flags = 0;
  bool well = outcome->code == COORD_OK;
  if (well && outcome->grpc_status != 0) {
    coord_code code = t->rpc->config.classify(outcome->grpc_status, outcome->message, true, &flags);
    well = code != COORD_UNAVAILABLE && code != COORD_TIMEOUT;
  }
  if (well) {
    coord__target_served(t);
  } else {
    fail_probe(t);
  }
}

/* ---- in and out ---- */

void coord__target_eject(coord__target *t, coord_code code, const char *why) {
  coord__rpc *rpc = t->rpc;
  if (t->ejected || rpc->closed || rpc->target_count < 2) return;
  int64_t now = coord__loop_now_ns(rpc->loop);
  if (now - t->restored_ns > CALM_MS * COORD__NS_PER_MS) t->strikes = 0;
  t->ejected = true;
  t->ejected_ns = now;
  t->strikes++;
  atomic_fetch_add(&rpc->counters.ejections, 1);
  coord__log_at(rpc->log, COORD_LOG_WARN, "%s: gets no calls for now: %s", t->endpoint->name, why);
  coord__rpc_state(rpc, COORD_STATE_EJECTED, t->endpoint->name, code, why);
  probe_later(t);
}

void coord__target_served(coord__target *t) {
  if (!t->ejected) return;
  cancel_probe(t);
  t->ejected = false;
  t->restored_ns = coord__loop_now_ns(t->rpc->loop);
  coord__log_at(t->rpc->log, COORD_LOG_INFO, "%s: gets calls again", t->endpoint->name);
  coord__rpc_state(t->rpc, COORD_STATE_RESTORED, t->endpoint->name, COORD_OK, "it answers again");
}

void coord__target_linked(coord__target *t) {
  if (t->ejected && !t->probing) probe(t);
}

void coord__target_unlinked(coord__target *t) {
  if (t->ejected) cancel_probe(t);
}

void coord__target_free(coord__target *t) {
  cancel_probe(t);
  for (int i = 0; i < COORD__LANES; i++) coord__path_leave(&t->paths[i]);
  coord__free(t);
}
