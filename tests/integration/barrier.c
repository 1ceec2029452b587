/* Barriers on a real server. */
#include <string.h>

#include "support/lease.h"
#include "support/proxy.h"

static coord_op *raise_it(const char *name) { return coord_op_barrier_raise(name, strlen(name)); }

static coord_op *lower(const char *name) { return coord_op_barrier_lower(name, strlen(name)); }

static coord_op *wait_for(const char *name) { return coord_op_barrier_wait(name, strlen(name)); }

static uint64_t wait_later(coord_client *client, const char *name, int32_t timeout_ms,
                           coord_queue *queue, uint64_t tag) {
  uint64_t id = 0;
  coord_op *op = wait_for(name);
  T_CODE(coord_submit(client, op, timeout_ms, queue, tag, &id, NULL), COORD_OK);
  coord_op_free(op);
  return id;
}

static void one_lets_all_go(void) {
  coord_client *client = t_client(), *other = t_client();
  coord_queue *queue = t_queue();
  char name[t_key_size], message[256];
  t_key(name, "b");
  coord_result_free(t_call(client, wait_for(name)));
  coord_result_free(t_call(client, raise_it(name)));
  T_TRUE(t_get_is(client, name, ""));
  T_TRUE(t_call_fails(other, raise_it(name), COORD_CONFLICT, message));
  T_TRUE(strstr(message, name) != NULL);
  for (uint64_t tag = 1; tag <= 4; tag++) {
    wait_later(tag % 2 == 0 ? client : other, name, -1, queue, tag);
  }
  T_TRUE(t_lease_quiet(queue, 100));
  t_put(client, name, "still raised");
  T_TRUE(t_lease_quiet(queue, 100));
  coord_result_free(t_call(other, lower(name)));
  for (int i = 0; i < 4; i++) {
    coord_event *event = coord_queue_next(queue, 5000);
    T_FATAL(event != NULL);
    T_CODE(coord_event_code(event), COORD_OK);
    coord_event_free(event);
  }
  coord_result_free(t_call(client, wait_for(name)));
  coord_result_free(t_call(client, lower(name)));
  coord_queue_free(queue);
  coord_client_free(other);
  coord_client_free(client);
}

static void waiting_ends_early(void) {
  coord_client *client = t_client(), *closed = t_client();
  coord_queue *queue = t_queue();
  char name[t_key_size], message[256];
  t_key(name, "e");
  coord_result_free(t_call(client, raise_it(name)));
  coord_op *op = wait_for(name);
  coord_error *err = NULL;
  /* With more time when it has not come to wait in this. */
  for (int ms = 100; ms < 20000; ms *= 4) {
    coord_error_free(err);
    err = NULL;
    T_CODE(coord_call(client, op, ms, NULL, &err), COORD_TIMEOUT);
    if (strstr(coord_error_message(err), name) != NULL) break;
  }
  T_HAS(coord_error_message(err), name);
  coord_error_free(err);
  /* One op, twice at once. */
  uint64_t first = 0, second = 0;
  T_CODE(coord_submit(client, op, -1, queue, 1, &first, NULL), COORD_OK);
  T_CODE(coord_submit(client, op, -1, queue, 2, &second, NULL), COORD_OK);
  coord_op_free(op);
  T_CODE(coord_cancel(client, second), COORD_OK);
  T_TRUE(t_lease_told(queue, 5000, COORD_EVENT_RESULT, 2, COORD_CANCELED, message));
  T_TRUE(t_lease_quiet(queue, 50));
  wait_later(closed, name, -1, queue, 3);
  T_TRUE(t_lease_quiet(queue, 50));
  T_CODE(coord_client_close(closed, 50, NULL), COORD_TIMEOUT);
  T_TRUE(t_lease_told(queue, 5000, COORD_EVENT_RESULT, 3, COORD_CLOSED, NULL));
  coord_result_free(t_call(client, lower(name)));
  T_TRUE(t_lease_told(queue, 5000, COORD_EVENT_RESULT, 1, COORD_OK, NULL));
  coord_client_free(closed);
  coord_queue_free(queue);
  coord_client_free(client);
}

/* Lowered and compacted away while nobody could see it. */
static void waiting_survives_a_lost_connection(void) {
  coord_client *client = t_client();
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  char name[t_key_size];
  coord_client *cut = t_client_with("endpoints", t_proxy_endpoint(proxy), NULL);
  coord_queue *queue = t_queue();
  t_key(name, "c");
  coord_result_free(t_call(client, raise_it(name)));
  wait_later(cut, name, -1, queue, 1);
  T_TRUE(t_lease_quiet(queue, 200));
  t_proxy_refuse(proxy, true);
  t_proxy_cut(proxy);
  coord_result_free(t_call(client, lower(name)));
  coord_result_free(t_call(client, coord_op_compact(t_put(client, "t/barrier/other", "x"))));
  T_TRUE(t_lease_quiet(queue, 50));
  t_proxy_refuse(proxy, false);
  T_TRUE(t_lease_told(queue, 15000, COORD_EVENT_RESULT, 1, COORD_OK, NULL));
  coord_queue_free(queue);
  coord_client_free(cut);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

static void wrong_arguments_are_named(void) {
  coord_client *client = t_client();
  char message[256];
  T_TRUE(t_call_fails(client, coord_op_barrier_raise("", 0), COORD_INVALID, message));
  T_STR(message, "barrier_raise: argument name is empty; a barrier needs a name");
  T_TRUE(t_call_fails(client, coord_op_barrier_wait(NULL, 3), COORD_INVALID, message));
  T_STR(message, "barrier_wait: argument name is NULL; a barrier needs a name");
  T_TRUE(t_call_fails(client, coord_op_barrier_lower("", 0), COORD_INVALID, NULL));
  coord_client_free(client);
}

T_MAIN(T_CASE(one_lets_all_go), T_CASE(waiting_ends_early),
       T_CASE(waiting_survives_a_lost_connection), T_CASE(wrong_arguments_are_named))
