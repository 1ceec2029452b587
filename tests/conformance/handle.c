#include <stdlib.h>
#include <string.h>

#include "conformance/run.h"

static handle *find(run *r, const char *name) {
  for (size_t i = 0; i < NAMES_MAX; i++) {
    handle *h = &r->handles[i];
    if (h->kind != NO_HANDLE && strcmp(h->name, name) == 0) return h;
  }
  return NULL;
}

handle *handle_named(run *r, const char *name) {
  handle *h = find(r, name);
  if (h == NULL) run_fail(r, "there is no %s", name);
  return h;
}

static handle *add(run *r, const char *name, handle_kind kind) {
  for (size_t i = 0; i < NAMES_MAX; i++) {
    handle *h = &r->handles[i];
    if (h->kind != NO_HANDLE) continue;
    *h = (handle){.kind = kind, .left = json_object_new_array()};
    snprintf(h->name, sizeof h->name, "%s", name);
    return h;
  }
  abort();
}

static void drop(handle *h) {
  coord_event_free(h->event);
  coord_queue_free(h->queue);
  json_object_put(h->left);
  h->kind = NO_HANDLE;
}

/* ---- clients ---- */

static json_object *open_client(run *r, const char *name, json_object *step) {
  coord_error *err = NULL;
  coord_options *options = step != NULL ? run_options(r, step, &err) : NULL;
  const char *wire = getenv("COORD_TEST_WIRE");
  bool door = step != NULL && run_bool(r, step, "door", false);
  json_object *failure = NULL;
  coord_client *client = NULL;
  const char *const defaults[][2] = {{"endpoints", door ? r->door : r->endpoint},
                                     {"wire", wire && *wire ? wire : "grpc"},
                                     {"log.level", "off"},
                                     {"request.timeout.ms", "30000"}};
  json_object *given = run_member(step, "options");
  if (options == NULL) coord_options_new(&options);
  for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
    if (run_member(given, defaults[i][0]) != NULL) continue;
    coord_options_set(options, defaults[i][0], defaults[i][1], NULL);
  }
  coord_code code = coord_error_code(err);
  if (code == COORD_OK && r->why[0] == '\0') code = coord_client_open(options, &client, &err);
  if (code != COORD_OK) failure = record_failure(code, err);
  if (client != NULL) add(r, name, CLIENT)->it = client;
  coord_error_free(err);
  coord_options_free(options);
  return failure != NULL ? failure : json_object_new_object();
}

coord_client *handle_client(run *r, const char *name) {
  if (name == NULL) name = "c";
  handle *h = find(r, name);
  if (h == NULL) {
    json_object *opened = open_client(r, name, NULL);
    run_compare(r, NULL, opened);
    json_object_put(opened);
    h = find(r, name);
  }
  return h != NULL ? h->it : NULL;
}

/* ---- opening ---- */

static coord_code open_lock(run *r, json_object *step, const coord_options *options, handle *h,
                            coord_lock **lock, coord_error **err) {
  enum { MAX = 16 };
  const void *names[MAX];
  size_t lens[MAX], n = 0;
  json_object *list = run_member(step, "names");
  bytes name = run_bytes(r, step, "name");
  if (list == NULL) {
    return coord_lock_open(h->client, name.data, name.len, options, h->queue, 1, lock, err);
  }
  for (; n < json_object_array_length(list) && n < MAX; n++) {
    json_object *v = run_value(r, json_object_array_get_idx(list, n));
    names[n] = json_object_get_string(v);
    lens[n] = (size_t)json_object_get_string_len(v);
  }
  return coord_lock_open_many(h->client, names, lens, n, options, h->queue, 1, lock, err);
}

static coord_code open_watch(run *r, json_object *step, handle *h, coord_watch **watch,
                             coord_error **err) {
  coord_op *get = op_of_range(r, step);
  int64_t from = run_int(r, step, "from", 0);
  coord_code code = coord_watch_open(h->client, get, from, h->queue, 1, watch, err);
  coord_op_free(get);
  return code;
}

static coord_code open_lease(run *r, json_object *step, handle *h, coord_lease **lease,
                             coord_error **err) {
  if (run_given(step, "ttl")) {
    return coord_lease_open(h->client, run_int(r, step, "ttl", 0), 0, h->queue, 1, lease, err);
  }
  return coord_lease_adopt(h->client, run_int(r, step, "lease", 0), 0, h->queue, 1, lease, err);
}

/* On a registry. */
static coord_code open_beside(run *r, json_object *step, handle *h, void **it, coord_error **err) {
  handle *of = handle_named(r, run_text(r, step, "of"));
  coord_registration *registration = NULL;
  coord_discovery *discovery = NULL;
  coord_code code;
  if (of == NULL) return COORD_OK;
  h->client = of->client;
  if (h->kind == REGISTRATION) {
    code = coord_registry_register(of->it, run_json(step), run_int(r, step, "ttl", 0), h->queue, 1,
                                   &registration, err);
    *it = registration;
  } else {
    code = coord_discovery_open(of->it, run_text(r, step, "service"), h->queue, 1, &discovery, err);
    *it = discovery;
  }
  return code;
}

static coord_code open_it(run *r, json_object *step, const coord_options *options, handle *h,
                          coord_error **err) {
  bytes name = run_bytes(r, step, "name"), prefix = run_bytes(r, step, "prefix");
  coord_client *client = h->client;
  switch (h->kind) {
    case LEASE:
      return open_lease(r, step, h, (coord_lease **)&h->it, err);
    case WATCH:
      return open_watch(r, step, h, (coord_watch **)&h->it, err);
    case LOCK:
      return open_lock(r, step, options, h, (coord_lock **)&h->it, err);
    case ELECTION:
      return coord_election_open(client, name.data, name.len, options, h->queue, 1,
                                 (coord_election **)&h->it, err);
    case REGISTRY:
      return coord_registry_open(client, options, (coord_registry **)&h->it, err);
    case CONFIG:
      return coord_config_open(client, run_text(r, step, "application"), options, h->queue, 1,
                               (coord_config **)&h->it, err);
    case MIRROR:
      return coord_mirror_open(client, prefix.data, prefix.len, options, h->queue, 1,
                               (coord_mirror **)&h->it, err);
    default:
      return open_beside(r, step, h, &h->it, err);
  }
}

json_object *handle_open(run *r, json_object *step, handle_kind kind) {
  const char *name = run_text(r, step, "as");
  if (kind == CLIENT) return open_client(r, name, step);
  coord_client *client = NULL;
  if (kind != REGISTRATION && kind != DISCOVERY) {
    client = handle_client(r, run_text(r, step, "client"));
    if (client == NULL) return NULL;
  }
  coord_error *err = NULL;
  json_object *record = NULL;
  coord_options *options = run_options(r, step, &err);
  handle *h = add(r, name, kind);
  h->client = client;
  coord_queue_open(&h->queue, NULL);
  coord_code code = err != NULL ? coord_error_code(err) : open_it(r, step, options, h, &err);
  if (code != COORD_OK) {
    record = record_failure(code, err);
  } else if (kind == LEASE) {
    record = handle_look(r, h);
  } else {
    record = json_object_new_object();
  }
  if (h->it == NULL) drop(h);
  coord_error_free(err);
  coord_options_free(options);
  return record;
}

void handle_free(handle *h) {
  switch (h->kind) {
    case NO_HANDLE:
      return;
    case CLIENT:
      coord_client_free(h->it);
      break;
    case LEASE:
      coord_lease_free(h->it);
      break;
    case WATCH:
      coord_watch_free(h->it);
      break;
    case LOCK:
      coord_lock_free(h->it);
      break;
    case ELECTION:
      coord_election_free(h->it);
      break;
    case REGISTRY:
      coord_registry_free(h->it);
      break;
    case REGISTRATION:
      coord_registration_free(h->it);
      break;
    case DISCOVERY:
      coord_discovery_free(h->it);
      break;
    case CONFIG:
      coord_config_free(h->it);
      break;
    case MIRROR:
      coord_mirror_free(h->it);
      break;
  }
  drop(h);
}

/* ---- looking ---- */

static void put(json_object *map, const char *name, int64_t n) {
  json_object_object_add(map, name, json_object_new_int64(n));
}

static void put_key(json_object *map, coord_code code, const coord_kv *kv) {
  if (code != COORD_OK) return;
  json_object_object_add(map, "key", record_bytes(kv->key, kv->key_len));
  put(map, "lease", kv->lease_id);
}

static void put_held(json_object *map, int held, int64_t token, int64_t remaining_ms) {
  json_object_object_add(map, "held", json_object_new_boolean(held));
  put(map, "token", token);
  put(map, "remaining_ms", remaining_ms);
}

json_object *handle_look(run *r, const handle *h) {
  json_object *map = json_object_new_object();
  coord_kv kv = {0};
  if (h->kind == LEASE) {
    put(map, "lease", coord_lease_id(h->it));
    put(map, "ttl", coord_lease_ttl_s(h->it));
    put(map, "remaining_ms", coord_lease_remaining_ms(h->it));
  } else if (h->kind == LOCK) {
    put_held(map, coord_lock_is_held(h->it), coord_lock_token(h->it),
             coord_lock_remaining_ms(h->it));
    put_key(map, coord_lock_key(h->it, 0, &kv), &kv);
  } else if (h->kind == ELECTION) {
    put_held(map, coord_election_is_leader(h->it), coord_election_token(h->it),
             coord_election_remaining_ms(h->it));
    put_key(map, coord_election_key(h->it, &kv), &kv);
  } else if (h->kind == REGISTRATION) {
    coord_instance *instance = coord_registration_instance(h->it);
    put(map, "remaining_ms", coord_registration_remaining_ms(h->it));
    json_object_object_add(map, "instance", record_json(coord_instance_json(instance)));
    coord_instance_free(instance);
  } else if (h->kind == MIRROR) {
    put(map, "count", coord_mirror_count(h->it));
    put(map, "revision", coord_mirror_revision(h->it));
    put(map, "staleness_ms", coord_mirror_staleness_ms(h->it));
  } else {
    run_fail(r, "there is nothing to look at in %s", h->name);
  }
  return map;
}
