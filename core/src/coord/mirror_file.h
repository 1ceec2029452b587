/*
 * The file that keeps the last content of a mirror, to begin with when etcd is away. It is written by a
 * thread of its own, which lives as long as the writing, from a version of the content that it holds:
 * neither the I/O nor readers wait for the disk. docs/ARCHITECTURE.md has its layout.
 */
#ifndef COORD_COORD_MIRROR_FILE_H
#define COORD_COORD_MIRROR_FILE_H

#include "base/buf.h"
#include "coord/content.h"

typedef struct coord__mirror_file {
  char *path;
  coord__buf scope;  /* namespace and prefix, which it is bound to */
  size_t prefix_len; /* without the namespace: what its keys begin with */
  int64_t interval_ns;
  /* What was read. */
  bool was_read;  /* there was one */
  bool was_saved; /* not only planned for the first time */
  uint64_t cluster_id;
  int64_t revision;
  int64_t written_ms; /* since 1970 */
  coord__item **items;
  size_t count;
} coord__mirror_file;

/* Read the file, if there is one. Blocks on it. `scope` ends with the prefix. COORD_INVALID: it is
 * damaged, or of something else. */
coord_code coord__mirror_file_open(const char *path, const coord__buf *scope, size_t prefix_len,
                                   int64_t interval_ns, coord__mirror_file **out,
                                   coord_error **err);
void coord__mirror_file_free(coord__mirror_file *f);
/* The items that are left. */
void coord__mirror_file_forget(coord__mirror_file *f);

/* Write this version, in place of what is there, at once or not at all. Blocks on the disk. */
coord_code coord__mirror_file_write(const coord__mirror_file *f, coord__snapshot *s,
                                    uint64_t cluster_id, coord_error **err);

#endif
