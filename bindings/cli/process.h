/* A command that runs while something is held, and all that it starts. */
#ifndef CLI_PROCESS_H
#define CLI_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* Starts argv with the signals of `mask` and the environment `env` (NULL: this one). It dies with this process, and what it leaves behind becomes
 * a child of this process. -1 with errno set when there can be no more processes. */
pid_t process_start(const char *what, char *const *argv, char *const *env, const sigset_t *mask);
/* In the place of this process. Returns only when it cannot: the exit code, after saying why. */
int process_become(const char *what, char *const *argv, char *const *env);

/* Sends a signal to all descendants of this process. */
void process_signal_all(int signal);

/* Takes the ends of children. True: `child` is among them, with *status set. *left: whether there are
 * other children still. */
bool process_take_ends(pid_t child, int *status, bool *left);

/* The exit code that tells how a process ended: its own, or 128 + N for signal N. */
int process_exit_code(int status);

#endif
