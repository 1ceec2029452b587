/*
 * The first page is a plain range read: it fixes the revision and tells the total. What is left is
 * asked for as one RangeStream where the server has it, otherwise page by page. After any failure of
 * the stream the next page is a plain read again, from the key after the last one delivered.
 */
#include "etcd/scan.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "etcd/result.h"
#include "etcd/task.h"

struct coord_scan {
  atomic_int refs; /* the program's, its ops', its tasks' */
  coord_client *client;
  coord_op *get;
  bool inside;   /* no handle of the program */
  int64_t limit; /* keys to deliver at most, 0 = all */
  atomic_llong revision;
  atomic_llong delivered;
  atomic_llong total;
  coord__job free_job;
  coord__job end_job;
  /* I/O thread only. */
  int64_t page_keys;
  coord__buf next; /* the key to go on from; empty before the first page */
  bool ended;
  coord__task *task; /* waits for a page */
  coord__call call;
  bool calling;
  int64_t called_ns;
  size_t called_bytes;
  coord__stream stream;
  bool streaming;
  bool all_came;       /* the stream has ended; `chunk` may hold more */
  bool stream_failed;  /* read one page plainly before trying again */
  coord_result *chunk; /* of the stream, when it is more than a page; NULL: none */
  size_t chunk_at;     /* key-values of it that were delivered */
  bool only_pages;     /* RangeStream knows no bounds on revisions */
};

/* ---- life ---- */

static void run_free(coord__job *job) {
  coord_scan *s = COORD__CONTAINER(job, coord_scan, free_job);
  if (s->streaming) coord__stream_end(&s->stream);
  coord__result_free(s->chunk);
  coord_client *c = s->client;
  coord__buf_free(&s->next);
  coord__op_free(s->get);
  coord__free(s);
  coord__client_release(c);
}

static void release(coord_scan *s) {
  if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1) return;
  if (coord__client_forked(s->client)) {
    coord_client *c = s->client;
    coord__result_free(s->chunk);
    coord__op_free(s->get);
    coord__buf_free(&s->next);
    coord__free(s);
    atomic_fetch_sub(&c->refs, 1);
    return;
  }
  s->free_job.run = run_free;
  coord__loop_post(s->client->loop, &s->free_job);
}

static void run_end(coord__job *job) {
  coord_scan *s = COORD__CONTAINER(job, coord_scan, end_job);
  if (s->task != NULL) coord__task_end(s->task, COORD_CANCELED, "the scan was freed");
  release(s);
}

void coord__scan_free(coord_scan *s) {
  coord_client *c = s->client;
  bool inside = s->inside;
  if (coord__client_forked(c)) {
    release(s);
  } else {
    s->end_job.run = run_end;
    coord__loop_post(c->loop, &s->end_job);
  }
  if (!inside) coord__client_unuse(c);
}

static coord_code check(const coord_op *get, int32_t page_keys, coord_error **err) {
  if (page_keys < 0 || page_keys > 100000) {
    return coord__fail(err, COORD_INVALID,
                       "argument page_keys is %d; expected 1 to 100000, or 0 for the client's "
                       "scan.page.keys",
                       (int)page_keys);
  }
  if (get->kind != COORD__OP_GET) {
    return coord__fail(err, COORD_INVALID, "argument get is a %s op; a scan takes a get",
                       coord__op_name(get));
  }
  coord_code code = coord__op_check(get, err);
  if (code != COORD_OK) return code;
  if (!get->has_end) {
    return coord__fail(err, COORD_INVALID,
                       "argument get reads one key; a scan takes a prefix or a range end");
  }
  const Etcdserverpb__RangeRequest *r = &get->message.get;
  if (r->count_only) {
    return coord__fail(err, COORD_INVALID, "argument get is count-only: there is nothing to scan");
  }
  if (r->sort_order != ETCDSERVERPB__RANGE_REQUEST__SORT_ORDER__NONE || r->sort_target != 0) {
    return coord__fail(err, COORD_INVALID,
                       "argument get asks for a sort order; a scan goes in the order of keys");
  }
  return COORD_OK;
}

coord_code coord__scan_open_inside(coord_client *c, const coord_op *get, int32_t page_keys,
                                   coord_scan **out, coord_error **err) {
  coord_code code = check(get, page_keys, err);
  if (code != COORD_OK) return code;
  coord_scan *s = coord__calloc(1, sizeof *s);
  if (s == NULL) return coord__no_memory(err);
  s->get = coord__op_get_page(get, NULL, 0, get->message.get.limit, get->message.get.revision);
  if (s->get == NULL) {
    coord__free(s);
    return coord__no_memory(err);
  }
  atomic_init(&s->refs, 1);
  atomic_init(&s->total, -1);
  s->client = c;
  s->limit = get->message.get.limit;
  const Etcdserverpb__RangeRequest *r = &get->message.get;
  s->only_pages = r->min_mod_revision > 0 || r->max_mod_revision > 0 ||
                  r->min_create_revision > 0 || r->max_create_revision > 0;
  s->page_keys = page_keys > 0 ? page_keys : c->scan_page_keys;
  s->inside = true;
  coord__client_retain(c);
  *out = s;
  return COORD_OK;
}

coord_code coord__scan_open(coord_client *c, const coord_op *get, int32_t page_keys,
                            coord_scan **out, coord_error **err) {
  coord_code code = coord__scan_open_inside(c, get, page_keys, out, err);
  if (code != COORD_OK) return code;
  (*out)->inside = false;
  coord__client_use(c);
  return COORD_OK;
}

coord_client *coord__scan_client(const coord_scan *s) { return s->client; }

int64_t coord__scan_revision(const coord_scan *s) { return atomic_load(&s->revision); }

int64_t coord__scan_delivered(const coord_scan *s) { return atomic_load(&s->delivered); }

int64_t coord__scan_total(const coord_scan *s) { return atomic_load(&s->total); }

/* ---- a page has come ---- */

static void complete(coord_scan *s, coord_code code, coord_error *err, coord_result *page) {
  coord__task *task = s->task;
  s->task = NULL;
  coord__task_complete(task, code, err, page);
}

/* A page without keys says that there are no more. */
static void complete_at_end(coord_scan *s) {
  coord_error *err = NULL;
  coord_result *nothing = coord__result_empty();
  coord_code code = nothing != NULL ? COORD_OK : coord__no_memory(&err);
  complete(s, code, err, nothing);
}

/* Keys still wanted, at most a page. 0 when the scan's limit is reached. */
static int64_t wanted(const coord_scan *s) {
  if (s->limit == 0) return s->page_keys;
  int64_t left = s->limit - atomic_load(&s->delivered);
  return left < s->page_keys ? left : s->page_keys;
}

/* Go on after the last key of the page: its successor in byte order. */
static bool advance(coord_scan *s, const coord_result *page) {
  size_t n = coord_result_count(page);
  if (n == 0) return true;
  coord_kv last;
  coord_result_kv(page, n - 1, &last);
  s->next.len = 0;
  if (!coord__buf_append(&s->next, last.key, last.key_len)) return false;
  if (!coord__buf_append(&s->next, "", 1)) return false;
  atomic_fetch_add(&s->delivered, (long long)n);
  return true;
}

static void deliver(coord_scan *s, coord_result *page) {
  coord_error *err = NULL;
  if (!advance(s, page)) {
    coord_result_free(page);
    complete(s, coord__no_memory(&err), err, NULL);
    return;
  }
  if (wanted(s) == 0) s->ended = true;
  complete(s, COORD_OK, NULL, page);
}

/* ---- page by page ---- */

static void call_page(coord_scan *s);

static void on_page(coord__call *call) {
  coord_scan *s = COORD__CONTAINER(call, coord_scan, call);
  coord_client *c = s->client;
  s->calling = false;
  coord_code code = call->code;
  coord_error *err = call->error;
  coord_result *page = NULL;
  if (code == COORD_OK) {
    code = coord__decode_range(call->response.data, call->response.len, &page, &err);
    if (code == COORD_OK) code = coord__namespace_leave(&c->ns, page, &err);
    if (code != COORD_OK) {
      coord__error_set_endpoint(err, call->endpoint);
      coord__result_free(page);
      page = NULL;
    }
  }
  coord__stats_record(&c->stats, call->method, coord__clock_ns() - s->called_ns, s->called_bytes,
                      call->response.len, code != COORD_OK);
  coord__buf_free(&call->response);
  if (code == COORD_TOO_LARGE && wanted(s) > 1) {
    coord_error_free(err);
    s->page_keys = wanted(s) / 4 > 0 ? wanted(s) / 4 : 1;
    coord__log_at(&c->log, COORD_LOG_INFO, "scan: a page is too large, going on with %lld keys",
                  (long long)s->page_keys);
    call_page(s);
  } else if (code != COORD_OK) {
    complete(s, code, err, NULL);
  } else {
    if (s->next.len == 0) {
      int64_t total = coord_result_total(page);
      if (s->limit > 0 && total > s->limit) total = s->limit;
      int64_t pinned = s->get->message.get.revision;
      atomic_store(&s->revision, pinned > 0 ? pinned : coord_result_revision(page));
      atomic_store(&s->total, total);
    }
    s->stream_failed = false;
    if (!coord_result_more(page)) s->ended = true;
    deliver(s, page);
  }
}

/* The request for what is left, `limit` keys of it at most. */
static coord_code request_rest(coord_scan *s, int64_t limit, coord__request *out,
                               coord_error **err) {
  bool first = s->next.len == 0;
  int64_t revision = first ? s->get->message.get.revision : atomic_load(&s->revision);
  coord_op *op =
      coord__op_get_page(s->get, first ? NULL : s->next.data, s->next.len, limit, revision);
  if (op == NULL) return coord__no_memory(err);
  coord_code code = coord__op_encode(op, &s->client->limits, out, err);
  coord__op_free(op);
  return code;
}

static void call_page(coord_scan *s) {
  coord__request request = {0};
  coord_error *err = NULL;
  coord_code code = request_rest(s, wanted(s), &request, &err);
  if (code != COORD_OK) {
    complete(s, code, err, NULL);
    return;
  }
  s->call = (coord__call){.method = request.method,
                          .request = request.body,
                          .repeatable = true,
                          .read_only = true,
                          .needs_leader = request.needs_leader,
                          .deadline_ns = s->task->deadline_ns,
                          .done = on_page};
  s->calling = true;
  s->called_ns = coord__clock_ns();
  s->called_bytes = request.body.len;
  coord__call_start(&s->client->rpc, &s->call);
}

/* ---- as a stream ---- */

static void stop_stream(coord_scan *s) {
  if (s->streaming) coord__stream_end(&s->stream);
  s->streaming = false;
}

static void on_stream_opened(coord__stream *stream) {
  coord_scan *s = COORD__CONTAINER(stream, coord_scan, stream);
  coord__request request = {0};
  int64_t left = s->limit == 0 ? 0 : s->limit - atomic_load(&s->delivered);
  bool sent = request_rest(s, left, &request, NULL) == COORD_OK &&
              coord__stream_send(stream, request.body.data, request.body.len, true);
  coord__request_free(&request);
  /* Out of memory: the deadline of the page, or the next try, deals with it. */
  if (!sent) s->stream_failed = true;
}

/* The next page of the chunk; all of it at once when it is no more than that. */
static void deliver_chunk(coord_scan *s) {
  size_t left = coord_result_count(s->chunk) - s->chunk_at;
  size_t most = (size_t)wanted(s);
  coord_result *page = s->chunk;
  if (s->chunk_at > 0 || left > most) {
    page = coord__result_slice(s->chunk, s->chunk_at, left < most ? left : most);
    if (page == NULL) {
      coord_error *err = NULL;
      complete(s, coord__no_memory(&err), err, NULL);
      return;
    }
    s->chunk_at += coord_result_count(page);
    if (s->chunk_at < coord_result_count(s->chunk)) {
      deliver(s, page);
      return;
    }
    coord__result_free(s->chunk);
  }
  s->chunk = NULL;
  deliver(s, page);
}

static void on_stream_message(coord__stream *stream, const uint8_t *p, size_t n) {
  coord_scan *s = COORD__CONTAINER(stream, coord_scan, stream);
  coord_result *page = NULL;
  coord_error *err = NULL;
  coord_code code = coord__decode_range_stream(p, n, &page, &err);
  if (code == COORD_OK) code = coord__namespace_leave(&s->client->ns, page, &err);
  if (code != COORD_OK) {
    coord__result_free(page);
    stop_stream(s);
    s->stream_failed = true;
    complete(s, code, err, NULL);
    return;
  }
  if (coord_result_count(page) == 0) {
    /* The last message may carry no keys: the end of the stream follows. */
    coord_result_free(page);
    return;
  }
  /* One page in memory: no more until it is asked for. */
  coord__stream_pause(stream, true);
  s->chunk = page;
  s->chunk_at = 0;
  deliver_chunk(s);
}

static void on_stream_closed(coord__stream *stream, coord_code code, coord_error *err) {
  coord_scan *s = COORD__CONTAINER(stream, coord_scan, stream);
  s->streaming = false;
  if (code == COORD_OK) {
    s->all_came = true;
  } else {
    if (code == COORD_UNSUPPORTED) s->client->no_range_stream = true;
    s->stream_failed = true;
  }
  if (s->task == NULL) {
    /* Nobody waits: what went wrong is met again, if at all, with the next page. */
    coord_error_free(err);
  } else if (code == COORD_OK) {
    s->ended = true;
    complete_at_end(s);
  } else if (code == COORD_CLOSED || code == COORD_COMPACTED) {
    complete(s, code, err, NULL);
  } else {
    coord_error_free(err);
    call_page(s);
  }
}

static void open_stream(coord_scan *s) {
  s->stream = (coord__stream){.lane = COORD__LANE_CALLS,
                              .opened = on_stream_opened,
                              .message = on_stream_message,
                              .closed = on_stream_closed};
  s->streaming = true;
  coord__stream_open(&s->client->rpc, &s->stream, &coord__methods[COORD__METHOD_RANGE_STREAM]);
}

/* ---- the op ---- */

static void start(void *self, coord__task *task) {
  coord_scan *s = self;
  coord_error *err = NULL;
  if (s->task != NULL) {
    coord__fail(&err, COORD_CONFLICT, "scan: the page before this one is still under way");
    coord__task_complete(task, COORD_CONFLICT, err, NULL);
    return;
  }
  s->task = task;
  if (s->all_came && s->chunk == NULL) s->ended = true;
  if (s->ended) {
    stop_stream(s);
    complete_at_end(s);
  } else if (s->chunk != NULL) {
    deliver_chunk(s);
  } else if (s->streaming) {
    coord__stream_pause(&s->stream, false);
  } else if (s->next.len > 0 && !s->stream_failed && !s->only_pages &&
             !s->client->no_range_stream) {
    open_stream(s);
  } else {
    call_page(s);
  }
}

static void cancel(void *self, coord__task *task, coord_code code, const char *why) {
  coord_scan *s = self;
  if (s->calling) {
    coord__call_end(&s->call, code, why);
    return;
  }
  /* The stream may be what is stuck: the next page starts afresh. */
  stop_stream(s);
  s->stream_failed = true;
  coord_error *err = NULL;
  coord__fail(&err, code, "scan: %s", why);
  if (err != NULL && code == COORD_TIMEOUT) err->flags = COORD_RETRIABLE;
  s->task = NULL;
  coord__task_complete(task, code, err, NULL);
}

static void retain_self(void *self) {
  coord_scan *s = self;
  atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

static void release_self(void *self) { release(self); }

static const coord_client *client_of(const void *self) {
  const coord_scan *s = self;
  return s->client;
}

static const coord__op_class next_class = {"scan",    retain_self, release_self,
                                           client_of, start,       cancel};

coord_op *coord__op_scan_next(coord_scan *s) { return coord__op_custom(&next_class, s); }
