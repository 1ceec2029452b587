#include "api/check.h"

#include <string.h>

#include "base/error.h"
#include "base/queue.h"
#include "etcd/client.h"

coord_code coord__check_pointer(const void *p, const char *what, coord_error **err) {
  if (p != NULL) return COORD_OK;
  return coord__fail(err, COORD_INVALID, "argument %s is NULL", what);
}

coord_code coord__check_client(const coord_client *c, coord_error **err) {
  if (c == NULL) return coord__check_pointer(c, "client", err);
  if (!coord__client_forked(c)) return COORD_OK;
  return coord__fail(err, COORD_FORKED,
                     "this process was forked after the client was opened; open one in the child");
}

coord_code coord__check_open(const coord_client *c, coord_error **err) {
  coord_code code = coord__check_client(c, err);
  if (code != COORD_OK) return code;
  if (!atomic_load_explicit(&c->closed, memory_order_relaxed)) return COORD_OK;
  return coord__fail(err, COORD_CLOSED, "the client is closed");
}

coord_code coord__check_queue(const coord_queue *q, coord_error **err) {
  if (q == NULL) return coord__check_pointer(q, "queue", err);
  if (!coord__queue_forked(q)) return COORD_OK;
  return coord__fail(err, COORD_FORKED,
                     "this process was forked after the queue was opened; open one in the child");
}

coord_code coord__check_service(const char *service, coord_error **err) {
  coord_code code = coord__check_pointer(service, "service", err);
  if (code != COORD_OK || (*service != '\0' && strchr(service, '/') == NULL)) return code;
  return coord__fail(err, COORD_INVALID,
                     "argument service is \"%.100s\"; expected a name without \"/\"", service);
}

coord_code coord__check_timeout(int32_t timeout_ms, coord_error **err) {
  if (timeout_ms >= -1) return COORD_OK;
  return coord__fail(err, COORD_INVALID,
                     "argument timeout_ms is %d; expected milliseconds, 0 for the client's default "
                     "or -1 for none",
                     (int)timeout_ms);
}
