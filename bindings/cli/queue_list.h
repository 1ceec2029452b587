/* Who stands in the queue of a lock. */
#ifndef CLI_QUEUE_LIST_H
#define CLI_QUEUE_LIST_H

#include "args.h"

/* Prints them, the oldest first. `permits` is that of a semaphore whose keys do not say. */
int queue_list(const struct args *args, const struct bytes *name, int64_t permits);

#endif
