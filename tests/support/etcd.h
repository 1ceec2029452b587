/*
 * Real etcd servers for tests: free loopback ports, a temporary directory, gone at the end.
 *
 * The binary is COORD_TEST_ETCD, else `etcd` on PATH; without one the case is skipped. Whatever
 * happens to the test program, its servers die with it and their directory is removed.
 * To be called from the thread that runs the case.
 */
#ifndef COORD_TEST_ETCD_H
#define COORD_TEST_ETCD_H

#include <sys/types.h>

#include "support/pki.h"
#include "support/t.h"

enum { t_etcd_nodes_max = 5 };

typedef struct t_cluster t_cluster;

typedef struct t_etcd_options {
  int nodes;               /* 0 means 1 */
  const char *const *args; /* more arguments of etcd, up to a NULL; may be NULL */
  bool divisible;          /* a proxy before each peer port, and quick elections: see cluster.h */
  t_pki *pki;              /* NULL: plain; else clients are spoken to with TLS by NAME.pem, .key */
  const char *certificate; /* NAME; NULL: "server", which is issued if need be */
  bool client_auth;        /* only clients with a certificate of ca.pem are served */
} t_etcd_options;

/* Starts servers and waits until they are healthy. `options` may be NULL. */
t_cluster *t_etcd_start(const t_etcd_options *options);
/* The one-node cluster that all cases of a program share: started by the first, stopped at exit. */
t_cluster *t_etcd(void);
/* Ends the servers and removes their directory. */
void t_etcd_stop(t_cluster *cluster);

/* "127.0.0.1:port", or "https://127.0.0.1:port", of a node; lives as long as the cluster. */
const char *t_etcd_endpoint(const t_cluster *cluster, int node);
int t_etcd_port(const t_cluster *cluster, int node);
pid_t t_etcd_pid(const t_cluster *cluster, int node);
/* SIGKILL, and wait for the end. */
void t_etcd_kill(t_cluster *cluster, int node);
/* SIGTERM, the orderly end, and wait for it. */
void t_etcd_terminate(t_cluster *cluster, int node);
/* Starts a node that was ended, with the same data and port, and waits until it is healthy. */
void t_etcd_restart(t_cluster *cluster, int node);
/* Of a node that was ended: keep its data as they are, and put back what was kept. */
void t_etcd_back_up(const t_cluster *cluster, int node);
void t_etcd_restore(const t_cluster *cluster, int node);
void t_etcd_pause(t_cluster *cluster, int node);
/* Until so many bytes have come to this port of the loopback that its server, which is stopped, has not
 * read; false when they do not come. */
bool t_etcd_wait_unread(int port, long bytes);
/* How many there are. */
long t_etcd_unread(int port);
void t_etcd_resume(t_cluster *cluster, int node);
/* Version of the binary, for instance 3 and 4. */
void t_etcd_version(int *major, int *minor);
/* At least this version. */
bool t_etcd_is_at_least(int major, int minor);

/* Options made here choose the wire that COORD_TEST_WIRE names, if any; one named among them wins. */
bool t_on_gateway(void);

/* Opens a client of the shared server, or ends the case. The caller frees it. */
coord_client *t_client(void);
/* The same with options: name, value, name, value, ..., NULL. "endpoints" may be among them. */
coord_client *t_client_with(const char *name, ...) __attribute__((sentinel));
/* Options from such a list, without a client; the caller frees them. */
coord_options *t_options(const char *name, ...) __attribute__((sentinel));

enum { t_key_size = 96 };
/* Writes a key that no other case uses: "t/<case id>/<suffix>". Gives back `key`. */
char *t_key(char key[t_key_size], const char *suffix);

/* Short forms for texts without NUL; failures are told and end in 0, false or NULL. */
int64_t t_put(coord_client *client, const char *key, const char *value); /* revision */
bool t_get_is(coord_client *client, const char *key, const char *value); /* NULL: absent */
coord_result *t_call(coord_client *client, coord_op *op);                /* frees the op */
void t_done(coord_client *client, coord_op *op); /* the same, its answer is of no interest */
/* The op fails with `code`; the message is copied to `message`, 256 bytes, unless that is NULL.
 * Frees the op. */
bool t_call_fails(coord_client *client, coord_op *op, coord_code code, char *message);
/* A get of all keys that begin with a text, without any other option. */
coord_op *t_prefix(const char *prefix);
/* "key=value" of the i-th key-value of a result, or "" ; the key without `strip`. */
char *t_kv_text(const coord_result *result, size_t i, const char *strip, char text[256]);
/* A new queue; ends the case when there is none. */
coord_queue *t_queue(void);

#endif
