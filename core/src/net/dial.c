#include "net/dial.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "net/conn_tls.h"
#include "net/proxy.h"

/* One for the loop: libcurl's multi handle, driven by the loop's epoll and timers. */
typedef struct dialer {
  coord__loop *loop;
  CURLM *multi;
  coord__timer timer;
  coord__idle check; /* look for finished dials outside of libcurl's callbacks */
} dialer;

/* A dial has at most two connections on the way (IPv6 and IPv4) and a resolver. */
enum { SOCKETS = 6, FAULT = COORD__PROXY_FAULT };
static const int64_t VERDICT_NS = 200 * COORD__NS_PER_MS;

typedef struct dial_socket {
  coord__io io; /* events 0: the slot is free */
  dialer *owner;
} dial_socket;

struct coord__dial {
  dialer *owner;
  CURL *easy;
  coord__dialed_fn done;
  void *user;
  coord__timer patience;
  coord__tls *tls;      /* NULL: none */
  coord__conn *shaking; /* while the handshake goes on */
  coord__timer verdict; /* when to stop waiting for the server's word on our certificate */
  char host[256];
  bool http1;
  int timeout_ms;
  int tcp_user_timeout_ms;
  char proxy[COORD__PROXY_NAME]; /* "": none */
  dial_socket sockets[SOCKETS];
  char error[CURL_ERROR_SIZE];
};

/* ---- driving libcurl from the loop ---- */

static void act(dialer *d, curl_socket_t fd, int mask) {
  int running;
  curl_multi_socket_action(d->multi, fd, mask, &running);
  coord__loop_defer(d->loop, &d->check);
}

static void on_socket(coord__io *io, uint32_t events) {
  dial_socket *s = COORD__CONTAINER(io, dial_socket, io);
  int mask = 0;
  if (events & (EPOLLIN | EPOLLHUP)) mask |= CURL_CSELECT_IN;
  if (events & EPOLLOUT) mask |= CURL_CSELECT_OUT;
  if (events & EPOLLERR) mask |= CURL_CSELECT_ERR;
  act(s->owner, io->fd, mask);
}

static dial_socket *free_slot(CURL *easy) {
  coord__dial *dial = NULL;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&dial);
  for (int i = 0; dial != NULL && i < SOCKETS; i++) {
    if (dial->sockets[i].io.events == 0) return &dial->sockets[i];
  }
  return NULL;
}

/* Always 0: libcurl does not survive a refusal (7.88 crashes). A socket that cannot be watched lets
 * its dial run into its time limit. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *assigned) {
  dialer *d = user;
  dial_socket *s = assigned;
  if (what == CURL_POLL_REMOVE) {
    if (s != NULL) {
      coord__io_set(d->loop, &s->io, 0);
      curl_multi_assign(d->multi, fd, NULL);
    }
    return 0;
  }
  if (s == NULL) {
    s = free_slot(easy);
    if (s == NULL) return 0;
    *s = (dial_socket){.owner = d, .io = {.fd = fd, .ready = on_socket}};
    curl_multi_assign(d->multi, fd, s);
  }
  uint32_t events = 0;
  if (what & CURL_POLL_IN) events |= EPOLLIN;
  if (what & CURL_POLL_OUT) events |= EPOLLOUT;
  coord__io_set(d->loop, &s->io, events);
  return 0;
}

static int watch_timer(CURLM *multi, long timeout_ms, void *user) {
  (void)multi;
  dialer *d = user;
  if (timeout_ms < 0) {
    coord__timer_stop(d->loop, &d->timer);
    return 0;
  }
  coord__timer_set(d->loop, &d->timer, coord__clock_ns() + timeout_ms * COORD__NS_PER_MS);
  return 0;
}

static void on_timer(coord__timer *timer) {
  act(COORD__CONTAINER(timer, dialer, timer), CURL_SOCKET_TIMEOUT, 0);
}

/* ---- the end of a dial ---- */

static void free_dial(coord__dial *dial) {
  coord__timer_stop(dial->owner->loop, &dial->patience);
  coord__timer_stop(dial->owner->loop, &dial->verdict);
  /* Before libcurl closes them: it says so afterwards, when another thread may have the number. */
  for (int i = 0; i < SOCKETS; i++) coord__io_set(dial->owner->loop, &dial->sockets[i].io, 0);
  curl_multi_remove_handle(dial->owner->multi, dial->easy);
  curl_easy_cleanup(dial->easy);
  if (dial->shaking != NULL) coord__conn_close(dial->shaking);
  coord__tls_release(dial->tls);
  coord__free(dial);
}

static coord_code code_of(CURLcode rc) {
  switch (rc) {
    case CURLE_OPERATION_TIMEDOUT:
      return COORD_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
      return COORD_NO_MEMORY;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return COORD_INVALID;
    default:
      return COORD_UNAVAILABLE;
  }
}

static void tune(int fd, int tcp_user_timeout_ms) {
  /* Best effort: a unix socket knows none of these. */
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (tcp_user_timeout_ms > 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &tcp_user_timeout_ms, sizeof tcp_user_timeout_ms);
  }
}

/* The connected socket as our own descriptor: libcurl closes its copy with the handle. */
static coord__conn *take_over(coord__dial *dial, coord_error **err) {
  curl_socket_t fd = CURL_SOCKET_BAD;
  curl_easy_getinfo(dial->easy, CURLINFO_ACTIVESOCKET, &fd);
  int own = fd == CURL_SOCKET_BAD ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (own < 0) {
    coord__fail(err, COORD_EXHAUSTED, "no descriptor for a connection: %s", strerror(errno));
    return NULL;
  }
  tune(own, dial->tcp_user_timeout_ms);
  coord__conn *conn = dial->tls == NULL ? coord__conn_plain(dial->owner->loop, own)
                                        : coord__conn_tls(dial->owner->loop, own, dial->tls,
                                                          dial->host, dial->http1);
  if (conn == NULL) {
    close(own);
    coord__no_memory(err);
  }
  return conn;
}

/* How far it came says what did not answer. */
static const char *tell_timeout(const coord__dial *dial, char out[FAULT]) {
  double resolved = 0;
  double connected = 0;
  const char *what = "the connection was not accepted";
  curl_easy_getinfo(dial->easy, CURLINFO_NAMELOOKUP_TIME, &resolved);
  curl_easy_getinfo(dial->easy, CURLINFO_CONNECT_TIME, &connected);
  if (resolved <= 0) {
    what = "the name was not resolved";
  } else if (connected > 0 || dial->proxy[0] != '\0') {
    what = "there was no answer";
  }
  snprintf(out, FAULT, "%s within %d ms (connect.timeout.ms)", what, dial->timeout_ms);
  return out;
}

/* The system's word where there is one: libcurl's repeats the address. */
static const char *reason(const coord__dial *dial, CURLcode rc, char out[FAULT]) {
  long os_errno = 0;
  if (rc == CURLE_OPERATION_TIMEDOUT) return tell_timeout(dial, out);
  curl_easy_getinfo(dial->easy, CURLINFO_OS_ERRNO, &os_errno);
  if (rc == CURLE_COULDNT_CONNECT && os_errno != 0) return strerror((int)os_errno);
  return dial->error[0] != '\0' ? dial->error : curl_easy_strerror(rc);
}

static coord_code explain(const coord__dial *dial, CURLcode rc, coord_error **err) {
  char fault[FAULT];
  coord_code code = code_of(rc);
  if (dial->proxy[0] == '\0') {
    return coord__fail(err, code, "cannot connect: %s", reason(dial, rc, fault));
  }
  long status = 0;
  long said = 0;
  curl_easy_getinfo(dial->easy, CURLINFO_HTTP_CONNECTCODE, &status);
  if (rc == CURLE_PROXY) curl_easy_getinfo(dial->easy, CURLINFO_PROXY_ERROR, &said);
  const char *told = coord__proxy_fault(status, said, &code, fault);
  if (told == NULL) told = reason(dial, rc, fault);
  return coord__fail(err, code, "cannot connect through the proxy %s: %s", dial->proxy, told);
}

static void conclude(coord__dial *dial, coord__conn *conn, coord_code code, coord_error *err) {
  coord__dialed_fn done = dial->done;
  void *user = dial->user;
  free_dial(dial);
  done(user, conn, code, err);
}

static void conclude_shaken(coord__dial *dial) {
  coord__conn *conn = dial->shaking;
  dial->shaking = NULL;
  conclude(dial, conn, COORD_OK, NULL);
}

static void on_verdict(coord__timer *timer) {
  conclude_shaken(COORD__CONTAINER(timer, coord__dial, verdict));
}

static void shake(coord__dial *dial) {
  coord__loop *loop = dial->owner->loop;
  coord_error *err = NULL;
  coord__conn *conn = dial->shaking;
  uint32_t events = 0;
  coord__io_status status = coord__conn_tls_shake(conn, &events);
  if (status == COORD__IO_AGAIN) {
    if (coord__conn_tls_may_be_used(conn) && !dial->verdict.node.is_in) {
      coord__timer_set(loop, &dial->verdict, coord__loop_now_ns(loop) + VERDICT_NS);
    }
    if (coord__io_set(loop, &conn->io, events)) return;
    coord__fail(&err, COORD_EXHAUSTED, "the connection cannot be watched");
    conclude(dial, NULL, COORD_EXHAUSTED, err);
  } else if (status == COORD__IO_OK) {
    conclude_shaken(dial);
  } else {
    coord_code code = coord__fail(&err, conn->code, "%s", conn->why);
    conclude(dial, NULL, code, err);
  }
}

static void on_shaking(coord__io *io, uint32_t events) {
  (void)events;
  shake(COORD__CONTAINER(io, coord__conn, io)->owner);
}

/* libcurl has done its part. */
static void finish(coord__dial *dial, CURLcode rc) {
  coord_error *err = NULL;
  coord__conn *conn = NULL;
  coord_code code = rc == CURLE_OK ? COORD_OK : explain(dial, rc, &err);
  if (code == COORD_OK && dial->tls != NULL) code = coord__tls_load(dial->tls, COORD_TLS, &err);
  if (code == COORD_OK) {
    conn = take_over(dial, &err);
    if (conn == NULL) code = err != NULL ? err->code : COORD_NO_MEMORY;
  }
  if (conn == NULL || dial->tls == NULL) {
    conclude(dial, conn, code, err);
    return;
  }
  dial->shaking = conn;
  conn->owner = dial;
  conn->io.ready = on_shaking;
  shake(dial);
}

/* libcurl has the same limit; this one is ahead of the caller's own, which knows less. */
static void on_patience(coord__timer *timer) {
  coord__dial *dial = COORD__CONTAINER(timer, coord__dial, patience);
  coord_error *err = NULL;
  if (dial->shaking == NULL) {
    finish(dial, CURLE_OPERATION_TIMEDOUT);
    return;
  }
  coord__fail(&err, COORD_TIMEOUT,
              "the TLS handshake was not answered within %d ms (connect.timeout.ms)",
              dial->timeout_ms);
  conclude(dial, NULL, COORD_TIMEOUT, err);
}

static void check_finished(coord__idle *idle) {
  dialer *d = COORD__CONTAINER(idle, dialer, check);
  int left;
  for (CURLMsg *msg; (msg = curl_multi_info_read(d->multi, &left)) != NULL;) {
    if (msg->msg != CURLMSG_DONE) continue;
    coord__dial *dial = NULL;
    CURLcode rc = msg->data.result;
    curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&dial);
    finish(dial, rc);
  }
}

/* ---- the dialer ---- */

static void destroy_dialer(void *shared) {
  dialer *d = shared;
  curl_multi_cleanup(d->multi);
  coord__timer_stop(d->loop, &d->timer);
  coord__idle_cancel(&d->check);
  coord__free(d);
}

void coord__dial_prepare(void) {
  coord__tls_prepare(); /* first: libcurl may set up the same library in another way */
  curl_global_init(CURL_GLOBAL_DEFAULT);
}

static dialer *get_dialer(coord__loop *loop) {
  dialer *d = coord__loop_get_shared(loop);
  if (d != NULL) return d;
  d = coord__calloc(1, sizeof *d);
  if (d == NULL) return NULL;
  d->multi = curl_multi_init();
  if (d->multi == NULL) {
    coord__free(d);
    return NULL;
  }
  d->loop = loop;
  d->timer.fire = on_timer;
  d->check.run = check_finished;
  curl_multi_setopt(d->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
  curl_multi_setopt(d->multi, CURLMOPT_SOCKETDATA, d);
  curl_multi_setopt(d->multi, CURLMOPT_TIMERFUNCTION, watch_timer);
  curl_multi_setopt(d->multi, CURLMOPT_TIMERDATA, d);
  coord__loop_set_shared(loop, d, destroy_dialer);
  return d;
}

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *a) {
  (void)user;
  (void)purpose;
  return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static void configure(coord__dial *dial, const coord__dial_target *t) {
  CURL *e = dial->easy;
  char url[512];
  bool ipv6 = t->unix_path == NULL && strchr(t->host, ':') != NULL;
  snprintf(url, sizeof url, ipv6 ? "http://[%s]:%d" : "http://%s:%d",
           t->unix_path != NULL ? "localhost" : t->host, t->unix_path != NULL ? 80 : t->port);
  curl_easy_setopt(e, CURLOPT_URL, url);
  curl_easy_setopt(e, CURLOPT_CONNECT_ONLY, 1L);
  curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
  /* Without it the end of a dial waits for the resolver's thread, for seconds. */
  curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)t->timeout_ms);
  curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)t->timeout_ms);
  curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  /* Set even when empty: otherwise libcurl reads the environment. A unix socket needs none. */
  curl_easy_setopt(e, CURLOPT_PROXY, dial->proxy[0] != '\0' ? t->proxy : "");
  curl_easy_setopt(e, CURLOPT_NOPROXY, "");
  curl_easy_setopt(e, CURLOPT_HTTPPROXYTUNNEL, 1L);
  curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (t->unix_path != NULL) curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, t->unix_path);
  /* What failed to connect must be resolved anew: addresses move. */
  curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
  curl_easy_setopt(e, CURLOPT_ERRORBUFFER, dial->error);
  curl_easy_setopt(e, CURLOPT_PRIVATE, dial);
}

coord__dial *coord__dial_start(coord__loop *loop, const coord__dial_target *target,
                               coord__dialed_fn done, void *user) {
  dialer *d = get_dialer(loop);
  if (d == NULL) return NULL;
  coord__dial *dial = coord__calloc(1, sizeof *dial);
  if (dial == NULL) return NULL;
  dial->easy = curl_easy_init();
  if (dial->easy == NULL) {
    coord__free(dial);
    return NULL;
  }
  dial->owner = d;
  dial->done = done;
  dial->user = user;
  dial->timeout_ms = (int)target->timeout_ms;
  dial->tcp_user_timeout_ms = target->tcp_user_timeout_ms;
  dial->patience.fire = on_patience;
  dial->verdict.fire = on_verdict;
  if (target->tls != NULL) dial->tls = coord__tls_retain(target->tls);
  dial->http1 = target->http1;
  snprintf(dial->host, sizeof dial->host, "%s",
           target->unix_path != NULL ? "localhost" : target->host);
  if (target->unix_path == NULL && target->proxy != NULL && target->proxy[0] != '\0') {
    coord__proxy_name(target->proxy, dial->proxy);
  }
  configure(dial, target);
  if (curl_multi_add_handle(d->multi, dial->easy) != CURLM_OK) {
    curl_easy_cleanup(dial->easy);
    coord__tls_release(dial->tls);
    coord__free(dial);
    return NULL;
  }
  coord__timer_set(loop, &dial->patience,
                   coord__clock_ns() + target->timeout_ms * COORD__NS_PER_MS);
  return dial;
}

void coord__dial_cancel(coord__dial *dial) { free_dial(dial); }
