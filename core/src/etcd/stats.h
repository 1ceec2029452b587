/* What a client has done: counted by its I/O, read by any thread. */
#ifndef COORD_ETCD_STATS_H
#define COORD_ETCD_STATS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "coord/base.h"
#include "etcd/method.h"
#include "rpc/rpc.h"

/* Four buckets to each power of two of microseconds, from 1 us to over a minute. */
enum { COORD__STATS_BUCKETS = 4 * 27 };

typedef struct coord__method_stats {
  atomic_llong calls;
  atomic_llong errors;
  atomic_llong bytes_sent;
  atomic_llong bytes_received;
  atomic_llong latency_sum_us;
  atomic_llong latency_max_us;
  atomic_uint buckets[COORD__STATS_BUCKETS];
} coord__method_stats;

typedef struct coord__stats {
  _Atomic(coord__method_stats *) methods[COORD__METHOD_COUNT]; /* NULL until first used */
  atomic_llong in_flight;
} coord__stats;

/* One writer at a time: the I/O thread. */
void coord__stats_record(coord__stats *stats, const coord__method *method, int64_t latency_ns,
                         size_t sent, size_t received, int failed);
void coord__stats_free(coord__stats *stats);

/* One JSON object; NULL when memory is out. */
char *coord__stats_json(const coord__stats *stats, const coord__rpc_counters *rpc,
                        const coord__endpoints *endpoints);

/* Lowest and highest latency that the bucket stands for, for the tests. */
int coord__stats_bucket(int64_t us);
int64_t coord__stats_bucket_top_us(int bucket);

#endif
