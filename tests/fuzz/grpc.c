/* The framing of gRPC, fed with any bytes in any pieces. Built with -fsanitize=fuzzer it searches by
 * itself; built with -DCOORD_FUZZ_REPLAY instead, it replays the files named on the command line. */
#include "rpc/grpc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/replay.h"

enum { LIMIT = 4096 };

static void read_headers(coord__grpc_reader *r, const uint8_t *p, size_t n) {
  static const char *const names[] = {"grpc-status", "grpc-message", "content-type", ":status"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    coord__grpc_header(r, (const uint8_t *)names[i], strlen(names[i]), p, n);
  }
  if (r->grpc_message != NULL && strlen(r->grpc_message) > COORD__GRPC_MESSAGE_MAX) abort();
  if (memchr(r->content_type, 0, sizeof r->content_type) == NULL) abort();
}

/* Bytes of all messages, when fed in pieces of up to `piece` bytes; -1 for a fault. */
static long total(const uint8_t *p, size_t n, size_t piece) {
  coord__grpc_reader r;
  long sum = 0;
  coord__grpc_reader_init(&r, LIMIT);
  while (n > 0 && sum >= 0) {
    size_t now = piece < n ? piece : n;
    coord__grpc_step step = coord__grpc_read(&r, p, now);
    if (step.code != COORD_OK && step.fault == NULL) abort();
    if (step.used > now || (step.code == COORD_OK && step.used == 0)) abort();
    if (step.complete && r.body.len > LIMIT) abort();
    if (step.complete) sum = sum * 31 % 1000003 + (long)r.body.len + 1;
    if (step.code != COORD_OK) sum = -1;
    p += step.used;
    n -= step.used;
  }
  coord__grpc_reader_reset(&r);
  return sum;
}

/* The first byte says how large the pieces are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  coord__grpc_reader r;
  coord__grpc_reader_init(&r, LIMIT);
  read_headers(&r, data + 1, size - 1);
  coord__grpc_reader_reset(&r);
  if (total(data + 1, size - 1, size) != total(data + 1, size - 1, 1U + data[0] % 16U)) abort();
  return 0;
}
