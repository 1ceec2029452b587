#include "coord/replica.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "coord/ask.h"
#include "coord/event.h"
#include "coord/result.h"
#include "etcd/result.h"

/* ---- telling ---- */

static void tell(coord__replica *r, coord__replica_news news, coord_code code,
                 const coord_error *err) {
  coord__replica_told told = {.news = news, .code = code, .error = err};
  r->world->told(r, &told);
}

static void set_fresh(coord__replica *r, int64_t at) {
  atomic_store_explicit(&r->fresh_ns, at, memory_order_relaxed);
}

int64_t coord__replica_staleness_ms(const coord__replica *r, int64_t boot_ns) {
  int64_t at = atomic_load_explicit(&r->fresh_ns, memory_order_relaxed);
  if (at == COORD__REPLICA_NEVER) return -1;
  if (at == COORD__REPLICA_NOW || boot_ns <= at) return 0;
  return (boot_ns - at) / COORD__NS_PER_MS;
}

/* ---- reading all ---- */

/* What the pages so far have made is forgotten. */
static void drop_list(coord__replica *r) {
  if (r->listing) coord__content_revert(r->content);
  r->listing = false;
  coord__snapshot_release(r->before);
  r->before = NULL;
  r->next = NULL;
}

static void begin_list(coord__replica *r) {
  drop_list(r);
  r->listing = true;
  r->before = coord__content_snapshot(r->content);
  if (r->before != NULL) {
    r->at = coord__tree_seek(coord__snapshot_tree(r->before), NULL, 0);
    r->next = coord__cursor_next(&r->at);
  }
  r->state = COORD__REPLICA_LISTING;
  r->fixed_ns = 0;
  r->world->list(r, true);
}

static void pause_reading(coord__replica *r) {
  r->state = COORD__REPLICA_PAUSED;
  r->world->pause(r, r->failures++);
}

/* From the beginning: what has come of the list cannot be used. */
static void read_again(coord__replica *r, coord_code why) {
  drop_list(r);
  if (why != COORD_OK) r->why = why;
  if (r->failures > 0 || why == COORD_NO_MEMORY) {
    pause_reading(r);
  } else {
    r->failures++;
    begin_list(r);
  }
}

static void finish(coord__replica *r, coord_code code, const coord_error *err) {
  drop_list(r);
  coord__replica_broke(r, 0);
  r->world->unwatch(r);
  r->state = COORD__REPLICA_OVER;
  tell(r, COORD__REPLICA_ENDED, code, err);
}

static void skip_old(coord__replica *r) {
  coord__edit_retire(coord__content_edit(r->content), r->next);
  r->next = coord__cursor_next(&r->at);
}

/* The next key of the list: as it was, changed, or new. */
static bool take_kv(coord__replica *r, const coord_kv *kv) {
  coord__edit *edit = coord__content_edit(r->content);
  int order = 1;
  while (r->next != NULL) {
    order = coord__compare_keys(r->next->kv.key.data, r->next->kv.key.len, kv->key, kv->key_len);
    if (order >= 0) break;
    skip_old(r);
  }
  bool was_there = r->next != NULL && order == 0;
  if (was_there && coord__item_is(r->next, kv)) {
    if (!coord__edit_append(edit, r->next)) return false;
    r->next = coord__cursor_next(&r->at);
    return true;
  }
  coord__item *item = coord__item_new(kv);
  if (item == NULL || !coord__edit_append(edit, item)) {
    coord__item_release(item);
    return false;
  }
  if (was_there) skip_old(r);
  return true;
}

void coord__replica_page(coord__replica *r, const coord_result *page) {
  coord_kv kv;
  if (r->state != COORD__REPLICA_LISTING) return;
  if (coord_result_cluster_id(page) != 0) r->cluster_id = coord_result_cluster_id(page);
  if (r->fixed_ns == 0) r->fixed_ns = r->world->boot_ns(r);
  for (size_t i = 0; coord_result_kv(page, i, &kv) == COORD_OK; i++) {
    if (take_kv(r, &kv)) continue;
    r->failures++;
    tell(r, COORD__REPLICA_TRIES, COORD_NO_MEMORY, NULL);
    read_again(r, COORD_NO_MEMORY);
    return;
  }
}

/* The list is the content now. False: memory is out. */
static bool publish_list(coord__replica *r, int64_t revision) {
  while (r->next != NULL) skip_old(r);
  if (!coord__edit_built(coord__content_edit(r->content))) return false;
  return coord__content_publish(r->content, revision);
}

static void tell_reread(coord__replica *r, coord__snapshot *before, int64_t revision) {
  coord__replica_told told = {.news = COORD__REPLICA_REREAD, .code = r->why, .before = before};
  coord__snapshot *now = coord__content_snapshot(r->content);
  if (before != NULL) {
    told.transition = coord__transition_between(coord__snapshot_tree(before),
                                                coord__snapshot_tree(now), revision);
  }
  r->world->told(r, &told);
  coord__transition_release(told.transition);
  coord__snapshot_release(now);
}

void coord__replica_listed(coord__replica *r, int64_t revision) {
  if (r->state != COORD__REPLICA_LISTING) return;
  if (!publish_list(r, revision)) {
    r->failures++;
    tell(r, COORD__REPLICA_TRIES, COORD_NO_MEMORY, NULL);
    read_again(r, COORD_NO_MEMORY);
    return;
  }
  coord__snapshot *before = r->before;
  r->before = NULL;
  r->listing = false;
  r->loaded = true;
  r->state = COORD__REPLICA_WATCHING;
  set_fresh(r, r->fixed_ns != 0 ? r->fixed_ns : r->world->boot_ns(r));
  tell_reread(r, before, revision);
  coord__snapshot_release(before);
  if (!r->world->watch(r, revision + 1)) {
    r->failures++;
    read_again(r, COORD_NO_MEMORY);
  }
}

void coord__replica_failed(coord__replica *r, coord_code code, const coord_error *err) {
  if (r->state != COORD__REPLICA_LISTING) return;
  bool may_go_well = coord__error_may_pass(code, err, false);
  /* Once a page has come: its revision is one of the future for a store that was restored meanwhile. */
  bool is_future = code == COORD_INVALID && r->fixed_ns != 0;
  if (code == COORD_COMPACTED || is_future) {
    read_again(r, COORD_OK);
  } else if (may_go_well || code == COORD_NO_MEMORY) {
    tell(r, COORD__REPLICA_TRIES, code, err);
    if (r->state == COORD__REPLICA_LISTING) pause_reading(r);
  } else {
    finish(r, code, err);
  }
}

void coord__replica_resume(coord__replica *r) {
  if (r->state != COORD__REPLICA_PAUSED) return;
  if (r->listing) {
    r->state = COORD__REPLICA_LISTING;
    r->world->list(r, false);
  } else {
    begin_list(r);
  }
}

/* ---- watching ---- */

void coord__replica_stands(coord__replica *r, coord_code broken) {
  if (r->state != COORD__REPLICA_WATCHING) return;
  r->failures = 0;
  set_fresh(r, COORD__REPLICA_NOW);
  if (broken != COORD_OK) tell(r, COORD__REPLICA_RESUMED, broken, NULL);
}

void coord__replica_broke(coord__replica *r, int64_t heard_ago_ns) {
  if (r->state != COORD__REPLICA_WATCHING) return;
  if (atomic_load_explicit(&r->fresh_ns, memory_order_relaxed) != COORD__REPLICA_NOW) return;
  set_fresh(r, r->world->boot_ns(r) - heard_ago_ns);
}

/* One change into the next version, and into the transition. False: memory is out. */
static bool apply(coord__edit *edit, coord__transition *t, int32_t type, const coord_kv *kv) {
  coord__item *old = coord__tree_find(&edit->tree, kv->key, kv->key_len);
  bool ok = true;
  /* Some servers repeat themselves. */
  if (old != NULL && old->kv.mod_revision >= kv->mod_revision) return true;
  /* It may be freed as soon as it has been replaced. */
  if (old != NULL) coord__item_retain(old);
  if (type == COORD_CHANGE_DELETE) {
    if (old != NULL) ok = coord__edit_remove(edit, kv->key, kv->key_len);
    if (ok && old != NULL) coord__transition_add(t, old, NULL, kv->mod_revision);
  } else {
    coord__item *item = coord__item_new(kv);
    ok = item != NULL && coord__edit_put(edit, item);
    if (ok) {
      coord__transition_add(t, old, item, kv->mod_revision);
    } else {
      coord__item_release(item);
    }
  }
  coord__item_release(old);
  return ok;
}

static bool apply_all(coord__replica *r, const coord_event *event, coord__transition *t) {
  coord__edit *edit = coord__content_edit(r->content);
  for (size_t i = 0; i < coord_event_count(event); i++) {
    int32_t type = COORD_CHANGE_PUT;
    coord_kv kv;
    if (coord_event_change(event, i, &type, &kv, NULL) != COORD_OK) continue;
    if (!apply(edit, t, type, &kv)) return false;
  }
  return coord__content_publish(r->content, coord_event_revision(event));
}

void coord__replica_changes(coord__replica *r, const coord_event *event) {
  if (r->state != COORD__REPLICA_WATCHING) return;
  int64_t revision = coord_event_revision(event);
  coord__transition *t = coord__transition_new(coord_event_count(event), revision);
  coord__snapshot *before = coord__content_snapshot(r->content);
  if (t != NULL && apply_all(r, event, t)) {
    coord__replica_told told = {.news = COORD__REPLICA_CHANGED, .before = before, .transition = t};
    if (t->changes.count > 0) r->world->told(r, &told);
  } else {
    /* What comes next would not fit: all is read again, once there is memory. */
    coord__content_revert(r->content);
    r->world->unwatch(r);
    set_fresh(r, r->world->boot_ns(r));
    r->failures++;
    read_again(r, COORD_NO_MEMORY);
  }
  coord__transition_release(t);
  coord__snapshot_release(before);
}

/* The watch has ended; reading again may help. */
static bool may_read_again(coord_code code, const coord_error *err) {
  return code == COORD_COMPACTED || code == COORD_NO_MEMORY || code == COORD_PROTOCOL ||
         code == COORD_TOO_LARGE || code == COORD_CANCELED ||
         coord__error_may_pass(code, err, false);
}

void coord__replica_unwatched(coord__replica *r, coord_code code, const coord_error *err) {
  if (r->state != COORD__REPLICA_WATCHING) return;
  if (may_read_again(code, err)) {
    coord__replica_broke(r, 0);
    if (code != COORD_COMPACTED) r->failures++;
    read_again(r, code);
  } else {
    finish(r, code, err);
  }
}

/* ---- life ---- */

bool coord__replica_init(coord__replica *r, const coord__replica_world *world, size_t skip) {
  *r = (coord__replica){.world = world};
  atomic_init(&r->fresh_ns, COORD__REPLICA_NEVER);
  r->content = coord__content_new(skip);
  return r->content != NULL;
}

void coord__replica_free(coord__replica *r) {
  drop_list(r);
  if (r->content != NULL) coord__content_release(r->content);
}

bool coord__replica_restore(coord__replica *r, coord__item **items, size_t count, int64_t revision,
                            int64_t age_ns) {
  bool was_listing = r->state == COORD__REPLICA_LISTING;
  bool ok = true;
  drop_list(r);
  coord__edit *edit = coord__content_edit(r->content);
  for (size_t i = 0; ok && i < count; i++) {
    ok = coord__edit_append(edit, items[i]);
    if (ok) items[i] = NULL;
  }
  ok = ok && coord__edit_built(edit) && coord__content_publish(r->content, revision);
  if (ok) {
    set_fresh(r, r->world->boot_ns(r) - age_ns);
    tell(r, COORD__REPLICA_FILE, COORD_UNAVAILABLE, NULL);
  } else {
    coord__content_revert(r->content);
  }
  if (was_listing) begin_list(r);
  return ok;
}

void coord__replica_start(coord__replica *r) { begin_list(r); }

void coord__replica_stop(coord__replica *r) {
  drop_list(r);
  if (r->state == COORD__REPLICA_WATCHING) r->world->unwatch(r);
  r->state = COORD__REPLICA_OVER;
}

void coord__replica_end(coord__replica *r, coord_code code, const coord_error *err) {
  if (r->state != COORD__REPLICA_OVER) finish(r, code, err);
}
