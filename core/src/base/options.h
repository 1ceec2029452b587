/* The options object: one text for each row of core/spec/options.def. */
#ifndef COORD_BASE_OPTIONS_H
#define COORD_BASE_OPTIONS_H

#include <stdbool.h>

#include "coord/options.h"

typedef enum coord__option {
#define COORD_OPTION(id, name, type, value, min, max, choices, secret, since, text) \
  COORD__OPTION_##id,
#include "options.def"
#undef COORD_OPTION
  COORD__OPTION_COUNT
} coord__option;

/* NULL when memory is out. */
coord_options *coord__options_new(void);
/* NULL gives the defaults. */
coord_options *coord__options_copy(const coord_options *o);
void coord__options_free(coord_options *o);
coord_code coord__options_set(coord_options *o, const char *name, const char *value,
                              coord_error **err);
/* COORD__OPTION_COUNT when there is none of that name. */
coord__option coord__options_find(const char *name);
const char *coord__options_name(coord__option id);
bool coord__options_is_secret(coord__option id);
bool coord__options_is_set(const coord_options *o, coord__option id);

/* Values, valid until the option is set again. */
const char *coord__options_text(const coord_options *o, coord__option id);
int64_t coord__options_int(const coord_options *o, coord__option id);
bool coord__options_bool(const coord_options *o, coord__option id);
/* Which of the choices, from 0. */
int coord__options_choice(const coord_options *o, coord__option id);

#endif
