#include "env_restart.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "process.h"
#include "progress.h"
#include "report.h"

/* Between two tries to kill what is left: it may start more. */
#define KILL_AGAIN_MS 50

struct run {
  const struct env_task *task;
  struct variables vars; /* what the command runs with, or will next */
  int signals;           /* descriptor */
  int changes;           /* descriptor; -1: none will come */
  pid_t child;
  int status;
  bool ended;
  bool left;     /* other children are there */
  bool doomed;   /* it was told to end, to begin anew */
  bool stopping; /* it shall not begin anew */
  double kill_at;
};

static sigset_t old_mask;

static void fill(sigset_t *set) {
  sigemptyset(set);
  sigaddset(set, SIGINT);
  sigaddset(set, SIGTERM);
  sigaddset(set, SIGHUP);
  sigaddset(set, SIGUSR1);
  sigaddset(set, SIGUSR2);
  sigaddset(set, SIGCHLD);
}

void env_prepare(void) {
  sigset_t set;
  signal(SIGCHLD, SIG_DFL);
  fill(&set);
  sigprocmask(SIG_BLOCK, &set, &old_mask);
}

int env_read(const struct env_task *task, struct variables *out) {
  coord_error *err = NULL;
  coord_result *all = NULL;
  coord_code code = coord_config_all(task->app->config, &all, &err);
  int exit_code = code == COORD_OK ? variables_from(all, task->prefix, out)
                                   : call_error(task->app->what, code, err);
  coord_error_free(err);
  coord_result_free(all);
  return exit_code;
}

static bool start(struct run *run) {
  char **env = variables_environment(&run->vars);
  run->child = process_start(run->task->app->what, run->task->argv, env, &old_mask);
  run->ended = run->doomed = false;
  if (run->child < 0) {
    complain(run->task->app->what, "IO", "cannot start a process: %s", strerror(errno));
  }
  free(env);
  return run->child >= 0;
}

/* What cannot be an environment changes nothing. */
static void take_change(struct run *run) {
  struct variables vars;
  if (env_read(run->task, &vars) != CLI_FINE) {
    remark("The command runs on as it is.");
    return;
  }
  if (variables_equal(&vars, &run->vars)) {
    variables_free(&vars);
    return;
  }
  variables_free(&run->vars);
  run->vars = vars;
  if (run->doomed) return;
  remark("The configuration changed: %s starts anew.", run->task->argv[0]);
  run->doomed = true;
  run->kill_at = run->task->grace_ms < 0 ? 1e18 : now_s() + (double)run->task->grace_ms / 1000;
  process_signal_all(SIGTERM);
}

static void take_events(struct run *run) {
  bool changed = false;
  for (coord_event *e; (e = coord_queue_next(run->task->app->queue, 0)) != NULL;) {
    int32_t type = coord_event_type(e);
    if (type == COORD_EVENT_CHANGES) changed = true;
    if (type == COORD_EVENT_CLOSED) {
      call_error(run->task->app->what, coord_event_code(e), coord_event_error(e));
      remark("No more changes will be seen; the command runs on.");
      run->changes = -1;
    }
    config_tell(run->task->app, e);
    coord_event_free(e);
  }
  if (changed && !run->stopping) take_change(run);
}

static void take_signals(struct run *run) {
  struct signalfd_siginfo info;
  while (read(run->signals, &info, sizeof info) == sizeof info) {
    int signal = (int)info.ssi_signo;
    if (signal == SIGCHLD) continue;
    bool from_terminal = info.ssi_code == SI_KERNEL;
    if (signal == SIGTERM || signal == SIGINT || (signal == SIGHUP && from_terminal)) {
      run->stopping = true;
    }
    /* One that the terminal sent has reached the command as well. */
    if (!from_terminal && !run->ended) kill(run->child, signal);
  }
  if (process_take_ends(run->child, &run->status, &run->left)) run->ended = true;
}

static int pause_ms(const struct run *run) {
  if (!run->doomed) return -1;
  double ms = (run->kill_at - now_s()) * 1000 + 1;
  return ms < KILL_AGAIN_MS ? KILL_AGAIN_MS : ms > 60000 ? 60000 : (int)ms;
}

static int supervise(struct run *run) {
  if (!start(run)) return CLI_OTHER;
  for (;;) {
    struct pollfd fds[2] = {{.fd = run->signals, .events = POLLIN},
                            {.fd = run->changes, .events = POLLIN}};
    take_events(run);
    poll(fds, 2, pause_ms(run));
    take_signals(run);
    if (run->ended && (!run->doomed || (run->stopping && !run->left))) {
      return process_exit_code(run->status);
    }
    if (run->ended && !run->left && !start(run)) return CLI_OTHER;
    if (run->doomed && now_s() >= run->kill_at) process_signal_all(SIGKILL);
  }
}

int env_run(const struct env_task *task) {
  struct run run = {.task = task, .changes = coord_queue_fd(task->app->queue)};
  sigset_t set;
  int code = env_read(task, &run.vars);
  if (code != CLI_FINE) return code;
  fill(&set);
  run.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (run.signals >= 0) {
    code = supervise(&run);
    close(run.signals);
  } else {
    complain(task->app->what, "IO", "cannot wait for signals: %s", strerror(errno));
    code = CLI_OTHER;
  }
  variables_free(&run.vars);
  return code;
}
