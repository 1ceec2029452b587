/* The main of a fuzz target that is built without a fuzzer. */
#ifndef COORD_FUZZ_REPLAY_H
#define COORD_FUZZ_REPLAY_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef COORD_FUZZ_REPLAY
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    FILE *file = fopen(argv[i], "rb");
    if (file == NULL) {
      perror(argv[i]);
      return 1;
    }
    size_t cap = 1 << 24;
    uint8_t *bytes = malloc(cap);
    if (bytes == NULL) return 1;
    size_t len = fread(bytes, 1, cap, file);
    fclose(file);
    /* Exactly as large as the input, so that a sanitizer sees every read behind it. */
    uint8_t *exact = realloc(bytes, len > 0 ? len : 1);
    if (exact == NULL) return 1;
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    printf("ok %s\n", argv[i]);
  }
  return 0;
}
#endif

#endif
