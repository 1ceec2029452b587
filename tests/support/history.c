#include "support/history.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SIDES_MAX = 8, WAIT_MS = 40000 };

/* One put: which number of which writer, at which revision (0: not known). */
typedef struct entry {
  int64_t revision;
  int writer;
  int number;
} entry;

typedef struct record {
  entry *entries;
  size_t count;
  size_t cap;
} record;

typedef struct writer {
  t_history *history;
  pthread_t thread;
  int index;
  record acked;
  record maybe;
} writer;

typedef struct watcher {
  t_history *history;
  pthread_t thread;
  record told;
  record skipped; /* pairs: told up to revision, then from revision on */
  atomic_llong newest;
  atomic_llong gap_ms;
  int64_t last_ms;
  int resumed;
  int overtaken;
  int stands;
} watcher;

struct t_history {
  t_history_options options;
  char prefix[t_key_size];
  atomic_bool stop_writers;
  atomic_bool stop_watchers;
  atomic_int written;
  atomic_llong newest; /* acknowledged */
  atomic_int forget;
  writer writers[SIDES_MAX];
  watcher watchers[SIDES_MAX];
};

static void add(record *r, entry e) {
  if (r->count == r->cap) {
    r->cap = r->cap > 0 ? 2 * r->cap : 1024;
    r->entries = realloc(r->entries, r->cap * sizeof *r->entries);
    if (r->entries == NULL) abort();
  }
  r->entries[r->count++] = e;
}

/* ---- writing ---- */

static void raise_to(atomic_llong *newest, int64_t revision) {
  long long now = atomic_load(newest);
  while (now < revision && !atomic_compare_exchange_weak(newest, &now, revision)) continue;
}

static void *write_on(void *arg) {
  writer *w = arg;
  t_history *h = w->history;
  char key[t_key_size + 16], value[16];
  int n = snprintf(key, sizeof key, "%s%d", h->prefix, w->index);
  for (int number = 0; !atomic_load(&h->stop_writers); number++) {
    int len = snprintf(value, sizeof value, "%d", number);
    coord_op *put = coord_op_put(key, (size_t)n, value, (size_t)len);
    coord_result *result = NULL;
    coord_error *err = NULL;
    coord_code code = coord_call(h->options.writer, put, 0, &result, &err);
    entry e = {coord_result_revision(result), w->index, number};
    if (code == COORD_OK) {
      add(&w->acked, e);
      raise_to(&h->newest, e.revision);
      atomic_fetch_add(&h->written, 1);
    } else if ((coord_error_flags(err) & COORD_MAYBE_APPLIED) != 0) {
      add(&w->maybe, e);
    }
    coord_result_free(result);
    coord_error_free(err);
    coord_op_free(put);
    usleep((useconds_t)h->options.pause_us);
  }
  return NULL;
}

/* ---- watching ---- */

static void note_gap(watcher *w) {
  int64_t now = t_now_ms();
  int64_t gap = w->last_ms > 0 ? t_took_ms(w->last_ms) : 0;
  if (gap > atomic_load(&w->gap_ms)) atomic_store(&w->gap_ms, gap);
  w->last_ms = now;
}

static void take_changes(watcher *w, const coord_event *event) {
  size_t strip = strlen(w->history->prefix);
  for (size_t i = 0; i < coord_event_count(event); i++) {
    coord_kv kv;
    T_CODE(coord_event_change(event, i, NULL, &kv, NULL), COORD_OK);
    add(&w->told, (entry){kv.mod_revision, atoi((const char *)kv.key + strip), atoi(kv.value)});
  }
  note_gap(w);
  raise_to(&w->newest, coord_event_revision(event));
}

static int64_t read_again(watcher *w) {
  for (;;) {
    coord_op *get = t_prefix(w->history->prefix);
    coord_result *result = NULL;
    coord_code code = coord_call(w->history->options.watcher, get, 0, &result, NULL);
    int64_t revision = coord_result_revision(result);
    coord_op_free(get);
    coord_result_free(result);
    if (code == COORD_OK) return revision;
  }
}

static coord_watch *open_watch(watcher *w, coord_queue *queue, int64_t start) {
  coord_watch *watch = NULL;
  coord_op *get = t_prefix(w->history->prefix);
  T_CODE(coord_watch_open(w->history->options.watcher, get, start, queue, 1, &watch, NULL),
         COORD_OK);
  coord_op_free(get);
  return watch;
}

static coord_watch *begin_again(watcher *w, coord_watch *watch, coord_queue *queue) {
  coord_watch_free(watch);
  w->overtaken++;
  int64_t before = atomic_load(&w->newest);
  int64_t revision = read_again(w);
  add(&w->skipped, (entry){.revision = before});
  add(&w->skipped, (entry){.revision = revision});
  raise_to(&w->newest, revision);
  return open_watch(w, queue, revision + 1);
}

static void *watch_on(void *arg) {
  watcher *w = arg;
  t_history *h = w->history;
  coord_queue *queue = NULL;
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  coord_watch *watch = open_watch(w, queue, 1);
  while (!atomic_load(&h->stop_watchers)) {
    coord_event *event = coord_queue_next(queue, 50);
    if (event == NULL) continue;
    int32_t type = coord_event_type(event);
    coord_code code = coord_event_code(event);
    if (type == COORD_EVENT_CHANGES) take_changes(w, event);
    if (type == COORD_EVENT_RESYNC) w->resumed += code != COORD_OK;
    if (type == COORD_EVENT_CLOSED) {
      const char *why = coord_error_message(coord_event_error(event));
      /* By a compaction: a member that lags must never be taken for a store that was restored. */
      bool allowed = code == COORD_COMPACTED && h->options.may_be_overtaken &&
                     strstr(why, "has been compacted") != NULL;
      if (!allowed) T_FAIL("a watch ended: %s", why);
      if (allowed) watch = begin_again(w, watch, queue);
    }
    coord_event_free(event);
    if (type == COORD_EVENT_CLOSED && t_any_failed()) break;
  }
  coord_watch_free(watch);
  coord_queue_free(queue);
  return NULL;
}

/* ---- checking ---- */

static int by_revision(const void *a, const void *b) {
  int64_t x = ((const entry *)a)->revision, y = ((const entry *)b)->revision;
  return x < y ? -1 : x > y;
}

static bool was_skipped(const watcher *w, int64_t revision) {
  for (size_t i = 0; i + 1 < w->skipped.count; i += 2) {
    if (revision > w->skipped.entries[i].revision && revision <= w->skipped.entries[i + 1].revision)
      return true;
  }
  return false;
}

static const entry *find(const record *sorted, int64_t revision) {
  entry wanted = {.revision = revision};
  if (sorted->count == 0) return NULL;
  return bsearch(&wanted, sorted->entries, sorted->count, sizeof wanted, by_revision);
}

static int by_number(const void *a, const void *b) {
  int x = ((const entry *)a)->number, y = ((const entry *)b)->number;
  return x < y ? -1 : x > y;
}

static const entry *find_number(const record *puts, int number) {
  entry wanted = {.number = number};
  if (puts->count == 0) return NULL;
  return bsearch(&wanted, puts->entries, puts->count, sizeof wanted, by_number);
}

/* Each put has a revision of its own: order and repetition show in these alone. What was told must
 * have been written there; a put of which nothing is known may come late, behind later ones. */
static void check_order(const watcher *w) {
  for (size_t i = 0; i < w->told.count; i++) {
    entry e = w->told.entries[i];
    const writer *from = &w->history->writers[e.writer];
    const entry *acked = find_number(&from->acked, e.number);
    if (i > 0 && e.revision <= w->told.entries[i - 1].revision) {
      T_FAIL("revision %lld was told behind %lld", (long long)e.revision,
             (long long)w->told.entries[i - 1].revision);
      return;
    }
    bool written =
        acked != NULL ? acked->revision == e.revision : find_number(&from->maybe, e.number) != NULL;
    if (!written) {
      T_FAIL("value %d of writer %d was told at revision %lld, where it was not written", e.number,
             e.writer, (long long)e.revision);
      return;
    }
  }
}

static void check_writer(const watcher *w, const writer *from) {
  for (size_t i = 0; i < from->acked.count; i++) {
    entry e = from->acked.entries[i];
    const entry *told = find(&w->told, e.revision);
    if (told == NULL && was_skipped(w, e.revision)) continue;
    if (told == NULL) {
      T_FAIL("value %d of writer %d at revision %lld was not told", e.number, e.writer,
             (long long)e.revision);
      return;
    }
    if (told->number != e.number || told->writer != e.writer) {
      T_FAIL("revision %lld was told with another value", (long long)e.revision);
      return;
    }
  }
}

/* ---- the history ---- */

t_history *t_history_start(const t_history_options *options) {
  static int serial;
  char suffix[16];
  t_history *h = calloc(1, sizeof *h);
  if (h == NULL) abort();
  h->options = *options;
  snprintf(suffix, sizeof suffix, "h%d/", serial++);
  t_key(h->prefix, suffix);
  for (int i = 0; i < options->watches; i++) {
    h->watchers[i].history = h;
    pthread_create(&h->watchers[i].thread, NULL, watch_on, &h->watchers[i]);
  }
  for (int i = 0; i < options->writers; i++) {
    h->writers[i].history = h;
    h->writers[i].index = i;
    pthread_create(&h->writers[i].thread, NULL, write_on, &h->writers[i]);
  }
  return h;
}

int64_t t_history_told(t_history *h) {
  int64_t least = INT64_MAX;
  for (int i = 0; i < h->options.watches; i++) {
    int64_t newest = atomic_load(&h->watchers[i].newest);
    if (newest < least) least = newest;
  }
  return least;
}

void t_history_forget_gaps(t_history *h) {
  for (int i = 0; i < h->options.watches; i++) atomic_store(&h->watchers[i].gap_ms, 0);
}

static bool wait_told(t_history *h, int64_t revision) {
  int64_t deadline = t_now_ms() + (int64_t)WAIT_MS * T_SLOW;
  while (t_history_told(h) < revision && t_now_ms() < deadline) usleep(2000);
  if (t_history_told(h) >= revision) return true;
  T_FAIL("revision %lld was not told, only %lld", (long long)revision,
         (long long)t_history_told(h));
  return false;
}

bool t_history_go_on(t_history *h, int n) {
  int target = atomic_load(&h->written) + n;
  int64_t deadline = t_now_ms() + (int64_t)WAIT_MS * T_SLOW;
  while (atomic_load(&h->written) < target && t_now_ms() < deadline) usleep(2000);
  if (atomic_load(&h->written) < target) {
    T_FAIL("the writers do not get on");
    return false;
  }
  return wait_told(h, atomic_load(&h->newest));
}

t_history_tally t_history_end(t_history *h) {
  t_history_tally tally = {0};
  atomic_store(&h->stop_writers, true);
  for (int i = 0; i < h->options.writers; i++) {
    pthread_join(h->writers[i].thread, NULL);
    tally.written += (int)h->writers[i].acked.count;
    tally.maybe += (int)h->writers[i].maybe.count;
  }
  wait_told(h, atomic_load(&h->newest));
  atomic_store(&h->stop_watchers, true);
  for (int i = 0; i < h->options.watches; i++) {
    watcher *w = &h->watchers[i];
    pthread_join(w->thread, NULL);
    check_order(w);
    for (int k = 0; k < h->options.writers; k++) check_writer(w, &h->writers[k]);
    tally.told += (int)w->told.count;
    tally.resumed += w->resumed;
    tally.overtaken += w->overtaken;
    if (atomic_load(&w->gap_ms) > tally.longest_gap_ms) tally.longest_gap_ms = w->gap_ms;
    free(w->told.entries);
    free(w->skipped.entries);
  }
  for (int i = 0; i < h->options.writers; i++) {
    free(h->writers[i].acked.entries);
    free(h->writers[i].maybe.entries);
  }
  free(h);
  return tally;
}
