/* Ops from the inside: an op holds the very message that will be sent. */
#ifndef COORD_ETCD_OP_H
#define COORD_ETCD_OP_H

#include <stdbool.h>

#include "base/arena.h"
#include "coord/error.h"
#include "coord/op.h"
#include "etcd.pb-c.h"

struct coord__task;

typedef enum coord__op_kind {
  COORD__OP_GET,
  COORD__OP_PUT,
  COORD__OP_DELETE,
  COORD__OP_COMPACT,
  COORD__OP_STATUS,
  COORD__OP_MEMBERS,
  COORD__OP_TXN,
  COORD__OP_ADMIN,
  COORD__OP_CUSTOM
} coord__op_kind;

/* A verb that is a conversation instead of one call. `self` is shared, not copied. Start and cancel
 * run on the I/O thread; each leads to coord__task_complete, at once or later, exactly once. */
typedef struct coord__op_class {
  const char *name;
  void (*retain)(void *self);
  void (*release)(void *self);
  /* The client that it belongs to: the only one that may execute it. NULL: any may. */
  const coord_client *(*client)(const void *self);
  void (*start)(void *self, struct coord__task *task);
  /* End it now with this code: deadline, cancel, or the end of the client. */
  void (*cancel)(void *self, struct coord__task *task, coord_code code, const char *why);
} coord__op_class;

/* How deep transactions may be nested: packing, unpacking and checking them recurse. */
enum { COORD__TXN_DEPTH = 64 };

enum {
  COORD__WATCH_PREV_KV = 1,
  COORD__WATCH_NO_PUTS = 2,
  COORD__WATCH_NO_DELETES = 4,
  COORD__WATCH_PROGRESS = 8
};

/* GET, PUT and DELETE keep key and value behind the struct, in the same block. The first fault of
 * an op stays with it and fails its execution, so that no op is sent with half of what was asked. */
struct coord_op {
  coord__op_kind kind;
  coord_code fault_code; /* COORD_OK: none */
  char *fault;           /* NULL: none, or memory was out */
  bool idempotent;
  uint32_t watch;      /* get: COORD__WATCH_..., attributes that only a watch has */
  bool has_end;        /* a prefix or range end was set */
  bool changes;        /* txn: holds a put or delete, at any depth */
  int depth;           /* txn: 1, or 1 + that of the deepest txn within */
  uint8_t *prefix_end; /* get, delete: room for key_len bytes behind the key */
  void *range_end;     /* get, delete: the copy of a range end */
  coord__arena *arena; /* txn: compares and ops */
  size_t compare_room; /* txn: capacities of the three lists */
  size_t then_room;
  size_t else_room;
  const struct coord__admin *admin; /* admin: which one; etcd/admin.h */
  ProtobufCBinaryData *admin_key;   /* admin: of a permission */
  ProtobufCBinaryData *admin_end;
  size_t extra;                 /* bytes behind the struct, that come to an end with it */
  const coord__op_class *class; /* custom */
  void *self;
  union {
    ProtobufCMessage base;
    Etcdserverpb__RangeRequest get;
    Etcdserverpb__PutRequest put;
    Etcdserverpb__DeleteRangeRequest del;
    Etcdserverpb__CompactionRequest compact;
    Etcdserverpb__StatusRequest status;
    Etcdserverpb__MemberListRequest members;
    Etcdserverpb__TxnRequest txn;
    Etcdserverpb__AuthUserAddRequest user_add; /* and other texts and nothing else */
    Etcdserverpb__AuthRoleGrantPermissionRequest role_grant;
    Etcdserverpb__AuthRoleRevokePermissionRequest role_revoke;
    Etcdserverpb__LeaseGrantRequest lease_grant;
    Etcdserverpb__LeaseRevokeRequest lease_revoke;
    Etcdserverpb__LeaseKeepAliveRequest lease_keepalive;
    Etcdserverpb__LeaseTimeToLiveRequest lease_info;
  } message;
};

/* The functions behind coord_op_...; same contracts. */
coord_op *coord__op_get(const void *key, size_t key_len);
coord_op *coord__op_put(const void *key, size_t key_len, const void *value, size_t value_len);
coord_op *coord__op_delete(const void *key, size_t key_len);
coord_op *coord__op_compact(int64_t revision);
coord_op *coord__op_status(void);
coord_op *coord__op_members(void);
coord_op *coord__op_custom(const coord__op_class *class, void *self);
coord_code coord__op_set_prefix(coord_op *op);
coord_code coord__op_set_range_end(coord_op *op, const void *end, size_t end_len);
coord_code coord__op_set(coord_op *op, int32_t attribute, int64_t value);
void coord__op_free(coord_op *op);

/* "get", "put", ... or the name of the class. */
const char *coord__op_name(const coord_op *op);

/* A new op of a kind, without a key. NULL when memory is out. */
coord_op *coord__op_new(coord__op_kind kind, size_t extra);

/* A copy of a get that begins at another key (NULL: the same) with another limit and revision.
 * Its range end stays. NULL when memory is out. */
coord_op *coord__op_get_page(const coord_op *get, const void *key, size_t key_len, int64_t limit,
                             int64_t revision);

/* Remember the first fault of an op; later ones are dropped. Returns code. */
coord_code coord__op_fault(coord_op *op, coord_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What can be said of an op without knowing the limits: COORD_OK, or its fault. */
coord_code coord__op_check(const coord_op *op, coord_error **err);
/* Only what came to light while it was made. */
coord_code coord__op_fault_of(const coord_op *op, coord_error **err);

/* The end of the range of all keys that begin with `key` (key_len > 0), into `end`, which has room
 * for key_len bytes. Returns its length. A key of 0xff bytes has none: "\0" then, no upper bound. */
size_t coord__prefix_end(const void *key, size_t key_len, uint8_t *end);

/* NULL with a length, or a length that no object has, is a fault of the op. */
bool coord__op_bytes_ok(coord_op *op, const char *what, const void *p, size_t n);

#endif
