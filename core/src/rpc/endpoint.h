/* Endpoints: where servers listen. */
#ifndef COORD_RPC_ENDPOINT_H
#define COORD_RPC_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "coord/base.h"

typedef struct coord__endpoint {
  /* As messages show it: "127.0.0.1:2379", "https://db:2379", "unix:///run/etcd.sock". */
  char *name;
  char *host; /* without brackets; NULL for a unix socket and for a domain */
  /* srv://, srvs://: where DNS says what the endpoints are; stands alone in its list. */
  char *domain;
  int port;
  char *unix_path; /* NULL: TCP */
  char *authority; /* for the HTTP header */
  bool tls;
} coord__endpoint;

typedef struct coord__endpoints {
  coord__endpoint *items;
  size_t count;
} coord__endpoints;

/* Parse a list separated by commas, all with TLS or all without. COORD_INVALID names the item and
 * what would be right. */
coord_code coord__endpoints_parse(const char *text, coord__endpoints *out, coord_error **err);
void coord__endpoints_free(coord__endpoints *endpoints);

#endif
