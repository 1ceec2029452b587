/* One op executed from the I/O thread, for those who hold a conversation with the server. */
#ifndef COORD_COORD_ASK_H
#define COORD_COORD_ASK_H

#include "etcd/client.h"
#include "etcd/op.h"

typedef struct coord__ask {
  coord__call call; /* to be ended by coord__call_end, if need be */
  /* Once for each start, also from within. err and result are handed over; doubt: it may have been
   * done, or still be done, whatever code says. */
  void (*done)(struct coord__ask *ask, coord_code code, coord_error *err, coord_result *result,
               bool doubt);
  coord_client *client; /* held by the caller until then */
  bool repeatable;      /* twice is as good as once; reads are in any case */
  coord__decode_fn decode;
  int64_t asked_ns;
  size_t sent;
} coord__ask;

/* `op` is handed over; NULL: memory is out. deadline_ns 0: none. */
void coord__ask_start(coord__ask *ask, coord_op *op, int64_t deadline_ns);

#endif
