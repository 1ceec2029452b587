#include "coord/election.h"

#include "api/check.h"
#include "base/error.h"
#include "coord/election_handle.h"
#include "coord/lock.h"

static const coord_lock *lock_of(const coord_election *election) {
  return election != NULL ? coord__election_lock(election) : NULL;
}

coord_code coord_election_open(coord_client *client, const void *name, size_t name_len,
                               const coord_options *options, coord_queue *queue, uint64_t tag,
                               coord_election **out, coord_error **err) {
  coord_code code = coord__check_open(client, err);
  if (code == COORD_OK) code = coord__check_pointer(name, "name", err);
  if (code == COORD_OK && name_len == 0) {
    code = coord__fail(err, COORD_INVALID, "argument name is empty; an election needs a name");
  }
  if (code == COORD_OK && queue != NULL) code = coord__check_queue(queue, err);
  if (code == COORD_OK) code = coord__check_pointer(out, "out", err);
  if (code != COORD_OK) return code;
  return coord__election_open(client, name, name_len, options, queue, tag, out, err);
}

coord_op *coord_op_campaign(coord_election *election, const void *value, size_t value_len) {
  return election != NULL ? coord__op_campaign(election, value, value_len) : NULL;
}

coord_op *coord_op_proclaim(coord_election *election, const void *value, size_t value_len) {
  return election != NULL ? coord__op_proclaim(election, value, value_len) : NULL;
}

coord_op *coord_op_resign(coord_election *election) {
  return election != NULL ? coord__op_resign(election) : NULL;
}

coord_op *coord_op_leader(const void *name, size_t name_len) {
  return coord__op_leader(name, name_len);
}

coord_code coord_election_observe(coord_election *election, coord_error **err) {
  coord_code code = coord__check_pointer(election, "election", err);
  if (code == COORD_OK) code = coord__check_client(coord__election_client(election), err);
  return code != COORD_OK ? code : coord__election_observe(election, err);
}

int coord_election_is_leader(const coord_election *election) {
  return coord_lock_is_held(lock_of(election));
}

int64_t coord_election_token(const coord_election *election) {
  return coord_lock_token(lock_of(election));
}

int64_t coord_election_remaining_ms(const coord_election *election) {
  return coord_lock_remaining_ms(lock_of(election));
}

coord_code coord_election_key(const coord_election *election, coord_kv *out) {
  return coord_lock_key(lock_of(election), 0, out);
}

coord_code coord_op_if_leader(coord_op *txn, const coord_election *election) {
  return coord_op_if_held(txn, lock_of(election));
}

void coord_election_free(coord_election *election) {
  if (election != NULL) coord__election_free(election);
}
