/* Trees of key-values, and their versions, against a sorted list. */
#include "coord/content.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "coord/transition.h"
#include "support/t.h"

enum { KEYS_MAX = 3000 };

/* What should be there: the revision of each key number, 0: none. */
typedef struct model {
  int64_t revisions[KEYS_MAX];
  size_t count;
} model;

/* Keys of different lengths, with long and short things in common, and some that begin others. */
static size_t make_key(int i, char key[128]) {
  static const char *const shapes[] = {"p/%05d",
                                       "p/a-very-long-path-that-goes-on-and-on-for-a-while/%d/x",
                                       "p/%d", "p/%c%c", "p/same-head-of-keys-%d\x01"};
  int shape = i % 5;
  if (shape == 3) return (size_t)snprintf(key, 128, shapes[3], 'a' + i / 5 % 26, i / 130 + 1);
  return (size_t)snprintf(key, 128, shapes[shape], i / 5);
}

static coord__item *make_item(int i, int64_t revision) {
  char key[128], value[32];
  size_t value_len = (size_t)snprintf(value, sizeof value, "%lld", (long long)revision);
  coord_kv kv = {.key = key,
                 .key_len = make_key(i, key),
                 .value = value,
                 .value_len = value_len,
                 .mod_revision = revision};
  return coord__item_new(&kv);
}

static bool holds(const coord__tree *tree, const model *m) {
  char key[128];
  if (tree->count != m->count) return false;
  for (int i = 0; i < KEYS_MAX; i++) {
    coord__item *item = coord__tree_find(tree, key, make_key(i, key));
    if ((item != NULL ? item->kv.mod_revision : 0) != m->revisions[i]) return false;
  }
  coord__cursor at = coord__tree_seek(tree, NULL, 0);
  const coord__item *last = NULL;
  size_t count = 0;
  for (coord__item *item; (item = coord__cursor_next(&at)) != NULL; count++, last = item) {
    if (last != NULL && coord__compare_keys(last->kv.key.data, last->kv.key.len, item->kv.key.data,
                                            item->kv.key.len) >= 0) {
      return false;
    }
  }
  return count == m->count;
}

static bool seeks(const coord__tree *tree, const model *m) {
  char key[128];
  size_t len = make_key((int)(coord__random() % KEYS_MAX), key);
  coord__cursor at = coord__tree_seek(tree, key, len), from = coord__tree_seek(tree, NULL, 0);
  coord__item *found = coord__cursor_next(&at), *expected;
  while ((expected = coord__cursor_next(&from)) != NULL) {
    if (coord__compare_keys(expected->kv.key.data, expected->kv.key.len, key, len) >= 0) break;
  }
  (void)m;
  return found == expected;
}

static void change(coord__edit *e, model *m, int i, int64_t revision) {
  char key[128];
  if (revision == 0) {
    T_FATAL(coord__edit_remove(e, key, make_key(i, key)));
    if (m->revisions[i] != 0) m->count--;
  } else {
    T_FATAL(coord__edit_put(e, make_item(i, revision)));
    if (m->revisions[i] == 0) m->count++;
  }
  m->revisions[i] = revision;
}

static void versions_are_what_was_put_into_them(void) {
  enum { HELD = 8 };
  coord__content *content = coord__content_new(2);
  static model models[HELD], now;
  coord__snapshot *held[HELD] = {NULL};
  int64_t revision = 0;
  memset(&now, 0, sizeof now);
  T_TRUE(coord__content_snapshot(content) == NULL);
  for (int round = 0; round < 1500; round++) {
    /* It grows, shrinks to nothing, and grows again. */
    bool shrinks = round / 300 % 2 == 1;
    size_t n = coord__random() % 60;
    for (size_t k = 0; k < n; k++) {
      bool removes = coord__random() % 10 < (shrinks ? 8 : 2);
      change(coord__content_edit(content), &now, (int)(coord__random() % KEYS_MAX),
             removes ? 0 : revision + 1);
    }
    if (coord__random() % 20 == 0) { /* all of it is forgotten */
      coord__content_revert(content);
      coord__snapshot *s = coord__content_snapshot(content);
      memset(&now, 0, sizeof now);
      coord__cursor at = {0};
      if (s != NULL) at = coord__tree_seek(coord__snapshot_tree(s), NULL, 0);
      for (int i = 0; s != NULL && i < KEYS_MAX; i++) {
        char key[128];
        coord__item *item = coord__tree_find(coord__snapshot_tree(s), key, make_key(i, key));
        now.revisions[i] = item != NULL ? item->kv.mod_revision : 0;
        if (item != NULL) now.count++;
      }
      (void)at;
      coord__snapshot_release(s);
      continue;
    }
    T_FATAL(coord__content_publish(content, ++revision));
    size_t slot = coord__random() % HELD;
    if (held[slot] != NULL) {
      T_FATAL(holds(coord__snapshot_tree(held[slot]), &models[slot]));
      coord__snapshot_release(held[slot]);
    }
    held[slot] = coord__content_snapshot(content);
    models[slot] = now;
    if (round % 50 == 0) T_FATAL(holds(coord__snapshot_tree(held[slot]), &now));
    T_FATAL(seeks(coord__snapshot_tree(held[slot]), &now));
  }
  for (size_t i = 0; i < HELD; i++) {
    if (held[i] == NULL) continue;
    T_TRUE(holds(coord__snapshot_tree(held[i]), &models[i]));
    if (i % 2 == 0) coord__snapshot_release(held[i]);
  }
  coord__content_release(content);
  for (size_t i = 1; i < HELD; i += 2) coord__snapshot_release(held[i]);
}

static void what_was_built_in_order_is_the_same(void) {
  for (size_t count = 0; count < 9000; count = count * 3 / 2 + 1) {
    coord__content *content = coord__content_new(0);
    coord__edit *edit = coord__content_edit(content);
    char key[16];
    for (size_t i = 0; i < count; i++) {
      coord_kv kv = {.key = key, .key_len = (size_t)snprintf(key, sizeof key, "%06zu", i)};
      kv.mod_revision = (int64_t)i + 1;
      T_FATAL(coord__edit_append(edit, coord__item_new(&kv)));
    }
    T_FATAL(coord__edit_built(edit));
    T_FATAL(coord__content_publish(content, 1));
    coord__snapshot *s = coord__content_snapshot(content);
    T_INT(coord__snapshot_tree(s)->count, count);
    bool good = true;
    for (size_t i = 0; i < count + 5; i++) {
      size_t len = (size_t)snprintf(key, sizeof key, "%06zu", i);
      const coord__item *item = coord__tree_find(coord__snapshot_tree(s), key, len);
      good = good && (item != NULL) == (i < count) &&
             (item == NULL || item->kv.mod_revision == (int64_t)i + 1);
    }
    T_TRUE(good);
    coord__content_release(content);
    coord__snapshot_release(s);
  }
}

static void difference_of_two_versions(void) {
  coord__content *content = coord__content_new(2);
  static model before, after;
  memset(&before, 0, sizeof before);
  for (int i = 0; i < 900; i++) change(coord__content_edit(content), &before, i, 1);
  T_FATAL(coord__content_publish(content, 1));
  coord__snapshot *from = coord__content_snapshot(content);
  after = before;
  for (int i = 0; i < 200; i++) {
    int key = (int)(coord__random() % 1200);
    change(coord__content_edit(content), &after, key, i % 3 == 0 ? 0 : 2);
  }
  T_FATAL(coord__content_publish(content, 2));
  coord__snapshot *to = coord__content_snapshot(content);
  coord__transition *t =
      coord__transition_between(coord__snapshot_tree(from), coord__snapshot_tree(to), 2);
  size_t expected = 0;
  for (int i = 0; i < KEYS_MAX; i++) expected += before.revisions[i] != after.revisions[i];
  T_INT(t->changes.count, expected);
  coord__transition_release(t);
  coord__snapshot_release(from);
  coord__snapshot_release(to);
  coord__content_release(content);
}

static void memory_that_is_out_changes_nothing(void) {
  coord__content *content = coord__content_new(2);
  static model now;
  memset(&now, 0, sizeof now);
  for (int i = 0; i < 500; i++) change(coord__content_edit(content), &now, i, 1);
  T_FATAL(coord__content_publish(content, 1));
  for (long left = 0; left < 12; left++) {
    coord__edit *edit = coord__content_edit(content);
    char key[128];
    coord__item *items[40];
    for (int i = 0; i < 40; i++) items[i] = make_item(500 + i, 2);
    coord__alloc_fail_after(left);
    bool ok = true;
    for (int i = 0; i < 40 && ok; i++) {
      ok = coord__edit_put(edit, items[i]);
      if (ok) items[i] = NULL;
      ok = ok && coord__edit_remove(edit, key, make_key(i, key));
    }
    ok = ok && coord__content_publish(content, 2);
    coord__alloc_fail_after(-1);
    for (int i = 0; i < 40; i++) coord__item_release(items[i]);
    if (ok) break;
    coord__content_revert(content);
    coord__snapshot *s = coord__content_snapshot(content);
    T_TRUE(holds(coord__snapshot_tree(s), &now));
    coord__snapshot_release(s);
  }
  coord__content_release(content);
}

/* ---- readers ---- */

enum { STORM_KEYS = 400, READERS = 4 };

static coord__content *storm;
static atomic_bool storm_over;

/* Each version has all keys with its own revision. */
static void *read_storm(void *arg) {
  uint64_t *reads = arg;
  int64_t last = 0;
  char key[16];
  while (!atomic_load(&storm_over)) {
    int64_t revision;
    size_t len = (size_t)snprintf(key, sizeof key, "%05d", (int)(coord__random() % STORM_KEYS));
    coord__item *item = coord__content_get(storm, key, len, &revision);
    if (item == NULL || item->kv.mod_revision != revision || revision < last) {
      T_FAIL("a read at %lld is torn", (long long)revision);
      break;
    }
    last = revision;
    coord__item_release(item);
    if (++*reads % 16 != 0) continue;
    coord__snapshot *s = coord__content_snapshot(storm);
    coord__cursor at = coord__tree_seek(coord__snapshot_tree(s), NULL, 0);
    size_t count = 0;
    for (; (item = coord__cursor_next(&at)) != NULL; count++) {
      if (item->kv.mod_revision == coord__snapshot_revision(s)) continue;
      T_FAIL("a range at %lld is torn", (long long)coord__snapshot_revision(s));
      break;
    }
    T_INT(count, STORM_KEYS);
    coord__snapshot_release(s);
  }
  return NULL;
}

static void write_storm(int64_t revision) {
  for (int i = 0; i < STORM_KEYS; i++) {
    char key[16];
    coord_kv kv = {.key = key, .key_len = (size_t)snprintf(key, sizeof key, "%05d", i)};
    kv.mod_revision = revision;
    T_FATAL(coord__edit_put(coord__content_edit(storm), coord__item_new(&kv)));
  }
  T_FATAL(coord__content_publish(storm, revision));
}

static void no_reader_sees_half_a_version(void) {
  pthread_t threads[READERS];
  uint64_t reads[READERS] = {0};
  storm = coord__content_new(0);
  atomic_store(&storm_over, false);
  write_storm(1);
  for (int i = 0; i < READERS; i++) pthread_create(&threads[i], NULL, read_storm, &reads[i]);
  int64_t end = t_now_ms() + 700;
  int64_t revision = 1;
  while (t_now_ms() < end) write_storm(++revision);
  atomic_store(&storm_over, true);
  for (int i = 0; i < READERS; i++) {
    pthread_join(threads[i], NULL);
    T_TRUE(reads[i] > 0);
  }
  T_TRUE(!coord__content_sweep(storm));
  coord__content_release(storm);
}

T_MAIN(T_CASE(versions_are_what_was_put_into_them), T_CASE(what_was_built_in_order_is_the_same),
       T_CASE(difference_of_two_versions), T_CASE(memory_that_is_out_changes_nothing),
       T_CASE(no_reader_sees_half_a_version))
