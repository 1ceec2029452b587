/* A value from the command line, a file or standard input. */
#ifndef CLI_VALUE_IN_H
#define CLI_VALUE_IN_H

#include "args.h"

/* From --file, else the word number `at` if there is one, else standard input, as for "-". CLI_FINE, or
 * the exit code after printing what is wrong. */
int value_read(const struct args *args, int at, struct bytes *out);

#endif
