/* One lane: its links to the endpoints, failing over, handing out. The lane of calls has a link to
 * every endpoint and spreads the calls over them; the others have one link at a time. */
#include "rpc/channel.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "rpc/rpc.h"
#include "rpc/state.h"

/* Between tries to connect, while somebody waits; a link that only may be needed is not hurried. */
enum { FIRST_PAUSE_MS = 25, LONGEST_PAUSE_MS = 1000, IDLE_PAUSE_MS = 500, LONGEST_IDLE_MS = 10000 };

static bool is_wide(const coord__channel *ch) {
  return ch == &ch->rpc->channels[COORD__LANE_CALLS];
}

static bool is_wanted(const coord__channel *ch) {
  return !coord__list_empty(&ch->waiting) || !coord__list_empty(&ch->streams);
}

/* A spare link is kept up without being asked for. */
static bool is_kept(const coord__channel *ch) {
  return ch->active && is_wide(ch) && ch->rpc->target_count > 1;
}

/* ---- links ---- */

/* The path has no link any more. */
static void unlink_path(coord__carrier *c) {
  if (c->path != NULL) c->path->carrier = NULL;
  c->path = NULL;
}

static void drop_carrier(coord__carrier *c) {
  coord__rpc *rpc = c->channel->rpc;
  unlink_path(c);
  if (c->is_ready) atomic_fetch_sub(&rpc->counters.connections, 1);
  coord__timer_stop(rpc->loop, &c->patience);
  coord__timer_stop(rpc->loop, &c->stall);
  coord__list_remove(&c->link);
  /* Ends the exchanges on it, whose owners may ask for a new link right away. */
  c->retiring = true;
  c->wire->ops->close(c->wire);
  coord__free(c);
}

/* The link finishes what it carries; what is new goes to another. It may be gone then. */
static void retire(coord__carrier *c) {
  coord__channel *ch = c->channel;
  if (c->path != NULL && is_wide(ch)) coord__target_unlinked(c->path->target);
  unlink_path(c);
  c->retiring = true;
  if (c->wire->ops->in_flight(c->wire) == 0) drop_carrier(c);
  if (is_wanted(ch) || is_kept(ch)) coord__channel_wake(ch);
}

static void hold_off(coord__path *path) {
  int64_t ms = coord__backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS, (int64_t)path->failures - 1);
  path->not_before_ns =
      coord__loop_now_ns(path->channel->rpc->loop) + coord__jitter(ms * COORD__NS_PER_MS);
}

/* Without a link, streams are told at once: whoever keeps them up decides when to ask again. */
static void fail_streams(coord__channel *ch, const char *endpoint) {
  coord__list failed;
  coord__list_init(&failed);
  coord__list_splice(&failed, &ch->streams);
  for (coord__list *node; (node = coord__list_pop(&failed)) != NULL;) {
    coord__stream_fail(COORD__CONTAINER(node, coord__stream, link), ch->last_code, ch->last_why,
                       endpoint);
  }
}

static void note_failure(coord__path *path, coord_code code, const char *why,
                         const char *endpoint) {
  coord__channel *ch = path->channel;
  coord__rpc *rpc = ch->rpc;
  ch->last_code = code;
  snprintf(ch->last_why, sizeof ch->last_why, "%s: %s", endpoint, why);
  bool first = path->failures++ == 0;
  hold_off(path);
  coord__discovery_note_failure(&rpc->discovery);
  atomic_fetch_add(&rpc->counters.connect_failed, 1);
  coord__log_at(rpc->log, COORD_LOG_WARN, "%s", ch->last_why);
  coord__rpc_state(rpc, COORD_STATE_UNREACHABLE, endpoint, code, why);
  fail_streams(ch, endpoint);
  if (first && is_wide(ch) && rpc->connect_result != NULL) {
    rpc->connect_result(rpc->user, code, why, endpoint);
  }
}

/* The server has ended a link that was in use. One that accepts and then hangs up without a word
 * must not be asked in a tight circle; a lane with one link tries the next endpoint first. */
static void move_on(coord__path *path, bool has_served) {
  path->failures = has_served ? 0 : path->failures + 1;
  path->not_before_ns = 0;
  bool others = !is_wide(path->channel) && path->channel->rpc->target_count > 1;
  if (!has_served || others) hold_off(path);
}

static void on_lost(void *owner, coord_code code, const char *why) {
  coord__carrier *c = owner;
  coord__channel *ch = c->channel;
  coord__rpc *rpc = ch->rpc;
  coord__path *path = c->path;
  const char *endpoint = c->endpoint->name;
  bool was_ready = c->is_ready;
  char reason[256];
  snprintf(reason, sizeof reason, "%s", why);
  if (was_ready && path != NULL) move_on(path, c->has_served);
  drop_carrier(c);
  if (was_ready) {
    atomic_fetch_add(&rpc->counters.connections_lost, 1);
    if (rpc->closed) return;
    coord__log_at(rpc->log, COORD_LOG_INFO, "%s: %s", endpoint, reason);
    coord__rpc_state(rpc, COORD_STATE_DISCONNECTED, endpoint, code, reason);
  } else if (path != NULL && !rpc->closed) {
    note_failure(path, code, reason, endpoint);
  }
  if (path == NULL || rpc->closed) return;
  if (is_wanted(ch)) coord__channel_pump(ch);
  if (is_wanted(ch) || is_kept(ch)) coord__channel_wake(ch);
}

void coord__channel_abandon(coord__carrier *c, const char *why) {
  on_lost(c, COORD_UNAVAILABLE, why);
}

static void on_patience(coord__timer *timer) {
  coord__carrier *c = COORD__CONTAINER(timer, coord__carrier, patience);
  char why[96];
  snprintf(why, sizeof why, "no answer to the connection within %lld ms (connect.timeout.ms)",
           (long long)c->channel->rpc->config.link.connect_timeout_ms);
  on_lost(c, COORD_TIMEOUT, why);
}

static void on_ready(void *owner) {
  coord__carrier *c = owner;
  coord__channel *ch = c->channel;
  coord__rpc *rpc = ch->rpc;
  c->is_ready = true;
  coord__timer_stop(rpc->loop, &c->patience);
  atomic_fetch_add(&rpc->counters.connected, 1);
  atomic_fetch_add(&rpc->counters.connections, 1);
  coord__log_at(rpc->log, COORD_LOG_INFO, "%s: connected", c->endpoint->name);
  coord__rpc_state(rpc, COORD_STATE_CONNECTED, c->endpoint->name, COORD_OK, "");
  if (is_wide(ch)) {
    if (rpc->connect_result != NULL) {
      rpc->connect_result(rpc->user, COORD_OK, "", c->endpoint->name);
    }
    if (c->path != NULL) coord__target_linked(c->path->target);
  }
  coord__channel_pump(ch);
}

static void on_changed(void *owner) {
  coord__carrier *c = owner;
  if (!c->retiring) {
    if (is_wanted(c->channel)) coord__channel_pump(c->channel);
  } else if (c->wire->ops->in_flight(c->wire) == 0) {
    drop_carrier(c);
  }
}

static void on_draining(void *owner, bool calm) {
  coord__carrier *c = owner;
  coord__rpc *rpc = c->channel->rpc;
  coord__log_at(rpc->log, COORD_LOG_INFO, "%s: the server asks to leave this connection%s",
                c->endpoint->name, calm ? ": too many PINGs" : "");
  if (calm) rpc->config.link.keepalive_interval_ns *= 2;
  if (!c->is_ready) return; /* patience or the end of the connection follows */
  if (c->path != NULL) move_on(c->path, c->has_served);
  retire(c);
}

void coord__channel_avoid(coord__carrier *c) {
  if (c->path == NULL || c->channel->rpc->target_count == 1 || c->channel->rpc->closed) return;
  move_on(c->path, true);
  retire(c);
}

void coord__channel_skip(coord__channel *ch) {
  const coord__rpc *rpc = ch->rpc;
  if (rpc->target_count == 1 || rpc->closed) return;
  for (size_t i = 0; i < rpc->target_count; i++) {
    coord__carrier *c = rpc->targets[i]->paths[ch->lane].carrier;
    if (c == NULL || c->is_ready) continue;
    move_on(c->path, false);
    retire(c);
  }
}

/* ---- silence ---- */

/* How long this one may wait for a sign of life: each time that it had to go elsewhere, twice as
 * long as before, for there are answers that take their time. */
static int64_t patience_ns(const coord__rpc *rpc, const coord__call *call) {
  return (rpc->config.attempt_timeout_ms * COORD__NS_PER_MS) << (call->tries < 6 ? call->tries : 6);
}

/* What may be sent twice is sent again, elsewhere. The rest waits for its deadline. The link may be
 * gone then. */
static void move_calls(coord__carrier *c) {
  coord__list moving;
  coord__list_init(&moving);
  if (!coord__channel_has_other(c->channel, c->endpoint->name)) return;
  for (coord__list *node = c->calls.next, *next; node != &c->calls; node = next) {
    next = node->next;
    if (!coord__call_may_move(COORD__CONTAINER(node, coord__call, link))) continue;
    coord__list_remove(node);
    coord__list_append(&moving, node);
  }
  while (!coord__list_empty(&moving)) {
    coord__call_move(COORD__CONTAINER(moving.next, coord__call, link));
  }
}

static void on_stall(coord__timer *timer) {
  coord__carrier *c = COORD__CONTAINER(timer, coord__carrier, stall);
  coord__channel *ch = c->channel;
  coord__rpc *rpc = ch->rpc;
  if (coord__list_empty(&c->calls)) return;
  const coord__call *oldest = COORD__CONTAINER(c->calls.next, coord__call, link);
  int64_t now = coord__clock_ns();
  int64_t limit = patience_ns(rpc, oldest);
  int64_t heard = c->wire->ops->heard(c->wire);
  int64_t since = heard > oldest->sent_ns ? heard : oldest->sent_ns;
  if (now < since + limit) {
    coord__timer_set(rpc->loop, timer, since + limit);
    return;
  }
  char why[96];
  snprintf(why, sizeof why, "no answer within %lld ms (attempt.timeout.ms)",
           (long long)(limit / COORD__NS_PER_MS));
  if (c->path != NULL) coord__target_eject(c->path->target, COORD_TIMEOUT, why);
  coord__timer_set(rpc->loop, timer, now + limit);
  move_calls(c);
  coord__channel_pump(ch);
}

void coord__channel_expect(coord__carrier *c) {
  const coord__rpc *rpc = c->channel->rpc;
  if (rpc->target_count < 2 || c->stall.node.is_in) return;
  coord__timer_set(
      rpc->loop, &c->stall,
      coord__loop_now_ns(rpc->loop) + rpc->config.attempt_timeout_ms * COORD__NS_PER_MS);
}

/* ---- connecting ---- */

static const coord__link_events link_events = {on_ready, on_changed, on_draining, on_lost};

static void limit_silence(const coord__rpc *rpc, coord__link_config *config) {
  int64_t limit = rpc->config.watch_silence_ns;
  if (limit == 0) return;
  if (config->keepalive_interval_ns > limit) config->keepalive_interval_ns = limit;
  if (config->keepalive_timeout_ns > limit) config->keepalive_timeout_ns = limit;
}

static void connect_path(coord__path *path) {
  coord__channel *ch = path->channel;
  coord__rpc *rpc = ch->rpc;
  const coord__endpoint *endpoint = path->target->endpoint;
  coord__carrier *c = coord__calloc(1, sizeof *c);
  if (c != NULL) {
    *c = (coord__carrier){.channel = ch,
                          .path = path,
                          .endpoint = endpoint,
                          .patience.fire = on_patience,
                          .stall.fire = on_stall};
    coord__list_init(&c->calls);
    coord__list_init(&c->streams);
    coord__link_config config = rpc->config.link;
    config.endpoint = endpoint;
    if (ch->lane == COORD__LANE_WATCHES) limit_silence(rpc, &config);
    c->wire = rpc->config.wire->open(&config, &link_events, c);
  }
  if (c == NULL || c->wire == NULL) {
    coord__free(c);
    note_failure(path, COORD_NO_MEMORY, "memory is exhausted", endpoint->name);
    if (is_wanted(ch) || is_kept(ch)) coord__channel_wake(ch);
    return;
  }
  path->carrier = c;
  coord__list_append(&rpc->carriers, &c->link);
  /* The dial has the same limit; this one also covers the introduction after it. */
  coord__timer_set(rpc->loop, &c->patience,
                   coord__clock_ns() + rpc->config.link.connect_timeout_ms * COORD__NS_PER_MS);
}

static bool has_link(const coord__channel *ch) {
  const coord__rpc *rpc = ch->rpc;
  for (size_t i = 0; i < rpc->target_count; i++) {
    if (rpc->targets[i]->paths[ch->lane].carrier != NULL) return true;
  }
  return false;
}

static void on_reconnect(coord__timer *timer) {
  coord__path *path = COORD__CONTAINER(timer, coord__path, reconnect);
  coord__channel *ch = path->channel;
  if (path->carrier != NULL || (!is_wide(ch) && has_link(ch))) return;
  if (coord__discovery_ask(&ch->rpc->discovery, ch)) return;
  connect_path(path);
}

void coord__path_init(coord__path *path, coord__channel *ch, coord__target *target) {
  *path = (coord__path){.channel = ch, .target = target, .reconnect.fire = on_reconnect};
}

void coord__path_leave(coord__path *path) {
  coord__carrier *c = path->carrier;
  coord__timer_stop(path->channel->rpc->loop, &path->reconnect);
  if (c == NULL) return;
  unlink_path(c);
  while (!coord__list_empty(&c->streams)) {
    coord__stream_cut(COORD__CONTAINER(c->streams.next, coord__stream, link),
                      "the endpoint is not in the list any more");
  }
  c->retiring = true; /* not before: it would go with its last stream */
  if (c->wire->ops->in_flight(c->wire) == 0) drop_carrier(c);
}

static void wake_path(coord__path *path) {
  const coord__channel *ch = path->channel;
  coord__loop *loop = ch->rpc->loop;
  int64_t now = coord__loop_now_ns(loop);
  if (path->carrier != NULL) return;
  int64_t due = path->not_before_ns > now ? path->not_before_ns : now;
  if (!is_wanted(ch) && path->failures > 0) {
    int64_t ms = (int64_t)path->failures * IDLE_PAUSE_MS;
    due += coord__jitter((ms < LONGEST_IDLE_MS ? ms : LONGEST_IDLE_MS) * COORD__NS_PER_MS);
  }
  if (path->reconnect.node.is_in && path->reconnect.node.key <= due) return;
  /* By timer also without a pause: never from within a callback of the link before. */
  coord__timer_set(loop, &path->reconnect, due);
}

/* For a lane with one link: an endpoint that is well before one that is not, then the one that has
 * to wait least, then the next in turn. */
static coord__path *choose(coord__channel *ch) {
  coord__rpc *rpc = ch->rpc;
  coord__path *best = NULL;
  int64_t best_due = 0;
  int best_fault = 0;
  int64_t now = coord__loop_now_ns(rpc->loop);
  for (size_t i = 0; i < rpc->target_count; i++) {
    coord__target *t = rpc->targets[(ch->turn + i) % rpc->target_count];
    coord__path *path = &t->paths[ch->lane];
    const coord__path *calls = &t->paths[COORD__LANE_CALLS];
    int fault = t->ejected ? 2 : calls->failures > 0 ? 1 : 0;
    int64_t due = path->not_before_ns > now ? path->not_before_ns : now;
    if (best != NULL && (fault > best_fault || (fault == best_fault && due >= best_due))) continue;
    best = path;
    best_due = due;
    best_fault = fault;
  }
  return best;
}

void coord__channel_wake(coord__channel *ch) {
  coord__rpc *rpc = ch->rpc;
  if (rpc->closed) return;
  ch->active = true;
  if (!is_wide(ch)) {
    if (!has_link(ch)) wake_path(choose(ch));
    return;
  }
  for (size_t i = 0; i < rpc->target_count; i++) wake_path(&rpc->targets[i]->paths[ch->lane]);
}

void coord__channel_fail(coord__channel *ch, coord_code code, const char *why,
                         const char *endpoint) {
  note_failure(&ch->rpc->targets[0]->paths[ch->lane], code, why, endpoint);
  if (is_wanted(ch)) coord__channel_wake(ch);
}

/* ---- handing out ---- */

typedef struct choice {
  coord__carrier *carrier;
  bool second; /* ejected, or the one that has failed before */
  int64_t load;
} choice;

/* Of the endpoints that are well the one with least to do, the next in turn of equal ones; else the
 * one that was ejected first. `avoid`: not this one, if it can be helped. */
static coord__carrier *pick(coord__channel *ch, const char *avoid) {
  const coord__rpc *rpc = ch->rpc;
  choice best = {NULL, false, 0};
  size_t count = rpc->target_count;
  size_t turn = ch->turn++;
  for (size_t i = 0; i < count; i++) {
    const coord__target *t = rpc->targets[count == 1 ? 0 : (turn + i) % count];
    coord__carrier *c = t->paths[ch->lane].carrier;
    if (c == NULL || !c->is_ready || c->wire->ops->capacity(c->wire) == 0) continue;
    if (count == 1) return c;
    choice it = {c, t->ejected || c->endpoint->name == avoid, 0};
    it.load = t->ejected ? t->ejected_ns : (int64_t)c->wire->ops->in_flight(c->wire);
    if (best.carrier != NULL) {
      if (it.second > best.second || (it.second == best.second && it.load >= best.load)) continue;
    }
    best = it;
  }
  return best.carrier;
}

bool coord__channel_has_other(const coord__channel *ch, const char *endpoint) {
  const coord__rpc *rpc = ch->rpc;
  for (size_t i = 0; i < rpc->target_count; i++) {
    const coord__target *t = rpc->targets[i];
    const coord__carrier *c = t->paths[ch->lane].carrier;
    if (c == NULL || !c->is_ready || t->ejected) continue;
    if (t->endpoint->name != endpoint) return true;
  }
  return false;
}

bool coord__channel_is_ready(const coord__channel *ch) {
  const coord__rpc *rpc = ch->rpc;
  for (size_t i = 0; i < rpc->target_count; i++) {
    const coord__carrier *c = rpc->targets[i]->paths[ch->lane].carrier;
    if (c != NULL && c->is_ready) return true;
  }
  return false;
}

static bool start_stream(coord__channel *ch, coord__carrier *c) {
  coord__list *node = coord__list_pop(&ch->streams);
  if (coord__stream_try(COORD__CONTAINER(node, coord__stream, link), c)) return true;
  coord__list_prepend(&ch->streams, node);
  return false;
}

static bool start_call(coord__channel *ch, coord__carrier *c) {
  coord__list *node = coord__list_pop(&ch->waiting);
  if (coord__call_try(COORD__CONTAINER(node, coord__call, link), c)) return true;
  coord__list_prepend(&ch->waiting, node);
  return false;
}

void coord__channel_pump(coord__channel *ch) {
  while (is_wanted(ch)) {
    bool stream = !coord__list_empty(&ch->streams);
    const char *avoid = NULL;
    if (!stream) avoid = COORD__CONTAINER(ch->waiting.next, coord__call, link)->endpoint;
    coord__carrier *c = pick(ch, avoid);
    if (c == NULL) {
      if (!coord__channel_is_ready(ch)) coord__channel_wake(ch);
      return;
    }
    /* Out of stream ids, or of memory: a new connection is the way out of both. */
    if (!(stream ? start_stream(ch, c) : start_call(ch, c))) retire(c);
  }
}

/* ---- beginning and end ---- */

void coord__channel_init(coord__channel *ch, coord__rpc *rpc, coord__lane lane) {
  /* Clients of one cluster do not all begin with the same endpoint. */
  *ch = (coord__channel){.rpc = rpc, .lane = lane, .turn = (size_t)(coord__random() >> 1)};
  coord__list_init(&ch->waiting);
  coord__list_init(&ch->streams);
  coord__list_init(&ch->pausing);
}

static void end_calls(coord__list *calls) {
  while (!coord__list_empty(calls)) {
    coord__call_end(COORD__CONTAINER(calls->next, coord__call, link), COORD_CLOSED,
                    "the client was closed");
  }
}

void coord__channel_close(coord__channel *ch) {
  end_calls(&ch->waiting);
  end_calls(&ch->pausing);
  ch->last_code = COORD_CLOSED;
  snprintf(ch->last_why, sizeof ch->last_why, "the client was closed");
  fail_streams(ch, NULL);
}

void coord__carrier_close(coord__carrier *c) {
  end_calls(&c->calls);
  drop_carrier(c);
}
