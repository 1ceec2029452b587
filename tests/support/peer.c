#include "support/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/http1.h"

enum { conns_max = 64, calls_max = 20000, rules_max = 32, headers_max = 24, path_size = 96 };
enum { ask_again_ms = 5 }; /* whether an answer is ready */

typedef struct stream {
  struct stream *next;
  int32_t id;
  char path[path_size];
  const t_rule *rule;
  size_t sent;
  int64_t due_ms; /* of the answer; 0: none is due */
} stream;

typedef struct conn {
  t_peer *peer;
  int fd;
  bool heard;   /* raw: the first bytes of the client came */
  bool closing; /* when all is sent */
  bool resets;
  nghttp2_session *session; /* one of these two, after the first bytes of the client */
  t_http1 *http1;
  stream *streams;
  const uint8_t *out;
  size_t out_len;
} conn;

struct t_peer {
  const t_raw *raw;
  const t_rule *rules;
  size_t rule_count;
  int used[rules_max];
  t_h2_settings settings;
  char endpoint[32];
  int listen_fd;
  int wake_fd;
  pthread_t thread;
  conn *conns[conns_max];

  pthread_mutex_t lock; /* of all below */
  bool stop;
  int accepted;
  int open_conns;
  int pings;
  int resets;
  int open_calls;
  int open_calls_max;
  char (*calls)[path_size];
  int call_count;
  char headers[headers_max][2][256];
  int header_count;
};

const t_raw t_raw_http1 = {
    .what = "HTTP/1.1",
    .answer = T_BYTES("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
                      "Connection: close\r\nContent-Length: 15\r\n\r\n400 Bad Request"),
    .closes = true,
};
const t_raw t_raw_tls = {
    .what = "TLS",
    .answer = T_BYTES("\x15\x03\x01\x00\x02\x02\x46"),
    .closes = true,
};
const t_raw t_raw_smtp = {
    .what = "SMTP",
    .greeting = T_BYTES("220 mail.example.com ESMTP ready\r\n"),
    .answer = T_BYTES("502 5.5.2 Error: command not recognized\r\n"),
};
const t_raw t_raw_random = {
    .what = "random bytes",
    .greeting = T_BYTES("\x9b\x1f\xe2\x07\x5c\xd3\x88\x41\xf6\x2a\x0d\xb7\x63\x94\xee\x35"
                        "\x70\xc8\x19\xa4\x5f\x02\xdb\x86\x3e\xf1\x4d\x97\x28\xbc\x61\x0a"),
};
const t_raw t_raw_refuses = {.what = "a refusal", .refuses = true};
const t_raw t_raw_silent = {.what = "silence"};
const t_raw t_raw_closes = {.what = "a close", .closes = true};
const t_raw t_raw_resets = {.what = "a reset", .resets = true};
const t_raw t_raw_settings = {
    .what = "SETTINGS alone",
    .greeting = T_BYTES("\x00\x00\x00\x04\x00\x00\x00\x00\x00"),
};

/* --- Connections --------------------------------------------------------------------------------- */

static void drop_stream(conn *c, int32_t id) {
  for (stream **link = &c->streams; *link; link = &(*link)->next) {
    if ((*link)->id != id) continue;
    stream *s = *link;
    *link = s->next;
    free(s);
    pthread_mutex_lock(&c->peer->lock);
    c->peer->open_calls--;
    pthread_mutex_unlock(&c->peer->lock);
    return;
  }
}

static void drop_conn(t_peer *peer, int i) {
  conn *c = peer->conns[i];
  struct linger abrupt = {1, 0};
  if (c->resets) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
  nghttp2_session_del(c->session);
  while (c->streams) drop_stream(c, c->streams->id);
  if (c->http1) t_http1_free(c->http1);
  free(c->http1);
  close(c->fd);
  free(c);
  peer->conns[i] = NULL;
  pthread_mutex_lock(&peer->lock);
  peer->open_conns--;
  pthread_mutex_unlock(&peer->lock);
}

/* --- HTTP/2 -------------------------------------------------------------------------------------- */

static nghttp2_nv header(const char *name, const char *value) {
  union {
    const char *in;
    uint8_t *out;
  } n = {.in = name}, v = {.in = value};
  return (nghttp2_nv){n.out, v.out, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static size_t status_headers(const t_rule *rule, nghttp2_nv *out) {
  size_t n = 0;
  out[n++] = header("grpc-status", rule->grpc_status);
  if (rule->grpc_message) out[n++] = header("grpc-message", rule->grpc_message);
  return n;
}

static ssize_t end_of_data(conn *c, stream *s, uint32_t *flags, size_t n) {
  nghttp2_nv trailers[2];
  if (s->rule->reset) {
    nghttp2_submit_rst_stream(c->session, 0, s->id, (uint32_t)(s->rule->reset - 1));
    return n > 0 ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
  }
  if (s->rule->closes) c->closing = true;
  if (s->rule->closes || s->rule->stays_open) return n > 0 ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (s->rule->grpc_status) {
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(c->session, s->id, trailers, status_headers(s->rule, trailers));
  }
  return (ssize_t)n;
}

static ssize_t read_data(nghttp2_session *session, int32_t id, uint8_t *buf, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *user) {
  (void)session, (void)id;
  conn *c = user;
  stream *s = source->ptr;
  t_bytes data = s->rule->data;
  size_t total = data.n * (s->rule->repeat ? s->rule->repeat : 1);
  size_t n = 0;
  while (n < size && s->sent < total) {
    size_t at = s->sent % data.n;
    size_t part = data.n - at < size - n ? data.n - at : size - n;
    memcpy(buf + n, (const uint8_t *)data.p + at, part);
    n += part;
    s->sent += part;
  }
  return s->sent < total ? (ssize_t)n : end_of_data(c, s, flags, n);
}

static void answer_http1(conn *c, stream *s) {
  const t_rule *rule = s->rule;
  if (rule->never) return;
  t_bytes bytes = t_http1_answer(c->http1, rule);
  c->out = rule->reset ? NULL : bytes.p;
  c->out_len = rule->reset ? 0 : bytes.n;
  c->resets = rule->reset != 0;
  c->closing = rule->closes || rule->reset;
  if (!rule->stays_open) drop_stream(c, s->id);
}

static void answer(conn *c, stream *s) {
  const t_rule *rule = s->rule;
  s->due_ms = 0;
  if (c->http1) {
    answer_http1(c, s);
    return;
  }
  if (rule->goaway) {
    int32_t last = s->id - 2 * rule->last_back;
    nghttp2_submit_goaway(c->session, 0, last > 0 ? last : 0, (uint32_t)rule->goaway_code, NULL, 0);
    if (rule->last_back > 0) return;
  }
  if (rule->never) return;
  if (rule->reset && rule->data.n == 0) {
    nghttp2_submit_rst_stream(c->session, 0, s->id, (uint32_t)(rule->reset - 1));
    return;
  }
  nghttp2_nv headers[4];
  size_t n = 0;
  const char *type = rule->content_type ? rule->content_type : "application/grpc";
  headers[n++] = header(":status", rule->http_status ? rule->http_status : "200");
  if (*type) headers[n++] = header("content-type", type);
  if (rule->trailers_only) {
    if (rule->grpc_status) n += status_headers(rule, headers + n);
    nghttp2_submit_response(c->session, s->id, headers, n, NULL);
  } else {
    nghttp2_data_provider data = {.source = {.ptr = s}, .read_callback = read_data};
    nghttp2_submit_response(c->session, s->id, headers, n, &data);
  }
}

static const t_rule *choose_rule(t_peer *peer, const char *path) {
  static const t_rule unknown = {.trailers_only = true, .grpc_status = "12"};
  for (size_t i = 0; i < peer->rule_count; i++) {
    const t_rule *rule = &peer->rules[i];
    if (rule->method && !strstr(path, rule->method)) continue;
    if (rule->times > 0 && peer->used[i] == rule->times) continue;
    peer->used[i]++;
    return rule;
  }
  return &unknown;
}

static stream *add_stream(conn *c, int32_t id) {
  stream *s = calloc(1, sizeof *s);
  if (!s) abort();
  s->id = id;
  s->next = c->streams;
  c->streams = s;
  pthread_mutex_lock(&c->peer->lock);
  if (++c->peer->open_calls > c->peer->open_calls_max) c->peer->open_calls_max++;
  pthread_mutex_unlock(&c->peer->lock);
  return s;
}

static void forget_headers(t_peer *peer) {
  pthread_mutex_lock(&peer->lock);
  peer->header_count = 0;
  pthread_mutex_unlock(&peer->lock);
}

static void note_header(t_peer *peer, const char *name, size_t name_len, const char *value,
                        size_t value_len) {
  pthread_mutex_lock(&peer->lock);
  if (peer->header_count < headers_max) {
    char(*at)[256] = peer->headers[peer->header_count++];
    snprintf(at[0], sizeof at[0], "%.*s", (int)name_len, name);
    snprintf(at[1], sizeof at[1], "%.*s", (int)value_len, value);
  }
  pthread_mutex_unlock(&peer->lock);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
  conn *c = user;
  forget_headers(c->peer);
  stream *s = add_stream(c, frame->hd.stream_id);
  nghttp2_session_set_stream_user_data(session, s->id, s);
  return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user) {
  (void)flags;
  t_peer *peer = ((conn *)user)->peer;
  stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
  if (s && name_len == 5 && memcmp(name, ":path", 5) == 0) {
    snprintf(s->path, sizeof s->path, "%.*s", (int)value_len, (const char *)value);
  }
  note_header(peer, (const char *)name, name_len, (const char *)value, value_len);
  return 0;
}

static void begin_call(t_peer *peer, stream *s) {
  s->rule = choose_rule(peer, s->path);
  pthread_mutex_lock(&peer->lock);
  if (peer->call_count < calls_max) memcpy(peer->calls[peer->call_count++], s->path, path_size);
  pthread_mutex_unlock(&peer->lock);
}

static void answer_or_wait(conn *c, stream *s) {
  s->due_ms = t_now_ms() + s->rule->delay_ms;
  if (s->rule->delay_ms == 0 && s->rule->ready == NULL) answer(c, s);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
  conn *c = user;
  stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
  bool is_ping = frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & NGHTTP2_FLAG_ACK);
  bool is_headers = frame->hd.type == NGHTTP2_HEADERS;
  bool is_end =
      (is_headers || frame->hd.type == NGHTTP2_DATA) && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
  if (is_ping || frame->hd.type == NGHTTP2_RST_STREAM) {
    pthread_mutex_lock(&c->peer->lock);
    *(is_ping ? &c->peer->pings : &c->peer->resets) += 1;
    pthread_mutex_unlock(&c->peer->lock);
  }
  if (s && is_headers) begin_call(c->peer, s);
  if (s && s->rule && (s->rule->early ? is_headers : is_end)) answer_or_wait(c, s);
  return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
  (void)session, (void)code;
  drop_stream(user, id);
  return 0;
}

static bool start_session(conn *c) {
  nghttp2_session_callbacks *callbacks = NULL;
  nghttp2_option *option = NULL;
  nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                                  c->peer->settings.max_concurrent_streams};
  if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0) abort();
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
  nghttp2_option_set_no_auto_ping_ack(option, c->peer->settings.deaf_to_pings);
  bool good = nghttp2_session_server_new2(&c->session, callbacks, c, option) == 0 &&
              nghttp2_submit_settings(c->session, 0, &entry, entry.value > 0 ? 1 : 0) == 0;
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_option_del(option);
  return good;
}

/* --- HTTP/1.1 ------------------------------------------------------------------------------------ */

static void on_http1_header(void *user, const char *name, size_t name_len, const char *value,
                            size_t value_len) {
  note_header(user, name, name_len, value, value_len);
}

static bool is_told_of(const t_peer *peer, const char *path) {
  for (size_t i = 0; i < peer->rule_count; i++) {
    if (peer->rules[i].method && strstr(path, peer->rules[i].method)) return true;
  }
  return false;
}

static bool receive_http1(conn *c, const void *p, size_t n) {
  static const t_rule version = {.json = "{\"etcdserver\":\"3.6.0\",\"etcdcluster\":\"3.6.0\"}"};
  char path[path_size];
  t_http1_add(c->http1, p, n);
  forget_headers(c->peer);
  if (!t_http1_next(c->http1, path, sizeof path, on_http1_header, c->peer)) return true;
  stream *s = add_stream(c, 1);
  memcpy(s->path, path, path_size);
  if (strcmp(path, "/version") == 0 && !is_told_of(c->peer, path)) {
    s->rule = &version;
  } else {
    begin_call(c->peer, s);
  }
  answer_or_wait(c, s);
  return true;
}

/* The first bytes tell; they may come one by one. */
static void start_protocol(conn *c) {
  char first[3];
  if (recv(c->fd, first, sizeof first, MSG_PEEK) < 3) return;
  if (memcmp(first, "PRI", 3) == 0) {
    if (!start_session(c)) abort();
    return;
  }
  c->http1 = calloc(1, sizeof *c->http1);
  if (!c->http1) abort();
}

/* --- The loop ------------------------------------------------------------------------------------ */

static void accept_one(t_peer *peer) {
  int fd = accept4(peer->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  int on = 1;
  if (fd < 0) return;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  conn *c = calloc(1, sizeof *c);
  if (!c) abort();
  c->peer = peer;
  c->fd = fd;
  pthread_mutex_lock(&peer->lock);
  peer->accepted++;
  peer->open_conns++;
  pthread_mutex_unlock(&peer->lock);
  for (int i = 0; i < conns_max; i++) {
    if (peer->conns[i]) continue;
    peer->conns[i] = c;
    if (!peer->raw) return;
    c->out = peer->raw->greeting.p;
    c->out_len = peer->raw->greeting.n;
    c->resets = peer->raw->resets;
    c->closing = peer->raw->answer.n == 0 && (peer->raw->closes || peer->raw->resets);
    return;
  }
  abort();
}

/* A call that is given up takes its connection with it. */
static void count_reset(t_peer *peer) {
  pthread_mutex_lock(&peer->lock);
  peer->resets++;
  pthread_mutex_unlock(&peer->lock);
}

/* False: the connection is done with. */
static bool receive(conn *c) {
  uint8_t buf[65536];
  if (!c->peer->raw && !c->session && !c->http1) start_protocol(c);
  bool unknown = !c->peer->raw && !c->session && !c->http1;
  ssize_t n = recv(c->fd, buf, sizeof buf, unknown ? MSG_PEEK : 0);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0 && c->http1 && c->streams) count_reset(c->peer);
  if (n == 0) return false;
  if (unknown) return true;
  if (c->http1) return receive_http1(c, buf, (size_t)n);
  if (c->session) return nghttp2_session_mem_recv(c->session, buf, (size_t)n) == n;
  if (!c->heard && c->out_len == 0 && c->peer->raw->answer.n > 0) {
    c->out = c->peer->raw->answer.p;
    c->out_len = c->peer->raw->answer.n;
    c->closing = c->peer->raw->closes || c->peer->raw->resets;
  }
  c->heard = true;
  return true;
}

static bool send_pending(conn *c) {
  for (;;) {
    if (c->out_len == 0 && c->session) {
      ssize_t n = nghttp2_session_mem_send(c->session, &c->out);
      if (n < 0) return false;
      c->out_len = (size_t)n;
    }
    if (c->out_len == 0) return !c->closing;
    ssize_t n = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    c->out += n;
    c->out_len -= (size_t)n;
  }
}

static int answer_due(conn *c, int64_t now, int wait_ms) {
  for (stream *s = c->streams, *next; s; s = next) {
    next = s->next;
    if (s->due_ms == 0) continue;
    if (s->due_ms <= now && s->rule->ready && !s->rule->ready(c->peer)) {
      wait_ms = wait_ms < ask_again_ms ? wait_ms : ask_again_ms;
    } else if (s->due_ms <= now) {
      answer(c, s);
    } else if (s->due_ms - now < wait_ms) {
      wait_ms = (int)(s->due_ms - now);
    }
  }
  return wait_ms;
}

static void *serve(void *arg) {
  t_peer *peer = arg;
  for (;;) {
    bool refuses = peer->raw && peer->raw->refuses;
    struct pollfd fds[conns_max + 2] = {{peer->wake_fd, POLLIN, 0},
                                        {refuses ? -1 : peer->listen_fd, POLLIN, 0}};
    int wait_ms = 60000;
    for (int i = 0; i < conns_max; i++) {
      conn *c = peer->conns[i];
      if (c) wait_ms = answer_due(c, t_now_ms(), wait_ms);
      if (c && !send_pending(c)) {
        drop_conn(peer, i);
        c = NULL;
      }
      fds[i + 2].fd = c ? c->fd : -1;
      fds[i + 2].events = (short)(c && c->out_len > 0 ? POLLIN | POLLOUT : POLLIN);
    }
    if (poll(fds, conns_max + 2, wait_ms) < 0 && errno != EINTR) abort();
    pthread_mutex_lock(&peer->lock);
    bool stop = peer->stop;
    pthread_mutex_unlock(&peer->lock);
    if (stop) break;
    for (int i = 0; i < conns_max; i++) {
      bool readable = peer->conns[i] && (fds[i + 2].revents & (POLLIN | POLLERR | POLLHUP));
      if (readable && !receive(peer->conns[i])) drop_conn(peer, i);
    }
    if (fds[1].revents & POLLIN) accept_one(peer);
  }
  for (int i = 0; i < conns_max; i++) {
    if (peer->conns[i]) drop_conn(peer, i);
  }
  return NULL;
}

static t_peer *start(t_peer *peer) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t at_len = sizeof at;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  pthread_mutex_init(&peer->lock, NULL);
  peer->calls = calloc(calls_max, path_size);
  peer->wake_fd = eventfd(0, EFD_CLOEXEC);
  peer->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  T_FATAL(peer->calls && peer->wake_fd >= 0 && peer->listen_fd >= 0);
  T_FATAL(bind(peer->listen_fd, (struct sockaddr *)&at, at_len) == 0);
  T_FATAL((peer->raw && peer->raw->refuses) || listen(peer->listen_fd, 64) == 0);
  T_FATAL(getsockname(peer->listen_fd, (struct sockaddr *)&at, &at_len) == 0);
  snprintf(peer->endpoint, sizeof peer->endpoint, "127.0.0.1:%d", ntohs(at.sin_port));
  T_FATAL(pthread_create(&peer->thread, NULL, serve, peer) == 0);
  return peer;
}

t_peer *t_peer_raw(const t_raw *script) {
  t_peer *peer = calloc(1, sizeof *peer);
  T_FATAL(peer != NULL);
  peer->raw = script;
  return start(peer);
}

t_peer *t_peer_grpc(const t_rule *rules, size_t n, const t_h2_settings *settings) {
  t_peer *peer = calloc(1, sizeof *peer);
  T_FATAL(peer != NULL && n <= rules_max);
  peer->rules = rules;
  peer->rule_count = n;
  if (settings) peer->settings = *settings;
  return start(peer);
}

void t_peer_stop(t_peer *peer) {
  pthread_mutex_lock(&peer->lock);
  peer->stop = true;
  pthread_mutex_unlock(&peer->lock);
  eventfd_write(peer->wake_fd, 1);
  pthread_join(peer->thread, NULL);
  close(peer->listen_fd);
  close(peer->wake_fd);
  pthread_mutex_destroy(&peer->lock);
  free(peer->calls);
  free(peer);
}

/* --- What it saw --------------------------------------------------------------------------------- */

const char *t_peer_endpoint(const t_peer *peer) { return peer->endpoint; }

static int read_counter(t_peer *peer, const int *counter) {
  pthread_mutex_lock(&peer->lock);
  int n = *counter;
  pthread_mutex_unlock(&peer->lock);
  return n;
}

int t_peer_connections(t_peer *peer) { return read_counter(peer, &peer->accepted); }

int t_peer_open_connections(t_peer *peer) { return read_counter(peer, &peer->open_conns); }

int t_peer_open_calls_max(t_peer *peer) { return read_counter(peer, &peer->open_calls_max); }

int t_peer_pings(t_peer *peer) { return read_counter(peer, &peer->pings); }

int t_peer_resets(t_peer *peer) { return read_counter(peer, &peer->resets); }

int t_peer_calls(t_peer *peer, const char *method) {
  int n = 0;
  pthread_mutex_lock(&peer->lock);
  for (int i = 0; i < peer->call_count; i++) n += strstr(peer->calls[i], method) != NULL;
  pthread_mutex_unlock(&peer->lock);
  return n;
}

char *t_peer_header(t_peer *peer, const char *name, char value[256]) {
  value[0] = '\0';
  pthread_mutex_lock(&peer->lock);
  for (int i = 0; i < peer->header_count; i++) {
    if (strcmp(peer->headers[i][0], name) == 0) memcpy(value, peer->headers[i][1], 256);
  }
  pthread_mutex_unlock(&peer->lock);
  return value;
}

typedef struct awaited_calls {
  t_peer *peer;
  const char *method;
  int count;
} awaited_calls;

static bool calls_came(void *arg) {
  awaited_calls *wanted = arg;
  return t_peer_calls(wanted->peer, wanted->method) >= wanted->count;
}

bool t_peer_wait_calls(t_peer *peer, const char *method, int count, int ms) {
  awaited_calls wanted = {peer, method, count};
  return t_wait_until(calls_came, &wanted, ms);
}
