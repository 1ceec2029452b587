#include <string.h>
#include <time.h>

#include "conformance/run.h"

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Those that a slow machine may bring, unless they are wanted. */
static bool is_passed_over(const char *type, const char *wanted) {
  if (wanted != NULL && strcmp(type, wanted) == 0) return false;
  return strcmp(type, "AT_RISK") == 0 || strcmp(type, "RESTORED") == 0 ||
         strcmp(type, "RESYNC") == 0;
}

/* The next event that is not passed over; NULL: none came in time. */
static json_object *take(handle *h, const char *wanted, int64_t until_ms) {
  for (;;) {
    int64_t left = until_ms - now_ms();
    coord_event *event = coord_queue_next(h->queue, left > 0 ? (int32_t)left : 0);
    if (event == NULL) return NULL;
    coord_event_free(h->event);
    h->event = event;
    json_object *record = record_event(h, event);
    if (!is_passed_over(json_object_get_string(run_member(record, "type")), wanted)) return record;
    json_object_put(record);
  }
}

static bool has_queue(run *r, const handle *h) {
  if (h->queue == NULL) return run_fail(r, "%s has no events", h->name);
  if (json_object_array_length(h->left) == 0) return true;
  return run_fail(r, "%s has changes that no step has asked for: %.300s", h->name,
                  json_object_to_json_string(h->left));
}

static bool fits_at_last(run *r, json_object *until, json_object *record) {
  char before[sizeof r->why];
  memcpy(before, r->why, sizeof before);
  r->why[0] = '\0';
  bool good = run_compare(r, until, record);
  if (good) memcpy(r->why, before, sizeof before);
  return good;
}

json_object *event_next(run *r, handle *h, json_object *step) {
  json_object *until = run_member(step, "until");
  json_object *type = run_member(until ? until : run_member(step, "expect"), "type");
  const char *wanted =
      json_object_is_type(type, json_type_string) ? json_object_get_string(type) : NULL;
  int64_t until_ms = now_ms() + WAIT_MS;
  if (!has_queue(r, h)) return NULL;
  for (;;) {
    json_object *record = take(h, wanted, until_ms);
    if (record == NULL) {
      run_fail(r, "no event came");
      return NULL;
    }
    if (until == NULL || fits_at_last(r, until, record)) {
      r->why[0] = '\0';
      return record;
    }
    json_object_put(record);
  }
}

json_object *event_changes(run *r, handle *h, size_t count) {
  int64_t until_ms = now_ms() + WAIT_MS;
  if (h->queue == NULL) run_fail(r, "%s has no events", h->name);
  while (r->why[0] == '\0' && json_object_array_length(h->left) < count) {
    json_object *event = take(h, NULL, until_ms);
    json_object *changes = run_member(event, "changes");
    for (size_t i = 0; changes != NULL && i < json_object_array_length(changes); i++) {
      json_object_array_add(h->left, json_object_get(json_object_array_get_idx(changes, i)));
    }
    if (changes == NULL) {
      run_fail(r, "%zu of %zu changes came: %.300s, then %.300s", json_object_array_length(h->left),
               count, json_object_to_json_string(h->left),
               event != NULL ? json_object_to_json_string(event) : "nothing");
    }
    json_object_put(event);
  }
  json_object *record = json_object_new_object(), *list = json_object_new_array();
  for (size_t i = 0; r->why[0] == '\0' && i < count; i++) {
    json_object_array_add(list, json_object_get(json_object_array_get_idx(h->left, i)));
  }
  if (r->why[0] == '\0') json_object_array_del_idx(h->left, 0, count);
  json_object_object_add(record, "changes", list);
  return record;
}

void event_quiet(run *r, handle *h) {
  if (!has_queue(r, h)) return;
  json_object *record = take(h, NULL, now_ms() + 100);
  if (record != NULL) run_fail(r, "an event came: %.600s", json_object_to_json_string(record));
  json_object_put(record);
}
