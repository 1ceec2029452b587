/* What the statuses and messages of a server mean. */
#include "etcd/request.h"
#include "support/t.h"

enum { R = COORD_RETRIABLE, M = COORD_MAYBE_APPLIED };

/* For a write; a read never has MAYBE_APPLIED. */
static const struct {
  int status;
  const char *message;
  coord_code code;
  uint32_t flags;
} known[] = {
    {0, "", COORD_OK, 0},
    {1, "", COORD_CANCELED, M},
    {2, "something", COORD_INTERNAL, M},
    {3, "etcdserver: key is not provided", COORD_INVALID, 0},
    {3, "etcdserver: duplicate key given in txn request", COORD_INVALID, 0},
    {4, "", COORD_TIMEOUT, M},
    {5, "", COORD_NOT_FOUND, 0},
    {6, "", COORD_CONFLICT, 0},
    {7, "", COORD_AUTH, 0},
    {8, "", COORD_EXHAUSTED, M},
    {9, "etcdserver: re-configuration failed", COORD_CONFLICT, 0},
    {10, "", COORD_CONFLICT, 0},
    {11, "", COORD_INVALID, 0},
    {12, "unknown service", COORD_UNSUPPORTED, 0},
    {13, "", COORD_INTERNAL, M},
    {14, "upstream connect error: permission denied", COORD_UNAVAILABLE, R | M},
    {15, "etcdserver: corrupt cluster", COORD_INTERNAL, 0},
    {15, "", COORD_INTERNAL, M},
    {16, "", COORD_AUTH, 0},
    {17, "", COORD_PROTOCOL, M},
    {-1, NULL, COORD_PROTOCOL, M},
    {1 << 30, "", COORD_PROTOCOL, M},
    {11, "etcdserver: mvcc: required revision has been compacted", COORD_COMPACTED, 0},
    {11, "etcdserver: mvcc: required revision is a future revision", COORD_INVALID, 0},
    {11, "etcdserver: too large lease TTL", COORD_INVALID, 0},
    {8, "etcdserver: mvcc: database space exceeded", COORD_EXHAUSTED, 0},
    {8, "etcdserver: too many requests", COORD_EXHAUSTED, R},
    {3, "etcdserver: request is too large", COORD_TOO_LARGE, 0},
    {8, "grpc: received message larger than max (2097170 vs. 2097152)", COORD_TOO_LARGE, 0},
    {8, "trying to send message larger than max (5 vs. 4)", COORD_TOO_LARGE, M},
    {5, "etcdserver: requested lease not found", COORD_NOT_FOUND, 0},
    {9, "etcdserver: lease already exists", COORD_CONFLICT, 0},
    {5, "etcdserver: member not found", COORD_NOT_FOUND, 0},
    {9, "etcdserver: user name not found", COORD_NOT_FOUND, 0},
    {9, "etcdserver: role name not found", COORD_NOT_FOUND, 0},
    {9, "etcdserver: root user does not exist", COORD_NOT_FOUND, 0},
    {9, "etcdserver: role is not granted to the user", COORD_NOT_FOUND, 0},
    {9, "etcdserver: permission is not granted to the role", COORD_NOT_FOUND, 0},
    {9, "etcdserver: user name already exists", COORD_CONFLICT, 0},
    {9, "etcdserver: role name already exists", COORD_CONFLICT, 0},
    {9, "etcdserver: root user does not have root role", COORD_CONFLICT, 0},
    {3, "etcdserver: invalid auth management", COORD_CONFLICT, 0},
    {7, "etcdserver: permission denied", COORD_AUTH, 0},
    {2, "rpc error: code = PermissionDenied desc = etcdserver: permission denied", COORD_AUTH, 0},
    {16, "etcdserver: invalid auth token", COORD_AUTH, 0},
    {3, "etcdserver: user name is empty", COORD_AUTH, 0},
    {3, "etcdserver: revision of auth store is old", COORD_AUTH, 0},
    {3, "etcdserver: authentication failed, invalid user ID or password", COORD_AUTH, 0},
    {9, "etcdserver: authentication is not enabled", COORD_AUTH, 0},
    {14, "etcdserver: no leader", COORD_UNAVAILABLE, R},
    {9, "etcdserver: not leader", COORD_UNAVAILABLE, R},
    {14, "etcdserver: leader changed", COORD_UNAVAILABLE, R | M},
    {14, "etcdserver: request timed out", COORD_UNAVAILABLE, R | M},
    {14, "etcdserver: request timed out, possibly due to connection lost", COORD_UNAVAILABLE,
     R | M},
    {14, "etcdserver: server stopped", COORD_UNAVAILABLE, R | M},
    {14, "etcdserver: unhealthy cluster", COORD_UNAVAILABLE, R},
    {9, "etcdserver: rpc not supported for learner", COORD_UNAVAILABLE, R},
    {9, "etcdserver: not capable", COORD_UNSUPPORTED, 0},
    {2, "raft proposal dropped", COORD_UNAVAILABLE, R},
    {2, "raft: stopped", COORD_UNAVAILABLE, R | M},
    {2, "context deadline exceeded", COORD_TIMEOUT, M},
    {2, "context canceled", COORD_CANCELED, M},
};

static void of_a_write(void) {
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    uint32_t flags = 99;
    coord_code code = coord__etcd_status(known[i].status, known[i].message, false, &flags);
    if (code != known[i].code || flags != known[i].flags) {
      T_FAIL("%d \"%s\": %s %u", known[i].status, known[i].message, coord_code_name(code), flags);
    }
  }
}

static void of_a_read(void) {
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    uint32_t flags = 99;
    T_INT(coord__etcd_status(known[i].status, known[i].message, true, &flags), known[i].code);
    T_INT(flags, known[i].flags & R);
  }
}

static void without_message_or_flags(void) {
  T_INT(coord__etcd_status(14, NULL, true, NULL), COORD_UNAVAILABLE);
  T_INT(coord__etcd_status(0, "etcdserver: no leader", false, NULL), COORD_OK);
}

T_MAIN(T_CASE(of_a_write), T_CASE(of_a_read), T_CASE(without_message_or_flags))
