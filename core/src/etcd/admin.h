/* Ops that are one message with nothing to compose, one table row to each: users, roles and
 * permissions here, leases in etcd/lease.h. */
#ifndef COORD_ETCD_ADMIN_H
#define COORD_ETCD_ADMIN_H

#include "coord/auth.h"
#include "etcd/method.h"
#include "etcd/op.h"
#include "etcd/request.h"

typedef struct coord__admin {
  coord__method_index method;
  coord__decode_fn decode;
  bool read_only;
} coord__admin;

/* The functions behind coord_op_auth_..., _user_..., _role_...; same contracts. */
coord_op *coord__op_auth_enable(void);
coord_op *coord__op_auth_disable(void);
coord_op *coord__op_auth_status(void);
coord_op *coord__op_user_add(const char *name, const char *password);
coord_op *coord__op_user_delete(const char *name);
coord_op *coord__op_user_get(const char *name);
coord_op *coord__op_user_list(void);
coord_op *coord__op_user_password(const char *name, const char *password);
coord_op *coord__op_user_grant(const char *name, const char *role);
coord_op *coord__op_user_revoke(const char *name, const char *role);
coord_op *coord__op_role_add(const char *name);
coord_op *coord__op_role_delete(const char *name);
coord_op *coord__op_role_get(const char *name);
coord_op *coord__op_role_list(void);
coord_op *coord__op_role_grant(const char *role, int32_t permission, const void *key,
                               size_t key_len);
coord_op *coord__op_role_revoke(const char *role, const void *key, size_t key_len);

/* An op of a row whose message holds no texts. NULL when memory is out. */
coord_op *coord__op_plain(const coord__admin *admin);

const char *coord__admin_name(const coord_op *op);
/* What is left to check when all attributes are set. */
coord_code coord__admin_check(const coord_op *op, coord_error **err);

#endif
