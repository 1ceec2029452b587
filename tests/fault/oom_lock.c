/* What one has and others wait for, without memory: locks, elections, work queues, barriers. */
#include "fault/oom.h"

/* ---- locks ---- */

static coord_code lock_and_guard(void) {
  char name[32];
  coord_lock *lock = NULL;
  coord_options *options = NULL;
  name_of_walk(name);
  coord_code code = coord_options_new(&options);
  if (code == COORD_OK) code = ended(coord_options_set(options, "lock.owner", "me", &err));
  if (code == COORD_OK) {
    code = ended(coord_lock_open(shared, name, strlen(name), options, NULL, 0, &lock, &err));
  }
  coord_options_free(options);
  if (code != COORD_OK) return code;
  code = call_on(coord_op_acquire(lock, 1));
  T_TRUE(code != COORD_OK || coord_lock_is_held(lock));
  if (code == COORD_OK) {
    coord_op *txn = coord_op_txn();
    code = txn != NULL ? coord_op_if_held(txn, lock) : COORD_NO_MEMORY;
    if (code == COORD_OK) code = call_on(txn);
    if (code == COORD_OK) code = call_on(coord_op_lock_renew(lock));
    if (code == COORD_OK) code = call_on(coord_op_release(lock));
    T_TRUE(code != COORD_OK || !coord_lock_is_held(lock));
  }
  coord_lock_free(lock);
  return code;
}

/* One that waits: with whatever memory there is, it is told how that ends. */
static coord_lock *in_the_way;

static coord_code wait_in_vain(void) {
  coord_lock *lock = NULL;
  coord_code code = ended(coord_lock_open(shared, "oom/held", 8, NULL, NULL, 0, &lock, &err));
  if (code != COORD_OK) return code;
  code = call_on(coord_op_acquire(lock, 0));
  coord_lock_free(lock);
  return code == COORD_CONFLICT ? COORD_OK : code;
}

static void locking_without_memory(void) {
  prepare();
  T_TRUE(walk(lock_and_guard, false) > 20);
  T_CODE(coord_lock_open(shared, "oom/held", 8, NULL, NULL, 0, &in_the_way, NULL), COORD_OK);
  T_CODE(call_on(coord_op_acquire(in_the_way, 1)), COORD_OK);
  walk(wait_in_vain, false);
  T_INT(coord_lock_is_held(in_the_way), 1);
  coord_lock_free(in_the_way);
  finish();
}

/* ---- elections ---- */

static coord_code lead_and_observe(void) {
  char name[32];
  coord_queue *queue = NULL;
  coord_election *election = NULL;
  name_of_walk(name);
  coord_code code = ended(coord_queue_open(&queue, &err));
  if (code != COORD_OK) return code;
  code = ended(coord_election_open(shared, name, strlen(name), NULL, queue, 0, &election, &err));
  if (code == COORD_OK) code = ended(coord_election_observe(election, &err));
  if (code == COORD_OK) code = call_on(coord_op_campaign(election, "a", 1));
  if (code == COORD_OK) code = call_on(coord_op_proclaim(election, "b", 1));
  if (code == COORD_OK) code = call_on(coord_op_leader(name, strlen(name)));
  if (code == COORD_OK) code = call_on(coord_op_resign(election));
  coord_election_free(election);
  T_TRUE(coord_queue_next(queue, 0) == NULL);
  coord_queue_free(queue);
  return code;
}

static void leading_without_memory(void) {
  prepare();
  T_TRUE(walk(lead_and_observe, false) > 20);
  finish();
}

/* ---- work queues and barriers ---- */

static coord_code take_and_return(void) {
  char name[32];
  coord_workqueue *work = NULL;
  coord_result *result = NULL;
  coord_kv kv = {0};
  name_of_walk(name);
  coord_code code =
      ended(coord_workqueue_open(shared, name, strlen(name), NULL, NULL, 0, &work, &err));
  if (code != COORD_OK) return code;
  code = call_on(coord_op_work_put(name, strlen(name), "x", 1));
  coord_op *op = coord_op_work_take(work, 1);
  if (code == COORD_OK && op == NULL) code = COORD_NO_MEMORY;
  if (code == COORD_OK) code = ended(coord_call(shared, op, CALL_MS, &result, &err));
  coord_op_free(op);
  if (code == COORD_OK) {
    T_CODE(coord_result_kv(result, 0, &kv), COORD_OK);
    int64_t token = coord_result_revision(result);
    coord_op *txn = coord_op_txn();
    code = txn == NULL ? COORD_NO_MEMORY : coord_op_then_done(txn, work, kv.key, kv.key_len, token);
    coord_op_free(txn);
    if (code == COORD_OK) code = call_on(coord_op_work_return(work, kv.key, kv.key_len, token));
  }
  coord_result_free(result);
  coord_workqueue_free(work);
  return code;
}

/* One after another what waits in vain. */
static coord_code wait_at_a_barrier(void) {
  coord_workqueue *work = NULL;
  coord_code code = ended(coord_workqueue_open(shared, "oom/empty", 9, NULL, NULL, 0, &work, &err));
  if (code != COORD_OK) return code;
  code = call_on(coord_op_work_take(work, 0));
  coord_workqueue_free(work);
  if (code == COORD_NOT_FOUND) code = call_on(coord_op_barrier_raise("oom/barrier", 11));
  if (code == COORD_CONFLICT) code = call_on(coord_op_barrier_wait("oom/barrier", 11));
  return code == COORD_TIMEOUT ? COORD_OK : code;
}

static void working_without_memory(void) {
  prepare();
  T_TRUE(walk(take_and_return, false) > 20);
  T_CODE(call_on(coord_op_barrier_raise("oom/barrier", 11)), COORD_OK);
  walk(wait_at_a_barrier, false);
  finish();
}

T_MAIN(T_CASE(locking_without_memory), T_CASE(leading_without_memory),
       T_CASE(working_without_memory))
