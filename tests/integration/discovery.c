/* Endpoints that DNS tells: found, not found, changed, and lookups that fail in every way. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "support/dns.h"
#include "support/etcd.h"

#define PLAIN "_etcd-client._tcp.test.example"
#define SECURE "_etcd-client-ssl._tcp.test.example"

static t_dns *dns;
static coord_error *err;

/* A target for the shared etcd. */
static const char *here(void) {
  static char text[32];
  snprintf(text, sizeof text, "localhost:%d", t_etcd_port(t_etcd(), 0));
  return text;
}

static void begin(int kind, const char *targets) {
  dns = t_dns_start();
  t_dns_set(dns, PLAIN, kind, targets);
}

static coord_options *options_for(const char *endpoints) {
  return t_options("endpoints", endpoints, "dns.servers", t_dns_address(dns), "connect.timeout.ms",
                   "1500", "request.timeout.ms", "3000", "log.level", "off", NULL);
}

static coord_code open_client(const char *endpoints, coord_client **out) {
  coord_options *options = options_for(endpoints);
  coord_code code = coord_client_open(options, out, &err);
  coord_options_free(options);
  return code;
}

static void works(coord_client *client) {
  char key[t_key_size];
  t_key(key, "k");
  T_TRUE(t_put(client, key, "v") > 0);
  T_TRUE(t_get_is(client, key, "v"));
}

static void endpoints_are_found(void) {
  coord_client *client = NULL;
  char *stats = NULL;
  begin(T_DNS_RECORDS, here());
  T_OK(open_client("srv://test.example", &client), err);
  works(client);
  T_OK(coord_client_stats(client, &stats, &err), err);
  T_HAS(stats, here());
  T_TRUE(strstr(stats, "srv://") == NULL);
  coord_memory_free(stats);
  T_INT(t_dns_asked(dns, SECURE), 1);
  T_INT(t_dns_asked(dns, PLAIN), 1);
  coord_client_free(client);
  t_dns_stop(dns);
}

static void lazy_client_asks_with_its_first_call(void) {
  coord_client *client = NULL;
  begin(T_DNS_RECORDS, here());
  coord_options *options = options_for("srv://test.example");
  T_OK(coord_options_set(options, "connect.lazy", "true", &err), err);
  T_OK(coord_client_open(options, &client, &err), err);
  T_INT(t_dns_asked(dns, PLAIN), 0);
  works(client);
  T_INT(t_dns_asked(dns, PLAIN), 1);
  coord_options_free(options);
  coord_client_free(client);
  t_dns_stop(dns);
}

static void url_names_a_domain_and_options(void) {
  char space[t_key_size];
  char url[200];
  char key[2 * t_key_size];
  coord_client *client = NULL;
  coord_client *whole = t_client();
  begin(T_DNS_RECORDS, here());
  t_key(space, "ns/");
  snprintf(url, sizeof url, "etcd+srv://test.example/%s", space);
  T_OK(open_client(url, &client), err);
  t_put(client, "k", "v");
  snprintf(key, sizeof key, "%sk", space);
  T_TRUE(t_get_is(whole, key, "v"));
  coord_client_free(client);
  coord_client_free(whole);
  t_dns_stop(dns);
}

static void all_records_are_tried(void) {
  char targets[100];
  coord_client *client = NULL;
  snprintf(targets, sizeof targets, "localhost:1,no-such-host.invalid:2379,%s", here());
  begin(T_DNS_RECORDS, targets);
  T_OK(open_client("srv://test.example", &client), err);
  works(client);
  T_INT(t_dns_asked(dns, PLAIN), 1);
  coord_client_free(client);
  t_dns_stop(dns);
}

static void failures_are_told(void) {
  static const struct {
    int plain;
    int secure;
    const char *targets;
    coord_code code;
    const char *why;
  } rows[] = {
      {T_DNS_NO_NAME, T_DNS_NO_NAME, NULL, COORD_UNAVAILABLE,
       "srv://test.example: DNS has no SRV record " PLAIN},
      {T_DNS_NO_DATA, T_DNS_NO_DATA, NULL, COORD_UNAVAILABLE, "DNS has no SRV record " PLAIN},
      {T_DNS_RECORDS, T_DNS_NO_NAME, ".:2379", COORD_UNAVAILABLE, "DNS has no SRV record " PLAIN},
      {T_DNS_BROKEN, T_DNS_NO_NAME, NULL, COORD_UNAVAILABLE, "DNS does not tell " PLAIN ": "},
      {T_DNS_SILENT, T_DNS_NO_NAME, NULL, COORD_TIMEOUT, "no name server answered within 1500 ms"},
      {T_DNS_GARBAGE, T_DNS_NO_NAME, NULL, COORD_TIMEOUT, "no name server answered within"},
      {T_DNS_RECORDS, T_DNS_NO_NAME, "a b:1", COORD_INVALID, "has no valid host name"},
      {T_DNS_RECORDS, T_DNS_NO_NAME, "localhost:1", COORD_UNAVAILABLE, "localhost:1: "},
      /* What is with TLS must not be had without by breaking DNS. */
      {T_DNS_RECORDS, T_DNS_BROKEN, "localhost:1", COORD_UNAVAILABLE, "not tell " SECURE},
      {T_DNS_RECORDS, T_DNS_SILENT, "localhost:1", COORD_TIMEOUT, "not tell " SECURE},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    coord_client *client = NULL;
    begin(rows[i].plain, rows[i].targets);
    t_dns_set(dns, SECURE, rows[i].secure, NULL);
    coord_code code = open_client("srv://test.example", &client);
    if (!T_CODE(code, rows[i].code)) T_FAIL("this was row %zu", i);
    T_HAS(coord_error_message(err), rows[i].why);
    T_TRUE(client == NULL);
    coord_error_free(err);
    err = NULL;
    t_dns_stop(dns);
  }
}

static void records_with_tls_are_preferred(void) {
  coord_client *client = NULL;
  begin(T_DNS_RECORDS, here());
  t_dns_set(dns, SECURE, T_DNS_RECORDS, "localhost:1");
  T_ERROR(open_client("srv://test.example", &client), COORD_UNAVAILABLE, err,
          "https://localhost:1");
  T_ERROR(open_client("srvs://test.example", &client), COORD_UNAVAILABLE, err,
          "https://localhost:1");
  T_INT(t_dns_asked(dns, PLAIN), 0);
  t_dns_stop(dns);
}

static void records_with_tls_are_dialled_with_it(void) {
  char target[32];
  coord_client *client = NULL;
  t_pki *pki = t_pki_new();
  t_pki_issue(pki, &(t_certificate){.file = "server"});
  t_cluster *cluster = t_etcd_start(&(t_etcd_options){.pki = pki, .certificate = "server"});
  snprintf(target, sizeof target, "localhost:%d", t_etcd_port(cluster, 0));
  dns = t_dns_start();
  t_dns_set(dns, SECURE, T_DNS_RECORDS, target);
  coord_options *options = options_for("srvs://test.example");
  T_ERROR(coord_client_open(options, &client, &err), COORD_TLS, err, "certificate");
  T_OK(coord_options_set(options, "tls.ca", t_pki_file(pki, "ca.pem"), &err), err);
  T_OK(coord_client_open(options, &client, &err), err);
  works(client);
  coord_client_free(client);
  coord_options_free(options);
  t_dns_stop(dns);
  t_etcd_stop(cluster);
  t_pki_free(pki);
}

static void call_finds_endpoints_that_come_later(void) {
  coord_client *client = NULL;
  begin(T_DNS_NO_NAME, NULL);
  coord_options *options = options_for("srv://test.example");
  T_OK(coord_options_set(options, "connect.lazy", "true", &err), err);
  T_OK(coord_client_open(options, &client, &err), err);
  coord_options_free(options);
  coord_queue *queue = NULL;
  uint64_t id = 0;
  T_OK(coord_queue_open(&queue, &err), err);
  coord_op *op = coord_op_get("k", 1);
  T_OK(coord_submit(client, op, 15000, queue, 1, &id, &err), err);
  coord_op_free(op);
  int64_t deadline = t_now_ms() + 10000;
  struct timespec pause = {0, 1000000};
  while (t_dns_asked(dns, PLAIN) < 2 && t_now_ms() < deadline) nanosleep(&pause, NULL);
  t_dns_set(dns, PLAIN, T_DNS_RECORDS, "localhost:1");
  int before = t_dns_asked(dns, PLAIN);
  while (t_dns_asked(dns, PLAIN) < before + 2 && t_now_ms() < deadline) nanosleep(&pause, NULL);
  T_TRUE(t_dns_asked(dns, PLAIN) >= before + 2);
  t_dns_set(dns, PLAIN, T_DNS_RECORDS, here());
  coord_event *event = coord_queue_next(queue, 15000);
  T_FATAL(event != NULL);
  T_CODE(coord_event_code(event), COORD_OK);
  coord_event_free(event);
  coord_queue_free(queue);
  coord_client_free(client);
  t_dns_stop(dns);
}

static void endpoints_of_before_serve_when_dns_breaks(void) {
  coord_client *client = NULL;
  t_cluster *cluster = t_etcd_start(NULL);
  char targets[64];
  snprintf(targets, sizeof targets, "localhost:%d", t_etcd_port(cluster, 0));
  begin(T_DNS_RECORDS, targets);
  T_OK(open_client("srv://test.example", &client), err);
  T_TRUE(t_put(client, "k", "v") > 0);
  t_dns_set(dns, PLAIN, T_DNS_BROKEN, NULL);
  t_dns_set(dns, SECURE, T_DNS_BROKEN, NULL);
  t_etcd_kill(cluster, 0);
  /* A read goes on trying until its deadline. */
  T_TRUE(coord_get(client, "k", 1, NULL, NULL) != COORD_OK);
  T_TRUE(t_dns_asked(dns, SECURE) > 1);
  t_etcd_restart(cluster, 0);
  coord_code code = COORD_UNAVAILABLE;
  for (int i = 0; i < 20 && code != COORD_OK; i++) code = coord_put(client, "k", 1, "w", 1, NULL);
  T_CODE(code, COORD_OK);
  coord_client_free(client);
  t_dns_stop(dns);
  t_etcd_stop(cluster);
}

static void client_ends_while_a_lookup_is_under_way(void) {
  begin(T_DNS_SILENT, NULL);
  t_dns_set(dns, SECURE, T_DNS_SILENT, NULL);
  coord_options *options = options_for("srv://test.example");
  T_OK(coord_options_set(options, "connect.lazy", "true", &err), err);
  for (int how = 0; how < 2; how++) {
    coord_client *client = NULL;
    coord_queue *queue = NULL;
    uint64_t id = 0;
    int64_t began = t_now_ms();
    int before = t_dns_asked(dns, SECURE);
    T_OK(coord_client_open(options, &client, &err), err);
    T_OK(coord_queue_open(&queue, &err), err);
    coord_op *op = coord_op_get("k", 1);
    T_OK(coord_submit(client, op, 15000, queue, 1, &id, &err), err);
    coord_op_free(op);
    struct timespec pause = {0, 1000000};
    while (t_dns_asked(dns, SECURE) == before && t_now_ms() < began + 5000) nanosleep(&pause, NULL);
    if (how == 0) T_CODE(coord_client_close(client, 10, NULL), COORD_TIMEOUT);
    coord_client_free(client);
    coord_event *event = coord_queue_next(queue, 5000);
    T_FATAL(event != NULL);
    T_CODE(coord_event_code(event), COORD_CLOSED);
    coord_event_free(event);
    coord_queue_free(queue);
    T_WITHIN(began, 1000);
  }
  coord_options_free(options);
  t_dns_stop(dns);
}

static void wrong_options_are_refused(void) {
  static const char *const servers[] = {"x", "1.2.3.4:x", "1.2.3.4;5.6.7.8", "localhost:53"};
  static const struct {
    const char *endpoints;
    const char *why;
  } lists[] = {{"srv://", "has no valid domain"},
               {"srv://a b", "has no valid domain"},
               {"srv://example.com:2379", "has no valid domain"},
               {"srv://a.example,b:2379", "stands with others"},
               {"srv://a.example,srv://b.example", "stands with others"},
               {"etcd+srv://a.example,b.example", "stands with others"}};
  coord_client *client = NULL;
  begin(T_DNS_RECORDS, here());
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    T_ERROR(open_client(lists[i].endpoints, &client), COORD_INVALID, err, lists[i].why);
  }
  for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
    coord_options *options =
        t_options("endpoints", "srv://test.example", "dns.servers", servers[i], NULL);
    T_ERROR(coord_client_open(options, &client, &err), COORD_INVALID, err,
            "option dns.servers: \"");
    coord_options_free(options);
  }
  t_dns_stop(dns);
}

static void without_memory_it_fails_or_works(void) {
  begin(T_DNS_RECORDS, here());
  coord_options *options = options_for("srv://test.example");
  coord_code code = COORD_NO_MEMORY;
  long n = 0;
  for (; code != COORD_OK && n < 500; n++) {
    coord_client *client = NULL;
    coord__alloc_fail_after(n);
    code = coord_client_open(options, &client, &err);
    coord__alloc_fail_after(-1);
    coord_error_free(err);
    err = NULL;
    T_TRUE(code == COORD_OK || code == COORD_NO_MEMORY || code == COORD_UNAVAILABLE ||
           code == COORD_TIMEOUT);
    coord_client_free(client);
  }
  T_TRUE(n > 15);
  T_CODE(code, COORD_OK);
  coord_options_free(options);
  t_dns_stop(dns);
}

T_MAIN(T_CASE(endpoints_are_found), T_CASE(lazy_client_asks_with_its_first_call),
       T_CASE(url_names_a_domain_and_options), T_CASE(all_records_are_tried),
       T_CASE(failures_are_told), T_CASE(records_with_tls_are_preferred),
       T_CASE(records_with_tls_are_dialled_with_it), T_CASE(call_finds_endpoints_that_come_later),
       T_CASE(endpoints_of_before_serve_when_dns_breaks),
       T_CASE(client_ends_while_a_lookup_is_under_way), T_CASE(wrong_options_are_refused),
       T_CASE(without_memory_it_fails_or_works))
