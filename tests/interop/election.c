/* Elections of this library and of others on one name: one leads at a time, in the order of the queue,
 * and all see who and with what. */
#include <stdio.h>
#include <string.h>

#include "support/contender.h"
#include "support/lock_queue.h"

enum { SOON = 10000 * T_SLOW, A_WHILE = 150 };

static void expect_leader(coord_client *client, const char *name, const char *value) {
  coord_kv kv = {0};
  coord_result *result = t_call(client, coord_op_leader(name, strlen(name)));
  T_INT(coord_result_count(result), value != NULL);
  coord_result_kv(result, 0, &kv);
  if (value != NULL) T_MEM(kv.value, kv.value_len, value, strlen(value));
  coord_result_free(result);
}

/* One leads, the other waits until it resigns. */
static void one_behind_the_other(coord_client *client, t_way first, t_way second) {
  char name[t_key_size], suffix[24];
  snprintf(suffix, sizeof suffix, "election-%d-%d", (int)first, (int)second);
  t_contender *leader = t_campaign(first, client, t_key(name, suffix), "first");
  if (!T_TRUE(t_contender_has(leader, SOON))) T_FAIL("%s does not lead", t_way_names[first]);
  expect_leader(client, name, "first");
  t_contender *waiter = t_campaign(second, client, name, "second");
  T_TRUE(t_queue_becomes(client, name, 2, SOON));
  if (t_contender_has(waiter, A_WHILE)) {
    T_FAIL("%s leads beside %s", t_way_names[second], t_way_names[first]);
  }
  t_contender_end(leader);
  if (!T_TRUE(t_contender_has(waiter, SOON))) {
    T_FAIL("%s does not lead after %s", t_way_names[second], t_way_names[first]);
  }
  expect_leader(client, name, "second");
  t_contender_end(waiter);
  expect_leader(client, name, NULL);
}

static void lead_one_after_the_other(t_way way) {
  if (t_way_missing(way) != NULL) T_SKIP(t_way_missing(way));
  coord_client *client = t_client();
  one_behind_the_other(client, way, T_OURS);
  one_behind_the_other(client, T_OURS, way);
  coord_client_free(client);
}

static void ours_lead_one_after_the_other(void) { lead_one_after_the_other(T_OURS); }
static void etcdctl_and_ours_lead_in_turn(void) { lead_one_after_the_other(T_ETCDCTL); }
static void server_and_ours_lead_in_turn(void) { lead_one_after_the_other(T_SERVER); }
static void go_and_ours_lead_in_turn(void) { lead_one_after_the_other(T_GO); }

/* The next leader that is told, empty events and repetitions passed over. */
static void expect_told(coord_queue *queue, const char *value) {
  char told[64] = "nobody";
  for (coord_event *event; strcmp(told, value) != 0; coord_event_free(event)) {
    coord_kv kv;
    event = coord_queue_next(queue, SOON);
    if (event == NULL) {
      T_FAIL("%s leads, and %s was told last", value, told);
      return;
    }
    for (size_t i = 0; i < coord_event_count(event); i++) {
      int32_t type = 0;
      T_CODE(coord_event_change(event, i, &type, &kv, NULL), COORD_OK);
      snprintf(told, sizeof told, "%.*s", type == COORD_CHANGE_PUT ? (int)kv.value_len : 0,
               (const char *)kv.value);
    }
  }
}

/* All ways on one name: each leads in turn, and our observer is told of each. */
static void all_lead_in_turn_and_are_observed(void) {
  char name[t_key_size], values[T_WAYS][32];
  t_contender *queue[T_WAYS];
  int count = 0;
  coord_client *client = t_client();
  coord_queue *told = t_queue();
  coord_election *observer = NULL;
  t_key(name, "election");
  T_CODE(coord_election_open(client, name, strlen(name), NULL, told, 1, &observer, NULL), COORD_OK);
  T_CODE(coord_election_observe(observer, NULL), COORD_OK);
  for (t_way way = T_OURS; way < T_WAYS; way++) {
    if (t_way_missing(way) != NULL) continue;
    snprintf(values[count], sizeof values[count], "value of %s", t_way_names[way]);
    queue[count] = t_campaign(way, client, name, values[count]);
    count++;
    T_TRUE(t_queue_becomes(client, name, count, SOON));
  }
  for (int i = 0; i < count; i++) {
    T_TRUE(t_contender_has(queue[i], SOON));
    expect_leader(client, name, values[i]);
    expect_told(told, values[i]);
    for (int other = i + 1; other < count; other++) T_TRUE(!t_contender_has(queue[other], 10));
    t_contender_end(queue[i]);
  }
  expect_leader(client, name, NULL);
  coord_election_free(observer);
  coord_queue_free(told);
  coord_client_free(client);
}

static void all_see_what_ours_proclaims(void) {
  char name[t_key_size];
  coord_client *client = t_client();
  coord_election *election = NULL;
  t_key(name, "election");
  T_CODE(coord_election_open(client, name, strlen(name), NULL, NULL, 0, &election, NULL), COORD_OK);
  coord_result_free(t_call(client, coord_op_campaign(election, "hello", 5)));
  t_all_observe(name, "hello");
  coord_result_free(t_call(client, coord_op_proclaim(election, "again", 5)));
  t_all_observe(name, "again");
  coord_result_free(t_call(client, coord_op_resign(election)));
  expect_leader(client, name, NULL);
  coord_election_free(election);
  coord_client_free(client);
}

T_MAIN(T_CASE(ours_lead_one_after_the_other), T_CASE(etcdctl_and_ours_lead_in_turn),
       T_CASE(server_and_ours_lead_in_turn), T_CASE(go_and_ours_lead_in_turn),
       T_CASE(all_lead_in_turn_and_are_observed), T_CASE(all_see_what_ours_proclaims))
