/* The handle of a registry: what its registrations and its view of the services share. Same contracts as
 * in coord/registry.h, without the checks of arguments. */
#ifndef COORD_COORD_REGISTRY_HANDLE_H
#define COORD_COORD_REGISTRY_HANDLE_H

#include <pthread.h>

#include "base/map.h"
#include "coord/instance_object.h"
#include "coord/mirror_handle.h"
#include "coord/registry.h"
#include "coord/session.h"
#include "etcd/client.h"
#include "etcd/op.h"

/* Registrations that hang on one lease. */
typedef struct coord__roll {
  coord__list link;
  coord__pool *pool;
  int64_t ttl_s;
  size_t count;
} coord__roll;

struct coord_registry {
  atomic_int refs; /* memory */
  atomic_int uses; /* the handle, discoveries and pickers: with the last one the view is closed */
  coord_client *client;
  coord_options *options;
  coord__buf prefix; /* with a slash behind it, or empty */
  coord__format format;
  bool replace;
  coord__job open_job;
  coord__job free_job;
  coord__part part;
  /* I/O thread only. */
  bool freed;
  bool ended;
  coord__list registrations;
  coord__list rolls;
  coord__list turns; /* of registrations that wait to ask */
  size_t asking;
  coord__idle serve;
  coord_instance *
      *read; /* what discover has read lately, by the hashes of their keys; NULL: nothing */
  /* The view of the services; coord/view.h. */
  pthread_mutex_t mutex;
  _Atomic(coord_mirror *) mirror; /* NULL: not opened yet. By the mutex, but for reading it */
  coord__map services;            /* by the mutex: by the hashes of their names */
  coord_code view_code;           /* by the mutex: why it has ended */
  coord__mirror_listener listener;
  int32_t guard_percent;
  int64_t guard_ns;
};

coord_code coord__registry_open(coord_client *c, const coord_options *options, coord_registry **out,
                                coord_error **err);
void coord__registry_free(coord_registry *r);
coord_op *coord__op_discover(coord_registry *r, const char *service);

coord_registry *coord__registry_retain(coord_registry *r);
void coord__registry_release(coord_registry *r);
/* Any thread. */
void coord__registry_use(coord_registry *r);
void coord__registry_unuse(coord_registry *r);

/* "PREFIX/SERVICE/ID"; id "": of all of the service. False: memory is out. */
bool coord__registry_key(const coord_registry *r, const char *service, const char *id,
                         coord__buf *out);
/* The instance of a key-value. COORD_INVALID: it is none, which is logged if it is news.
 * COORD_NO_MEMORY. */
coord_code coord__registry_read(const coord_registry *r, const coord_kv *kv, bool is_news,
                                coord_instance **out);

/* I/O thread: the same, of what was not changed since the last time that instance. */
coord_code coord__registry_read_again(coord_registry *r, const coord_kv *kv, coord_instance **out);

/* I/O thread, for registrations: */
/* A lease to hang on, with this TTL; NULL: memory is out. */
coord__roll *coord__registry_join(coord_registry *r, int64_t ttl_s);
void coord__registry_leave(coord_registry *r, coord__roll *roll);
/* Somebody waits for a turn, or has had it. */
void coord__registry_turn(coord_registry *r);
/* A registration has gone. */
void coord__registry_check(coord_registry *r);

#endif
