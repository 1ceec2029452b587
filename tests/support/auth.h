/* Authentication on test servers. */
#ifndef COORD_TEST_AUTH_H
#define COORD_TEST_AUTH_H

#include "support/etcd.h"

/* Makes users root ("rootpw") and ann ("annpw", may read and write what begins with `prefix`). */
void t_auth_users(coord_client *client, const char *prefix);
/* The same with "t/". */
void t_auth_prepare(t_cluster *cluster);
/* Then switches authentication on. */
void t_auth_enable(t_cluster *cluster);

/* Arguments for servers with JWT that live this long; keys by openssl. Skips without openssl. */
const char *const *t_auth_jwt(const char *ttl);

/* A client of node 0 as this user; more options as for t_client_with, up to a NULL. */
coord_client *t_auth_client(t_cluster *cluster, const char *user, const char *password);

/* How often the client has logged in, whatever the outcome. */
long long t_auth_logins(const coord_client *client);

#endif
