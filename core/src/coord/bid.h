/* A claim with what it takes to make it on a real server: calls, watches, a timer, a session. I/O thread
 * only. */
#ifndef COORD_COORD_BID_H
#define COORD_COORD_BID_H

#include "coord/ask.h"
#include "coord/claim.h"
#include "coord/lookout.h"
#include "coord/session.h"

typedef struct coord__bid_eye {
  coord__lookout lookout;
  coord__claim_eye which;
  struct coord__bid *bid;
} coord__bid_eye;

typedef struct coord__bid {
  coord__claim claim; /* first */
  coord__member member;
  coord_client *client;
  void *owner; /* for `told`; NULL: nobody cares any more */
  coord__ask ask;
  coord__bid_eye eyes[2]; /* by coord__claim_eye */
  bool takes_leave;       /* and whoever closes the client waits for it */
  coord__timer timer;
} coord__bid;

/* A bid for a name, with the client held. `told` is as in coord__claim. NULL: memory is out. */
coord__bid *coord__bid_new(coord_client *c, const void *name, size_t name_len,
                           void (*told)(coord__claim *claim, coord__claim_news news,
                                        coord_code code, coord_error *err));
/* Nobody cares any more: it leaves by itself, and is freed. In any state. */
void coord__bid_abandon(coord__bid *bid);
/* Only before its claim was started, or after COORD__CLAIM_IS_OVER. */
void coord__bid_free(coord__bid *bid);

#endif
