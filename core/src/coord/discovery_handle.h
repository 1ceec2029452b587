/* The handle of a discovery: it tells a queue what becomes of the instances of a service. Same contracts
 * as in coord/discovery.h, without the checks. */
#ifndef COORD_COORD_DISCOVERY_HANDLE_H
#define COORD_COORD_DISCOVERY_HANDLE_H

#include "base/event.h"
#include "coord/roster.h"
#include "etcd/client.h"

struct coord__service;

/* What an event of it holds. */
typedef struct coord__news {
  coord_event event; /* first */
  coord_discovery *discovery;
  coord_instances *before; /* NULL: nothing was told before it */
  coord_instances *now;
  coord__difference *difference;
} coord__news;

coord_code coord__discovery_open(struct coord__service *service, coord_queue *queue, uint64_t tag,
                                 coord_discovery **out, coord_error **err);
void coord__discovery_free(coord_discovery *d);

/* I/O thread: this is what there is (false: memory is out); or the end. */
bool coord__discovery_tell(coord__list *watchers, coord_instances *roster);
void coord__discovery_end(coord__list *watchers, coord_code code, const coord_error *err);

#endif
