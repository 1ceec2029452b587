/* The parser of the option endpoints, fed with any text. */
#include "rpc/endpoint.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coord/error.h"
#include "fuzz/replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  if (text == NULL) return 0;
  if (size > 0) memcpy(text, data, size);
  text[size] = '\0';
  coord__endpoints parsed = {0};
  coord_error *err = NULL;
  coord_code code = coord__endpoints_parse(text, &parsed, &err);
  if ((code == COORD_OK) != (err == NULL) || (code == COORD_OK) != (parsed.count > 0)) abort();
  for (size_t i = 0; i < parsed.count; i++) {
    const coord__endpoint *e = &parsed.items[i];
    int kinds = (e->host != NULL) + (e->unix_path != NULL) + (e->domain != NULL);
    if (e->name == NULL || e->authority == NULL || kinds != 1) abort();
    if (e->host != NULL && (e->port < 1 || e->port > 65535)) abort();
    /* What is shown can be given again. */
    coord__endpoints again = {0};
    if (coord__endpoints_parse(e->name, &again, NULL) != COORD_OK || again.count != 1) abort();
    if (strcmp(again.items[0].name, e->name) != 0) abort();
    coord__endpoints_free(&again);
  }
  coord__endpoints_free(&parsed);
  coord_error_free(err);
  free(text);
  return 0;
}
