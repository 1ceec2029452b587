/* The endpoints of a client that is open, changed by the program. */
#ifndef COORD_ETCD_ENDPOINTS_H
#define COORD_ETCD_ENDPOINTS_H

#include "coord/client.h"
#include "rpc/endpoint.h"

/* The function of coord_client_set_endpoints, without the checks of the client. Any thread. */
coord_code coord__client_set_endpoints(coord_client *c, const char *text, coord_error **err);

/* Whether these could be spoken to, as far as the options tls.* go: COORD_INVALID when a file that
 * they name is of no use. Any thread. */
coord_code coord__client_check_tls(coord_client *c, const coord__endpoints *endpoints,
                                   coord_error **err);
/* TLS is going to be used: log a warning when the options take the sense out of it. */
void coord__client_warn_of_tls(coord_client *c);

#endif
