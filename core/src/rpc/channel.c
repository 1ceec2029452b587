/* One lane's connection: connecting, failing over, handing out. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "rpc/rpc.h"

enum { FIRST_PAUSE_MS = 25, LONGEST_PAUSE_MS = 1000 };

static void connect_next(coord__channel *ch);

/* ---- carriers ---- */

static void drop_carrier(coord__carrier *c) {
  coord__channel *ch = c->channel;
  if (ch->carrier == c) ch->carrier = NULL;
  if (c->is_ready) atomic_fetch_sub(&ch->rpc->counters.connections, 1);
  coord__timer_stop(ch->rpc->loop, &c->patience);
  coord__list_remove(&c->link);
  /* Ends the exchanges on it, whose owners may ask for a new link right away. */
  c->retiring = true;
  c->wire->ops->close(c->wire);
  coord__free(c);
}

static int64_t pause_ns(const coord__channel *ch) {
  /* A round through all endpoints first; only then does waiting help. */
  size_t rounds = ch->failures / ch->rpc->config.endpoints.count;
  if (rounds == 0) return 0;
  int64_t ms = FIRST_PAUSE_MS;
  while (--rounds > 0 && ms < LONGEST_PAUSE_MS) ms *= 2;
  if (ms > LONGEST_PAUSE_MS) ms = LONGEST_PAUSE_MS;
  return coord__jitter(ms * COORD__NS_PER_MS);
}

static bool is_wanted(const coord__channel *ch) {
  return !coord__list_empty(&ch->waiting) || !coord__list_empty(&ch->streams);
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

static void note_failure(coord__channel *ch, coord_code code, const char *why,
                         const char *endpoint) {
  coord__rpc *rpc = ch->rpc;
  ch->last_code = code;
  snprintf(ch->last_why, sizeof ch->last_why, "%s: %s", endpoint, why);
  ch->endpoint = (ch->endpoint + 1) % rpc->config.endpoints.count;
  ch->failures++;
  coord__discovery_note_failure(&rpc->discovery);
  atomic_fetch_add(&rpc->counters.connect_failed, 1);
  coord__log_at(rpc->log, COORD_LOG_WARN, "%s", ch->last_why);
  fail_streams(ch, endpoint);
  if (rpc->connect_result != NULL) rpc->connect_result(rpc->user, code, why, endpoint);
}

/* The server has ended the current link: the next endpoint is up. One that accepts and then hangs up
 * without a word must not be asked in a tight circle. */
static void move_on(coord__channel *ch, bool has_served) {
  ch->failures = has_served ? 0 : ch->failures + 1;
  ch->endpoint = (ch->endpoint + 1) % ch->rpc->config.endpoints.count;
}

static void on_lost(void *owner, coord_code code, const char *why) {
  coord__carrier *c = owner;
  coord__channel *ch = c->channel;
  coord__rpc *rpc = ch->rpc;
  const char *endpoint = c->endpoint->name;
  bool was_ready = c->is_ready;
  bool has_served = c->has_served;
  bool current = ch->carrier == c;
  char reason[256];
  snprintf(reason, sizeof reason, "%s", why);
  drop_carrier(c);
  if (was_ready) {
    if (current) move_on(ch, has_served);
    atomic_fetch_add(&rpc->counters.connections_lost, 1);
    if (!rpc->closed) coord__log_at(rpc->log, COORD_LOG_INFO, "%s: %s", endpoint, reason);
  } else {
    note_failure(ch, code, reason, endpoint);
  }
  if (rpc->closed || !current) return;
  if (is_wanted(ch)) coord__channel_wake(ch);
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
  if (rpc->connect_result != NULL) rpc->connect_result(rpc->user, COORD_OK, "", c->endpoint->name);
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

/* The link finishes what it carries; what is new goes to another. */
static void retire(coord__carrier *c) {
  coord__channel *ch = c->channel;
  c->retiring = true;
  if (ch->carrier == c) ch->carrier = NULL;
  if (c->wire->ops->in_flight(c->wire) == 0) drop_carrier(c);
  if (is_wanted(ch)) coord__channel_wake(ch);
}

void coord__channel_avoid(coord__carrier *c) {
  coord__channel *ch = c->channel;
  size_t count = ch->rpc->config.endpoints.count;
  if (ch->carrier != c || count == 1 || ch->rpc->closed) return;
  ch->endpoint = (ch->endpoint + 1) % count;
  retire(c);
}

static void on_draining(void *owner, bool calm) {
  coord__carrier *c = owner;
  coord__rpc *rpc = c->channel->rpc;
  coord__log_at(rpc->log, COORD_LOG_INFO, "%s: the server asks to leave this connection%s",
                c->endpoint->name, calm ? ": too many PINGs" : "");
  if (calm) rpc->config.link.keepalive_interval_ns *= 2;
  if (!c->is_ready) return; /* patience or the end of the connection follows */
  if (c->channel->carrier == c) move_on(c->channel, c->has_served);
  retire(c);
}

static const coord__link_events link_events = {on_ready, on_changed, on_draining, on_lost};

static void connect_next(coord__channel *ch) {
  coord__rpc *rpc = ch->rpc;
  if (coord__discovery_ask(&rpc->discovery, ch)) return;
  coord__carrier *c = coord__calloc(1, sizeof *c);
  if (c != NULL) {
    *c = (coord__carrier){.channel = ch,
                          .endpoint = &rpc->config.endpoints.items[ch->endpoint],
                          .patience.fire = on_patience};
    coord__list_init(&c->calls);
    coord__list_init(&c->streams);
    coord__link_config config = rpc->config.link;
    config.endpoint = c->endpoint;
    c->wire = rpc->config.wire->open(&config, &link_events, c);
  }
  if (c == NULL || c->wire == NULL) {
    coord__free(c);
    note_failure(ch, COORD_NO_MEMORY, "memory is exhausted",
                 rpc->config.endpoints.items[ch->endpoint].name);
    if (is_wanted(ch)) coord__channel_wake(ch);
    return;
  }
  ch->carrier = c;
  coord__list_append(&rpc->carriers, &c->link);
  /* The dial has the same limit; this one also covers the introduction after it. */
  coord__timer_set(rpc->loop, &c->patience,
                   coord__clock_ns() + rpc->config.link.connect_timeout_ms * COORD__NS_PER_MS);
}

void coord__channel_connect(coord__channel *ch) {
  if (ch->carrier == NULL) connect_next(ch);
}

void coord__channel_fail(coord__channel *ch, coord_code code, const char *why,
                         const char *endpoint) {
  note_failure(ch, code, why, endpoint);
  if (is_wanted(ch)) coord__channel_wake(ch);
}

static void on_reconnect(coord__timer *timer) {
  coord__channel *ch = COORD__CONTAINER(timer, coord__channel, reconnect);
  coord__channel_connect(ch);
}

void coord__channel_wake(coord__channel *ch) {
  if (ch->rpc->closed || ch->carrier != NULL || ch->reconnect.node.is_in) return;
  /* By timer also without a pause: never from within a callback of the link before. */
  coord__timer_set(ch->rpc->loop, &ch->reconnect, coord__loop_now_ns(ch->rpc->loop) + pause_ns(ch));
}

/* ---- handing out ---- */

void coord__channel_pump(coord__channel *ch) {
  coord__carrier *c = ch->carrier;
  if (c == NULL) {
    coord__channel_wake(ch);
    return;
  }
  if (!c->is_ready) return;
  while (is_wanted(ch)) {
    if (c->wire->ops->capacity(c->wire) == 0) return;
    coord__list *node = coord__list_pop(&ch->streams);
    bool started;
    if (node != NULL) {
      coord__stream *stream = COORD__CONTAINER(node, coord__stream, link);
      started = coord__stream_try(stream, c);
      if (!started) coord__list_prepend(&ch->streams, node);
    } else {
      node = coord__list_pop(&ch->waiting);
      started = coord__call_try(COORD__CONTAINER(node, coord__call, link), c);
      if (!started) coord__list_prepend(&ch->waiting, node);
    }
    if (!started) {
      /* Out of stream ids, or of memory: a new connection is the way out of both. */
      retire(c);
      return;
    }
  }
}

static void on_again(coord__timer *timer) {
  coord__channel *ch = COORD__CONTAINER(timer, coord__channel, again);
  coord__list_splice(&ch->waiting, &ch->delayed);
  coord__channel_pump(ch);
}

/* ---- the whole ---- */

void coord__rpc_init(coord__rpc *rpc, coord__loop *loop, coord__log *log,
                     const coord__rpc_config *config) {
  *rpc = (coord__rpc){.loop = loop, .log = log, .config = *config, .first = config->endpoints};
  coord__discovery_init(&rpc->discovery, rpc);
  coord__list_init(&rpc->carriers);
  coord__list_init(&rpc->held_calls);
  coord__list_init(&rpc->held_streams);
  for (int i = 0; i < COORD__LANES; i++) {
    coord__channel *ch = &rpc->channels[i];
    ch->rpc = rpc;
    ch->reconnect.fire = on_reconnect;
    ch->again.fire = on_again;
    coord__list_init(&ch->waiting);
    coord__list_init(&ch->streams);
    coord__list_init(&ch->delayed);
  }
}

void coord__rpc_connect(coord__rpc *rpc) { coord__channel_wake(&rpc->channels[COORD__LANE_CALLS]); }

static void end_waiting(coord__list *calls) {
  while (!coord__list_empty(calls)) {
    coord__call_end(COORD__CONTAINER(calls->next, coord__call, link), COORD_CLOSED,
                    "the client was closed");
  }
}

void coord__rpc_close(coord__rpc *rpc) {
  if (rpc->closed) return;
  rpc->closed = true;
  end_waiting(&rpc->held_calls);
  while (!coord__list_empty(&rpc->held_streams)) {
    coord__stream_fail(COORD__CONTAINER(rpc->held_streams.next, coord__stream, link), COORD_CLOSED,
                       "the client was closed", NULL);
  }
  coord__discovery_close(&rpc->discovery);
  for (int i = 0; i < COORD__LANES; i++) {
    coord__channel *ch = &rpc->channels[i];
    coord__timer_stop(rpc->loop, &ch->reconnect);
    coord__timer_stop(rpc->loop, &ch->again);
    end_waiting(&ch->waiting);
    end_waiting(&ch->delayed);
    ch->last_code = COORD_CLOSED;
    snprintf(ch->last_why, sizeof ch->last_why, "the client was closed");
    fail_streams(ch, NULL);
  }
  while (!coord__list_empty(&rpc->carriers)) {
    coord__carrier *c = COORD__CONTAINER(rpc->carriers.next, coord__carrier, link);
    end_waiting(&c->calls);
    drop_carrier(c);
  }
}

static bool same_endpoints(const coord__endpoints *a, const coord__endpoints *b) {
  bool same = a->count == b->count;
  for (size_t i = 0; same && i < a->count; i++) {
    same = a->items[i].tls == b->items[i].tls && strcmp(a->items[i].name, b->items[i].name) == 0;
  }
  return same;
}

bool coord__rpc_set_endpoints(coord__rpc *rpc, coord__endpoints *endpoints) {
  if (same_endpoints(&rpc->config.endpoints, endpoints)) {
    coord__endpoints_free(endpoints);
    return true;
  }
  coord__endpoint_set *set = coord__calloc(1, sizeof *set);
  if (set == NULL) return false;
  set->before = atomic_load(&rpc->newest);
  set->endpoints = *endpoints;
  rpc->config.endpoints = *endpoints;
  atomic_store(&rpc->newest, set);
  for (int i = 0; i < COORD__LANES; i++) rpc->channels[i].endpoint = 0;
  return true;
}

const coord__endpoints *coord__rpc_endpoints(const coord__rpc *rpc) {
  const coord__endpoint_set *set = atomic_load(&rpc->newest);
  return set != NULL ? &set->endpoints : &rpc->first;
}

void coord__rpc_free(coord__rpc *rpc) {
  coord__endpoint_set *set = atomic_load(&rpc->newest);
  while (set != NULL) {
    coord__endpoint_set *before = set->before;
    coord__endpoints_free(&set->endpoints);
    coord__free(set);
    set = before;
  }
  coord__endpoints_free(&rpc->first);
}
