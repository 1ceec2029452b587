#include "coord/queue.h"

#include "api/check.h"
#include "base/queue.h"
#include "coord/error.h"
#include "net/loop.h"

coord_code coord_queue_open(coord_queue **out, coord_error **err) {
  coord_code code = coord__check_pointer(out, "out", err);
  return code != COORD_OK ? code : coord__queue_new(out, err);
}

static bool usable(const coord_queue *queue) {
  return queue != NULL && !coord__queue_forked(queue);
}

int coord_queue_fd(coord_queue *queue) { return usable(queue) ? coord__queue_fd(queue) : -1; }

static bool is_free(void *loop) { return coord__loop_is_free(loop); }

static void lead(void *loop, int64_t until_ns, bool (*over)(void *arg), void *arg) {
  coord__loop_lead(loop, until_ns, over, arg);
}

static void nudge(void *loop) { coord__loop_nudge(loop); }

coord_event *coord_queue_next(coord_queue *queue, int32_t timeout_ms) {
  if (!usable(queue)) return NULL;
  coord_event *event = coord__queue_next(queue, 0, NULL);
  if (event != NULL || timeout_ms == 0) return event;
  coord__loop *loop = coord__loop_borrow();
  if (loop == NULL) return coord__queue_next(queue, timeout_ms, NULL);
  coord__queue_leader leader = {is_free, lead, nudge, loop};
  event = coord__queue_next(queue, timeout_ms, &leader);
  coord__loop_release(loop);
  return event;
}

size_t coord_queue_drain(coord_queue *queue, coord_event **out, size_t max) {
  return usable(queue) && out != NULL ? coord__queue_drain(queue, out, max) : 0;
}

void coord_queue_wake(coord_queue *queue) {
  if (usable(queue)) coord__queue_wake(queue);
}

void coord_queue_free(coord_queue *queue) {
  if (queue == NULL) return;
  if (usable(queue)) coord__queue_shut(queue);
  coord__queue_release(queue);
}
