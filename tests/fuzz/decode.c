/* Decoding of answers, fed with any bytes. Built with -fsanitize=fuzzer it searches by itself; built
 * with -DCOORD_FUZZ_REPLAY instead, it replays the files that are named on the command line. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "etcd/request.h"
#include "etcd/result.h"

static const coord__decode_fn decoders[] = {
    coord__decode_range,   coord__decode_put,    coord__decode_delete,  coord__decode_txn,
    coord__decode_compact, coord__decode_status, coord__decode_members, coord__decode_range_stream};
enum { DECODERS = sizeof decoders / sizeof *decoders };

static volatile size_t seen;

static void read_all(const coord_result *result) {
  const char *json = coord_result_json(result);
  seen += json != NULL ? strlen(json) : 0;
  for (size_t i = 0; i < coord_result_count(result); i++) {
    coord_kv kv;
    if (coord_result_kv(result, i, &kv) != COORD_OK) abort();
    for (size_t k = 0; k < kv.key_len; k++) seen += ((const uint8_t *)kv.key)[k];
    for (size_t v = 0; v < kv.value_len; v++) seen += ((const uint8_t *)kv.value)[v];
    if (((const uint8_t *)kv.key)[kv.key_len] != 0) abort();
    if (((const uint8_t *)kv.value)[kv.value_len] != 0) abort();
  }
  for (size_t i = 0; i < coord_result_parts(result); i++) read_all(coord_result_part(result, i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte chooses the response. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  coord_result *result = NULL;
  coord_error *err = NULL;
  coord_code code = decoders[data[0] % DECODERS](data + 1, size - 1, &result, &err);
  if ((code == COORD_OK) != (result != NULL) || (code == COORD_OK) != (err == NULL)) abort();
  if (result != NULL) read_all(result);
  coord_result_free(result);
  coord_error_free(err);
  return 0;
}

#ifdef COORD_FUZZ_REPLAY
int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    FILE *file = fopen(argv[i], "rb");
    if (file == NULL) {
      perror(argv[i]);
      return 1;
    }
    static uint8_t bytes[1 << 24];
    size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    uint8_t *exact = malloc(len > 0 ? len : 1);
    if (exact == NULL) return 1;
    memcpy(exact, bytes, len);
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    printf("ok %s\n", argv[i]);
  }
  return 0;
}
#endif
