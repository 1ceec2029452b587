#include "support/lock_story.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/watch.h"

enum { QUEUE_MAX = 256, FAILURES_MAX = 5 };

typedef struct tenure {
  int64_t token;
  int64_t from_ns;
  int64_t to_ns;
  int32_t rival;
} tenure;

struct t_lock_story {
  char prefix[160]; /* of both: NAME */
  size_t prefix_len;
  coord_queue *queue;
  coord_watch *watch;
  pthread_t thread;
  atomic_bool stop;
  /* The queue of the lock as the store has it at the revision that was told last. */
  char keys[QUEUE_MAX][160];
  int64_t created[QUEUE_MAX];
  int count;
  int64_t *tokens; /* of all keys that there were, in order */
  size_t token_count;
  size_t token_cap;
  tenure *tenures;
  size_t tenure_count;
  size_t tenure_cap;
  int failures;
  t_lock_tally tally;
};

/* Each kind of harm is told a few times, not thousands of times. */
static bool may_tell(t_lock_story *s) { return s->failures++ < FAILURES_MAX; }

static void *grown(void *items, size_t count, size_t *cap, size_t size) {
  if (count < *cap) return items;
  *cap = *cap > 0 ? 2 * *cap : 1024;
  items = realloc(items, *cap * size);
  if (items == NULL) abort();
  return items;
}

/* ---- the store ---- */

static int find(const t_lock_story *s, const char *key) {
  for (int i = 0; i < s->count; i++) {
    if (strcmp(s->keys[i], key) == 0) return i;
  }
  return -1;
}

static void key_written(t_lock_story *s, const char *key, const coord_kv *kv) {
  int i = find(s, key);
  if (i >= 0 && s->created[i] == kv->create_revision) return;
  if (i < 0 && s->count == QUEUE_MAX) abort();
  if (i < 0) i = s->count++;
  snprintf(s->keys[i], sizeof s->keys[i], "%s", key);
  s->created[i] = kv->create_revision;
  s->tokens = grown(s->tokens, s->token_count, &s->token_cap, sizeof *s->tokens);
  s->tokens[s->token_count++] = kv->create_revision;
  s->tally.keys++;
}

static void key_deleted(t_lock_story *s, const char *key) {
  int i = find(s, key);
  if (i < 0) return;
  s->count--;
  if (i == s->count) return;
  memcpy(s->keys[i], s->keys[s->count], sizeof s->keys[i]);
  s->created[i] = s->created[s->count];
}

static int64_t oldest(const t_lock_story *s) {
  int64_t least = 0;
  for (int i = 0; i < s->count; i++) {
    if (least == 0 || s->created[i] < least) least = s->created[i];
  }
  return least;
}

/* In the order of the store there is nothing between the write and who holds the lock. */
static void guarded_written(t_lock_story *s, const coord_kv *kv) {
  int64_t token = atoll(kv->value);
  s->tally.guarded++;
  if (token == oldest(s) || !may_tell(s)) return;
  T_FAIL("\"%.*s\" was written at revision %lld, when the lock was held with token %lld",
         (int)kv->value_len, (const char *)kv->value, (long long)kv->mod_revision,
         (long long)oldest(s));
}

static void take_change(t_lock_story *s, int32_t type, const coord_kv *kv) {
  char key[160];
  snprintf(key, sizeof key, "%.*s", (int)kv->key_len, (const char *)kv->key);
  const char *rest = key + s->prefix_len;
  if (rest[0] == '/') {
    if (type == COORD_CHANGE_PUT) key_written(s, key, kv);
    if (type == COORD_CHANGE_DELETE) key_deleted(s, key);
  } else if (strcmp(rest, "-guarded") == 0 && type == COORD_CHANGE_PUT) {
    guarded_written(s, kv);
  }
}

static void *watch_on(void *arg) {
  t_lock_story *s = arg;
  for (;;) {
    coord_event *event = coord_queue_next(s->queue, 100);
    if (event == NULL && atomic_load(&s->stop)) return NULL;
    for (size_t i = 0; i < coord_event_count(event); i++) {
      coord_kv kv;
      int32_t type = 0;
      coord_event_change(event, i, &type, &kv, NULL);
      take_change(s, type, &kv);
    }
    if (event != NULL && coord_event_type(event) == COORD_EVENT_CLOSED) {
      T_FAIL("the watch of the lock has ended: %s", coord_error_message(coord_event_error(event)));
      coord_event_free(event);
      return NULL;
    }
    coord_event_free(event);
  }
}

t_lock_story *t_lock_story_start(coord_client *client, const char *name) {
  t_lock_story *s = calloc(1, sizeof *s);
  T_FATAL(s != NULL);
  s->prefix_len = strlen(name);
  snprintf(s->prefix, sizeof s->prefix, "%s", name);
  s->queue = t_queue();
  s->watch = t_watch(client, s->prefix, 0, s->queue, 1, -1);
  t_stands(s->queue, 1, COORD_OK);
  T_FATAL(pthread_create(&s->thread, NULL, watch_on, s) == 0);
  return s;
}

/* ---- the rivals ---- */

static void count_wait(t_lock_tally *tally, coord_code code) {
  static const coord_code codes[] = {COORD_OK,       COORD_CONFLICT, COORD_TIMEOUT,
                                     COORD_CANCELED, COORD_LOST,     COORD_UNAVAILABLE};
  size_t i = 0;
  while (i < sizeof codes / sizeof *codes && codes[i] != code) i++;
  tally->ended[i]++;
}

static void add_action(t_lock_story *s, const t_entry *e) {
  s->tally.actions++;
  s->tally.cut_short += (e->flags & T_HELD_AFTER) == 0;
  s->tally.refused += (e->flags & T_KEY_REFUSED) != 0;
  s->tally.stale += (e->flags & T_STALE_TRIED) != 0;
  s->tally.stale_refused += (e->flags & T_STALE_REFUSED) != 0;
  if (e->token == 0 && (e->flags & T_HELD_AFTER) != 0 && may_tell(s)) {
    T_FAIL("rival %d holds the lock without a token", (int)e->rival);
  }
  if (e->token == 0) return;
  tenure *last = s->tenure_count > 0 ? &s->tenures[s->tenure_count - 1] : NULL;
  for (size_t back = 0; last != NULL && back < 64 && back < s->tenure_count; back++) {
    tenure *t = last - back; /* the threads of a process write one account */
    if (t->token != e->token || t->rival != e->rival) continue;
    if (e->to_ns > t->to_ns) t->to_ns = e->to_ns;
    return;
  }
  s->tenures = grown(s->tenures, s->tenure_count, &s->tenure_cap, sizeof *s->tenures);
  s->tenures[s->tenure_count++] = (tenure){e->token, e->from_ns, e->to_ns, e->rival};
}

void t_lock_story_add(t_lock_story *s, const t_entry *entries, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (entries[i].kind == T_WAIT_ENDED) count_wait(&s->tally, entries[i].code);
    if (entries[i].kind == T_ACTED) add_action(s, &entries[i]);
  }
}

/* ---- both ---- */

static int by_token(const void *a, const void *b) {
  int64_t x = ((const tenure *)a)->token, y = ((const tenure *)b)->token;
  return x < y ? -1 : x > y;
}

static int by_number(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}

static void check_token(t_lock_story *s, const tenure *t) {
  bool known = bsearch(&t->token, s->tokens, s->token_count, sizeof *s->tokens, by_number) != NULL;
  if (!known && may_tell(s)) {
    T_FAIL("rival %d held the lock with token %lld, at which no key was created", (int)t->rival,
           (long long)t->token);
  }
}

/* In the order of tokens, which is that of the queue: each ends before the next one begins. That is
 * both, one at a time and first come, first served. One of which only an instant is known that was not
 * sure has no length and is passed over. */
static void check_tenures(t_lock_story *s) {
  const tenure *before = NULL;
  qsort(s->tenures, s->tenure_count, sizeof *s->tenures, by_token);
  for (size_t i = 0; i < s->tenure_count; i++) {
    const tenure *t = &s->tenures[i];
    check_token(s, t);
    if (i > 0 && t->token == t[-1].token && may_tell(s)) {
      T_FAIL("rivals %d and %d held the lock with one token, %lld", (int)t[-1].rival, (int)t->rival,
             (long long)t->token);
    }
    if (t->to_ns < t->from_ns) continue;
    s->tally.held++;
    if (before != NULL && t->from_ns < before->to_ns && may_tell(s)) {
      T_FAIL("rival %d held the lock with token %lld %.3f ms before rival %d had ended with %lld",
             (int)t->rival, (long long)t->token, (double)(before->to_ns - t->from_ns) / 1e6,
             (int)before->rival, (long long)before->token);
    }
    if (before == NULL || t->to_ns > before->to_ns) before = t;
  }
}

t_lock_tally t_lock_story_end(t_lock_story *s) {
  atomic_store(&s->stop, true);
  pthread_join(s->thread, NULL);
  qsort(s->tokens, s->token_count, sizeof *s->tokens, by_number);
  check_tenures(s);
  if (s->failures > FAILURES_MAX) T_FAIL("and %d more", s->failures - FAILURES_MAX);
  t_lock_tally tally = s->tally;
  coord_watch_free(s->watch);
  coord_queue_free(s->queue);
  free(s->tokens);
  free(s->tenures);
  free(s);
  return tally;
}
