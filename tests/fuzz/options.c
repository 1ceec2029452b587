/* Options set from any text: "name=value" lines. */
#include <coord.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/replay.h"

static void set_line(coord_options *options, char *line) {
  char *value = strchr(line, '=');
  if (value == NULL) return;
  *value++ = '\0';
  coord_error *err = NULL;
  coord_code code = coord_options_set(options, line, value, &err);
  if ((code == COORD_OK) != (err == NULL)) abort();
  if (code != COORD_OK && code != COORD_INVALID) abort();
  const char *got = NULL;
  if (code == COORD_OK && value[0] != '\0') {
    if (coord_options_get(options, line, &got, NULL) != COORD_OK) abort();
    if (strcmp(got, value) != 0 && strcmp(got, "***") != 0) abort();
  }
  coord_error_free(err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  coord_options *options = NULL;
  char *text = malloc(size + 1);
  if (text == NULL || coord_options_new(&options) != COORD_OK) abort();
  if (size > 0) memcpy(text, data, size);
  text[size] = '\0';
  for (char *line = text; line != NULL;) {
    char *next = strchr(line, '\n');
    if (next != NULL) *next++ = '\0';
    set_line(options, line);
    line = next;
  }
  coord_options_free(options);
  free(text);
  return 0;
}
