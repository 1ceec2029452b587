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
  /* Of opening: */
  coord_op *op;
  coord__echo echo;
  int64_t deadline_ns;
  coord__waiter *waiter; /* of the thread that waits, if one does */
  coord_error *error;
  bool freed; /* meanwhile */
  coord__job job;
  coord__job free_job;
  coord__list closers;
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

static void leave(coord_lease *l) {
  coord_client *c = l->tenant.client;
  if (l->phase == KEPT) coord__keeper_leave(l->tenant.keeper, &l->tenant.kept);
  l->phase = ENDED;
  release(l);
  coord__client_release(c);
}

static void on_opened(coord__tenant *tenant, coord_code code, coord_error *err) {
  coord_lease *l = (coord_lease *)tenant;
  if (code == COORD_OK) l->phase = KEPT;
  if (l->waiter != NULL) {
    l->end = code;
    l->error = err;
    coord__waiter_signal(l->waiter);
    return;
  }
  if (code == COORD_OK) {
    coord__teller_tell(&l->teller, COORD_EVENT_ACQUIRED, code, NULL, 0);
  } else {
    tell_closed(l, code, coord_error_message(err));
  }
  coord_error_free(err);
  if (l->freed) leave(l);
}

static void run_open(coord__job *job) {
  coord_lease *l = COORD__CONTAINER(job, coord_lease, job);
  coord__tenant_open(&l->tenant, l->op, &l->echo, l->deadline_ns, on_opened);
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
  if (!coord__teller_prepare(&l->teller, COORD_EVENT_ACQUIRED) ||
      !coord__teller_prepare(&l->teller, COORD_EVENT_LOST) ||
      !coord__teller_prepare(&l->teller, COORD_EVENT_CLOSED)) {
    release(l);
    return NULL;
  }
  coord__client_retain(c);
  coord__client_use(c);
  return l;
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

coord_code coord__lease_open(coord_client *c, int64_t ttl_s, int64_t lease_id, int32_t timeout_ms,
                             bool wait, coord_queue *queue, uint64_t tag, coord_lease **out,
                             coord_error **err) {
  bool adopts = lease_id != 0 || ttl_s == COORD__LEASE_ADOPTED;
  int64_t id = adopts ? lease_id : coord__lease_new_id();
  coord_op *op = adopts ? coord__op_lease_keepalive(id) : coord__op_lease_grant(ttl_s, id);
  coord_lease *l = new_lease(c, id, queue, tag);
  coord_error *error = NULL;
  coord_code code = op != NULL && l != NULL ? coord__op_check(op, &error) : COORD_NO_MEMORY;
  coord__waiter waiter;
  if (code != COORD_OK) {
    coord__op_free(op);
  } else {
    if (!adopts) {
      l->echo = (coord__echo){.code = COORD_CONFLICT, .lease_id = id, .ttl_s = ttl_s};
    }
    l->op = op;
    l->deadline_ns = coord__client_deadline_ns(c, coord__clock_ns(), timeout_ms);
    l->job.run = run_open;
    if (!wait) {
      coord__loop_post(c->loop, &l->job);
    } else {
      l->waiter = &waiter;
      coord__waiter_init(&waiter, c->loop, 1);
      coord__loop_push(c->loop, &l->job);
      coord__waiter_wait(&waiter);
      code = l->end;
      error = l->error;
    }
  }
  if (code == COORD_OK) {
    *out = l;
    return code;
  }
  if (l != NULL) {
    leave(l);
    coord__client_unuse(c);
  }
  return hand_over(code, error, err);
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
  if (l->phase == ENDED || l->phase == OPENING) {
    coord_error *err = NULL;
    coord_code code = COORD_OK;
    if (l->phase == OPENING) {
      code = coord__fail(&err, COORD_CONFLICT, "the lease is being opened");
    } else if (l->end == COORD_CLOSED) {
      code = coord__fail(&err, COORD_CLOSED, "the client was closed");
    }
    end_closer(w, code, err);
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
  l->freed = true;
  if (l->phase != OPENING) leave(l);
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
