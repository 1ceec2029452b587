#include "support/lock.h"

#include <stdarg.h>
#include <string.h>

static coord_lock *open_lock(coord_client *client, const char *name, const coord_options *options,
                             coord_queue *queue) {
  coord_lock *lock = NULL;
  coord_error *err = NULL;
  coord_code code = coord_lock_open(client, name, strlen(name), options, queue, 7, &lock, &err);
  if (code != COORD_OK) T_FAIL("lock %s: %s", name, coord_error_message(err));
  coord_error_free(err);
  T_FATAL(lock != NULL);
  return lock;
}

coord_lock *t_lock(coord_client *client, const char *name, coord_queue *queue) {
  return open_lock(client, name, NULL, queue);
}

coord_lock *t_lock_with(coord_client *client, const char *name, const char *option, ...) {
  coord_options *options = NULL;
  coord_error *err = NULL;
  va_list rest;
  T_FATAL(coord_options_new(&options) == COORD_OK);
  va_start(rest, option);
  for (const char *next = option; next != NULL; next = va_arg(rest, const char *)) {
    const char *value = va_arg(rest, const char *);
    if (coord_options_set(options, next, value, &err) == COORD_OK) continue;
    T_FAIL("option %s: %s", next, coord_error_message(err));
    coord_error_free(err);
    err = NULL;
  }
  va_end(rest);
  coord_lock *lock = open_lock(client, name, options, NULL);
  coord_options_free(options);
  return lock;
}

static coord_code call_ends(coord_client *client, coord_op *op, int32_t timeout_ms,
                            coord_result **out) {
  coord_error *err = NULL;
  coord_code code = coord_call(client, op, timeout_ms, out, &err);
  coord_op_free(op);
  coord_error_free(err);
  return code;
}

int64_t t_acquire(coord_client *client, coord_lock *lock, int32_t timeout_ms) {
  coord_result *result = NULL;
  coord_code code = call_ends(client, coord_op_acquire(lock, 1), timeout_ms, &result);
  int64_t token = coord_result_revision(result);
  coord_result_free(result);
  T_CODE(code, COORD_OK);
  return code == COORD_OK ? token : 0;
}

coord_code t_acquire_ends(coord_client *client, coord_lock *lock, bool wait, int32_t timeout_ms) {
  coord_result *result = NULL;
  coord_code code = call_ends(client, coord_op_acquire(lock, wait), timeout_ms, &result);
  coord_result_free(result);
  return code;
}

coord_code t_release_ends(coord_client *client, coord_lock *lock) {
  coord_result *result = NULL;
  coord_code code = call_ends(client, coord_op_release(lock), 5000, &result);
  coord_result_free(result);
  return code;
}

int t_lock_keys(coord_client *client, const char *name) {
  coord_result *list = t_call(client, coord_op_lock_queue(name, strlen(name)));
  int count = (int)coord_result_count(list);
  coord_result_free(list);
  return count;
}

typedef struct looked {
  coord_client *client;
  const char *name;
  int count;
} looked;

static bool has_keys(void *arg) {
  looked *l = arg;
  return t_lock_keys(l->client, l->name) == l->count;
}

bool t_lock_has_keys(coord_client *client, const char *name, int count) {
  looked l = {client, name, count};
  return t_wait_until(has_keys, &l, 5000);
}
