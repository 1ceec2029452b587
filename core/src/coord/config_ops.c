#include "coord/config_ops.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "coord/ask.h"
#include "etcd/result.h"
#include "etcd/task.h"
#include "etcd/txn.h"

enum { MOST_VERSIONS = 1000 };

/* What is done to one key; shared by the executions of an op. */
typedef struct deed {
  atomic_int refs;
  coord__buf key;
  coord__buf json; /* to write; empty: delete */
  int64_t expected;
  size_t most;
  coord__list visits; /* I/O thread only */
} deed;

/* One execution. */
typedef struct visit {
  coord__list link;
  const deed *deed;
  coord__task *task;
  coord__ask ask;
  coord_result *found; /* history: what was read so far */
  bool ending;
} visit;

static void retain(void *self) {
  atomic_fetch_add_explicit(&((deed *)self)->refs, 1, memory_order_relaxed);
}

static void release(void *self) {
  deed *v = self;
  if (atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) > 1) return;
  coord__buf_free(&v->key);
  coord__buf_free(&v->json);
  coord__free(v);
}

static const coord_client *client_of(const void *self) {
  (void)self;
  return NULL; /* any */
}

static void end(visit *v, coord_code code, coord_error *err, coord_result *result) {
  if (code != COORD_OK) {
    coord__result_free(result);
    result = NULL;
  }
  coord__list_remove(&v->link);
  coord__task_complete(v->task, code, err, result);
  coord__free(v);
}

static coord_op *get_op(const deed *v) { return coord__op_get(v->key.data, v->key.len); }

/* ---- writing what is expected to be there ---- */

static coord_op *write_op(const deed *v) {
  coord_op *txn = coord__op_txn();
  coord_op *change = v->json.len > 0
                         ? coord__op_put(v->key.data, v->key.len, v->json.data, v->json.len)
                         : coord__op_delete(v->key.data, v->key.len);
  bool ok = coord__txn_if(txn, &v->key, COORD_COMPARE_MOD, COORD_EQUAL, v->expected);
  ok = coord__txn_then(txn, change) && ok;
  ok = coord__txn_else(txn, get_op(v)) && ok;
  return coord__txn_finish(txn, ok);
}

static coord_code conflict(const deed *v, const coord_result *result, coord_error **err) {
  char shown[COORD__SHOWN], is[64] = "is not there", expected[64] = "it was not to be there";
  const coord_result *found = result->part_count > 0 ? &result->parts[0] : NULL;
  if (found != NULL && found->kv_count > 0) {
    snprintf(is, sizeof is, "is at version %" PRId64, found->kvs[0]->mod_revision);
  }
  if (v->expected != 0)
    snprintf(expected, sizeof expected, "%" PRId64 " was expected", v->expected);
  return coord__fail(err, COORD_CONFLICT, "config: \"%s\" %s; %s",
                     coord__show(shown, v->key.data, v->key.len), is, expected);
}

static void on_written(coord__ask *ask, coord_code code, coord_error *err, coord_result *result,
                       bool doubt) {
  visit *v = COORD__CONTAINER(ask, visit, ask);
  (void)doubt;
  if (code == COORD_OK && !result->succeeded) code = conflict(v->deed, result, &err);
  end(v, code, err, result);
}

/* ---- history ---- */

/* False: memory is out. */
static bool keep(coord_result *found, const Etcdserverpb__KeyValue *from) {
  Etcdserverpb__KeyValue *kv = coord__arena_alloc(found->arena, sizeof *kv);
  if (kv == NULL) return false;
  *kv = *from;
  kv->key.data = coord__arena_memdup(found->arena, from->key.data, from->key.len);
  kv->value.data = coord__arena_memdup(found->arena, from->value.data, from->value.len);
  if (kv->key.data == NULL || kv->value.data == NULL) return false;
  found->kvs[found->kv_count++] = kv;
  return true;
}

static void read_before(visit *v, int64_t revision) {
  coord_op *get = get_op(v->deed);
  if (get != NULL && revision > 0) coord__op_set(get, COORD_OP_REVISION, revision);
  coord__ask_start(&v->ask, get, v->task->deadline_ns);
}

static void on_version(coord__ask *ask, coord_code code, coord_error *err, coord_result *result,
                       bool doubt) {
  visit *v = COORD__CONTAINER(ask, visit, ask);
  coord_result *found = v->found;
  int64_t before = 0;
  (void)doubt;
  if (code == COORD_OK) {
    if (found->kv_count == 0) found->revision = result->revision;
    const Etcdserverpb__KeyValue *kv = result->kv_count > 0 ? result->kvs[0] : NULL;
    if (kv != NULL && !keep(found, kv)) code = coord__no_memory(&err);
    if (kv != NULL && kv->version > 1) before = kv->mod_revision - 1;
  } else if (code == COORD_COMPACTED && found->kv_count > 0) {
    coord_error_free(err);
    err = NULL;
    code = COORD_OK;
    found->more = true;
  }
  coord__result_free(result);
  if (code == COORD_OK && before > 0 && found->kv_count == v->deed->most) {
    found->more = true;
    before = 0;
  }
  if (code == COORD_OK && before > 0 && !v->ending) {
    read_before(v, before);
    return;
  }
  found->total = (int64_t)found->kv_count;
  end(v, code, err, found);
}

/* ---- start and end ---- */

/* NULL: memory is out, and the task has completed. */
static visit *begin(deed *d, coord__task *task) {
  visit *v = coord__calloc(1, sizeof *v);
  if (v == NULL) {
    coord__task_no_memory(task);
    return NULL;
  }
  v->deed = d;
  v->task = task;
  v->ask.client = task->client;
  coord__list_append(&d->visits, &v->link);
  return v;
}

static void start_write(void *self, coord__task *task) {
  visit *v = begin(self, task);
  if (v == NULL) return;
  v->ask.done = on_written;
  coord__ask_start(&v->ask, write_op(v->deed), task->deadline_ns);
}

static void start_history(void *self, coord__task *task) {
  visit *v = begin(self, task);
  if (v == NULL) return;
  v->ask.done = on_version;
  v->found = coord__result_empty();
  size_t room = v->deed->most * sizeof(Etcdserverpb__KeyValue *);
  if (v->found != NULL) v->found->kvs = coord__arena_alloc(v->found->arena, room);
  if (v->found != NULL && v->found->kvs != NULL) {
    read_before(v, 0);
    return;
  }
  coord_error *err = NULL;
  coord_code code = coord__no_memory(&err);
  end(v, code, err, v->found);
}

static void cancel(void *self, coord__task *task, coord_code code, const char *why) {
  const deed *d = self;
  for (coord__list *n = d->visits.next; n != &d->visits; n = n->next) {
    visit *v = COORD__CONTAINER(n, visit, link);
    if (v->task != task) continue;
    v->ending = true;
    coord__call_end(&v->ask.call, code, why);
    return;
  }
}

static const coord__op_class set_class = {"config_set", retain,      release,
                                          client_of,    start_write, cancel};
static const coord__op_class delete_class = {"config_delete", retain,      release,
                                             client_of,       start_write, cancel};
static const coord__op_class history_class = {"config_history", retain,        release,
                                              client_of,        start_history, cancel};

/* ---- constructors ---- */

static coord_code check_key(coord_op *op, const char *name, const char *key) {
  if (key == NULL || key[0] == '\0') {
    return coord__op_fault(op, COORD_INVALID, "%s: argument key is %s; a value needs a key", name,
                           key == NULL ? "NULL" : "empty");
  }
  if (coord__utf8_ok(key)) return COORD_OK;
  char shown[COORD__SHOWN];
  return coord__op_fault(op, COORD_INVALID, "%s: argument key is \"%s\", which is no UTF-8", name,
                         coord__show(shown, key, strlen(key)));
}

/* The op is what it is when the json is none. */
static void check_json(coord_op *op, const char *json) {
  if (json == NULL) {
    coord__op_fault(op, COORD_INVALID, "config_set: argument json is NULL; it must be a JSON text");
    return;
  }
  coord_error *err = NULL;
  coord_code code = coord__json_parse("config_set: argument json", json, strlen(json), NULL, &err);
  if (code != COORD_OK) coord__op_fault(op, code, "%s", coord_error_message(err));
  coord_error_free(err);
}

static bool place(coord__buf *out, const coord__buf *layer, const char *key) {
  return coord__buf_append(out, layer->data, layer->len) &&
         (key == NULL || coord__buf_append_str(out, key));
}

static coord_op *deed_op(const coord__op_class *class, const coord__buf *layer, const char *key,
                         const char *json, int64_t expected, size_t most) {
  deed *v = coord__calloc(1, sizeof *v);
  if (v == NULL) return NULL;
  atomic_init(&v->refs, 1);
  coord__list_init(&v->visits);
  v->expected = expected;
  v->most = most;
  bool ok = place(&v->key, layer, key) && (json == NULL || coord__buf_append_str(&v->json, json));
  coord_op *op = ok ? coord__op_custom(class, v) : NULL;
  release(v);
  return op;
}

/* An op of etcd itself, on the place of the key. */
static coord_op *plain_op(const coord__buf *layer, const char *key,
                          coord_op *(*make)(const void *key, size_t key_len)) {
  coord__buf full = {0};
  coord_op *op = place(&full, layer, key) ? make(full.data, full.len) : NULL;
  coord__buf_free(&full);
  return op;
}

static coord_op *put_op(const coord__buf *layer, const char *key, const char *json) {
  coord__buf full = {0};
  coord_op *op = NULL;
  if (place(&full, layer, key)) {
    op = coord__op_put(full.data, full.len, json, json != NULL ? strlen(json) : 0);
  }
  coord__buf_free(&full);
  return op;
}

static void check_expected(coord_op *op, const char *name, int64_t expected) {
  if (expected >= -1) return;
  coord__op_fault(op, COORD_INVALID,
                  "%s: argument expected_version is %" PRId64
                  "; it must be a revision, 0 for none, or -1 for any",
                  name, expected);
}

coord_op *coord__op_config_write(const coord__buf *layer, const char *key, const char *json,
                                 int64_t expected) {
  coord_op *op =
      expected < 0 ? put_op(layer, key, json) : deed_op(&set_class, layer, key, json, expected, 0);
  if (op == NULL) return NULL;
  check_key(op, set_class.name, key);
  check_json(op, json);
  check_expected(op, set_class.name, expected);
  return op;
}

coord_op *coord__op_config_delete(const coord__buf *layer, const char *key, int64_t expected) {
  coord_op *op = expected < 0 ? plain_op(layer, key, coord__op_delete)
                              : deed_op(&delete_class, layer, key, NULL, expected, 0);
  if (op == NULL) return NULL;
  check_key(op, delete_class.name, key);
  check_expected(op, delete_class.name, expected);
  return op;
}

coord_op *coord__op_config_get(const coord__buf *layer, const char *key) {
  coord_op *op = plain_op(layer, key, coord__op_get);
  if (op != NULL) check_key(op, "config_get", key);
  return op;
}

coord_op *coord__op_config_list(const coord__buf *layer) {
  coord_op *op = plain_op(layer, NULL, coord__op_get);
  if (op != NULL) coord__op_set_prefix(op);
  return op;
}

coord_op *coord__op_config_history(const coord__buf *layer, const char *key, int32_t most) {
  bool is_good = most >= 1 && most <= MOST_VERSIONS;
  coord_op *op = deed_op(&history_class, layer, key, NULL, 0, is_good ? (size_t)most : 1);
  if (op == NULL) return NULL;
  check_key(op, history_class.name, key);
  if (!is_good) {
    coord__op_fault(op, COORD_INVALID, "config_history: argument most is %d; it must be 1 to %d",
                    (int)most, MOST_VERSIONS);
  }
  return op;
}
