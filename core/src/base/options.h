/* The options object: one text for each row of core/spec/options.def, and where it came from. */
#ifndef COORD_BASE_OPTIONS_H
#define COORD_BASE_OPTIONS_H

#include <stdbool.h>

#include "base/log.h"
#include "coord/options.h"

typedef enum coord__option {
#define COORD_OPTION(id, name, type, value, min, max, choices, secret, since, text) \
  COORD__OPTION_##id,
#include "options.def"
#undef COORD_OPTION
  COORD__OPTION_COUNT
} coord__option;

/* Where a value comes from. The higher one wins, whatever the order in which they are set; of two
 * from the same source the later one. */
typedef enum coord__source {
  COORD__SOURCE_NONE,
  COORD__SOURCE_FILE_DEFAULTS,
  COORD__SOURCE_FILE,
  COORD__SOURCE_ETCDCTL,
  COORD__SOURCE_ENVIRONMENT,
  COORD__SOURCE_CALL
} coord__source;

/* A checked value on its way into the options. */
typedef struct coord__setting {
  coord__option id;
  coord__source source;
  char *text;   /* NULL: the default, by wish */
  bool exposed; /* a secret from a file that everybody can read */
} coord__setting;

/* NULL when memory is out. */
coord_options *coord__options_new(void);
/* NULL gives the defaults. */
coord_options *coord__options_copy(const coord_options *o);
void coord__options_free(coord_options *o);
/* Give `to` what `from` has, and free the rest of both. */
void coord__options_take(coord_options *to, coord_options *from);

/* The same as a setting of COORD__SOURCE_CALL. */
coord_code coord__options_set(coord_options *o, const char *name, const char *value,
                              coord_error **err);
coord_code coord__options_set_from(coord_options *o, coord__source source, const char *name,
                                   const char *value, coord_error **err);
/* Find, read (NAME.file) and check a value; `out->text` is the caller's. */
coord_code coord__options_resolve(const char *name, const char *value, coord__setting *out,
                                  coord_error **err);
/* The file that this secret was set from can be read by everybody. */
void coord__options_expose(coord_options *o, coord__source source, coord__option id);
/* Log a warning for each secret in use that everybody can read. */
void coord__options_warn(const coord_options *o, coord__log *log);

/* COORD__OPTION_COUNT when there is none of that name. */
coord__option coord__options_find(const char *name);
/* The least value of an INT option. */
int64_t coord__options_min(coord__option id);
/* The option that NAME.file reads from a file, or COORD__OPTION_COUNT. */
coord__option coord__options_find_by_file(const char *name);
/* The name that is most like this one, NULL when none is. */
const char *coord__options_nearest(const char *name);
const char *coord__options_name(coord__option id);
bool coord__options_is_secret(coord__option id);
bool coord__options_is_set(const coord_options *o, coord__option id);
/* COORD_INVALID with the name and what is near to it. */
coord_code coord__options_unknown(const char *name, coord_error **err);

/* Values, valid until the option is set again. Endpoints are a list, also when a URL was given. */
const char *coord__options_text(const coord_options *o, coord__option id);
int64_t coord__options_int(const coord_options *o, coord__option id);
bool coord__options_bool(const coord_options *o, coord__option id);
/* Which of the choices, from 0. */
int coord__options_choice(const coord_options *o, coord__option id);

#endif
