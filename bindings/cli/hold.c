#include "hold.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "print.h"
#include "process.h"
#include "progress.h"
#include "report.h"

/* How long CMD may take to end once it is lost for good: others may have it already. */
#define GRACE_S 1.0
/* Between two tries to kill what is left: it may start more. */
#define KILL_AGAIN_MS 50
/* For what is on its way out of a queue when we end: else it stands there until its lease has ended. */
#define GOODBYE_MS 1000
/* When the wait is worth a word. */
#define LONG_WAIT_MS 1000

static sigset_t old_mask;

static void fill(sigset_t *set) {
  struct sigaction hangup;
  sigemptyset(set);
  sigaddset(set, SIGINT);
  sigaddset(set, SIGTERM);
  sigaddset(set, SIGCHLD);
  /* nohup means it. */
  if (sigaction(SIGHUP, NULL, &hangup) != 0 || hangup.sa_handler != SIG_IGN) sigaddset(set, SIGHUP);
}

void hold_prepare(void) {
  sigset_t set;
  signal(SIGCHLD, SIG_DFL);
  fill(&set);
  sigprocmask(SIG_BLOCK, &set, &old_mask);
}

int hold_open(struct hold *hold, const struct args *args, coord_options *options) {
  sigset_t set;
  coord_error *err = NULL;
  fill(&set);
  hold->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (hold->signals < 0) {
    complain(hold->what, "IO", "cannot wait for signals: %s", strerror(errno));
    coord_options_free(options);
    return CLI_OTHER;
  }
  int exit_code = session_open_with(args, options, &hold->session);
  if (exit_code != CLI_FINE) return exit_code;
  coord_code code = coord_queue_open(&hold->queue, &err);
  if (code != COORD_OK) exit_code = call_error(hold->what, code, err);
  coord_error_free(err);
  return exit_code;
}

void hold_close(struct hold *hold) {
  coord_client_close(hold->session.client, GOODBYE_MS, NULL);
  session_close(&hold->session);
  coord_queue_free(hold->queue);
  if (hold->signals >= 0) close(hold->signals);
}

int64_t hold_margin_ms(const coord_options *options) {
  const char *text = NULL;
  int64_t ttl_s = 0;
  if (coord_options_get(options, "lock.ttl.s", &text, NULL) != COORD_OK) return 0;
  return parse_number(text, 1, 9000000000, &ttl_s) ? ttl_s * 1000 / 6 : 0;
}

int hold_next_signal(const struct hold *hold, bool *from_terminal) {
  struct signalfd_siginfo info;
  if (read(hold->signals, &info, sizeof info) != sizeof info) return 0;
  if (from_terminal != NULL) *from_terminal = info.ssi_code == SI_KERNEL;
  return (int)info.ssi_signo;
}

/* The next signal that asks to end. */
static int next_stop(const struct hold *hold) {
  int signal;
  do {
    signal = hold_next_signal(hold, NULL);
  } while (signal == SIGCHLD);
  return signal;
}

static int get_error(const struct hold *hold, const coord_event *event) {
  coord_code code = coord_event_code(event);
  int exit_code = call_error(hold->what, code, coord_event_error(event));
  if (code == COORD_TIMEOUT || code == COORD_CONFLICT) return CLI_HELD_BY_OTHER;
  return code == COORD_LOST ? CLI_LOST : exit_code;
}

/* Until the event of the op; a signal cancels it. */
static int wait_result(struct hold *hold, uint64_t call_id, coord_result **out) {
  struct pollfd fds[2] = {{.fd = hold->signals, .events = POLLIN},
                          {.fd = coord_queue_fd(hold->queue), .events = POLLIN}};
  int timeout = LONG_WAIT_MS;
  int signal = 0;
  for (;;) {
    for (coord_event *e; (e = coord_queue_next(hold->queue, 0)) != NULL; coord_event_free(e)) {
      if (coord_event_type(e) != COORD_EVENT_RESULT) continue;
      int code = signal != 0                       ? 128 + signal
                 : coord_event_code(e) == COORD_OK ? CLI_FINE
                                                   : get_error(hold, e);
      *out = coord_event_take_result(e);
      coord_event_free(e);
      return code;
    }
    int n = poll(fds, 2, timeout);
    if (n == 0) remark("%s", hold->waits != NULL ? hold->waits : "Waiting for its turn.");
    if (n == 0) timeout = -1;
    if (signal == 0 && (signal = next_stop(hold)) != 0) {
      coord_cancel(hold->session.client, call_id);
    }
  }
}

int hold_get(struct hold *hold, coord_op *op, int32_t timeout_ms, coord_result **out) {
  coord_error *err = NULL;
  uint64_t call_id = 0;
  coord_code code = op == NULL ? COORD_NO_MEMORY
                               : coord_submit(hold->session.client, op, timeout_ms, hold->queue, 0,
                                              &call_id, &err);
  int exit_code =
      code == COORD_OK ? wait_result(hold, call_id, out) : call_error(hold->what, code, err);
  coord_error_free(err);
  coord_op_free(op);
  return exit_code;
}

int hold_give_back(struct hold *hold, coord_op *op, int code) {
  coord_error *err = NULL;
  int32_t timeout_ms = 0;
  if (code == CLI_LOST) { /* it ends by itself soon */
    int64_t left_ms = hold->remaining_ms(hold->handle);
    timeout_ms = left_ms < 1 ? 1 : left_ms > 5000 ? 5000 : (int32_t)left_ms;
  }
  coord_code end =
      op == NULL ? COORD_NO_MEMORY : coord_call(hold->session.client, op, timeout_ms, NULL, &err);
  if (end != COORD_OK && code != CLI_LOST) {
    int exit_code = call_error(hold->what, end, err);
    bool lost = end == COORD_LOST || end == COORD_NOT_HELD;
    if (lost || code == CLI_FINE) code = lost ? CLI_LOST : exit_code;
  }
  coord_error_free(err);
  coord_op_free(op);
  return code;
}

/* Says what the events say. True: it is lost. */
static bool take_events(struct hold *hold) {
  bool lost = false;
  for (coord_event *e; (e = coord_queue_next(hold->queue, 0)) != NULL; coord_event_free(e)) {
    const coord_error *err = coord_event_error(e);
    int32_t type = coord_event_type(e);
    if (type == COORD_EVENT_AT_RISK) remark("%s", coord_error_message(err));
    if (type == COORD_EVENT_RESTORED) remark("The lease is kept alive again.");
    if (type == COORD_EVENT_LOST || type == COORD_EVENT_CLOSED) {
      if (!lost) call_error(hold->what, coord_event_code(e), err);
      lost = true;
    }
  }
  return lost;
}

/* A command under way. */
struct run {
  struct hold *hold;
  pid_t child;
  int status;
  bool ended;
  bool left;      /* other children are there */
  bool doomed;    /* it was told to end */
  double kill_at; /* when it is doomed */
};

/* Ends it in time: told when `margin_ms` is left, killed when nothing is. */
static void check(struct run *run) {
  bool lost = take_events(run->hold);
  int64_t left_ms = run->hold->remaining_ms(run->hold->handle);
  if (!run->doomed && (lost || left_ms <= run->hold->margin_ms)) {
    run->doomed = true;
    run->kill_at = now_s() + (!lost && left_ms > 0 ? (double)left_ms / 1000 : GRACE_S);
    if (!lost && left_ms > 0) {
      remark("%" PRId64 " ms are left of the lease: the command has to end.", left_ms);
    }
    process_signal_all(SIGTERM);
  } else if (run->doomed && now_s() >= run->kill_at) {
    process_signal_all(SIGKILL);
  }
}

/* How long nothing needs to be done. */
static int pause_ms(const struct run *run) {
  if (!run->doomed) {
    int64_t ms = run->hold->remaining_ms(run->hold->handle) - run->hold->margin_ms;
    return ms < 1 ? 1 : ms > 60000 ? 60000 : (int)ms;
  }
  double ms = (run->kill_at - now_s()) * 1000 + 1;
  return ms < KILL_AGAIN_MS ? KILL_AGAIN_MS : (int)ms;
}

static void take_signals(struct run *run) {
  bool from_terminal = false;
  for (int signal; (signal = hold_next_signal(run->hold, &from_terminal)) != 0;) {
    if (signal == SIGCHLD) continue;
    /* One that the terminal sent has reached CMD as well, which decides what it means. */
    if (!from_terminal && !run->ended) kill(run->child, signal);
  }
  if (process_take_ends(run->child, &run->status, &run->left)) run->ended = true;
}

pid_t hold_start(const struct hold *hold, char *const *argv) {
  pid_t child = process_start(hold->what, argv, NULL, &old_mask);
  if (child < 0) complain(hold->what, "IO", "cannot start a process: %s", strerror(errno));
  return child;
}

int hold_run(struct hold *hold, char *const *argv) {
  struct pollfd fds[2] = {{.fd = hold->signals, .events = POLLIN},
                          {.fd = coord_queue_fd(hold->queue), .events = POLLIN}};
  struct run run = {.hold = hold, .child = hold_start(hold, argv)};
  if (run.child < 0) return CLI_OTHER;
  while (!run.ended || (run.doomed && run.left)) {
    check(&run);
    poll(fds, 2, pause_ms(&run));
    take_signals(&run);
  }
  return run.doomed ? CLI_LOST : process_exit_code(run.status);
}

/* Only what was made to be closed: in the background standard input is often nothing at all. */
bool hold_input_can_end(void) {
  struct stat info;
  return fstat(STDIN_FILENO, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
}

bool hold_input_ended(void) {
  char unused[256];
  return read(STDIN_FILENO, unused, sizeof unused) == 0;
}

int hold_stay(struct hold *hold) {
  struct pollfd fds[3] = {{.fd = hold->signals, .events = POLLIN},
                          {.fd = coord_queue_fd(hold->queue), .events = POLLIN},
                          {.fd = hold_input_can_end() ? STDIN_FILENO : -1, .events = POLLIN}};
  while (!take_events(hold)) {
    if (poll(fds, 3, -1) < 0 && errno != EINTR) break;
    if (fds[0].revents != 0 && next_stop(hold) != 0) return CLI_FINE;
    if (fds[2].revents != 0 && hold_input_ended()) return CLI_FINE;
  }
  return CLI_LOST;
}

void hold_show(const coord_kv *kv) {
  if (cli.json) {
    printf("{\"token\":%" PRId64 ",", kv->create_revision);
    print_json_bytes("key", kv->key, kv->key_len);
    printf(",\"lease\":\"%" PRIx64 "\"}\n", (uint64_t)kv->lease_id);
  } else {
    printf("%" PRId64 " ", kv->create_revision);
    print_bytes(kv->key, kv->key_len);
    putchar('\n');
  }
}

void hold_owner(char *out, size_t size) {
  char host[256] = "";
  const struct passwd *user = getpwuid(geteuid());
  gethostname(host, sizeof host - 1);
  if (user != NULL) {
    snprintf(out, size, "%s@%s:%d", user->pw_name, host, (int)getpid());
  } else {
    snprintf(out, size, "%u@%s:%d", (unsigned)geteuid(), host, (int)getpid());
  }
}
