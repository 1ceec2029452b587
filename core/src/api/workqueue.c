#include "coord/workqueue.h"

#include "api/check.h"
#include "base/error.h"
#include "coord/workqueue_handle.h"

coord_code coord_workqueue_open(coord_client *client, const void *name, size_t name_len,
                                const coord_options *options, coord_queue *queue, uint64_t tag,
                                coord_workqueue **out, coord_error **err) {
  coord_code code = coord__check_open(client, err);
  if (code == COORD_OK) code = coord__check_pointer(name, "name", err);
  if (code == COORD_OK && name_len == 0) {
    code = coord__fail(err, COORD_INVALID, "argument name is empty; a queue needs a name");
  }
  if (code == COORD_OK && queue != NULL) code = coord__check_queue(queue, err);
  if (code == COORD_OK) code = coord__check_pointer(out, "out", err);
  if (code != COORD_OK) return code;
  return coord__workqueue_open(client, name, name_len, options, queue, tag, out, err);
}

coord_op *coord_op_work_put(const void *name, size_t name_len, const void *value,
                            size_t value_len) {
  return coord__op_work_put(name, name_len, value, value_len);
}

coord_op *coord_op_work_take(coord_workqueue *queue, int wait) {
  return queue != NULL ? coord__op_work_take(queue, wait != 0) : NULL;
}

coord_op *coord_op_work_done(coord_workqueue *queue, const void *key, size_t key_len,
                             int64_t token) {
  return queue != NULL ? coord__op_work_end(queue, true, key, key_len, token) : NULL;
}

coord_op *coord_op_work_return(coord_workqueue *queue, const void *key, size_t key_len,
                               int64_t token) {
  return queue != NULL ? coord__op_work_end(queue, false, key, key_len, token) : NULL;
}

coord_code coord_op_then_done(coord_op *txn, const coord_workqueue *queue, const void *key,
                              size_t key_len, int64_t token) {
  if (txn == NULL || queue == NULL) return COORD_INVALID;
  return coord__op_then_done(txn, queue, key, key_len, token);
}

int64_t coord_workqueue_remaining_ms(const coord_workqueue *queue, int64_t token) {
  return queue != NULL && token > 0 ? coord__workqueue_remaining_ms(queue, token) : 0;
}

void coord_workqueue_free(coord_workqueue *queue) {
  if (queue != NULL) coord__workqueue_free(queue);
}
