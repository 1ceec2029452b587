/* Logging in to a real etcd: tokens of both kinds, their end, and the switch under way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "etcd.pb-c.h"
#include "etcd/client.h"
#include "support/auth.h"

static t_cluster *plain; /* shared by the cases that change nothing of it: simple tokens */

static t_cluster *shared(void) {
  if (plain == NULL) {
    plain = t_etcd_start(NULL);
    t_auth_enable(plain);
  }
  return plain;
}

static void open_fails(const char *user, const char *password, const char *lazy, coord_code code,
                       const char *part) {
  coord_client *client = NULL;
  coord_error *err = NULL;
  coord_options *options =
      t_options("endpoints", t_etcd_endpoint(shared(), 0), "username", user, "password", password,
                "connect.lazy", lazy, "log.level", "off", NULL);
  T_ERROR(coord_client_open(options, &client, &err), code, err, part);
  coord_options_free(options);
}

static void user_with_a_password(void) {
  coord_client *client = t_auth_client(shared(), "ann", "annpw");
  T_INT(t_auth_logins(client), 1);
  t_put(client, "t/a", "1");
  T_TRUE(t_get_is(client, "t/a", "1"));
  t_done(client, coord_op_members());
  t_done(client, coord_op_user_get("ann"));
  T_INT(t_auth_logins(client), 1);
  coord_client_free(client);
}

static void lazy_client_logs_in_with_its_first_call(void) {
  coord_client *client = t_client_with("endpoints", t_etcd_endpoint(shared(), 0), "username", "ann",
                                       "password", "annpw", "connect.lazy", "true", NULL);
  T_INT(t_auth_logins(client), 0);
  t_put(client, "t/lazy", "1");
  T_INT(t_auth_logins(client), 1);
  coord_client_free(client);
}

static void wrong_password_fails_the_opening(void) {
  open_fails("ann", "no-such-pw", "false", COORD_AUTH,
             "login as \"ann\": etcdserver: authentication failed, invalid user ID or password");
  open_fails("nobody", "x", "false", COORD_AUTH, "login as \"nobody\"");
}

static void wrong_password_of_a_lazy_client_fails_its_calls(void) {
  char message[256];
  coord_client *client =
      t_client_with("endpoints", t_etcd_endpoint(shared(), 0), "username", "ann", "password",
                    "no-such-pw", "connect.lazy", "true", "log.level", "off", NULL);
  for (int i = 0; i < 50; i++) {
    t_call_fails(client, coord_op_put("t/a", 3, "1", 1), COORD_AUTH, message);
    T_TRUE(strstr(message, "no-such-pw") == NULL);
    T_HAS(message, "put: login as \"ann\": etcdserver: authentication failed");
  }
  T_TRUE(t_auth_logins(client) <= 2);
  coord_client_free(client);
}

static void options_that_do_not_fit_together(void) {
  static const struct {
    const char *user, *password, *token, *part;
  } bad[] = {{"ann", "", "", "option username: \"ann\" needs option password"},
             {"", "pw", "", "option password: username says whose it is"},
             {"ann", "pw", "tok", "option token: a token is given besides"},
             {"", "pw", "tok", "option token"},
             {"", "", "a b", "option token: byte 2"},
             {"", "", "a\xc3\xa9", "option token: byte 2"},
             {"\xff", "pw", "", "option username: \"\\xff\" is not UTF-8"},
             {"ann", "\xff", "", "option password: it is not UTF-8"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    coord_client *client = NULL;
    coord_error *err = NULL;
    coord_options *options = t_options("username", bad[i].user, "password", bad[i].password,
                                       "token", bad[i].token, NULL);
    T_ERROR(coord_client_open(options, &client, &err), COORD_INVALID, err, bad[i].part);
    coord_options_free(options);
  }
}

static void refusal_names_the_keys(void) {
  char message[256];
  coord_client *client = t_auth_client(shared(), "ann", "annpw");
  t_call_fails(client, coord_op_put("x/y", 3, "1", 1), COORD_AUTH, message);
  T_STR(message, "put of \"x/y\": etcdserver: permission denied");
  t_call_fails(client, coord_op_get("x\0", 2), COORD_AUTH, message);
  T_STR(message, "get of \"x\\x00\": etcdserver: permission denied");
  t_call_fails(client, t_prefix("x/"), COORD_AUTH, message);
  T_STR(message, "get of the range from \"x/\" to \"x0\": etcdserver: permission denied");
  t_call_fails(client, t_prefix(""), COORD_AUTH, message);
  T_STR(message, "get of all keys from \"\\x00\" on: etcdserver: permission denied");
  coord_op *op = coord_op_delete("s", 1);
  T_CODE(coord_op_set_range_end(op, "u", 1), COORD_OK);
  t_call_fails(client, op, COORD_AUTH, message);
  T_STR(message, "delete of the range from \"s\" to \"u\": etcdserver: permission denied");
  op = coord_op_txn();
  coord_op *put = coord_op_put("x/y", 3, "1", 1);
  T_CODE(coord_op_if_int(op, "t/z", 3, COORD_COMPARE_VERSION, COORD_EQUAL, 0), COORD_OK);
  T_CODE(coord_op_then(op, put), COORD_OK);
  coord_op_free(put);
  t_call_fails(client, op, COORD_AUTH, message);
  T_STR(message, "txn of \"t/z\" and 1 more: etcdserver: permission denied");
  t_call_fails(client, coord_op_user_list(), COORD_AUTH, message);
  T_STR(message, "user_list: etcdserver: permission denied");
  T_INT(t_auth_logins(client), 1);
  coord_client_free(client);
}

static void given_token(void) {
  char message[256];
  coord_client *ann = t_auth_client(shared(), "ann", "annpw");
  t_put(ann, "t/a", "1");
  coord_client *client =
      t_client_with("endpoints", t_etcd_endpoint(shared(), 0), "token", ann->auth.token, NULL);
  T_TRUE(t_get_is(client, "t/a", "1"));
  T_INT(t_auth_logins(client), 0);
  coord_client_free(client);
  coord_client_free(ann);
  client = t_client_with("endpoints", t_etcd_endpoint(shared(), 0), "token", "stale", "log.level",
                         "off", NULL);
  t_call_fails(client, coord_op_get("t/a", 3), COORD_AUTH, message);
  T_STR(message, "get of \"t/a\": etcdserver: invalid auth token");
  coord_client_free(client);
}

static void switched_on_off_and_on(void) {
  t_cluster *cluster = t_etcd_start(NULL);
  t_auth_prepare(cluster);
  coord_client *client = t_auth_client(cluster, "ann", "annpw");
  coord_client *root = t_auth_client(cluster, "root", "rootpw");
  t_put(client, "t/a", "0");
  T_INT(t_auth_logins(client), 1); /* that is how it knows */
  for (int round = 1; round <= 3; round++) {
    usleep(120000); /* what was just learned is not doubted yet */
    t_done(root, coord_op_auth_enable());
    t_put(client, "t/a", "1");
    T_TRUE(t_get_is(client, "t/a", "1"));
    t_call_fails(client, coord_op_get("x", 1), COORD_AUTH, NULL);
    t_done(root, coord_op_auth_disable());
    t_put(client, "t/a", "2");
    t_done(client, coord_op_get("x", 1));
    /* etcd 3.4 refuses an unknown token also with authentication off. */
    T_TRUE(t_auth_logins(client) >= 1 + round && t_auth_logins(client) <= 1 + 2 * round);
  }
  coord_client_free(client);
  coord_client_free(root);
  t_etcd_stop(cluster);
}

static void password_changes_and_comes_back(void) {
  coord_client *root = t_auth_client(shared(), "root", "rootpw");
  t_done(root, coord_op_user_add("cid", "first"));
  t_done(root, coord_op_user_grant("cid", "dev"));
  coord_client *client = t_client_with("endpoints", t_etcd_endpoint(shared(), 0), "username", "cid",
                                       "password", "first", "log.level", "off", NULL);
  t_put(client, "t/cid", "1");
  usleep(120000);
  t_done(root, coord_op_user_password("cid", "second"));
  t_call_fails(client, coord_op_get("t/cid", 5), COORD_AUTH, NULL);
  coord_client *other = t_auth_client(shared(), "cid", "second");
  T_TRUE(t_get_is(other, "t/cid", "1"));
  t_done(root, coord_op_user_password("cid", "first"));
  usleep(1100000);
  T_TRUE(t_get_is(client, "t/cid", "1"));
  usleep(120000);
  t_done(root, coord_op_user_delete("cid"));
  t_call_fails(client, coord_op_get("t/cid", 5), COORD_AUTH, NULL);
  coord_client_free(other);
  coord_client_free(client);
  coord_client_free(root);
}

/* ---- the end of tokens ---- */

static void works_for(coord_client *client, int ms, int pause_ms) {
  for (int64_t end = t_now_ms() + ms; t_now_ms() < end;) {
    t_put(client, "t/expiry", "1");
    T_TRUE(t_get_is(client, "t/expiry", "1"));
    usleep((useconds_t)pause_ms * 1000);
  }
}

static void jwt_expires(void) {
  t_cluster *cluster = t_etcd_start(&(t_etcd_options){.args = t_auth_jwt("1s")});
  t_auth_enable(cluster);
  coord_client *client = t_auth_client(cluster, "ann", "annpw");
  works_for(client, 3500, 5);
  long long logins = t_auth_logins(client);
  if (logins < 3 || logins > 8) T_FAIL("%lld logins within 3.5 s", logins);
  coord_client_free(client);
  t_etcd_stop(cluster);
}

static void jwt_gets_old_when_users_change(void) {
  char name[16];
  t_cluster *cluster = t_etcd_start(&(t_etcd_options){.args = t_auth_jwt("5m")});
  t_auth_enable(cluster);
  coord_client *client = t_auth_client(cluster, "ann", "annpw");
  coord_client *root = t_auth_client(cluster, "root", "rootpw");
  for (int i = 0; i < 5; i++) {
    snprintf(name, sizeof name, "r%d", i);
    t_done(root, coord_op_role_add(name));
    works_for(client, 150, 5);
  }
  T_TRUE(t_auth_logins(client) >= 2);
  T_TRUE(t_auth_logins(client) <= 8);
  coord_client_free(client);
  coord_client_free(root);
  t_etcd_stop(cluster);
}

static void simple_token_expires(void) {
  static const char *const args[] = {"--auth-token-ttl=1", NULL};
  if (!t_etcd_is_at_least(3, 5)) T_SKIP("this etcd has no --auth-token-ttl");
  t_cluster *cluster = t_etcd_start(&(t_etcd_options){.args = args});
  t_auth_enable(cluster);
  coord_client *client = t_auth_client(cluster, "ann", "annpw");
  for (int i = 0; i < 3; i++) {
    t_put(client, "t/a", "1");
    usleep(2300000);
  }
  T_TRUE(t_get_is(client, "t/a", "1"));
  T_TRUE(t_auth_logins(client) >= 2);
  T_TRUE(t_auth_logins(client) <= 4);
  coord_client_free(client);
  t_etcd_stop(cluster);
}

static void restart_of_the_server(void) {
  t_cluster *cluster = t_etcd_start(NULL);
  t_auth_enable(cluster);
  coord_client *client = t_auth_client(cluster, "ann", "annpw");
  t_put(client, "t/a", "1");
  t_etcd_kill(cluster, 0);
  t_etcd_restart(cluster, 0);
  T_TRUE(t_get_is(client, "t/a", "1"));
  t_put(client, "t/a", "2");
  /* Reading its log again, it may learn the token again. */
  T_TRUE(t_auth_logins(client) <= 2);
  coord_client_free(client);
  t_etcd_stop(cluster);
}

/* A job on the loop of a client, awaited. */
typedef struct errand {
  coord__job job;
  coord_client *client;
  atomic_bool done;
} errand;

/* As after a restore from a backup: the server has never heard of the token, and its log is far from
 * the index that the token names. The token looks old enough to be doubted. */
static void make_unreachable(coord__job *job) {
  errand *e = COORD__CONTAINER(job, errand, job);
  coord__auth *auth = &e->client->auth;
  snprintf(auth->token, strlen(auth->token) + 1, "%s", "lost.99999");
  auth->since_ns -= 60000 * COORD__NS_PER_MS;
  e->done = true;
}

static bool is_done(void *e) { return atomic_load(&((errand *)e)->done); }

static bool has_new_login(void *client) { return t_auth_logins(client) >= 2; }

static void server_that_was_restored_from_a_backup(void) {
  coord_client *client =
      t_client_with("endpoints", t_etcd_endpoint(shared(), 0), "username", "ann", "password",
                    "annpw", "request.timeout.ms", "1500", "log.level", "error", NULL);
  errand e = {.job.run = make_unreachable, .client = client};
  coord__loop_post(client->loop, &e.job);
  T_TRUE(t_wait_until(is_done, &e, 1000));
  t_call_fails(client, coord_op_get("t/a", 3), COORD_TIMEOUT, NULL);
  T_TRUE(t_wait_until(has_new_login, client, 10000));
  usleep(100000 * T_SLOW); /* its answer has come too */
  t_put(client, "t/a", "restored");
  T_TRUE(t_get_is(client, "t/a", "restored"));
  T_INT(t_auth_logins(client), 2);
  coord_client_free(client);
}

/* ---- no secret comes out ---- */

static void secrets_stay_inside(void) {
  coord_client *client = NULL;
  coord_error *err = NULL;
  coord_queue *queue = NULL;
  const char *shown = NULL;
  char *json = NULL;
  char token[64];
  T_OK(coord_queue_open(&queue, NULL), NULL);
  coord_options *options =
      t_options("endpoints", t_etcd_endpoint(shared(), 0), "username", "ann", "password", "annpw",
                "connect.lazy", "true", "log.level", "debug", NULL);
  T_OK(coord_options_get(options, "password", &shown, NULL), NULL);
  T_STR(shown, "***");
  T_OK(coord_client_open(options, &client, &err), err);
  T_OK(coord_client_log_to(client, queue, 1, NULL), NULL);
  coord_options_free(options);
  t_put(client, "t/a", "1");
  snprintf(token, sizeof token, "%s", client->auth.token);
  T_TRUE(strlen(token) > 8);
  T_OK(coord_client_stats(client, &json, NULL), NULL);
  T_TRUE(strstr(json, "annpw") == NULL && strstr(json, token) == NULL);
  T_HAS(json, "\"authenticate\":{\"calls\":1,");
  coord_memory_free(json);
  coord_client_close(client, 0, NULL);
  int lines = 0;
  for (coord_event *event; (event = coord_queue_next(queue, 100)) != NULL; lines++) {
    const char *text = coord_event_text(event);
    if (strstr(text, "annpw") != NULL || strstr(text, token) != NULL) T_FAIL("log: %s", text);
    coord_event_free(event);
  }
  T_TRUE(lines >= 2);
  coord_client_free(client);
  coord_queue_free(queue);
}

/* ---- streams ---- */

typedef struct flow {
  coord__stream stream; /* first */
  coord__job job;
  coord_client *client;
  atomic_int opened;
  atomic_int messages;
  atomic_int reopened; /* because of a reason in a message */
  atomic_bool closed;
  atomic_bool ended;
} flow;

static void open_watch(flow *f);

static void on_opened(coord__stream *stream) {
  uint8_t bytes[COORD__FRAME_HEADROOM + 64] = {0};
  Etcdserverpb__WatchCreateRequest create = ETCDSERVERPB__WATCH_CREATE_REQUEST__INIT;
  create.key = (ProtobufCBinaryData){3, (uint8_t *)(uintptr_t) "t/w"};
  Etcdserverpb__WatchRequest request = ETCDSERVERPB__WATCH_REQUEST__INIT;
  request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST;
  request.create_request = &create;
  size_t n = etcdserverpb__watch_request__pack(&request, bytes + COORD__FRAME_HEADROOM);
  T_TRUE(coord__stream_send(stream, bytes, COORD__FRAME_HEADROOM + n, false));
  atomic_fetch_add(&((flow *)stream)->opened, 1);
}

static void on_message(coord__stream *stream, const uint8_t *p, size_t n) {
  flow *f = (flow *)stream;
  Etcdserverpb__WatchResponse *r = etcdserverpb__watch_response__unpack(NULL, n, p);
  if (!T_TRUE(r != NULL)) return;
  if (r->canceled) {
    bool about_token = coord__stream_refused(stream, r->cancel_reason);
    if (!about_token) T_FAIL("cancelled: \"%s\"", r->cancel_reason);
    etcdserverpb__watch_response__free_unpacked(r, NULL);
    coord__stream_end(stream);
    atomic_fetch_add(&f->reopened, 1);
    open_watch(f);
    return;
  }
  etcdserverpb__watch_response__free_unpacked(r, NULL);
  atomic_fetch_add(&f->messages, 1);
}

static void on_closed(coord__stream *stream, coord_code code, coord_error *err) {
  T_FAIL("closed: %s %s", coord_code_name(code), coord_error_message(err));
  coord_error_free(err);
  ((flow *)stream)->closed = true;
}

static void open_watch(flow *f) {
  f->stream = (coord__stream){
      .lane = COORD__LANE_WATCHES, .opened = on_opened, .message = on_message, .closed = on_closed};
  coord__stream_open(&f->client->rpc, &f->stream, &coord__methods[COORD__METHOD_WATCH]);
}

static void run_open(coord__job *job) { open_watch(COORD__CONTAINER(job, flow, job)); }

static void run_end(coord__job *job) {
  flow *f = COORD__CONTAINER(job, flow, job);
  coord__stream_end(&f->stream);
  f->ended = true;
}

static bool has_message(void *f) { return atomic_load(&((flow *)f)->messages) > 0; }

static bool has_ended(void *f) { return atomic_load(&((flow *)f)->ended); }

static void post(flow *f, void (*run)(coord__job *job)) {
  f->job.run = run;
  coord__loop_post(f->client->loop, &f->job);
}

/* The token has expired, or is not known, when the watch is asked for. */
static void watch_with_an_old_token(void) {
  t_cluster *cluster = t_etcd_start(NULL);
  t_auth_enable(cluster);
  coord_client *client = t_auth_client(cluster, "ann", "annpw");
  coord_client *root = t_auth_client(cluster, "root", "rootpw");
  usleep(120000);
  t_done(root, coord_op_user_password("ann", "annpw")); /* ends ann's tokens */
  flow f = {.client = client};
  post(&f, run_open);
  T_TRUE(t_wait_until(has_message, &f, 5000));
  T_TRUE(f.opened >= 2);
  T_INT(f.reopened, f.opened - 1);
  T_INT(t_auth_logins(client), 2);
  post(&f, run_end);
  T_TRUE(t_wait_until(has_ended, &f, 5000));
  coord_client_free(client);
  coord_client_free(root);
  t_etcd_stop(cluster);
}

/* A scan reads its second page by a stream, where the server has that (3.7): one whose token has
 * ended meanwhile. */
static void scan_whose_token_ends_on_the_way(void) {
  coord_client *root = t_auth_client(shared(), "root", "rootpw");
  t_done(root, coord_op_user_add("dan", "danpw"));
  t_done(root, coord_op_user_grant("dan", "dev"));
  coord_client *client = t_auth_client(shared(), "dan", "danpw");
  for (int i = 0; i < 20; i++) {
    char key[32];
    snprintf(key, sizeof key, "t/scan/%02d", i);
    t_put(client, key, "v");
  }
  coord_op *get = t_prefix("t/scan/");
  coord_scan *scan = NULL;
  coord_error *err = NULL;
  T_OK(coord_scan_open(client, get, 5, &scan, &err), err);
  coord_op_free(get);
  size_t count = 0;
  for (int page = 0;; page++) {
    coord_result *result = NULL;
    T_OK(coord_scan_next(scan, 0, &result, &err), err);
    if (result == NULL || coord_result_count(result) == 0) break;
    count += coord_result_count(result);
    coord_result_free(result);
    if (page == 0) {
      usleep(120000);
      t_done(root, coord_op_user_password("dan", "danpw"));
    }
  }
  T_INT(count, 20);
  T_INT(t_auth_logins(client), 2);
  T_TRUE(!client->no_range_stream || !t_etcd_is_at_least(3, 7) || t_on_gateway());
  coord_scan_free(scan);
  coord_client_free(client);
  coord_client_free(root);
}

T_MAIN(T_CASE(user_with_a_password), T_CASE(lazy_client_logs_in_with_its_first_call),
       T_CASE(wrong_password_fails_the_opening),
       T_CASE(wrong_password_of_a_lazy_client_fails_its_calls),
       T_CASE(options_that_do_not_fit_together), T_CASE(refusal_names_the_keys),
       T_CASE(given_token), T_CASE(switched_on_off_and_on), T_CASE(password_changes_and_comes_back),
       T_CASE(jwt_expires), T_CASE(jwt_gets_old_when_users_change), T_CASE(simple_token_expires),
       T_CASE(restart_of_the_server), T_CASE(server_that_was_restored_from_a_backup),
       T_CASE(secrets_stay_inside), T_CASE(watch_with_an_old_token),
       T_CASE(scan_whose_token_ends_on_the_way))
