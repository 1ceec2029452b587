/*
 * TLS over a connected socket. I/O thread only.
 *
 * libcurl ends its work with the TCP connection (names, all addresses, proxies); the TLS on top is
 * ours, through OpenSSL and an I/O layer of our own. Libcurl could do that as well, with
 * curl_easy_recv and curl_easy_send; then its handle stays in the multi for as long as the connection
 * lives, ALPN has to be set behind its back, what went wrong is one number and a line of text for all
 * versions of libcurl there are, writing to a socket that is gone relies on its care about SIGPIPE,
 * and it has to be built with OpenSSL. This way it does not matter what TLS libcurl was built with;
 * the certificate that was refused is at hand for the message; all sockets live in the same way, a
 * plain one and a secure one; and SIGPIPE cannot arise.
 */
#ifndef COORD_NET_CONN_TLS_H
#define COORD_NET_CONN_TLS_H

#include "net/conn.h"
#include "net/tls.h"

/* Take over a connected socket. The files of `tls` have been loaded. `host`: who the server is to
 * be, name or address. `http1`: HTTP/1.1 is to be spoken there, else HTTP/2. NULL when memory is out:
 * the descriptor stays the caller's then. */
coord__conn *coord__conn_tls(coord__loop *loop, int fd, coord__tls *tls, const char *host,
                             bool http1);

/* The handshake, to be called until it does not say COORD__IO_AGAIN, each time that the descriptor is
 * ready for *events. COORD__IO_OK: done. COORD__IO_FAILED: conn->code and conn->why. */
coord__io_status coord__conn_tls_shake(coord__conn *conn, uint32_t *events);
/* It says COORD__IO_AGAIN only to learn what the server thinks of our certificate. Not every server
 * says so: after a while the connection is to be used. */
bool coord__conn_tls_may_be_used(const coord__conn *conn);

#endif
