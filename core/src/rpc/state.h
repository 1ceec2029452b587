/* What happens to endpoints, for whoever wants to be told. I/O thread only. */
#ifndef COORD_RPC_STATE_H
#define COORD_RPC_STATE_H

#include "coord/event.h"

struct coord__rpc;

/*
 * Tell that `endpoint` has entered a state (COORD_STATE_...), for the reason `code` and `why`. For
 * ENDPOINTS, after the list was changed, the endpoint is NULL and the list takes the place of `why`.
 *
 * An endpoint has several connections: of what happens to each of them only what changes the whole is
 * told. To be called once a new connection is ready, and after a lost one has been dropped.
 */
void coord__rpc_state(struct coord__rpc *rpc, int state, const char *endpoint, coord_code code,
                      const char *why);

/* Tell the present state of each endpoint of which something is known. */
void coord__rpc_states_now(struct coord__rpc *rpc);

#endif
