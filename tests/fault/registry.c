/* Registrations while their server dies and comes back, hangs, or loses connections and answers. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/lease.h"
#include "support/proxy.h"
#include "support/registry.h"

enum { MANY = 300, WAIT = 20000 };

static coord_registration *regs[MANY];

static void register_many(coord_registry *registry, int count, int64_t ttl_s, coord_queue *queue) {
  for (int i = 0; i < count; i++) {
    char id[16];
    snprintf(id, sizeof id, "i%04d", i);
    regs[i] = t_register(registry, id, ttl_s, queue, (uint64_t)i);
  }
}

/* Until each of them has told this once; none tells anything else but AT_RISK, `also`, and, where it may
 * come back, LOST: on a machine that stands still for long. */
static void all_tell(coord_queue *queue, int count, int32_t type, int32_t also, int timeout_ms) {
  bool told[MANY] = {false};
  int64_t until = t_now_ms() + timeout_ms;
  for (int n = 0; n < count;) {
    int64_t left = until - t_now_ms();
    coord_event *event = coord_queue_next(queue, left > 0 ? (int32_t)left : 0);
    if (event == NULL) {
      T_FAIL("%d of %d have told %d", n, count, (int)type);
      return;
    }
    uint64_t tag = coord_event_tag(event);
    int32_t got = coord_event_type(event);
    if (got == type && tag < MANY && !told[tag]) {
      told[tag] = true;
      n++;
    } else if (got != COORD_EVENT_AT_RISK && got != also && (got != COORD_EVENT_LOST || also < 0)) {
      T_FAIL("%d tells %d, code %s", (int)tag, (int)got, coord_code_name(coord_event_code(event)));
    }
    coord_event_free(event);
  }
}

/* Until the last word of each is that it is back. A server that has just started may be so slow that some
 * are lost once more. */
static void all_return(coord_queue *queue, int count, int timeout_ms) {
  bool there[MANY] = {false};
  int64_t until = t_now_ms() + timeout_ms;
  for (int n = 0; n < count;) {
    int64_t left = until - t_now_ms();
    coord_event *event = coord_queue_next(queue, left > 0 ? (int32_t)left : 0);
    if (event == NULL) {
      T_FAIL("%d of %d are back", n, count);
      return;
    }
    uint64_t tag = coord_event_tag(event) % MANY;
    int32_t type = coord_event_type(event);
    if (type == COORD_EVENT_CLOSED) T_FAIL("%d is closed", (int)tag);
    if (type == COORD_EVENT_RESTORED || type == COORD_EVENT_LOST) {
      n += (type == COORD_EVENT_RESTORED) - there[tag];
      there[tag] = type == COORD_EVENT_RESTORED;
    }
    coord_event_free(event);
  }
}

/* Each is there once, under a lease that lives. */
static void all_are_there(coord_client *client, coord_registry *registry, int count) {
  coord_result *result = t_call(client, coord_op_discover(registry, "web"));
  int64_t last = 0;
  T_INT(coord_result_count(result), count);
  for (size_t i = 0; i < coord_result_count(result); i++) {
    coord_kv kv = {0};
    coord_result_kv(result, i, &kv);
    if (kv.lease_id != last && t_lease_ttl(client, kv.lease_id) <= 0) T_FAIL("a lease is dead");
    last = kv.lease_id;
  }
  coord_result_free(result);
  for (int i = 0; i < count; i++) T_TRUE(coord_registration_remaining_ms(regs[i]) > 0);
}

static void free_all(coord_client *client, coord_registry *registry, int count) {
  for (int i = 0; i < count; i++) coord_registration_free(regs[i]);
  T_CODE(coord_client_close(client, WAIT, NULL), COORD_OK);
  coord_registry_free(registry);
  coord_client_free(client);
}

static void all_come_back_with_their_server(void) {
  enum { TTL = 3 };
  t_cluster *etcd = t_etcd_start(NULL);
  coord_client *client =
      t_client_with("endpoints", t_etcd_endpoint(etcd, 0), "log.level", "off", NULL);
  coord_registry *registry = t_registry(client, NULL);
  coord_queue *queue = t_queue();
  register_many(registry, MANY, TTL, queue);
  all_tell(queue, MANY, COORD_EVENT_ACQUIRED, COORD_EVENT_RESTORED, WAIT);
  t_etcd_kill(etcd, 0);
  all_tell(queue, MANY, COORD_EVENT_LOST, COORD_EVENT_RESTORED, WAIT); /* after AT_RISK */
  usleep(300000);
  t_etcd_restart(etcd, 0);
  int64_t began = t_now_ms();
  all_return(queue, MANY, WAIT);
  T_WITHIN(began, (TTL + 5) * 1000);
  all_are_there(client, registry, MANY);
  usleep((TTL + 1) * 1000000); /* beyond the end of the leases before */
  all_are_there(client, registry, MANY);
  for (coord_event *event; (event = coord_queue_next(queue, 0)) != NULL;) {
    T_TRUE(coord_event_type(event) != COORD_EVENT_LOST);
    coord_event_free(event);
  }
  free_all(client, registry, MANY);
  coord_queue_free(queue);
  t_etcd_stop(etcd);
}

static void a_short_absence_is_not_noticed(void) {
  t_cluster *etcd = t_etcd_start(NULL);
  coord_client *client =
      t_client_with("endpoints", t_etcd_endpoint(etcd, 0), "log.level", "off", NULL);
  coord_registry *registry = t_registry(client, NULL);
  coord_queue *queue = t_queue();
  register_many(registry, 50, 10, queue);
  all_tell(queue, 50, COORD_EVENT_ACQUIRED, -1, WAIT);
  t_etcd_kill(etcd, 0);
  t_etcd_restart(etcd, 0);
  T_CODE(t_ends(client, coord_op_update_instance(regs[7], "{\"weight\":3}"), WAIT), COORD_OK);
  all_are_there(client, registry, 50);
  T_TRUE(t_lease_quiet(queue, 0));
  free_all(client, registry, 50);
  coord_queue_free(queue);
  t_etcd_stop(etcd);
}

/* What was lost by our clock is there still when the server goes on: it is taken over from ourselves. */
static void a_server_that_hung_is_no_conflict(void) {
  t_cluster *etcd = t_etcd_start(NULL);
  coord_client *client =
      t_client_with("endpoints", t_etcd_endpoint(etcd, 0), "log.level", "off", NULL);
  coord_registry *registry = t_registry(client, NULL);
  coord_queue *queue = t_queue();
  register_many(registry, 20, 2, queue);
  all_tell(queue, 20, COORD_EVENT_ACQUIRED, COORD_EVENT_RESTORED, WAIT);
  t_etcd_pause(etcd, 0);
  all_tell(queue, 20, COORD_EVENT_LOST, COORD_EVENT_RESTORED, WAIT);
  t_etcd_resume(etcd, 0);
  all_return(queue, 20, WAIT);
  all_are_there(client, registry, 20);
  free_all(client, registry, 20);
  coord_queue_free(queue);
  t_etcd_stop(etcd);
}

static void lost_answers_are_found_out(void) {
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client = t_client_with("endpoints", t_proxy_endpoint(proxy), "log.level", "off",
                                       "request.timeout.ms", "300", NULL);
  coord_registry *registry = t_registry(client, NULL);
  coord_queue *queue = t_queue();
  register_many(registry, 1, 60, queue);
  all_tell(queue, 1, COORD_EVENT_ACQUIRED, -1, WAIT);
  coord_registration *first = regs[0];
  coord_registry *more = t_registry(client, "registry.prefix", "lost-answers", NULL);
  for (int round = 0; round < 3; round++) {
    t_proxy_mute(proxy, true); /* written, and nobody is told */
    for (int i = 0; i < 30; i++) {
      char id[16];
      snprintf(id, sizeof id, "i%04d", round * 30 + i);
      regs[round * 30 + i] = t_register(more, id, 60, queue, (uint64_t)(round * 30 + i));
    }
    usleep(400000);
    t_proxy_mute(proxy, false);
  }
  all_tell(queue, 90, COORD_EVENT_ACQUIRED, -1, WAIT);
  all_are_there(client, more, 90);
  t_proxy_mute(proxy, true); /* the same for the end */
  for (int i = 0; i < 90; i++) coord_registration_free(regs[i]);
  coord_registration_free(first);
  usleep(400000);
  t_proxy_mute(proxy, false);
  T_CODE(coord_client_close(client, WAIT, NULL), COORD_OK);
  coord_registry_free(registry);
  coord_registry_free(more);
  coord_client_free(client);
  t_proxy_stop(proxy);
  client = t_client();
  coord_result *result = t_call(client, t_prefix("lost-answers/"));
  T_INT(coord_result_total(result), 0);
  coord_result_free(result);
  coord_client_free(client);
  coord_queue_free(queue);
}

/* A server that is not there yet is no failure. */
static void registered_once_there_is_a_server(void) {
  t_cluster *etcd = t_etcd_start(NULL);
  t_etcd_kill(etcd, 0);
  coord_client *client = t_client_with("endpoints", t_etcd_endpoint(etcd, 0), "log.level", "off",
                                       "connect.lazy", "true", NULL);
  coord_registry *registry = t_registry(client, NULL);
  coord_queue *queue = t_queue();
  register_many(registry, 5, 5, queue);
  T_CODE(t_ends(client, coord_op_registered(regs[0]), 300), COORD_TIMEOUT);
  T_TRUE(t_lease_quiet(queue, 0));
  t_etcd_restart(etcd, 0);
  T_CODE(t_ends(client, coord_op_registered(regs[0]), WAIT), COORD_OK);
  all_tell(queue, 5, COORD_EVENT_ACQUIRED, -1, WAIT);
  all_are_there(client, registry, 5);
  free_all(client, registry, 5);
  coord_queue_free(queue);
  t_etcd_stop(etcd);
}

/* Its id was taken by another while it was away: it gives up, and leaves that alone. */
static void one_whose_id_was_taken_gives_up(void) {
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client =
      t_client_with("endpoints", t_proxy_endpoint(proxy), "log.level", "off", NULL);
  coord_client *other = t_client();
  coord_registry *registry = t_registry(client, "registry.replace", "true", NULL);
  coord_registry *others = t_registry(other, NULL);
  coord_queue *queue = t_queue();
  coord_registration *reg = t_register(registry, "a", 2, queue, 1);
  T_TRUE(t_registration_told(queue, WAIT, COORD_EVENT_ACQUIRED, 1, COORD_OK));
  t_proxy_refuse(proxy, true);
  T_TRUE(t_registration_told(queue, WAIT, COORD_EVENT_LOST, 1, COORD_LOST));
  coord_registration *heir = NULL;
  for (int i = 0; i < 100; i++) { /* until the server has noticed too */
    heir = t_register(others, "a", 5, NULL, 0);
    if (t_ends(other, coord_op_registered(heir), WAIT) == COORD_OK) break;
    coord_registration_free(heir);
    usleep(100000);
  }
  t_proxy_refuse(proxy, false);
  T_TRUE(t_registration_told(queue, WAIT, COORD_EVENT_CLOSED, 1, COORD_CONFLICT));
  T_CODE(t_ends(client, coord_op_registered(reg), WAIT), COORD_CONFLICT);
  coord_registration_free(reg);
  T_STR(t_discovered(other, others, "web"), "a");
  T_TRUE(coord_registration_remaining_ms(heir) > 0);
  coord_registration_free(heir);
  coord_registry_free(registry);
  coord_registry_free(others);
  coord_client_free(client);
  coord_client_free(other);
  t_proxy_stop(proxy);
  coord_queue_free(queue);
}

T_MAIN(T_CASE(all_come_back_with_their_server), T_CASE(a_short_absence_is_not_noticed),
       T_CASE(a_server_that_hung_is_no_conflict), T_CASE(lost_answers_are_found_out),
       T_CASE(registered_once_there_is_a_server), T_CASE(one_whose_id_was_taken_gives_up))
