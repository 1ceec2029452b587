#include "support/secure.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { guests_max = 256, piece_size = 16384, look_ms = 2 };

/* One thread to each; the descriptors are closed when the door stops. */
typedef struct guest {
  t_secure *secure;
  pthread_t thread;
  int fd;
  int to_fd;
  SSL *ssl;
  int keys_made;
} guest;

struct t_secure {
  char endpoint[48];
  int to_port;
  int listen_fd;
  pthread_t thread;
  SSL_CTX *context;

  pthread_mutex_t lock; /* of all below */
  guest guests[guests_max];
  int count;
  int goodbyes;
  bool stall;
  int new_keys;  /* how often they were ordered */
  int ends;      /* guests below this number are to go */
  bool politely; /* and how */
};

/* What a guest's thread is to do now. */
typedef struct orders {
  bool end;
  bool politely;
  bool stall;
  bool new_keys;
} orders;

static orders look(guest *g) {
  t_secure *s = g->secure;
  pthread_mutex_lock(&s->lock);
  orders o = {.end = g - s->guests < s->ends,
              .politely = s->politely,
              .stall = s->stall,
              .new_keys = g->keys_made < s->new_keys};
  g->keys_made = s->new_keys;
  pthread_mutex_unlock(&s->lock);
  return o;
}

static bool send_all(int fd, const char *p, size_t n) {
  while (n > 0) {
    ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    p += sent;
    n -= (size_t)sent;
  }
  return true;
}

static bool pass_up(guest *g, char *piece) {
  int n = SSL_read(g->ssl, piece, piece_size);
  if (n > 0) return send_all(g->to_fd, piece, (size_t)n);
  if (SSL_get_error(g->ssl, n) == SSL_ERROR_ZERO_RETURN) {
    pthread_mutex_lock(&g->secure->lock);
    g->secure->goodbyes++;
    pthread_mutex_unlock(&g->secure->lock);
  }
  return false;
}

static bool pass_down(guest *g, char *piece) {
  ssize_t n = recv(g->to_fd, piece, piece_size, 0);
  return n > 0 && SSL_write(g->ssl, piece, (int)n) == n;
}

static void forward(guest *g) {
  char *piece = malloc(piece_size);
  for (bool open = piece != NULL; open;) {
    orders o = look(g);
    if (o.end && o.politely) SSL_shutdown(g->ssl);
    if (o.end) break;
    if (o.new_keys) {
      SSL_key_update(g->ssl, SSL_KEY_UPDATE_REQUESTED);
      SSL_do_handshake(g->ssl);
    }
    struct pollfd fds[2] = {{o.stall ? -1 : g->fd, POLLIN, 0}, {g->to_fd, POLLIN, 0}};
    bool pending = !o.stall && SSL_pending(g->ssl) > 0;
    if (poll(fds, 2, pending ? 0 : look_ms) < 0) break;
    if (pending || fds[0].revents) open = pass_up(g, piece);
    if (open && fds[1].revents) open = pass_down(g, piece);
  }
  free(piece);
}

static bool open_way(guest *g) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)g->secure->to_port)};
  int on = 1;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(g->to_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return connect(g->to_fd, (struct sockaddr *)&to, sizeof to) == 0;
}

static void *serve(void *arg) {
  guest *g = arg;
  sigset_t pipes;
  sigemptyset(&pipes);
  sigaddset(&pipes, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipes, NULL);
  SSL_set_fd(g->ssl, g->fd);
  if (open_way(g) && SSL_accept(g->ssl) == 1) forward(g);
  ERR_clear_error();
  shutdown(g->fd, SHUT_RDWR);
  shutdown(g->to_fd, SHUT_RDWR);
  return NULL;
}

static void *accept_all(void *arg) {
  t_secure *s = arg;
  for (int fd; (fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    pthread_mutex_lock(&s->lock);
    if (s->count == guests_max) abort();
    guest *g = &s->guests[s->count];
    *g = (guest){.secure = s, .fd = fd, .ssl = SSL_new(s->context), .keys_made = s->new_keys};
    g->to_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!g->ssl || g->to_fd < 0 || pthread_create(&g->thread, NULL, serve, g) != 0) abort();
    s->count++;
    pthread_mutex_unlock(&s->lock);
  }
  return NULL;
}

/* --- From outside ------------------------------------------------------------------------------------ */

static int choose_http(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *unused) {
  static const unsigned char http[] = "\2h2\10http/1.1";
  (void)ssl;
  (void)unused;
  return SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, http, 12, in, in_len) ==
                 OPENSSL_NPN_NEGOTIATED
             ? SSL_TLSEXT_ERR_OK
             : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int take_any(int good, X509_STORE_CTX *store) {
  (void)good;
  (void)store;
  return 1;
}

static SSL_CTX *make_context(t_pki *pki, const t_secure_options *options) {
  char name[80];
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  T_FATAL(context != NULL);
  snprintf(name, sizeof name, "%s.pem", options->certificate);
  T_FATAL(SSL_CTX_use_certificate_chain_file(context, t_pki_file(pki, name)) == 1);
  snprintf(name, sizeof name, "%s.key", options->certificate);
  T_FATAL(SSL_CTX_use_PrivateKey_file(context, t_pki_file(pki, name), SSL_FILETYPE_PEM) == 1);
  SSL_CTX_set_alpn_select_cb(context, choose_http, NULL);
  SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
  if (options->max_version == 2) SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  if (options->no_tickets) SSL_CTX_set_num_tickets(context, 0);
  if (options->wants_certificate) SSL_CTX_set_verify(context, SSL_VERIFY_PEER, take_any);
  if (options->record_bytes > 0) {
    SSL_CTX_set_max_send_fragment(context, (size_t)options->record_bytes);
  }
  return context;
}

t_secure *t_secure_start(t_pki *pki, int to_port, const t_secure_options *options) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t len = sizeof at;
  t_secure *s = calloc(1, sizeof *s);
  T_FATAL(s != NULL);
  s->to_port = to_port;
  s->context = make_context(pki, options);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int room = options->room_bytes;
  if (room > 0) setsockopt(s->listen_fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  T_FATAL(bind(s->listen_fd, (struct sockaddr *)&at, sizeof at) == 0);
  T_FATAL(listen(s->listen_fd, 64) == 0);
  T_FATAL(getsockname(s->listen_fd, (struct sockaddr *)&at, &len) == 0);
  snprintf(s->endpoint, sizeof s->endpoint, "https://127.0.0.1:%d", ntohs(at.sin_port));
  pthread_mutex_init(&s->lock, NULL);
  T_FATAL(pthread_create(&s->thread, NULL, accept_all, s) == 0);
  return s;
}

const char *t_secure_endpoint(const t_secure *s) { return s->endpoint; }

static int read_number(t_secure *s, const int *number) {
  pthread_mutex_lock(&s->lock);
  int n = *number;
  pthread_mutex_unlock(&s->lock);
  return n;
}

int t_secure_connections(t_secure *s) { return read_number(s, &s->count); }

int t_secure_goodbyes(t_secure *s) { return read_number(s, &s->goodbyes); }

void t_secure_stall(t_secure *s, bool on) {
  pthread_mutex_lock(&s->lock);
  s->stall = on;
  pthread_mutex_unlock(&s->lock);
}

void t_secure_new_keys(t_secure *s) {
  pthread_mutex_lock(&s->lock);
  s->new_keys++;
  pthread_mutex_unlock(&s->lock);
}

void t_secure_end(t_secure *s, bool goodbye) {
  pthread_mutex_lock(&s->lock);
  s->ends = s->count;
  s->politely = goodbye;
  pthread_mutex_unlock(&s->lock);
}

void t_secure_stop(t_secure *s) {
  shutdown(s->listen_fd, SHUT_RDWR);
  pthread_join(s->thread, NULL);
  close(s->listen_fd);
  t_secure_end(s, false);
  for (int i = 0; i < s->count; i++) {
    guest *g = &s->guests[i];
    shutdown(g->fd, SHUT_RDWR);
    pthread_join(g->thread, NULL);
    SSL_free(g->ssl);
    close(g->to_fd);
    close(g->fd);
  }
  SSL_CTX_free(s->context);
  pthread_mutex_destroy(&s->lock);
  free(s);
}
