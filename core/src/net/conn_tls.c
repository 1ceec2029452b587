#include "net/conn_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "net/tls_fault.h"

enum { FIRST_BYTES = 8, LONGEST_HOST = 256, RECORD_BYTES = 16384 };

typedef struct tls_conn {
  coord__conn base;
  coord__tls *tls;
  const coord__tls_config *config; /* of tls */
  SSL *ssl;
  char host[LONGEST_HOST];
  bool http1;
  uint8_t first[FIRST_BYTES]; /* what the peer said first */
  size_t first_len;
  size_t received; /* bytes of the socket so far */
  size_t awaited;  /* and when the handshake was over for us; 0: before that */
  bool established;
  bool asked_for_one; /* the server wants a certificate of ours */
  bool has_more;      /* it stopped reading because there was no room */
  bool got_end;       /* the peer has closed */
  int read_error;     /* of the socket, once it has failed */
  int write_error;    /* likewise */
  coord__buf out;     /* bytes that the socket did not take yet, from out_sent on */
  size_t out_sent;
  coord__io_status ended; /* COORD__IO_OK: not yet */
} tls_conn;

/* ---- bytes, between OpenSSL and the socket ---- */

static tls_conn *conn_of(BIO *bio) { return BIO_get_data(bio); }

static void remember_first(tls_conn *c, const void *p, size_t n) {
  size_t room = FIRST_BYTES - c->first_len;
  if (n > room) n = room;
  memcpy(c->first + c->first_len, p, n);
  c->first_len += n;
}

static int bio_read(BIO *bio, char *p, int n) {
  tls_conn *c = conn_of(bio);
  ssize_t r;
  BIO_clear_retry_flags(bio);
  do {
    r = recv(c->base.io.fd, p, (size_t)n, 0);
  } while (r < 0 && errno == EINTR);
  if (r > 0) {
    remember_first(c, p, (size_t)r);
    c->received += (size_t)r;
    return (int)r;
  }
  if (r == 0) {
    c->got_end = true;
    return 0;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK) {
    BIO_set_retry_read(bio);
  } else {
    c->read_error = errno;
  }
  return -1;
}

/* How much the socket takes now. One that is gone takes all, and write_error says so: the peer may
 * have told why, in an alert that is still to be read. */
static size_t write_now(tls_conn *c, const void *p, size_t n) {
  ssize_t r;
  if (c->write_error != 0) return n;
  do {
    r = send(c->base.io.fd, p, n, MSG_NOSIGNAL);
  } while (r < 0 && errno == EINTR);
  if (r >= 0) return (size_t)r;
  if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
  c->write_error = errno;
  return n;
}

/* True when nothing is held back any more. */
static bool flush(tls_conn *c) {
  while (c->out_sent < c->out.len) {
    size_t n = write_now(c, c->out.data + c->out_sent, c->out.len - c->out_sent);
    if (n == 0) return false;
    c->out_sent += n;
  }
  if (c->out.cap > 0) coord__buf_free(&c->out);
  c->out_sent = 0;
  c->base.wants_out = false;
  return true;
}

/* Takes everything: OpenSSL does not bear it that new keys are asked for, which it wants to answer
 * from within a read, while a record of ours waits for the socket. tls_send sees to it that what is
 * held back stays little more than one record. */
static int bio_write(BIO *bio, const char *p, int n) {
  tls_conn *c = conn_of(bio);
  BIO_clear_retry_flags(bio);
  size_t sent = flush(c) ? write_now(c, p, (size_t)n) : 0;
  if (sent == (size_t)n) return n;
  if (!coord__buf_append(&c->out, p + sent, (size_t)n - sent)) {
    c->write_error = ENOMEM;
    return -1;
  }
  c->base.wants_out = true;
  return n;
}

static long bio_ctrl(BIO *bio, int what, long number, void *p) {
  (void)number;
  (void)p;
  switch (what) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return conn_of(bio)->got_end;
    default:
      return 0;
  }
}

static BIO_METHOD *method;

static void make_method(void) {
  method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "coord");
  if (method == NULL) return;
  BIO_meth_set_read(method, bio_read);
  BIO_meth_set_write(method, bio_write);
  BIO_meth_set_ctrl(method, bio_ctrl);
}

static BIO *new_bio(tls_conn *c) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_method);
  BIO *bio = method != NULL ? BIO_new(method) : NULL;
  if (bio == NULL) return NULL;
  BIO_set_data(bio, c);
  BIO_set_init(bio, 1);
  return bio;
}

/* ---- failures ---- */

static coord__io_status fail(tls_conn *c) {
  coord__tls_scene scene = {.config = c->config,
                            .ssl = c->ssl,
                            .http1 = c->http1,
                            .first = c->first,
                            .first_len = c->first_len,
                            .established = c->established,
                            .asked_for_one = c->asked_for_one,
                            .ended = c->got_end,
                            .os_error = c->read_error != 0 ? c->read_error : c->write_error};
  /* The certificate's fault is told already. */
  if (c->base.why[0] == '\0') c->base.code = coord__tls_tell(&scene, c->base.why);
  ERR_clear_error();
  c->ended = COORD__IO_FAILED;
  return COORD__IO_FAILED;
}

/* ---- reading and writing ---- */

/* What a call of OpenSSL that did not succeed means. It never waits for the socket to take bytes. */
static coord__io_status what_now(tls_conn *c, int result) {
  int error = SSL_get_error(c->ssl, result);
  if (error == SSL_ERROR_WANT_READ) return COORD__IO_AGAIN;
  if (error == SSL_ERROR_ZERO_RETURN) {
    c->ended = COORD__IO_END;
    return COORD__IO_END;
  }
  return fail(c);
}

static coord__io_status tls_recv(coord__conn *conn, void *p, size_t n, size_t *got) {
  tls_conn *c = (tls_conn *)conn;
  size_t total = 0;
  c->has_more = false;
  if (c->ended != COORD__IO_OK) return c->ended;
  coord__io_status status = COORD__IO_OK;
  while (total < n) {
    size_t r = 0;
    ERR_clear_error();
    int result = SSL_read_ex(c->ssl, (char *)p + total, n - total, &r);
    if (result == 1) {
      total += r;
      continue;
    }
    status = what_now(c, result);
    break;
  }
  c->has_more = total == n;
  /* The socket is gone for writing, and now there is nothing more to read either. */
  if (status == COORD__IO_AGAIN && c->write_error != 0) status = fail(c);
  if (total == 0) return status;
  *got = total; /* an end that came behind it is told the next time */
  return COORD__IO_OK;
}

static coord__io_status tls_send(coord__conn *conn, const void *p, size_t n, size_t *sent) {
  tls_conn *c = (tls_conn *)conn;
  conn->send_wants_in = false;
  if (c->ended == COORD__IO_FAILED) return COORD__IO_FAILED;
  if (!flush(c)) return COORD__IO_AGAIN;
  coord__io_status status = n == 0 ? COORD__IO_OK : COORD__IO_AGAIN;
  if (n > 0 && c->write_error == 0) {
    ERR_clear_error();
    int result = SSL_write_ex(c->ssl, p, n > RECORD_BYTES ? RECORD_BYTES : n, sent);
    status = result == 1 ? COORD__IO_OK : what_now(c, result);
  }
  /* Either the socket is gone, which reading will tell better, or a message of the handshake has come
   * in half. */
  conn->send_wants_in = status == COORD__IO_AGAIN;
  return status;
}

static bool tls_pending(const coord__conn *conn) {
  const tls_conn *c = (const tls_conn *)conn;
  return c->has_more || c->ended != COORD__IO_OK;
}

static void tls_close(coord__conn *conn) {
  tls_conn *c = (tls_conn *)conn;
  ERR_clear_error();
  if (c->established && c->ended != COORD__IO_FAILED && c->write_error == 0) SSL_shutdown(c->ssl);
  SSL_free(c->ssl);
  ERR_clear_error();
  coord__tls_release(c->tls);
  coord__buf_free(&c->out);
  close(conn->io.fd);
}

static const coord__conn_ops tls_ops = {tls_recv, tls_send, tls_pending, tls_close};

/* ---- the handshake ---- */

static int slot_of_conn(void) {
  static int slot = -1;
  if (slot < 0) slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
  return slot;
}

static int on_certificate(int good, X509_STORE_CTX *store) {
  SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  tls_conn *c = SSL_get_ex_data(ssl, slot_of_conn());
  if (!good && c->config->verify) {
    c->base.code = COORD_TLS;
    coord__tls_tell_certificate(store, c->config, c->host, c->base.why);
  }
  return good;
}

static int on_asked(SSL *ssl, void *user) {
  (void)ssl;
  ((tls_conn *)user)->asked_for_one = true;
  return 1;
}

/* Who the server is to be: without an IPv6 zone, and without the dot of a full name. */
static void keep_host(tls_conn *c, const char *host) {
  snprintf(c->host, sizeof c->host, "%s", host);
  size_t n = strcspn(c->host, "%");
  if (n > 1 && c->host[n - 1] == '.') n--;
  c->host[n] = '\0';
}

static bool expect_host(tls_conn *c) {
  unsigned char address[sizeof(struct in6_addr)];
  X509_VERIFY_PARAM *param = SSL_get0_param(c->ssl);
  X509_VERIFY_PARAM_set_hostflags(
      param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (inet_pton(AF_INET, c->host, address) == 1 || inet_pton(AF_INET6, c->host, address) == 1) {
    return X509_VERIFY_PARAM_set1_ip_asc(param, c->host) == 1;
  }
  return X509_VERIFY_PARAM_set1_host(param, c->host, 0) == 1 &&
         SSL_set_tlsext_host_name(c->ssl, c->host) == 1;
}

/* 0 is success, in this function alone. */
static bool offer_http1(SSL *ssl) {
  static const unsigned char alpn[] = "\10http/1.1";
  return SSL_set_alpn_protos(ssl, alpn, sizeof alpn - 1) == 0;
}

static bool set_up(tls_conn *c, const coord__tls *tls) {
  BIO *bio = new_bio(c);
  c->ssl = SSL_new(coord__tls_context(tls));
  if (bio == NULL || c->ssl == NULL) {
    BIO_free(bio);
    return false;
  }
  SSL_set_bio(c->ssl, bio, bio);
  SSL_set_connect_state(c->ssl);
  SSL_set_verify(c->ssl, c->config->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, on_certificate);
  SSL_set_cert_cb(c->ssl, on_asked, c);
  if (c->http1 && !offer_http1(c->ssl)) return false;
  return SSL_set_ex_data(c->ssl, slot_of_conn(), c) == 1 && expect_host(c);
}

coord__conn *coord__conn_tls(coord__loop *loop, int fd, coord__tls *tls, const char *host,
                             bool http1) {
  tls_conn *c = coord__calloc(1, sizeof *c);
  if (c == NULL) return NULL;
  c->base.ops = &tls_ops;
  c->base.is_tls = true;
  c->base.loop = loop;
  c->base.io.fd = fd;
  c->config = coord__tls_config_of(tls);
  c->http1 = http1;
  keep_host(c, c->config->server_name[0] != '\0' ? c->config->server_name : host);
  ERR_clear_error();
  bool good = set_up(c, tls);
  ERR_clear_error();
  if (!good) {
    SSL_free(c->ssl);
    coord__free(c);
    return NULL;
  }
  c->tls = coord__tls_retain(tls);
  coord__loop_own_fd(loop, &c->base.fd_entry, fd);
  return &c->base;
}

static coord__io_status check_protocol(tls_conn *c) {
  const unsigned char *name = NULL;
  unsigned n = 0;
  SSL_get0_alpn_selected(c->ssl, &name, &n);
  if (!c->http1 && n == 2 && memcmp(name, "h2", 2) == 0) return COORD__IO_OK;
  /* HTTP/1.1 is what a server without ALPN speaks. */
  if (c->http1 && (n == 0 || (n == 8 && memcmp(name, "http/1.1", 8) == 0))) return COORD__IO_OK;
  c->base.code = COORD_TLS;
  snprintf(c->base.why, sizeof c->base.why,
           "the server does not speak %s over TLS (ALPN %s): no etcd, or something in front of it",
           c->http1 ? "HTTP/1.1" : "HTTP/2", c->http1 ? "http/1.1" : "h2");
  return fail(c);
}

/* What to wait for while the handshake goes on. */
static coord__io_status wait_for_peer(tls_conn *c, uint32_t *events) {
  *events = EPOLLIN;
  if (!flush(c)) *events |= EPOLLOUT;
  return c->write_error == 0 ? COORD__IO_AGAIN : fail(c);
}

/* With TLS 1.3 the server looks at our certificate when the handshake is over for us already. What is
 * sent to a server that refuses it can cost us its alert: it resets the connection then. */
static coord__io_status await_verdict(tls_conn *c, uint32_t *events) {
  char byte;
  size_t n;
  if (!c->asked_for_one || SSL_version(c->ssl) < TLS1_3_VERSION) return COORD__IO_OK;
  if (c->awaited == 0) c->awaited = c->received;
  ERR_clear_error();
  int result = SSL_peek_ex(c->ssl, &byte, 1, &n);
  coord__io_status status = result == 1 ? COORD__IO_OK : what_now(c, result);
  if (status == COORD__IO_FAILED) return status;
  if (status == COORD__IO_AGAIN && c->received == c->awaited) return wait_for_peer(c, events);
  return COORD__IO_OK;
}

bool coord__conn_tls_may_be_used(const coord__conn *conn) {
  return ((const tls_conn *)conn)->awaited != 0;
}

coord__io_status coord__conn_tls_shake(coord__conn *conn, uint32_t *events) {
  tls_conn *c = (tls_conn *)conn;
  flush(c);
  if (c->awaited != 0) return await_verdict(c, events);
  ERR_clear_error();
  int result = SSL_do_handshake(c->ssl);
  coord__io_status status = result == 1 ? check_protocol(c) : what_now(c, result);
  if (status == COORD__IO_AGAIN) return wait_for_peer(c, events);
  if (status != COORD__IO_OK) return COORD__IO_FAILED;
  c->established = true;
  c->has_more = true; /* perhaps: more than the handshake may have come */
  return await_verdict(c, events);
}
