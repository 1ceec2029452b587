/* STATE events: to which queue of the program they go. I/O thread only, unless stated. */
#ifndef COORD_ETCD_STATES_H
#define COORD_ETCD_STATES_H

#include <stdint.h>

#include "coord/event.h"
#include "coord/queue.h"

typedef struct coord__states {
  coord_queue *queue; /* NULL: nobody wants them */
  uint64_t tag;
} coord__states;

/* The function of coord_client_states_to, without the checks. Any thread. */
coord_code coord__client_states_to(coord_client *c, coord_queue *queue, uint64_t tag,
                                   coord_error **err);

/* For coord__rpc_config; `user` is a coord__states. */
void coord__states_tell(void *user, int state, const char *endpoint, coord_code code,
                        const char *why);

void coord__states_free(coord__states *states);

#endif
