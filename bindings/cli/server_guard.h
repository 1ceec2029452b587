/* The process that tidies up behind a parent that was killed. */
#ifndef CLI_SERVER_GUARD_H
#define CLI_SERVER_GUARD_H

#include <sys/types.h>

/* Forks the guard: it reads process ids from the pipe and, when the pipe closes, waits until the
 * newest of them has ended and removes the directory. -1 with errno set on failure. */
pid_t guard_start(const char *directory, int *out_pipe);

#endif
