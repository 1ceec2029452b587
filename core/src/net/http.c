#include "net/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"

enum { SPARE_HANDLES = 16, HELD_BYTES = 256 * 1024, READ_BYTES = 64 * 1024, URL_BYTES = 640 };

struct coord__http {
  coord__http_config config;
  CURLM *multi;
  coord__timer timer; /* libcurl's */
  coord__timer tidy;  /* closes what was not needed */
  coord__idle work;   /* all callbacks are made here, outside of libcurl's own */
  coord__list sockets;
  coord__list open; /* requests */
  coord__list news; /* requests to tell of */
  size_t busy;
  size_t busiest; /* since `tidy` has looked last */
  bool kick;      /* libcurl has something to begin */
  bool *gone;     /* tells `work` that a callback has closed it */
  CURL *spare[SPARE_HANDLES];
  size_t spare_count;
  struct curl_slist fixed[3]; /* headers of every request */
};

typedef struct http_socket {
  coord__io io; /* events 0: not watched */
  coord__list link;
  coord__fd_entry entry; /* of a connection; a resolver's descriptor is libcurl's own */
  coord__http *http;
  bool is_ours;
} http_socket;

/* ---- driving libcurl from the loop ---- */

static void act(coord__http *h, curl_socket_t fd, int mask) {
  int running;
  curl_multi_socket_action(h->multi, fd, mask, &running);
  coord__loop_defer(h->config.loop, &h->work);
}

static void on_socket(coord__io *io, uint32_t events) {
  http_socket *s = COORD__CONTAINER(io, http_socket, io);
  int mask = 0;
  if (events & (EPOLLIN | EPOLLHUP)) mask |= CURL_CSELECT_IN;
  if (events & EPOLLOUT) mask |= CURL_CSELECT_OUT;
  if (events & EPOLLERR) mask |= CURL_CSELECT_ERR;
  act(s->http, io->fd, mask);
}

static void on_timer(coord__timer *timer) {
  act(COORD__CONTAINER(timer, coord__http, timer), CURL_SOCKET_TIMEOUT, 0);
}

static http_socket *find_socket(coord__http *h, curl_socket_t fd) {
  for (coord__list *n = h->sockets.next; n != &h->sockets; n = n->next) {
    http_socket *s = COORD__CONTAINER(n, http_socket, link);
    if (s->io.fd == fd) return s;
  }
  return NULL;
}

static http_socket *add_socket(coord__http *h, curl_socket_t fd) {
  http_socket *s = coord__calloc(1, sizeof *s);
  if (s == NULL) return NULL;
  s->http = h;
  s->io = (coord__io){.fd = fd, .ready = on_socket};
  coord__list_append(&h->sockets, &s->link);
  return s;
}

static void drop_socket(http_socket *s) {
  coord__io_set(s->http->config.loop, &s->io, 0);
  if (s->is_ours) coord__loop_disown_fd(&s->entry);
  coord__list_remove(&s->link);
  coord__free(s);
}

/* Always 0: libcurl does not survive a refusal (7.88 crashes). A socket that cannot be watched lets
 * its request run into its time limit. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *assigned) {
  (void)easy;
  coord__http *h = user;
  http_socket *s = assigned != NULL ? assigned : find_socket(h, fd);
  if (what == CURL_POLL_REMOVE) {
    if (s == NULL) return 0;
    coord__io_set(h->config.loop, &s->io, 0);
    curl_multi_assign(h->multi, fd, NULL);
    if (!s->is_ours) drop_socket(s);
    return 0;
  }
  if (s == NULL) s = add_socket(h, fd);
  if (s == NULL) return 0;
  if (assigned == NULL) curl_multi_assign(h->multi, fd, s);
  uint32_t events = 0;
  if (what & CURL_POLL_IN) events |= EPOLLIN;
  if (what & CURL_POLL_OUT) events |= EPOLLOUT;
  coord__io_set(h->config.loop, &s->io, events);
  return 0;
}

static int watch_timer(CURLM *multi, long timeout_ms, void *user) {
  (void)multi;
  coord__http *h = user;
  if (timeout_ms < 0) {
    coord__timer_stop(h->config.loop, &h->timer);
    return 0;
  }
  coord__timer_set(h->config.loop, &h->timer, coord__clock_ns() + timeout_ms * COORD__NS_PER_MS);
  return 0;
}

/* ---- sockets ---- */

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *a) {
  (void)purpose;
  coord__http *h = user;
  int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  http_socket *s = add_socket(h, fd);
  if (s == NULL) {
    close(fd);
    return CURL_SOCKET_BAD;
  }
  s->is_ours = true;
  coord__loop_own_fd(h->config.loop, &s->entry, fd);
  /* Best effort: a unix socket knows none of these. */
  int on = 1;
  int ms = h->config.tcp_user_timeout_ms;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (ms > 0) setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
  return fd;
}

static int close_socket(void *user, curl_socket_t fd) {
  http_socket *s = find_socket(user, fd);
  if (s != NULL) drop_socket(s);
  return close(fd);
}

/* ---- one request ---- */

/* Once, and never from the start again: libcurl would repeat a write on a connection of before. */
static size_t give_body(char *to, size_t size, size_t count, void *user) {
  coord__http_request *r = user;
  size_t n = r->body_len - r->given;
  if (n > size * count) n = size * count;
  if (n > 0) memcpy(to, r->body + r->given, n);
  r->given += n;
  return n;
}

static int refuse_seek(void *user, curl_off_t offset, int origin) {
  (void)user;
  (void)offset;
  (void)origin;
  return CURL_SEEKFUNC_FAIL;
}

static void note_head(coord__http_request *r) {
  long status = 0;
  const char *type = NULL;
  curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(r->easy, CURLINFO_CONTENT_TYPE, &type);
  r->status = (int)status;
  snprintf(r->content_type, sizeof r->content_type, "%s", type != NULL ? type : "");
}

static size_t take_answer(char *p, size_t size, size_t count, void *user) {
  coord__http_request *r = user;
  coord__http *h = r->http;
  size_t n = size * count;
  if (r->status == 0) note_head(r);
  if (r->held && r->in.len + n > HELD_BYTES) {
    r->stopped = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  r->too_large = r->max_bytes > 0 && n > r->max_bytes - r->in.len;
  if (r->too_large) return 0;
  r->no_memory = !coord__buf_append(&r->in, p, n);
  if (r->no_memory) return 0;
  if (r->progress != NULL && !coord__list_linked(&r->news)) coord__list_append(&h->news, &r->news);
  return n;
}

static void set_connection(CURL *e, coord__http *h) {
  const coord__http_config *c = &h->config;
  curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* see net/dial.c */
  curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)c->connect_timeout_ms);
  curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, h);
  curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
  curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, h);
  /* Set even when empty: otherwise libcurl reads the environment. */
  curl_easy_setopt(e, CURLOPT_PROXY, c->proxy != NULL ? c->proxy : "");
  curl_easy_setopt(e, CURLOPT_HTTPPROXYTUNNEL, 1L);
  curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (c->unix_path != NULL) curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, c->unix_path);
  /* What failed to connect must be resolved anew: addresses move. */
  curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
  curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)(c->idle_ns / COORD__NS_PER_MS / 1000) + 1);
  curl_easy_setopt(e, CURLOPT_USERAGENT, "coord-c");
}

static struct curl_slist *list_headers(coord__http *h, coord__http_request *r) {
  struct curl_slist *head = &h->fixed[0];
  _Static_assert(sizeof r->nodes[0] == sizeof *head, "a node is two pointers");
  for (int i = 0; i < COORD__HTTP_HEADERS && r->headers[i] != NULL; i++) {
    struct curl_slist *node = (struct curl_slist *)(void *)r->nodes[i];
    node->data = (char *)(uintptr_t)r->headers[i];
    node->next = head;
    head = node;
  }
  return head;
}

static void set_request(CURL *e, coord__http *h, coord__http_request *r) {
  const coord__http_config *c = &h->config;
  char url[URL_BYTES];
  bool ipv6 = c->unix_path == NULL && strchr(c->host, ':') != NULL;
  snprintf(url, sizeof url, ipv6 ? "http://[%s]:%d%s" : "http://%s:%d%s",
           c->unix_path != NULL ? "localhost" : c->host, c->unix_path != NULL ? 80 : c->port,
           r->path);
  curl_easy_setopt(e, CURLOPT_URL, url);
  curl_easy_setopt(e, CURLOPT_HTTPHEADER, list_headers(h, r));
  if (r->body != NULL) {
    curl_easy_setopt(e, CURLOPT_POST, 1L);
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
    curl_easy_setopt(e, CURLOPT_READFUNCTION, give_body);
    curl_easy_setopt(e, CURLOPT_READDATA, r);
    curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, refuse_seek);
  }
  if (r->timeout_ms > 0) curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
  curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)READ_BYTES);
  curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_answer);
  curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
  curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->error);
  curl_easy_setopt(e, CURLOPT_PRIVATE, r);
}

/* What libcurl counts as sent is no proof: the count begins anew when it wants to repeat. */
bool coord__http_unsent(const coord__http_request *r) {
  return r->body == NULL || r->given < r->body_len;
}

/* Take the request off libcurl. */
static void let_go(coord__http_request *r) {
  coord__http *h = r->http;
  curl_multi_remove_handle(h->multi, r->easy);
  if (h->spare_count < SPARE_HANDLES) {
    curl_easy_reset(r->easy);
    h->spare[h->spare_count++] = r->easy;
  } else {
    curl_easy_cleanup(r->easy);
  }
  r->easy = NULL;
  coord__list_remove(&r->link);
  coord__list_remove(&r->news);
  h->busy--;
}

/* ---- the end of a request ---- */

static coord_code code_of(const coord__http_request *r, CURLcode rc) {
  if (r->too_large) return COORD_TOO_LARGE;
  if (r->no_memory) return COORD_NO_MEMORY;
  switch (rc) {
    case CURLE_OK:
      return COORD_OK;
    case CURLE_OUT_OF_MEMORY:
      return COORD_NO_MEMORY;
    case CURLE_OPERATION_TIMEDOUT:
      return COORD_TIMEOUT;
    case CURLE_UNSUPPORTED_PROTOCOL: /* no HTTP/1 */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
      return COORD_PROTOCOL;
    default:
      return COORD_UNAVAILABLE;
  }
}

static void describe(const coord__http_request *r, CURLcode rc, bool unconnected, char *why,
                     size_t size) {
  long os_errno = 0;
  const char *text = r->error[0] != '\0' ? r->error : curl_easy_strerror(rc);
  curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &os_errno);
  if (r->too_large) {
    text = "the answer is larger than option response.max.bytes allows";
  } else if (r->no_memory) {
    text = "memory is exhausted";
  } else if (rc == CURLE_SEND_FAIL_REWIND || rc == CURLE_GOT_NOTHING) {
    text = "the server closed the connection without an answer";
  } else if (rc == CURLE_PARTIAL_FILE) {
    text = "the answer ended too early";
  } else if (rc == CURLE_COULDNT_CONNECT && os_errno != 0) {
    text = strerror((int)os_errno); /* libcurl's text repeats the address */
  }
  snprintf(why, size, "%s%s", unconnected ? "cannot connect: " : "", text);
}

static void finish(coord__http_request *r, CURLcode rc) {
  char why[sizeof r->error + 32] = "";
  long asked = 0; /* bytes of the head of the request */
  if (r->status == 0) note_head(r);
  curl_easy_getinfo(r->easy, CURLINFO_REQUEST_SIZE, &asked);
  coord__http_end end = {.code = code_of(r, rc), .why = why, .unsent = coord__http_unsent(r)};
  end.unconnected = rc == CURLE_COULDNT_CONNECT || rc == CURLE_COULDNT_RESOLVE_HOST ||
                    rc == CURLE_COULDNT_RESOLVE_PROXY || rc == CURLE_PROXY ||
                    (rc == CURLE_OPERATION_TIMEDOUT && asked == 0);
  if (end.code != COORD_OK) describe(r, rc, end.unconnected, why, sizeof why);
  let_go(r);
  r->done(r, &end);
}

static void work(coord__idle *idle) {
  coord__http *h = COORD__CONTAINER(idle, coord__http, work);
  bool gone = false;
  int left;
  h->gone = &gone;
  if (h->kick) {
    h->kick = false;
    act(h, CURL_SOCKET_TIMEOUT, 0);
  }
  for (coord__list *node; (node = coord__list_pop(&h->news)) != NULL;) {
    coord__http_request *r = COORD__CONTAINER(node, coord__http_request, news);
    r->progress(r);
    if (gone) return;
  }
  for (CURLMsg *msg; (msg = curl_multi_info_read(h->multi, &left)) != NULL;) {
    if (msg->msg != CURLMSG_DONE) continue;
    coord__http_request *r = NULL;
    CURLcode rc = msg->data.result;
    curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&r);
    finish(r, rc);
    if (gone) return;
  }
  h->gone = NULL;
}

/* ---- the pool ---- */

static CURLM *new_multi(coord__http *h) {
  CURLM *multi = curl_multi_init();
  if (multi == NULL) return NULL;
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, h);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, watch_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, h);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)h->config.kept);
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
  return multi;
}

/* All connections go with it. */
static void drop_multi(coord__http *h) {
  curl_multi_cleanup(h->multi);
  h->multi = NULL;
  coord__timer_stop(h->config.loop, &h->timer);
}

/* Connections beyond what was needed at once since the last look go as requests end: libcurl closes
 * the one that has rested longest. Without requests all go. */
static void on_tidy(coord__timer *timer) {
  coord__http *h = COORD__CONTAINER(timer, coord__http, tidy);
  size_t kept = h->busiest < h->config.kept ? h->busiest : h->config.kept;
  h->busiest = h->busy;
  if (kept == 0 && h->busy == 0) {
    drop_multi(h);
    return;
  }
  curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)(kept > 0 ? kept : 1));
  coord__timer_set(h->config.loop, &h->tidy, coord__clock_ns() + h->config.idle_ns);
}

coord__http *coord__http_open(const coord__http_config *config) {
  coord__http *h = coord__calloc(1, sizeof *h);
  if (h == NULL) return NULL;
  h->config = *config;
  h->timer.fire = on_timer;
  h->tidy.fire = on_tidy;
  h->work.run = work;
  coord__list_init(&h->sockets);
  coord__list_init(&h->open);
  coord__list_init(&h->news);
  static char accept[] = "Accept: application/json";
  static char type[] = "Content-Type: application/json";
  static char expect[] = "Expect:"; /* a large body does not wait for leave */
  h->fixed[0] = (struct curl_slist){accept, &h->fixed[1]};
  h->fixed[1] = (struct curl_slist){type, &h->fixed[2]};
  h->fixed[2] = (struct curl_slist){expect, NULL};
  return h;
}

void coord__http_close(coord__http *h) {
  if (h->gone != NULL) *h->gone = true;
  while (!coord__list_empty(&h->open)) {
    coord__http_abandon(COORD__CONTAINER(h->open.next, coord__http_request, link));
  }
  while (h->spare_count > 0) curl_easy_cleanup(h->spare[--h->spare_count]);
  if (h->multi != NULL) drop_multi(h);
  coord__timer_stop(h->config.loop, &h->tidy);
  coord__idle_cancel(&h->work);
  while (!coord__list_empty(&h->sockets)) {
    drop_socket(COORD__CONTAINER(h->sockets.next, http_socket, link));
  }
  coord__free(h);
}

bool coord__http_start(coord__http *h, coord__http_request *r) {
  if (h->multi == NULL) h->multi = new_multi(h);
  if (h->multi == NULL) return false;
  CURL *easy = h->spare_count > 0 ? h->spare[--h->spare_count] : curl_easy_init();
  if (easy == NULL) return false;
  r->http = h;
  r->easy = easy;
  r->status = 0;
  r->given = 0;
  r->held = r->stopped = r->too_large = r->no_memory = false;
  r->error[0] = r->content_type[0] = '\0';
  set_connection(easy, h);
  set_request(easy, h, r);
  if (curl_multi_add_handle(h->multi, easy) != CURLM_OK) {
    curl_easy_cleanup(easy);
    r->easy = NULL;
    return false;
  }
  coord__list_append(&h->open, &r->link);
  if (++h->busy > h->busiest) h->busiest = h->busy;
  if (!h->tidy.node.is_in) {
    coord__timer_set(h->config.loop, &h->tidy, coord__clock_ns() + h->config.idle_ns);
  }
  h->kick = true;
  coord__loop_defer(h->config.loop, &h->work);
  return true;
}

void coord__http_abandon(coord__http_request *r) {
  if (r->easy != NULL) let_go(r);
}

void coord__http_pause(coord__http_request *r, bool paused) {
  r->held = paused;
  if (paused || !r->stopped || r->easy == NULL) return;
  r->stopped = false;
  curl_easy_pause(r->easy, CURLPAUSE_CONT);
  coord__loop_defer(r->http->config.loop, &r->http->work);
}
