#include "net/conn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"

static coord__io_status failed(void) {
  return errno == EAGAIN || errno == EWOULDBLOCK ? COORD__IO_AGAIN : COORD__IO_FAILED;
}

static coord__io_status plain_recv(coord__conn *conn, void *p, size_t n, size_t *got) {
  ssize_t r;
  do {
    r = recv(conn->io.fd, p, n, 0);
  } while (r < 0 && errno == EINTR);
  if (r < 0) return failed();
  if (r == 0) return COORD__IO_END;
  *got = (size_t)r;
  return COORD__IO_OK;
}

static coord__io_status plain_send(coord__conn *conn, const void *p, size_t n, size_t *sent) {
  ssize_t r;
  do {
    r = send(conn->io.fd, p, n, MSG_NOSIGNAL);
  } while (r < 0 && errno == EINTR);
  if (r < 0) return failed();
  *sent = (size_t)r;
  return COORD__IO_OK;
}

static bool plain_pending(const coord__conn *conn) {
  (void)conn;
  return false;
}

static void plain_close(coord__conn *conn) { close(conn->io.fd); }

static const coord__conn_ops plain_ops = {plain_recv, plain_send, plain_pending, plain_close};

coord__conn *coord__conn_plain(coord__loop *loop, int fd) {
  coord__conn *conn = coord__calloc(1, sizeof *conn);
  if (conn == NULL) return NULL;
  conn->ops = &plain_ops;
  conn->loop = loop;
  conn->io.fd = fd;
  coord__loop_own_fd(loop, &conn->fd_entry, fd);
  return conn;
}

coord_code coord__conn_tell(const coord__conn *conn, char *why, size_t size) {
  if (conn->why[0] != '\0') {
    snprintf(why, size, "%s", conn->why);
    return conn->code;
  }
  snprintf(why, size, "the connection broke: %s", strerror(errno));
  return COORD_UNAVAILABLE;
}

void coord__conn_close(coord__conn *conn) {
  coord__io_set(conn->loop, &conn->io, 0);
  coord__loop_disown_fd(&conn->fd_entry);
  conn->ops->close(conn);
  coord__free(conn);
}
