/* Leases without memory, and registrations, which stand on them. */
#include <unistd.h>

#include "fault/oom.h"
#include "support/proxy.h"

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

/* ---- registrations ---- */

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

T_MAIN(T_CASE(leases_without_memory), T_CASE(keeping_a_lease_without_memory),
       T_CASE(registering_without_memory))
