#include "coord/event.h"

#include "base/error.h"
#include "base/event.h"
#include "coord/changes.h"
#include "coord/discovery_handle.h"
#include "coord/result.h"

int32_t coord_event_type(const coord_event *event) { return event != NULL ? event->type : -1; }

uint64_t coord_event_tag(const coord_event *event) { return event != NULL ? event->tag : 0; }

coord_code coord_event_code(const coord_event *event) {
  return event != NULL ? event->code : COORD_OK;
}

const coord_error *coord_event_error(const coord_event *event) {
  return event != NULL ? event->error : NULL;
}

const coord_result *coord_event_result(const coord_event *event) {
  return event != NULL ? event->result : NULL;
}

coord_result *coord_event_take_result(coord_event *event) {
  if (event == NULL) return NULL;
  coord_result *result = event->result;
  event->result = NULL;
  return result;
}

const char *coord_event_text(const coord_event *event) {
  return event != NULL ? event->text : NULL;
}

int32_t coord_event_level(const coord_event *event) { return event != NULL ? event->level : 0; }

int32_t coord_event_state(const coord_event *event) { return event != NULL ? event->state : 0; }

const char *coord_event_endpoint(const coord_event *event) {
  return event != NULL ? event->endpoint : NULL;
}

int64_t coord_event_revision(const coord_event *event) {
  return event != NULL ? event->revision : 0;
}

size_t coord_event_count(const coord_event *event) {
  if (event != NULL && event->news != NULL) return event->news->difference->count;
  return event != NULL && event->changes != NULL ? event->changes->count : 0;
}

coord_code coord_event_change(const coord_event *event, size_t i, int32_t *type, coord_kv *kv,
                              coord_kv *prev) {
  if (i >= coord_event_count(event) || event->news != NULL) return COORD_INVALID;
  const coord__changes *c = event->changes;
  if (type != NULL) *type = c->types[i];
  if (kv != NULL) *kv = c->kvs[i];
  if (prev != NULL) *prev = c->prevs != NULL ? c->prevs[i] : (coord_kv){0};
  return COORD_OK;
}

const coord_instances *coord_event_instances(const coord_event *event) {
  return event != NULL && event->news != NULL ? event->news->now : NULL;
}

const coord_instance *coord_event_instance(const coord_event *event, size_t i, int32_t *change) {
  if (event == NULL || event->news == NULL || i >= event->news->difference->count) return NULL;
  if (change != NULL) *change = event->news->difference->of[i].change;
  return event->news->difference->of[i].instance;
}

void coord_event_free(coord_event *event) {
  if (event == NULL) return;
  coord_error_free(event->error);
  coord_result_free(event->result);
  event->destroy(event);
}
