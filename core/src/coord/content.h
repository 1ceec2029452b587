/*
 * Key-values that one thread changes and any number read at the same time: one version after the other,
 * each whole. A reader marks the version that it looks at in a slot of its own for the moment that
 * takes; what it hands out is counted, a single key-value by itself, a range by its version.
 */
#ifndef COORD_COORD_CONTENT_H
#define COORD_COORD_CONTENT_H

#include "coord/tree.h"

typedef struct coord__content coord__content;

/* One version, held. The bytes of what is in it stay for as long. */
typedef struct coord__snapshot coord__snapshot;

/* ---- reading; any thread, without a lock ---- */

/* Holds the newest version. NULL: there is none yet. */
coord__snapshot *coord__content_snapshot(coord__content *content);
coord__snapshot *coord__snapshot_retain(coord__snapshot *s);
/* NULL is fine. The content's owner may be gone. */
void coord__snapshot_release(coord__snapshot *s);
int64_t coord__snapshot_revision(const coord__snapshot *s);
const coord__tree *coord__snapshot_tree(const coord__snapshot *s);

/* Of the newest version; 0: there is none. */
int64_t coord__content_revision(coord__content *content);
size_t coord__content_count(coord__content *content);

/* The item of a key, retained; NULL: it is not there. *revision: of the version; 0: there is none. */
coord__item *coord__content_get(coord__content *content, const void *key, size_t len,
                                int64_t *revision);

/* The same, to be held by the caller if he wants it: *item (NULL: it is not there) stays until
 * coord__content_looked, which has to come soon. What is done first without touching the item costs
 * nothing, for it comes from far away. NULL: there is no version yet. */
typedef struct coord__slot coord__slot;
coord__slot *coord__content_look(coord__content *content, const void *key, size_t len,
                                 coord__item **item, int64_t *revision);
void coord__content_looked(coord__slot *slot);

/* ---- life; any thread ---- */

/* All keys begin with the same `skip` bytes. NULL: memory is out. */
coord__content *coord__content_new(size_t skip);
coord__content *coord__content_retain(coord__content *content);
void coord__content_release(coord__content *content);

/* ---- changing; one thread at a time ---- */

/* The next version, which nobody sees before it is published. */
coord__edit *coord__content_edit(coord__content *content);
/* False: memory is out; nothing has changed, the edit goes on. */
bool coord__content_publish(coord__content *content, int64_t revision);
/* Forget the changes since the last publish. */
void coord__content_revert(coord__content *content);
/* Give back what is not needed any more and could not be before. True: there is more of that. */
bool coord__content_sweep(coord__content *content);

#endif
