/* STATE events: what happens to endpoints, as a program is told. */
#include <stdio.h>
#include <string.h>

#include "support/etcd.h"
#include "support/peer.h"

enum { TAG = 77, SOON_MS = 15000 };

static coord_error *err;

static coord_client *lazy_client(const char *endpoints) {
  return t_client_with("endpoints", endpoints, "connect.lazy", "true", "request.timeout.ms", "600",
                       "log.level", "off", NULL);
}

static void states_to(coord_client *client, coord_queue *queue) {
  T_OK(coord_client_states_to(client, queue, TAG, &err), err);
}

/* The next event says so; `why` is a part of its text. */
static bool expect(coord_queue *queue, int32_t state, const char *endpoint, coord_code code,
                   const char *why) {
  coord_event *event = coord_queue_next(queue, SOON_MS * T_SLOW);
  if (event == NULL) T_FAIL("no event of state %d came", (int)state);
  if (event == NULL) return false;
  bool good = T_INT(coord_event_type(event), COORD_EVENT_STATE);
  good = T_INT(coord_event_tag(event), TAG) && good;
  good = T_INT(coord_event_state(event), state) && good;
  good = T_STR(coord_event_endpoint(event), endpoint) && good;
  good = T_CODE(coord_event_code(event), code) && good;
  good = T_HAS(coord_event_text(event), why) && good;
  good = T_TRUE(coord_event_error(event) == NULL && coord_event_result(event) == NULL) && good;
  good = T_INT(coord_event_level(event), 0) && good;
  coord_event_free(event);
  return good;
}

static void nothing_waits(coord_queue *queue) {
  coord_event *event = coord_queue_next(queue, 0);
  if (event != NULL) {
    T_FAIL("state %d of %s", (int)coord_event_state(event), coord_event_endpoint(event));
  }
  coord_event_free(event);
}

static bool can_read(void *client) { return coord_get(client, "k", 1, NULL, NULL) == COORD_OK; }

static void present_state_comes_first(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  states_to(client, queue);
  expect(queue, COORD_STATE_CONNECTED, t_etcd_endpoint(t_etcd(), 0), COORD_OK, "");
  T_TRUE(t_get_is(client, "absent", NULL));
  nothing_waits(queue);
  coord_client_free(client);
  coord_queue_free(queue);
}

static void unreachable_endpoint_is_told_once(void) {
  char list[100];
  t_peer *down = t_peer_raw(&t_raw_refuses);
  const char *up = t_etcd_endpoint(t_etcd(), 0);
  snprintf(list, sizeof list, "%s", t_peer_endpoint(down));
  coord_client *client = lazy_client(list);
  coord_queue *queue = t_queue();
  states_to(client, queue);
  for (int i = 0; i < 3; i++) {
    t_call_fails(client, coord_op_get("k", 1), COORD_UNAVAILABLE, NULL);
    if (i == 0) expect(queue, COORD_STATE_UNREACHABLE, list, COORD_UNAVAILABLE, "refused");
    nothing_waits(queue);
  }
  T_OK(coord_client_set_endpoints(client, up, &err), err);
  expect(queue, COORD_STATE_ENDPOINTS, NULL, COORD_OK, up);
  T_TRUE(t_wait_until(can_read, client, 20000));
  expect(queue, COORD_STATE_CONNECTED, up, COORD_OK, "");
  nothing_waits(queue);
  coord_client_free(client);
  coord_queue_free(queue);
  t_peer_stop(down);
}

static void death_and_return_of_a_server_are_told(void) {
  t_cluster *cluster = t_etcd_start(NULL);
  const char *endpoint = t_etcd_endpoint(cluster, 0);
  coord_client *client = lazy_client(endpoint);
  coord_queue *queue = t_queue();
  states_to(client, queue);
  T_TRUE(t_wait_until(can_read, client, 20000));
  expect(queue, COORD_STATE_CONNECTED, endpoint, COORD_OK, "");
  t_etcd_kill(cluster, 0);
  T_TRUE(coord_get(client, "k", 1, NULL, NULL) != COORD_OK);
  expect(queue, COORD_STATE_DISCONNECTED, endpoint, COORD_UNAVAILABLE, "");
  expect(queue, COORD_STATE_UNREACHABLE, endpoint, COORD_UNAVAILABLE, "refused");
  t_etcd_restart(cluster, 0);
  T_TRUE(t_wait_until(can_read, client, 20000));
  expect(queue, COORD_STATE_CONNECTED, endpoint, COORD_OK, "");
  nothing_waits(queue);
  coord_client_free(client);
  coord_queue_free(queue);
  t_etcd_stop(cluster);
}

static void events_of_other_types_have_no_state(void) {
  coord_client *client = lazy_client(t_etcd_endpoint(t_etcd(), 0));
  coord_queue *queue = t_queue();
  coord_op *op = coord_op_get("absent", 6);
  T_OK(coord_submit(client, op, 0, queue, 1, NULL, &err), err);
  coord_event *event = coord_queue_next(queue, SOON_MS);
  T_INT(coord_event_type(event), COORD_EVENT_RESULT);
  T_INT(coord_event_state(event), 0);
  T_TRUE(coord_event_endpoint(event) == NULL && coord_event_text(event) == NULL);
  coord_event_free(event);
  T_INT(coord_event_state(NULL), 0);
  T_TRUE(coord_event_endpoint(NULL) == NULL);
  coord_op_free(op);
  coord_client_free(client);
  coord_queue_free(queue);
}

static bool is_connected(void *queue) {
  bool connected = false;
  for (coord_event *event; (event = coord_queue_next(queue, 0)) != NULL;) {
    connected |= coord_event_state(event) == COORD_STATE_CONNECTED;
    coord_event_free(event);
  }
  return connected;
}

static void another_queue_takes_over_and_none_ends_it(void) {
  char other[40];
  const char *here = t_etcd_endpoint(t_etcd(), 0);
  coord_client *client = lazy_client(here);
  T_TRUE(t_wait_until(can_read, client, 20000));
  snprintf(other, sizeof other, "localhost:%d", t_etcd_port(t_etcd(), 0));
  coord_queue *first = t_queue();
  coord_queue *second = t_queue();
  states_to(client, first);
  states_to(client, second);
  T_TRUE(t_wait_until(is_connected, first, SOON_MS));
  T_TRUE(t_wait_until(is_connected, second, SOON_MS));
  T_OK(coord_client_set_endpoints(client, other, &err), err);
  expect(second, COORD_STATE_ENDPOINTS, NULL, COORD_OK, other);
  T_TRUE(t_wait_until(can_read, client, 20000));
  expect(second, COORD_STATE_CONNECTED, other, COORD_OK, "");
  states_to(client, NULL);
  T_OK(coord_client_set_endpoints(client, here, &err), err);
  T_TRUE(t_wait_until(can_read, client, 20000));
  nothing_waits(first);
  nothing_waits(second);
  coord_client_free(client);
  coord_queue_free(first);
  coord_queue_free(second);
}

static void queue_and_client_may_go_in_any_order(void) {
  for (int order = 0; order < 2; order++) {
    coord_client *client = t_client();
    coord_queue *queue = t_queue();
    states_to(client, queue);
    if (order == 0) coord_queue_free(queue);
    T_OK(coord_client_set_endpoints(client, "127.0.0.1:1", &err), err);
    coord_client_free(client);
    if (order == 1) coord_queue_free(queue);
  }
}

static void arguments_are_checked(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  T_ERROR(coord_client_states_to(NULL, queue, 0, &err), COORD_INVALID, err, "client");
  T_OK(coord_client_close(client, 0, &err), err);
  T_ERROR(coord_client_states_to(client, queue, 0, &err), COORD_CLOSED, err, "closed");
  T_ERROR(coord_client_states_to(client, NULL, 0, &err), COORD_CLOSED, err, "closed");
  coord_client_free(client);
  coord_queue_free(queue);
}

T_MAIN(T_CASE(present_state_comes_first), T_CASE(unreachable_endpoint_is_told_once),
       T_CASE(death_and_return_of_a_server_are_told), T_CASE(events_of_other_types_have_no_state),
       T_CASE(another_queue_takes_over_and_none_ends_it),
       T_CASE(queue_and_client_may_go_in_any_order), T_CASE(arguments_are_checked))
