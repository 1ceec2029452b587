/* The flags that make a range of a key, shared by get and del. */
#ifndef CLI_RANGE_ARGS_H
#define CLI_RANGE_ARGS_H

#include "args.h"
#include "request.h"

#define FLAGS_RANGE                                                               \
  {"--prefix", NULL, "all keys that begin with KEY; all keys when KEY is empty"}, \
      {"--from-key", NULL, "all keys from KEY on, in byte order"}, {              \
    "--range-end", "END", "all keys from KEY on that are less than END"           \
  }

/* Reads the key and the range flags; prints what is wrong and returns false. */
bool range_from_args(const struct args *args, struct range *out);
/* The same with this word as the key. */
bool range_from_word(const struct args *args, const char *key, struct range *out);

#endif
