#include "coord/call.h"

#include <string.h>

#include "api/check.h"
#include "base/alloc.h"
#include "base/error.h"
#include "coord/event.h"
#include "coord/op.h"
#include "coord/result.h"
#include "etcd/task.h"

static coord_code check(const coord_client *client, const void *op, int32_t timeout_ms,
                        coord_error **err) {
  coord_code code = coord__check_open(client, err);
  if (code == COORD_OK) code = coord__check_pointer(op, "op", err);
  if (code == COORD_OK) code = coord__check_timeout(timeout_ms, err);
  return code;
}

/* Move what a finished task holds to the caller, and free it. */
static coord_code collect(coord__task *task, coord_result **out, coord_error **err) {
  coord_code code = task->event.code;
  if (code == COORD_OK && out != NULL) *out = coord_event_take_result(&task->event);
  if (code != COORD_OK && err != NULL) {
    coord_error_free(*err);
    *err = task->event.error;
    task->event.error = NULL;
  }
  coord_event_free(&task->event);
  return code;
}

coord_code coord_call(coord_client *client, const coord_op *op, int32_t timeout_ms,
                      coord_result **out, coord_error **err) {
  coord_code code = check(client, op, timeout_ms, err);
  if (code != COORD_OK) return code;
  coord__waiter waiter;
  coord__sink sink = {.waiter = &waiter};
  coord__task *task;
  code = coord__task_new(client, op, timeout_ms, &sink, &task, err);
  if (code != COORD_OK) return code;
  coord__waiter_init(&waiter, client->loop, 1);
  /* Another thread may free the client while this one waits. */
  coord__client_retain(client);
  coord__task_push(task);
  coord__waiter_wait(&waiter);
  coord__client_release(client);
  return collect(task, out, err);
}

coord_code coord_submit(coord_client *client, const coord_op *op, int32_t timeout_ms,
                        coord_queue *queue, uint64_t tag, uint64_t *call_id, coord_error **err) {
  coord_code code = check(client, op, timeout_ms, err);
  if (code == COORD_OK) code = coord__check_queue(queue, err);
  if (code != COORD_OK) return code;
  coord__sink sink = {.queue = queue, .tag = tag};
  coord__task *task;
  code = coord__task_new(client, op, timeout_ms, &sink, &task, err);
  if (code != COORD_OK) return code;
  if (call_id != NULL) *call_id = task->id;
  coord__task_start(task);
  return COORD_OK;
}

coord_code coord_cancel(coord_client *client, uint64_t call_id) {
  coord_code code = coord__check_open(client, NULL);
  if (code != COORD_OK) return code;
  if (call_id == 0 || call_id > atomic_load(&client->last_id)) return COORD_INVALID;
  return coord__task_cancel(client, call_id);
}

/* All of them made, or none. */
static coord_code make_all(coord_client *client, const coord_op *const *ops, size_t n,
                           int32_t timeout_ms, const coord__sink *sink, coord__task **tasks,
                           coord_error **err) {
  for (size_t i = 0; i < n; i++) {
    coord_code code = COORD_OK;
    if (ops[i] == NULL) {
      code = coord__fail(err, COORD_INVALID, "argument ops[%zu] is NULL", i);
    } else {
      code = coord__task_new(client, ops[i], timeout_ms, sink, &tasks[i], err);
    }
    if (code == COORD_OK) continue;
    while (i > 0) coord__task_drop(tasks[--i]);
    return code;
  }
  return COORD_OK;
}

coord_code coord_call_many(coord_client *client, const coord_op *const *ops, size_t n,
                           int32_t timeout_ms, coord_result **results, coord_code *codes,
                           coord_error **err) {
  coord_code code = coord__check_pointer(ops, "ops", err);
  if (code == COORD_OK) code = check(client, ops, timeout_ms, err);
  if (code != COORD_OK || n == 0) return code;
  coord__task **tasks = coord__calloc(n, sizeof *tasks);
  if (tasks == NULL) return coord__no_memory(err);
  coord__waiter waiter;
  coord__sink sink = {.waiter = &waiter};
  code = make_all(client, ops, n, timeout_ms, &sink, tasks, err);
  if (code != COORD_OK) {
    coord__free(tasks);
    return code;
  }
  coord__waiter_init(&waiter, client->loop, n);
  coord__client_retain(client);
  for (size_t i = 0; i < n; i++) coord__task_push(tasks[i]);
  coord__waiter_wait(&waiter);
  coord__client_release(client);
  for (size_t i = 0; i < n; i++) {
    coord_result *result = NULL;
    /* Only the first error is handed out. */
    coord_code one = collect(tasks[i], &result, code == COORD_OK ? err : NULL);
    if (code == COORD_OK) code = one;
    if (codes != NULL) codes[i] = one;
    if (results != NULL) {
      results[i] = result;
    } else {
      coord_result_free(result);
    }
  }
  coord__free(tasks);
  return code;
}

coord_code coord_submit_many(coord_client *client, const coord_op *const *ops, size_t n,
                             int32_t timeout_ms, coord_queue *queue, uint64_t tag,
                             uint64_t *call_ids, coord_error **err) {
  coord_code code = coord__check_pointer(ops, "ops", err);
  if (code == COORD_OK) code = check(client, ops, timeout_ms, err);
  if (code == COORD_OK) code = coord__check_queue(queue, err);
  if (code != COORD_OK || n == 0) return code;
  coord__task **tasks = coord__calloc(n, sizeof *tasks);
  if (tasks == NULL) return coord__no_memory(err);
  coord__sink sink = {.queue = queue};
  code = make_all(client, ops, n, timeout_ms, &sink, tasks, err);
  if (code == COORD_OK) {
    /* Their ends are of any thread from here on. */
    coord__client_retain(client);
    for (size_t i = 0; i < n; i++) {
      tasks[i]->event.tag = tag + i;
      if (call_ids != NULL) call_ids[i] = tasks[i]->id;
    }
    for (size_t i = 0; i < n; i++) coord__task_push(tasks[i]);
    coord__loop_kick(client->loop);
    coord__client_release(client);
  }
  coord__free(tasks);
  return code;
}

/* ---- one line each ---- */

static coord_code call_and_free(coord_client *client, coord_op *op, coord_result **out,
                                coord_error **err) {
  if (op == NULL) return coord__no_memory(err);
  coord_code code = coord_call(client, op, 0, out, err);
  coord_op_free(op);
  return code;
}

coord_code coord_put(coord_client *client, const void *key, size_t key_len, const void *value,
                     size_t value_len, coord_error **err) {
  return call_and_free(client, coord_op_put(key, key_len, value, value_len), NULL, err);
}

coord_code coord_get(coord_client *client, const void *key, size_t key_len, coord_result **out,
                     coord_error **err) {
  return call_and_free(client, coord_op_get(key, key_len), out, err);
}

coord_code coord_delete(coord_client *client, const void *key, size_t key_len, int64_t *deleted,
                        coord_error **err) {
  coord_result *result = NULL;
  coord_code code = call_and_free(client, coord_op_delete(key, key_len), &result, err);
  if (code == COORD_OK && deleted != NULL) *deleted = coord_result_total(result);
  coord_result_free(result);
  return code;
}
