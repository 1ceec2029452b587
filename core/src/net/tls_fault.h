/* Words for what goes wrong with TLS. */
#ifndef COORD_NET_TLS_FAULT_H
#define COORD_NET_TLS_FAULT_H

#include <openssl/ssl.h>
#include <stdint.h>

#include "coord/error.h"
#include "net/tls.h"

enum { COORD__TLS_WHY = 200 };

/* What is wrong with the server's certificate, while it is being verified. `host`: who was expected. */
void coord__tls_tell_certificate(X509_STORE_CTX *store, const coord__tls_config *config,
                                 const char *host, char why[COORD__TLS_WHY]);

/* What is known of a connection whose TLS has failed. */
typedef struct coord__tls_scene {
  const coord__tls_config *config;
  SSL *ssl;
  bool http1;           /* is what was to be spoken, not HTTP/2 */
  const uint8_t *first; /* what the peer said first */
  size_t first_len;
  bool established;   /* the handshake is behind us */
  bool asked_for_one; /* the server wants a certificate of ours */
  bool ended;         /* the peer has closed, without the goodbye of TLS */
  int os_error;       /* of the socket; 0: none */
} coord__tls_scene;

/* Looks at OpenSSL's queue of errors too. COORD_TLS, or COORD_UNAVAILABLE when it is the network. */
coord_code coord__tls_tell(const coord__tls_scene *scene, char why[COORD__TLS_WHY]);

#endif
