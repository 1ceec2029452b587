#include "coord/mirror_handle.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "coord/mirror_copy.h"
#include "coord/portion.h"
#include "etcd/result.h"

/* What a handle knows of what its copy has. */
typedef enum stage {
  STAGE_NOTHING,
  STAGE_FILE, /* that there is content from a file */
  STAGE_ALL   /* that it is loaded */
} stage;

struct coord_mirror {
  atomic_int refs; /* the program's; jobs and ops under way */
  coord_client *client;
  coord__mirror_listener *listener;
  uint64_t tag;
  size_t buffer_bytes;
  coord__sender sender; /* by the queue's lock */
  coord__job open_job;
  coord__job free_job;
  coord__job drained_job;
  coord__buf prefix;
  bool waits;
  _Atomic(coord__copy *) copy; /* NULL: not opened yet, or never. Any thread; holds it */
  /* I/O thread only. */
  coord__mirror_file *file; /* until it is opened */
  coord__mirror_member member;
  stage stage;
  coord__snapshot *behind;   /* the version that was told last; NULL: the newest */
  bool full;                 /* too many events wait */
  coord_code code;           /* why it was not opened */
  coord__mirror_event *last; /* CLOSED, made beforehand; NULL: it has been told */
  coord__buf tasks;          /* that wait for content: coord__task * */
};

static coord_mirror *mirror_of(coord__mirror_member *m) {
  return COORD__CONTAINER(m, coord_mirror, member);
}

static void release(coord_mirror *m);

/* ---- telling ---- */

static void destroy_event(coord_event *event) {
  coord__mirror_event *e = COORD__CONTAINER(event, coord__mirror_event, event);
  coord__transition_release(e->transition);
  coord__free(e);
}

static coord__mirror_event *make_event(int32_t type) {
  coord__mirror_event *e = coord__calloc(1, sizeof *e);
  if (e == NULL) return NULL;
  e->event = (coord_event){.type = type, .bytes = sizeof *e, .destroy = destroy_event};
  return e;
}

static void push(coord_mirror *m, coord__mirror_event *e) {
  e->event.tag = m->tag;
  e->event.sender = &m->sender;
  e->member = &m->member;
  if (m->client->copies != NULL) {
    coord__copies_tell(m->client, e);
    return;
  }
  coord__list one;
  coord__list_init(&one);
  coord__list_append(&one, &e->event.link);
  coord__queue_push(m->member.queue, &one);
}

static void tell_listener(coord_mirror *m, int32_t type, coord_code code, int64_t revision,
                          coord__transition *t, const coord_error *err) {
  coord__mirror_news news = {.type = type, .code = code, .revision = revision, .error = err};
  if (t != NULL) news.changes = &t->changes;
  m->listener->told(m->listener, &news);
}

/* With an event that was made for it; NULL: there is no queue. */
static void emit(coord_mirror *m, coord__mirror_event *e, coord_code code, int64_t revision,
                 coord__transition *t, const char *why) {
  int32_t type = t != NULL ? COORD_EVENT_CHANGES : COORD_EVENT_RESYNC;
  coord_error *err = NULL;
  if (code != COORD_OK) coord__fail(&err, code, "mirror: %s", why);
  if (m->listener != NULL) tell_listener(m, type, code, revision, t, err);
  if (e == NULL) {
    coord_error_free(err);
    return;
  }
  e->event.type = type;
  e->event.code = code;
  e->event.error = err;
  e->event.revision = revision;
  if (t != NULL) {
    e->transition = coord__transition_retain(t);
    e->event.changes = &t->changes;
    e->event.bytes += t->changes.event.bytes;
  }
  push(m, e);
}

/* False: memory is out. */
static bool tell(coord_mirror *m, coord_code code, int64_t revision, coord__transition *t,
                 const char *why) {
  coord__mirror_event *e = m->member.queue != NULL ? make_event(COORD_EVENT_RESYNC) : NULL;
  if (e == NULL && m->member.queue != NULL) return false;
  emit(m, e, code, revision, t, why);
  return true;
}

static void tell_closed(coord_mirror *m, coord_code code, const coord_error *err) {
  coord__mirror_event *e = m->last;
  if (e == NULL) return;
  m->last = NULL;
  coord__snapshot_release(m->behind);
  m->behind = NULL;
  if (m->listener != NULL) tell_listener(m, COORD_EVENT_CLOSED, code, 0, NULL, err);
  if (m->member.queue == NULL) {
    destroy_event(&e->event);
    return;
  }
  e->event.code = code;
  e->event.error = coord__error_dup(err);
  push(m, e);
}

/* ---- catching up ---- */

static void fall_behind(coord_mirror *m, coord__snapshot *told) {
  if (m->behind != NULL || told == NULL) return;
  m->behind = coord__snapshot_retain(told);
}

/* Three events, or as many as there is memory for. */
static bool make_three(const coord_mirror *m, coord__mirror_event *events[3]) {
  for (int i = 0; m->member.queue != NULL && i < 3; i++) {
    events[i] = make_event(COORD_EVENT_RESYNC);
    if (events[i] != NULL) continue;
    while (i-- > 0) destroy_event(&events[i]->event);
    return false;
  }
  return true;
}

/* From what was told last to what is there: what lies between is told as one. False: memory is out. */
static bool tell_difference(coord_mirror *m, coord__snapshot *now, coord__transition *t,
                            const char *why) {
  int64_t revision = coord__snapshot_revision(now);
  coord__mirror_event *events[3] = {NULL, NULL, NULL};
  if (!make_three(m, events)) return false;
  emit(m, events[0], COORD_COMPACTED, coord__snapshot_revision(m->behind), NULL, why);
  if (t->changes.count > 0) {
    emit(m, events[1], COORD_OK, revision, t, NULL);
  } else if (events[1] != NULL) {
    destroy_event(&events[1]->event);
  }
  emit(m, events[2], COORD_OK, revision, NULL, NULL);
  coord__snapshot_release(m->behind);
  m->behind = NULL;
  return true;
}

static bool tell_stage(coord_mirror *m, stage reached, int64_t revision) {
  bool from_file = reached == STAGE_FILE;
  if (m->stage != STAGE_NOTHING) return true;
  if (!tell(m, from_file ? COORD_UNAVAILABLE : COORD_OK, revision, NULL,
            "etcd is not reached; the content is that of mirror.file")) {
    return false;
  }
  m->stage = reached;
  return true;
}

/* What is there but was not told. */
static void catch_up(coord_mirror *m) {
  coord__copy *copy = m->member.copy;
  coord__snapshot *now = copy != NULL ? coord__content_snapshot(copy->replica.content) : NULL;
  bool ok = true;
  if (now == NULL || m->last == NULL) {
    coord__snapshot_release(now);
    return;
  }
  if (m->stage == STAGE_NOTHING) {
    ok =
        tell_stage(m, copy->replica.loaded ? STAGE_ALL : STAGE_FILE, coord__snapshot_revision(now));
    if (ok) {
      coord__snapshot_release(m->behind);
      m->behind = NULL;
    }
  } else if (m->behind == now) {
    coord__snapshot_release(m->behind);
    m->behind = NULL;
  } else if (m->behind != NULL && !m->full) {
    coord__transition *t = coord__transition_between(
        coord__snapshot_tree(m->behind), coord__snapshot_tree(now), coord__snapshot_revision(now));
    ok = t != NULL && tell_difference(m, now, t, "too many changes waited in the queue");
    coord__transition_release(t);
  }
  coord__snapshot_release(now);
  if (!ok) coord__copy_again_later(copy);
}

/* ---- what the copy says ---- */

static void end_tasks(coord_mirror *m, coord_code code, const coord_error *err) {
  coord__buf tasks = m->tasks;
  m->tasks = (coord__buf){0};
  for (size_t i = 0; i < tasks.len / sizeof(coord__task *); i++) {
    coord__task *task = ((coord__task **)(void *)tasks.data)[i];
    coord_result *nothing = code == COORD_OK ? coord__result_empty() : NULL;
    if (code == COORD_OK && nothing == NULL) {
      coord__task_no_memory(task);
    } else {
      coord__task_complete(task, code, coord__error_dup(err), nothing);
    }
  }
  coord__buf_free(&tasks);
}

static void on_reread(coord_mirror *m, const coord__replica_told *told) {
  if (m->stage == STAGE_NOTHING || m->full || m->behind != NULL || told->transition == NULL) {
    fall_behind(m, told->before);
    if (m->stage == STAGE_FILE) m->stage = STAGE_ALL;
    catch_up(m);
    return;
  }
  coord__snapshot *now = coord__content_snapshot(m->member.copy->replica.content);
  m->behind = coord__snapshot_retain(told->before);
  const char *why = m->stage == STAGE_FILE ? "etcd is reached, and all was read"
                    : told->code == COORD_COMPACTED
                        ? "changes were compacted before they could be told, or the store was "
                          "restored from a backup; all was read again"
                        : "the watch could not go on; all was read again";
  m->stage = STAGE_ALL;
  if (!tell_difference(m, now, told->transition, why)) coord__copy_again_later(m->member.copy);
  coord__snapshot_release(now);
}

static void on_changed(coord_mirror *m, const coord__replica_told *told) {
  coord__transition *t = told->transition;
  bool ok = m->stage == STAGE_ALL && m->behind == NULL && !m->full &&
            tell(m, COORD_OK, t->changes.event.revision, t, NULL);
  if (ok) return;
  fall_behind(m, told->before);
  catch_up(m);
}

static void on_told(coord__mirror_member *member, const coord__replica_told *told) {
  coord_mirror *m = mirror_of(member);
  switch (told->news) {
    case COORD__REPLICA_FILE:
      catch_up(m);
      end_tasks(m, COORD_OK, NULL);
      break;
    case COORD__REPLICA_REREAD:
      on_reread(m, told);
      end_tasks(m, COORD_OK, NULL);
      break;
    case COORD__REPLICA_CHANGED:
      on_changed(m, told);
      break;
    case COORD__REPLICA_RESUMED:
      /* One that is behind will be told more than that. */
      if (m->behind == NULL && m->stage == STAGE_ALL) {
        tell(m, told->code, coord__content_revision(member->copy->replica.content), NULL,
             "the watch was interrupted; nothing was left out");
      }
      break;
    case COORD__REPLICA_TRIES:
      end_tasks(m, told->code, told->error);
      break;
    case COORD__REPLICA_ENDED:
      end_tasks(m, told->code, told->error);
      tell_closed(m, told->code, told->error);
      break;
  }
}

static void on_again(coord__mirror_member *member) { catch_up(mirror_of(member)); }

static void on_delivered(coord__mirror_member *member) {
  coord_mirror *m = mirror_of(member);
  if (m->full || !coord__queue_is_full(member->queue, &m->sender, m->buffer_bytes)) return;
  m->full = true;
  if (m->behind != NULL || member->copy == NULL) return;
  m->behind = coord__content_snapshot(member->copy->replica.content);
}

/* ---- waiting until it is loaded ---- */

static void retain_self(void *self) {
  coord_mirror *m = self;
  atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
}

static void release_self(void *self) { release(self); }

static const coord_client *client_of(const void *self) {
  const coord_mirror *m = self;
  return m->client;
}

static void start(void *self, coord__task *task) {
  coord_mirror *m = self;
  coord_error *err = NULL;
  coord__copy *copy = m->member.copy;
  if (!coord__buf_append(&m->tasks, &task, sizeof(coord__task *))) {
    coord__task_no_memory(task);
  } else if (copy == NULL) {
    coord_code code = m->code != COORD_OK ? m->code : COORD_CLOSED;
    coord__fail(&err, code, "mirror: it was not opened, or was freed");
    end_tasks(m, code, err);
    coord_error_free(err);
  } else if (copy->code != COORD_OK) {
    end_tasks(m, copy->code, copy->error);
  } else if (coord__content_revision(copy->replica.content) > 0) {
    end_tasks(m, COORD_OK, NULL);
  }
}

static void cancel(void *self, coord__task *task, coord_code code, const char *why) {
  coord_mirror *m = self;
  coord_error *err = NULL;
  coord__task **tasks = (coord__task **)(void *)m->tasks.data;
  size_t count = m->tasks.len / sizeof(coord__task *);
  for (size_t i = 0; i < count; i++) {
    if (tasks[i] != task) continue;
    tasks[i] = tasks[count - 1];
    m->tasks.len -= sizeof(coord__task *);
    break;
  }
  coord__fail(&err, code, "mirror: %s", why);
  coord__task_complete(task, code, err, NULL);
}

static const coord__op_class loaded_class = {"mirror",  retain_self, release_self,
                                             client_of, start,       cancel};

coord_op *coord__op_mirror_loaded(coord_mirror *m) { return coord__op_custom(&loaded_class, m); }

bool coord__mirror_waits(const coord_mirror *m) { return m->waits; }

/* ---- life ---- */

static void free_mirror(coord_mirror *m) {
  coord__copy *copy = atomic_load(&m->copy);
  coord__snapshot_release(m->behind);
  if (m->last != NULL) destroy_event(&m->last->event);
  if (copy != NULL) coord__copy_release(copy);
  if (m->member.queue != NULL) coord__queue_release(m->member.queue);
  coord__mirror_file_free(m->file);
  coord__buf_free(&m->prefix);
  coord__buf_free(&m->tasks);
  coord__free(m);
}

static void run_destroy(coord__job *job) {
  coord_mirror *m = COORD__CONTAINER(job, coord_mirror, free_job);
  coord_client *c = m->client;
  free_mirror(m);
  coord__client_release(c);
}

/* The last one may be an op that outlives the handle. */
static void release(coord_mirror *m) {
  if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) > 1) return;
  coord_client *c = m->client;
  if (coord__client_forked(c)) {
    free_mirror(m);
    atomic_fetch_sub(&c->refs, 1);
  } else {
    m->free_job.run = run_destroy;
    coord__loop_post(c->loop, &m->free_job);
  }
}

static void post(coord_mirror *m, coord__job *job) {
  retain_self(m);
  coord__loop_post(m->client->loop, job);
}

static void on_drained(coord__sender *sender) {
  coord_mirror *m = COORD__CONTAINER(sender, coord_mirror, sender);
  post(m, &m->drained_job);
}

static void run_drained(coord__job *job) {
  coord_mirror *m = COORD__CONTAINER(job, coord_mirror, drained_job);
  m->full = false;
  catch_up(m);
  release(m);
}

static void run_open(coord__job *job) {
  coord_mirror *m = COORD__CONTAINER(job, coord_mirror, open_job);
  coord_client *c = m->client;
  coord_error *err = NULL;
  coord__mirror_file *file = m->file;
  m->file = NULL;
  if (c->rpc.closed) {
    coord__mirror_file_free(file);
    coord__fail(&err, COORD_CLOSED, "mirror: the client was closed");
    tell_closed(m, COORD_CLOSED, err);
  } else {
    coord__copy *copy = coord__copy_of(c, &m->prefix, file, !m->waits);
    if (copy != NULL) {
      atomic_store_explicit(&m->copy, copy, memory_order_release);
      coord__copy_join(copy, &m->member);
      catch_up(m);
    } else {
      m->code = coord__no_memory(&err);
      tell_closed(m, m->code, err);
    }
  }
  coord_error_free(err);
  release(m);
}

static void run_free(coord__job *job) {
  coord_mirror *m = COORD__CONTAINER(job, coord_mirror, free_job);
  coord_error *err = NULL;
  coord__copies_deliver(m->client); /* what is pending of it is discarded, while it can be found */
  coord__copy_leave(&m->member);
  m->member.copy = NULL;
  if (m->tasks.len > 0) {
    coord__fail(&err, COORD_CANCELED, "mirror: the handle was freed");
    end_tasks(m, COORD_CANCELED, err);
    coord_error_free(err);
  }
  if (m->listener != NULL && m->listener->released != NULL) m->listener->released(m->listener);
  m->listener = NULL;
  release(m);
}

static coord_code take_options(coord_mirror *m, const coord_options *o, coord_error **err) {
  const char *path = coord__options_text(o, COORD__OPTION_MIRROR_FILE);
  const coord__namespace *ns = &m->client->ns;
  coord__buf scope = {0};
  coord_code code = COORD_OK;
  m->waits = coord__options_bool(o, COORD__OPTION_MIRROR_WAIT);
  if (path[0] == '\0') return COORD_OK;
  if (!coord__namespace_key(ns, m->prefix.data, m->prefix.len, &scope)) {
    code = coord__no_memory(err);
  } else {
    int64_t interval_ns =
        coord__options_int(o, COORD__OPTION_MIRROR_FILE_INTERVAL_MS) * COORD__NS_PER_MS;
    code = coord__mirror_file_open(path, &scope, m->prefix.len, interval_ns, &m->file, err);
  }
  coord__buf_free(&scope);
  return code;
}

coord_code coord__mirror_open(coord_client *c, const void *prefix, size_t prefix_len,
                              const coord_options *options, const coord__mirror_sink *sink,
                              coord_mirror **out, coord_error **err) {
  coord_mirror *m = coord__calloc(1, sizeof *m);
  if (m == NULL) return coord__no_memory(err);
  m->client = c;
  coord_code code = COORD_OK;
  if (!coord__buf_append(&m->prefix, prefix, prefix_len) ||
      (m->last = make_event(COORD_EVENT_CLOSED)) == NULL) {
    code = coord__no_memory(err);
  }
  if (code == COORD_OK) code = take_options(m, options != NULL ? options : c->options, err);
  if (code != COORD_OK) {
    free_mirror(m);
    return code;
  }
  atomic_init(&m->refs, 1);
  m->member.told = on_told;
  m->member.again = on_again;
  m->member.delivered = on_delivered;
  m->member.queue = sink->queue != NULL ? coord__queue_retain(sink->queue) : NULL;
  m->tag = sink->tag;
  m->listener = sink->listener;
  m->buffer_bytes = (size_t)coord__options_int(c->options, COORD__OPTION_WATCH_BUFFER_BYTES);
  coord__list_init(&m->sender.waiting);
  m->sender.drained = on_drained;
  m->open_job.run = run_open;
  m->drained_job.run = run_drained;
  m->free_job.run = run_free;
  coord__client_retain(c);
  coord__client_use(c);
  /* The listener may hear of it, and look at it, before this returns. */
  *out = m;
  post(m, &m->open_job);
  return COORD_OK;
}

void coord__mirror_free(coord_mirror *m) {
  coord_client *c = m->client;
  bool forked = coord__client_forked(c);
  if (forked) {
    /* Its copy, which knows it, is nobody's here. */
    release(m);
  } else {
    if (m->member.queue != NULL) coord__queue_mute(m->member.queue, &m->sender);
    coord__loop_post(c->loop, &m->free_job); /* with the reference of the program */
  }
  coord__client_unuse(c);
}

coord_client *coord__mirror_client(const coord_mirror *m) { return m->client; }

/* ---- reading; any thread ---- */

static coord__copy *copy_of(const coord_mirror *m) {
  return atomic_load_explicit(&((coord_mirror *)(uintptr_t)m)->copy, memory_order_acquire);
}

/* Whether the mirror would have it. */
static bool covers(const coord_mirror *m, const void *key, size_t len) {
  return len >= m->prefix.len &&
         (m->prefix.len == 0 || memcmp(key, m->prefix.data, m->prefix.len) == 0);
}

coord_code coord__mirror_get(const coord_mirror *m, const void *key, size_t key_len,
                             coord_result **out) {
  coord__copy *copy = copy_of(m);
  if (!covers(m, key, key_len)) return COORD_INVALID;
  if (copy == NULL) return COORD_UNAVAILABLE;
  return coord__portion_of_key(copy->replica.content, key, key_len, out);
}

static coord_code read_section(const coord_mirror *m, const coord__section *section,
                               coord_result **out) {
  coord__copy *copy = copy_of(m);
  if (section->from_len > 0 && !covers(m, section->from, section->from_len)) return COORD_INVALID;
  if (section->limit < 0) return COORD_INVALID;
  if (copy == NULL) return COORD_UNAVAILABLE;
  return coord__portion_of_section(copy->replica.content, section, out);
}

coord_code coord__mirror_range(const coord_mirror *m, const void *from, size_t from_len,
                               const void *end, size_t end_len, int64_t limit, coord_result **out) {
  coord__section section = {from, from_len, end, end_len, .limit = limit};
  return read_section(m, &section, out);
}

coord_code coord__mirror_prefix(const coord_mirror *m, const void *prefix, size_t prefix_len,
                                coord_result **out) {
  coord__section section = {.from = prefix, .from_len = prefix_len, .is_prefix = prefix_len > 0};
  return read_section(m, &section, out);
}

coord__snapshot *coord__mirror_snapshot(const coord_mirror *m) {
  coord__copy *copy = copy_of(m);
  return copy != NULL ? coord__content_snapshot(copy->replica.content) : NULL;
}

coord__item *coord__mirror_find(const coord_mirror *m, const void *key, size_t key_len) {
  coord__copy *copy = copy_of(m);
  int64_t revision;
  if (copy == NULL || !covers(m, key, key_len)) return NULL;
  return coord__content_get(copy->replica.content, key, key_len, &revision);
}

int64_t coord__mirror_count(const coord_mirror *m) {
  coord__copy *copy = copy_of(m);
  return copy != NULL ? (int64_t)coord__content_count(copy->replica.content) : 0;
}

int64_t coord__mirror_revision(const coord_mirror *m) {
  coord__copy *copy = copy_of(m);
  return copy != NULL ? coord__content_revision(copy->replica.content) : 0;
}

int64_t coord__mirror_staleness_ms(const coord_mirror *m) {
  coord__copy *copy = copy_of(m);
  return copy != NULL ? coord__replica_staleness_ms(&copy->replica, coord__clock_boot_ns()) : -1;
}
