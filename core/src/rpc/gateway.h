/* What etcd's JSON gateway says, taken apart: answers, lines of a stream, both shapes of its errors.
 * Bytes only, no I/O. */
#ifndef COORD_RPC_GATEWAY_H
#define COORD_RPC_GATEWAY_H

#include "base/buf.h"
#include "coord/error.h"
#include "rpc/method.h"

enum { COORD__GATEWAY_MESSAGE = 512 };

typedef struct coord__gateway_answer {
  coord_code code; /* COORD_OK: the server answered, see grpc_status */
  int grpc_status; /* -1: none came */
  int http_status; /* -1: none came, or 200 */
  bool ends;       /* of a stream: it says that nothing follows */
  char message[COORD__GATEWAY_MESSAGE];
} coord__gateway_answer;

/* The header that carries a token, NULL when memory is out; and its end, NULL is fine. */
char *coord__gateway_token(const char *token);
void coord__gateway_free_token(char *header);

/* The whole answer to a call. With code COORD_OK and grpc_status 0, `out` holds the packed message;
 * otherwise it is unchanged. */
void coord__gateway_read(const coord__method *method, int http_status, const char *content_type,
                         const uint8_t *p, size_t n, coord__buf *out,
                         coord__gateway_answer *answer);

/* One line of a stream, likewise. */
void coord__gateway_read_line(const coord__method *method, const uint8_t *p, size_t n,
                              coord__buf *out, coord__gateway_answer *answer);

/* The start of a stream: false when it is none, but an answer that `coord__gateway_read` explains. */
bool coord__gateway_is_stream(int http_status, const char *content_type);

/* Whether the answer to GET /version is one that etcd, or a proxy before it, may give. If not,
 * `answer` says why. */
bool coord__gateway_read_version(int http_status, const uint8_t *p, size_t n,
                                 coord__gateway_answer *answer);

#endif
