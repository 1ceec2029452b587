#include "coord/watcher.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "coord/feed.h"

/* A server looks at the watches of a stream in turn: few streams share the work. */
enum { FEEDS_MAX = 4, WATCHES_PER_FEED = 1000 };

void coord__watcher_init(coord__watcher *watcher, coord__rpc *rpc,
                         const coord__watcher_config *config) {
  *watcher = (coord__watcher){.rpc = rpc, .config = *config};
  coord__list_init(&watcher->feeds);
  coord__list_init(&watcher->parked);
}

static void end_one(coord__list *node, coord_code code, const char *why) {
  coord__subscription *s = COORD__CONTAINER(node, coord__subscription, link);
  coord_error *err = NULL;
  coord__watcher_remove(s);
  coord__fail(&err, code, "watch: %s", why);
  s->subscriber->ended(s, code, err, 0);
}

void coord__watcher_end(coord__watcher *watcher, coord_code code, const char *why) {
  while (!coord__list_empty(&watcher->parked)) end_one(watcher->parked.next, code, why);
  while (!coord__list_empty(&watcher->feeds)) {
    coord__feed *feed = COORD__CONTAINER(watcher->feeds.next, coord__feed, link);
    end_one(coord__list_empty(&feed->todo) ? feed->subs.next : feed->todo.next, code, why);
  }
}

void coord__watcher_free(coord__watcher *watcher) { coord__buf_free(&watcher->frame); }

static coord__feed *choose(coord__watcher *watcher) {
  coord__feed *best = NULL;
  for (coord__list *n = watcher->feeds.next; n != &watcher->feeds; n = n->next) {
    coord__feed *feed = COORD__CONTAINER(n, coord__feed, link);
    if (best == NULL || feed->count < best->count) best = feed;
  }
  bool full = best == NULL || best->count >= WATCHES_PER_FEED;
  if (!full || (best != NULL && watcher->feed_count >= FEEDS_MAX)) return best;
  coord__feed *feed = coord__feed_new(watcher);
  return feed != NULL ? feed : best;
}

coord__subscription *coord__watcher_doubts(coord__watcher *watcher) {
  coord__subscription *one = NULL;
  for (coord__list *n = watcher->feeds.next; n != &watcher->feeds; n = n->next) {
    coord__subscription *s = coord__feed_doubts(COORD__CONTAINER(n, coord__feed, link));
    if (s != NULL) one = s;
  }
  return one;
}

void coord__watcher_begin_era(coord__watcher *watcher, const char *why) {
  watcher->era++;
  snprintf(watcher->new_era, sizeof watcher->new_era, "%s", why);
  coord__log_at(watcher->rpc->log, COORD_LOG_WARN, "%s; all that was told before is in doubt", why);
}

void coord__watcher_settle(coord__watcher *watcher, int64_t revision) {
  int64_t reached = 0;
  for (coord__list *n = watcher->feeds.next; n != &watcher->feeds; n = n->next) {
    int64_t r = coord__feed_reached(COORD__CONTAINER(n, coord__feed, link));
    if (r > reached) reached = r;
  }
  if (reached > revision) {
    char why[COORD__ERA_REASON];
    snprintf(
        why, sizeof why,
        "the store was restored from a backup: revision %lld was there before, and then it was "
        "at %lld",
        (long long)reached, (long long)revision);
    coord__watcher_begin_era(watcher, why);
  }
  for (coord__list *n = watcher->feeds.next, *next; n != &watcher->feeds; n = next) {
    next = n->next;
    coord__feed_settle(COORD__CONTAINER(n, coord__feed, link));
  }
}

bool coord__watcher_add(coord__watcher *watcher, coord__subscription *s) {
  coord__feed *feed = choose(watcher);
  if (feed == NULL) return false;
  if (!s->watch.has_stood) s->era = watcher->era; /* else it was parked */
  coord__feed_add(feed, s);
  return true;
}

void coord__watcher_remove(coord__subscription *s) {
  if (s->state == COORD__SUBSCRIPTION_NEW) return;
  coord__feed *feed = s->feed;
  if (feed == NULL) {
    coord__list_remove(&s->link);
  } else {
    coord__feed_remove(feed, s);
  }
  coord__watch_break(&s->watch);
  s->feed = NULL;
  s->state = COORD__SUBSCRIPTION_NEW;
}

void coord__watcher_park(coord__watcher *watcher, coord__subscription *s) {
  coord__watcher_remove(s);
  s->state = COORD__SUBSCRIPTION_PARKED;
  coord__list_append(&watcher->parked, &s->link);
}

void coord__watcher_unpark(coord__watcher *watcher, coord__subscription *s) {
  if (s->state != COORD__SUBSCRIPTION_PARKED) return;
  coord__watcher_remove(s);
  if (coord__watcher_add(watcher, s)) return;
  coord_error *err = NULL;
  coord__no_memory(&err);
  s->subscriber->ended(s, COORD_NO_MEMORY, err, 0);
}
