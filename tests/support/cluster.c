#include "support/cluster.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/etcd_inside.h"

enum { agree_ms = 20000, ask_s = 2, joined_ms = 900, answer_size = 8192, metrics_size = 1 << 19 };

t_cluster *t_cluster_start(void) {
  return t_etcd_start(&(t_etcd_options){.nodes = 3, .divisible = true});
}

t_cluster *t_cluster_healed(void) {
  static t_cluster *shared;
  if (!shared) {
    shared = t_cluster_start();
  } else {
    t_cluster_heal(shared);
  }
  return shared;
}

char *t_cluster_endpoints(const t_cluster *cluster, char text[t_endpoints_size]) {
  text[0] = '\0';
  for (int i = 0; i < cluster->node_count; i++) {
    size_t at = strlen(text);
    snprintf(text + at, t_endpoints_size - at, "%s%s", i > 0 ? "," : "",
             cluster->nodes[i].endpoint);
  }
  return text;
}

/* --- Asking a node over HTTP ------------------------------------------------------------------------ */

static bool is_up(const node *n) { return n->pid != 0 && !n->paused && !n->removed; }

/* False when there is no answer, or one that tells of an error. */
static bool ask(const node *n, const char *request, char *answer, size_t size) {
  size_t got = 0, len = strlen(request);
  answer[0] = '\0';
  int fd = is_up(n) ? t_etcd_connect(n->plain_port, ask_s) : -1;
  if (fd < 0) return false;
  if (send(fd, request, len, MSG_NOSIGNAL) == (ssize_t)len) {
    ssize_t n_read;
    while (got < size - 1 && (n_read = recv(fd, answer + got, size - 1 - got, 0)) > 0) {
      got += (size_t)n_read;
    }
  }
  close(fd);
  answer[got] = '\0';
  return strncmp(answer, "HTTP/1.0 200", 12) == 0;
}

/* A call by the JSON gateway, without a login. */
static bool ask_json(const node *n, const char *path, const char *body, char answer[answer_size]) {
  char request[512];
  snprintf(request, sizeof request,
           "POST /v3/%s HTTP/1.0\r\nHost: etcd\r\nContent-Type: application/json\r\n"
           "Content-Length: %zu\r\n\r\n%s",
           path, strlen(body), body);
  return ask(n, request, answer, answer_size);
}

uint64_t t_cluster_member_id(t_cluster *cluster, int i) {
  static const char mark[] = "\"member_id\":\"";
  char answer[answer_size];
  if (!ask_json(&cluster->nodes[i], "maintenance/status", "{}", answer)) return 0;
  const char *at = strstr(answer, mark);
  return at ? strtoull(at + sizeof mark - 1, NULL, 10) : 0;
}

typedef struct view {
  bool has_leader;
  bool is_leader;
} view;

/* From the metrics, which need no login; false when it does not answer. */
static bool ask_view(const node *n, view *out) {
  static char answer[metrics_size];
  if (!ask(n, "GET /metrics HTTP/1.0\r\nHost: etcd\r\n\r\n", answer, sizeof answer)) return false;
  out->has_leader = strstr(answer, "\netcd_server_has_leader 1\n") != NULL;
  out->is_leader = strstr(answer, "\netcd_server_is_leader 1\n") != NULL;
  return true;
}

/* --- Who leads ------------------------------------------------------------------------------------ */

/* The leader when one of those that are up and connected says that it leads and all have one. */
static int agreed_leader(t_cluster *cluster) {
  int index = -1;
  for (int i = 0; i < cluster->node_count; i++) {
    node *n = &cluster->nodes[i];
    view seen;
    if (!is_up(n) || atomic_load(&n->isolated)) continue;
    if (!ask_view(n, &seen) || !seen.has_leader || (seen.is_leader && index >= 0)) return -1;
    if (seen.is_leader) index = i;
  }
  return index;
}

typedef struct search {
  t_cluster *cluster;
  int found;
} search;

static bool has_leader(void *arg) {
  search *s = arg;
  s->found = agreed_leader(s->cluster);
  return s->found >= 0;
}

int t_cluster_leader(t_cluster *cluster) {
  search s = {cluster, -1};
  T_FATAL(t_wait_until(has_leader, &s, agree_ms));
  return s.found;
}

int t_cluster_follower(t_cluster *cluster) {
  int leader = t_cluster_leader(cluster);
  for (int i = 0; i < cluster->node_count; i++) {
    if (i != leader && is_up(&cluster->nodes[i])) return i;
  }
  bool there_is_a_follower = false;
  T_FATAL(there_is_a_follower);
  return -1;
}

static bool is_leaderless(void *arg) {
  view seen;
  return ask_view(arg, &seen) && !seen.has_leader;
}

bool t_cluster_wait_leaderless(t_cluster *cluster, int i) {
  return t_wait_until(is_leaderless, &cluster->nodes[i], agree_ms);
}

/* --- All at once ---------------------------------------------------------------------------------- */

void t_cluster_kill_all(t_cluster *cluster) {
  for (int i = 0; i < cluster->node_count; i++) kill(cluster->nodes[i].pid, SIGKILL);
  for (int i = 0; i < cluster->node_count; i++) t_etcd_end_node(&cluster->nodes[i], SIGKILL);
}

void t_cluster_restart_all(t_cluster *cluster) {
  for (int i = 0; i < cluster->node_count; i++) {
    if (cluster->nodes[i].pid == 0) t_etcd_start_node(cluster, &cluster->nodes[i]);
  }
  for (int i = 0; i < cluster->node_count; i++) {
    T_FATAL(t_etcd_wait_healthy(&cluster->nodes[i]));
  }
}

void t_cluster_heal(t_cluster *cluster) {
  for (int i = 0; i < cluster->node_count; i++) {
    node *n = &cluster->nodes[i];
    atomic_store(&n->isolated, false);
    if (n->paused) t_etcd_resume(cluster, i);
    if (n->removed) t_cluster_add(cluster, i);
  }
  t_cluster_restart_all(cluster);
  t_cluster_leader(cluster);
}

/* --- Partitions ------------------------------------------------------------------------------------ */

/* The inode of the socket of the loopback that is bound to `port` and connected to `to_port`. */
static unsigned long inode_of(int port, int to_port) {
  char line[512];
  unsigned long inode = 0;
  FILE *table = fopen("/proc/net/tcp", "r");
  while (table && inode == 0 && fgets(line, sizeof line, table)) {
    unsigned from = 0, to = 0;
    unsigned long found = 0;
    if (sscanf(line, " %*d: %*x:%x %*x:%x %*x %*s %*s %*s %*s %*s %lu", &from, &to, &found) == 3 &&
        from == (unsigned)port && to == (unsigned)to_port) {
      inode = found;
    }
  }
  if (table) fclose(table);
  return inode;
}

static bool has_socket(pid_t pid, unsigned long inode) {
  char path[64], wanted[64], link[64];
  bool found = false;
  snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
  snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
  DIR *dir = opendir(path);
  if (!dir) return false;
  for (struct dirent *entry; !found && (entry = readdir(dir)) != NULL;) {
    ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof link - 1);
    if (n <= 0) continue;
    link[n] = '\0';
    found = strcmp(link, wanted) == 0;
  }
  closedir(dir);
  return found;
}

/* All nodes have one address, so a connection is known by the process that holds its other end. */
bool t_cluster_admits(void *arg, int from_port) {
  node *to = arg;
  t_cluster *cluster = to->cluster;
  unsigned long inode = 0;
  if (atomic_load(&to->isolated)) return false;
  for (int i = 0; i < cluster->node_count; i++) {
    node *n = &cluster->nodes[i];
    if (!atomic_load(&n->isolated)) continue;
    if (inode == 0) inode = inode_of(from_port, atomic_load(&to->gate_port));
    if (inode == 0 || has_socket(atomic_load(&n->gate_pid), inode)) return false;
  }
  return true;
}

void t_cluster_isolate(t_cluster *cluster, int isolated) {
  T_FATAL(cluster->divisible);
  atomic_store(&cluster->nodes[isolated].isolated, true);
  /* Those of the others are made again at once, those from and to this node are not let in. */
  for (int i = 0; i < cluster->node_count; i++) t_proxy_cut(cluster->nodes[i].gate);
}

void t_cluster_reunite(t_cluster *cluster, int i) {
  atomic_store(&cluster->nodes[i].isolated, false);
}

void t_cluster_delay(t_cluster *cluster, int ms) {
  T_FATAL(cluster->divisible);
  for (int i = 0; i < cluster->node_count; i++) t_proxy_delay(cluster->nodes[i].gate, ms);
}

/* --- Members --------------------------------------------------------------------------------------- */

typedef struct order {
  t_cluster *cluster;
  const char *path;
  char body[160];
  char answer[answer_size];
} order;

/* etcd refuses changes while it thinks that a quorum is in danger, also shortly after a start. */
static bool is_obeyed(void *arg) {
  order *o = arg;
  for (int i = 0; i < o->cluster->node_count; i++) {
    if (ask_json(&o->cluster->nodes[i], o->path, o->body, o->answer)) return true;
  }
  usleep(100000);
  return false;
}

__attribute__((format(printf, 3, 4))) static void tell_cluster(t_cluster *cluster, const char *path,
                                                               const char *format, ...) {
  order o = {.cluster = cluster, .path = path};
  va_list values;
  va_start(values, format);
  vsnprintf(o.body, sizeof o.body, format, values);
  va_end(values);
  if (t_wait_until(is_obeyed, &o, agree_ms)) return;
  T_FAIL("%s %s: %s", path, o.body, o.answer);
  bool etcd_obeyed = false;
  T_FATAL(etcd_obeyed);
}

void t_cluster_remove(t_cluster *cluster, int i) {
  node *n = &cluster->nodes[i];
  uint64_t id = t_cluster_member_id(cluster, i);
  T_FATAL(id != 0);
  n->removed = true;
  tell_cluster(cluster, "cluster/member/remove", "{\"ID\": \"%" PRIu64 "\"}", id);
  t_etcd_end_node(n, SIGKILL);
}

static void add_member(t_cluster *cluster, node *n) {
  int i = (int)(n - cluster->nodes);
  T_FATAL(n->removed);
  n->replaced++;
  snprintf(n->name, sizeof n->name, "n%d-%d", i, n->replaced);
  snprintf(n->dir, sizeof n->dir, "%s/%d-added-%d", cluster->dir, i, n->replaced);
  tell_cluster(cluster, "cluster/member/add", "{\"peerURLs\": [\"http://127.0.0.1:%d\"]}",
               t_etcd_advertised_port(n));
  n->removed = false;
  n->joins = true;
  t_etcd_start_node(cluster, n);
  if (t_etcd_is_healthy_within(n, joined_ms)) return;
  /* What a new member tells the others before they know it is lost, and repeated after 6 s only. */
  t_etcd_end_node(n, SIGKILL);
  t_etcd_start_node(cluster, n);
  T_FATAL(t_etcd_wait_healthy(n));
}

void t_cluster_add(t_cluster *cluster, int i) {
  t_etcd_choose_peer_port(cluster, &cluster->nodes[i]);
  add_member(cluster, &cluster->nodes[i]);
}

void t_cluster_add_elsewhere(t_cluster *cluster, int i) {
  t_etcd_choose_ports(cluster, &cluster->nodes[i]);
  add_member(cluster, &cluster->nodes[i]);
}

/* --- The network between clients and nodes --------------------------------------------------------- */

void t_fronts_start(t_fronts *fronts, const t_cluster *cluster) {
  *fronts = (t_fronts){.count = cluster->node_count};
  for (int i = 0; i < fronts->count; i++) {
    size_t at = strlen(fronts->endpoints);
    fronts->proxies[i] = t_proxy_start(cluster->nodes[i].port);
    snprintf(fronts->endpoints + at, sizeof fronts->endpoints - at, "%s%s%s", i > 0 ? "," : "",
             cluster->pki ? "https://" : "", t_proxy_endpoint(fronts->proxies[i]));
  }
}

void t_fronts_stop(t_fronts *fronts) {
  for (int i = 0; i < fronts->count; i++) t_proxy_stop(fronts->proxies[i]);
  fronts->count = 0;
}

/* The kernel ignores a SYN to a socket whose queue of unaccepted connections is full. */
void t_hole_start(t_hole *hole) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t len = sizeof at;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  T_FATAL(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 0) == 0);
  getsockname(fd, (struct sockaddr *)&at, &len);
  snprintf(hole->endpoint, sizeof hole->endpoint, "127.0.0.1:%d", ntohs(at.sin_port));
  hole->count = 0;
  hole->fds[hole->count++] = fd;
  while (hole->count < (int)(sizeof hole->fds / sizeof *hole->fds)) {
    int filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    connect(filler, (struct sockaddr *)&at, sizeof at);
    hole->fds[hole->count++] = filler;
  }
}

void t_hole_stop(t_hole *hole) {
  for (int i = hole->count - 1; i >= 0; i--) close(hole->fds[i]);
  hole->count = 0;
}
