#include "coord/lease_handle.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "coord/keeper_wire.h"
#include "coord/op.h"
#include "coord/teller.h"
#include "etcd/lease.h"
#include "etcd/result.h"
#include "etcd/waiter.h"

typedef enum phase {
  OPENING,
  KEPT,
  CLOSING, /* it is being revoked */
  ENDED    /* lost, revoked, or the client was closed; CLOSED was told */
} phase;

struct coord_lease {
  coord__tenant tenant; /* first */
  atomic_int refs;      /* the program's, that of each event that is out, that of a revoke */
  coord__teller teller;
  phase phase; /* I/O thread only, down to the end */
  coord_code end;
  struct opener *opener;
  coord__list closers;
  coord__job free_job;
};

/* ---- memory ---- */

static void release(coord_lease *l) {
  if (atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) > 1) return;
  coord__teller_free(&l->teller);
  coord__free(l);
}

static void retain_owner(void *owner) { atomic_fetch_add(&((coord_lease *)owner)->refs, 1); }

static void release_owner(void *owner) { release(owner); }

/* ---- events ---- */

static void tell_closed(coord_lease *l, coord_code code, const char *why) {
  l->phase = ENDED;
  l->end = code;
  coord__teller_tell(&l->teller, COORD_EVENT_CLOSED, code, why, 0);
}

static void on_news(coord__kept *kept, coord__kept_news news, coord_code code, const char *why) {
  coord_lease *l = (coord_lease *)kept;
  coord__log *log = &l->tenant.client->log;
  if (news == COORD__KEPT_LOST) {
    coord__log_at(log, COORD_LOG_ERROR, "%s", why);
    coord__teller_tell(&l->teller, COORD_EVENT_LOST, code, why, 0);
    tell_closed(l, code, why);
  } else if (news == COORD__KEPT_ENDED) {
    tell_closed(l, code, why);
  } else {
    if (news == COORD__KEPT_AT_RISK) coord__log_at(log, COORD_LOG_WARN, "%s", why);
    coord__teller_tell_risk(&l->teller, news == COORD__KEPT_AT_RISK, code, why);
  }
}

/* ---- opening ---- */

/* A thread in coord__lease_open. */
typedef struct opener {
  coord__job job;
  coord__waiter waiter;
  coord_lease *lease;
  coord__request request;
  coord__echo echo;
  int64_t asked_ns;
  int64_t deadline_ns;
  coord_code code;
  coord_error *error;
} opener;

static void record(coord__call *call, int64_t since_boot_ns) {
  coord_client *c = COORD__CONTAINER(call, coord__tenant, call)->client;
  coord__stats_record(&c->stats, call->method, coord__clock_boot_ns() - since_boot_ns,
                      COORD__KEEPALIVE_FRAME, call->response.len, call->code != COORD_OK);
}

/* What the server grants. */
static coord_code read_ttl(coord__call *call, opener *o, int64_t *ttl_s) {
  coord_result *result = NULL;
  coord_code code = call->code;
  if (coord__lease_is_echo(call, &o->echo)) {
    coord_error_free(call->error);
    *ttl_s = o->echo.ttl_s;
    return COORD_OK;
  }
  o->error = call->error;
  if (code == COORD_OK) {
    code = o->request.decode(call->response.data, call->response.len, &result, &o->error);
    coord__error_set_endpoint(o->error, call->endpoint);
  }
  if (result != NULL) *ttl_s = result->ttl_s;
  coord__result_free(result);
  return code;
}

static void on_opened(coord__call *call) {
  coord_lease *l = COORD__CONTAINER(call, coord_lease, tenant.call);
  opener *o = l->opener;
  coord__keeper *k = l->tenant.keeper;
  int64_t ttl_s = 0;
  record(call, o->asked_ns);
  coord_code code = read_ttl(call, o, &ttl_s);
  coord__buf_free(&call->response);
  if (code != COORD_OK) {
    coord__keeper_leave(k, &l->tenant.kept);
  } else if (coord__keeper_start(k, &l->tenant.kept, o->asked_ns, ttl_s, coord__clock_boot_ns())) {
    l->phase = KEPT;
  } else {
    code = coord__fail(&o->error, COORD_TIMEOUT,
                       "%s: the answer took longer than the TTL of %" PRId64 " s",
                       call->method->name, ttl_s);
  }
  o->code = code;
  coord__waiter_signal(&o->waiter);
}

static void run_open(coord__job *job) {
  opener *o = COORD__CONTAINER(job, opener, job);
  coord_lease *l = o->lease;
  coord__keeper *k = coord__client_keeper(l->tenant.client);
  o->code = k != NULL ? coord__keeper_join(k, &l->tenant.kept) : COORD_NO_MEMORY;
  if (o->code != COORD_OK) {
    coord__request_free(&o->request);
    if (o->code == COORD_CONFLICT) {
      coord__fail(&o->error, COORD_CONFLICT,
                  "this client keeps lease %" PRIx64 " alive already; it has one handle",
                  (uint64_t)l->tenant.kept.id);
    }
    coord__waiter_signal(&o->waiter);
    return;
  }
  l->tenant.keeper = k;
  l->tenant.call = (coord__call){.method = o->request.method,
                                 .request = o->request.body,
                                 .repeatable = true,
                                 .read_only = o->request.read_only,
                                 .deadline_ns = o->deadline_ns,
                                 .done = on_opened};
  o->asked_ns = coord__clock_boot_ns();
  coord__call_start(&l->tenant.client->rpc, &l->tenant.call);
}

static int64_t deadline_of(const coord_client *c, int32_t timeout_ms) {
  if (timeout_ms < 0) return 0;
  if (timeout_ms == 0) timeout_ms = c->request_timeout_ms;
  return coord__clock_ns() + timeout_ms * COORD__NS_PER_MS;
}

static coord_lease *new_lease(coord_client *c, int64_t id, coord_queue *queue, uint64_t tag) {
  coord_lease *l = coord__calloc(1, sizeof *l);
  if (l == NULL) return NULL;
  atomic_init(&l->refs, 1);
  l->tenant.client = c;
  l->tenant.kept.id = id;
  l->tenant.kept.news = on_news;
  coord__list_init(&l->closers);
  coord__teller_init(&l->teller, queue, tag, l, retain_owner, release_owner);
  if (!coord__teller_prepare(&l->teller, COORD_EVENT_LOST) ||
      !coord__teller_prepare(&l->teller, COORD_EVENT_CLOSED)) {
    release(l);
    return NULL;
  }
  coord__client_retain(c);
  coord__client_use(c);
  return l;
}

static void drop(coord_lease *l) {
  coord_client *c = l->tenant.client;
  release(l);
  coord__client_release(c);
}

/* Give an error that was made elsewhere to whoever asked for it, or to nobody. */
static coord_code hand_over(coord_code code, coord_error *made, coord_error **err) {
  if (code == COORD_NO_MEMORY && made == NULL) return coord__no_memory(err);
  if (err == NULL) {
    coord_error_free(made);
  } else if (made != NULL) {
    coord_error_free(*err);
    *err = made;
  }
  return code;
}

/* `op` is handed over, and may be NULL: memory is out. */
static coord_code open_by(coord_client *c, coord_op *op, coord_lease *l, const coord__echo *echo,
                          int32_t timeout_ms, coord_error **err) {
  opener o = {.lease = l, .echo = *echo, .job.run = run_open};
  o.deadline_ns = deadline_of(c, timeout_ms);
  if (op == NULL || l == NULL) {
    o.code = COORD_NO_MEMORY;
  } else {
    o.code = coord__op_encode(op, &c->limits, &o.request, &o.error);
  }
  coord_op_free(op);
  if (o.code == COORD_OK) {
    l->opener = &o;
    coord__waiter_init(&o.waiter, c->loop, 1);
    coord__loop_push(c->loop, &o.job);
    coord__waiter_wait(&o.waiter);
    l->opener = NULL;
  }
  if (o.code != COORD_OK && l != NULL) {
    drop(l);
    coord__client_unuse(c);
  }
  return hand_over(o.code, o.error, err);
}

coord_code coord__lease_open(coord_client *c, int64_t ttl_s, int32_t timeout_ms, coord_queue *queue,
                             uint64_t tag, coord_lease **out, coord_error **err) {
  int64_t id = coord__lease_new_id();
  coord__echo echo = {.code = COORD_CONFLICT, .lease_id = id, .ttl_s = ttl_s};
  coord_lease *l = new_lease(c, id, queue, tag);
  coord_code code = open_by(c, coord__op_lease_grant(ttl_s, id), l, &echo, timeout_ms, err);
  if (code == COORD_OK) *out = l;
  return code;
}

coord_code coord__lease_adopt(coord_client *c, int64_t lease_id, int32_t timeout_ms,
                              coord_queue *queue, uint64_t tag, coord_lease **out,
                              coord_error **err) {
  coord__echo none = {.code = COORD_OK};
  coord_lease *l = new_lease(c, lease_id, queue, tag);
  coord_code code = open_by(c, coord__op_lease_keepalive(lease_id), l, &none, timeout_ms, err);
  if (code == COORD_OK) *out = l;
  return code;
}

/* ---- what is known of it ---- */

coord_client *coord__lease_client(const coord_lease *l) { return l->tenant.client; }

int64_t coord__lease_id(const coord_lease *l) { return l->tenant.kept.id; }

int64_t coord__lease_ttl_s(const coord_lease *l) {
  return atomic_load(&l->tenant.kept.ttl_ns) / 1000 / COORD__NS_PER_MS;
}

int64_t coord__lease_remaining_ms(const coord_lease *l) {
  coord__kept *kept = &((coord_lease *)l)->tenant.kept;
  if (coord__client_forked(l->tenant.client)) return 0;
  /* What is less than a millisecond must not pass for the end, which is for good. */
  int64_t left_ns = coord__kept_left_ns(kept, coord__clock_boot_ns());
  return left_ns > 0 && left_ns < COORD__NS_PER_MS ? 1 : left_ns / COORD__NS_PER_MS;
}

/* ---- closing ---- */

/* A thread in coord__lease_close. */
typedef struct closer {
  coord__list link;
  coord__job job;
  coord__waiter waiter;
  coord_lease *lease;
  coord__request request;
  int64_t deadline_ns;
  coord_code code;
  coord_error *error;
} closer;

static void end_closer(closer *w, coord_code code, const coord_error *err) {
  coord__list_remove(&w->link);
  w->code = code;
  w->error = coord__error_dup(err);
  coord__waiter_signal(&w->waiter);
}

static void on_revoked(coord__call *call) {
  coord_lease *l = COORD__CONTAINER(call, coord_lease, tenant.call);
  coord_client *c = l->tenant.client;
  coord_code code = call->code == COORD_NOT_FOUND ? COORD_OK : call->code;
  const coord_error *err = code != COORD_OK ? call->error : NULL;
  coord__stats_record(&c->stats, call->method, coord__clock_boot_ns() - l->tenant.kept.asked_ns,
                      COORD__KEEPALIVE_FRAME, call->response.len, code != COORD_OK);
  coord__buf_free(&call->response);
  coord_error *failure = call->error;
  tell_closed(l, code, coord_error_message(failure));
  while (!coord__list_empty(&l->closers)) {
    end_closer(COORD__CONTAINER(l->closers.next, closer, link), code, err);
  }
  coord_error_free(failure);
  release(l);
  coord__client_release(c);
}

static void run_close(coord__job *job) {
  closer *w = COORD__CONTAINER(job, closer, job);
  coord_lease *l = w->lease;
  coord__list_append(&l->closers, &w->link);
  if (l->phase == CLOSING) return;
  if (l->phase == ENDED) {
    coord_error *err = NULL;
    if (l->end == COORD_CLOSED) coord__fail(&err, COORD_CLOSED, "the client was closed");
    end_closer(w, l->end == COORD_CLOSED ? COORD_CLOSED : COORD_OK, err);
    coord_error_free(err);
    return;
  }
  coord__keeper_leave(l->tenant.keeper, &l->tenant.kept);
  atomic_store(&l->tenant.kept.deadline_ns, 0);
  l->phase = CLOSING;
  l->tenant.kept.asked_ns = coord__clock_boot_ns();
  l->tenant.call = (coord__call){.method = w->request.method,
                                 .request = w->request.body,
                                 .repeatable = true,
                                 .deadline_ns = w->deadline_ns,
                                 .done = on_revoked};
  w->request.body = (coord__buf){0};
  atomic_fetch_add(&l->refs, 1);
  coord__client_retain(l->tenant.client);
  coord__call_start(&l->tenant.client->rpc, &l->tenant.call);
}

coord_code coord__lease_close(coord_lease *l, int32_t timeout_ms, coord_error **err) {
  coord_client *c = l->tenant.client;
  closer w = {.lease = l, .job.run = run_close, .deadline_ns = deadline_of(c, timeout_ms)};
  coord_op *op = coord__op_lease_revoke(l->tenant.kept.id);
  if (op == NULL) return coord__no_memory(err);
  coord_code code = coord__op_encode(op, &c->limits, &w.request, err);
  coord_op_free(op);
  if (code != COORD_OK) return code;
  coord__waiter_init(&w.waiter, c->loop, 1);
  coord__loop_push(c->loop, &w.job);
  coord__waiter_wait(&w.waiter);
  coord__request_free(&w.request);
  return hand_over(w.code, w.error, err);
}

/* ---- the end ---- */

static void run_free(coord__job *job) {
  coord_lease *l = COORD__CONTAINER(job, coord_lease, free_job);
  if (l->phase == KEPT) {
    coord__keeper_leave(l->tenant.keeper, &l->tenant.kept);
    l->phase = ENDED;
  }
  drop(l);
}

void coord__lease_free(coord_lease *l) {
  coord_client *c = l->tenant.client;
  if (coord__client_forked(c)) {
    release(l);
    atomic_fetch_sub(&c->refs, 1);
  } else {
    coord__teller_mute(&l->teller);
    l->free_job.run = run_free;
    coord__loop_post(c->loop, &l->free_job);
  }
  coord__client_unuse(c);
}
