#include "coord/view.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "coord/discovery_handle.h"
#include "coord/lineup.h"

#define AGAIN_NS (INT64_C(50) * COORD__NS_PER_MS)

/* ---- services ---- */

static void destroy_service(coord__group *g) {
  coord__service *s = COORD__CONTAINER(g, coord__service, group);
  coord__guard_free(&s->guard);
  coord__buf_free(&s->prefix);
  coord__free(s);
}

static bool begins_with(const Etcdserverpb__KeyValue *kv, const coord__buf *prefix) {
  return kv->key.len >= prefix->len && memcmp(kv->key.data, prefix->data, prefix->len) == 0;
}

static coord__cursor seek(const coord__snapshot *snapshot, const coord__buf *from) {
  return coord__tree_seek(coord__snapshot_tree(snapshot), from->data, from->len);
}

static size_t count_keys(const coord__service *s, const coord__snapshot *snapshot) {
  size_t n = 0;
  coord__cursor at = seek(snapshot, &s->prefix);
  for (coord__item *i; (i = coord__cursor_next(&at)) != NULL && begins_with(&i->kv, &s->prefix);) {
    n++;
  }
  return n;
}

/* Of what is there already the same object. COORD_INVALID: it is none; COORD_NO_MEMORY. */
static coord_code instance_of(const coord__service *s, const coord__item *item,
                              const coord_instances *before, size_t *at, int64_t revision,
                              coord_instance **out) {
  const char *id = (const char *)item->kv.key.data + s->prefix.len;
  bool is_text = strlen(id) == item->kv.key.len - s->prefix.len;
  coord_instance *old = is_text ? coord__roster_find(before, id, at) : NULL;
  /* In a store that was restored from a backup a revision comes twice. */
  bool goes_on = before != NULL && before->revision <= revision;
  if (old != NULL && goes_on && old->mod == item->kv.mod_revision) {
    *out = coord__instance_retain(old);
    return COORD_OK;
  }
  coord_kv kv = coord__item_kv(item);
  bool is_new = before == NULL || item->kv.mod_revision > before->revision;
  coord_code code = coord__registry_read(s->registry, &kv, is_new, out);
  if (code != COORD_OK) return code;
  (*out)->mod = item->kv.mod_revision;
  if (coord__instance_share(*out, old)) return COORD_OK;
  coord__instance_release(*out);
  return COORD_NO_MEMORY;
}

/* NULL: memory is out. An instance is never left out for that: it would look as if it had gone. */
static coord_instances *read_roster(const coord__service *s, const coord__snapshot *snapshot,
                                    const coord_instances *before) {
  coord_instances *r = coord__roster_new(count_keys(s, snapshot));
  if (r == NULL) return NULL;
  size_t at_before = 0;
  r->revision = coord__snapshot_revision(snapshot);
  coord__cursor at = seek(snapshot, &s->prefix);
  for (coord__item *i; (i = coord__cursor_next(&at)) != NULL && begins_with(&i->kv, &s->prefix);) {
    coord_code code = instance_of(s, i, before, &at_before, r->revision, &r->all[r->count]);
    if (code == COORD_OK) r->count++;
    if (code != COORD_NO_MEMORY) continue;
    coord__roster_release(r);
    return NULL;
  }
  return r;
}

static void refresh(coord__group *g, uint64_t version) {
  coord__service *s = COORD__CONTAINER(g, coord__service, group);
  coord_mirror *mirror = atomic_load(&s->registry->mirror);
  coord__snapshot *snapshot = mirror != NULL ? coord__mirror_snapshot(mirror) : NULL;
  if (snapshot == NULL) return;
  coord__shared *shared = atomic_load(&g->cell.current); /* nobody else replaces it now */
  coord_instances *next = read_roster(
      s, snapshot, shared != NULL ? COORD__CONTAINER(shared, coord_instances, shared) : NULL);
  coord__snapshot_release(snapshot);
  if (next == NULL) return;
  next = coord__guard_pass(&s->guard, next, coord__clock_ns());
  next->version = version;
  coord__group_set(g, next);
}

/* For the end of the guard, and for what memory was out for. */
static void set_timer(coord__service *s, bool again) {
  pthread_mutex_lock(&s->group.mutex);
  int64_t at_ns = s->guard.until_ns;
  pthread_mutex_unlock(&s->group.mutex);
  int64_t again_ns = coord__clock_ns() + AGAIN_NS;
  if (again && (at_ns == 0 || at_ns > again_ns)) at_ns = again_ns;
  coord__loop *loop = s->registry->client->loop;
  if (at_ns == 0) {
    coord__timer_stop(loop, &s->timer);
  } else {
    coord__timer_set(loop, &s->timer, at_ns);
  }
}

void coord__view_tell(coord__service *s) {
  uint64_t version = atomic_load_explicit(&s->group.version, memory_order_relaxed);
  if (s->guard.percent == 0 && coord__list_empty(&s->watchers)) return; /* whoever asks will look */
  bool again = coord__view_staleness_ms(s->registry) >= 0;
  coord_instances *roster = coord__group_newest(&s->group);
  if (roster != NULL) {
    again = !coord__discovery_tell(&s->watchers, roster) || roster->version < version;
    coord__roster_release(roster);
  }
  set_timer(s, again);
}

/* There may be something new. I/O thread. */
static void stir(coord__service *s) {
  atomic_fetch_add_explicit(&s->group.version, 1, memory_order_release);
  coord__view_tell(s);
}

static void on_timer(coord__timer *timer) { stir(COORD__CONTAINER(timer, coord__service, timer)); }

/* ---- finding them; by the registry's mutex ---- */

static coord__service *find(coord_registry *r, const char *name, size_t len) {
  coord__service *s = coord__map_find(&r->services, coord__lineup_hash(name, len));
  while (s != NULL && (strlen(s->name) != len || memcmp(s->name, name, len) != 0)) s = s->same;
  return s;
}

static coord__service *make(coord_registry *r, const char *name) {
  size_t len = strlen(name);
  uint64_t hash = coord__lineup_hash(name, len);
  coord__service *s = coord__calloc(1, sizeof *s + len + 1);
  if (s == NULL) return NULL;
  memcpy(s->name, name, len);
  s->registry = r;
  s->timer.fire = on_timer;
  s->guard.percent = r->guard_percent;
  s->guard.for_ns = r->guard_ns;
  coord__list_init(&s->watchers);
  coord__group_init(&s->group, refresh, destroy_service);
  coord__service *first = coord__map_remove(&r->services, hash);
  if (coord__registry_key(r, name, "", &s->prefix) && coord__map_insert(&r->services, hash, s)) {
    s->same = first;
    atomic_store(&s->group.version, 1);
    return s;
  }
  if (first != NULL) coord__map_insert(&r->services, hash, first);
  coord__group_release(&s->group);
  return NULL;
}

coord__service *coord__view_service(coord_registry *r, const char *name) {
  pthread_mutex_lock(&r->mutex);
  coord__service *s = find(r, name, strlen(name));
  if (s == NULL) s = make(r, name);
  pthread_mutex_unlock(&r->mutex);
  return s;
}

/* ---- the mirror ---- */

static coord_registry *registry_of(coord__mirror_listener *l) {
  return COORD__CONTAINER(l, coord_registry, listener);
}

static void stir_all(coord_registry *r) {
  for (size_t i = 0; i < r->services.cap; i++) {
    for (coord__service *s = r->services.slots[i].value; s != NULL; s = s->same) stir(s);
  }
}

/* Those whose keys have changed; runs of one service are one. */
static void stir_changed(coord_registry *r, const coord__changes *changes) {
  coord__service *last = NULL;
  for (size_t i = 0; i < changes->count; i++) {
    const coord_kv *kv = &changes->kvs[i];
    const char *name = (const char *)kv->key + r->prefix.len;
    const char *slash = memchr(name, '/', kv->key_len - r->prefix.len);
    if (slash == NULL) continue;
    coord__service *s = find(r, name, (size_t)(slash - name));
    if (s != last && last != NULL) stir(last);
    last = s;
  }
  if (last != NULL) stir(last);
}

static void end_all(coord_registry *r, coord_code code, const coord_error *err) {
  for (size_t i = 0; i < r->services.cap; i++) {
    for (coord__service *s = r->services.slots[i].value; s != NULL; s = s->same) {
      coord__discovery_end(&s->watchers, code, err);
    }
  }
}

static void on_told(coord__mirror_listener *l, const coord__mirror_news *news) {
  coord_registry *r = registry_of(l);
  pthread_mutex_lock(&r->mutex);
  if (news->type == COORD_EVENT_CLOSED) {
    r->view_code = news->code;
    end_all(r, news->code, news->error);
  } else if (news->type == COORD_EVENT_CHANGES) {
    stir_changed(r, news->changes);
  } else if (news->code == COORD_OK || news->code == COORD_UNAVAILABLE) {
    stir_all(r);
  }
  pthread_mutex_unlock(&r->mutex);
}

static void on_released(coord__mirror_listener *l) { coord__registry_release(registry_of(l)); }

coord_code coord__view_open(coord_registry *r, coord_error **err) {
  coord_code code = COORD_OK;
  if (atomic_load(&r->mirror) != NULL) return COORD_OK;
  pthread_mutex_lock(&r->mutex);
  if (atomic_load(&r->mirror) == NULL) {
    coord_mirror *mirror = NULL;
    coord__mirror_sink sink = {.listener = &r->listener};
    r->listener = (coord__mirror_listener){.told = on_told, .released = on_released};
    coord__registry_retain(r);
    code = coord__mirror_open(r->client, r->prefix.data, r->prefix.len, r->options, &sink, &mirror,
                              err);
    if (code == COORD_OK) {
      atomic_store(&r->mirror, mirror);
    } else {
      coord__registry_release(r);
    }
  }
  pthread_mutex_unlock(&r->mutex);
  return code;
}

coord_op *coord__op_viewed(coord_registry *r) {
  return coord__op_mirror_loaded(atomic_load(&r->mirror));
}

int64_t coord__view_staleness_ms(const coord_registry *r) {
  coord_mirror *mirror = atomic_load(&((coord_registry *)(uintptr_t)r)->mirror);
  return mirror != NULL ? coord__mirror_staleness_ms(mirror) : -1;
}

void coord__view_close(coord_registry *r) {
  coord_mirror *mirror = atomic_load(&r->mirror);
  if (mirror == NULL) return;
  for (size_t i = 0; i < r->services.cap; i++) {
    for (coord__service *s = r->services.slots[i].value; s != NULL; s = s->same) {
      coord__timer_stop(r->client->loop, &s->timer);
      s->guard.percent = 0; /* nothing sets it again */
    }
  }
  coord__mirror_free(mirror);
}

void coord__view_free(coord_registry *r) {
  for (size_t i = 0; i < r->services.cap; i++) {
    for (coord__service *s = r->services.slots[i].value; s != NULL;) {
      coord__service *next = s->same;
      coord__group_release(&s->group);
      s = next;
    }
  }
  coord__map_free(&r->services);
}

/* ---- names ---- */

static bool add_name(coord__buf *json, const char *name, size_t len, bool first) {
  bool ok = coord__buf_append_str(json, first ? "[\"" : ",\"");
  for (size_t i = 0; ok && i < len; i++) {
    if (name[i] == '"' || name[i] == '\\') ok = coord__buf_append_str(json, "\\");
    ok = ok && coord__buf_append(json, name + i, 1);
  }
  return ok && coord__buf_append_str(json, "\"");
}

/* Whether a name can be one of a service. */
static bool is_name(const char *name, size_t len) {
  for (size_t i = 0; i < len; i++) {
    if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f) return false;
  }
  return len > 0;
}

coord_code coord__view_names(coord_registry *r, char **json, coord_error **err) {
  coord__snapshot *snapshot = coord__mirror_snapshot(atomic_load(&r->mirror));
  if (snapshot == NULL) {
    return coord__fail(err, COORD_UNAVAILABLE, "registry: nothing has been read yet");
  }
  coord__buf out = {0}, from = {0};
  bool ok = coord__buf_append(&from, r->prefix.data, r->prefix.len), first = true;
  while (ok) { /* from service to service */
    coord__cursor at = seek(snapshot, &from);
    coord__item *item = coord__cursor_next(&at);
    if (item == NULL) break;
    const char *name = (const char *)item->kv.key.data + r->prefix.len;
    size_t left = item->kv.key.len - r->prefix.len;
    const char *slash = memchr(name, '/', left);
    size_t len = slash != NULL ? (size_t)(slash - name) : left;
    if (slash != NULL && is_name(name, len)) {
      ok = add_name(&out, name, len, first);
      first = false;
    }
    from.len = r->prefix.len;
    /* Behind all that begin with NAME/, or this key alone. */
    ok = ok && coord__buf_append(&from, name, len) &&
         coord__buf_append(&from, slash != NULL ? "0" : "\0", 1);
  }
  ok = ok && coord__buf_append_str(&out, first ? "[]" : "]") && coord__buf_append(&out, "\0", 1);
  coord__snapshot_release(snapshot);
  coord__buf_free(&from);
  if (ok) {
    *json = (char *)out.data;
    return COORD_OK;
  }
  coord__buf_free(&out);
  return coord__no_memory(err);
}
