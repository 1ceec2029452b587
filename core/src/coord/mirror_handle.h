/*
 * The handle of a mirror, and what others in the library that live on one need: a listener in place of
 * a queue, and reading without results.
 *
 *   coord__mirror_listener ear = {.told = on_told};
 *   coord__mirror_open(c, prefix, len, NULL, &(coord__mirror_sink){.listener = &ear}, &m, &err);
 *   ... on_told: COORD_EVENT_RESYNC with COORD_OK: it is loaded; COORD_EVENT_CHANGES: news->changes
 *   coord__snapshot *s = coord__mirror_snapshot(m);      any thread
 *   coord__cursor at = coord__tree_seek(coord__snapshot_tree(s), key, len);
 *   for (const coord__item *i; (i = coord__cursor_next(&at)) != NULL;) ... i->kv ...
 *   coord__snapshot_release(s);
 */
#ifndef COORD_COORD_MIRROR_HANDLE_H
#define COORD_COORD_MIRROR_HANDLE_H

#include "coord/changes.h"
#include "coord/content.h"
#include "coord/mirror.h"
#include "etcd/client.h"
#include "etcd/op.h"

/* What an event would say; see coord/mirror.h. */
typedef struct coord__mirror_news {
  int32_t type; /* COORD_EVENT_RESYNC, COORD_EVENT_CHANGES, COORD_EVENT_CLOSED */
  coord_code code;
  int64_t revision;
  const coord__changes *changes; /* borrowed */
  const coord_error *error;      /* borrowed; may be NULL */
} coord__mirror_news;

typedef struct coord__mirror_listener {
  /* I/O thread. After coord__mirror_free some may still come, until `released`. Other mirrors, and this
   * one, may be opened and freed from within. */
  void (*told)(struct coord__mirror_listener *l, const coord__mirror_news *news);
  /* The mirror has let go of the listener: the last call. May be NULL. */
  void (*released)(struct coord__mirror_listener *l);
} coord__mirror_listener;

/* Who is told: a queue, a listener, or nobody. */
typedef struct coord__mirror_sink {
  coord_queue *queue;
  uint64_t tag;
  coord__mirror_listener *listener;
} coord__mirror_sink;

/* Does not wait, whatever mirror.wait says. Any thread. COORD_INVALID (also the file), COORD_NO_MEMORY. */
coord_code coord__mirror_open(coord_client *c, const void *prefix, size_t prefix_len,
                              const coord_options *options, const coord__mirror_sink *sink,
                              coord_mirror **out, coord_error **err);
void coord__mirror_free(coord_mirror *m);

/* Whether coord_mirror_open is to wait for that: mirror.wait. */
bool coord__mirror_waits(const coord_mirror *m);
/* An op that ends when there is content, or with the reason why there will be none. NULL: memory is
 * out. */
coord_op *coord__op_mirror_loaded(coord_mirror *m);

/* Reading; any thread. As the public functions, without the checks of pointers. */
coord_code coord__mirror_get(const coord_mirror *m, const void *key, size_t key_len,
                             coord_result **out);
coord_code coord__mirror_range(const coord_mirror *m, const void *from, size_t from_len,
                               const void *end, size_t end_len, int64_t limit, coord_result **out);
coord_code coord__mirror_prefix(const coord_mirror *m, const void *prefix, size_t prefix_len,
                                coord_result **out);
int64_t coord__mirror_count(const coord_mirror *m);
int64_t coord__mirror_revision(const coord_mirror *m);
int64_t coord__mirror_staleness_ms(const coord_mirror *m);

/* The content as it is now, to be released; NULL: there is none yet. Any thread. */
coord__snapshot *coord__mirror_snapshot(const coord_mirror *m);
/* One key, retained: coord__item_release. NULL: it is not there. Any thread. */
coord__item *coord__mirror_find(const coord_mirror *m, const void *key, size_t key_len);

coord_client *coord__mirror_client(const coord_mirror *m);

#endif
