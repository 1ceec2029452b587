#include "coord/auth.h"

#include "etcd/admin.h"
#include "etcd/result.h"

coord_op *coord_op_auth_enable(void) { return coord__op_auth_enable(); }

coord_op *coord_op_auth_disable(void) { return coord__op_auth_disable(); }

coord_op *coord_op_auth_status(void) { return coord__op_auth_status(); }

coord_op *coord_op_user_add(const char *name, const char *password) {
  return coord__op_user_add(name, password);
}

coord_op *coord_op_user_delete(const char *name) { return coord__op_user_delete(name); }

coord_op *coord_op_user_get(const char *name) { return coord__op_user_get(name); }

coord_op *coord_op_user_list(void) { return coord__op_user_list(); }

coord_op *coord_op_user_password(const char *name, const char *password) {
  return coord__op_user_password(name, password);
}

coord_op *coord_op_user_grant(const char *name, const char *role) {
  return coord__op_user_grant(name, role);
}

coord_op *coord_op_user_revoke(const char *name, const char *role) {
  return coord__op_user_revoke(name, role);
}

coord_op *coord_op_role_add(const char *name) { return coord__op_role_add(name); }

coord_op *coord_op_role_delete(const char *name) { return coord__op_role_delete(name); }

coord_op *coord_op_role_get(const char *name) { return coord__op_role_get(name); }

coord_op *coord_op_role_list(void) { return coord__op_role_list(); }

coord_op *coord_op_role_grant(const char *role, int32_t permission, const void *key,
                              size_t key_len) {
  return coord__op_role_grant(role, permission, key, key_len);
}

coord_op *coord_op_role_revoke(const char *role, const void *key, size_t key_len) {
  return coord__op_role_revoke(role, key, key_len);
}

size_t coord_result_names(const coord_result *result) {
  return result != NULL ? result->name_count : 0;
}

const char *coord_result_name(const coord_result *result, size_t i) {
  return result != NULL && i < result->name_count ? result->names[i] : NULL;
}

size_t coord_result_permissions(const coord_result *result) {
  return result != NULL ? result->permission_count : 0;
}

static void hand_out(const ProtobufCBinaryData *bytes, const void **data, size_t *len) {
  if (data != NULL) *data = bytes->len > 0 ? (const void *)bytes->data : "";
  if (len != NULL) *len = bytes->len;
}

coord_code coord_result_permission(const coord_result *result, size_t i, int32_t *permission,
                                   const void **key, size_t *key_len, const void **end,
                                   size_t *end_len) {
  if (result == NULL || i >= result->permission_count) return COORD_INVALID;
  const Etcdserverpb__Permission *perm = result->permissions[i];
  if (permission != NULL) *permission = (int32_t)perm->permtype;
  hand_out(&perm->key, key, key_len);
  hand_out(&perm->range_end, end, end_len);
  return COORD_OK;
}
