/* TLS to a real etcd that asks for certificates: all that works without it works with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/etcd.h"
#include "support/proxy.h"
#include "support/tunnel.h"

static t_pki *pki;
static t_cluster *cluster;
static coord_error *err;

static void start_with(const char *certificate, const char *names, bool client_auth) {
  pki = t_pki_new();
  t_pki_issue(pki, &(t_certificate){.file = certificate, .names = names});
  t_pki_issue(pki, &(t_certificate){.file = "client"});
  cluster = t_etcd_start(
      &(t_etcd_options){.pki = pki, .certificate = certificate, .client_auth = client_auth});
}

static void start(void) { start_with("server", NULL, true); }

static void stop(void) {
  t_etcd_stop(cluster);
  t_pki_free(pki);
}

/* A client with a certificate; one more option, or NULL. */
static coord_client *client_at(const char *endpoint, const char *name, const char *value) {
  return t_client_with("endpoints", endpoint, "tls.ca", t_pki_file(pki, "ca.pem"), "tls.cert",
                       t_pki_file(pki, "client.pem"), "tls.key", t_pki_file(pki, "client.key"),
                       "log.level", "off", name, value, NULL);
}

static coord_client *client(void) { return client_at(t_etcd_endpoint(cluster, 0), NULL, NULL); }

static void works(coord_client *c) {
  char key[t_key_size];
  T_TRUE(t_put(c, t_key(key, "k"), "v") > 0);
  T_TRUE(t_get_is(c, key, "v"));
}

static void works_and_closes(coord_client *c) {
  works(c);
  T_OK(coord_client_close(c, 5000, &err), err);
  coord_client_free(c);
}

/* --- Load ------------------------------------------------------------------------------------------ */

static void put_get_and_scan(void) {
  char key[t_key_size], prefix[t_key_size];
  start();
  coord_client *c = client();
  works(c);
  for (int i = 0; i < 300; i++) {
    char suffix[16];
    snprintf(suffix, sizeof suffix, "s/%03d", i);
    T_TRUE(t_put(c, t_key(key, suffix), suffix) > 0);
  }
  coord_scan *scan = NULL;
  coord_op *op = t_prefix(t_key(prefix, "s/"));
  T_OK(coord_scan_open(c, op, 7, &scan, &err), err);
  coord_op_free(op);
  size_t count = 0;
  for (coord_result *page = NULL;; count += coord_result_count(page), coord_result_free(page)) {
    if (coord_scan_next(scan, 5000, &page, &err) != COORD_OK || page == NULL) break;
  }
  T_INT(count, 300);
  coord_scan_free(scan);
  coord_client_free(c);
  stop();
}

/* Submits `count` puts of `size` bytes at once, and reads some of them back. */
static void put_many(int count, size_t size) {
  char key[t_key_size];
  coord_queue *queue = NULL;
  start();
  coord_client *c = client();
  char *value = malloc(size);
  T_FATAL(value != NULL && coord_queue_open(&queue, NULL) == COORD_OK);
  for (int i = 0; i < count; i++) {
    char suffix[16];
    snprintf(suffix, sizeof suffix, "%d", i % 100);
    t_key(key, suffix);
    memset(value, 'a' + i % 26, size);
    coord_op *op = coord_op_put(key, strlen(key), value, size);
    T_OK(coord_submit(c, op, 50000, queue, (uint64_t)i, NULL, &err), err);
    coord_op_free(op);
  }
  int good = 0;
  for (int i = 0; i < count; i++) {
    coord_event *event = coord_queue_next(queue, 50000);
    if (coord_event_code(event) == COORD_OK) {
      good++;
    } else {
      T_FAIL("a put gave %s", coord_error_message(coord_event_error(event)));
    }
    coord_event_free(event);
  }
  T_INT(good, count);
  for (int i = 0; i < 100; i += 9) {
    char suffix[16];
    coord_kv kv = {0};
    snprintf(suffix, sizeof suffix, "%d", i);
    t_key(key, suffix);
    coord_result *result = t_call(c, coord_op_get(key, strlen(key)));
    T_CODE(coord_result_kv(result, 0, &kv), COORD_OK);
    T_INT(kv.value_len, size);
    T_TRUE(kv.value_len > 0 && memcmp(kv.value, (const char *)kv.value + 1, size - 1) == 0);
    coord_result_free(result);
  }
  coord_result *page = t_call(c, t_prefix(t_key(key, "")));
  T_INT(coord_result_count(page), 100);
  coord_result_free(page);
  coord_client_free(c);
  coord_queue_free(queue);
  free(value);
  stop();
}

static void ten_thousand_puts_at_once(void) { put_many(t_on_gateway() ? 2000 : 10000, 8); }

static void five_hundred_puts_of_64_kib_at_once(void) { put_many(500, 65536); }

/* Many records to a read, and pieces of records. */
static void bytes_that_come_one_by_one_are_put_together(void) {
  static const int pieces[] = {1, 7, 100, 4096};
  start();
  t_proxy *proxy = t_proxy_start(t_etcd_port(cluster, 0));
  char endpoint[64];
  snprintf(endpoint, sizeof endpoint, "https://%s", t_proxy_endpoint(proxy));
  for (size_t i = t_on_gateway() ? 1 : 0; i < sizeof pieces / sizeof *pieces; i++) {
    t_proxy_trickle(proxy, pieces[i]);
    works_and_closes(client_at(endpoint, "connect.timeout.ms", "30000"));
  }
  coord_client *c = client_at(endpoint, "request.timeout.ms", "20000");
  size_t n = 1000000;
  char *big = calloc(1, n);
  T_FATAL(big != NULL);
  T_OK(coord_put(c, "big", 3, big, n, &err), err);
  coord_result *result = t_call(c, coord_op_get("big", 3));
  coord_kv kv = {0};
  T_CODE(coord_result_kv(result, 0, &kv), COORD_OK);
  T_MEM(kv.value, kv.value_len, big, n);
  coord_result_free(result);
  free(big);
  coord_client_free(c);
  t_proxy_stop(proxy);
  stop();
}

/* --- Ways to the server ------------------------------------------------------------------------------ */

static void over_ipv6(void) {
  char endpoint[64];
  start();
  t_proxy *proxy = t_proxy_start_ipv6(t_etcd_port(cluster, 0));
  if (!proxy) T_SKIP("no IPv6 on this machine");
  snprintf(endpoint, sizeof endpoint, "https://%s", t_proxy_endpoint(proxy));
  works_and_closes(client_at(endpoint, NULL, NULL));
  t_proxy_stop(proxy);
  stop();
}

static void over_a_unix_socket(void) {
  char endpoint[160];
  start();
  t_proxy *proxy = t_proxy_start_unix(t_etcd_port(cluster, 0));
  snprintf(endpoint, sizeof endpoint, "unixs://%s", t_proxy_endpoint(proxy) + strlen("unix://"));
  works_and_closes(client_at(endpoint, NULL, NULL));
  t_proxy_stop(proxy);
  stop();
}

static void through_proxies(void) {
  char proxy[128], endpoint[64];
  start_with("server", "DNS:etcd.invalid", true);
  snprintf(endpoint, sizeof endpoint, "https://etcd.invalid:%d", t_etcd_port(cluster, 0));
  for (int socks = 0; socks < 2; socks++) {
    t_tunnel *tunnel = t_tunnel_start(&(t_tunnel_script){
        .socks = socks, .user = "me", .password = "hunter2", .alias = "etcd.invalid"});
    snprintf(proxy, sizeof proxy, "%s://me:hunter2@%s", socks ? "socks5h" : "http",
             t_tunnel_address(tunnel));
    works_and_closes(client_at(endpoint, "proxy", proxy));
    T_INT(t_tunnel_made(tunnel), 1);
    t_tunnel_stop(tunnel);
  }
  stop();
}

/* --- Names and files ---------------------------------------------------------------------------------- */

static void name_to_expect_can_be_set(void) {
  start_with("server", "DNS:etcd.internal,DNS:*.cluster.internal,IP:10.1.2.3", true);
  const char *endpoint = t_etcd_endpoint(cluster, 0);
  works_and_closes(client_at(endpoint, "tls.server.name", "etcd.internal"));
  works_and_closes(client_at(endpoint, "tls.server.name", "etcd.internal."));
  works_and_closes(client_at(endpoint, "tls.server.name", "n1.cluster.internal"));
  works_and_closes(client_at(endpoint, "tls.server.name", "10.1.2.3"));
  stop();
}

static void authorities_may_lie_in_a_directory(void) {
  start_with("server", NULL, false);
  works_and_closes(
      t_client_with("endpoints", t_etcd_endpoint(cluster, 0), "tls.ca", t_pki_hashed(pki), NULL));
  stop();
}

static void key_may_be_encrypted_or_lie_with_the_certificate(void) {
  start();
  t_pki_issue(pki, &(t_certificate){.file = "client", .password = "open sesame"});
  works_and_closes(client_at(t_etcd_endpoint(cluster, 0), "tls.key.password", "open sesame"));
  t_pki_issue(pki, &(t_certificate){.file = "client", .key_with_it = true});
  works_and_closes(client_at(t_etcd_endpoint(cluster, 0), "tls.key", ""));
  stop();
}

static void certificates_may_come_through_an_authority_in_between(void) {
  pki = t_pki_new();
  t_pki_issue(pki, &(t_certificate){.file = "chained", .through_middle = true});
  t_pki_issue(pki, &(t_certificate){.file = "client", .through_middle = true});
  cluster =
      t_etcd_start(&(t_etcd_options){.pki = pki, .certificate = "chained", .client_auth = true});
  works_and_closes(client());
  stop();
}

static void newest_version_can_be_asked_for(void) {
  start();
  works_and_closes(client_at(t_etcd_endpoint(cluster, 0), "tls.min.version", "1.3"));
  stop();
}

static void older_version_is_spoken_too(void) {
  static const char *const args[] = {"--tls-max-version=TLS1.2", NULL};
  if (!t_etcd_is_at_least(3, 6)) T_SKIP("this etcd cannot be limited to TLS 1.2");
  pki = t_pki_new();
  t_pki_issue(pki, &(t_certificate){.file = "client"});
  cluster = t_etcd_start(&(t_etcd_options){.pki = pki, .client_auth = true, .args = args});
  works_and_closes(client());
  coord_client *none = NULL;
  coord_options *options = t_options("endpoints", t_etcd_endpoint(cluster, 0), "tls.ca",
                                     t_pki_file(pki, "ca.pem"), "tls.min.version", "1.3", NULL);
  T_ERROR(coord_client_open(options, &none, &err), COORD_TLS, err, "tls.min.version");
  coord_options_free(options);
  /* A missing certificate is told before the end of the handshake here. */
  options = t_options("endpoints", t_etcd_endpoint(cluster, 0), "tls.ca", t_pki_file(pki, "ca.pem"),
                      NULL);
  T_ERROR(coord_client_open(options, &none, &err), COORD_TLS, err, "tls.cert names none");
  coord_options_free(options);
  stop();
}

static void nothing_is_verified_when_told_so(void) {
  start_with("server", "DNS:elsewhere", false);
  works_and_closes(t_client_with("endpoints", t_etcd_endpoint(cluster, 0), "tls.verify", "false",
                                 "log.level", "off", NULL));
  stop();
}

/* --- Who we are ----------------------------------------------------------------------------------------- */

static void ctl(const char *words) {
  const char *program = getenv("COORD_TEST_ETCDCTL");
  char command[1200];
  snprintf(command, sizeof command,
           "ETCDCTL_API=3 '%s' --endpoints %s --cacert %s --cert %s --key %s %s >/dev/null 2>&1",
           program && *program ? program : "etcdctl", t_etcd_endpoint(cluster, 0),
           t_pki_file(pki, "ca.pem"), t_pki_file(pki, "root.pem"), t_pki_file(pki, "root.key"),
           words);
  if (system(command) != 0) T_FAIL("etcdctl %s fails", words);
}

/* With auth switched on, the common name is the user: no password, no token. */
static void common_name_is_the_user(void) {
  char message[256];
  if (t_on_gateway()) T_SKIP("the gateway refuses certificates with a common name then");
  pki = t_pki_new();
  t_pki_issue(pki, &(t_certificate){.file = "server"});
  t_pki_issue(pki, &(t_certificate){.file = "root"});
  t_pki_issue(pki, &(t_certificate){.file = "client", .cn = "alice"});
  cluster =
      t_etcd_start(&(t_etcd_options){.pki = pki, .certificate = "server", .client_auth = true});
  if (system("etcdctl version >/dev/null 2>&1") != 0 && !getenv("COORD_TEST_ETCDCTL")) {
    T_SKIP("no etcdctl");
  }
  ctl("user add root:secret");
  ctl("user grant-role root root || true");
  ctl("user add alice:secret");
  ctl("role add of-alice");
  ctl("role grant-permission of-alice readwrite --prefix=true alice/");
  ctl("user grant-role alice of-alice");
  ctl("auth enable");
  coord_client *c = client();
  T_TRUE(t_put(c, "alice/k", "v") > 0);
  T_TRUE(t_get_is(c, "alice/k", "v"));
  t_call_fails(c, coord_op_put("bob/k", 5, "v", 1), COORD_AUTH, message);
  T_HAS(message, "permission denied");
  coord_client_free(c);
  t_pki_issue(pki, &(t_certificate){.file = "client", .cn = "nobody"});
  c = client();
  t_call_fails(c, coord_op_get("alice/k", 7), COORD_AUTH, NULL);
  coord_client_free(c);
  stop();
}

/* --- Change -------------------------------------------------------------------------------------------- */

static void server_comes_back_with_a_new_certificate(void) {
  char key[t_key_size];
  t_case_limit_s(90);
  start();
  coord_client *c = client_at(t_etcd_endpoint(cluster, 0), "request.timeout.ms", "20000");
  T_TRUE(t_put(c, t_key(key, "k"), "v") > 0);
  for (int i = 0; i < 3; i++) {
    i % 2 == 0 ? t_etcd_terminate(cluster, 0) : t_etcd_kill(cluster, 0);
    t_pki_issue(pki, &(t_certificate){.file = "server"});
    t_etcd_restart(cluster, 0);
    T_TRUE(t_get_is(c, key, "v"));
  }
  coord_client_free(c);
  stop();
}

/* Only at the next connection: those that are open go on. */
static void files_are_read_again_at_the_next_connection(void) {
  char endpoint[64], message[256];
  start();
  t_proxy *proxy = t_proxy_start(t_etcd_port(cluster, 0));
  snprintf(endpoint, sizeof endpoint, "https://%s", t_proxy_endpoint(proxy));
  coord_client *c = client_at(endpoint, "request.timeout.ms", "1500");
  works(c);
  t_pki_write(pki, "client.pem", "no certificate");
  works(c);
  t_proxy_cut(proxy);
  t_call_fails(c, coord_op_get("k", 1), COORD_TLS, message);
  T_HAS(message, "tls.cert");
  T_HAS(message, "client.pem");
  remove(t_pki_file(pki, "client.pem"));
  t_call_fails(c, coord_op_get("k", 1), COORD_TLS, message);
  T_HAS(message, "No such file");
  t_pki_issue(pki, &(t_certificate){.file = "client"});
  works(c);
  t_pki_issue(pki, &(t_certificate){.file = "client", .other_ca = true});
  works(c);
  t_proxy_cut(proxy);
  t_call_fails(c, coord_op_get("k", 1), COORD_TLS, message);
  T_HAS(message, "the server refuses our certificate");
  t_pki_issue(pki, &(t_certificate){.file = "client"});
  works(c);
  coord_client_free(c);
  t_proxy_stop(proxy);
  stop();
}

static void reads_notice_nothing_of_cuts(void) {
  char endpoint[64], key[t_key_size];
  start();
  t_proxy *proxy = t_proxy_start(t_etcd_port(cluster, 0));
  snprintf(endpoint, sizeof endpoint, "https://%s", t_proxy_endpoint(proxy));
  coord_client *c = client_at(endpoint, "request.timeout.ms", "20000");
  T_TRUE(t_put(c, t_key(key, "k"), "v") > 0);
  for (int i = 0; i < 25; i++) {
    t_proxy_cut(proxy);
    T_TRUE(t_get_is(c, key, "v"));
  }
  coord_client_free(c);
  t_proxy_stop(proxy);
  stop();
}

T_MAIN(T_CASE(put_get_and_scan), T_CASE(ten_thousand_puts_at_once),
       T_CASE(five_hundred_puts_of_64_kib_at_once),
       T_CASE(bytes_that_come_one_by_one_are_put_together), T_CASE(over_ipv6),
       T_CASE(over_a_unix_socket), T_CASE(through_proxies), T_CASE(name_to_expect_can_be_set),
       T_CASE(authorities_may_lie_in_a_directory),
       T_CASE(key_may_be_encrypted_or_lie_with_the_certificate),
       T_CASE(certificates_may_come_through_an_authority_in_between),
       T_CASE(newest_version_can_be_asked_for), T_CASE(older_version_is_spoken_too),
       T_CASE(nothing_is_verified_when_told_so), T_CASE(common_name_is_the_user),
       T_CASE(server_comes_back_with_a_new_certificate),
       T_CASE(files_are_read_again_at_the_next_connection), T_CASE(reads_notice_nothing_of_cuts))
