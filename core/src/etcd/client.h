/* The client object: what all its handles and calls share. */
#ifndef COORD_ETCD_CLIENT_H
#define COORD_ETCD_CLIENT_H

#include <stdatomic.h>

#include "base/log.h"
#include "base/map.h"
#include "base/options.h"
#include "coord/client.h"
#include "etcd/auth.h"
#include "etcd/namespace.h"
#include "etcd/request.h"
#include "etcd/states.h"
#include "etcd/stats.h"
#include "etcd/sync.h"
#include "rpc/rpc.h"

/* What a layer above adds to a client: it ends before the connections do, and is freed with the
 * client. Both may come more than once, or without the other. */
typedef struct coord__part {
  coord__list link;
  void (*end)(struct coord__part *part);
  void (*free)(struct coord__part *part);
} coord__part;

struct coord_client {
  atomic_int refs; /* memory: the handles, the calls under way, the I/O */
  atomic_int uses; /* handles of the program; with the last one the client ends */
  unsigned generation;
  atomic_bool closed; /* takes nothing new */
  atomic_uint_fast64_t last_id;
  coord__loop *loop;
  coord__limits limits;
  coord__namespace ns;
  int32_t request_timeout_ms;
  int32_t scan_page_keys;
  coord__log log;
  coord__stats stats;
  coord_options *options;
  coord__tls *tls;
  coord__job end_job;
  coord__job connect_job;
  /* I/O thread only. */
  coord__rpc rpc;
  coord__auth auth;
  coord__states states;
  coord__sync sync;
  coord__map tasks;      /* those that can be cancelled, by id */
  coord__list open;      /* all tasks that have not ended */
  coord__list completed; /* tasks to be delivered before the loop sleeps */
  coord__idle deliver;
  coord__list parts;
  struct coord__keeper *keeper;     /* coord/keeper_wire.h; NULL: there was no lease yet */
  struct coord__watches *watches;   /* coord/watch_handle.h; NULL: none was opened */
  struct coord__sessions *sessions; /* coord/session.h; NULL: no lock was acquired yet */
  struct coord__copies *copies;     /* coord/mirror_copy.h; NULL: there was no mirror yet */
  coord__list closers;              /* threads in coord__client_close */
  size_t farewells;     /* of handles that were freed, under way: a close waits for them */
  bool no_range_stream; /* the server has told that it lacks it */
};

coord_code coord__client_open(const coord_options *options, coord_client **out, coord_error **err);
coord_code coord__client_close(coord_client *c, int32_t timeout_ms, coord_error **err);

/* A handle of the program, the client's own or that of a child. It is given back by the thread that
 * frees the handle: what a program has let go when it exits must not look as if it were in use. */
void coord__client_use(coord_client *c);
void coord__client_unuse(coord_client *c);
/* The memory. */
void coord__client_retain(coord_client *c);
void coord__client_release(coord_client *c);

/* The deadline that a timeout of a caller stands for, counted from `since_ns`: 0, none, for a negative
 * one; 0 is the client's request timeout. */
int64_t coord__client_deadline_ns(const coord_client *c, int64_t since_ns, int32_t timeout_ms);

/* I/O thread. */
void coord__client_farewell(coord_client *c);
void coord__client_farewell_ended(coord_client *c);

bool coord__client_forked(const coord_client *c);

/* I/O thread: end what is under way, and the connections. */
void coord__client_end(coord_client *c);
/* I/O thread: a task has ended; those who wait for the last one may go on. */
void coord__client_task_ended(coord_client *c);

#endif
