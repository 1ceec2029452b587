#include "coord/observer.h"

#include "base/clock.h"
#include "coord/lock_handle.h"
#include "etcd/result.h"

/* ---- telling ---- */

static void tell(coord__observer *o, const coord_kv *kv, int64_t revision) {
  bool is_known = o->has_told && o->told_revision == (kv != NULL ? kv->mod_revision : 0);
  o->has_told = true;
  o->told_revision = kv != NULL ? kv->mod_revision : 0;
  if (!is_known) o->told(o, kv, revision);
}

/* ---- watching ---- */

/* What the leader says is told at once. */
static bool matters(coord__lookout *l, int32_t type, const coord_kv *kv) {
  coord__observer *o = COORD__CONTAINER(l, coord__observer, lookout);
  if (o->stale) return false;
  bool leads = o->leader.len > 0 && type == COORD_CHANGE_PUT;
  if (leads) tell(o, kv, kv->mod_revision);
  o->stale = !leads;
  return o->stale;
}

/* The leader's key, or whoever comes first. */
static bool watch(coord__observer *o, int64_t revision) {
  bool leads = o->leader.len > 0;
  const coord__buf *key = leads ? &o->leader : &o->prefix;
  coord_op *get = coord__op_get(key->data, key->len);
  if (get != NULL && !leads) {
    coord__op_set_prefix(get);
    coord__op_set(get, COORD_OP_NO_DELETES, 1);
  }
  return coord__lookout_watch(&o->lookout, get, revision);
}

/* ---- looking ---- */

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
    o->lookout.failures = 0;
  } else if (code != COORD_CLOSED) {
    coord__lookout_pause(&o->lookout);
  }
}

static void look(coord__observer *o) {
  if (o->asking || o->stopping) return;
  coord__lookout_stop(&o->lookout);
  o->stale = false;
  o->asking = true;
  coord__ask_start(&o->ask, coord__queue_op("observe", o->prefix.data, o->prefix.len - 1, 1),
                   coord__client_deadline_ns(o->client, coord__clock_ns(), 0));
}

static void on_wake(coord__lookout *l) { look(COORD__CONTAINER(l, coord__observer, lookout)); }

/* ---- life ---- */

bool coord__observer_init(coord__observer *o, coord_client *c, const void *name, size_t name_len) {
  *o = (coord__observer){.client = c};
  o->ask.client = c;
  o->ask.done = on_answer;
  coord__lookout_init(&o->lookout, c, matters, on_wake);
  return coord__buf_append(&o->prefix, name, name_len) && coord__buf_append(&o->prefix, "/", 1);
}

void coord__observer_free(coord__observer *o) {
  coord__buf_free(&o->prefix);
  coord__buf_free(&o->leader);
}

void coord__observer_start(coord__observer *o) { look(o); }

void coord__observer_stop(coord__observer *o) {
  coord__lookout_stop(&o->lookout);
  o->stopping = true;
  if (o->asking) {
    coord__call_end(&o->ask.call, COORD_CANCELED, "nobody observes any more");
  } else {
    o->stopped(o);
  }
}
