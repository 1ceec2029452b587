#include "coord/config_handle.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/options.h"
#include "base/utf8.h"
#include "coord/config_view.h"
#include "coord/teller.h"
#include "etcd/result.h"

enum { RETRY_MS = 100 };

typedef struct layer {
  coord__mirror_listener ear;
  coord_config *config;
  coord__buf name; /* with the slash behind it */
  coord_mirror *mirror;
  bool is_loaded; /* I/O thread */
} layer;

struct coord_config {
  atomic_int refs; /* the handle, the mirrors that listen, events that are out */
  coord_client *client;
  layer layers[COORD__CONFIG_LAYERS]; /* the topmost first */
  size_t count;
  bool manual;
  coord__teller teller;
  /* I/O thread: */
  bool is_whole; /* was told to be */
  bool ended;
  coord__config_view *told; /* what the program knows */
  coord__config_view
      *sent; /* what it knows once it has taken the event that waits; NULL: none does */
  coord__timer retry;
  coord__job free_job;
  pthread_mutex_t lock; /* of what follows */
  coord__config_view *live;
  coord__config_view *current; /* NULL: the layers are not there yet */
  coord__content *defaults;
  uint64_t views; /* so many were made */
};

static void release(coord_config *g) {
  if (atomic_fetch_sub(&g->refs, 1) > 1) return;
  for (size_t i = 0; i < g->count; i++) coord__buf_free(&g->layers[i].name);
  coord__config_view_release(g->told);
  coord__config_view_release(g->sent);
  coord__config_view_release(g->live);
  coord__config_view_release(g->current);
  if (g->defaults != NULL) coord__content_release(g->defaults);
  coord__teller_free(&g->teller);
  pthread_mutex_destroy(&g->lock);
  coord__free(g);
}

static void retain_self(void *self) { atomic_fetch_add(&((coord_config *)self)->refs, 1); }

static void release_self(void *self) { release(self); }

/* ---- what the layers come to ---- */

static void on_rejected(void *arg, const coord__item *item, const char *why) {
  coord_config *g = arg;
  char shown[COORD__SHOWN], text[320];
  snprintf(text, sizeof text, "config: \"%s\" at revision %" PRId64 " is not taken over: %s",
           coord__show(shown, item->kv.key.data, item->kv.key.len), item->kv.mod_revision, why);
  coord__log_at(&g->client->log, COORD_LOG_WARN, "%s", text);
  coord__teller_tell(&g->teller, COORD_EVENT_REJECTED, COORD_INVALID, text, item->kv.mod_revision);
}

/* The place of *view is taken by one more reference to `by`. */
static void replace(coord__config_view **view, coord__config_view *by) {
  coord__config_view *old = *view;
  *view = by != NULL ? coord__config_view_retain(by) : NULL;
  coord__config_view_release(old);
}

/* Lock held. NULL: memory is out. */
static coord__config_view *look(coord_config *g) {
  coord__snapshot *snapshots[COORD__CONFIG_LAYERS] = {0};
  coord__config_source layers[COORD__CONFIG_LAYERS];
  int64_t revision = 0;
  for (size_t i = 0; i < g->count; i++) {
    snapshots[i] = coord__mirror_snapshot(g->layers[i].mirror);
    layers[i] =
        (coord__config_source){.name = g->layers[i].name.data, .skip = g->layers[i].name.len};
    if (snapshots[i] == NULL) continue;
    layers[i].tree = coord__snapshot_tree(snapshots[i]);
    if (coord__snapshot_revision(snapshots[i]) > revision) {
      revision = coord__snapshot_revision(snapshots[i]);
    }
  }
  coord__config_view *view =
      coord__config_view_new(layers, g->count, revision, g->live, on_rejected, g);
  if (view != NULL) view->number = ++g->views;
  for (size_t i = 0; i < g->count; i++) coord__snapshot_release(snapshots[i]);
  return view;
}

static void retry_later(coord_config *g) {
  coord__timer_set(g->client->loop, &g->retry,
                   coord__loop_now_ns(g->client->loop) + RETRY_MS * COORD__NS_PER_MS);
}

/* The program is told what differs from what it knows. False: memory is out. */
static bool tell_changes(coord_config *g, coord__config_view *live) {
  coord__changes *changes = NULL;
  bool waits = coord__teller_withdraw(&g->teller, COORD_EVENT_CHANGES);
  if (!waits && g->sent != NULL && !g->manual) replace(&g->told, g->sent);
  replace(&g->sent, NULL);
  coord__config_view *known = g->told;
  if (g->manual) {
    pthread_mutex_lock(&g->lock);
    replace(&g->told, g->current);
    known = g->told;
    pthread_mutex_unlock(&g->lock);
  }
  if (coord__config_view_changes(known, live, &changes) != COORD_OK) return false;
  if (changes == NULL) return true;
  replace(&g->sent, live);
  coord__teller_tell_changes(&g->teller, changes);
  return true;
}

static void attend(coord_config *g) {
  for (size_t i = 0; i < g->count; i++) {
    if (!g->layers[i].is_loaded) return;
  }
  pthread_mutex_lock(&g->lock);
  coord__config_view *live = look(g);
  if (live != NULL) replace(&g->live, live);
  bool begins = !g->is_whole;
  if (live != NULL && (begins || !g->manual)) replace(&g->current, live);
  pthread_mutex_unlock(&g->lock);
  bool ok = live != NULL;
  if (ok && begins) {
    g->is_whole = true;
    replace(&g->told, live);
    coord__teller_tell(&g->teller, COORD_EVENT_RESYNC, COORD_OK, NULL, live->revision);
  } else if (ok) {
    ok = tell_changes(g, live);
  }
  coord__config_view_release(live);
  if (!ok) retry_later(g);
}

static void on_retry(coord__timer *timer) { attend(COORD__CONTAINER(timer, coord_config, retry)); }

/* ---- the mirrors ---- */

static void on_told(coord__mirror_listener *l, const coord__mirror_news *news) {
  layer *y = COORD__CONTAINER(l, layer, ear);
  coord_config *g = y->config;
  if (g->ended) return;
  const char *why = news->error != NULL ? coord_error_message(news->error) : NULL;
  if (news->type == COORD_EVENT_CLOSED) {
    g->ended = true;
    coord__timer_stop(g->client->loop, &g->retry);
    coord__teller_tell(&g->teller, COORD_EVENT_CLOSED, news->code, why, 0);
    return;
  }
  if (news->type == COORD_EVENT_RESYNC && news->code != COORD_OK && g->is_whole) {
    coord__teller_tell(&g->teller, COORD_EVENT_RESYNC, news->code, why, news->revision);
  }
  /* A file of the last content is good enough, for now. */
  y->is_loaded = true;
  attend(g);
}

static void on_released(coord__mirror_listener *l) {
  release(COORD__CONTAINER(l, layer, ear)->config);
}

/* ---- reading ---- */

static coord__config_view *current_of(const coord_config *config) {
  coord_config *g = (coord_config *)config;
  pthread_mutex_lock(&g->lock);
  coord__config_view *view = g->current != NULL ? coord__config_view_retain(g->current) : NULL;
  pthread_mutex_unlock(&g->lock);
  return view;
}

static coord_code not_there(const coord_config *g, coord_error **err) {
  if (g->layers[0].mirror == NULL) {
    return coord__fail(err, COORD_INVALID,
                       "option config.live is false: the handle is for ops alone");
  }
  return coord__fail(err, COORD_UNAVAILABLE, "config: its layers are not there yet");
}

static coord_code check_key(const char *key, coord_error **err) {
  if (key[0] == '\0') {
    return coord__fail(err, COORD_INVALID, "argument key is empty; a value needs a key");
  }
  if (coord__utf8_ok(key)) return COORD_OK;
  char shown[COORD__SHOWN];
  return coord__fail(err, COORD_INVALID, "argument key is \"%s\", which is no UTF-8",
                     coord__show(shown, key, strlen(key)));
}

/* For the caller; NULL: memory is out. */
static char *copy_text(const coord_kv *kv) {
  char *text = coord__malloc(kv->value_len + 1);
  if (text == NULL) return NULL;
  memcpy(text, kv->value, kv->value_len);
  text[kv->value_len] = '\0';
  return text;
}

/* The default; NULL: there is none. Retained. */
static coord__item *default_of(const coord_config *g, const char *key) {
  int64_t revision;
  return coord__content_get(g->defaults, key, strlen(key), &revision);
}

coord_code coord__config_get(const coord_config *g, const char *key, char **json, int64_t *version,
                             coord_error **err) {
  coord_code code = check_key(key, err);
  if (code != COORD_OK) return code;
  coord__config_view *view = current_of(g);
  if (view == NULL) return not_there(g, err);
  const coord__config_value *value = coord__config_view_find(view, key);
  coord__item *fallback = value == NULL ? default_of(g, key) : NULL;
  coord_kv kv = {0};
  if (value != NULL) kv = coord__config_value_kv(value);
  if (fallback != NULL) kv = coord__item_kv(fallback);
  if (value == NULL && fallback == NULL) {
    char shown[COORD__SHOWN];
    code = coord__fail(err, COORD_NOT_FOUND, "config: there is no \"%s\", and no default",
                       coord__show(shown, key, strlen(key)));
  } else {
    *json = copy_text(&kv);
    if (*json == NULL) code = coord__no_memory(err);
    if (version != NULL) *version = value != NULL && kv.version > 0 ? kv.mod_revision : 0;
  }
  if (fallback != NULL) coord__item_release(fallback);
  coord__config_view_release(view);
  return code;
}

/* False: memory is out. */
static bool add_kv(coord_result *to, const coord_kv *kv) {
  Etcdserverpb__KeyValue *copy = coord__arena_alloc(to->arena, sizeof *copy);
  if (copy == NULL) return false;
  etcdserverpb__key_value__init(copy);
  copy->key.data = coord__arena_memdup(to->arena, kv->key, kv->key_len);
  copy->key.len = kv->key_len;
  copy->value.data = coord__arena_memdup(to->arena, kv->value, kv->value_len);
  copy->value.len = kv->value_len;
  copy->create_revision = kv->create_revision;
  copy->mod_revision = kv->mod_revision;
  copy->version = kv->version;
  copy->lease = kv->lease_id;
  to->kvs[to->kv_count++] = copy;
  return copy->key.data != NULL && copy->value.data != NULL;
}

/* Both in the order of keys, and of a key the value before the default. */
static bool add_all(coord_result *to, const coord__config_view *view, coord__cursor *defaults) {
  const coord__item *next = coord__cursor_next(defaults);
  for (size_t i = 0; i <= view->count; i++) {
    const coord__config_value *value = i < view->count ? &view->values[i] : NULL;
    if (value != NULL && value->item == NULL) continue;
    coord_kv kv = {0};
    if (value != NULL) kv = coord__config_value_kv(value);
    int order = -1;
    while (next != NULL) {
      coord_kv other = coord__item_kv(next);
      if (value != NULL) {
        order = coord__compare_keys(other.key, other.key_len, kv.key, kv.key_len);
      }
      if (order > 0) break;
      if (order < 0 && !add_kv(to, &other)) return false;
      next = coord__cursor_next(defaults);
    }
    if (value != NULL && !add_kv(to, &kv)) return false;
  }
  return true;
}

coord_code coord__config_all(const coord_config *g, coord_result **out, coord_error **err) {
  coord__config_view *view = current_of(g);
  if (view == NULL) return not_there(g, err);
  coord__snapshot *s = coord__content_snapshot(g->defaults);
  static const coord__tree none;
  const coord__tree *tree = s != NULL ? coord__snapshot_tree(s) : &none;
  coord__cursor defaults = coord__tree_seek(tree, "", 0);
  coord_result *result = coord__result_empty();
  if (result != NULL) {
    result->revision = view->revision;
    result->kvs =
        coord__arena_alloc(result->arena, (view->count + tree->count + 1) * sizeof *result->kvs);
  }
  bool ok = result != NULL && result->kvs != NULL && add_all(result, view, &defaults);
  coord__snapshot_release(s);
  coord__config_view_release(view);
  if (!ok) {
    coord__result_free(result);
    return coord__no_memory(err);
  }
  result->total = (int64_t)result->kv_count;
  *out = result;
  return COORD_OK;
}

/* ---- what the program says ---- */

/* Lock held. False: memory is out. */
static bool take_default(coord_config *g, const char *key, const char *json) {
  coord__edit *edit = coord__content_edit(g->defaults);
  coord_kv kv = {.key = key, .key_len = strlen(key), .value = json};
  bool ok = true;
  if (json == NULL) {
    ok = coord__edit_remove(edit, key, kv.key_len);
  } else {
    kv.value_len = strlen(json);
    coord__item *item = coord__item_new(&kv);
    ok = item != NULL && coord__edit_put(edit, item);
    if (item != NULL && !ok) coord__item_release(item);
  }
  if (ok && coord__content_publish(g->defaults, 1)) return true;
  coord__content_revert(g->defaults);
  return false;
}

coord_code coord__config_default(coord_config *g, const char *key, const char *json,
                                 coord_error **err) {
  coord_code code = check_key(key, err);
  if (code == COORD_OK && json != NULL) {
    code = coord__json_parse("argument json", json, strlen(json), NULL, err);
  }
  if (code != COORD_OK) return code;
  pthread_mutex_lock(&g->lock);
  bool ok = take_default(g, key, json);
  pthread_mutex_unlock(&g->lock);
  return ok ? COORD_OK : coord__no_memory(err);
}

coord_code coord__config_accept(coord_config *g, const coord_event *event, coord_error **err) {
  coord__config_view *view = coord__config_view_of(event);
  if (view == NULL || event->tag != g->teller.tag) {
    return coord__fail(err, COORD_INVALID, "argument event tells no changes of this configuration");
  }
  pthread_mutex_lock(&g->lock);
  if (g->current == NULL || view->number > g->current->number) replace(&g->current, view);
  pthread_mutex_unlock(&g->lock);
  return COORD_OK;
}

/* ---- life ---- */

size_t coord__config_layer_count(const coord_config *g) { return g->count; }

coord_mirror *coord__config_mirror(const coord_config *g, size_t i) { return g->layers[i].mirror; }

const coord__buf *coord__config_layer(const coord_config *g) { return &g->layers[0].name; }

coord_client *coord__config_client(const coord_config *g) { return g->client; }

static coord_code bad_name(const char *application, const char *why, coord_error **err) {
  char shown[COORD__SHOWN];
  return coord__fail(err, COORD_INVALID, "argument application is \"%s\": %s",
                     coord__show(shown, application, strlen(application)), why);
}

static coord_code take_name(coord_config *g, const char *prefix, const char *application,
                            coord_error **err) {
  if (!coord__utf8_ok(application)) return bad_name(application, "it is no UTF-8", err);
  if (strchr(application, '/') != NULL) return bad_name(application, "it has a slash", err);
  size_t len = strlen(application);
  for (;;) {
    size_t part = len;
    while (part > 0 && application[part - 1] != '.') part--;
    if (part == len) return bad_name(application, "it has an empty part", err);
    if (g->count == COORD__CONFIG_LAYERS) {
      return bad_name(application, "it has more than 8 parts", err);
    }
    coord__buf *name = &g->layers[g->count++].name;
    if (!coord__buf_append_str(name, prefix) || !coord__buf_append(name, "/", 1) ||
        !coord__buf_append(name, application, len) || !coord__buf_append(name, "/", 1)) {
      return coord__no_memory(err);
    }
    if (part == 0) return COORD_OK;
    len = part - 1;
  }
}

static void free_mirrors(coord_config *g) {
  for (size_t i = 0; i < g->count; i++) {
    if (g->layers[i].mirror != NULL) coord__mirror_free(g->layers[i].mirror);
    g->layers[i].mirror = NULL;
  }
}

static void run_free(coord__job *job) {
  coord_config *g = COORD__CONTAINER(job, coord_config, free_job);
  coord_client *c = g->client;
  g->ended = true;
  coord__timer_stop(c->loop, &g->retry);
  free_mirrors(g);
  release(g);
  coord__client_release(c);
}

/* As `options`, but that each layer has a file of its own: mirror.file with a dot and its name. */
static coord_code options_of(const layer *y, const coord_options *options, coord_options **out,
                             coord_error **err) {
  const char *file = coord__options_text(options, COORD__OPTION_MIRROR_FILE);
  coord__buf path = {0};
  *out = coord__options_copy(options);
  if (*out == NULL) return coord__no_memory(err);
  if (file[0] == '\0') return COORD_OK;
  const uint8_t *name = y->name.data;
  size_t len = y->name.len - 1;
  for (size_t i = 0; i + 1 < y->name.len; i++) {
    if (y->name.data[i] != '/') continue;
    name = y->name.data + i + 1;
    len = y->name.len - i - 2;
  }
  bool ok = coord__buf_append_str(&path, file) && coord__buf_append(&path, ".", 1) &&
            coord__buf_append(&path, name, len) && coord__buf_append(&path, "", 1);
  coord_code code = ok ? coord__options_set(*out, "mirror.file", (const char *)path.data, err)
                       : coord__no_memory(err);
  coord__buf_free(&path);
  return code;
}

static coord_code open_layer(layer *y, const coord_options *options, coord_error **err) {
  coord__mirror_sink sink = {.listener = &y->ear};
  coord_options *own = NULL;
  coord_code code = options_of(y, options, &own, err);
  if (code == COORD_OK) {
    y->ear = (coord__mirror_listener){.told = on_told, .released = on_released};
    retain_self(y->config);
    code = coord__mirror_open(y->config->client, y->name.data, y->name.len, own, &sink, &y->mirror,
                              err);
    if (code != COORD_OK) release(y->config);
  }
  coord__options_free(own);
  return code;
}

static coord_code open_layers(coord_config *g, const coord_options *options, coord_error **err) {
  coord_code code = COORD_OK;
  for (size_t i = 0; i < g->count && code == COORD_OK; i++) {
    g->layers[i].config = g;
    code = open_layer(&g->layers[i], options, err);
  }
  return code;
}

coord_code coord__config_open(coord_client *c, const char *application,
                              const coord_options *options, coord_queue *queue, uint64_t tag,
                              coord_config **out, coord_error **err) {
  const coord_options *o = options != NULL ? options : c->options;
  coord_config *g = coord__calloc(1, sizeof *g);
  if (g == NULL) return coord__no_memory(err);
  atomic_init(&g->refs, 1);
  g->client = c;
  g->retry.fire = on_retry;
  g->free_job.run = run_free;
  g->manual = coord__options_bool(o, COORD__OPTION_CONFIG_MANUAL);
  pthread_mutex_init(&g->lock, NULL);
  coord__teller_init(&g->teller, queue, tag, g, retain_self, release_self);
  coord_code code =
      take_name(g, coord__options_text(o, COORD__OPTION_CONFIG_PREFIX), application, err);
  if (code == COORD_OK && g->manual && queue == NULL) {
    code = coord__fail(err, COORD_INVALID,
                       "option config.manual is true, but argument queue is NULL: changes are told "
                       "there");
  }
  g->defaults = code == COORD_OK ? coord__content_new(0) : NULL;
  if (code == COORD_OK &&
      (g->defaults == NULL || !coord__teller_prepare(&g->teller, COORD_EVENT_CLOSED))) {
    code = coord__no_memory(err);
  }
  if (code != COORD_OK) {
    release(g);
    return code;
  }
  coord__client_retain(c);
  if (coord__options_bool(o, COORD__OPTION_CONFIG_LIVE)) code = open_layers(g, o, err);
  if (code != COORD_OK) {
    coord__config_free(g);
    return code;
  }
  *out = g;
  return COORD_OK;
}

void coord__config_free(coord_config *g) {
  coord_client *c = g->client;
  if (coord__client_forked(c)) {
    free_mirrors(g);
    atomic_fetch_sub(&c->refs, 1);
    release(g);
    return;
  }
  coord__teller_mute(&g->teller);
  coord__loop_post(c->loop, &g->free_job);
}
