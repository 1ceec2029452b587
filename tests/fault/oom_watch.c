/* Watches without memory, and what stands on them: mirrors and configuration. */
#include "fault/oom.h"

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

/* ---- configuration ---- */

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

static void configuring_without_memory(void) {
  prepare();
  T_TRUE(walk(configure, false) > 20);
  finish();
}

T_MAIN(T_CASE(watching_without_memory), T_CASE(mirroring_without_memory),
       T_CASE(configuring_without_memory))
