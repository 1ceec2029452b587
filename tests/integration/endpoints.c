/* Endpoints that the program changes while a client is open. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/dns.h"
#include "support/etcd.h"
#include "support/peer.h"

enum { SOON_MS = 5000 };

static coord_error *err;

static void set(coord_client *client, const char *endpoints) {
  T_OK(coord_client_set_endpoints(client, endpoints, &err), err);
}

/* Sets "who" on the only node of a new cluster. */
static t_cluster *start_named(const char *name) {
  t_cluster *cluster = t_etcd_start(NULL);
  coord_client *client = t_client_with("endpoints", t_etcd_endpoint(cluster, 0), NULL);
  t_put(client, "who", name);
  coord_client_free(client);
  return cluster;
}

static bool has_endpoint(coord_client *client, const char *endpoint) {
  char *stats = NULL;
  char quoted[200];
  snprintf(quoted, sizeof quoted, "\"%s\"", endpoint);
  T_OK(coord_client_stats(client, &stats, &err), err);
  bool has = strstr(stats, quoted) != NULL;
  coord_memory_free(stats);
  return has;
}

static void calls_go_to_the_new_endpoints_at_once(void) {
  t_cluster *one = start_named("one");
  t_cluster *two = start_named("two");
  coord_client *client = t_client_with("endpoints", t_etcd_endpoint(one, 0), NULL);
  T_TRUE(t_get_is(client, "who", "one"));
  for (int i = 0; i < 3; i++) {
    set(client, t_etcd_endpoint(two, 0));
    T_TRUE(t_get_is(client, "who", "two"));
    T_TRUE(has_endpoint(client, t_etcd_endpoint(two, 0)));
    T_TRUE(!has_endpoint(client, t_etcd_endpoint(one, 0)));
    char url[100];
    snprintf(url, sizeof url, "etcd://%s", t_etcd_endpoint(one, 0));
    set(client, url);
    T_TRUE(t_get_is(client, "who", "one"));
  }
  coord_client_free(client);
  t_etcd_stop(one);
  t_etcd_stop(two);
}

/* A get that has been accepted, with `ms` to end in. */
static coord_queue *submit_get(coord_client *client, const char *key, int32_t ms) {
  coord_queue *queue = NULL;
  coord_op *op = coord_op_get(key, strlen(key));
  T_OK(coord_queue_open(&queue, &err), err);
  T_OK(coord_submit(client, op, ms, queue, 1, NULL, &err), err);
  coord_op_free(op);
  return queue;
}

static bool ends_well(coord_queue *queue) {
  coord_event *event = coord_queue_next(queue, SOON_MS * T_SLOW);
  T_FATAL(event != NULL);
  bool good = T_CODE(coord_event_code(event), COORD_OK);
  coord_event_free(event);
  coord_queue_free(queue);
  return good;
}

static void call_that_waits_need_not_wait_longer(void) {
  static const t_raw *const bad[] = {&t_raw_refuses, &t_raw_silent};
  const char *good = t_etcd_endpoint(t_etcd(), 0);
  for (int i = 0; i < 2; i++) {
    t_peer *peer = t_peer_raw(bad[i]);
    coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), "connect.lazy", "true",
                                         "connect.timeout.ms", "20000", "log.level", "off", NULL);
    coord_queue *queue = submit_get(client, "k", 20000);
    T_TRUE(coord_queue_next(queue, 300) == NULL);
    int64_t began = t_now_ms();
    set(client, good);
    T_TRUE(ends_well(queue));
    T_WITHIN(began, 200);
    coord_client_free(client);
    t_peer_stop(peer);
  }
}

static void call_under_way_ends_where_it_is(void) {
  static const t_rule rules[] = {
      {.method = "KV/Range", .data = T_EMPTY_MESSAGE, .grpc_status = "0", .delay_ms = 400}};
  t_peer *slow = t_peer_grpc(rules, 1, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(slow), NULL);
  coord_queue *queue = submit_get(client, "k", 5000);
  T_TRUE(t_peer_wait_calls(slow, "KV/Range", 1, SOON_MS));
  set(client, t_etcd_endpoint(t_etcd(), 0));
  T_TRUE(t_get_is(client, "absent", NULL));
  T_TRUE(ends_well(queue));
  T_INT(t_peer_calls(slow, "KV/Range"), 1);
  int64_t deadline = t_now_ms() + SOON_MS;
  while (t_peer_open_connections(slow) > 0 && t_now_ms() < deadline) usleep(1000);
  T_INT(t_peer_open_connections(slow), 0);
  coord_client_free(client);
  t_peer_stop(slow);
}

static void wrong_lists_are_refused(void) {
  static const struct {
    const char *list;
    const char *why;
  } rows[] = {
      {"", "argument endpoints: \"\" is empty"},
      {"a:1,,b:1", "argument endpoints: \"\" is empty"},
      {"a b", "argument endpoints: \"a b\" has no valid host name"},
      {"h:0", "argument endpoints: \"h:0\" has a port"},
      {"https://a,b", "argument endpoints: \"https://a:2379\" is with TLS and \"b:2379\" without"},
      {"srv://a.example,b", "stands with others"},
      {"etcd://", "argument endpoints: the URL has an empty host"},
      {"etcd://u:p@h", "argument endpoints: the URL holds a password"},
      {"etcd://u@h", "argument endpoints: the URL sets option username, and"},
      {"etcd://h/ns/", "argument endpoints: the URL sets option namespace, and"},
      {"etcd://h?request.timeout.ms=1", "the URL sets option request.timeout.ms, and"},
      {"etcd://h?nonsense=1", "nonsense"},
  };
  coord_client *client = t_client();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    T_ERROR(coord_client_set_endpoints(client, rows[i].list, &err), COORD_INVALID, err,
            rows[i].why);
    T_CODE(coord_client_set_endpoints(client, rows[i].list, NULL), COORD_INVALID);
  }
  T_ERROR(coord_client_set_endpoints(client, NULL, &err), COORD_INVALID, err, "endpoints is NULL");
  T_ERROR(coord_client_set_endpoints(NULL, "h", &err), COORD_INVALID, err, "client is NULL");
  T_TRUE(has_endpoint(client, t_etcd_endpoint(t_etcd(), 0)));
  T_TRUE(t_get_is(client, "absent", NULL));
  T_OK(coord_client_close(client, 0, &err), err);
  T_ERROR(coord_client_set_endpoints(client, "h", &err), COORD_CLOSED, err, "closed");
  coord_client_free(client);
}

/* ---- TLS ---- */

static void plain_client_changes_to_tls_and_back(void) {
  t_pki *pki = t_pki_new();
  t_cluster *secure = t_etcd_start(&(t_etcd_options){.pki = pki});
  coord_client *client =
      t_client_with("tls.ca", t_pki_file(pki, "ca.pem"), "log.level", "off", NULL);
  coord_client *without = t_client_with("request.timeout.ms", "1000", "log.level", "off", NULL);
  T_TRUE(t_get_is(client, "absent", NULL));
  set(client, t_etcd_endpoint(secure, 0));
  T_TRUE(t_put(client, "k", "secure") > 0);
  set(client, t_etcd_endpoint(t_etcd(), 0));
  T_TRUE(t_get_is(client, "k", NULL));
  /* Without tls.ca the authorities of the system count. */
  set(without, t_etcd_endpoint(secure, 0));
  t_call_fails(without, coord_op_get("k", 1), COORD_TLS, NULL);
  coord_client_free(client);
  coord_client_free(without);
  t_etcd_stop(secure);
  t_pki_free(pki);
}

static void files_that_tls_needs_are_looked_at(void) {
  char ca[200];
  t_pki *pki = t_pki_new();
  snprintf(ca, sizeof ca, "%s", t_pki_file(pki, "ca.pem"));
  coord_client *client = t_client_with("tls.ca", ca, "log.level", "off", NULL);
  t_pki_write(pki, "ca.pem", "nonsense");
  T_ERROR(coord_client_set_endpoints(client, "https://127.0.0.1:1", &err), COORD_INVALID, err,
          "option tls.ca: ");
  T_TRUE(t_get_is(client, "absent", NULL));
  coord_client_free(client);
  t_pki_free(pki);
}

static bool has_warned_of_tls(void *queue) {
  bool warned = false;
  for (coord_event *event; (event = coord_queue_next(queue, 0)) != NULL;) {
    warned |= strstr(coord_event_text(event), "tls.verify is false") != NULL;
    coord_event_free(event);
  }
  return warned;
}

static void warning_comes_when_tls_is_not_verified(void) {
  coord_queue *queue = NULL;
  coord_client *client = t_client_with("tls.verify", "false", NULL);
  T_OK(coord_queue_open(&queue, &err), err);
  T_OK(coord_client_log_to(client, queue, 0, &err), err);
  set(client, "127.0.0.1:1");
  T_TRUE(!has_warned_of_tls(queue));
  set(client, "https://127.0.0.1:1");
  T_TRUE(t_wait_until(has_warned_of_tls, queue, SOON_MS));
  coord_client_free(client);
  coord_queue_free(queue);
}

/* ---- domains ---- */

static void domain_comes_and_goes(void) {
  char target[32];
  t_cluster *one = start_named("one");
  t_cluster *two = start_named("two");
  t_dns *dns = t_dns_start();
  snprintf(target, sizeof target, "localhost:%d", t_etcd_port(one, 0));
  t_dns_set(dns, "_etcd-client._tcp.test.example", T_DNS_RECORDS, target);
  coord_client *client =
      t_client_with("endpoints", t_etcd_endpoint(two, 0), "dns.servers", t_dns_address(dns), NULL);
  T_TRUE(t_get_is(client, "who", "two"));
  set(client, "srv://test.example");
  T_TRUE(t_get_is(client, "who", "one"));
  T_TRUE(has_endpoint(client, target));
  set(client, t_etcd_endpoint(two, 0));
  T_TRUE(t_get_is(client, "who", "two"));
  int asked = t_dns_asked(dns, "_etcd-client._tcp.test.example");
  set(client, "srv://test.example");
  T_TRUE(t_get_is(client, "who", "one"));
  T_TRUE(t_dns_asked(dns, "_etcd-client._tcp.test.example") > asked);
  coord_client_free(client);
  t_dns_stop(dns);
  t_etcd_stop(one);
  t_etcd_stop(two);
}

static void list_takes_the_place_of_a_domain_that_is_asked_for(void) {
  t_dns *dns = t_dns_start();
  t_dns_set(dns, "_etcd-client-ssl._tcp.test.example", T_DNS_SILENT, NULL);
  coord_client *client =
      t_client_with("endpoints", "srv://test.example", "dns.servers", t_dns_address(dns),
                    "connect.lazy", "true", "connect.timeout.ms", "20000", NULL);
  coord_queue *queue = submit_get(client, "k", 20000);
  T_TRUE(coord_queue_next(queue, 200) == NULL);
  set(client, t_etcd_endpoint(t_etcd(), 0));
  T_TRUE(ends_well(queue));
  coord_client_free(client);
  t_dns_stop(dns);
}

/* ---- at once ---- */

typedef struct crowd {
  coord_client *client;
  const char *lists[2];
  atomic_bool stop;
  atomic_int bad;
  atomic_int good;
} crowd;

static void *change_all_the_time(void *arg) {
  crowd *c = arg;
  for (int i = 0; !atomic_load(&c->stop); i++) {
    if (coord_client_set_endpoints(c->client, c->lists[i % 2], NULL) != COORD_OK) c->bad++;
    usleep(500);
  }
  return NULL;
}

static void *read_all_the_time(void *arg) {
  crowd *c = arg;
  while (!atomic_load(&c->stop)) {
    if (coord_get(c->client, "k", 1, NULL, NULL) == COORD_OK) {
      c->good++;
    } else {
      c->bad++;
    }
  }
  return NULL;
}

static void reads_do_not_notice_changes(void) {
  pthread_t threads[4];
  char both[100];
  t_cluster *other = t_etcd_start(NULL);
  crowd c = {.client = t_client(),
             .lists = {t_etcd_endpoint(t_etcd(), 0), t_etcd_endpoint(other, 0)}};
  snprintf(both, sizeof both, "%s,%s", c.lists[0], c.lists[1]);
  pthread_create(&threads[0], NULL, change_all_the_time, &c);
  for (int i = 1; i < 4; i++) pthread_create(&threads[i], NULL, read_all_the_time, &c);
  usleep(700000);
  set(c.client, both);
  atomic_store(&c.stop, true);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  T_INT(c.bad, 0);
  T_TRUE(c.good > 50);
  coord_client_free(c.client);
  t_etcd_stop(other);
}

T_MAIN(T_CASE(calls_go_to_the_new_endpoints_at_once), T_CASE(call_that_waits_need_not_wait_longer),
       T_CASE(call_under_way_ends_where_it_is), T_CASE(wrong_lists_are_refused),
       T_CASE(plain_client_changes_to_tls_and_back), T_CASE(files_that_tls_needs_are_looked_at),
       T_CASE(warning_comes_when_tls_is_not_verified), T_CASE(domain_comes_and_goes),
       T_CASE(list_takes_the_place_of_a_domain_that_is_asked_for),
       T_CASE(reads_do_not_notice_changes))
