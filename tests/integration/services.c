/* The local view of services: discovery, its events, the guard, and pickers. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "support/lease.h"
#include "support/proxy.h"
#include "support/registry.h"

enum { TTL = 5, WAIT = 10000 };

/* The ids that are there by the local view, as "a b c". */
static const char *local(coord_registry *registry, const char *service) {
  static char text[1000];
  coord_instances *all = NULL;
  coord_error *err = NULL;
  size_t used = 0;
  text[0] = '\0';
  T_OK(coord_registry_discover(registry, service, WAIT, &all, &err), err);
  for (size_t i = 0; i < coord_instances_count(all) && used < sizeof text - 100; i++) {
    used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used > 0 ? " " : "",
                             coord_instance_id(coord_instances_at(all, i)));
  }
  coord_instances_free(all);
  return text;
}

typedef struct wanted {
  coord_registry *registry;
  const char *ids;
} wanted;

static bool is_so(void *arg) {
  const wanted *w = arg;
  return strcmp(local(w->registry, "web"), w->ids) == 0;
}

static void becomes(coord_registry *registry, const char *ids) {
  wanted w = {registry, ids};
  if (!t_wait_until(is_so, &w, WAIT))
    T_FAIL("there are \"%s\", not \"%s\"", local(registry, "web"), ids);
}

/* The next event of a discovery, as "+a -b *c: all of them". */
static const char *told(coord_queue *queue, uint64_t tag) {
  static char text[1000];
  coord_event *event = coord_queue_next(queue, WAIT);
  size_t used = 0;
  text[0] = '\0';
  if (event == NULL) return "nothing";
  T_INT(coord_event_type(event), COORD_EVENT_CHANGES);
  T_INT(coord_event_tag(event), tag);
  for (size_t i = 0; i < coord_event_count(event); i++) {
    int32_t change = 0;
    const coord_instance *instance = coord_event_instance(event, i, &change);
    used += (size_t)snprintf(text + used, sizeof text - used, "%c%s ", "+-*"[change],
                             coord_instance_id(instance));
  }
  const coord_instances *all = coord_event_instances(event);
  used += (size_t)snprintf(text + used, sizeof text - used,
                           coord_instances_guarded(all) ? "guarded:" : ":");
  for (size_t i = 0; i < coord_instances_count(all); i++) {
    used += (size_t)snprintf(text + used, sizeof text - used, " %s",
                             coord_instance_id(coord_instances_at(all, i)));
  }
  T_CODE(coord_event_change(event, 0, NULL, NULL, NULL), COORD_INVALID);
  coord_event_free(event);
  return text;
}

static void put(coord_client *client, const char *id, const char *rest) {
  char key[t_key_size], name[40], value[200];
  snprintf(name, sizeof name, "web/%s", id);
  snprintf(value, sizeof value, "{\"address\":\"h\"%s}", rest);
  t_put(client, t_service_key(key, name), value);
}

static void take_away(coord_client *client, const char *id) {
  char key[t_key_size], name[40];
  snprintf(name, sizeof name, "web/%s", id);
  t_service_key(key, name);
  T_CODE(coord_delete(client, key, strlen(key), NULL, NULL), COORD_OK);
}

static void view_follows_the_store(void) {
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, NULL);
  T_INT(coord_registry_staleness_ms(registry), -1);
  T_STR(local(registry, "web"), "");
  for (int i = 0; i < 500 && coord_registry_staleness_ms(registry) != 0; i++) usleep(10000);
  T_INT(coord_registry_staleness_ms(registry), 0); /* since the watch stands */
  coord_registration *a = t_register(registry, "a", TTL, NULL, 0);
  coord_registration *b = t_register(registry, "b", TTL, NULL, 0);
  becomes(registry, "a b");
  T_CODE(t_ends(client,
                coord_op_update_instance(b, "{\"status\":\"draining\",\"metadata\":{\"k\":\"v\"}}"),
                WAIT),
         COORD_OK);
  coord_instances *all = NULL;
  for (int i = 0; i < 200; i++) {
    T_CODE(coord_registry_discover(registry, "web", WAIT, &all, NULL), COORD_OK);
    if (strcmp(coord_instance_status(coord_instances_at(all, 1)), "draining") == 0) break;
    coord_instances_free(all);
    all = NULL;
    usleep(10000);
  }
  T_STR(coord_instance_metadata(coord_instances_at(all, 1), "k"), "v");
  T_TRUE(coord_instances_revision(all) > 0);
  T_INT(coord_instances_guarded(all), 0);
  T_TRUE(coord_instances_at(all, 2) == NULL);
  coord_instance *kept = coord_instance_keep(coord_instances_at(all, 0));
  char *json = coord_instances_json(all);
  T_HAS(json, "[{\"id\":\"a\",");
  coord_memory_free(json);
  coord_instances_free(all);
  coord_registration_free(a);
  becomes(registry, "b");
  coord_registration_free(b);
  becomes(registry, "");
  coord_registry_free(registry);
  T_STR(coord_instance_id(kept), "a");
  coord_instance_free(kept);
  coord_client_free(client);
}

static void services_are_listed(void) {
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, NULL);
  char key[t_key_size], *json = NULL;
  T_CODE(coord_registry_services(registry, WAIT, &json, NULL), COORD_OK);
  T_STR(json, "[]");
  coord_memory_free(json);
  coord_registry_free(registry);
  static const char *const names[] = {"web/a", "web/b", "we/a", "web-2/x/y", "a\"b\\/1", "alone"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    t_put(client, t_service_key(key, names[i]), "{}");
  registry = t_registry(client, NULL);
  T_CODE(coord_registry_services(registry, WAIT, &json, NULL), COORD_OK);
  T_STR(json, "[\"a\\\"b\\\\\",\"we\",\"web-2\",\"web\"]"); /* in the order of the keys */
  coord_memory_free(json);
  coord_registry_free(registry);
  coord_client_free(client);
}

static void discoveries_tell_what_changes(void) {
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, NULL);
  coord_queue *queue = t_queue();
  coord_discovery *d = NULL, *other = NULL;
  put(client, "a", "");
  T_CODE(coord_discovery_open(registry, "web", queue, 4, &d, NULL), COORD_OK);
  T_STR(told(queue, 4), "+a : a");
  T_CODE(coord_discovery_open(registry, "none", queue, 5, &other, NULL), COORD_OK);
  T_STR(told(queue, 5), ":");
  put(client, "b", "");
  T_STR(told(queue, 4), "+b : a b");
  put(client, "a", ",\"weight\":2");
  T_STR(told(queue, 4), "*a : a b");
  take_away(client, "a");
  T_STR(told(queue, 4), "-a : b");
  /* What was not taken out is told at once with the rest: only what differs in the end. */
  put(client, "c", "");
  put(client, "d", "");
  take_away(client, "c");
  take_away(client, "b");
  usleep(200000 * T_SLOW);
  T_STR(told(queue, 4), "-b +d : d");
  put(client, "e", "");
  take_away(client, "e");
  put(client, "d", ""); /* the last one: all is there by the time it is */
  usleep(200000 * T_SLOW);
  T_STR(told(queue, 4), "*d : d");
  T_TRUE(t_lease_quiet(queue, 50));
  put(client, "f", "");
  usleep(200000 * T_SLOW);
  coord_discovery_free(d); /* with what is waiting */
  T_TRUE(t_lease_quiet(queue, 50));
  coord_registry_free(registry); /* whose view the other one goes on to use */
  T_CODE(coord_client_close(client, WAIT, NULL), COORD_OK);
  coord_event *event = coord_queue_next(queue, WAIT);
  T_INT(coord_event_type(event), COORD_EVENT_CLOSED);
  T_INT(coord_event_tag(event), 5);
  T_CODE(coord_event_code(event), COORD_CLOSED);
  T_TRUE(coord_event_instances(event) == NULL && coord_event_instance(event, 0, NULL) == NULL);
  coord_event_free(event);
  coord_discovery_free(other);
  coord_client_free(client);
  coord_queue_free(queue);
}

static void guard_holds_most_of_them_back(void) {
  coord_client *client = t_client();
  coord_registry *registry =
      t_registry(client, "registry.guard.percent", "60", "registry.guard.ms", "1000", NULL);
  coord_queue *queue = t_queue();
  coord_discovery *d = NULL;
  put(client, "a", "");
  put(client, "b", "");
  put(client, "c", "");
  T_CODE(coord_discovery_open(registry, "web", queue, 1, &d, NULL), COORD_OK);
  T_STR(told(queue, 1), "+a +b +c : a b c");
  char from[t_key_size];
  t_service_key(from, "web/");
  coord_op *op = coord_op_delete(from, strlen(from));
  coord_op_set_prefix(op);
  int64_t began = t_now_ms();
  coord_result_free(t_call(client, op));
  T_STR(told(queue, 1), "guarded: a b c");
  T_STR(local(registry, "web"), "a b c");
  T_STR(told(queue, 1), "-a -b -c :");
  T_TRUE(t_now_ms() - began >= 990);
  T_STR(local(registry, "web"), "");
  coord_discovery_free(d);
  coord_registry_free(registry);
  coord_client_free(client);
  coord_queue_free(queue);
}

/* Written by another process, which has the memory for it. */
static void put_from_elsewhere(const char *id) {
  char key[t_key_size], name[40];
  snprintf(name, sizeof name, "web/%s", id);
  t_service_key(key, name);
  fflush(NULL);
  pid_t pid = fork();
  T_FATAL(pid >= 0);
  if (pid == 0) {
    static const char value[] = "{\"address\":\"h\"}";
    coord__alloc_fail_after(-1);
    alarm(20 * T_SLOW);
    coord_client *client = t_client();
    _exit(coord_put(client, key, strlen(key), value, sizeof value - 1, NULL) == COORD_OK ? 0 : 1);
  }
  int status = 0;
  T_TRUE(waitpid(pid, &status, 0) == pid);
  T_INT(status, 0);
}

/* Until it is told to be there. Nothing is told to have gone. */
static bool comes(coord_queue *queue, const char *id) {
  bool came = false;
  coord_event *event;
  while (!came && (event = coord_queue_next(queue, WAIT)) != NULL) {
    int32_t change;
    for (size_t n = 0; n < coord_event_count(event); n++) {
      const coord_instance *i = coord_event_instance(event, n, &change);
      if (change != COORD_INSTANCE_UP)
        T_FAIL("%s is told as %d", coord_instance_id(i), (int)change);
      if (strcmp(coord_instance_id(i), id) == 0) came = true;
    }
    coord_event_free(event);
  }
  return came;
}

static void what_memory_was_out_for_is_told_later(void) {
  enum { MOST = 150, ENOUGH = 5 };
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, NULL);
  coord_queue *queue = t_queue();
  coord_discovery *d = NULL;
  put(client, "first", "");
  T_CODE(coord_discovery_open(registry, "web", queue, 1, &d, NULL), COORD_OK);
  T_TRUE(comes(queue, "first"));
  for (int n = 0, spared = 0; n < MOST && spared < ENOUGH; n++) {
    char id[16];
    snprintf(id, sizeof id, "i%03d", n);
    coord__alloc_fail_after(n);
    put_from_elsewhere(id);
    for (int i = 0; i < 10 && coord__alloc_count() <= n; i++) usleep(1000);
    spared = coord__alloc_count() <= n ? spared + 1 : 0;
    coord__alloc_fail_after(-1);
    if (comes(queue, id)) continue;
    T_FAIL("with %d allocations it is never told", n);
    break;
  }
  coord_discovery_free(d);
  coord_registry_free(registry);
  coord_client_free(client);
  coord_queue_free(queue);
}

static void what_was_there_stays_when_the_server_is_gone(void) {
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client =
      t_client_with("endpoints", t_proxy_endpoint(proxy), "log.level", "off", NULL);
  coord_client *direct = t_client();
  coord_registry *registry = t_registry(client, NULL);
  put(direct, "a", "");
  becomes(registry, "a");
  t_proxy_refuse(proxy, true);
  for (int i = 0; i < 500 && coord_registry_staleness_ms(registry) == 0; i++) usleep(10000);
  T_TRUE(coord_registry_staleness_ms(registry) > 0);
  put(direct, "b", "");
  T_STR(local(registry, "web"), "a");
  t_proxy_refuse(proxy, false);
  becomes(registry, "a b");
  coord_registry_free(registry);
  coord_client_free(client);
  coord_client_free(direct);
  t_proxy_stop(proxy);
}

static void first_use_fails_in_time(void) {
  coord_client *client =
      t_client_with("endpoints", "127.0.0.1:1", "connect.lazy", "true", "log.level", "off", NULL);
  coord_registry *registry = t_registry(client, NULL);
  coord_instances *all = NULL;
  coord_picker *picker = NULL;
  coord_instance *instance = NULL;
  coord_code code = coord_registry_discover(registry, "web", 100, &all, NULL);
  T_TRUE(code == COORD_TIMEOUT || code == COORD_UNAVAILABLE);
  T_CODE(coord_picker_open(registry, "web", COORD_PICK_RANDOM, NULL, &picker, NULL), COORD_OK);
  T_CODE(coord_picker_pick(picker, NULL, 0, &instance), COORD_UNAVAILABLE);
  coord_picker_free(picker);
  coord_registry_free(registry);
  coord_client_free(client);
}

/* ---- pickers ---- */

static const char *picked(coord_picker *picker) {
  static char id[40];
  coord_instance *instance = NULL;
  if (coord_picker_pick(picker, NULL, 0, &instance) != COORD_OK) return "";
  snprintf(id, sizeof id, "%s", coord_instance_id(instance));
  coord_instance_free(instance);
  return id;
}

static void pickers_follow_the_view(void) {
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, NULL);
  coord_picker *robin = NULL, *eu = NULL;
  put(client, "a", ",\"metadata\":{\"zone\":\"eu\"}");
  put(client, "b", "");
  T_CODE(coord_picker_open(registry, "web", COORD_PICK_ROUND_ROBIN, NULL, &robin, NULL), COORD_OK);
  T_CODE(coord_picker_open(registry, "web", COORD_PICK_FIRST, "zone=eu", &eu, NULL), COORD_OK);
  for (int i = 0; i < 1000 && *picked(robin) == '\0'; i++) usleep(10000);
  char first[40];
  snprintf(first, sizeof first, "%s", picked(robin));
  T_TRUE(strcmp(picked(robin), first) != 0);
  T_STR(picked(robin), first);
  T_STR(picked(eu), "a");
  put(client, "a", ",\"status\":\"draining\"");
  for (int i = 0; i < 1000 && (strcmp(picked(robin), "b") != 0 || strcmp(picked(robin), "b") != 0);
       i++) {
    usleep(10000);
  }
  T_STR(picked(robin), "b");
  T_STR(picked(eu), "");
  coord_instance *instance = NULL;
  T_CODE(coord_picker_pick(eu, NULL, 0, &instance), COORD_NOT_FOUND);
  put(client, "c", "");
  for (int i = 0; i < 1000 && strcmp(picked(robin), "c") != 0; i++) usleep(10000);
  for (int i = 0; i < 100;
       i++) { /* what is told of an instance holds for its later versions, and all */
    T_CODE(coord_picker_pick(robin, NULL, 0, &instance), COORD_OK);
    if (strcmp(coord_instance_id(instance), "c") == 0) coord_instance_failed(instance, 60000);
    coord_instance_free(instance);
  }
  put(client, "c", ",\"weight\":5");
  usleep(100000);
  for (int i = 0; i < 10; i++) T_STR(picked(robin), "b");
  coord_registry_free(registry);
  T_STR(picked(robin), "b"); /* it holds what it needs */
  coord_picker_free(robin);
  coord_picker_free(eu);
  coord_client_free(client);
}

typedef struct caller {
  coord_picker *picker;
  atomic_bool stop;
  atomic_int bad;
} caller;

static void *call_on(void *arg) {
  caller *c = arg;
  while (!atomic_load(&c->stop)) {
    coord_instance *instance = NULL;
    if (coord_picker_pick(c->picker, NULL, 0, &instance) != COORD_OK) {
      atomic_fetch_add(&c->bad, 1);
      continue;
    }
    coord_instance_free(instance);
  }
  return NULL;
}

static void picks_go_on_while_instances_change(void) {
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, NULL);
  caller c = {0};
  pthread_t threads[4];
  put(client, "a", "");
  becomes(registry, "a");
  T_CODE(coord_picker_open(registry, "web", COORD_PICK_WEIGHTED, NULL, &c.picker, NULL), COORD_OK);
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, call_on, &c);
  for (int i = 0; i < 100; i++) {
    char id[20];
    snprintf(id, sizeof id, "b%d", i % 10);
    if (i % 3 == 2) {
      take_away(client, id);
    } else {
      put(client, id, i % 2 == 0 ? ",\"weight\":3" : "");
    }
  }
  atomic_store(&c.stop, true);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  T_INT(atomic_load(&c.bad), 0);
  coord_picker_free(c.picker);
  coord_registry_free(registry);
  coord_client_free(client);
}

static void bad_arguments(void) {
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, NULL);
  coord_instances *all = NULL;
  coord_instance *instance = NULL;
  coord_discovery *d = NULL;
  coord_picker *p = NULL;
  coord_queue *queue = t_queue();
  coord_error *err = NULL;
  char *json = NULL;
  T_ERROR(coord_registry_discover(NULL, "web", 0, &all, &err), COORD_INVALID, err,
          "registry is NULL");
  T_ERROR(coord_registry_discover(registry, NULL, 0, &all, &err), COORD_INVALID, err,
          "service is NULL");
  T_ERROR(coord_registry_discover(registry, "a/b", 0, &all, &err), COORD_INVALID, err,
          "\"a/b\"; expected");
  T_ERROR(coord_registry_discover(registry, "web", -2, &all, &err), COORD_INVALID, err,
          "timeout_ms");
  T_ERROR(coord_registry_discover(registry, "web", 0, NULL, &err), COORD_INVALID, err,
          "out is NULL");
  T_ERROR(coord_registry_services(NULL, 0, &json, &err), COORD_INVALID, err, "registry is NULL");
  T_ERROR(coord_discovery_open(registry, "", queue, 0, &d, &err), COORD_INVALID, err,
          "expected a name");
  T_ERROR(coord_discovery_open(registry, "a", NULL, 0, &d, &err), COORD_INVALID, err,
          "queue is NULL");
  T_ERROR(coord_picker_open(registry, "a", 6, NULL, &p, &err), COORD_INVALID, err,
          "policy is 6; expected");
  T_ERROR(coord_picker_open(registry, "a", 0, "eu", &p, &err), COORD_INVALID, err,
          "subset is \"eu\"");
  T_CODE(coord_picker_open(registry, "a", COORD_PICK_CONSISTENT_HASH, "", &p, NULL), COORD_OK);
  T_CODE(coord_picker_pick(p, NULL, 0, &instance), COORD_INVALID);
  T_CODE(coord_picker_pick(p, NULL, 1, &instance), COORD_INVALID);
  T_CODE(coord_picker_pick(p, "k", 1, NULL), COORD_INVALID);
  T_CODE(coord_picker_pick(NULL, "k", 1, &instance), COORD_INVALID);
  coord_picker_free(p);
  coord_picker_free(NULL);
  coord_discovery_free(NULL);
  coord_instances_free(NULL);
  T_INT(coord_instances_count(NULL), 0);
  T_TRUE(coord_instances_at(NULL, 0) == NULL && coord_instances_json(NULL) == NULL);
  T_TRUE(coord_instance_keep(NULL) == NULL && coord_event_instances(NULL) == NULL);
  coord_registry_free(registry);
  coord_client_free(client);
  coord_queue_free(queue);
}

T_MAIN(T_CASE(view_follows_the_store), T_CASE(services_are_listed),
       T_CASE(discoveries_tell_what_changes), T_CASE(guard_holds_most_of_them_back),
       T_CASE(what_memory_was_out_for_is_told_later),
       T_CASE(what_was_there_stays_when_the_server_is_gone), T_CASE(first_use_fails_in_time),
       T_CASE(pickers_follow_the_view), T_CASE(picks_go_on_while_instances_change),
       T_CASE(bad_arguments))
