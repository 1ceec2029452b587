/* The op that asks the server for the instances of a service. */

#include "base/alloc.h"
#include "base/error.h"
#include "coord/ask.h"
#include "coord/registry_handle.h"
#include "etcd/result.h"
#include "etcd/task.h"

typedef struct look {
  atomic_int refs;
  coord_registry *registry;
  coord__buf prefix; /* of the keys */
  /* I/O thread only. */
  coord__task *task;
  coord__ask ask;
} look;

static void retain(void *self) {
  atomic_fetch_add_explicit(&((look *)self)->refs, 1, memory_order_relaxed);
}

static void release(void *self) {
  look *l = self;
  if (atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) > 1) return;
  coord__registry_release(l->registry);
  coord__buf_free(&l->prefix);
  coord__free(l);
}

static const coord_client *client_of(const void *self) {
  return ((const look *)self)->registry->client;
}

/* Only what are instances stays. False: memory is out. */
static bool sift(coord_registry *r, coord_result *result) {
  coord__buf json = {0};
  size_t kept = 0;
  bool ok = coord__buf_append_str(&json, "[");
  for (size_t i = 0; ok && i < result->kv_count; i++) {
    Etcdserverpb__KeyValue *kv = result->kvs[i];
    coord_kv at = {.key = kv->key.data,
                   .key_len = kv->key.len,
                   .value = kv->value.data,
                   .value_len = kv->value.len,
                   .mod_revision = kv->mod_revision};
    coord_instance *instance;
    coord_code code = coord__registry_read_again(r, &at, &instance);
    ok = code != COORD_NO_MEMORY;
    if (code != COORD_OK) continue;
    ok = (kept == 0 || coord__buf_append_str(&json, ",")) &&
         coord__buf_append(&json, instance->json, instance->json_len);
    result->kvs[kept++] = kv;
    coord__instance_release(instance);
  }
  ok = ok && coord__buf_append_str(&json, "]");
  if (ok) result->json = coord__arena_memdup(result->arena, json.data, json.len);
  result->kv_count = kept;
  result->total = (int64_t)kept;
  coord__buf_free(&json);
  return ok && result->json != NULL;
}

static void on_answer(coord__ask *ask, coord_code code, coord_error *err, coord_result *result,
                      bool doubt) {
  look *l = COORD__CONTAINER(ask, look, ask);
  coord__task *task = l->task;
  (void)doubt;
  l->task = NULL;
  if (code == COORD_OK && !sift(l->registry, result)) {
    coord__result_free(result);
    result = NULL;
    code = coord__no_memory(&err);
  }
  coord__task_complete(task, code, err, result);
}

static void start(void *self, coord__task *task) {
  look *l = self;
  coord_error *err = NULL;
  if (l->task != NULL) {
    coord_code code = coord__fail(&err, COORD_CONFLICT, "discover: this op is under way already");
    coord__task_complete(task, code, err, NULL);
    return;
  }
  l->task = task;
  l->ask.client = l->registry->client;
  l->ask.done = on_answer;
  coord_op *get = coord__op_get(l->prefix.data, l->prefix.len);
  if (get != NULL) coord__op_set_prefix(get);
  coord__ask_start(&l->ask, get, task->deadline_ns);
}

static void cancel(void *self, coord__task *task, coord_code code, const char *why) {
  look *l = self;
  if (l->task == task) coord__call_end(&l->ask.call, code, why);
}

static const coord__op_class class = {"discover", retain, release, client_of, start, cancel};

coord_op *coord__op_discover(coord_registry *r, const char *service) {
  look *l = coord__calloc(1, sizeof *l);
  if (l == NULL) return NULL;
  atomic_init(&l->refs, 1);
  l->registry = coord__registry_retain(r);
  bool ok = coord__registry_key(r, service, "", &l->prefix);
  coord_op *op = ok ? coord__op_custom(&class, l) : NULL;
  release(l);
  return op;
}
