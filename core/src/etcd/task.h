/* A task: one accepted execution of an op, which ends in exactly one completion. */
#ifndef COORD_ETCD_TASK_H
#define COORD_ETCD_TASK_H

#include "base/event.h"
#include "base/queue.h"
#include "etcd/client.h"
#include "etcd/op.h"
#include "etcd/waiter.h"

typedef struct coord__task coord__task;

/* Who is told: a queue by an event, a thread that waits, or a function on the I/O thread, which frees
 * the task. One of them is set. */
typedef struct coord__sink {
  coord_queue *queue;
  uint64_t tag;
  coord__waiter *waiter;
  void (*done)(coord__task *task, void *user);
  void *user;
} coord__sink;

struct coord__task {
  coord_event event; /* the completion; first, so that freeing the event frees the task */
  coord__job job;
  coord_client *client;
  coord__sink sink;
  uint64_t id;
  int64_t started_ns;
  int64_t deadline_ns; /* 0: none */
  /* One call of one method: */
  coord__decode_fn decode;
  coord__echo echo;
  size_t sent;
  coord__call call;
  /* or a conversation: */
  const coord__op_class *class;
  void *self;
  coord__timer timer;
};

/* Make a task of an op: checked, encoded, with all that its completion needs. Any thread. */
coord_code coord__task_new(coord_client *c, const coord_op *op, int32_t timeout_ms,
                           const coord__sink *sink, coord__task **out, coord_error **err);
/* Hand it to the I/O thread. From now on it completes, and belongs to whoever gets the completion:
 * a sink's waiter frees it with coord_event_free(&task->event). */
void coord__task_start(coord__task *task);
/* The same for a thread that waits next: coord__loop_kick must follow, after one or many. */
void coord__task_push(coord__task *task);
/* Free one that was never started. */
void coord__task_drop(coord__task *task);

/* Ask for the end of a task. Any thread. COORD_NO_MEMORY. */
coord_code coord__task_cancel(coord_client *c, uint64_t id);

/* I/O thread: the end of a conversation; result and err are handed over. */
void coord__task_complete(coord__task *task, coord_code code, coord_error *err,
                          coord_result *result);
/* The same, because memory is out. */
void coord__task_no_memory(coord__task *task);
/* I/O thread: end it early: its own way of ending is asked to. */
void coord__task_end(coord__task *task, coord_code code, const char *why);
/* I/O thread: deliver what has completed. */
void coord__task_deliver(coord__idle *idle);

#endif
