/*
 * coord dev: a throwaway etcd.
 *
 * A keeper process of its own starts etcd and waits on a pipe. When the pipe closes, because we are
 * done or because we were killed, it stops etcd and removes the directory. So nothing is left
 * behind, whatever happens to us.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

enum { TRIES = 3, START_S = 20, STOP_S = 5 };

/* How the keeper ends: as it was told to; etcd ended first; because its port was taken. */
enum { KEPT = 0, ENDED = 1, PORT_TAKEN = 2 };

typedef struct server {
  char dir[256];
  int client_port;
  int peer_port;
  pid_t keeper;
  int pipe;        /* closing it ends the keeper */
  sigset_t before; /* the signal mask that our children shall have */
} server;

/* Blocked, and taken one by one: none can slip in between a look and a wait. */
static sigset_t watched;

/* ---- the keeper ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
  (void)st;
  (void)type;
  (void)at;
  return remove(path);
}

static void remove_dir(const char *dir) { nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

/* Why did etcd end? Said, unless it is only that somebody else was faster at its port. */
static int explain_end(const char *path) {
  char text[2048];
  FILE *log = fopen(path, "r");
  if (log == NULL) return ENDED;
  fseek(log, 0, SEEK_END);
  long size = ftell(log);
  fseek(log, size > 2000 ? size - 2000 : 0, SEEK_SET);
  size_t n = fread(text, 1, sizeof text - 1, log);
  text[n] = '\0';
  fclose(log);
  if (strstr(text, "address already in use") != NULL) return PORT_TAKEN;
  fputs("coord: etcd ended by itself; its last words:\n", stderr);
  fwrite(text, 1, n, stderr);
  return ENDED;
}

static void exec_etcd(const server *s, const char *binary) {
  char client[64];
  char peer[64];
  char data[300];
  char log[300];
  char cluster[80];
  snprintf(client, sizeof client, "http://127.0.0.1:%d", s->client_port);
  snprintf(peer, sizeof peer, "http://127.0.0.1:%d", s->peer_port);
  snprintf(data, sizeof data, "%s/data", s->dir);
  snprintf(log, sizeof log, "%s/log", s->dir);
  snprintf(cluster, sizeof cluster, "dev=%s", peer);
  int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd >= 0) {
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
  }
  execlp(binary, "etcd", "--name", "dev", "--data-dir", data, "--listen-client-urls", client,
         "--advertise-client-urls", client, "--listen-peer-urls", peer,
         "--initial-advertise-peer-urls", peer, "--initial-cluster", cluster, (char *)NULL);
  dprintf(STDERR_FILENO, "cannot run %s: %s\n", binary, strerror(errno));
  _exit(127);
}

static void sleep_ms(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&t, NULL);
}

static void stop_etcd(pid_t etcd) {
  kill(etcd, SIGTERM);
  for (int i = 0; i < STOP_S * 50; i++) {
    if (waitpid(etcd, NULL, WNOHANG) == etcd) return;
    sleep_ms(20);
  }
  kill(etcd, SIGKILL);
  waitpid(etcd, NULL, 0);
}

static void keep(const server *s, const char *binary, int pipe_end) {
  setsid(); /* Ctrl-C at the terminal is not for us, nor for etcd */
  pid_t self = getpid();
  pid_t etcd = fork();
  if (etcd == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != self) _exit(1);
    sigprocmask(SIG_SETMASK, &s->before, NULL);
    exec_etcd(s, binary);
  }
  bool ended = etcd < 0;
  struct pollfd p = {.fd = pipe_end, .events = POLLIN};
  while (!ended && poll(&p, 1, 50) == 0) ended = waitpid(etcd, NULL, WNOHANG) == etcd;
  int how = KEPT;
  if (ended) {
    char log[300];
    snprintf(log, sizeof log, "%s/log", s->dir);
    how = explain_end(log);
  } else {
    stop_etcd(etcd);
  }
  remove_dir(s->dir);
  _exit(how);
}

/* ---- starting ---- */

/* Two free ports of the loopback, held together while they are chosen. */
static bool choose_ports(server *s) {
  int *const ports[] = {&s->client_port, &s->peer_port};
  int fds[2] = {-1, -1};
  bool good = true;
  for (int i = 0; i < 2 && good; i++) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    good = fds[i] >= 0 && bind(fds[i], (struct sockaddr *)&a, sizeof a) == 0 &&
           getsockname(fds[i], (struct sockaddr *)&a, &len) == 0;
    *ports[i] = ntohs(a.sin_port);
  }
  for (int i = 0; i < 2; i++) {
    if (fds[i] >= 0) close(fds[i]);
  }
  return good;
}

static bool start_keeper(server *s, const char *binary) {
  const char *tmp = getenv("TMPDIR");
  int ends[2];
  snprintf(s->dir, sizeof s->dir, "%s/coord-dev-XXXXXX", tmp != NULL ? tmp : "/tmp");
  if (!choose_ports(s) || mkdtemp(s->dir) == NULL) {
    fail_errno("dev");
    return false;
  }
  if (pipe2(ends, O_CLOEXEC) != 0 || (s->keeper = fork()) < 0) {
    fail_errno("dev");
    rmdir(s->dir);
    return false;
  }
  if (s->keeper == 0) {
    close(ends[1]);
    keep(s, binary, ends[0]);
  }
  close(ends[0]);
  s->pipe = ends[1];
  return true;
}

static bool keeper_is_alive(const server *s) {
  siginfo_t info = {0};
  return waitid(P_PID, (id_t)s->keeper, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

static int stop(server *s) {
  int status = 0;
  close(s->pipe);
  waitpid(s->keeper, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : ENDED;
}

static bool answers(const server *s) {
  char endpoint[64];
  coord_options *options = NULL;
  coord_client *client = NULL;
  snprintf(endpoint, sizeof endpoint, "127.0.0.1:%d", s->client_port);
  if (coord_options_new(&options) != COORD_OK) return false;
  coord_options_set(options, "endpoints", endpoint, NULL);
  coord_options_set(options, "log.level", "off", NULL);
  coord_result *result = NULL;
  bool good = coord_client_open(options, &client, NULL) == COORD_OK &&
              coord_get(client, "k", 1, &result, NULL) == COORD_OK;
  coord_result_free(result);
  coord_client_free(client);
  coord_options_free(options);
  return good;
}

/* The next signal, SIGCHLD among them; 0 when none comes in time. -1: no limit. */
static int next_signal(int64_t wait_ms) {
  struct timespec t = {wait_ms / 1000, wait_ms % 1000 * 1000000};
  int signal = wait_ms < 0 ? sigwaitinfo(&watched, NULL) : sigtimedwait(&watched, NULL, &t);
  return signal > 0 ? signal : 0;
}

/* EXIT_FINE, or how to exit. */
static int start(server *s, const char *binary) {
  for (int i = 0; i < TRIES; i++) {
    if (!start_keeper(s, binary)) return EXIT_OTHER;
    double until = now_s() + START_S;
    while (now_s() < until && keeper_is_alive(s)) {
      if (answers(s)) return EXIT_FINE;
      int signal = next_signal(30);
      if (signal == 0 || signal == SIGCHLD) continue;
      stop(s);
      return 128 + signal;
    }
    if (stop(s) != PORT_TAKEN) break;
  }
  usage_error("dev: %s did not start; give a working one with --etcd", binary);
  return EXIT_OTHER;
}

/* ---- running ---- */

static void print_how(const cli *c, const server *s) {
  if (c->json) {
    printf("{\"endpoints\":\"127.0.0.1:%d\",\"pid\":%d}\n", s->client_port, (int)getpid());
  } else {
    printf(
        "etcd is at 127.0.0.1:%d, for as long as this runs. In another shell:\n\n"
        "  export COORD_ENDPOINTS=127.0.0.1:%d\n"
        "  coord put greeting hello && coord get greeting\n\n"
        "Ctrl-C ends it and removes its data.\n",
        s->client_port, s->client_port);
  }
  fflush(stdout);
}

/* Until a signal comes, or etcd ends. */
static int serve(const cli *c, const server *s) {
  print_how(c, s);
  while (next_signal(-1) == SIGCHLD) {
    if (!keeper_is_alive(s)) return EXIT_OTHER;
  }
  return EXIT_FINE;
}

static int run_command(const server *s, char **command) {
  pid_t pid = fork();
  if (pid == 0) {
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "127.0.0.1:%d", s->client_port);
    setenv("COORD_ENDPOINTS", endpoint, 1);
    sigprocmask(SIG_SETMASK, &s->before, NULL);
    execvp(command[0], command);
    fprintf(stderr, "coord: cannot run %s: %s\n", command[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
  }
  if (pid < 0) return fail_errno("dev");
  int status;
  while (waitpid(pid, &status, WNOHANG) != pid) {
    int signal = next_signal(-1);
    /* Ctrl-C has reached the command as well, other signals have not. */
    if (signal != 0 && signal != SIGCHLD && signal != SIGINT) kill(pid, signal);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(cli *c, int argc, char **argv) {
  static const struct option longs[] = {{"etcd", required_argument, NULL, 'e'}, {NULL, 0, NULL, 0}};
  const char *binary = getenv("COORD_TEST_ETCD");
  if (binary == NULL) binary = "etcd";
  for (int o; (o = getopt_long(argc, argv, "+", longs, NULL)) != -1;) {
    if (o != 'e') return bad_option("dev");
    binary = optarg;
  }
  server s = {.pipe = -1};
  sigemptyset(&watched);
  sigaddset(&watched, SIGINT);
  sigaddset(&watched, SIGTERM);
  sigaddset(&watched, SIGHUP);
  sigaddset(&watched, SIGCHLD);
  sigprocmask(SIG_BLOCK, &watched, &s.before);
  int started = start(&s, binary);
  if (started != EXIT_FINE) return started;
  int status = argv[optind] != NULL ? run_command(&s, argv + optind) : serve(c, &s);
  stop(&s);
  return status;
}

const verb verb_dev = {
    "dev", "a throwaway etcd, for trying and testing",
    "usage: coord dev [--etcd PATH] [-- CMD ARGUMENTS...]\n\n"
    "Starts an etcd of its own on a free port of this machine, with its data in a temporary\n"
    "directory. Without CMD, prints how to reach it and runs until Ctrl-C. With CMD, runs that "
    "with\n"
    "COORD_ENDPOINTS set and exits as it does (128 + N when signal N ended it). The etcd and its "
    "data\n"
    "are gone afterwards, also when this command is killed.\n\n"
    "  --etcd PATH    the server to run; default: $COORD_TEST_ETCD, else etcd from $PATH\n\n"
    "Example:\n"
    "  coord dev -- sh -c 'coord put a 1 && coord get a'\n",
    run};
