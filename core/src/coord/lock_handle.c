#include "coord/lock_handle.h"

#include <json-c/json.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/options.h"
#include "coord/bid.h"
#include "coord/teller.h"
#include "etcd/lease.h"
#include "etcd/task.h"
#include "etcd/txn.h"

/* Leases in a row that turned out to be gone before one acquire gives up. */
enum { STALE_LEASES_MAX = 3 };

typedef enum phase {
  IDLE,
  ACQUIRING,
  YIELDING, /* it was not to wait: leaving the queue */
  HELD,
  RELEASING
} phase;

/* One of the names. */
typedef struct part {
  coord__buf name;
  coord__bid *bid; /* I/O thread only; NULL: none */
  /* By the lock's mutex: */
  coord__session *session; /* that it is held by; held */
  coord__buf key;
  int64_t token;
} part;

struct coord_lock {
  atomic_int refs; /* the program's, its ops', its events' */
  coord_client *client;
  coord__teller teller;
  coord__claim_kind kind;
  size_t permits;
  int64_t ttl_s;
  bool own;
  bool reentrant;
  int64_t delay_ns;
  char *owner;
  int64_t adopt_id;
  const coord__buf *candidacy; /* what the key is to say, while it is being acquired; else NULL */
  coord__job open_job;
  coord__job free_job;
  coord__part client_part;
  /* I/O thread only. */
  bool freed;
  bool was_lost; /* and no release has been told so */
  coord__pool *pool;
  phase phase;
  coord__task *task;    /* that acquires or releases */
  coord_result *result; /* of that */
  bool wait;
  int stale;
  size_t at;   /* ACQUIRING: which part */
  size_t left; /* YIELDING, RELEASING: parts that have not left */
  int64_t holds;
  coord__task *renewing;
  coord__ask renewal;
  coord__session *renews; /* held */
  int64_t renewal_boot_ns;
  size_t renewed;  /* parts */
  coord_code code; /* of leaving */
  coord_error *err;
  pthread_mutex_t mutex;
  bool held; /* by the mutex, and what is so in the parts */
  size_t count;
  part parts[];
};

/* ---- memory ---- */

static void forget_sessions(coord_lock *l) {
  for (size_t i = 0; i < l->count; i++) {
    if (l->parts[i].session != NULL) coord__session_release(l->parts[i].session);
    l->parts[i].session = NULL;
  }
}

static void release(coord_lock *l) {
  if (atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) > 1) return;
  forget_sessions(l);
  for (size_t i = 0; i < l->count; i++) {
    coord__buf_free(&l->parts[i].name);
    coord__buf_free(&l->parts[i].key);
  }
  coord__teller_free(&l->teller);
  pthread_mutex_destroy(&l->mutex);
  coord__free(l->owner);
  coord__free(l);
}

static void retain_self(void *self) {
  atomic_fetch_add_explicit(&((coord_lock *)self)->refs, 1, memory_order_relaxed);
}

static void release_self(void *self) { release(self); }

static const coord_client *client_of(const void *self) {
  return ((const coord_lock *)self)->client;
}

/* ---- what is known of it ---- */

static int64_t left_ns(const coord_lock *l) {
  int64_t least = INT64_MAX;
  if (!l->held) return 0;
  for (size_t i = 0; i < l->count; i++) {
    int64_t ns = coord__session_left_ns(l->parts[i].session);
    if (ns < least) least = ns;
  }
  return least;
}

static bool lock_state(const coord_lock *l) {
  if (coord__client_forked(l->client)) return false;
  pthread_mutex_lock(&((coord_lock *)l)->mutex);
  return true;
}

static void unlock_state(const coord_lock *l) { pthread_mutex_unlock(&((coord_lock *)l)->mutex); }

int64_t coord__lock_remaining_ms(const coord_lock *l) {
  if (!lock_state(l)) return 0;
  int64_t ns = left_ns(l);
  unlock_state(l);
  return ns / COORD__NS_PER_MS;
}

int64_t coord__lock_token(const coord_lock *l) {
  if (!lock_state(l)) return 0;
  int64_t token = left_ns(l) > 0 ? l->parts[0].token : 0;
  unlock_state(l);
  return token;
}

coord_code coord__lock_key(const coord_lock *l, size_t i, coord_kv *out) {
  if (i >= l->count) return COORD_INVALID;
  if (!lock_state(l)) return COORD_FORKED;
  const part *p = &l->parts[i];
  bool is_held = left_ns(l) > 0;
  if (is_held) {
    *out = (coord_kv){.key = p->key.data,
                      .key_len = p->key.len,
                      .value = "",
                      .create_revision = p->token,
                      .mod_revision = p->token,
                      .version = 1,
                      .lease_id = coord__session_lease_id(p->session)};
  }
  unlock_state(l);
  return is_held ? COORD_OK : COORD_NOT_HELD;
}

coord_code coord__op_if_held(coord_op *txn, const coord_lock *l) {
  coord_code code = COORD_OK;
  bool is_held = false;
  if (lock_state(l)) {
    is_held = left_ns(l) > 0;
    for (size_t i = 0; is_held && code == COORD_OK && i < l->count; i++) {
      const part *p = &l->parts[i];
      code = coord__op_if_int(txn, p->key.data, p->key.len, COORD_COMPARE_CREATE, COORD_EQUAL,
                              p->token);
    }
    unlock_state(l);
  }
  return is_held ? code : coord__op_fault(txn, COORD_NOT_HELD, "if_held: the lock is not held");
}

/* ---- holding ---- */

static void set_held(coord_lock *l) {
  pthread_mutex_lock(&l->mutex);
  forget_sessions(l);
  for (size_t i = 0; i < l->count; i++) {
    part *p = &l->parts[i];
    const coord__claim *claim = &p->bid->claim;
    p->session = coord__session_retain(p->bid->member.session);
    p->token = claim->revision;
    p->key.len = 0;
    coord__buf_append(&p->key, claim->key.data, claim->key.len); /* there is room */
    p->key.data[p->key.len] = '\0';
  }
  l->held = true;
  pthread_mutex_unlock(&l->mutex);
}

static void set_not_held(coord_lock *l) {
  pthread_mutex_lock(&l->mutex);
  l->held = false;
  pthread_mutex_unlock(&l->mutex);
}

/* ---- ending what is under way ---- */

static void complete(coord_lock *l, coord_code code, coord_error *err) {
  coord__task *task = l->task;
  coord_result *result = l->result;
  l->task = NULL;
  l->result = NULL;
  if (code != COORD_OK) {
    coord__result_free(result);
    result = NULL;
  }
  if (task == NULL) {
    coord_error_free(err);
    coord__result_free(result);
  } else {
    coord__task_complete(task, code, err, result);
  }
}

/* It goes on by itself to where it is over. */
static void abandon(coord_lock *l, size_t i) {
  coord__bid *bid = l->parts[i].bid;
  if (bid == NULL) return;
  l->parts[i].bid = NULL;
  coord__bid_abandon(bid);
}

static void abandon_all(coord_lock *l) {
  set_not_held(l);
  for (size_t i = l->count; i > 0; i--) abandon(l, i - 1);
  l->phase = IDLE;
}

static void fail(coord_lock *l, coord_code code, coord_error *err) {
  abandon_all(l);
  complete(l, code, err);
}

/* ---- acquiring ---- */

static uint64_t hash(const coord__buf *name) {
  uint64_t h = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < name->len; i++) h = (h ^ name->data[i]) * UINT64_C(1099511628211);
  return h;
}

static void on_told(coord__claim *claim, coord__claim_news news, coord_code code, coord_error *err);
static void on_ready(coord__member *m, coord_code code, coord_error *err);
static void on_news(coord__member *m, coord__kept_news news, coord_code code, const char *why);

static int64_t wall_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / COORD__NS_PER_MS;
}

/* What the key says to those who look. False: memory is out. */
static bool write_value(const coord_lock *l, coord__buf *value) {
  static const char *const kinds[] = {NULL, "read", "semaphore"};
  const char *kind = kinds[l->kind];
  if (l->candidacy != NULL) {
    return coord__buf_append(value, l->candidacy->data, l->candidacy->len);
  }
  if (kind == NULL && l->owner[0] == '\0') return true;
  struct json_object *object = json_object_new_object();
  if (object == NULL) return false;
  if (kind != NULL) json_object_object_add(object, "kind", json_object_new_string(kind));
  if (l->owner[0] != '\0') {
    json_object_object_add(object, "owner", json_object_new_string(l->owner));
  }
  json_object_object_add(object, "since_ms", json_object_new_int64(wall_ms()));
  const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
  bool ok = text != NULL && coord__buf_append_str(value, text);
  json_object_put(object);
  return ok;
}

static void bid_for(coord_lock *l, size_t i) {
  coord_error *err = NULL;
  part *p = &l->parts[i];
  coord__bid *bid = coord__bid_new(l->client, p->name.data, p->name.len, on_told);
  if (bid == NULL || !write_value(l, &bid->claim.value)) {
    if (bid != NULL) coord__bid_free(bid);
    coord__no_memory(&err);
    fail(l, COORD_NO_MEMORY, err);
    return;
  }
  bid->claim.kind = l->kind;
  bid->claim.permits = l->permits;
  bid->claim.delay_ns = l->delay_ns;
  bid->claim.rewrites = l->candidacy != NULL;
  bid->owner = l;
  bid->member.ready = on_ready;
  bid->member.news = on_news;
  p->bid = bid;
  coord__session_join(l->pool, &bid->member, hash(&p->name));
}

static void be_held(coord_lock *l) {
  l->phase = HELD;
  l->holds = 1;
  set_held(l);
  l->result->revision = l->parts[0].token;
  coord__teller_tell(&l->teller, COORD_EVENT_ACQUIRED, COORD_OK, NULL, l->parts[0].token);
  complete(l, COORD_OK, NULL);
}

/* Another has what this one does not want to wait for. */
static void yield(coord_lock *l) {
  l->phase = YIELDING;
  l->left = l->at + 1;
  for (size_t i = l->at + 1; i > 0; i--) coord__claim_leave(&l->parts[i - 1].bid->claim);
}

/* What an acquire needs before it can begin, or count; the result of its success is made first. */
static coord_code prepare(coord_lock *l, bool counts, coord_result **result, coord_error **err) {
  if (l->freed) return coord__fail(err, COORD_CLOSED, "lock: the handle was freed");
  if (l->phase != IDLE && !counts) {
    return coord__fail(err, COORD_CONFLICT, "lock: this handle %s it already",
                       l->phase == HELD        ? "holds"
                       : l->phase == RELEASING ? "is releasing"
                                               : "waits for");
  }
  if (l->pool == NULL) l->pool = coord__pool_open(l->client, l->ttl_s, l->own, l->adopt_id);
  if (l->pool == NULL || !coord__teller_prepare(&l->teller, COORD_EVENT_LOST)) {
    return coord__no_memory(err);
  }
  *result = coord__result_empty();
  return *result != NULL ? COORD_OK : coord__no_memory(err);
}

void coord__lock_acquire(coord_lock *l, coord__task *task, bool wait, const coord__buf *candidacy) {
  coord_error *err = NULL;
  coord_result *result = NULL;
  bool counts = l->phase == HELD && l->reentrant;
  coord_code code = prepare(l, counts, &result, &err);
  if (result == NULL) {
    coord__task_complete(task, code, err, NULL);
  } else if (counts) {
    l->holds++;
    result->revision = l->parts[0].token;
    coord__task_complete(task, COORD_OK, NULL, result);
  } else {
    l->phase = ACQUIRING;
    l->was_lost = false;
    l->task = task;
    l->result = result;
    l->wait = wait;
    l->candidacy = candidacy;
    l->stale = 0;
    l->at = 0;
    bid_for(l, 0);
  }
}

/* ---- what bids come to ---- */

static void on_ready(coord__member *m, coord_code code, coord_error *err) {
  coord__bid *bid = COORD__CONTAINER(m, coord__bid, member);
  coord_lock *l = bid->owner;
  if (code == COORD_OK) {
    if (coord__claim_start(&bid->claim, coord__session_lease_id(m->session))) return;
    code = coord__no_memory(&err);
  }
  fail(l, code, err); /* which frees the bid */
}

static void on_news(coord__member *m, coord__kept_news news, coord_code code, const char *why) {
  coord__bid *bid = COORD__CONTAINER(m, coord__bid, member);
  coord_lock *l = bid->owner;
  if (news == COORD__KEPT_LOST || news == COORD__KEPT_ENDED) {
    coord__claim_lose(&bid->claim, news == COORD__KEPT_LOST ? COORD_LOST : COORD_CLOSED, why);
  } else if (l != NULL && l->phase == HELD) { /* NULL: it was abandoned */
    coord__teller_tell_risk(&l->teller, news == COORD__KEPT_AT_RISK, code, why);
  }
}

static size_t index_of(const coord_lock *l, const coord__bid *bid) {
  size_t i = 0;
  while (l->parts[i].bid != bid) i++;
  return i;
}

static void on_failed(coord_lock *l, coord__bid *bid, coord_code code, coord_error *err) {
  if (code == COORD_NOT_FOUND && bid->member.session != NULL && l->stale < STALE_LEASES_MAX) {
    /* The lease is gone, which the keeper does not know yet: another one. */
    size_t i = index_of(l, bid);
    coord_error_free(err);
    l->stale++;
    coord__session_retire(bid->member.session);
    abandon(l, i);
    bid_for(l, i);
    return;
  }
  fail(l, code == COORD_NOT_FOUND ? COORD_LOST : code, err);
}

static void on_lost(coord_lock *l, coord_code code, coord_error *err) {
  if (l->phase != HELD) { /* one of several, while others are waited for */
    fail(l, code, err);
    return;
  }
  abandon_all(l);
  l->was_lost = true;
  if (code != COORD_CLOSED) {
    coord__teller_tell(&l->teller, COORD_EVENT_LOST, COORD_LOST, coord_error_message(err), 0);
  }
  coord_error_free(err);
}

static void on_left(coord_lock *l, coord__bid *bid, coord_code code, coord_error *err) {
  abandon(l, index_of(l, bid));
  if (code == COORD_NOT_FOUND && l->phase == RELEASING) {
    code = coord__fail(&err, COORD_LOST, "release: the lock was lost before: its key was gone");
  }
  if (code != COORD_OK && code != COORD_NOT_FOUND && l->code == COORD_OK) {
    l->code = code;
    l->err = err;
  } else {
    coord_error_free(err);
  }
  if (--l->left > 0) return;
  code = l->code;
  err = l->err;
  l->code = COORD_OK;
  l->err = NULL;
  if (l->phase == YIELDING && code == COORD_OK) {
    code = coord__fail(&err, COORD_CONFLICT, "lock: it is held by another");
  }
  l->phase = IDLE;
  complete(l, code, err);
}

static void on_told(coord__claim *claim, coord__claim_news news, coord_code code,
                    coord_error *err) {
  coord__bid *bid = (coord__bid *)claim;
  coord_lock *l = bid->owner;
  switch (news) {
    case COORD__CLAIM_IS_BLOCKED:
      if (!l->wait) yield(l);
      break;
    case COORD__CLAIM_IS_HELD:
      if (++l->at < l->count) {
        bid_for(l, l->at);
      } else {
        be_held(l);
      }
      break;
    case COORD__CLAIM_HAS_FAILED:
      on_failed(l, bid, code, err);
      break;
    case COORD__CLAIM_IS_LOST:
      on_lost(l, code, err);
      break;
    case COORD__CLAIM_HAS_LEFT:
      on_left(l, bid, code, err);
      break;
    case COORD__CLAIM_IS_OVER:
      break; /* it was abandoned before */
  }
}

/* ---- the ops ---- */

static void start_wait(void *self, coord__task *task) {
  coord__lock_acquire(self, task, true, NULL);
}

static void start_try(void *self, coord__task *task) {
  coord__lock_acquire(self, task, false, NULL);
}

void coord__lock_release(coord_lock *l, coord__task *task) {
  coord_error *err = NULL;
  coord_code code = COORD_OK;
  if (l->freed) {
    code = coord__fail(&err, COORD_CLOSED, "release: the handle was freed");
  } else if (l->phase == HELD) {
    l->result = coord__result_empty();
    if (l->result == NULL) code = coord__no_memory(&err);
  } else if (l->was_lost) {
    l->was_lost = false;
    code = coord__fail(&err, COORD_LOST, "release: the lock was lost before");
  } else {
    code = coord__fail(&err, COORD_NOT_HELD, "release: the lock is not held");
  }
  l->task = code == COORD_OK ? task : l->task;
  if (code != COORD_OK) {
    coord__task_complete(task, code, err, NULL);
  } else if (--l->holds > 0) {
    complete(l, COORD_OK, NULL);
  } else {
    set_not_held(l);
    l->phase = RELEASING;
    l->left = l->count;
    for (size_t i = l->count; i > 0; i--) coord__claim_leave(&l->parts[i - 1].bid->claim);
  }
}

static void start_release(void *self, coord__task *task) { coord__lock_release(self, task); }

void coord__lock_end(coord_lock *l, coord__task *task, coord_code code, const char *why) {
  coord_error *err = NULL;
  if (l->task != task) return;
  if (l->phase == RELEASING) {
    coord__fail(&err, code, "release: %s; it goes on in the background", why);
  } else {
    char shown[COORD__SHOWN];
    const part *p = &l->parts[l->at < l->count ? l->at : 0];
    bool waits = p->bid != NULL && p->bid->claim.state == COORD__CLAIM_WAITING;
    coord__fail(&err, code, "lock \"%s\": %s%s", coord__show(shown, p->name.data, p->name.len), why,
                waits ? "; others stand before this one" : "");
    if (err != NULL && code == COORD_TIMEOUT) err->flags = COORD_RETRIABLE;
  }
  coord_error_free(l->err);
  l->err = NULL;
  l->code = COORD_OK;
  fail(l, code, err);
}

static void cancel(void *self, coord__task *task, coord_code code, const char *why) {
  coord__lock_end(self, task, code, why);
}

/* ---- renewing ---- */

static void end_renewal(coord_lock *l, coord_code code, coord_error *err, coord_result *result) {
  coord__task *task = l->renewing;
  l->renewing = NULL;
  if (code != COORD_OK) {
    coord__result_free(result);
    result = NULL;
  }
  coord__task_complete(task, code, err, result);
}

static void renew_next(coord_lock *l);

static void on_renewed(coord__ask *ask, coord_code code, coord_error *err, coord_result *result,
                       bool doubt) {
  coord_lock *l = COORD__CONTAINER(ask, coord_lock, renewal);
  coord__session *s = l->renews;
  (void)doubt;
  l->renews = NULL;
  if (code == COORD_OK) coord__session_refresh(s, l->renewal_boot_ns, result->ttl_s);
  if (code == COORD_NOT_FOUND) {
    code = coord__fail(&err, COORD_LOST, "lease %llx is gone",
                       (unsigned long long)coord__session_lease_id(s));
  }
  coord__session_release(s);
  if (code != COORD_OK || ++l->renewed == l->count) {
    end_renewal(l, code, err, result);
  } else {
    coord__result_free(result);
    renew_next(l);
  }
}

static void renew_next(coord_lock *l) {
  coord_error *err = NULL;
  if (l->phase != HELD) {
    coord__fail(&err, COORD_LOST, "lock_renew: the lock is held no more");
    end_renewal(l, COORD_LOST, err, NULL);
    return;
  }
  l->renews = coord__session_retain(l->parts[l->renewed].session);
  l->renewal.client = l->client;
  l->renewal.done = on_renewed;
  l->renewal_boot_ns = coord__clock_boot_ns();
  coord__ask_start(&l->renewal, coord__op_lease_keepalive(coord__session_lease_id(l->renews)),
                   l->renewing->deadline_ns);
}

static void start_renew(void *self, coord__task *task) {
  coord_lock *l = self;
  coord_error *err = NULL;
  coord_code code = COORD_OK;
  if (l->phase != HELD) {
    code = coord__fail(&err, COORD_NOT_HELD, "lock_renew: the lock is not held");
  } else if (l->renewing != NULL) {
    code = coord__fail(&err, COORD_CONFLICT, "lock_renew: one is under way");
  }
  if (code != COORD_OK) {
    coord__task_complete(task, code, err, NULL);
    return;
  }
  l->renewing = task;
  l->renewed = 0;
  renew_next(l);
}

static void cancel_renew(void *self, coord__task *task, coord_code code, const char *why) {
  coord_lock *l = self;
  if (l->renewing == task) coord__call_end(&l->renewal.call, code, why);
}

static const coord__op_class renew_class = {"lock_renew", retain_self, release_self,
                                            client_of,    start_renew, cancel_renew};

coord_op *coord__op_lock_renew(coord_lock *l) { return coord__op_custom(&renew_class, l); }

static const coord__op_class wait_class = {"lock",    retain_self, release_self,
                                           client_of, start_wait,  cancel};
static const coord__op_class try_class = {"lock",    retain_self, release_self,
                                          client_of, start_try,   cancel};
static const coord__op_class release_class = {"release", retain_self,   release_self,
                                              client_of, start_release, cancel};

coord_op *coord__op_acquire(coord_lock *l, bool wait) {
  return coord__op_custom(wait ? &wait_class : &try_class, l);
}

coord_op *coord__op_release(coord_lock *l) { return coord__op_custom(&release_class, l); }

coord_op *coord__op_lock_queue(const void *name, size_t name_len) {
  return coord__queue_op("lock_queue", name, name_len, 0);
}

coord_op *coord__queue_op(const char *op_name, const void *name, size_t name_len, int64_t limit) {
  coord__buf prefix = {0};
  bool has_name = name != NULL && name_len > 0;
  bool ok = !has_name ||
            (coord__buf_append(&prefix, name, name_len) && coord__buf_append(&prefix, "/", 1));
  coord_op *op = ok ? coord__op_get(prefix.data, prefix.len) : NULL;
  coord__buf_free(&prefix);
  if (op == NULL) return NULL;
  coord__op_set_prefix(op);
  coord__op_set(op, COORD_OP_SORT_BY, COORD_SORT_CREATE);
  coord__op_set(op, COORD_OP_LIMIT, limit);
  if (!has_name) coord__op_fault(op, COORD_INVALID, "%s: argument name is empty", op_name);
  return op;
}

coord__teller *coord__lock_teller(coord_lock *l) { return &l->teller; }

void coord__lock_for_election(coord_lock *l) {
  l->kind = COORD__CLAIM_EXCLUSIVE;
  l->reentrant = false;
  l->delay_ns = 0;
}

void coord__lock_retain(coord_lock *l) { retain_self(l); }

void coord__lock_let_go(coord_lock *l) { release(l); }

/* ---- life ---- */

static void end_part(coord__part *client_part) {
  coord_lock *l = COORD__CONTAINER(client_part, coord_lock, client_part);
  fail(l, COORD_CLOSED, NULL);
  coord__teller_tell(&l->teller, COORD_EVENT_CLOSED, COORD_CLOSED, "the client was closed", 0);
}

static void free_part(coord__part *client_part) { (void)client_part; }

static void run_open(coord__job *job) {
  coord_lock *l = COORD__CONTAINER(job, coord_lock, open_job);
  if (l->client->rpc.closed) {
    coord__teller_tell(&l->teller, COORD_EVENT_CLOSED, COORD_CLOSED, "the client was closed", 0);
  } else {
    coord__list_append(&l->client->parts, &l->client_part.link);
  }
}

static void run_free(coord__job *job) {
  coord_lock *l = COORD__CONTAINER(job, coord_lock, free_job);
  coord_client *c = l->client;
  coord_error *err = NULL;
  l->freed = true;
  coord__list_remove(&l->client_part.link);
  if (l->task != NULL) coord__fail(&err, COORD_CANCELED, "lock: the handle was freed");
  fail(l, COORD_CANCELED, err);
  if (l->pool != NULL) coord__pool_close(l->pool);
  release(l);
  coord__client_release(c);
}

void coord__lock_free(coord_lock *l) {
  coord_client *c = l->client;
  if (coord__client_forked(c)) {
    coord__list_remove(&l->client_part.link);
    release(l);
    atomic_fetch_sub(&c->refs, 1);
  } else {
    set_not_held(l);
    coord__teller_mute(&l->teller);
    l->free_job.run = run_free;
    coord__loop_post(c->loop, &l->free_job);
  }
  coord__client_unuse(c);
}

static int compare_parts(const void *a, const void *b) {
  const part *x = a, *y = b;
  size_t n = x->name.len < y->name.len ? x->name.len : y->name.len;
  int order = memcmp(x->name.data, y->name.data, n);
  if (order != 0) return order;
  return x->name.len < y->name.len ? -1 : x->name.len > y->name.len;
}

static coord_code take_names(coord_lock *l, const void *const *names, const size_t *lens,
                             coord_error **err) {
  for (size_t i = 0; i < l->count; i++) {
    part *p = &l->parts[i];
    if (!coord__buf_append(&p->name, names[i], lens[i]) ||
        !coord__buf_reserve(&p->key, lens[i] + 1 + 16 + 1)) {
      return coord__no_memory(err);
    }
  }
  qsort(l->parts, l->count, sizeof l->parts[0], compare_parts);
  for (size_t i = 1; i < l->count; i++) {
    char shown[COORD__SHOWN];
    const part *p = &l->parts[i];
    if (compare_parts(p - 1, p) != 0) continue;
    return coord__fail(err, COORD_INVALID, "argument names has \"%s\" twice",
                       coord__show(shown, p->name.data, p->name.len));
  }
  return COORD_OK;
}

static coord_code take_options(coord_lock *l, const coord_options *o, coord_error **err) {
  static const coord__claim_kind kinds[] = {COORD__CLAIM_EXCLUSIVE, COORD__CLAIM_READ,
                                            COORD__CLAIM_EXCLUSIVE, COORD__CLAIM_SEMAPHORE};
  l->kind = kinds[coord__options_choice(o, COORD__OPTION_LOCK_KIND)];
  l->permits = (size_t)coord__options_int(o, COORD__OPTION_LOCK_PERMITS);
  l->ttl_s = coord__options_int(o, COORD__OPTION_LOCK_TTL_S);
  l->adopt_id = coord__options_int(o, COORD__OPTION_LOCK_LEASE_ID);
  l->own = l->adopt_id != 0 || coord__options_choice(o, COORD__OPTION_LOCK_LEASE) == 1;
  l->reentrant = coord__options_bool(o, COORD__OPTION_LOCK_REENTRANT);
  l->delay_ns = coord__options_int(o, COORD__OPTION_LOCK_DELAY_MS) * COORD__NS_PER_MS;
  l->owner = coord__strdup(coord__options_text(o, COORD__OPTION_LOCK_OWNER));
  if (l->owner == NULL) return coord__no_memory(err);
  if (l->delay_ns > 0 && l->kind != COORD__CLAIM_EXCLUSIVE) {
    return coord__fail(
        err, COORD_INVALID,
        "option lock.delay.ms is for locks that one holds at a time: lock.kind mutex "
        "or write");
  }
  return COORD_OK;
}

coord_code coord__lock_open(coord_client *c, const void *const *names, const size_t *name_lens,
                            size_t count, const coord_options *options, coord_queue *queue,
                            uint64_t tag, coord_lock **out, coord_error **err) {
  coord_lock *l = coord__calloc(1, sizeof *l + count * sizeof l->parts[0]);
  if (l == NULL) return coord__no_memory(err);
  atomic_init(&l->refs, 1);
  l->client = c;
  l->count = count;
  pthread_mutex_init(&l->mutex, NULL);
  coord__teller_init(&l->teller, queue, tag, l, retain_self, release_self);
  coord_code code = take_names(l, names, name_lens, err);
  if (code == COORD_OK) code = take_options(l, options != NULL ? options : c->options, err);
  if (code == COORD_OK && !coord__teller_prepare(&l->teller, COORD_EVENT_CLOSED)) {
    code = coord__no_memory(err);
  }
  if (code != COORD_OK) {
    release(l);
    return code;
  }
  l->client_part = (coord__part){.end = end_part, .free = free_part};
  l->open_job.run = run_open;
  coord__client_retain(c);
  coord__client_use(c);
  coord__loop_post(c->loop, &l->open_job);
  *out = l;
  return COORD_OK;
}
