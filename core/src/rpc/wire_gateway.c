/* The gateway wire: a link is a pool of HTTP/1.1 connections to one endpoint. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "net/http.h"
#include "rpc/gateway.h"
#include "rpc/grpc.h"
#include "rpc/json_map.h"
#include "rpc/wire.h"

enum { WHY = COORD__GATEWAY_MESSAGE, HEADER = 48, VERSION_BYTES = 4096 };

static const char version_path[] = "/version";

typedef struct gateway_link {
  coord__link base;
  coord__link_config config;
  coord__http *http;
  coord__http_request probe; /* asks for the version: first, and when nothing is heard */
  bool probing;
  bool is_ready;
  bool leaving; /* a connection has failed: what is under way may still end well */
  bool closing;
  coord__list exchanges;
  size_t count;        /* of them */
  size_t calls;        /* among them */
  coord__list todo;    /* exchanges with something to do outside of their owner's call */
  coord__idle work;    /* does it */
  coord__idle notify;  /* one has ended */
  coord__timer silent; /* while there are any */
  int64_t heard_ns;
  char why[WHY];
} gateway_link;

/* One request. */
typedef struct post {
  coord__list link; /* in the exchange's posts or queue */
  coord__http_request request;
  coord__exchange *exchange;
  coord__buf out;
  bool secret; /* what is said must not stay in memory */
  char timeout[HEADER];
  size_t scanned; /* bytes of the answer that hold no end of line */
  int64_t watch_id;
  bool look;     /* something may have been held up by a pause */
  bool canceled; /* by the owner of the watch, who is to be told */
  bool finished; /* the server has ended it; what is held is still to be delivered */
  coord__http_end end;
  char why[WHY];
} post;

struct coord__exchange {
  coord__list link; /* the link's exchanges */
  coord__list todo;
  gateway_link *owner;
  coord__attempt *attempt;    /* one of these two */
  coord__wire_stream *duplex; /* is not NULL */
  coord__list posts;          /* under way; a call has one */
  coord__list queue;          /* messages of a stream that wait for a connection */
  char *token;                /* as a header; NULL: none */
  size_t busy;                /* posts under way */
  int64_t next_watch;
  bool is_watch;
  bool last; /* no other message follows */
  bool paused;
  bool unsupported;
  int holds;              /* of those who look at it again after a callback, */
  bool gone;              /* which may have ended it */
  coord__outcome outcome; /* how it ends with the link */
};

/* ---- exchanges and posts ---- */

static void drop_post(post *p) {
  coord__http_abandon(&p->request);
  if (p->secret) coord__buf_wipe(&p->request.in);
  if (p->secret) coord__buf_wipe(&p->out);
  coord__buf_free(&p->request.in);
  coord__buf_free(&p->out);
  coord__list_remove(&p->link);
  coord__free(p);
}

static void drop_posts(coord__list *posts) {
  while (!coord__list_empty(posts)) drop_post(COORD__CONTAINER(posts->next, post, link));
}

static void drop_exchange(coord__exchange *x) {
  gateway_link *l = x->owner;
  drop_posts(&x->posts);
  drop_posts(&x->queue);
  coord__gateway_free_token(x->token);
  coord__list_remove(&x->todo);
  coord__list_remove(&x->link);
  x->gone = true;
  l->count--;
  if (x->attempt != NULL) l->calls--;
  if (l->count == 0) coord__timer_stop(l->config.loop, &l->silent);
  if (!l->closing) coord__loop_defer(l->config.loop, &l->notify);
  if (x->holds == 0) coord__free(x);
}

static void hold(coord__exchange *x) { x->holds++; }

/* False: it has ended meanwhile. */
static bool release(coord__exchange *x) {
  bool gone = x->gone;
  if (--x->holds == 0 && gone) coord__free(x);
  return !gone;
}

/* Tell the owner of the exchange; it is gone then. */
static void conclude(coord__exchange *x, const coord__outcome *outcome, coord__buf *body) {
  coord__attempt *attempt = x->attempt;
  coord__wire_stream *duplex = x->duplex;
  coord__buf none = {0};
  drop_exchange(x);
  if (attempt != NULL) {
    attempt->exchange = NULL;
    attempt->done(attempt, outcome, body != NULL ? body : &none);
  } else {
    duplex->exchange = NULL;
    duplex->closed(duplex, outcome);
  }
}

static void fail(coord__exchange *x, coord_code code, const char *why) {
  coord__outcome outcome = {.code = code, .grpc_status = -1, .http_status = -1, .message = why};
  conclude(x, &outcome, NULL);
}

static void conclude_answer(coord__exchange *x, const coord__gateway_answer *a, coord__buf *body) {
  coord__outcome outcome = {.code = a->code,
                            .grpc_status = a->grpc_status,
                            .http_status = a->http_status,
                            .message = a->message};
  conclude(x, &outcome, body);
}

static void later(coord__exchange *x) {
  gateway_link *l = x->owner;
  if (!coord__list_linked(&x->todo)) coord__list_append(&l->todo, &x->todo);
  coord__loop_defer(l->config.loop, &l->work);
}

static coord__exchange *new_exchange(gateway_link *l, const char *token) {
  coord__exchange *x = coord__calloc(1, sizeof *x);
  if (x == NULL) return NULL;
  if (token != NULL && (x->token = coord__gateway_token(token)) == NULL) {
    coord__free(x);
    return NULL;
  }
  x->owner = l;
  coord__list_init(&x->posts);
  coord__list_init(&x->queue);
  coord__list_append(&l->exchanges, &x->link);
  if (l->count++ == 0) {
    l->heard_ns = coord__clock_ns();
    coord__timer_set(l->config.loop, &l->silent, l->heard_ns + l->config.keepalive_interval_ns);
  }
  return x;
}

/* ---- what a link loses ---- */

static void lost(gateway_link *l, coord_code code, const char *why) {
  snprintf(l->why, sizeof l->why, "%s", why);
  l->base.events->lost(l->base.owner, code, l->why);
}

static coord__outcome outcome_of(const coord__http_end *end) {
  coord__outcome outcome = {.code = end->code,
                            .grpc_status = -1,
                            .http_status = -1,
                            .message = end->why,
                            .unprocessed = end->unsent};
  /* The time for connecting is up, not that of the call. */
  if (end->code == COORD_TIMEOUT) outcome.code = COORD_UNAVAILABLE;
  return outcome;
}

/* The server, or the way to it, has failed one exchange. New ones are better off elsewhere. */
static void fail_by_connection(coord__exchange *x, const coord__http_end *end) {
  gateway_link *l = x->owner;
  bool alone = l->count == 1;
  coord__outcome outcome = outcome_of(end);
  if (end->code == COORD_TOO_LARGE || end->code == COORD_NO_MEMORY) {
    conclude(x, &outcome, NULL);
    return;
  }
  if (alone && !l->leaving) {
    /* The exchange ends with the link, which its owner knows to be gone then. */
    x->outcome = outcome;
    lost(l, outcome.code, end->why);
    return;
  }
  if (!l->leaving) {
    l->leaving = true;
    hold(x); /* a probe is given up with the link that it asks about */
    l->base.events->draining(l->base.owner, false);
    if (!release(x)) return;
  }
  conclude(x, &outcome, NULL);
}

/* ---- calls ---- */

static post *new_post(coord__exchange *x, const coord__method *method) {
  post *p = coord__calloc(1, sizeof *p);
  if (p == NULL) return NULL;
  p->exchange = x;
  p->secret = method->secret;
  p->request.path = method->gateway_path;
  p->request.headers[0] = x->token;
  return p;
}

/* Asked on a member that has lost its leader, it would be silent: let the server refuse it. */
static const char needs_leader[] = "Grpc-Metadata-hasleader: true";

static void add_header(post *p, const char *header) {
  int i = 0;
  while (p->request.headers[i] != NULL) i++;
  p->request.headers[i] = header;
}

static bool start_post(post *p) {
  coord__exchange *x = p->exchange;
  p->request.body = p->out.data;
  p->request.body_len = p->out.len;
  if (!coord__http_start(x->owner->http, &p->request)) return false;
  coord__list_append(&x->posts, &p->link);
  x->busy++;
  p->look = x->paused;
  coord__http_pause(&p->request, x->paused);
  return true;
}

static post *post_of(coord__http_request *r) { return COORD__CONTAINER(r, post, request); }

static void heard(coord__exchange *x) { x->owner->heard_ns = coord__clock_ns(); }

static void on_call_done(coord__http_request *r, const coord__http_end *end) {
  post *p = post_of(r);
  coord__exchange *x = p->exchange;
  bool secret = p->secret;
  if (end->code != COORD_OK) {
    fail_by_connection(x, end);
    return;
  }
  heard(x);
  coord__buf body = {0};
  coord__gateway_answer answer;
  coord__gateway_read(x->attempt->method, r->status, r->content_type, r->in.data, r->in.len, &body,
                      &answer);
  conclude_answer(x, &answer, &body);
  if (secret) coord__buf_wipe(&body);
  coord__buf_free(&body);
}

static bool gateway_call(coord__link *link, coord__attempt *attempt) {
  gateway_link *l = (gateway_link *)link;
  const coord__method *method = attempt->method;
  coord__exchange *x = new_exchange(l, attempt->token);
  if (x == NULL) return false;
  x->attempt = attempt;
  l->calls++;
  attempt->exchange = x;
  if (method->gateway_path == NULL) {
    x->unsupported = true;
    later(x);
    return true;
  }
  post *p = new_post(x, method);
  if (p != NULL) {
    if (attempt->deadline_ns != 0) {
      char text[16];
      size_t n = coord__grpc_timeout(text, attempt->deadline_ns - coord__clock_ns());
      snprintf(p->timeout, sizeof p->timeout, "Grpc-Timeout: %.*s", (int)n, text);
      add_header(p, p->timeout);
    }
    if (attempt->needs_leader) add_header(p, needs_leader);
    p->request.max_bytes = l->config.response_max_bytes;
    p->request.done = on_call_done;
    const uint8_t *message = attempt->frame + COORD__FRAME_HEADROOM;
    size_t len = attempt->frame_len - COORD__FRAME_HEADROOM;
    if (coord__json_write(method->request, message, len, &p->out) == COORD_OK && start_post(p)) {
      return true;
    }
    drop_post(p);
  }
  attempt->exchange = NULL;
  drop_exchange(x);
  return false;
}

static void gateway_cancel(coord__attempt *attempt) {
  coord__exchange *x = attempt->exchange;
  attempt->exchange = NULL;
  drop_exchange(x);
}

/* ---- streams: what comes ---- */

static void start_queued(coord__exchange *x);

/* One of the requests that a stream is has ended in order, or is of no use any more. */
static void end_post(post *p) {
  coord__exchange *x = p->exchange;
  drop_post(p);
  x->busy--;
  start_queued(x);
}

/* A line, without its end. False: the exchange is gone; *over: the server is done with the post. */
static bool take_line(coord__exchange *x, const uint8_t *line, size_t n, bool *over) {
  coord__wire_stream *duplex = x->duplex;
  coord__buf message = {0};
  coord__gateway_answer answer;
  coord__gateway_read_line(duplex->method, line, n, &message, &answer);
  if (answer.code != COORD_OK || answer.grpc_status != 0) {
    coord__buf_free(&message);
    conclude_answer(x, &answer, NULL);
    return false;
  }
  hold(x);
  duplex->message(duplex, message.data, message.len);
  coord__buf_free(&message);
  *over = answer.ends;
  return release(x);
}

/* The next line, or what is left once no more can come. NULL: none yet. */
static const uint8_t *next_line(post *p, size_t used, size_t *len, size_t *taken) {
  coord__buf *in = &p->request.in;
  size_t left = in->len - used;
  if (left == 0) return NULL;
  const uint8_t *from = in->data + used;
  const uint8_t *end = memchr(from + p->scanned, '\n', left - p->scanned);
  bool whole = end != NULL || (p->finished && p->end.code == COORD_OK);
  p->scanned = whole ? 0 : left;
  *len = end != NULL ? (size_t)(end - from) : left;
  *taken = end != NULL ? *len + 1 : left;
  return whole ? from : NULL;
}

/* Whole lines, as long as the owner takes them. False: the exchange is gone, or the post. */
static bool deliver(post *p) {
  coord__exchange *x = p->exchange;
  size_t max = x->owner->config.response_max_bytes;
  size_t used = 0, len, taken;
  for (const uint8_t *line; !x->paused && (line = next_line(p, used, &len, &taken)) != NULL;) {
    bool over = false;
    if (len > max) break;
    used += taken;
    if (len > 0 && line[len - 1] == '\r') len--;
    if (len == 0) continue;
    if (!take_line(x, line, len, &over)) return false;
    if (p->canceled) return false; /* and to be told so */
    if (over) {
      end_post(p);
      return false;
    }
  }
  coord__buf_consume(&p->request.in, used);
  if (x->paused || p->request.in.len <= max) return true;
  fail(x, COORD_TOO_LARGE,
       "a message of the stream is larger than option response.max.bytes allows");
  return false;
}

/* The server has ended the request and everything of it was delivered. */
static void conclude_post(post *p) {
  coord__exchange *x = p->exchange;
  if (p->end.code != COORD_OK) {
    char why[WHY]; /* the post goes before its owner is told */
    coord__http_end end = p->end;
    memcpy(why, p->why, sizeof why);
    end.why = why;
    fail_by_connection(x, &end);
  } else if (x->is_watch) {
    fail(x, COORD_UNAVAILABLE, "the server ended the stream");
  } else {
    bool all = x->last && x->busy == 1 && coord__list_empty(&x->queue);
    end_post(p);
    if (!all) return;
    coord__outcome outcome = {.grpc_status = 0, .http_status = -1, .message = ""};
    conclude(x, &outcome, NULL);
  }
}

static bool is_stream(const coord__http_request *r) {
  return coord__gateway_is_stream(r->status, r->content_type);
}

static void on_stream_progress(coord__http_request *r) {
  post *p = post_of(r);
  heard(p->exchange);
  if (is_stream(r)) deliver(p);
}

static void on_stream_done(coord__http_request *r, const coord__http_end *end) {
  post *p = post_of(r);
  coord__exchange *x = p->exchange;
  heard(x);
  p->finished = true;
  p->end = *end;
  snprintf(p->why, sizeof p->why, "%s", end->why);
  p->end.why = p->why;
  if (end->code == COORD_OK && !is_stream(r)) {
    coord__buf none = {0};
    coord__gateway_answer answer;
    coord__gateway_read(x->duplex->method, r->status, r->content_type, r->in.data, r->in.len, &none,
                        &answer);
    coord__buf_free(&none);
    conclude_answer(x, &answer, NULL);
    return;
  }
  if (!deliver(p)) return;
  if (!x->paused || r->in.len == 0) conclude_post(p);
}

/* ---- streams: what goes ---- */

static void start_queued(coord__exchange *x) {
  size_t max = x->owner->config.gateway_max_connections;
  while (!coord__list_empty(&x->queue) && (x->is_watch || x->busy < max)) {
    post *p = COORD__CONTAINER(coord__list_pop(&x->queue), post, link);
    if (start_post(p)) continue;
    coord__list_prepend(&x->queue, &p->link);
    if (x->busy == 0) later(x); /* memory is out, and nothing would come back to this */
    return;
  }
}

static bool queue_message(coord__exchange *x, const uint8_t *message, size_t len,
                          int64_t watch_id) {
  post *p = new_post(x, x->duplex->method);
  if (p == NULL) return false;
  add_header(p, needs_leader);
  p->request.progress = on_stream_progress;
  p->request.done = on_stream_done;
  p->watch_id = watch_id;
  if (coord__json_write(x->duplex->method->request, message, len, &p->out) != COORD_OK) {
    drop_post(p);
    return false;
  }
  coord__list_append(&x->queue, &p->link);
  start_queued(x);
  return true;
}

static post *find_watch(coord__exchange *x, int64_t id) {
  for (coord__list *n = x->posts.next; n != &x->posts; n = n->next) {
    post *p = COORD__CONTAINER(n, post, link);
    if (p->watch_id == id && !p->canceled) return p;
  }
  return NULL;
}

/* A message in a message of requests to watch, NULL when it is not the one chosen there. */
static ProtobufCMessage *chosen(const ProtobufCMessage *m, const char *name) {
  const ProtobufCFieldDescriptor *f =
      protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);
  const char *at = (const char *)m;
  if (f == NULL || *(const uint32_t *)(const void *)(at + f->quantifier_offset) != f->id) {
    return NULL;
  }
  return *(ProtobufCMessage *const *)(const void *)(at + f->offset);
}

static int64_t *watch_id_of(ProtobufCMessage *m) {
  const ProtobufCFieldDescriptor *f =
      protobuf_c_message_descriptor_get_field_by_name(m->descriptor, "watch_id");
  return (int64_t *)(void *)((char *)m + f->offset);
}

static bool create_watch(coord__exchange *x, const ProtobufCMessage *request,
                         ProtobufCMessage *create) {
  int64_t *id = watch_id_of(create);
  if (*id == 0) {
    while (find_watch(x, x->next_watch) != NULL) x->next_watch++;
    *id = x->next_watch++;
  }
  size_t len = protobuf_c_message_get_packed_size(request);
  uint8_t *bytes = coord__malloc(len);
  if (bytes == NULL) return false;
  protobuf_c_message_pack(request, bytes);
  bool ok = queue_message(x, bytes, len, *id);
  coord__free(bytes);
  return ok;
}

/* Its owner is told from the loop, not from within. */
static void cancel_watch(coord__exchange *x, int64_t id) {
  post *p = find_watch(x, id);
  if (p == NULL) return;
  coord__http_abandon(&p->request);
  p->canceled = true;
  later(x);
}

static void *take(void *data, size_t size) {
  (void)data;
  return coord__malloc(size);
}

static void give_back(void *data, void *p) {
  (void)data;
  coord__free(p);
}

/* A request for progress is passed over: of other watches than its own it would tell nothing true. */
static bool send_watch(coord__exchange *x, const uint8_t *message, size_t len) {
  ProtobufCAllocator allocator = {take, give_back, NULL};
  ProtobufCMessage *request =
      protobuf_c_message_unpack(x->duplex->method->request, &allocator, len, message);
  if (request == NULL) return false;
  ProtobufCMessage *create = chosen(request, "create_request");
  ProtobufCMessage *cancel = chosen(request, "cancel_request");
  bool ok = create == NULL || create_watch(x, request, create);
  if (cancel != NULL) cancel_watch(x, *watch_id_of(cancel));
  protobuf_c_message_free_unpacked(request, &allocator);
  return ok;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): as the seam has it */
static bool gateway_send(coord__wire_stream *stream, uint8_t *frame, size_t len, bool last) {
  coord__exchange *x = stream->exchange;
  const uint8_t *message = frame + COORD__FRAME_HEADROOM;
  size_t n = len - COORD__FRAME_HEADROOM;
  if (x->unsupported) return true;
  if (!(x->is_watch ? send_watch(x, message, n) : queue_message(x, message, n, 0))) return false;
  x->last = last;
  return true;
}

static bool gateway_open(coord__link *link, coord__wire_stream *stream) {
  gateway_link *l = (gateway_link *)link;
  coord__exchange *x = new_exchange(l, stream->token);
  if (x == NULL) return false;
  x->duplex = stream;
  x->is_watch = protobuf_c_message_descriptor_get_field_by_name(stream->method->request,
                                                                "create_request") != NULL;
  x->unsupported = stream->method->gateway_path == NULL;
  if (x->unsupported) later(x);
  stream->exchange = x;
  return true;
}

static void gateway_pause(coord__wire_stream *stream, bool paused) {
  coord__exchange *x = stream->exchange;
  x->paused = paused;
  for (coord__list *n = x->posts.next; n != &x->posts; n = n->next) {
    post *p = COORD__CONTAINER(n, post, link);
    p->look = true;
    coord__http_pause(&p->request, paused);
  }
  if (!paused) later(x);
}

static void gateway_end(coord__wire_stream *stream) {
  coord__exchange *x = stream->exchange;
  stream->exchange = NULL;
  drop_exchange(x);
}

/* ---- what is done from the loop ---- */

/* As a server with many watches on one stream would answer. */
static void tell_canceled(post *p) {
  coord__exchange *x = p->exchange;
  char line[80];
  bool over;
  int n = snprintf(line, sizeof line, "{\"result\":{\"watch_id\":\"%lld\",\"canceled\":true}}",
                   (long long)p->watch_id);
  if (take_line(x, (const uint8_t *)line, (size_t)n, &over)) end_post(p);
}

static post *find_work(coord__exchange *x) {
  for (coord__list *n = x->posts.next; n != &x->posts; n = n->next) {
    post *p = COORD__CONTAINER(n, post, link);
    if (!x->paused && (p->look || p->canceled)) return p;
  }
  return NULL;
}

static void look_at(post *p) {
  coord__exchange *x = p->exchange;
  p->look = false;
  if (p->canceled) {
    tell_canceled(p);
  } else if (is_stream(&p->request) && deliver(p) && p->finished && !x->paused) {
    conclude_post(p);
  }
}

static void do_work(coord__exchange *x) {
  if (x->unsupported) {
    fail(x, COORD_UNSUPPORTED, "etcd's JSON gateway (wire gateway) does not have this method");
    return;
  }
  hold(x);
  for (post *p; !x->gone && (p = find_work(x)) != NULL;) look_at(p);
  if (release(x)) start_queued(x);
}

static void on_work(coord__idle *idle) {
  gateway_link *l = COORD__CONTAINER(idle, gateway_link, work);
  coord__list *node = coord__list_pop(&l->todo);
  if (node == NULL) return;
  /* The link may be gone after that. */
  if (!coord__list_empty(&l->todo)) coord__loop_defer(l->config.loop, &l->work);
  do_work(COORD__CONTAINER(node, coord__exchange, todo));
}

static void on_notify(coord__idle *idle) {
  gateway_link *l = COORD__CONTAINER(idle, gateway_link, notify);
  l->base.events->changed(l->base.owner);
}

/* ---- is the server there? ---- */

static void explain_probe(const gateway_link *l, const coord__http_end *end,
                          coord__gateway_answer *a) {
  a->code = end->code;
  if (end->code == COORD_TIMEOUT && l->is_ready) {
    a->code = COORD_UNAVAILABLE;
    snprintf(a->message, sizeof a->message,
             "no answer to GET %s within %lld ms (keepalive.timeout.ms)", version_path,
             (long long)(l->config.keepalive_timeout_ns / COORD__NS_PER_MS));
  } else if (end->code == COORD_PROTOCOL || end->code == COORD_TOO_LARGE) {
    a->code = COORD_PROTOCOL;
    snprintf(a->message, sizeof a->message,
             "this is no etcd, or it wants TLS, or its JSON gateway has another port "
             "(--listen-client-http-urls): %s",
             end->why);
  } else {
    bool hint = end->silent && !l->config.endpoint->tls;
    snprintf(a->message, sizeof a->message, "%s%s", end->why,
             hint ? "; if it speaks TLS, use https://" : "");
  }
}

static void on_probe_done(coord__http_request *r, const coord__http_end *end) {
  gateway_link *l = COORD__CONTAINER(r, gateway_link, probe);
  coord__gateway_answer answer;
  bool good = end->code == COORD_OK;
  l->probing = false;
  if (good) {
    good = coord__gateway_read_version(r->status, r->in.data, r->in.len, &answer);
  } else {
    explain_probe(l, end, &answer);
  }
  coord__buf_free(&r->in);
  if (!good) {
    lost(l, answer.code, answer.message);
    return;
  }
  l->heard_ns = coord__clock_ns();
  if (l->count > 0) {
    coord__timer_set(l->config.loop, &l->silent, l->heard_ns + l->config.keepalive_interval_ns);
  }
  if (l->is_ready) return;
  l->is_ready = true;
  l->base.events->ready(l->base.owner);
}

static bool start_probe(gateway_link *l, int64_t timeout_ms) {
  l->probe = (coord__http_request){.path = version_path,
                                   .timeout_ms = timeout_ms,
                                   .max_bytes = VERSION_BYTES,
                                   .done = on_probe_done};
  l->probing = coord__http_start(l->http, &l->probe);
  return l->probing;
}

/* What PING is to HTTP/2: while something is under way, and only after a silence. */
static void on_silent(coord__timer *timer) {
  gateway_link *l = COORD__CONTAINER(timer, gateway_link, silent);
  int64_t now = coord__clock_ns();
  int64_t at = l->heard_ns + l->config.keepalive_interval_ns;
  if (l->probing) return;
  if (at <= now && start_probe(l, l->config.keepalive_timeout_ns / COORD__NS_PER_MS)) return;
  coord__timer_set(l->config.loop, timer, at > now ? at : now + l->config.keepalive_interval_ns);
}

/* ---- the link ---- */

static size_t gateway_capacity(const coord__link *link) {
  const gateway_link *l = (const gateway_link *)link;
  size_t max = l->config.gateway_max_connections;
  return l->is_ready && !l->leaving && l->calls < max ? max - l->calls : 0;
}

static size_t gateway_in_flight(const coord__link *link) {
  return ((const gateway_link *)link)->count;
}

/* How a call ends when its link does. */
static coord__outcome end_of(const gateway_link *l, const coord__exchange *x) {
  if (x->outcome.code != COORD_OK) return x->outcome;
  bool unsent = !coord__list_empty(&x->posts) && x->attempt != NULL;
  if (unsent) {
    unsent = coord__http_unsent(&COORD__CONTAINER(x->posts.next, post, link)->request);
  }
  return (coord__outcome){.code = COORD_UNAVAILABLE,
                          .grpc_status = -1,
                          .http_status = -1,
                          .message = l->why,
                          .unprocessed = unsent};
}

static void gateway_close(coord__link *link) {
  gateway_link *l = (gateway_link *)link;
  if (l->closing) return;
  l->closing = true;
  coord__idle_cancel(&l->work);
  coord__idle_cancel(&l->notify);
  if (l->why[0] == '\0') snprintf(l->why, sizeof l->why, "the connection was closed");
  while (!coord__list_empty(&l->exchanges)) {
    coord__exchange *x = COORD__CONTAINER(l->exchanges.next, coord__exchange, link);
    coord__outcome outcome = end_of(l, x);
    outcome.message = l->why;
    conclude(x, &outcome, NULL);
  }
  coord__timer_stop(l->config.loop, &l->silent);
  coord__http_close(l->http);
  coord__buf_free(&l->probe.in);
  coord__free(l);
}

static int64_t gateway_heard(const coord__link *link) {
  return ((const gateway_link *)link)->heard_ns;
}

static const coord__link_ops link_ops = {
    gateway_capacity, gateway_in_flight, gateway_heard, gateway_call, gateway_cancel,
    gateway_open,     gateway_send,      gateway_pause, gateway_end,  gateway_close};

static coord__link *gateway_link_open(const coord__link_config *config,
                                      const coord__link_events *events, void *owner) {
  gateway_link *l = coord__calloc(1, sizeof *l);
  if (l == NULL) return NULL;
  l->base = (coord__link){&link_ops, events, owner};
  l->config = *config;
  coord__list_init(&l->exchanges);
  coord__list_init(&l->todo);
  l->work.run = on_work;
  l->notify.run = on_notify;
  l->silent.fire = on_silent;
  coord__http_config http = {.loop = config->loop,
                             .host = config->endpoint->host,
                             .port = config->endpoint->port,
                             .unix_path = config->endpoint->unix_path,
                             .proxy = config->proxy,
                             .tls = config->endpoint->tls ? config->tls : NULL,
                             .connect_timeout_ms = config->connect_timeout_ms,
                             .tcp_user_timeout_ms = config->tcp_user_timeout_ms,
                             .kept = config->gateway_max_connections,
                             .idle_ns = config->gateway_idle_ns};
  l->http = coord__http_open(&http);
  if (l->http != NULL && start_probe(l, 0)) return &l->base;
  if (l->http != NULL) coord__http_close(l->http);
  coord__free(l);
  return NULL;
}

const coord__wire coord__wire_gateway = {"gateway", gateway_link_open};
