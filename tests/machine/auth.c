/* Logging in over a wire that exists only here: who is sent with which token, and when. */
#include "machine/login.h"

/* ---- cases ---- */

static void all_calls_wait_for_one_login(void) {
  tried calls[CALLS];
  start();
  for (int i = 0; i < CALLS; i++) begin(&calls[i], 0);
  arrives("authenticate", 1, "-");
  T_STR(before("authenticate").newest.body,
        "\n\x03"
        "ann\x12\x06secret");
  usleep(30000);
  arrives("put", 0, "");
  give_token("t1");
  arrives("put", CALLS, "t1");
  for (int i = 0; i < CALLS; i++) {
    answer("put", 0, "");
    expect(&calls[i], COORD_OK, "", 0);
  }
  T_INT(logins(), 1);
  stop();
}

static void token_that_got_old_is_renewed_once(void) {
  static const char *const texts[] = {bad_token, "etcdserver: revision of auth store is old",
                                      "etcdserver: user name is empty",
                                      "auth: revision in header is old"};
  tried calls[CALLS];
  start();
  begin(&calls[0], 0);
  logged_in("t0");
  arrives("put", 1, "t0");
  answer("put", 0, "");
  expect(&calls[0], COORD_OK, "", 0);
  for (int round = 0; round < 4; round++) {
    char token[16];
    char next[16];
    snprintf(token, sizeof token, "t%d", round);
    snprintf(next, sizeof next, "t%d", round + 1);
    settle();
    for (int i = 0; i < CALLS; i++) begin(&calls[i], 0);
    arrives("put", CALLS, token);
    for (int i = 0; i < CALLS; i++) answer("put", 16, texts[round]);
    logged_in(next);
    arrives("put", CALLS, next);
    for (int i = 0; i < CALLS; i++) {
      answer("put", 0, "");
      expect(&calls[i], COORD_OK, "", 0);
    }
    T_INT(logins(), round + 2);
  }
  stop();
}

static void the_old_token_stays_until_there_is_a_new_one(void) {
  tried first, second, third;
  start();
  begin(&first, 0);
  logged_in("t0");
  arrives("put", 1, "t0");
  settle();
  begin(&second, 0);
  arrives("put", 2, "t0");
  answer("put", 16, bad_token);
  arrives("authenticate", 1, "-");
  begin(&third, 0); /* waits; nothing goes without a token */
  usleep(30000);
  arrives("put", 1, "t0");
  give_token("t1");
  arrives("put", 3, "t1");
  /* Late refusal of the token before: no reason for another login. */
  answer("put", 16, bad_token);
  arrives("put", 3, "t1");
  for (int i = 0; i < 3; i++) answer("put", 0, "");
  expect(&first, COORD_OK, "", 0);
  expect(&second, COORD_OK, "", 0);
  expect(&third, COORD_OK, "", 0);
  T_INT(logins(), 2);
  stop();
}

static void member_that_has_not_heard_of_the_token_yet(void) {
  tried call;
  start();
  begin(&call, 0);
  logged_in("t0");
  age(-60000);
  for (int i = 0; i < 2; i++) {
    arrives("put", 1, "t0");
    answer("put", 16, bad_token);
  }
  arrives("put", 1, "t0");
  answer("put", 0, "");
  expect(&call, COORD_OK, "", 0);
  T_INT(logins(), 1);
  stop();
}

static void wrong_password_ends_the_calls_and_is_not_tried_in_a_loop(void) {
  tried calls[CALLS];
  start();
  for (int i = 0; i < CALLS; i++) begin(&calls[i], 0);
  arrives("authenticate", 1, "-");
  answer("authenticate", 3, "etcdserver: authentication failed, invalid user ID or password");
  for (int i = 0; i < CALLS; i++) {
    expect(&calls[i], COORD_AUTH,
           "put: login as \"ann\": etcdserver: authentication failed, invalid user ID or password",
           0);
  }
  age(-60000);
  for (int i = 0; i < CALLS; i++) {
    begin(&calls[0], 0);
    expect(&calls[0], COORD_AUTH, "login as \"ann\"", 0);
  }
  T_INT(logins(), 1);
  age(61000);
  begin(&calls[0], 0);
  logged_in("t1");
  arrives("put", 1, "t1");
  answer("put", 0, "");
  expect(&calls[0], COORD_OK, "", 0);
  stop();
}

static void server_without_authentication_that_gets_it(void) {
  tried call;
  start();
  begin(&call, 0);
  arrives("authenticate", 1, "-");
  answer("authenticate", 9, "etcdserver: authentication is not enabled");
  arrives("put", 1, "-");
  answer("put", 0, "");
  expect(&call, COORD_OK, "", 0);
  settle();
  begin(&call, 0);
  arrives("put", 1, "-");
  answer("put", 3, "etcdserver: user name is empty");
  logged_in("t1");
  arrives("put", 1, "t1");
  answer("put", 0, "");
  expect(&call, COORD_OK, "", 0);
  stop();
}

static void be_patient(void *unused) {
  (void)unused;
  auth.timeout_ms = 30000;
}

static void login_that_does_not_come_through_is_tried_again(void) {
  tried call, hasty;
  start_as("ann", "secret", "", 300);
  begin(&call, 0);
  begin(&hasty, 50);
  arrives("authenticate", 1, "-");
  expect(&hasty, COORD_TIMEOUT, "the deadline passed while it waited for a login", COORD_RETRIABLE);
  arrives("authenticate", 0, ""); /* its own deadline */
  on_loop(be_patient, NULL);
  logged_in("t1");
  arrives("put", 1, "t1");
  answer("put", 0, "");
  expect(&call, COORD_OK, "", 0);
  T_INT(logins(), 2);
  stop();
}

static void nobody_waits_nobody_logs_in(void) {
  tried hasty;
  start_as("ann", "secret", "", 100);
  begin(&hasty, 20);
  expect(&hasty, COORD_TIMEOUT, "login", COORD_RETRIABLE);
  arrives("authenticate", 0, "");
  usleep(200000);
  T_INT(before("authenticate").count, 0);
  T_INT(logins(), 1);
  stop();
}

static void login_repeats_what_passes_by_itself(void) {
  tried call;
  start();
  begin(&call, 0);
  arrives("authenticate", 1, "-");
  answer("authenticate", 14, "etcdserver: no leader");
  logged_in("t1");
  arrives("put", 1, "t1");
  answer("put", 0, "");
  expect(&call, COORD_OK, "", 0);
  stop();
}

static void answer_without_a_token(void) {
  tried call;
  start();
  begin(&call, 0);
  arrives("authenticate", 1, "-");
  answer("authenticate", 0, "");
  expect(&call, COORD_PROTOCOL, "login as \"ann\": the server's answer holds no token", 0);
  age(1000);
  begin(&call, 0);
  arrives("authenticate", 1, "-");
  give_token("a\nb");
  expect(&call, COORD_PROTOCOL, "no token", 0);
  stop();
}

static void server_that_refuses_every_token(void) {
  tried call;
  start();
  begin(&call, 0);
  for (int refusals = 0; refusals <= COORD__REFUSALS_MAX;) {
    if (before("authenticate").count > 0) give_token("t");
    if (before("put").count > 0) {
      answer("put", 16, bad_token);
      refusals++;
    }
  }
  expect(&call, COORD_AUTH, "put of \"k\": etcdserver: invalid auth token", 0);
  T_TRUE(logins() < COORD__REFUSALS_MAX / 3);
  stop();
}

static void deadline_ends_it_sooner(void) {
  tried call;
  start();
  int64_t began = t_now_ms();
  begin(&call, 400);
  int refusals = 0; /* then it waits for a login, and nothing of it is before the server */
  while (!is_done(&call)) {
    if (refusals < 3 && before("authenticate").count > 0) give_token("t");
    if (before("put").count == 0) continue;
    answer("put", 16, bad_token);
    refusals++;
    age(1000);
  }
  expect(&call, COORD_TIMEOUT, "deadline passed", COORD_RETRIABLE);
  T_WITHIN(began, 800);
  stop();
}

static void what_is_not_allowed_is_final(void) {
  tried call;
  start();
  begin(&call, 0);
  logged_in("t0");
  arrives("put", 1, "t0");
  settle();
  answer("put", 7, "etcdserver: permission denied");
  expect(&call, COORD_AUTH, "put of \"k\": etcdserver: permission denied", 0);
  T_INT(logins(), 1);
  stop();
}

static void given_token_is_sent_and_not_renewed(void) {
  tried call;
  start_as("", "", "given", 5000);
  begin(&call, 0);
  arrives("put", 1, "given");
  settle();
  answer("put", 16, bad_token);
  expect(&call, COORD_AUTH, "invalid auth token", 0);
  T_INT(logins(), 0);
  stop();
}

static void closing_ends_what_waits(void) {
  tried calls[2];
  start();
  for (int i = 0; i < 2; i++) begin(&calls[i], 0);
  arrives("authenticate", 1, "-");
  on_loop(do_close, NULL);
  for (int i = 0; i < 2; i++) expect(&calls[i], COORD_CLOSED, "closed", 0);
  stop();
}

/* A call on the same link goes through; the login's own request had no memory. */
static void login_without_memory_is_tried_again(void) {
  tried call;
  start();
  begin(&call, 0);
  arrives("authenticate", 1, "-");
  coord__alloc_fail_after(0);
  give_token("t1"); /* no memory for it, nor for the error */
  usleep(150000);
  coord__alloc_fail_after(-1);
  logged_in("t2");
  arrives("put", 1, "t2");
  answer("put", 0, "");
  expect(&call, COORD_OK, "", 0);
  stop();
}

static void call_without_an_answer_casts_doubt_on_an_old_token(void) {
  tried silent, other;
  start();
  begin(&other, 0);
  logged_in("t0");
  arrives("put", 1, "t0");
  answer("put", 0, "");
  expect(&other, COORD_OK, "", 0);
  begin(&silent, 100);
  expect(&silent, COORD_TIMEOUT, "deadline", COORD_RETRIABLE | COORD_MAYBE_APPLIED);
  usleep(30000);
  T_INT(logins(), 1); /* it is not old */
  age(60000);
  begin(&silent, 30);
  expect(&silent, COORD_TIMEOUT, "deadline", COORD_RETRIABLE | COORD_MAYBE_APPLIED);
  arrives("authenticate", 1, "-");
  begin(&other, 0); /* nothing waits meanwhile */
  arrives("put", 1, "t0");
  answer("authenticate", 14, "etcdserver: request timed out");
  arrives("authenticate", 1, "-");
  give_token("t1");
  answer("put", 16, bad_token);
  arrives("put", 1, "t1");
  answer("put", 0, "");
  expect(&other, COORD_OK, "", 0);
  T_INT(logins(), 2);
  stop();
}

/* Refused while it was in doubt: the login under way serves both. */
static void token_in_doubt_that_is_refused(void) {
  tried silent, other;
  start();
  begin(&other, 0);
  logged_in("t0");
  arrives("put", 1, "t0");
  age(60000);
  begin(&silent, 30);
  expect(&silent, COORD_TIMEOUT, "deadline", COORD_RETRIABLE | COORD_MAYBE_APPLIED);
  arrives("authenticate", 1, "-");
  answer("put", 16, bad_token);
  usleep(50000);
  T_INT(before("put").count, 0);
  give_token("t1");
  arrives("put", 1, "t1");
  answer("put", 0, "");
  expect(&other, COORD_OK, "", 0);
  T_INT(logins(), 2);
  stop();
}

static void doubt_that_a_login_cannot_settle(void) {
  tried silent, other;
  start();
  begin(&other, 0);
  logged_in("t0");
  arrives("put", 1, "t0");
  age(60000);
  begin(&silent, 30);
  expect(&silent, COORD_TIMEOUT, "deadline", COORD_RETRIABLE | COORD_MAYBE_APPLIED);
  arrives("authenticate", 1, "-");
  answer("authenticate", 3, "etcdserver: authentication failed, invalid user ID or password");
  answer("put", 0, "");
  expect(&other, COORD_OK, "", 0);
  begin(&other, 0);
  arrives("put", 1, "t0"); /* it was not refused */
  answer("put", 0, "");
  expect(&other, COORD_OK, "", 0);
  stop();
}

T_MAIN(T_CASE(all_calls_wait_for_one_login), T_CASE(token_that_got_old_is_renewed_once),
       T_CASE(the_old_token_stays_until_there_is_a_new_one),
       T_CASE(member_that_has_not_heard_of_the_token_yet),
       T_CASE(wrong_password_ends_the_calls_and_is_not_tried_in_a_loop),
       T_CASE(server_without_authentication_that_gets_it),
       T_CASE(login_that_does_not_come_through_is_tried_again), T_CASE(nobody_waits_nobody_logs_in),
       T_CASE(login_repeats_what_passes_by_itself), T_CASE(answer_without_a_token),
       T_CASE(server_that_refuses_every_token), T_CASE(deadline_ends_it_sooner),
       T_CASE(what_is_not_allowed_is_final), T_CASE(given_token_is_sent_and_not_renewed),
       T_CASE(closing_ends_what_waits), T_CASE(login_without_memory_is_tried_again),
       T_CASE(call_without_an_answer_casts_doubt_on_an_old_token),
       T_CASE(token_in_doubt_that_is_refused), T_CASE(doubt_that_a_login_cannot_settle))
