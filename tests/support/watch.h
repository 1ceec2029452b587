/* Watches in tests: opened in one line, and what they told gathered as text. */
#ifndef COORD_TEST_WATCH_H
#define COORD_TEST_WATCH_H

#include "support/etcd.h"

/* Of all keys that begin with the text; `attribute` of coord_op_set, -1 for none. */
coord_watch *t_watch(coord_client *client, const char *prefix, int64_t start, coord_queue *queue,
                     uint64_t tag, int32_t attribute);

/* The next event, which must be of this type and tag; NULL, and a failure, when there is none within
 * 10 s. The caller frees it. */
coord_event *t_event(coord_queue *queue, int32_t type, uint64_t tag);
/* RESYNC with this code; its revision. */
int64_t t_stands(coord_queue *queue, uint64_t tag, coord_code code);
/* CLOSED with this code, and this in its message. */
void t_closed(coord_queue *queue, uint64_t tag, coord_code code, const char *part);
/* Changes up to `count`, from as many events as it takes (RESYNC between them is passed over), as
 * "+key=value -key ..." without the first `strip` bytes of keys. */
const char *t_changes(coord_queue *queue, uint64_t tag, size_t count, size_t strip);
/* Nothing comes for 100 ms. */
void t_silent(coord_queue *queue);

#endif
