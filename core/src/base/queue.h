/* The queue object, for the code that delivers to it. */
#ifndef COORD_BASE_QUEUE_H
#define COORD_BASE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "coord/queue.h"

coord_code coord__queue_new(coord_queue **out, coord_error **err);
coord_queue *coord__queue_retain(coord_queue *q);
void coord__queue_release(coord_queue *q);

/* Deliver a list of events and empty it. Events for a queue that its owner has freed are freed.
 * Of LOG and of STATE events only the newest 1,024 each are kept. Any thread. */
void coord__queue_push(coord_queue *q, coord__list *events);

/* Take an event back that nobody has taken out yet; false: somebody has. The event has not been freed.
 * Any thread. */
bool coord__queue_withdraw(coord_queue *q, coord_event *event);
struct coord__sender;

/* Whether the events of the sender that wait take `limit` bytes or more; then it is told once they
 * take less than half of it. With a queue that its owner has freed: true, and nothing follows. */
bool coord__queue_is_full(coord_queue *q, struct coord__sender *sender, size_t limit);
/* Discard what waits of the sender, and what comes; nothing of it can be taken after that. */
void coord__queue_mute(coord_queue *q, struct coord__sender *sender);

/* How a thread that waits for an event may do the I/O meanwhile; see coord__loop_lead. */
typedef struct coord__queue_leader {
  bool (*is_free)(void *self);
  void (*lead)(void *self, int64_t until_ns, bool (*over)(void *arg), void *arg);
  void (*nudge)(void *self);
  void *self;
} coord__queue_leader;

/* As the public functions, without the checks of arguments. */
int coord__queue_fd(coord_queue *q);
/* `leader` may be NULL. */
coord_event *coord__queue_next(coord_queue *q, int32_t timeout_ms,
                               const coord__queue_leader *leader);
size_t coord__queue_drain(coord_queue *q, coord_event **out, size_t max);
void coord__queue_wake(coord_queue *q);

/* The owner is gone: discard what waits and what comes. Waiters return. */
void coord__queue_shut(coord_queue *q);

/* True when the queue was opened before a fork that made this process. */
bool coord__queue_forked(const coord_queue *q);

#endif
