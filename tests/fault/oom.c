/* Clients and calls without memory. */
#include "fault/oom.h"
#include "support/auth.h"

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
  if (code == COORD_OK) {
    const coord_op *both[] = {op, op};
    code = ended(coord_submit_many(shared, both, 2, CALL_MS, queue, 3, NULL, &err));
    if (code == COORD_OK) accepted += 2;
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

T_MAIN(T_CASE(options_without_memory), T_CASE(opening_a_lazy_client_without_memory),
       T_CASE(opening_a_client_without_memory), T_CASE(first_call_without_memory),
       T_CASE(opening_and_calling_with_tls_without_memory), T_CASE(put_and_get_without_memory),
       T_CASE(transaction_without_memory), T_CASE(submitting_without_memory),
       T_CASE(many_calls_without_memory), T_CASE(scan_without_memory),
       T_CASE(endpoints_without_memory), T_CASE(users_without_memory))
