/* The methods of etcd that this library calls. */
#ifndef COORD_ETCD_METHOD_H
#define COORD_ETCD_METHOD_H

#include "rpc/method.h"

typedef enum coord__method_index {
  COORD__METHOD_RANGE,
  COORD__METHOD_RANGE_STREAM, /* etcd 3.7; the answer is a stream of RangeStreamResponse */
  COORD__METHOD_PUT,
  COORD__METHOD_DELETE,
  COORD__METHOD_TXN,
  COORD__METHOD_COMPACT,
  COORD__METHOD_WATCH, /* a stream both ways */
  COORD__METHOD_LEASE_GRANT,
  COORD__METHOD_LEASE_REVOKE,
  COORD__METHOD_LEASE_KEEPALIVE, /* a stream both ways */
  COORD__METHOD_LEASE_TTL,
  COORD__METHOD_LEASE_LIST,
  COORD__METHOD_STATUS,
  COORD__METHOD_MEMBERS,
  COORD__METHOD_COUNT
} coord__method_index;

extern const coord__method coord__methods[COORD__METHOD_COUNT];

#endif
