#include "coord/barrier_ops.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "coord/ask.h"
#include "coord/lookout.h"
#include "etcd/result.h"
#include "etcd/task.h"
#include "etcd/txn.h"

/* Which barrier; shared by the executions of an op. */
typedef struct barrier {
  atomic_int refs;
  coord__buf name;
  coord__list visits; /* I/O thread only */
} barrier;

/* One execution. */
typedef struct visit {
  coord__list link;
  const barrier *barrier;
  coord__task *task;
  bool raises;
  bool ending;
  bool asking;
  coord__ask ask;
  coord__lookout lookout;
} visit;

static void retain(void *self) {
  atomic_fetch_add_explicit(&((barrier *)self)->refs, 1, memory_order_relaxed);
}

static void release(void *self) {
  barrier *b = self;
  if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) > 1) return;
  coord__buf_free(&b->name);
  coord__free(b);
}

static const coord_client *client_of(const void *self) {
  (void)self;
  return NULL; /* any */
}

static void end(visit *v, coord_code code, coord_error *err, coord_result *result) {
  coord__lookout_stop(&v->lookout);
  coord__list_remove(&v->link);
  coord__task_complete(v->task, code, err, result);
  coord__free(v);
}

/* NULL: memory is out. */
static coord_op *raise_op(const barrier *b) {
  coord_op *txn = coord__op_txn();
  bool ok = coord__txn_if(txn, &b->name, COORD_COMPARE_VERSION, COORD_EQUAL, 0) &&
            coord__txn_then(txn, coord__op_put(b->name.data, b->name.len, NULL, 0));
  return coord__txn_finish(txn, ok);
}

static coord_op *get_op(const barrier *b) { return coord__op_get(b->name.data, b->name.len); }

static coord_op *watch_op(const barrier *b) {
  coord_op *get = get_op(b);
  if (get != NULL) coord__op_set(get, COORD_OP_NO_PUTS, 1);
  return get;
}

static void look(visit *v) {
  v->asking = true;
  if (v->raises) {
    coord__ask_start(&v->ask, raise_op(v->barrier), v->task->deadline_ns);
  } else { /* as often as it takes */
    coord__ask_start(&v->ask, get_op(v->barrier),
                     coord__client_deadline_ns(v->ask.client, coord__clock_ns(), 0));
  }
}

static void on_answer(coord__ask *ask, coord_code code, coord_error *err, coord_result *result,
                      bool doubt) {
  visit *v = COORD__CONTAINER(ask, visit, ask);
  char shown[COORD__SHOWN];
  v->asking = false;
  if (v->raises && code == COORD_OK && !result->succeeded) {
    code = coord__fail(&err, COORD_CONFLICT, "barrier \"%s\" is raised already",
                       coord__show(shown, v->barrier->name.data, v->barrier->name.len));
  } else if (v->raises || (code == COORD_OK && result->kv_count == 0)) {
    /* It is as it was to be, or not to be. */
  } else if (code == COORD_OK) {
    v->lookout.failures = 0;
    if (coord__lookout_watch(&v->lookout, watch_op(v->barrier), result->revision + 1)) {
      coord__result_free(result);
      return;
    }
    code = coord__no_memory(&err);
  } else if (!v->ending && coord__error_may_pass(code, err, doubt)) {
    coord_error_free(err);
    coord__lookout_pause(&v->lookout);
    return;
  }
  if (code != COORD_OK) {
    coord__result_free(result);
    result = NULL;
  }
  end(v, code, err, result);
}

static bool matters(coord__lookout *l, int32_t type, const coord_kv *kv) {
  (void)l;
  (void)kv;
  return type == COORD_CHANGE_DELETE;
}

static void on_wake(coord__lookout *l) {
  visit *v = COORD__CONTAINER(l, visit, lookout);
  if (!v->asking) look(v);
}

static void start(barrier *b, coord__task *task, bool raises) {
  visit *v = coord__calloc(1, sizeof *v);
  if (v == NULL) {
    coord__task_no_memory(task);
    return;
  }
  v->barrier = b;
  v->task = task;
  v->raises = raises;
  v->ask.client = task->client;
  v->ask.done = on_answer;
  coord__lookout_init(&v->lookout, task->client, matters, on_wake);
  coord__list_append(&b->visits, &v->link);
  look(v);
}

static void start_raise(void *self, coord__task *task) { start(self, task, true); }

static void start_wait(void *self, coord__task *task) { start(self, task, false); }

static void cancel(void *self, coord__task *task, coord_code code, const char *why) {
  barrier *b = self;
  char shown[COORD__SHOWN];
  coord_error *err = NULL;
  for (coord__list *n = b->visits.next; n != &b->visits; n = n->next) {
    visit *v = COORD__CONTAINER(n, visit, link);
    if (v->task != task) continue;
    v->ending = true;
    if (v->asking) {
      coord__call_end(&v->ask.call, code, why);
    } else {
      coord__fail(&err, code, "barrier \"%s\": %s", coord__show(shown, b->name.data, b->name.len),
                  why);
      if (err != NULL && code == COORD_TIMEOUT) err->flags = COORD_RETRIABLE;
      end(v, code, err, NULL);
    }
    return;
  }
}

static const coord__op_class raise_class = {"barrier_raise", retain,      release,
                                            client_of,       start_raise, cancel};
static const coord__op_class wait_class = {"barrier_wait", retain,     release,
                                           client_of,      start_wait, cancel};

static coord_op *barrier_op(const coord__op_class *class, const void *name, size_t name_len) {
  barrier *b = coord__calloc(1, sizeof *b);
  if (b == NULL) return NULL;
  atomic_init(&b->refs, 1);
  coord__list_init(&b->visits);
  bool has_name = name != NULL && name_len > 0;
  bool ok = !has_name || coord__buf_append(&b->name, name, name_len);
  coord_op *op = ok ? coord__op_custom(class, b) : NULL;
  release(b);
  if (op != NULL && !has_name) {
    coord__op_fault(op, COORD_INVALID, "%s: argument name is %s; a barrier needs a name",
                    class->name, name == NULL ? "NULL" : "empty");
  }
  return op;
}

coord_op *coord__op_barrier_raise(const void *name, size_t name_len) {
  return barrier_op(&raise_class, name, name_len);
}

coord_op *coord__op_barrier_lower(const void *name, size_t name_len) {
  return coord__op_delete(name, name_len);
}

coord_op *coord__op_barrier_wait(const void *name, size_t name_len) {
  return barrier_op(&wait_class, name, name_len);
}
