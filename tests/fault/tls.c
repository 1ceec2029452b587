/* TLS that cannot be: each fault is told as what it is, soon, and not asked for in a tight circle. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/etcd.h"
#include "support/peer.h"
#include "support/proxy.h"

static t_pki *pki;
static coord_error *err;

static t_pki *the_pki(void) {
  if (!pki) {
    pki = t_pki_new();
    t_pki_issue(pki, &(t_certificate){.file = "client"});
    t_pki_issue(pki, &(t_certificate){.file = "foreign", .other_ca = true});
    t_pki_issue(pki, &(t_certificate){.file = "expired", .from_h = -48, .to_h = -1});
    t_pki_issue(pki, &(t_certificate){.file = "future", .from_h = 5});
    t_pki_issue(pki, &(t_certificate){.file = "elsewhere", .names = "DNS:db.example,IP:10.0.0.9"});
  }
  return pki;
}

static t_cluster *server(const char *certificate, bool client_auth) {
  return t_etcd_start(
      &(t_etcd_options){.pki = the_pki(), .certificate = certificate, .client_auth = client_auth});
}

static const char *file(const char *name) { return t_pki_file(the_pki(), name); }

/* What opening gives with these options, up to a NULL. */
static void refuse(const char *endpoint, coord_code code, const char *part,
                   const char *const *options) {
  coord_client *none = NULL;
  coord_options *o = t_options("endpoints", endpoint, "log.level", "off", NULL);
  for (size_t i = 0; options[i]; i += 2) {
    T_OK(coord_options_set(o, options[i], options[i + 1], &err), err);
  }
  int64_t start = t_now_ms();
  coord_code actual = coord_client_open(o, &none, &err);
  T_TRUE(none == NULL);
  T_WITHIN(start, 3000);
  T_ERROR(actual, code, err, part);
  coord_client_free(none);
  coord_options_free(o);
}
#define REFUSE(endpoint, part, ...) \
  refuse(endpoint, COORD_TLS, part, (const char *const[]){__VA_ARGS__, NULL})

/* --- The server's certificate ------------------------------------------------------------------------ */

static void wrong_authority_is_told(void) {
  t_cluster *etcd = server(NULL, false);
  const char *at = t_etcd_endpoint(etcd, 0);
  REFUSE(at, "comes from \"Test CA\"", "tls.ca", file("other-ca.pem"));
  REFUSE(at, "other-ca.pem\" (tls.ca) does not vouch for", "tls.ca", file("other-ca.pem"));
  REFUSE(at, "this system does not trust: tls.ca", "tls.ca", "");
  t_etcd_stop(etcd);
}

static void wrong_host_is_told(void) {
  t_cluster *etcd = server("elsewhere", false);
  const char *at = t_etcd_endpoint(etcd, 0);
  REFUSE(at, "for db.example, 10.0.0.9, not for \"127.0.0.1\": tls.server.name", "tls.ca",
         file("ca.pem"));
  REFUSE(at, "not for \"db2.example\"", "tls.ca", file("ca.pem"), "tls.server.name", "db2.example");
  t_etcd_stop(etcd);
}

static void expired_server_is_told(void) {
  t_cluster *etcd = server("expired", false);
  REFUSE(t_etcd_endpoint(etcd, 0), "the server's certificate has expired, on 20", "tls.ca",
         file("ca.pem"));
  t_etcd_stop(etcd);
  etcd = server("future", false);
  REFUSE(t_etcd_endpoint(etcd, 0), "is not valid before 20", "tls.ca", file("ca.pem"));
  t_etcd_stop(etcd);
}

/* --- Our certificate ----------------------------------------------------------------------------------- */

static void refusal_of_our_certificate_is_told_every_time(void) {
  t_case_limit_s(90);
  t_cluster *etcd = server(NULL, true);
  const char *at = t_etcd_endpoint(etcd, 0);
  for (int i = 0; i < 60; i++) {
    REFUSE(at, "wants a certificate from us, and tls.cert names none", "tls.ca", file("ca.pem"));
    REFUSE(at, "foreign.pem\" (tls.cert): ", "tls.ca", file("ca.pem"), "tls.cert",
           file("foreign.pem"), "tls.key", file("foreign.key"));
    REFUSE(at, "expired.pem\" (tls.cert), which has expired, on 20", "tls.ca", file("ca.pem"),
           "tls.cert", file("expired.pem"), "tls.key", file("expired.key"));
    if (t_any_failed()) break;
  }
  t_etcd_stop(etcd);
}

/* --- The wrong kind of peer ---------------------------------------------------------------------------- */

static void plain_server_is_told(void) {
  char endpoint[64];
  coord_client *none = NULL;
  snprintf(endpoint, sizeof endpoint, "https://%s", t_etcd_endpoint(t_etcd(), 0));
  coord_options *o =
      t_options("endpoints", endpoint, "tls.verify", "false", "log.level", "off", NULL);
  coord_code code = coord_client_open(o, &none, &err);
  /* It hangs up without having read what we said: with a reset, or before we have said it. */
  T_TRUE(code == COORD_TLS || code == COORD_UNAVAILABLE);
  T_ERROR(code, code, err, "use http://");
  T_TRUE(none == NULL);
  coord_options_free(o);
}

static void secure_server_is_told_to_a_plain_client(void) {
  t_cluster *etcd = server(NULL, false);
  refuse(t_etcd_endpoint(etcd, 0) + strlen("https://"), COORD_UNAVAILABLE, "https://",
         (const char *const[]){NULL});
  t_etcd_stop(etcd);
}

static void peer_of_another_kind_is_told(void) {
  static const t_raw *const raws[] = {&t_raw_http1, &t_raw_smtp, &t_raw_random, &t_raw_settings};
  char endpoint[64];
  for (size_t i = 0; i < sizeof raws / sizeof *raws; i++) {
    t_peer *peer = t_peer_raw(raws[i]);
    snprintf(endpoint, sizeof endpoint, "https://%s", t_peer_endpoint(peer));
    REFUSE(endpoint, "the server does not speak TLS: use http://", "tls.verify", "false");
    t_peer_stop(peer);
  }
  t_peer *peer = t_peer_raw(&t_raw_closes);
  snprintf(endpoint, sizeof endpoint, "https://%s", t_peer_endpoint(peer));
  refuse(endpoint, COORD_UNAVAILABLE, "if the server does not speak TLS, use http://",
         (const char *const[]){"tls.verify", "false", NULL});
  t_peer_stop(peer);
  peer = t_peer_raw(&t_raw_tls);
  snprintf(endpoint, sizeof endpoint, "https://%s", t_peer_endpoint(peer));
  REFUSE(endpoint, "no version of TLS from 1.2 on", "tls.verify", "false");
  t_peer_stop(peer);
}

static void peer_that_fails_otherwise_is_unavailable(void) {
  static const struct {
    const t_raw *raw;
    coord_code code;
    const char *part;
  } rows[] = {{&t_raw_silent, COORD_TIMEOUT, "TLS handshake was not answered within 300 ms"},
              {&t_raw_resets, COORD_UNAVAILABLE, ": Connection reset"}, /* or before it */
              {&t_raw_refuses, COORD_UNAVAILABLE, "Connection refused"}};
  char endpoint[64];
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    t_peer *peer = t_peer_raw(rows[i].raw);
    snprintf(endpoint, sizeof endpoint, "https://%s", t_peer_endpoint(peer));
    refuse(endpoint, rows[i].code, rows[i].part,
           (const char *const[]){"tls.verify", "false", "connect.timeout.ms", "300", NULL});
    t_peer_stop(peer);
  }
}

/* --- Other servers: openssl's, which speaks no HTTP/2 --------------------------------------------------- */

static pid_t start_s_server(int port, const char *option, const char *value) {
  char accept[16];
  snprintf(accept, sizeof accept, "%d", port);
  pid_t parent = getpid(), pid = fork();
  T_FATAL(pid >= 0);
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    if (!freopen("/dev/null", "r", stdin) || !freopen("/dev/null", "w", stdout) ||
        !freopen("/dev/null", "w", stderr)) {
      _exit(127);
    }
    execlp("openssl", "openssl", "s_server", "-www", "-accept", accept, "-cert", file("client.pem"),
           "-key", file("client.key"), option, value, (char *)NULL);
    _exit(127);
  }
  return pid;
}

/* Until it listens. */
static void refuse_s_server(const char *part, const char *option, const char *value,
                            const char *version) {
  t_proxy *port_finder = t_proxy_start(1);
  int port = atoi(strrchr(t_proxy_endpoint(port_finder), ':') + 1);
  char endpoint[64];
  t_proxy_stop(port_finder);
  snprintf(endpoint, sizeof endpoint, "https://127.0.0.1:%d", port);
  pid_t pid = start_s_server(port, option, value);
  coord_options *o = t_options("endpoints", endpoint, "tls.ca", file("ca.pem"), "tls.min.version",
                               version, "log.level", "off", NULL);
  coord_client *none = NULL;
  coord_code code;
  int64_t deadline = t_now_ms() + 10000;
  do {
    coord_error_free(err);
    err = NULL;
    usleep(10000);
    code = coord_client_open(o, &none, &err);
  } while (code == COORD_UNAVAILABLE && t_now_ms() < deadline);
  T_ERROR(code, COORD_TLS, err, part);
  coord_options_free(o);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}

static void server_without_http2_is_told(void) {
  if (t_on_gateway()) T_SKIP("HTTP/1.1 is what the gateway speaks");
  refuse_s_server("ALPN h2", NULL, NULL, "1.2");
  refuse_s_server("ALPN h2", "-alpn", "http/1.1", "1.2");
}

static void version_that_the_server_lacks_is_told(void) {
  refuse_s_server("no version of TLS from 1.3 on (tls.min.version)", "-no_tls1_3", NULL, "1.3");
}

/* --- Files --------------------------------------------------------------------------------------------- */

static void files_that_are_wrong_are_refused_at_once(void) {
  char directory[256];
  snprintf(directory, sizeof directory, "%s", file(""));
  t_pki_write(the_pki(), "empty.pem", "");
  t_pki_write(the_pki(), "noise.pem", "-----BEGIN CERTIFICATE-----\nnoise\n");
  t_pki_issue(the_pki(), &(t_certificate){.file = "locked", .password = "open sesame"});
  const struct {
    const char *options[9];
    const char *part;
    const char *also;
  } rows[] = {
      {{"tls.ca", file("none.pem")}, "option tls.ca", "none.pem\" cannot be read: No such file"},
      {{"tls.ca", file("empty.pem")}, "option tls.ca", "empty.pem\" holds no certificate"},
      {{"tls.ca", file("noise.pem")}, "option tls.ca", "noise.pem\" holds no certificate"},
      {{"tls.ca", directory}, "option tls.ca", "openssl rehash"},
      {{"tls.cert", file("none.pem")}, "option tls.cert", "none.pem\" cannot be read"},
      {{"tls.cert", file("noise.pem")}, "option tls.cert", "noise.pem\" holds no certificate"},
      {{"tls.cert", file("client.pem")}, "option tls.cert", "and tls.key names none"},
      {{"tls.key", file("client.key")}, "option tls.key", "of no use without tls.cert"},
      {{"tls.cert", file("client.pem"), "tls.key", file("none.key")},
       "option tls.key",
       "none.key\" cannot be read"},
      {{"tls.cert", file("client.pem"), "tls.key", file("client.pem")},
       "option tls.key",
       "client.pem\" holds no private key"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    refuse("https://127.0.0.1:1", COORD_INVALID, rows[i].part, rows[i].options);
    refuse("https://127.0.0.1:1", COORD_INVALID, rows[i].also, rows[i].options);
    /* Also when no endpoint needs them yet. */
    refuse("127.0.0.1:1", COORD_INVALID, rows[i].also, rows[i].options);
  }
}

static void key_that_does_not_fit_is_refused_at_once(void) {
  t_pki_issue(the_pki(), &(t_certificate){.file = "locked", .password = "open sesame"});
  refuse(
      "https://127.0.0.1:1", COORD_INVALID, "is not the key of the certificate in",
      (const char *const[]){"tls.cert", file("client.pem"), "tls.key", file("foreign.key"), NULL});
  refuse(
      "https://127.0.0.1:1", COORD_INVALID, "locked.key\" is encrypted and needs it",
      (const char *const[]){"tls.cert", file("locked.pem"), "tls.key", file("locked.key"), NULL});
  refuse("https://127.0.0.1:1", COORD_INVALID, "option tls.key.password: it does not open",
         (const char *const[]){"tls.cert", file("locked.pem"), "tls.key", file("locked.key"),
                               "tls.key.password", "hunter2", NULL});
}

static void password_of_a_key_stays_secret(void) {
  const char *value = NULL;
  coord_client *none = NULL;
  coord_options *o = t_options("endpoints", "https://127.0.0.1:1", "tls.cert", file("locked.pem"),
                               "tls.key", file("locked.key"), "tls.key.password", "hunter2", NULL);
  t_pki_issue(the_pki(), &(t_certificate){.file = "locked", .password = "open sesame"});
  T_CODE(coord_options_get(o, "tls.key.password", &value, NULL), COORD_OK);
  T_STR(value, "***");
  T_CODE(coord_client_open(o, &none, &err), COORD_INVALID);
  T_TRUE(strstr(coord_error_message(err), "hunter2") == NULL);
  coord_error_free(err);
  err = NULL;
  coord_options_free(o);
}

/* --- Calls --------------------------------------------------------------------------------------------- */

static void fault_is_told_by_the_call_and_not_tried_in_a_tight_circle(void) {
  char endpoint[64], message[256];
  t_cluster *etcd = server(NULL, false);
  t_proxy *proxy = t_proxy_start(t_etcd_port(etcd, 0));
  snprintf(endpoint, sizeof endpoint, "https://%s", t_proxy_endpoint(proxy));
  coord_client *client =
      t_client_with("endpoints", endpoint, "tls.ca", file("other-ca.pem"), "connect.lazy", "true",
                    "log.level", "off", "request.timeout.ms", "1500", NULL);
  t_call_fails(client, coord_op_get("k", 1), COORD_TLS, message);
  T_HAS(message, "comes from \"Test CA\"");
  T_TRUE(t_proxy_connections(proxy) <= 10);
  coord_client_free(client);
  t_proxy_stop(proxy);
  t_etcd_stop(etcd);
}

static void good_endpoint_serves_beside_one_that_cannot_be_trusted(void) {
  char endpoints[128];
  t_cluster *good = server(NULL, false), *bad = server("expired", false);
  snprintf(endpoints, sizeof endpoints, "%s,%s", t_etcd_endpoint(bad, 0), t_etcd_endpoint(good, 0));
  coord_client *client =
      t_client_with("endpoints", endpoints, "tls.ca", file("ca.pem"), "log.level", "off", NULL);
  T_TRUE(t_put(client, "k", "v") > 0);
  coord_client_free(client);
  t_etcd_stop(good);
  t_etcd_stop(bad);
}

/* The connection breaks at every place of the handshake and of the first call. */
static void connection_may_break_anywhere(void) {
  char endpoint[64];
  t_cluster *etcd = server(NULL, true);
  t_proxy *proxy = t_proxy_start(t_etcd_port(etcd, 0));
  snprintf(endpoint, sizeof endpoint, "https://%s", t_proxy_endpoint(proxy));
  coord_client *client =
      t_client_with("endpoints", endpoint, "tls.ca", file("ca.pem"), "tls.cert", file("client.pem"),
                    "tls.key", file("client.key"), "connect.lazy", "true", "log.level", "off",
                    "request.timeout.ms", "20000", NULL);
  t_proxy_trickle(proxy, 100);
  for (int i = 0; i < 40; i++) {
    coord_queue *queue = NULL;
    coord_op *op = coord_op_get("k", 1);
    T_FATAL(coord_queue_open(&queue, NULL) == COORD_OK);
    T_CODE(coord_submit(client, op, 0, queue, 1, NULL, NULL), COORD_OK);
    usleep((useconds_t)(i * 1700));
    t_proxy_cut(proxy);
    coord_event *event = coord_queue_next(queue, 20000);
    T_CODE(coord_event_code(event), COORD_OK);
    coord_event_free(event);
    coord_op_free(op);
    coord_queue_free(queue);
    t_proxy_cut(proxy);
  }
  coord_client_free(client);
  t_proxy_stop(proxy);
  t_etcd_stop(etcd);
}

static void client_may_be_freed_anywhere_in_the_handshake(void) {
  char endpoint[64];
  t_cluster *etcd = server(NULL, true);
  t_proxy *proxy = t_proxy_start(t_etcd_port(etcd, 0));
  snprintf(endpoint, sizeof endpoint, "https://%s", t_proxy_endpoint(proxy));
  t_proxy_trickle(proxy, 100);
  for (int i = 0; i < 40; i++) {
    coord_client *client = t_client_with(
        "endpoints", endpoint, "tls.ca", file("ca.pem"), "tls.cert", file("client.pem"), "tls.key",
        file("client.key"), "connect.lazy", "true", "log.level", "off", NULL);
    coord_queue *queue = NULL;
    coord_op *op = coord_op_get("k", 1);
    T_FATAL(coord_queue_open(&queue, NULL) == COORD_OK);
    T_CODE(coord_submit(client, op, 0, queue, 1, NULL, NULL), COORD_OK);
    usleep((useconds_t)(i * 1700));
    coord_client_free(client);
    coord_event *event = coord_queue_next(queue, 5000);
    T_TRUE(event != NULL);
    coord_event_free(event);
    coord_op_free(op);
    coord_queue_free(queue);
  }
  t_proxy_stop(proxy);
  t_etcd_stop(etcd);
}

static atomic_int pipes;

static void count_pipe(int number) {
  (void)number;
  atomic_fetch_add(&pipes, 1);
}

/* Writes to sockets that are gone: many, from the threads of the program too. */
static void no_thread_gets_a_sigpipe(void) {
  char endpoint[64];
  struct sigaction count = {.sa_handler = count_pipe}, before;
  sigaction(SIGPIPE, &count, &before);
  t_cluster *etcd = server(NULL, false);
  t_proxy *proxy = t_proxy_start(t_etcd_port(etcd, 0));
  snprintf(endpoint, sizeof endpoint, "https://%s", t_proxy_endpoint(proxy));
  coord_client *client = t_client_with("endpoints", endpoint, "tls.ca", file("ca.pem"), "log.level",
                                       "off", "request.timeout.ms", "20000", NULL);
  for (int i = 0; i < 100; i++) {
    coord_put(client, "k", 1, "v", 1, NULL);
    t_proxy_cut(proxy);
    coord_put(client, "k", 1, "v", 1, NULL);
  }
  T_INT(atomic_load(&pipes), 0);
  coord_client_free(client);
  t_proxy_stop(proxy);
  t_etcd_stop(etcd);
  sigaction(SIGPIPE, &before, NULL);
}

/* --- The end of a program -------------------------------------------------------------------------------- */

static _Noreturn void exit_in_the_middle(const char *endpoint) {
  static coord_options *o;
  static coord_client *client;
  static coord_queue *queue;
  static coord_op *op;
  if (coord_options_new(&o) != COORD_OK) _exit(10);
  coord_options_set(o, "endpoints", endpoint, NULL);
  coord_options_set(o, "tls.ca", file("ca.pem"), NULL);
  if (coord_client_open(o, &client, NULL) != COORD_OK) _exit(11);
  if (coord_queue_open(&queue, NULL) != COORD_OK) _exit(12);
  op = coord_op_get("k", 1);
  for (int i = 0; i < 2000; i++) coord_submit(client, op, 0, queue, 1, NULL, NULL);
  exit(0); /* holding it all, with answers on their way */
}

static void program_may_exit_in_the_middle(void) {
  t_cluster *etcd = server(NULL, false);
  for (int i = 0; i < 20; i++) {
    int status = 0;
    pid_t pid = fork();
    T_FATAL(pid >= 0);
    if (pid == 0) exit_in_the_middle(t_etcd_endpoint(etcd, 0));
    waitpid(pid, &status, 0);
    T_INT(status, 0);
  }
  t_etcd_stop(etcd);
}

T_MAIN(T_CASE(wrong_authority_is_told), T_CASE(wrong_host_is_told), T_CASE(expired_server_is_told),
       T_CASE(refusal_of_our_certificate_is_told_every_time), T_CASE(plain_server_is_told),
       T_CASE(secure_server_is_told_to_a_plain_client), T_CASE(peer_of_another_kind_is_told),
       T_CASE(peer_that_fails_otherwise_is_unavailable), T_CASE(server_without_http2_is_told),
       T_CASE(version_that_the_server_lacks_is_told),
       T_CASE(files_that_are_wrong_are_refused_at_once),
       T_CASE(key_that_does_not_fit_is_refused_at_once), T_CASE(password_of_a_key_stays_secret),
       T_CASE(fault_is_told_by_the_call_and_not_tried_in_a_tight_circle),
       T_CASE(good_endpoint_serves_beside_one_that_cannot_be_trusted),
       T_CASE(connection_may_break_anywhere), T_CASE(client_may_be_freed_anywhere_in_the_handshake),
       T_CASE(no_thread_gets_a_sigpipe), T_CASE(program_may_exit_in_the_middle))
