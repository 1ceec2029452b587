/* Users, roles and permissions, and switching authentication on and off: ops and what they answer. */
#ifndef COORD_AUTH_H
#define COORD_AUTH_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Ops as in coord/op.h, to be executed by coord_call or coord_submit; none can be part of a txn.
 * Names and passwords are UTF-8 and not empty; a password has at most 72 bytes, because bcrypt, by
 * which etcd keeps it, looks at no more. What is wrong is answered with COORD_INVALID at execution.
 * With authentication on, all but auth_status and asking for one's own user and roles need a user
 * with role root. @since 0.1 for all.
 */

/** Switch authentication on. User root, with role root, must exist. */
COORD_API coord_op *coord_op_auth_enable(void);
/** Switch authentication off. */
COORD_API coord_op *coord_op_auth_disable(void);
/** Ask whether it is on (coord_result_succeeded, coord_result_json). etcd 3.5 or newer. */
COORD_API coord_op *coord_op_auth_status(void);

/** Add a user. NULL for password: one who cannot log in, only be named by a client certificate. */
COORD_API coord_op *coord_op_user_add(const char *name, const char *password);
/** Delete a user. */
COORD_API coord_op *coord_op_user_delete(const char *name);
/** The roles of a user (coord_result_name). */
COORD_API coord_op *coord_op_user_get(const char *name);
/** All users (coord_result_name). */
COORD_API coord_op *coord_op_user_list(void);
/** Change the password of a user, whose tokens end with that. */
COORD_API coord_op *coord_op_user_password(const char *name, const char *password);
/** Give a role to a user. */
COORD_API coord_op *coord_op_user_grant(const char *name, const char *role);
/** Take a role from a user. */
COORD_API coord_op *coord_op_user_revoke(const char *name, const char *role);

/** Add a role. */
COORD_API coord_op *coord_op_role_add(const char *name);
/** Delete a role, also from all users. */
COORD_API coord_op *coord_op_role_delete(const char *name);
/** The permissions of a role (coord_result_permission). */
COORD_API coord_op *coord_op_role_get(const char *name);
/** All roles (coord_result_name). */
COORD_API coord_op *coord_op_role_list(void);

/** What a permission allows. */
enum { COORD_PERMISSION_READ = 0, COORD_PERMISSION_WRITE = 1, COORD_PERMISSION_READ_WRITE = 2 };

/**
 * Give a permission to a role: on one key, or on a range by coord_op_set_prefix or
 * coord_op_set_range_end. One on the same range is replaced.
 *
 * @param permission  COORD_PERMISSION_READ, ...
 */
COORD_API coord_op *coord_op_role_grant(const char *role, int32_t permission, const void *key,
                                        size_t key_len);
/** Take a permission from a role; key and range exactly as they were granted. */
COORD_API coord_op *coord_op_role_revoke(const char *role, const void *key, size_t key_len);

/** user_list, role_list, user_get: how many names the result holds; 0 for others. */
COORD_API size_t coord_result_names(const coord_result *result);
/** Name number i; NULL when i is out of range. Borrowed until the result is freed. */
COORD_API const char *coord_result_name(const coord_result *result, size_t i);
/** role_get: how many permissions the result holds; 0 for others. */
COORD_API size_t coord_result_permissions(const coord_result *result);
/**
 * Permission number i. All is borrowed until the result is freed, and each out-parameter may be
 * NULL.
 *
 * @param permission  [out,opt] COORD_PERMISSION_READ, ...
 * @param key         [out,opt] the key, or the first one of the range
 * @param end         [out,opt] the first key behind the range; length 0: one key alone; "\0" of
 *                    length 1: no upper bound
 * @return COORD_OK, COORD_INVALID (i out of range, or result is NULL)
 */
COORD_API coord_code coord_result_permission(const coord_result *result, size_t i,
                                             int32_t *permission, const void **key, size_t *key_len,
                                             const void **end, size_t *end_len);

#ifdef __cplusplus
}
#endif

#endif
