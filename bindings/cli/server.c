#include "server.h"

#include <arpa/inet.h>
#include <coord.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "progress.h"
#include "report.h"
#include "server_guard.h"

#define START_TRIES 5
#define START_LIMIT_S 30
#define LOG_TAIL_BYTES 2000

static bool runs(const char *path) { return strchr(path, '/') != NULL && access(path, X_OK) == 0; }

static bool search(const char *name, char *out, size_t size) {
  const char *list = getenv("PATH");
  while (list != NULL && *list != '\0') {
    size_t len = strcspn(list, ":");
    if (len > 0) {
      int n = snprintf(out, size, "%.*s/%s", (int)len, list, name);
      if (n > 0 && (size_t)n < size && runs(out)) return true;
    }
    list += len + (list[len] == ':');
  }
  return false;
}

int server_find(struct server *server, const char *path) {
  const char *said_by = "--etcd";
  if (path == NULL) {
    path = getenv("COORD_TEST_ETCD");
    said_by = "COORD_TEST_ETCD";
  }
  if (path == NULL || *path == '\0') {
    path = "etcd";
    said_by = "PATH";
  }
  bool found = strchr(path, '/') == NULL ? search(path, server->etcd, sizeof server->etcd)
                                         : runs(path) && strlen(path) < sizeof server->etcd;
  if (found && strchr(path, '/') != NULL) {
    snprintf(server->etcd, sizeof server->etcd, "%s", path);
  }
  if (found) return CLI_FINE;
  if (strcmp(said_by, "PATH") == 0) {
    complain("dev", "NO_ETCD",
             "there is no etcd on PATH; install it (Debian: etcd-server) or say where it is with "
             "--etcd");
  } else {
    complain("dev", "NO_ETCD", "%s: there is no program \"%s\"", said_by, path);
  }
  return CLI_USAGE;
}

static void block_signals(struct server *server) {
  struct sigaction old;
  sigemptyset(&server->awaited);
  sigaddset(&server->awaited, SIGCHLD);
  sigaddset(&server->awaited, SIGINT);
  sigaddset(&server->awaited, SIGTERM);
  /* Under nohup, SIGHUP stays ignored. */
  if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
    sigaddset(&server->awaited, SIGHUP);
  }
  signal(SIGCHLD, SIG_DFL);
  sigprocmask(SIG_BLOCK, &server->awaited, &server->old_mask);
}

int server_prepare(struct server *server) {
  const char *base = getenv("TMPDIR");
  if (base == NULL || *base != '/') base = "/tmp";
  int n = snprintf(server->directory, sizeof server->directory - 16, "%s/coord-dev-XXXXXX", base);
  if (n < 0 || (size_t)n >= sizeof server->directory - 16 || mkdtemp(server->directory) == NULL) {
    complain("dev", "IO", "cannot make a directory in %s: %s", base, strerror(errno));
    return CLI_OTHER;
  }
  block_signals(server);
  server->guard = guard_start(server->directory, &server->guard_pipe);
  if (server->guard > 0) return CLI_FINE;
  complain("dev", "IO", "cannot start a process: %s", strerror(errno));
  rmdir(server->directory);
  return CLI_OTHER;
}

/* Two ports that were free a moment ago. */
static bool free_ports(int ports[2]) {
  int fds[2] = {-1, -1};
  bool good = true;
  for (int i = 0; i < 2; i++) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    good = good && fds[i] >= 0 && bind(fds[i], (struct sockaddr *)&address, len) == 0 &&
           getsockname(fds[i], (struct sockaddr *)&address, &len) == 0;
    ports[i] = ntohs(address.sin_port);
  }
  for (int i = 0; i < 2; i++) {
    if (fds[i] >= 0) close(fds[i]);
  }
  return good;
}

void server_child_setup(const struct server *server, int death_signal, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, death_signal);
  if (getppid() != parent) _exit(1); /* it died before the line above */
  sigprocmask(SIG_SETMASK, &server->old_mask, NULL);
}

static _Noreturn void become_etcd(const struct server *server, char **argv, char **envp,
                                  pid_t parent) {
  char log[SERVER_PATH_MAX + 16];
  snprintf(log, sizeof log, "%s/etcd.log", server->directory);
  server_child_setup(server, SIGKILL, parent);
  setpgid(0, 0); /* Ctrl-C is for us, not for etcd */
  int null = open("/dev/null", O_RDONLY);
  int out = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(null, 0);
  dup2(out, 1);
  dup2(out, 2);
  (void)syscall(SYS_close_range, 3U, ~0U, 0U);
  execve(server->etcd, argv, envp);
  dprintf(2, "cannot run %s: %s\n", server->etcd, strerror(errno));
  _exit(127);
}

/* Our environment without ETCD_..., which would configure the server behind our back. */
static char **clean_environment(void) {
  size_t n = 0;
  while (environ[n] != NULL) n++;
  char **out = must_alloc(n + 1, sizeof *out);
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    bool arch = strncmp(environ[i], "ETCD_UNSUPPORTED_ARCH=", 22) == 0;
    if (arch || strncmp(environ[i], "ETCD_", 5) != 0) out[kept++] = environ[i];
  }
  return out;
}

static bool launch(struct server *server, const char *const *extra) {
  int ports[2];
  char client_url[48];
  char peer_url[48];
  char cluster[64];
  char data[SERVER_PATH_MAX + 16];
  if (!free_ports(ports)) return false;
  server->port = ports[0];
  snprintf(server->endpoint, sizeof server->endpoint, "127.0.0.1:%d", ports[0]);
  snprintf(client_url, sizeof client_url, "http://127.0.0.1:%d", ports[0]);
  snprintf(peer_url, sizeof peer_url, "http://127.0.0.1:%d", ports[1]);
  snprintf(cluster, sizeof cluster, "dev=%s", peer_url);
  snprintf(data, sizeof data, "%s/data", server->directory);
  const char *own[] = {server->etcd, "--name",
                       "dev",        "--data-dir",
                       data,         "--listen-client-urls",
                       client_url,   "--advertise-client-urls",
                       client_url,   "--listen-peer-urls",
                       peer_url,     "--initial-advertise-peer-urls",
                       peer_url,     "--initial-cluster",
                       cluster,      "--logger",
                       "zap",        "--log-level",
                       "warn"};
  size_t own_count = sizeof own / sizeof *own;
  size_t extra_count = 0;
  while (extra[extra_count] != NULL) extra_count++;
  const char **argv = must_alloc(own_count + extra_count + 1, sizeof *argv);
  memcpy(argv, own, sizeof own);
  memcpy(argv + own_count, extra, extra_count * sizeof *argv);
  char **envp = clean_environment();
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid == 0) become_etcd(server, (char **)argv, envp, parent);
  free(envp);
  free(argv);
  server->pid = pid > 0 ? pid : 0;
  return pid > 0 && write(server->guard_pipe, &pid, sizeof pid) == sizeof pid;
}

static void note_end(struct server *server) {
  int status;
  if (server->pid > 0 && waitpid(server->pid, &status, WNOHANG) == server->pid) {
    server->pid = 0;
    server->ended_with = status;
  }
}

int server_wait(struct server *server, int timeout_ms, siginfo_t *info) {
  struct timespec limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
  siginfo_t unused;
  int signal;
  if (info == NULL) info = &unused;
  do {
    signal = timeout_ms < 0 ? sigwaitinfo(&server->awaited, info)
                            : sigtimedwait(&server->awaited, info, &limit);
  } while (signal < 0 && errno == EINTR);
  if (signal == SIGCHLD) note_end(server);
  return signal > 0 ? signal : 0;
}

static bool accepts(const struct server *server) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  address.sin_port = htons((uint16_t)server->port);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool good = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
  if (fd >= 0) close(fd);
  return good;
}

static void note_version(struct server *server, const char *status) {
  json_object *object = json_tokener_parse(status);
  json_object *version = NULL;
  if (json_object_object_get_ex(object, "version", &version)) {
    snprintf(server->version, sizeof server->version, "%s", json_object_get_string(version));
  }
  json_object_put(object);
}

/* A linearizable read needs a leader; once it is answered, writes are taken. */
static bool answers(struct server *server) {
  static const char probe[] = "coord-dev";
  coord_options *options = NULL;
  coord_client *client = NULL;
  coord_result *result = NULL;
  coord_op *status = coord_op_status();
  bool good = coord_options_new(&options) == COORD_OK &&
              coord_options_set(options, "endpoints", server->endpoint, NULL) == COORD_OK &&
              coord_options_set(options, "log.level", "off", NULL) == COORD_OK &&
              coord_options_set(options, "request.timeout.ms", "1000", NULL) == COORD_OK &&
              coord_client_open(options, &client, NULL) == COORD_OK &&
              coord_get(client, probe, sizeof probe - 1, NULL, NULL) == COORD_OK &&
              coord_call(client, status, 0, &result, NULL) == COORD_OK;
  if (good) note_version(server, coord_result_json(result));
  coord_result_free(result);
  coord_op_free(status);
  coord_client_close(client, 0, NULL);
  coord_client_free(client);
  coord_options_free(options);
  return good;
}

typedef enum outcome { READY, ENDED, INTERRUPTED, TOO_SLOW } outcome;

static outcome wait_ready(struct server *server, int *signal) {
  double limit = now_s() + START_LIMIT_S;
  while (now_s() < limit) {
    if (server->pid == 0) return ENDED;
    if (accepts(server) && answers(server)) {
      note_end(server); /* the port may belong to another process */
      return server->pid != 0 ? READY : ENDED;
    }
    int got = server_wait(server, 20, NULL);
    if (got != 0 && got != SIGCHLD) {
      *signal = got;
      return INTERRUPTED;
    }
  }
  return TOO_SLOW;
}

static bool log_has(const struct server *server, const char *text, bool print) {
  char path[SERVER_PATH_MAX + 16];
  struct bytes log = {0};
  bool found = false;
  snprintf(path, sizeof path, "%s/etcd.log", server->directory);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0 && bytes_read_fd(fd, (size_t)64 << 20, &log)) {
    found = text != NULL && strstr(log.data, text) != NULL;
    const char *tail = log.data;
    if (log.len > LOG_TAIL_BYTES) {
      const char *line = strchr(log.data + log.len - LOG_TAIL_BYTES, '\n');
      tail = line != NULL ? line + 1 : log.data + log.len - LOG_TAIL_BYTES;
    }
    if (print) fprintf(stderr, "%s", tail);
  }
  if (fd >= 0) close(fd);
  bytes_free(&log);
  return found;
}

void server_print_log(const struct server *server) { log_has(server, NULL, true); }

int server_start(struct server *server, const char *const *extra, int *signal) {
  for (int i = 0; i < START_TRIES; i++) {
    if (!launch(server, extra)) {
      complain("dev", "IO", "cannot start %s: %s", server->etcd, strerror(errno));
      return CLI_OTHER;
    }
    switch (wait_ready(server, signal)) {
      case READY:
      case INTERRUPTED:
        return CLI_FINE;
      case TOO_SLOW:
        complain("dev", "TIMEOUT",
                 "%s does not answer after %d s; the end of its log:", server->etcd, START_LIMIT_S);
        server_print_log(server);
        return CLI_UNREACHABLE;
      case ENDED:
        break;
    }
    /* Somebody else took a port between our look and etcd's start: once more, on others. */
    if (!log_has(server, "address already in use", false)) break;
  }
  complain("dev", "NO_ETCD", "%s ended by itself; the end of its log:", server->etcd);
  server_print_log(server);
  return CLI_OTHER;
}

void server_stop(struct server *server) {
  if (server->pid > 0) {
    kill(server->pid, SIGKILL);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    server->pid = 0;
  }
  if (server->guard > 0) {
    close(server->guard_pipe);
    while (waitpid(server->guard, NULL, 0) < 0 && errno == EINTR) {
    }
    server->guard = 0;
  }
}
