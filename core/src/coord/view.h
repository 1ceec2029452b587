/*
 * What a registry sees of its services: a mirror of its keys, opened when somebody asks, and of each
 * service that somebody has asked for a group.
 */
#ifndef COORD_COORD_VIEW_H
#define COORD_COORD_VIEW_H

#include "coord/mirror_handle.h"
#include "coord/registry_handle.h"
#include "coord/roster.h"

typedef struct coord__service {
  coord__group group;          /* first */
  coord_registry *registry;    /* which it is gone before */
  struct coord__service *same; /* another one, with the same hash */
  coord__buf prefix;           /* of its keys */
  coord__guard guard;          /* by the group's mutex */
  /* I/O thread only. */
  coord__list watchers; /* coord/discovery_handle.h */
  coord__timer timer;   /* the end of the guard, or to try again */
  char name[];
} coord__service;

/* Open the mirror, if it is not. Any thread. COORD_INVALID and others: mirror.file. */
coord_code coord__view_open(coord_registry *r, coord_error **err);
/* The service of a name, which lives as long as the registry; the mirror is open. Any thread. NULL:
 * memory is out. */
coord__service *coord__view_service(coord_registry *r, const char *name);
/* An op that ends when there is something to see. NULL: memory is out. The mirror is open. */
coord_op *coord__op_viewed(coord_registry *r);
/* Names of all services, as JSON. COORD_UNAVAILABLE, COORD_NO_MEMORY. The mirror is open. */
coord_code coord__view_names(coord_registry *r, char **json, coord_error **err);
/* -1: there is nothing yet. Any thread. */
int64_t coord__view_staleness_ms(const coord_registry *r);

/* I/O thread: tell the discoveries of a service what there is now; once there is memory for it. */
void coord__view_tell(coord__service *s);
/* I/O thread: the last user of the registry has gone. */
void coord__view_close(coord_registry *r);
/* The memory. */
void coord__view_free(coord_registry *r);

#endif
