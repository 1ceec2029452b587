#include "coord/workqueue_handle.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "coord/ask.h"
#include "coord/lookout.h"
#include "coord/session.h"
#include "coord/teller.h"
#include "etcd/result.h"
#include "etcd/task.h"

/*
 * One of the takes of a handle is served at a time. The item is chosen by what a look shows, or by what
 * the watch tells while there was none; who loses it to another gets a new look with the answer, and
 * chooses among twice as many of the oldest: many workers find their items in a few tries each.
 */
enum { LOOKED_AT = 64, LOSSES_MAX = 6, STALE_LEASES_MAX = 3 };

typedef enum stage {
  IDLE,
  JOINING, /* the lease is asked for */
  LOOKING, /* or pausing before that */
  TAKING,
  UNDOING, /* it may have been taken, and nobody wants it; or pausing before that */
  WAITING  /* nothing is free */
} stage;

/* An op that takes. */
typedef struct take {
  coord__list link;
  coord__task *task;
  bool waits;
} take;

struct coord_workqueue {
  atomic_int refs; /* the program's, its ops', its events' */
  coord_client *client;
  coord__teller teller;
  coord__work_names names;
  int64_t ttl_s;
  coord__job open_job;
  coord__job free_job;
  coord__part client_part;
  /* I/O thread only. */
  bool freed;
  bool ended; /* nothing is begun any more */
  coord__pool *pool;
  coord__member member;
  stage stage;
  coord__list takes; /* the first one is served */
  bool asking;
  coord__ask ask;
  coord__lookout lookout;
  coord__work_item item; /* TAKING, UNDOING */
  coord__buf hint;       /* WAITING: the key of an item that has come; empty: none */
  int64_t hint_revision;
  int64_t seen;   /* the revision of the last look */
  int64_t newest; /* of a change that matters */
  int64_t gone;   /* of the last delete of an item */
  int64_t limit;  /* of items to look at */
  unsigned losses;
  int stale; /* leases in a row that turned out to be gone */
  pthread_mutex_t mutex;
  coord__session *session; /* by the mutex: held; NULL: nothing is taken */
  int64_t since;           /* by the mutex: the first token under its lease */
};

/* ---- memory ---- */

void coord__workqueue_retain(coord_workqueue *w) {
  atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
}

void coord__workqueue_release(coord_workqueue *w) {
  if (atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) > 1) return;
  if (w->session != NULL) coord__session_release(w->session);
  coord__work_names_free(&w->names);
  coord__work_item_free(&w->item);
  coord__buf_free(&w->hint);
  coord__teller_free(&w->teller);
  pthread_mutex_destroy(&w->mutex);
  coord__free(w);
}

static void retain_self(void *self) { coord__workqueue_retain(self); }

static void release_self(void *self) { coord__workqueue_release(self); }

const coord__work_names *coord__workqueue_names(const coord_workqueue *w) { return &w->names; }

coord_client *coord__workqueue_client(const coord_workqueue *w) { return w->client; }

bool coord__workqueue_is_freed(const coord_workqueue *w) { return w->freed; }

static const coord_client *client_of(const void *self) {
  return ((const coord_workqueue *)self)->client;
}

/* ---- what is known of it ---- */

/* NULL: nothing is ours any more. */
static void set_session(coord_workqueue *w, coord__session *s, int64_t token) {
  pthread_mutex_lock(&w->mutex);
  coord__session *before = w->session;
  if (s == NULL || before == NULL) {
    w->session = s != NULL ? coord__session_retain(s) : NULL;
    w->since = s != NULL ? token : 0;
  } else {
    before = NULL;
    if (token < w->since) w->since = token; /* the store was restored from a backup */
  }
  pthread_mutex_unlock(&w->mutex);
  if (before != NULL) coord__session_release(before);
}

int64_t coord__workqueue_remaining_ms(const coord_workqueue *w, int64_t token) {
  if (coord__client_forked(w->client)) return 0;
  pthread_mutex_t *mutex = &((coord_workqueue *)w)->mutex;
  int64_t ns = 0;
  pthread_mutex_lock(mutex);
  if (w->session != NULL && token >= w->since) ns = coord__session_left_ns(w->session);
  pthread_mutex_unlock(mutex);
  return ns / COORD__NS_PER_MS;
}

/* ---- takes ---- */

static bool is_wanted(const coord_workqueue *w) { return !coord__list_empty(&w->takes); }

static void complete(take *t, coord_code code, coord_error *err, coord_result *result) {
  coord__list_remove(&t->link);
  coord__task_complete(t->task, code, err, result);
  coord__free(t);
}

static void rest(coord_workqueue *w) {
  coord__lookout_stop(&w->lookout);
  w->stage = IDLE;
}

/* What stands in the way of one stands in the way of all. */
static void fail_all(coord_workqueue *w, coord_code code, coord_error *err) {
  rest(w);
  while (is_wanted(w)) {
    take *t = COORD__CONTAINER(w->takes.next, take, link);
    complete(t, code, coord__error_dup(err), NULL);
  }
  coord_error_free(err);
}

static void serve(coord_workqueue *w);

/* ---- looking ---- */

static void ask(coord_workqueue *w, coord_op *op) {
  w->asking = true;
  coord__ask_start(&w->ask, op, coord__client_deadline_ns(w->client, coord__clock_ns(), 0));
}

static void look(coord_workqueue *w) {
  w->stage = LOOKING;
  ask(w, coord__work_look_op(&w->names, w->limit));
}

static void try_to_take(coord_workqueue *w, const void *key, size_t key_len, int64_t revision) {
  coord_error *err = NULL;
  if (!coord__work_item_set(&w->item, &w->names, key, key_len)) {
    coord__no_memory(&err);
    fail_all(w, COORD_NO_MEMORY, err);
    return;
  }
  w->item.revision = revision;
  snprintf(w->item.id, sizeof w->item.id, "%016" PRIx64, coord__random());
  w->stage = TAKING;
  ask(w, coord__work_take_op(&w->names, &w->item, coord__session_lease_id(w->member.session),
                             w->limit));
}

/* The marks are in the order of their keys. */
static bool is_taken(const coord_workqueue *w, const coord_result *marks,
                     const ProtobufCBinaryData *item) {
  const uint8_t *id = item->data + w->names.items.len;
  size_t id_len = item->len - w->names.items.len;
  size_t low = 0, high = marks->kv_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const ProtobufCBinaryData *key = &marks->kvs[middle]->key;
    size_t len = key->len - w->names.marks.len;
    int order = memcmp(key->data + w->names.marks.len, id, len < id_len ? len : id_len);
    if (order == 0) order = len < id_len ? -1 : len > id_len;
    if (order == 0) return true;
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return false;
}

/* The oldest, or one of the oldest. NULL: none is free. */
static const Etcdserverpb__KeyValue *choose(const coord_workqueue *w, const coord_result *marks,
                                            const coord_result *items) {
  const Etcdserverpb__KeyValue *chosen = NULL;
  uint64_t window = UINT64_C(1) << w->losses, found = 0;
  for (size_t i = 0; i < items->kv_count && found < window; i++) {
    const Etcdserverpb__KeyValue *kv = items->kvs[i];
    if (!coord__work_is_item(&w->names, kv->key.data, kv->key.len)) continue;
    if (is_taken(w, marks, &kv->key)) continue;
    if (coord__random() % ++found == 0) chosen = kv;
  }
  return chosen;
}

static void wait_for_one(coord_workqueue *w) {
  coord_error *err = NULL;
  for (coord__list *n = w->takes.next; n != &w->takes;) {
    take *t = COORD__CONTAINER(n, take, link);
    n = n->next;
    if (t->waits) continue;
    coord_code code = coord__fail(&err, COORD_NOT_FOUND, "work_take: there is none");
    complete(t, code, err, NULL);
    err = NULL;
  }
  w->losses = 0;
  w->hint.len = 0;
  if (!is_wanted(w)) {
    rest(w);
  } else if (w->lookout.watching) {
    w->stage = WAITING;
  } else if (coord__lookout_watch(&w->lookout, coord__work_watch_op(&w->names), w->seen + 1)) {
    w->newest = w->gone = 0; /* a restored store may come to these revisions once more */
    w->stage = WAITING;
  } else {
    coord__no_memory(&err);
    fail_all(w, COORD_NO_MEMORY, err);
  }
}

/* With a look of this revision. */
static void decide(coord_workqueue *w, int64_t revision, const coord_result *marks,
                   const coord_result *items) {
  const Etcdserverpb__KeyValue *kv = choose(w, marks, items);
  w->seen = revision;
  w->limit = LOOKED_AT + (int64_t)marks->kv_count;
  if (!is_wanted(w)) {
    rest(w);
  } else if (w->member.session == NULL) { /* the lease has ended meanwhile */
    serve(w);
  } else if (kv != NULL) {
    try_to_take(w, kv->key.data, kv->key.len, kv->mod_revision);
  } else if (items->more || (w->lookout.watching && w->newest > w->seen)) {
    look(w);
  } else {
    wait_for_one(w);
  }
}

/* ---- answers ---- */

/* All that was taken may be another's. */
static void lose_all(coord_workqueue *w, const char *why) {
  bool has_taken = w->session != NULL;
  set_session(w, NULL, 0);
  if (has_taken) coord__teller_tell(&w->teller, COORD_EVENT_LOST, COORD_LOST, why, 0);
}

static void undo(coord_workqueue *w) {
  w->stage = UNDOING;
  ask(w, coord__work_undo_op(&w->item));
}

static void hand_out(coord_workqueue *w, coord_result *r, const coord_result *item, int64_t token) {
  take *t = COORD__CONTAINER(w->takes.next, take, link);
  r->kv_count = item->kv_count;
  r->kvs = item->kvs;
  r->part_count = 0;
  r->revision = token;
  r->succeeded = true;
  w->losses = 0;
  w->stale = 0;
  w->stage = IDLE;
  set_session(w, w->member.session, token);
  complete(t, COORD_OK, NULL, r);
  serve(w);
}

static void on_taken(coord_workqueue *w, coord_result *r) {
  const coord_result *mark = &r->parts[0], *item = &r->parts[1];
  bool ours = r->succeeded;
  int64_t token = r->revision;
  if (!ours && mark->kv_count == 1) { /* by an earlier try, whose answer was lost? */
    const Etcdserverpb__KeyValue *kv = mark->kvs[0];
    ours = kv->value.len == strlen(w->item.id) &&
           memcmp(kv->value.data, w->item.id, kv->value.len) == 0;
    token = kv->create_revision;
  }
  if (ours && w->member.session == NULL) { /* the lease has ended meanwhile */
    coord__result_free(r);
    serve(w);
  } else if (ours && (!is_wanted(w) || item->kv_count != 1)) {
    coord__result_free(r);
    undo(w);
  } else if (ours) {
    hand_out(w, r, item, token);
  } else {
    if (w->losses < LOSSES_MAX) w->losses++;
    decide(w, r->revision, &r->parts[2], &r->parts[3]);
    coord__result_free(r);
  }
}

static void on_success(coord_workqueue *w, coord_result *r) {
  static const size_t parts[] = {[LOOKING] = 2, [TAKING] = 4};
  coord_error *err = NULL;
  w->lookout.failures = 0;
  if (w->stage == UNDOING) {
    coord__result_free(r);
    serve(w);
  } else if (r->part_count != (w->stage == TAKING && r->succeeded ? 2 : parts[w->stage])) {
    coord__result_free(r);
    coord__fail(&err, COORD_PROTOCOL,
                "work_take: the server's answer is not one to what was asked");
    fail_all(w, COORD_PROTOCOL, err);
  } else if (w->stage == TAKING) {
    on_taken(w, r);
  } else {
    decide(w, r->revision, &r->parts[0], &r->parts[1]);
    coord__result_free(r);
  }
}

static void on_failure(coord_workqueue *w, coord_code code, coord_error *err, bool doubt) {
  bool again = coord__error_may_pass(code, err, doubt);
  if (w->stage == UNDOING && (again || code == COORD_NO_MEMORY)) {
    coord__lookout_pause(&w->lookout);
  } else if (w->stage == UNDOING) {
    coord__log_at(&w->client->log, COORD_LOG_WARN, "work_take: an item may be out of reach: %s",
                  coord_error_message(err));
    serve(w);
  } else if (w->stage == TAKING && doubt) {
    w->stage = UNDOING;
    coord__lookout_pause(&w->lookout);
  } else if (w->stage == TAKING && code == COORD_NOT_FOUND && w->stale++ < STALE_LEASES_MAX) {
    /* The lease is gone, which the keeper does not know yet. */
    if (w->member.session != NULL) coord__session_retire(w->member.session);
    coord__session_leave(&w->member);
    lose_all(w, coord_error_message(err));
    serve(w);
  } else if (again) {
    w->stage = LOOKING;
    coord__lookout_pause(&w->lookout);
  } else {
    fail_all(w, code == COORD_NOT_FOUND ? COORD_LOST : code, err);
    return;
  }
  coord_error_free(err);
}

static void on_answer(coord__ask *a, coord_code code, coord_error *err, coord_result *result,
                      bool doubt) {
  coord_workqueue *w = COORD__CONTAINER(a, coord_workqueue, ask);
  w->asking = false;
  if (w->ended) {
    coord_error_free(err);
    coord__result_free(result);
  } else if (code == COORD_OK) {
    on_success(w, result);
  } else {
    on_failure(w, code, err, doubt);
  }
}

/* ---- what wakes it ---- */

static bool matters(coord__lookout *l, int32_t type, const coord_kv *kv) {
  coord_workqueue *w = COORD__CONTAINER(l, coord_workqueue, lookout);
  bool is_item = coord__work_is_item(&w->names, kv->key, kv->key_len);
  if (type == COORD_CHANGE_DELETE) {
    if (is_item) w->gone = kv->mod_revision;
    /* A mark that goes with its item is one of work that was done. */
    if (is_item || !coord__work_is_mark(&w->names, kv->key, kv->key_len) ||
        w->gone == kv->mod_revision) {
      return false;
    }
  } else if (!is_item) {
    return false;
  }
  if (kv->mod_revision > w->newest) w->newest = kv->mod_revision;
  if (w->stage != WAITING) return false;
  if (is_item && w->hint.len == 0 && coord__buf_append(&w->hint, kv->key, kv->key_len)) {
    w->hint_revision = kv->mod_revision;
  }
  return true;
}

static void on_wake(coord__lookout *l) {
  coord_workqueue *w = COORD__CONTAINER(l, coord_workqueue, lookout);
  if (w->asking || w->ended) return;
  if (w->stage == UNDOING) {
    undo(w);
  } else if (w->stage == WAITING && w->hint.len > 0 && w->member.session != NULL) {
    try_to_take(w, w->hint.data, w->hint.len, w->hint_revision);
  } else if (w->stage == WAITING || w->stage == LOOKING) {
    serve(w);
  }
}

/* ---- the lease ---- */

static void on_ready(coord__member *m, coord_code code, coord_error *err) {
  coord_workqueue *w = COORD__CONTAINER(m, coord_workqueue, member);
  if (w->ended) {
    coord_error_free(err);
  } else if (code != COORD_OK) {
    fail_all(w, code, err);
  } else {
    serve(w);
  }
}

static void on_news(coord__member *m, coord__kept_news news, coord_code code, const char *why) {
  coord_workqueue *w = COORD__CONTAINER(m, coord_workqueue, member);
  if (news == COORD__KEPT_LOST) {
    lose_all(w, why);
  } else if (news == COORD__KEPT_ENDED) {
    set_session(w, NULL, 0);
  } else if (w->session != NULL) {
    coord__teller_tell_risk(&w->teller, news == COORD__KEPT_AT_RISK, code, why);
  }
}

/* Begin, or go on, with the first of those who wait. */
static void serve(coord_workqueue *w) {
  coord_error *err = NULL;
  if (!is_wanted(w)) {
    rest(w);
  } else if (!coord__teller_prepare(&w->teller, COORD_EVENT_LOST)) {
    coord__no_memory(&err);
    fail_all(w, COORD_NO_MEMORY, err);
  } else if (w->member.session == NULL) {
    w->stage = JOINING;
    coord__session_join(w->pool, &w->member, 0);
  } else {
    look(w);
  }
}

/* ---- the op ---- */

static void start(coord_workqueue *w, coord__task *task, bool waits) {
  coord_error *err = NULL;
  if (w->freed) {
    coord_code code = coord__fail(&err, COORD_CLOSED, "work_take: the handle was freed");
    coord__task_complete(task, code, err, NULL);
    return;
  }
  take *t = coord__calloc(1, sizeof *t);
  if (w->pool == NULL) w->pool = coord__pool_open(w->client, w->ttl_s, true, 0);
  if (t == NULL || w->pool == NULL) {
    coord__free(t);
    coord__task_no_memory(task);
    return;
  }
  t->task = task;
  t->waits = waits;
  coord__list_append(&w->takes, &t->link);
  if (w->stage == IDLE) {
    serve(w);
  } else if (w->stage == WAITING && !waits) {
    look(w);
  }
}

static void start_wait(void *self, coord__task *task) { start(self, task, true); }

static void start_try(void *self, coord__task *task) { start(self, task, false); }

static void cancel(void *self, coord__task *task, coord_code code, const char *why) {
  coord_workqueue *w = self;
  coord_error *err = NULL;
  for (coord__list *n = w->takes.next; n != &w->takes; n = n->next) {
    take *t = COORD__CONTAINER(n, take, link);
    if (t->task != task) continue;
    coord__fail(&err, code, "work_take: %s%s", why,
                w->stage == WAITING ? "; nothing is there to take" : "");
    if (err != NULL && code == COORD_TIMEOUT) err->flags = COORD_RETRIABLE;
    complete(t, code, err, NULL);
    break;
  }
  /* What is being taken goes to the next one, or back. */
  if (!is_wanted(w) && !w->asking && (w->stage == WAITING || w->stage == LOOKING)) rest(w);
}

static const coord__op_class wait_class = {"work_take", retain_self, release_self,
                                           client_of,   start_wait,  cancel};
static const coord__op_class try_class = {"work_take", retain_self, release_self,
                                          client_of,   start_try,   cancel};

coord_op *coord__op_work_take(coord_workqueue *w, bool wait) {
  return coord__op_custom(wait ? &wait_class : &try_class, w);
}

/* ---- life ---- */

static void stop(coord_workqueue *w, coord_code code, const char *why) {
  coord_error *err = NULL;
  w->ended = true;
  if (w->asking) coord__call_end(&w->ask.call, code, why);
  if (is_wanted(w)) coord__fail(&err, code, "work_take: %s", why);
  fail_all(w, code, err);
  set_session(w, NULL, 0);
}

static void end_part(coord__part *part) {
  coord_workqueue *w = COORD__CONTAINER(part, coord_workqueue, client_part);
  stop(w, COORD_CLOSED, "the client was closed");
  coord__teller_tell(&w->teller, COORD_EVENT_CLOSED, COORD_CLOSED, "the client was closed", 0);
}

static void free_part(coord__part *part) { (void)part; }

static void run_open(coord__job *job) {
  coord_workqueue *w = COORD__CONTAINER(job, coord_workqueue, open_job);
  if (w->client->rpc.closed) {
    end_part(&w->client_part);
  } else {
    coord__list_append(&w->client->parts, &w->client_part.link);
  }
}

static void run_free(coord__job *job) {
  coord_workqueue *w = COORD__CONTAINER(job, coord_workqueue, free_job);
  coord_client *c = w->client;
  w->freed = true;
  coord__list_remove(&w->client_part.link);
  stop(w, COORD_CANCELED, "the handle was freed");
  coord__session_leave(&w->member);
  if (w->pool != NULL) coord__pool_close(w->pool); /* which revokes the lease */
  coord__workqueue_release(w);
  coord__client_release(c);
}

void coord__workqueue_free(coord_workqueue *w) {
  coord_client *c = w->client;
  if (coord__client_forked(c)) {
    coord__list_remove(&w->client_part.link);
    coord__workqueue_release(w);
    atomic_fetch_sub(&c->refs, 1);
  } else {
    coord__teller_mute(&w->teller);
    w->free_job.run = run_free;
    coord__loop_post(c->loop, &w->free_job);
  }
  coord__client_unuse(c);
}

coord_code coord__workqueue_open(coord_client *c, const void *name, size_t name_len,
                                 const coord_options *options, coord_queue *queue, uint64_t tag,
                                 coord_workqueue **out, coord_error **err) {
  coord_workqueue *w = coord__calloc(1, sizeof *w);
  if (w == NULL) return coord__no_memory(err);
  atomic_init(&w->refs, 1);
  w->client = w->ask.client = c;
  w->ask.done = on_answer;
  w->ask.repeatable = true;
  w->limit = LOOKED_AT;
  w->ttl_s = coord__options_int(options != NULL ? options : c->options, COORD__OPTION_LOCK_TTL_S);
  w->member.ready = on_ready;
  w->member.news = on_news;
  w->client_part = (coord__part){.end = end_part, .free = free_part};
  w->open_job.run = run_open;
  coord__list_init(&w->takes);
  coord__lookout_init(&w->lookout, c, matters, on_wake);
  pthread_mutex_init(&w->mutex, NULL);
  coord__teller_init(&w->teller, queue, tag, w, retain_self, release_self);
  if (!coord__work_names_init(&w->names, name, name_len) ||
      !coord__teller_prepare(&w->teller, COORD_EVENT_CLOSED)) {
    coord__workqueue_release(w);
    return coord__no_memory(err);
  }
  coord__client_retain(c);
  coord__client_use(c);
  coord__loop_post(c->loop, &w->open_job);
  *out = w;
  return COORD_OK;
}
