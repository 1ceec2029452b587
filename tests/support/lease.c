#include "support/lease.h"

#include <stdio.h>
#include <string.h>

enum { BUSY_MS = 200, BUSY_WITHIN_MS = 5000 };

coord_lease *t_lease(coord_client *client, int64_t ttl_s, coord_queue *queue, uint64_t tag) {
  coord_lease *lease = NULL;
  coord_error *err = NULL;
  T_OK(coord_lease_open(client, ttl_s, 10000, queue, tag, &lease, &err), err);
  coord_error_free(err);
  T_FATAL(lease != NULL);
  return lease;
}

bool t_lease_is_late(const coord_event *event, int32_t expected) {
  int32_t type = coord_event_type(event);
  if (event == NULL || type == expected) return false;
  if (type != COORD_EVENT_AT_RISK && type != COORD_EVENT_RESTORED) return false;
  return t_held_up_ms(t_now_ms() - BUSY_WITHIN_MS) >= BUSY_MS;
}

/* The next one, but for what only tells that the machine is busy. */
static coord_event *next_event(coord_queue *queue, int timeout_ms, int32_t expected) {
  int64_t began = t_now_ms();
  for (;;) {
    int64_t left = timeout_ms - (t_now_ms() - began);
    coord_event *event = coord_queue_next(queue, left > 0 ? (int32_t)left : 0);
    if (!t_lease_is_late(event, expected)) return event;
    coord_event_free(event);
  }
}

bool t_lease_told(coord_queue *queue, int timeout_ms, int32_t type, uint64_t tag, coord_code code,
                  char *message) {
  coord_event *event = next_event(queue, timeout_ms, type);
  bool good = event != NULL;
  if (event == NULL) T_FAIL("no event of type %d within %d ms", (int)type, timeout_ms);
  if (event != NULL) {
    const coord_error *err = coord_event_error(event);
    good = T_INT(coord_event_type(event), type) && T_INT(coord_event_tag(event), tag) &&
           T_CODE(coord_event_code(event), code) && T_CODE(coord_error_code(err), code);
    if (!good) T_FAIL("it says: %s", coord_error_message(err));
    if (message != NULL) snprintf(message, 256, "%s", coord_error_message(err));
  }
  coord_event_free(event);
  return good;
}

bool t_lease_quiet(coord_queue *queue, int ms) {
  coord_event *event = next_event(queue, ms, -1);
  if (event != NULL) {
    T_FAIL("an event of type %d: %s", (int)coord_event_type(event),
           coord_error_message(coord_event_error(event)));
  }
  coord_event_free(event);
  return event == NULL;
}

int64_t t_lease_ttl(coord_client *client, int64_t id) {
  coord_result *result = t_call(client, coord_op_lease_info(id, 0));
  int64_t ttl_s = result != NULL ? coord_result_ttl_s(result) : -2;
  coord_result_free(result);
  return ttl_s;
}

void t_lease_put(coord_client *client, int64_t id, const char *key) {
  coord_op *op = coord_op_put(key, strlen(key), "v", 1);
  T_CODE(coord_op_set(op, COORD_OP_LEASE, id), COORD_OK);
  coord_result_free(t_call(client, op));
}
