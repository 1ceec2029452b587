/* A command that is run for each change. */
#ifndef CLI_HOOK_H
#define CLI_HOOK_H

#include <coord.h>

/* Runs argv with the change in its environment and the value on its standard input, and waits for
 * it. Its exit code; 128 + N when signal N ended it; 127, with the reason told, when it cannot run. */
int hook_run(char *const *argv, int32_t type, const coord_kv *kv);

#endif
