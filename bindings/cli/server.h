/* A throwaway etcd: its directory, its process, and a guard that outlives ours. */
#ifndef CLI_SERVER_H
#define CLI_SERVER_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#define SERVER_PATH_MAX 4096

struct server {
  char etcd[SERVER_PATH_MAX];
  char directory[SERVER_PATH_MAX];
  int port;
  char endpoint[32]; /* 127.0.0.1:PORT */
  char version[32];
  pid_t pid; /* 0: not running */
  pid_t guard;
  int guard_pipe;
  sigset_t old_mask; /* for children */
  sigset_t awaited;  /* what server_wait reports */
  int ended_with;    /* wait status of etcd once it has ended by itself */
};

/* Finds the program: `path` or, when NULL, COORD_TEST_ETCD or PATH. Returns an exit code. */
int server_find(struct server *server, const char *path);
/* Blocks the signals that are awaited, makes the directory and starts the guard, which removes it
 * when this process ends, however it ends. Returns an exit code. */
int server_prepare(struct server *server);
/* Starts etcd on free ports of the loopback and waits until it takes writes. `extra` ends with
 * NULL. Returns an exit code; *signal is set when one of the awaited signals came instead. */
int server_start(struct server *server, const char *const *extra, int *signal);
/* Kills etcd and waits until it and its directory are gone. */
void server_stop(struct server *server);

/* The next awaited signal, or 0 after timeout_ms (-1: no limit). SIGCHLD is only reported once
 * etcd's own end has been noted; `info` may be NULL. */
int server_wait(struct server *server, int timeout_ms, siginfo_t *info);
/* In a child, before exec: normal signals, and this one when the parent dies. */
void server_child_setup(const struct server *server, int death_signal, pid_t parent);
/* The end of etcd's log on standard error. */
void server_print_log(const struct server *server);

#endif
