#include <string.h>

#include "conformance/run.h"

static const struct {
  const char *name;
  int32_t attribute;
} attributes[] = {
    {"lease", COORD_OP_LEASE},
    {"limit", COORD_OP_LIMIT},
    {"revision", COORD_OP_REVISION},
    {"serializable", COORD_OP_SERIALIZABLE},
    {"keys_only", COORD_OP_KEYS_ONLY},
    {"count_only", COORD_OP_COUNT_ONLY},
    {"prev", COORD_OP_PREV_KV},
    {"ignore_value", COORD_OP_IGNORE_VALUE},
    {"ignore_lease", COORD_OP_IGNORE_LEASE},
    {"descending", COORD_OP_SORT_DESCENDING},
    {"min_mod", COORD_OP_MIN_MOD_REVISION},
    {"max_mod", COORD_OP_MAX_MOD_REVISION},
    {"min_create", COORD_OP_MIN_CREATE_REVISION},
    {"max_create", COORD_OP_MAX_CREATE_REVISION},
    {"idempotent", COORD_OP_IDEMPOTENT},
    {"no_puts", COORD_OP_NO_PUTS},
    {"no_deletes", COORD_OP_NO_DELETES},
};

/* Which one of the names; those in the order of the constants. */
static int32_t choice(const char *name, const char *const *names, int32_t count) {
  for (int32_t i = 0; name != NULL && i < count; i++) {
    if (strcmp(names[i], name) == 0) return i;
  }
  return -1;
}

/* ---- keys ---- */

/* What an attribute is wrong about is answered by the call. */
static coord_op *with_attributes(run *r, json_object *step, coord_op *op) {
  static const char *const orders[] = {"key", "version", "create", "mod", "value"};
  bytes end = run_bytes(r, step, "end");
  if (run_bool(r, step, "prefix", false)) coord_op_set_prefix(op);
  if (run_given(step, "end")) coord_op_set_range_end(op, end.data, end.len);
  if (run_given(step, "sort")) {
    coord_op_set(op, COORD_OP_SORT_BY, choice(run_text(r, step, "sort"), orders, 5));
  }
  for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
    if (!run_given(step, attributes[i].name)) continue;
    coord_op_set(op, attributes[i].attribute, run_int(r, step, attributes[i].name, 0));
  }
  return op;
}

coord_op *op_of_range(run *r, json_object *step) {
  bytes key = run_bytes(r, step, "key");
  return with_attributes(r, step, coord_op_get(key.data, key.len));
}

static coord_op *put(run *r, json_object *step) {
  bytes key = run_bytes(r, step, "key"), value = run_bytes(r, step, "value");
  return with_attributes(r, step, coord_op_put(key.data, key.len, value.data, value.len));
}

static coord_op *del(run *r, json_object *step) {
  bytes key = run_bytes(r, step, "key");
  return with_attributes(r, step, coord_op_delete(key.data, key.len));
}

/* ---- transactions ---- */

static void add_condition(run *r, coord_op *txn, json_object *c) {
  static const char *const targets[] = {"version", "create", "mod", "value", "lease"};
  static const char *const relations[] = {"equal", "greater", "less", "not_equal"};
  if (run_given(c, "held") || run_given(c, "leader")) {
    bool held = run_given(c, "held");
    handle *h = handle_named(r, run_text(r, c, held ? "held" : "leader"));
    if (h != NULL && held) coord_op_if_held(txn, h->it);
    if (h != NULL && !held) coord_op_if_leader(txn, h->it);
    return;
  }
  bytes key = run_bytes(r, c, "key"), to = run_bytes(r, c, "to"), end = run_bytes(r, c, "end");
  int32_t target = choice(run_text(r, c, "target"), targets, 5);
  int32_t relation = choice(run_text(r, c, "is"), relations, 4);
  if (target == COORD_COMPARE_VALUE) {
    coord_op_if_value(txn, key.data, key.len, relation, to.data, to.len);
  } else {
    coord_op_if_int(txn, key.data, key.len, target, relation, run_int(r, c, "to", 0));
  }
  if (run_given(c, "end")) coord_op_if_range(txn, end.data, end.len);
}

static void add_ops(run *r, coord_op *txn, json_object *list,
                    coord_code (*add)(coord_op *, const coord_op *)) {
  for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
    json_object *step = json_object_array_get_idx(list, i);
    handle *of = run_given(step, "of") ? handle_named(r, run_text(r, step, "of")) : NULL;
    coord_op *op = op_of(r, step, of);
    add(txn, op);
    coord_op_free(op);
  }
}

static coord_op *txn(run *r, json_object *step) {
  coord_op *op = coord_op_txn();
  json_object *conditions = run_member(step, "if");
  for (size_t i = 0; conditions != NULL && i < json_object_array_length(conditions); i++) {
    add_condition(r, op, json_object_array_get_idx(conditions, i));
  }
  add_ops(r, op, run_member(step, "then"), coord_op_then);
  add_ops(r, op, run_member(step, "else"), coord_op_else);
  return op;
}

/* ---- all ---- */

static coord_op *of_key(run *r, json_object *step, const char *verb) {
  bytes name = run_bytes(r, step, "name");
  if (strcmp(verb, "put") == 0) return put(r, step);
  if (strcmp(verb, "get") == 0) return op_of_range(r, step);
  if (strcmp(verb, "delete") == 0) return del(r, step);
  if (strcmp(verb, "txn") == 0) return txn(r, step);
  if (strcmp(verb, "lock_queue") == 0) return coord_op_lock_queue(name.data, name.len);
  if (strcmp(verb, "leader") == 0) return coord_op_leader(name.data, name.len);
  if (strcmp(verb, "compact") != 0) return NULL;
  coord_op *op = coord_op_compact(run_int(r, step, "revision", 0));
  coord_op_set(op, COORD_OP_PHYSICAL, run_bool(r, step, "physical", false));
  return op;
}

static coord_op *of_lease(run *r, json_object *step, const char *verb) {
  int64_t id = run_int(r, step, "lease", 0);
  if (strcmp(verb, "lease_grant") == 0) {
    return coord_op_lease_grant(run_int(r, step, "ttl", 0), run_int(r, step, "id", 0));
  }
  if (strcmp(verb, "lease_revoke") == 0) return coord_op_lease_revoke(id);
  if (strcmp(verb, "lease_keepalive") == 0) return coord_op_lease_keepalive(id);
  if (strcmp(verb, "lease_info") == 0) {
    return coord_op_lease_info(id, run_bool(r, step, "keys", false));
  }
  return strcmp(verb, "lease_list") == 0 ? coord_op_lease_list() : NULL;
}

static coord_op *of_config(run *r, json_object *step, const char *verb,
                           const coord_config *config) {
  const char *key = run_text(r, step, "key");
  int64_t version = run_int(r, step, "version", -1);
  if (strcmp(verb, "config_set") == 0) {
    return coord_op_config_set(config, key, run_json(step), version);
  }
  if (strcmp(verb, "config_delete") == 0) return coord_op_config_delete(config, key, version);
  if (strcmp(verb, "config_history") != 0) return NULL;
  return coord_op_config_history(config, key, (int32_t)run_int(r, step, "most", 1));
}

static coord_op *of_handle(run *r, json_object *step, const char *verb, handle *of) {
  bytes value = run_bytes(r, step, "value");
  void *it = of->it;
  if (strcmp(verb, "acquire") == 0) return coord_op_acquire(it, run_bool(r, step, "wait", true));
  if (strcmp(verb, "release") == 0) return coord_op_release(it);
  if (strcmp(verb, "renew") == 0) return coord_op_lock_renew(it);
  if (strcmp(verb, "campaign") == 0) return coord_op_campaign(it, value.data, value.len);
  if (strcmp(verb, "proclaim") == 0) return coord_op_proclaim(it, value.data, value.len);
  if (strcmp(verb, "resign") == 0) return coord_op_resign(it);
  if (strcmp(verb, "registered") == 0) return coord_op_registered(it);
  if (strcmp(verb, "update") == 0) return coord_op_update_instance(it, run_json(step));
  if (strcmp(verb, "deregister") == 0) return coord_op_deregister(it);
  if (strcmp(verb, "discover") == 0) return coord_op_discover(it, run_text(r, step, "service"));
  return of_config(r, step, verb, it);
}

coord_op *op_of(run *r, json_object *step, handle *of) {
  const char *verb = json_object_get_string(run_member(step, "do"));
  if (of != NULL) return of_handle(r, step, verb, of);
  coord_op *op = of_key(r, step, verb);
  return op != NULL ? op : of_lease(r, step, verb);
}
