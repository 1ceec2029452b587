/* The keeper of a client: its stream on the lane of leases, its calls, its clock. I/O thread only. */
#ifndef COORD_COORD_KEEPER_WIRE_H
#define COORD_COORD_KEEPER_WIRE_H

#include "coord/keeper.h"
#include "etcd/client.h"

/* A lease with what it takes to ask about it alone. */
typedef struct coord__tenant {
  coord__kept kept; /* first */
  coord__keeper *keeper;
  coord_client *client;
  coord__call call; /* of the keeper while the lease is ALONE, else of its owner */
} coord__tenant;

/* Made with the first lease, it ends with the client. NULL: memory is out. */
coord__keeper *coord__client_keeper(coord_client *c);

#endif
