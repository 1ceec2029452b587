/* Every allocation made to fail in turn, on all threads: an error for the caller, never a crash, a
 * leak or a hang. Allocations of the libraries below are not counted. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "support/auth.h"
#include "support/proxy.h"

enum { LONGEST_WALK = 3000, CALL_MS = 200 };

static const char *endpoint;
static const char *ca = "";   /* for endpoints with TLS */
static const char *user = ""; /* with the password "annpw" */

/* A scenario gives COORD_OK when all of it worked, else the code of what failed. */
typedef coord_code scenario(void);

static coord_error *err;

/* Code and error agree, as far as there was memory for an error. */
static coord_code ended(coord_code code) {
  if (err != NULL) T_CODE(coord_error_code(err), code);
  if (code == COORD_OK) T_TRUE(err == NULL);
  coord_error_free(err);
  err = NULL;
  return code;
}

/* Memory that is out while a connection is made shows as a failure to connect. */
static bool may_fail_so(coord_code code) {
  return code == COORD_NO_MEMORY || code == COORD_UNAVAILABLE || code == COORD_TIMEOUT;
}

static long walk(scenario *run, bool only_no_memory) {
  coord_code code = COORD_NO_MEMORY;
  long n = 0;
  for (; code != COORD_OK && n < LONGEST_WALK; n++) {
    int64_t began = t_now_ms();
    t_case_limit_s(60);
    coord__alloc_fail_after(n);
    code = run();
    coord__alloc_fail_after(-1);
    bool good = code == COORD_OK || (only_no_memory ? code == COORD_NO_MEMORY : may_fail_so(code));
    if (!good) T_FAIL("with %ld allocations it ends with %s", n, coord_code_name(code));
    int64_t took = t_now_ms() - began;
    if (took > 20 * CALL_MS * T_SLOW) T_FAIL("with %ld allocations it takes %d ms", n, (int)took);
  }
  T_CODE(code, COORD_OK);
  return n;
}

static coord_options *make_options(coord_code *code, const char *lazy) {
  coord_options *options = NULL;
  *code = coord_options_new(&options);
  const char *const pairs[][2] = {{"endpoints", endpoint},
                                  {"connect.lazy", lazy},
                                  {"tls.ca", ca},
                                  {"username", user},
                                  {"password", user[0] != '\0' ? "annpw" : ""},
                                  {"log.level", "off"},
                                  {"request.timeout.ms", "200"},
                                  {"connect.timeout.ms", "200"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs && *code == COORD_OK; i++) {
    *code = ended(coord_options_set(options, pairs[i][0], pairs[i][1], &err));
  }
  if (*code == COORD_OK) return options;
  coord_options_free(options);
  return NULL;
}

static coord_client *open_client(coord_code *code, const char *lazy) {
  coord_client *client = NULL;
  coord_options *options = make_options(code, lazy);
  if (options == NULL) return NULL;
  *code = ended(coord_client_open(options, &client, &err));
  coord_options_free(options);
  T_TRUE((client != NULL) == (*code == COORD_OK));
  return client;
}

/* The client that the scenarios share, which was connected with memory at hand. */
static coord_client *shared;

static void prepare(void) {
  coord_code code = COORD_OK;
  endpoint = t_etcd_endpoint(t_etcd(), 0);
  shared = open_client(&code, "false");
  T_FATAL(code == COORD_OK);
}

static void finish(void) {
  coord_client_free(shared);
  shared = NULL;
}

/* ---- opening ---- */

static coord_code make_and_free_options(void) {
  coord_code code;
  coord_options_free(make_options(&code, "true"));
  return code;
}

static coord_code open_lazily(void) {
  coord_code code;
  coord_client_free(open_client(&code, "true"));
  return code;
}

static coord_code open_connected(void) {
  coord_code code;
  coord_client_free(open_client(&code, "false"));
  return code;
}

static coord_code open_and_put(void) {
  coord_code code;
  coord_client *client = open_client(&code, "true");
  if (client == NULL) return code;
  code = ended(coord_put(client, "oom", 3, "v", 1, &err));
  coord_client_free(client);
  return code;
}

static void options_without_memory(void) {
  endpoint = "127.0.0.1:1,[::1]:2,unix:///x";
  T_TRUE(walk(make_and_free_options, true) > 3);
}

static void opening_a_lazy_client_without_memory(void) {
  endpoint = "127.0.0.1:1,[::1]:2,unix:///x";
  T_TRUE(walk(open_lazily, true) > 8);
}

static void opening_a_client_without_memory(void) {
  endpoint = t_etcd_endpoint(t_etcd(), 0);
  T_TRUE(walk(open_connected, false) > 12);
}

static void first_call_without_memory(void) {
  endpoint = t_etcd_endpoint(t_etcd(), 0);
  T_TRUE(walk(open_and_put, false) > 16);
}

static void opening_and_calling_with_tls_without_memory(void) {
  t_pki *pki = t_pki_new();
  t_cluster *etcd = t_etcd_start(&(t_etcd_options){.pki = pki});
  ca = t_pki_file(pki, "ca.pem");
  endpoint = t_etcd_endpoint(etcd, 0);
  T_TRUE(walk(open_connected, false) > 20);
  T_TRUE(walk(open_and_put, false) > 24);
  ca = "";
  t_etcd_stop(etcd);
  t_pki_free(pki);
}

/* ---- calls over a connection that is there ---- */

static coord_code put_big(void) {
  static char value[100000];
  return ended(coord_put(shared, "oom/big", 7, value, sizeof value, &err));
}

static coord_code get_big(void) {
  coord_result *result = NULL;
  coord_kv kv = {0};
  coord_code code = ended(coord_get(shared, "oom/big", 7, &result, &err));
  if (code == COORD_OK) {
    T_CODE(coord_result_kv(result, 0, &kv), COORD_OK);
    T_INT(kv.value_len, 100000);
    T_INT(kv.key_len, 7);
  } else {
    T_TRUE(result == NULL);
  }
  coord_result_free(result);
  return code;
}

static coord_code ask_status(void) {
  coord_result *result = NULL;
  coord_op *op = coord_op_status();
  if (op == NULL) return COORD_NO_MEMORY;
  coord_code code = ended(coord_call(shared, op, CALL_MS, &result, &err));
  coord_op_free(op);
  if (code == COORD_OK) T_HAS(coord_result_json(result), "dbSize");
  coord_result_free(result);
  return code;
}

static void put_and_get_without_memory(void) {
  prepare();
  walk(put_big, false);
  walk(get_big, false);
  walk(ask_status, false);
  finish();
}

static coord_code commit_txn(void) {
  coord_result *result = NULL;
  coord_op *txn = coord_op_txn();
  coord_op *put = coord_op_put("oom/t", 5, "v", 1);
  coord_op *get = coord_op_get("oom/t", 5);
  coord_code code = COORD_OK;
  if (txn == NULL || put == NULL || get == NULL) code = COORD_NO_MEMORY;
  if (code == COORD_OK) {
    coord_op_then(txn, put);
    coord_op_then(txn, get);
    code = ended(coord_call(shared, txn, CALL_MS, &result, &err));
  }
  coord_result_free(result);
  coord_op_free(get);
  coord_op_free(put);
  coord_op_free(txn);
  return code;
}

static void transaction_without_memory(void) {
  prepare();
  walk(commit_txn, false);
  finish();
}

/* ---- endpoints ---- */

static coord_code change_endpoints(void) {
  coord_code code = ended(coord_client_set_endpoints(shared, "127.0.0.1:1,[::1]:2", &err));
  if (code == COORD_OK) code = ended(coord_client_set_endpoints(shared, endpoint, &err));
  if (code == COORD_OK) code = ended(coord_put(shared, "oom", 3, "v", 1, &err));
  return code;
}

static coord_code sync_and_put(void) {
  coord_code code = ended(coord_client_sync_endpoints(shared, CALL_MS, &err));
  if (code == COORD_OK) code = ended(coord_put(shared, "oom", 3, "v", 1, &err));
  return code;
}

static coord_code follow_states(void) {
  coord_queue *queue = NULL;
  coord_code code = ended(coord_queue_open(&queue, &err));
  if (code == COORD_OK) code = ended(coord_client_states_to(shared, queue, 1, &err));
  if (code == COORD_OK) code = change_endpoints();
  coord_code end = coord_client_states_to(shared, NULL, 0, NULL);
  coord_queue_free(queue);
  return code == COORD_OK ? end : code;
}

static void endpoints_without_memory(void) {
  prepare();
  T_TRUE(walk(change_endpoints, false) > 10);
  walk(sync_and_put, false);
  walk(follow_states, false);
  finish();
}

/* ---- queue ---- */

static coord_code submit_and_wait(void) {
  coord_queue *queue = NULL;
  coord_code code = ended(coord_queue_open(&queue, &err));
  if (code != COORD_OK) return code;
  coord_op *op = coord_op_put("oom", 3, "v", 1);
  int accepted = 0;
  for (uint64_t i = 0; i < 3 && code == COORD_OK; i++) {
    uint64_t id = 0;
    code = op == NULL ? COORD_NO_MEMORY
                      : ended(coord_submit(shared, op, CALL_MS, queue, i, &id, &err));
    accepted += code == COORD_OK;
    if (i == 1 && code == COORD_OK) coord_cancel(shared, id);
  }
  /* What was accepted completes, come what may. */
  for (int i = 0; i < accepted; i++) {
    coord_event *event = coord_queue_next(queue, 50 * CALL_MS);
    T_TRUE(event != NULL);
    coord_code one = coord_event_code(event);
    if (one != COORD_OK && one != COORD_CANCELED) code = one;
    coord_event_free(event);
  }
  T_TRUE(coord_queue_next(queue, 0) == NULL);
  coord_op_free(op);
  coord_queue_free(queue);
  return code;
}

static void submitting_without_memory(void) {
  prepare();
  walk(submit_and_wait, false);
  finish();
}

static coord_code call_twenty(void) {
  enum { count = 20 };
  coord_code codes[count];
  coord_result *results[count] = {NULL};
  const coord_op *ops[count];
  coord_op *op = coord_op_get("oom/big", 7);
  if (op == NULL) return COORD_NO_MEMORY;
  for (int i = 0; i < count; i++) ops[i] = op;
  coord_code code = ended(coord_call_many(shared, ops, count, CALL_MS, results, codes, &err));
  for (int i = 0; i < count; i++) coord_result_free(results[i]);
  coord_op_free(op);
  return code;
}

static void many_calls_without_memory(void) {
  prepare();
  walk(call_twenty, false);
  finish();
}

/* ---- scan ---- */

static coord_code scan_all(void) {
  coord_scan *scan = NULL;
  coord_op *op = coord_op_get("oom/s/", 6);
  if (op == NULL) return COORD_NO_MEMORY;
  coord_code code = coord_op_set_prefix(op);
  if (code == COORD_OK) code = ended(coord_scan_open(shared, op, 7, &scan, &err));
  coord_op_free(op);
  size_t count = 0;
  while (code == COORD_OK) {
    coord_result *page = NULL;
    code = ended(coord_scan_next(scan, CALL_MS, &page, &err));
    if (code != COORD_OK || page == NULL) break;
    count += coord_result_count(page);
    coord_result_free(page);
  }
  if (code == COORD_OK) T_INT(count, 30);
  coord_scan_free(scan);
  return code;
}

static void scan_without_memory(void) {
  prepare();
  for (char c = 'a'; c < 'a' + 30; c++) {
    char key[] = "oom/s/?";
    key[6] = c;
    T_CODE(coord_put(shared, key, 7, "v", 1, NULL), COORD_OK);
  }
  walk(scan_all, false);
  finish();
}

/* ---- watch ---- */

static int64_t watch_from;

/* A watch without memory tries again and again; once there is some, it goes on. */
static coord_event *next_event(coord_queue *queue, bool *starved) {
  coord_event *event = coord_queue_next(queue, CALL_MS / 2);
  if (event != NULL) return event;
  *starved = true;
  coord__alloc_fail_after(-1);
  event = coord_queue_next(queue, 50 * CALL_MS);
  if (event == NULL) T_FAIL("a watch hangs");
  return event;
}

/* Of what was put before, once each and in order, whatever there was no memory for on the way; or an
 * end that says so. */
static coord_code watch_three(void) {
  bool starved = false;
  coord_queue *queue = NULL;
  coord_watch *watch = NULL;
  coord_code code = ended(coord_queue_open(&queue, &err));
  if (code != COORD_OK) return code;
  coord_op *get = coord_op_get("oom/w", 5);
  if (get == NULL) code = COORD_NO_MEMORY;
  if (code == COORD_OK) {
    code = ended(coord_watch_open(shared, get, watch_from, queue, 7, &watch, &err));
  }
  coord_op_free(get);
  int64_t next = watch_from;
  while (code == COORD_OK && next < watch_from + 3) {
    coord_event *event = next_event(queue, &starved);
    if (event == NULL) code = COORD_TIMEOUT;
    if (coord_event_type(event) == COORD_EVENT_CLOSED) code = coord_event_code(event);
    for (size_t i = 0; i < coord_event_count(event); i++) {
      coord_kv kv;
      T_CODE(coord_event_change(event, i, NULL, &kv, NULL), COORD_OK);
      T_INT(kv.mod_revision, next++);
    }
    coord_event_free(event);
  }
  if (code == COORD_OK) {
    coord_watch_close(watch);
    coord_event *event = next_event(queue, &starved);
    T_INT(coord_event_type(event), COORD_EVENT_CLOSED);
    T_CODE(coord_event_code(event), COORD_OK);
    coord_event_free(event);
  }
  coord_watch_free(watch);
  T_TRUE(coord_queue_next(queue, 0) == NULL);
  coord_queue_free(queue);
  return code == COORD_OK && starved ? COORD_NO_MEMORY : code;
}

static void watching_without_memory(void) {
  prepare();
  watch_from = t_put(shared, "oom/w", "1");
  t_put(shared, "oom/w", "2");
  t_put(shared, "oom/w", "3");
  T_TRUE(walk(watch_three, false) > 10);
  T_TRUE(walk(watch_three, false) > 5); /* the lane is connected now */
  finish();
}

/* ---- mirrors ---- */

/* Its last key changes. */
static coord_code put_of_mirror(int64_t *revision) {
  char key[] = {'o', 'o', 'm', '/', 'm', '/', 'a' + 29};
  coord_op *put = coord_op_put(key, sizeof key, "w", 1);
  coord_result *result = NULL;
  if (put == NULL) return COORD_NO_MEMORY;
  coord_code code = ended(coord_call(shared, put, CALL_MS, &result, &err));
  *revision = coord_result_revision(result);
  coord_result_free(result);
  coord_op_free(put);
  return code;
}

/* Opened, told of a change, read. */
static coord_code mirror_three(void) {
  bool starved = false;
  int64_t told = 0;
  coord_queue *queue = NULL;
  coord_mirror *mirror = NULL;
  coord_result *result = NULL;
  coord_code code = ended(coord_queue_open(&queue, &err));
  if (code != COORD_OK) return code;
  code = ended(coord_mirror_open(shared, "oom/m/", 6, NULL, queue, 7, &mirror, &err));
  if (code == COORD_OK) code = put_of_mirror(&told);
  while (code == COORD_OK && coord_mirror_revision(mirror) < told) {
    coord_event *event = next_event(queue, &starved);
    if (event == NULL) code = COORD_TIMEOUT;
    coord_event_free(event);
  }
  if (code == COORD_OK) code = coord_mirror_all(mirror, &result);
  if (code == COORD_OK) {
    coord_kv kv;
    T_INT(coord_result_count(result), 30);
    T_CODE(coord_result_kv(result, 29, &kv), COORD_OK);
    T_INT(kv.mod_revision, told);
  }
  coord_result_free(result);
  if (code == COORD_OK) code = coord_mirror_get(mirror, "oom/m/a", 7, &result);
  if (code == COORD_OK) {
    T_INT(coord_result_count(result), 1);
    coord_result_free(result);
  }
  coord_mirror_free(mirror);
  T_TRUE(coord_queue_next(queue, 0) == NULL);
  coord_queue_free(queue);
  return code == COORD_OK && starved ? COORD_NO_MEMORY : code;
}

static void mirroring_without_memory(void) {
  prepare();
  for (char c = 'a'; c < 'a' + 30; c++) {
    char key[] = "oom/m/?";
    key[6] = c;
    T_CODE(coord_put(shared, key, 7, "v", 1, NULL), COORD_OK);
  }
  T_TRUE(walk(mirror_three, false) > 20);
  finish();
}

/* ---- locks and elections ---- */

static coord_code call_on(coord_op *op) {
  coord_result *result = NULL;
  if (op == NULL) return COORD_NO_MEMORY;
  coord_code code = ended(coord_call(shared, op, CALL_MS, &result, &err));
  coord_op_free(op);
  coord_result_free(result);
  return code;
}

/* What one walk could not release for want of memory is released when there is some, and may be in the
 * way of the next for a moment; each has its name. */
static void name_of_walk(char name[32]) {
  static int walks;
  snprintf(name, 32, "oom/l%d", walks++);
}

static coord_code lock_and_guard(void) {
  char name[32];
  coord_lock *lock = NULL;
  coord_options *options = NULL;
  name_of_walk(name);
  coord_code code = coord_options_new(&options);
  if (code == COORD_OK) code = ended(coord_options_set(options, "lock.owner", "me", &err));
  if (code == COORD_OK) {
    code = ended(coord_lock_open(shared, name, strlen(name), options, NULL, 0, &lock, &err));
  }
  coord_options_free(options);
  if (code != COORD_OK) return code;
  code = call_on(coord_op_acquire(lock, 1));
  T_TRUE(code != COORD_OK || coord_lock_is_held(lock));
  if (code == COORD_OK) {
    coord_op *txn = coord_op_txn();
    code = txn != NULL ? coord_op_if_held(txn, lock) : COORD_NO_MEMORY;
    if (code == COORD_OK) code = call_on(txn);
    if (code == COORD_OK) code = call_on(coord_op_lock_renew(lock));
    if (code == COORD_OK) code = call_on(coord_op_release(lock));
    T_TRUE(code != COORD_OK || !coord_lock_is_held(lock));
  }
  coord_lock_free(lock);
  return code;
}

/* Configuration: what is there stays, whatever is short of memory meanwhile. */
static coord_code configure(void) {
  char name[32];
  coord_config *config = NULL;
  coord_queue *queue = NULL;
  coord_result *all = NULL;
  char *json = NULL;
  name_of_walk(name);
  for (char *c = name; *c != '\0'; c++) *c = *c == '/' ? '-' : *c;
  coord_code code = ended(coord_queue_open(&queue, &err));
  if (code == COORD_OK) {
    code = ended(coord_config_open(shared, name, NULL, queue, 0, &config, &err));
  }
  if (code == COORD_OK) code = ended(coord_config_default(config, "a", "1", &err));
  if (code == COORD_OK) code = call_on(coord_op_config_set(config, "b", "2", 0));
  if (code == COORD_OK) code = call_on(coord_op_config_history(config, "b", 3));
  if (code == COORD_OK) code = ended(coord_config_get(config, "a", &json, NULL, &err));
  if (code == COORD_OK) code = ended(coord_config_all(config, &all, &err));
  coord_memory_free(json);
  coord_result_free(all);
  coord_config_free(config);
  coord_queue_free(queue);
  return code;
}

static coord_code lead_and_observe(void) {
  char name[32];
  coord_queue *queue = NULL;
  coord_election *election = NULL;
  name_of_walk(name);
  coord_code code = ended(coord_queue_open(&queue, &err));
  if (code != COORD_OK) return code;
  code = ended(coord_election_open(shared, name, strlen(name), NULL, queue, 0, &election, &err));
  if (code == COORD_OK) code = ended(coord_election_observe(election, &err));
  if (code == COORD_OK) code = call_on(coord_op_campaign(election, "a", 1));
  if (code == COORD_OK) code = call_on(coord_op_proclaim(election, "b", 1));
  if (code == COORD_OK) code = call_on(coord_op_leader(name, strlen(name)));
  if (code == COORD_OK) code = call_on(coord_op_resign(election));
  coord_election_free(election);
  T_TRUE(coord_queue_next(queue, 0) == NULL);
  coord_queue_free(queue);
  return code;
}

static coord_code take_and_return(void) {
  char name[32];
  coord_workqueue *work = NULL;
  coord_result *result = NULL;
  coord_kv kv = {0};
  name_of_walk(name);
  coord_code code =
      ended(coord_workqueue_open(shared, name, strlen(name), NULL, NULL, 0, &work, &err));
  if (code != COORD_OK) return code;
  code = call_on(coord_op_work_put(name, strlen(name), "x", 1));
  coord_op *op = coord_op_work_take(work, 1);
  if (code == COORD_OK && op == NULL) code = COORD_NO_MEMORY;
  if (code == COORD_OK) code = ended(coord_call(shared, op, CALL_MS, &result, &err));
  coord_op_free(op);
  if (code == COORD_OK) {
    T_CODE(coord_result_kv(result, 0, &kv), COORD_OK);
    int64_t token = coord_result_revision(result);
    coord_op *txn = coord_op_txn();
    code = txn == NULL ? COORD_NO_MEMORY : coord_op_then_done(txn, work, kv.key, kv.key_len, token);
    coord_op_free(txn);
    if (code == COORD_OK) code = call_on(coord_op_work_return(work, kv.key, kv.key_len, token));
  }
  coord_result_free(result);
  coord_workqueue_free(work);
  return code;
}

/* One after another what waits in vain. */
static coord_code wait_at_a_barrier(void) {
  coord_workqueue *work = NULL;
  coord_code code = ended(coord_workqueue_open(shared, "oom/empty", 9, NULL, NULL, 0, &work, &err));
  if (code != COORD_OK) return code;
  code = call_on(coord_op_work_take(work, 0));
  coord_workqueue_free(work);
  if (code == COORD_NOT_FOUND) code = call_on(coord_op_barrier_raise("oom/barrier", 11));
  if (code == COORD_CONFLICT) code = call_on(coord_op_barrier_wait("oom/barrier", 11));
  return code == COORD_TIMEOUT ? COORD_OK : code;
}

static void working_without_memory(void) {
  prepare();
  T_TRUE(walk(take_and_return, false) > 20);
  T_CODE(call_on(coord_op_barrier_raise("oom/barrier", 11)), COORD_OK);
  walk(wait_at_a_barrier, false);
  finish();
}

static coord_code register_and_leave(void) {
  char name[32], json[100];
  coord_registry *registry = NULL;
  coord_registration *reg = NULL;
  name_of_walk(name);
  snprintf(json, sizeof json, "{\"name\":\"oom\",\"address\":\"h\",\"id\":\"%s\"}", name);
  coord_code code = ended(coord_registry_open(shared, NULL, &registry, &err));
  if (code != COORD_OK) return code;
  code = ended(coord_registry_register(registry, json, 10, NULL, 0, &reg, &err));
  if (code == COORD_OK) code = call_on(coord_op_registered(reg));
  if (code == COORD_OK) code = call_on(coord_op_update_instance(reg, "{\"weight\":2}"));
  if (code == COORD_OK) code = call_on(coord_op_discover(registry, "oom"));
  if (code == COORD_OK) code = call_on(coord_op_deregister(reg));
  coord_registration_free(reg);
  coord_registry_free(registry);
  return code;
}

static void registering_without_memory(void) {
  prepare();
  T_TRUE(walk(register_and_leave, false) > 20);
  finish();
}

/* One that waits: with whatever memory there is, it is told how that ends. */
static coord_lock *in_the_way;

static coord_code wait_in_vain(void) {
  coord_lock *lock = NULL;
  coord_code code = ended(coord_lock_open(shared, "oom/held", 8, NULL, NULL, 0, &lock, &err));
  if (code != COORD_OK) return code;
  code = call_on(coord_op_acquire(lock, 0));
  coord_lock_free(lock);
  return code == COORD_CONFLICT ? COORD_OK : code;
}

static void configuring_without_memory(void) {
  prepare();
  T_TRUE(walk(configure, false) > 20);
  finish();
}

static void locking_without_memory(void) {
  prepare();
  T_TRUE(walk(lock_and_guard, false) > 20);
  T_CODE(coord_lock_open(shared, "oom/held", 8, NULL, NULL, 0, &in_the_way, NULL), COORD_OK);
  T_CODE(call_on(coord_op_acquire(in_the_way, 1)), COORD_OK);
  walk(wait_in_vain, false);
  T_INT(coord_lock_is_held(in_the_way), 1);
  coord_lock_free(in_the_way);
  finish();
}

static void leading_without_memory(void) {
  prepare();
  T_TRUE(walk(lead_and_observe, false) > 20);
  finish();
}

/* ---- users ---- */

static coord_code get_own_roles(void) {
  coord_result *result = NULL;
  coord_op *op = coord_op_user_get("ann");
  if (op == NULL) return COORD_NO_MEMORY;
  coord_code code = ended(coord_call(shared, op, CALL_MS, &result, &err));
  coord_op_free(op);
  if (code == COORD_OK) T_STR(coord_result_name(result, 0), "dev");
  coord_result_free(result);
  return code;
}

static coord_code log_in_and_put(void) {
  coord_code code;
  coord_client *client = open_client(&code, "true");
  if (client == NULL) return code;
  code = ended(coord_put(client, "t/oom", 5, "v", 1, &err));
  coord_client_free(client);
  return code;
}

static void users_without_memory(void) {
  t_cluster *cluster = t_etcd_start(NULL);
  t_auth_enable(cluster);
  coord_code code = COORD_OK;
  endpoint = t_etcd_endpoint(cluster, 0);
  user = "ann";
  T_TRUE(walk(open_connected, false) > 10);
  T_TRUE(walk(log_in_and_put, false) > 10);
  shared = NULL; /* a login takes long on a busy machine */
  for (int i = 0; i < 20 && shared == NULL; i++) shared = open_client(&code, "false");
  T_FATAL(code == COORD_OK);
  T_TRUE(walk(get_own_roles, false) > 3);
  finish();
  user = "";
  t_etcd_stop(cluster);
}

/* ---- leases ---- */

static coord_code open_and_close_lease(void) {
  coord_queue *queue = NULL;
  coord_lease *lease = NULL;
  coord_code code = ended(coord_queue_open(&queue, &err));
  if (code == COORD_OK) {
    code = ended(coord_lease_open(shared, 5, CALL_MS, queue, 1, &lease, &err));
    T_TRUE((lease != NULL) == (code == COORD_OK));
  }
  if (code == COORD_OK) {
    T_TRUE(coord_lease_remaining_ms(lease) > 0);
    code = ended(coord_lease_close(lease, CALL_MS, &err));
    /* When there was no memory for as much as trying, it is still kept. */
    coord_event *event = coord_queue_next(queue, 0);
    T_TRUE(event != NULL || code == COORD_NO_MEMORY);
    coord_event_free(event);
  }
  coord_lease_free(lease);
  coord_queue_free(queue);
  return code;
}

static coord_code start_lease(void) {
  coord_queue *queue = NULL;
  coord_lease *lease = NULL;
  coord_code code = ended(coord_queue_open(&queue, &err));
  if (code == COORD_OK) {
    code = ended(coord_lease_start(shared, 5, 0, CALL_MS, queue, 1, &lease, &err));
    T_TRUE((lease != NULL) == (code == COORD_OK));
  }
  if (code == COORD_OK) {
    coord_event *event = coord_queue_next(queue, CALL_MS + 5000);
    T_TRUE(event != NULL);
    code = coord_event_code(event);
    T_INT(coord_event_type(event), code == COORD_OK ? COORD_EVENT_ACQUIRED : COORD_EVENT_CLOSED);
    coord_event_free(event);
  }
  coord_lease_free(lease);
  coord_queue_free(queue);
  return code;
}

static coord_code ask_about_leases(void) {
  coord_op *ops[] = {coord_op_lease_grant(5, 0), coord_op_lease_list(), coord_op_lease_info(1, 1)};
  coord_code code = COORD_OK;
  for (int i = 0; i < 3; i++) {
    coord_result *result = NULL;
    if (code == COORD_OK && ops[i] == NULL) code = COORD_NO_MEMORY;
    if (code == COORD_OK) code = ended(coord_call(shared, ops[i], CALL_MS, &result, &err));
    coord_result_free(result);
    coord_op_free(ops[i]);
  }
  return code;
}

static void leases_without_memory(void) {
  prepare();
  T_TRUE(walk(ask_about_leases, false) > 10);
  T_TRUE(walk(open_and_close_lease, false) > 10);
  T_TRUE(walk(start_lease, false) > 5);
  finish();
}

/* The next event that says more than that it is at risk, or no more. */
static int32_t next_type(coord_queue *queue, int timeout_ms) {
  for (;;) {
    coord_event *event = coord_queue_next(queue, timeout_ms);
    int32_t type = coord_event_type(event);
    if (type == COORD_EVENT_LOST) T_CODE(coord_event_code(event), COORD_LOST);
    coord_event_free(event);
    if (type != COORD_EVENT_AT_RISK && type != COORD_EVENT_RESTORED) return type;
  }
}

/* A renewal that fails for lack of memory comes once more; and the end is told without any. */
static void keeping_a_lease_without_memory(void) {
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_code code = COORD_OK;
  endpoint = t_proxy_endpoint(proxy);
  shared = open_client(&code, "false");
  coord_queue *queue = NULL;
  coord_lease *lease = NULL;
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  T_CODE(coord_lease_open(shared, 3, 5000, queue, 1, &lease, NULL), COORD_OK);
  for (long n = 0; n < 21; n += 3) {
    t_proxy_cut(proxy);
    coord__alloc_fail_after(n);
    usleep(600000);
    coord__alloc_fail_after(-1);
    usleep(700000);
  }
  T_INT(next_type(queue, 0), -1);
  T_TRUE(coord_lease_remaining_ms(lease) > 500);
  t_proxy_refuse(proxy, true);
  coord__alloc_fail_after(0);
  T_INT(next_type(queue, 5000), COORD_EVENT_LOST);
  T_INT(next_type(queue, 5000), COORD_EVENT_CLOSED);
  coord__alloc_fail_after(-1);
  coord_lease_free(lease);
  coord_queue_free(queue);
  finish();
  t_proxy_stop(proxy);
}

T_MAIN(T_CASE(leases_without_memory), T_CASE(keeping_a_lease_without_memory),
       T_CASE(options_without_memory), T_CASE(opening_a_lazy_client_without_memory),
       T_CASE(opening_a_client_without_memory), T_CASE(first_call_without_memory),
       T_CASE(opening_and_calling_with_tls_without_memory), T_CASE(put_and_get_without_memory),
       T_CASE(transaction_without_memory), T_CASE(submitting_without_memory),
       T_CASE(many_calls_without_memory), T_CASE(scan_without_memory),
       T_CASE(watching_without_memory), T_CASE(mirroring_without_memory),
       T_CASE(configuring_without_memory), T_CASE(endpoints_without_memory),
       T_CASE(locking_without_memory), T_CASE(leading_without_memory),
       T_CASE(working_without_memory), T_CASE(registering_without_memory),
       T_CASE(users_without_memory))
