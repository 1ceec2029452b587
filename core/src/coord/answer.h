/* What a server says on a stream of watches, looked at where it lies. */
#ifndef COORD_COORD_ANSWER_H
#define COORD_COORD_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COORD__WATCH_REASON = 200 };

/* One WatchResponse. Its events stay in the bytes, see changes.h. */
typedef struct coord__answer {
  const uint8_t *bytes; /* the whole message */
  size_t len;
  int64_t watch_id;    /* -1: of no watch in particular */
  int64_t revision;    /* of the header */
  uint64_t cluster_id; /* the same; 0: not said */
  int64_t compact_revision;
  bool created;
  bool canceled;
  bool fragment; /* more of the same follows */
  bool has_events;
  char reason[COORD__WATCH_REASON]; /* for a cancel; cut */
} coord__answer;

/* False: the bytes are no such message. */
bool coord__answer_read(const uint8_t *bytes, size_t len, coord__answer *out);

#endif
