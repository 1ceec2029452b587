#include "support/tunnel.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { clients_max = 256, head_size = 4096, piece_size = 65536 };

/* One thread to each. The descriptors stay open until the proxy stops, shut down at the most: then
 * no number is used again while another thread may look at it. */
typedef struct client {
  t_tunnel *tunnel;
  pthread_t thread;
  int fd;
  int to_fd; /* -1: no way yet */
} client;

struct t_tunnel {
  t_tunnel_script script;
  char address[32];
  int listen_fd;
  pthread_t thread;

  pthread_mutex_t lock; /* of all below */
  client clients[clients_max];
  int accepted;
  int made;
  char target[256];
};

static void say(int fd, const void *p, size_t n) { (void)!send(fd, p, n, MSG_NOSIGNAL); }

static bool read_all(int fd, void *p, size_t n) {
  return n == 0 || recv(fd, p, n, MSG_WAITALL) == (ssize_t)n;
}

/* A way to where the client wants; -1 when there is none. IPv6 only by "::1". */
static int open_way(client *c, const char *host, int port) {
  t_tunnel *t = c->tunnel;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  pthread_mutex_lock(&t->lock);
  snprintf(t->target, sizeof t->target, "%s:%d", host, port);
  pthread_mutex_unlock(&t->lock);
  if (t->script.alias && strcmp(host, t->script.alias) == 0) host = "127.0.0.1";
  if (inet_pton(AF_INET, host, &to.sin_addr) != 1) return -1;
  int on = 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
    close(fd);
    return -1;
  }
  pthread_mutex_lock(&t->lock);
  c->to_fd = fd;
  t->made++;
  pthread_mutex_unlock(&t->lock);
  return fd;
}

/* --- CONNECT ------------------------------------------------------------------------------------- */

static void base64(const char *text, char *out) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t n = strlen(text);
  for (size_t i = 0; i < n; i += 3) {
    unsigned bits = (unsigned)(unsigned char)text[i] << 16u;
    if (i + 1 < n) bits |= (unsigned)(unsigned char)text[i + 1] << 8u;
    if (i + 2 < n) bits |= (unsigned char)text[i + 2];
    for (size_t j = 0; j < 4; j++) *out++ = i + j > n ? '=' : digits[bits >> (18 - 6 * j) & 63];
  }
  *out = '\0';
}

static bool http_may(const t_tunnel_script *script, const char *head) {
  char pair[256], code[400], line[512];
  if (!script->user) return true;
  snprintf(pair, sizeof pair, "%s:%s", script->user, script->password);
  base64(pair, code);
  snprintf(line, sizeof line, "\r\nProxy-Authorization: Basic %s\r\n", code);
  return strstr(head, line) != NULL;
}

static void answer(int fd, const char *status) {
  char text[256];
  snprintf(text, sizeof text, "HTTP/1.1 %s\r\n%s\r\n", status,
           strncmp(status, "407", 3) == 0 ? "Proxy-Authenticate: Basic realm=\"test\"\r\n"
                                            "Content-Length: 0\r\nConnection: close\r\n"
                                          : "");
  say(fd, text, strlen(text));
}

/* Byte by byte: what follows the head is not for the proxy. */
static bool http_opens(client *c) {
  char head[head_size];
  char host[256];
  int port = 0;
  size_t n = 0;
  while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0) {
    if (n + 1 >= sizeof head || recv(c->fd, head + n, 1, 0) != 1) return false;
    if (head[n++] < ' ' && n == 1) break; /* no HTTP at all */
  }
  head[n] = '\0';
  const t_tunnel_script *script = &c->tunnel->script;
  if (sscanf(head, "CONNECT %255[^: ]:%d HTTP/1.", host, &port) != 2) {
    answer(c->fd, "400 Bad Request");
  } else if (!http_may(script, head)) {
    answer(c->fd, "407 Proxy Authentication Required");
  } else if (script->status) {
    answer(c->fd, script->status);
  } else if (open_way(c, host, port) < 0) {
    answer(c->fd, "503 Service Unavailable");
  } else {
    answer(c->fd, "200 Connection established");
    return true;
  }
  return false;
}

/* --- SOCKS5 (RFC 1928, 1929) ----------------------------------------------------------------------- */

static bool socks_text(int fd, char text[256]) {
  unsigned char n;
  if (!read_all(fd, &n, 1) || !read_all(fd, text, n)) return false;
  text[n] = '\0';
  return true;
}

static bool socks_may(client *c) {
  const t_tunnel_script *script = &c->tunnel->script;
  unsigned char hello[2], wanted = script->user ? 2 : 0;
  char methods[256], user[256], password[256];
  if (!read_all(c->fd, hello, 2) || hello[0] != 5 || !read_all(c->fd, methods, hello[1])) {
    return false;
  }
  if (!memchr(methods, wanted, hello[1])) {
    say(c->fd, "\5\xff", 2);
    return false;
  }
  say(c->fd, wanted == 2 ? "\5\2" : "\5\0", 2);
  if (wanted == 0) return true;
  if (!read_all(c->fd, hello, 1) || !socks_text(c->fd, user) || !socks_text(c->fd, password)) {
    return false;
  }
  bool good = strcmp(user, script->user) == 0 && strcmp(password, script->password) == 0;
  say(c->fd, good ? "\1\0" : "\1\1", 2);
  return good;
}

static bool socks_opens(client *c) {
  unsigned char request[4], raw[16], port[2];
  char host[256] = "";
  if (!socks_may(c) || !read_all(c->fd, request, 4) || request[1] != 1) return false;
  if (request[3] == 3) {
    if (!socks_text(c->fd, host)) return false;
  } else {
    int family = request[3] == 4 ? AF_INET6 : AF_INET;
    if (!read_all(c->fd, raw, family == AF_INET6 ? 16 : 4)) return false;
    inet_ntop(family, raw, host, sizeof host);
  }
  if (!read_all(c->fd, port, 2)) return false;
  unsigned char reply[10] = {5, (unsigned char)c->tunnel->script.reply, 0, 1};
  if (reply[1] == 0 && open_way(c, host, port[0] << 8 | port[1]) < 0) reply[1] = 4;
  say(c->fd, reply, sizeof reply);
  return reply[1] == 0;
}

/* --- The way ---------------------------------------------------------------------------------------- */

static bool pass(int from, int to, char *piece) {
  ssize_t n = recv(from, piece, piece_size, 0);
  for (ssize_t at = 0; n > 0 && at < n;) {
    ssize_t sent = send(to, piece + at, (size_t)(n - at), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    at += sent;
  }
  return n > 0;
}

static void forward(const client *c) {
  char *piece = malloc(piece_size);
  struct pollfd fds[2] = {{c->fd, POLLIN, 0}, {c->to_fd, POLLIN, 0}};
  for (bool open = piece != NULL; open;) {
    if (poll(fds, 2, -1) < 0) break;
    if (fds[0].revents) open = pass(c->fd, c->to_fd, piece);
    if (open && fds[1].revents) open = pass(c->to_fd, c->fd, piece);
  }
  free(piece);
}

static void shut(client *c) {
  if (c->to_fd >= 0) shutdown(c->to_fd, SHUT_RDWR);
  shutdown(c->fd, SHUT_RDWR);
}

static void *serve(void *arg) {
  client *c = arg;
  char unused;
  if (c->tunnel->script.silent) {
    while (recv(c->fd, &unused, 1, 0) > 0) {
    }
  } else if (c->tunnel->script.socks ? socks_opens(c) : http_opens(c)) {
    forward(c);
  }
  pthread_mutex_lock(&c->tunnel->lock);
  shut(c);
  pthread_mutex_unlock(&c->tunnel->lock);
  return NULL;
}

static void *accept_all(void *arg) {
  t_tunnel *t = arg;
  for (int fd; (fd = accept4(t->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    pthread_mutex_lock(&t->lock);
    if (t->accepted == clients_max) abort();
    client *c = &t->clients[t->accepted];
    *c = (client){.tunnel = t, .fd = fd, .to_fd = -1};
    if (pthread_create(&c->thread, NULL, serve, c) != 0) abort();
    t->accepted++;
    pthread_mutex_unlock(&t->lock);
  }
  return NULL;
}

/* --- From outside ------------------------------------------------------------------------------------ */

t_tunnel *t_tunnel_start(const t_tunnel_script *script) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t len = sizeof at;
  t_tunnel *t = calloc(1, sizeof *t);
  T_FATAL(t != NULL);
  t->script = *script;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  t->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  T_FATAL(bind(t->listen_fd, (struct sockaddr *)&at, sizeof at) == 0);
  T_FATAL(listen(t->listen_fd, 64) == 0);
  T_FATAL(getsockname(t->listen_fd, (struct sockaddr *)&at, &len) == 0);
  snprintf(t->address, sizeof t->address, "127.0.0.1:%d", ntohs(at.sin_port));
  pthread_mutex_init(&t->lock, NULL);
  T_FATAL(pthread_create(&t->thread, NULL, accept_all, t) == 0);
  return t;
}

const char *t_tunnel_address(const t_tunnel *t) { return t->address; }

static int read_number(t_tunnel *t, const int *number) {
  pthread_mutex_lock(&t->lock);
  int n = *number;
  pthread_mutex_unlock(&t->lock);
  return n;
}

int t_tunnel_connections(t_tunnel *t) { return read_number(t, &t->accepted); }

int t_tunnel_made(t_tunnel *t) { return read_number(t, &t->made); }

char *t_tunnel_target(t_tunnel *t, char target[256]) {
  pthread_mutex_lock(&t->lock);
  memcpy(target, t->target, sizeof t->target);
  pthread_mutex_unlock(&t->lock);
  return target;
}

void t_tunnel_cut(t_tunnel *t) {
  pthread_mutex_lock(&t->lock);
  for (int i = 0; i < t->accepted; i++) shut(&t->clients[i]);
  pthread_mutex_unlock(&t->lock);
}

void t_tunnel_stop(t_tunnel *t) {
  shutdown(t->listen_fd, SHUT_RDWR);
  pthread_join(t->thread, NULL);
  close(t->listen_fd);
  t_tunnel_cut(t);
  for (int i = 0; i < t->accepted; i++) {
    client *c = &t->clients[i];
    pthread_join(c->thread, NULL);
    if (c->to_fd >= 0) close(c->to_fd);
    close(c->fd);
  }
  pthread_mutex_destroy(&t->lock);
  free(t);
}
