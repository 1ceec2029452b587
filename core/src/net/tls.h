/*
 * TLS: the options tls.*, and the files that they name, which are read again when they have changed.
 */
#ifndef COORD_NET_TLS_H
#define COORD_NET_TLS_H

#include <stdbool.h>

#include "coord/base.h"

/* Values of the options; "" means not set. */
typedef struct coord__tls_config {
  const char *ca;   /* file, or directory with hashed names; "": the system's authorities */
  const char *cert; /* PEM, with the chain below it */
  const char *key;  /* PEM; "": in the file of the certificate */
  const char *key_password;
  const char *server_name; /* "": that of the endpoint */
  int min_version;         /* 2 or 3, for TLS 1.2 and 1.3 */
  bool verify;
} coord__tls_config;

/* The config and what was read. One thread at a time, but for its references. */
typedef struct coord__tls coord__tls;

/* The texts are copied. NULL when memory is out. */
coord__tls *coord__tls_new(const coord__tls_config *config);
coord__tls *coord__tls_retain(coord__tls *tls);
void coord__tls_release(coord__tls *tls); /* NULL is fine */
const coord__tls_config *coord__tls_config_of(const coord__tls *tls);

/* Read the files if they were not read yet or have changed since. What is wrong with one is told as
 * `code`, and the message names the option and the file. */
coord_code coord__tls_load(coord__tls *tls, coord_code code, coord_error **err);
/* What was read last: the library's own reference, never NULL after coord__tls_load. */
struct ssl_ctx_st *coord__tls_context(const coord__tls *tls);

/* Set up the library below, once for the process. */
void coord__tls_prepare(void);

#endif
