/*
 * What waits, waits without Ruby's global lock, so other threads run. Part of the file that SWIG writes.
 *
 * A call of an op, and waiting for an event, end at once when their thread is killed, raised in, or interrupted by a signal;
 * the op is cancelled. Ruby itself waits, for the queue's descriptor: a signal ends no other wait of a process whose other threads
 * have ended. What opens something without an op ends by its own timeout.
 */
#ifndef COORD_RUBY_WAIT_H
#define COORD_RUBY_WAIT_H

#include <time.h>

#include "convert.h"

/* ---- handles that are freed now ----------------------------------------------------------------- */

typedef struct coord_ruby_left {
  struct coord_ruby_left *next;
  void *handle;
  void (*destroy)(void *);
} coord_ruby_left;

/* Under the global lock. */
static size_t coord_ruby_away; /* threads in C without that lock */
static coord_ruby_left
    *coord_ruby_late; /* what those may use still, to be freed when none is left */

static void coord_ruby_free_late(void) {
  while (coord_ruby_away == 0 && coord_ruby_late != NULL) {
    coord_ruby_left *left = coord_ruby_late;
    coord_ruby_late = left->next;
    left->destroy(left->handle);
    xfree(left);
  }
}

/* release(handle): frees it now, not when it is collected. Again: nothing. */
static VALUE coord_ruby_release(VALUE self, VALUE value) {
  (void)self;
  if (!RB_TYPE_P(value, T_DATA) || RTYPEDDATA_P(value) || SWIG_MangleStr(value) == NULL) {
    coord_ruby_refuse(rb_eTypeError, value, "release", "handle", "a handle");
  }
  if (DATA_PTR(value) == NULL || RDATA(value)->dfree == NULL) return Qnil;
  coord_ruby_left *left = ALLOC(coord_ruby_left);
  *left = (coord_ruby_left){coord_ruby_late, DATA_PTR(value), RDATA(value)->dfree};
  DATA_PTR(value) = NULL;
  coord_ruby_late = left;
  coord_ruby_free_late();
  return Qnil;
}

/* ---- calls of ops ------------------------------------------------------------------------------- */

typedef struct coord_ruby_job {
  VALUE client;
  coord_queue *queue; /* of this call alone */
  coord_event *event;
  uint64_t id;
  bool is_done;
} coord_ruby_job;

static VALUE coord_ruby_wait(VALUE arg) {
  coord_ruby_job *job = (coord_ruby_job *)arg; /* NOLINT(performance-no-int-to-ptr) */
  while ((job->event = coord_queue_next(job->queue, 0)) == NULL) {
    rb_wait_for_single_fd(coord_queue_fd(job->queue), RB_WAITFD_IN, NULL);
  }
  job->is_done = true;
  return Qnil;
}

static VALUE coord_ruby_end_wait(VALUE arg) {
  coord_ruby_job *job = (coord_ruby_job *)arg;  /* NOLINT(performance-no-int-to-ptr) */
  coord_client *client = DATA_PTR(job->client); /* NULL: released meanwhile, which has ended it */
  if (!job->is_done && client != NULL) coord_cancel(client, job->id);
  if (!job->is_done) coord_event_free(job->event);
  coord_queue_free(job->queue);
  return Qnil;
}

static coord_result *coord_ruby_call(VALUE client, coord_client *c, const coord_op *op,
                                     int32_t timeout_ms) {
  coord_ruby_job job = {.client = client};
  coord_error *error = NULL;
  coord_code code = coord_queue_open(&job.queue, &error);
  if (code == COORD_OK) code = coord_submit(c, op, timeout_ms, job.queue, 0, &job.id, &error);
  if (code != COORD_OK) {
    coord_queue_free(job.queue);
    coord_ruby_fail(code, error);
  }
  rb_ensure(coord_ruby_wait, (VALUE)&job, coord_ruby_end_wait, (VALUE)&job);
  code = coord_event_code(job.event);
  VALUE raised = code != COORD_OK ? coord_ruby_to_error(code, coord_event_error(job.event)) : Qnil;
  coord_result *result = coord_event_take_result(job.event);
  coord_event_free(job.event);
  if (code != COORD_OK) rb_exc_raise(raised);
  RB_GC_GUARD(client);
  return result;
}

typedef struct coord_ruby_own {
  VALUE client;
  coord_client *c;
  coord_op *op;
  coord_result *result;
} coord_ruby_own;

static VALUE coord_ruby_call_own(VALUE arg) {
  coord_ruby_own *own = (coord_ruby_own *)arg; /* NOLINT(performance-no-int-to-ptr) */
  own->result = coord_ruby_call(own->client, own->c, own->op, 0);
  return Qnil;
}

static VALUE coord_ruby_free_own(VALUE arg) {
  coord_op_free(((coord_ruby_own *)arg)->op); /* NOLINT(performance-no-int-to-ptr) */
  return Qnil;
}

/* Frees the op, whatever comes. */
static coord_result *coord_ruby_run(VALUE client, coord_client *c, coord_op *op) {
  coord_ruby_own own = {client, c, op, NULL};
  if (op == NULL) coord_ruby_fail(COORD_NO_MEMORY, NULL);
  rb_ensure(coord_ruby_call_own, (VALUE)&own, coord_ruby_free_own, (VALUE)&own);
  return own.result;
}

/* ---- events ------------------------------------------------------------------------------------- */

static double coord_ruby_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* By the descriptor: several threads may wait, and one that is interrupted disturbs no other. */
static coord_event *coord_ruby_next(VALUE queue, int32_t timeout_ms) {
  double ends = timeout_ms < 0 ? 0 : coord_ruby_now() + timeout_ms / 1000.0;
  for (;;) {
    coord_queue *q = coord_ruby_to_handle(queue, SWIGTYPE_p_coord_queue, "queue_next", "queue");
    int fd = coord_queue_fd(q);
    if (fd < 0) coord_ruby_fail(q == NULL ? COORD_INVALID : COORD_FORKED, NULL);
    coord_event *event = coord_queue_next(q, 0);
    double left = ends - coord_ruby_now();
    if (event != NULL || (timeout_ms >= 0 && left <= 0)) return event;
    struct timeval tv = {(time_t)left, (suseconds_t)((left - (double)(time_t)left) * 1e6) + 1};
    rb_wait_for_single_fd(fd, RB_WAITFD_IN, timeout_ms < 0 ? NULL : &tv);
  }
}

/* event_error(event): why it failed, is at risk or lost, as a Coord::Error; nil when all is well. */
static VALUE coord_ruby_event_error(VALUE self, VALUE value) {
  (void)self;
  coord_event *event = coord_ruby_to_handle(value, SWIGTYPE_p_coord_event, "event_error", "event");
  coord_code code = coord_event_code(event);
  return code != COORD_OK ? coord_ruby_to_error(code, coord_event_error(event)) : Qnil;
}

/* ---- what waits in C ---------------------------------------------------------------------------- */

typedef struct coord_ruby_args {
  void *handle;
  const void *bytes;
  size_t length;
  const coord_options *options;
  coord_queue *queue;
  uint64_t tag;
  int64_t number;
  int32_t timeout_ms;
  void *out;
  coord_error **err;
  coord_code code;
  bool is_done;
} coord_ruby_args;

/* Interrupts are looked at before and not after, when there is something that would be leaked. */
static coord_code coord_ruby_leave(void *(*run)(void *), coord_ruby_args *args) {
  while (!args->is_done) {
    rb_thread_check_ints();
    coord_ruby_away++;
    rb_thread_call_without_gvl2(run, args, NULL, NULL);
    coord_ruby_away--;
  }
  coord_ruby_free_late();
  return args->code;
}

#define COORD_RUBY_RUN(name, ...)                        \
  {                                                      \
    coord_ruby_args args = {__VA_ARGS__};                \
    result = coord_ruby_leave(coord_ruby_##name, &args); \
  }

#define COORD_RUBY_WAITS(name, ARGUMENTS)     \
  static void *coord_ruby_##name(void *arg) { \
    coord_ruby_args *a = arg;                 \
    a->code = coord_##name ARGUMENTS;         \
    a->is_done = true;                        \
    return NULL;                              \
  }
COORD_RUBY_WAITS(client_open, (a->options, a->out, a->err))
COORD_RUBY_WAITS(client_sync_endpoints, (a->handle, a->timeout_ms, a->err))
COORD_RUBY_WAITS(client_close, (a->handle, a->timeout_ms, a->err))
COORD_RUBY_WAITS(scan_next, (a->handle, a->timeout_ms, a->out, a->err))
COORD_RUBY_WAITS(lease_open,
                 (a->handle, a->number, a->timeout_ms, a->queue, a->tag, a->out, a->err))
COORD_RUBY_WAITS(lease_adopt,
                 (a->handle, a->number, a->timeout_ms, a->queue, a->tag, a->out, a->err))
COORD_RUBY_WAITS(lease_close, (a->handle, a->timeout_ms, a->err))
COORD_RUBY_WAITS(mirror_open,
                 (a->handle, a->bytes, a->length, a->options, a->queue, a->tag, a->out, a->err))
COORD_RUBY_WAITS(config_open, (a->handle, a->bytes, a->options, a->queue, a->tag, a->out, a->err))
COORD_RUBY_WAITS(registry_discover, (a->handle, a->bytes, a->timeout_ms, a->out, a->err))
COORD_RUBY_WAITS(registry_services, (a->handle, a->timeout_ms, a->out, a->err))

/* ---- memory ------------------------------------------------------------------------------------- */

/* Ruby's collector has to know what a result weighs. */
static ssize_t coord_ruby_weight(const coord_result *result) {
  coord_kv kv;
  size_t weight = 0;
  for (size_t i = coord_result_count(result); i-- > 0;) {
    if (coord_result_kv(result, i, &kv) == COORD_OK) weight += kv.key_len + kv.value_len;
  }
  for (size_t i = coord_result_parts(result); i-- > 0;) {
    weight += (size_t)coord_ruby_weight(coord_result_part(result, i));
  }
  return (ssize_t)weight;
}

static coord_result *coord_ruby_weigh(coord_result *result) {
  rb_gc_adjust_memory_usage(coord_ruby_weight(result));
  return result;
}

static void coord_ruby_free_result(void *result) {
  rb_gc_adjust_memory_usage(-coord_ruby_weight(result));
  coord_result_free(result);
}

static void coord_ruby_open(VALUE module) {
  coord_ruby_error_class = rb_define_class_under(module, "Error", rb_eStandardError);
  rb_gc_register_mark_object(coord_ruby_error_class);
  rb_define_module_function(module, "release", coord_ruby_release, 1);
  rb_define_module_function(module, "event_error", coord_ruby_event_error, 1);
  ((swig_class *)SWIGTYPE_p_coord_result->clientdata)->destroy = coord_ruby_free_result;
}

#endif
