#include "support/lock_queue.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

coord_lock *t_lock_tagged(coord_client *client, const char *name, coord_queue *queue, uint64_t tag,
                          ...) {
  coord_options *options = t_options(NULL, NULL);
  coord_error *err = NULL;
  coord_lock *lock = NULL;
  va_list rest;
  va_start(rest, tag);
  for (const char *option; (option = va_arg(rest, const char *)) != NULL;) {
    T_OK(coord_options_set(options, option, va_arg(rest, const char *), &err), err);
  }
  va_end(rest);
  T_OK(coord_lock_open(client, name, strlen(name), options, queue, tag, &lock, &err), err);
  coord_error_free(err);
  coord_options_free(options);
  T_FATAL(lock != NULL);
  return lock;
}

uint64_t t_begin_acquire(coord_client *client, coord_lock *lock, coord_queue *queue, uint64_t tag) {
  uint64_t id = 0;
  coord_error *err = NULL;
  coord_op *op = coord_op_acquire(lock, 1);
  T_OK(coord_submit(client, op, -1, queue, tag, &id, &err), err);
  coord_error_free(err);
  coord_op_free(op);
  return id;
}

/* The next event of this type and tag, others are passed over; NULL when there is none in time. */
static coord_event *find_event(coord_queue *queue, int32_t type, uint64_t tag, int timeout_ms) {
  int64_t began = t_now_ms();
  for (;;) {
    int64_t left = timeout_ms - t_took_ms(began);
    coord_event *event = coord_queue_next(queue, left > 0 ? (int32_t)left : 0);
    if (event == NULL && left <= 0) return NULL;
    if (coord_event_type(event) == type && coord_event_tag(event) == tag) return event;
    coord_event_free(event);
  }
}

coord_code t_acquired(coord_queue *queue, uint64_t tag, int timeout_ms, int64_t *token) {
  coord_event *event = find_event(queue, COORD_EVENT_RESULT, tag, timeout_ms);
  coord_code code = event != NULL ? coord_event_code(event) : COORD_INTERNAL;
  if (event == NULL) T_FAIL("no acquire with tag %d ended within %d ms", (int)tag, timeout_ms);
  if (token != NULL) *token = coord_result_revision(coord_event_result(event));
  coord_event_free(event);
  return code;
}

bool t_lock_told(coord_queue *queue, int32_t type, uint64_t tag, int timeout_ms) {
  coord_event *event = find_event(queue, type, tag, timeout_ms);
  bool told = event != NULL;
  coord_event_free(event);
  return told;
}

bool t_queue_becomes(coord_client *client, const char *name, int count, int timeout_ms) {
  int64_t began = t_now_ms(), most_ms = (int64_t)timeout_ms * T_SLOW;
  int now;
  while ((now = t_lock_keys(client, name)) != count && t_took_ms(began) < most_ms) usleep(5000);
  if (now != count) T_FAIL("%d stand in the queue of %s, not %d", now, name, count);
  return now == count;
}

bool t_queue_at(coord_client *client, const char *name, size_t i, coord_kv *kv, char key[160]) {
  coord_result *result = t_call(client, coord_op_lock_queue(name, strlen(name)));
  bool found = coord_result_kv(result, i, kv) == COORD_OK;
  if (found) snprintf(key, 160, "%.*s", (int)kv->key_len, (const char *)kv->key);
  coord_result_free(result);
  return found;
}
