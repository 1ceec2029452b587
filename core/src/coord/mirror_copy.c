#include "coord/mirror_copy.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "coord/watch_handle.h"
#include "etcd/result.h"
#include "etcd/scan.h"

#define PAUSE_NS (INT64_C(50) * COORD__NS_PER_MS)
#define LONGEST_PAUSE_NS (INT64_C(1000) * COORD__NS_PER_MS)

/* All copies of a client. */
typedef struct coord__copies {
  coord__part part;
  coord_client *client;
  coord__list open;    /* copies that others may join */
  coord__list pending; /* events */
  coord__list touched; /* members that have some among them */
  coord__idle deliver;
} coord__copies;

static coord__copy *copy_of(coord__replica *r) { return COORD__CONTAINER(r, coord__copy, replica); }

static coord__loop *loop_of(const coord__copy *copy) { return copy->client->loop; }

/* ---- events ---- */

static coord__mirror_event *event_of(coord__list *node) {
  return COORD__CONTAINER(node, coord__mirror_event, event.link);
}

static void deliver_run(coord__list *pending) {
  coord__list batch;
  coord__list_init(&batch);
  coord_queue *queue = event_of(pending->next)->member->queue;
  while (!coord__list_empty(pending)) {
    coord__list *node = pending->next;
    if (event_of(node)->member->queue != queue) break;
    coord__list_remove(node);
    coord__list_append(&batch, node);
  }
  coord__queue_push(queue, &batch);
}

static void deliver(coord__copies *all) {
  while (!coord__list_empty(&all->pending)) deliver_run(&all->pending);
  for (coord__list *node; (node = coord__list_pop(&all->touched)) != NULL;) {
    coord__mirror_member *m = COORD__CONTAINER(node, coord__mirror_member, touched);
    m->delivered(m);
  }
}

static void on_deliver(coord__idle *idle) {
  deliver(COORD__CONTAINER(idle, coord__copies, deliver));
}

void coord__copies_tell(coord_client *c, coord__mirror_event *event) {
  coord__copies *all = c->copies;
  coord__list_append(&all->pending, &event->event.link);
  coord__list *touched = &event->member->touched;
  if (!coord__list_linked(touched)) coord__list_append(&all->touched, touched);
  coord__loop_defer_first(c->loop, &all->deliver);
}

void coord__copies_deliver(coord_client *c) {
  if (c->copies != NULL) deliver(c->copies);
}

/* ---- the file ---- */

/* The writing of one version. */
typedef struct saver {
  coord__job job;
  coord__copy *copy;
  coord__snapshot *snapshot;
  uint64_t cluster_id;
  coord_code code;
  coord_error *error;
} saver;

static void plan_save(coord__copy *copy, int64_t delay_ns) {
  if (copy->file == NULL || copy->save.node.is_in) return;
  copy->unsaved = true;
  coord__timer_set(loop_of(copy), &copy->save, coord__clock_ns() + delay_ns);
}

static void begin_save(coord__copy *copy);

static void run_saved(coord__job *job) {
  saver *s = COORD__CONTAINER(job, saver, job);
  coord_client *c = s->copy->client;
  if (s->code != COORD_OK) {
    coord__log_at(&c->log, COORD_LOG_WARN, "mirror: %s",
                  s->error != NULL ? coord_error_message(s->error) : coord_code_name(s->code));
  }
  coord_error_free(s->error);
  coord__snapshot_release(s->snapshot);
  s->copy->saving = false;
  if (s->code != COORD_OK && s->copy->replica.state != COORD__REPLICA_OVER) {
    plan_save(s->copy, s->copy->file->interval_ns);
  } else if (s->code == COORD_OK && s->copy->unsaved && !s->copy->save.node.is_in) {
    begin_save(s->copy);
  }
  coord__client_farewell_ended(c);
  coord__copy_release(s->copy);
  coord__free(s);
}

static void *save(void *arg) {
  saver *s = arg;
  s->code = coord__mirror_file_write(s->copy->file, s->snapshot, s->cluster_id, &s->error);
  coord__loop_post(s->copy->client->loop, &s->job);
  return NULL;
}

/* No signal of the program is handled there. */
static bool start_thread(saver *s) {
  sigset_t all, before;
  pthread_t thread;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool ok = pthread_create(&thread, NULL, save, s) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (ok) pthread_detach(thread);
  return ok;
}

static void begin_save(coord__copy *copy) {
  saver *s = coord__calloc(1, sizeof *s);
  if (s != NULL) {
    *s = (saver){.job = {.run = run_saved},
                 .copy = copy,
                 .snapshot = coord__content_snapshot(copy->replica.content),
                 .cluster_id = copy->replica.cluster_id};
    copy->saving = true;
    atomic_fetch_add(&copy->refs, 1);
    coord__client_farewell(copy->client);
    if (start_thread(s)) {
      copy->unsaved = false;
      return;
    }
    s->code = COORD_EXHAUSTED;
    coord__fail(&s->error, s->code, "option mirror.file: no thread to write \"%s\"",
                copy->file->path);
    run_saved(&s->job);
  }
  plan_save(copy, copy->file->interval_ns);
}

static void on_save(coord__timer *timer) {
  coord__copy *copy = COORD__CONTAINER(timer, coord__copy, save);
  if (copy->saving) {
    plan_save(copy, copy->file->interval_ns);
  } else {
    begin_save(copy);
  }
}

/* etcd is away. */
static void restore(coord__copy *copy) {
  coord__mirror_file *f = copy->file;
  struct timespec now;
  copy->file_wanted = false;
  if (copy->replica.state == COORD__REPLICA_OVER || copy->replica.loaded || f->items == NULL)
    return;
  clock_gettime(CLOCK_REALTIME, &now);
  int64_t age_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - f->written_ms;
  if (age_ms < 0) age_ms = 0;
  if (coord__replica_restore(&copy->replica, f->items, f->count, f->revision,
                             age_ms * COORD__NS_PER_MS)) {
    coord__log_at(&copy->client->log, COORD_LOG_WARN,
                  "mirror: etcd is not reached; going on with \"%s\", which is %lld s old", f->path,
                  (long long)age_ms / 1000);
  }
  coord__mirror_file_forget(f);
}

static coord_code check_cluster(const coord__copy *copy, const coord_result *page,
                                coord_error **err) {
  const coord__mirror_file *f = copy->file;
  uint64_t id = coord_result_cluster_id(page);
  if (f == NULL || !f->was_read || id == 0 || f->cluster_id == 0 || id == f->cluster_id) {
    return COORD_OK;
  }
  return coord__fail(err, COORD_CONFLICT,
                     "option mirror.file: \"%s\" holds keys of cluster %" PRIx64
                     ", and the endpoints belong to cluster %" PRIx64
                     "; remove the file, or name another one",
                     f->path, f->cluster_id, id);
}

/* ---- the list ---- */

static void on_page(coord__task *task, void *user);

static void cannot_ask(coord__copy *copy, coord_code code) {
  copy->unasked = code;
  coord__loop_defer_first(loop_of(copy), &copy->attend);
}

static void ask(coord__copy *copy) {
  coord__sink sink = {.done = on_page, .user = copy};
  coord_op *op = copy->scan != NULL ? coord__op_scan_next(copy->scan) : NULL;
  coord_code code =
      op != NULL ? coord__task_new(copy->client, op, 0, &sink, &copy->page, NULL) : COORD_NO_MEMORY;
  coord__op_free(op);
  if (code != COORD_OK) {
    copy->page = NULL;
    cannot_ask(copy, code);
    return;
  }
  atomic_fetch_add(&copy->refs, 1);
  coord__task_start(copy->page);
}

static coord_op *get_all(const coord__copy *copy) {
  coord_op *get = coord__op_get(copy->prefix.data, copy->prefix.len);
  if (get != NULL) coord__op_set_prefix(get);
  return get;
}

static void end_scan(coord__copy *copy) {
  if (copy->scan != NULL) coord__scan_free(copy->scan);
  copy->scan = NULL;
  copy->page = NULL; /* what is under way is not heard */
  copy->unasked = COORD_OK;
}

static void list(coord__replica *r, bool anew) {
  coord__copy *copy = copy_of(r);
  if (anew) end_scan(copy);
  if (copy->scan == NULL) {
    coord_op *get = get_all(copy);
    if (get != NULL) coord__scan_open_inside(copy->client, get, 0, &copy->scan, NULL);
    coord__op_free(get);
  }
  ask(copy);
}

static void take_page(coord__copy *copy, const coord_result *page) {
  coord_error *err = NULL;
  coord_code code = check_cluster(copy, page, &err);
  if (code != COORD_OK) {
    coord__replica_end(&copy->replica, code, err);
    coord_error_free(err);
    return;
  }
  bool is_end = coord_result_count(page) == 0;
  int64_t revision = coord__scan_revision(copy->scan);
  /* The next one is asked for before this one is looked at: the server works meanwhile. */
  if (is_end) {
    end_scan(copy);
  } else {
    ask(copy);
  }
  coord__replica_page(&copy->replica, page);
  if (is_end) coord__replica_listed(&copy->replica, revision);
}

static void on_page(coord__task *task, void *user) {
  coord__copy *copy = user;
  coord_event *event = &task->event;
  if (task == copy->page) {
    copy->page = NULL;
    if (event->code == COORD_OK) {
      take_page(copy, event->result);
    } else {
      coord__replica_failed(&copy->replica, event->code, event->error);
    }
  }
  coord_event_free(event);
  coord__copy_release(copy);
}

/* ---- the watch ---- */

static coord__copy *of_sub(coord__subscription *s) { return s->owner; }

static bool on_stands(coord__subscription *s, int64_t revision, coord_code broken) {
  (void)revision;
  coord__replica_stands(&of_sub(s)->replica, broken);
  return true;
}

static void on_broke(coord__subscription *s, int64_t heard_ns) {
  coord__copy *copy = of_sub(s);
  /* The connection itself was alive not longer ago than that: else it had been given up. */
  int64_t longest =
      (coord__options_int(copy->client->options, COORD__OPTION_KEEPALIVE_INTERVAL_MS) +
       coord__options_int(copy->client->options, COORD__OPTION_KEEPALIVE_TIMEOUT_MS)) *
      COORD__NS_PER_MS;
  int64_t ago = coord__clock_ns() - heard_ns;
  coord__replica_broke(&copy->replica, ago < longest ? ago : longest);
}

static void on_changes(coord__subscription *s, coord_event *event) {
  coord__copy *copy = of_sub(s);
  copy->telling = true;
  coord__replica_changes(&copy->replica, event);
  copy->telling = false;
  coord_event_free(event);
}

static void on_ended(coord__subscription *s, coord_code code, coord_error *err, int64_t compacted) {
  coord__copy *copy = of_sub(s);
  (void)compacted;
  copy->telling = true;
  coord__replica_unwatched(&copy->replica, code, err);
  copy->telling = false;
  coord_error_free(err);
}

static const coord__subscriber subscriber = {on_stands, on_changes, on_ended};

static void unsubscribe(coord__copy *copy) {
  copy->unwatch_later = false;
  if (!copy->subscribed) return;
  copy->subscribed = false;
  coord__watcher_remove(&copy->sub);
  coord__watch_free(&copy->sub.watch);
}

static void unwatch(coord__replica *r) {
  coord__copy *copy = copy_of(r);
  if (copy->telling) {
    copy->unwatch_later = true;
    coord__loop_defer_first(loop_of(copy), &copy->attend);
  } else {
    unsubscribe(copy);
  }
}

static bool watch(coord__replica *r, int64_t revision) {
  coord__copy *copy = copy_of(r);
  coord_client *c = copy->client;
  unsubscribe(copy);
  coord__watcher *watcher = c->rpc.closed ? NULL : coord__client_watcher(c);
  coord_op *get = watcher != NULL ? get_all(copy) : NULL;
  copy->sub = (coord__subscription){.subscriber = &subscriber, .owner = copy, .broke = on_broke};
  bool ok =
      get != NULL && coord__watch_init(&copy->sub.watch, get, revision, &c->ns, NULL) == COORD_OK;
  coord__op_free(get);
  copy->sub.watch.reached = revision - 1;
  if (ok && !coord__watcher_add(watcher, &copy->sub)) {
    coord__watch_free(&copy->sub.watch);
    ok = false;
  }
  copy->subscribed = ok;
  return ok;
}

/* ---- the rest of the world ---- */

static void pause_reading(coord__replica *r, unsigned failures) {
  coord__copy *copy = copy_of(r);
  int64_t ns = coord__jitter(coord__backoff(PAUSE_NS, LONGEST_PAUSE_NS, failures));
  coord__timer_set(loop_of(copy), &copy->pause, coord__clock_ns() + ns);
}

static void on_pause(coord__timer *timer) {
  coord__replica_resume(&COORD__CONTAINER(timer, coord__copy, pause)->replica);
}

static int64_t boot_ns(coord__replica *r) {
  (void)r;
  return coord__clock_boot_ns();
}

static void on_attend(coord__idle *idle) {
  coord__copy *copy = COORD__CONTAINER(idle, coord__copy, attend);
  if (copy->unwatch_later) unsubscribe(copy);
  coord_code code = copy->unasked;
  copy->unasked = COORD_OK;
  if (code != COORD_OK) coord__replica_failed(&copy->replica, code, NULL);
  if (copy->file_wanted) restore(copy);
}

static void tell_members(coord__copy *copy, const coord__replica_told *told) {
  for (coord__list *n = copy->members.next, *next; n != &copy->members; n = next) {
    coord__mirror_member *m = COORD__CONTAINER(n, coord__mirror_member, link);
    next = n->next;
    m->told(m, told);
  }
}

static void on_told(coord__replica *r, const coord__replica_told *told) {
  coord__copy *copy = copy_of(r);
  switch (told->news) {
    case COORD__REPLICA_TRIES:
      coord__log_at(
          &copy->client->log, COORD_LOG_INFO, "mirror: reading has failed for now: %s",
          told->error != NULL ? coord_error_message(told->error) : coord_code_name(told->code));
      if (copy->file != NULL && copy->file->items != NULL) {
        copy->file_wanted = true;
        coord__loop_defer_first(loop_of(copy), &copy->attend);
        return;
      }
      break;
    case COORD__REPLICA_REREAD:
    case COORD__REPLICA_CHANGED:
      if (copy->file != NULL) {
        plan_save(copy, copy->file->was_saved ? copy->file->interval_ns : 0);
        copy->file->was_saved = true;
        copy->file->was_read = false;
        coord__mirror_file_forget(copy->file);
      }
      break;
    case COORD__REPLICA_ENDED:
      coord__list_remove(&copy->link);
      copy->code = told->code;
      copy->error = coord__error_dup(told->error);
      break;
    default:
      break;
  }
  tell_members(copy, told);
}

static const coord__replica_world world = {list, watch, unwatch, pause_reading, boot_ns, on_told};

void coord__copy_again_later(coord__copy *copy) {
  if (copy->again.node.is_in) return;
  coord__timer_set(loop_of(copy), &copy->again, coord__clock_ns() + PAUSE_NS);
}

static void on_again(coord__timer *timer) {
  coord__copy *copy = COORD__CONTAINER(timer, coord__copy, again);
  for (coord__list *n = copy->members.next, *next; n != &copy->members; n = next) {
    coord__mirror_member *m = COORD__CONTAINER(n, coord__mirror_member, link);
    next = n->next;
    m->again(m);
  }
}

/* ---- the part of the client ---- */

static void end_part(coord__part *part) {
  coord__copies *all = COORD__CONTAINER(part, coord__copies, part);
  coord_error *err = NULL;
  coord__fail(&err, COORD_CLOSED, "mirror: the client was closed");
  while (!coord__list_empty(&all->open)) {
    coord__copy *copy = COORD__CONTAINER(all->open.next, coord__copy, link);
    coord__replica_end(&copy->replica, COORD_CLOSED, err);
    coord__list_remove(&copy->link);
    coord__timer_stop(loop_of(copy), &copy->save);
    if (copy->unsaved && !copy->saving) begin_save(copy);
  }
  coord_error_free(err);
  deliver(all);
}

static void free_part(coord__part *part) {
  coord__copies *all = COORD__CONTAINER(part, coord__copies, part);
  coord__idle_cancel(&all->deliver);
  coord__free(all);
}

static coord__copies *copies_of(coord_client *c) {
  if (c->copies != NULL) return c->copies;
  coord__copies *all = coord__calloc(1, sizeof *all);
  if (all == NULL) return NULL;
  all->client = c;
  coord__list_init(&all->open);
  coord__list_init(&all->pending);
  coord__list_init(&all->touched);
  all->deliver.run = on_deliver;
  all->part.end = end_part;
  all->part.free = free_part;
  coord__list_append(&c->parts, &all->part.link);
  c->copies = all;
  return all;
}

/* ---- life ---- */

static bool is_of(const coord__copy *copy, const coord__buf *prefix,
                  const coord__mirror_file *file) {
  const char *have = copy->file != NULL ? copy->file->path : "";
  return copy->prefix.len == prefix->len &&
         (prefix->len == 0 || memcmp(copy->prefix.data, prefix->data, prefix->len) == 0) &&
         strcmp(have, file != NULL ? file->path : "") == 0;
}

static coord__copy *make(coord_client *c, const coord__buf *prefix, coord__mirror_file *file) {
  coord__copy *copy = coord__calloc(1, sizeof *copy);
  if (copy == NULL) return NULL;
  atomic_init(&copy->refs, 1);
  copy->client = c;
  coord__list_init(&copy->members);
  copy->attend.run = on_attend;
  copy->pause.fire = on_pause;
  copy->again.fire = on_again;
  copy->save.fire = on_save;
  if (!coord__buf_append(&copy->prefix, prefix->data, prefix->len) ||
      !coord__replica_init(&copy->replica, &world, prefix->len)) {
    coord__buf_free(&copy->prefix);
    coord__free(copy);
    return NULL;
  }
  copy->file = file;
  coord__client_retain(c);
  return copy;
}

coord__copy *coord__copy_of(coord_client *c, const coord__buf *prefix, coord__mirror_file *file,
                            bool file_first) {
  coord__copies *all = copies_of(c);
  coord__copy *copy = NULL;
  for (coord__list *n = all != NULL ? all->open.next : NULL; n != NULL && n != &all->open;
       n = n->next) {
    copy = COORD__CONTAINER(n, coord__copy, link);
    if (is_of(copy, prefix, file)) break;
    copy = NULL;
  }
  if (copy != NULL) {
    atomic_fetch_add(&copy->refs, 1);
    coord__mirror_file_free(file);
  } else if (all != NULL && (copy = make(c, prefix, file)) != NULL) {
    coord__list_append(&all->open, &copy->link);
    if (file_first && file != NULL) restore(copy);
    coord__replica_start(&copy->replica);
    return copy;
  } else {
    coord__mirror_file_free(file);
    return NULL;
  }
  if (file_first && copy->file != NULL && !copy->replica.loaded) {
    copy->file_wanted = true;
    coord__loop_defer_first(c->loop, &copy->attend);
  }
  return copy;
}

void coord__copy_join(coord__copy *copy, coord__mirror_member *m) {
  m->copy = copy;
  coord__list_append(&copy->members, &m->link);
}

/* Nobody reads it any more. */
static void stop(coord__copy *copy) {
  coord__list_remove(&copy->link);
  coord__replica_stop(&copy->replica);
  unsubscribe(copy);
  end_scan(copy);
  coord__timer_stop(loop_of(copy), &copy->pause);
  coord__timer_stop(loop_of(copy), &copy->again);
  coord__timer_stop(loop_of(copy), &copy->save);
  coord__idle_cancel(&copy->attend);
  if (copy->unsaved && !copy->saving) begin_save(copy);
  coord__timer_stop(loop_of(copy), &copy->save);
}

void coord__copy_leave(coord__mirror_member *m) {
  coord__copy *copy = m->copy;
  if (copy == NULL) return;
  coord__list_remove(&m->touched);
  coord__list_remove(&m->link);
  if (coord__list_empty(&copy->members)) stop(copy);
}

void coord__copy_release(coord__copy *copy) {
  if (atomic_fetch_sub(&copy->refs, 1) > 1) return;
  coord_client *c = copy->client;
  coord__replica_free(&copy->replica);
  coord__watch_free(&copy->sub.watch);
  coord__mirror_file_free(copy->file);
  coord__buf_free(&copy->prefix);
  coord_error_free(copy->error);
  coord__free(copy);
  if (coord__client_forked(c)) {
    atomic_fetch_sub(&c->refs, 1);
  } else {
    coord__client_release(c);
  }
}
