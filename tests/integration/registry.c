/* Registrations on a real server. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/lease.h"
#include "support/registry.h"

enum { TTL = 5, WAIT = 10000 };

static int keys(coord_client *client) {
  char prefix[t_key_size];
  coord_result *result = t_call(client, t_prefix(t_service_key(prefix, "")));
  int n = (int)coord_result_total(result);
  coord_result_free(result);
  return n;
}

/* The lease of a key; 0: there is no such key. */
static int64_t lease_of(coord_client *client, const char *rest) {
  char key[t_key_size];
  coord_kv kv = {0};
  coord_result *result = NULL;
  t_service_key(key, rest);
  T_CODE(coord_get(client, key, strlen(key), &result, NULL), COORD_OK);
  coord_result_kv(result, 0, &kv);
  int64_t id = kv.lease_id;
  coord_result_free(result);
  return id;
}

static void instance_comes_and_goes(void) {
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, NULL);
  coord_queue *queue = t_queue();
  coord_registration *reg = t_register(registry, "a", TTL, queue, 7);
  char key[t_key_size];
  coord_result *there = t_call(client, coord_op_registered(reg));
  T_TRUE(coord_result_revision(there) > 0);
  coord_event *event = coord_queue_next(queue, WAIT);
  T_INT(coord_event_type(event), COORD_EVENT_ACQUIRED);
  T_INT(coord_event_tag(event), 7);
  T_INT(coord_event_revision(event), coord_result_revision(there));
  coord_event_free(event);
  coord_result_free(there);
  T_TRUE(t_get_is(
      client, t_service_key(key, "web/a"),
      "{\"id\":\"a\",\"name\":\"web\",\"address\":\"127.0.0.1\",\"port\":80,\"metadata\":{},"
      "\"weight\":1,\"status\":\"up\"}"));
  T_TRUE(lease_of(client, "web/a") != 0);
  T_TRUE(coord_registration_remaining_ms(reg) > 1000);
  T_STR(t_discovered(client, registry, "web"), "a");
  T_STR(t_discovered(client, registry, "we"), "");
  int64_t lease = lease_of(client, "web/a");
  T_CODE(t_ends(client, coord_op_deregister(reg), WAIT), COORD_OK);
  T_TRUE(t_get_is(client, key, NULL));
  T_TRUE(t_registration_told(queue, WAIT, COORD_EVENT_CLOSED, 7, COORD_OK));
  T_INT(coord_registration_remaining_ms(reg), 0);
  T_CODE(t_ends(client, coord_op_deregister(reg), WAIT), COORD_OK);
  T_CODE(t_ends(client, coord_op_registered(reg), WAIT), COORD_CLOSED);
  T_CODE(t_ends(client, coord_op_update_instance(reg, "{}"), WAIT), COORD_CLOSED);
  coord_registration_free(reg);
  coord_registry_free(registry);
  T_TRUE(t_lease_quiet(queue, 0));
  for (int i = 0; i < 100 && t_lease_ttl(client, lease) >= 0; i++) usleep(20000);
  T_INT(t_lease_ttl(client, lease), -1); /* with the last registration on it */
  coord_queue_free(queue);
  coord_client_free(client);
}

static void second_id_is_a_conflict(void) {
  coord_client *clients[2] = {t_client(), t_client()};
  coord_registry *registry = t_registry(clients[0], NULL);
  coord_registration *first = t_register(registry, "a", TTL, NULL, 0);
  T_CODE(t_ends(clients[0], coord_op_registered(first), WAIT), COORD_OK);
  for (int i = 0; i < 3; i++) { /* the same registry, another one, another client */
    coord_client *client = clients[i == 2];
    coord_registry *other = i == 0 ? registry : t_registry(client, NULL);
    coord_queue *queue = t_queue();
    coord_registration *second = t_register(other, "a", TTL, queue, 2);
    coord_error *err = NULL;
    coord_op *op = coord_op_registered(second);
    coord_code code = coord_call(client, op, WAIT, NULL, &err);
    T_TRUE(code == COORD_CONFLICT);
    T_HAS(coord_error_message(err), "another instance has this id");
    coord_error_free(err);
    coord_op_free(op);
    T_TRUE(t_registration_told(queue, WAIT, COORD_EVENT_CLOSED, 2, COORD_CONFLICT));
    T_TRUE(t_lease_quiet(queue, 20));
    coord_registration_free(second);
    if (i > 0) coord_registry_free(other);
    coord_queue_free(queue);
  }
  T_STR(t_discovered(clients[0], registry, "web"), "a");
  coord_registry *taker = t_registry(clients[1], "registry.replace", "true", NULL);
  coord_registration *heir = t_register(taker, "a", TTL, NULL, 0);
  int64_t before = lease_of(clients[0], "web/a");
  T_CODE(t_ends(clients[1], coord_op_registered(heir), WAIT), COORD_OK);
  T_TRUE(lease_of(clients[0], "web/a") != before);
  T_CODE(t_ends(clients[0], coord_op_deregister(first), WAIT), COORD_OK);
  T_STR(t_discovered(clients[0], registry, "web"), "a"); /* it is not the first one's any more */
  coord_registration_free(first);
  coord_registration_free(heir);
  coord_registry_free(registry);
  coord_registry_free(taker);
  coord_client_free(clients[0]);
  coord_client_free(clients[1]);
}

static void updates_change_what_they_name(void) {
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, NULL);
  coord_registration *reg = NULL;
  coord_error *err = NULL;
  char key[t_key_size];
  T_OK(coord_registry_register(
           registry,
           "{\"id\":\"a\",\"name\":\"web\",\"address\":\"h\",\"metadata\":{\"zone\":"
           "\"eu\"},\"more\":[1]}",
           TTL, NULL, 0, &reg, &err),
       err);
  T_CODE(t_ends(client, coord_op_update_instance(reg, "{\"weight\":7,\"metadata\":{\"k\":\"v\"}}"),
                WAIT),
         COORD_OK); /* also before it is registered */
  int64_t lease = lease_of(client, "web/a");
  T_CODE(t_ends(client, coord_op_update_instance(reg, "{\"status\":\"draining\"}"), WAIT),
         COORD_OK);
  T_TRUE(t_get_is(
      client, t_service_key(key, "web/a"),
      "{\"id\":\"a\",\"name\":\"web\",\"address\":\"h\",\"metadata\":{\"zone\":\"eu\",\"k\":\"v\"},"
      "\"more\":[1],\"port\":0,\"weight\":7,\"status\":\"draining\"}"));
  T_TRUE(lease_of(client, "web/a") == lease);
  coord_instance *now = coord_registration_instance(reg);
  T_STR(coord_instance_status(now), "draining");
  coord_instance_free(now);
  char message[256];
  T_TRUE(t_call_fails(client, coord_op_update_instance(reg, "{\"port\":\"x\"}"), COORD_INVALID,
                      message));
  T_HAS(message, "field \"port\" is \"x\"");
  T_TRUE(t_call_fails(client, coord_op_update_instance(reg, "{\"id\":\"b\"}"), COORD_INVALID,
                      message));
  T_HAS(message, "field \"id\" is \"b\"");
  T_CODE(t_ends(client, coord_op_registered(reg), WAIT), COORD_OK);
  now = coord_registration_instance(reg);
  T_INT(coord_instance_weight(now), 7);
  coord_instance_free(now);
  coord_registration_free(reg);
  coord_registry_free(registry);
  coord_client_free(client);
}

static void too_large_an_update_is_refused(void) {
  coord_client *client = t_client_with("request.max.bytes", "2000", NULL);
  coord_registry *registry = t_registry(client, NULL);
  coord_registration *reg = t_register(registry, "a", TTL, NULL, 0);
  char patch[4000];
  snprintf(patch, sizeof patch, "{\"metadata\":{\"k\":\"%03000d\"}}", 0);
  T_CODE(t_ends(client, coord_op_registered(reg), WAIT), COORD_OK);
  T_CODE(t_ends(client, coord_op_update_instance(reg, patch), WAIT), COORD_TOO_LARGE);
  T_TRUE(coord_registration_remaining_ms(reg) > 0);
  coord_instance *now = coord_registration_instance(reg);
  T_STR(coord_instance_metadata(now, "k"), NULL);
  coord_instance_free(now);
  T_CODE(t_ends(client, coord_op_update_instance(reg, "{\"weight\":2}"), WAIT), COORD_OK);
  coord_registration_free(reg);
  coord_registry_free(registry);
  coord_client_free(client);
}

static void lost_lease_is_made_good(void) {
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, NULL);
  coord_queue *queue = t_queue();
  coord_registration *regs[3];
  for (int i = 0; i < 3; i++) {
    char id[16];
    snprintf(id, sizeof id, "i%d", i);
    regs[i] = t_register(registry, id, 3, queue, (uint64_t)i);
    T_CODE(t_ends(client, coord_op_registered(regs[i]), WAIT), COORD_OK);
    T_TRUE(t_registration_told(queue, WAIT, COORD_EVENT_ACQUIRED, (uint64_t)i, COORD_OK));
  }
  int64_t lease = lease_of(client, "web/i0");
  T_TRUE(lease_of(client, "web/i2") == lease);
  coord_result_free(t_call(client, coord_op_lease_revoke(lease)));
  T_STR(t_discovered(client, registry, "web"), "");
  for (int i = 0; i < 3; i++) {
    T_TRUE(t_registration_told(queue, WAIT, COORD_EVENT_LOST, (uint64_t)i, COORD_LOST));
  }
  bool seen[3] = {false};
  for (int i = 0; i < 3; i++) {
    coord_event *event = coord_queue_next(queue, WAIT);
    T_INT(coord_event_type(event), COORD_EVENT_RESTORED);
    if (event != NULL) seen[coord_event_tag(event) % 3] = true;
    coord_event_free(event);
  }
  T_TRUE(seen[0] && seen[1] && seen[2]);
  T_STR(t_discovered(client, registry, "web"), "i0 i1 i2");
  T_TRUE(lease_of(client, "web/i0") != lease && lease_of(client, "web/i0") != 0);
  for (int i = 0; i < 3; i++) coord_registration_free(regs[i]);
  coord_registry_free(registry);
  coord_client_free(client); /* which waits for what they have left to do */
  T_TRUE(t_lease_quiet(queue, 0));
  coord_queue_free(queue);
}

static void found_out_by_an_update(void) {
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, NULL);
  coord_queue *queue = t_queue();
  coord_registration *reg = t_register(registry, "a", 30, queue, 1);
  T_CODE(t_ends(client, coord_op_registered(reg), WAIT), COORD_OK);
  T_TRUE(t_registration_told(queue, WAIT, COORD_EVENT_ACQUIRED, 1, COORD_OK));
  coord_result_free(t_call(client, coord_op_lease_revoke(lease_of(client, "web/a"))));
  T_CODE(t_ends(client, coord_op_update_instance(reg, "{\"weight\":2}"), WAIT), COORD_OK);
  T_TRUE(t_registration_told(queue, WAIT, COORD_EVENT_LOST, 1, COORD_LOST));
  T_TRUE(t_registration_told(queue, WAIT, COORD_EVENT_RESTORED, 1, COORD_OK));
  T_STR(t_discovered(client, registry, "web"), "a");
  coord_registration_free(reg);
  coord_registry_free(registry);
  coord_client_free(client);
  coord_queue_free(queue);
}

static void deleted_one_comes_back_with_the_next_update(void) {
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, NULL);
  coord_registration *reg = t_register(registry, "a", TTL, NULL, 1);
  char key[t_key_size];
  T_CODE(t_ends(client, coord_op_registered(reg), WAIT), COORD_OK);
  t_service_key(key, "web/a");
  T_CODE(coord_delete(client, key, strlen(key), NULL, NULL), COORD_OK);
  T_CODE(t_ends(client, coord_op_update_instance(reg, "{\"weight\":2}"), WAIT), COORD_OK);
  T_STR(t_discovered(client, registry, "web"), "a");
  coord_registration_free(reg);
  coord_registry_free(registry);
  coord_client_free(client);
}

static void deleted_one_comes_back(void) {
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, NULL);
  coord_queue *queue = t_queue();
  coord_registration *regs[3];
  char prefix[t_key_size];
  int told[2] = {0};
  for (int i = 0; i < 3; i++) {
    char id[2] = {(char)('a' + i), '\0'};
    regs[i] = t_register(registry, id, 30, i < 2 ? queue : NULL, (uint64_t)i);
    T_CODE(t_ends(client, coord_op_registered(regs[i]), WAIT), COORD_OK);
  }
  int64_t lease = lease_of(client, "web/a");
  T_CODE(t_ends(client, coord_op_deregister(regs[2]), WAIT), COORD_OK);
  for (int round = 0; round < 2; round++) {
    coord_op *all = coord_op_delete(t_service_key(prefix, ""), strlen(prefix));
    coord_op_set_prefix(all);
    coord_result_free(t_call(client, all));
    while (told[0] + told[1] < 4) {
      coord_event *event = coord_queue_next(queue, WAIT);
      T_FATAL(event != NULL);
      int32_t type = coord_event_type(event);
      if (type == COORD_EVENT_LOST) T_HAS(coord_error_message(coord_event_error(event)), "deleted");
      if (type == COORD_EVENT_LOST || type == COORD_EVENT_RESTORED) {
        T_INT(told[coord_event_tag(event)]++, type == COORD_EVENT_LOST ? 0 : 1);
      }
      coord_event_free(event);
    }
    T_INT(told[0], 2);
    T_INT(told[1], 2);
    T_INT(keys(client), 2);
    told[0] = told[1] = 0;
  }
  T_TRUE(lease_of(client, "web/a") == lease);
  for (int i = 0; i < 3; i++) coord_registration_free(regs[i]);
  coord_registry_free(registry);
  coord_client_free(client);
  coord_queue_free(queue);
}

static void freed_ones_are_gone_before_the_client(void) {
  coord_client *client = t_client(), *other = t_client();
  coord_registry *registry = t_registry(client, NULL);
  coord_registration *waiting = t_register(registry, "a", TTL, NULL, 0); /* perhaps not sent yet */
  coord_registration *there = t_register(registry, "b", TTL, NULL, 0);
  T_CODE(t_ends(client, coord_op_registered(there), WAIT), COORD_OK);
  coord_registry_free(registry); /* in any order */
  coord_registration_free(t_register(registry = t_registry(client, NULL), "c", TTL, NULL, 0));
  coord_registration_free(waiting);
  coord_registration_free(there);
  coord_registry_free(registry);
  T_CODE(coord_client_close(client, WAIT, NULL), COORD_OK);
  coord_client_free(client);
  T_INT(keys(other), 0);
  coord_client_free(other);
}

static void closed_client_ends_all(void) {
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, NULL);
  coord_queue *queue = t_queue();
  coord_registration *reg = t_register(registry, "a", TTL, queue, 1), *none = NULL;
  coord_error *err = NULL;
  T_CODE(t_ends(client, coord_op_registered(reg), WAIT), COORD_OK);
  T_TRUE(t_registration_told(queue, WAIT, COORD_EVENT_ACQUIRED, 1, COORD_OK));
  T_CODE(coord_client_close(client, WAIT, NULL), COORD_OK);
  T_TRUE(t_registration_told(queue, WAIT, COORD_EVENT_CLOSED, 1, COORD_CLOSED));
  T_INT(coord_registration_remaining_ms(reg), 0);
  T_ERROR(coord_registry_register(registry, "{}", TTL, NULL, 0, &none, &err), COORD_CLOSED, err,
          "closed");
  coord_registration_free(reg);
  coord_registry_free(registry);
  coord_client_free(client);
  T_TRUE(t_lease_quiet(queue, 0));
  coord_queue_free(queue);
}

static void waiting_ends_early(void) {
  coord_client *client = t_client_with("endpoints", "127.0.0.1:1", "connect.lazy", "true", NULL);
  coord_registry *registry = t_registry(client, NULL);
  coord_queue *queue = t_queue();
  coord_registration *reg = t_register(registry, "a", TTL, NULL, 0);
  char message[256];
  uint64_t id = 0;
  coord_op *op = coord_op_registered(reg);
  T_CODE(t_ends(client, coord_op_registered(reg), 50), COORD_TIMEOUT);
  T_CODE(coord_submit(client, op, -1, queue, 5, &id, NULL), COORD_OK);
  T_CODE(coord_cancel(client, id), COORD_OK);
  coord_event *event = coord_queue_next(queue, WAIT);
  T_CODE(coord_event_code(event), COORD_CANCELED);
  coord_event_free(event);
  T_CODE(coord_submit(client, op, -1, queue, 6, &id, NULL), COORD_OK);
  coord_op_free(op);
  (void)message;
  coord_registration_free(reg); /* which has nothing to say to the server */
  event = coord_queue_next(queue, WAIT);
  T_INT(coord_event_tag(event), 6);
  T_CODE(coord_event_code(event), COORD_CANCELED);
  coord_event_free(event);
  coord_registry_free(registry);
  T_CODE(coord_client_close(client, 2000, NULL), COORD_OK);
  coord_client_free(client);
  coord_queue_free(queue);
}

static void values_of_others_are_passed_over(void) {
  coord_client *client = t_client_with("log.level", "warn", NULL);
  coord_queue *log = t_queue();
  coord_registry *registry = t_registry(client, NULL);
  char key[t_key_size];
  T_CODE(coord_client_log_to(client, log, 3, NULL), COORD_OK);
  t_put(client, t_service_key(key, "web/good"), "{\"address\":\"h\",\"port\":1}");
  t_put(client, t_service_key(key, "web/bad"), "{\"address\":7}");
  t_put(client, t_service_key(key, "web/worse"), "hello");
  coord_result *result = t_call(client, coord_op_discover(registry, "web"));
  T_INT(coord_result_count(result), 1);
  T_INT(coord_result_total(result), 1);
  T_STR(coord_result_json(result),
        "[{\"address\":\"h\",\"port\":1,\"name\":\"web\",\"id\":\"good\",\"metadata\":{},"
        "\"weight\":1,"
        "\"status\":\"up\"}]");
  coord_result_free(result);
  for (int i = 0; i < 2; i++) {
    coord_event *event = coord_queue_next(log, WAIT);
    T_HAS(coord_event_text(event), i == 0
                                       ? "web/bad is passed over: instance: field \"address\" is 7"
                                       : "web/worse is passed over: instance: is no JSON");
    coord_event_free(event);
  }
  coord_registry_free(registry);
  coord_client_free(client);
  coord_queue_free(log);
}

static void endpoints_as_go_has_them(void) {
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, "registry.format", "etcd-naming", NULL);
  coord_registration *reg = NULL;
  coord_error *err = NULL;
  char key[t_key_size];
  T_OK(coord_registry_register(registry, "{\"name\":\"web\",\"address\":\"10.0.0.1\",\"port\":80}",
                               TTL, NULL, 0, &reg, &err),
       err);
  T_CODE(t_ends(client, coord_op_registered(reg), WAIT), COORD_OK);
  T_TRUE(t_get_is(client, t_service_key(key, "web/10.0.0.1:80"),
                  "{\"Op\":0,\"Addr\":\"10.0.0.1:80\",\"Metadata\":null}"));
  t_put(client, t_service_key(key, "web/of/go"),
        "{\"Op\":0,\"Addr\":\"h:1\",\"Metadata\":{\"a\":\"b\"}}");
  coord_result *result = t_call(client, coord_op_discover(registry, "web"));
  T_INT(coord_result_count(result), 2);
  T_HAS(coord_result_json(result),
        "{\"id\":\"of/go\",\"name\":\"web\",\"address\":\"h\",\"port\":1,"
        "\"metadata\":{\"a\":\"b\"}");
  coord_result_free(result);
  coord_registration_free(reg);
  coord_registry_free(registry);
  coord_client_free(client);
}

static void many_on_few_leases(void) {
  enum { MANY = 2500 };
  static coord_registration *regs[MANY];
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, NULL);
  coord_queue *queue = t_queue();
  int64_t leases[8] = {0};
  for (int i = 0; i < MANY; i++) {
    char id[16];
    snprintf(id, sizeof id, "i%04d", i);
    regs[i] = t_register(registry, id, 30, queue, (uint64_t)i);
  }
  for (int i = 0; i < MANY; i++) {
    coord_event *event = coord_queue_next(queue, WAIT * T_SLOW);
    T_FATAL(event != NULL);
    T_INT(coord_event_type(event), COORD_EVENT_ACQUIRED);
    coord_event_free(event);
  }
  T_INT(keys(client), MANY);
  char prefix[t_key_size];
  coord_result *result = t_call(client, t_prefix(t_service_key(prefix, "")));
  int count = 0;
  for (size_t i = 0; i < coord_result_count(result); i++) {
    coord_kv kv = {0};
    int at = 0;
    coord_result_kv(result, i, &kv);
    while (at < count && leases[at] != kv.lease_id) at++;
    if (at == count && count < 8) leases[count++] = kv.lease_id;
  }
  coord_result_free(result);
  T_INT(count, 3);
  for (int i = 0; i < MANY; i++) coord_registration_free(regs[i]);
  coord_registry_free(registry);
  T_CODE(coord_client_close(client, WAIT * T_SLOW, NULL), COORD_OK);
  coord_client_free(client);
  client = t_client();
  T_INT(keys(client), 0);
  for (int i = 0; i < count; i++) T_INT(t_lease_ttl(client, leases[i]), -1);
  coord_client_free(client);
  coord_queue_free(queue);
}

static void bad_arguments(void) {
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, NULL);
  coord_registration *reg = NULL;
  coord_error *err = NULL;
  static const char good[] = "{\"name\":\"web\",\"address\":\"h\"}";
  T_ERROR(coord_registry_open(NULL, NULL, &registry, &err), COORD_INVALID, err, "client is NULL");
  T_ERROR(coord_registry_open(client, NULL, NULL, &err), COORD_INVALID, err, "out is NULL");
  T_ERROR(coord_registry_register(NULL, good, TTL, NULL, 0, &reg, &err), COORD_INVALID, err,
          "registry");
  T_ERROR(coord_registry_register(registry, NULL, TTL, NULL, 0, &reg, &err), COORD_INVALID, err,
          "instance_json is NULL");
  T_ERROR(coord_registry_register(registry, good, 0, NULL, 0, &reg, &err), COORD_INVALID, err,
          "ttl_s is 0; expected 1 to");
  T_ERROR(coord_registry_register(registry, good, TTL, NULL, 0, NULL, &err), COORD_INVALID, err,
          "out");
  T_ERROR(coord_registry_register(registry, "{\"name\":\"web\"}", TTL, NULL, 0, &reg, &err),
          COORD_INVALID, err, "field \"address\" is missing");
  T_TRUE(coord_op_registered(NULL) == NULL && coord_op_deregister(NULL) == NULL);
  T_TRUE(coord_op_update_instance(NULL, "{}") == NULL && coord_op_discover(NULL, "a") == NULL);
  T_TRUE(coord_op_discover(registry, NULL) == NULL);
  T_TRUE(coord_registration_instance(NULL) == NULL);
  T_INT(coord_registration_remaining_ms(NULL), 0);
  coord_registration_free(NULL);
  coord_registry_free(NULL);
  coord_registry_free(registry);
  coord_client_free(client);
}

static void under_a_namespace(void) {
  char key[t_key_size];
  coord_client *client = t_client_with("namespace", "space/", NULL), *whole = t_client();
  coord_registry *registry = t_registry(client, NULL);
  coord_registration *reg = t_register(registry, "a", TTL, NULL, 0);
  T_CODE(t_ends(client, coord_op_registered(reg), WAIT), COORD_OK);
  T_STR(t_discovered(client, registry, "web"), "a");
  char text[t_key_size + 10];
  snprintf(text, sizeof text, "space/%s", t_service_key(key, "web/a"));
  coord_result *result = NULL;
  T_CODE(coord_get(whole, text, strlen(text), &result, NULL), COORD_OK);
  T_INT(coord_result_count(result), 1);
  coord_result_free(result);
  coord_registration_free(reg);
  coord_registry_free(registry);
  coord_client_free(client);
  coord_client_free(whole);
}

T_MAIN(T_CASE(instance_comes_and_goes), T_CASE(second_id_is_a_conflict),
       T_CASE(updates_change_what_they_name), T_CASE(too_large_an_update_is_refused),
       T_CASE(lost_lease_is_made_good), T_CASE(found_out_by_an_update),
       T_CASE(deleted_one_comes_back_with_the_next_update), T_CASE(deleted_one_comes_back),
       T_CASE(freed_ones_are_gone_before_the_client), T_CASE(closed_client_ends_all),
       T_CASE(waiting_ends_early), T_CASE(values_of_others_are_passed_over),
       T_CASE(endpoints_as_go_has_them), T_CASE(many_on_few_leases), T_CASE(bad_arguments),
       T_CASE(under_a_namespace))
