/* Compiled into the extension module behind #include <coord.h> and _glue.h; see _glue.h. */

#include <stdlib.h>
#include <string.h>

/* The numbers at the head of a record. _record.py has the same list. */
enum {
  REC_SIZE, /* of the record in bytes, a multiple of 8 */
  REC_TYPE, /* COORD_EVENT_... */
  REC_TAG,
  REC_CODE,
  REC_REVISION,
  REC_ITEMS,    /* key-values; a change with a previous one is two */
  REC_TEXT,     /* length of the error's message, the JSON or the line */
  REC_ENDPOINT, /* length of its name */
  REC_PARTS,    /* records behind this one that belong to it */
  REC_FLAGS,    /* of the error; of a result: 1 succeeded, 2 more */
  REC_TOTAL,
  REC_LEASE,
  REC_TTL,
  REC_GRANTED,
  REC_GRPC,
  REC_HTTP,
  REC_NUMBER, /* level of a line, state of an endpoint */
  REC_CLUSTER,
  REC_MEMBER,
  REC_TERM,
  REC_HEAD
};

/* The numbers of a key-value; its bytes come behind those of all. */
enum { REC_KIND, REC_KEY, REC_VALUE, REC_CREATE, REC_MOD, REC_VERSION, REC_LEASE_ID, REC_ITEM };
enum { REC_KIND_THERE = -1 };   /* an instance; with COORD_INSTANCE_... it is a change of one */
enum { REC_KIND_PREVIOUS = 2 }; /* the next item is what was there before; + COORD_CHANGE_... */

static __thread uint64_t last_call;
static __thread int64_t *last_failure;

/* What a record is made of. */
typedef struct source {
  const coord_event *event;
  const coord_result *result;
  const coord_error *error;
  const char *text;
  const char *endpoint;
} source;

static source source_of(const coord_event *event) {
  source s = {event, coord_event_result(event), coord_event_error(event), coord_event_text(event),
              coord_event_endpoint(event)};
  if (s.error != NULL) {
    s.text = coord_error_message(s.error);
    s.endpoint = coord_error_endpoint(s.error);
  } else if (s.result != NULL) {
    s.text = coord_result_json(s.result);
  }
  return s;
}

static source source_of_result(const coord_result *result) {
  return (source){NULL, result, NULL, coord_result_json(result), NULL};
}

static size_t changes(const source *s) {
  return s->event != NULL ? coord_event_count(s->event) : 0;
}

static size_t length(const char *text) { return text != NULL ? strlen(text) : 0; }

static size_t padded(size_t size) { return (size + 7) & ~(size_t)7; }

/* Of an event of a discovery. */
static const coord_instances *instances_of(const source *s) {
  return s->event != NULL ? coord_event_instances(s->event) : NULL;
}

/* The bytes of all items, and how many there are. */
static size_t measure_items(const source *s, size_t *items) {
  size_t bytes = 0;
  coord_kv kv, prev;
  *items = 0;
  if (instances_of(s) != NULL) {
    *items = changes(s) + coord_instances_count(instances_of(s));
    return 0;
  }
  for (size_t i = 0; i < coord_result_count(s->result); i++, (*items)++) {
    coord_result_kv(s->result, i, &kv);
    bytes += kv.key_len + kv.value_len;
  }
  for (size_t i = 0; i < changes(s); i++, (*items)++) {
    if (coord_event_change(s->event, i, NULL, &kv, &prev) != COORD_OK) continue;
    bytes += kv.key_len + kv.value_len;
    if (prev.key == NULL) continue;
    bytes += prev.key_len + prev.value_len;
    (*items)++;
  }
  return bytes;
}

static size_t measure(const source *s) {
  size_t items;
  size_t bytes = measure_items(s, &items);
  size_t size = (REC_HEAD + items * REC_ITEM) * sizeof(int64_t) +
                padded(bytes + length(s->text) + length(s->endpoint));
  for (size_t i = 0; i < coord_result_parts(s->result); i++) {
    source part = source_of_result(coord_result_part(s->result, i));
    size += measure(&part);
  }
  return size;
}

static char *put_bytes(char *at, const void *bytes, size_t size) {
  if (size > 0) memcpy(at, bytes, size);
  return at + size;
}

static void put_item(int64_t **number, char **at, int32_t kind, const coord_kv *kv) {
  int64_t *n = *number;
  n[REC_KIND] = kind;
  n[REC_KEY] = (int64_t)kv->key_len;
  n[REC_VALUE] = (int64_t)kv->value_len;
  n[REC_CREATE] = kv->create_revision;
  n[REC_MOD] = kv->mod_revision;
  n[REC_VERSION] = kv->version;
  n[REC_LEASE_ID] = kv->lease_id;
  *number = n + REC_ITEM;
  *at = put_bytes(put_bytes(*at, kv->key, kv->key_len), kv->value, kv->value_len);
}

/* One more reference, as the revision of creation. */
static void put_instance(int64_t **number, char **at, int32_t kind,
                         const coord_instance *instance) {
  coord_kv kv = {.create_revision = (int64_t)(intptr_t)coord_instance_keep(instance)};
  put_item(number, at, kind, &kv);
}

/* What has changed, and then all that are there. */
static char *put_instances(const source *s, int64_t *number, char *at) {
  const coord_instances *all = instances_of(s);
  for (size_t i = 0; i < changes(s); i++) {
    int32_t change = 0;
    const coord_instance *instance = coord_event_instance(s->event, i, &change);
    put_instance(&number, &at, change, instance);
  }
  for (size_t i = 0; i < coord_instances_count(all); i++) {
    put_instance(&number, &at, REC_KIND_THERE, coord_instances_at(all, i));
  }
  return at;
}

static char *put_items(const source *s, int64_t *number, char *at) {
  coord_kv kv, prev;
  if (instances_of(s) != NULL) return put_instances(s, number, at);
  for (size_t i = 0; i < coord_result_count(s->result); i++) {
    coord_result_kv(s->result, i, &kv);
    put_item(&number, &at, 0, &kv);
  }
  for (size_t i = 0; i < changes(s); i++) {
    int32_t type;
    memset(&kv, 0, sizeof kv);
    if (coord_event_change(s->event, i, &type, &kv, &prev) != COORD_OK) continue;
    put_item(&number, &at, type + (prev.key != NULL ? REC_KIND_PREVIOUS : 0), &kv);
    if (prev.key != NULL) put_item(&number, &at, 0, &prev);
  }
  return at;
}

static void put_head(int64_t *head, const source *s) {
  const coord_result *r = s->result;
  head[REC_GRPC] = head[REC_HTTP] = -1;
  if (s->event != NULL) {
    head[REC_TYPE] = coord_event_type(s->event);
    head[REC_TAG] = (int64_t)coord_event_tag(s->event);
    head[REC_CODE] = coord_event_code(s->event);
    head[REC_REVISION] = coord_event_revision(s->event);
    head[REC_NUMBER] = coord_event_type(s->event) == COORD_EVENT_LOG ? coord_event_level(s->event)
                                                                     : coord_event_state(s->event);
  }
  if (instances_of(s) != NULL) {
    head[REC_REVISION] = coord_instances_revision(instances_of(s));
    head[REC_FLAGS] = coord_instances_guarded(instances_of(s));
  }
  if (s->error != NULL) {
    head[REC_CODE] = coord_error_code(s->error);
    head[REC_FLAGS] = coord_error_flags(s->error);
    head[REC_GRPC] = coord_error_grpc_status(s->error);
    head[REC_HTTP] = coord_error_http_status(s->error);
  }
  if (r == NULL) return;
  head[REC_REVISION] = coord_result_revision(r);
  head[REC_PARTS] = (int64_t)coord_result_parts(r);
  head[REC_FLAGS] = (coord_result_succeeded(r) ? 1 : 0) + (coord_result_more(r) ? 2 : 0);
  head[REC_TOTAL] = coord_result_total(r);
  head[REC_LEASE] = coord_result_lease_id(r);
  head[REC_TTL] = coord_result_ttl_s(r);
  head[REC_GRANTED] = coord_result_granted_ttl_s(r);
  head[REC_CLUSTER] = (int64_t)coord_result_cluster_id(r);
  head[REC_MEMBER] = (int64_t)coord_result_member_id(r);
  head[REC_TERM] = (int64_t)coord_result_raft_term(r);
}

/* Write a record; the end of it. */
static char *put_record(char *begin, const source *s) {
  int64_t *head = (int64_t *)(void *)begin;
  size_t items;
  size_t bytes = measure_items(s, &items);
  memset(head, 0, REC_HEAD * sizeof *head);
  put_head(head, s);
  head[REC_ITEMS] = (int64_t)items;
  head[REC_TEXT] = (int64_t)length(s->text);
  head[REC_ENDPOINT] = (int64_t)length(s->endpoint);
  char *at = begin + (REC_HEAD + items * REC_ITEM) * sizeof *head;
  char *end = at + padded(bytes + length(s->text) + length(s->endpoint));
  at = put_items(s, head + REC_HEAD, at);
  at = put_bytes(put_bytes(at, s->text, length(s->text)), s->endpoint, length(s->endpoint));
  memset(at, 0, (size_t)(end - at));
  for (size_t i = 0; i < coord_result_parts(s->result); i++) {
    source part = source_of_result(coord_result_part(s->result, i));
    end = put_record(end, &part);
  }
  head[REC_SIZE] = end - begin;
  return end;
}

static int64_t no_memory[1 + REC_HEAD] = {sizeof no_memory,
                                          [1 + REC_SIZE] = REC_HEAD * sizeof(int64_t),
                                          [1 + REC_CODE] = COORD_NO_MEMORY};

static int64_t *block_of(const source *sources, size_t n) {
  size_t size = sizeof(int64_t);
  for (size_t i = 0; i < n; i++) size += measure(&sources[i]);
  int64_t *block = malloc(size);
  if (block == NULL) return no_memory;
  block[0] = (int64_t)size;
  char *at = (char *)(block + 1);
  for (size_t i = 0; i < n; i++) at = put_record(at, &sources[i]);
  return block;
}

void py_free(int64_t *block) {
  if (block != no_memory) free(block);
}

enum { MOST_EVENTS = 64 };

/* The events, which are freed, as a block. */
static int64_t *block_of_events(coord_event **events, size_t n) {
  source sources[MOST_EVENTS];
  if (n == 0) return NULL;
  for (size_t i = 0; i < n; i++) sources[i] = source_of(events[i]);
  int64_t *block = block_of(sources, n);
  for (size_t i = 0; i < n; i++) coord_event_free(events[i]);
  return block;
}

int64_t *py_error(coord_code code, coord_error *error) {
  source s = {NULL, NULL, error, error != NULL ? coord_error_message(error) : NULL,
              error != NULL ? coord_error_endpoint(error) : NULL};
  int64_t *block = block_of(&s, 1);
  if (block != no_memory) block[1 + REC_CODE] = code;
  coord_error_free(error);
  return block;
}

int64_t *py_result(coord_result *result) {
  source s = source_of_result(result);
  int64_t *block = block_of(&s, 1);
  coord_result_free(result);
  return block;
}

static coord_op *op_of(int verb, const void *key, size_t key_len, const void *value,
                       size_t value_len) {
  switch (verb) {
    case 0:
      return coord_op_get(key, key_len);
    case 1:
      return coord_op_put(key, key_len, value, value_len);
    case 2:
      return coord_op_delete(key, key_len);
    default:
      return NULL;
  }
}

coord_op *py_op(int verb, const void *key, size_t key_len, const void *value, size_t value_len,
                const void *end, int64_t end_len, const int64_t *attributes, size_t pairs) {
  coord_op *op = op_of(verb, key, key_len, value, value_len);
  if (op == NULL) return NULL;
  if (end_len < 0) coord_op_set_prefix(op);
  if (end_len > 0) coord_op_set_range_end(op, end, (size_t)end_len);
  for (size_t i = 0; i < pairs; i++)
    coord_op_set(op, (int32_t)attributes[2 * i], attributes[2 * i + 1]);
  return op;
}

uint64_t py_submit(coord_client *client, coord_queue *queue, coord_op *op, int32_t timeout_ms,
                   uint64_t tag) {
  coord_error *error = NULL;
  uint64_t call_id = 0;
  coord_code code = op == NULL ? COORD_NO_MEMORY
                               : coord_submit(client, op, timeout_ms, queue, tag, &call_id, &error);
  coord_op_free(op);
  if (code == COORD_OK) return call_id;
  py_free(last_failure);
  last_failure = py_error(code, error);
  return 0;
}

int64_t *py_failure(void) {
  int64_t *block = last_failure;
  last_failure = NULL;
  return block;
}

uint64_t py_call_id(void) { return last_call; }

int64_t *py_wait(coord_queue *queue, int32_t slice_ms, size_t max) {
  coord_event *events[MOST_EVENTS];
  if (max > MOST_EVENTS) max = MOST_EVENTS;
  size_t n = coord_queue_drain(queue, events, max);
  if (n == 0 && slice_ms != 0 && (events[0] = coord_queue_next(queue, slice_ms)) != NULL) {
    n = 1 + coord_queue_drain(queue, events + 1, max - 1);
  }
  return block_of_events(events, n);
}

int64_t *py_call(coord_client *client, coord_queue *queue, coord_op *op, int32_t timeout_ms,
                 int32_t slice_ms, coord_queue *side) {
  coord_event *events[MOST_EVENTS];
  last_call = py_submit(client, queue, op, timeout_ms, 0);
  if (last_call == 0) return py_failure();
  events[0] = coord_queue_next(queue, slice_ms);
  if (events[0] == NULL) return NULL;
  return block_of_events(events, 1 + coord_queue_drain(side, events + 1, MOST_EVENTS - 1));
}
