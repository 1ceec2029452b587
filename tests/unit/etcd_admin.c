/* Ops of administration: what is encoded, what is decoded, and every refusal. */
#include <string.h>

#include "base/alloc.h"
#include "etcd/admin.h"
#include "etcd/request.h"
#include "etcd/result.h"
#include "support/t.h"

static const coord__limits limits = {.request_max_bytes = 1572864, .request_max_ops = 128};

/* Encode an op, which is freed, and unpack what would be sent. The case ends when it fails. */
static void *sent(coord_op *op, coord__method_index method, bool read_only) {
  coord_error *err = NULL;
  coord__request request = {0};
  T_FATAL(op != NULL);
  coord_code code = coord__op_encode(op, &limits, &request, &err);
  T_OK(code, err);
  coord_error_free(err);
  coord_op_free(op);
  T_FATAL(code == COORD_OK);
  T_INT(request.method->index, method);
  T_INT(request.read_only, read_only);
  void *message = protobuf_c_message_unpack(request.method->request, NULL,
                                            request.body.len - COORD__FRAME_HEADROOM,
                                            request.body.data + COORD__FRAME_HEADROOM);
  T_FATAL(message != NULL);
  coord__request_free(&request);
  return message;
}

static void done(void *message) { protobuf_c_message_free_unpacked(message, NULL); }

static void refused(coord_op *op, const char *part) {
  coord_error *err = NULL;
  coord__request request = {0};
  T_ERROR(coord__op_encode(op, &limits, &request, &err), COORD_INVALID, err, part);
  coord_op_free(op);
}

#define T_BYTES(field, text) T_MEM((field).data, (field).len, text, sizeof(text) - 1)

static void ops_without_arguments(void) {
  done(sent(coord_op_auth_enable(), COORD__METHOD_AUTH_ENABLE, false));
  done(sent(coord_op_auth_disable(), COORD__METHOD_AUTH_DISABLE, false));
  done(sent(coord_op_auth_status(), COORD__METHOD_AUTH_STATUS, true));
  done(sent(coord_op_user_list(), COORD__METHOD_USER_LIST, true));
  done(sent(coord_op_role_list(), COORD__METHOD_ROLE_LIST, true));
}

static void users(void) {
  Etcdserverpb__AuthUserAddRequest *add =
      sent(coord_op_user_add("ann", "se cret"), COORD__METHOD_USER_ADD, false);
  T_STR(add->name, "ann");
  T_STR(add->password, "se cret");
  T_TRUE(add->options == NULL);
  done(add);
  add = sent(coord_op_user_add("b\xc3\xa9", NULL), COORD__METHOD_USER_ADD, false);
  T_STR(add->name, "b\xc3\xa9");
  T_STR(add->password, "");
  T_TRUE(add->options != NULL && add->options->no_password);
  done(add);
  Etcdserverpb__AuthUserDeleteRequest *del =
      sent(coord_op_user_delete("ann"), COORD__METHOD_USER_DELETE, false);
  T_STR(del->name, "ann");
  done(del);
  Etcdserverpb__AuthUserGetRequest *get =
      sent(coord_op_user_get("ann"), COORD__METHOD_USER_GET, true);
  T_STR(get->name, "ann");
  done(get);
  Etcdserverpb__AuthUserChangePasswordRequest *password =
      sent(coord_op_user_password("ann", "new"), COORD__METHOD_USER_PASSWORD, false);
  T_STR(password->name, "ann");
  T_STR(password->password, "new");
  done(password);
  Etcdserverpb__AuthUserGrantRoleRequest *grant =
      sent(coord_op_user_grant("ann", "dev"), COORD__METHOD_USER_GRANT, false);
  T_STR(grant->user, "ann");
  T_STR(grant->role, "dev");
  done(grant);
  Etcdserverpb__AuthUserRevokeRoleRequest *revoke =
      sent(coord_op_user_revoke("ann", "dev"), COORD__METHOD_USER_REVOKE, false);
  T_STR(revoke->name, "ann");
  T_STR(revoke->role, "dev");
  done(revoke);
}

static void roles(void) {
  Etcdserverpb__AuthRoleAddRequest *add =
      sent(coord_op_role_add("dev"), COORD__METHOD_ROLE_ADD, false);
  T_STR(add->name, "dev");
  done(add);
  Etcdserverpb__AuthRoleDeleteRequest *del =
      sent(coord_op_role_delete("dev"), COORD__METHOD_ROLE_DELETE, false);
  T_STR(del->role, "dev");
  done(del);
  Etcdserverpb__AuthRoleGetRequest *get =
      sent(coord_op_role_get("dev"), COORD__METHOD_ROLE_GET, true);
  T_STR(get->role, "dev");
  done(get);
}

static void permissions(void) {
  Etcdserverpb__AuthRoleGrantPermissionRequest *grant =
      sent(coord_op_role_grant("dev", COORD_PERMISSION_WRITE, "k\0y", 3), COORD__METHOD_ROLE_GRANT,
           false);
  T_STR(grant->name, "dev");
  T_INT(grant->perm->permtype, ETCDSERVERPB__PERMISSION__TYPE__WRITE);
  T_BYTES(grant->perm->key, "k\0y");
  T_INT(grant->perm->range_end.len, 0);
  done(grant);
  coord_op *op = coord_op_role_grant("dev", COORD_PERMISSION_READ_WRITE, "a/", 2);
  T_CODE(coord_op_set_prefix(op), COORD_OK);
  grant = sent(op, COORD__METHOD_ROLE_GRANT, false);
  T_INT(grant->perm->permtype, ETCDSERVERPB__PERMISSION__TYPE__READWRITE);
  T_BYTES(grant->perm->key, "a/");
  T_BYTES(grant->perm->range_end, "a0");
  done(grant);
  op = coord_op_role_grant("dev", COORD_PERMISSION_READ, NULL, 0);
  T_CODE(coord_op_set_prefix(op), COORD_OK);
  grant = sent(op, COORD__METHOD_ROLE_GRANT, false);
  T_BYTES(grant->perm->key, "\0");
  T_BYTES(grant->perm->range_end, "\0");
  done(grant);
  op = coord_op_role_revoke("dev", "a", 1);
  T_CODE(coord_op_set_range_end(op, "b", 1), COORD_OK);
  Etcdserverpb__AuthRoleRevokePermissionRequest *revoke =
      sent(op, COORD__METHOD_ROLE_REVOKE, false);
  T_STR(revoke->role, "dev");
  T_BYTES(revoke->key, "a");
  T_BYTES(revoke->range_end, "b");
  done(revoke);
}

static void bad_names_are_refused(void) {
  char longest[4098];
  memset(longest, 'n', sizeof longest);
  longest[sizeof longest - 1] = '\0';
  refused(coord_op_user_add(NULL, "x"), "user_add: the user name is NULL");
  refused(coord_op_user_add("", "x"), "user_add: the user name is empty");
  refused(coord_op_user_add("\xff", "x"), "the user name \"\\xff\" is not UTF-8");
  refused(coord_op_user_add(longest, "x"), "the user name has 4097 bytes: 4096 at most");
  refused(coord_op_user_delete(""), "user_delete: the user name is empty");
  refused(coord_op_user_get(NULL), "user_get: the user name is NULL");
  refused(coord_op_user_grant("", "r"), "user name is empty");
  refused(coord_op_user_grant("u", ""), "role name is empty");
  refused(coord_op_user_revoke("u", NULL), "role name is NULL");
  refused(coord_op_role_add(""), "role_add: the role name is empty");
  refused(coord_op_role_delete("\xc3"), "not UTF-8");
  refused(coord_op_role_get(""), "role name is empty");
  refused(coord_op_role_grant("", 0, "k", 1), "role name is empty");
  refused(coord_op_role_revoke(longest, "k", 1), "4097 bytes");
}

/* What is wrong with a password is told without it. */
static void bad_passwords_are_refused(void) {
  char longest[74];
  memset(longest, 'p', sizeof longest);
  longest[sizeof longest - 1] = '\0';
  refused(coord_op_user_add("u", ""), "the password is empty");
  refused(coord_op_user_add("u", longest), "the password has 73 bytes: bcrypt");
  refused(coord_op_user_password("u", NULL), "the password is NULL");
  refused(coord_op_user_password("u", ""), "the password is empty");
  refused(coord_op_user_password("u", "\xff"), "the password is not UTF-8");
  longest[72] = '\0';
  done(sent(coord_op_user_add("u", longest), COORD__METHOD_USER_ADD, false));
}

static void bad_permissions_are_refused(void) {
  refused(coord_op_role_grant("r", 3, "k", 1), "the permission is 3: it is 0 (read)");
  refused(coord_op_role_grant("r", -1, "k", 1), "the permission is -1");
  refused(coord_op_role_grant("r", 0, NULL, 1), "key is NULL although its length is 1");
  refused(coord_op_role_grant("r", 0, "k", SIZE_MAX), "more than memory can hold");
  refused(coord_op_role_grant("r", 0, "", 0), "role_grant: the key is empty");
  refused(coord_op_role_revoke("r", NULL, 0), "role_revoke: the key is empty");
  coord_op *op = coord_op_role_grant("r", 0, "k", 1);
  T_CODE(coord_op_set_prefix(op), COORD_OK);
  T_CODE(coord_op_set_range_end(op, "z", 1), COORD_INVALID);
  refused(op, "it has only one");
  op = coord_op_user_list();
  T_CODE(coord_op_set_prefix(op), COORD_INVALID);
  refused(op, "user_list: a prefix or range end is for");
  op = coord_op_user_list();
  T_CODE(coord_op_set(op, COORD_OP_LIMIT, 1), COORD_INVALID);
  refused(op, "user_list has no attribute limit");
  op = coord_op_txn();
  coord_op *inner = coord_op_role_add("r");
  T_CODE(coord_op_then(op, inner), COORD_INVALID);
  refused(op, "op 0 of then is a role_add");
  coord_op_free(inner);
}

/* ---- answers ---- */

static coord_result *decoded(coord_op *op, const void *message) {
  uint8_t bytes[512];
  coord_result *result = NULL;
  coord_error *err = NULL;
  size_t len = protobuf_c_message_pack(message, bytes);
  T_OK(op->admin->decode(bytes, len, &result, &err), err);
  T_FATAL(result != NULL);
  /* Cut anywhere it is another valid message or none, but never a crash. */
  for (size_t n = 0; n < len; n++) {
    coord_result *part = NULL;
    if (op->admin->decode(bytes, n, &part, NULL) == COORD_OK) coord_result_free(part);
  }
  for (long n = 0; n < 3; n++) {
    coord_result *none = NULL;
    coord__alloc_fail_after(n);
    coord_code code = op->admin->decode(bytes, len, &none, NULL);
    coord__alloc_fail_after(-1);
    T_TRUE(code == COORD_OK || code == COORD_NO_MEMORY);
    coord_result_free(none);
  }
  coord_op_free(op);
  return result;
}

static void names_are_decoded(void) {
  Etcdserverpb__ResponseHeader header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
  header.revision = 7;
  char *names[] = {"ann", "root"};
  Etcdserverpb__AuthUserListResponse list = ETCDSERVERPB__AUTH_USER_LIST_RESPONSE__INIT;
  list.header = &header;
  list.users = names;
  list.n_users = 2;
  coord_result *result = decoded(coord_op_user_list(), &list);
  T_INT(coord_result_revision(result), 7);
  T_INT(coord_result_names(result), 2);
  T_STR(coord_result_name(result, 1), "root");
  T_STR(coord_result_name(result, 2), NULL);
  T_HAS(coord_result_json(result), "\"users\":[\"ann\",\"root\"]");
  T_INT(coord_result_permissions(result), 0);
  coord_result_free(result);
}

static void permissions_are_decoded(void) {
  Etcdserverpb__ResponseHeader header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
  Etcdserverpb__Permission perm = ETCDSERVERPB__PERMISSION__INIT;
  Etcdserverpb__Permission *perms[] = {&perm};
  Etcdserverpb__AuthRoleGetResponse role = ETCDSERVERPB__AUTH_ROLE_GET_RESPONSE__INIT;
  perm.permtype = ETCDSERVERPB__PERMISSION__TYPE__READWRITE;
  perm.key = (ProtobufCBinaryData){.data = (uint8_t *)"a\0", .len = 2};
  role.header = &header;
  role.perm = perms;
  role.n_perm = 1;
  coord_result *result = decoded(coord_op_role_get("r"), &role);
  int32_t permission = -1;
  const void *key = NULL;
  const void *end = NULL;
  size_t key_len = 9;
  size_t end_len = 9;
  T_CODE(coord_result_permission(result, 0, &permission, &key, &key_len, &end, &end_len), COORD_OK);
  T_INT(permission, COORD_PERMISSION_READ_WRITE);
  T_MEM(key, key_len, "a\0", 2);
  T_MEM(end, end_len, "", 0);
  T_CODE(coord_result_permission(result, 0, NULL, NULL, NULL, NULL, NULL), COORD_OK);
  T_CODE(coord_result_permission(result, 1, NULL, NULL, NULL, NULL, NULL), COORD_INVALID);
  T_CODE(coord_result_permission(NULL, 0, NULL, NULL, NULL, NULL, NULL), COORD_INVALID);
  T_HAS(coord_result_json(result),
        "\"perm\":[{\"permType\":\"READWRITE\",\"key\":\"YQA=\",\"range_end\":\"\"}]");
  coord_result_free(result);
}

static void status_is_decoded(void) {
  Etcdserverpb__ResponseHeader header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
  Etcdserverpb__AuthStatusResponse status = ETCDSERVERPB__AUTH_STATUS_RESPONSE__INIT;
  status.header = &header;
  coord_result *result = decoded(coord_op_auth_status(), &status);
  T_INT(coord_result_succeeded(result), 0);
  coord_result_free(result);
  status.enabled = 1;
  status.authrevision = 9;
  result = decoded(coord_op_auth_status(), &status);
  T_INT(coord_result_succeeded(result), 1);
  T_HAS(coord_result_json(result), "\"enabled\":true,\"authRevision\":\"9\"");
  coord_result_free(result);
}

static void answer_without_header_is_none_of_etcd(void) {
  coord_result *result = NULL;
  coord_error *err = NULL;
  coord_op *op = coord_op_user_list();
  T_ERROR(op->admin->decode((const uint8_t *)"", 0, &result, &err), COORD_PROTOCOL, err,
          "AuthUserListResponse");
  coord_op_free(op);
}

static void building_without_memory(void) {
  for (long n = 0; n < 6; n++) {
    coord__request request = {0};
    coord__alloc_fail_after(n);
    coord_op *op = coord_op_role_grant("r", 1, "key", 3);
    coord_code code = op != NULL ? coord_op_set_range_end(op, "z", 1) : COORD_NO_MEMORY;
    if (code == COORD_OK) code = coord__op_encode(op, &limits, &request, NULL);
    coord__alloc_fail_after(-1);
    T_TRUE(code == COORD_OK || code == COORD_NO_MEMORY);
    coord__request_free(&request);
    coord_op_free(op);
  }
}

T_MAIN(T_CASE(ops_without_arguments), T_CASE(users), T_CASE(roles), T_CASE(permissions),
       T_CASE(bad_names_are_refused), T_CASE(bad_passwords_are_refused),
       T_CASE(bad_permissions_are_refused), T_CASE(names_are_decoded),
       T_CASE(permissions_are_decoded), T_CASE(status_is_decoded),
       T_CASE(answer_without_header_is_none_of_etcd), T_CASE(building_without_memory))
