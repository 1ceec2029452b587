/*
 * A forward proxy in threads of the test: clients ask it by CONNECT or SOCKS5 for a way to a host,
 * and it makes one, or not, as its script says.
 */
#ifndef COORD_TEST_TUNNEL_H
#define COORD_TEST_TUNNEL_H

#include "support/t.h"

typedef struct t_tunnel t_tunnel;

typedef struct t_tunnel_script {
  bool socks;           /* SOCKS5; else HTTP/1.1 CONNECT */
  const char *user;     /* whom it serves; NULL: everybody */
  const char *password; /* of the user */
  const char *alias;    /* a name that it, and nobody else, knows as 127.0.0.1; may be NULL */
  const char *status;   /* HTTP: the answer to CONNECT, "502 Bad Gateway"; NULL: the truth */
  int reply;            /* SOCKS5: the same, 1 to 8; 0: the truth */
  bool silent;          /* accepts and says nothing */
} t_tunnel_script;

/* The script is copied; its texts are not. */
t_tunnel *t_tunnel_start(const t_tunnel_script *script);
/* "127.0.0.1:port", lives as long as the proxy. */
const char *t_tunnel_address(const t_tunnel *tunnel);
int t_tunnel_connections(t_tunnel *tunnel); /* accepted so far */
int t_tunnel_made(t_tunnel *tunnel);        /* ways made so far */
/* "host:port" as the client asked for it last, copied to `target`. */
char *t_tunnel_target(t_tunnel *tunnel, char target[256]);
/* Ends all that goes through it; new ones are served. */
void t_tunnel_cut(t_tunnel *tunnel);
void t_tunnel_stop(t_tunnel *tunnel);

#endif
