/* One lane to the cluster: its links, and what waits for one. I/O thread only. */
#ifndef COORD_RPC_CHANNEL_H
#define COORD_RPC_CHANNEL_H

#include "rpc/target.h"

typedef struct coord__channel {
  struct coord__rpc *rpc;
  coord__lane lane;
  bool active;          /* was asked for a link */
  size_t turn;          /* of the endpoints, for those that are as good as others */
  coord__list waiting;  /* calls that need a link */
  coord__list streams;  /* streams that need a link */
  coord__list pausing;  /* calls to be tried again later */
  coord_code last_code; /* of the last failure to connect */
  char last_why[256];
} coord__channel;

/* A link and what is on it. */
typedef struct coord__carrier {
  coord__list link; /* rpc->carriers */
  coord__channel *channel;
  coord__path *path; /* NULL: nothing new goes here */
  coord__link *wire;
  const coord__endpoint *endpoint;
  coord__timer patience; /* for the link to become ready */
  coord__timer stall;    /* for an answer to the oldest call */
  bool is_ready;
  bool has_served; /* the server has answered on it */
  bool retiring;   /* goes with the last of what it carries */
  coord__list calls;
  coord__list streams;
} coord__carrier;

void coord__channel_init(coord__channel *channel, struct coord__rpc *rpc, coord__lane lane);
/* Have links soon: connect unless that is under way. */
void coord__channel_wake(coord__channel *channel);
/* For discovery: there is nothing to connect to. */
void coord__channel_fail(coord__channel *channel, coord_code code, const char *why,
                         const char *endpoint);
/* Hand what waits to the links as far as it goes. */
void coord__channel_pump(coord__channel *channel);
/* The server at the end of this link cannot serve now: what is new goes to another, if there is one.
 * The link may be gone then. */
void coord__channel_avoid(coord__carrier *carrier);
/* The connection is as good as lost. The link is gone then. */
void coord__channel_abandon(coord__carrier *carrier, const char *why);
/* A call was sent on it: its answer is waited for. */
void coord__channel_expect(coord__carrier *carrier);
/* Whether there is a link to an endpoint that is well and not this one. */
bool coord__channel_has_other(const coord__channel *channel, const char *endpoint);
bool coord__channel_is_ready(const coord__channel *channel);
/* End everything. */
void coord__channel_close(coord__channel *channel);
void coord__carrier_close(coord__carrier *carrier);

void coord__path_init(coord__path *path, coord__channel *channel, coord__target *target);
/* The endpoint does not count any more. */
void coord__path_leave(coord__path *path);

#endif
