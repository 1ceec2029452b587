/* rpc/state: what is told of what happens to the many connections of an endpoint. */
#include "rpc/state.h"

#include <stdio.h>
#include <string.h>

#include "rpc/rpc.h"
#include "support/t.h"

enum { CONNECTIONS_MAX = 4 };

static coord__rpc rpc;
static coord__carrier connections[CONNECTIONS_MAX];
static char told[400];
static int user;

static const char *const names[] = {"?",       "connected", "disconnected", "unreachable",
                                    "ejected", "restored",  "endpoints"};

static void on_state(void *arg, int state, const char *endpoint, coord_code code, const char *why) {
  size_t n = strlen(told);
  T_TRUE(arg == &user);
  snprintf(told + n, sizeof told - n, "%s%s %s %s %s", n > 0 ? "; " : "", names[state],
           endpoint != NULL ? endpoint : "-", coord_code_name(code), why);
}

static void begin(const char *endpoints) {
  rpc = (coord__rpc){.config = {.state = on_state, .state_user = &user}};
  coord__list_init(&rpc.carriers);
  T_CODE(coord__endpoints_parse(endpoints, &rpc.config.endpoints, NULL), COORD_OK);
  told[0] = '\0';
}

static void end(void) { coord__endpoints_free(&rpc.config.endpoints); }

/* What was told since the last time. */
static void expect(const char *text) {
  T_STR(told, text);
  told[0] = '\0';
}

static void connect(int i, size_t endpoint) {
  connections[i] =
      (coord__carrier){.endpoint = &rpc.config.endpoints.items[endpoint], .is_ready = true};
  coord__list_append(&rpc.carriers, &connections[i].link);
  coord__rpc_state(&rpc, COORD_STATE_CONNECTED, connections[i].endpoint->name, COORD_OK, "");
}

static void lose(int i) {
  coord__list_remove(&connections[i].link);
  coord__rpc_state(&rpc, COORD_STATE_DISCONNECTED, connections[i].endpoint->name, COORD_UNAVAILABLE,
                   "lost");
}

static void fail(const char *endpoint, coord_code code) {
  coord__rpc_state(&rpc, COORD_STATE_UNREACHABLE, endpoint, code, "why");
}

static void first_and_last_connection_are_told(void) {
  begin("a:1,b:1");
  connect(0, 0);
  connect(1, 0);
  expect("connected a:1 OK ");
  connect(2, 1);
  expect("connected b:1 OK ");
  lose(0);
  expect("");
  lose(1);
  expect("disconnected a:1 UNAVAILABLE lost");
  connect(0, 0);
  expect("connected a:1 OK ");
  end();
}

static void unreachable_is_told_once_for_each_reason(void) {
  begin("a:1,b:1");
  for (int i = 0; i < 3; i++) fail("a:1", COORD_UNAVAILABLE);
  fail("b:1", COORD_UNAVAILABLE);
  expect("unreachable a:1 UNAVAILABLE why; unreachable b:1 UNAVAILABLE why");
  fail("a:1", COORD_TLS);
  fail("a:1", COORD_TLS);
  expect("unreachable a:1 TLS why");
  connect(0, 0);
  expect("connected a:1 OK ");
  fail("a:1", COORD_UNAVAILABLE); /* one more connection could not be made */
  expect("");
  lose(0);
  fail("a:1", COORD_UNAVAILABLE);
  expect("disconnected a:1 UNAVAILABLE lost; unreachable a:1 UNAVAILABLE why");
  end();
}

/* A connection that was no longer needed says nothing when it goes. */
static void quiet_end_does_not_hide_what_follows(void) {
  begin("a:1");
  connect(0, 0);
  expect("connected a:1 OK ");
  coord__list_remove(&connections[0].link);
  connect(0, 0);
  expect("");
  coord__list_remove(&connections[0].link);
  fail("a:1", COORD_UNAVAILABLE);
  expect("unreachable a:1 UNAVAILABLE why");
  end();
}

static void ejection_is_told_beside_connections(void) {
  begin("a:1");
  coord__rpc_state(&rpc, COORD_STATE_RESTORED, "a:1", COORD_OK, "");
  expect("");
  connect(0, 0);
  coord__rpc_state(&rpc, COORD_STATE_EJECTED, "a:1", COORD_TIMEOUT, "slow");
  coord__rpc_state(&rpc, COORD_STATE_EJECTED, "a:1", COORD_TIMEOUT, "slow");
  expect("connected a:1 OK ; ejected a:1 TIMEOUT slow");
  coord__rpc_states_now(&rpc);
  expect("connected a:1 OK ; ejected a:1 OK ");
  coord__rpc_state(&rpc, COORD_STATE_RESTORED, "a:1", COORD_OK, "");
  expect("restored a:1 OK ");
  coord__rpc_states_now(&rpc);
  expect("connected a:1 OK ");
  end();
}

static void new_list_is_told_and_what_left_it_is_not(void) {
  begin("a:1,b:1");
  connect(0, 0);
  connect(1, 1);
  expect("connected a:1 OK ; connected b:1 OK ");
  coord__endpoints before = rpc.config.endpoints;
  T_CODE(coord__endpoints_parse("b:1,c:1", &rpc.config.endpoints, NULL), COORD_OK);
  coord__rpc_state(&rpc, COORD_STATE_ENDPOINTS, NULL, COORD_OK, NULL);
  expect("endpoints - OK b:1,c:1");
  lose(0);
  expect("");
  coord__rpc_states_now(&rpc);
  expect("connected b:1 OK ");
  lose(1);
  expect("disconnected b:1 UNAVAILABLE lost");
  coord__endpoints_free(&before);
  end();
}

static void nobody_is_told_after_the_end(void) {
  begin("a:1");
  rpc.closed = true;
  connect(0, 0);
  coord__rpc_states_now(&rpc);
  expect("");
  rpc.closed = false;
  rpc.config.state = NULL;
  fail("a:1", COORD_UNAVAILABLE);
  coord__rpc_states_now(&rpc);
  expect("");
  end();
}

T_MAIN(T_CASE(first_and_last_connection_are_told), T_CASE(unreachable_is_told_once_for_each_reason),
       T_CASE(quiet_end_does_not_hide_what_follows), T_CASE(ejection_is_told_beside_connections),
       T_CASE(new_list_is_told_and_what_left_it_is_not), T_CASE(nobody_is_told_after_the_end))
