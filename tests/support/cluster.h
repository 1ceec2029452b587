/*
 * More that can happen to a cluster of etcd.h than that its nodes end and come back: partitions,
 * other members, networks that fail. Nothing here needs root.
 */
#ifndef COORD_TEST_CLUSTER_H
#define COORD_TEST_CLUSTER_H

#include "support/etcd.h"
#include "support/proxy.h"

enum { t_endpoints_size = 256 };

/* Three plain nodes whose peers talk through proxies, so that t_cluster_isolate works; with
 * t_etcd_start any `divisible` ones. */
t_cluster *t_cluster_start(void);
/* The one that all cases of a program share, with all its nodes up and together again. */
t_cluster *t_cluster_healed(void);
/* "127.0.0.1:port,127.0.0.1:port,..." of all nodes. Gives back `text`. */
char *t_cluster_endpoints(const t_cluster *cluster, char text[t_endpoints_size]);

/* The node that leads, as the running and connected ones agree; waits for an election. */
int t_cluster_leader(t_cluster *cluster);
/* One of the others. */
int t_cluster_follower(t_cluster *cluster);
/* Until this node knows of no leader; false when it keeps one. */
bool t_cluster_wait_leaderless(t_cluster *cluster, int node);
uint64_t t_cluster_member_id(t_cluster *cluster, int node); /* 0: it does not answer */

/* Resumes, restarts and reunites all nodes, and waits for a leader. */
void t_cluster_heal(t_cluster *cluster);
/* SIGKILL to all nodes, and all of them again on their data. */
void t_cluster_kill_all(t_cluster *cluster);
void t_cluster_restart_all(t_cluster *cluster);

/* Cuts a node of a divisible cluster off from its peers in both directions, not from clients. */
void t_cluster_isolate(t_cluster *cluster, int node);
void t_cluster_reunite(t_cluster *cluster, int node);
/* What the members of a divisible cluster tell each other arrives this much later, until it is told
 * anew: those that do not lead lag by that. Well below the time of an election, which is 500 ms. */
void t_cluster_delay(t_cluster *cluster, int ms);

/* Takes a member out of the cluster; its process is ended. */
void t_cluster_remove(t_cluster *cluster, int node);
/* Puts a new member with an empty store in the place of one that was removed: same client port. */
void t_cluster_add(t_cluster *cluster, int node);
/* The same with another client port, so that its endpoint is another. */
void t_cluster_add_elsewhere(t_cluster *cluster, int node);

/* A proxy between clients and each node, and their endpoints, with TLS as the nodes'. */
typedef struct t_fronts {
  int count;
  t_proxy *proxies[t_etcd_nodes_max];
  char endpoints[t_endpoints_size];
} t_fronts;

void t_fronts_start(t_fronts *fronts, const t_cluster *cluster);
void t_fronts_stop(t_fronts *fronts);

/* An endpoint that never answers a SYN: connecting to it neither works nor fails. */
typedef struct t_hole {
  int fds[8];
  int count;
  char endpoint[32];
} t_hole;

void t_hole_start(t_hole *hole);
void t_hole_stop(t_hole *hole);

#endif
