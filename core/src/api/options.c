#include "coord/options.h"

#include <unistd.h>

#include "api/check.h"
#include "base/options.h"
#include "base/options_env.h"
#include "base/options_file.h"
#include "coord/error.h"

coord_code coord_options_new(coord_options **out) {
  if (out == NULL) return COORD_INVALID;
  coord_options *o = coord__options_new();
  if (o == NULL) return COORD_NO_MEMORY;
  *out = o;
  return COORD_OK;
}

coord_code coord_options_set(coord_options *options, const char *name, const char *value,
                             coord_error **err) {
  coord_code code = coord__check_pointer(options, "options", err);
  if (code == COORD_OK) code = coord__check_pointer(name, "name", err);
  if (code == COORD_OK) code = coord__check_pointer(value, "value", err);
  return code != COORD_OK ? code : coord__options_set(options, name, value, err);
}

coord_code coord_options_get(const coord_options *options, const char *name, const char **value,
                             coord_error **err) {
  coord_code code = coord__check_pointer(options, "options", err);
  if (code == COORD_OK) code = coord__check_pointer(name, "name", err);
  if (code == COORD_OK) code = coord__check_pointer(value, "value", err);
  if (code != COORD_OK) return code;
  coord__option id = coord__options_find(name);
  if (id == COORD__OPTION_COUNT) return coord__options_unknown(name, err);
  bool hidden = coord__options_is_secret(id) && coord__options_is_set(options, id);
  *value = hidden ? "***" : coord__options_text(options, id);
  return COORD_OK;
}

coord_code coord_options_load(coord_options *options, const char *path, const char *section,
                              coord_error **err) {
  coord_code code = coord__check_pointer(options, "options", err);
  if (code == COORD_OK) code = coord__check_pointer(path, "path", err);
  return code != COORD_OK ? code : coord__options_load(options, path, section, err);
}

coord_code coord_options_env(coord_options *options, coord_error **err) {
  coord_code code = coord__check_pointer(options, "options", err);
  return code != COORD_OK ? code : coord__options_env(options, environ, err);
}

int32_t coord_options_count(void) { return COORD__OPTION_COUNT; }

const char *coord_options_name(int32_t i) {
  return i >= 0 && i < COORD__OPTION_COUNT ? coord__options_name((coord__option)i) : NULL;
}

void coord_options_free(coord_options *options) { coord__options_free(options); }
