#include "coord/lookout.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "coord/changes.h"
#include "coord/watch_handle.h"

#define PAUSE_NS (INT64_C(50) * COORD__NS_PER_MS)
#define LONGEST_PAUSE_NS (INT64_C(1000) * COORD__NS_PER_MS)

static void wake(coord__lookout *l) { coord__loop_defer_first(l->client->loop, &l->attend); }

static bool on_stands(coord__subscription *s, int64_t revision, coord_code broken) {
  (void)s;
  (void)revision;
  (void)broken;
  return true;
}

static void on_changes(coord__subscription *s, coord_event *event) {
  coord__lookout *l = s->owner;
  for (size_t i = 0; i < coord_event_count(event); i++) {
    int32_t type = COORD_CHANGE_PUT;
    coord_kv kv;
    if (coord_event_change(event, i, &type, &kv, NULL) != COORD_OK) continue;
    if (l->matters(l, type, &kv)) wake(l);
  }
  coord_event_free(event);
}

static void on_ended(coord__subscription *s, coord_code code, coord_error *err, int64_t compacted) {
  coord__lookout *l = s->owner;
  (void)compacted;
  coord__log_at(&l->client->log, COORD_LOG_DEBUG, "a watch has ended: %s",
                err != NULL ? coord_error_message(err) : coord_code_name(code));
  coord_error_free(err);
  l->watching = false;
  wake(l);
}

static void on_attend(coord__idle *idle) {
  coord__lookout *l = COORD__CONTAINER(idle, coord__lookout, attend);
  l->wakes(l);
}

static void on_timer(coord__timer *timer) {
  coord__lookout *l = COORD__CONTAINER(timer, coord__lookout, timer);
  l->wakes(l);
}

void coord__lookout_init(coord__lookout *l, coord_client *c,
                         bool (*matters)(coord__lookout *l, int32_t type, const coord_kv *kv),
                         void (*wakes)(coord__lookout *l)) {
  *l = (coord__lookout){.client = c, .matters = matters, .wakes = wakes};
  l->attend.run = on_attend;
  l->timer.fire = on_timer;
}

static void unwatch(coord__lookout *l) {
  if (!l->used) return;
  coord__watcher_remove(&l->sub);
  coord__watch_free(&l->sub.watch);
  l->used = l->watching = false;
}

static const coord__subscriber subscriber = {on_stands, on_changes, on_ended};

bool coord__lookout_watch(coord__lookout *l, coord_op *get, int64_t revision) {
  coord_client *c = l->client;
  unwatch(l);
  coord__watcher *watcher = c->rpc.closed ? NULL : coord__client_watcher(c);
  l->sub = (coord__subscription){.subscriber = &subscriber, .owner = l};
  bool ok = watcher != NULL && get != NULL &&
            coord__watch_init(&l->sub.watch, get, revision, &c->ns, NULL) == COORD_OK;
  coord__op_free(get);
  if (ok) l->sub.watch.reached = revision - 1;
  if (ok && !coord__watcher_add(watcher, &l->sub)) {
    coord__watch_free(&l->sub.watch);
    ok = false;
  }
  l->used = l->watching = ok;
  return ok;
}

void coord__lookout_reached(coord__lookout *l, int64_t revision) {
  if (!l->used || revision <= l->sub.watch.reached) return;
  l->sub.watch.reached = revision;
  if (l->sub.doubt == COORD__DOUBT_ASKED) l->sub.doubt = COORD__DOUBT_NEW; /* before that */
}

void coord__lookout_pause(coord__lookout *l) {
  int64_t ns = coord__backoff(PAUSE_NS, LONGEST_PAUSE_NS, l->failures++);
  coord__timer_set(l->client->loop, &l->timer, coord__clock_ns() + coord__jitter(ns));
}

void coord__lookout_stop(coord__lookout *l) {
  unwatch(l);
  coord__timer_stop(l->client->loop, &l->timer);
  coord__idle_cancel(&l->attend);
}
