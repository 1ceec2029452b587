/*
 * One watch as a state machine, without clock, wire or thread: what it asks for, how far it has come,
 * and what an answer of the server means for it. Whatever happens to streams, it is asked for again
 * from `next` on, so that no revision is left out and none is told twice.
 */
#ifndef COORD_COORD_WATCH_STATE_H
#define COORD_COORD_WATCH_STATE_H

#include "base/buf.h"
#include "coord/answer.h"
#include "coord/changes.h"
#include "etcd/op.h"

typedef struct coord__watch {
  const coord__namespace *ns;
  uint8_t *key;        /* with the namespace; owned */
  size_t key_len;      /* the range end follows it */
  size_t end_len;      /* 0: one key */
  uint32_t attributes; /* COORD__WATCH_... */
  int64_t next;        /* the first revision not told yet; 0: whatever comes after it stands */
  bool has_stood;      /* the server has accepted it once */
  bool fragments;      /* to be asked for: an answer was too large in one piece */
  int64_t reached;     /* the store has come as far, whatever a server says; 0: not known */
  coord__buf partial;  /* events of one revision of which there may be more */
} coord__watch;

/* What an answer comes to. */
typedef enum coord__news_kind {
  COORD__NEWS_NOTHING,
  COORD__NEWS_STANDS,  /* the server has accepted it; revision: the last one before it */
  COORD__NEWS_BEHIND,  /* it does, or goes on, but has not come as far as the store has been once */
  COORD__NEWS_CHANGES, /* event: to be delivered */
  COORD__NEWS_COMPACTED, /* revision: the oldest one that is left */
  COORD__NEWS_CANCELED,  /* by the server, see its reason */
  COORD__NEWS_FAILED     /* code: the answer could not be used; nothing of it was told */
} coord__news_kind;

typedef struct coord__news {
  coord__news_kind kind;
  int64_t revision;
  coord_event *event;
  coord_code code;
} coord__news;

/* The get names key or range; start 0: from now on. COORD_INVALID, COORD_NO_MEMORY. */
coord_code coord__watch_init(coord__watch *w, const coord_op *get, int64_t start,
                             const coord__namespace *ns, coord_error **err);
void coord__watch_free(coord__watch *w);

/* The stream is gone: what came in part will come again. */
void coord__watch_break(coord__watch *w);
coord__news coord__watch_take(coord__watch *w, const coord__answer *answer);

/* Requests, appended to a buffer. False: memory is out. */
bool coord__watch_ask_create(const coord__watch *w, int64_t watch_id, coord__buf *out);
bool coord__watch_ask_cancel(int64_t watch_id, coord__buf *out);
bool coord__watch_ask_progress(coord__buf *out);

#endif
