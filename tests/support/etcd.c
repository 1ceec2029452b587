#include "support/etcd_inside.h"

#include <stddef.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  start_attempts = 5,
  healthy_ms = 20000,
  term_ms = 3000,
  args_max = 48,
  clusters_max = 8,
  established = 1,    /* of a TCP socket in /proc/net/tcp */
  first_port = 20000, /* below the range that the kernel gives to outgoing connections */
  port_count = 12000
};

static t_cluster *clusters[clusters_max];
static t_cluster *shared;

/* --- The binary --------------------------------------------------------------------------------- */

static struct {
  bool known;
  bool missing;
  int major;
  int minor;
  bool no_fsync;
} binary;

static const char *binary_path(void) {
  const char *path = getenv("COORD_TEST_ETCD");
  return path && *path ? path : "etcd";
}

static void read_output(const char *argument, char *text, size_t size) {
  char command[1100];
  snprintf(command, sizeof command, "'%s' %s 2>&1", binary_path(), argument);
  FILE *output = popen(command, "r");
  size_t n = output ? fread(text, 1, size - 1, output) : 0;
  text[n] = '\0';
  if (output) pclose(output);
}

static void look_at_binary(void) {
  static char text[65536];
  if (!binary.known) {
    binary.known = true;
    read_output("--version", text, sizeof text);
    const char *version = strstr(text, "etcd Version: ");
    binary.missing =
        !version || sscanf(version, "etcd Version: %d.%d", &binary.major, &binary.minor) != 2;
    read_output("--help", text, sizeof text);
    binary.no_fsync = strstr(text, "--unsafe-no-fsync") != NULL;
  }
  if (binary.missing) T_SKIP("no etcd (set COORD_TEST_ETCD, or have etcd on PATH)");
}

void t_etcd_version(int *major, int *minor) {
  look_at_binary();
  *major = binary.major;
  *minor = binary.minor;
}

bool t_etcd_is_at_least(int major, int minor) {
  look_at_binary();
  return binary.major > major || (binary.major == major && binary.minor >= minor);
}

/* --- Ports and health ---------------------------------------------------------------------------- */

int t_etcd_connect(int port, int limit_s) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  struct timeval limit = {.tv_sec = limit_s};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
  close(fd);
  return -1;
}

static bool port_is_free(int port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool free_port = bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
  close(fd);
  return free_port;
}

/* A name that only one process has, as long as it lives: a port whose etcd is down for a while, or
 * not yet up, is not taken by a test program beside this one. */
static bool reserve(int port) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  int len = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "coord-test-port-%d", port);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
  if (fd >= 0 && bind(fd, (struct sockaddr *)&name, size) == 0) return true; /* kept open */
  if (fd >= 0) close(fd);
  return false;
}

int t_free_port(void) {
  static unsigned seed;
  if (seed == 0) seed = (unsigned)getpid() * 2654435761u ^ (unsigned)t_now_ms();
  for (int i = 0; i < port_count; i++) {
    int port = first_port + rand_r(&seed) % port_count;
    if (port_is_free(port) && reserve(port)) return port;
  }
  T_SKIP("no free port");
}

static bool is_healthy(int port) {
  static const char request[] = "GET /health HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\n\r\n";
  char answer[2048];
  size_t n = 0;
  int fd = t_etcd_connect(port, 1);
  if (fd < 0) return false;
  if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0) {
    ssize_t got;
    while (n < sizeof answer - 1 && (got = recv(fd, answer + n, sizeof answer - 1 - n, 0)) > 0) {
      n += (size_t)got;
    }
  }
  close(fd);
  answer[n] = '\0';
  return strstr(answer, "\"health\":\"true\"") != NULL;
}

/* Healthy, or ended by itself: there is nothing to wait for any more. */
static bool settled(void *arg) {
  node *n = arg;
  if (waitpid(n->pid, NULL, WNOHANG) == n->pid) {
    n->pid = 0;
    return true;
  }
  return is_healthy(n->plain_port);
}

/* --- Processes ----------------------------------------------------------------------------------- */

static pid_t start_sweeper(t_cluster *cluster) {
  static const char script[] =
      "read -r x; for i in 1 2 3 4 5; do rm -rf -- \"$0\" && exit; sleep 0.2; done";
  int ends[2];
  T_FATAL(pipe2(ends, O_CLOEXEC) == 0);
  pid_t pid = fork();
  T_FATAL(pid >= 0);
  if (pid == 0) {
    int null = open("/dev/null", O_WRONLY);
    setsid(); /* an interrupt from the terminal must not stop it before its work is done */
    dup2(ends[0], 0);
    dup2(null, 1);
    dup2(null, 2);
    close_range(3, ~0U, 0);
    execl("/bin/sh", "sh", "-c", script, cluster->dir, (char *)NULL);
    _exit(127);
  }
  close(ends[0]);
  cluster->sweeper_pipe = ends[1];
  return pid;
}

typedef struct arguments {
  const char *list[args_max];
  size_t count;
  char text[4096];
  size_t used;
} arguments;

__attribute__((format(printf, 2, 3))) static void add(arguments *args, const char *format, ...) {
  char *at = args->text + args->used;
  size_t room = sizeof args->text - args->used;
  va_list values;
  va_start(values, format);
  int n = vsnprintf(at, room, format, values);
  va_end(values);
  T_FATAL(n >= 0 && (size_t)n < room && args->count < args_max - 1);
  args->used += (size_t)n + 1;
  args->list[args->count++] = at;
}

static void add_tls(const t_cluster *cluster, arguments *args) {
  char file[80];
  snprintf(file, sizeof file, "%s.pem", cluster->certificate);
  add(args, "--cert-file=%s", t_pki_file(cluster->pki, file));
  snprintf(file, sizeof file, "%s.key", cluster->certificate);
  add(args, "--key-file=%s", t_pki_file(cluster->pki, file));
  if (!cluster->client_auth) return;
  add(args, "--client-cert-auth");
  add(args, "--trusted-ca-file=%s", t_pki_file(cluster->pki, "ca.pem"));
}

/* "n0=http://127.0.0.1:port,n1=...", without nodes that are no members. */
static void list_members(const t_cluster *cluster, char *text, size_t size) {
  text[0] = '\0';
  for (int i = 0; i < cluster->node_count; i++) {
    const node *n = &cluster->nodes[i];
    size_t at = strlen(text);
    if (n->removed) continue;
    snprintf(text + at, size - at, "%s%s=http://127.0.0.1:%d", at > 0 ? "," : "", n->name,
             t_etcd_advertised_port(n));
  }
}

/* What loses a leader or a member has to wait: not for as long as etcd's own choice. */
static void add_quick(arguments *args) {
  add(args, "--heartbeat-interval=50");
  add(args, "--election-timeout=500");
  add(args, "--strict-reconfig-check=false");
}

static void build_arguments(const t_cluster *cluster, const node *n, arguments *args) {
  char members[512];
  list_members(cluster, members, sizeof members);
  add(args, "%s", binary_path());
  add(args, "--name=%s", n->name);
  add(args, "--data-dir=%s/data", n->dir);
  const char *scheme = cluster->pki ? "https" : "http";
  if (cluster->pki) {
    add(args, "--listen-client-urls=https://127.0.0.1:%d,http://127.0.0.1:%d", n->port,
        n->plain_port);
  } else {
    add(args, "--listen-client-urls=http://127.0.0.1:%d", n->port);
  }
  add(args, "--advertise-client-urls=%s://127.0.0.1:%d", scheme, n->port);
  add(args, "--listen-peer-urls=http://127.0.0.1:%d", n->peer_port);
  add(args, "--initial-advertise-peer-urls=http://127.0.0.1:%d", t_etcd_advertised_port(n));
  add(args, "--initial-cluster=%s", members);
  add(args, "--initial-cluster-state=%s", n->joins ? "existing" : "new");
  if (binary.no_fsync) add(args, "--unsafe-no-fsync");
  add(args,
      "--bcrypt-cost=4"); /* logins are many in tests; the usual 10 is a tenth of a second of work each */
  if (cluster->pki) add_tls(cluster, args);
  if (cluster->divisible) add_quick(args);
  for (const char *const *more = cluster->args; more && *more; more++) add(args, "%s", *more);
}

void t_etcd_start_node(t_cluster *cluster, node *n) {
  arguments args = {.count = 0};
  char log_path[192];
  build_arguments(cluster, n, &args);
  mkdir(n->dir, 0700);
  snprintf(log_path, sizeof log_path, "%s/log", n->dir);
  pid_t parent = getpid();
  pid_t pid = fork();
  T_FATAL(pid >= 0);
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    int in = open("/dev/null", O_RDONLY);
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(in, 0);
    dup2(log, 1);
    dup2(log, 2);
    close_range(3, ~0U, 0);
    execvp(args.list[0], (char *const *)args.list);
    _exit(127);
  }
  n->pid = pid;
  n->paused = false;
  atomic_store(&n->gate_pid, pid);
}

static void tell_log(const node *n) {
  char path[192];
  char tail[1500] = "";
  snprintf(path, sizeof path, "%s/log", n->dir);
  FILE *log = fopen(path, "r");
  if (log) {
    fseek(log, 0, SEEK_END);
    long size = ftell(log);
    fseek(log, size > 1400 ? size - 1400 : 0, SEEK_SET);
    tail[fread(tail, 1, sizeof tail - 1, log)] = '\0';
    fclose(log);
  }
  T_FAIL("etcd did not become healthy; the end of its log: %s", tail);
}

void t_etcd_end_node(node *n, int signal_number) {
  if (n->pid == 0) return;
  kill(n->pid, signal_number);
  kill(n->pid, SIGCONT);
  int64_t deadline = t_now_ms() + term_ms;
  while (waitpid(n->pid, NULL, WNOHANG) == 0) {
    if (t_now_ms() > deadline) kill(n->pid, SIGKILL);
    usleep(2000);
  }
  n->pid = 0;
}

bool t_etcd_is_healthy_within(node *n, int ms) {
  return t_wait_until(settled, n, ms) && n->pid != 0;
}

bool t_etcd_wait_healthy(node *n) { return t_etcd_is_healthy_within(n, healthy_ms); }

void t_etcd_choose_peer_port(t_cluster *cluster, node *n) {
  do {
    n->peer_port = t_free_port();
  } while (n->peer_port == n->port);
  if (!cluster->divisible) return;
  if (n->gate) t_proxy_stop(n->gate);
  n->gate = t_proxy_start(n->peer_port);
  atomic_store(&n->gate_port, t_proxy_port(n->gate));
  t_proxy_admit(n->gate, t_cluster_admits, n);
}

int t_etcd_advertised_port(const node *n) { return n->gate ? t_proxy_port(n->gate) : n->peer_port; }

void t_etcd_choose_ports(t_cluster *cluster, node *n) {
  n->port = t_free_port();
  t_etcd_choose_peer_port(cluster, n);
  n->plain_port = n->port;
  while (cluster->pki && (n->plain_port == n->port || n->plain_port == n->peer_port)) {
    n->plain_port = t_free_port();
  }
  snprintf(n->endpoint, sizeof n->endpoint, "%s127.0.0.1:%d", cluster->pki ? "https://" : "",
           n->port);
}

static bool start_all(t_cluster *cluster) {
  bool healthy = true;
  for (int i = 0; i < cluster->node_count; i++) {
    node *n = &cluster->nodes[i];
    snprintf(n->name, sizeof n->name, "n%d", i);
    t_etcd_choose_ports(cluster, n);
  }
  for (int i = 0; i < cluster->node_count; i++) t_etcd_start_node(cluster, &cluster->nodes[i]);
  for (int i = 0; i < cluster->node_count; i++) healthy &= t_etcd_wait_healthy(&cluster->nodes[i]);
  return healthy;
}

/* --- Clusters ------------------------------------------------------------------------------------ */

static void stop_all_clusters(void) {
  for (int i = 0; i < clusters_max; i++) {
    if (clusters[i]) t_etcd_stop(clusters[i]);
  }
}

static void remember(t_cluster *cluster) {
  static bool registered;
  if (!registered) t_at_exit(stop_all_clusters);
  registered = true;
  for (int i = 0; i < clusters_max; i++) {
    if (clusters[i]) continue;
    clusters[i] = cluster;
    return;
  }
  bool room_for_another_cluster = false;
  T_FATAL(room_for_another_cluster);
}

static void take_tls(t_cluster *cluster, const t_etcd_options *options) {
  cluster->pki = options->pki;
  cluster->client_auth = options->client_auth;
  snprintf(cluster->certificate, sizeof cluster->certificate, "%s",
           options->certificate ? options->certificate : "server");
  if (!options->certificate) t_pki_issue(cluster->pki, &(t_certificate){.file = "server"});
}

t_cluster *t_etcd_start(const t_etcd_options *options) {
  look_at_binary();
  t_cluster *cluster = calloc(1, sizeof *cluster);
  T_FATAL(cluster != NULL);
  const char *root = getenv("TMPDIR");
  snprintf(cluster->dir, sizeof cluster->dir, "%s/coord-test-XXXXXX",
           root && *root ? root : "/tmp");
  T_FATAL(mkdtemp(cluster->dir) != NULL);
  cluster->node_count = options && options->nodes > 0 ? options->nodes : 1;
  T_FATAL(cluster->node_count <= t_etcd_nodes_max);
  cluster->args = options ? options->args : NULL;
  cluster->divisible = options && options->divisible;
  for (int i = 0; i < cluster->node_count; i++) cluster->nodes[i].cluster = cluster;
  if (options && options->pki) take_tls(cluster, options);
  remember(cluster);
  cluster->sweeper = start_sweeper(cluster);
  /* Another program may take a port between the choice and the start: then it is tried anew. */
  for (int attempt = 1;; attempt++) {
    for (int i = 0; i < cluster->node_count; i++) {
      snprintf(cluster->nodes[i].dir, sizeof cluster->nodes[i].dir, "%s/%d-%d", cluster->dir,
               attempt, i);
    }
    if (start_all(cluster)) return cluster;
    for (int i = 0; i < cluster->node_count; i++) t_etcd_end_node(&cluster->nodes[i], SIGKILL);
    if (attempt == start_attempts) break;
  }
  tell_log(&cluster->nodes[0]);
  t_etcd_stop(cluster);
  bool etcd_started = false;
  T_FATAL(etcd_started);
  return NULL;
}

t_cluster *t_etcd(void) {
  if (!shared) shared = t_etcd_start(NULL);
  return shared;
}

void t_etcd_stop(t_cluster *cluster) {
  /* The last of several could not hand over the lead, and would take its time. */
  int how = cluster->node_count > 1 ? SIGKILL : SIGTERM;
  for (int i = 0; i < cluster->node_count; i++) t_etcd_end_node(&cluster->nodes[i], how);
  for (int i = 0; i < cluster->node_count; i++) {
    if (cluster->nodes[i].gate) t_proxy_stop(cluster->nodes[i].gate);
  }
  close(cluster->sweeper_pipe);
  waitpid(cluster->sweeper, NULL, 0);
  for (int i = 0; i < clusters_max; i++) {
    if (clusters[i] == cluster) clusters[i] = NULL;
  }
  if (shared == cluster) shared = NULL;
  free(cluster);
}

const char *t_etcd_endpoint(const t_cluster *cluster, int i) { return cluster->nodes[i].endpoint; }

int t_etcd_port(const t_cluster *cluster, int i) { return cluster->nodes[i].port; }

pid_t t_etcd_pid(const t_cluster *cluster, int i) { return cluster->nodes[i].pid; }

void t_etcd_kill(t_cluster *cluster, int i) { t_etcd_end_node(&cluster->nodes[i], SIGKILL); }

void t_etcd_terminate(t_cluster *cluster, int i) { t_etcd_end_node(&cluster->nodes[i], SIGTERM); }

void t_etcd_restart(t_cluster *cluster, int i) {
  node *n = &cluster->nodes[i];
  T_FATAL(n->pid == 0);
  for (int attempt = 0; attempt < start_attempts; attempt++) {
    t_etcd_start_node(cluster, n);
    if (t_etcd_wait_healthy(n)) return;
    t_etcd_end_node(n, SIGKILL);
  }
  tell_log(n);
  bool etcd_started_again = false;
  T_FATAL(etcd_started_again);
}

static void copy_data(const node *n, const char *from, const char *to) {
  char command[3 * sizeof n->dir + 64];
  T_FATAL(n->pid == 0);
  snprintf(command, sizeof command, "cd '%s' && rm -rf %s && cp -a %s %s", n->dir, to, from, to);
  T_INT(system(command), 0);
}

void t_etcd_back_up(const t_cluster *cluster, int i) {
  copy_data(&cluster->nodes[i], "data", "backup");
}

void t_etcd_restore(const t_cluster *cluster, int i) {
  copy_data(&cluster->nodes[i], "backup", "data");
}

void t_etcd_pause(t_cluster *cluster, int i) {
  pid_t pid = cluster->nodes[i].pid;
  kill(pid, SIGSTOP);
  waitpid(pid, NULL, WUNTRACED); /* returns once all its threads stand still */
  cluster->nodes[i].paused = true;
}

long t_etcd_unread(int port) {
  char line[512];
  long sum = 0;
  FILE *table = fopen("/proc/net/tcp", "r");
  while (table && fgets(line, sizeof line, table)) {
    unsigned at = 0, state = 0, unread = 0;
    if (sscanf(line, " %*d: %*x:%x %*x:%*x %x %*x:%x", &at, &state, &unread) == 3 &&
        at == (unsigned)port && state == established) {
      sum += unread;
    }
  }
  if (table) fclose(table);
  return sum;
}

typedef struct unread {
  int port;
  long bytes;
} unread;

static bool has_unread(void *arg) {
  const unread *wanted = arg;
  return t_etcd_unread(wanted->port) >= wanted->bytes;
}

bool t_etcd_wait_unread(int port, long bytes) {
  return t_wait_until(has_unread, &(unread){port, bytes}, 10000);
}

void t_etcd_resume(t_cluster *cluster, int i) {
  kill(cluster->nodes[i].pid, SIGCONT);
  cluster->nodes[i].paused = false;
}

/* --- Clients --------------------------------------------------------------------------------------- */

static void set_option(coord_options *options, const char *name, const char *value) {
  coord_error *err = NULL;
  T_OK(coord_options_set(options, name, value, &err), err);
  T_FATAL(err == NULL);
}

/* "" unless the program is to run on another wire than the library's own choice. */
static const char *wire(void) {
  const char *name = getenv("COORD_TEST_WIRE");
  return name ? name : "";
}

bool t_on_gateway(void) { return strcmp(wire(), "gateway") == 0; }

static coord_options *options_from(const char *name, va_list rest) {
  coord_options *options = NULL;
  T_FATAL(coord_options_new(&options) == COORD_OK);
  if (wire()[0]) set_option(options, "wire", wire());
  for (; name; name = va_arg(rest, const char *)) {
    set_option(options, name, va_arg(rest, const char *));
  }
  return options;
}

static coord_client *open_or_end(coord_options *options) {
  coord_client *client = NULL;
  coord_error *err = NULL;
  T_OK(coord_client_open(options, &client, &err), err);
  coord_error_free(err);
  coord_options_free(options);
  T_FATAL(client != NULL);
  return client;
}

coord_options *t_options(const char *name, ...) {
  va_list rest;
  va_start(rest, name);
  coord_options *options = options_from(name, rest);
  va_end(rest);
  return options;
}

coord_client *t_client(void) {
  return open_or_end(t_options("endpoints", t_etcd_endpoint(t_etcd(), 0), NULL));
}

coord_client *t_client_with(const char *name, ...) {
  bool has_endpoints = false;
  va_list rest;
  va_start(rest, name);
  coord_options *options = options_from(name, rest);
  va_end(rest);
  va_start(rest, name);
  for (const char *next = name; next; next = va_arg(rest, const char *)) {
    if (strcmp(next, "endpoints") == 0) has_endpoints = true;
    (void)va_arg(rest, const char *);
  }
  va_end(rest);
  if (!has_endpoints) set_option(options, "endpoints", t_etcd_endpoint(t_etcd(), 0));
  return open_or_end(options);
}

char *t_key(char key[t_key_size], const char *suffix) {
  snprintf(key, t_key_size, "t/%llx/%s", (unsigned long long)t_case_id(), suffix);
  return key;
}

int64_t t_put(coord_client *client, const char *key, const char *value) {
  coord_result *result = t_call(client, coord_op_put(key, strlen(key), value, strlen(value)));
  int64_t revision = coord_result_revision(result);
  coord_result_free(result);
  return revision;
}

bool t_get_is(coord_client *client, const char *key, const char *value) {
  coord_result *result = t_call(client, coord_op_get(key, strlen(key)));
  coord_kv kv;
  bool same = result && value == NULL && coord_result_count(result) == 0;
  if (value && coord_result_kv(result, 0, &kv) == COORD_OK) {
    same = kv.value_len == strlen(value) && memcmp(kv.value, value, kv.value_len) == 0;
  }
  coord_result_free(result);
  return same;
}

coord_result *t_call(coord_client *client, coord_op *op) {
  coord_result *result = NULL;
  coord_error *err = NULL;
  T_OK(coord_call(client, op, 0, &result, &err), err);
  coord_error_free(err);
  coord_op_free(op);
  return result;
}

void t_done(coord_client *client, coord_op *op) { coord_result_free(t_call(client, op)); }

bool t_call_fails(coord_client *client, coord_op *op, coord_code code, char *message) {
  coord_result *result = NULL;
  coord_error *err = NULL;
  coord_code actual = coord_call(client, op, 0, &result, &err);
  bool good = actual == code && err && coord_error_code(err) == code && !result;
  if (!good) {
    T_FAIL("a call gave %s, not %s: %s%s", coord_code_name(actual), coord_code_name(code),
           coord_error_message(err), result ? " (with a result)" : "");
  }
  if (message) snprintf(message, 256, "%s", coord_error_message(err));
  coord_result_free(result);
  coord_error_free(err);
  coord_op_free(op);
  return good;
}

coord_op *t_prefix(const char *prefix) {
  coord_op *op = coord_op_get(prefix, strlen(prefix));
  T_CODE(coord_op_set_prefix(op), COORD_OK);
  return op;
}

char *t_kv_text(const coord_result *result, size_t i, const char *strip, char text[256]) {
  coord_kv kv;
  size_t n = strlen(strip);
  text[0] = '\0';
  if (coord_result_kv(result, i, &kv) != COORD_OK) return text;
  if (kv.key_len < n || memcmp(kv.key, strip, n) != 0) n = 0;
  snprintf(text, 256, "%.*s=%.*s", (int)(kv.key_len - n), (const char *)kv.key + n,
           (int)kv.value_len, (const char *)kv.value);
  return text;
}

coord_queue *t_queue(void) {
  coord_queue *queue = NULL;
  T_FATAL(coord_queue_open(&queue, NULL) == COORD_OK);
  return queue;
}
