#include "coord/mirror.h"

#include "api/check.h"
#include "base/error.h"
#include "coord/call.h"
#include "coord/mirror_handle.h"
#include "coord/op.h"

/* Until there is content. */
static coord_code wait_for(coord_mirror *m, coord_error **err) {
  coord_op *op = coord__op_mirror_loaded(m);
  if (op == NULL) return coord__no_memory(err);
  coord_code code = coord_call(coord__mirror_client(m), op, -1, NULL, err);
  coord_op_free(op);
  return code;
}

coord_code coord_mirror_open(coord_client *client, const void *prefix, size_t prefix_len,
                             const coord_options *options, coord_queue *queue, uint64_t tag,
                             coord_mirror **out, coord_error **err) {
  coord_code code = coord__check_open(client, err);
  if (code == COORD_OK && prefix_len > 0) code = coord__check_pointer(prefix, "prefix", err);
  if (code == COORD_OK && queue != NULL) code = coord__check_queue(queue, err);
  if (code == COORD_OK) code = coord__check_pointer(out, "out", err);
  if (code != COORD_OK) return code;
  coord__mirror_sink sink = {.queue = queue, .tag = tag};
  coord_mirror *m;
  code = coord__mirror_open(client, prefix, prefix_len, options, &sink, &m, err);
  if (code != COORD_OK) return code;
  if (coord__mirror_waits(m)) code = wait_for(m, err);
  if (code != COORD_OK) {
    coord__mirror_free(m);
    return code;
  }
  *out = m;
  return COORD_OK;
}

static coord_code check(const coord_mirror *m, const void *bytes, size_t len,
                        coord_result *const *out) {
  if (m == NULL || out == NULL || (bytes == NULL && len > 0)) return COORD_INVALID;
  return coord__client_forked(coord__mirror_client(m)) ? COORD_FORKED : COORD_OK;
}

coord_code coord_mirror_get(const coord_mirror *mirror, const void *key, size_t key_len,
                            coord_result **out) {
  coord_code code = check(mirror, key, key_len, out);
  return code == COORD_OK ? coord__mirror_get(mirror, key, key_len, out) : code;
}

coord_code coord_mirror_range(const coord_mirror *mirror, const void *from, size_t from_len,
                              const void *end, size_t end_len, int64_t limit, coord_result **out) {
  coord_code code = check(mirror, from, from_len, out);
  if (end == NULL && end_len > 0) code = COORD_INVALID;
  if (code != COORD_OK) return code;
  return coord__mirror_range(mirror, from, from_len, end, end_len, limit, out);
}

coord_code coord_mirror_prefix(const coord_mirror *mirror, const void *prefix, size_t prefix_len,
                               coord_result **out) {
  coord_code code = check(mirror, prefix, prefix_len, out);
  return code == COORD_OK ? coord__mirror_prefix(mirror, prefix, prefix_len, out) : code;
}

coord_code coord_mirror_all(const coord_mirror *mirror, coord_result **out) {
  return coord_mirror_range(mirror, NULL, 0, NULL, 0, 0, out);
}

static bool is_ours(const coord_mirror *m) {
  return m != NULL && !coord__client_forked(coord__mirror_client(m));
}

int64_t coord_mirror_count(const coord_mirror *mirror) {
  return is_ours(mirror) ? coord__mirror_count(mirror) : 0;
}

int64_t coord_mirror_revision(const coord_mirror *mirror) {
  return is_ours(mirror) ? coord__mirror_revision(mirror) : 0;
}

int64_t coord_mirror_staleness_ms(const coord_mirror *mirror) {
  return is_ours(mirror) ? coord__mirror_staleness_ms(mirror) : -1;
}

void coord_mirror_free(coord_mirror *mirror) {
  if (mirror != NULL) coord__mirror_free(mirror);
}
