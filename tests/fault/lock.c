/* Locks while processes, servers, connections and single answers are lost: one holder at a time, who
 * knows when he is none any more, and no key that nobody owns. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/cluster.h"
#include "support/lease.h"
#include "support/lock_queue.h"

enum { SOON = 15000 * T_SLOW, HOLDER = 1, WAITER = 2, THIRD = 3 };
/* By the watch: a keepalive would find it out after 5 s. */
enum { AT_ONCE = 4000 };

static coord_client *client_of(const char *endpoints) {
  return t_client_with("endpoints", endpoints, "log.level", "off", NULL);
}

/* With a lease of its own, of which `ttl` says how long it lives. */
static coord_lock *own_lock(coord_client *client, const char *name, coord_queue *queue,
                            uint64_t tag, const char *ttl) {
  return t_lock_tagged(client, name, queue, tag, "lock.lease", "own", "lock.ttl.s", ttl, NULL);
}

/* A put that is done only while the lock is held. */
static coord_op *guarded_put(const coord_lock *lock, const char *key, const char *value) {
  coord_op *txn = coord_op_txn();
  coord_op *put = coord_op_put(key, strlen(key), value, strlen(value));
  T_CODE(coord_op_if_held(txn, lock), COORD_OK);
  T_CODE(coord_op_then(txn, put), COORD_OK);
  coord_op_free(put);
  return txn;
}

/* Does it and says whether it was done; frees the op. */
static bool done(coord_client *client, coord_op *txn) {
  coord_result *result = t_call(client, txn);
  bool succeeded = coord_result_succeeded(result) != 0;
  coord_result_free(result);
  return succeeded;
}

static void revoke_lease(coord_client *client, int64_t lease_id) {
  coord_result_free(t_call(client, coord_op_lease_revoke(lease_id)));
}

/* ---- the process itself ---- */

/* What a child says to its parent, one byte each. */
enum { READY = 'r', GOOD = 'g', BAD = 'b' };

static char hear(int fd, int timeout_ms) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  char said = 0;
  return poll(&p, 1, timeout_ms) == 1 && read(fd, &said, 1) == 1 ? said : 0;
}

static void say(int fd, char what) {
  if (write(fd, &what, 1) != 1) _exit(1);
}

typedef struct child {
  pid_t pid;
  int in;    /* to it */
  int heard; /* from it */
} child;

/* The child opens a client of its own. */
static child begin_child(void (*run)(const char *endpoint, const char *name, int in, int out),
                         const char *name) {
  const char *endpoint = t_etcd_endpoint(t_etcd(), 0);
  int there[2], back[2];
  T_FATAL(pipe(there) == 0 && pipe(back) == 0);
  child c = {.in = there[1], .heard = back[0]};
  c.pid = fork();
  T_FATAL(c.pid >= 0);
  if (c.pid == 0) {
    alarm(60);
    run(endpoint, name, there[0], back[1]);
    _exit(0);
  }
  close(there[0]);
  close(back[1]);
  return c;
}

static void end_child(child *c) {
  int status = -1;
  close(c->in);
  close(c->heard);
  waitpid(c->pid, &status, 0);
}

static coord_lock *childs_lock(const char *endpoint, const char *name, coord_client **client,
                               coord_queue **queue) {
  coord_options *options = NULL;
  coord_lock *lock = NULL;
  coord_options_new(&options);
  coord_options_set(options, "endpoints", endpoint, NULL);
  coord_options_set(options, "wire", t_on_gateway() ? "gateway" : "grpc", NULL);
  coord_options_set(options, "lock.ttl.s", "2", NULL);
  coord_options_set(options, "log.level", "off", NULL);
  coord_client_open(options, client, NULL);
  coord_queue_open(queue, NULL);
  coord_lock_open(*client, name, strlen(name), NULL, *queue, HOLDER, &lock, NULL);
  coord_options_free(options);
  return lock;
}

/* Held; then stopped for longer than that lasts. The guarded write is built before and done after. */
static void hold_and_be_stopped(const char *endpoint, const char *name, int in, int out) {
  coord_client *client;
  coord_queue *queue;
  char key[t_key_size + 16], go;
  coord_lock *lock = childs_lock(endpoint, name, &client, &queue);
  snprintf(key, sizeof key, "%s-guarded", name);
  if (t_acquire_ends(client, lock, true, -1) != COORD_OK) say(out, BAD);
  coord_op *txn = coord_op_txn();
  coord_op *put = coord_op_put(key, strlen(key), "stale", 5);
  coord_op_if_held(txn, lock);
  coord_op_then(txn, put);
  coord_event_free(coord_queue_next(queue, 5000)); /* ACQUIRED */
  say(out, coord_lock_is_held(lock) ? READY : BAD);
  if (read(in, &go, 1) != 1) _exit(1); /* stopped in here */
  bool held =
      coord_lock_is_held(lock) || coord_lock_token(lock) != 0 || coord_lock_remaining_ms(lock) != 0;
  say(out, held ? BAD : GOOD);
  coord_op *late = coord_op_txn();
  say(out, coord_op_if_held(late, lock) == COORD_NOT_HELD ? GOOD : BAD);
  coord_result *result = NULL;
  coord_code code = coord_call(client, txn, 0, &result, NULL);
  say(out, code == COORD_OK && coord_result_succeeded(result) == 0 ? GOOD : BAD);
  bool lost = false;
  for (coord_event *event; !lost && (event = coord_queue_next(queue, 3000)) != NULL;) {
    lost = coord_event_type(event) == COORD_EVENT_LOST;
    coord_event_free(event);
  }
  say(out, lost ? GOOD : BAD);
  say(out, t_release_ends(client, lock) == COORD_LOST ? GOOD : BAD);
}

static void stopped_holder_knows_before_it_can_act(void) {
  char name[t_key_size], guarded[t_key_size + 16];
  int64_t token = 0;
  child c = begin_child(hold_and_be_stopped, t_key(name, "lock"));
  T_INT(hear(c.heard, 10000 * T_SLOW), READY);
  coord_client *client = t_client();
  coord_lock *lock = t_lock_tagged(client, name, NULL, 0, NULL);
  coord_kv before = {0};
  char key[160];
  T_TRUE(t_queue_at(client, name, 0, &before, key));
  kill(c.pid, SIGSTOP);
  token = t_acquire(client, lock, 15000 * T_SLOW);
  T_TRUE(token > before.create_revision);
  snprintf(guarded, sizeof guarded, "%s-guarded", name);
  T_TRUE(done(client, guarded_put(lock, guarded, "new")));
  if (write(c.in, "g", 1) != 1) T_FAIL("the child is gone");
  kill(c.pid, SIGCONT);
  T_INT(hear(c.heard, SOON), GOOD); /* is_held, token, remaining_ms */
  T_INT(hear(c.heard, SOON), GOOD); /* coord_op_if_held */
  T_INT(hear(c.heard, SOON), GOOD); /* what was guarded before */
  T_INT(hear(c.heard, SOON), GOOD); /* LOST */
  T_INT(hear(c.heard, SOON), GOOD); /* release */
  T_TRUE(t_get_is(client, guarded, "new"));
  T_TRUE(coord_lock_is_held(lock));
  T_CODE(t_release_ends(client, lock), COORD_OK);
  coord_lock_free(lock);
  coord_client_free(client);
  end_child(&c);
}

static void wait_for_it(const char *endpoint, const char *name, int in, int out) {
  coord_client *client;
  coord_queue *queue;
  char go;
  coord_lock *lock = childs_lock(endpoint, name, &client, &queue);
  coord_op *op = coord_op_acquire(lock, 1);
  if (coord_submit(client, op, -1, queue, HOLDER, NULL, NULL) != COORD_OK) say(out, BAD);
  say(out, READY);
  if (read(in, &go, 1) != 1) _exit(1);
}

/* With the death of the one before it a waiter must look who else is there. */
static void death_of_a_waiter_lets_nobody_pass(void) {
  char name[t_key_size];
  int64_t first = 0, last = 0;
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_lock *holder = own_lock(client, t_key(name, "lock"), NULL, 0, "15");
  first = t_acquire(client, holder, 15000 * T_SLOW);
  child c = begin_child(wait_for_it, name);
  T_INT(hear(c.heard, 10000 * T_SLOW), READY);
  T_TRUE(t_queue_becomes(client, name, 2, SOON));
  coord_lock *third = own_lock(client, name, queue, THIRD, "15");
  t_begin_acquire(client, third, queue, THIRD);
  T_TRUE(t_queue_becomes(client, name, 3, SOON));
  kill(c.pid, SIGKILL);
  end_child(&c);
  T_TRUE(t_queue_becomes(client, name, 2, 10000));
  T_TRUE(t_lease_quiet(queue, 300));
  T_TRUE(coord_lock_is_held(holder) && !coord_lock_is_held(third));
  T_CODE(t_release_ends(client, holder), COORD_OK);
  T_CODE(t_acquired(queue, THIRD, SOON, &last), COORD_OK);
  T_TRUE(last > first);
  T_CODE(t_release_ends(client, third), COORD_OK);
  T_INT(t_lock_keys(client, name), 0);
  coord_lock_free(holder);
  coord_lock_free(third);
  coord_queue_free(queue);
  coord_client_free(client);
}

/* ---- leases and keys that go ---- */

typedef struct pair {
  char name[t_key_size];
  coord_client *client;
  coord_queue *queue;
  coord_lock *holder;
  coord_lock *waiter;
  coord_kv kvs[2];
  char keys[2][160];
  uint64_t call;
} pair;

/* One holds, one waits, each with a lease of its own. */
static void begin_pair(pair *p, coord_client *client) {
  t_key(p->name, "lock");
  p->client = client;
  p->queue = t_queue();
  p->holder = own_lock(client, p->name, p->queue, HOLDER, "15");
  p->waiter = own_lock(client, p->name, p->queue, WAITER, "15");
  T_CODE(t_acquire_ends(client, p->holder, true, 0), COORD_OK);
  p->call = t_begin_acquire(client, p->waiter, p->queue, WAITER);
  T_TRUE(t_queue_becomes(client, p->name, 2, SOON));
  for (size_t i = 0; i < 2; i++) T_TRUE(t_queue_at(client, p->name, i, &p->kvs[i], p->keys[i]));
}

static void end_pair(pair *p) {
  coord_lock_free(p->holder);
  coord_lock_free(p->waiter);
  coord_queue_free(p->queue);
  coord_client_free(p->client);
}

static void waiter_without_a_lease_is_told_at_once(void) {
  pair p;
  begin_pair(&p, t_client());
  revoke_lease(p.client, p.kvs[1].lease_id);
  T_CODE(t_acquired(p.queue, WAITER, AT_ONCE, NULL), COORD_LOST);
  T_TRUE(coord_lock_is_held(p.holder) && !coord_lock_is_held(p.waiter));
  T_TRUE(t_queue_becomes(p.client, p.name, 1, SOON));
  /* It can begin again. */
  t_begin_acquire(p.client, p.waiter, p.queue, WAITER);
  T_TRUE(t_queue_becomes(p.client, p.name, 2, SOON));
  T_CODE(t_release_ends(p.client, p.holder), COORD_OK);
  T_CODE(t_acquired(p.queue, WAITER, SOON, NULL), COORD_OK);
  end_pair(&p);
}

static void waiter_without_a_key_is_told_at_once(void) {
  pair p;
  begin_pair(&p, t_client());
  T_CODE(coord_delete(p.client, p.keys[1], strlen(p.keys[1]), NULL, NULL), COORD_OK);
  T_CODE(t_acquired(p.queue, WAITER, AT_ONCE, NULL), COORD_LOST);
  T_TRUE(coord_lock_is_held(p.holder) && !coord_lock_is_held(p.waiter));
  T_TRUE(t_queue_becomes(p.client, p.name, 1, SOON));
  end_pair(&p);
}

static void expect_loss(pair *p) {
  T_TRUE(t_lock_told(p->queue, COORD_EVENT_LOST, HOLDER, AT_ONCE));
  T_TRUE(!coord_lock_is_held(p->holder));
  T_INT(coord_lock_token(p->holder), 0);
  T_CODE(t_release_ends(p->client, p->holder), COORD_LOST);
}

static void holder_without_a_lease_is_told_at_once(void) {
  pair p;
  begin_pair(&p, t_client());
  revoke_lease(p.client, p.kvs[0].lease_id);
  expect_loss(&p);
  end_pair(&p);
}

static void holder_without_a_key_is_told_at_once(void) {
  pair p;
  begin_pair(&p, t_client());
  coord_op *txn = guarded_put(p.holder, "t/never", "stale");
  T_CODE(coord_delete(p.client, p.keys[0], strlen(p.keys[0]), NULL, NULL), COORD_OK);
  T_TRUE(!done(p.client, txn));
  expect_loss(&p);
  end_pair(&p);
}

/* ---- waits that end early ---- */

static void cancelled_wait_leaves_no_key(void) {
  pair p;
  begin_pair(&p, t_client());
  T_CODE(coord_cancel(p.client, p.call), COORD_OK);
  T_CODE(t_acquired(p.queue, WAITER, SOON, NULL), COORD_CANCELED);
  T_TRUE(t_queue_becomes(p.client, p.name, 1, SOON));
  T_CODE(t_acquire_ends(p.client, p.waiter, true, 200), COORD_TIMEOUT);
  T_TRUE(t_queue_becomes(p.client, p.name, 1, SOON));
  T_CODE(t_acquire_ends(p.client, p.waiter, false, 0), COORD_CONFLICT);
  T_TRUE(t_queue_becomes(p.client, p.name, 1, SOON));
  T_TRUE(coord_lock_is_held(p.holder));
  end_pair(&p);
}

static void dropped_handles_leave_no_key(void) {
  pair p;
  coord_client *other = t_client();
  begin_pair(&p, t_client());
  coord_lock_free(p.waiter);
  p.waiter = NULL;
  T_TRUE(t_queue_becomes(other, p.name, 1, SOON));
  coord_lock_free(p.holder);
  p.holder = NULL;
  T_TRUE(t_queue_becomes(other, p.name, 0, SOON));
  end_pair(&p);
  coord_client_free(other);
}

/* The server cannot be told of it before the network is back. */
static void wait_that_ends_without_a_network_leaves_no_key(void) {
  pair p;
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *other = t_client();
  begin_pair(&p, client_of(t_proxy_endpoint(proxy)));
  t_proxy_refuse(proxy, true);
  T_CODE(coord_cancel(p.client, p.call), COORD_OK);
  T_CODE(t_acquired(p.queue, WAITER, SOON, NULL), COORD_CANCELED);
  usleep(300000);
  T_INT(t_lock_keys(other, p.name), 2);
  t_proxy_refuse(proxy, false);
  T_TRUE(t_queue_becomes(other, p.name, 1, 10000)); /* its lease has 15 s */
  T_TRUE(coord_lock_is_held(p.holder));
  end_pair(&p);
  coord_client_free(other);
  t_proxy_stop(proxy);
}

/* ---- answers that get lost ---- */

static void lost_answer_of_an_acquire_leaves_one_key(void) {
  char name[t_key_size], key[160];
  int64_t token = 0;
  coord_kv kv = {0};
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *other = t_client(), *client = client_of(t_proxy_endpoint(proxy));
  coord_queue *queue = t_queue();
  coord_lock *lock = t_lock_tagged(client, t_key(name, "lock"), queue, HOLDER, NULL);
  /* So that there is a lease. */
  T_CODE(t_acquire_ends(client, lock, true, 0), COORD_OK);
  T_CODE(t_release_ends(client, lock), COORD_OK);
  t_proxy_mute(proxy, true);
  t_begin_acquire(client, lock, queue, WAITER);
  T_TRUE(t_queue_becomes(other, name, 1, SOON));
  T_TRUE(!coord_lock_is_held(lock));
  t_proxy_mute(proxy, false); /* which cuts what lost something */
  T_CODE(t_acquired(queue, WAITER, 10000 * T_SLOW, &token), COORD_OK);
  T_TRUE(coord_lock_is_held(lock));
  T_INT(t_lock_keys(other, name), 1);
  T_TRUE(t_queue_at(other, name, 0, &kv, key));
  T_INT(token, kv.create_revision);
  T_INT(coord_lock_token(lock), token);
  T_CODE(t_release_ends(client, lock), COORD_OK);
  T_INT(t_lock_keys(other, name), 0);
  coord_lock_free(lock);
  coord_queue_free(queue);
  coord_client_free(client);
  coord_client_free(other);
  t_proxy_stop(proxy);
}

/* And one that is given up meanwhile leaves none. */
static void lost_answer_of_an_acquire_in_vain_leaves_no_key(void) {
  char name[t_key_size];
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *other = t_client(), *client = client_of(t_proxy_endpoint(proxy));
  coord_lock *lock = t_lock_tagged(client, t_key(name, "lock"), NULL, 0, NULL);
  T_CODE(t_acquire_ends(client, lock, true, 0), COORD_OK);
  T_CODE(t_release_ends(client, lock), COORD_OK);
  t_proxy_mute(proxy, true);
  /* With more time when it has not even been asked for in this. */
  for (int ms = 400; ms < 20000 && t_lock_keys(other, name) == 0; ms *= 3) {
    T_CODE(t_acquire_ends(client, lock, true, ms), COORD_TIMEOUT);
  }
  T_INT(t_lock_keys(other, name), 1);
  t_proxy_mute(proxy, false);
  T_TRUE(t_queue_becomes(other, name, 0, 10000));
  T_CODE(t_acquire_ends(client, lock, true, 10000), COORD_OK);
  T_TRUE(t_queue_becomes(other, name, 1, 0));
  coord_lock_free(lock);
  coord_client_free(client);
  coord_client_free(other);
  t_proxy_stop(proxy);
}

/* What is repeated of a release must not hit the same handle's next key. */
static void repeated_release_spares_the_next_key(void) {
  char name[t_key_size], key[160];
  int64_t first = 0, second = 0;
  coord_kv kv = {0};
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *other = t_client(), *client = client_of(t_proxy_endpoint(proxy));
  coord_queue *queue = t_queue();
  coord_lock *lock = t_lock_tagged(client, t_key(name, "lock"), queue, HOLDER, NULL);
  first = t_acquire(client, lock, 0);
  t_proxy_mute(proxy, true);
  coord_op *release = coord_op_release(lock);
  T_CODE(coord_call(client, release, 300, NULL, NULL), COORD_TIMEOUT);
  T_TRUE(!coord_lock_is_held(lock));
  T_TRUE(t_queue_becomes(other, name, 0, SOON)); /* it was done */
  t_proxy_mute(proxy, false);
  /* In the background it is tried again, until this is known. */
  second = t_acquire(client, lock, 10000 * T_SLOW);
  T_TRUE(second > first);
  T_TRUE(!t_lock_told(queue, COORD_EVENT_LOST, HOLDER, 1000));
  T_TRUE(coord_lock_is_held(lock));
  T_TRUE(t_queue_at(other, name, 0, &kv, key));
  T_INT(kv.create_revision, second);
  T_CODE(t_release_ends(client, lock), COORD_OK);
  T_CODE(coord_call(client, release, 0, NULL, NULL), COORD_NOT_HELD);
  T_INT(t_lock_keys(other, name), 0);
  coord_op_free(release);
  coord_lock_free(lock);
  coord_queue_free(queue);
  coord_client_free(client);
  coord_client_free(other);
  t_proxy_stop(proxy);
}

/* ---- networks and servers ---- */

static void lonely_holder_stops_before_the_next_one_begins(void) {
  char name[t_key_size];
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *away = client_of(t_proxy_endpoint(proxy)), *client = t_client();
  coord_queue *queue = t_queue();
  coord_lock *holder = own_lock(away, t_key(name, "lock"), queue, HOLDER, "2");
  coord_lock *waiter = own_lock(client, name, NULL, 0, "2");
  T_CODE(t_acquire_ends(away, holder, true, 0), COORD_OK);
  T_TRUE(coord_lock_remaining_ms(holder) > 0);
  t_proxy_refuse(proxy, true);
  T_CODE(t_acquire_ends(client, waiter, true, 15000 * T_SLOW), COORD_OK);
  T_TRUE(!coord_lock_is_held(holder));
  T_TRUE(t_lock_told(queue, COORD_EVENT_LOST, HOLDER, SOON));
  t_proxy_refuse(proxy, false);
  T_CODE(t_acquire_ends(away, holder, false, 0), COORD_CONFLICT);
  T_CODE(t_release_ends(client, waiter), COORD_OK);
  T_CODE(t_acquire_ends(away, holder, true, 10000), COORD_OK);
  coord_lock_free(holder);
  coord_lock_free(waiter);
  coord_queue_free(queue);
  coord_client_free(away);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

static void waiter_outlasts_cuts_and_a_restart(void) {
  pair p;
  t_cluster *etcd = t_etcd_start(NULL);
  t_proxy *proxy = t_proxy_start(t_etcd_port(etcd, 0));
  begin_pair(&p, client_of(t_proxy_endpoint(proxy)));
  for (int i = 0; i < 5; i++) {
    t_proxy_cut(proxy);
    usleep(50000);
  }
  t_etcd_kill(etcd, 0);
  t_etcd_restart(etcd, 0);
  T_TRUE(t_queue_becomes(p.client, p.name, 2, SOON));
  T_TRUE(coord_lock_is_held(p.holder) && !coord_lock_is_held(p.waiter));
  T_CODE(t_release_ends(p.client, p.holder), COORD_OK);
  T_CODE(t_acquired(p.queue, WAITER, 10000 * T_SLOW, NULL), COORD_OK);
  end_pair(&p);
  t_proxy_stop(proxy);
  t_etcd_stop(etcd);
}

/* The release happens while the waiter hears nothing, and what tells of it is compacted away. */
static void release_in_a_compacted_past_is_noticed(void) {
  char name[t_key_size], other_key[t_key_size];
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  coord_client *away = client_of(t_proxy_endpoint(proxy)), *client = t_client();
  coord_queue *queue = t_queue();
  coord_lock *holder = own_lock(client, t_key(name, "lock"), NULL, 0, "15");
  coord_lock *waiter = own_lock(away, name, NULL, 0, "15");
  T_CODE(t_acquire_ends(client, holder, true, 0), COORD_OK);
  t_begin_acquire(away, waiter, queue, WAITER);
  T_TRUE(t_queue_becomes(client, name, 2, SOON));
  t_proxy_refuse(proxy, true);
  T_CODE(t_release_ends(client, holder), COORD_OK);
  int64_t revision = 0;
  for (int i = 0; i < 5; i++) revision = t_put(client, t_key(other_key, "other"), "v");
  coord_result_free(t_call(client, coord_op_compact(revision)));
  t_proxy_refuse(proxy, false);
  T_CODE(t_acquired(queue, WAITER, 10000 * T_SLOW, NULL), COORD_OK);
  T_TRUE(coord_lock_is_held(waiter));
  coord_lock_free(holder);
  coord_lock_free(waiter);
  coord_queue_free(queue);
  coord_client_free(away);
  coord_client_free(client);
  t_proxy_stop(proxy);
}

static void lock_outlives_the_leader(void) {
  pair p;
  char endpoints[t_endpoints_size];
  t_cluster *cluster = t_cluster_start();
  begin_pair(&p, client_of(t_cluster_endpoints(cluster, endpoints)));
  int leader = t_cluster_leader(cluster);
  t_etcd_kill(cluster, leader);
  T_CODE(t_release_ends(p.client, p.holder), COORD_OK);
  T_CODE(t_acquired(p.queue, WAITER, 10000 * T_SLOW, NULL), COORD_OK);
  T_TRUE(coord_lock_is_held(p.waiter));
  T_CODE(t_acquire_ends(p.client, p.holder, false, 0), COORD_CONFLICT);
  end_pair(&p);
  t_etcd_stop(cluster);
}

T_MAIN(T_CASE(stopped_holder_knows_before_it_can_act), T_CASE(death_of_a_waiter_lets_nobody_pass),
       T_CASE(waiter_without_a_lease_is_told_at_once), T_CASE(waiter_without_a_key_is_told_at_once),
       T_CASE(holder_without_a_lease_is_told_at_once), T_CASE(holder_without_a_key_is_told_at_once),
       T_CASE(cancelled_wait_leaves_no_key), T_CASE(dropped_handles_leave_no_key),
       T_CASE(wait_that_ends_without_a_network_leaves_no_key),
       T_CASE(lost_answer_of_an_acquire_leaves_one_key),
       T_CASE(lost_answer_of_an_acquire_in_vain_leaves_no_key),
       T_CASE(repeated_release_spares_the_next_key),
       T_CASE(lonely_holder_stops_before_the_next_one_begins),
       T_CASE(waiter_outlasts_cuts_and_a_restart), T_CASE(release_in_a_compacted_past_is_noticed),
       T_CASE(lock_outlives_the_leader))
