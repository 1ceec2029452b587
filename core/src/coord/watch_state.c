#include "coord/watch_state.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* ---- what is watched ---- */

static coord_code check(const coord_op *get, int64_t start, coord_error **err) {
  if (start < 0) {
    return coord__fail(err, COORD_INVALID,
                       "argument start_revision is %" PRId64
                       "; expected a revision, or 0 for all that comes from now on",
                       start);
  }
  if (get->kind != COORD__OP_GET) {
    return coord__fail(err, COORD_INVALID, "argument get is a %s op; a watch takes a get",
                       coord__op_name(get));
  }
  coord_code code = coord__op_fault_of(get, err);
  if (code != COORD_OK) return code;
  const Etcdserverpb__RangeRequest *r = &get->message.get;
  if (r->key.len == 0) {
    return coord__fail(err, COORD_INVALID,
                       "argument get: the key is empty: name a key, or set a prefix (all keys) or "
                       "a range end");
  }
  const char *odd = r->limit != 0         ? "limit"
                    : r->revision != 0    ? "revision"
                    : r->keys_only        ? "keys_only"
                    : r->count_only       ? "count_only"
                    : r->sort_order != 0  ? "sort_by or sort_descending"
                    : r->sort_target != 0 ? "sort_by"
                    : r->serializable     ? "serializable"
                    : r->min_mod_revision != 0 || r->max_mod_revision != 0 ||
                            r->min_create_revision != 0 || r->max_create_revision != 0
                        ? "for bounds on revisions"
                        : NULL;
  if (odd != NULL) {
    return coord__fail(err, COORD_INVALID,
                       "argument get has attribute %s; of a get a watch takes key, prefix or range "
                       "end, and prev_kv, no_puts, no_deletes, progress; where it begins says "
                       "start_revision",
                       odd);
  }
  if ((get->watch & COORD__WATCH_NO_PUTS) != 0 && (get->watch & COORD__WATCH_NO_DELETES) != 0) {
    return coord__fail(err, COORD_INVALID,
                       "argument get has no_puts and no_deletes: nothing is left to watch");
  }
  return COORD_OK;
}

coord_code coord__watch_init(coord__watch *w, const coord_op *get, int64_t start,
                             const coord__namespace *ns, coord_error **err) {
  coord_code code = check(get, start, err);
  if (code != COORD_OK) return code;
  const Etcdserverpb__RangeRequest *r = &get->message.get;
  *w = (coord__watch){.ns = ns, .attributes = get->watch, .next = start};
  coord__buf range = {0};
  bool ok = coord__buf_reserve(&range, r->key.len + r->range_end.len + 2 * ns->len + ns->end_len) &&
            coord__namespace_key(ns, r->key.data, r->key.len, &range);
  w->key_len = range.len;
  if (ok && r->range_end.len > 0) {
    ok = coord__namespace_range_end(ns, r->range_end.data, r->range_end.len, &range);
  }
  w->end_len = range.len - w->key_len;
  w->key = range.data;
  if (ok) return COORD_OK;
  coord__watch_free(w);
  return coord__no_memory(err);
}

void coord__watch_free(coord__watch *w) {
  coord__free(w->key);
  w->key = NULL;
  coord__buf_free(&w->partial);
}

void coord__watch_break(coord__watch *w) { coord__buf_free(&w->partial); }

/* ---- answers ---- */

/* A member that lags, or a store that was restored from a backup. */
static bool is_behind(const coord__watch *w, const coord__answer *a) {
  return a->revision < w->reached;
}

static void reach(coord__watch *w, int64_t revision) {
  if (revision > w->reached) w->reached = revision;
}

static coord__news stand(coord__watch *w, const coord__answer *a) {
  /* The server's revision counts only where nothing was asked for: else it may be far ahead of what
   * is still to come. */
  if (w->next == 0) w->next = a->revision + 1;
  if (is_behind(w, a)) return (coord__news){.kind = COORD__NEWS_BEHIND};
  if (a->revision >= w->next - 1) reach(w, w->next - 1); /* else it begins in the future */
  w->has_stood = true;
  return (coord__news){.kind = COORD__NEWS_STANDS, .revision = w->next - 1};
}

static coord__news fail(coord_code code) {
  return (coord__news){.kind = COORD__NEWS_FAILED, .code = code};
}

/* Keep what may still grow: the events of the newest revision so far. */
static bool keep_rest(coord__watch *w, const uint8_t *bytes, size_t len) {
  coord__buf rest = {0};
  if (len > 0 && !coord__buf_append(&rest, bytes, len)) return false;
  coord__buf_free(&w->partial);
  w->partial = rest;
  return true;
}

static coord__news take_changes(coord__watch *w, const coord__answer *a) {
  const uint8_t *bytes = a->bytes;
  size_t len = a->len;
  coord__span span;
  if (w->partial.len > 0) {
    if (!coord__buf_append(&w->partial, a->bytes, a->len)) return fail(COORD_NO_MEMORY);
    bytes = w->partial.data;
    len = w->partial.len;
  }
  coord_code code = coord__changes_find(bytes, len, w->next, a->fragment, &span);
  if (code != COORD_OK) return fail(code);
  coord__changes *changes = NULL;
  if (span.count > 0) code = coord__changes_new(bytes, &span, w->next, w->ns, &changes);
  if (code != COORD_OK) return fail(code);
  if (a->fragment) {
    if (!keep_rest(w, bytes + span.rest, len - span.rest)) {
      coord_event_free(changes != NULL ? &changes->event : NULL);
      return fail(COORD_NO_MEMORY);
    }
  } else {
    coord__buf_free(&w->partial);
  }
  if (changes == NULL) return (coord__news){.kind = COORD__NEWS_NOTHING};
  w->next = span.last + 1;
  reach(w, span.last);
  return (coord__news){
      .kind = COORD__NEWS_CHANGES, .revision = span.last, .event = &changes->event};
}

/* Without events: all up to the header's revision has been told. Said of this watch in its order
 * among the events, this is so with every server; what is said of all watches of a stream at once is
 * not, with old ones, and never comes here. */
static coord__news take_progress(coord__watch *w, const coord__answer *a) {
  coord__news news = {.kind = COORD__NEWS_NOTHING};
  if (w->partial.len > 0 || a->revision < w->next) return news;
  if ((w->attributes & COORD__WATCH_PROGRESS) != 0) {
    coord__changes *none = coord__changes_none(a->revision);
    if (none == NULL) return fail(COORD_NO_MEMORY);
    news =
        (coord__news){.kind = COORD__NEWS_CHANGES, .revision = a->revision, .event = &none->event};
  }
  w->next = a->revision + 1;
  reach(w, a->revision);
  return news;
}

static bool is_compacted(const coord__answer *a) {
  if (a->compact_revision > 0) return true;
  return a->canceled && strstr(a->reason, "required revision has been compacted") != NULL;
}

coord__news coord__watch_take(coord__watch *w, const coord__answer *a) {
  if (is_compacted(a)) {
    return (coord__news){.kind = COORD__NEWS_COMPACTED, .revision = a->compact_revision};
  }
  if (a->canceled) return (coord__news){.kind = COORD__NEWS_CANCELED};
  if (a->created) return stand(w, a);
  if (a->has_events || a->fragment || w->partial.len > 0) return take_changes(w, a);
  return take_progress(w, a);
}

/* ---- requests ---- */

static bool pack(const Etcdserverpb__WatchRequest *request, coord__buf *out) {
  size_t len = etcdserverpb__watch_request__get_packed_size(request);
  if (!coord__buf_reserve(out, len)) return false;
  out->len += etcdserverpb__watch_request__pack(request, out->data + out->len);
  return true;
}

bool coord__watch_ask_create(const coord__watch *w, int64_t watch_id, coord__buf *out) {
  Etcdserverpb__WatchCreateRequest create = ETCDSERVERPB__WATCH_CREATE_REQUEST__INIT;
  Etcdserverpb__WatchRequest request = ETCDSERVERPB__WATCH_REQUEST__INIT;
  Etcdserverpb__WatchCreateRequest__FilterType filter;
  request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST;
  request.create_request = &create;
  create.key = (ProtobufCBinaryData){w->key_len, w->key};
  if (w->end_len > 0) create.range_end = (ProtobufCBinaryData){w->end_len, w->key + w->key_len};
  create.start_revision = w->next;
  create.progress_notify = 1;
  create.fragment = w->fragments;
  create.prev_kv = (w->attributes & COORD__WATCH_PREV_KV) != 0;
  create.watch_id = watch_id;
  if ((w->attributes & (COORD__WATCH_NO_PUTS | COORD__WATCH_NO_DELETES)) != 0) {
    filter = (w->attributes & COORD__WATCH_NO_PUTS) != 0
                 ? ETCDSERVERPB__WATCH_CREATE_REQUEST__FILTER_TYPE__NOPUT
                 : ETCDSERVERPB__WATCH_CREATE_REQUEST__FILTER_TYPE__NODELETE;
    create.n_filters = 1;
    create.filters = &filter;
  }
  return pack(&request, out);
}

bool coord__watch_ask_cancel(int64_t watch_id, coord__buf *out) {
  Etcdserverpb__WatchCancelRequest cancel = ETCDSERVERPB__WATCH_CANCEL_REQUEST__INIT;
  Etcdserverpb__WatchRequest request = ETCDSERVERPB__WATCH_REQUEST__INIT;
  request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CANCEL_REQUEST;
  request.cancel_request = &cancel;
  cancel.watch_id = watch_id;
  return pack(&request, out);
}

bool coord__watch_ask_progress(coord__buf *out) {
  Etcdserverpb__WatchProgressRequest progress = ETCDSERVERPB__WATCH_PROGRESS_REQUEST__INIT;
  Etcdserverpb__WatchRequest request = ETCDSERVERPB__WATCH_REQUEST__INIT;
  request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_PROGRESS_REQUEST;
  request.progress_request = &progress;
  return pack(&request, out);
}
