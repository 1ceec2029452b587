#include "server_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_WAIT_MS 10000

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *where) {
  (void)stat;
  (void)type;
  (void)where;
  (void)remove(path);
  return 0;
}

/* The kernel kills etcd with its parent; nothing may be removed while it still writes. */
static void wait_for_end(int process) {
  if (process < 0) return;
  struct pollfd poll_fd = {.fd = process, .events = POLLIN};
  while (poll(&poll_fd, 1, MOST_WAIT_MS) < 0 && errno == EINTR) {
  }
}

/* Holds none of the parent's files, so that nobody waits for their end because of the guard. */
static void detach(int pipe_end) {
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; null >= 0 && fd < 3; fd++) dup2(null, fd);
  dup2(pipe_end, 3);
  (void)syscall(SYS_close_range, 4U, ~0U, 0U);
  setsid();
}

static void guard(const char *directory, int pipe_end) {
  pid_t pid;
  int process = -1;
  detach(pipe_end);
  for (;;) {
    ssize_t n = read(3, &pid, sizeof pid);
    if (n < 0 && errno == EINTR) continue;
    if (n != sizeof pid) break;
    if (process >= 0) close(process);
    process = (int)syscall(SYS_pidfd_open, pid, 0U);
  }
  wait_for_end(process);
  nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

pid_t guard_start(const char *directory, int *out_pipe) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  pid_t pid = fork();
  if (pid == 0) {
    close(ends[1]);
    guard(directory, ends[0]);
    _exit(0);
  }
  int why = errno;
  close(ends[0]);
  if (pid > 0) {
    *out_pipe = ends[1];
  } else {
    close(ends[1]);
  }
  errno = why;
  return pid;
}
