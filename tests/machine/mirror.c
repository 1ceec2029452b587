/*
 * The copy behind a mirror, on a store that is played by hand: pages that come late, fail or are lost,
 * watches that break, compactions at any point, memory that is out. What is read must be what the store
 * held at the revision that is told, and what is told must lead from each version to the next.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "coord/replica.h"
#include "etcd/result.h"
#include "support/t.h"

enum { KEYS = 40, REVISIONS = 4000, PAGE = 7 };

/* ---- the store: what each key was at each revision ---- */

static uint8_t history[REVISIONS][KEYS]; /* how old the value is, in a way: 0 is none */
static int64_t head, compacted;

static int64_t mod_of(int64_t revision, int key) {
  uint8_t value = history[revision][key];
  int64_t r = revision;
  while (r > 1 && history[r - 1][key] == value) r--;
  return r;
}

static size_t key_text(int key, char text[8]) { return (size_t)snprintf(text, 8, "k/%02d", key); }

static void write_store(void) {
  if (head >= REVISIONS - 1) return;
  memcpy(history[head + 1], history[head], KEYS);
  head++;
  for (int n = 1 + (int)(coord__random() % 4); n > 0; n--) {
    uint8_t *value = &history[head][coord__random() % KEYS];
    /* Never the same as before, so that a revision can be told by it. */
    if (*value == history[head - 1][value - history[head]]) {
      *value = coord__random() % 3 == 0 && *value != 0 ? 0 : (uint8_t)(*value % 250 + 1);
    }
  }
}

static coord_kv kv_at(int64_t revision, int key, char text[8], char value[8]) {
  return (coord_kv){.key = text,
                    .key_len = key_text(key, text),
                    .value = value,
                    .value_len = (size_t)snprintf(value, 8, "%d", history[revision][key]),
                    .create_revision = 1,
                    .mod_revision = mod_of(revision, key),
                    .version = 1};
}

/* ---- the world ---- */

static coord__replica replica;
static bool asked; /* a page is owed */
static int list_at;
static int64_t list_revision; /* 0: the first page fixes it */
static int64_t watch_next;    /* 0: there is no watch */
static bool watch_stands, watch_stood, paused, over;
static int64_t now_ns;

/* What was told last: content that follows from it alone. */
static uint8_t told[KEYS];
static bool has_told;
static size_t rereads, changes_told, files;

static void do_list(coord__replica *r, bool anew) {
  (void)r;
  T_TRUE(!asked || anew);
  asked = true;
  if (anew) {
    list_at = 0;
    list_revision = 0;
  }
}

static bool do_watch(coord__replica *r, int64_t revision) {
  (void)r;
  bool ok = coord__random() % 20 != 0;
  watch_next = ok ? revision : 0;
  watch_stands = watch_stood = false;
  return ok;
}

static void do_unwatch(coord__replica *r) {
  (void)r;
  watch_next = 0;
}

static void do_pause(coord__replica *r, unsigned failures) {
  (void)r;
  (void)failures;
  T_TRUE(!paused);
  paused = true;
}

static int64_t do_boot_ns(coord__replica *r) {
  (void)r;
  return now_ns;
}

static int number_of(const coord_kv *kv) {
  int key = 0;
  sscanf((const char *)kv->key, "k/%d", &key);
  return key;
}

static uint8_t value_of(const coord_kv *kv) {
  int value = 0;
  if (kv->key != NULL) sscanf((const char *)kv->value, "%d", &value);
  return (uint8_t)value;
}

/* Whether a version is what the store was at its revision. */
static void check_content(void) {
  coord__snapshot *s = coord__content_snapshot(replica.content);
  if (s == NULL) return;
  int64_t revision = coord__snapshot_revision(s);
  size_t count = 0;
  for (int key = 0; key < KEYS; key++) {
    char text[8];
    size_t len = key_text(key, text);
    const coord__item *item = coord__tree_find(coord__snapshot_tree(s), text, len);
    coord_kv kv = item != NULL ? coord__item_kv(item) : (coord_kv){0};
    if (value_of(&kv) != history[revision][key]) {
      T_FAIL("at %lld the key %d is %d, not %d", (long long)revision, key, value_of(&kv),
             history[revision][key]);
    }
    if (item != NULL) count++;
  }
  T_INT(coord__snapshot_tree(s)->count, count);
  T_INT(memcmp(told, history[revision], KEYS), 0);
  coord__snapshot_release(s);
}

static void follow(const coord__transition *t) {
  for (size_t i = 0; i < t->changes.count; i++) {
    const coord_kv *kv = &t->changes.kvs[i], *prev = &t->changes.prevs[i];
    int key = number_of(kv);
    T_INT(value_of(prev), told[key]);
    told[key] = t->changes.types[i] == COORD_CHANGE_PUT ? value_of(kv) : 0;
    changes_told++;
  }
}

/* All at once: the first time, or when there was no memory for the difference. */
static void take_all(void) {
  memcpy(told, history[coord__content_revision(replica.content)], KEYS);
}

static void on_told(coord__replica *r, const coord__replica_told *news) {
  (void)r;
  switch (news->news) {
    case COORD__REPLICA_REREAD:
      rereads++;
      T_TRUE((news->before != NULL) == has_told);
      has_told = true;
      if (news->transition != NULL) {
        follow(news->transition);
      } else {
        take_all();
      }
      check_content();
      break;
    case COORD__REPLICA_CHANGED:
      follow(news->transition);
      check_content();
      break;
    case COORD__REPLICA_ENDED:
      over = true;
      break;
    case COORD__REPLICA_FILE:
      files++;
      has_told = true;
      break;
    default:
      break;
  }
}

static const coord__replica_world world = {do_list,  do_watch,   do_unwatch,
                                           do_pause, do_boot_ns, on_told};

/* ---- what comes ---- */

static coord_result *make_page(int from, int *to) {
  static Etcdserverpb__KeyValue kvs[PAGE];
  static Etcdserverpb__KeyValue *list[PAGE];
  static char texts[PAGE][8], values[PAGE][8];
  coord_result *page = coord__result_empty();
  if (page == NULL) return NULL;
  page->kvs = list;
  page->cluster_id = 7;
  int key = from;
  for (; key < KEYS && page->kv_count < PAGE; key++) {
    size_t i = page->kv_count;
    if (history[list_revision][key] == 0) continue;
    coord_kv kv = kv_at(list_revision, key, texts[i], values[i]);
    etcdserverpb__key_value__init(&kvs[i]);
    kvs[i].key = (ProtobufCBinaryData){kv.key_len, (uint8_t *)texts[i]};
    kvs[i].value = (ProtobufCBinaryData){kv.value_len, (uint8_t *)values[i]};
    kvs[i].mod_revision = kv.mod_revision;
    kvs[i].create_revision = 1;
    kvs[i].version = 1;
    list[i] = &kvs[i];
    page->kv_count++;
  }
  *to = key;
  return page;
}

static void answer_list(void) {
  if (list_revision == 0) list_revision = head;
  if (list_revision < compacted) {
    asked = false;
    coord__replica_failed(&replica, COORD_COMPACTED, NULL);
    return;
  }
  if (coord__random() % 12 == 0 &&
      list_at > 0) { /* its revision is none yet, in a restored store */
    asked = false;
    coord__replica_failed(&replica, COORD_INVALID, NULL);
    return;
  }
  if (coord__random() % 12 == 0) {
    asked = false;
    coord__replica_failed(&replica, coord__random() % 2 == 0 ? COORD_UNAVAILABLE : COORD_NO_MEMORY,
                          NULL);
    return;
  }
  int to = KEYS;
  coord_result *page = make_page(list_at, &to);
  if (page == NULL) return; /* it comes later */
  list_at = to;
  if (page->kv_count > 0) {
    coord__replica_page(&replica, page);
  } else {
    asked = false;
    coord__replica_listed(&replica, list_revision);
  }
  coord_result_free(page);
}

/* Changes from the next revision on, of a few revisions. */
static void answer_watch(void) {
  if (watch_next == 0) return;
  if (!watch_stands) {
    watch_stands = true;
    coord__replica_stands(&replica, watch_stood ? COORD_UNAVAILABLE : COORD_OK);
    watch_stood = true;
    return;
  }
  if (watch_next <= compacted) {
    watch_next = 0;
    coord__replica_unwatched(&replica, COORD_COMPACTED, NULL);
    return;
  }
  int64_t last = watch_next + (int64_t)(coord__random() % 3);
  if (last > head) last = head;
  if (watch_next > last) return;
  static coord_kv kvs[KEYS * 4];
  static uint8_t types[KEYS * 4];
  static char texts[KEYS * 4][8], values[KEYS * 4][8];
  coord__changes changes = {.kvs = kvs, .types = types};
  /* Some servers tell the last revision once more. */
  int64_t from = coord__random() % 10 == 0 && watch_next > 1 ? watch_next - 1 : watch_next;
  for (int64_t r = from; r <= last; r++) {
    for (int key = 0; key < KEYS; key++) {
      if (history[r][key] == history[r - 1][key]) continue;
      size_t i = changes.count++;
      kvs[i] = kv_at(r, key, texts[i], values[i]);
      kvs[i].mod_revision = r;
      types[i] = history[r][key] == 0 ? COORD_CHANGE_DELETE : COORD_CHANGE_PUT;
    }
  }
  coord_event event = {.type = COORD_EVENT_CHANGES, .revision = last, .changes = &changes};
  watch_next = last + 1;
  coord__replica_changes(&replica, &event);
}

static void break_watch(void) {
  if (watch_next == 0 || !watch_stands) return;
  watch_stands = false;
  coord__replica_broke(&replica, 5 * 1000000);
}

static void step(void) {
  now_ns += 1000000;
  uint64_t dice = coord__random() % 100;
  if (dice < 30) write_store();
  if (dice >= 30 && dice < 55 && asked) answer_list();
  if (dice >= 55 && dice < 85) answer_watch();
  if (dice >= 85 && dice < 92) break_watch();
  if (dice == 92) compacted = head - (int64_t)(coord__random() % 5);
  if (dice == 93 && watch_next != 0) {
    watch_next = 0;
    coord__replica_unwatched(&replica, COORD_PROTOCOL, NULL);
  }
  if (dice >= 94 && paused) {
    paused = false;
    coord__replica_resume(&replica);
  }
  if (compacted < 0) compacted = 0;
}

static void begin(void) {
  memset(history, 0, sizeof history);
  memset(told, 0, sizeof told);
  head = 1;
  compacted = 0;
  asked = watch_stands = watch_stood = paused = over = has_told = false;
  watch_next = 0;
  rereads = changes_told = files = 0;
  now_ns = INT64_C(1000000000000);
  T_FATAL(coord__replica_init(&replica, &world, 2));
}

static void walk(bool out_of_memory) {
  begin();
  coord__replica_start(&replica);
  while (head < REVISIONS - 200) {
    if (out_of_memory && coord__random() % 10 == 0) {
      coord__alloc_fail_after((long)(coord__random() % 12));
    }
    step();
    coord__alloc_fail_after(-1);
  }
  /* In the end it has all. */
  for (int i = 0; i < 5000 && coord__content_revision(replica.content) < head; i++) {
    if (paused) {
      paused = false;
      coord__replica_resume(&replica);
    }
    if (asked) answer_list();
    answer_watch();
  }
  T_INT(coord__content_revision(replica.content), head);
  check_content();
  T_TRUE(rereads > 10);
  T_TRUE(changes_told > 500);
  T_TRUE(!over);
  coord__replica_stop(&replica);
  coord__replica_free(&replica);
}

static void random_walk_against_a_model(void) {
  for (int i = 0; i < 8; i++) walk(false);
}

static void random_walk_without_memory(void) {
  for (int i = 0; i < 4; i++) walk(true);
}

static void watch_it(void) {
  coord__replica_start(&replica);
  while (watch_next == 0) {
    if (asked) answer_list();
    if (paused) {
      paused = false;
      coord__replica_resume(&replica);
    }
  }
}

static void staleness(void) {
  begin();
  T_INT(coord__replica_staleness_ms(&replica, now_ns), -1);
  watch_it();
  now_ns += 3000000;
  T_INT(coord__replica_staleness_ms(&replica, now_ns), 3);
  coord__replica_stands(&replica, COORD_OK);
  now_ns += INT64_C(3600000000000);
  T_INT(coord__replica_staleness_ms(&replica, now_ns), 0);
  coord__replica_broke(&replica, 2000000);
  now_ns += 5000000;
  T_INT(coord__replica_staleness_ms(&replica, now_ns), 7);
  coord__replica_broke(&replica, 0);
  T_INT(coord__replica_staleness_ms(&replica, now_ns), 7);
  coord__replica_stands(&replica, COORD_UNAVAILABLE);
  T_INT(coord__replica_staleness_ms(&replica, now_ns), 0);
  coord__replica_free(&replica);
}

/* Pages of a list are as old as its first one. */
static void a_list_that_takes_long(void) {
  begin();
  for (int key = 0; key < KEYS; key++) history[1][key] = 1;
  coord__replica_start(&replica);
  now_ns += 50000000; /* nothing has come yet: no revision is fixed */
  list_revision = head;
  for (int to = 0; to < KEYS; now_ns += 4000000) {
    coord_result *page = make_page(to, &to);
    T_FATAL(page != NULL);
    coord__replica_page(&replica, page);
    coord_result_free(page);
  }
  coord__replica_listed(&replica, list_revision);
  T_INT(coord__replica_staleness_ms(&replica, now_ns), (KEYS + PAGE - 1) / PAGE * 4);
  coord__replica_stop(&replica);
  coord__replica_free(&replica);
}

static void what_has_ended_grows_old(void) {
  begin();
  watch_it();
  coord__replica_stands(&replica, COORD_OK);
  T_INT(coord__replica_staleness_ms(&replica, now_ns), 0);
  coord_error *err = NULL;
  coord__fail(&err, COORD_AUTH, "permission denied");
  coord__replica_unwatched(&replica, COORD_AUTH, err);
  coord_error_free(err);
  T_TRUE(over);
  now_ns += 5000000;
  T_INT(coord__replica_staleness_ms(&replica, now_ns), 5);
  coord__replica_free(&replica);
}

static void refusal_is_the_end(void) {
  begin();
  coord__replica_start(&replica);
  coord_error *err = NULL;
  coord__fail(&err, COORD_AUTH, "permission denied");
  coord__replica_failed(&replica, COORD_AUTH, err);
  T_TRUE(over);
  T_INT(replica.state, COORD__REPLICA_OVER);
  coord__replica_page(&replica, NULL);
  coord__replica_listed(&replica, 5);
  coord__replica_resume(&replica);
  T_INT(coord__content_revision(replica.content), 0);
  coord_error_free(err);
  coord__replica_free(&replica);
}

static void content_of_a_file_comes_first(void) {
  begin();
  write_store();
  write_store();
  coord__item *items[2];
  for (int i = 0; i < 2; i++) {
    coord_kv kv = {.key = i == 0 ? "k/00" : "k/99", .key_len = 4, .value = "5", .value_len = 1};
    items[i] = coord__item_new(&kv);
  }
  T_TRUE(coord__replica_restore(&replica, items, 2, 77, 9000000));
  T_INT(files, 1);
  T_INT(coord__content_revision(replica.content), 77);
  T_INT(coord__replica_staleness_ms(&replica, now_ns), 9);
  told[0] = 5;
  coord__replica_start(&replica);
  T_TRUE(asked);
  coord__replica_stop(&replica);
  coord__replica_free(&replica);
}

T_MAIN(T_CASE(random_walk_against_a_model), T_CASE(random_walk_without_memory), T_CASE(staleness),
       T_CASE(a_list_that_takes_long), T_CASE(what_has_ended_grows_old), T_CASE(refusal_is_the_end),
       T_CASE(content_of_a_file_comes_first))
