/*
 * coord: coordination on etcd. The whole C interface; each noun has its own header.
 *
 *   a HANDLE is a thing  (client, queue, scan, lease, ...)  opened, closed, freed
 *   an OP    is a verb   (get, put, delete, txn, ...)     built as data, then executed
 *   a QUEUE  is time     (what completes or changes)      one pollable descriptor
 *
 * One function executes an op and waits (coord_call), one starts it and returns (coord_submit).
 *
 * Rules that hold for every function:
 *   - coord_code is 0 or negative; results leave by out-parameters, which are left untouched on
 *     failure unless stated otherwise;
 *   - the last parameter `coord_error **err` is optional (NULL), set on failure only, owned by the
 *     caller, readable from any thread; under memory exhaustion it may stay NULL;
 *   - bytes are (const void *, size_t) and never assumed to end in NUL; `const char *` is UTF-8 text;
 *   - inputs are copied before a function returns: the caller keeps and frees its own;
 *   - every handle is safe from any thread; options and ops belong to one thread at a time;
 *     results, events and errors are immutable;
 *   - `_free` takes NULL, drops the reference, never blocks and never does network I/O; handles may
 *     be freed in any order: children hold their parent;
 *   - after fork() the child gets COORD_FORKED from every call on a handle that the parent opened,
 *     and `_free` only releases memory; the child opens clients of its own;
 *   - units are in names: _ms milliseconds, ttl_s seconds, _bytes.
 */
#ifndef COORD_H
#define COORD_H

#include "coord/auth.h"
#include "coord/barrier.h"
#include "coord/base.h"
#include "coord/call.h"
#include "coord/client.h"
#include "coord/config.h"
#include "coord/discovery.h"
#include "coord/election.h"
#include "coord/error.h"
#include "coord/event.h"
#include "coord/instance.h"
#include "coord/lease.h"
#include "coord/lock.h"
#include "coord/mirror.h"
#include "coord/op.h"
#include "coord/options.h"
#include "coord/picker.h"
#include "coord/queue.h"
#include "coord/registry.h"
#include "coord/result.h"
#include "coord/scan.h"
#include "coord/watch.h"
#include "coord/workqueue.h"

#endif
