/* Barriers. Same contracts as in coord/barrier.h. */
#ifndef COORD_COORD_BARRIER_OPS_H
#define COORD_COORD_BARRIER_OPS_H

#include "coord/barrier.h"
#include "etcd/op.h"

coord_op *coord__op_barrier_raise(const void *name, size_t name_len);
coord_op *coord__op_barrier_lower(const void *name, size_t name_len);
coord_op *coord__op_barrier_wait(const void *name, size_t name_len);

#endif
