/* What etcd.c and cluster.c share; tests use etcd.h and cluster.h. */
#ifndef COORD_TEST_ETCD_INSIDE_H
#define COORD_TEST_ETCD_INSIDE_H

#include <stdatomic.h>
#include <sys/types.h>

#include "support/etcd.h"
#include "support/proxy.h"

typedef struct node {
  t_cluster *cluster;
  pid_t pid; /* 0: not running */
  int port;
  int peer_port;
  int plain_port; /* also without TLS, for the harness; the same as `port` when that is plain */
  char name[32];
  char endpoint[48];
  char dir[160];
  bool paused;
  bool removed; /* no member any more */
  bool joins;   /* a member that came later */
  int replaced; /* how often another member took this place */
  /* Of a divisible cluster. The pid is apart for the threads of the gates. */
  t_proxy *gate; /* in front of the peer port */
  atomic_bool isolated;
  atomic_int gate_pid;
  atomic_int gate_port;
} node;

struct t_cluster {
  int node_count;
  node nodes[t_etcd_nodes_max];
  char dir[128];
  const char *const *args;
  bool divisible;
  t_pki *pki;
  char certificate[64];
  bool client_auth;
  pid_t sweeper; /* removes `dir` when the other end of its pipe is closed, by us or by our death */
  int sweeper_pipe;
};

/* The port that the other members are told. */
int t_etcd_advertised_port(const node *n);
/* Connects to a port of the loopback, with a limit on reading; -1 when that fails. */
int t_etcd_connect(int port, int limit_s);
/* Begins and ends processes; a start is good when the server becomes healthy. */
void t_etcd_start_node(t_cluster *cluster, node *n);
bool t_etcd_wait_healthy(node *n);
bool t_etcd_is_healthy_within(node *n, int ms);
void t_etcd_end_node(node *n, int signal_number);
/* Gives a node all its ports. */
void t_etcd_choose_ports(t_cluster *cluster, node *n);
/* Gives a node a peer port, and in a divisible cluster a gate before it. */
void t_etcd_choose_peer_port(t_cluster *cluster, node *n);
/* Whether a connection from this port may come in at the gate of the node `arg`; any thread. */
bool t_cluster_admits(void *arg, int from_port);
/* A port that nobody else has, nor gets while this program lives. */
int t_free_port(void);

#endif
