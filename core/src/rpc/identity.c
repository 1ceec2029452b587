/* Calls and streams that wait for the identity. */
#include "rpc/identity.h"

#include "rpc/rpc.h"

bool coord__rpc_holds(const coord__rpc *rpc) {
  return !coord__list_empty(&rpc->held_calls) || !coord__list_empty(&rpc->held_streams);
}

void coord__rpc_release(coord__rpc *rpc) {
  if (rpc->closed) return;
  coord__channel *calls = &rpc->channels[COORD__LANE_CALLS];
  bool any = false;
  for (coord__list *node; (node = coord__list_pop(&rpc->held_calls)) != NULL; any = true) {
    COORD__CONTAINER(node, coord__call, link)->held = false;
    coord__list_append(&calls->waiting, node);
  }
  if (any) coord__channel_pump(calls);
  coord__list streams;
  coord__list_init(&streams);
  coord__list_splice(&streams, &rpc->held_streams);
  for (coord__list *node; (node = coord__list_pop(&streams)) != NULL;) {
    coord__stream *stream = COORD__CONTAINER(node, coord__stream, link);
    coord__list_append(&rpc->channels[stream->lane].streams, node);
    coord__channel_pump(&rpc->channels[stream->lane]);
  }
}

void coord__rpc_refuse(coord__rpc *rpc, coord_code code, const coord_error *failure) {
  coord__list calls;
  coord__list streams;
  coord__list_init(&calls);
  coord__list_init(&streams);
  /* Whoever is told may start something new, which is held in its turn. */
  coord__list_splice(&calls, &rpc->held_calls);
  coord__list_splice(&streams, &rpc->held_streams);
  while (!coord__list_empty(&calls)) {
    coord__call_refuse(COORD__CONTAINER(calls.next, coord__call, link), code, failure);
  }
  while (!coord__list_empty(&streams)) {
    coord__stream_refuse(COORD__CONTAINER(streams.next, coord__stream, link), code, failure);
  }
}
