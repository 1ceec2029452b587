/* The keeper of a client: its stream on the lane of leases, its calls, its clock. I/O thread only. */
#ifndef COORD_COORD_KEEPER_WIRE_H
#define COORD_COORD_KEEPER_WIRE_H

#include "coord/ask.h"
#include "coord/keeper.h"
#include "etcd/client.h"

/* A lease of a client with what it takes to open it, to ask about it alone, and to revoke it. */
typedef struct coord__tenant {
  coord__kept kept;      /* first */
  coord__keeper *keeper; /* NULL: it never had a place there */
  coord_client *client;  /* held by the owner, and while it is opened or revoked */
  coord__ask ask;        /* of the keeper while the lease is ALONE */
  coord__echo echo;
  void (*told)(struct coord__tenant *t, coord_code code, coord_error *err);
} coord__tenant;

/* Made with the first lease, it ends with the client. NULL: memory is out. */
coord__keeper *coord__client_keeper(coord_client *c);

/* Keep alive the lease kept.id from when `op` has granted or renewed it, which is handed over and may be
 * NULL: memory is out; `echo` as of a request. `opened` follows, or comes from within, and may free the
 * tenant; err is handed over. Unless it is told COORD_OK, the lease is not kept. COORD_CONFLICT, too:
 * another tenant keeps it. */
void coord__tenant_open(coord__tenant *t, coord_op *op, const coord__echo *echo,
                        int64_t deadline_ns,
                        void (*opened)(coord__tenant *t, coord_code code, coord_error *err));
/* Keep it alive no more, and have it revoked, which is fine with one that is gone. `revoked` as above. */
void coord__tenant_revoke(coord__tenant *t, int64_t deadline_ns,
                          void (*revoked)(coord__tenant *t, coord_code code, coord_error *err));

#endif
