#include "coord/election_handle.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "coord/changes.h"
#include "coord/lock_handle.h"
#include "coord/observer.h"
#include "etcd/result.h"
#include "etcd/txn.h"

struct coord_election {
  atomic_int refs; /* the program's, its ops', the observer's */
  coord_client *client;
  coord_lock *lock; /* held */
  bool has_queue;
  atomic_bool observes;
  coord__observer observer;
  coord__job observe_job;
  coord__job free_job;
};

/* What a candidate has to say, by one op. */
typedef struct ballot {
  atomic_int refs;
  coord_election *election;
  coord__buf value;
  coord__task *task; /* that proclaims */
  coord__ask ask;
} ballot;

/* ---- memory ---- */

static void release(coord_election *e) {
  if (atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) > 1) return;
  coord__observer_free(&e->observer);
  if (e->lock != NULL) coord__lock_let_go(e->lock);
  coord__free(e);
}

static void retain(coord_election *e) {
  atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
}

static void retain_ballot(void *self) {
  atomic_fetch_add_explicit(&((ballot *)self)->refs, 1, memory_order_relaxed);
}

static void release_ballot(void *self) {
  ballot *b = self;
  if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) > 1) return;
  release(b->election);
  coord__buf_free(&b->value);
  coord__free(b);
}

static const coord_client *client_of(const void *self) {
  return ((const ballot *)self)->election->client;
}

/* ---- proclaiming ---- */

static void end_proclaim(ballot *b, coord_code code, coord_error *err, coord_result *result) {
  coord__task *task = b->task;
  b->task = NULL;
  coord__task_complete(task, code, err, result);
}

static void on_proclaimed(coord__ask *ask, coord_code code, coord_error *err, coord_result *result,
                          bool doubt) {
  ballot *b = COORD__CONTAINER(ask, ballot, ask);
  (void)doubt;
  if (result != NULL && !result->succeeded) {
    coord__result_free(result);
    result = NULL;
    code = coord__fail(&err, COORD_LOST, "proclaim: another could lead by now");
  }
  if (result != NULL) result->revision = coord__lock_token(b->election->lock);
  end_proclaim(b, code, err, result);
}

/* NULL: memory is out. */
static coord_op *proclaim_op(const ballot *b) {
  coord_kv kv = {0};
  coord_op *txn = coord__op_txn();
  if (txn == NULL) return NULL;
  if (coord__op_if_held(txn, b->election->lock) != COORD_OK) return txn; /* which says why */
  bool ok = coord__lock_key(b->election->lock, 0, &kv) == COORD_OK;
  coord_op *put = ok ? coord__op_put(kv.key, kv.key_len, b->value.data, b->value.len) : NULL;
  if (put != NULL) coord__op_set(put, COORD_OP_LEASE, kv.lease_id);
  return coord__txn_finish(txn, coord__txn_then(txn, put));
}

static void start_proclaim(void *self, coord__task *task) {
  ballot *b = self;
  coord_error *err = NULL;
  if (coord__lock_token(b->election->lock) == 0 || b->task != NULL) {
    coord_code code =
        b->task != NULL
            ? coord__fail(&err, COORD_CONFLICT, "proclaim: this op is under way already")
            : coord__fail(&err, COORD_NOT_HELD, "proclaim: this candidate does not lead");
    coord__task_complete(task, code, err, NULL);
    return;
  }
  b->task = task;
  b->ask.client = b->election->client;
  b->ask.done = on_proclaimed;
  b->ask.repeatable = true;
  coord__ask_start(&b->ask, proclaim_op(b), task->deadline_ns);
}

/* ---- campaigning, resigning ---- */

static void start_campaign(void *self, coord__task *task) {
  ballot *b = self;
  if (coord__lock_token(b->election->lock) != 0) {
    start_proclaim(self, task);
  } else {
    coord__lock_acquire(b->election->lock, task, true, &b->value);
  }
}

static void start_resign(void *self, coord__task *task) {
  coord__lock_release(((ballot *)self)->election->lock, task);
}

static void cancel(void *self, coord__task *task, coord_code code, const char *why) {
  ballot *b = self;
  if (b->task == task) {
    coord__call_end(&b->ask.call, code, why);
  } else {
    coord__lock_end(b->election->lock, task, code, why);
  }
}

static const coord__op_class campaign_class = {"campaign", retain_ballot,  release_ballot,
                                               client_of,  start_campaign, cancel};
static const coord__op_class proclaim_class = {"proclaim", retain_ballot,  release_ballot,
                                               client_of,  start_proclaim, cancel};
static const coord__op_class resign_class = {"resign",  retain_ballot, release_ballot,
                                             client_of, start_resign,  cancel};

static coord_op *ballot_op(const coord__op_class *class, coord_election *e, const void *value,
                           size_t value_len) {
  ballot *b = coord__calloc(1, sizeof *b);
  if (b == NULL) return NULL;
  atomic_init(&b->refs, 1);
  b->election = e;
  retain(e);
  bool ok = value == NULL || coord__buf_append(&b->value, value, value_len);
  coord_op *op = ok ? coord__op_custom(class, b) : NULL;
  release_ballot(b);
  if (op != NULL && value == NULL && value_len > 0) {
    coord__op_fault(op, COORD_INVALID, "%s: argument value is NULL with a length of %zu",
                    class->name, value_len);
  }
  return op;
}

coord_op *coord__op_campaign(coord_election *e, const void *value, size_t value_len) {
  return ballot_op(&campaign_class, e, value, value_len);
}

coord_op *coord__op_proclaim(coord_election *e, const void *value, size_t value_len) {
  return ballot_op(&proclaim_class, e, value, value_len);
}

coord_op *coord__op_resign(coord_election *e) { return ballot_op(&resign_class, e, NULL, 0); }

/* Whose key is the oldest. */
coord_op *coord__op_leader(const void *name, size_t name_len) {
  return coord__queue_op("leader", name, name_len, 1);
}

/* ---- observing ---- */

static void on_leader(coord__observer *o, const coord_kv *kv, int64_t revision) {
  coord_election *e = COORD__CONTAINER(o, coord_election, observer);
  coord_kv nobody = {.key = "", .value = "", .mod_revision = revision};
  coord__changes *changes = coord__changes_one(kv != NULL ? COORD_CHANGE_PUT : COORD_CHANGE_DELETE,
                                               kv != NULL ? kv : &nobody);
  if (changes != NULL) {
    coord__teller_tell_changes(coord__lock_teller(e->lock), changes);
  } else {
    o->has_told = false; /* the next look tells */
  }
}

static void on_stopped(coord__observer *o) {
  coord_election *e = COORD__CONTAINER(o, coord_election, observer);
  coord_client *c = e->client;
  release(e);
  coord__client_release(c);
}

static void run_observe(coord__job *job) {
  coord_election *e = COORD__CONTAINER(job, coord_election, observe_job);
  if (!e->client->rpc.closed) coord__observer_start(&e->observer);
}

coord_code coord__election_observe(coord_election *e, coord_error **err) {
  if (!e->has_queue) {
    return coord__fail(err, COORD_INVALID, "observe: the election was opened without a queue");
  }
  if (atomic_exchange(&e->observes, true)) return COORD_OK;
  coord__loop_post(e->client->loop, &e->observe_job);
  return COORD_OK;
}

/* ---- life ---- */

coord_client *coord__election_client(const coord_election *e) { return e->client; }

const coord_lock *coord__election_lock(const coord_election *e) { return e->lock; }

coord_code coord__election_open(coord_client *c, const void *name, size_t name_len,
                                const coord_options *options, coord_queue *queue, uint64_t tag,
                                coord_election **out, coord_error **err) {
  coord_election *e = coord__calloc(1, sizeof *e);
  if (e == NULL) return coord__no_memory(err);
  atomic_init(&e->refs, 1);
  e->client = c;
  e->has_queue = queue != NULL;
  coord_code code = COORD_OK;
  if (!coord__observer_init(&e->observer, c, name, name_len)) code = coord__no_memory(err);
  if (code == COORD_OK) {
    code = coord__lock_open(c, &name, &name_len, 1, options, queue, tag, &e->lock, err);
  }
  if (code != COORD_OK) {
    release(e);
    return code;
  }
  coord__lock_for_election(e->lock);
  coord__lock_retain(e->lock);
  e->observer.told = on_leader;
  e->observer.stopped = on_stopped;
  e->observe_job.run = run_observe;
  coord__client_retain(c);
  *out = e;
  return COORD_OK;
}

static void run_free(coord__job *job) {
  coord_election *e = COORD__CONTAINER(job, coord_election, free_job);
  coord__observer_stop(&e->observer);
}

void coord__election_free(coord_election *e) {
  coord_client *c = e->client;
  coord_lock *lock = e->lock;
  if (coord__client_forked(c)) {
    atomic_fetch_sub(&c->refs, 1);
    release(e);
  } else {
    e->free_job.run = run_free;
    coord__loop_post(c->loop, &e->free_job);
  }
  coord__lock_free(lock);
}
