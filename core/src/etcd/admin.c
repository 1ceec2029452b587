#include "etcd/admin.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "etcd/json.h"
#include "etcd/result.h"

/* Longest name or password of which etcd is asked at all; it has no limit of its own for names. */
enum { NAME_MAX_BYTES = 4096, PASSWORD_MAX_BYTES = 72 };

/* ---- answers ---- */

#define DECODE(verb, type, fill)                                                                \
  static coord_code decode_##verb(const uint8_t *bytes, size_t len, coord_result **out,         \
                                  coord_error **err) {                                          \
    return coord__decode_with(&etcdserverpb__##type##__descriptor, fill, bytes, len, out, err); \
  }

static bool set_names(coord_result *result, const Etcdserverpb__ResponseHeader *header,
                      const char *field, char **names, size_t count) {
  result->names = names;
  result->name_count = count;
  result->json = coord__json_names(header, field, names, count, result->arena);
  return result->json != NULL;
}

static bool fill_user(coord_result *result, const void *message) {
  const Etcdserverpb__AuthUserGetResponse *user = message;
  return set_names(result, user->header, "roles", user->roles, user->n_roles);
}

static bool fill_users(coord_result *result, const void *message) {
  const Etcdserverpb__AuthUserListResponse *list = message;
  return set_names(result, list->header, "users", list->users, list->n_users);
}

static bool fill_roles(coord_result *result, const void *message) {
  const Etcdserverpb__AuthRoleListResponse *list = message;
  return set_names(result, list->header, "roles", list->roles, list->n_roles);
}

static bool fill_role(coord_result *result, const void *message) {
  const Etcdserverpb__AuthRoleGetResponse *role = message;
  result->permissions = role->perm;
  result->permission_count = role->n_perm;
  result->json = coord__json_permissions(role, result->arena);
  return result->json != NULL;
}

static bool fill_status(coord_result *result, const void *message) {
  const Etcdserverpb__AuthStatusResponse *status = message;
  result->succeeded = status->enabled != 0;
  result->json = coord__json_auth_status(status, result->arena);
  return result->json != NULL;
}

DECODE(auth_enable, auth_enable_response, NULL)
DECODE(auth_disable, auth_disable_response, NULL)
DECODE(auth_status, auth_status_response, fill_status)
DECODE(user_add, auth_user_add_response, NULL)
DECODE(user_delete, auth_user_delete_response, NULL)
DECODE(user_get, auth_user_get_response, fill_user)
DECODE(user_list, auth_user_list_response, fill_users)
DECODE(user_password, auth_user_change_password_response, NULL)
DECODE(user_grant, auth_user_grant_role_response, NULL)
DECODE(user_revoke, auth_user_revoke_role_response, NULL)
DECODE(role_add, auth_role_add_response, NULL)
DECODE(role_delete, auth_role_delete_response, NULL)
DECODE(role_get, auth_role_get_response, fill_role)
DECODE(role_list, auth_role_list_response, fill_roles)
DECODE(role_grant, auth_role_grant_permission_response, NULL)
DECODE(role_revoke, auth_role_revoke_permission_response, NULL)

/* ---- requests ---- */

const char *coord__admin_name(const coord_op *op) { return coord__methods[op->admin->method].name; }

/* One text of an op: what it is called in errors, and how long it may be. */
typedef struct text {
  const char *what;
  const char *value;
  bool secret;
} text;

static void check_text(coord_op *op, const text *t) {
  const char *name = coord__admin_name(op);
  size_t most = t->secret ? PASSWORD_MAX_BYTES : NAME_MAX_BYTES;
  char shown[COORD__SHOWN] = "";
  if (t->value != NULL && !t->secret) coord__show(shown, t->value, strlen(t->value));
  if (t->value == NULL) {
    coord__op_fault(op, COORD_INVALID, "%s: the %s is NULL", name, t->what);
  } else if (t->value[0] == '\0') {
    coord__op_fault(op, COORD_INVALID, "%s: the %s is empty", name, t->what);
  } else if (strlen(t->value) > most) {
    coord__op_fault(op, COORD_INVALID, "%s: the %s has %zu bytes: %s%zu at most", name, t->what,
                    strlen(t->value), t->secret ? "bcrypt, by which etcd keeps it, takes " : "",
                    most);
  } else if (!coord__utf8_ok(t->value)) {
    coord__op_fault(op, COORD_INVALID, "%s: the %s%s%s%s is not UTF-8", name, t->what,
                    t->secret ? "" : " \"", shown, t->secret ? "" : "\"");
  }
}

static bool usable(const text *t) { return t->value != NULL && strlen(t->value) <= NAME_MAX_BYTES; }

/* An op whose message begins with `count` texts, which are copied behind it, and `extra` bytes of
 * room after them, at *room. */
static coord_op *new_admin(const coord__admin *admin, const text *texts, size_t count, size_t extra,
                           void **room) {
  /* What is behind the texts may be a struct: it comes first. */
  size_t size = extra;
  for (size_t i = 0; i < count; i++) {
    if (usable(&texts[i])) size += strlen(texts[i].value) + 1;
  }
  coord_op *op = coord__op_new(COORD__OP_ADMIN, size);
  if (op == NULL) return NULL;
  op->admin = admin;
  const ProtobufCMessageDescriptor *type = coord__methods[admin->method].request;
  protobuf_c_message_init(type, &op->message);
  char *place = (char *)(op + 1);
  if (room != NULL) *room = place;
  place += extra;
  for (size_t i = 0; i < count; i++) {
    check_text(op, &texts[i]);
    if (!usable(&texts[i])) continue;
    size_t n = strlen(texts[i].value) + 1;
    memcpy(place, texts[i].value, n);
    memcpy((char *)&op->message + type->fields[i].offset, &place, sizeof place);
    place += n;
  }
  return op;
}

static coord_op *new_named(const coord__admin *admin, const char *what, const char *name) {
  return new_admin(admin, &(text){what, name, false}, 1, 0, NULL);
}

coord_op *coord__op_plain(const coord__admin *admin) { return new_admin(admin, NULL, 0, 0, NULL); }

coord_op *coord__op_auth_enable(void) {
  static const coord__admin admin = {COORD__METHOD_AUTH_ENABLE, decode_auth_enable, false};
  return new_admin(&admin, NULL, 0, 0, NULL);
}

coord_op *coord__op_auth_disable(void) {
  static const coord__admin admin = {COORD__METHOD_AUTH_DISABLE, decode_auth_disable, false};
  return new_admin(&admin, NULL, 0, 0, NULL);
}

coord_op *coord__op_auth_status(void) {
  static const coord__admin admin = {COORD__METHOD_AUTH_STATUS, decode_auth_status, true};
  return new_admin(&admin, NULL, 0, 0, NULL);
}

coord_op *coord__op_user_add(const char *name, const char *password) {
  static const coord__admin admin = {COORD__METHOD_USER_ADD, decode_user_add, false};
  const text texts[] = {{"user name", name, false}, {"password", password, true}};
  if (password != NULL) return new_admin(&admin, texts, 2, 0, NULL);
  Etcdserverpb__UserAddOptions *options = NULL;
  void *room;
  coord_op *op = new_admin(&admin, texts, 1, sizeof *options, &room);
  if (op == NULL) return NULL;
  options = room;
  etcdserverpb__user_add_options__init(options);
  options->no_password = 1;
  op->message.user_add.options = options;
  return op;
}

coord_op *coord__op_user_delete(const char *name) {
  static const coord__admin admin = {COORD__METHOD_USER_DELETE, decode_user_delete, false};
  return new_named(&admin, "user name", name);
}

coord_op *coord__op_user_get(const char *name) {
  static const coord__admin admin = {COORD__METHOD_USER_GET, decode_user_get, true};
  return new_named(&admin, "user name", name);
}

coord_op *coord__op_user_list(void) {
  static const coord__admin admin = {COORD__METHOD_USER_LIST, decode_user_list, true};
  return new_admin(&admin, NULL, 0, 0, NULL);
}

coord_op *coord__op_user_password(const char *name, const char *password) {
  static const coord__admin admin = {COORD__METHOD_USER_PASSWORD, decode_user_password, false};
  const text texts[] = {{"user name", name, false}, {"password", password, true}};
  return new_admin(&admin, texts, 2, 0, NULL);
}

coord_op *coord__op_user_grant(const char *name, const char *role) {
  static const coord__admin admin = {COORD__METHOD_USER_GRANT, decode_user_grant, false};
  const text texts[] = {{"user name", name, false}, {"role name", role, false}};
  return new_admin(&admin, texts, 2, 0, NULL);
}

coord_op *coord__op_user_revoke(const char *name, const char *role) {
  static const coord__admin admin = {COORD__METHOD_USER_REVOKE, decode_user_revoke, false};
  const text texts[] = {{"user name", name, false}, {"role name", role, false}};
  return new_admin(&admin, texts, 2, 0, NULL);
}

coord_op *coord__op_role_add(const char *name) {
  static const coord__admin admin = {COORD__METHOD_ROLE_ADD, decode_role_add, false};
  return new_named(&admin, "role name", name);
}

coord_op *coord__op_role_delete(const char *name) {
  static const coord__admin admin = {COORD__METHOD_ROLE_DELETE, decode_role_delete, false};
  return new_named(&admin, "role name", name);
}

coord_op *coord__op_role_get(const char *name) {
  static const coord__admin admin = {COORD__METHOD_ROLE_GET, decode_role_get, true};
  return new_named(&admin, "role name", name);
}

coord_op *coord__op_role_list(void) {
  static const coord__admin admin = {COORD__METHOD_ROLE_LIST, decode_role_list, true};
  return new_admin(&admin, NULL, 0, 0, NULL);
}

/* The key, with room for the end of its prefix, behind `head` bytes of room. */
static coord_op *new_ranged(const coord__admin *admin, const char *role, size_t head,
                            const void *key, size_t key_len, void **room) {
  bool good = key_len == 0 || (key != NULL && key_len <= PTRDIFF_MAX / 4);
  size_t len = good ? key_len : 0;
  coord_op *op = new_admin(admin, &(text){"role name", role, false}, 1, head + 2 * len, room);
  if (op == NULL) return NULL;
  uint8_t *place = (uint8_t *)*room + head;
  if (len > 0) memcpy(place, key, len);
  op->prefix_end = place + len;
  coord__op_bytes_ok(op, "key", key, key_len);
  return op;
}

static void set_range(coord_op *op, ProtobufCBinaryData *key, ProtobufCBinaryData *end,
                      size_t key_len) {
  *key = (ProtobufCBinaryData){.data = op->prefix_end - key_len, .len = key_len};
  op->admin_key = key;
  op->admin_end = end;
}

/* What was laid down of a key. */
static size_t laid_down(const coord_op *op, size_t key_len) {
  return op->fault_code == COORD_OK ? key_len : 0;
}

coord_op *coord__op_role_grant(const char *role, int32_t permission, const void *key,
                               size_t key_len) {
  static const coord__admin admin = {COORD__METHOD_ROLE_GRANT, decode_role_grant, false};
  Etcdserverpb__Permission *perm = NULL;
  void *room;
  coord_op *op = new_ranged(&admin, role, sizeof *perm, key, key_len, &room);
  if (op == NULL) return NULL;
  perm = room;
  etcdserverpb__permission__init(perm);
  op->message.role_grant.perm = perm;
  set_range(op, &perm->key, &perm->range_end, laid_down(op, key_len));
  if (permission < COORD_PERMISSION_READ || permission > COORD_PERMISSION_READ_WRITE) {
    coord__op_fault(op, COORD_INVALID,
                    "role_grant: the permission is %" PRId32
                    ": it is 0 (read), 1 (write) or 2 (read and write)",
                    permission);
    return op;
  }
  perm->permtype = (Etcdserverpb__Permission__Type)permission;
  return op;
}

coord_op *coord__op_role_revoke(const char *role, const void *key, size_t key_len) {
  static const coord__admin admin = {COORD__METHOD_ROLE_REVOKE, decode_role_revoke, false};
  void *room;
  coord_op *op = new_ranged(&admin, role, 0, key, key_len, &room);
  if (op == NULL) return NULL;
  set_range(op, &op->message.role_revoke.key, &op->message.role_revoke.range_end,
            laid_down(op, key_len));
  return op;
}

coord_code coord__admin_check(const coord_op *op, coord_error **err) {
  if (op->admin_key == NULL || op->admin_key->len > 0) return COORD_OK;
  return coord__fail(err, COORD_INVALID,
                     "%s: the key is empty: name a key, or set a prefix (all keys) or a range end",
                     coord__admin_name(op));
}
