#include "net/http.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "net/http1.h"

enum { HELD_BYTES = 256 * 1024, SHORT_BODY = 16 * 1024, READS = 16 };

struct coord__http {
  coord__http_config config;
  coord__timer tidy; /* closes what was not needed */
  coord__idle work;  /* all callbacks are made here */
  coord__list conns; /* that carry a request, or are to */
  coord__list idle;  /* the others; the last one was used last */
  coord__list open;  /* requests */
  coord__list ended; /* requests to tell of */
  coord__list news;  /* likewise, for more that has come */
  size_t idle_count;
  size_t busy;    /* requests under way */
  size_t busiest; /* since `tidy` has looked last */
  bool *gone;     /* tells `work` that a callback has closed it */
};

typedef struct http_conn {
  coord__list link;
  coord__http *http;
  coord__dial *dial;            /* one of these two */
  coord__conn *conn;            /* is not NULL */
  coord__http_request *request; /* NULL: it is idle */
  coord__http1 in;
  coord__timer more; /* to go on in the next round */
  bool was_used;     /* by another request before */
  bool is_deaf;      /* takes no bytes any more; what is left to read may tell why */
} http_conn;

static void go_on(http_conn *c);
static void work(coord__idle *idle);

/* ---- connections ---- */

static void drop_conn(http_conn *c) {
  coord__http *h = c->http;
  if (c->request == NULL) h->idle_count--;
  if (c->request != NULL) c->request->conn = NULL;
  if (c->dial != NULL) coord__dial_cancel(c->dial);
  if (c->conn != NULL) coord__conn_close(c->conn);
  coord__timer_stop(h->config.loop, &c->more);
  coord__list_remove(&c->link);
  coord__free(c);
}

static void drop_idle(coord__http *h, size_t kept) {
  while (h->idle_count > kept) drop_conn(COORD__CONTAINER(h->idle.next, http_conn, link));
}

/* Connections beyond what was needed at once of late go. */
static void drop_needless(coord__http *h) {
  size_t kept = h->busiest < h->config.kept ? h->busiest : h->config.kept;
  drop_idle(h, kept > h->busy ? kept - h->busy : 0);
}

/* For the next request. */
static void keep_conn(http_conn *c) {
  coord__http *h = c->http;
  c->request->conn = NULL;
  c->request = NULL;
  c->was_used = true;
  coord__list_remove(&c->link);
  coord__list_append(&h->idle, &c->link);
  h->idle_count++;
  coord__timer_stop(h->config.loop, &c->more);
  if (!coord__io_set(h->config.loop, &c->conn->io, EPOLLIN)) drop_conn(c);
}

static void on_tidy(coord__timer *timer) {
  coord__http *h = COORD__CONTAINER(timer, coord__http, tidy);
  drop_needless(h);
  h->busiest = h->busy;
  if (h->busy == 0 && h->idle_count == 0) return;
  coord__timer_set(h->config.loop, timer, coord__clock_ns() + h->config.idle_ns);
}

/* ---- the end of a request ---- */

static bool is_unsent(const coord__http_request *r) {
  return r->body == NULL || r->sent < r->head.len + r->rest;
}

bool coord__http_unsent(const coord__http_request *r) {
  return r->conn != NULL ? is_unsent(r) : r->end.unsent;
}

/* It is no more than its result from now on. */
static void detach(coord__http_request *r) {
  coord__http *h = r->http;
  if (r->conn != NULL) drop_conn(r->conn);
  coord__timer_stop(h->config.loop, &r->timer);
  coord__buf_wipe(&r->head); /* passwords and tokens are in there */
  coord__buf_free(&r->head);
  coord__list_remove(&r->link);
}

static void end_request(coord__http_request *r, coord_code code, const char *why) {
  coord__http *h = r->http;
  r->end.code = code;
  r->end.unsent = is_unsent(r);
  snprintf(r->why, sizeof r->why, "%s", why);
  detach(r);
  h->busy--;
  drop_needless(h);
  coord__list_append(&h->ended, &r->link);
  coord__loop_defer(h->config.loop, &h->work);
}

/* The answer is complete. */
static void conclude(http_conn *c, bool rest) {
  coord__http_request *r = c->request;
  bool whole = r->sent == r->head.len + r->rest;
  if (whole && !rest && !c->in.closes && !c->is_deaf) keep_conn(c);
  end_request(r, COORD_OK, "");
}

static bool dial(coord__http *h, coord__http_request *r);

/* One that has rested may have been closed by the server meanwhile. What asks for nothing but an
 * answer begins anew. */
static void lose(http_conn *c, coord_code code, const char *why) {
  coord__http_request *r = c->request;
  if (c->was_used && r->body == NULL && !coord__http1_has_begun(&c->in)) {
    drop_conn(c);
    r->sent = 0;
    if (dial(r->http, r)) return;
    code = COORD_NO_MEMORY;
    why = "memory is exhausted";
  }
  end_request(r, code, why);
}

static bool is_silent(const http_conn *c) {
  return !c->was_used && !coord__http1_has_begun(&c->in);
}

static void lose_by_conn(http_conn *c) {
  char why[COORD__HTTP_WHY];
  coord_code code = coord__conn_tell(c->conn, why, sizeof why);
  c->request->end.silent = is_silent(c);
  lose(c, code, why);
}

static void lose_by_end(http_conn *c) {
  if (coord__http1_end(&c->in)) {
    conclude(c, false);
  } else if (c->in.fault != NULL) {
    end_request(c->request, COORD_PROTOCOL, c->in.fault);
  } else if (coord__http1_has_begun(&c->in)) {
    end_request(c->request, COORD_UNAVAILABLE, "the answer ended too early");
  } else {
    c->request->end.silent = is_silent(c);
    lose(c, COORD_UNAVAILABLE, "the server closed the connection without an answer");
  }
}

/* ---- reading ---- */

static void note_head(coord__http_request *r, const coord__http1 *in) {
  r->status = in->status;
  snprintf(r->content_type, sizeof r->content_type, "%s", in->content_type);
}

/* False: the request has ended. */
static bool keep_piece(coord__http_request *r, const uint8_t *p, size_t n) {
  coord__http *h = r->http;
  if (r->max_bytes > 0 && n > r->max_bytes - r->in.len) {
    end_request(r, COORD_TOO_LARGE, "the answer is larger than option response.max.bytes allows");
    return false;
  }
  if (!coord__buf_append(&r->in, p, n)) {
    end_request(r, COORD_NO_MEMORY, "memory is exhausted");
    return false;
  }
  if (r->progress != NULL && !coord__list_linked(&r->news)) {
    coord__list_append(&h->news, &r->news);
    coord__loop_defer(h->config.loop, &h->work);
  }
  return true;
}

/* False: the connection carries the request no more. */
static bool take_in(http_conn *c, const uint8_t *p, size_t n) {
  coord__http_request *r = c->request;
  while (n > 0 && !c->in.done) {
    const uint8_t *body;
    size_t body_len;
    size_t used = coord__http1_feed(&c->in, p, n, &body, &body_len);
    if (r->status == 0 && coord__http1_has_head(&c->in)) note_head(r, &c->in);
    if (body_len > 0 && !keep_piece(r, body, body_len)) return false;
    if (c->in.fault != NULL) {
      end_request(r, COORD_PROTOCOL, c->in.fault);
      return false;
    }
    p += used;
    n -= used;
  }
  if (!c->in.done) return true;
  if (r->status == 0) note_head(r, &c->in);
  conclude(c, n > 0);
  return false;
}

static bool is_stopped(const http_conn *c) {
  return c->request->held && c->request->in.len >= HELD_BYTES;
}

/* False: the connection carries the request no more. */
static bool read_some(http_conn *c) {
  coord__loop *loop = c->http->config.loop;
  for (int i = 0; i < READS && !is_stopped(c); i++) {
    size_t size;
    size_t n = 0;
    uint8_t *scratch = coord__loop_scratch(loop, &size);
    coord__io_status status = c->conn->ops->recv(c->conn, scratch, size, &n);
    if (status == COORD__IO_AGAIN) return true;
    if (status == COORD__IO_OK) {
      if (!take_in(c, scratch, n)) return false;
      if (n < size && !c->conn->ops->pending(c->conn)) return true;
      continue;
    }
    status == COORD__IO_END ? lose_by_end(c) : lose_by_conn(c);
    return false;
  }
  /* In the next round: the other connections come first. */
  if (!is_stopped(c)) coord__timer_set(loop, &c->more, coord__loop_now_ns(loop) + 1);
  return true;
}

/* ---- writing ---- */

static bool has_out(const http_conn *c) {
  const coord__http_request *r = c->request;
  return c->conn->wants_out || r->sent < r->head.len + r->rest;
}

static void write_some(http_conn *c) {
  coord__http_request *r = c->request;
  while (!c->is_deaf && has_out(c)) {
    size_t n = 0;
    bool in_head = r->sent < r->head.len;
    const uint8_t *p = in_head ? r->head.data + r->sent : r->body + (r->sent - r->head.len);
    size_t left = (in_head ? r->head.len : r->head.len + r->rest) - r->sent;
    coord__io_status status = c->conn->ops->send(c->conn, p, left, &n);
    if (status == COORD__IO_AGAIN) return;
    c->is_deaf = status != COORD__IO_OK;
    r->sent += n;
  }
}

static void update_interest(http_conn *c) {
  uint32_t events = is_stopped(c) ? 0 : EPOLLIN;
  if (!c->is_deaf && c->conn->wants_out) events |= EPOLLOUT;
  if (!c->is_deaf && has_out(c) && !c->conn->send_wants_in) events |= EPOLLOUT;
  if (coord__io_set(c->http->config.loop, &c->conn->io, events)) return;
  end_request(c->request, COORD_EXHAUSTED, "the connection cannot be watched");
}

static void go_on(http_conn *c) {
  write_some(c);
  if (read_some(c)) update_interest(c);
}

/* Whether a connection that rests is still there, and says nothing that nobody has asked for. New keys
 * of TLS are no such thing, and may want an answer. */
static bool is_alive(http_conn *c) {
  uint8_t byte;
  size_t n;
  if (c->conn->ops->recv(c->conn, &byte, 1, &n) != COORD__IO_AGAIN) return false;
  if (c->conn->wants_out) c->conn->ops->send(c->conn, &byte, 0, &n);
  return coord__io_set(c->http->config.loop, &c->conn->io,
                       c->conn->wants_out ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void on_io(coord__io *io, uint32_t events) {
  http_conn *c = COORD__CONTAINER(io, coord__conn, io)->owner;
  (void)events;
  if (c->request != NULL) {
    go_on(c);
  } else if (!is_alive(c)) {
    drop_conn(c);
  }
}

static void on_more(coord__timer *timer) { go_on(COORD__CONTAINER(timer, http_conn, more)); }

/* ---- the beginning ---- */

static void dialed(void *user, coord__conn *conn, coord_code code, coord_error *err) {
  http_conn *c = user;
  coord__http *h = c->http;
  c->dial = NULL;
  if (conn == NULL) {
    end_request(c->request, code, err != NULL ? coord_error_message(err) : "memory is exhausted");
    coord_error_free(err);
    work(&h->work); /* at once: whoever waits has a limit of its own, which knows less */
    return;
  }
  c->conn = conn;
  conn->owner = c;
  conn->io.ready = on_io;
  go_on(c);
}

static bool dial(coord__http *h, coord__http_request *r) {
  const coord__http_config *config = &h->config;
  coord__dial_target target = {.host = config->host,
                               .port = config->port,
                               .unix_path = config->unix_path,
                               .proxy = config->proxy,
                               .tls = config->tls,
                               .http1 = true,
                               .timeout_ms = config->connect_timeout_ms,
                               .tcp_user_timeout_ms = config->tcp_user_timeout_ms};
  http_conn *c = coord__calloc(1, sizeof *c);
  if (c == NULL) return false;
  c->dial = coord__dial_start(config->loop, &target, dialed, c);
  if (c->dial == NULL) {
    coord__free(c);
    return false;
  }
  coord__http1_init(&c->in);
  c->http = h;
  c->more.fire = on_more;
  c->request = r;
  r->conn = c;
  coord__list_append(&h->conns, &c->link);
  return true;
}

static bool take_idle(coord__http *h, coord__http_request *r) {
  while (!coord__list_empty(&h->idle)) {
    http_conn *c = COORD__CONTAINER(h->idle.prev, http_conn, link);
    if (!is_alive(c)) {
      drop_conn(c);
      continue;
    }
    coord__list_remove(&c->link);
    coord__list_append(&h->conns, &c->link);
    h->idle_count--;
    coord__http1_init(&c->in);
    c->request = r;
    r->conn = c;
    return true;
  }
  return false;
}

/* ---- what is sent ---- */

static bool add(coord__buf *b, const char *text) { return coord__buf_append_str(b, text); }

static bool write_head(const coord__http_config *config, coord__http_request *r) {
  coord__buf *b = &r->head;
  char host[300];
  char length[48] = "";
  bool ipv6 = config->unix_path == NULL && strchr(config->host, ':') != NULL;
  if (config->unix_path != NULL) {
    snprintf(host, sizeof host, "localhost");
  } else {
    int n = (int)strcspn(config->host, "%"); /* a zone is ours alone */
    snprintf(host, sizeof host, ipv6 ? "[%.*s]:%d" : "%.*s:%d", n, config->host, config->port);
  }
  if (r->body != NULL) snprintf(length, sizeof length, "Content-Length: %zu\r\n", r->body_len);
  bool ok = coord__buf_reserve(b, 512 + (r->body_len <= SHORT_BODY ? r->body_len : 0)) &&
            add(b, r->body != NULL ? "POST " : "GET ") && add(b, r->path) &&
            add(b, " HTTP/1.1\r\nHost: ") && add(b, host) &&
            add(b,
                "\r\nUser-Agent: coord-c\r\nAccept: application/json\r\n"
                "Content-Type: application/json\r\n") &&
            add(b, length);
  for (int i = 0; ok && i < COORD__HTTP_HEADERS && r->headers[i] != NULL; i++) {
    ok = add(b, r->headers[i]) && add(b, "\r\n");
  }
  ok = ok && add(b, "\r\n");
  bool is_short = r->body_len <= SHORT_BODY;
  r->rest = is_short ? 0 : r->body_len;
  return ok && (!is_short || coord__buf_append(b, r->body, r->body_len));
}

/* ---- the pool ---- */

static void work(coord__idle *idle) {
  coord__http *h = COORD__CONTAINER(idle, coord__http, work);
  bool gone = false;
  h->gone = &gone;
  for (coord__list *node; (node = coord__list_pop(&h->news)) != NULL;) {
    coord__http_request *r = COORD__CONTAINER(node, coord__http_request, news);
    r->progress(r);
    if (gone) return;
  }
  for (coord__list *node; (node = coord__list_pop(&h->ended)) != NULL;) {
    coord__http_request *r = COORD__CONTAINER(node, coord__http_request, link);
    /* The request may go before the callback is over. */
    char why[COORD__HTTP_WHY];
    coord__http_end end = r->end;
    memcpy(why, r->why, sizeof why);
    end.why = why;
    r->done(r, &end);
    if (gone) return;
  }
  h->gone = NULL;
}

static void on_timeout(coord__timer *timer) {
  coord__http_request *r = COORD__CONTAINER(timer, coord__http_request, timer);
  char why[64];
  snprintf(why, sizeof why, "no answer within %lld ms", (long long)r->timeout_ms);
  end_request(r, COORD_TIMEOUT, why);
}

coord__http *coord__http_open(const coord__http_config *config) {
  coord__http *h = coord__calloc(1, sizeof *h);
  if (h == NULL) return NULL;
  h->config = *config;
  h->tidy.fire = on_tidy;
  h->work.run = work;
  coord__list_init(&h->conns);
  coord__list_init(&h->idle);
  coord__list_init(&h->open);
  coord__list_init(&h->ended);
  coord__list_init(&h->news);
  return h;
}

void coord__http_close(coord__http *h) {
  if (h->gone != NULL) *h->gone = true;
  while (!coord__list_empty(&h->open)) {
    coord__http_abandon(COORD__CONTAINER(h->open.next, coord__http_request, link));
  }
  while (!coord__list_empty(&h->ended)) {
    coord__http_abandon(COORD__CONTAINER(h->ended.next, coord__http_request, link));
  }
  drop_idle(h, 0);
  coord__timer_stop(h->config.loop, &h->tidy);
  coord__idle_cancel(&h->work);
  coord__free(h);
}

bool coord__http_start(coord__http *h, coord__http_request *r) {
  r->http = h;
  r->status = 0;
  r->sent = 0;
  r->held = false;
  r->conn = NULL;
  r->content_type[0] = r->why[0] = '\0';
  r->end = (coord__http_end){.why = r->why, .unsent = true};
  r->timer.fire = on_timeout;
  if (!write_head(&h->config, r) || !(take_idle(h, r) || dial(h, r))) {
    coord__buf_wipe(&r->head);
    coord__buf_free(&r->head);
    return false;
  }
  coord__list_append(&h->open, &r->link);
  if (++h->busy > h->busiest) h->busiest = h->busy;
  if (r->timeout_ms > 0) {
    coord__timer_set(h->config.loop, &r->timer,
                     coord__clock_ns() + r->timeout_ms * COORD__NS_PER_MS);
  }
  if (!h->tidy.node.is_in) {
    coord__timer_set(h->config.loop, &h->tidy, coord__clock_ns() + h->config.idle_ns);
  }
  if (r->conn->conn != NULL) {
    write_some(r->conn);
    update_interest(r->conn);
  }
  return true;
}

void coord__http_abandon(coord__http_request *r) {
  if (!coord__list_linked(&r->link)) return;
  if (r->conn != NULL) r->http->busy--;
  detach(r);
  coord__list_remove(&r->news);
}

void coord__http_pause(coord__http_request *r, bool paused) {
  http_conn *c = r->conn;
  bool stopped = c != NULL && is_stopped(c);
  r->held = paused;
  if (paused || !stopped || c->conn == NULL) return;
  coord__timer_set(r->http->config.loop, &c->more, coord__loop_now_ns(r->http->config.loop));
}
