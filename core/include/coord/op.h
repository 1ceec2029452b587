/* An op: a verb as data. Built, then executed by coord_call or coord_submit, any number of times. */
#ifndef COORD_OP_H
#define COORD_OP_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Constructors return an op owned by the caller (coord_op_free), or NULL when memory is out.
 * Arguments are not judged here: a NULL pointer with a length, an empty key and the like are
 * remembered and answered with COORD_INVALID and a message when the op is executed or composed.
 * One thread at a time; nothing blocks. @since 0.1 for all.
 */

/** Read one key, or a range with coord_op_set_prefix / coord_op_set_range_end. */
COORD_API coord_op *coord_op_get(const void *key, size_t key_len);
/** Write one key. */
COORD_API coord_op *coord_op_put(const void *key, size_t key_len, const void *value,
                                 size_t value_len);
/** Delete one key, or a range. */
COORD_API coord_op *coord_op_delete(const void *key, size_t key_len);
/** Forget history before `revision` (> 0); attribute COORD_OP_PHYSICAL waits for the disk. */
COORD_API coord_op *coord_op_compact(int64_t revision);
/** Ask the endpoint in use about itself: version, leader, database size (coord_result_json). */
COORD_API coord_op *coord_op_status(void);
/** List the members of the cluster (coord_result_json). */
COORD_API coord_op *coord_op_members(void);
/** A transaction: compares, ops when they all hold, ops when not. Empty compares hold. */
COORD_API coord_op *coord_op_txn(void);

/** What a compare looks at. A key that does not exist has version, create, mod and lease 0. */
enum {
  COORD_COMPARE_VERSION = 0,
  COORD_COMPARE_CREATE = 1,
  COORD_COMPARE_MOD = 2,
  COORD_COMPARE_VALUE = 3,
  COORD_COMPARE_LEASE = 4
};
/** How it is compared with the operand. */
enum { COORD_EQUAL = 0, COORD_GREATER = 1, COORD_LESS = 2, COORD_NOT_EQUAL = 3 };

/**
 * Add a compare on a number to a txn.
 *
 * @param target    COORD_COMPARE_VERSION, _CREATE, _MOD or _LEASE
 * @param relation  COORD_EQUAL, ...
 * @return COORD_OK, COORD_INVALID (not a txn, unknown target or relation), COORD_NO_MEMORY
 */
COORD_API coord_code coord_op_if_int(coord_op *txn, const void *key, size_t key_len, int32_t target,
                                     int32_t relation, int64_t operand);
/** Add a compare on the value to a txn. A key that does not exist never holds. Codes as above. */
COORD_API coord_code coord_op_if_value(coord_op *txn, const void *key, size_t key_len,
                                       int32_t relation, const void *value, size_t value_len);
/**
 * Stretch the newest compare of a txn over the range [its key, end): it holds when it holds for
 * every key in there. `end` as in coord_op_set_range_end; NULL with length 0 means the prefix.
 */
COORD_API coord_code coord_op_if_range(coord_op *txn, const void *end, size_t end_len);
/**
 * Add an op (get, put, delete or txn) to do when all compares hold; it is copied. Transactions nest
 * at most 64 deep.
 */
COORD_API coord_code coord_op_then(coord_op *txn, const coord_op *op);
/** Add an op to do when some compare does not hold; it is copied. */
COORD_API coord_code coord_op_else(coord_op *txn, const coord_op *op);

/** All keys that begin with the op's key; an empty key then means all keys. Get and delete. */
COORD_API coord_code coord_op_set_prefix(coord_op *op);
/** All keys k with key <= k < end, in byte order. `end` "\0" of length 1 means no upper bound. */
COORD_API coord_code coord_op_set_range_end(coord_op *op, const void *end, size_t end_len);

/** Attributes for coord_op_set: etcd's, with etcd's meaning. In brackets: the ops that have them. */
enum {
  COORD_OP_LEASE = 0,                /* [put] attach the key to this lease id */
  COORD_OP_LIMIT = 1,                /* [get] most keys to return, 0 = all */
  COORD_OP_REVISION = 2,             /* [get] read at this past revision, 0 = now */
  COORD_OP_SERIALIZABLE = 3,         /* [get, members] 1: answer from this member, maybe stale */
  COORD_OP_KEYS_ONLY = 4,            /* [get] 1: no values */
  COORD_OP_COUNT_ONLY = 5,           /* [get] 1: only coord_result_total */
  COORD_OP_PREV_KV = 6,              /* [put, delete, watch] 1: return what was there before */
  COORD_OP_IGNORE_VALUE = 7,         /* [put] 1: keep the present value */
  COORD_OP_IGNORE_LEASE = 8,         /* [put] 1: keep the present lease */
  COORD_OP_SORT_BY = 9,              /* [get] COORD_SORT_KEY, ... */
  COORD_OP_SORT_DESCENDING = 10,     /* [get] 1: descending; 0: ascending */
  COORD_OP_MIN_MOD_REVISION = 11,    /* [get] 0 = no bound, for all four */
  COORD_OP_MAX_MOD_REVISION = 12,    /* [get] */
  COORD_OP_MIN_CREATE_REVISION = 13, /* [get] */
  COORD_OP_MAX_CREATE_REVISION = 14, /* [get] */
  COORD_OP_IDEMPOTENT = 15,          /* [put, delete, txn] 1: doing it twice is as good as once */
  COORD_OP_PHYSICAL = 16,            /* [compact] 1: answer when the space is reclaimed */
  COORD_OP_NO_PUTS = 17,             /* [watch: a get for coord_watch_open] 1: only deletes */
  COORD_OP_NO_DELETES = 18,          /* [watch] 1: only puts */
  COORD_OP_PROGRESS = 19 /* [watch] 1: tell now and then how far it is, without changes */
};
/** Values of COORD_OP_SORT_BY. */
enum {
  COORD_SORT_KEY = 0,
  COORD_SORT_VERSION = 1,
  COORD_SORT_CREATE = 2,
  COORD_SORT_MOD = 3,
  COORD_SORT_VALUE = 4
};

/**
 * Set an attribute.
 *
 * @return COORD_OK; COORD_INVALID: the op has no such attribute, or the value is out of range
 *         (negative revisions and limits, flags other than 0 and 1)
 */
COORD_API coord_code coord_op_set(coord_op *op, int32_t attribute, int64_t value);

/** Free an op; those it was added to and calls under way keep their own copy. NULL is fine. */
COORD_API void coord_op_free(coord_op *op);

#ifdef __cplusplus
}
#endif

#endif
