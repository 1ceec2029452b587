/* Gets, puts and deletes as the flags and the JSON of a txn describe them. */
#ifndef CLI_REQUEST_H
#define CLI_REQUEST_H

#include <coord.h>

#include "bytes.h"
#include "cli.h"

struct range {
  struct bytes key;
  struct bytes end;
  bool has_end;
  bool prefix;
  bool from_key;
};

struct get_request {
  struct range range;
  int64_t limit;
  int64_t revision;
  bool keys_only;
  bool count_only;
  bool serializable;
  bool descending;
  const char *sort; /* NULL: none */
};

struct put_request {
  struct bytes key;
  struct bytes value;
  int64_t lease;
  bool prev;
  bool ignore_value;
  bool ignore_lease;
};

struct delete_request {
  struct range range;
  bool prev;
};

/* What is wrong with a range or a sort order, NULL when nothing is. */
const char *range_fault(const struct range *range);
bool sort_known(const char *name);
#define SORTS "key, version, create, mod or value"

bool range_is_wide(const struct range *range);
/* NULL when memory is out. */
coord_op *get_op(const struct get_request *request);
coord_op *put_op(const struct put_request *request);
coord_op *delete_op(const struct delete_request *request);

void range_free(struct range *range);

#endif
