/*
 * Reading answers of HTTP/1.1: heads, and bodies by length, in chunks or up to the end of the
 * connection. Bytes only, no I/O; memory is what the struct has, whatever the server sends.
 */
#ifndef COORD_NET_HTTP1_H
#define COORD_NET_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COORD__HTTP1_LINE = 256 };

typedef struct coord__http1 {
  int status; /* 0: none yet */
  char content_type[48];
  bool closes;       /* the connection is of no use after the answer */
  bool done;         /* the answer is complete */
  const char *fault; /* what is wrong with it; NULL: nothing */
  /* private */
  int state;
  size_t head_bytes;
  int64_t left;   /* of the body, or the chunk */
  int64_t length; /* as the head tells; -1: it does not */
  bool chunked;
  bool seen; /* of the line: a byte at all */
  size_t line_len;
  char line[COORD__HTTP1_LINE]; /* as far as it fits; more is of no interest */
} coord__http1;

void coord__http1_init(coord__http1 *h);
/* Take in bytes, up to a piece of the body, the end of the answer or of the bytes, or a fault.
 * Returns how many were used; body (within p) and body_len say what of them is the body's. */
size_t coord__http1_feed(coord__http1 *h, const uint8_t *p, size_t n, const uint8_t **body,
                         size_t *body_len);
/* The connection has ended. True: and the answer with it, in order. */
bool coord__http1_end(coord__http1 *h);
/* Whether the head has come. */
bool coord__http1_has_head(const coord__http1 *h);
/* Whether anything has. */
bool coord__http1_has_begun(const coord__http1 *h);

#endif
