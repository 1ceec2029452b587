/*
 * A TCP proxy in a thread of the test, between a client and a server: the network that can be cut,
 * blocked, slowed down and brought back.
 */
#ifndef COORD_TEST_PROXY_H
#define COORD_TEST_PROXY_H

#include "support/t.h"

typedef struct t_proxy t_proxy;

/* Forwards from a free loopback port to this port of the loopback. */
t_proxy *t_proxy_start(int to_port);
/* The same from an IPv6 port, NULL when the machine has no IPv6, or from a unix socket. */
t_proxy *t_proxy_start_ipv6(int to_port);
t_proxy *t_proxy_start_unix(int to_port);
void t_proxy_stop(t_proxy *proxy);

int t_proxy_port(const t_proxy *proxy);
/* "127.0.0.1:port", "[::1]:port" or "unix:///path", lives as long as the proxy. */
const char *t_proxy_endpoint(const t_proxy *proxy);
/* Ends all connections with a TCP reset; new ones are accepted. */
void t_proxy_cut(t_proxy *proxy);
/* true: as cut, and new connections are refused by the kernel; false: they are accepted again. */
void t_proxy_refuse(t_proxy *proxy, bool on);
/* true: nothing is read or forwarded any more, no connection ends; false: it goes on. */
void t_proxy_stall(t_proxy *proxy, bool on);
/* true: connections are accepted and what either side sends is thrown away, as on a network that
 * loses every packet; false: those that lost something are cut, others work. */
void t_proxy_swallow(t_proxy *proxy, bool on);
/* true: what clients send arrives, and what the server answers is thrown away; false: those that lost
 * something are cut, others work. */
void t_proxy_mute(t_proxy *proxy, bool on);
/* Each new connection is reset unless `admit` agrees; it is called on the thread of the proxy with
 * the port that the connection comes from. NULL: all are welcome. */
void t_proxy_admit(t_proxy *proxy, bool (*admit)(void *arg, int from_port), void *arg);
/* Every piece arrives this much later; 0: at once. */
void t_proxy_delay(t_proxy *proxy, int ms);
/* At most so many bytes at a time, one piece a millisecond; 0: no limit. */
void t_proxy_trickle(t_proxy *proxy, int bytes);
int t_proxy_connections(t_proxy *proxy); /* accepted so far */
int64_t t_proxy_bytes_up(t_proxy *proxy);
int64_t t_proxy_bytes_down(t_proxy *proxy);

#endif
