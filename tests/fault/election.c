/* Elections while connections, answers and history are lost: one leads at a time, and who observes is
 * told the truth in the end. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/cluster.h"
#include "support/lock_queue.h"

enum { SOON = 10000 * T_SLOW, LEADER = 1, NEXT = 2, OBSERVER = 3 };

static coord_client *client_of(const char *endpoints) {
  return t_client_with("endpoints", endpoints, "log.level", "off", NULL);
}

static coord_election *open_election(coord_client *client, const char *name, coord_queue *queue,
                                     uint64_t tag, const char *ttl_s) {
  coord_options *options = t_options("lock.lease", "own", "lock.ttl.s", ttl_s, NULL);
  coord_election *e = NULL;
  T_CODE(coord_election_open(client, name, strlen(name), options, queue, tag, &e, NULL), COORD_OK);
  T_FATAL(e != NULL);
  coord_options_free(options);
  return e;
}

static int64_t lead(coord_client *client, coord_election *e, const char *value) {
  coord_result *result = t_call(client, coord_op_campaign(e, value, strlen(value)));
  int64_t token = coord_result_revision(result);
  coord_result_free(result);
  return token;
}

static void begin_campaign(coord_client *client, coord_election *e, const char *value,
                           coord_queue *queue, uint64_t tag) {
  coord_op *op = coord_op_campaign(e, value, strlen(value));
  T_CODE(coord_submit(client, op, -1, queue, tag, NULL, NULL), COORD_OK);
  coord_op_free(op);
}

static coord_code proclaim(coord_client *client, coord_election *e, const char *value) {
  coord_op *op = coord_op_proclaim(e, value, strlen(value));
  coord_code code = coord_call(client, op, 0, NULL, NULL);
  coord_op_free(op);
  return code;
}

/* What the leader proclaims, "" when nobody leads; its token unless that is NULL. */
static const char *leader(coord_client *client, const char *name, int64_t *token) {
  static char value[64];
  coord_kv kv = {0};
  coord_result *result = t_call(client, coord_op_leader(name, strlen(name)));
  coord_result_kv(result, 0, &kv);
  snprintf(value, sizeof value, "%.*s", (int)kv.value_len,
           kv.value != NULL ? (const char *)kv.value : "");
  if (token != NULL) *token = kv.create_revision;
  coord_result_free(result);
  return value;
}

/* Until the observer is told this ("": nobody leads), whatever it is told before. */
static void expect_told(coord_queue *queue, const char *value) {
  char told[64] = "nothing";
  int64_t until = t_now_ms() + SOON;
  while (strcmp(told, value) != 0 && t_now_ms() < until) {
    coord_event *event = coord_queue_next(queue, 200);
    for (size_t i = 0; i < coord_event_count(event); i++) {
      coord_kv kv;
      int32_t type = 0;
      coord_event_change(event, i, &type, &kv, NULL);
      snprintf(told, sizeof told, "%.*s", type == COORD_CHANGE_PUT ? (int)kv.value_len : 0,
               type == COORD_CHANGE_PUT ? (const char *)kv.value : "");
    }
    coord_event_free(event);
  }
  T_STR(told, value);
}

static void lonely_leader_stops_before_the_next_one_begins(void) {
  char name[t_key_size];
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *away = client_of(t_proxy_endpoint(proxy)), *client = t_client();
  coord_queue *queue = t_queue();
  coord_election *first = open_election(away, t_key(name, "e"), queue, LEADER, "2");
  coord_election *next = open_election(client, name, NULL, 0, "2");
  int64_t token = lead(away, first, "first");
  begin_campaign(client, next, "next", queue, NEXT);
  t_proxy_refuse(proxy, true);
  int64_t later = 0;
  T_TRUE(t_lock_told(queue, COORD_EVENT_LOST, LEADER, SOON));
  T_TRUE(!coord_election_is_leader(first));
  T_CODE(t_acquired(queue, NEXT, SOON, &later), COORD_OK);
  T_TRUE(later > token && coord_election_is_leader(next));
  t_proxy_refuse(proxy, false);
  T_CODE(proclaim(away, first, "stale"), COORD_NOT_HELD); /* LOST was told before */
  T_STR(leader(client, name, NULL), "next");
  coord_election_free(first);
  coord_election_free(next);
  coord_queue_free(queue);
  coord_client_free(away);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

static void lost_answers_change_nothing(void) {
  char name[t_key_size];
  int64_t token = 0, of_leader = 0;
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *away = client_of(t_proxy_endpoint(proxy)), *client = t_client();
  coord_queue *queue = t_queue();
  coord_election *e = open_election(away, t_key(name, "e"), NULL, 0, "60");
  lead(away, e, "warm");
  coord_result_free(t_call(away, coord_op_resign(e)));
  t_proxy_mute(proxy, true);
  begin_campaign(away, e, "first", queue, LEADER);
  T_TRUE(t_queue_becomes(client, name, 1, SOON));
  T_TRUE(!coord_election_is_leader(e));
  t_proxy_mute(proxy, false); /* which cuts what lost something */
  T_CODE(t_acquired(queue, LEADER, SOON, &token), COORD_OK);
  T_STR(leader(client, name, &of_leader), "first");
  T_INT(of_leader, token);
  coord_op *op = coord_op_proclaim(e, "second", 6);
  t_proxy_mute(proxy, true);
  T_CODE(coord_submit(away, op, SOON, queue, LEADER, NULL, NULL), COORD_OK);
  usleep(200000);
  t_proxy_mute(proxy, false);
  T_CODE(t_acquired(queue, LEADER, SOON, NULL), COORD_OK);
  T_STR(leader(client, name, &of_leader), "second");
  T_INT(of_leader, token);
  T_INT(t_lock_keys(client, name), 1);
  T_TRUE(coord_election_is_leader(e));
  coord_op_free(op);
  coord_election_free(e);
  coord_queue_free(queue);
  coord_client_free(away);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

/* Without a deadline it waits for longer than the client's own patience. */
static void proclaiming_takes_as_long_as_it_takes(void) {
  char name[t_key_size];
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client = t_client_with("endpoints", t_proxy_endpoint(proxy), "log.level", "off",
                                       "request.timeout.ms", "300", NULL);
  coord_queue *queue = t_queue();
  coord_election *e = open_election(client, t_key(name, "e"), NULL, 0, "60");
  begin_campaign(client, e, "first", queue, LEADER);
  T_CODE(t_acquired(queue, LEADER, SOON, NULL), COORD_OK);
  coord_op *op = coord_op_proclaim(e, "second", 6);
  t_proxy_stall(proxy, true);
  T_CODE(coord_submit(client, op, -1, queue, LEADER, NULL, NULL), COORD_OK);
  T_TRUE(coord_queue_next(queue, 600) == NULL);
  t_proxy_stall(proxy, false);
  T_CODE(t_acquired(queue, LEADER, SOON, NULL), COORD_OK);
  coord_op_free(op);
  coord_election_free(e);
  coord_queue_free(queue);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

/* Leaders come and go while the observer hears nothing, and what tells of them is compacted away. */
static void observer_learns_how_things_stand(void) {
  char name[t_key_size], other[t_key_size];
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *away = client_of(t_proxy_endpoint(proxy)), *client = t_client();
  coord_queue *queue = t_queue();
  coord_election *observer = open_election(away, t_key(name, "e"), queue, OBSERVER, "15");
  coord_election *first = open_election(client, name, NULL, 0, "15");
  coord_election *next = open_election(client, name, NULL, 0, "15");
  T_CODE(coord_election_observe(observer, NULL), COORD_OK);
  expect_told(queue, "");
  lead(client, first, "first");
  expect_told(queue, "first");
  for (int round = 0; round < 2; round++) {
    t_proxy_refuse(proxy, true);
    T_CODE(proclaim(client, first, "unheard"), COORD_OK);
    coord_result_free(t_call(client, coord_op_resign(first)));
    lead(client, next, "next");
    int64_t revision = t_put(client, t_key(other, "other"), "v");
    if (round == 1) coord_result_free(t_call(client, coord_op_compact(revision)));
    t_proxy_refuse(proxy, false);
    expect_told(queue, "next");
    T_CODE(proclaim(client, next, "next says more"), COORD_OK);
    expect_told(queue, "next says more");
    coord_result_free(t_call(client, coord_op_resign(next)));
    expect_told(queue, "");
    lead(client, first, "first again");
    expect_told(queue, "first again");
  }
  coord_election_free(observer);
  coord_election_free(first);
  coord_election_free(next);
  coord_queue_free(queue);
  coord_client_free(away);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

static void election_outlives_the_leader_of_the_cluster(void) {
  char name[t_key_size], endpoints[t_endpoints_size];
  t_cluster *cluster = t_cluster_start();
  coord_client *client = client_of(t_cluster_endpoints(cluster, endpoints));
  coord_queue *queue = t_queue(), *done = t_queue();
  coord_election *first = open_election(client, t_key(name, "e"), NULL, 0, "15");
  coord_election *next = open_election(client, name, queue, OBSERVER, "15");
  lead(client, first, "first");
  T_CODE(coord_election_observe(next, NULL), COORD_OK);
  expect_told(queue, "first");
  begin_campaign(client, next, "next", done, NEXT);
  T_TRUE(t_queue_becomes(client, name, 2, SOON));
  t_etcd_kill(cluster, t_cluster_leader(cluster));
  coord_result_free(t_call(client, coord_op_resign(first)));
  T_CODE(t_acquired(done, NEXT, SOON, NULL), COORD_OK);
  expect_told(queue, "next");
  T_TRUE(coord_election_is_leader(next));
  coord_election_free(first);
  coord_election_free(next);
  coord_queue_free(queue);
  coord_queue_free(done);
  coord_client_free(client);
  t_etcd_stop(cluster);
}

T_MAIN(T_CASE(lonely_leader_stops_before_the_next_one_begins), T_CASE(lost_answers_change_nothing),
       T_CASE(proclaiming_takes_as_long_as_it_takes), T_CASE(observer_learns_how_things_stand),
       T_CASE(election_outlives_the_leader_of_the_cluster))
