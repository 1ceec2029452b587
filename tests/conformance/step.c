#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conformance/run.h"
#include "conformance/verbs.h"

enum { AGAIN_MS = 20 };

static const char *verb_of(json_object *step) {
  return json_object_get_string(run_member(step, "do"));
}

/* ---- operations ---- */

/* What waits for others has a deadline of its own. */
static int32_t timeout_of(run *r, json_object *step) {
  static const char waiting[] =
      "acquire release campaign proclaim resign registered update deregister";
  int64_t otherwise = conf_in_list(verb_of(step), waiting, ' ') ? WAIT_MS : 0;
  return (int32_t)run_int(r, step, "timeout_ms", otherwise);
}

static void start(run *r, json_object *step, coord_client *client, const coord_op *op) {
  call *c = r->calls;
  coord_error *err = NULL;
  while (c->queue != NULL) c++;
  *c = (call){.verb = verb_of(step), .client = client};
  snprintf(c->name, sizeof c->name, "%s", run_text(r, step, "start"));
  coord_queue_open(&c->queue, NULL);
  if (coord_submit(client, op, timeout_of(r, step), c->queue, 1, &c->id, &err) != COORD_OK) {
    run_fail(r, "it did not start: %s", coord_error_message(err));
  }
  coord_error_free(err);
}

static json_object *operate(run *r, json_object *step) {
  handle *of = NULL;
  if (run_given(step, "of") && (of = handle_named(r, run_text(r, step, "of"))) == NULL) return NULL;
  coord_client *client = of ? of->client : handle_client(r, run_text(r, step, "client"));
  if (client == NULL) return NULL;
  coord_op *op = op_of(r, step, of);
  coord_result *result = NULL;
  coord_error *err = NULL;
  json_object *record = NULL;
  if (run_given(step, "start")) {
    start(r, step, client, op);
  } else {
    coord_code code = coord_call(client, op, timeout_of(r, step), &result, &err);
    record = code == COORD_OK ? record_result(verb_of(step), result) : record_failure(code, err);
  }
  coord_result_free(result);
  coord_error_free(err);
  coord_op_free(op);
  return record;
}

static json_object *scan(run *r, json_object *step) {
  coord_client *client = handle_client(r, run_text(r, step, "client"));
  coord_scan *all = NULL;
  coord_result *page = NULL;
  coord_error *err = NULL;
  json_object *record = json_object_new_object(), *kvs = json_object_new_array();
  coord_op *get = op_of_range(r, step);
  int32_t size = (int32_t)run_int(r, step, "page", 0);
  coord_code code = client ? coord_scan_open(client, get, size, &all, &err) : COORD_OK;
  while (code == COORD_OK && (code = coord_scan_next(all, 0, &page, &err)) == COORD_OK && page) {
    json_object *part = record_result("scan", page), *some = run_member(part, "kvs");
    for (size_t i = 0; i < json_object_array_length(some); i++) {
      json_object_array_add(kvs, json_object_get(json_object_array_get_idx(some, i)));
    }
    json_object_put(part);
    coord_result_free(page);
  }
  json_object_object_add(record, "kvs", kvs);
  json_object_object_add(record, "count",
                         json_object_new_int64((int64_t)json_object_array_length(kvs)));
  json_object_object_add(record, "revision", json_object_new_int64(coord_scan_revision(all)));
  if (code != COORD_OK) {
    json_object_put(record);
    record = record_failure(code, err);
  }
  coord_scan_free(all);
  coord_op_free(get);
  coord_error_free(err);
  return record;
}

/* ---- calls that were started ---- */

static call *call_named(run *r, const char *name) {
  for (size_t i = 0; i < NAMES_MAX; i++) {
    if (r->calls[i].queue != NULL && strcmp(r->calls[i].name, name) == 0) return &r->calls[i];
  }
  run_fail(r, "there is no call %s", name);
  return NULL;
}

static bool has_ended(call *c, int32_t within_ms) {
  if (c->event == NULL) c->event = coord_queue_next(c->queue, within_ms);
  return c->event != NULL;
}

static json_object *join(run *r, call *c) {
  if (!has_ended(c, WAIT_MS)) {
    run_fail(r, "it does not end");
    return NULL;
  }
  coord_code code = coord_event_code(c->event);
  if (code != COORD_OK) return record_failure(code, coord_event_error(c->event));
  return record_result(c->verb, coord_event_result(c->event));
}

static json_object *with_call(run *r, json_object *step) {
  call *c = call_named(r, run_text(r, step, "call"));
  if (c == NULL) return NULL;
  if (strcmp(verb_of(step), "join") == 0) return join(r, c);
  if (strcmp(verb_of(step), "cancel") == 0) {
    coord_cancel(c->client, c->id);
  } else if (has_ended(c, 100)) {
    run_fail(r, "it has ended: %s", coord_code_name(coord_event_code(c->event)));
  }
  return json_object_new_object();
}

/* ---- handles ---- */

static json_object *ended(coord_code code, coord_error *err) {
  json_object *record = code == COORD_OK ? json_object_new_object() : record_failure(code, err);
  coord_error_free(err);
  return record;
}

static json_object *close_it(handle *h) {
  coord_error *err = NULL;
  coord_code code = COORD_OK;
  if (h->kind == CLIENT) code = coord_client_close(h->it, WAIT_MS, &err);
  if (h->kind == LEASE) code = coord_lease_close(h->it, WAIT_MS, &err);
  if (h->kind == WATCH) coord_watch_close(h->it);
  return ended(code, err);
}

static json_object *local_text(coord_code code, char *json, coord_error *err, const char *name) {
  json_object *record = ended(code, err);
  if (code == COORD_OK) json_object_object_add(record, name, record_json(json));
  coord_memory_free(json);
  return record;
}

static json_object *read_config(run *r, json_object *step, handle *h) {
  coord_error *err = NULL;
  if (strcmp(verb_of(step), "config_all") == 0) {
    coord_result *result = NULL;
    coord_code code = coord_config_all(h->it, &result, &err);
    json_object *record = code == COORD_OK ? record_result("config_all", result) : ended(code, err);
    coord_result_free(result);
    return record;
  }
  char *json = NULL;
  int64_t version = 0;
  coord_code code = coord_config_get(h->it, run_text(r, step, "key"), &json, &version, &err);
  json_object *record = local_text(code, json, err, "json");
  json_object_object_add(record, "version", json_object_new_int64(version));
  return record;
}

static json_object *read_mirror(run *r, json_object *step, handle *h) {
  coord_result *result = NULL;
  bytes key = run_bytes(r, step, "key");
  bool all = strcmp(verb_of(step), "mirror_all") == 0;
  coord_code code =
      all ? coord_mirror_all(h->it, &result) : coord_mirror_get(h->it, key.data, key.len, &result);
  json_object *record =
      code == COORD_OK ? record_result("mirror", result) : record_failure(code, NULL);
  coord_result_free(result);
  return record;
}

static json_object *read_registry(run *r, json_object *step, handle *h) {
  coord_error *err = NULL;
  char *json = NULL;
  if (strcmp(verb_of(step), "services") == 0) {
    coord_code code = coord_registry_services(h->it, WAIT_MS, &json, &err);
    return local_text(code, json, err, "services");
  }
  coord_instances *all = NULL;
  coord_code code =
      coord_registry_discover(h->it, run_text(r, step, "service"), WAIT_MS, &all, &err);
  json_object *record = local_text(code, coord_instances_json(all), err, "instances");
  coord_instances_free(all);
  return record;
}

static json_object *with_handle(run *r, json_object *step) {
  const char *verb = verb_of(step);
  handle *h = handle_named(r, run_text(r, step, "of"));
  coord_error *err = NULL;
  if (h == NULL) return NULL;
  if (strcmp(verb, "event") == 0) return event_next(r, h, step);
  if (strcmp(verb, "changes") == 0)
    return event_changes(r, h, (size_t)run_int(r, step, "count", 0));
  if (strcmp(verb, "look") == 0) return handle_look(r, h);
  if (strcmp(verb, "close") == 0) return close_it(h);
  if (strcmp(verb, "instances") == 0 || strcmp(verb, "services") == 0) {
    return read_registry(r, step, h);
  }
  if (strncmp(verb, "mirror_", 7) == 0) return read_mirror(r, step, h);
  if (strcmp(verb, "config_get") == 0 || strcmp(verb, "config_all") == 0) {
    return read_config(r, step, h);
  }
  if (strcmp(verb, "config_default") == 0) {
    return ended(coord_config_default(h->it, run_text(r, step, "key"), run_json(step), &err), err);
  }
  if (strcmp(verb, "accept") == 0) return ended(coord_config_accept(h->it, h->event, &err), err);
  if (strcmp(verb, "observe") == 0) return ended(coord_election_observe(h->it, &err), err);
  if (strcmp(verb, "quiet") == 0) {
    event_quiet(r, h);
  } else if (strcmp(verb, "free") == 0) {
    handle_free(h);
  } else {
    run_fail(r, "the runner has no verb %s", verb);
  }
  return json_object_new_object();
}

/* ---- the server ---- */

static json_object *command(run *r, json_object *step) {
  char answer[256] = "nothing";
  fprintf(r->to_server, "%s %s\n", verb_of(step), run_text(r, step, "action"));
  fflush(r->to_server);
  if (fgets(answer, sizeof answer, r->from_server) == NULL || strncmp(answer, "ok", 2) != 0) {
    run_fail(r, "conformance_etcd said: %s", answer);
  }
  return json_object_new_object();
}

/* ---- steps ---- */

static const struct {
  const char *verb;
  handle_kind kind;
} openers[] = {{"client", CLIENT},         {"lease", LEASE},        {"adopt", LEASE},
               {"watch", WATCH},           {"lock", LOCK},          {"election", ELECTION},
               {"registry", REGISTRY},     {"config", CONFIG},      {"mirror", MIRROR},
               {"register", REGISTRATION}, {"discovery", DISCOVERY}};

static json_object *once(run *r, json_object *step) {
  const char *verb = verb_of(step);
  for (size_t i = 0; i < sizeof openers / sizeof *openers; i++) {
    if (strcmp(openers[i].verb, verb) == 0) return handle_open(r, step, openers[i].kind);
  }
  if (conf_in_list(verb, "server door auth", ' ')) return command(r, step);
  if (strcmp(verb, "scan") == 0) return scan(r, step);
  if (run_given(step, "call")) return with_call(r, step);
  return conf_verb_is(conf_verb_named(verb), 'o') ? operate(r, step) : with_handle(r, step);
}

/* Again until it is as it shall be; an event is waited for, not repeated. */
static json_object *repeat(run *r, json_object *step, json_object *until) {
  for (int tries = 0;; tries++) {
    json_object *record = once(r, step);
    if (r->why[0] != '\0' || run_compare(r, until, record)) return record;
    if (tries >= WAIT_MS / AGAIN_MS) return record;
    nanosleep(&(struct timespec){.tv_nsec = AGAIN_MS * 1000000}, NULL);
    r->why[0] = '\0';
    json_object_put(record);
  }
}

bool step_run(run *r, json_object *step) {
  json_object *until = run_member(step, "until"), *record;
  r->scratch = json_object_new_array();
  if (until != NULL && strcmp(verb_of(step), "event") != 0) {
    record = repeat(r, step, until);
  } else {
    record = once(r, step);
    if (r->why[0] == '\0') run_compare(r, run_member(step, "expect"), record);
  }
  if (r->why[0] == '\0') run_save(r, run_member(step, "save"), record);
  json_object_put(record);
  json_object_put(r->scratch);
  return r->why[0] == '\0';
}

/* Clients last: what hangs on them goes first. */
void step_free_all(run *r) {
  for (size_t i = 0; i < NAMES_MAX; i++) {
    call *c = &r->calls[i];
    if (c->queue == NULL) continue;
    coord_cancel(c->client, c->id);
    coord_event_free(c->event);
    coord_queue_free(c->queue);
    c->queue = NULL;
  }
  for (size_t i = 0; i < NAMES_MAX; i++) {
    if (r->handles[i].kind != CLIENT) handle_free(&r->handles[i]);
  }
  for (size_t i = 0; i < NAMES_MAX; i++) handle_free(&r->handles[i]);
}
