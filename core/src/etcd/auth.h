/*
 * Who a client is to etcd: a user who logs in for a token, a token that was given, or nobody.
 *
 * One login at a time, however many calls wait for it. The token stays until there is a new one; a
 * server that knows it no longer (expired, users or roles changed, authentication switched off and
 * on) leads to a login, and the calls that it refused are repeated: it has done nothing of them.
 * I/O thread only, but for making and freeing.
 */
#ifndef COORD_ETCD_AUTH_H
#define COORD_ETCD_AUTH_H

#include "etcd/stats.h"
#include "rpc/rpc.h"

typedef enum coord__auth_state {
  COORD__AUTH_OUT,     /* there is no token, or a bad one: the next call logs in */
  COORD__AUTH_LOGIN,   /* under way */
  COORD__AUTH_PAUSE,   /* it did not come through; once more after a pause */
  COORD__AUTH_REFUSED, /* wrong password and the like */
  COORD__AUTH_IN,
  COORD__AUTH_OFF /* the server wants no authentication: calls go without a token */
} coord__auth_state;

typedef struct coord__auth {
  coord__identity identity; /* first */
  coord__rpc *rpc;
  coord__stats *stats;
  char *user; /* NULL: the token is a given one */
  char *password;
  char *token;
  int64_t timeout_ms; /* of a login */
  coord__auth_state state;
  uint64_t login;   /* number of the one that `token`, or its absence, comes from */
  int64_t since_ns; /* when the state was entered */
  bool calling;     /* a login is under way: in LOGIN, and in IN when the token is in doubt */
  bool doubted;     /* one is wanted, although the token was not refused */
  int failures;     /* logins that did not come through, in a row */
  coord__timer timer;
  coord__call call;
  int64_t called_ns;
  coord_code code; /* of the last login that failed, */
  coord_error *error;
  /* coord_client_open, while it waits: */
  void (*opened)(void *user, coord_code code, const coord_error *err);
  void *opener;
} coord__auth;

/* `token` alone, or `user` and `password`; "" is none. All "" is nobody: there is nothing to do then.
 * False when memory is out. */
bool coord__auth_init(coord__auth *auth, const char *user, const char *password, const char *token);
/* Before the rpc is made its identity is asked for; NULL for nobody. */
coord__identity *coord__auth_identity(coord__auth *auth);
/* And after that it is told where to log in. */
void coord__auth_bind(coord__auth *auth, coord__rpc *rpc, coord__stats *stats, int64_t timeout_ms);
/* Log in now; `opened` comes once, at once when there is nothing to log in with. */
void coord__auth_open(coord__auth *auth,
                      void (*opened)(void *user, coord_code code, const coord_error *err),
                      void *user);
/* After the rpc was closed. */
void coord__auth_stop(coord__auth *auth);
void coord__auth_free(coord__auth *auth);

#endif
