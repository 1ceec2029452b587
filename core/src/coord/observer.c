#include "coord/observer.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "coord/changes.h"
#include "coord/watch_handle.h"
#include "etcd/result.h"

#define PAUSE_NS (INT64_C(50) * COORD__NS_PER_MS)
#define LONGEST_PAUSE_NS (INT64_C(1000) * COORD__NS_PER_MS)

static void look(coord__observer *o);

coord_op *coord__leader_op(const void *prefix, size_t len) {
  coord_op *op = coord__op_get(prefix, len);
  if (op == NULL) return NULL;
  coord__op_set_prefix(op);
  coord__op_set(op, COORD_OP_SORT_BY, COORD_SORT_CREATE);
  coord__op_set(op, COORD_OP_LIMIT, 1);
  return op;
}

/* ---- telling ---- */

static void tell(coord__observer *o, const coord_kv *kv, int64_t revision) {
  bool is_known = o->has_told && o->told_revision == (kv != NULL ? kv->mod_revision : 0);
  o->has_told = true;
  o->told_revision = kv != NULL ? kv->mod_revision : 0;
  if (!is_known) o->told(o, kv, revision);
}

/* ---- watching ---- */

static void unwatch(coord__observer *o) {
  if (!o->watching) return;
  o->watching = false;
  coord__watcher_remove(&o->sub);
  coord__watch_free(&o->sub.watch);
}

static void look_again(coord__observer *o) {
  o->stale = true;
  coord__loop_defer_first(o->client->loop, &o->attend);
}

static bool on_stands(coord__subscription *s, int64_t revision, coord_code broken) {
  (void)s;
  (void)revision;
  (void)broken;
  return true;
}

static void on_changes(coord__subscription *s, coord_event *event) {
  coord__observer *o = s->owner;
  for (size_t i = 0; i < coord_event_count(event) && !o->stale; i++) {
    int32_t type = COORD_CHANGE_PUT;
    coord_kv kv;
    if (coord_event_change(event, i, &type, &kv, NULL) != COORD_OK) continue;
    if (o->leader.len > 0 && type == COORD_CHANGE_PUT) {
      tell(o, &kv, kv.mod_revision);
    } else {
      look_again(o);
    }
  }
  coord_event_free(event);
}

static void on_ended(coord__subscription *s, coord_code code, coord_error *err, int64_t compacted) {
  (void)code;
  (void)compacted;
  coord_error_free(err);
  look_again(s->owner);
}

static const coord__subscriber subscriber = {on_stands, on_changes, on_ended};

/* The leader's key, or whoever comes first. */
static bool watch(coord__observer *o, int64_t revision) {
  coord_client *c = o->client;
  bool leads = o->leader.len > 0;
  const coord__buf *key = leads ? &o->leader : &o->prefix;
  coord__watcher *watcher = coord__client_watcher(c);
  coord_op *get = watcher != NULL && !c->rpc.closed ? coord__op_get(key->data, key->len) : NULL;
  if (get == NULL) return false;
  if (!leads) {
    coord__op_set_prefix(get);
    coord__op_set(get, COORD_OP_NO_DELETES, 1);
  }
  o->sub = (coord__subscription){.subscriber = &subscriber, .owner = o};
  bool ok = coord__watch_init(&o->sub.watch, get, revision, &c->ns, NULL) == COORD_OK;
  coord__op_free(get);
  if (ok && !coord__watcher_add(watcher, &o->sub)) {
    coord__watch_free(&o->sub.watch);
    ok = false;
  }
  o->watching = ok;
  return ok;
}

/* ---- looking ---- */

static void pause_after_failure(coord__observer *o) {
  int64_t ns = coord__backoff(PAUSE_NS, LONGEST_PAUSE_NS, o->failures++);
  coord__timer_set(o->client->loop, &o->timer, coord__clock_ns() + ns);
}

static bool take(coord__observer *o, const coord_result *result) {
  coord_kv kv;
  bool leads = coord_result_kv(result, 0, &kv) == COORD_OK;
  o->leader.len = 0;
  if (leads && !coord__buf_append(&o->leader, kv.key, kv.key_len)) return false;
  tell(o, leads ? &kv : NULL, result->revision);
  return watch(o, result->revision + 1);
}

static void on_answer(coord__ask *ask, coord_code code, coord_error *err, coord_result *result,
                      bool doubt) {
  coord__observer *o = COORD__CONTAINER(ask, coord__observer, ask);
  (void)doubt;
  o->asking = false;
  if (o->stopping) {
    coord__result_free(result);
    coord_error_free(err);
    o->stopped(o);
    return;
  }
  if (code != COORD_OK) {
    coord__log_at(&o->client->log, COORD_LOG_DEBUG, "observe: %s", coord_error_message(err));
  }
  coord_error_free(err);
  bool good = code == COORD_OK && take(o, result);
  coord__result_free(result);
  if (good) {
    o->failures = 0;
  } else if (code != COORD_CLOSED) {
    pause_after_failure(o);
  }
}

static void look(coord__observer *o) {
  if (o->asking || o->stopping) return;
  unwatch(o);
  o->stale = false;
  o->asking = true;
  coord__ask_start(&o->ask, coord__leader_op(o->prefix.data, o->prefix.len),
                   coord__client_deadline_ns(o->client, 0));
}

static void on_attend(coord__idle *idle) { look(COORD__CONTAINER(idle, coord__observer, attend)); }

static void on_timer(coord__timer *timer) { look(COORD__CONTAINER(timer, coord__observer, timer)); }

/* ---- life ---- */

bool coord__observer_init(coord__observer *o, coord_client *c, const void *name, size_t name_len) {
  *o = (coord__observer){.client = c};
  o->ask.client = c;
  o->ask.done = on_answer;
  o->attend.run = on_attend;
  o->timer.fire = on_timer;
  return coord__buf_append(&o->prefix, name, name_len) && coord__buf_append(&o->prefix, "/", 1);
}

void coord__observer_free(coord__observer *o) {
  coord__buf_free(&o->prefix);
  coord__buf_free(&o->leader);
}

void coord__observer_start(coord__observer *o) { look(o); }

void coord__observer_stop(coord__observer *o) {
  unwatch(o);
  coord__timer_stop(o->client->loop, &o->timer);
  coord__idle_cancel(&o->attend);
  o->stopping = true;
  if (o->asking) {
    coord__call_end(&o->ask.call, COORD_CANCELED, "nobody observes any more");
  } else {
    o->stopped(o);
  }
}
