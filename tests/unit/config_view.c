/* What the layers of a configuration come to, beside a model that is told the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coord/config_view.h"
#include "support/t.h"

enum { LAYERS = 3, KEYS = 6, STEPS = 4000 };

static const char *const names[LAYERS] = {"c/a.b.c/", "c/a.b/", "c/a/"};

/* One value of the model. */
typedef struct value {
  bool is_there;
  bool is_good;
  int64_t revision;
} value;

typedef struct world {
  coord__content *contents[LAYERS];
  value now[LAYERS][KEYS];
  /* What counts: the layer and revision, and -1 for none. */
  int layer[KEYS];
  int64_t revision[KEYS];
  int64_t last;
  size_t rejected;
  coord__config_view *view;
} world;

static const char *key_name(int key) {
  static char name[16];
  snprintf(name, sizeof name, "k%d", key);
  return name;
}

static void change(world *w, int layer, int key, bool put, bool good) {
  char full[64], text[32];
  coord__edit *edit = coord__content_edit(w->contents[layer]);
  int len = snprintf(full, sizeof full, "%s%s", names[layer], key_name(key));
  w->last++;
  w->now[layer][key] = (value){put, good, w->last};
  if (put) {
    int size = snprintf(text, sizeof text, good ? "[%lld]" : "[%lld", (long long)w->last);
    coord_kv kv = {.key = full,
                   .key_len = (size_t)len,
                   .value = text,
                   .value_len = (size_t)size,
                   .create_revision = w->last,
                   .mod_revision = w->last,
                   .version = 1};
    coord__item *item = coord__item_new(&kv);
    T_FATAL(item != NULL && coord__edit_put(edit, item));
  } else {
    T_FATAL(coord__edit_remove(edit, full, (size_t)len));
  }
  T_FATAL(coord__content_publish(w->contents[layer], w->last));
}

static void on_rejected(void *arg, const coord__item *item, const char *why) {
  world *w = arg;
  T_TRUE(item->kv.mod_revision <= w->last);
  T_HAS(why, "is no JSON");
  w->rejected++;
}

/* A bad value is passed over, but for the last good one of its layer. */
static void expect(world *w) {
  for (int key = 0; key < KEYS; key++) {
    int layer = -1;
    int64_t revision = 0;
    for (int i = 0; i < LAYERS && layer < 0; i++) {
      const value *v = &w->now[i][key];
      if (!v->is_there) continue;
      if (v->is_good) {
        layer = i;
        revision = v->revision;
      } else if (w->layer[key] == i) {
        layer = i;
        revision = w->revision[key];
      }
    }
    w->layer[key] = layer;
    w->revision[key] = revision;
  }
}

static coord__config_view *look(world *w) {
  coord__snapshot *snapshots[LAYERS];
  coord__config_source sources[LAYERS];
  for (int i = 0; i < LAYERS; i++) {
    snapshots[i] = coord__content_snapshot(w->contents[i]);
    sources[i] =
        (coord__config_source){.name = (const uint8_t *)names[i], .skip = strlen(names[i])};
    if (snapshots[i] != NULL) sources[i].tree = coord__snapshot_tree(snapshots[i]);
  }
  coord__config_view *view =
      coord__config_view_new(sources, LAYERS, w->last, w->view, on_rejected, w);
  for (int i = 0; i < LAYERS; i++) coord__snapshot_release(snapshots[i]);
  T_FATAL(view != NULL);
  return view;
}

static void compare(const world *w, const coord__config_view *view) {
  for (int key = 0; key < KEYS; key++) {
    const coord__config_value *found = coord__config_view_find(view, key_name(key));
    if (found == NULL) {
      T_INT(w->layer[key], -1);
      continue;
    }
    coord_kv kv = coord__config_value_kv(found);
    T_INT(found->layer, w->layer[key]);
    T_INT(kv.mod_revision, w->revision[key]);
    T_INT(kv.version, w->layer[key] == 0 ? 1 : 0);
    T_MEM(kv.key, kv.key_len, key_name(key), 2);
  }
}

/* Each change tells of one key, and from what it was to what it is. */
static void follow(const world *w, coord__config_view *before, coord__config_view *after,
                   const int64_t was[KEYS]) {
  coord__changes *changes = NULL;
  bool told[KEYS] = {false};
  T_CODE(coord__config_view_changes(before, after, &changes), COORD_OK);
  for (size_t i = 0; changes != NULL && i < changes->count; i++) {
    int key = ((const char *)changes->kvs[i].key)[1] - '0';
    T_FATAL(key >= 0 && key < KEYS && !told[key]);
    told[key] = true;
    T_INT(changes->types[i], w->layer[key] >= 0 ? COORD_CHANGE_PUT : COORD_CHANGE_DELETE);
    if (w->layer[key] >= 0) T_INT(changes->kvs[i].mod_revision, w->revision[key]);
    T_INT(changes->prevs[i].mod_revision, was[key]);
  }
  for (int key = 0; key < KEYS; key++) T_INT(told[key], was[key] != w->revision[key]);
  if (changes != NULL) {
    T_TRUE(coord__config_view_of(&changes->event) == after);
    coord_event_free(&changes->event);
  }
}

static void view_is_what_the_layers_come_to(void) {
  world w = {0};
  size_t bad = 0;
  srand(7);
  for (int i = 0; i < LAYERS; i++) {
    w.contents[i] = coord__content_new(strlen(names[i]));
    T_FATAL(w.contents[i] != NULL);
  }
  for (int key = 0; key < KEYS; key++) w.layer[key] = -1;
  for (int step = 0; step < STEPS; step++) {
    int64_t was[KEYS];
    bool put = rand() % 4 != 0, good = rand() % 3 != 0;
    memcpy(was, w.revision, sizeof was);
    change(&w, rand() % LAYERS, rand() % KEYS, put, good);
    if (put && !good) bad++;
    coord__config_view *view = look(&w);
    expect(&w);
    compare(&w, view);
    if (w.view != NULL) follow(&w, w.view, view, was);
    coord__config_view_release(w.view);
    w.view = view;
    if (t_any_failed()) break;
  }
  /* Not one that a layer above hides. */
  T_TRUE(w.rejected > 0 && w.rejected <= bad);
  coord__config_view_release(w.view);
  for (int i = 0; i < LAYERS; i++) coord__content_release(w.contents[i]);
}

T_MAIN(T_CASE(view_is_what_the_layers_come_to))
