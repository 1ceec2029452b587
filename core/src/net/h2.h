/* An HTTP/2 client session over a connection. I/O thread only. */
#ifndef COORD_NET_H2_H
#define COORD_NET_H2_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/conn.h"

typedef struct coord__h2 coord__h2;
typedef struct coord__h2_stream coord__h2_stream;

/* How a stream ended. */
typedef enum coord__h2_end {
  COORD__H2_DONE,        /* by both sides, in order */
  COORD__H2_UNPROCESSED, /* the server says that it did nothing with it */
  COORD__H2_RESET,       /* the server broke it off: `code` is the HTTP/2 error */
  COORD__H2_LOST         /* the connection ended first */
} coord__h2_end;

typedef struct coord__h2_stream_ops {
  void (*header)(coord__h2_stream *s, const uint8_t *name, size_t name_len, const uint8_t *value,
                 size_t value_len);
  /* Bytes of the body. Every byte is given back with coord__h2_consume, now or later. */
  void (*data)(coord__h2_stream *s, const uint8_t *p, size_t n);
  /* Fill dst with up to cap bytes of the request's body. *end: that was all. 0 without *end: none
   * now, coord__h2_resume will say when. */
  size_t (*read)(coord__h2_stream *s, uint8_t *dst, size_t cap, bool *end);
  /* Last callback; the memory of the stream is the owner's again. */
  void (*closed)(coord__h2_stream *s, coord__h2_end how, uint32_t code);
} coord__h2_stream_ops;

/* Embedded in what owns it. */
struct coord__h2_stream {
  coord__list link;
  const coord__h2_stream_ops *ops;
  coord__h2 *h2;
  int32_t id;
};

typedef struct coord__h2_config {
  int32_t stream_window_bytes;
  int32_t connection_window_bytes;
  int64_t keepalive_interval_ns;
  int64_t keepalive_timeout_ns;
} coord__h2_config;

typedef struct coord__h2_ops {
  void (*ready)(void *user);   /* the server has introduced itself: streams may be opened */
  void (*changed)(void *user); /* a stream has ended, or the limit of streams has moved */
  /* No new streams, please; those that are open go on. `calm`: our PINGs were too many. */
  void (*draining)(void *user, bool calm);
  /* The session is dead: coord__h2_close must follow, which ends the streams. */
  void (*lost)(void *user, coord_code code, const char *why);
} coord__h2_ops;

/* Takes the connection, also when it fails (NULL: memory is out). */
coord__h2 *coord__h2_open(coord__conn *conn, const coord__h2_config *config,
                          const coord__h2_ops *ops, void *user);
/* Say goodbye, end every stream with COORD__H2_LOST, close the connection and free. Legal in every
 * callback. */
void coord__h2_close(coord__h2 *h2);

/* Streams that may be opened right now. */
size_t coord__h2_capacity(const coord__h2 *h2);
size_t coord__h2_open_streams(const coord__h2 *h2);
/* Open a stream. False when it cannot be (memory, ids used up): no callback comes then. */
bool coord__h2_submit(coord__h2 *h2, coord__h2_stream *s, const coord__h2_stream_ops *ops,
                      const nghttp2_nv *headers, size_t count);
/* The body has more. */
void coord__h2_resume(coord__h2_stream *s);
/* n bytes of the body are dealt with: the server may send as many more. */
void coord__h2_consume(coord__h2_stream *s, size_t n);
/* End it now with RST_STREAM; `closed` is not called any more. */
void coord__h2_abort(coord__h2_stream *s, uint32_t code);

#endif
