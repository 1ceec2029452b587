/* Barriers: many wait until one lets them go. */
#ifndef COORD_BARRIER_H
#define COORD_BARRIER_H

#include "coord/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A barrier is one key, its name, without a lease, as Go's recipe Barrier has it: it is raised as long as
 * the key is there. Whoever raised it may die meanwhile; docs/RECIPES.md says what to do about that.
 *
 * Constructors as those in coord/op.h. None needs a handle, and any client executes them.
 */

/**
 * An op that raises a barrier. COORD_CONFLICT: it is raised already.
 *
 * @return owned by the caller; NULL when memory is out
 * @threads any   @blocks no   @since 0.1
 */
COORD_API coord_op *coord_op_barrier_raise(const void *name, size_t name_len);
/** An op that lowers it, whoever raised it; one that is lowered already too. @since 0.1 */
COORD_API coord_op *coord_op_barrier_lower(const void *name, size_t name_len);
/**
 * An op that waits until the barrier is lowered; not at all when it is not raised. It goes on through
 * lost connections and compactions. The deadline bounds the wait: a negative timeout waits for as long as
 * it takes. A barrier that was raised again before this was noticed is waited for. COORD_TIMEOUT,
 * COORD_CANCELED. @since 0.1
 */
COORD_API coord_op *coord_op_barrier_wait(const void *name, size_t name_len);

#ifdef __cplusplus
}
#endif

#endif
