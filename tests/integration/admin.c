/* Users, roles, permissions and the switch, on a real etcd. */
#include <stdio.h>
#include <string.h>

#include "support/etcd.h"

/* A name that no other case uses. */
static char *name_of(char name[64], const char *suffix) {
  snprintf(name, 64, "%llx-%s", (unsigned long long)t_case_id(), suffix);
  return name;
}

static bool has_name(const coord_result *result, const char *name) {
  for (size_t i = 0; i < coord_result_names(result); i++) {
    if (strcmp(coord_result_name(result, i), name) == 0) return true;
  }
  return false;
}

static bool listed(coord_client *client, coord_op *op, const char *name) {
  coord_result *result = t_call(client, op);
  bool found = has_name(result, name);
  coord_result_free(result);
  return found;
}

static void user_comes_and_goes(void) {
  char ann[64], bob[64];
  coord_client *client = t_client();
  t_done(client, coord_op_user_add(name_of(ann, "ann"), "secret"));
  t_done(client, coord_op_user_add(name_of(bob, "b\xc3\xb6"), NULL));
  T_TRUE(listed(client, coord_op_user_list(), ann));
  T_TRUE(listed(client, coord_op_user_list(), bob));
  coord_result *result = t_call(client, coord_op_user_get(ann));
  T_INT(coord_result_names(result), 0);
  T_HAS(coord_result_json(result), "\"roles\":[]");
  T_TRUE(coord_result_revision(result) > 0);
  coord_result_free(result);
  t_done(client, coord_op_user_password(ann, "other"));
  t_done(client, coord_op_user_delete(ann));
  T_TRUE(!listed(client, coord_op_user_list(), ann));
  T_TRUE(listed(client, coord_op_user_list(), bob));
  coord_client_free(client);
}

static void roles_are_granted_and_revoked(void) {
  char ann[64], dev[64], ops[64];
  coord_client *client = t_client();
  t_done(client, coord_op_user_add(name_of(ann, "ann"), "secret"));
  t_done(client, coord_op_role_add(name_of(dev, "dev")));
  t_done(client, coord_op_role_add(name_of(ops, "ops")));
  T_TRUE(listed(client, coord_op_role_list(), dev));
  t_done(client, coord_op_user_grant(ann, dev));
  t_done(client, coord_op_user_grant(ann, ops));
  coord_result *result = t_call(client, coord_op_user_get(ann));
  T_INT(coord_result_names(result), 2);
  T_TRUE(has_name(result, dev) && has_name(result, ops));
  coord_result_free(result);
  t_done(client, coord_op_user_revoke(ann, ops));
  T_TRUE(!listed(client, coord_op_user_get(ann), ops));
  t_done(client, coord_op_role_delete(dev));
  T_TRUE(!listed(client, coord_op_user_get(ann), dev));
  T_TRUE(!listed(client, coord_op_role_list(), dev));
  coord_client_free(client);
}

static void expect_permission(const coord_result *role, int32_t permission, const char *key,
                              size_t key_len, const char *end, size_t end_len) {
  for (size_t i = 0; i < coord_result_permissions(role); i++) {
    int32_t p;
    const void *k, *e;
    size_t kn, en;
    T_CODE(coord_result_permission(role, i, &p, &k, &kn, &e, &en), COORD_OK);
    if (kn != key_len || memcmp(k, key, kn) != 0) continue;
    T_INT(p, permission);
    T_MEM(e, en, end, end_len);
    return;
  }
  T_FAIL("no permission on %s", key);
}

static coord_op *ranged(coord_op *op, const char *end, size_t end_len) {
  T_CODE(end != NULL ? coord_op_set_range_end(op, end, end_len) : coord_op_set_prefix(op),
         COORD_OK);
  return op;
}

static void permissions_of_every_kind(void) {
  char dev[64];
  coord_client *client = t_client();
  t_done(client, coord_op_role_add(name_of(dev, "dev")));
  t_done(client, coord_op_role_grant(dev, COORD_PERMISSION_READ, "k\0y", 3));
  t_done(client, ranged(coord_op_role_grant(dev, COORD_PERMISSION_WRITE, "a/", 2), NULL, 0));
  t_done(client, ranged(coord_op_role_grant(dev, COORD_PERMISSION_READ_WRITE, "b", 1), "d", 1));
  t_done(client, ranged(coord_op_role_grant(dev, COORD_PERMISSION_READ, "x", 1), "\0", 1));
  t_done(client, ranged(coord_op_role_grant(dev, COORD_PERMISSION_READ, "", 0), NULL, 0));
  coord_result *role = t_call(client, coord_op_role_get(dev));
  T_INT(coord_result_permissions(role), 5);
  expect_permission(role, COORD_PERMISSION_READ, "k\0y", 3, "", 0);
  expect_permission(role, COORD_PERMISSION_WRITE, "a/", 2, "a0", 2);
  expect_permission(role, COORD_PERMISSION_READ_WRITE, "b", 1, "d", 1);
  expect_permission(role, COORD_PERMISSION_READ, "x", 1, "\0", 1);
  expect_permission(role, COORD_PERMISSION_READ, "\0", 1, "\0", 1);
  coord_result_free(role);
  /* On the same range it is replaced. */
  t_done(client, coord_op_role_grant(dev, COORD_PERMISSION_READ_WRITE, "k\0y", 3));
  t_done(client, ranged(coord_op_role_revoke(dev, "a/", 2), NULL, 0));
  t_done(client, ranged(coord_op_role_revoke(dev, "x", 1), "\0", 1));
  role = t_call(client, coord_op_role_get(dev));
  T_INT(coord_result_permissions(role), 3);
  expect_permission(role, COORD_PERMISSION_READ_WRITE, "k\0y", 3, "", 0);
  coord_result_free(role);
  coord_client_free(client);
}

static void what_does_not_exist_is_told(void) {
  char ann[64], dev[64], message[256];
  coord_client *client = t_client();
  t_done(client, coord_op_user_add(name_of(ann, "ann"), "secret"));
  t_done(client, coord_op_role_add(name_of(dev, "dev")));
  t_call_fails(client, coord_op_user_get("nobody"), COORD_NOT_FOUND, message);
  T_STR(message, "user_get: etcdserver: user name not found");
  t_call_fails(client, coord_op_user_delete("nobody"), COORD_NOT_FOUND, NULL);
  t_call_fails(client, coord_op_user_password("nobody", "x"), COORD_NOT_FOUND, NULL);
  t_call_fails(client, coord_op_user_grant("nobody", dev), COORD_NOT_FOUND, NULL);
  t_call_fails(client, coord_op_user_grant(ann, "nothing"), COORD_NOT_FOUND, message);
  T_HAS(message, "role name not found");
  t_call_fails(client, coord_op_user_revoke(ann, dev), COORD_NOT_FOUND, message);
  T_HAS(message, "role is not granted to the user");
  t_call_fails(client, coord_op_role_get("nothing"), COORD_NOT_FOUND, NULL);
  t_call_fails(client, coord_op_role_delete("nothing"), COORD_NOT_FOUND, NULL);
  t_call_fails(client, coord_op_role_grant("nothing", 0, "k", 1), COORD_NOT_FOUND, NULL);
  t_call_fails(client, coord_op_role_revoke("nothing", "k", 1), COORD_NOT_FOUND, NULL);
  t_call_fails(client, coord_op_role_revoke(dev, "k", 1), COORD_NOT_FOUND, message);
  T_HAS(message, "permission is not granted to the role");
  coord_client_free(client);
}

static void what_exists_already_is_told(void) {
  char ann[64], dev[64];
  coord_client *client = t_client();
  t_done(client, coord_op_user_add(name_of(ann, "ann"), "secret"));
  t_call_fails(client, coord_op_user_add(ann, "secret"), COORD_CONFLICT, NULL);
  t_done(client, coord_op_role_add(name_of(dev, "dev")));
  t_call_fails(client, coord_op_role_add(dev), COORD_CONFLICT, NULL);
  /* Granting twice is fine. */
  t_done(client, coord_op_user_grant(ann, dev));
  t_done(client, coord_op_user_grant(ann, dev));
  coord_client_free(client);
}

static void bad_input_is_refused_before_it_is_sent(void) {
  char message[256];
  coord_client *client = t_client();
  t_call_fails(client, coord_op_user_add("", "x"), COORD_INVALID, message);
  T_HAS(message, "the user name is empty");
  t_call_fails(client, coord_op_role_grant("r", 7, "k", 1), COORD_INVALID, message);
  T_HAS(message, "the permission is 7");
  t_call_fails(client, coord_op_user_password("u", "\xfe"), COORD_INVALID, message);
  T_HAS(message, "not UTF-8");
  coord_client_free(client);
}

/* A name may hold anything that is text, and be long; a password has 72 bytes at most. */
static void names_of_all_sorts(void) {
  char message[256];
  char longest[4097];
  char password[74];
  coord_client *client = t_client();
  memset(longest, 'n', sizeof longest);
  snprintf(longest, 32, "%llx", (unsigned long long)t_case_id());
  longest[strlen(longest)] = '-';
  longest[4096] = '\0';
  memset(password, 'p', sizeof password);
  password[72] = '\0';
  t_done(client, coord_op_user_add(longest, password));
  T_TRUE(listed(client, coord_op_user_list(), longest));
  t_done(client, coord_op_user_delete(longest));
  t_done(client, coord_op_role_add("a b\"\\\x01/\xe2\x82\xac"));
  T_TRUE(listed(client, coord_op_role_list(), "a b\"\\\x01/\xe2\x82\xac"));
  t_done(client, coord_op_role_delete("a b\"\\\x01/\xe2\x82\xac"));
  password[72] = 'p';
  password[73] = '\0';
  t_call_fails(client, coord_op_user_add("u", password), COORD_INVALID, message);
  T_HAS(message, "73 bytes");
  coord_client_free(client);
}

static void the_switch(void) {
  char message[256];
  t_cluster *cluster = t_etcd_start(NULL);
  coord_client *client = t_client_with("endpoints", t_etcd_endpoint(cluster, 0), NULL);
  t_call_fails(client, coord_op_auth_enable(), COORD_NOT_FOUND, message);
  T_STR(message, "auth_enable: etcdserver: root user does not exist");
  t_done(client, coord_op_user_add("root", "rootpw"));
  t_call_fails(client, coord_op_auth_enable(), COORD_CONFLICT, message);
  T_HAS(message, "root user does not have root role");
  if (!t_etcd_is_at_least(3, 5)) {
    t_call_fails(client, coord_op_auth_status(), COORD_UNSUPPORTED, message);
  } else {
    coord_result *result = t_call(client, coord_op_auth_status());
    T_INT(coord_result_succeeded(result), 0);
    T_HAS(coord_result_json(result), "\"enabled\":false");
    coord_result_free(result);
  }
  t_done(client, coord_op_role_add("root"));
  t_done(client, coord_op_user_grant("root", "root"));
  t_done(client, coord_op_auth_disable()); /* off already: fine */
  t_done(client, coord_op_auth_enable());
  t_call_fails(client, coord_op_user_list(), COORD_AUTH, message);
  T_STR(message, "user_list: etcdserver: user name is empty");
  coord_client *root = t_client_with("endpoints", t_etcd_endpoint(cluster, 0), "username", "root",
                                     "password", "rootpw", NULL);
  t_done(root, coord_op_auth_enable()); /* on already: fine */
  if (t_etcd_is_at_least(3, 5)) {
    coord_result *result = t_call(root, coord_op_auth_status());
    T_INT(coord_result_succeeded(result), 1);
    T_HAS(coord_result_json(result), "\"enabled\":true");
    coord_result_free(result);
  }
  t_call_fails(root, coord_op_user_delete("root"), COORD_CONFLICT, message);
  T_HAS(message, "invalid auth management");
  t_done(root, coord_op_auth_disable());
  t_done(client, coord_op_user_list());
  coord_client_free(root);
  coord_client_free(client);
  t_etcd_stop(cluster);
}

T_MAIN(T_CASE(user_comes_and_goes), T_CASE(roles_are_granted_and_revoked),
       T_CASE(permissions_of_every_kind), T_CASE(what_does_not_exist_is_told),
       T_CASE(what_exists_already_is_told), T_CASE(bad_input_is_refused_before_it_is_sent),
       T_CASE(names_of_all_sorts), T_CASE(the_switch))
