#include "coord/barrier.h"

#include "coord/barrier_ops.h"

coord_op *coord_op_barrier_raise(const void *name, size_t name_len) {
  return coord__op_barrier_raise(name, name_len);
}

coord_op *coord_op_barrier_lower(const void *name, size_t name_len) {
  return coord__op_barrier_lower(name, name_len);
}

coord_op *coord_op_barrier_wait(const void *name, size_t name_len) {
  return coord__op_barrier_wait(name, name_len);
}
