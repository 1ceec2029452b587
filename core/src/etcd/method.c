#include "etcd/method.h"

#include "etcd.pb-c.h"

/* clang-format off */
#define ROW(index, name, grpc, gateway, request, response, secret)                     \
  [index] = {index, name, "/etcdserverpb." grpc, gateway,                              \
             &etcdserverpb__##request##__descriptor, &etcdserverpb__##response##__descriptor, secret}
#define METHOD(index, name, grpc, gateway, request, response)                          \
  ROW(index, name, grpc, gateway, request, response, false)
#define SECRET(index, name, grpc, gateway, request, response)                          \
  ROW(index, name, grpc, gateway, request, response, true)

const coord__method coord__methods[COORD__METHOD_COUNT] = {
    METHOD(COORD__METHOD_RANGE, "get", "KV/Range", "/v3/kv/range",
           range_request, range_response),
    METHOD(COORD__METHOD_RANGE_STREAM, "get_stream", "KV/RangeStream", NULL,
           range_request, range_stream_response),
    METHOD(COORD__METHOD_PUT, "put", "KV/Put", "/v3/kv/put",
           put_request, put_response),
    METHOD(COORD__METHOD_DELETE, "delete", "KV/DeleteRange", "/v3/kv/deleterange",
           delete_range_request, delete_range_response),
    METHOD(COORD__METHOD_TXN, "txn", "KV/Txn", "/v3/kv/txn",
           txn_request, txn_response),
    METHOD(COORD__METHOD_COMPACT, "compact", "KV/Compact", "/v3/kv/compaction",
           compaction_request, compaction_response),
    METHOD(COORD__METHOD_WATCH, "watch", "Watch/Watch", "/v3/watch",
           watch_request, watch_response),
    METHOD(COORD__METHOD_LEASE_GRANT, "lease_grant", "Lease/LeaseGrant", "/v3/lease/grant",
           lease_grant_request, lease_grant_response),
    METHOD(COORD__METHOD_LEASE_REVOKE, "lease_revoke", "Lease/LeaseRevoke", "/v3/lease/revoke",
           lease_revoke_request, lease_revoke_response),
    METHOD(COORD__METHOD_LEASE_KEEPALIVE, "lease_keepalive", "Lease/LeaseKeepAlive",
           "/v3/lease/keepalive", lease_keep_alive_request, lease_keep_alive_response),
    METHOD(COORD__METHOD_LEASE_TTL, "lease_ttl", "Lease/LeaseTimeToLive", "/v3/lease/timetolive",
           lease_time_to_live_request, lease_time_to_live_response),
    METHOD(COORD__METHOD_LEASE_LIST, "lease_list", "Lease/LeaseLeases", "/v3/lease/leases",
           lease_leases_request, lease_leases_response),
    METHOD(COORD__METHOD_STATUS, "status", "Maintenance/Status", "/v3/maintenance/status",
           status_request, status_response),
    METHOD(COORD__METHOD_MEMBERS, "members", "Cluster/MemberList", "/v3/cluster/member/list",
           member_list_request, member_list_response),
    SECRET(COORD__METHOD_AUTHENTICATE, "authenticate", "Auth/Authenticate", "/v3/auth/authenticate",
           authenticate_request, authenticate_response),
    METHOD(COORD__METHOD_AUTH_ENABLE, "auth_enable", "Auth/AuthEnable", "/v3/auth/enable",
           auth_enable_request, auth_enable_response),
    METHOD(COORD__METHOD_AUTH_DISABLE, "auth_disable", "Auth/AuthDisable", "/v3/auth/disable",
           auth_disable_request, auth_disable_response),
    METHOD(COORD__METHOD_AUTH_STATUS, "auth_status", "Auth/AuthStatus", "/v3/auth/status",
           auth_status_request, auth_status_response),
    SECRET(COORD__METHOD_USER_ADD, "user_add", "Auth/UserAdd", "/v3/auth/user/add",
           auth_user_add_request, auth_user_add_response),
    METHOD(COORD__METHOD_USER_DELETE, "user_delete", "Auth/UserDelete", "/v3/auth/user/delete",
           auth_user_delete_request, auth_user_delete_response),
    METHOD(COORD__METHOD_USER_GET, "user_get", "Auth/UserGet", "/v3/auth/user/get",
           auth_user_get_request, auth_user_get_response),
    METHOD(COORD__METHOD_USER_LIST, "user_list", "Auth/UserList", "/v3/auth/user/list",
           auth_user_list_request, auth_user_list_response),
    SECRET(COORD__METHOD_USER_PASSWORD, "user_password", "Auth/UserChangePassword", "/v3/auth/user/changepw",
           auth_user_change_password_request, auth_user_change_password_response),
    METHOD(COORD__METHOD_USER_GRANT, "user_grant", "Auth/UserGrantRole", "/v3/auth/user/grant",
           auth_user_grant_role_request, auth_user_grant_role_response),
    METHOD(COORD__METHOD_USER_REVOKE, "user_revoke", "Auth/UserRevokeRole", "/v3/auth/user/revoke",
           auth_user_revoke_role_request, auth_user_revoke_role_response),
    METHOD(COORD__METHOD_ROLE_ADD, "role_add", "Auth/RoleAdd", "/v3/auth/role/add",
           auth_role_add_request, auth_role_add_response),
    METHOD(COORD__METHOD_ROLE_DELETE, "role_delete", "Auth/RoleDelete", "/v3/auth/role/delete",
           auth_role_delete_request, auth_role_delete_response),
    METHOD(COORD__METHOD_ROLE_GET, "role_get", "Auth/RoleGet", "/v3/auth/role/get",
           auth_role_get_request, auth_role_get_response),
    METHOD(COORD__METHOD_ROLE_LIST, "role_list", "Auth/RoleList", "/v3/auth/role/list",
           auth_role_list_request, auth_role_list_response),
    METHOD(COORD__METHOD_ROLE_GRANT, "role_grant", "Auth/RoleGrantPermission", "/v3/auth/role/grant",
           auth_role_grant_permission_request, auth_role_grant_permission_response),
    METHOD(COORD__METHOD_ROLE_REVOKE, "role_revoke", "Auth/RoleRevokePermission", "/v3/auth/role/revoke",
           auth_role_revoke_permission_request, auth_role_revoke_permission_response),
};
/* clang-format on */
