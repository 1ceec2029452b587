/*
 * The seam between calls and who they are made as. What may not go yet, or was refused for its
 * token, is held by the rpc until coord__rpc_release or coord__rpc_refuse. I/O thread only.
 */
#ifndef COORD_RPC_IDENTITY_H
#define COORD_RPC_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "rpc/method.h"

typedef struct coord__identity coord__identity;
struct coord__identity {
  /* May a call or stream of `method` go now? Then *token goes with it (NULL: none; valid until the
   * next call of the identity), and *login tells later which one it was. */
  bool (*ready)(coord__identity *self, const coord__method *method, const char **token,
                uint64_t *login);
  /* A server refused, in these words, what went with `login`. True: it did nothing, because the
   * token was at fault, and there will be another: hold it. */
  bool (*refused)(coord__identity *self, uint64_t login, const char *message);
  /* What went with `login` got no answer until its deadline. */
  void (*unanswered)(coord__identity *self, uint64_t login);
  const char *why; /* what is held waits for, for those whose deadline passes meanwhile */
};

#endif
