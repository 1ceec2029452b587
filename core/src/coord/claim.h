/*
 * A claim: one key in the queue of a name, from asking for it until it is gone. It stands behind those
 * that are older, waits for what is in its way, makes sure in a transaction before it says that it is
 * held, and leaves by a delete that cannot hit another's key. No clock, no wire: it is told what comes,
 * and acts through a coord__claim_wire. I/O thread only.
 */
#ifndef COORD_COORD_CLAIM_H
#define COORD_COORD_CLAIM_H

#include "base/buf.h"
#include "etcd/op.h"
#include "etcd/result.h"

typedef enum coord__claim_kind {
  COORD__CLAIM_EXCLUSIVE, /* waits for all that are older */
  COORD__CLAIM_READ,      /* for those that do not read */
  COORD__CLAIM_SEMAPHORE  /* until fewer than `permits` are older */
} coord__claim_kind;

typedef enum coord__claim_state {
  COORD__CLAIM_OUT,      /* there is no key, as far as this claim knows */
  COORD__CLAIM_JOINING,  /* the key is being written */
  COORD__CLAIM_CHECKING, /* who is older? */
  COORD__CLAIM_WAITING,  /* for what is in the way */
  COORD__CLAIM_TAKING,   /* with a delay: the mark is being written */
  COORD__CLAIM_DELAYED,  /* by the mark of one that was lost */
  COORD__CLAIM_HELD,
  COORD__CLAIM_LEAVING,
  COORD__CLAIM_LINGERING /* until what was on the way can have come no more, to leave once again */
} coord__claim_state;

typedef enum coord__claim_news {
  COORD__CLAIM_IS_BLOCKED, /* it waits; only told for the first time */
  COORD__CLAIM_IS_HELD,
  COORD__CLAIM_HAS_FAILED, /* code, err; it leaves by itself, as far as there is anything to leave */
  COORD__CLAIM_IS_LOST,    /* it was held, and is OUT */
  COORD__CLAIM_HAS_LEFT,   /* code: as it went; NOT_FOUND: the key was gone already */
  COORD__CLAIM_IS_OVER /* OUT, and nothing is under way: it may be freed. After each start, once */
} coord__claim_news;

typedef enum coord__claim_eye { COORD__EYE_OWN, COORD__EYE_BLOCKER } coord__claim_eye;

typedef struct coord__claim coord__claim;

typedef struct coord__claim_wire {
  /* Execute an op, which is handed over and may be NULL: memory is out. coord__claim_answered follows,
   * also from within. One at a time. */
  void (*ask)(coord__claim *claim, coord_op *op);
  /* Watch for deletes of a key (prefix: of all that begin with it) from this revision on.
   * coord__claim_deleted, or coord__claim_blind. False: memory is out. */
  bool (*watch)(coord__claim *claim, coord__claim_eye eye, const void *key, size_t key_len,
                bool prefix, int64_t revision);
  void (*unwatch)(coord__claim *claim, coord__claim_eye eye);
  /* Call coord__claim_run after this time; INT64_MAX: at no time. Instead of what was asked before. */
  void (*wake)(coord__claim *claim, int64_t after_ns);
} coord__claim_wire;

struct coord__claim {
  const coord__claim_wire *wire;
  void (*told)(coord__claim *claim, coord__claim_news news, coord_code code, coord_error *err);
  coord__claim_kind kind;
  size_t permits;
  int64_t delay_ns;  /* 0: none */
  coord__buf prefix; /* NAME/ */
  coord__buf mark;   /* NAME!held */
  coord__buf key;    /* NAME/<lease> */
  coord__buf value;
  bool rewrites; /* a key that is there already gets the value too */
  int64_t lease_id;
  coord__claim_state state;
  bool asking;      /* an answer is to come */
  bool leaving;     /* with the next answer at the latest */
  bool ended;       /* HAS_FAILED, IS_LOST or HAS_LEFT was told */
  bool doubt;       /* a key may still come of what was asked, behind an answer to the contrary */
  bool leave_doubt; /* a delete may have been done whose answer was lost */
  bool swept;       /* the second look for that key has begun */
  bool was_blocked;
  bool own_gone;
  bool unsure;         /* the watch of the key has ended by itself */
  bool watched[2];     /* by coord__claim_eye */
  int64_t revision;    /* of creation; 0: not known */
  int64_t seen;        /* the revision of the last look */
  int64_t mark_seen;   /* mod revision of the mark that delays; 0: none */
  coord_result *older; /* semaphore: what was in the way at the last look */
  coord__buf blocker;  /* else: the key */
  size_t to_go;        /* so many of those have to go before a new look is worth it */
  unsigned failures;   /* in a row */
};

/* The name's keys, without a lease. False: memory is out; freed with coord__claim_free in any case. */
bool coord__claim_init(coord__claim *claim, const coord__claim_wire *wire, const void *name,
                       size_t name_len);
/* Only before a start, or after COORD__CLAIM_IS_OVER. */
void coord__claim_free(coord__claim *claim);

/* Ask for the key, under this lease; one that is there already is gone on with. False: memory is out. */
bool coord__claim_start(coord__claim *claim, int64_t lease_id);
/* Release it, or give up waiting. HAS_LEFT follows, unless it was told that it failed or was lost. */
void coord__claim_leave(coord__claim *claim);
/* The lease is gone, and the key with it. */
void coord__claim_lose(coord__claim *claim, coord_code code, const char *why);

/* ---- what happens ---- */

/* err and result are handed over; doubt: it may have been done, or still be done, whatever code says. */
void coord__claim_answered(coord__claim *claim, coord_code code, coord_error *err,
                           coord_result *result, bool doubt);
/* A key was deleted. True: coord__claim_attend is to be called, not from within. */
bool coord__claim_deleted(coord__claim *claim, coord__claim_eye eye, const void *key,
                          size_t key_len);
/* The watch has ended by itself. As coord__claim_deleted. */
bool coord__claim_blind(coord__claim *claim, coord__claim_eye eye);
void coord__claim_attend(coord__claim *claim);
/* The time has come that it wanted to be woken at. */
void coord__claim_run(coord__claim *claim);

/* Whether this value is one of a reader. */
bool coord__claim_reads(const void *value, size_t len);

#endif
