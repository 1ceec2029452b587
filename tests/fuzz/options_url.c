/* A URL in the option endpoints, fed with any text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "coord/error.h"
#include "fuzz/replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char scheme[] = "etcd://";
  char *text = malloc(sizeof scheme + size);
  coord_options *options = coord__options_new();
  if (text == NULL || options == NULL) abort();
  memcpy(text, scheme, sizeof scheme - 1);
  if (size > 0) memcpy(text + sizeof scheme - 1, data, size);
  text[sizeof scheme - 1 + size] = '\0';
  coord_error *err = NULL;
  coord_code code = coord__options_set(options, "endpoints", text, &err);
  if ((code == COORD_OK) != (err == NULL)) abort();
  if (code == COORD_OK && *coord__options_text(options, COORD__OPTION_ENDPOINTS) == '\0') abort();
  coord_error_free(err);
  coord__options_free(options);
  free(text);
  return 0;
}
