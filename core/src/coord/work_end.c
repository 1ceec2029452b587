/* The ops that end what was taken from a queue of work, and the one that puts into it. */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "coord/ask.h"
#include "coord/workqueue_handle.h"
#include "etcd/result.h"
#include "etcd/task.h"

typedef struct ending {
  atomic_int refs;
  coord_workqueue *queue;
  bool done;
  coord__work_item item;
  int64_t token;
  /* I/O thread only. */
  bool doubt; /* it may have been done already, by an execution whose answer was lost */
  coord__task *task;
  coord__ask ask;
} ending;

static void retain(void *self) {
  atomic_fetch_add_explicit(&((ending *)self)->refs, 1, memory_order_relaxed);
}

static void release(void *self) {
  ending *e = self;
  if (atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) > 1) return;
  coord__workqueue_release(e->queue);
  coord__work_item_free(&e->item);
  coord__free(e);
}

static const coord_client *client_of(const void *self) {
  return coord__workqueue_client(((const ending *)self)->queue);
}

static const char *name_of(const ending *e) { return e->done ? "work_done" : "work_return"; }

static void on_answer(coord__ask *ask, coord_code code, coord_error *err, coord_result *result,
                      bool doubt) {
  ending *e = COORD__CONTAINER(ask, ending, ask);
  coord__task *task = e->task;
  e->task = NULL;
  e->doubt |= doubt;
  if (code == COORD_OK && !result->succeeded) {
    bool is_marked = result->part_count == 1 && result->parts[0].kv_count > 0;
    /* As long as the lease lives nobody but this op can have removed the mark. */
    bool was_us = e->doubt && !is_marked && coord__workqueue_remaining_ms(e->queue, e->token) > 0;
    if (!was_us) {
      code =
          coord__fail(&err, COORD_LOST, "%s: the item is not taken by token %" PRId64 " any more",
                      name_of(e), e->token);
    }
  }
  if (code != COORD_OK) {
    coord__result_free(result);
    result = NULL;
  } else {
    result->succeeded = true;
    result->part_count = 0;
  }
  coord__task_complete(task, code, err, result);
}

static void start(void *self, coord__task *task) {
  ending *e = self;
  coord_error *err = NULL;
  coord_code code = COORD_OK;
  if (coord__workqueue_is_freed(e->queue)) {
    code = coord__fail(&err, COORD_CLOSED, "%s: the handle was freed", name_of(e));
  } else if (e->task != NULL) {
    code = coord__fail(&err, COORD_CONFLICT, "%s: this op is under way already", name_of(e));
  }
  if (code != COORD_OK) {
    coord__task_complete(task, code, err, NULL);
    return;
  }
  e->task = task;
  e->ask.client = coord__workqueue_client(e->queue);
  e->ask.done = on_answer;
  e->ask.repeatable = true;
  coord__ask_start(
      &e->ask,
      e->done ? coord__work_done_op(&e->item, e->token) : coord__work_return_op(&e->item, e->token),
      task->deadline_ns);
}

static void cancel(void *self, coord__task *task, coord_code code, const char *why) {
  ending *e = self;
  if (e->task == task) coord__call_end(&e->ask.call, code, why);
}

static const coord__op_class done_class = {"work_done", retain, release, client_of, start, cancel};
static const coord__op_class return_class = {"work_return", retain, release,
                                             client_of,     start,  cancel};

static bool is_item_of(const coord_workqueue *w, const void *key, size_t key_len) {
  return key != NULL && coord__work_is_item(coord__workqueue_names(w), key, key_len);
}

static coord_code fault(coord_op *op, const char *name, const void *key, size_t key_len) {
  char shown[COORD__SHOWN];
  return coord__op_fault(op, COORD_INVALID, "%s: argument key \"%s\" is not an item of this queue",
                         name,
                         coord__show(shown, key != NULL ? key : "", key != NULL ? key_len : 0));
}

coord_op *coord__op_work_end(coord_workqueue *w, bool done, const void *key, size_t key_len,
                             int64_t token) {
  ending *e = coord__calloc(1, sizeof *e);
  if (e == NULL) return NULL;
  atomic_init(&e->refs, 1);
  e->queue = w;
  e->done = done;
  e->token = token;
  coord__workqueue_retain(w);
  bool is_item = is_item_of(w, key, key_len);
  bool ok = !is_item || coord__work_item_set(&e->item, coord__workqueue_names(w), key, key_len);
  coord_op *op = ok ? coord__op_custom(done ? &done_class : &return_class, e) : NULL;
  if (op != NULL && !is_item) fault(op, name_of(e), key, key_len);
  release(e);
  return op;
}

coord_code coord__op_then_done(coord_op *txn, const coord_workqueue *w, const void *key,
                               size_t key_len, int64_t token) {
  coord__work_item item = {0};
  if (!is_item_of(w, key, key_len)) return fault(txn, "then_done", key, key_len);
  coord_code code = COORD_NO_MEMORY;
  if (coord__work_item_set(&item, coord__workqueue_names(w), key, key_len)) {
    code = coord__work_add_done(txn, &item, token);
  }
  coord__work_item_free(&item);
  return code == COORD_OK ? code : coord__op_fault(txn, code, "then_done: memory is out");
}

coord_op *coord__op_work_put(const void *name, size_t name_len, const void *value,
                             size_t value_len) {
  coord__buf key = {0};
  char id[20];
  snprintf(id, sizeof id, "/%016" PRIx64, coord__random());
  bool has_name = name != NULL && name_len > 0;
  bool ok =
      !has_name || (coord__buf_append(&key, name, name_len) && coord__buf_append_str(&key, id));
  coord_op *op = ok ? coord__op_put(key.data, key.len, value, value_len) : NULL;
  coord__buf_free(&key);
  if (op != NULL && !has_name) {
    coord__op_fault(op, COORD_INVALID, "work_put: argument name is %s; a queue needs a name",
                    name == NULL ? "NULL" : "empty");
  }
  return op;
}
