/* A store that is restored from a backup: its revisions go back, and nobody waits silently for them. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/registry.h"
#include "support/watch.h"

enum { WAIT = 20000, NUMBERS = 30 };

static coord_client *client_of(const t_cluster *cluster) {
  return t_client_with("endpoints", t_etcd_endpoint(cluster, 0), "log.level", "off", NULL);
}

static void put(coord_client *client, const char *key, int number) {
  char value[16];
  snprintf(value, sizeof value, "%d", number);
  coord_result_free(t_call(client, coord_op_put(key, strlen(key), value, strlen(value))));
}

static const char *value_in(const coord_mirror *mirror, const char *key) {
  static char text[64];
  coord_result *result = NULL;
  coord_kv kv = {0};
  T_CODE(coord_mirror_get(mirror, key, strlen(key), &result), COORD_OK);
  bool there = coord_result_kv(result, 0, &kv) == COORD_OK;
  snprintf(text, sizeof text, "%s", there ? (const char *)kv.value : "none");
  coord_result_free(result);
  return text;
}

static void go_back(t_cluster *cluster) {
  t_etcd_kill(cluster, 0);
  t_etcd_restore(cluster, 0);
  t_etcd_restart(cluster, 0);
}

static void back_up(t_cluster *cluster) {
  t_etcd_terminate(cluster, 0);
  t_etcd_back_up(cluster, 0);
  t_etcd_restart(cluster, 0);
}

/* Passes over events until one of this type and code. */
static void until(coord_queue *queue, int32_t type, coord_code code) {
  for (bool found = false; !found;) {
    coord_event *event = coord_queue_next(queue, WAIT);
    T_FATAL(event != NULL);
    found = coord_event_type(event) == type && coord_event_code(event) == code;
    if (found && code == COORD_COMPACTED) {
      T_HAS(coord_error_message(coord_event_error(event)), "restored from a backup");
    }
    coord_event_free(event);
  }
}

static void watches_and_mirrors_say_so(void) {
  t_cluster *cluster = t_etcd_start(NULL);
  coord_client *client = client_of(cluster);
  coord_queue *queues[2] = {t_queue(), t_queue()};
  coord_mirror *mirror = NULL;
  put(client, "k/a", 0);
  back_up(cluster);
  coord_watch *watch = t_watch(client, "k/", 0, queues[0], 1, -1);
  t_stands(queues[0], 1, COORD_OK);
  T_CODE(coord_mirror_open(client, "k/", 2, NULL, queues[1], 2, &mirror, NULL), COORD_OK);
  for (int i = 1; i <= NUMBERS; i++) put(client, i % 2 == 0 ? "k/a" : "k/b", i);
  t_changes(queues[0], 1, NUMBERS, 2); /* what was not told yet would be missed by nobody */
  char last[16];
  snprintf(last, sizeof last, "%d", NUMBERS);
  int64_t deadline = t_now_ms() + WAIT;
  while (strcmp(value_in(mirror, "k/a"), last) != 0 && t_now_ms() < deadline) usleep(1000);
  int64_t before = coord_mirror_revision(mirror);
  go_back(cluster);
  until(queues[0], COORD_EVENT_CLOSED, COORD_COMPACTED);
  until(queues[1], COORD_EVENT_RESYNC, COORD_COMPACTED);
  until(queues[1], COORD_EVENT_RESYNC, COORD_OK);
  T_STR(value_in(mirror, "k/a"), "0");
  T_STR(value_in(mirror, "k/b"), "none");
  T_TRUE(coord_mirror_revision(mirror) < before);
  put(client, "k/b", -1);
  until(queues[1], COORD_EVENT_CHANGES, COORD_OK);
  T_STR(value_in(mirror, "k/b"), "-1");
  coord_watch_free(watch);
  coord_mirror_free(mirror);
  coord_client_free(client);
  for (int i = 0; i < 2; i++) coord_queue_free(queues[i]);
  t_etcd_stop(cluster);
}

/* One that the backup does not know, and one that it knows as it was before. */
static void registrations_are_made_good(void) {
  t_cluster *cluster = t_etcd_start(NULL);
  coord_client *client = client_of(cluster);
  coord_registry *registry = t_registry(client, NULL);
  coord_queue *queue = t_queue();
  coord_registration *regs[2];
  regs[0] = t_register(registry, "a", 60, NULL, 0);
  T_CODE(t_ends(client, coord_op_registered(regs[0]), WAIT), COORD_OK);
  back_up(cluster);
  regs[1] = t_register(registry, "b", 60, queue, 1);
  T_CODE(t_ends(client, coord_op_registered(regs[1]), WAIT), COORD_OK);
  for (int weight = 2; weight <= NUMBERS; weight++) {
    char patch[32];
    snprintf(patch, sizeof patch, "{\"weight\":%d}", weight);
    T_CODE(t_ends(client, coord_op_update_instance(regs[0], patch), WAIT), COORD_OK);
  }
  usleep(5000000); /* until both are watched, on most machines; else it is found out another way */
  go_back(cluster);
  until(queue, COORD_EVENT_LOST, COORD_LOST);
  until(queue, COORD_EVENT_RESTORED, COORD_OK);
  int64_t deadline = t_now_ms() + WAIT;
  for (bool good = false; !good;) {
    coord_kv kv = {0};
    coord_result *result = t_call(client, coord_op_discover(registry, "web"));
    good = coord_result_count(result) == 2 && coord_result_kv(result, 0, &kv) == COORD_OK &&
           strstr(kv.value, "\"weight\":30,") != NULL;
    if (!good && t_now_ms() > deadline) {
      for (size_t i = 0; coord_result_kv(result, i, &kv) == COORD_OK; i++) {
        printf("# %s: %s\n", (const char *)kv.key, (const char *)kv.value);
      }
    }
    coord_result_free(result);
    if (!good && t_now_ms() > deadline) T_FATAL(good);
    usleep(10000);
  }
  for (int i = 0; i < 2; i++) coord_registration_free(regs[i]);
  coord_registry_free(registry);
  coord_client_free(client);
  coord_queue_free(queue);
  t_etcd_stop(cluster);
}

T_MAIN(T_CASE(watches_and_mirrors_say_so), T_CASE(registrations_are_made_good))
