/* Locks on a real server. What happens under faults is in tests/fault/lock.c. */
#include "support/lock.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/lease.h"

/* ---- a lock ---- */

static void acquired_lock_is_held_by_a_key_that_others_know(void) {
  coord_client *client = t_client();
  char name[t_key_size], expected[128];
  coord_lock *lock = t_lock(client, t_key(name, "a"), NULL);
  coord_kv kv = {0}, seen = {0};
  T_INT(coord_lock_is_held(lock), 0);
  T_INT(coord_lock_token(lock), 0);
  T_CODE(coord_lock_key(lock, 0, &kv), COORD_NOT_HELD);
  int64_t token = t_acquire(client, lock, 5000);
  T_INT(coord_lock_is_held(lock), 1);
  T_INT(coord_lock_token(lock), token);
  T_TRUE(coord_lock_remaining_ms(lock) > 8000 && coord_lock_remaining_ms(lock) <= 15000);
  T_CODE(coord_lock_key(lock, 0, &kv), COORD_OK);
  T_CODE(coord_lock_key(lock, 1, &kv), COORD_INVALID);
  /* As Go's concurrency package writes it: field.md, B1. */
  snprintf(expected, sizeof expected, "%s/%" PRIx64, name, (uint64_t)kv.lease_id);
  T_MEM(kv.key, kv.key_len, expected, strlen(expected));
  coord_result *list = t_call(client, coord_op_lock_queue(name, strlen(name)));
  T_INT(coord_result_count(list), 1);
  T_CODE(coord_result_kv(list, 0, &seen), COORD_OK);
  T_MEM(seen.key, seen.key_len, expected, strlen(expected));
  T_INT(seen.value_len, 0);
  T_INT(seen.create_revision, token);
  T_INT(seen.lease_id, kv.lease_id);
  coord_result_free(list);
  T_CODE(t_release_ends(client, lock), COORD_OK);
  T_INT(coord_lock_is_held(lock), 0);
  T_INT(coord_lock_remaining_ms(lock), 0);
  T_INT(t_lock_keys(client, name), 0);
  T_CODE(t_release_ends(client, lock), COORD_NOT_HELD);
  T_TRUE(t_acquire(client, lock, 5000) > token);
  coord_lock_free(lock);
  T_TRUE(t_lock_has_keys(client, name, 0));
  coord_client_free(client);
}

static void two_handles_exclude_each_other(void) {
  coord_client *client = t_client(), *other = t_client();
  char name[t_key_size], message[256];
  coord_lock *a = t_lock(client, t_key(name, "x"), NULL);
  coord_lock *b = t_lock(client, name, NULL);
  coord_lock *c = t_lock(other, name, NULL);
  T_TRUE(t_acquire(client, a, 5000) > 0);
  T_CODE(t_acquire_ends(client, b, false, 5000), COORD_CONFLICT);
  T_CODE(t_acquire_ends(other, c, false, 5000), COORD_CONFLICT);
  T_INT(t_lock_keys(client, name), 1);
  T_CODE(t_acquire_ends(client, b, true, 300), COORD_TIMEOUT);
  T_TRUE(t_call_fails(client, coord_op_acquire(a, 1), COORD_CONFLICT, message));
  T_HAS(message, "this handle holds it already");
  T_CODE(t_release_ends(client, b), COORD_NOT_HELD);
  T_TRUE(t_lock_has_keys(client, name, 1));
  T_CODE(t_release_ends(client, a), COORD_OK);
  T_TRUE(t_acquire(client, b, 5000) > 0);
  T_CODE(t_acquire_ends(other, c, false, 5000), COORD_CONFLICT);
  coord_lock_free(a);
  coord_lock_free(b);
  T_TRUE(t_acquire(other, c, 5000) > 0);
  coord_lock_free(c);
  coord_client_free(client);
  coord_client_free(other);
}

static void locks_of_a_client_share_a_lease(void) {
  coord_client *client = t_client();
  char first[t_key_size], second[t_key_size];
  coord_lock *a = t_lock(client, t_key(first, "1"), NULL);
  coord_lock *b = t_lock(client, t_key(second, "2"), NULL);
  coord_lock *own = t_lock_with(client, t_key(second, "3"), "lock.lease", "own", NULL);
  coord_kv ka = {0}, kb = {0}, kc = {0};
  t_acquire(client, a, 5000);
  t_acquire(client, b, 5000);
  t_acquire(client, own, 5000);
  T_CODE(coord_lock_key(a, 0, &ka), COORD_OK);
  T_CODE(coord_lock_key(b, 0, &kb), COORD_OK);
  T_CODE(coord_lock_key(own, 0, &kc), COORD_OK);
  T_TRUE(ka.lease_id != 0 && ka.lease_id == kb.lease_id);
  T_TRUE(ka.lease_id != kc.lease_id);
  coord_lock_free(a);
  T_INT(coord_lock_is_held(b), 1);
  coord_lock_free(b);
  coord_lock_free(own);
  /* A close waits for what was freed: neither key nor lease is left. */
  T_CODE(coord_client_close(client, 5000, NULL), COORD_OK);
  coord_client_free(client);
  client = t_client();
  T_INT(t_lease_ttl(client, ka.lease_id), -1);
  T_INT(t_lease_ttl(client, kc.lease_id), -1);
  coord_client_free(client);
}

/* ---- the order ---- */

enum { WAITERS = 8 };

typedef struct crowd {
  coord_client *client;
  const char *name;
  atomic_int inside;
  atomic_int overlaps;
  atomic_llong last_token;
  atomic_int disorders;
  atomic_int done;
} crowd;

static void *contend(void *arg) {
  crowd *c = arg;
  coord_lock *lock = t_lock(c->client, c->name, NULL);
  for (int i = 0; i < 10; i++) {
    int64_t token = t_acquire(c->client, lock, 60000);
    if (atomic_fetch_add(&c->inside, 1) != 0) atomic_fetch_add(&c->overlaps, 1);
    if (atomic_exchange(&c->last_token, token) >= token) atomic_fetch_add(&c->disorders, 1);
    if (!coord_lock_is_held(lock)) atomic_fetch_add(&c->overlaps, 1);
    atomic_fetch_sub(&c->inside, 1);
    if (t_release_ends(c->client, lock) == COORD_OK) atomic_fetch_add(&c->done, 1);
  }
  coord_lock_free(lock);
  return NULL;
}

static void crowd_goes_one_by_one_in_the_order_of_keys(void) {
  char name[t_key_size];
  crowd c = {.client = t_client(), .name = t_key(name, "crowd")};
  pthread_t threads[WAITERS];
  for (int i = 0; i < WAITERS; i++) T_FATAL(pthread_create(&threads[i], NULL, contend, &c) == 0);
  for (int i = 0; i < WAITERS; i++) pthread_join(threads[i], NULL);
  T_INT(c.done, WAITERS * 10);
  T_INT(c.overlaps, 0);
  T_INT(c.disorders, 0);
  T_TRUE(t_lock_has_keys(c.client, name, 0));
  coord_client_free(c.client);
}

/* Starts acquires that wait, in this order, and sees that they end in it. */
static void waiters_get_it_in_the_order_of_their_coming(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  char name[t_key_size];
  coord_lock *holder = t_lock(client, t_key(name, "fifo"), NULL);
  coord_lock *waiters[WAITERS];
  t_acquire(client, holder, 5000);
  for (int i = 0; i < WAITERS; i++) {
    waiters[i] = t_lock(client, name, NULL);
    coord_op *op = coord_op_acquire(waiters[i], 1);
    T_CODE(coord_submit(client, op, -1, queue, (uint64_t)i, NULL, NULL), COORD_OK);
    coord_op_free(op);
    T_TRUE(t_lock_has_keys(client, name, i + 2));
  }
  /* One in the middle goes: the others keep their places. */
  coord_lock_free(waiters[3]);
  waiters[3] = NULL;
  coord_event *gone = coord_queue_next(queue, 5000);
  T_INT(coord_event_tag(gone), 3);
  T_CODE(coord_event_code(gone), COORD_CANCELED);
  coord_event_free(gone);
  T_CODE(t_release_ends(client, holder), COORD_OK);
  for (int i = 0; i < WAITERS; i++) {
    if (waiters[i] == NULL) continue;
    coord_event *event = coord_queue_next(queue, 5000);
    T_INT(coord_event_tag(event), i);
    T_CODE(coord_event_code(event), COORD_OK);
    T_INT(coord_lock_is_held(waiters[i]), 1);
    coord_event_free(event);
    coord_lock_free(waiters[i]);
  }
  T_TRUE(t_lock_has_keys(client, name, 0));
  coord_lock_free(holder);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void wait_that_is_cancelled_or_times_out_leaves_no_key(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  char name[t_key_size];
  coord_lock *holder = t_lock(client, t_key(name, "c"), NULL);
  coord_lock *waiter = t_lock(client, name, NULL);
  uint64_t id = 0;
  t_acquire(client, holder, 5000);
  coord_op *op = coord_op_acquire(waiter, 1);
  T_CODE(coord_submit(client, op, -1, queue, 1, &id, NULL), COORD_OK);
  T_TRUE(t_lock_has_keys(client, name, 2));
  T_CODE(t_acquire_ends(client, waiter, true, 500), COORD_CONFLICT);
  T_CODE(coord_cancel(client, id), COORD_OK);
  coord_event *event = coord_queue_next(queue, 5000);
  T_CODE(coord_event_code(event), COORD_CANCELED);
  coord_event_free(event);
  T_TRUE(t_lock_has_keys(client, name, 1));
  T_CODE(t_acquire_ends(client, waiter, true, 200), COORD_TIMEOUT);
  T_TRUE(t_lock_has_keys(client, name, 1));
  T_INT(coord_lock_is_held(holder), 1);
  coord_op_free(op);
  coord_lock_free(waiter);
  coord_lock_free(holder);
  coord_queue_free(queue);
  coord_client_free(client);
}

/* ---- events and loss ---- */

static void events_tell_what_becomes_of_it(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  char name[t_key_size];
  coord_lock *lock = t_lock(client, t_key(name, "e"), queue);
  coord_kv kv = {0};
  int64_t token = t_acquire(client, lock, 5000);
  coord_event *event = coord_queue_next(queue, 5000);
  T_INT(coord_event_type(event), COORD_EVENT_ACQUIRED);
  T_INT(coord_event_tag(event), 7);
  T_INT(coord_event_revision(event), token);
  coord_event_free(event);
  T_CODE(coord_lock_key(lock, 0, &kv), COORD_OK);
  coord_result_free(t_call(client, coord_op_lease_revoke(kv.lease_id)));
  /* The keeper asks after a third of the TTL; the watch of the key is told at once. */
  T_TRUE(t_lease_told(queue, 8000, COORD_EVENT_LOST, 7, COORD_LOST, NULL));
  T_INT(coord_lock_is_held(lock), 0);
  T_CODE(t_release_ends(client, lock), COORD_LOST);
  T_CODE(t_release_ends(client, lock), COORD_NOT_HELD);
  /* On with another lease. */
  T_TRUE(t_acquire(client, lock, 10000) > token);
  T_CODE(coord_client_close(client, 1000, NULL), COORD_OK);
  event = coord_queue_next(queue, 5000);
  T_INT(coord_event_type(event), COORD_EVENT_ACQUIRED);
  coord_event_free(event);
  T_TRUE(t_lease_told(queue, 5000, COORD_EVENT_CLOSED, 7, COORD_CLOSED, NULL));
  coord_lock_free(lock);
  coord_client_free(client);
  coord_queue_free(queue);
}

static void deleted_key_is_a_lost_lock(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  char name[t_key_size];
  coord_lock *lock = t_lock(client, t_key(name, "d"), queue);
  coord_lock *waiter = t_lock(client, name, NULL);
  coord_kv kv = {0};
  t_acquire(client, lock, 5000);
  coord_event_free(coord_queue_next(queue, 1000));
  T_CODE(coord_lock_key(lock, 0, &kv), COORD_OK);
  coord_op *acquire = coord_op_acquire(waiter, 1);
  T_CODE(coord_submit(client, acquire, -1, queue, 9, NULL, NULL), COORD_OK);
  coord_op_free(acquire);
  T_TRUE(t_lock_has_keys(client, name, 2));
  coord_result_free(t_call(client, coord_op_delete(kv.key, kv.key_len)));
  bool lost = false, acquired = false;
  for (int i = 0; i < 2; i++) {
    coord_event *event = coord_queue_next(queue, 5000);
    lost |= coord_event_type(event) == COORD_EVENT_LOST;
    acquired |= coord_event_type(event) == COORD_EVENT_RESULT && coord_event_code(event) == 0;
    coord_event_free(event);
  }
  T_TRUE(lost && acquired);
  T_INT(coord_lock_is_held(lock), 0);
  T_INT(coord_lock_is_held(waiter), 1);
  coord_lock_free(lock);
  coord_lock_free(waiter);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void waiter_whose_lease_ends_is_told_at_once(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  char name[t_key_size];
  coord_lock *holder = t_lock(client, t_key(name, "w"), NULL);
  coord_lock *waiter = t_lock_with(client, name, "lock.lease", "own", NULL);
  t_acquire(client, holder, 5000);
  coord_op *acquire = coord_op_acquire(waiter, 1);
  T_CODE(coord_submit(client, acquire, -1, queue, 9, NULL, NULL), COORD_OK);
  coord_op_free(acquire);
  T_TRUE(t_lock_has_keys(client, name, 2));
  coord_result *list = t_call(client, coord_op_lock_queue(name, strlen(name)));
  coord_kv kv = {0};
  T_CODE(coord_result_kv(list, 1, &kv), COORD_OK);
  coord_result_free(t_call(client, coord_op_lease_revoke(kv.lease_id)));
  coord_result_free(list);
  T_TRUE(t_lease_told(queue, 2000 * T_SLOW, COORD_EVENT_RESULT, 9, COORD_LOST, NULL));
  T_INT(coord_lock_is_held(holder), 1);
  coord_lock_free(holder);
  coord_lock_free(waiter);
  coord_queue_free(queue);
  coord_client_free(client);
}

/* ---- guarded writes ---- */

static coord_result *guarded_put(coord_client *client, coord_lock *lock, const char *key,
                                 coord_code *code) {
  coord_op *txn = coord_op_txn();
  coord_op *put = coord_op_put(key, strlen(key), "v", 1);
  coord_result *result = NULL;
  *code = coord_op_if_held(txn, lock);
  T_CODE(coord_op_then(txn, put), COORD_OK);
  coord_code called = coord_call(client, txn, 0, &result, NULL);
  if (*code != COORD_OK) T_CODE(called, *code);
  coord_op_free(put);
  coord_op_free(txn);
  return result;
}

static void guard_refuses_who_was_overtaken(void) {
  coord_client *client = t_client();
  char name[t_key_size], key[t_key_size];
  coord_lock *stale = t_lock(client, t_key(name, "g"), NULL);
  coord_lock *next = t_lock(client, name, NULL);
  coord_code code;
  coord_kv kv = {0};
  int64_t first = t_acquire(client, stale, 5000);
  coord_result *result = guarded_put(client, stale, t_key(key, "v"), &code);
  T_INT(coord_result_succeeded(result), 1);
  coord_result_free(result);
  /* Made while it was held, executed when it was not any more. */
  coord_op *txn = coord_op_txn();
  coord_op *put = coord_op_put(key, strlen(key), "stale", 5);
  T_CODE(coord_op_if_held(txn, stale), COORD_OK);
  T_CODE(coord_op_then(txn, put), COORD_OK);
  T_CODE(coord_lock_key(stale, 0, &kv), COORD_OK);
  coord_result_free(t_call(client, coord_op_delete(kv.key, kv.key_len)));
  T_TRUE(t_acquire(client, next, 5000) > first);
  result = t_call(client, txn);
  T_INT(coord_result_succeeded(result), 0);
  coord_result_free(result);
  T_TRUE(t_get_is(client, key, "v"));
  result = guarded_put(client, next, key, &code);
  T_INT(coord_result_succeeded(result), 1);
  coord_result_free(result);
  T_CODE(t_release_ends(client, next), COORD_OK);
  coord_result_free(guarded_put(client, next, key, &code));
  T_CODE(code, COORD_NOT_HELD);
  coord_op_free(put);
  coord_lock_free(stale);
  coord_lock_free(next);
  coord_client_free(client);
}

/* ---- options ---- */

static void reentrant_lock_counts(void) {
  coord_client *client = t_client();
  char name[t_key_size];
  coord_lock *lock = t_lock_with(client, t_key(name, "r"), "lock.reentrant", "true", NULL);
  int64_t token = t_acquire(client, lock, 5000);
  T_INT(t_acquire(client, lock, 5000), token);
  T_CODE(t_release_ends(client, lock), COORD_OK);
  T_INT(coord_lock_is_held(lock), 1);
  T_CODE(t_release_ends(client, lock), COORD_OK);
  T_INT(coord_lock_is_held(lock), 0);
  T_CODE(t_release_ends(client, lock), COORD_NOT_HELD);
  coord_lock_free(lock);
  coord_client_free(client);
}

static void renewal_by_hand_gives_the_whole_ttl(void) {
  coord_client *client = t_client();
  char name[t_key_size], message[256];
  coord_lock *lock = t_lock_with(client, t_key(name, "n"), "lock.ttl.s", "60", NULL);
  T_TRUE(t_call_fails(client, coord_op_lock_renew(lock), COORD_NOT_HELD, message));
  t_acquire(client, lock, 5000);
  usleep(50000);
  int64_t before_ms = coord_lock_remaining_ms(lock);
  coord_result *result = t_call(client, coord_op_lock_renew(lock));
  T_INT(coord_result_ttl_s(result), 60);
  T_TRUE(coord_lock_remaining_ms(lock) > before_ms);
  coord_result_free(result);
  coord_lock_free(lock);
  coord_client_free(client);
}

static void owner_is_seen_in_the_queue(void) {
  coord_client *client = t_client();
  char name[t_key_size], value[256];
  coord_lock *lock = t_lock_with(client, t_key(name, "o"), "lock.owner", "me \"1\"", NULL);
  coord_kv kv = {0};
  t_acquire(client, lock, 5000);
  coord_result *list = t_call(client, coord_op_lock_queue(name, strlen(name)));
  T_CODE(coord_result_kv(list, 0, &kv), COORD_OK);
  snprintf(value, sizeof value, "%.*s", (int)kv.value_len, (const char *)kv.value);
  T_HAS(value, "{\"owner\":\"me \\\"1\\\"\",\"since_ms\":1");
  coord_result_free(list);
  coord_lock_free(lock);
  coord_client_free(client);
}

static void wrong_arguments_are_named(void) {
  coord_client *client = t_client();
  coord_lock *lock = NULL;
  coord_error *err = NULL;
  const char *names[] = {"a", "b", "a"};
  const size_t lens[] = {1, 1, 1};
  const void *const *all = (const void *const *)names;
  char message[256];
  T_ERROR(coord_lock_open(NULL, "n", 1, NULL, NULL, 0, &lock, &err), COORD_INVALID, err, "client");
  T_ERROR(coord_lock_open(client, NULL, 1, NULL, NULL, 0, &lock, &err), COORD_INVALID, err, "name");
  T_ERROR(coord_lock_open(client, "", 0, NULL, NULL, 0, &lock, &err), COORD_INVALID, err, "empty");
  T_ERROR(coord_lock_open(client, "n", 1, NULL, NULL, 0, NULL, &err), COORD_INVALID, err, "out");
  T_ERROR(coord_lock_open_many(client, all, lens, 3, NULL, NULL, 0, &lock, &err), COORD_INVALID,
          err, "names has \"a\" twice");
  T_ERROR(coord_lock_open_many(client, all, lens, 0, NULL, NULL, 0, &lock, &err), COORD_INVALID,
          err, "count is 0; expected 1 to 64");
  T_ERROR(coord_lock_open_many(client, all, lens, 65, NULL, NULL, 0, &lock, &err), COORD_INVALID,
          err, "count is 65");
  T_TRUE(coord_op_acquire(NULL, 1) == NULL);
  T_TRUE(coord_op_release(NULL) == NULL);
  T_TRUE(t_call_fails(client, coord_op_lock_queue("", 0), COORD_INVALID, message));
  T_INT(coord_lock_is_held(NULL), 0);
  T_INT(coord_lock_token(NULL), 0);
  coord_lock_free(NULL);
  /* An op belongs to the client of its lock, and outlives the handle. */
  coord_client *other = t_client();
  lock = t_lock(client, "n", NULL);
  T_TRUE(t_call_fails(other, coord_op_acquire(lock, 1), COORD_INVALID, message));
  T_HAS(message, "belongs to another client");
  coord_op *late = coord_op_acquire(lock, 1);
  coord_lock_free(lock);
  T_TRUE(t_call_fails(client, late, COORD_CLOSED, message));
  coord_client_free(other);
  coord_client_free(client);
}

/* ---- the other kinds ---- */

static void readers_share_and_a_writer_excludes_them(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  char name[t_key_size];
  coord_lock *r1 = t_lock_with(client, t_key(name, "rw"), "lock.kind", "read", NULL);
  coord_lock *r2 = t_lock_with(client, name, "lock.kind", "read", NULL);
  coord_lock *w = t_lock_with(client, name, "lock.kind", "write", NULL);
  coord_lock *r3 = t_lock_with(client, name, "lock.kind", "read", NULL);
  t_acquire(client, r1, 5000);
  t_acquire(client, r2, 5000);
  T_CODE(t_acquire_ends(client, w, false, 5000), COORD_CONFLICT);
  coord_op *op = coord_op_acquire(w, 1);
  T_CODE(coord_submit(client, op, -1, queue, 1, NULL, NULL), COORD_OK);
  coord_op_free(op);
  T_TRUE(t_lock_has_keys(client, name, 3));
  /* A reader behind a writer that waits does not overtake it. */
  T_CODE(t_acquire_ends(client, r3, false, 5000), COORD_CONFLICT);
  op = coord_op_acquire(r3, 1);
  T_CODE(coord_submit(client, op, -1, queue, 2, NULL, NULL), COORD_OK);
  coord_op_free(op);
  T_TRUE(t_lock_has_keys(client, name, 4));
  T_CODE(t_release_ends(client, r2), COORD_OK);
  T_TRUE(t_lease_quiet(queue, 100));
  T_CODE(t_release_ends(client, r1), COORD_OK);
  T_TRUE(t_lease_told(queue, 5000, COORD_EVENT_RESULT, 1, COORD_OK, NULL));
  T_TRUE(t_lease_quiet(queue, 100));
  T_CODE(t_release_ends(client, w), COORD_OK);
  T_TRUE(t_lease_told(queue, 5000, COORD_EVENT_RESULT, 2, COORD_OK, NULL));
  t_acquire(client, r1, 5000);
  T_INT(coord_lock_is_held(r1) + coord_lock_is_held(r3), 2);
  coord_lock_free(r1);
  coord_lock_free(r2);
  coord_lock_free(r3);
  coord_lock_free(w);
  T_TRUE(t_lock_has_keys(client, name, 0));
  coord_queue_free(queue);
  coord_client_free(client);
}

static void semaphore_lets_in_as_many_as_it_has_permits(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  char name[t_key_size];
  coord_lock *s[6];
  t_key(name, "sem");
  for (int i = 0; i < 6; i++) {
    s[i] = t_lock_with(client, name, "lock.kind", "semaphore", "lock.permits", "3", NULL);
  }
  for (int i = 0; i < 3; i++) t_acquire(client, s[i], 5000);
  T_CODE(t_acquire_ends(client, s[3], false, 5000), COORD_CONFLICT);
  for (int i = 3; i < 6; i++) {
    coord_op *op = coord_op_acquire(s[i], 1);
    T_CODE(coord_submit(client, op, -1, queue, (uint64_t)i, NULL, NULL), COORD_OK);
    coord_op_free(op);
    T_TRUE(t_lock_has_keys(client, name, i + 1));
  }
  T_TRUE(t_lease_quiet(queue, 100));
  T_CODE(t_release_ends(client, s[1]), COORD_OK);
  T_TRUE(t_lease_told(queue, 5000, COORD_EVENT_RESULT, 3, COORD_OK, NULL));
  T_TRUE(t_lease_quiet(queue, 100));
  coord_lock_free(s[4]);
  T_TRUE(t_lease_told(queue, 5000, COORD_EVENT_RESULT, 4, COORD_CANCELED, NULL));
  T_CODE(t_release_ends(client, s[0]), COORD_OK);
  T_TRUE(t_lease_told(queue, 5000, COORD_EVENT_RESULT, 5, COORD_OK, NULL));
  T_INT(coord_lock_is_held(s[2]) + coord_lock_is_held(s[3]) + coord_lock_is_held(s[5]), 3);
  for (int i = 0; i < 6; i++) {
    if (i != 4) coord_lock_free(s[i]);
  }
  T_TRUE(t_lock_has_keys(client, name, 0));
  coord_queue_free(queue);
  coord_client_free(client);
}

static coord_lock *many(coord_client *client, const char *const *names, size_t count) {
  size_t lens[8];
  coord_lock *lock = NULL;
  for (size_t i = 0; i < count; i++) lens[i] = strlen(names[i]);
  T_CODE(coord_lock_open_many(client, (const void *const *)names, lens, count, NULL, NULL, 0, &lock,
                              NULL),
         COORD_OK);
  T_FATAL(lock != NULL);
  return lock;
}

static void several_locks_are_held_all_or_none(void) {
  coord_client *client = t_client();
  char a[t_key_size], b[t_key_size], c[t_key_size];
  const char *abc[] = {t_key(c, "c"), t_key(a, "a"), t_key(b, "b")};
  const char *bc[] = {c, b};
  coord_lock *all = many(client, abc, 3), *two = many(client, bc, 2);
  coord_lock *one = t_lock(client, b, NULL);
  coord_kv first = {0};
  int64_t token = t_acquire(client, all, 5000);
  T_CODE(coord_lock_key(all, 0, &first), COORD_OK);
  T_INT(first.create_revision, token);
  T_TRUE(memcmp(first.key, a, strlen(a)) == 0);
  T_INT(t_lock_keys(client, a) + t_lock_keys(client, b) + t_lock_keys(client, c), 3);
  T_CODE(t_acquire_ends(client, two, false, 5000), COORD_CONFLICT);
  T_INT(t_lock_keys(client, a) + t_lock_keys(client, b) + t_lock_keys(client, c), 3);
  T_CODE(t_release_ends(client, all), COORD_OK);
  T_INT(t_lock_keys(client, a) + t_lock_keys(client, b) + t_lock_keys(client, c), 0);
  t_acquire(client, one, 5000);
  /* It holds a while it waits for b, and gives it back. */
  T_CODE(t_acquire_ends(client, all, true, 300), COORD_TIMEOUT);
  T_TRUE(t_lock_has_keys(client, a, 0) && t_lock_has_keys(client, c, 0));
  T_INT(coord_lock_is_held(all), 0);
  T_CODE(t_release_ends(client, one), COORD_OK);
  t_acquire(client, two, 5000);
  coord_lock_free(all);
  coord_lock_free(two);
  coord_lock_free(one);
  coord_client_free(client);
}

static void lock_after_a_loss_is_delayed(void) {
  coord_client *client = t_client();
  char name[t_key_size], mark[t_key_size + 8];
  coord_lock *a = t_lock_with(client, t_key(name, "delay"), "lock.delay.ms", "700", NULL);
  coord_lock *b = t_lock_with(client, name, "lock.delay.ms", "700", NULL);
  coord_kv kv = {0};
  snprintf(mark, sizeof mark, "%s!held", name);
  int64_t before = t_now_ms();
  t_acquire(client, a, 5000);
  T_CODE(t_release_ends(client, a), COORD_OK);
  T_TRUE(t_get_is(client, mark, NULL));
  t_acquire(client, b, 5000);
  T_WITHIN(before, 600);
  T_CODE(coord_lock_key(b, 0, &kv), COORD_OK);
  coord_result_free(t_call(client, coord_op_delete(kv.key, kv.key_len)));
  before = t_now_ms();
  t_acquire(client, a, 5000);
  T_TRUE(t_now_ms() - before >= 690);
  T_CODE(t_release_ends(client, a), COORD_OK);
  T_TRUE(t_get_is(client, mark, NULL));
  coord_lock_free(a);
  coord_lock_free(b);
  coord_client_free(client);
}

/* ---- namespace and fork ---- */

static void names_are_those_of_the_namespace(void) {
  coord_client *plain = t_client(), *client = t_client_with("namespace", "ns/", NULL);
  char name[t_key_size], whole[t_key_size + 8];
  coord_lock *lock = t_lock(client, t_key(name, "n"), NULL);
  coord_lock *waiter = t_lock(client, name, NULL);
  coord_kv kv = {0};
  snprintf(whole, sizeof whole, "ns/%s", name);
  t_acquire(client, lock, 5000);
  T_CODE(coord_lock_key(lock, 0, &kv), COORD_OK);
  T_TRUE(memcmp(kv.key, name, strlen(name)) == 0);
  T_INT(t_lock_keys(plain, name), 0);
  T_INT(t_lock_keys(plain, whole), 1);
  coord_lock *rival = t_lock(plain, whole, NULL);
  T_CODE(t_acquire_ends(plain, rival, false, 5000), COORD_CONFLICT);
  T_CODE(t_acquire_ends(client, waiter, true, 200), COORD_TIMEOUT);
  T_CODE(t_release_ends(client, lock), COORD_OK);
  t_acquire(plain, rival, 5000);
  coord_lock_free(lock);
  coord_lock_free(waiter);
  coord_lock_free(rival);
  coord_client_free(client);
  coord_client_free(plain);
}

static void forked_child_holds_nothing(void) {
  coord_client *client = t_client();
  char name[t_key_size];
  coord_lock *lock = t_lock(client, t_key(name, "f"), NULL);
  int64_t token = t_acquire(client, lock, 5000);
  pid_t pid = fork();
  if (pid == 0) {
    coord_op *release = coord_op_release(lock), *txn = coord_op_txn();
    int bad = coord_lock_is_held(lock) != 0;
    bad += coord_lock_token(lock) != 0;
    bad += coord_call(client, release, 1000, NULL, NULL) != COORD_FORKED;
    bad += coord_op_if_held(txn, lock) != COORD_NOT_HELD;
    coord_op_free(release);
    coord_op_free(txn);
    coord_lock_free(lock);
    coord_client_free(client);
    _exit(bad);
  }
  int status = -1;
  T_TRUE(waitpid(pid, &status, 0) == pid);
  T_INT(status, 0);
  T_INT(coord_lock_token(lock), token);
  T_CODE(t_release_ends(client, lock), COORD_OK);
  coord_lock_free(lock);
  coord_client_free(client);
}

T_MAIN(T_CASE(acquired_lock_is_held_by_a_key_that_others_know),
       T_CASE(two_handles_exclude_each_other), T_CASE(locks_of_a_client_share_a_lease),
       T_CASE(crowd_goes_one_by_one_in_the_order_of_keys),
       T_CASE(waiters_get_it_in_the_order_of_their_coming),
       T_CASE(wait_that_is_cancelled_or_times_out_leaves_no_key),
       T_CASE(events_tell_what_becomes_of_it), T_CASE(deleted_key_is_a_lost_lock),
       T_CASE(waiter_whose_lease_ends_is_told_at_once), T_CASE(guard_refuses_who_was_overtaken),
       T_CASE(reentrant_lock_counts), T_CASE(renewal_by_hand_gives_the_whole_ttl),
       T_CASE(owner_is_seen_in_the_queue), T_CASE(wrong_arguments_are_named),
       T_CASE(readers_share_and_a_writer_excludes_them),
       T_CASE(semaphore_lets_in_as_many_as_it_has_permits),
       T_CASE(several_locks_are_held_all_or_none), T_CASE(lock_after_a_loss_is_delayed),
       T_CASE(names_are_those_of_the_namespace), T_CASE(forked_child_holds_nothing))
