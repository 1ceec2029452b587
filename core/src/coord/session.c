#include "coord/session.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/map.h"
#include "etcd/lease.h"

typedef struct coord__sessions {
  coord__part part;
  coord_client *client;
  coord__list pools;
} coord__sessions;

struct coord__pool {
  coord__list link; /* of the shared ones */
  coord_client *client;
  int64_t ttl_s;
  int64_t adopt_id;
  size_t opens;
  coord__list sessions;
};

typedef enum phase {
  OPENING, /* the lease is asked for */
  KEPT,
  REVOKING,
  GONE /* lost, or the client was closed */
} phase;

struct coord__session {
  coord__tenant tenant; /* first */
  atomic_int refs;      /* memory: the pool or the call under way, and whoever looks at it */
  coord__list link;
  coord__pool *pool; /* NULL: nobody may join */
  phase phase;
  coord__list members;
  coord__map names;
};

/* ---- memory ---- */

coord__session *coord__session_retain(coord__session *s) {
  atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
  return s;
}

void coord__session_release(coord__session *s) {
  if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1) return;
  coord__map_free(&s->names);
  coord__free(s);
}

/* Nobody may join it any more. */
static void leave_pool(coord__session *s) {
  coord__pool *pool = s->pool;
  s->pool = NULL;
  coord__list_remove(&s->link);
  if (pool == NULL || pool->opens > 0 || !coord__list_empty(&pool->sessions)) return;
  coord__list_remove(&pool->link);
  coord__free(pool);
}

/* ---- the end ---- */

static void on_revoked(coord__tenant *tenant, coord_code code, coord_error *err) {
  coord__session *s = (coord__session *)tenant;
  coord_client *c = s->tenant.client;
  if (code != COORD_OK) {
    coord__log_at(&c->log, COORD_LOG_DEBUG, "lease %llx was not revoked, and expires: %s",
                  (unsigned long long)s->tenant.kept.id, coord_error_message(err));
  }
  coord_error_free(err);
  coord__session_release(s);
  coord__client_farewell_ended(c);
}

static void revoke(coord__session *s) {
  coord_client *c = s->tenant.client;
  s->phase = REVOKING;
  coord__client_farewell(c);
  coord__tenant_revoke(&s->tenant, coord__client_deadline_ns(c, coord__clock_ns(), 0), on_revoked);
}

static bool is_wanted(const coord__session *s) {
  return !coord__list_empty(&s->members) || (s->pool != NULL && s->pool->opens > 0);
}

/* It ends with the last one who wants it. */
static void check_end(coord__session *s) {
  if (is_wanted(s) || s->phase == OPENING) return;
  phase at = s->phase;
  leave_pool(s);
  if (at == KEPT) {
    revoke(s);
  } else if (at == GONE) {
    coord__session_release(s);
  }
}

/* ---- members ---- */

static void leave(coord__member *m) {
  coord__session *s = m->session;
  coord__list_remove(&m->link);
  coord__map_remove(&s->names, m->name);
  m->session = NULL;
}

void coord__session_leave(coord__member *m) {
  coord__session *s = m->session;
  if (s == NULL) return;
  leave(m);
  check_end(s);
}

/* All of them are told, and out. */
static void dismiss(coord__session *s, coord__kept_news news, coord_code code, const char *why) {
  while (!coord__list_empty(&s->members)) {
    coord__member *m = COORD__CONTAINER(s->members.next, coord__member, link);
    leave(m);
    m->news(m, news, code, why);
  }
}

static void on_news(coord__kept *kept, coord__kept_news news, coord_code code, const char *why) {
  coord__session *s = (coord__session *)kept;
  coord__session_retain(s);
  if (news == COORD__KEPT_LOST || news == COORD__KEPT_ENDED) {
    if (news == COORD__KEPT_LOST) coord__log_at(&s->tenant.client->log, COORD_LOG_ERROR, "%s", why);
    s->phase = GONE;
    leave_pool(s);
    dismiss(s, news, code, why);
    coord__session_release(s); /* the pool's */
  } else {
    if (news == COORD__KEPT_AT_RISK) {
      coord__log_at(&s->tenant.client->log, COORD_LOG_WARN, "%s", why);
    }
    coord__list all;
    coord__list_init(&all);
    coord__list_splice(&all, &s->members);
    for (coord__list *n; (n = coord__list_pop(&all)) != NULL;) {
      coord__member *m = COORD__CONTAINER(n, coord__member, link);
      coord__list_append(&s->members, n);
      m->news(m, news, code, why);
    }
  }
  coord__session_release(s);
}

/* ---- opening ---- */

static void tell_ready(coord__session *s) {
  coord__list all;
  coord__list_init(&all);
  coord__list_splice(&all, &s->members);
  for (coord__list *n; (n = coord__list_pop(&all)) != NULL;) {
    coord__member *m = COORD__CONTAINER(n, coord__member, link);
    coord__list_append(&s->members, n);
    m->waits = false;
    m->ready(m, COORD_OK, NULL);
  }
}

static void fail(coord__session *s, coord_code code, coord_error *err) {
  s->phase = GONE;
  leave_pool(s);
  while (!coord__list_empty(&s->members)) {
    coord__member *m = COORD__CONTAINER(s->members.next, coord__member, link);
    leave(m);
    m->waits = false;
    m->ready(m, code, coord__error_dup(err));
  }
  coord_error_free(err);
  coord__session_release(s); /* the pool's */
}

static void on_opened(coord__tenant *tenant, coord_code code, coord_error *err) {
  coord__session *s = (coord__session *)tenant;
  if (code != COORD_OK) {
    fail(s, code, err);
    return;
  }
  coord__session_retain(s);
  s->phase = KEPT;
  tell_ready(s);
  if (s->phase == KEPT) check_end(s);
  coord__session_release(s);
}

/* A session that nobody hangs on, with an id that it will have. NULL: memory is out. */
static coord__session *new_session(coord__pool *pool, int64_t lease_id) {
  coord__session *s = coord__calloc(1, sizeof *s);
  if (s == NULL) return NULL;
  atomic_init(&s->refs, 1);
  s->tenant.client = pool->client;
  s->tenant.kept.id = lease_id;
  s->tenant.kept.news = on_news;
  s->pool = pool;
  coord__list_init(&s->members);
  coord__list_append(&pool->sessions, &s->link);
  return s;
}

static void open_session(coord__session *s, coord_op *op, coord__echo echo) {
  coord__tenant_open(&s->tenant, op, &echo,
                     coord__client_deadline_ns(s->tenant.client, coord__clock_ns(), 0), on_opened);
}

static bool enter(coord__session *s, coord__member *m, uint64_t name) {
  if (!coord__map_insert(&s->names, name, m)) return false;
  m->session = s;
  m->name = name;
  m->waits = s->phase == OPENING;
  coord__list_append(&s->members, &m->link);
  return true;
}

static void refuse(coord__member *m) {
  coord_error *err = NULL;
  coord_code code = coord__no_memory(&err);
  m->ready(m, code, err);
}

void coord__session_join(coord__pool *pool, coord__member *m, uint64_t name) {
  for (coord__list *n = pool->sessions.next; n != &pool->sessions; n = n->next) {
    coord__session *s = COORD__CONTAINER(n, coord__session, link);
    if (coord__map_find(&s->names, name) != NULL) continue;
    if (!enter(s, m, name)) break;
    if (!m->waits) m->ready(m, COORD_OK, NULL);
    return;
  }
  int64_t adopted = pool->adopt_id;
  int64_t id = adopted != 0 ? adopted : coord__lease_new_id();
  coord__session *s = new_session(pool, id);
  if (s == NULL || !enter(s, m, name)) {
    if (s != NULL) fail(s, COORD_NO_MEMORY, NULL);
    refuse(m);
    return;
  }
  pool->adopt_id = 0;
  if (adopted != 0) {
    open_session(s, coord__op_lease_keepalive(id), (coord__echo){.code = COORD_OK});
  } else {
    open_session(s, coord__op_lease_grant(pool->ttl_s, id),
                 (coord__echo){.code = COORD_CONFLICT, .lease_id = id, .ttl_s = pool->ttl_s});
  }
}

void coord__session_retire(coord__session *s) {
  leave_pool(s);
  check_end(s);
}

void coord__session_refresh(coord__session *s, int64_t sent_boot_ns, int64_t ttl_s) {
  coord__keeper_refresh(s->tenant.keeper, &s->tenant.kept, sent_boot_ns, ttl_s,
                        coord__clock_boot_ns());
}

/* ---- pools ---- */

static void on_end(coord__part *part) { (void)part; } /* the keeper tells, and the calls end */

static void on_free(coord__part *part) {
  coord__free(COORD__CONTAINER(part, coord__sessions, part));
}

static coord__sessions *sessions_of(coord_client *c) {
  if (c->sessions != NULL) return c->sessions;
  coord__sessions *all = coord__calloc(1, sizeof *all);
  if (all == NULL) return NULL;
  *all = (coord__sessions){.part.end = on_end, .part.free = on_free, .client = c};
  coord__list_init(&all->pools);
  coord__list_append(&c->parts, &all->part.link);
  c->sessions = all;
  return all;
}

coord__pool *coord__pool_open(coord_client *c, int64_t ttl_s, bool own, int64_t adopt_id) {
  coord__sessions *all = sessions_of(c);
  if (all == NULL) return NULL;
  for (coord__list *n = all->pools.next; !own && n != &all->pools; n = n->next) {
    coord__pool *pool = COORD__CONTAINER(n, coord__pool, link);
    if (pool->ttl_s != ttl_s || pool->opens == 0) continue;
    pool->opens++;
    return pool;
  }
  coord__pool *pool = coord__calloc(1, sizeof *pool);
  if (pool == NULL) return NULL;
  *pool = (coord__pool){.client = c, .ttl_s = ttl_s, .adopt_id = adopt_id, .opens = 1};
  coord__list_init(&pool->sessions);
  if (!own) coord__list_append(&all->pools, &pool->link);
  return pool;
}

void coord__pool_close(coord__pool *pool) {
  if (--pool->opens > 0) return;
  coord__list *n = pool->sessions.next;
  if (n == &pool->sessions) {
    coord__list_remove(&pool->link);
    coord__free(pool);
    return;
  }
  while (n != NULL) {
    coord__list *next = n->next != &pool->sessions ? n->next : NULL;
    check_end(COORD__CONTAINER(n, coord__session, link)); /* with the last one the pool may go */
    n = next;
  }
}

/* ---- what is known of it ---- */

int64_t coord__session_lease_id(const coord__session *s) { return s->tenant.kept.id; }

int64_t coord__session_ttl_s(const coord__session *s) {
  return atomic_load(&s->tenant.kept.ttl_ns) / 1000 / COORD__NS_PER_MS;
}

int64_t coord__session_left_ns(coord__session *s) {
  return coord__kept_left_ns(&s->tenant.kept, coord__clock_boot_ns());
}
