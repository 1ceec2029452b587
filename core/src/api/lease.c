#include "coord/lease.h"

#include "api/check.h"
#include "base/error.h"
#include "coord/lease_handle.h"
#include "etcd/lease.h"

coord_op *coord_op_lease_grant(int64_t ttl_s, int64_t lease_id) {
  return coord__op_lease_grant(ttl_s, lease_id);
}

coord_op *coord_op_lease_revoke(int64_t lease_id) { return coord__op_lease_revoke(lease_id); }

coord_op *coord_op_lease_keepalive(int64_t lease_id) { return coord__op_lease_keepalive(lease_id); }

coord_op *coord_op_lease_info(int64_t lease_id, int with_keys) {
  return coord__op_lease_info(lease_id, with_keys);
}

coord_op *coord_op_lease_list(void) { return coord__op_lease_list(); }

static coord_code open_checked(coord_client *client, int64_t ttl_s, int64_t lease_id,
                               int32_t timeout_ms, bool wait, coord_queue *queue, uint64_t tag,
                               coord_lease **out, coord_error **err) {
  coord_code code = coord__check_open(client, err);
  if (code == COORD_OK) code = coord__check_timeout(timeout_ms, err);
  if (code == COORD_OK && !wait) code = coord__check_pointer(queue, "queue", err);
  if (code == COORD_OK && queue != NULL) code = coord__check_queue(queue, err);
  if (code == COORD_OK) code = coord__check_pointer(out, "out", err);
  return code != COORD_OK
             ? code
             : coord__lease_open(client, ttl_s, lease_id, timeout_ms, wait, queue, tag, out, err);
}

coord_code coord_lease_open(coord_client *client, int64_t ttl_s, int32_t timeout_ms,
                            coord_queue *queue, uint64_t tag, coord_lease **out,
                            coord_error **err) {
  return open_checked(client, ttl_s, 0, timeout_ms, true, queue, tag, out, err);
}

coord_code coord_lease_adopt(coord_client *client, int64_t lease_id, int32_t timeout_ms,
                             coord_queue *queue, uint64_t tag, coord_lease **out,
                             coord_error **err) {
  return open_checked(client, COORD__LEASE_ADOPTED, lease_id, timeout_ms, true, queue, tag, out,
                      err);
}

coord_code coord_lease_start(coord_client *client, int64_t ttl_s, int64_t lease_id,
                             int32_t timeout_ms, coord_queue *queue, uint64_t tag,
                             coord_lease **out, coord_error **err) {
  return open_checked(client, ttl_s, lease_id, timeout_ms, false, queue, tag, out, err);
}

int64_t coord_lease_id(const coord_lease *lease) {
  return lease != NULL ? coord__lease_id(lease) : 0;
}

int64_t coord_lease_ttl_s(const coord_lease *lease) {
  return lease != NULL ? coord__lease_ttl_s(lease) : 0;
}

int64_t coord_lease_remaining_ms(const coord_lease *lease) {
  return lease != NULL ? coord__lease_remaining_ms(lease) : 0;
}

coord_code coord_lease_close(coord_lease *lease, int32_t timeout_ms, coord_error **err) {
  coord_code code = coord__check_pointer(lease, "lease", err);
  if (code == COORD_OK) code = coord__check_client(coord__lease_client(lease), err);
  if (code == COORD_OK) code = coord__check_timeout(timeout_ms, err);
  return code != COORD_OK ? code : coord__lease_close(lease, timeout_ms, err);
}

void coord_lease_free(coord_lease *lease) {
  if (lease != NULL) coord__lease_free(lease);
}
