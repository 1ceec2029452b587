#include "support/watch.h"

#include <stdio.h>
#include <string.h>

enum { WAIT_MS = 15000, SILENT_MS = 100 };

coord_watch *t_watch(coord_client *client, const char *prefix, int64_t start, coord_queue *queue,
                     uint64_t tag, int32_t attribute) {
  coord_watch *watch = NULL;
  coord_error *err = NULL;
  coord_op *get = t_prefix(prefix);
  if (attribute >= 0) T_CODE(coord_op_set(get, attribute, 1), COORD_OK);
  T_OK(coord_watch_open(client, get, start, queue, tag, &watch, &err), err);
  coord_op_free(get);
  T_FATAL(watch != NULL);
  return watch;
}

coord_event *t_event(coord_queue *queue, int32_t type, uint64_t tag) {
  coord_event *event = coord_queue_next(queue, WAIT_MS);
  if (event == NULL) {
    T_FAIL("no event of type %d came", (int)type);
    return NULL;
  }
  if (coord_event_type(event) == type && coord_event_tag(event) == tag) return event;
  T_FAIL("an event of type %d, tag %d came, %s, not one of type %d, tag %d",
         (int)coord_event_type(event), (int)coord_event_tag(event),
         coord_code_name(coord_event_code(event)), (int)type, (int)tag);
  coord_event_free(event);
  return NULL;
}

int64_t t_stands(coord_queue *queue, uint64_t tag, coord_code code) {
  coord_event *event = t_event(queue, COORD_EVENT_RESYNC, tag);
  int64_t revision = coord_event_revision(event);
  if (event != NULL) T_CODE(coord_event_code(event), code);
  coord_event_free(event);
  return revision;
}

void t_closed(coord_queue *queue, uint64_t tag, coord_code code, const char *part) {
  coord_event *event = t_event(queue, COORD_EVENT_CLOSED, tag);
  if (event == NULL) return;
  T_CODE(coord_event_code(event), code);
  T_CODE(coord_error_code(coord_event_error(event)), code);
  if (code != COORD_OK) T_HAS(coord_error_message(coord_event_error(event)), part);
  coord_event_free(event);
}

static size_t add_text(char *text, size_t size, size_t used, const coord_event *event, size_t i,
                       size_t strip) {
  int32_t type = -1;
  coord_kv kv;
  T_CODE(coord_event_change(event, i, &type, &kv, NULL), COORD_OK);
  T_FATAL(kv.key_len >= strip);
  const char *space = used > 0 ? " " : "";
  int n;
  if (type == COORD_CHANGE_DELETE) {
    n = snprintf(text + used, size - used, "%s-%s", space, (const char *)kv.key + strip);
  } else {
    n = snprintf(text + used, size - used, "%s+%s=%s", space, (const char *)kv.key + strip,
                 (const char *)kv.value);
  }
  return used + (size_t)n < size ? used + (size_t)n : size - 1;
}

const char *t_changes(coord_queue *queue, uint64_t tag, size_t count, size_t strip) {
  static char text[4096];
  size_t used = 0;
  text[0] = '\0';
  int64_t last = 0;
  for (size_t got = 0; got < count;) {
    coord_event *event = coord_queue_next(queue, WAIT_MS);
    if (event == NULL) {
      T_FAIL("%zu of %zu changes came", got, count);
      break;
    }
    int32_t type = coord_event_type(event);
    if (type != COORD_EVENT_RESYNC) {
      T_INT(type, COORD_EVENT_CHANGES);
      T_INT(coord_event_tag(event), tag);
      for (size_t i = 0; i < coord_event_count(event); i++, got++) {
        used = add_text(text, sizeof text, used, event, i, strip);
      }
      T_TRUE(coord_event_revision(event) > last);
      last = coord_event_revision(event);
    }
    coord_event_free(event);
    if (type == COORD_EVENT_CLOSED) break;
  }
  return text;
}

void t_silent(coord_queue *queue) {
  coord_event *event = coord_queue_next(queue, SILENT_MS);
  if (event != NULL) {
    T_FAIL("an event of type %d came, %s", (int)coord_event_type(event),
           coord_code_name(coord_event_code(event)));
  }
  coord_event_free(event);
}
