/* An open byte stream to a server, whatever carries it. I/O thread only. */
#ifndef COORD_NET_CONN_H
#define COORD_NET_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include "coord/error.h"
#include "net/loop.h"

typedef enum coord__io_status {
  COORD__IO_OK,
  COORD__IO_AGAIN, /* nothing now; wait for the descriptor */
  COORD__IO_END,   /* the peer has closed */
  COORD__IO_FAILED /* coord__conn_tell says why */
} coord__io_status;

typedef struct coord__conn coord__conn;

/* One implementation per carrier: plain sockets here, TLS in conn_tls.c. */
typedef struct coord__conn_ops {
  coord__io_status (*recv)(coord__conn *conn, void *p, size_t n, size_t *got);
  /* n 0: only what the carrier holds back itself, see wants_out. */
  coord__io_status (*send)(coord__conn *conn, const void *p, size_t n, size_t *sent);
  /* More can be read, whatever the descriptor says. */
  bool (*pending)(const coord__conn *conn);
  void (*close)(coord__conn *conn);
} coord__conn_ops;

struct coord__conn {
  const coord__conn_ops *ops;
  coord__loop *loop;
  coord__io io; /* whoever owns the connection sets io.ready */
  void *owner;  /* and this */
  coord__fd_entry fd_entry;
  bool is_tls;
  bool wants_out;     /* holds bytes back until the descriptor takes more */
  bool send_wants_in; /* sends no more before something was read */
  coord_code code;    /* of a failure, with why; "": errno tells */
  char why[200];
};

/* Take over a connected socket. On failure the descriptor stays the caller's. */
coord__conn *coord__conn_plain(coord__loop *loop, int fd);

/* In words what a failed recv or send met, right after it. Returns the code for it. */
coord_code coord__conn_tell(const coord__conn *conn, char *why, size_t size);
/* Stop watching, close and free. */
void coord__conn_close(coord__conn *conn);

#endif
