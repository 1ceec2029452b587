#include "etcd/task.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "etcd/lease.h"
#include "etcd/result.h"

/* Threads to wake before what the first of them asks for next is sent: so that the server has work
 * while the others wake. */
enum { WAKE_AT_ONCE = 8 };

/* ---- making and freeing ---- */

static void destroy(coord_event *event) {
  coord__task *task = COORD__CONTAINER(event, coord__task, event);
  if (task->call.method != NULL && task->call.method->secret) {
    coord__buf_wipe(&task->call.request);
  }
  coord__buf_free(&task->call.request);
  coord__free(task);
}

/* Everything but the memory that the receiver of the completion keeps. */
static void let_go(coord__task *task) {
  if (task->class != NULL) {
    task->class->release(task->self);
    task->class = NULL;
  }
  if (task->sink.queue != NULL) coord__queue_release(task->sink.queue);
  coord__client_release(task->client);
}

void coord__task_drop(coord__task *task) {
  let_go(task);
  destroy(&task->event);
}

static void on_call_done(coord__call *call);

coord_code coord__task_new(coord_client *c, const coord_op *op, int32_t timeout_ms,
                           const coord__sink *sink, coord__task **out, coord_error **err) {
  coord__task *task = coord__calloc(1, sizeof *task);
  if (task == NULL) return coord__no_memory(err);
  if (op->kind == COORD__OP_CUSTOM) {
    coord_code code = coord__op_check(op, err);
    if (code != COORD_OK) {
      coord__free(task);
      return code;
    }
    const coord_client *owner = op->class->client(op->self);
    if (owner != NULL && owner != c) {
      coord__free(task);
      return coord__fail(err, COORD_INVALID, "argument op (%s) belongs to another client",
                         op->class->name);
    }
    task->class = op->class;
    task->self = op->self;
    task->class->retain(task->self);
  } else {
    coord__request request = {0};
    coord_code code = coord__op_encode(op, &c->limits, &request, err);
    if (code != COORD_OK) {
      coord__free(task);
      return code;
    }
    task->decode = request.decode;
    task->echo = request.echo;
    task->sent = request.body.len;
    task->call.method = request.method;
    task->call.request = request.body;
    task->call.read_only = request.read_only;
    task->call.needs_leader = request.needs_leader;
    task->call.repeatable = request.read_only || request.idempotent;
    task->call.done = on_call_done;
  }
  task->event = (coord_event){.type = COORD_EVENT_RESULT, .tag = sink->tag, .destroy = destroy};
  task->client = c;
  task->sink = *sink;
  task->id = atomic_fetch_add(&c->last_id, 1) + 1;
  task->started_ns = coord__clock_ns();
  task->deadline_ns = coord__client_deadline_ns(c, task->started_ns, timeout_ms);
  task->call.deadline_ns = task->deadline_ns;
  if (sink->queue != NULL) coord__queue_retain(sink->queue);
  coord__client_retain(c);
  *out = task;
  return COORD_OK;
}

/* ---- the end ---- */

void coord__task_complete(coord__task *task, coord_code code, coord_error *err,
                          coord_result *result) {
  coord_client *c = task->client;
  coord__timer_stop(c->loop, &task->timer);
  if (task->sink.queue != NULL) coord__map_remove(&c->tasks, task->id);
  task->event.code = code;
  task->event.error = err;
  task->event.result = result;
  coord__list_remove(&task->event.link);
  coord__list_append(&c->completed, &task->event.link);
  coord__loop_defer_first(c->loop, &c->deliver);
}

void coord__task_no_memory(coord__task *task) {
  coord_error *err = NULL;
  coord__no_memory(&err);
  coord__task_complete(task, COORD_NO_MEMORY, err, NULL);
}

static void on_call_done(coord__call *call) {
  coord__task *task = COORD__CONTAINER(call, coord__task, call);
  coord_client *c = task->client;
  coord_code code = call->code;
  coord_error *err = call->error;
  coord_result *result = NULL;
  size_t received = call->response.len;
  if (coord__lease_is_echo(call, &task->echo)) {
    coord_error_free(err);
    err = NULL;
    code = coord__lease_result(&task->echo, &result, &err);
  } else if (code == COORD_OK) {
    code = task->decode(call->response.data, received, &result, &err);
    if (code == COORD_OK) code = coord__namespace_leave(&c->ns, result, &err);
    /* The server has done it; only what it said about it is unreadable. */
    if (code != COORD_OK && err != NULL && !call->read_only) err->flags |= COORD_MAYBE_APPLIED;
    if (code != COORD_OK) {
      coord__error_set_endpoint(err, call->endpoint);
      coord__result_free(result);
      result = NULL;
    }
  }
  coord__buf_free(&call->response);
  int64_t took_ns = coord__clock_ns() - task->started_ns;
  coord__stats_record(&c->stats, call->method, took_ns, task->sent, received, code != COORD_OK);
  coord__log_at(&c->log, COORD_LOG_DEBUG, "%s: %s after %lld us, %zu bytes out, %zu in",
                call->method->name, coord_code_name(code), (long long)(took_ns / 1000), task->sent,
                received);
  coord__task_complete(task, code, err, result);
}

void coord__task_end(coord__task *task, coord_code code, const char *why) {
  if (task->class != NULL) {
    task->class->cancel(task->self, task, code, why);
  } else {
    coord__call_end(&task->call, code, why);
  }
}

static void on_deadline(coord__timer *timer) {
  coord__task_end(COORD__CONTAINER(timer, coord__task, timer), COORD_TIMEOUT,
                  "the deadline passed before the answer came");
}

/* ---- starting ---- */

static void run(coord__job *job) {
  coord__task *task = COORD__CONTAINER(job, coord__task, job);
  coord_client *c = task->client;
  coord__list_append(&c->open, &task->event.link);
  bool recorded = task->sink.queue == NULL || coord__map_insert(&c->tasks, task->id, task);
  if (task->class == NULL) {
    coord__call_start(&c->rpc, &task->call);
    return;
  }
  coord_error *err = NULL;
  task->timer.fire = on_deadline;
  if (c->rpc.closed) {
    coord__fail(&err, COORD_CLOSED, "%s: the client was closed", task->class->name);
    coord__task_complete(task, COORD_CLOSED, err, NULL);
  } else if (!recorded) {
    coord__task_no_memory(task);
  } else {
    if (task->deadline_ns != 0) coord__timer_set(c->loop, &task->timer, task->deadline_ns);
    task->class->start(task->self, task);
  }
}

static void prepare(coord__task *task) {
  atomic_fetch_add_explicit(&task->client->stats.in_flight, 1, memory_order_relaxed);
  task->job.run = run;
}

void coord__task_start(coord__task *task) {
  prepare(task);
  coord__loop_post(task->client->loop, &task->job);
}

void coord__task_push(coord__task *task) {
  prepare(task);
  coord__loop_push(task->client->loop, &task->job);
}

/* ---- delivering ---- */

/* All completions for the queue of the first one, in one go. */
static void deliver_to_queue(coord_client *c, coord__list *tasks) {
  coord__list batch;
  coord__list_init(&batch);
  size_t count = 0;
  coord_queue *queue = NULL;
  while (!coord__list_empty(tasks)) {
    coord__task *task = COORD__CONTAINER(tasks->next, coord__task, event.link);
    if (task->sink.queue == NULL || (queue != NULL && task->sink.queue != queue)) break;
    queue = task->sink.queue;
    coord__list_remove(&task->event.link);
    if (task->class != NULL) task->class->release(task->self);
    task->class = NULL;
    coord__list_append(&batch, &task->event.link);
    count++;
  }
  atomic_fetch_sub_explicit(&c->stats.in_flight, (long long)count, memory_order_relaxed);
  coord__queue_push(queue, &batch);
  for (size_t i = 0; i < count; i++) {
    coord__queue_release(queue);
    coord__client_release(c);
  }
}

static void deliver_one(coord__task *task) {
  coord__waiter *waiter = task->sink.waiter;
  atomic_fetch_sub_explicit(&task->client->stats.in_flight, 1, memory_order_relaxed);
  let_go(task);
  if (waiter != NULL) {
    coord__waiter_signal(waiter);
  } else {
    task->sink.done(task, task->sink.user);
  }
}

void coord__task_deliver(coord__idle *idle) {
  coord_client *c = COORD__CONTAINER(idle, coord_client, deliver);
  coord__client_retain(c);
  size_t woken = 0;
  while (!coord__list_empty(&c->completed) && woken < WAKE_AT_ONCE) {
    coord__task *task = COORD__CONTAINER(c->completed.next, coord__task, event.link);
    if (task->sink.queue == NULL) {
      coord__list_remove(&task->event.link);
      deliver_one(task);
      woken++;
    } else {
      deliver_to_queue(c, &c->completed);
    }
  }
  if (coord__list_empty(&c->completed)) {
    /* What was told has completed others, which are delivered by now: nobody may hold the client. */
    coord__idle_cancel(idle);
    coord__client_task_ended(c);
  } else {
    coord__loop_defer(c->loop, &c->deliver);
  }
  coord__client_release(c);
}

/* ---- cancelling ---- */

typedef struct cancel_job {
  coord__job job;
  coord_client *client;
  uint64_t id;
} cancel_job;

static void run_cancel(coord__job *job) {
  cancel_job *cancel = COORD__CONTAINER(job, cancel_job, job);
  coord__task *task = coord__map_find(&cancel->client->tasks, cancel->id);
  if (task != NULL) coord__task_end(task, COORD_CANCELED, "the caller cancelled it");
  coord__client_release(cancel->client);
  coord__free(cancel);
}

coord_code coord__task_cancel(coord_client *c, uint64_t id) {
  cancel_job *cancel = coord__calloc(1, sizeof *cancel);
  if (cancel == NULL) return COORD_NO_MEMORY;
  cancel->job.run = run_cancel;
  cancel->client = c;
  cancel->id = id;
  coord__client_retain(c);
  coord__loop_post(c->loop, &cancel->job);
  return COORD_OK;
}
