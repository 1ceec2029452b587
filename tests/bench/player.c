/*
 * A server that knows watches alone and sends them events as fast as the client takes them, so that
 * the client and not etcd is what limits the rate. It speaks as etcd does: one event in a message, one
 * message in a DATA frame.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINKS_MAX = 8, PREFIX = 5, KEY_BYTES = 96, EVENT_BYTES = 256, CHUNK_BYTES = 65536 };

/* A watch: the id that it asked for, and its key without the prefix of all. */
typedef struct {
  int64_t id;
  size_t number;
} asked;

static struct {
  const char *key;
  size_t events;
  size_t watches; /* that have been asked for */
  size_t watches_max;
  asked *of;
  size_t sent;
  bool playing;
} run = {.events = 1};

typedef struct connection connection;

typedef struct {
  connection *of;
  int32_t id;
  bool is_watch;
  uint8_t *in; /* not a whole message yet */
  size_t in_len;
  size_t answered;          /* of the watches */
  uint8_t out[EVENT_BYTES]; /* the message that is being sent */
  size_t out_at;
  size_t out_len;
} stream;

struct connection {
  int fd;
  nghttp2_session *session;
  stream *watching;
  uint8_t out[CHUNK_BYTES]; /* frames that the socket has not taken yet */
  size_t out_at;
  size_t out_len;
};

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("player: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(2);
}

static void *need(void *memory) {
  if (memory == NULL) fail("out of memory");
  return memory;
}

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- protobuf --------------------------------------------------------------------------------- */

static uint8_t *put_number(uint8_t *at, uint64_t value) {
  for (; value > 127; value >>= 7) *at++ = (uint8_t)(value | 128);
  *at++ = (uint8_t)value;
  return at;
}

static uint8_t *put_field(uint8_t *at, unsigned field, uint64_t value) {
  *at++ = (uint8_t)(field << 3);
  return put_number(at, value);
}

static uint8_t *put_bytes(uint8_t *at, unsigned field, const void *bytes, size_t len) {
  *at++ = (uint8_t)(field << 3 | 2);
  at = put_number(at, len);
  memcpy(at, bytes, len);
  return at + len;
}

static const uint8_t *get_number(const uint8_t *at, const uint8_t *end, uint64_t *out) {
  *out = 0;
  for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
    *out |= (uint64_t)(*at & 127) << shift;
    if ((*at++ & 128) == 0) return at;
  }
  fail("a request is broken");
}

/* A field of a message: its number, or 0 for none. *out: its value, or the length of what is at
 * *bytes. */
static unsigned get_field(const uint8_t **at, const uint8_t *end, const uint8_t **bytes,
                          uint64_t *out) {
  uint64_t tag;
  if (*at >= end) return 0;
  *at = get_number(*at, end, &tag);
  *at = get_number(*at, end, out);
  *bytes = *at;
  if ((tag & 7) == 2) *at += *out;
  return (unsigned)(tag >> 3);
}

/* ---- answers ----------------------------------------------------------------------------------- */

static size_t put_prefix(uint8_t *frame, const uint8_t *end) {
  size_t len = (size_t)(end - frame) - PREFIX;
  frame[0] = 0;
  for (int i = 0; i < 4; i++) frame[1 + i] = (uint8_t)(len >> (24 - 8 * i));
  return len + PREFIX;
}

static uint8_t *put_header(uint8_t *at, uint64_t revision) {
  uint8_t header[32];
  uint8_t *end =
      put_field(header, 1, 0x1234567890abcdefU); /* cluster and member, as long as real ones */
  end = put_field(end, 3, revision);
  end = put_field(end, 4, 2);
  return put_bytes(at, 1, header, (size_t)(end - header));
}

static size_t make_created(uint8_t *frame, int64_t id) {
  uint8_t *at = put_header(frame + PREFIX, 1);
  at = put_field(at, 2, (uint64_t)id);
  at = put_field(at, 3, 1);
  return put_prefix(frame, at);
}

/* Event number n is of the watch number n, in turn. */
static size_t make_event(uint8_t *frame, size_t n) {
  char key[KEY_BYTES];
  uint8_t kv[EVENT_BYTES / 2];
  uint8_t event[EVENT_BYTES / 2 + 8];
  size_t watch = n % run.watches;
  int key_len = snprintf(key, sizeof key, "%s%06zu", run.key, run.of[watch].number);
  uint8_t *end = put_bytes(kv, 1, key, (size_t)key_len);
  end = put_field(end, 2, watch + 2);
  end = put_field(end, 3, n + 2);
  end = put_field(end, 4, n / run.watches + 1);
  end = put_bytes(end, 5, "value-01", 8);
  uint8_t *event_end = put_bytes(event, 2, kv, (size_t)(end - kv));
  uint8_t *at = put_header(frame + PREFIX, n + 2);
  at = put_field(at, 2, (uint64_t)run.of[watch].id);
  at = put_bytes(at, 11, event, (size_t)(event_end - event));
  return put_prefix(frame, at);
}

static bool next_message(stream *s) {
  s->out_at = 0;
  if (s->answered < run.watches) {
    s->out_len = make_created(s->out, run.of[s->answered++].id);
  } else if (run.playing && run.sent < run.events) {
    s->out_len = make_event(s->out, run.sent++);
  } else {
    s->out_len = 0;
  }
  return s->out_len > 0;
}

/* One message at a time. */
static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *out, size_t size,
                           uint32_t *flags, nghttp2_data_source *source, void *user) {
  stream *s = source->ptr;
  (void)session, (void)id, (void)flags, (void)user;
  if (s->out_at == s->out_len && !next_message(s)) return NGHTTP2_ERR_DEFERRED;
  size_t n = s->out_len - s->out_at < size ? s->out_len - s->out_at : size;
  memcpy(out, s->out + s->out_at, n);
  s->out_at += n;
  return (ssize_t)n;
}

/* ---- requests ----------------------------------------------------------------------------------- */

static void take_request(const uint8_t *at, const uint8_t *end) {
  const uint8_t *bytes;
  uint64_t value;
  if (get_field(&at, end, &bytes, &value) != 1) return; /* no request to create */
  if (run.watches == run.watches_max) fail("more than %zu watches", run.watches_max);
  asked *one = &run.of[run.watches];
  one->id = (int64_t)run.watches++;
  for (const uint8_t *inner = bytes, *inner_end = bytes + value; inner < inner_end;) {
    uint64_t number;
    const uint8_t *key;
    unsigned field = get_field(&inner, inner_end, &key, &number);
    if (field == 7 && number > 0) one->id = (int64_t)number;
    if (field == 1 && number > strlen(run.key)) {
      char digits[KEY_BYTES] = "";
      memcpy(digits, key + strlen(run.key), number - strlen(run.key));
      one->number = strtoul(digits, NULL, 10);
    }
  }
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t len, void *user) {
  stream *s = nghttp2_session_get_stream_user_data(session, id);
  size_t at = 0;
  (void)flags, (void)user;
  if (s == NULL || !s->is_watch) return 0;
  s->in = need(realloc(s->in, s->in_len + len));
  memcpy(s->in + s->in_len, bytes, len);
  s->in_len += len;
  while (s->in_len - at >= PREFIX) {
    const uint8_t *p = s->in + at;
    size_t size = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
    if (s->in_len - at - PREFIX < size) break;
    take_request(p + PREFIX, p + PREFIX + size);
    at += PREFIX + size;
  }
  memmove(s->in, s->in + at, s->in_len - at);
  s->in_len -= at;
  nghttp2_session_resume_data(session, id);
  return 0;
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
  stream *s = need(calloc(1, sizeof *s));
  s->of = user;
  s->id = frame->hd.stream_id;
  return nghttp2_session_set_stream_user_data(session, s->id, s);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user) {
  static const char watch[] = "/etcdserverpb.Watch/Watch";
  stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
  (void)flags, (void)user;
  if (s == NULL || name_len != 5 || memcmp(name, ":path", 5) != 0) return 0;
  s->is_watch = value_len == sizeof watch - 1 && memcmp(value, watch, value_len) == 0;
  return 0;
}

static nghttp2_nv header(const char *name, const char *value) {
  return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                      strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
  connection *l = user;
  if (frame->hd.type != NGHTTP2_HEADERS) return 0;
  stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
  nghttp2_nv headers[] = {header(":status", "200"), header("content-type", "application/grpc"),
                          header("grpc-status", "12")};
  if (s == NULL) return 0;
  if (!s->is_watch) { /* unknown to this server */
    return nghttp2_submit_response(session, s->id, headers, 3, NULL);
  }
  nghttp2_data_provider answers = {.source.ptr = s, .read_callback = read_answer};
  l->watching = s;
  return nghttp2_submit_response(session, s->id, headers, 2, &answers);
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
  connection *l = user;
  stream *s = nghttp2_session_get_stream_user_data(session, id);
  (void)code;
  if (s == NULL) return 0;
  if (l->watching == s) l->watching = NULL;
  free(s->in);
  free(s);
  return 0;
}

/* ---- connections --------------------------------------------------------------------------------- */

static nghttp2_session *new_session(connection *l) {
  nghttp2_session_callbacks *callbacks;
  nghttp2_session *session;
  nghttp2_settings_entry settings = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000};
  if (nghttp2_session_callbacks_new(&callbacks) != 0) fail("out of memory");
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
  if (nghttp2_session_server_new(&session, callbacks, l) != 0 ||
      nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, &settings, 1) != 0) {
    fail("out of memory");
  }
  nghttp2_session_callbacks_del(callbacks);
  return session;
}

static void hang_up(connection *l) {
  nghttp2_session_del(l->session);
  close(l->fd);
  l->fd = -1;
}

/* False: the connection is over. */
static bool read_some(connection *l) {
  static uint8_t bytes[CHUNK_BYTES];
  ssize_t n = read(l->fd, bytes, sizeof bytes);
  if (n < 0) return errno == EAGAIN;
  return n > 0 && nghttp2_session_mem_recv(l->session, bytes, (size_t)n) == n;
}

static void fill(connection *l) {
  const uint8_t *frame;
  l->out_at = l->out_len = 0;
  while (l->out_len < CHUNK_BYTES / 2) {
    ssize_t n = nghttp2_session_mem_send(l->session, &frame);
    if (n <= 0) break;
    if (l->out_len + (size_t)n > CHUNK_BYTES) fail("a frame of %zd bytes", n);
    memcpy(l->out + l->out_len, frame, (size_t)n);
    l->out_len += (size_t)n;
  }
}

/* Frames in chunks, as from a server with a buffer. False: the connection is over. */
static bool write_some(connection *l) {
  for (;;) {
    if (l->out_at == l->out_len) fill(l);
    if (l->out_len == 0) return true;
    ssize_t n = write(l->fd, l->out + l->out_at, l->out_len - l->out_at);
    if (n < 0) return errno == EAGAIN;
    l->out_at += (size_t)n;
  }
}

static int listen_at(int port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int yes = 1;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, LINKS_MAX) != 0) {
    fail("port %d: %s", port, strerror(errno));
  }
  return fd;
}

static void accept_one(int listening, connection *links) {
  int yes = 1;
  int fd = accept(listening, NULL, NULL);
  for (int i = 0; i < LINKS_MAX; i++) {
    connection *l = &links[i];
    if (l->fd >= 0) continue;
    memset(l, 0, sizeof *l);
    l->fd = fd;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    l->session = new_session(l);
    return;
  }
  fail("too many connections");
}

static void play(connection *links) {
  char line[16];
  if (read(STDIN_FILENO, line, sizeof line) <= 0) exit(0);
  run.playing = true;
  for (int i = 0; i < LINKS_MAX; i++) {
    if (links[i].fd < 0 || links[i].watching == NULL) continue;
    nghttp2_session_resume_data(links[i].session, links[i].watching->id);
  }
}

static void serve(int listening) {
  static connection links[LINKS_MAX];
  double start = 0;
  for (int i = 0; i < LINKS_MAX; i++) links[i].fd = -1;
  for (;;) {
    struct pollfd all[LINKS_MAX + 2] = {{.fd = listening, .events = POLLIN},
                                        {.fd = STDIN_FILENO, .events = POLLIN}};
    for (int i = 0; i < LINKS_MAX; i++) {
      all[i + 2] = (struct pollfd){.fd = links[i].fd, .events = POLLIN};
      if (links[i].out_at < links[i].out_len) all[i + 2].events |= POLLOUT;
    }
    if (poll(all, LINKS_MAX + 2, -1) < 0) fail("poll: %s", strerror(errno));
    if (all[0].revents != 0) accept_one(listening, links);
    if (all[1].revents != 0) {
      play(links);
      start = now_s();
    }
    for (int i = 0; i < LINKS_MAX; i++) {
      connection *l = &links[i];
      if (l->fd < 0) continue;
      bool good = (all[i + 2].revents & (POLLIN | POLLHUP | POLLERR)) == 0 || read_some(l);
      if (!good || !write_some(l)) hang_up(l);
    }
    if (run.playing && run.sent == run.events) {
      printf("{\"events\": %zu, \"seconds\": %.4f}\n", run.sent, now_s() - start);
      fflush(stdout);
      run.playing = false;
    }
  }
}

static const char usage[] =
    "usage: player --port PORT --key PREFIX --watches MOST --events N\n"
    "\n"
    "Says \"ready\", takes watches, and after a line on the standard input sends them --events in "
    "turn: key\n"
    "PREFIX000000 to the first one that was asked for, and so on.\n";

int main(int argc, char **argv) {
  static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                          {"key", required_argument, NULL, 'k'},
                                          {"watches", required_argument, NULL, 'w'},
                                          {"events", required_argument, NULL, 'n'},
                                          {NULL, 0, NULL, 0}};
  int port = 0;
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (option == 'p') port = atoi(optarg);
    if (option == 'k') run.key = optarg;
    if (option == 'w') run.watches_max = strtoul(optarg, NULL, 10);
    if (option == 'n') run.events = strtoul(optarg, NULL, 10);
    if (option == '?') fail("%s", usage);
  }
  if (optind != argc || port < 1 || run.key == NULL || strlen(run.key) > 48 ||
      run.watches_max < 1 || run.events < 1) {
    fail("%s", usage);
  }
  run.of = need(calloc(run.watches_max, sizeof *run.of));
  int listening = listen_at(port);
  puts("ready");
  fflush(stdout);
  serve(listening);
}
