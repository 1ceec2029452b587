/* Noticing that the process is a fork of the one that opened a handle. */
#ifndef COORD_BASE_FORK_H
#define COORD_BASE_FORK_H

/* What has to be quiet while the process forks. All three run on the forking thread. */
typedef struct coord__fork_hooks {
  void (*prepare)(void);
  void (*parent)(void);
  void (*child)(void);
} coord__fork_hooks;

/* How often this process image was forked since coord__fork_watch. A handle remembers the number of
 * its birth; another number now means that it belongs to the parent. */
unsigned coord__fork_generation(void);

/* Start watching, once for the process; later calls do nothing. */
void coord__fork_watch(const coord__fork_hooks *hooks);

#endif
