#include "hook.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bytes.h"
#include "report.h"

/* A key with a NUL in it is cut there: no variable can hold more. */
static void tell(int32_t type, const coord_kv *kv) {
  char revision[24];
  snprintf(revision, sizeof revision, "%" PRId64, kv->mod_revision);
  setenv("COORD_WATCH_TYPE", type == COORD_CHANGE_PUT ? "put" : "delete", 1);
  setenv("COORD_WATCH_KEY", kv->key, 1);
  setenv("COORD_WATCH_REVISION", revision, 1);
}

/* What the command does not read is not written. */
static void feed(int fd, const coord_kv *kv) {
  const char *p = kv->value;
  size_t left = kv->value_len;
  while (left > 0) {
    ssize_t n = write(fd, p, left);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    p += n;
    left -= (size_t)n;
  }
}

static int spawn(char *const *argv, int in, int out, pid_t *child) {
  sigset_t defaults;
  posix_spawnattr_t attr;
  posix_spawn_file_actions_t actions;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_init(&attr);
  posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setsigdefault(&attr, &defaults);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_addclose(&actions, in);
  posix_spawn_file_actions_addclose(&actions, out);
  int fault = posix_spawnp(child, argv[0], &actions, &attr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attr);
  return fault;
}

int hook_run(char *const *argv, int32_t type, const coord_kv *kv) {
  int ends[2];
  int status = 0;
  pid_t child = -1;
  tell(type, kv);
  if (pipe(ends) != 0) {
    complain("watch", "IO", "no pipe for %s: %s", argv[0], strerror(errno));
    return 127;
  }
  signal(SIGPIPE, SIG_IGN);
  int fault = spawn(argv, ends[0], ends[1], &child);
  close(ends[0]);
  if (fault == 0) feed(ends[1], kv);
  close(ends[1]);
  if (fault != 0) {
    complain("watch", "IO", "cannot run %s: %s", argv[0], strerror(fault));
    return 127;
  }
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
