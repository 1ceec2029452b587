/* Locks of this library and of others on one name: each excludes all others, in the order of the queue. */
#include <stdio.h>
#include <string.h>

#include "support/contender.h"
#include "support/lock_queue.h"

enum { SOON = 10000 * T_SLOW, A_WHILE = 150 };

/* One has it, the other waits until it is let go. */
static void one_behind_the_other(coord_client *client, t_way first, t_way second) {
  char name[t_key_size], suffix[24];
  snprintf(suffix, sizeof suffix, "lock-%d-%d", (int)first, (int)second);
  t_contender *holder = t_contend(first, client, t_key(name, suffix));
  if (!T_TRUE(t_contender_has(holder, SOON))) T_FAIL("%s gets no lock", t_way_names[first]);
  t_contender *waiter = t_contend(second, client, name);
  T_TRUE(t_queue_becomes(client, name, 2, SOON));
  if (t_contender_has(waiter, A_WHILE)) {
    T_FAIL("%s holds a lock of %s", t_way_names[second], t_way_names[first]);
  }
  t_contender_end(holder);
  if (!T_TRUE(t_contender_has(waiter, SOON))) {
    T_FAIL("%s gets no lock after %s", t_way_names[second], t_way_names[first]);
  }
  t_contender_end(waiter);
  T_INT(t_lock_keys(client, name), 0);
}

static void exclude_each_other(t_way way) {
  if (t_way_missing(way) != NULL) T_SKIP(t_way_missing(way));
  coord_client *client = t_client();
  one_behind_the_other(client, way, T_OURS);
  one_behind_the_other(client, T_OURS, way);
  coord_client_free(client);
}

static void ours_exclude_each_other(void) { exclude_each_other(T_OURS); }
static void etcdctl_and_ours_exclude_each_other(void) { exclude_each_other(T_ETCDCTL); }
static void server_and_ours_exclude_each_other(void) { exclude_each_other(T_SERVER); }
static void go_and_ours_exclude_each_other(void) { exclude_each_other(T_GO); }

/* One that does not wait is refused by a lock of anybody, and leaves nothing behind. */
static void try_is_refused(void) {
  char name[t_key_size];
  coord_client *client = t_client();
  coord_lock *lock = t_lock_tagged(client, t_key(name, "lock"), NULL, 0, NULL);
  for (t_way way = T_ETCDCTL; way < T_WAYS; way++) {
    if (t_way_missing(way) != NULL) continue;
    t_contender *holder = t_contend(way, client, name);
    T_TRUE(t_contender_has(holder, SOON));
    T_CODE(t_acquire_ends(client, lock, false, 0), COORD_CONFLICT);
    T_INT(t_lock_keys(client, name), 1);
    t_contender_end(holder);
    T_CODE(t_acquire_ends(client, lock, false, 0), COORD_OK);
    T_CODE(t_release_ends(client, lock), COORD_OK);
  }
  coord_lock_free(lock);
  coord_client_free(client);
}

/* All ways twice on one name: each has its turn, and nobody else has it meanwhile. */
static void all_take_turns(void) {
  char name[t_key_size];
  t_contender *queue[2 * T_WAYS];
  int count = 0;
  coord_client *client = t_client();
  t_key(name, "lock");
  for (int i = 0; i < 2 * T_WAYS; i++) {
    t_way way = (t_way)(i % T_WAYS);
    if (t_way_missing(way) != NULL) continue;
    queue[count++] = t_contend(way, client, name);
    T_TRUE(t_queue_becomes(client, name, count, SOON));
  }
  for (int i = 0; i < count; i++) {
    char key[160];
    coord_kv kv;
    T_TRUE(t_contender_has(queue[i], SOON));
    T_TRUE(t_queue_at(client, name, 0, &kv, key));
    T_STR(t_contender_key(queue[i]), key);
    for (int other = i + 1; other < count; other++) T_TRUE(!t_contender_has(queue[other], 10));
    t_contender_end(queue[i]);
  }
  T_INT(t_lock_keys(client, name), 0);
  coord_client_free(client);
}

T_MAIN(T_CASE(ours_exclude_each_other), T_CASE(etcdctl_and_ours_exclude_each_other),
       T_CASE(server_and_ours_exclude_each_other), T_CASE(go_and_ours_exclude_each_other),
       T_CASE(try_is_refused), T_CASE(all_take_turns))
