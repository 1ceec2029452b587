#include "coord/watch_handle.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/queue.h"
#include "coord/verifier.h"
#include "coord/watcher.h"
#include "etcd/method.h"

/* The watches of a client. I/O thread only. */
typedef struct coord__watches {
  coord__part part;
  coord_client *client;
  coord__watcher watcher;
  coord__verifier verifier;
  coord__list pending; /* events to be delivered before the loop sleeps */
  coord__list touched; /* watches that have some among them */
  coord__idle deliver;
} coord__watches;

struct coord_watch {
  atomic_int refs; /* the program's; jobs under way */
  atomic_bool closing;
  coord_client *client;
  coord_queue *queue;
  uint64_t tag;
  size_t buffer_bytes;
  coord__sender sender; /* by the queue's lock */
  coord__job open_job;
  coord__job close_job;
  coord__job drained_job;
  coord__job free_job;
  /* I/O thread only. */
  coord__subscription sub;
  coord__list touched;
  coord_event *last; /* CLOSED, made beforehand; NULL: it has been told */
};

static coord_watch *watch_of(coord__subscription *s) {
  return COORD__CONTAINER(s, coord_watch, sub);
}

/* ---- delivering ---- */

static void deliver_run(coord__list *pending) {
  coord__list batch;
  coord__list_init(&batch);
  coord_queue *queue = NULL;
  while (!coord__list_empty(pending)) {
    coord_event *event = COORD__CONTAINER(pending->next, coord_event, link);
    coord_watch *w = COORD__CONTAINER(event->sender, coord_watch, sender);
    if (queue != NULL && w->queue != queue) break;
    queue = w->queue;
    coord__list_remove(&event->link);
    coord__list_append(&batch, &event->link);
  }
  coord__queue_push(queue, &batch);
}

static void deliver(coord__watches *all) {
  while (!coord__list_empty(&all->pending)) deliver_run(&all->pending);
  for (coord__list *node; (node = coord__list_pop(&all->touched)) != NULL;) {
    coord_watch *w = COORD__CONTAINER(node, coord_watch, touched);
    if (w->sub.state == COORD__SUBSCRIPTION_NEW || w->sub.state == COORD__SUBSCRIPTION_PARKED) {
      continue;
    }
    if (coord__queue_is_full(w->queue, &w->sender, w->buffer_bytes)) {
      coord__watcher_park(&all->watcher, &w->sub);
    }
  }
}

static void on_deliver(coord__idle *idle) {
  deliver(COORD__CONTAINER(idle, coord__watches, deliver));
}

static void tell(coord_watch *w, coord_event *event) {
  coord__watches *all = w->client->watches;
  event->tag = w->tag;
  event->sender = &w->sender;
  if (all == NULL) {
    coord__list one;
    coord__list_init(&one);
    coord__list_append(&one, &event->link);
    coord__queue_push(w->queue, &one);
    return;
  }
  coord__list_append(&all->pending, &event->link);
  if (!coord__list_linked(&w->touched)) coord__list_append(&all->touched, &w->touched);
  coord__loop_defer_first(w->client->loop, &all->deliver);
}

/* ---- what the watcher says ---- */

static void destroy_plain(coord_event *event) { coord__free(event); }

static coord_event *make_plain(int32_t type) {
  coord_event *event = coord__calloc(1, sizeof *event);
  if (event == NULL) return NULL;
  event->type = type;
  event->bytes = sizeof *event;
  event->destroy = destroy_plain;
  return event;
}

static bool on_stands(coord__subscription *s, int64_t revision, coord_code broken) {
  coord_event *event = make_plain(COORD_EVENT_RESYNC);
  if (event == NULL) return false;
  event->revision = revision;
  event->code = broken;
  tell(watch_of(s), event);
  return true;
}

static void on_changes(coord__subscription *s, coord_event *event) { tell(watch_of(s), event); }

static void on_ended(coord__subscription *s, coord_code code, coord_error *err, int64_t compacted) {
  coord_watch *w = watch_of(s);
  coord_event *event = w->last;
  if (event == NULL) {
    coord_error_free(err);
    return;
  }
  w->last = NULL;
  event->code = code;
  event->error = err;
  event->revision = compacted;
  tell(w, event);
}

static const coord__subscriber subscriber = {on_stands, on_changes, on_ended};

/* ---- the part of the client ---- */

static void end_part(coord__part *part) {
  coord__watches *all = COORD__CONTAINER(part, coord__watches, part);
  coord__watcher_end(&all->watcher, COORD_CLOSED, "the client was closed");
  coord__verifier_end(&all->verifier);
  deliver(all);
}

static void free_part(coord__part *part) {
  coord__watches *all = COORD__CONTAINER(part, coord__watches, part);
  coord__idle_cancel(&all->deliver);
  coord__watcher_free(&all->watcher);
  coord__free(all);
}

static void verify(coord__watcher *watcher) {
  coord__verifier_start(&COORD__CONTAINER(watcher, coord__watches, watcher)->verifier);
}

static coord__watches *watches_of(coord_client *c) {
  if (c->watches != NULL) return c->watches;
  coord__watches *all = coord__calloc(1, sizeof *all);
  if (all == NULL) return NULL;
  coord__watcher_config config = {
      .method = &coord__methods[COORD__METHOD_WATCH],
      .liveness_ns =
          coord__options_int(c->options, COORD__OPTION_WATCH_LIVENESS_MS) * COORD__NS_PER_MS,
      .verify = verify,
      .one_at_a_time = c->rpc.config.wire == &coord__wire_gateway};
  coord__watcher_init(&all->watcher, &c->rpc, &config);
  coord__verifier_init(&all->verifier, c, &all->watcher);
  all->client = c;
  coord__list_init(&all->pending);
  coord__list_init(&all->touched);
  all->deliver.run = on_deliver;
  all->part.end = end_part;
  all->part.free = free_part;
  coord__list_append(&c->parts, &all->part.link);
  c->watches = all;
  return all;
}

coord__watcher *coord__client_watcher(coord_client *c) {
  coord__watches *all = watches_of(c);
  return all != NULL ? &all->watcher : NULL;
}

unsigned coord__client_era(const coord_client *c) {
  return c->watches != NULL ? c->watches->watcher.era : 0;
}

/* ---- life ---- */

static void free_watch(coord_watch *w) {
  coord__watch_free(&w->sub.watch);
  coord__free(w->last);
  coord__queue_release(w->queue);
  coord__free(w);
}

/* On the I/O thread. */
static void release(coord_watch *w) {
  if (atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) > 1) return;
  coord_client *c = w->client;
  free_watch(w);
  coord__client_release(c);
}

static void post(coord_watch *w, coord__job *job) {
  atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
  coord__loop_post(w->client->loop, job);
}

static void on_drained(coord__sender *sender) {
  coord_watch *w = COORD__CONTAINER(sender, coord_watch, sender);
  post(w, &w->drained_job);
}

static void run_drained(coord__job *job) {
  coord_watch *w = COORD__CONTAINER(job, coord_watch, drained_job);
  coord__watcher_unpark(&w->client->watches->watcher, &w->sub);
  release(w);
}

static void run_open(coord__job *job) {
  coord_watch *w = COORD__CONTAINER(job, coord_watch, open_job);
  coord_client *c = w->client;
  coord_error *err = NULL;
  coord__watches *all = watches_of(c);
  if (c->rpc.closed) {
    coord__fail(&err, COORD_CLOSED, "watch: the client was closed");
    on_ended(&w->sub, COORD_CLOSED, err, 0);
  } else if (all == NULL || !coord__watcher_add(&all->watcher, &w->sub)) {
    coord__no_memory(&err);
    on_ended(&w->sub, COORD_NO_MEMORY, err, 0);
  }
  release(w);
}

static void run_close(coord__job *job) {
  coord_watch *w = COORD__CONTAINER(job, coord_watch, close_job);
  coord__watches *all = w->client->watches;
  if (all != NULL) coord__watcher_remove(&w->sub);
  on_ended(&w->sub, COORD_OK, NULL, 0);
  release(w);
}

static void run_free(coord__job *job) {
  coord_watch *w = COORD__CONTAINER(job, coord_watch, free_job);
  coord__watches *all = w->client->watches;
  if (all != NULL) {
    coord__watcher_remove(&w->sub);
    deliver(all); /* what is pending of it is discarded, while it can be found */
  }
  release(w);
}

coord_code coord__watch_open(coord_client *c, const coord_op *get, int64_t start_revision,
                             coord_queue *queue, uint64_t tag, coord_watch **out,
                             coord_error **err) {
  coord_watch *w = coord__calloc(1, sizeof *w);
  if (w == NULL) return coord__no_memory(err);
  coord_code code = coord__watch_init(&w->sub.watch, get, start_revision, &c->ns, err);
  if (code == COORD_OK && (w->last = make_plain(COORD_EVENT_CLOSED)) == NULL) {
    coord__watch_free(&w->sub.watch);
    code = coord__no_memory(err);
  }
  if (code != COORD_OK) {
    coord__free(w);
    return code;
  }
  atomic_init(&w->refs, 1);
  w->client = c;
  w->queue = coord__queue_retain(queue);
  w->tag = tag;
  w->buffer_bytes = (size_t)coord__options_int(c->options, COORD__OPTION_WATCH_BUFFER_BYTES);
  coord__list_init(&w->sender.waiting);
  w->sender.drained = on_drained;
  w->sub.subscriber = &subscriber;
  w->open_job.run = run_open;
  w->close_job.run = run_close;
  w->drained_job.run = run_drained;
  w->free_job.run = run_free;
  coord__client_retain(c);
  coord__client_use(c);
  post(w, &w->open_job);
  *out = w;
  return COORD_OK;
}

void coord__watch_close(coord_watch *w) {
  if (coord__client_forked(w->client) || atomic_exchange(&w->closing, true)) return;
  post(w, &w->close_job);
}

void coord__watch_drop(coord_watch *w) {
  coord_client *c = w->client;
  if (coord__client_forked(c)) {
    /* The watcher, which knows it, is nobody's here. */
    free_watch(w);
    atomic_fetch_sub(&c->refs, 1);
  } else {
    coord__queue_mute(w->queue, &w->sender);
    coord__loop_post(c->loop, &w->free_job); /* with the reference of the program */
  }
  coord__client_unuse(c);
}
