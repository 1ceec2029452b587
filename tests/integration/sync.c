/* Endpoints from the list of the cluster's members: once, by interval, and lists of no use. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/auth.h"
#include "support/peer.h"
#include "support/secure.h"

enum { SOON_MS = 5000 };

static coord_error *err;

static void sync_now(coord_client *client) {
  T_OK(coord_client_sync_endpoints(client, 0, &err), err);
}

/* The endpoints are exactly these, NULL at the end, in any order. */
typedef struct wanted {
  coord_client *client;
  const char *names[4];
} wanted;

/* JSON may have "\/" for "/". */
static void unescape(char *json) {
  char *to = json;
  for (const char *from = json; *from != '\0'; from++) {
    if (*from != '\\') *to++ = *from;
  }
  *to = '\0';
}

static bool are(void *arg) {
  wanted *w = arg;
  char *stats = NULL;
  char quoted[100];
  int count = 1;
  bool good = true;
  T_CODE(coord_client_stats(w->client, &stats, NULL), COORD_OK);
  unescape(stats);
  char *end = strchr(stats, ']');
  if (end != NULL) *end = '\0';
  for (const char *p = stats; (p = strchr(p, ',')) != NULL; p++) count++;
  for (int i = 0; i < 4 && w->names[i] != NULL; i++, count--) {
    snprintf(quoted, sizeof quoted, "\"%s\"", w->names[i]);
    good = good && strstr(stats, quoted) != NULL;
  }
  coord_memory_free(stats);
  return good && count == 0;
}

static bool endpoints_are(coord_client *client, const char *a, const char *b, const char *c) {
  return are(&(wanted){client, {a, b, c, NULL}});
}

/* While a cluster elects a leader, it does not answer. */
static bool sync_makes_them(void *arg) {
  wanted *w = arg;
  return coord_client_sync_endpoints(w->client, 0, NULL) == COORD_OK && are(w);
}

static bool can_read(void *client) { return coord_get(client, "k", 1, NULL, NULL) == COORD_OK; }

/* ---- a real cluster ---- */

/* Else members may not change in its first five seconds. */
static const char *const lenient[] = {"--strict-reconfig-check=false", NULL};

/* POST to the gateway of a node; the answer is the caller's. */
static char *post(const t_cluster *cluster, const char *path, const char *body) {
  char command[600];
  char *answer = calloc(1, 8192);
  snprintf(command, sizeof command, "curl -sS -m 10 -d '%s' http://%s/v3/%s", body,
           t_etcd_endpoint(cluster, 0), path);
  FILE *pipe = popen(command, "r");
  T_FATAL(pipe != NULL && answer != NULL);
  answer[fread(answer, 1, 8191, pipe)] = '\0';
  T_INT(pclose(pipe), 0);
  return answer;
}

/* Takes the member out that announces this endpoint. */
static void remove_member(const t_cluster *cluster, const char *endpoint) {
  char body[100];
  char *members = post(cluster, "cluster/member/list", "{}");
  char *at = strstr(members, endpoint);
  T_FATAL(at != NULL);
  *at = '\0';
  const char *id = NULL;
  for (const char *p = members; (p = strstr(p, "\"ID\":\"")) != NULL; p++) id = p + 6;
  T_FATAL(id != NULL);
  snprintf(body, sizeof body, "{\"ID\":\"%.*s\"}", (int)strcspn(id, "\""), id);
  char *answer = post(cluster, "cluster/member/remove", body);
  T_HAS(answer, "\"members\"");
  free(answer);
  free(members);
}

static void members_become_the_endpoints(void) {
  t_cluster *cluster = t_etcd_start(&(t_etcd_options){.nodes = 3, .args = lenient});
  const char *n[3];
  for (int i = 0; i < 3; i++) n[i] = t_etcd_endpoint(cluster, i);
  coord_client *client = t_client_with("endpoints", n[0], "request.timeout.ms", "1000", NULL);
  T_TRUE(endpoints_are(client, n[0], NULL, NULL));
  sync_now(client);
  T_TRUE(endpoints_are(client, n[0], n[1], n[2]));
  T_TRUE(t_put(client, "k", "v") > 0);
  /* A learner, and one that has not started. */
  char *answer = post(cluster, "cluster/member/add",
                      "{\"peerURLs\":[\"http://127.0.0.1:1\"],\"isLearner\":true}");
  T_HAS(answer, "\"member\"");
  free(answer);
  sync_now(client);
  T_TRUE(endpoints_are(client, n[0], n[1], n[2]));
  remove_member(cluster, n[2]);
  T_TRUE(t_wait_until(sync_makes_them, &(wanted){client, {n[0], n[1]}}, SOON_MS));
  /* Those that are there do not change hands for their order. */
  char list[100];
  coord_queue *queue = NULL;
  snprintf(list, sizeof list, "%s,%s", n[1], n[0]);
  T_OK(coord_client_set_endpoints(client, list, &err), err);
  T_OK(coord_queue_open(&queue, &err), err);
  T_TRUE(t_wait_until(can_read, client, SOON_MS));
  T_OK(coord_client_states_to(client, queue, 0, &err), err);
  T_TRUE(t_wait_until(sync_makes_them, &(wanted){client, {n[0], n[1]}}, SOON_MS));
  for (coord_event *e; (e = coord_queue_next(queue, 0)) != NULL; coord_event_free(e)) {
    T_TRUE(coord_event_state(e) != COORD_STATE_ENDPOINTS);
  }
  coord_client_free(client);
  coord_queue_free(queue);
  t_etcd_stop(cluster);
}

static void interval_keeps_the_endpoints_up_to_date(void) {
  t_cluster *cluster = t_etcd_start(&(t_etcd_options){.nodes = 3, .args = lenient});
  const char *n[3];
  for (int i = 0; i < 3; i++) n[i] = t_etcd_endpoint(cluster, i);
  coord_client *client = t_client_with("endpoints", n[1], "endpoints.sync.interval.ms", "50",
                                       "request.timeout.ms", "1000", "log.level", "off", NULL);
  T_TRUE(t_wait_until(are, &(wanted){client, {n[0], n[1], n[2]}}, SOON_MS));
  remove_member(cluster, n[2]);
  T_TRUE(t_wait_until(are, &(wanted){client, {n[0], n[1]}}, SOON_MS));
  /* The one that it was opened with is not needed. */
  T_OK(coord_client_set_endpoints(client, n[0], &err), err);
  T_TRUE(t_wait_until(are, &(wanted){client, {n[0], n[1]}}, SOON_MS));
  coord_client_free(client);
  t_etcd_stop(cluster);
}

static void lazy_client_begins_by_itself(void) {
  coord_client *client =
      t_client_with("endpoints.sync.interval.ms", "20", "connect.lazy", "true", NULL);
  char *stats = NULL;
  bool asked = false;
  for (int64_t end = t_now_ms() + SOON_MS; !asked && t_now_ms() < end; usleep(1000)) {
    T_CODE(coord_client_stats(client, &stats, NULL), COORD_OK);
    asked = strstr(stats, "\"members\":{\"calls\":3") != NULL;
    coord_memory_free(stats);
  }
  T_TRUE(asked);
  coord_client_free(client);
}

/* ---- lists that a peer makes up ---- */

/* Answers of a peer to MemberList: members "a", "b", ... that announce one URL each. */
typedef struct fake {
  t_rule rule;
  char frame[400];
  char json[400];
} fake;

static void announce(fake *f, const char *const *urls, int count) {
  size_t n = 5;
  size_t j = (size_t)snprintf(f->json, sizeof f->json, "{\"header\":{},\"members\":[");
  for (int i = 0; i < count; i++) {
    size_t len = strlen(urls[i]);
    /* members = 2 { name = 2 "a", clientURLs = 4 } */
    n += (size_t)snprintf(f->frame + n, sizeof f->frame - n, "\x12%c\x12\x01%c\x22%c%s",
                          (int)len + 5, 'a' + i, (int)len, urls[i]);
    j += (size_t)snprintf(f->json + j, sizeof f->json - j,
                          "%s{\"name\":\"%c\",\"clientURLs\":[\"%s\"]}", i > 0 ? "," : "", 'a' + i,
                          urls[i]);
  }
  snprintf(f->json + j, sizeof f->json - j, "]}");
  f->frame[3] = (char)((n - 5) >> 8);
  f->frame[4] = (char)(n - 5);
  f->rule = (t_rule){
      .method = "Cluster/MemberList", .data = {f->frame, n}, .grpc_status = "0", .json = f->json};
}

static void list_of_no_use_changes_nothing(void) {
  static const char *const strange[] = {"ftp://h", "http://h:0"};
  fake f = {.json = ""};
  t_cluster *shared = t_etcd();
  for (int count = 0; count < 3; count += 2) {
    announce(&f, strange, count);
    t_peer *peer = t_peer_grpc(&f.rule, 1, NULL);
    coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
    T_ERROR(coord_client_sync_endpoints(client, 0, &err), COORD_NOT_FOUND, err,
            "advertise-client-urls");
    T_CODE(coord_client_sync_endpoints(client, 0, NULL), COORD_NOT_FOUND);
    T_TRUE(endpoints_are(client, t_peer_endpoint(peer), NULL, NULL));
    T_OK(coord_client_set_endpoints(client, t_etcd_endpoint(shared, 0), &err), err);
    T_TRUE(t_get_is(client, "absent", NULL));
    coord_client_free(client);
    t_peer_stop(peer);
  }
}

/* Warnings until the peer has been asked `calls` times. */
static int warnings_of(coord_client *client, t_peer *peer, int calls, const char *part) {
  coord_queue *queue = NULL;
  int n = 0;
  T_OK(coord_queue_open(&queue, &err), err);
  T_OK(coord_client_log_to(client, queue, 0, &err), err);
  T_TRUE(t_peer_wait_calls(peer, "Cluster/MemberList", calls, SOON_MS));
  T_OK(coord_client_log_to(client, NULL, 0, &err), err);
  for (coord_event *e; (e = coord_queue_next(queue, 0)) != NULL; coord_event_free(e)) {
    if (coord_event_level(e) == COORD_LOG_WARN) n += strstr(coord_event_text(e), part) != NULL;
  }
  coord_queue_free(queue);
  return n;
}

static void refusal_of_permission_is_told_once(void) {
  static const t_rule rule = {.method = "Cluster/MemberList",
                              .http_status = NULL,
                              .grpc_status = "7",
                              .grpc_message = "etcdserver: permission denied",
                              .trailers_only = true};
  if (t_on_gateway()) T_SKIP("the peer speaks gRPC");
  t_peer *peer = t_peer_grpc(&rule, 1, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), "connect.lazy", "true",
                                       "log.level", "warn", NULL);
  T_ERROR(coord_client_sync_endpoints(client, 0, &err), COORD_AUTH, err, "permission denied");
  coord_client_free(client);
  coord_options *options =
      t_options("endpoints", t_peer_endpoint(peer), "connect.lazy", "true",
                "endpoints.sync.interval.ms", "30", "connect.timeout.ms", "2000", NULL);
  T_OK(coord_client_open(options, &client, &err), err);
  coord_options_free(options);
  T_TRUE(warnings_of(client, peer, 6, "permission denied") <= 1);
  T_TRUE(endpoints_are(client, t_peer_endpoint(peer), NULL, NULL));
  coord_client_free(client);
  t_peer_stop(peer);
}

static void user_without_the_right_keeps_the_endpoints(void) {
  t_cluster *cluster = t_etcd_start(NULL);
  t_auth_enable(cluster);
  coord_client *client = t_auth_client(cluster, "ann", "annpw");
  /* Versions differ in who may ask; either way it goes on. */
  coord_code code = coord_client_sync_endpoints(client, 0, NULL);
  T_TRUE(code == COORD_OK || code == COORD_AUTH);
  T_TRUE(endpoints_are(client, t_etcd_endpoint(cluster, 0), NULL, NULL));
  T_TRUE(t_put(client, "t/k", "v") > 0);
  coord_client_free(client);
  t_etcd_stop(cluster);
}

/* ---- TLS ---- */

static void from_tls_there_is_no_way_back(void) {
  t_pki *pki = t_pki_new();
  t_pki_issue(pki, &(t_certificate){.file = "server"});
  t_secure *door =
      t_secure_start(pki, t_etcd_port(t_etcd(), 0), &(t_secure_options){.certificate = "server"});
  coord_client *client = t_client_with("endpoints", t_secure_endpoint(door), "tls.ca",
                                       t_pki_file(pki, "ca.pem"), NULL);
  T_ERROR(coord_client_sync_endpoints(client, 0, &err), COORD_TLS, err, "without TLS");
  T_TRUE(endpoints_are(client, t_secure_endpoint(door), NULL, NULL));
  T_TRUE(t_get_is(client, "absent", NULL));
  coord_client_free(client);
  t_secure_stop(door);
  t_pki_free(pki);
}

static void members_with_tls_are_spoken_to_with_it(void) {
  t_pki *pki = t_pki_new();
  t_cluster *cluster = t_etcd_start(&(t_etcd_options){.pki = pki, .nodes = 3});
  const char *n[3];
  for (int i = 0; i < 3; i++) n[i] = t_etcd_endpoint(cluster, i);
  coord_client *client =
      t_client_with("endpoints", n[0], "tls.ca", t_pki_file(pki, "ca.pem"), NULL);
  sync_now(client);
  T_TRUE(endpoints_are(client, n[0], n[1], n[2]));
  T_TRUE(t_put(client, "k", "v") > 0);
  coord_client_free(client);
  /* A plain endpoint whose members are with TLS by now. */
  fake f = {.json = ""};
  announce(&f, n, 2);
  t_peer *peer = t_peer_grpc(&f.rule, 1, NULL);
  client = t_client_with("endpoints", t_peer_endpoint(peer), "tls.ca", t_pki_file(pki, "ca.pem"),
                         "log.level", "off", NULL);
  sync_now(client);
  T_TRUE(endpoints_are(client, n[0], n[1], NULL));
  T_TRUE(t_get_is(client, "k", "v"));
  coord_client_free(client);
  client = t_client_with("endpoints", t_peer_endpoint(peer), "tls.ca", t_pki_file(pki, "ca.pem"),
                         "log.level", "off", NULL);
  t_pki_write(pki, "ca.pem", "nonsense");
  T_ERROR(coord_client_sync_endpoints(client, 0, &err), COORD_INVALID, err, "option tls.ca");
  T_TRUE(endpoints_are(client, t_peer_endpoint(peer), NULL, NULL));
  coord_client_free(client);
  t_peer_stop(peer);
  t_etcd_stop(cluster);
  t_pki_free(pki);
}

/* ---- ends ---- */

static void deadline_and_arguments_hold(void) {
  t_peer *peer = t_peer_raw(&t_raw_silent);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), "connect.lazy", "true",
                                       "log.level", "off", NULL);
  int64_t began = t_now_ms();
  coord_code code = coord_client_sync_endpoints(client, 200, &err);
  T_TRUE(code == COORD_TIMEOUT || code == COORD_UNAVAILABLE);
  T_HAS(coord_error_message(err), "members: ");
  coord_error_free(err);
  err = NULL;
  T_WITHIN(began, 1000);
  T_ERROR(coord_client_sync_endpoints(NULL, 0, &err), COORD_INVALID, err, "client");
  T_ERROR(coord_client_sync_endpoints(client, -2, &err), COORD_INVALID, err, "timeout_ms");
  T_OK(coord_client_close(client, 0, &err), err);
  T_ERROR(coord_client_sync_endpoints(client, 0, &err), COORD_CLOSED, err, "closed");
  coord_client_free(client);
  t_peer_stop(peer);
}

static void *close_soon(void *client) {
  usleep(100000);
  coord_client_close(client, 0, NULL);
  return NULL;
}

static void closing_ends_a_sync_under_way(void) {
  pthread_t thread;
  t_peer *peer = t_peer_raw(&t_raw_silent);
  coord_client *client =
      t_client_with("endpoints", t_peer_endpoint(peer), "connect.lazy", "true",
                    "endpoints.sync.interval.ms", "10", "log.level", "off", NULL);
  pthread_create(&thread, NULL, close_soon, client);
  T_ERROR(coord_client_sync_endpoints(client, -1, &err), COORD_CLOSED, err, "closed");
  pthread_join(thread, NULL);
  coord_client_free(client);
  t_peer_stop(peer);
}

T_MAIN(T_CASE(members_become_the_endpoints), T_CASE(interval_keeps_the_endpoints_up_to_date),
       T_CASE(lazy_client_begins_by_itself), T_CASE(list_of_no_use_changes_nothing),
       T_CASE(refusal_of_permission_is_told_once),
       T_CASE(user_without_the_right_keeps_the_endpoints), T_CASE(from_tls_there_is_no_way_back),
       T_CASE(members_with_tls_are_spoken_to_with_it), T_CASE(deadline_and_arguments_hold),
       T_CASE(closing_ends_a_sync_under_way))
