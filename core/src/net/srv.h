/*
 * DNS SRV records through c-ares, which asks from the loop: nothing here blocks. I/O thread only,
 * but for coord__srv_check_servers.
 */
#ifndef COORD_NET_SRV_H
#define COORD_NET_SRV_H

#include "net/loop.h"

typedef struct coord__srv_record {
  char host[256];
  int port;
  int priority;
} coord__srv_record;

typedef struct coord__srv coord__srv;

/* Called once, never from within coord__srv_start. COORD_OK with the records, those to prefer first,
 * which live until it returns; none when the name, or such a record of it, does not exist. Or code
 * and reason. The object is gone after it. */
typedef void (*coord__srv_fn)(void *user, coord_code code, const char *why,
                              const coord__srv_record *records, size_t count);

/* Ask for `name` ("_etcd-client._tcp.example.com"). `servers` is the option dns.servers. NULL when
 * memory is out. */
coord__srv *coord__srv_start(coord__loop *loop, const char *name, const char *servers,
                             int64_t timeout_ms, coord__srv_fn done, void *user);
/* `done` is not called any more. */
void coord__srv_cancel(coord__srv *srv);

/* COORD_INVALID, naming the option dns.servers. Any thread. */
coord_code coord__srv_check_servers(const char *servers, coord_error **err);

#endif
