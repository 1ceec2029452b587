/* The proxy that the option of that name tells: what it may be, and what it has to say. */
#ifndef COORD_NET_PROXY_H
#define COORD_NET_PROXY_H

#include "coord/base.h"

/* COORD_INVALID, naming the option `proxy`: not a proxy that connections can be made through. */
coord_code coord__proxy_check(const char *proxy, coord_error **err);

/* Host and port without user and password, for messages. Returns out. */
enum { COORD__PROXY_NAME = 280 };
const char *coord__proxy_name(const char *proxy, char out[COORD__PROXY_NAME]);

/* What the proxy has said to a dial, and in *code what that is; NULL, and *code as it was: nothing
 * that is known. http_status: of CONNECT, 0 none; fault: libcurl's CURLPX_. `out` holds the text. */
enum { COORD__PROXY_FAULT = 96 };
const char *coord__proxy_fault(long http_status, long fault, coord_code *code,
                               char out[COORD__PROXY_FAULT]);

#endif
