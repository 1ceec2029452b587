/*
 * Watches are asked for in turn, and the server answers in the order of the requests: the first
 * answer belongs to the first request, whatever id it bears. The ids that we ask for are our own, but
 * a proxy between may choose others.
 */
#include "coord/feed.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "etcd/request.h"

/* Traffic is to be expected for so many times the liveness after the last one. */
enum { ACTIVE_TIMES = 10, STALLS_MAX = 3, PACK_SLOTS = 64 };

/* A request to create. */
typedef struct slot {
  coord__subscription *sub; /* NULL: not wanted any more */
  int64_t id;
} slot;

static coord__loop *loop_of(const coord__feed *f) { return f->watcher->rpc->loop; }

static coord__subscription *sub_of(coord__list *node) {
  return COORD__CONTAINER(node, coord__subscription, link);
}

/* ---- what was asked for ---- */

static size_t slot_count(const coord__feed *f) { return f->asked.len / sizeof(slot) - f->answered; }

static slot *slots(coord__feed *f) { return (slot *)(void *)f->asked.data + f->answered; }

static slot pop_slot(coord__feed *f) {
  slot first = *slots(f);
  f->answered++;
  if (slot_count(f) == 0) {
    coord__buf_free(&f->asked);
    f->answered = 0;
  } else if (f->answered >= PACK_SLOTS && f->answered >= slot_count(f)) {
    coord__buf_consume(&f->asked, f->answered * sizeof(slot));
    f->answered = 0;
  }
  return first;
}

static void forget_slot(coord__feed *f, const coord__subscription *s) {
  for (size_t i = 0; i < slot_count(f); i++) {
    if (slots(f)[i].sub == s) slots(f)[i].sub = NULL;
  }
}

/* ---- sending ---- */

typedef enum request { CREATE, CANCEL, PROGRESS } request;

static bool send_request(coord__feed *f, request what, const coord__watch *watch, int64_t id) {
  static const uint8_t room[COORD__FRAME_HEADROOM];
  coord__buf *frame = &f->watcher->frame;
  frame->len = 0;
  bool ok = coord__buf_append(frame, room, sizeof room);
  if (ok && what == CREATE) ok = coord__watch_ask_create(watch, id, frame);
  if (ok && what == CANCEL) ok = coord__watch_ask_cancel(id, frame);
  if (ok && what == PROGRESS) ok = coord__watch_ask_progress(frame);
  return ok && coord__stream_send(&f->stream, frame->data, frame->len, false);
}

static int64_t pause_ns(const coord__feed *f) {
  const coord__retry *retry = &f->watcher->rpc->config.retry;
  if (f->failures <= 1) return 0;
  return coord__jitter(
      coord__backoff(retry->initial_delay_ns, retry->max_delay_ns, f->failures - 2));
}

static void retry_later(coord__feed *f) {
  if (f->failures < 1000) f->failures++;
  if (f->watcher->rpc->closed || f->retry.node.is_in) return;
  coord__timer_set(loop_of(f), &f->retry, coord__clock_ns() + pause_ns(f));
}

/* Not at once: the server has just answered, or memory is out. */
static void ask_again_later(coord__feed *f) {
  if (f->failures == 0) f->failures = 1;
  retry_later(f);
}

static void watch_silence(coord__feed *f, int64_t now) {
  f->active_ns = now;
  if (f->silence.node.is_in || !f->open || f->watcher->config.one_at_a_time) return;
  coord__timer_set(loop_of(f), &f->silence, now + f->watcher->config.liveness_ns / 2);
}

static bool ask(coord__feed *f, coord__subscription *s) {
  slot asked = {s, f->last_id + 1};
  if (!coord__buf_append(&f->asked, &asked, sizeof asked)) return false;
  if (!send_request(f, CREATE, &s->watch, asked.id)) {
    f->asked.len -= sizeof asked;
    return false;
  }
  f->last_id++;
  coord__list_remove(&s->link);
  coord__list_append(&f->subs, &s->link);
  s->state = COORD__SUBSCRIPTION_ASKED;
  return true;
}

static void ask_all(coord__feed *f) {
  if (!f->open || f->retry.node.is_in || coord__list_empty(&f->todo)) return;
  while (!coord__list_empty(&f->todo)) {
    if (f->watcher->config.one_at_a_time && slot_count(f) > 0) break;
    if (!ask(f, sub_of(f->todo.next))) {
      ask_again_later(f);
      break;
    }
  }
  watch_silence(f, coord__clock_ns());
}

/* ---- the end of a stream, and of subscriptions ---- */

static void take_out(coord__feed *f, coord__subscription *s) {
  coord__list_remove(&s->link);
  f->count--;
  s->feed = NULL;
  s->state = COORD__SUBSCRIPTION_NEW;
  s->doubt = COORD__DOUBT_NONE;
  coord__watch_break(&s->watch);
}

static void end_sub(coord__feed *f, coord__subscription *s, coord_code code, coord_error *err,
                    int64_t compacted) {
  if (s->state == COORD__SUBSCRIPTION_LIVE) coord__map_remove(&f->by_id, (uint64_t)s->id);
  if (s->state == COORD__SUBSCRIPTION_ASKED) forget_slot(f, s);
  take_out(f, s);
  s->subscriber->ended(s, code, err, compacted);
}

/* It is to be asked for again. COORD_OK: of that nobody has to know. COORD_TOO_LARGE: nor of that, but
 * it is asked for in fragments now. Only then: a server that divides many small events measures what it
 * has so far anew for each of them, and tens of thousands take it seconds in which the stream is silent. */
static void put_back(coord__feed *f, coord__subscription *s, coord_code why) {
  bool stood = s->state == COORD__SUBSCRIPTION_LIVE;
  s->watch.fragments = why == COORD_TOO_LARGE;
  s->doubt = COORD__DOUBT_NONE;
  coord__watch_break(&s->watch);
  coord__list_remove(&s->link);
  coord__list_append(&f->todo, &s->link);
  s->state = COORD__SUBSCRIPTION_WAITING;
  if (s->watch.has_stood && why != COORD_OK && why != COORD_TOO_LARGE) s->broken = why;
  if (stood && s->broke != NULL) s->broke(s, f->heard_ns);
}

/* The stream is gone, or has to go. */
static void reset(coord__feed *f, coord_code why) {
  if (f->streaming) coord__stream_end(&f->stream);
  f->streaming = f->open = false;
  coord__timer_stop(loop_of(f), &f->silence);
  coord__map_free(&f->by_id);
  coord__buf_free(&f->asked);
  f->answered = 0;
  f->last_id = 0;
  f->probed_ns = 0;
  while (!coord__list_empty(&f->subs)) put_back(f, sub_of(f->subs.next), why);
}

static bool is_final(coord_code code, const coord_error *err) {
  if ((coord_error_flags(err) & COORD_RETRIABLE) != 0) return false;
  return code == COORD_CLOSED || code == COORD_AUTH || code == COORD_TOO_LARGE ||
         code == COORD_UNSUPPORTED || code == COORD_INVALID;
}

/* An answer that was too large may come in fragments. */
static bool may_be_divided(const coord__feed *f) {
  for (coord__list *n = f->subs.next; n != &f->subs; n = n->next) {
    if (!sub_of(n)->watch.fragments) return true;
  }
  return false;
}

static void end_all(coord__feed *f, coord_code code, coord_error *err) {
  coord__list ending;
  coord__list_init(&ending);
  coord__list_splice(&ending, &f->todo);
  while (!coord__list_empty(&ending)) {
    end_sub(f, sub_of(ending.next), code, coord__error_dup(err), 0);
  }
}

static void on_closed(coord__stream *stream, coord_code code, coord_error *err) {
  coord__feed *f = COORD__CONTAINER(stream, coord__feed, stream);
  f->streaming = false;
  if (code == COORD_OK) code = COORD_UNAVAILABLE; /* a stream of watches has no end */
  bool ends = is_final(code, err) && !(code == COORD_TOO_LARGE && may_be_divided(f));
  reset(f, code == COORD_AUTH ? COORD_OK : code); /* a token that has expired is no interruption */
  coord__log_at(f->watcher->rpc->log, COORD_LOG_DEBUG, "watch: a stream of %zu watches ended: %s",
                f->count, err != NULL ? coord_error_message(err) : coord_code_name(code));
  if (ends) end_all(f, code, err);
  coord_error_free(err);
  if (f->count > 0) {
    retry_later(f);
  } else {
    coord__feed_free(f);
  }
}

/* ---- silence ---- */

/* An answer is owed, or there was one not long ago. */
static bool is_expecting(const coord__feed *f, int64_t now) {
  int64_t liveness = f->watcher->config.liveness_ns;
  return f->probed_ns != 0 || slot_count(f) > 0 || now - f->active_ns < ACTIVE_TIMES * liveness;
}

static void on_silence(coord__timer *timer) {
  coord__feed *f = COORD__CONTAINER(timer, coord__feed, silence);
  int64_t now = coord__clock_ns();
  int64_t half = f->watcher->config.liveness_ns / 2;
  /* A server that is busy, not dead, must not be left again and again. */
  int64_t patience = half << (f->stalls < STALLS_MAX ? f->stalls : STALLS_MAX);
  if (!f->open || f->count == 0 || !is_expecting(f, now)) return;
  /* Bytes of a large message count, whole or not. */
  int64_t heard = coord__stream_heard_ns(&f->stream);
  int64_t quiet = now - (heard > f->heard_ns ? heard : f->heard_ns);
  bool owed = slot_count(f) > 0 && now - f->active_ns >= half + patience;
  bool late = f->probed_ns != 0 && now - f->probed_ns >= patience;
  if ((late || owed) && quiet >= patience) {
    if (f->stalls < STALLS_MAX) f->stalls++;
    /* Ends in on_closed; the connection goes with it. */
    if (coord__stream_abandon(&f->stream, "watches have fallen silent (watch.liveness.ms)")) return;
  }
  if (f->probed_ns == 0 && slot_count(f) == 0 && quiet >= half &&
      send_request(f, PROGRESS, NULL, 0)) {
    f->probed_ns = now;
  }
  int64_t next = f->probed_ns != 0 ? f->probed_ns + patience : f->heard_ns + half;
  coord__timer_set(loop_of(f), &f->silence, next > now ? next : now + half);
}

/* ---- answers ---- */

/* This one alone has to be asked for again: its stream goes on. */
static void restart(coord__feed *f, coord__subscription *s, coord_code why) {
  if (s->state == COORD__SUBSCRIPTION_LIVE) {
    coord__map_remove(&f->by_id, (uint64_t)s->id);
    send_request(f, CANCEL, NULL, s->id); /* without memory it goes on, and is not listened to */
  }
  put_back(f, s, why);
  ask_again_later(f);
}

static coord_error *reason_error(coord_code code, const char *reason) {
  coord_error *err = NULL;
  coord__fail(&err, code, "watch: the server has cancelled it: %s",
              reason[0] != '\0' ? reason : "it gives no reason");
  return err;
}

/* The server does not want it. True: the stream was given up. */
static bool take_cancel(coord__feed *f, coord__subscription *s, const char *reason) {
  uint32_t flags = 0;
  coord_code code =
      reason[0] != '\0' ? coord__etcd_status(2, reason, true, &flags) : COORD_CANCELED;
  if (code == COORD_INTERNAL) code = COORD_CANCELED;
  if (s->refusals++ < COORD__REFUSALS_MAX) {
    if (reason[0] != '\0' && coord__stream_refused(&f->stream, reason)) {
      /* The token is that of the stream: all on it have to move. */
      reset(f, COORD_OK);
      retry_later(f);
      return true;
    }
    if ((flags & COORD_RETRIABLE) != 0) {
      put_back(f, s, code);
      ask_again_later(f);
      return false;
    }
  }
  end_sub(f, s, code, reason_error(code, reason), 0);
  return false;
}

static void end_compacted(coord__feed *f, coord__subscription *s, const coord__answer *a) {
  coord_error *err = NULL;
  /* Old servers do not say that they have cancelled it. */
  if (!a->canceled && s->state == COORD__SUBSCRIPTION_LIVE) send_request(f, CANCEL, NULL, s->id);
  if (a->compact_revision > 0) {
    coord__fail(
        &err, COORD_COMPACTED,
        "watch: revision %lld, which comes next, has been compacted; the oldest one left is "
        "%lld",
        (long long)s->watch.next, (long long)a->compact_revision);
  } else {
    coord__fail(&err, COORD_COMPACTED, "watch: revision %lld, which comes next, has been compacted",
                (long long)s->watch.next);
  }
  end_sub(f, s, COORD_COMPACTED, err, a->compact_revision);
}

static void end_bad(coord__feed *f, coord__subscription *s) {
  coord_error *err = NULL;
  coord__fail(&err, COORD_PROTOCOL, "watch: the server's answer is not a valid WatchResponse");
  if (s->state == COORD__SUBSCRIPTION_LIVE) send_request(f, CANCEL, NULL, s->id);
  end_sub(f, s, COORD_PROTOCOL, err, 0);
}

/* What was told of it is not what the store holds now. */
static void end_restored(coord__feed *f, coord__subscription *s) {
  coord_error *err = NULL;
  coord__fail(&err, COORD_COMPACTED, "watch: %s", f->watcher->new_era);
  if (s->state == COORD__SUBSCRIPTION_LIVE) send_request(f, CANCEL, NULL, s->id);
  end_sub(f, s, COORD_COMPACTED, err, 0);
}

/* False: it could not be told, and is asked for again. */
static bool tell_stands(coord__feed *f, coord__subscription *s, bool has_stood) {
  coord_code broken = s->broken;
  s->broken = COORD_OK;
  s->doubt = COORD__DOUBT_NONE;
  s->era = f->watcher->era;
  s->watch.has_stood = true;
  if (has_stood && broken == COORD_OK) return true; /* it was parked: nobody else knows */
  if (s->subscriber->stands(s, s->watch.next - 1, broken)) return true;
  s->watch.has_stood = has_stood;
  restart(f, s, broken != COORD_OK ? broken : COORD_NO_MEMORY);
  return false;
}

static void begin_doubt(coord__feed *f, coord__subscription *s) {
  coord__watcher *watcher = f->watcher;
  if (watcher->config.verify == NULL) {
    tell_stands(f, s, s->watch.has_stood);
  } else if (s->doubt == COORD__DOUBT_NONE) {
    s->doubt = COORD__DOUBT_NEW;
    watcher->config.verify(watcher);
  }
}

/* It has come on, and so there is no doubt. False: what came is to come again. */
static bool end_doubt(coord__feed *f, coord__subscription *s, int64_t next) {
  int64_t then = s->watch.next;
  if (s->doubt == COORD__DOUBT_NONE || then == next || then <= s->watch.reached) return true;
  s->watch.next = next;
  if (!tell_stands(f, s, s->watch.has_stood)) return false;
  s->watch.next = then;
  return true;
}

coord__subscription *coord__feed_doubts(coord__feed *f) {
  coord__subscription *one = NULL;
  for (coord__list *n = f->subs.next; n != &f->subs; n = n->next) {
    if (sub_of(n)->doubt == COORD__DOUBT_NONE) continue;
    one = sub_of(n);
    one->doubt = COORD__DOUBT_ASKED;
  }
  return one;
}

int64_t coord__feed_reached(const coord__feed *f) {
  int64_t reached = 0;
  for (coord__list *n = f->subs.next; n != &f->subs; n = n->next) {
    const coord__subscription *s = sub_of(n);
    if (s->doubt == COORD__DOUBT_ASKED && s->watch.reached > reached) reached = s->watch.reached;
  }
  return reached;
}

/* It was told something of a store that is there no more. */
static bool is_outdated(const coord__feed *f, const coord__subscription *s, int64_t reached) {
  return s->era != f->watcher->era && reached > 0;
}

void coord__feed_settle(coord__feed *f) {
  for (coord__list *n = f->subs.next, *next; n != &f->subs; n = next) {
    coord__subscription *s = sub_of(n);
    next = n->next;
    if (s->state != COORD__SUBSCRIPTION_LIVE) continue; /* it is seen when it is */
    if (is_outdated(f, s, s->watch.reached)) {
      end_restored(f, s);
    } else if (s->doubt == COORD__DOUBT_ASKED) {
      tell_stands(f, s, s->watch.has_stood);
    } else {
      s->era = f->watcher->era;
    }
  }
  if (f->count == 0) coord__feed_free(f);
}

static void note_cluster(coord__watcher *watcher, uint64_t id) {
  if (id == 0 || id == watcher->cluster_id) return;
  if (watcher->cluster_id != 0) {
    coord__watcher_begin_era(watcher, "the endpoints belong to another cluster than before");
  }
  watcher->cluster_id = id;
}

static void stand(coord__feed *f, coord__subscription *s, const coord__answer *a, bool has_stood,
                  int64_t reached, bool is_behind) {
  note_cluster(f->watcher, a->cluster_id);
  if (is_outdated(f, s, reached)) {
    end_restored(f, s);
  } else if (is_behind) {
    begin_doubt(f, s);
  } else {
    tell_stands(f, s, has_stood);
  }
}

static void take_news(coord__feed *f, coord__subscription *s, const coord__answer *a) {
  bool has_stood = s->watch.has_stood;
  int64_t next = s->watch.next, reached = s->watch.reached;
  coord__news news = coord__watch_take(&s->watch, a);
  if (!end_doubt(f, s, next)) {
    if (news.event != NULL) coord_event_free(news.event);
    return;
  }
  switch (news.kind) {
    case COORD__NEWS_NOTHING:
      break;
    case COORD__NEWS_STANDS:
    case COORD__NEWS_BEHIND:
      stand(f, s, a, has_stood, reached, news.kind == COORD__NEWS_BEHIND);
      break;
    case COORD__NEWS_CHANGES:
      s->refusals = 0;
      s->subscriber->changes(s, news.event);
      break;
    case COORD__NEWS_COMPACTED:
      end_compacted(f, s, a);
      break;
    case COORD__NEWS_CANCELED:
      break; /* the caller's */
    case COORD__NEWS_FAILED:
      if (news.code == COORD_NO_MEMORY) {
        restart(f, s, news.code);
      } else {
        end_bad(f, s);
      }
      break;
  }
}

/* The answer to the oldest request. False: the stream was given up. */
static bool take_created(coord__feed *f, const coord__answer *a) {
  if (slot_count(f) == 0) return true;
  slot asked = pop_slot(f);
  coord__subscription *s = asked.sub;
  bool refused = a->canceled && a->compact_revision == 0 && strstr(a->reason, "compacted") == NULL;
  if (s == NULL) {
    if (!a->canceled) send_request(f, CANCEL, NULL, a->watch_id);
    return true;
  }
  if (refused) return !take_cancel(f, s, a->reason);
  if (a->canceled) {
    take_news(f, s, a);
    return true;
  }
  s->id = a->watch_id;
  if (coord__map_find(&f->by_id, (uint64_t)s->id) != NULL ||
      !coord__map_insert(&f->by_id, (uint64_t)s->id, s)) {
    send_request(f, CANCEL, NULL, s->id);
    put_back(f, s, COORD_NO_MEMORY);
    ask_again_later(f);
    return true;
  }
  s->state = COORD__SUBSCRIPTION_LIVE;
  take_news(f, s, a);
  return true;
}

/* False: the stream was given up. */
static bool take_answer(coord__feed *f, const coord__answer *a) {
  if (a->created) return take_created(f, a);
  coord__subscription *s = coord__map_find(&f->by_id, (uint64_t)a->watch_id);
  if (s == NULL) return true; /* one that was cancelled, or an answer to all */
  if (!a->canceled || a->compact_revision > 0 || strstr(a->reason, "compacted") != NULL) {
    take_news(f, s, a);
    return true;
  }
  coord__map_remove(&f->by_id, (uint64_t)s->id);
  s->state = COORD__SUBSCRIPTION_ASKED; /* the server has none of this id */
  return !take_cancel(f, s, a->reason);
}

static void on_message(coord__stream *stream, const uint8_t *p, size_t n) {
  coord__feed *f = COORD__CONTAINER(stream, coord__feed, stream);
  coord__answer answer;
  int64_t now = coord__loop_now_ns(loop_of(f));
  f->heard_ns = now;
  f->failures = 0;
  if (f->probed_ns != 0) f->stalls = 0;
  f->probed_ns = 0;
  if (!coord__answer_read(p, n, &answer)) {
    reset(f, COORD_PROTOCOL);
    retry_later(f);
    return;
  }
  bool counts = answer.created || answer.has_events;
  if (take_answer(f, &answer)) {
    if (counts) watch_silence(f, now);
    if (answer.created) ask_all(f);
  }
  if (f->count == 0) coord__feed_free(f);
}

/* ---- the stream ---- */

static void on_opened(coord__stream *stream) {
  coord__feed *f = COORD__CONTAINER(stream, coord__feed, stream);
  if (f->open) {
    /* It was refused for its token; of what was sent nothing was taken. */
    f->streaming = false;
    reset(f, COORD_OK);
    f->streaming = true;
  }
  f->open = true;
  f->heard_ns = coord__clock_ns();
  ask_all(f);
}

static void open_stream(coord__feed *f) {
  f->stream = (coord__stream){
      .lane = COORD__LANE_WATCHES, .opened = on_opened, .message = on_message, .closed = on_closed};
  f->streaming = true;
  coord__stream_open(f->watcher->rpc, &f->stream, f->watcher->config.method);
}

static void on_retry(coord__timer *timer) {
  coord__feed *f = COORD__CONTAINER(timer, coord__feed, retry);
  if (f->streaming) {
    ask_all(f);
  } else {
    open_stream(f);
  }
}

/* ---- life ---- */

coord__feed *coord__feed_new(coord__watcher *watcher) {
  coord__feed *f = coord__calloc(1, sizeof *f);
  if (f == NULL) return NULL;
  f->watcher = watcher;
  f->retry.fire = on_retry;
  f->silence.fire = on_silence;
  coord__list_init(&f->todo);
  coord__list_init(&f->subs);
  coord__list_append(&watcher->feeds, &f->link);
  watcher->feed_count++;
  return f;
}

void coord__feed_free(coord__feed *f) {
  reset(f, COORD_OK);
  coord__timer_stop(loop_of(f), &f->retry);
  coord__list_remove(&f->link);
  f->watcher->feed_count--;
  coord__free(f);
}

void coord__feed_add(coord__feed *f, coord__subscription *s) {
  s->feed = f;
  s->state = COORD__SUBSCRIPTION_WAITING;
  f->count++;
  coord__list_append(&f->todo, &s->link);
  if (f->open) {
    ask_all(f);
  } else if (!f->streaming && !f->retry.node.is_in) {
    coord__timer_set(loop_of(f), &f->retry, coord__clock_ns());
  }
}

void coord__feed_remove(coord__feed *f, coord__subscription *s) {
  if (s->state == COORD__SUBSCRIPTION_LIVE) {
    coord__map_remove(&f->by_id, (uint64_t)s->id);
    if (f->count > 1) send_request(f, CANCEL, NULL, s->id);
  }
  if (s->state == COORD__SUBSCRIPTION_ASKED) forget_slot(f, s);
  take_out(f, s);
  if (f->count == 0) coord__feed_free(f);
}
