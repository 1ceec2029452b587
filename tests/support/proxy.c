#include "support/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/etcd_inside.h"

enum { pairs_max = 64, pipe_size = 65536 };

/* One direction of a connection: what was read and waits to be written. */
typedef struct flow {
  int from;
  int to;
  size_t len;
  size_t at;
  int64_t due_ms;
  char bytes[pipe_size];
} flow;

typedef struct pair {
  int fds[2]; /* client, server */
  bool lossy; /* something was thrown away */
  flow up;
  flow down;
} pair;

struct t_proxy {
  int family;
  int port;
  int to_port;
  char dir[64]; /* of a unix socket; "" otherwise */
  char path[108];
  char endpoint[128];
  int listen_fd; /* -1: refuses */
  int wake_fd;
  pthread_t thread;
  pair *pairs[pairs_max];

  pthread_mutex_t lock; /* of all below */
  pthread_cond_t done;  /* an order has been carried out */
  bool stop;
  bool cut;
  bool refuse;
  bool stall;
  bool swallow;
  bool mute;
  bool (*admit)(void *arg, int from_port);
  void *admit_arg;
  int delay_ms;
  int trickle;
  int accepted;
  int64_t bytes_up;
  int64_t bytes_down;
  uint64_t orders;
  uint64_t carried_out;
};

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

static int listen_at(const void *address, socklen_t len) {
  const struct sockaddr *at = address;
  int on = 1;
  int fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (at->sa_family != AF_UNIX) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (fd >= 0 && bind(fd, at, len) == 0 && listen(fd, 64) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

static int listen_on(const t_proxy *proxy, int port) {
  struct sockaddr_in ipv4 = loopback(port);
  struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons((uint16_t)port),
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  struct sockaddr_un file = {.sun_family = AF_UNIX};
  switch (proxy->family) {
    case AF_INET6:
      return listen_at(&ipv6, sizeof ipv6);
    case AF_UNIX:
      unlink(proxy->path);
      memcpy(file.sun_path, proxy->path, sizeof file.sun_path);
      return listen_at(&file, sizeof file);
    default:
      return listen_at(&ipv4, sizeof ipv4);
  }
}

/* Not a port of the kernel's choice: it must still be free when refusing ends. */
static int listen_anywhere(t_proxy *proxy) {
  for (int i = 0; i < 100; i++) {
    proxy->port = t_free_port();
    int fd = listen_on(proxy, proxy->port);
    if (fd >= 0) return fd;
  }
  return -1;
}

static void drop_pair(t_proxy *proxy, int i) {
  struct linger abrupt = {1, 0};
  for (int side = 0; side < 2; side++) {
    setsockopt(proxy->pairs[i]->fds[side], SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
    close(proxy->pairs[i]->fds[side]);
  }
  free(proxy->pairs[i]);
  proxy->pairs[i] = NULL;
}

static void drop_all(t_proxy *proxy) {
  for (int i = 0; i < pairs_max; i++) {
    if (proxy->pairs[i]) drop_pair(proxy, i);
  }
}

static bool is_admitted(t_proxy *proxy, int fd) {
  struct sockaddr_in from = {.sin_port = 0};
  socklen_t len = sizeof from;
  struct linger abrupt = {1, 0};
  if (!proxy->admit) return true;
  getpeername(fd, (struct sockaddr *)&from, &len);
  if (proxy->admit(proxy->admit_arg, ntohs(from.sin_port))) return true;
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
  close(fd);
  return false;
}

static void accept_one(t_proxy *proxy) {
  struct sockaddr_in to = loopback(proxy->to_port);
  int on = 1;
  int client = accept4(proxy->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client < 0 || !is_admitted(proxy, client)) return;
  int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int free_slot = 0;
  while (free_slot < pairs_max && proxy->pairs[free_slot]) free_slot++;
  pair *p = calloc(1, sizeof *p);
  if (!p || free_slot == pairs_max) abort();
  p->fds[0] = p->up.from = p->down.to = client;
  p->fds[1] = p->up.to = p->down.from = server;
  proxy->pairs[free_slot] = p;
  proxy->accepted++;
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(server, (struct sockaddr *)&to, sizeof to) != 0) drop_pair(proxy, free_slot);
}

/* False: this direction has ended, and with it the connection. */
static bool move(t_proxy *proxy, flow *f, int64_t *counter, bool *lossy) {
  if (f->at == f->len) {
    size_t most = proxy->trickle > 0 ? (size_t)proxy->trickle : sizeof f->bytes;
    ssize_t n = recv(f->from, f->bytes, most, MSG_DONTWAIT);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    f->at = 0;
    f->len = (size_t)n;
    f->due_ms = t_now_ms() + proxy->delay_ms + (proxy->trickle > 0 ? 1 : 0);
  }
  if (proxy->swallow || (proxy->mute && counter == &proxy->bytes_down)) {
    f->at = f->len;
    *lossy = true;
    return true;
  }
  if (t_now_ms() < f->due_ms) return true;
  ssize_t n = send(f->to, f->bytes + f->at, f->len - f->at, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  f->at += (size_t)n;
  *counter += n;
  return true;
}

/* What to wait for next; shortens the wait when a piece is to be sent later. */
static void watch_flow(const flow *f, struct pollfd *from, struct pollfd *to, int *wait_ms) {
  int64_t left = f->due_ms - t_now_ms();
  if (f->at == f->len) {
    from->events |= POLLIN;
  } else if (left <= 0) {
    to->events |= POLLOUT;
  } else if (left < *wait_ms) {
    *wait_ms = (int)left;
  }
}

static void carry_out_orders(t_proxy *proxy) {
  for (int i = 0; !proxy->swallow && !proxy->mute && i < pairs_max; i++) {
    if (proxy->pairs[i] && proxy->pairs[i]->lossy) drop_pair(proxy, i);
  }
  if (proxy->cut || proxy->refuse) drop_all(proxy);
  proxy->cut = false;
  if (proxy->refuse && proxy->listen_fd >= 0) {
    close(proxy->listen_fd);
    proxy->listen_fd = -1;
  } else if (!proxy->refuse && proxy->listen_fd < 0) {
    proxy->listen_fd = listen_on(proxy, proxy->port);
    if (proxy->listen_fd < 0) abort();
  }
  proxy->carried_out = proxy->orders;
  pthread_cond_broadcast(&proxy->done);
}

static int prepare(t_proxy *proxy, struct pollfd *fds) {
  int wait_ms = 60000;
  fds[0] = (struct pollfd){proxy->wake_fd, POLLIN, 0};
  fds[1] = (struct pollfd){proxy->stall ? -1 : proxy->listen_fd, POLLIN, 0};
  for (int i = 0; i < pairs_max; i++) {
    struct pollfd *client = &fds[2 + 2 * i], *server = client + 1;
    pair *p = proxy->stall ? NULL : proxy->pairs[i];
    *client = (struct pollfd){p ? p->fds[0] : -1, 0, 0};
    *server = (struct pollfd){p ? p->fds[1] : -1, 0, 0};
    if (!p) continue;
    watch_flow(&p->up, client, server, &wait_ms);
    watch_flow(&p->down, server, client, &wait_ms);
  }
  return wait_ms;
}

static void forward(t_proxy *proxy) {
  for (int i = 0; i < pairs_max; i++) {
    pair *p = proxy->pairs[i];
    if (!p) continue;
    bool alive = move(proxy, &p->up, &proxy->bytes_up, &p->lossy);
    alive &= move(proxy, &p->down, &proxy->bytes_down, &p->lossy);
    if (!alive && proxy->swallow) continue; /* nor does the end of a connection pass */
    if (!alive) drop_pair(proxy, i);
  }
}

static void *serve(void *arg) {
  t_proxy *proxy = arg;
  struct pollfd fds[2 + 2 * pairs_max];
  pthread_mutex_lock(&proxy->lock);
  while (!proxy->stop) {
    int wait_ms = prepare(proxy, fds);
    pthread_mutex_unlock(&proxy->lock);
    if (poll(fds, sizeof fds / sizeof *fds, wait_ms) < 0 && errno != EINTR) abort();
    pthread_mutex_lock(&proxy->lock);
    eventfd_t ignored;
    if (fds[0].revents & POLLIN) eventfd_read(proxy->wake_fd, &ignored);
    if (proxy->carried_out < proxy->orders) carry_out_orders(proxy);
    if (proxy->stall) continue;
    if (proxy->listen_fd >= 0) accept_one(proxy);
    forward(proxy);
  }
  drop_all(proxy);
  pthread_mutex_unlock(&proxy->lock);
  return NULL;
}

static t_proxy *start(t_proxy *proxy, int to_port) {
  proxy->to_port = to_port;
  proxy->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  T_FATAL(proxy->listen_fd >= 0 && proxy->wake_fd >= 0);
  pthread_mutex_init(&proxy->lock, NULL);
  pthread_cond_init(&proxy->done, NULL);
  T_FATAL(pthread_create(&proxy->thread, NULL, serve, proxy) == 0);
  return proxy;
}

static t_proxy *make(int family) {
  t_proxy *proxy = calloc(1, sizeof *proxy);
  T_FATAL(proxy != NULL);
  proxy->family = family;
  return proxy;
}

t_proxy *t_proxy_start(int to_port) {
  t_proxy *proxy = make(AF_INET);
  proxy->listen_fd = listen_anywhere(proxy);
  snprintf(proxy->endpoint, sizeof proxy->endpoint, "127.0.0.1:%d", proxy->port);
  return start(proxy, to_port);
}

t_proxy *t_proxy_start_ipv6(int to_port) {
  t_proxy *proxy = make(AF_INET6);
  proxy->listen_fd = listen_anywhere(proxy);
  if (proxy->listen_fd < 0) {
    free(proxy);
    return NULL;
  }
  snprintf(proxy->endpoint, sizeof proxy->endpoint, "[::1]:%d", proxy->port);
  return start(proxy, to_port);
}

t_proxy *t_proxy_start_unix(int to_port) {
  t_proxy *proxy = make(AF_UNIX);
  const char *root = getenv("TMPDIR");
  snprintf(proxy->dir, sizeof proxy->dir, "%s/coord-test-XXXXXX", root && *root ? root : "/tmp");
  T_FATAL(mkdtemp(proxy->dir) != NULL);
  snprintf(proxy->path, sizeof proxy->path, "%s/socket", proxy->dir);
  snprintf(proxy->endpoint, sizeof proxy->endpoint, "unix://%s", proxy->path);
  proxy->listen_fd = listen_on(proxy, 0);
  return start(proxy, to_port);
}

void t_proxy_stop(t_proxy *proxy) {
  pthread_mutex_lock(&proxy->lock);
  proxy->stop = true;
  pthread_mutex_unlock(&proxy->lock);
  eventfd_write(proxy->wake_fd, 1);
  pthread_join(proxy->thread, NULL);
  if (proxy->listen_fd >= 0) close(proxy->listen_fd);
  close(proxy->wake_fd);
  if (proxy->family == AF_UNIX) {
    unlink(proxy->path);
    rmdir(proxy->dir);
  }
  pthread_mutex_destroy(&proxy->lock);
  pthread_cond_destroy(&proxy->done);
  free(proxy);
}

/* Called with the lock held: wakes the thread and waits until it has obeyed. */
static void order(t_proxy *proxy) {
  uint64_t number = ++proxy->orders;
  eventfd_write(proxy->wake_fd, 1);
  while (proxy->carried_out < number) pthread_cond_wait(&proxy->done, &proxy->lock);
}

int t_proxy_port(const t_proxy *proxy) { return proxy->port; }

const char *t_proxy_endpoint(const t_proxy *proxy) { return proxy->endpoint; }

void t_proxy_cut(t_proxy *proxy) {
  pthread_mutex_lock(&proxy->lock);
  proxy->cut = true;
  order(proxy);
  pthread_mutex_unlock(&proxy->lock);
}

static void set_flag(t_proxy *proxy, bool *flag, bool on) {
  pthread_mutex_lock(&proxy->lock);
  *flag = on;
  order(proxy);
  pthread_mutex_unlock(&proxy->lock);
}

void t_proxy_refuse(t_proxy *proxy, bool on) { set_flag(proxy, &proxy->refuse, on); }

void t_proxy_stall(t_proxy *proxy, bool on) { set_flag(proxy, &proxy->stall, on); }

void t_proxy_swallow(t_proxy *proxy, bool on) { set_flag(proxy, &proxy->swallow, on); }

void t_proxy_mute(t_proxy *proxy, bool on) { set_flag(proxy, &proxy->mute, on); }

void t_proxy_admit(t_proxy *proxy, bool (*admit)(void *arg, int from_port), void *arg) {
  pthread_mutex_lock(&proxy->lock);
  proxy->admit = admit;
  proxy->admit_arg = arg;
  pthread_mutex_unlock(&proxy->lock);
}

static void set_number(t_proxy *proxy, int *number, int value) {
  pthread_mutex_lock(&proxy->lock);
  *number = value;
  order(proxy);
  pthread_mutex_unlock(&proxy->lock);
}

void t_proxy_delay(t_proxy *proxy, int ms) { set_number(proxy, &proxy->delay_ms, ms); }

void t_proxy_trickle(t_proxy *proxy, int bytes) { set_number(proxy, &proxy->trickle, bytes); }

int t_proxy_connections(t_proxy *proxy) {
  pthread_mutex_lock(&proxy->lock);
  int n = proxy->accepted;
  pthread_mutex_unlock(&proxy->lock);
  return n;
}

static int64_t read_bytes(t_proxy *proxy, const int64_t *counter) {
  pthread_mutex_lock(&proxy->lock);
  int64_t n = *counter;
  pthread_mutex_unlock(&proxy->lock);
  return n;
}

int64_t t_proxy_bytes_up(t_proxy *proxy) { return read_bytes(proxy, &proxy->bytes_up); }

int64_t t_proxy_bytes_down(t_proxy *proxy) { return read_bytes(proxy, &proxy->bytes_down); }
