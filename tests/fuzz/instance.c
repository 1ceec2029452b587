/* Values of instances as anybody may store them, in both formats. */
#include "coord/instance_object.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz/replay.h"

/* What was read can be stored, and is the same when it is read again. */
static void check_again(const coord_instance *i, coord__format format) {
  coord__buf value = {0};
  coord_instance *again = NULL;
  if (coord__instance_value(i, format, &value, NULL) != COORD_OK) abort();
  if (coord__instance_read(format, i->name, i->id, value.data, value.len, &again, NULL) !=
      COORD_OK) {
    abort();
  }
  if (strcmp(again->address, i->address) != 0 || again->port != i->port ||
      again->weight != i->weight || again->is_up != i->is_up) {
    abort();
  }
  coord__instance_release(again);
  coord__buf_free(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  for (int format = COORD__FORMAT_JSON; format <= COORD__FORMAT_NAMING; format++) {
    coord_instance *i = NULL, *other = NULL;
    coord_error *err = NULL;
    coord_code code = coord__instance_read((coord__format)format, "web", "a", data, size, &i, &err);
    if ((code == COORD_OK) != (err == NULL) || (code == COORD_OK) != (i != NULL)) abort();
    if (i != NULL) {
      check_again(i, (coord__format)format);
      static const char patch[] = "{\"status\":\"draining\",\"metadata\":{\"zone\":null}}";
      if (coord__instance_patch(i, patch, strlen(patch), &other, NULL) == COORD_OK) {
        if (other->is_up) abort();
        coord__instance_release(other);
      }
      coord__instance_release(i);
    }
    coord_error_free(err);
  }
  return 0;
}
