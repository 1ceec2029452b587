/* Many threads with one client while authentication changes under them: no call sees it. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "etcd/client.h"
#include "support/auth.h"

enum { THREADS = 32 };

/* The load, and what came of it. */
typedef struct load {
  coord_client *client;
  atomic_bool stop;
  bool may_lose_writes; /* servers are killed */
  atomic_long calls;
  atomic_long lost;
  atomic_long surfaced; /* errors that should not have been */
  pthread_t threads[THREADS];
  atomic_int next;
} load;

static void note(load *l, const char *what, bool write, coord_code code, coord_error *err) {
  atomic_fetch_add(&l->calls, 1);
  if (code == COORD_OK) return;
  bool lost = write && (coord_error_flags(err) & COORD_MAYBE_APPLIED) != 0;
  if (lost && l->may_lose_writes) {
    atomic_fetch_add(&l->lost, 1);
  } else if (atomic_fetch_add(&l->surfaced, 1) < 3) {
    T_FAIL("%s: %s %s (%u)", what, coord_code_name(code), coord_error_message(err),
           coord_error_flags(err));
  }
  coord_error_free(err);
}

static void *work(void *arg) {
  load *l = arg;
  char key[32];
  snprintf(key, sizeof key, "t/load/%d", atomic_fetch_add(&l->next, 1));
  while (!atomic_load(&l->stop)) {
    coord_error *err = NULL;
    coord_code code = coord_put(l->client, key, strlen(key), "v", 1, &err);
    note(l, "put", true, code, err);
    coord_result *result = NULL;
    err = NULL;
    code = coord_get(l->client, key, strlen(key), &result, &err);
    note(l, "get", false, code, err);
    coord_result_free(result);
  }
  return NULL;
}

static void begin(load *l, coord_client *client, bool may_lose_writes) {
  *l = (load){.client = client, .may_lose_writes = may_lose_writes};
  for (int i = 0; i < THREADS; i++) {
    T_FATAL(pthread_create(&l->threads[i], NULL, work, l) == 0);
  }
}

static bool has_called(void *l) { return atomic_load(&((load *)l)->calls) > 100; }

static void end(load *l) {
  T_TRUE(t_wait_until(has_called, l, 20000));
  atomic_store(&l->stop, true);
  for (int i = 0; i < THREADS; i++) pthread_join(l->threads[i], NULL);
  T_INT(atomic_load(&l->surfaced), 0);
  printf("# %ld calls, %ld writes lost, %lld logins, %lld repeated\n", atomic_load(&l->calls),
         atomic_load(&l->lost), t_auth_logins(l->client),
         (long long)atomic_load(&l->client->rpc.counters.retries));
}

static coord_client *open_on_all(t_cluster *cluster, int nodes, const char *user,
                                 const char *password) {
  char endpoints[256] = "";
  for (int i = 0; i < nodes; i++) {
    size_t n = strlen(endpoints);
    snprintf(endpoints + n, sizeof endpoints - n, "%s%s", i > 0 ? "," : "",
             t_etcd_endpoint(cluster, i));
  }
  return t_client_with("endpoints", endpoints, "username", user, "password", password,
                       "request.timeout.ms", "20000", "log.level", "off", NULL);
}

static void pause_ms(int ms) { usleep((useconds_t)ms * 1000); }

/* ---- the switch ---- */

static void toggle(int nodes) {
  t_cluster *cluster = t_etcd_start(&(t_etcd_options){.nodes = nodes});
  t_auth_prepare(cluster);
  coord_client *root = open_on_all(cluster, nodes, "root", "rootpw");
  coord_client *ann = open_on_all(cluster, nodes, "ann", "annpw");
  load l;
  begin(&l, ann, false);
  for (int round = 0; round < 4; round++) {
    pause_ms(300);
    t_done(root, coord_op_auth_enable());
    pause_ms(300);
    t_done(root, coord_op_auth_disable());
  }
  t_done(root, coord_op_auth_enable());
  pause_ms(300);
  end(&l);
  T_TRUE(t_auth_logins(ann) <= 40);
  coord_client_free(ann);
  coord_client_free(root);
  t_etcd_stop(cluster);
}

static void switched_on_and_off_on_one_node(void) { toggle(1); }
static void switched_on_and_off_on_three_nodes(void) { toggle(3); }

/* ---- the password ---- */

static void passwords(int nodes) {
  t_cluster *cluster = t_etcd_start(&(t_etcd_options){.nodes = nodes});
  t_auth_enable(cluster);
  coord_client *root = open_on_all(cluster, nodes, "root", "rootpw");
  coord_client *ann = open_on_all(cluster, nodes, "ann", "annpw");
  load l;
  begin(&l, ann, false);
  for (int round = 0; round < 8; round++) {
    pause_ms(250);
    t_done(root, coord_op_user_password("ann", "annpw")); /* ends all tokens of ann */
  }
  pause_ms(250);
  end(&l);
  T_TRUE(t_auth_logins(ann) >= 2 && t_auth_logins(ann) <= 20);
  coord_client_free(ann);
  coord_client_free(root);
  t_etcd_stop(cluster);
}

static void password_set_again_on_one_node(void) { passwords(1); }
static void password_set_again_on_three_nodes(void) { passwords(3); }

/* ---- the end of tokens ---- */

static void expiry(int nodes, const char *const *args, int ms) {
  t_cluster *cluster = t_etcd_start(&(t_etcd_options){.nodes = nodes, .args = args});
  t_auth_enable(cluster);
  coord_client *ann = open_on_all(cluster, nodes, "ann", "annpw");
  load l;
  begin(&l, ann, false);
  pause_ms(ms);
  end(&l);
  long long logins = t_auth_logins(ann);
  if (logins < 2 || logins > ms / 200) T_FAIL("%lld logins in %d ms", logins, ms);
  coord_client_free(ann);
  t_etcd_stop(cluster);
}

static void jwt_of_one_second_on_one_node(void) { expiry(1, t_auth_jwt("1s"), 4000); }
static void jwt_of_two_seconds_on_three_nodes(void) { expiry(3, t_auth_jwt("2s"), 6000); }

static void jwt_while_roles_change(void) {
  char name[16];
  t_cluster *cluster = t_etcd_start(&(t_etcd_options){.nodes = 3, .args = t_auth_jwt("5m")});
  t_auth_enable(cluster);
  coord_client *root = open_on_all(cluster, 3, "root", "rootpw");
  coord_client *ann = open_on_all(cluster, 3, "ann", "annpw");
  load l;
  begin(&l, ann, false);
  for (int round = 0; round < 20; round++) {
    snprintf(name, sizeof name, "r%d", round);
    t_done(root, coord_op_role_add(name));
    pause_ms(50 + 20 * round);
  }
  end(&l);
  T_TRUE(t_auth_logins(ann) >= 2 && t_auth_logins(ann) <= 60);
  coord_client_free(ann);
  coord_client_free(root);
  t_etcd_stop(cluster);
}

/* ---- failover ---- */

static void failover(const char *const *args) {
  t_cluster *cluster = t_etcd_start(&(t_etcd_options){.nodes = 3, .args = args});
  t_auth_enable(cluster);
  coord_client *ann = open_on_all(cluster, 3, "ann", "annpw");
  load l;
  begin(&l, ann, true);
  for (int node = 0; node < 3; node++) {
    pause_ms(500);
    t_etcd_kill(cluster, node);
    pause_ms(500);
    t_etcd_restart(cluster, node);
  }
  pause_ms(500);
  end(&l);
  coord_client_free(ann);
  t_etcd_stop(cluster);
}

static void failover_with_simple_tokens(void) { failover(NULL); }
static void failover_with_jwt(void) { failover(t_auth_jwt("2s")); }

T_MAIN(T_CASE(switched_on_and_off_on_one_node), T_CASE(switched_on_and_off_on_three_nodes),
       T_CASE(password_set_again_on_one_node), T_CASE(password_set_again_on_three_nodes),
       T_CASE(jwt_of_one_second_on_one_node), T_CASE(jwt_of_two_seconds_on_three_nodes),
       T_CASE(jwt_while_roles_change), T_CASE(failover_with_simple_tokens),
       T_CASE(failover_with_jwt))
