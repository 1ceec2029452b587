/* Endpoints that DNS tells: asked for before the first connection, and again after each round of
 * endpoints that all failed. I/O thread only. */
#ifndef COORD_RPC_DISCOVERY_H
#define COORD_RPC_DISCOVERY_H

#include <stdbool.h>

#include "net/srv.h"
#include "rpc/endpoint.h"
#include "rpc/lane.h"

struct coord__rpc;
struct coord__channel;

typedef struct coord__discovery {
  struct coord__rpc *rpc;
  const coord__endpoint *domain; /* NULL: there is nothing to discover */
  coord__srv *lookup;            /* under way; NULL: none */
  bool tls;                      /* it asks for endpoints with TLS */
  bool known;                    /* the endpoints of the rpc are those of the domain */
  size_t failures;               /* endpoints that failed since the last answer */
  bool waiting[COORD__LANES];    /* channels that connect once it is answered */
} coord__discovery;

/* `rpc` has its endpoints. */
void coord__discovery_init(coord__discovery *d, struct coord__rpc *rpc);
/* The channel has to wait for an answer first: it is told by coord__channel_wake or
 * coord__channel_fail, the latter also from within. */
bool coord__discovery_ask(coord__discovery *d, struct coord__channel *channel);
/* As coord__rpc_set_endpoints, by order of the program: a domain among them is asked for from now on,
 * and one that they replace no more. */
bool coord__discovery_set_endpoints(coord__discovery *d, coord__endpoints *endpoints);
/* An endpoint could not be reached. */
void coord__discovery_note_failure(coord__discovery *d);
void coord__discovery_close(coord__discovery *d);

#endif
