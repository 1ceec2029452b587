#include "net/h2.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"

enum { OUT_BYTES = 128 * 1024, OUT_KEPT_BYTES = 4096, FIRST_BYTES = 24 };

struct coord__h2 {
  coord__conn *conn;
  coord__loop *loop;
  nghttp2_session *session;
  coord__h2_config config;
  const coord__h2_ops *ops;
  void *user;
  coord__list streams;
  size_t open_streams;
  coord__buf out; /* bytes that the socket did not take yet, from out_sent on */
  size_t out_sent;
  coord__idle flush;
  coord__timer more;          /* to read what the connection holds already */
  coord__timer alive;         /* when to ask for, or to give up on, a sign of life */
  int64_t heard_ns;           /* when bytes last came */
  int64_t pinged_ns;          /* 0: no PING is unanswered */
  uint8_t first[FIRST_BYTES]; /* what the peer said first, for the message when it is no etcd */
  size_t first_len;
  bool is_ready;
  bool is_draining;
  bool is_lost;
  bool closing; /* freed in the next flush: nghttp2 may be on the stack now */
};

/* The end of the session: the owner is told once, and closes. */
static void lose(coord__h2 *h, coord_code code, const char *why) {
  if (h->is_lost) return;
  h->is_lost = true;
  if (!h->closing) h->ops->lost(h->user, code, why);
}

/* ---- signs of life ---- */

static void arm_alive(coord__h2 *h) {
  if (h->open_streams == 0) {
    coord__timer_stop(h->loop, &h->alive);
    h->pinged_ns = 0;
    return;
  }
  if (h->alive.node.is_in) return; /* fires, looks at heard_ns and sets itself anew */
  coord__timer_set(h->loop, &h->alive,
                   coord__loop_now_ns(h->loop) + h->config.keepalive_interval_ns);
}

static void on_alive(coord__timer *timer) {
  coord__h2 *h = COORD__CONTAINER(timer, coord__h2, alive);
  int64_t now = coord__loop_now_ns(h->loop);
  if (h->open_streams == 0) return;
  if (h->pinged_ns != 0 && h->heard_ns < h->pinged_ns) {
    if (now >= h->pinged_ns + h->config.keepalive_timeout_ns) {
      lose(h, COORD_UNAVAILABLE, "the server does not answer a PING");
      return;
    }
    coord__timer_set(h->loop, timer, h->pinged_ns + h->config.keepalive_timeout_ns);
    return;
  }
  int64_t since = h->heard_ns > h->pinged_ns ? h->heard_ns : h->pinged_ns;
  if (now >= since + h->config.keepalive_interval_ns) {
    nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL);
    coord__loop_defer(h->loop, &h->flush);
    h->pinged_ns = now;
    coord__timer_set(h->loop, timer, now + h->config.keepalive_timeout_ns);
    return;
  }
  coord__timer_set(h->loop, timer, since + h->config.keepalive_interval_ns);
}

/* ---- streams ---- */

static void forget_stream(coord__h2 *h, coord__h2_stream *s) {
  coord__list_remove(&s->link);
  s->h2 = NULL;
  h->open_streams--;
}

static void end_stream(coord__h2 *h, coord__h2_stream *s, coord__h2_end how, uint32_t code) {
  forget_stream(h, s);
  s->ops->closed(s, how, code);
}

static void end_all_streams(coord__h2 *h) {
  while (!coord__list_empty(&h->streams)) {
    coord__h2_stream *s = COORD__CONTAINER(h->streams.next, coord__h2_stream, link);
    nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
    end_stream(h, s, COORD__H2_LOST, 0);
  }
}

/* ---- nghttp2's callbacks ---- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user) {
  (void)flags;
  (void)user;
  coord__h2_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
  if (s != NULL) s->ops->header(s, name, name_len, value, value_len);
  return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *p,
                   size_t n, void *user) {
  (void)flags;
  (void)user;
  nghttp2_session_consume_connection(session, n);
  coord__h2_stream *s = nghttp2_session_get_stream_user_data(session, stream_id);
  if (s != NULL) s->ops->data(s, p, n);
  return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *user) {
  coord__h2 *h = user;
  coord__h2_stream *s = nghttp2_session_get_stream_user_data(session, stream_id);
  if (s != NULL) {
    coord__h2_end how = COORD__H2_RESET;
    if (code == NGHTTP2_NO_ERROR) how = COORD__H2_DONE;
    if (code == NGHTTP2_REFUSED_STREAM) how = COORD__H2_UNPROCESSED;
    end_stream(h, s, how, code);
  }
  if (!h->closing) h->ops->changed(h->user);
  return 0;
}

/* The server has said all it will say. That ends the stream, also when our side of it is open. */
static void end_by_server(coord__h2 *h, int32_t stream_id) {
  coord__h2_stream *s = nghttp2_session_get_stream_user_data(h->session, stream_id);
  if (s == NULL || nghttp2_session_get_stream_local_close(h->session, stream_id) != 0) return;
  nghttp2_session_set_stream_user_data(h->session, stream_id, NULL);
  nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_CANCEL);
  coord__loop_defer(h->loop, &h->flush);
  end_stream(h, s, COORD__H2_DONE, NGHTTP2_NO_ERROR);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
  (void)session;
  coord__h2 *h = user;
  if (h->closing) return 0;
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
      if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) end_by_server(h, frame->hd.stream_id);
      break;
    case NGHTTP2_SETTINGS:
      if (frame->hd.flags & NGHTTP2_FLAG_ACK) break;
      if (!h->is_ready) {
        h->is_ready = true;
        h->ops->ready(h->user);
      } else {
        h->ops->changed(h->user);
      }
      break;
    case NGHTTP2_PING:
      if (!(frame->hd.flags & NGHTTP2_FLAG_ACK)) break;
      h->pinged_ns = 0;
      /* It was to wait for this, which may be for longer than an interval. */
      coord__timer_stop(h->loop, &h->alive);
      arm_alive(h);
      break;
    case NGHTTP2_GOAWAY:
      if (h->is_draining) break;
      h->is_draining = true;
      h->ops->draining(h->user, frame->goaway.error_code == NGHTTP2_ENHANCE_YOUR_CALM);
      break;
    default:
      break;
  }
  return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream_id, uint8_t *dst, size_t cap,
                         uint32_t *flags, nghttp2_data_source *source, void *user) {
  (void)session;
  (void)stream_id;
  (void)user;
  coord__h2_stream *s = source->ptr;
  bool end = false;
  size_t n = s->ops->read(s, dst, cap, &end);
  if (end) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return n == 0 && !end ? NGHTTP2_ERR_DEFERRED : (ssize_t)n;
}

/* ---- bytes ---- */

static void update_interest(coord__h2 *h) {
  uint32_t events = EPOLLIN;
  if (h->conn->wants_out) events |= EPOLLOUT;
  if (h->out_sent < h->out.len && !h->conn->send_wants_in) events |= EPOLLOUT;
  if (!coord__io_set(h->loop, &h->conn->io, events)) {
    lose(h, COORD_EXHAUSTED, "the connection cannot be watched");
  }
}

/* Hand what waits to the socket. False when it is lost. */
static bool send_out(coord__h2 *h) {
  while (h->out_sent < h->out.len || h->conn->wants_out) {
    size_t n = 0;
    coord__io_status status =
        h->conn->ops->send(h->conn, h->out.data + h->out_sent, h->out.len - h->out_sent, &n);
    if (status == COORD__IO_AGAIN) return true;
    if (status != COORD__IO_OK) {
      char why[200];
      coord_code code = coord__conn_tell(h->conn, why, sizeof why);
      lose(h, code, why);
      return false;
    }
    h->out_sent += n;
  }
  h->out.len = h->out_sent = 0;
  return true;
}

/* Frames from nghttp2 into the buffer, until it holds enough for one go. */
static bool fill_out(coord__h2 *h) {
  while (h->out.len < OUT_BYTES) {
    const uint8_t *p;
    ssize_t n = nghttp2_session_mem_send(h->session, &p);
    if (n == 0) return true;
    if (n < 0 || !coord__buf_append(&h->out, p, (size_t)n)) {
      lose(h, n < 0 ? COORD_PROTOCOL : COORD_NO_MEMORY,
           n < 0 ? nghttp2_strerror((int)n) : "memory is exhausted");
      return false;
    }
  }
  return true;
}

/* ---- what kind of peer is this, when it is no etcd ---- */

static void remember_first(coord__h2 *h, const uint8_t *p, size_t n) {
  size_t room = FIRST_BYTES - h->first_len;
  if (n > room) n = room;
  memcpy(h->first + h->first_len, p, n);
  h->first_len += n;
}

static void lose_stranger(coord__h2 *h) {
  const char *kind = "it does not speak HTTP/2";
  if (h->first_len >= 5 && memcmp(h->first, "HTTP/", 5) == 0) {
    kind = "it speaks HTTP/1, not gRPC";
  } else if (h->first_len >= 2 && (h->first[0] == 0x15 || h->first[0] == 0x16) &&
             h->first[1] == 0x03) {
    kind = "it speaks TLS: use https://";
  } else if (h->first_len >= 4 && memcmp(h->first, "220", 3) == 0) {
    kind = "it greets like a mail or FTP server";
  }
  char shown[COORD__SHOWN];
  char why[200];
  snprintf(why, sizeof why, "this is no etcd: %s; its first bytes are \"%s\"", kind,
           coord__show(shown, h->first, h->first_len));
  lose(h, COORD_PROTOCOL, why);
}

/* ---- writing ---- */

static void flush_session(coord__h2 *h) {
  for (;;) {
    if (h->out.len > 0 || h->conn->wants_out) {
      if (!send_out(h)) return;
      if (h->out.len > 0) break; /* the socket is full */
    }
    if (!fill_out(h)) return;
    if (h->out.len == 0) break;
  }
  update_interest(h);
  if (h->closing) return;
  /* An idle connection keeps little. */
  if (h->open_streams == 0 && h->out.len == 0 && h->out.cap > OUT_KEPT_BYTES) {
    coord__buf_free(&h->out);
  }
  if (nghttp2_session_want_read(h->session) || nghttp2_session_want_write(h->session)) return;
  if (!h->is_ready) {
    lose_stranger(h);
  } else if (h->is_draining) {
    lose(h, COORD_UNAVAILABLE, "the server has ended the connection");
  } else {
    lose(h, COORD_PROTOCOL, "the server broke the rules of HTTP/2");
  }
}

static void free_h2(coord__h2 *h) {
  coord__idle_cancel(&h->flush);
  coord__timer_stop(h->loop, &h->alive);
  coord__timer_stop(h->loop, &h->more);
  nghttp2_session_del(h->session);
  if (h->conn != NULL) coord__conn_close(h->conn);
  coord__buf_free(&h->out);
  coord__free(h);
}

static void on_flush(coord__idle *idle) {
  coord__h2 *h = COORD__CONTAINER(idle, coord__h2, flush);
  if (!h->closing) {
    flush_session(h);
    return;
  }
  /* One try to say goodbye: GOAWAY and the resets of what was aborted. */
  if (!h->is_lost && fill_out(h)) send_out(h);
  free_h2(h);
}

/* ---- reading ---- */

/* False when the session is over. */
static bool feed(coord__h2 *h, const uint8_t *p, size_t n) {
  h->heard_ns = coord__loop_now_ns(h->loop);
  if (!h->is_ready) remember_first(h, p, n);
  ssize_t used = nghttp2_session_mem_recv(h->session, p, n);
  if (h->closing) return false;
  if (used >= 0) return true;
  if (h->is_ready) {
    lose(h, COORD_PROTOCOL, nghttp2_strerror((int)used));
  } else {
    lose_stranger(h);
  }
  return false;
}

static const char *what_end_means(const coord__h2 *h) {
  if (h->is_ready) return "the server closed the connection";
  if (h->conn->is_tls) return "the server closed the connection unasked";
  return "the server closed the connection unasked: if it speaks TLS, use https://";
}

/* False when no more can be read now. */
static bool read_once(coord__h2 *h) {
  size_t size;
  size_t n = 0;
  uint8_t *scratch = coord__loop_scratch(h->loop, &size);
  coord__io_status status = h->conn->ops->recv(h->conn, scratch, size, &n);
  char why[200];
  coord_code code;
  switch (status) {
    case COORD__IO_OK:
      return feed(h, scratch, n) && n == size;
    case COORD__IO_AGAIN:
      return false;
    case COORD__IO_END:
      if (!h->is_ready && h->first_len > 0) {
        lose_stranger(h);
      } else {
        lose(h, COORD_UNAVAILABLE, what_end_means(h));
      }
      return false;
    default:
      code = coord__conn_tell(h->conn, why, sizeof why);
      lose(h, code, why);
      return false;
  }
}

static void read_some(coord__h2 *h) {
  /* A bound, so that one busy connection does not hold up the others. */
  for (int i = 0; i < 16 && read_once(h); i++) {
  }
  if (!h->closing && !h->is_lost && h->conn->ops->pending(h->conn)) {
    /* In the next round: the other connections come first. */
    coord__timer_set(h->loop, &h->more, coord__loop_now_ns(h->loop) + 1);
  }
}

static void on_io(coord__io *io, uint32_t events) {
  coord__h2 *h = COORD__CONTAINER(io, coord__conn, io)->owner;
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_some(h);
  coord__loop_defer(h->loop, &h->flush);
}

static void on_more(coord__timer *timer) {
  coord__h2 *h = COORD__CONTAINER(timer, coord__h2, more);
  read_some(h);
  coord__loop_defer(h->loop, &h->flush);
}

/* ---- opening and closing ---- */

static nghttp2_session *new_session(coord__h2 *h) {
  nghttp2_session_callbacks *callbacks = NULL;
  nghttp2_option *option = NULL;
  nghttp2_session *session = NULL;
  if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_option_set_no_auto_window_update(option, 1);
    if (nghttp2_session_client_new2(&session, callbacks, h, option) != 0) session = NULL;
  }
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_option_del(option);
  return session;
}

static bool introduce(coord__h2 *h) {
  nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)h->config.stream_window_bytes},
  };
  return nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings,
                                 sizeof settings / sizeof *settings) == 0 &&
         nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
                                               h->config.connection_window_bytes) == 0;
}

coord__h2 *coord__h2_open(coord__conn *conn, const coord__h2_config *config,
                          const coord__h2_ops *ops, void *user) {
  coord__h2 *h = coord__calloc(1, sizeof *h);
  if (h == NULL) {
    coord__conn_close(conn);
    return NULL;
  }
  h->conn = conn;
  h->loop = conn->loop;
  h->config = *config;
  h->ops = ops;
  h->user = user;
  h->flush.run = on_flush;
  h->alive.fire = on_alive;
  h->more.fire = on_more;
  h->heard_ns = coord__loop_now_ns(h->loop);
  coord__list_init(&h->streams);
  h->session = new_session(h);
  conn->owner = h;
  conn->io.ready = on_io;
  if (h->session == NULL || !introduce(h) || !coord__io_set(h->loop, &conn->io, EPOLLIN)) {
    free_h2(h);
    return NULL;
  }
  if (conn->ops->pending(conn)) coord__timer_set(h->loop, &h->more, h->heard_ns);
  coord__loop_defer(h->loop, &h->flush);
  return h;
}

void coord__h2_close(coord__h2 *h) {
  if (h->closing) return;
  h->closing = true;
  end_all_streams(h);
  coord__timer_stop(h->loop, &h->alive);
  coord__timer_stop(h->loop, &h->more);
  coord__io_set(h->loop, &h->conn->io, 0);
  if (!h->is_lost) nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR);
  coord__loop_defer(h->loop, &h->flush);
}

/* ---- streams, from outside ---- */

size_t coord__h2_capacity(const coord__h2 *h) {
  if (!h->is_ready || h->is_draining || h->closing || h->is_lost) return 0;
  size_t limit =
      nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return limit > h->open_streams ? limit - h->open_streams : 0;
}

size_t coord__h2_open_streams(const coord__h2 *h) { return h->open_streams; }

bool coord__h2_submit(coord__h2 *h, coord__h2_stream *s, const coord__h2_stream_ops *ops,
                      const nghttp2_nv *headers, size_t count) {
  nghttp2_data_provider body = {.source.ptr = s, .read_callback = read_body};
  int32_t id = nghttp2_submit_request(h->session, NULL, headers, count, &body, s);
  if (id < 0) return false;
  *s = (coord__h2_stream){.ops = ops, .h2 = h, .id = id};
  coord__list_append(&h->streams, &s->link);
  h->open_streams++;
  arm_alive(h);
  coord__loop_defer(h->loop, &h->flush);
  return true;
}

void coord__h2_resume(coord__h2_stream *s) {
  nghttp2_session_resume_data(s->h2->session, s->id);
  coord__loop_defer(s->h2->loop, &s->h2->flush);
}

void coord__h2_consume(coord__h2_stream *s, size_t n) {
  nghttp2_session_consume_stream(s->h2->session, s->id, n);
  coord__loop_defer(s->h2->loop, &s->h2->flush);
}

void coord__h2_abort(coord__h2_stream *s, uint32_t code) {
  coord__h2 *h = s->h2;
  nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
  nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, code);
  forget_stream(h, s);
  coord__loop_defer(h->loop, &h->flush);
}
