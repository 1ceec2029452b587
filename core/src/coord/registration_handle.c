#include "coord/registration_handle.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "coord/ask.h"
#include "coord/entry.h"
#include "coord/lookout.h"
#include "coord/teller.h"
#include "coord/watch_handle.h"
#include "etcd/result.h"
#include "etcd/task.h"
#include "etcd/txn.h"

#define PAUSE_NS (INT64_C(100) * COORD__NS_PER_MS)
#define LONGEST_PAUSE_NS (INT64_C(2000) * COORD__NS_PER_MS)
/* A registration that has stood for so long is watched: not while thousands are being made, or made good. */
#define WATCH_AFTER_NS (INT64_C(3000) * COORD__NS_PER_MS)
enum { DOUBLINGS_MAX = 6 };

/* An execution of an op, which waits. */
typedef struct waiter {
  coord__list link;
  coord__task *task;
  uint64_t number; /* of the value that is to be stored; 0: for the end */
} waiter;

struct coord_registration {
  atomic_int refs; /* the program's, its ops', its events' */
  coord_registry *registry;
  coord__teller teller;
  coord__buf key;
  int64_t ttl_s;
  coord__job open_job;
  coord__job job; /* freeing, and then finishing */
  /* I/O thread only. */
  coord__entry entry;
  coord__list link; /* of the registry */
  coord__list turn;
  bool freed;
  bool bids_farewell;
  coord_code code; /* how it has ended */
  coord__roll *roll;
  coord__member member;
  bool asking;
  coord__ask ask;
  coord__buf value;     /* that is being written */
  coord_instance *sent; /* the same */
  coord_instance *stored;
  coord__timer timer;
  coord__lookout lookout; /* for deletes of the key */
  int64_t seen;           /* the revision at which the key was as it should be */
  unsigned era;           /* in which that was */
  int64_t deleted;        /* the revision of a delete that is to be told; 0: none */
  coord__list waiters;
  pthread_mutex_t mutex;
  coord_instance *wanted;  /* by the mutex */
  coord__session *session; /* by the mutex: it is registered under its lease; NULL: it is not */
};

/* ---- memory ---- */

static void drop_instance(coord_instance *i) {
  if (i != NULL) coord__instance_release(i);
}

static void release(coord_registration *reg) {
  if (atomic_fetch_sub_explicit(&reg->refs, 1, memory_order_acq_rel) > 1) return;
  if (reg->session != NULL) coord__session_release(reg->session);
  if (reg->lookout.used) coord__watch_free(&reg->lookout.sub.watch); /* in a forked child */
  drop_instance(reg->wanted);
  drop_instance(reg->sent);
  drop_instance(reg->stored);
  coord__buf_free(&reg->key);
  coord__buf_free(&reg->value);
  coord__teller_free(&reg->teller);
  pthread_mutex_destroy(&reg->mutex);
  coord__registry_release(reg->registry);
  coord__free(reg);
}

static void retain_self(void *self) {
  atomic_fetch_add_explicit(&((coord_registration *)self)->refs, 1, memory_order_relaxed);
}

static void release_self(void *self) { release(self); }

static coord_client *client_of(const coord_registration *reg) { return reg->registry->client; }

static coord_registration *of(coord__entry *e) {
  return COORD__CONTAINER(e, coord_registration, entry);
}

/* ---- what is known of it ---- */

static void set_session(coord_registration *reg, coord__session *s) {
  pthread_mutex_lock(&reg->mutex);
  coord__session *before = reg->session;
  reg->session = s != NULL ? coord__session_retain(s) : NULL;
  pthread_mutex_unlock(&reg->mutex);
  if (before != NULL) coord__session_release(before);
}

int64_t coord__registration_remaining_ms(const coord_registration *reg) {
  if (coord__client_forked(client_of(reg))) return 0;
  pthread_mutex_t *mutex = &((coord_registration *)reg)->mutex;
  pthread_mutex_lock(mutex);
  int64_t ns = reg->session != NULL ? coord__session_left_ns(reg->session) : 0;
  pthread_mutex_unlock(mutex);
  return ns / COORD__NS_PER_MS;
}

coord_instance *coord__registration_instance(const coord_registration *reg) {
  pthread_mutex_t *mutex = &((coord_registration *)reg)->mutex;
  pthread_mutex_lock(mutex);
  coord_instance *i = coord__instance_retain(reg->wanted);
  pthread_mutex_unlock(mutex);
  return i;
}

/* Handed over. */
static void set_wanted(coord_registration *reg, coord_instance *i) {
  pthread_mutex_lock(&reg->mutex);
  coord_instance *before = reg->wanted;
  reg->wanted = i;
  pthread_mutex_unlock(&reg->mutex);
  coord__instance_release(before);
}

/* ---- those who wait ---- */

static void complete(coord_registration *reg, waiter *w, coord_code code, const coord_error *why) {
  coord_error *err = coord__error_dup(why);
  coord_result *result = NULL;
  if (code == COORD_OK) {
    result = coord__result_empty();
    if (result == NULL) code = coord__no_memory(&err);
    if (result != NULL) result->revision = reg->entry.mod;
  } else if (err == NULL) {
    coord__fail(&err, code, "registration: it has ended");
  }
  coord__list_remove(&w->link);
  coord__task_complete(w->task, code, err, result);
  coord__free(w);
}

/* Those who wait for a value up to this number; 0: for the end. */
static void complete_all(coord_registration *reg, uint64_t number, coord_code code,
                         const coord_error *why) {
  for (coord__list *n = reg->waiters.next; n != &reg->waiters;) {
    waiter *w = COORD__CONTAINER(n, waiter, link);
    n = n->next;
    if (number == 0 ? w->number == 0 : w->number > 0 && w->number <= number) {
      complete(reg, w, code, why);
    }
  }
}

/* ---- the lease ---- */

static uint64_t hash(const coord__buf *key) {
  uint64_t h = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < key->len; i++) h = (h ^ key->data[i]) * UINT64_C(1099511628211);
  return h;
}

static void on_ready(coord__member *m, coord_code code, coord_error *err) {
  coord_registration *reg = COORD__CONTAINER(m, coord_registration, member);
  if (code == COORD_OK) {
    coord__entry_joined(&reg->entry, coord__session_lease_id(m->session));
  } else {
    coord__entry_not_joined(&reg->entry, code, err, coord__error_may_pass(code, err, false));
  }
}

static void on_news(coord__member *m, coord__kept_news news, coord_code code, const char *why) {
  coord_registration *reg = COORD__CONTAINER(m, coord_registration, member);
  coord_error *err = NULL;
  if (news == COORD__KEPT_LOST) {
    coord__fail(&err, code, "%s", why);
    coord__entry_lost(&reg->entry, err);
  } else if (news == COORD__KEPT_ENDED) {
    set_session(reg, NULL);
  } else if (reg->entry.is_up) {
    coord__teller_tell_risk(&reg->teller, news == COORD__KEPT_AT_RISK, code, why);
  }
}

/* Memory for what must be told comes first. */
static void wire_join(coord__entry *e) {
  coord_registration *reg = of(e);
  if (reg->roll == NULL) reg->roll = coord__registry_join(reg->registry, reg->ttl_s);
  bool ok = reg->roll != NULL && coord__teller_prepare(&reg->teller, COORD_EVENT_ACQUIRED) &&
            coord__teller_prepare(&reg->teller, COORD_EVENT_LOST) &&
            coord__teller_prepare(&reg->teller, COORD_EVENT_RESTORED);
  if (ok) {
    coord__session_join(reg->roll->pool, &reg->member, hash(&reg->key));
  } else {
    coord_error *err = NULL;
    coord_code code = coord__no_memory(&err);
    coord__entry_not_joined(e, code, err, false);
  }
}

static void wire_leave(coord__entry *e, bool gone) {
  coord_registration *reg = of(e);
  if (gone && reg->member.session != NULL) coord__session_retire(reg->member.session);
  coord__session_leave(&reg->member);
}

/* ---- the key ---- */

/* From then on it would be seen if somebody deleted it. */
static void watch_later(coord_registration *reg) {
  coord__lookout *l = &reg->lookout;
  if (reg->entry.state != COORD__ENTRY_RESTS || l->watching || l->timer.node.is_in) return;
  int64_t ns = WATCH_AFTER_NS << (l->failures < DOUBLINGS_MAX ? l->failures : DOUBLINGS_MAX);
  coord__timer_set(l->client->loop, &l->timer, coord__clock_ns() + coord__jitter(ns));
}

static bool matters(coord__lookout *l, int32_t type, const coord_kv *kv) {
  if (type != COORD_CHANGE_DELETE) return false;
  COORD__CONTAINER(l, coord_registration, lookout)->deleted = kv->mod_revision;
  return true;
}

static void on_wake(coord__lookout *l) {
  coord_registration *reg = COORD__CONTAINER(l, coord_registration, lookout);
  int64_t deleted = reg->deleted;
  reg->deleted = 0;
  if (deleted > 0) coord__entry_deleted(&reg->entry, deleted);
  if (l->used && !l->watching) { /* it has ended, who knows before what */
    coord__lookout_stop(l);
    l->failures++;
    coord__entry_doubt(&reg->entry);
  } else if (!l->watching && reg->era != coord__client_era(l->client)) {
    coord__entry_doubt(&reg->entry);
  } else if (!l->watching && reg->entry.state == COORD__ENTRY_RESTS) {
    coord_op *get = coord__op_get(reg->key.data, reg->key.len);
    if (get != NULL) coord__op_set(get, COORD_OP_NO_PUTS, 1);
    if (!coord__lookout_watch(l, get, reg->seen + 1)) watch_later(reg);
  }
}

/* ---- asking ---- */

static void wire_ask(coord__entry *e) {
  coord_registration *reg = of(e);
  coord__list_append(&reg->registry->turns, &reg->turn);
  coord__registry_turn(reg->registry);
}

/* If the key is as it was, put or delete it or do nothing, else show it. NULL: memory is out. */
static coord_op *build(coord_registration *reg) {
  const coord__buf *key = &reg->key;
  coord_op *txn = coord__op_txn(), *then = NULL;
  bool is_check = reg->entry.state == COORD__ENTRY_CHECKING;
  if (reg->entry.state == COORD__ENTRY_REMOVING) {
    then = coord__op_delete(key->data, key->len);
  } else if (!is_check) {
    then = coord__op_put(key->data, key->len, reg->value.data, reg->value.len);
    if (then != NULL) coord__op_set(then, COORD_OP_LEASE, reg->entry.lease);
  }
  bool ok = is_check || coord__txn_then(txn, then);
  ok = coord__txn_else(txn, coord__op_get(key->data, key->len)) && ok;
  ok = coord__txn_if(txn, key, COORD_COMPARE_MOD, COORD_EQUAL, reg->entry.mod) && ok;
  return coord__txn_finish(txn, ok);
}

static coord_code write_value(coord_registration *reg, coord_error **err) {
  drop_instance(reg->sent);
  reg->sent = coord__instance_retain(reg->wanted);
  reg->value.len = 0;
  return coord__instance_value(reg->sent, reg->registry->format, &reg->value, err);
}

void coord__registration_ask(coord__list *turn) {
  coord_registration *reg = COORD__CONTAINER(turn, coord_registration, turn);
  coord_error *err = NULL;
  if (!coord__entry_begins(&reg->entry)) return;
  if (reg->entry.state == COORD__ENTRY_WRITING) {
    coord_code code = write_value(reg, &err);
    if (code != COORD_OK) {
      coord__entry_failed(&reg->entry, code, err, false);
      return;
    }
  }
  reg->asking = true;
  reg->registry->asking++;
  coord__ask_start(&reg->ask, build(reg),
                   coord__client_deadline_ns(reg->ask.client, coord__clock_ns(), 0));
}

static coord_code read_answer(const coord_registration *reg, const coord_result *r,
                              coord__entry_answer *out, coord_error **err) {
  *out = (coord__entry_answer){.done = r->succeeded, .mod = r->revision};
  if (r->succeeded) return COORD_OK;
  if (r->part_count != 1) {
    return coord__fail(err, COORD_PROTOCOL,
                       "registration: the server's answer is not one to what was asked");
  }
  if (r->parts[0].kv_count == 0) return COORD_OK;
  const Etcdserverpb__KeyValue *kv = r->parts[0].kvs[0];
  out->present = true;
  out->mod = kv->mod_revision;
  out->lease = kv->lease;
  out->same = kv->value.len == reg->value.len &&
              (kv->value.len == 0 || memcmp(kv->value.data, reg->value.data, kv->value.len) == 0);
  return COORD_OK;
}

static void on_answer(coord__ask *ask, coord_code code, coord_error *err, coord_result *result,
                      bool doubt) {
  coord_registration *reg = COORD__CONTAINER(ask, coord_registration, ask);
  coord__entry_answer answer;
  reg->asking = false;
  reg->registry->asking--;
  coord__registry_turn(reg->registry);
  if (code == COORD_OK) code = read_answer(reg, result, &answer, &err);
  if (code == COORD_OK) {
    reg->seen = result->revision;
    reg->era = coord__client_era(client_of(reg));
    coord__lookout_reached(&reg->lookout, reg->seen);
  }
  coord__result_free(result);
  if (reg->entry.state == COORD__ENTRY_OVER) {
    coord_error_free(err);
  } else if (code == COORD_OK) {
    coord__entry_answered(&reg->entry, &answer);
  } else {
    coord__entry_failed(&reg->entry, code, err, coord__error_may_pass(code, err, doubt));
  }
  watch_later(reg);
}

/* ---- pauses ---- */

static void on_timer(coord__timer *timer) {
  coord__entry_resume(&COORD__CONTAINER(timer, coord_registration, timer)->entry);
}

static void wire_pause(coord__entry *e) {
  coord_registration *reg = of(e);
  int64_t ns = coord__backoff(PAUSE_NS, LONGEST_PAUSE_NS, (int64_t)e->failures - 1);
  coord__timer_set(client_of(reg)->loop, &reg->timer, coord__clock_ns() + coord__jitter(ns));
}

static void wire_hurry(coord__entry *e) {
  coord_registration *reg = of(e);
  coord__timer_stop(client_of(reg)->loop, &reg->timer);
}

/* ---- news ---- */

static void run_finish(coord__job *job) {
  coord_registration *reg = COORD__CONTAINER(job, coord_registration, job);
  coord_registry *r = reg->registry;
  coord_client *c = r->client;
  coord__list_remove(&reg->link);
  coord__registry_retain(r);
  coord__registry_check(r);
  release(reg);
  coord__registry_release(r);
  coord__client_release(c);
}

static void finish(coord_registration *reg) {
  reg->job.run = run_finish;
  coord__loop_post(client_of(reg)->loop, &reg->job);
}

static void on_over(coord_registration *reg, coord_code code, const coord_error *why) {
  reg->code = code;
  set_session(reg, NULL);
  coord__list_remove(&reg->turn);
  coord__timer_stop(client_of(reg)->loop, &reg->timer);
  coord__lookout_stop(&reg->lookout);
  coord__session_leave(&reg->member);
  if (reg->roll != NULL) coord__registry_leave(reg->registry, reg->roll);
  reg->roll = NULL;
  complete_all(reg, 0, code, why);
  complete_all(reg, UINT64_MAX, code != COORD_OK ? code : COORD_CLOSED, why);
  coord__teller_tell(&reg->teller, COORD_EVENT_CLOSED, code,
                     why != NULL ? coord_error_message(why) : "the client was closed", 0);
  if (!reg->bids_farewell) return;
  coord__client_farewell_ended(client_of(reg));
  finish(reg);
}

static void on_stored(coord_registration *reg, int32_t type) {
  drop_instance(reg->stored);
  reg->stored = coord__instance_retain(reg->sent);
  if (type >= 0) {
    if (!reg->entry.removing) set_session(reg, reg->member.session);
    coord__teller_tell(&reg->teller, type, COORD_OK, NULL, reg->entry.mod);
  }
  complete_all(reg, reg->entry.stored, COORD_OK, NULL);
}

static void wire_told(coord__entry *e, coord__entry_news news, coord_code code, coord_error *err) {
  coord_registration *reg = of(e);
  switch (news) {
    case COORD__ENTRY_IS_THERE:
      on_stored(reg, COORD_EVENT_ACQUIRED);
      break;
    case COORD__ENTRY_IS_BACK:
      on_stored(reg, COORD_EVENT_RESTORED);
      break;
    case COORD__ENTRY_IS_STORED:
      on_stored(reg, -1);
      break;
    case COORD__ENTRY_IS_LOST:
      if (e->lease == 0) coord__lookout_stop(&reg->lookout); /* it is written anew in any case */
      set_session(reg, NULL);
      coord__teller_tell(&reg->teller, COORD_EVENT_LOST, code, coord_error_message(err), 0);
      break;
    case COORD__ENTRY_IS_REFUSED:
      if (e->wanted == e->sent) set_wanted(reg, coord__instance_retain(reg->stored));
      complete_all(reg, e->sent, code, err);
      break;
    case COORD__ENTRY_IS_OVER:
      on_over(reg, code, err);
      break;
  }
  coord_error_free(err);
}

static const coord__entry_wire wire = {wire_join,  wire_leave, wire_ask,
                                       wire_pause, wire_hurry, wire_told};

/* ---- the ops ---- */

/* What an op asks for. */
typedef struct request {
  atomic_int refs;
  coord_registration *registration;
  char *patch; /* NULL: none */
} request;

static void retain_request(void *self) {
  atomic_fetch_add_explicit(&((request *)self)->refs, 1, memory_order_relaxed);
}

static void release_request(void *self) {
  request *q = self;
  if (atomic_fetch_sub_explicit(&q->refs, 1, memory_order_acq_rel) > 1) return;
  release(q->registration);
  coord__free(q->patch);
  coord__free(q);
}

static const coord_client *client_of_request(const void *self) {
  return client_of(((const request *)self)->registration);
}

/* NULL: it has ended with the task. */
static waiter *new_waiter(coord_registration *reg, coord__task *task, bool for_end) {
  coord_error *err = NULL;
  coord_code code = reg->freed ? COORD_CANCELED : COORD_OK;
  waiter *w = NULL;
  if (reg->freed) {
    coord__fail(&err, code, "%s: the handle was freed", task->class->name);
  } else if (reg->entry.state == COORD__ENTRY_OVER && !(for_end && reg->code == COORD_OK)) {
    code = reg->code != COORD_OK ? reg->code : COORD_CLOSED;
    coord__fail(&err, code, "%s: the registration has ended", task->class->name);
  } else {
    w = coord__calloc(1, sizeof *w);
    if (w == NULL) code = coord__no_memory(&err);
  }
  if (w == NULL) {
    coord__task_complete(task, code, err, NULL);
    return NULL;
  }
  w->task = task;
  coord__list_append(&reg->waiters, &w->link);
  return w;
}

static void start_registered(void *self, coord__task *task) {
  coord_registration *reg = ((request *)self)->registration;
  waiter *w = new_waiter(reg, task, false);
  if (w == NULL) return;
  w->number = reg->entry.wanted;
  if (reg->entry.is_up && reg->entry.stored == reg->entry.wanted) complete(reg, w, COORD_OK, NULL);
}

static void start_update(void *self, coord__task *task) {
  const request *q = self;
  coord_registration *reg = q->registration;
  coord_instance *next = NULL;
  coord_error *err = NULL;
  waiter *w = new_waiter(reg, task, false);
  if (w == NULL) return;
  coord_code code = coord__instance_patch(reg->wanted, q->patch, strlen(q->patch), &next, &err);
  if (code == COORD_OK) {
    set_wanted(reg, next);
    w->number = reg->entry.wanted + 1;
    coord__entry_change(&reg->entry);
  } else {
    complete(reg, w, code, err);
    coord_error_free(err);
  }
}

static void start_deregister(void *self, coord__task *task) {
  coord_registration *reg = ((request *)self)->registration;
  waiter *w = new_waiter(reg, task, true);
  if (w == NULL) return;
  if (reg->entry.state == COORD__ENTRY_OVER) {
    complete(reg, w, COORD_OK, NULL);
  } else {
    set_session(reg, NULL);
    coord__entry_remove(&reg->entry);
  }
}

static void cancel(void *self, coord__task *task, coord_code code, const char *why) {
  coord_registration *reg = ((request *)self)->registration;
  coord_error *err = NULL;
  for (coord__list *n = reg->waiters.next; n != &reg->waiters; n = n->next) {
    waiter *w = COORD__CONTAINER(n, waiter, link);
    if (w->task != task) continue;
    coord__fail(&err, code, "%s: %s; it is tried on", task->class->name, why);
    if (err != NULL && code == COORD_TIMEOUT) err->flags = COORD_RETRIABLE;
    complete(reg, w, code, err);
    break;
  }
  coord_error_free(err);
}

static const coord__op_class registered_class = {
    "registered", retain_request, release_request, client_of_request, start_registered, cancel};
static const coord__op_class update_class = {"update_instance", retain_request, release_request,
                                             client_of_request, start_update,   cancel};
static const coord__op_class deregister_class = {
    "deregister", retain_request, release_request, client_of_request, start_deregister, cancel};

static coord_op *new_op(const coord__op_class *class, coord_registration *reg, const char *patch) {
  request *q = coord__calloc(1, sizeof *q);
  if (q == NULL) return NULL;
  atomic_init(&q->refs, 1);
  q->registration = reg;
  retain_self(reg);
  bool ok = true;
  if (patch != NULL) {
    q->patch = coord__strdup(patch);
    ok = q->patch != NULL;
  }
  coord_op *op = ok ? coord__op_custom(class, q) : NULL;
  release_request(q);
  return op;
}

coord_op *coord__op_registered(coord_registration *reg) {
  return new_op(&registered_class, reg, NULL);
}

coord_op *coord__op_update_instance(coord_registration *reg, const char *patch) {
  return new_op(&update_class, reg, patch);
}

coord_op *coord__op_deregister(coord_registration *reg) {
  return new_op(&deregister_class, reg, NULL);
}

/* ---- life ---- */

void coord__registration_end(coord__list *link) {
  coord_registration *reg = COORD__CONTAINER(link, coord_registration, link);
  coord__entry_end(&reg->entry, COORD_CLOSED);
  if (reg->asking) coord__call_end(&reg->ask.call, COORD_CLOSED, "the client was closed");
}

static void run_open(coord__job *job) {
  coord_registration *reg = COORD__CONTAINER(job, coord_registration, open_job);
  coord__list_append(&reg->registry->registrations, &reg->link);
  if (reg->registry->ended) {
    coord__registration_end(&reg->link);
  } else {
    coord__entry_start(&reg->entry);
  }
}

static void run_free(coord__job *job) {
  coord_registration *reg = COORD__CONTAINER(job, coord_registration, job);
  coord_error *err = NULL;
  reg->freed = true;
  coord__fail(&err, COORD_CANCELED, "registration: the handle was freed");
  complete_all(reg, 0, COORD_CANCELED, err);
  complete_all(reg, UINT64_MAX, COORD_CANCELED, err);
  coord_error_free(err);
  if (reg->entry.state == COORD__ENTRY_OVER) {
    finish(reg);
  } else {
    reg->bids_farewell = true;
    coord__client_farewell(client_of(reg));
    coord__entry_remove(&reg->entry);
  }
}

void coord__registration_free(coord_registration *reg) {
  coord_client *c = client_of(reg);
  if (coord__client_forked(c)) {
    coord__list_remove(&reg->link);
    release(reg);
    atomic_fetch_sub(&c->refs, 1);
  } else {
    coord__teller_mute(&reg->teller);
    reg->job.run = run_free;
    coord__loop_post(c->loop, &reg->job);
  }
  coord__client_unuse(c);
}

static coord_registration *new_registration(coord_registry *r, coord_queue *queue, uint64_t tag) {
  coord_registration *reg = coord__calloc(1, sizeof *reg);
  if (reg == NULL) return NULL;
  atomic_init(&reg->refs, 1);
  reg->registry = coord__registry_retain(r);
  reg->ask.client = r->client;
  reg->ask.done = on_answer;
  reg->ask.repeatable = true;
  reg->member.ready = on_ready;
  reg->member.news = on_news;
  reg->timer.fire = on_timer;
  reg->open_job.run = run_open;
  coord__lookout_init(&reg->lookout, r->client, matters, on_wake);
  coord__list_init(&reg->waiters);
  coord__entry_init(&reg->entry, &wire, r->replace);
  pthread_mutex_init(&reg->mutex, NULL);
  coord__teller_init(&reg->teller, queue, tag, reg, retain_self, release_self);
  return reg;
}

coord_code coord__registry_register(coord_registry *r, const char *instance_json, int64_t ttl_s,
                                    coord_queue *queue, uint64_t tag, coord_registration **out,
                                    coord_error **err) {
  coord_registration *reg = new_registration(r, queue, tag);
  if (reg == NULL) return coord__no_memory(err);
  reg->ttl_s = ttl_s;
  coord_code code = coord__instance_parse(instance_json, strlen(instance_json), &reg->wanted, err);
  bool ok = code == COORD_OK &&
            coord__registry_key(r, reg->wanted->name, reg->wanted->id, &reg->key) &&
            coord__teller_prepare(&reg->teller, COORD_EVENT_CLOSED);
  if (!ok) {
    release(reg);
    return code != COORD_OK ? code : coord__no_memory(err);
  }
  coord__client_retain(r->client);
  coord__client_use(r->client);
  coord__loop_post(r->client->loop, &reg->open_job);
  *out = reg;
  return COORD_OK;
}
