/* The whole: targets for the endpoints that count, and the end. */
#include "rpc/rpc.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "rpc/state.h"

/* ---- endpoints ---- */

/* The present one for this endpoint, or NULL. */
static coord__target *find_target(const coord__rpc *rpc, const coord__endpoint *endpoint) {
  for (size_t i = 0; i < rpc->target_count; i++) {
    coord__target *t = rpc->targets[i];
    if (t->endpoint->tls == endpoint->tls && strcmp(t->endpoint->name, endpoint->name) == 0) {
      return t;
    }
  }
  return NULL;
}

static bool is_among(coord__target *const *targets, size_t count, const coord__target *target) {
  for (size_t i = 0; i < count; i++) {
    if (targets[i] == target) return true;
  }
  return false;
}

/* Those that stay keep their links. NULL: memory is out. */
static coord__target **make_targets(coord__rpc *rpc, const coord__endpoints *endpoints) {
  coord__target **targets = coord__calloc(endpoints->count, sizeof(coord__target *));
  if (targets == NULL) return NULL;
  for (size_t i = 0; i < endpoints->count; i++) {
    coord__target *known = find_target(rpc, &endpoints->items[i]);
    if (known != NULL && is_among(targets, i, known)) known = NULL; /* listed twice */
    targets[i] = known != NULL ? known : coord__target_new(rpc, &endpoints->items[i]);
    if (targets[i] != NULL) continue;
    while (i-- > 0) {
      if (!is_among(rpc->targets, rpc->target_count, targets[i])) coord__target_free(targets[i]);
    }
    coord__free(targets);
    return NULL;
  }
  return targets;
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
  coord__target **targets = set != NULL ? make_targets(rpc, endpoints) : NULL;
  if (targets == NULL) {
    coord__free(set);
    return false;
  }
  set->before = atomic_load(&rpc->newest);
  set->endpoints = *endpoints;
  rpc->config.endpoints = *endpoints;
  atomic_store(&rpc->newest, set);
  coord__target **old = rpc->targets;
  size_t old_count = rpc->target_count;
  rpc->targets = targets;
  rpc->target_count = endpoints->count;
  for (size_t i = 0; i < old_count; i++) {
    if (!is_among(targets, endpoints->count, old[i])) coord__target_free(old[i]);
  }
  coord__free(old);
  coord__rpc_state(rpc, COORD_STATE_ENDPOINTS, NULL, COORD_OK, NULL);
  for (int i = 0; i < COORD__LANES; i++) {
    coord__channel *ch = &rpc->channels[i];
    if (ch->active) coord__channel_pump(ch);
    if (ch->active && i == COORD__LANE_CALLS) coord__channel_wake(ch);
  }
  return true;
}

const coord__endpoints *coord__rpc_endpoints(const coord__rpc *rpc) {
  const coord__endpoint_set *set = atomic_load(&rpc->newest);
  return set != NULL ? &set->endpoints : &rpc->first;
}

/* ---- beginning and end ---- */

bool coord__rpc_init(coord__rpc *rpc, coord__loop *loop, coord__log *log,
                     const coord__rpc_config *config) {
  *rpc = (coord__rpc){.loop = loop, .log = log, .config = *config};
  for (int i = 0; i < COORD__LANES; i++) {
    coord__channel_init(&rpc->channels[i], rpc, (coord__lane)i);
  }
  rpc->targets = make_targets(rpc, &config->endpoints);
  if (rpc->targets == NULL) return false;
  rpc->target_count = config->endpoints.count;
  rpc->first = config->endpoints;
  coord__discovery_init(&rpc->discovery, rpc);
  coord__list_init(&rpc->carriers);
  coord__list_init(&rpc->held_calls);
  coord__list_init(&rpc->held_streams);
  return true;
}

void coord__rpc_connect(coord__rpc *rpc) { coord__channel_wake(&rpc->channels[COORD__LANE_CALLS]); }

void coord__rpc_close(coord__rpc *rpc) {
  if (rpc->closed) return;
  rpc->closed = true;
  while (!coord__list_empty(&rpc->held_calls)) {
    coord__call_end(COORD__CONTAINER(rpc->held_calls.next, coord__call, link), COORD_CLOSED,
                    "the client was closed");
  }
  while (!coord__list_empty(&rpc->held_streams)) {
    coord__stream_fail(COORD__CONTAINER(rpc->held_streams.next, coord__stream, link), COORD_CLOSED,
                       "the client was closed", NULL);
  }
  coord__discovery_close(&rpc->discovery);
  for (int i = 0; i < COORD__LANES; i++) coord__channel_close(&rpc->channels[i]);
  while (!coord__list_empty(&rpc->carriers)) {
    coord__carrier_close(COORD__CONTAINER(rpc->carriers.next, coord__carrier, link));
  }
  size_t count = rpc->target_count;
  rpc->target_count = 0;
  for (size_t i = 0; i < count; i++) coord__target_free(rpc->targets[i]);
  coord__free(rpc->targets);
  rpc->targets = NULL;
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
