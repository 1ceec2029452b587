/* The framing of gRPC over HTTP/2: messages, status, timeouts. Bytes only, no I/O. */
#ifndef COORD_RPC_GRPC_H
#define COORD_RPC_GRPC_H

#include <stdbool.h>

#include "base/buf.h"
#include "coord/error.h"

enum {
  COORD__GRPC_HEADER = 5,
  COORD__GRPC_NO_STATUS = -1,
  COORD__GRPC_BAD_STATUS = -2, /* not a number */
  COORD__GRPC_MESSAGE_MAX = 512
};

/* What the peer has said about one exchange, gathered from headers, data and trailers. */
typedef struct coord__grpc_reader {
  size_t max_bytes; /* larger messages are refused */
  int http_status;  /* 0: none yet */
  bool is_grpc;     /* the content type is one of gRPC's */
  int grpc_status;
  char *grpc_message;    /* decoded; NULL: none */
  char content_type[48]; /* for messages of errors */
  uint8_t head[COORD__GRPC_HEADER];
  size_t head_len;
  size_t messages; /* whole ones so far */
  size_t left;     /* bytes that the message under way still lacks */
  coord__buf body; /* the message under way, or the last one */
} coord__grpc_reader;

/* Outcome of reading: a code other than COORD_OK ends the exchange; `fault` says why (static). */
typedef struct coord__grpc_step {
  coord_code code;
  const char *fault;
  size_t used;   /* bytes taken from the input */
  bool complete; /* reader->body holds a whole message */
} coord__grpc_step;

/* Write the frame header for a message of n bytes into p[0..5). */
void coord__grpc_put_header(uint8_t *p, size_t n);

void coord__grpc_reader_init(coord__grpc_reader *r, size_t max_bytes);
/* Ready for another exchange; keeps no memory of the old one. */
void coord__grpc_reader_reset(coord__grpc_reader *r);
void coord__grpc_header(coord__grpc_reader *r, const uint8_t *name, size_t name_len,
                        const uint8_t *value, size_t value_len);
/* Take bytes up to the end of one message. */
coord__grpc_step coord__grpc_read(coord__grpc_reader *r, const uint8_t *p, size_t n);

/* True when the end of the stream falls into the middle of a message. */
bool coord__grpc_is_partial(const coord__grpc_reader *r);

/* The gRPC status that stands for an HTTP status, by gRPC's own table. */
int coord__grpc_from_http(int http_status);

/* "5000m" for a time that is left, without NUL; `out` holds 16 bytes. Coarse, and never shorter than
 * it is. Returns the length. */
size_t coord__grpc_timeout(char out[16], int64_t left_ns);

#endif
