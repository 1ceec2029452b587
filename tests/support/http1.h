/* HTTP/1.1 for peers: requests out of bytes, answers into bytes. No I/O. */
#ifndef COORD_TEST_HTTP1_H
#define COORD_TEST_HTTP1_H

#include "support/peer.h"

typedef struct t_http1 {
  char *in;
  size_t in_len;
  char *out; /* of the last answer */
} t_http1;

/* A header of a request, as it came. */
typedef void t_http1_header(void *user, const char *name, size_t name_len, const char *value,
                            size_t value_len);

void t_http1_add(t_http1 *h, const void *p, size_t n);
/* Takes one whole request out; its path goes to `path`. False: none is whole yet. */
bool t_http1_next(t_http1 *h, char *path, size_t size, t_http1_header *header, void *user);
/* The answer that a rule gives; lives until the next one. */
t_bytes t_http1_answer(t_http1 *h, const t_rule *rule);
void t_http1_free(t_http1 *h);

#endif
