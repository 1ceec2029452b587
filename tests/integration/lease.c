/* Leases: ops on them, and those that a client keeps alive. The server grants 2 s at least. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/auth.h"
#include "support/lease.h"
#include "support/peer.h"

static int64_t grant(coord_client *client, int64_t ttl_s, int64_t id) {
  coord_result *result = t_call(client, coord_op_lease_grant(ttl_s, id));
  int64_t granted = coord_result_lease_id(result);
  T_TRUE(coord_result_ttl_s(result) >= ttl_s);
  T_INT(coord_result_granted_ttl_s(result), coord_result_ttl_s(result));
  T_TRUE(coord_result_revision(result) > 0);
  coord_result_free(result);
  return granted;
}

static void end_lease(coord_client *client, int64_t id) {
  coord_result_free(t_call(client, coord_op_lease_revoke(id)));
}

static bool is_listed(coord_client *client, int64_t id) {
  coord_result *list = t_call(client, coord_op_lease_list());
  bool found = false;
  for (size_t i = 0; i < coord_result_leases(list); i++) {
    found |= coord_result_lease(list, i) == id;
  }
  T_INT(coord_result_lease(list, coord_result_leases(list)), 0);
  T_HAS(coord_result_json(list), "\"leases\":[");
  coord_result_free(list);
  return found;
}

/* ---- ops ---- */

static void ops_on_a_lease_tell_what_the_server_knows(void) {
  coord_client *client = t_client();
  char key[t_key_size], hex[32], message[256];
  int64_t id = grant(client, 60, 0);
  T_TRUE(id > 0);
  T_TRUE(is_listed(client, id));
  t_lease_put(client, id, t_key(key, "a"));
  coord_result *info = t_call(client, coord_op_lease_info(id, 1));
  coord_kv kv = {0};
  T_INT(coord_result_lease_id(info), id);
  T_INT(coord_result_granted_ttl_s(info), 60);
  T_TRUE(coord_result_ttl_s(info) >= 50 && coord_result_ttl_s(info) <= 60);
  T_INT(coord_result_count(info), 1);
  T_CODE(coord_result_kv(info, 0, &kv), COORD_OK);
  T_MEM(kv.key, kv.key_len, key, strlen(key));
  T_INT(kv.value_len, 0);
  T_INT(kv.lease_id, id);
  snprintf(hex, sizeof hex, "\"ID\":\"%" PRIx64 "\"", (uint64_t)id);
  T_HAS(coord_result_json(info), hex);
  T_HAS(coord_result_json(info), "\"grantedTTL\":\"60\"");
  coord_result_free(info);
  coord_result *kept = t_call(client, coord_op_lease_keepalive(id));
  T_INT(coord_result_lease_id(kept), id);
  T_INT(coord_result_ttl_s(kept), 60);
  coord_result_free(kept);
  end_lease(client, id);
  T_TRUE(t_get_is(client, key, NULL));
  T_TRUE(!is_listed(client, id));
  T_INT(t_lease_ttl(client, id), -1);
  T_TRUE(t_call_fails(client, coord_op_lease_revoke(id), COORD_NOT_FOUND, message));
  T_TRUE(t_call_fails(client, coord_op_lease_keepalive(id), COORD_NOT_FOUND, message));
  T_HAS(message, "does not exist");
  coord_client_free(client);
}

static void grant_of_an_id_is_that_id_once(void) {
  coord_client *client = t_client();
  char message[256];
  int64_t id = grant(client, 60, INT64_C(0x5eed000000000000) + t_now_ms());
  T_TRUE(is_listed(client, id));
  T_TRUE(t_call_fails(client, coord_op_lease_grant(60, id), COORD_CONFLICT, message));
  end_lease(client, id);
  /* An op that lets the library choose makes another lease each time. */
  coord_op *op = coord_op_lease_grant(60, 0);
  coord_result *first = NULL, *second = NULL;
  T_CODE(coord_call(client, op, 0, &first, NULL), COORD_OK);
  T_CODE(coord_call(client, op, 0, &second, NULL), COORD_OK);
  T_TRUE(coord_result_lease_id(first) != coord_result_lease_id(second));
  end_lease(client, coord_result_lease_id(first));
  end_lease(client, coord_result_lease_id(second));
  coord_result_free(first);
  coord_result_free(second);
  coord_op_free(op);
  coord_client_free(client);
}

static void wrong_arguments_are_named(void) {
  coord_client *client = t_client();
  coord_lease *lease = NULL;
  coord_error *err = NULL;
  char message[256];
  T_TRUE(t_call_fails(client, coord_op_lease_grant(0, 0), COORD_INVALID, message));
  T_HAS(message, "the TTL is 0 s; expected 1 to 9000000000");
  T_TRUE(t_call_fails(client, coord_op_lease_grant(9000000001, 0), COORD_INVALID, message));
  T_TRUE(t_call_fails(client, coord_op_lease_grant(5, -7), COORD_INVALID, message));
  T_HAS(message, "the lease id is -7");
  T_TRUE(t_call_fails(client, coord_op_lease_revoke(0), COORD_INVALID, message));
  T_TRUE(t_call_fails(client, coord_op_lease_keepalive(0), COORD_INVALID, message));
  T_TRUE(t_call_fails(client, coord_op_lease_info(0, 0), COORD_INVALID, message));
  T_HAS(message, "lease_ttl: the lease id is 0");
  T_ERROR(coord_lease_open(NULL, 5, 0, NULL, 0, &lease, &err), COORD_INVALID, err, "client");
  T_ERROR(coord_lease_open(client, 0, 0, NULL, 0, &lease, &err), COORD_INVALID, err, "TTL");
  T_ERROR(coord_lease_open(client, 5, -2, NULL, 0, &lease, &err), COORD_INVALID, err, "timeout");
  T_ERROR(coord_lease_open(client, 5, 0, NULL, 0, NULL, &err), COORD_INVALID, err, "out");
  T_ERROR(coord_lease_adopt(client, 0, 0, NULL, 0, &lease, &err), COORD_INVALID, err, "id");
  T_ERROR(coord_lease_close(NULL, 0, &err), COORD_INVALID, err, "lease");
  T_INT(coord_lease_id(NULL), 0);
  T_INT(coord_lease_ttl_s(NULL), 0);
  T_INT(coord_lease_remaining_ms(NULL), 0);
  coord_lease_free(NULL);
  coord_op *txn = coord_op_txn();
  coord_op *op = coord_op_lease_grant(5, 0);
  T_CODE(coord_op_then(txn, op), COORD_INVALID);
  T_CODE(coord_op_set(op, COORD_OP_LEASE, 1), COORD_INVALID);
  coord_op_free(op);
  coord_op_free(txn);
  coord_client_free(client);
}

static void keys_of_a_lease_are_those_of_the_namespace(void) {
  char ns[t_key_size], outside[t_key_size];
  coord_client *plain = t_client();
  coord_client *client = t_client_with("namespace", t_key(ns, "ns/"), NULL);
  int64_t id = grant(client, 60, 0);
  t_lease_put(client, id, "a");
  t_lease_put(plain, id, t_key(outside, "outside"));
  coord_result *info = t_call(client, coord_op_lease_info(id, 1));
  char text[256];
  T_INT(coord_result_count(info), 1);
  T_STR(t_kv_text(info, 0, "", text), "a=");
  T_HAS(coord_result_json(info), "\"keys\":[\"YQ==\"]");
  coord_result_free(info);
  info = t_call(plain, coord_op_lease_info(id, 1));
  T_INT(coord_result_count(info), 2);
  coord_result_free(info);
  end_lease(client, id);
  coord_client_free(client);
  coord_client_free(plain);
}

/* The first answer is lost on the way: the second try finds what the first one made. */
static void grant_whose_answer_was_lost_makes_one_lease(void) {
  static const t_rule rules[] = {
      {.method = "LeaseGrant", .times = 1, .reset = T_RESET(NGHTTP2_INTERNAL_ERROR)},
      {.method = "LeaseGrant",
       .grpc_status = "9",
       .grpc_message = "etcdserver: lease already exists"},
      {.method = "LeaseRevoke", .times = 1, .reset = T_RESET(NGHTTP2_INTERNAL_ERROR)},
      {.method = "LeaseRevoke",
       .grpc_status = "5",
       .grpc_message = "etcdserver: requested lease not found"}};
  if (t_on_gateway()) T_SKIP("the peer resets streams of HTTP/2");
  t_peer *peer = t_peer_grpc(rules, 4, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  coord_result *result = t_call(client, coord_op_lease_grant(7, 0));
  T_TRUE(coord_result_lease_id(result) > 0);
  T_INT(coord_result_ttl_s(result), 7);
  T_HAS(coord_result_json(result), "\"TTL\":\"7\"");
  coord_result_free(result);
  result = t_call(client, coord_op_lease_revoke(1));
  T_TRUE(result != NULL);
  coord_result_free(result);
  coord_client_free(client);
  t_peer_stop(peer);
}

/* ---- leases that are kept alive ---- */

static void lease_outlives_its_ttl_until_it_is_closed(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_error *err = NULL;
  char key[t_key_size];
  coord_lease *lease = t_lease(client, 2, queue, 77);
  T_INT(coord_lease_ttl_s(lease), 2);
  t_lease_put(client, coord_lease_id(lease), t_key(key, "a"));
  for (int i = 0; i < 30; i++) {
    int64_t left = coord_lease_remaining_ms(lease);
    if (left <= 0 || left > 2000) T_FAIL("%d ms are left", (int)left);
    T_TRUE(t_lease_quiet(queue, 100));
  }
  T_TRUE(t_get_is(client, key, "v"));
  T_OK(coord_lease_close(lease, 5000, &err), err);
  T_TRUE(t_lease_told(queue, 1000, COORD_EVENT_CLOSED, 77, COORD_OK, NULL));
  T_TRUE(t_get_is(client, key, NULL));
  T_INT(coord_lease_remaining_ms(lease), 0);
  T_OK(coord_lease_close(lease, 5000, &err), err);
  T_TRUE(t_lease_quiet(queue, 50));
  coord_lease_free(lease);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void revoked_lease_is_lost_and_no_other(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_lease *leases[6];
  char message[256];
  for (uint64_t i = 0; i < 6; i++) leases[i] = t_lease(client, 2, queue, i);
  end_lease(client, coord_lease_id(leases[2]));
  T_TRUE(t_lease_told(queue, 4000, COORD_EVENT_LOST, 2, COORD_LOST, message));
  T_HAS(message, "etcd has it no more");
  T_TRUE(t_lease_told(queue, 1000, COORD_EVENT_CLOSED, 2, COORD_LOST, NULL));
  T_INT(coord_lease_remaining_ms(leases[2]), 0);
  T_CODE(coord_lease_close(leases[2], 0, NULL), COORD_OK);
  T_TRUE(t_lease_quiet(queue, 2200));
  for (int i = 0; i < 6; i++) {
    T_TRUE((coord_lease_remaining_ms(leases[i]) > 0) == (i != 2));
    coord_lease_free(leases[i]);
  }
  coord_queue_free(queue);
  coord_client_free(client);
}

static void freed_lease_says_nothing_and_expires(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_lease *lease = t_lease(client, 2, queue, 1);
  coord_lease *gone = t_lease(client, 2, queue, 2);
  int64_t id = coord_lease_id(lease);
  /* LOST and CLOSED wait in the queue, and are taken back. */
  end_lease(client, coord_lease_id(gone));
  int64_t until = t_now_ms() + 5000;
  while (coord_lease_remaining_ms(gone) > 0 && t_now_ms() < until) usleep(10000);
  usleep(50000);
  coord_lease_free(gone);
  coord_lease_free(lease);
  T_TRUE(t_lease_quiet(queue, 100));
  until = t_now_ms() + 8000;
  while (t_lease_ttl(client, id) >= 0 && t_now_ms() < until) usleep(50000);
  T_INT(t_lease_ttl(client, id), -1);
  T_TRUE(t_lease_quiet(queue, 0));
  coord_queue_free(queue);
  coord_client_free(client);
}

static void adopted_lease_is_kept_once(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_lease *lease = NULL, *other = NULL;
  coord_error *err = NULL;
  int64_t id = grant(client, 2, 0);
  T_OK(coord_lease_adopt(client, id, 0, queue, 5, &lease, &err), err);
  T_FATAL(lease != NULL);
  T_INT(coord_lease_id(lease), id);
  T_INT(coord_lease_ttl_s(lease), 2);
  T_ERROR(coord_lease_adopt(client, id, 0, queue, 6, &other, &err), COORD_CONFLICT, err,
          "keeps lease");
  T_ERROR(coord_lease_adopt(client, id ^ 1, 0, queue, 6, &other, &err), COORD_NOT_FOUND, err,
          "does not exist");
  T_TRUE(t_lease_quiet(queue, 2300));
  T_TRUE(t_lease_ttl(client, id) >= 0);
  coord_lease_free(lease);
  /* And again, by another handle. */
  T_OK(coord_lease_adopt(client, id, 0, queue, 6, &lease, &err), err);
  T_OK(coord_lease_close(lease, 0, &err), err);
  T_TRUE(t_lease_told(queue, 1000, COORD_EVENT_CLOSED, 6, COORD_OK, NULL));
  coord_lease_free(lease);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void lease_is_opened_without_waiting(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_lease *lease = NULL, *other = NULL;
  coord_error *err = NULL;
  T_ERROR(coord_lease_start(client, 0, 0, 0, queue, 1, &lease, &err), COORD_INVALID, err, "TTL");
  T_ERROR(coord_lease_start(client, 5, 0, 0, NULL, 1, &lease, &err), COORD_INVALID, err, "queue");
  T_OK(coord_lease_start(client, 2, 0, 0, queue, 1, &lease, &err), err);
  T_TRUE(t_lease_told(queue, 10000, COORD_EVENT_ACQUIRED, 1, COORD_OK, NULL));
  T_TRUE(coord_lease_remaining_ms(lease) > 0);
  T_TRUE(t_lease_quiet(queue, 2300));
  T_TRUE(t_lease_ttl(client, coord_lease_id(lease)) >= 0);
  /* One that is kept already, and one that is not there. */
  T_OK(coord_lease_start(client, 0, coord_lease_id(lease), 0, queue, 2, &other, &err), err);
  T_TRUE(t_lease_told(queue, 10000, COORD_EVENT_CLOSED, 2, COORD_CONFLICT, NULL));
  coord_lease_free(other);
  T_OK(coord_lease_start(client, 0, coord_lease_id(lease) ^ 1, 0, queue, 3, &other, &err), err);
  T_TRUE(t_lease_told(queue, 10000, COORD_EVENT_CLOSED, 3, COORD_NOT_FOUND, NULL));
  T_OK(coord_lease_close(other, 0, &err), err);
  coord_lease_free(other);
  /* Given up before the answer can have come, or after. */
  for (int i = 0; i < 20; i++) {
    T_OK(coord_lease_start(client, 2, 0, 0, queue, 4, &other, &err), err);
    if (i % 2) usleep((useconds_t)i * 100);
    coord_lease_free(other);
  }
  T_TRUE(t_lease_quiet(queue, 200));
  T_OK(coord_lease_close(lease, 0, &err), err);
  T_TRUE(t_lease_told(queue, 10000, COORD_EVENT_CLOSED, 1, COORD_OK, NULL));
  coord_lease_free(lease);
  /* The client goes meanwhile. */
  T_OK(coord_lease_start(client, 2, 0, 0, queue, 5, &lease, &err), err);
  coord_client_free(client);
  coord_event *event = coord_queue_next(queue, 10000);
  T_TRUE(coord_event_type(event) == COORD_EVENT_CLOSED ||
         coord_event_type(event) == COORD_EVENT_ACQUIRED);
  coord_event_free(event);
  coord_lease_free(lease);
  coord_queue_free(queue);
}

static void lease_ends_with_its_client(void) {
  coord_client *client = t_client();
  coord_client *other = t_client();
  coord_queue *queue = t_queue();
  coord_error *err = NULL;
  coord_lease *closed = t_lease(client, 5, queue, 1);
  T_OK(coord_client_close(client, 1000, &err), err);
  T_TRUE(t_lease_told(queue, 1000, COORD_EVENT_CLOSED, 1, COORD_CLOSED, NULL));
  T_ERROR(coord_lease_close(closed, 0, &err), COORD_CLOSED, err, "client");
  coord_lease_free(closed);
  coord_client_free(client);
  /* One that was only freed lives on with its lease. */
  coord_lease *kept = t_lease(other, 2, queue, 2);
  coord_client_free(other);
  T_TRUE(t_lease_quiet(queue, 2500));
  T_TRUE(coord_lease_remaining_ms(kept) > 0);
  T_OK(coord_lease_close(kept, 0, &err), err);
  coord_lease_free(kept);
  coord_queue_free(queue);
}

static void lease_without_a_queue_or_with_a_freed_one_is_kept(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_lease *quiet = t_lease(client, 2, NULL, 0);
  coord_lease *deaf = t_lease(client, 2, queue, 0);
  coord_queue_free(queue);
  usleep(2300000);
  T_TRUE(coord_lease_remaining_ms(quiet) > 0);
  T_TRUE(coord_lease_remaining_ms(deaf) > 0);
  T_CODE(coord_lease_close(quiet, 0, NULL), COORD_OK);
  T_CODE(coord_lease_close(deaf, 0, NULL), COORD_OK);
  coord_lease_free(quiet);
  coord_lease_free(deaf);
  coord_client_free(client);
}

/* ---- many, and from many threads ---- */

static void thousand_leases_share_one_connection(void) {
  enum { n = 1000 };
  static coord_lease *leases[n];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  const int64_t ttl_ms = 6000 * T_SLOW, watched_ms = 3500 * T_SLOW;
  for (uint64_t i = 0; i < n; i++) leases[i] = t_lease(client, ttl_ms / 1000, queue, i);
  T_TRUE(t_lease_quiet(queue, (int)watched_ms));
  char *json = NULL;
  T_CODE(coord_client_stats(client, &json, NULL), COORD_OK);
  if (!t_on_gateway()) T_HAS(json, "\"connections\":2");
  coord_memory_free(json);
  for (int i = 0; i < n; i++) {
    bool renewed = coord_lease_remaining_ms(leases[i]) > ttl_ms - watched_ms;
    if (!renewed && t_held_up_ms(t_now_ms() - watched_ms) < 200) T_FAIL("%d is not renewed", i);
    if (coord_lease_remaining_ms(leases[i]) <= 0) T_FAIL("lease %d is lost", i);
    if (i % 2 == 0) T_CODE(coord_lease_close(leases[i], 0, NULL), COORD_OK);
    coord_lease_free(leases[i]);
  }
  coord_queue_free(queue);
  coord_client_free(client);
}

typedef struct crowd {
  coord_client *client;
  coord_queue *queue;
  atomic_int left;
} crowd;

static void *come_and_go(void *arg) {
  crowd *c = arg;
  for (int i = 0; i < 30; i++) {
    coord_lease *lease = NULL;
    T_CODE(coord_lease_open(c->client, 2, 10000, c->queue, (uint64_t)i, &lease, NULL), COORD_OK);
    if (lease == NULL) break;
    if (i % 3 == 0) T_CODE(coord_lease_close(lease, 10000, NULL), COORD_OK);
    if (i % 3 == 1) usleep(20000);
    coord_lease_free(lease);
  }
  atomic_fetch_sub(&c->left, 1);
  coord_queue_wake(c->queue);
  return NULL;
}

static void threads_open_close_and_free_at_once(void) {
  enum { n = 4 };
  pthread_t threads[n];
  crowd c = {.client = t_client(), .queue = t_queue()};
  atomic_init(&c.left, n);
  for (int i = 0; i < n; i++) pthread_create(&threads[i], NULL, come_and_go, &c);
  int closed = 0;
  while (atomic_load(&c.left) > 0) {
    coord_event *event = coord_queue_next(c.queue, 1000);
    if (event != NULL) closed += coord_event_type(event) == COORD_EVENT_CLOSED;
    coord_event_free(event);
  }
  for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
  T_TRUE(closed <= n * 10); /* what waits at the free is taken back */
  T_TRUE(t_lease_quiet(c.queue, 50));
  coord_queue_free(c.queue);
  coord_client_free(c.client);
}

/* ---- fork ---- */

static void forked_child_has_no_lease_and_the_parent_keeps_it(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_lease *lease = t_lease(client, 2, queue, 3);
  pid_t pid = fork();
  if (pid == 0) {
    int bad = coord_lease_close(lease, 0, NULL) != COORD_FORKED;
    bad += coord_lease_remaining_ms(lease) != 0;
    bad += coord_lease_open(client, 5, 0, NULL, 0, &lease, NULL) != COORD_FORKED;
    coord_lease_free(lease);
    coord_client_free(client);
    coord_queue_free(queue);
    _exit(bad);
  }
  int status = -1;
  T_TRUE(waitpid(pid, &status, 0) == pid);
  T_INT(status, 0);
  T_TRUE(t_lease_quiet(queue, 2500));
  T_TRUE(coord_lease_remaining_ms(lease) > 0);
  T_CODE(coord_lease_close(lease, 0, NULL), COORD_OK);
  coord_lease_free(lease);
  coord_queue_free(queue);
  coord_client_free(client);
}

T_MAIN(T_CASE(ops_on_a_lease_tell_what_the_server_knows), T_CASE(grant_of_an_id_is_that_id_once),
       T_CASE(wrong_arguments_are_named), T_CASE(keys_of_a_lease_are_those_of_the_namespace),
       T_CASE(grant_whose_answer_was_lost_makes_one_lease),
       T_CASE(lease_outlives_its_ttl_until_it_is_closed),
       T_CASE(revoked_lease_is_lost_and_no_other), T_CASE(freed_lease_says_nothing_and_expires),
       T_CASE(adopted_lease_is_kept_once), T_CASE(lease_is_opened_without_waiting),
       T_CASE(lease_ends_with_its_client),
       T_CASE(lease_without_a_queue_or_with_a_freed_one_is_kept),
       T_CASE(thousand_leases_share_one_connection), T_CASE(threads_open_close_and_free_at_once),
       T_CASE(forked_child_has_no_lease_and_the_parent_keeps_it))
