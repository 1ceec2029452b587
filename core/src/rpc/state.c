#include "rpc/state.h"

#include <string.h>

#include "base/alloc.h"
#include "coord/error.h"
#include "rpc/rpc.h"

/* NULL: it is not on the list any more, and nobody wants to hear of it. */
static coord__endpoint *find(const coord__rpc *rpc, const char *name) {
  const coord__endpoints *endpoints = &rpc->config.endpoints;
  for (size_t i = 0; i < endpoints->count; i++) {
    if (strcmp(endpoints->items[i].name, name) == 0) return &endpoints->items[i];
  }
  return NULL;
}

static bool is_connected(const coord__rpc *rpc, const char *name) {
  for (const coord__list *node = rpc->carriers.next; node != &rpc->carriers; node = node->next) {
    const coord__carrier *c = COORD__CONTAINER(node, const coord__carrier, link);
    if (c->is_ready && strcmp(c->endpoint->name, name) == 0) return true;
  }
  return false;
}

static void tell(coord__rpc *rpc, int state, const char *endpoint, coord_code code,
                 const char *why) {
  rpc->config.state(rpc->config.state_user, state, endpoint, code, why);
}

static void tell_endpoints(coord__rpc *rpc) {
  const coord__endpoints *endpoints = &rpc->config.endpoints;
  for (size_t i = 0; i < endpoints->count; i++) {
    coord__endpoint *e = &endpoints->items[i];
    e->told = is_connected(rpc, e->name) ? COORD_STATE_CONNECTED : 0;
    e->ejected = i < rpc->target_count && rpc->targets[i]->ejected;
  }
  char *list = coord__endpoints_text(endpoints);
  if (list != NULL) tell(rpc, COORD_STATE_ENDPOINTS, NULL, COORD_OK, list);
  coord__free(list);
}

/* Whether it says anything new. */
static bool is_change(const coord__rpc *rpc, const coord__endpoint *e, int state, coord_code code) {
  switch (state) {
    case COORD_STATE_CONNECTED:
      return e->told != COORD_STATE_CONNECTED;
    case COORD_STATE_DISCONNECTED:
      return e->told == COORD_STATE_CONNECTED && !is_connected(rpc, e->name);
    case COORD_STATE_UNREACHABLE:
      return (e->told != COORD_STATE_UNREACHABLE || e->told_code != code) &&
             !is_connected(rpc, e->name);
    default:
      return e->ejected != (state == COORD_STATE_EJECTED);
  }
}

void coord__rpc_state(coord__rpc *rpc, int state, const char *endpoint, coord_code code,
                      const char *why) {
  if (rpc->config.state == NULL || rpc->closed) return;
  if (state == COORD_STATE_ENDPOINTS) {
    tell_endpoints(rpc);
    return;
  }
  coord__endpoint *e = find(rpc, endpoint);
  if (e == NULL || !is_change(rpc, e, state, code)) return;
  if (state == COORD_STATE_EJECTED || state == COORD_STATE_RESTORED) {
    e->ejected = state == COORD_STATE_EJECTED;
  } else {
    e->told = state;
    e->told_code = code;
  }
  tell(rpc, state, endpoint, code, why);
}

void coord__rpc_states_now(coord__rpc *rpc) {
  if (rpc->config.state == NULL || rpc->closed) return;
  const coord__endpoints *endpoints = &rpc->config.endpoints;
  for (size_t i = 0; i < endpoints->count; i++) {
    const coord__endpoint *e = &endpoints->items[i];
    if (e->told != 0) tell(rpc, e->told, e->name, e->told_code, "");
    if (e->ejected) tell(rpc, COORD_STATE_EJECTED, e->name, COORD_OK, "");
  }
}
