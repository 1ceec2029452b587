/*
 * Sessions: leases that locks and elections hang on, kept alive as long as something does. Those of a
 * client that ask for the same TTL share one, save that two on one name never do: their keys would be
 * the same. I/O thread only, unless stated.
 */
#ifndef COORD_COORD_SESSION_H
#define COORD_COORD_SESSION_H

#include "coord/keeper_wire.h"

typedef struct coord__session coord__session;
typedef struct coord__pool coord__pool;

/* Who hangs on a session. */
typedef struct coord__member {
  coord__list link;
  coord__session *session; /* NULL: on none */
  uint64_t name;           /* a hash: members of one session differ in it */
  bool waits;              /* for the lease */
  /* The lease is there, or not to be had; in that case it is out. err is handed over. */
  void (*ready)(struct coord__member *m, coord_code code, coord_error *err);
  /* LOST and ENDED: it is out. */
  void (*news)(struct coord__member *m, coord__kept_news news, coord_code code, const char *why);
} coord__member;

/* The pool of all that ask for this TTL, or one of its own, whose first session has the lease adopt_id,
 * which exists, unless that is 0. Each open is followed by one close, after which its sessions end with
 * their last members. NULL: memory is out. */
coord__pool *coord__pool_open(coord_client *c, int64_t ttl_s, bool own, int64_t adopt_id);
void coord__pool_close(coord__pool *pool);

/* Hang on a session of the pool that has none of this name. `ready` follows, or comes from within. */
void coord__session_join(coord__pool *pool, coord__member *m, uint64_t name);
/* Fine for one that hangs on none. */
void coord__session_leave(coord__member *m);
/* The server does not know the lease any more: nobody joins it from now on. */
void coord__session_retire(coord__session *s);

/* Its lease was renewed by a question sent then. */
void coord__session_refresh(coord__session *s, int64_t sent_boot_ns, int64_t ttl_s);

/* Any thread: */
int64_t coord__session_lease_id(const coord__session *s);
int64_t coord__session_ttl_s(const coord__session *s);
/* As coord__kept_left_ns. */
int64_t coord__session_left_ns(coord__session *s);
coord__session *coord__session_retain(coord__session *s);
void coord__session_release(coord__session *s);

#endif
