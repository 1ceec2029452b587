#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bytes.h"

int process_become(const char *what, char *const *argv, char *const *env) {
  char **own = environ;
  if (env != NULL) environ = (char **)env;
  execvp(argv[0], argv);
  int why = errno;
  environ = own;
  dprintf(STDERR_FILENO, "coord: %s: cannot run %s: %s (COMMAND)\n", what, argv[0], strerror(why));
  return why == ENOENT ? 127 : 126;
}

pid_t process_start(const char *what, char *const *argv, char *const *env, const sigset_t *mask) {
  pid_t parent = getpid();
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t pid = fork();
  if (pid != 0) return pid;
  /* When nobody is left to see that the lock is lost, it must not run on without it. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1); /* it died before the line above */
  sigprocmask(SIG_SETMASK, mask, NULL);
  _exit(process_become(what, argv, env));
}

struct relation {
  pid_t pid;
  pid_t parent;
  bool descends;
};

/* The parent of a process, as /proc/PID/stat has it; 0 when the process is gone. */
static pid_t parent_of(const char *pid) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
  FILE *file = fopen(path, "re");
  if (file == NULL) return 0;
  size_t n = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[n] = '\0';
  /* "PID (NAME) STATE PARENT ...", and NAME may be anything. */
  const char *end = strrchr(text, ')');
  return end != NULL && strlen(end) > 4 ? (pid_t)strtol(end + 4, NULL, 10) : 0;
}

static size_t read_relations(struct relation **out) {
  size_t count = 0, cap = 0;
  DIR *proc = opendir("/proc");
  *out = NULL;
  if (proc == NULL) return 0;
  for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
    pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
    if (pid <= 0) continue;
    if (count == cap) {
      cap = cap > 0 ? 2 * cap : 256;
      *out = must_grow(*out, cap, sizeof **out);
    }
    (*out)[count++] = (struct relation){.pid = pid, .parent = parent_of(entry->d_name)};
  }
  closedir(proc);
  return count;
}

static bool descends(const struct relation *all, size_t count, pid_t parent) {
  if (parent == getpid()) return true;
  for (size_t i = 0; i < count; i++) {
    if (all[i].pid == parent) return all[i].descends;
  }
  return false;
}

void process_signal_all(int signal) {
  struct relation *all;
  size_t count = read_relations(&all);
  for (bool grew = true; grew;) {
    grew = false;
    for (size_t i = 0; i < count; i++) {
      if (all[i].descends || !descends(all, count, all[i].parent)) continue;
      all[i].descends = grew = true;
    }
  }
  for (size_t i = 0; i < count; i++) {
    if (all[i].descends) kill(all[i].pid, signal);
  }
  free(all);
}

bool process_take_ends(pid_t child, int *status, bool *left) {
  bool found = false;
  int how;
  pid_t pid;
  while ((pid = waitpid(-1, &how, WNOHANG)) > 0 || (pid < 0 && errno == EINTR)) {
    if (pid != child) continue;
    found = true;
    *status = how;
  }
  *left = pid == 0;
  return found;
}

int process_exit_code(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
