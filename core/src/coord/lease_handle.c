#include "coord/lease_handle.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "coord/keeper_wire.h"
#include "coord/teller.h"
#include "etcd/lease.h"
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
  coord_op *op;
  coord__echo echo;
  int64_t deadline_ns;
  coord_code code;
  coord_error *error;
} opener;

static void on_opened(coord__tenant *tenant, coord_code code, coord_error *err) {
  coord_lease *l = (coord_lease *)tenant;
  opener *o = l->opener;
  if (code == COORD_OK) l->phase = KEPT;
  o->code = code;
  o->error = err;
  coord__waiter_signal(&o->waiter);
}

static void run_open(coord__job *job) {
  opener *o = COORD__CONTAINER(job, opener, job);
  coord__tenant_open(&o->lease->tenant, o->op, &o->echo, o->deadline_ns, on_opened);
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
  opener o = {.lease = l, .op = op, .echo = *echo, .job.run = run_open};
  o.deadline_ns = coord__client_deadline_ns(c, coord__clock_ns(), timeout_ms);
  o.code = op != NULL && l != NULL ? coord__op_check(op, &o.error) : COORD_NO_MEMORY;
  if (o.code != COORD_OK) {
    coord__op_free(op);
  } else {
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

static void on_revoked(coord__tenant *tenant, coord_code code, coord_error *err) {
  coord_lease *l = (coord_lease *)tenant;
  tell_closed(l, code, coord_error_message(err));
  while (!coord__list_empty(&l->closers)) {
    end_closer(COORD__CONTAINER(l->closers.next, closer, link), code, err);
  }
  coord_error_free(err);
  release(l);
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
  l->phase = CLOSING;
  atomic_fetch_add(&l->refs, 1);
  coord__tenant_revoke(&l->tenant, w->deadline_ns, on_revoked);
}

coord_code coord__lease_close(coord_lease *l, int32_t timeout_ms, coord_error **err) {
  coord_client *c = l->tenant.client;
  closer w = {.lease = l,
              .job.run = run_close,
              .deadline_ns = coord__client_deadline_ns(c, coord__clock_ns(), timeout_ms)};
  coord__waiter_init(&w.waiter, c->loop, 1);
  coord__loop_push(c->loop, &w.job);
  coord__waiter_wait(&w.waiter);
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
