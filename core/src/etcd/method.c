#include "etcd/method.h"

#include "etcd.pb-c.h"

/* clang-format off */
#define METHOD(index, name, grpc, gateway, request, response)                          \
  [index] = {index, name, "/etcdserverpb." grpc, gateway,                              \
             &etcdserverpb__##request##__descriptor, &etcdserverpb__##response##__descriptor}

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
};
/* clang-format on */
