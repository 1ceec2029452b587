/*
 * What a handle tells its queue about something that it keeps: AT_RISK, RESTORED, LOST, ACQUIRED and
 * CLOSED, each waiting there once at most, and none after the handle was freed.
 */
#ifndef COORD_COORD_TELLER_H
#define COORD_COORD_TELLER_H

#include <pthread.h>
#include <stdbool.h>

#include "base/event.h"
#include "coord/queue.h"

struct coord__notice;
struct coord__changes;

enum { COORD__TELLER_TYPES = COORD_EVENT_REJECTED + 1 };

typedef struct coord__teller {
  coord_queue *queue; /* NULL: nobody is told */
  uint64_t tag;
  void *owner; /* held by each event that is out */
  void (*retain)(void *owner);
  void (*release)(void *owner);
  pthread_mutex_t lock; /* of what follows; recursive, for an event may end where it is delivered */
  bool muted;
  struct coord__notice *out[COORD__TELLER_TYPES];   /* by type: the newest that may be waiting */
  struct coord__notice *ready[COORD__TELLER_TYPES]; /* memory that was set aside */
} coord__teller;

void coord__teller_init(coord__teller *t, coord_queue *queue, uint64_t tag, void *owner,
                        void (*retain)(void *owner), void (*release)(void *owner));
void coord__teller_free(coord__teller *t);

/* Set memory aside for the next event of this type. False: memory is out. I/O thread, or before it. */
bool coord__teller_prepare(coord__teller *t, int32_t type);
/* Tell; one of the same type that waits is replaced. Without memory it is not told, as a line of the log
 * is not, unless some was set aside. I/O thread. */
void coord__teller_tell(coord__teller *t, int32_t type, coord_code code, const char *why,
                        int64_t revision);
/* CHANGES, which are handed over. */
void coord__teller_tell_changes(coord__teller *t, struct coord__changes *changes);
/* The last one of this type is not told, if it waits still. */
bool coord__teller_withdraw(coord__teller *t, int32_t type);
/* AT_RISK or RESTORED; who has not seen the RESTORED after the last AT_RISK needs no other one. */
void coord__teller_tell_risk(coord__teller *t, bool at_risk, coord_code code, const char *why);
/* No event of it comes out any more. Any thread. */
void coord__teller_mute(coord__teller *t);

#endif
