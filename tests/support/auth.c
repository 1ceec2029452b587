#include "support/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "etcd/client.h"

void t_auth_users(coord_client *client, const char *prefix) {
  t_done(client, coord_op_user_add("root", "rootpw"));
  t_done(client, coord_op_role_add("root"));
  t_done(client, coord_op_user_grant("root", "root"));
  t_done(client, coord_op_user_add("ann", "annpw"));
  t_done(client, coord_op_role_add("dev"));
  t_done(client, coord_op_user_grant("ann", "dev"));
  coord_op *grant = coord_op_role_grant("dev", COORD_PERMISSION_READ_WRITE, prefix, strlen(prefix));
  T_CODE(coord_op_set_prefix(grant), COORD_OK);
  t_done(client, grant);
}

void t_auth_prepare(t_cluster *cluster) {
  coord_client *client = t_client_with("endpoints", t_etcd_endpoint(cluster, 0), NULL);
  t_auth_users(client, "t/");
  coord_client_free(client);
}

void t_auth_enable(t_cluster *cluster) {
  t_auth_prepare(cluster);
  coord_client *client = t_client_with("endpoints", t_etcd_endpoint(cluster, 0), NULL);
  t_done(client, coord_op_auth_enable());
  coord_client_free(client);
}

/* ---- JWT ---- */

static char key_dir[] = "/tmp/coord-jwt-XXXXXX";
static bool has_keys;

static void remove_keys(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", key_dir);
  if (has_keys && system(command) != 0) fprintf(stderr, "# %s is left\n", key_dir);
}

static void make_keys(void) {
  char command[512];
  if (has_keys) return;
  T_FATAL(mkdtemp(key_dir) != NULL);
  has_keys = true;
  t_at_exit(remove_keys);
  snprintf(command, sizeof command,
           "cd '%s' && openssl genrsa -out key 2048 2>/dev/null && "
           "openssl rsa -in key -pubout -out pub 2>/dev/null",
           key_dir);
  if (system(command) != 0) T_SKIP("no openssl to make keys with");
}

const char *const *t_auth_jwt(const char *ttl) {
  static char arguments[4][256];
  static const char *lists[4][2];
  static int used;
  make_keys();
  T_FATAL(used < 4);
  snprintf(arguments[used], sizeof *arguments,
           "--auth-token=jwt,pub-key=%s/pub,priv-key=%s/key,sign-method=RS256,ttl=%s", key_dir,
           key_dir, ttl);
  lists[used][0] = arguments[used];
  return lists[used++];
}

/* ---- clients ---- */

coord_client *t_auth_client(t_cluster *cluster, const char *user, const char *password) {
  return t_client_with("endpoints", t_etcd_endpoint(cluster, 0), "username", user, "password",
                       password, "log.level", getenv("T_AUTH_LOG") ? "debug" : "error", NULL);
}

long long t_auth_logins(const coord_client *client) {
  const coord__method_stats *m = atomic_load(&client->stats.methods[COORD__METHOD_AUTHENTICATE]);
  return m != NULL ? atomic_load(&m->calls) : 0;
}
