/*
 * A door with TLS in front of a plain server, in threads of the test: what etcd's own TLS does not do
 * when a test would like it to.
 */
#ifndef COORD_TEST_SECURE_H
#define COORD_TEST_SECURE_H

#include "support/pki.h"

typedef struct t_secure t_secure;

typedef struct t_secure_options {
  const char *certificate; /* NAME.pem and NAME.key of the pki */
  int max_version;         /* 2: TLS 1.2 is the most; 0: no limit */
  bool no_tickets;         /* nothing is said after the handshake */
  bool wants_certificate;  /* asks for one, and takes any or none */
  int room_bytes;          /* for what was not read yet; 0: the system's */
  int record_bytes;        /* longest record; 0: as long as they can be */
} t_secure_options;

/* From a free loopback port to this port of the loopback. */
t_secure *t_secure_start(t_pki *pki, int to_port, const t_secure_options *options);
/* "https://127.0.0.1:port", lives as long as the door. */
const char *t_secure_endpoint(const t_secure *secure);
int t_secure_connections(t_secure *secure);
/* Connections that the client ended with the goodbye of TLS, so far. */
int t_secure_goodbyes(t_secure *secure);
/* true: nothing more is read from clients; what comes from the server goes on to them. */
void t_secure_stall(t_secure *secure, bool on);
/* New keys for every connection, in both directions (TLS 1.3). */
void t_secure_new_keys(t_secure *secure);
/* Ends all connections: with the goodbye of TLS, or by closing the sockets without it. */
void t_secure_end(t_secure *secure, bool goodbye);
void t_secure_stop(t_secure *secure);

#endif
