/*
 * One registration: a key that is to be there, under a lease that lives, with the value that is wanted.
 * What to do next, whatever happens. It does no I/O and reads no clock. I/O thread only.
 *
 * Each write says which revision of the key it replaces, and so each answer, also one that came late or
 * not at all, leaves no doubt: the key says by its lease whose it is.
 */
#ifndef COORD_COORD_ENTRY_H
#define COORD_COORD_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "coord/error.h"

typedef struct coord__entry coord__entry;

typedef enum coord__entry_state {
  COORD__ENTRY_OUT,     /* was not started */
  COORD__ENTRY_JOINING, /* the lease is asked for */
  COORD__ENTRY_WRITING,
  COORD__ENTRY_CHECKING, /* whether the key is as it was */
  COORD__ENTRY_RESTS,    /* all is as it should be */
  COORD__ENTRY_PAUSING,  /* after a failure */
  COORD__ENTRY_REMOVING,
  COORD__ENTRY_OVER
} coord__entry_state;

typedef enum coord__entry_news {
  COORD__ENTRY_IS_THERE, /* for the first time */
  COORD__ENTRY_IS_LOST,  /* with its lease, or to somebody else; it is going to be written again */
  COORD__ENTRY_IS_BACK,
  COORD__ENTRY_IS_STORED, /* a new value */
  COORD__ENTRY_IS_REFUSED, /* value number e->sent: if no other one is wanted by now, the one before it
                              is wanted again, by the same number */
  COORD__ENTRY_IS_OVER     /* the last one */
} coord__entry_news;

/* Each is answered by the function that is named, perhaps from within. */
typedef struct coord__entry_wire {
  void (*join)(coord__entry *e); /* coord__entry_joined, _not_joined */
  /* Let go of the lease; `gone`: the server does not know it. Not answered. */
  void (*leave)(coord__entry *e, bool gone);
  void (*ask)(coord__entry *e);   /* coord__entry_begins, then _answered or _failed */
  void (*pause)(coord__entry *e); /* coord__entry_resume */
  void (*hurry)(coord__entry *e); /* end the pause, without that */
  /* err is handed over, and may be NULL. */
  void (*told)(coord__entry *e, coord__entry_news news, coord_code code, coord_error *err);
} coord__entry_wire;

/* What the server has said. */
typedef struct coord__entry_answer {
  bool done;    /* the key was as expected, and was written or deleted, if it was to be */
  bool present; /* else: it is there, */
  bool same;    /* with the value that was sent, */
  int64_t mod;  /* with this revision (`done`: of the write), */
  int64_t lease;
} coord__entry_answer;

enum { COORD__ENTRY_LEASES = 8 };

struct coord__entry {
  const coord__entry_wire *wire;
  coord__entry_state state;
  bool replace;  /* take over a key that is another's, the first time */
  bool was_up;   /* ever */
  bool is_up;    /* registered, under the lease that it has */
  bool removing; /* it is not to be there any more */
  bool may_be_there;
  bool is_unsure;                      /* whether the key is as it was, to be looked at */
  int64_t deleted;                     /* the revision that did last, not looked at yet; 0: none */
  int64_t lease;                       /* 0: none */
  int64_t mod;                         /* of the key, as far as is known; 0: it is not there */
  int64_t leases[COORD__ENTRY_LEASES]; /* that it was written under, the newest of them */
  unsigned lease_count;
  uint64_t wanted; /* numbers of values */
  uint64_t sent;
  uint64_t stored;
  unsigned failures; /* in a row */
};

void coord__entry_init(coord__entry *e, const coord__entry_wire *wire, bool replace);
void coord__entry_start(coord__entry *e);
/* Another value is wanted: number e->wanted. */
void coord__entry_change(coord__entry *e);
void coord__entry_remove(coord__entry *e);
/* Nothing more is done. */
void coord__entry_end(coord__entry *e, coord_code code);

/* ---- what happens ---- */

void coord__entry_joined(coord__entry *e, int64_t lease);
/* `again`: it may go well another time. */
void coord__entry_not_joined(coord__entry *e, coord_code code, coord_error *err, bool again);
/* The lease is lost, and left. */
void coord__entry_lost(coord__entry *e, coord_error *why);
/* This revision has deleted the key. Also when that is long ago, or it was done by us. */
void coord__entry_deleted(coord__entry *e, int64_t revision);
/* What happened to the key may have been missed. */
void coord__entry_doubt(coord__entry *e);
/* About to send what was asked for: if the key's revision is e->mod, put the value that is wanted now
 * under e->lease, or (REMOVING) delete it, or (CHECKING) nothing. False: that is to be done no more. */
bool coord__entry_begins(coord__entry *e);
void coord__entry_answered(coord__entry *e, const coord__entry_answer *answer);
/* It may have been done nevertheless, unless `again` is false. */
void coord__entry_failed(coord__entry *e, coord_code code, coord_error *err, bool again);
void coord__entry_resume(coord__entry *e);

#endif
