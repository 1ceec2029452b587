/* Opening, sharing, closing and freeing clients of a real etcd. */
#include <dirent.h>
#include <json-c/json.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/loop.h"
#include "support/etcd.h"
#include "support/peer.h"
#include "support/proxy.h"

static int count_fds(void) {
  int n = 0;
  DIR *dir = opendir("/proc/self/fd");
  T_FATAL(dir != NULL);
  while (readdir(dir)) n++;
  closedir(dir);
  return n;
}

/* Threads of this process that are called coord-io, and whether they block all that may be blocked. */
static int count_io_threads(bool *blocks) {
  char path[300], line[128];
  unsigned long long blocked = 0;
  int n = 0;
  DIR *dir = opendir("/proc/self/task");
  T_FATAL(dir != NULL);
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    bool named = false;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
    FILE *file = entry->d_name[0] != '.' ? fopen(path, "r") : NULL;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
      named = named || strcmp(line, "Name:\tcoord-io\n") == 0;
      sscanf(line, "SigBlk: %llx", &blocked);
    }
    if (file != NULL) fclose(file);
    n += named;
    if (named) *blocks = (blocked & (1ULL << (SIGTERM - 1))) && (blocked & (1ULL << (SIGPROF - 1)));
  }
  closedir(dir);
  return n;
}

static bool has_no_io_thread(void *unused) {
  bool blocks;
  (void)unused;
  return count_io_threads(&blocks) == 0;
}

static void works(const char *endpoints) {
  char key[t_key_size];
  coord_client *client = t_client_with("endpoints", endpoints, NULL);
  T_TRUE(t_put(client, t_key(key, "k"), "v") > 0);
  T_TRUE(t_get_is(client, key, "v"));
  coord_client_free(client);
}

/* --- Opening ------------------------------------------------------------------------------------ */

static void open_names_the_missing_argument(void) {
  coord_error *err = NULL;
  T_ERROR(coord_client_open(NULL, NULL, &err), COORD_INVALID, err, "out");
  T_CODE(coord_client_open(NULL, NULL, NULL), COORD_INVALID);
}

static void endpoints_may_be_written_in_several_ways(void) {
  char text[200];
  const char *endpoint = t_etcd_endpoint(t_etcd(), 0);
  int port = t_etcd_port(t_etcd(), 0);
  works(endpoint);
  snprintf(text, sizeof text, "http://%s", endpoint);
  works(text);
  snprintf(text, sizeof text, "http://%s/", endpoint);
  works(text);
  snprintf(text, sizeof text, "localhost:%d", port);
  works(text);
  snprintf(text, sizeof text, " %s , %s ", endpoint, endpoint);
  works(text);
}

static void ipv6_endpoint_works(void) {
  t_proxy *proxy = t_proxy_start_ipv6(t_etcd_port(t_etcd(), 0));
  if (!proxy) T_SKIP("no IPv6 on this machine");
  works(t_proxy_endpoint(proxy));
  T_TRUE(t_proxy_connections(proxy) >= 1);
  t_proxy_stop(proxy);
}

static void unix_socket_endpoint_works(void) {
  t_proxy *proxy = t_proxy_start_unix(t_etcd_port(t_etcd(), 0));
  works(t_proxy_endpoint(proxy));
  T_TRUE(t_proxy_connections(proxy) >= 1);
  t_proxy_stop(proxy);
}

static void second_endpoint_answers_when_the_first_is_down(void) {
  char endpoints[100];
  t_peer *down = t_peer_raw(&t_raw_refuses);
  snprintf(endpoints, sizeof endpoints, "%s,%s", t_peer_endpoint(down),
           t_etcd_endpoint(t_etcd(), 0));
  int64_t start = t_now_ms();
  works(endpoints);
  T_WITHIN(start, 2000);
  t_peer_stop(down);
}

static void failure_to_open_names_every_endpoint(void) {
  char endpoints[100];
  coord_client *client = NULL;
  coord_error *err = NULL;
  t_peer *one = t_peer_raw(&t_raw_refuses);
  t_peer *two = t_peer_raw(&t_raw_refuses);
  snprintf(endpoints, sizeof endpoints, "%s,%s", t_peer_endpoint(one), t_peer_endpoint(two));
  coord_options *options = t_options("endpoints", endpoints, NULL);
  T_CODE(coord_client_open(options, &client, &err), COORD_UNAVAILABLE);
  T_HAS(coord_error_message(err), t_peer_endpoint(one));
  T_HAS(coord_error_message(err), t_peer_endpoint(two));
  T_TRUE((coord_error_flags(err) & COORD_RETRIABLE) != 0);
  T_INT(coord_error_grpc_status(err), -1);
  T_INT(coord_error_http_status(err), -1);
  T_TRUE(client == NULL);
  coord_error_free(err);
  coord_options_free(options);
  t_peer_stop(one);
  t_peer_stop(two);
}

static void unknown_host_is_unavailable(void) {
  coord_client *client = NULL;
  coord_error *err = NULL;
  coord_options *options = t_options("endpoints", "no-such-host.invalid:2379", NULL);
  T_ERROR(coord_client_open(options, &client, &err), COORD_UNAVAILABLE, err,
          "no-such-host.invalid");
  T_TRUE(client == NULL);
  coord_options_free(options);
}

static void lazy_client_opens_without_a_server_and_fails_at_the_call(void) {
  char message[256];
  t_peer *down = t_peer_raw(&t_raw_refuses);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(down), "connect.lazy", "true",
                                       "request.timeout.ms", "800", NULL);
  t_call_fails(client, coord_op_get("k", 1), COORD_UNAVAILABLE, message);
  T_HAS(message, t_peer_endpoint(down));
  coord_client_free(client);
  t_peer_stop(down);
}

static void lazy_client_connects_with_the_first_call(void) {
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client =
      t_client_with("endpoints", t_proxy_endpoint(proxy), "connect.lazy", "true", NULL);
  T_INT(t_proxy_connections(proxy), 0);
  T_TRUE(t_get_is(client, "absent", NULL));
  T_INT(t_proxy_connections(proxy), 1);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

static void client_keeps_its_own_copy_of_the_options(void) {
  coord_client *client = NULL;
  coord_error *err = NULL;
  coord_options *options = t_options("endpoints", t_etcd_endpoint(t_etcd(), 0), NULL);
  T_OK(coord_client_open(options, &client, &err), err);
  T_OK(coord_options_set(options, "endpoints", "127.0.0.1:1", &err), err);
  coord_options_free(options);
  T_TRUE(t_get_is(client, "absent", NULL));
  coord_client_free(client);
}

static void five_hundred_clients_leave_no_descriptor_behind(void) {
  works(t_etcd_endpoint(t_etcd(), 0));
  int before = count_fds();
  for (int i = 0; i < 20; i++) {
    coord_client *clients[25];
    for (int j = 0; j < 25; j++) clients[j] = t_client();
    T_TRUE(t_get_is(clients[i], "absent", NULL));
    for (int j = 0; j < 25; j++) coord_client_free(clients[j]);
  }
  works(t_etcd_endpoint(t_etcd(), 0));
  int64_t deadline = t_now_ms() + 5000;
  while (count_fds() > before && t_now_ms() < deadline) usleep(5000);
  T_TRUE(count_fds() <= before);
}

/* --- Status and members --------------------------------------------------------------------------- */

static json_object *answer_of(coord_client *client, coord_op *op) {
  coord_result *result = t_call(client, op);
  T_FATAL(coord_result_json(result) != NULL);
  T_INT(coord_result_count(result), 0);
  json_object *json = json_tokener_parse(coord_result_json(result));
  T_FATAL(json_object_is_type(json, json_type_object));
  coord_result_free(result);
  return json;
}

static json_object *field(json_object *object, const char *name) {
  json_object *value = NULL;
  if (!json_object_object_get_ex(object, name, &value)) T_FAIL("no field \"%s\"", name);
  return value;
}

static void status_tells_version_leader_and_size(void) {
  char version[32];
  int major, minor;
  coord_client *client = t_client();
  json_object *status = answer_of(client, coord_op_status());
  t_etcd_version(&major, &minor);
  snprintf(version, sizeof version, "%d.%d.", major, minor);
  T_HAS(json_object_get_string(field(status, "version")), version);
  T_TRUE(json_object_is_type(field(status, "dbSize"), json_type_string));
  T_TRUE(strtoll(json_object_get_string(field(status, "dbSize")), NULL, 10) > 0);
  const char *leader = json_object_get_string(field(status, "leader"));
  T_TRUE(leader && strtoull(leader, NULL, 16) != 0);
  T_TRUE(strtoll(json_object_get_string(field(status, "raftTerm")), NULL, 10) > 0);
  json_object_put(status);
  coord_client_free(client);
}

static void members_lists_the_one_member(void) {
  char url[64];
  coord_client *client = t_client();
  json_object *answer = answer_of(client, coord_op_members());
  json_object *members = field(answer, "members");
  T_FATAL(json_object_is_type(members, json_type_array));
  T_INT(json_object_array_length(members), 1);
  json_object *one = json_object_array_get_idx(members, 0);
  json_object *urls = field(one, "clientURLs");
  snprintf(url, sizeof url, "http://%s", t_etcd_endpoint(t_etcd(), 0));
  T_STR(json_object_get_string(field(one, "name")), "n0");
  T_STR(json_object_get_string(json_object_array_get_idx(urls, 0)), url);
  json_object_put(answer);
  coord_client_free(client);
}

static void every_answer_tells_who_gave_it(void) {
  char key[t_key_size];
  coord_client *client = t_client();
  int64_t first = t_put(client, t_key(key, "k"), "v");
  int64_t second = t_put(client, key, "w");
  coord_result *result = t_call(client, coord_op_get(key, strlen(key)));
  T_INT(second, first + 1);
  T_TRUE(coord_result_revision(result) >= second);
  T_TRUE(coord_result_cluster_id(result) != 0);
  T_TRUE(coord_result_member_id(result) != 0);
  T_TRUE(coord_result_raft_term(result) > 0);
  T_INT(coord_result_succeeded(result), 1);
  T_TRUE(coord_result_json(result) == NULL);
  coord_result_free(result);
  coord_client_free(client);
}

/* --- Threads -------------------------------------------------------------------------------------- */

static void *put_a_hundred(void *arg) {
  char key[t_key_size];
  char suffix[32];
  for (int i = 0; i < 100; i++) {
    snprintf(suffix, sizeof suffix, "%p/%d", (void *)&key, i);
    T_TRUE(t_put(arg, t_key(key, suffix), suffix) > 0);
    T_TRUE(t_get_is(arg, key, suffix));
  }
  return NULL;
}

static void eight_threads_share_one_client(void) {
  pthread_t threads[8];
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *client = t_client_with("endpoints", t_proxy_endpoint(proxy), NULL);
  for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, put_a_hundred, client);
  for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
  T_TRUE(t_proxy_connections(proxy) <= (t_on_gateway() ? 8 : 1));
  coord_client_free(client);
  t_proxy_stop(proxy);
}

static void *open_and_free(void *arg) {
  (void)arg;
  for (int i = 0; i < 30; i++) {
    coord_client *client = t_client_with("endpoints", arg, NULL);
    T_TRUE(t_get_is(client, "absent", NULL));
    coord_client_free(client);
  }
  return NULL;
}

static void clients_open_and_go_in_eight_threads_at_once(void) {
  pthread_t threads[8];
  char endpoint[32];
  snprintf(endpoint, sizeof endpoint, "%s", t_etcd_endpoint(t_etcd(), 0));
  for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, open_and_free, endpoint);
  for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
}

/* --- Closing -------------------------------------------------------------------------------------- */

static void close_lets_calls_finish(void) {
  char key[t_key_size];
  coord_queue *queue = NULL;
  coord_error *err = NULL;
  coord_client *client = t_client();
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  t_key(key, "k");
  coord_op *op = coord_op_put(key, strlen(key), "v", 1);
  for (uint64_t i = 0; i < 500; i++) {
    T_OK(coord_submit(client, op, 0, queue, i, NULL, &err), err);
  }
  T_OK(coord_client_close(client, 10000, &err), err);
  for (int i = 0; i < 500; i++) {
    coord_event *event = coord_queue_next(queue, 0);
    T_FATAL(event != NULL);
    T_CODE(coord_event_code(event), COORD_OK);
    coord_event_free(event);
  }
  T_TRUE(coord_queue_next(queue, 0) == NULL);
  coord_op_free(op);
  coord_queue_free(queue);
  coord_client_free(client);
}

static const t_rule never_answers[] = {{.never = true}};

/* Submits calls that are never answered. */
static void submit_pending(coord_client *client, coord_queue *queue, t_peer *peer, int n) {
  coord_error *err = NULL;
  coord_op *op = coord_op_put("k", 1, "v", 1);
  for (int i = 0; i < n; i++) {
    T_OK(coord_submit(client, op, -1, queue, (uint64_t)i, NULL, &err), err);
  }
  coord_op_free(op);
  T_TRUE(t_peer_wait_calls(peer, "KV/Put", n, 5000));
}

/* Each of n tags comes once, with CLOSED and MAYBE_APPLIED, and nothing else comes. */
static void expect_all_closed(coord_queue *queue, int n) {
  bool seen[64] = {false};
  for (int i = 0; i < n; i++) {
    coord_event *event = coord_queue_next(queue, 5000);
    T_FATAL(event != NULL);
    uint64_t tag = coord_event_tag(event);
    T_TRUE(tag < (uint64_t)n && !seen[tag]);
    seen[tag % 64] = true;
    T_CODE(coord_event_code(event), COORD_CLOSED);
    T_CODE(coord_error_code(coord_event_error(event)), COORD_CLOSED);
    T_TRUE((coord_error_flags(coord_event_error(event)) & COORD_MAYBE_APPLIED) != 0);
    T_TRUE(coord_event_result(event) == NULL);
    coord_event_free(event);
  }
  T_TRUE(coord_queue_next(queue, 50) == NULL);
}

static void close_ends_what_does_not_finish_in_time(void) {
  coord_queue *queue = NULL;
  coord_error *err = NULL;
  t_peer *peer = t_peer_grpc(never_answers, 1, NULL);
  coord_client *client =
      t_client_with("endpoints", t_peer_endpoint(peer), "gateway.max.connections", "60", NULL);
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  submit_pending(client, queue, peer, 20);
  int64_t start = t_now_ms();
  T_ERROR(coord_client_close(client, 200, &err), COORD_TIMEOUT, err, "200");
  T_TRUE(t_now_ms() - start >= 190);
  T_WITHIN(start, 1000);
  expect_all_closed(queue, 20);
  coord_client_free(client);
  coord_queue_free(queue);
  t_peer_stop(peer);
}

static void close_with_timeout_zero_ends_calls_at_once(void) {
  coord_queue *queue = NULL;
  t_peer *peer = t_peer_grpc(never_answers, 1, NULL);
  coord_client *client =
      t_client_with("endpoints", t_peer_endpoint(peer), "gateway.max.connections", "60", NULL);
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  submit_pending(client, queue, peer, 5);
  T_CODE(coord_client_close(client, 0, NULL), COORD_TIMEOUT);
  expect_all_closed(queue, 5);
  coord_client_free(client);
  coord_queue_free(queue);
  t_peer_stop(peer);
}

static void close_without_limit_waits_for_the_deadlines_of_the_calls(void) {
  coord_queue *queue = NULL;
  coord_error *err = NULL;
  t_peer *peer = t_peer_grpc(never_answers, 1, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  coord_op *op = coord_op_get("k", 1);
  T_OK(coord_submit(client, op, 300, queue, 1, NULL, &err), err);
  int64_t start = t_now_ms();
  T_OK(coord_client_close(client, -1, &err), err);
  T_TRUE(t_now_ms() - start >= 250);
  coord_event *event = coord_queue_next(queue, 0);
  T_CODE(coord_event_code(event), COORD_TIMEOUT);
  coord_event_free(event);
  coord_op_free(op);
  coord_client_free(client);
  coord_queue_free(queue);
  t_peer_stop(peer);
}

static void close_may_be_called_twice_and_checks_its_timeout(void) {
  coord_error *err = NULL;
  coord_client *client = t_client();
  T_ERROR(coord_client_close(client, -2, &err), COORD_INVALID, err, "timeout_ms");
  T_ERROR(coord_client_close(NULL, 0, &err), COORD_INVALID, err, "client");
  T_TRUE(t_get_is(client, "absent", NULL));
  T_OK(coord_client_close(client, 1000, &err), err);
  T_OK(coord_client_close(client, 1000, &err), err);
  T_OK(coord_client_close(client, -1, &err), err);
  coord_client_free(client);
}

static void use_after_close_is_refused_everywhere(void) {
  coord_error *err = NULL;
  coord_queue *queue = NULL;
  coord_scan *scan = NULL;
  coord_result *result = NULL;
  uint64_t id = 77;
  coord_client *client = t_client();
  coord_op *op = t_prefix("k");
  const coord_op *ops[] = {op};
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  T_CODE(coord_client_close(client, 0, NULL), COORD_OK);
  T_ERROR(coord_call(client, op, 0, &result, &err), COORD_CLOSED, err, "closed");
  T_ERROR(coord_submit(client, op, 0, queue, 1, &id, &err), COORD_CLOSED, err, "closed");
  T_ERROR(coord_call_many(client, ops, 1, 0, NULL, NULL, &err), COORD_CLOSED, err, "closed");
  T_ERROR(coord_put(client, "k", 1, "v", 1, &err), COORD_CLOSED, err, "closed");
  T_ERROR(coord_get(client, "k", 1, &result, &err), COORD_CLOSED, err, "closed");
  T_ERROR(coord_delete(client, "k", 1, NULL, &err), COORD_CLOSED, err, "closed");
  T_ERROR(coord_scan_open(client, op, 0, &scan, &err), COORD_CLOSED, err, "closed");
  T_ERROR(coord_client_log_to(client, queue, 0, &err), COORD_CLOSED, err, "closed");
  T_CODE(coord_cancel(client, 1), COORD_CLOSED);
  T_TRUE(result == NULL && scan == NULL);
  T_INT((long long)id, 77);
  T_TRUE(coord_queue_next(queue, 0) == NULL);
  coord_op_free(op);
  coord_queue_free(queue);
  coord_client_free(client);
}

/* --- Freeing -------------------------------------------------------------------------------------- */

static void freeing_a_busy_client_ends_each_call_once(void) {
  coord_queue *queue = NULL;
  t_peer *peer = t_peer_grpc(never_answers, 1, NULL);
  coord_client *client =
      t_client_with("endpoints", t_peer_endpoint(peer), "gateway.max.connections", "60", NULL);
  T_CODE(coord_queue_open(&queue, NULL), COORD_OK);
  submit_pending(client, queue, peer, 50);
  int64_t start = t_now_ms();
  coord_client_free(client);
  T_WITHIN(start, 200);
  expect_all_closed(queue, 50);
  coord_queue_free(queue);
  t_peer_stop(peer);
}

static void *call_for_ever(void *client) {
  coord_error *err = NULL;
  coord_op *op = coord_op_get("k", 1);
  T_ERROR(coord_call(client, op, -1, NULL, &err), COORD_CLOSED, err, "closed");
  coord_op_free(op);
  return NULL;
}

static void freeing_a_client_wakes_threads_that_wait_in_a_call(void) {
  pthread_t threads[4];
  t_peer *peer = t_peer_grpc(never_answers, 1, NULL);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(peer), NULL);
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, call_for_ever, client);
  T_TRUE(t_peer_wait_calls(peer, "KV/Range", 4, 5000));
  coord_client_free(client);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  t_peer_stop(peer);
}

static void freeing_nothing_is_fine(void) {
  coord_client_free(NULL);
  coord_queue_free(NULL);
  coord_op_free(NULL);
  coord_options_free(NULL);
  coord_scan_free(NULL);
  coord_result_free(NULL);
  coord_event_free(NULL);
  coord_error_free(NULL);
  coord_memory_free(NULL);
}

/* Else a program that frees all and then exits would do so while the I/O thread still runs. */
static void handle_is_given_back_before_its_free_returns(void) {
  coord_queue *queue = t_queue();
  for (int i = 0; i < 50; i++) {
    coord_client *client = t_client();
    coord_op *get = coord_op_get("k", 1);
    coord_op *range = coord_op_get("k", 1);
    T_CODE(coord_op_set_prefix(range), COORD_OK);
    coord_watch *watch = NULL;
    coord_scan *scan = NULL;
    coord_lease *lease = NULL;
    T_CODE(coord_watch_open(client, get, 0, queue, 1, &watch, NULL), COORD_OK);
    T_CODE(coord_scan_open(client, range, 0, &scan, NULL), COORD_OK);
    T_CODE(coord_lease_open(client, 60, 5000, NULL, 0, &lease, NULL), COORD_OK);
    coord_client_free(client);
    coord_op_free(get);
    coord_op_free(range);
    coord_watch_free(watch);
    coord_scan_free(scan);
    coord_lease_free(lease);
    T_TRUE(coord__loop_borrow() == NULL);
  }
  coord_queue_free(queue);
}

static void version_is_known(void) {
  T_STR(coord_version_string(), "0.1.0");
  T_INT(coord_version(), 0x000100);
}

static void one_thread_serves_all_and_ends_with_the_last(void) {
  bool blocks = false;
  T_TRUE(t_wait_until(has_no_io_thread, NULL, 10000)); /* of a case before */
  coord_client *one = t_client(), *other = t_client();
  T_INT(count_io_threads(&blocks), 1);
  T_TRUE(blocks);
  coord_client_free(one);
  T_INT(count_io_threads(&blocks), 1);
  coord_client_free(other);
  T_TRUE(t_wait_until(has_no_io_thread, NULL, 10000));
}

T_MAIN(T_CASE(one_thread_serves_all_and_ends_with_the_last),
       T_CASE(open_names_the_missing_argument), T_CASE(endpoints_may_be_written_in_several_ways),
       T_CASE(ipv6_endpoint_works), T_CASE(unix_socket_endpoint_works),
       T_CASE(second_endpoint_answers_when_the_first_is_down),
       T_CASE(failure_to_open_names_every_endpoint), T_CASE(unknown_host_is_unavailable),
       T_CASE(lazy_client_opens_without_a_server_and_fails_at_the_call),
       T_CASE(lazy_client_connects_with_the_first_call),
       T_CASE(client_keeps_its_own_copy_of_the_options),
       T_CASE(five_hundred_clients_leave_no_descriptor_behind),
       T_CASE(status_tells_version_leader_and_size), T_CASE(members_lists_the_one_member),
       T_CASE(every_answer_tells_who_gave_it), T_CASE(eight_threads_share_one_client),
       T_CASE(clients_open_and_go_in_eight_threads_at_once), T_CASE(close_lets_calls_finish),
       T_CASE(close_ends_what_does_not_finish_in_time),
       T_CASE(close_with_timeout_zero_ends_calls_at_once),
       T_CASE(close_without_limit_waits_for_the_deadlines_of_the_calls),
       T_CASE(close_may_be_called_twice_and_checks_its_timeout),
       T_CASE(use_after_close_is_refused_everywhere),
       T_CASE(freeing_a_busy_client_ends_each_call_once),
       T_CASE(freeing_a_client_wakes_threads_that_wait_in_a_call), T_CASE(freeing_nothing_is_fine),
       T_CASE(handle_is_given_back_before_its_free_returns), T_CASE(version_is_known))
