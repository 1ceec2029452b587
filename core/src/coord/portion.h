/* Results whose key-values are those of a content, and stay as they are for as long. */
#ifndef COORD_COORD_PORTION_H
#define COORD_COORD_PORTION_H

#include "coord/content.h"
#include "coord/result.h"

/* What is read. */
typedef struct coord__section {
  const void *from; /* from_len 0: from the first key */
  size_t from_len;
  const void *end; /* end_len 0: to the last */
  size_t end_len;
  bool is_prefix; /* and no further than keys begin with `from` */
  int64_t limit;
} coord__section;

/* Each COORD_OK, COORD_UNAVAILABLE (there is no version yet), COORD_NO_MEMORY. */
coord_code coord__portion_of_key(coord__content *content, const void *key, size_t len,
                                 coord_result **out);
coord_code coord__portion_of_section(coord__content *content, const coord__section *section,
                                     coord_result **out);

#endif
