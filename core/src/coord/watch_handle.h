/* The handle of a watch: from threads of the program to the watcher, and back through a queue. */
#ifndef COORD_COORD_WATCH_HANDLE_H
#define COORD_COORD_WATCH_HANDLE_H

#include "coord/watch.h"
#include "coord/watcher.h"
#include "etcd/client.h"
#include "etcd/op.h"

/* As the public functions, without the checks of pointers. */
coord_code coord__watch_open(coord_client *c, const coord_op *get, int64_t start_revision,
                             coord_queue *queue, uint64_t tag, coord_watch **out,
                             coord_error **err);
void coord__watch_close(coord_watch *watch);
void coord__watch_drop(coord_watch *watch);

/* I/O thread: what all watches of a client go through. NULL: memory is out. */
coord__watcher *coord__client_watcher(coord_client *c);
/* How often its watches have found the store restored from a backup. */
unsigned coord__client_era(const coord_client *c);

#endif
