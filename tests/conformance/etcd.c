/*
 * conformance_etcd: a real etcd for a runner in any language. Commands are lines on standard input, each is
 * answered by one line. README.md has them. When standard input ends, all is stopped and removed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/auth.h"
#include "support/etcd.h"
#include "support/proxy.h"

static t_cluster *etcd;
static t_proxy *door;
static bool stopped, auth_is_on;

/* "" when it cannot be done. */
static char answer[256];

static void say(const char *text) {
  puts(text);
  fflush(stdout);
}

static coord_client *connect_to(bool as_root) {
  const char *endpoint = t_etcd_endpoint(etcd, 0);
  if (!as_root) return t_client_with("endpoints", endpoint, "wire", "grpc", NULL);
  return t_client_with("endpoints", endpoint, "wire", "grpc", "username", "root", "password",
                       "rootpw", NULL);
}

/* ---- faults ---- */

static void server(const char *action) {
  bool runs = t_etcd_pid(etcd, 0) != 0;
  if (strcmp(action, "stop") == 0 && runs) {
    t_etcd_pause(etcd, 0);
    stopped = true;
  } else if (strcmp(action, "continue") == 0 && runs) {
    t_etcd_resume(etcd, 0);
    stopped = false;
  } else if (strcmp(action, "kill") == 0 && runs) {
    t_etcd_kill(etcd, 0);
    stopped = false;
  } else if (strcmp(action, "start") == 0 && !runs) {
    t_etcd_restart(etcd, 0);
  } else if (strcmp(action, "restart") == 0) {
    t_etcd_kill(etcd, 0);
    t_etcd_restart(etcd, 0);
    stopped = false;
  } else {
    snprintf(answer, sizeof answer, "not ok server %s: it %s", action, runs ? "runs" : "is dead");
  }
}

static void open_door(void) {
  t_proxy_refuse(door, false);
  t_proxy_stall(door, false);
  t_proxy_mute(door, false);
}

static void use_door(const char *action) {
  if (strcmp(action, "cut") == 0) {
    t_proxy_cut(door);
  } else if (strcmp(action, "refuse") == 0) {
    t_proxy_refuse(door, true);
  } else if (strcmp(action, "stall") == 0) {
    t_proxy_stall(door, true);
  } else if (strcmp(action, "mute") == 0) {
    t_proxy_mute(door, true);
  } else if (strcmp(action, "open") == 0) {
    open_door();
  } else {
    snprintf(answer, sizeof answer, "not ok door %s: no such action", action);
  }
}

/* ---- authentication ---- */

static void switch_auth(bool on) {
  coord_client *client = connect_to(auth_is_on);
  if (on && !auth_is_on) {
    t_auth_users(client, "ann/");
    t_done(client, coord_op_auth_enable());
  } else if (!on && auth_is_on) {
    t_done(client, coord_op_auth_disable());
    t_done(client, coord_op_user_delete("root"));
    t_done(client, coord_op_user_delete("ann"));
    t_done(client, coord_op_role_delete("root"));
    t_done(client, coord_op_role_delete("dev"));
  }
  auth_is_on = on;
  coord_client_free(client);
}

/* ---- scenarios ---- */

static void revoke_all(coord_client *client) {
  coord_result *list = t_call(client, coord_op_lease_list());
  for (size_t i = 0; i < coord_result_leases(list); i++) {
    coord_op *op = coord_op_lease_revoke(coord_result_lease(list, i));
    coord_call(client, op, 0, NULL, NULL); /* it may have ended meanwhile */
    coord_op_free(op);
  }
  coord_result_free(list);
}

static void begin(void) {
  open_door();
  t_proxy_cut(door); /* nobody who was there before is heard any more */
  if (t_etcd_pid(etcd, 0) == 0) t_etcd_restart(etcd, 0);
  if (stopped) t_etcd_resume(etcd, 0);
  stopped = false;
  switch_auth(false);
  coord_client *client = connect_to(false);
  coord_op *wipe = coord_op_delete("", 1);
  T_CODE(coord_op_set_range_end(wipe, "", 1), COORD_OK);
  revoke_all(client);
  t_done(client, wipe);
  coord_client_free(client);
  snprintf(answer, sizeof answer, "ok %s %s", t_etcd_endpoint(etcd, 0), t_proxy_endpoint(door));
}

static void obey(const char *line) {
  char verb[16] = "", word[16] = "";
  snprintf(answer, sizeof answer, "ok");
  sscanf(line, "%15s %15s", verb, word);
  if (strcmp(verb, "begin") == 0) {
    begin();
  } else if (strcmp(verb, "server") == 0) {
    server(word);
  } else if (strcmp(verb, "door") == 0) {
    use_door(word);
  } else if (strcmp(verb, "auth") == 0) {
    switch_auth(strcmp(word, "on") == 0);
  } else {
    snprintf(answer, sizeof answer, "not ok %s: no such command", verb);
  }
  if (!t_any_failed()) say(answer); /* else the end of this case says why */
  T_FATAL(!t_any_failed());
}

static void serve(void) {
  char line[128], version[64];
  int major, minor;
  t_case_limit_s(0);
  t_etcd_version(&major, &minor);
  etcd = t_etcd();
  door = t_proxy_start(t_etcd_port(etcd, 0));
  snprintf(version, sizeof version, "ok %d.%d", major, minor);
  say(version);
  while (fgets(line, sizeof line, stdin) != NULL) obey(line);
  t_proxy_stop(door);
}

T_MAIN(T_CASE(serve))
