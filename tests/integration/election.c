/* Elections on a real server. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "support/lease.h"
#include "support/lock.h"

static coord_election *election(coord_client *client, const char *name, coord_queue *queue) {
  coord_election *e = NULL;
  T_CODE(coord_election_open(client, name, strlen(name), NULL, queue, 7, &e, NULL), COORD_OK);
  T_FATAL(e != NULL);
  return e;
}

static int64_t campaign(coord_client *client, coord_election *e, const char *value) {
  coord_result *result = t_call(client, coord_op_campaign(e, value, strlen(value)));
  int64_t token = coord_result_revision(result);
  coord_result_free(result);
  return token;
}

static void campaign_later(coord_client *client, coord_election *e, const char *value,
                           coord_queue *queue, uint64_t tag) {
  coord_op *op = coord_op_campaign(e, value, strlen(value));
  T_CODE(coord_submit(client, op, -1, queue, tag, NULL, NULL), COORD_OK);
  coord_op_free(op);
}

/* NULL: nobody leads. */
static bool leader_says(coord_client *client, const char *name, const char *value) {
  coord_result *result = t_call(client, coord_op_leader(name, strlen(name)));
  coord_kv kv = {0};
  bool leads = coord_result_kv(result, 0, &kv) == COORD_OK;
  bool good = value == NULL ? !leads
                            : leads && kv.value_len == strlen(value) &&
                                  memcmp(kv.value, value, kv.value_len) == 0;
  coord_result_free(result);
  return good;
}

static void leader_proclaims_and_resigns(void) {
  coord_client *client = t_client();
  char name[t_key_size], expected[160], message[256];
  coord_election *e = election(client, t_key(name, "e"), NULL);
  coord_kv kv = {0};
  T_TRUE(leader_says(client, name, NULL));
  T_TRUE(t_call_fails(client, coord_op_proclaim(e, "x", 1), COORD_NOT_HELD, message));
  T_TRUE(t_call_fails(client, coord_op_resign(e), COORD_NOT_HELD, message));
  int64_t token = campaign(client, e, "first");
  T_TRUE(token > 0);
  T_INT(coord_election_is_leader(e), 1);
  T_INT(coord_election_token(e), token);
  T_TRUE(coord_election_remaining_ms(e) > 5000);
  T_CODE(coord_election_key(e, &kv), COORD_OK);
  snprintf(expected, sizeof expected, "%s/%" PRIx64, name, (uint64_t)kv.lease_id);
  T_MEM(kv.key, kv.key_len, expected, strlen(expected));
  T_TRUE(leader_says(client, name, "first"));
  coord_result_free(t_call(client, coord_op_proclaim(e, "second", 6)));
  T_TRUE(leader_says(client, name, "second"));
  T_INT(campaign(client, e, "third"), token);
  T_TRUE(leader_says(client, name, "third"));
  coord_result_free(t_call(client, coord_op_resign(e)));
  T_INT(coord_election_is_leader(e), 0);
  T_TRUE(leader_says(client, name, NULL));
  T_TRUE(campaign(client, e, "") > token);
  T_TRUE(leader_says(client, name, ""));
  coord_election_free(e);
  T_TRUE(t_lock_has_keys(client, name, 0));
  coord_client_free(client);
}

static void candidates_lead_in_the_order_of_their_coming(void) {
  coord_client *client = t_client(), *other = t_client();
  coord_queue *queue = t_queue();
  char name[t_key_size];
  coord_election *a = election(client, t_key(name, "o"), NULL);
  coord_election *b = election(other, name, NULL), *c = election(client, name, NULL);
  int64_t first = campaign(client, a, "a");
  campaign_later(other, b, "b", queue, 1);
  T_TRUE(t_lock_has_keys(client, name, 2));
  campaign_later(client, c, "c", queue, 2);
  T_TRUE(t_lock_has_keys(client, name, 3));
  T_TRUE(leader_says(client, name, "a"));
  coord_result_free(t_call(client, coord_op_resign(a)));
  T_TRUE(t_lease_told(queue, 5000, COORD_EVENT_RESULT, 1, COORD_OK, NULL));
  T_TRUE(leader_says(client, name, "b"));
  T_TRUE(coord_election_token(b) > first);
  T_INT(coord_election_is_leader(c), 0);
  coord_election_free(b);
  T_TRUE(t_lease_told(queue, 5000, COORD_EVENT_RESULT, 2, COORD_OK, NULL));
  T_TRUE(leader_says(client, name, "c"));
  coord_election_free(a);
  coord_election_free(c);
  coord_queue_free(queue);
  coord_client_free(client);
  coord_client_free(other);
}

/* The key may go while its candidate waits: then it must not lead. (D82) */
static void candidate_whose_key_is_gone_does_not_lead(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  char name[t_key_size];
  coord_election *a = election(client, t_key(name, "g"), NULL);
  coord_election *b = election(client, name, NULL);
  coord_kv kv = {0};
  campaign(client, a, "a");
  campaign_later(client, b, "b", queue, 1);
  T_TRUE(t_lock_has_keys(client, name, 2));
  coord_result *list = t_call(client, coord_op_lock_queue(name, strlen(name)));
  T_CODE(coord_result_kv(list, 1, &kv), COORD_OK);
  coord_result_free(t_call(client, coord_op_delete(kv.key, kv.key_len)));
  coord_result_free(list);
  T_TRUE(t_lease_told(queue, 5000, COORD_EVENT_RESULT, 1, COORD_LOST, NULL));
  coord_result_free(t_call(client, coord_op_resign(a)));
  T_TRUE(leader_says(client, name, NULL));
  T_INT(coord_election_is_leader(b), 0);
  coord_election_free(a);
  coord_election_free(b);
  coord_queue_free(queue);
  coord_client_free(client);
}

/* A process dies and another goes on with its lease. (D81) */
static void leader_leads_on_after_a_restart(void) {
  coord_client *before = t_client(), *client = t_client();
  char name[t_key_size], id[32];
  coord_lease *lease = t_lease(before, 60, NULL, 0);
  coord_options *options = NULL;
  coord_election *e = NULL;
  T_CODE(coord_options_new(&options), COORD_OK);
  snprintf(id, sizeof id, "%" PRId64, coord_lease_id(lease));
  T_CODE(coord_options_set(options, "lock.lease.id", id, NULL), COORD_OK);
  t_key(name, "r");
  T_CODE(coord_election_open(before, name, strlen(name), options, NULL, 0, &e, NULL), COORD_OK);
  /* Two do not keep one lease. */
  T_TRUE(t_call_fails(before, coord_op_campaign(e, "x", 1), COORD_CONFLICT, NULL));
  coord_election_free(e);
  coord_lease_free(lease);
  T_CODE(coord_election_open(client, name, strlen(name), options, NULL, 0, &e, NULL), COORD_OK);
  int64_t token = campaign(client, e, "before");
  T_TRUE(token > 0);
  coord_election *again = NULL;
  coord_client *later = t_client();
  T_CODE(coord_election_open(later, name, strlen(name), options, NULL, 0, &again, NULL), COORD_OK);
  T_INT(campaign(later, again, "after"), token);
  T_TRUE(leader_says(client, name, "after"));
  T_INT(t_lock_keys(client, name), 1);
  coord_election_free(again);
  T_TRUE(t_lock_has_keys(client, name, 0));
  coord_election_free(e);
  /* With a lease that is gone, it is told so. */
  T_CODE(coord_client_close(later, 5000, NULL), COORD_OK);
  coord_client_free(later);
  later = t_client();
  T_CODE(coord_election_open(later, name, strlen(name), options, NULL, 0, &again, NULL), COORD_OK);
  T_TRUE(t_call_fails(later, coord_op_campaign(again, "x", 1), COORD_NOT_FOUND, NULL));
  coord_election_free(again);
  coord_options_free(options);
  coord_client_free(later);
  coord_client_free(client);
  coord_client_free(before);
}

/* ---- observing ---- */

static bool observes(coord_queue *queue, const char *value) {
  char got[64] = "(nothing)";
  for (int i = 0; i < 20; i++) {
    coord_event *event = coord_queue_next(queue, 5000);
    int32_t type = -1;
    coord_kv kv = {0};
    bool good = coord_event_type(event) == COORD_EVENT_CHANGES &&
                coord_event_change(event, 0, &type, &kv, NULL) == COORD_OK;
    if (good) {
      snprintf(got, sizeof got, "%s%.*s", type == COORD_CHANGE_DELETE ? "-" : "", (int)kv.value_len,
               (const char *)kv.value);
    }
    coord_event_free(event);
    if (good) break;
  }
  return T_STR(got, value);
}

static void observer_is_told_of_each_leader_and_what_it_says(void) {
  coord_client *client = t_client(), *other = t_client();
  coord_queue *queue = t_queue();
  char name[t_key_size];
  coord_election *watcher = election(other, t_key(name, "w"), queue);
  coord_election *a = election(client, name, NULL), *b = election(client, name, NULL);
  T_CODE(coord_election_observe(watcher, NULL), COORD_OK);
  T_CODE(coord_election_observe(watcher, NULL), COORD_OK);
  T_TRUE(observes(queue, "-"));
  campaign(client, a, "a1");
  T_TRUE(observes(queue, "a1"));
  coord_result *last = t_call(client, coord_op_proclaim(a, "a2", 2));
  T_TRUE(observes(queue, "a2"));
  coord_result_free(last);
  /* Compacted, and others are writing: nothing is told, nothing is missed. */
  int64_t revision = t_put(client, t_key(name, "other"), "x");
  coord_result_free(t_call(client, coord_op_compact(revision)));
  t_key(name, "w");
  coord_result_free(t_call(client, coord_op_proclaim(a, "a3", 2)));
  T_TRUE(observes(queue, "a3"));
  campaign_later(client, b, "b1", queue, 9);
  T_TRUE(t_lock_has_keys(client, name, 2));
  coord_election_free(a);
  bool leads = false, seen = false;
  for (int i = 0; i < 4 && !(leads && seen); i++) {
    coord_event *event = coord_queue_next(queue, 5000);
    leads |= coord_event_type(event) == COORD_EVENT_RESULT;
    seen |= coord_event_type(event) == COORD_EVENT_CHANGES;
    coord_event_free(event);
  }
  T_TRUE(leads && seen);
  coord_result_free(t_call(client, coord_op_resign(b)));
  T_TRUE(observes(queue, "-"));
  coord_election_free(b);
  coord_election_free(watcher);
  T_TRUE(t_lease_quiet(queue, 100));
  coord_queue_free(queue);
  coord_client_free(client);
  coord_client_free(other);
}

static void guard_holds_while_it_leads(void) {
  coord_client *client = t_client();
  char name[t_key_size], key[t_key_size];
  coord_election *e = election(client, t_key(name, "i"), NULL);
  t_key(key, "v");
  campaign(client, e, "me");
  coord_op *txn = coord_op_txn(), *put = coord_op_put(key, strlen(key), "v", 1);
  T_CODE(coord_op_if_leader(txn, e), COORD_OK);
  T_CODE(coord_op_then(txn, put), COORD_OK);
  coord_result *result = NULL;
  T_CODE(coord_call(client, txn, 0, &result, NULL), COORD_OK);
  T_INT(coord_result_succeeded(result), 1);
  coord_result_free(result);
  coord_result_free(t_call(client, coord_op_resign(e)));
  T_CODE(coord_call(client, txn, 0, &result, NULL), COORD_OK);
  T_INT(coord_result_succeeded(result), 0);
  coord_result_free(result);
  coord_op *late = coord_op_txn();
  T_CODE(coord_op_if_leader(late, e), COORD_NOT_HELD);
  coord_op_free(late);
  coord_op_free(put);
  coord_op_free(txn);
  coord_election_free(e);
  coord_client_free(client);
}

static void wrong_arguments_are_named(void) {
  coord_client *client = t_client();
  coord_election *e = NULL;
  coord_error *err = NULL;
  T_ERROR(coord_election_open(NULL, "n", 1, NULL, NULL, 0, &e, &err), COORD_INVALID, err, "client");
  T_ERROR(coord_election_open(client, NULL, 1, NULL, NULL, 0, &e, &err), COORD_INVALID, err,
          "name");
  T_ERROR(coord_election_open(client, "", 0, NULL, NULL, 0, &e, &err), COORD_INVALID, err, "empty");
  T_ERROR(coord_election_open(client, "n", 1, NULL, NULL, 0, NULL, &err), COORD_INVALID, err,
          "out");
  T_ERROR(coord_election_observe(NULL, &err), COORD_INVALID, err, "election");
  T_TRUE(coord_op_campaign(NULL, "", 0) == NULL);
  T_TRUE(coord_op_proclaim(NULL, "", 0) == NULL);
  T_TRUE(coord_op_resign(NULL) == NULL);
  T_INT(coord_election_is_leader(NULL), 0);
  T_INT(coord_election_token(NULL), 0);
  T_INT(coord_election_remaining_ms(NULL), 0);
  T_CODE(coord_election_key(NULL, NULL), COORD_INVALID);
  coord_election_free(NULL);
  e = election(client, "n", NULL);
  T_ERROR(coord_election_observe(e, &err), COORD_INVALID, err, "without a queue");
  T_TRUE(t_call_fails(client, coord_op_campaign(e, NULL, 3), COORD_INVALID, NULL));
  T_TRUE(t_call_fails(client, coord_op_leader("", 0), COORD_INVALID, NULL));
  coord_op *late = coord_op_campaign(e, "v", 1);
  coord_election_free(e);
  T_TRUE(t_call_fails(client, late, COORD_CLOSED, NULL));
  coord_client_free(client);
}

T_MAIN(T_CASE(leader_proclaims_and_resigns), T_CASE(candidates_lead_in_the_order_of_their_coming),
       T_CASE(candidate_whose_key_is_gone_does_not_lead), T_CASE(leader_leads_on_after_a_restart),
       T_CASE(observer_is_told_of_each_leader_and_what_it_says), T_CASE(guard_holds_while_it_leads),
       T_CASE(wrong_arguments_are_named))
