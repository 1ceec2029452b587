#include "coord/lock.h"

#include "api/check.h"
#include "base/error.h"
#include "coord/lock_handle.h"

enum { NAMES_MAX = 64 };

static coord_code check_names(const void *const *names, const size_t *name_lens, size_t count,
                              coord_error **err) {
  coord_code code = coord__check_pointer(names, "names", err);
  if (code == COORD_OK) code = coord__check_pointer(name_lens, "name_lens", err);
  if (code != COORD_OK) return code;
  if (count == 0 || count > NAMES_MAX) {
    return coord__fail(err, COORD_INVALID, "argument count is %zu; expected 1 to %d", count,
                       NAMES_MAX);
  }
  for (size_t i = 0; i < count; i++) {
    if (names[i] != NULL && name_lens[i] > 0) continue;
    return coord__fail(err, COORD_INVALID, "argument %s %s; a lock needs a name",
                       count > 1 ? "names has a name that" : "name",
                       names[i] == NULL ? "is NULL" : "is empty");
  }
  return COORD_OK;
}

coord_code coord_lock_open_many(coord_client *client, const void *const *names,
                                const size_t *name_lens, size_t count, const coord_options *options,
                                coord_queue *queue, uint64_t tag, coord_lock **out,
                                coord_error **err) {
  coord_code code = coord__check_open(client, err);
  if (code == COORD_OK) code = check_names(names, name_lens, count, err);
  if (code == COORD_OK && queue != NULL) code = coord__check_queue(queue, err);
  if (code == COORD_OK) code = coord__check_pointer(out, "out", err);
  if (code != COORD_OK) return code;
  return coord__lock_open(client, names, name_lens, count, options, queue, tag, out, err);
}

coord_code coord_lock_open(coord_client *client, const void *name, size_t name_len,
                           const coord_options *options, coord_queue *queue, uint64_t tag,
                           coord_lock **out, coord_error **err) {
  return coord_lock_open_many(client, &name, &name_len, 1, options, queue, tag, out, err);
}

coord_op *coord_op_acquire(coord_lock *lock, int wait) {
  return lock != NULL ? coord__op_acquire(lock, wait != 0) : NULL;
}

coord_op *coord_op_release(coord_lock *lock) {
  return lock != NULL ? coord__op_release(lock) : NULL;
}

coord_op *coord_op_lock_renew(coord_lock *lock) {
  return lock != NULL ? coord__op_lock_renew(lock) : NULL;
}

coord_op *coord_op_lock_queue(const void *name, size_t name_len) {
  return coord__op_lock_queue(name, name_len);
}

coord_code coord_op_if_held(coord_op *txn, const coord_lock *lock) {
  return txn != NULL && lock != NULL ? coord__op_if_held(txn, lock) : COORD_INVALID;
}

int coord_lock_is_held(const coord_lock *lock) {
  return lock != NULL && coord__lock_remaining_ms(lock) > 0;
}

int64_t coord_lock_token(const coord_lock *lock) {
  return lock != NULL ? coord__lock_token(lock) : 0;
}

int64_t coord_lock_remaining_ms(const coord_lock *lock) {
  return lock != NULL ? coord__lock_remaining_ms(lock) : 0;
}

coord_code coord_lock_key(const coord_lock *lock, size_t i, coord_kv *out) {
  return lock != NULL && out != NULL ? coord__lock_key(lock, i, out) : COORD_INVALID;
}

void coord_lock_free(coord_lock *lock) {
  if (lock != NULL) coord__lock_free(lock);
}
