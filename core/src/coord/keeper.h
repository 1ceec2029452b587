/*
 * Keeping leases alive, all of a client on one stream: when to ask, what an answer or its absence
 * means, what to do with a stream that fails. It does no I/O and reads no clock: it is told the time
 * (coord__clock_boot_ns) and what comes, and acts through a coord__keeper_wire. I/O thread only, unless
 * stated.
 */
#ifndef COORD_COORD_KEEPER_H
#define COORD_COORD_KEEPER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "coord/base.h"

typedef enum coord__kept_state {
  COORD__KEPT_OUT,    /* not kept alive: not yet, or no more */
  COORD__KEPT_RESTS,  /* until renew_ns */
  COORD__KEPT_QUEUED, /* to be asked about */
  COORD__KEPT_ASKED,  /* on the stream */
  COORD__KEPT_ALONE   /* by a call of its own */
} coord__kept_state;

typedef enum coord__kept_news {
  COORD__KEPT_AT_RISK,  /* two thirds of its time are over, or the server refuses */
  COORD__KEPT_RESTORED, /* all is well again */
  COORD__KEPT_LOST,     /* it is OUT */
  COORD__KEPT_ENDED     /* it is OUT because the client was closed */
} coord__kept_news;

/* One lease. */
typedef struct coord__kept {
  coord__heap_node node; /* by what is to be done next */
  coord__list link;      /* of those that are asked about, or are to be */
  coord__kept_state state;
  bool single; /* only alone: asked among others it may have ended their stream */
  bool at_risk;
  int64_t id;
  int64_t renew_ns;
  int64_t asked_ns;
  _Atomic int64_t ttl_ns;
  _Atomic int64_t deadline_ns; /* 0: none, and for good once it had one */
  /* From within most functions of the keeper. */
  void (*news)(struct coord__kept *kept, coord__kept_news news, coord_code code, const char *why);
} coord__kept;

typedef struct coord__keeper coord__keeper;

typedef struct coord__keeper_wire {
  /* Open the stream. coord__keeper_opened or _closed follows, also from within. */
  void (*open)(coord__keeper *keeper);
  /* Ask about a lease on it. False: memory is out. */
  bool (*send)(coord__keeper *keeper, int64_t id);
  /* End the stream; `silent`: because nothing comes, so that the next one had better go elsewhere. */
  void (*leave)(coord__keeper *keeper, bool silent);
  /* Ask about one lease apart from the stream, until a time. coord__keeper_told follows, also from
   * within. */
  void (*ask)(coord__keeper *keeper, coord__kept *kept, int64_t until_ns);
  void (*cancel)(coord__keeper *keeper, coord__kept *kept);
  /* Call coord__keeper_run at this time, and no more at the one before; INT64_MAX: at none. */
  void (*wake)(coord__keeper *keeper, int64_t at_ns);
} coord__keeper_wire;

typedef enum coord__keeper_state {
  COORD__KEEPER_IDLE,    /* there is no stream */
  COORD__KEEPER_OPENING, /* it is being opened */
  COORD__KEEPER_OPEN,
  COORD__KEEPER_PAUSE /* it has failed and is opened again later */
} coord__keeper_state;

struct coord__keeper {
  const coord__keeper_wire *wire;
  bool only_alone; /* the wire has no stream for many */
  bool ended;
  coord__map all;     /* by id */
  coord__heap due;    /* those that are kept alive */
  coord__list queued; /* wait for the stream */
  coord__list asked;  /* on it, in the order of asking, which is that of the answers */
  coord__keeper_state state;
  int64_t since_ns; /* when it was opened, or last heard of; PAUSE: when it ends */
  int64_t wake_ns;
  int64_t least_ttl_ns; /* of all that there ever were */
  unsigned failures;    /* in a row */
  coord_code code;      /* of the last one */
  char why[256];
};

void coord__keeper_init(coord__keeper *k, const coord__keeper_wire *wire, bool only_alone);
void coord__keeper_free(coord__keeper *k);

/* Reserve the place of a lease, by its id. COORD_CONFLICT: there is one with this id;
 * COORD_NO_MEMORY. */
coord_code coord__keeper_join(coord__keeper *k, coord__kept *kept);
/* It lives since `sent_ns`, when the question was sent that was answered with this TTL. False: its time
 * is up already, and it has left. */
bool coord__keeper_start(coord__keeper *k, coord__kept *kept, int64_t sent_ns, int64_t ttl_s,
                         int64_t now_ns);
/* Somebody else has had it renewed by a question sent then. */
void coord__keeper_refresh(coord__keeper *k, coord__kept *kept, int64_t sent_ns, int64_t ttl_s,
                           int64_t now_ns);
/* No more of it, and no news. Fine for one that has left. */
void coord__keeper_leave(coord__keeper *k, coord__kept *kept);
/* All end. */
void coord__keeper_end(coord__keeper *k);

/* How long it has at least. Once this was 0 it remains so, and the lease is LOST. Any thread. */
int64_t coord__kept_left_ns(coord__kept *kept, int64_t now_ns);

/* ---- what happens ---- */

void coord__keeper_run(coord__keeper *k, int64_t now_ns);
/* The stream takes questions; once more: nothing was done with what was sent before. */
void coord__keeper_opened(coord__keeper *k, int64_t now_ns);
/* An answer on the stream. Returns how long it took, -1: it is no answer to what was asked. */
int64_t coord__keeper_message(coord__keeper *k, const uint8_t *bytes, size_t len, int64_t now_ns);
/* The stream has ended; `again`: with the same questions it may go well. */
void coord__keeper_closed(coord__keeper *k, coord_code code, bool again, const char *why,
                          int64_t now_ns);
/* The answer to `ask`. */
void coord__keeper_told(coord__keeper *k, coord__kept *kept, coord_code code, int64_t ttl_s,
                        const char *why, int64_t now_ns);

#endif
