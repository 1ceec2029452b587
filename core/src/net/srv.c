#define CARES_NO_DEPRECATED
#include "net/srv.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

enum { SOCKETS = 16, TRY_MS = 1000, TRIES = 4 };

typedef struct srv_socket {
  coord__io io; /* events 0: the slot is free */
  coord__srv *owner;
} srv_socket;

struct coord__srv {
  coord__loop *loop;
  ares_channel channel; /* NULL: it could not be made */
  coord__srv_fn done;
  void *user;
  int64_t timeout_ms;
  srv_socket sockets[SOCKETS];
  coord__timer timer;    /* what c-ares wants to do next */
  coord__timer patience; /* for all of it */
  coord__idle finish;    /* outside of c-ares' callbacks */
  coord__srv_record *records;
  size_t count;
  coord_code code;
  char why[128];
};

/* ---- driving c-ares from the loop ---- */

static void set_timer(coord__srv *s) {
  struct timeval next;
  if (ares_timeout(s->channel, NULL, &next) == NULL) {
    coord__timer_stop(s->loop, &s->timer);
    return;
  }
  int64_t ns = ((int64_t)next.tv_sec * 1000 + next.tv_usec / 1000 + 1) * COORD__NS_PER_MS;
  coord__timer_set(s->loop, &s->timer, coord__clock_ns() + ns);
}

static void on_ready(coord__io *io, uint32_t events) {
  coord__srv *s = COORD__CONTAINER(io, srv_socket, io)->owner;
  bool readable = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
  bool writable = (events & EPOLLOUT) != 0;
  int fd = io->fd;
  ares_process_fd(s->channel, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
  set_timer(s);
}

static void on_timer(coord__timer *timer) {
  coord__srv *s = COORD__CONTAINER(timer, coord__srv, timer);
  ares_process_fd(s->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  set_timer(s);
}

/* A socket that cannot be watched lets the lookup run into its time limit. */
static void watch(void *user, ares_socket_t fd, int readable, int writable) {
  coord__srv *s = user;
  srv_socket *slot = NULL;
  for (int i = 0; i < SOCKETS; i++) {
    srv_socket *each = &s->sockets[i];
    if (each->io.events != 0 && each->io.fd == fd) {
      slot = each;
      break;
    }
    if (each->io.events == 0 && slot == NULL) slot = each;
  }
  if (slot == NULL) return;
  uint32_t events = 0;
  if (readable) events |= EPOLLIN;
  if (writable) events |= EPOLLOUT;
  if (slot->io.events == 0) {
    if (events == 0) return;
    *slot = (srv_socket){.owner = s, .io = {.fd = fd, .ready = on_ready}};
  }
  coord__io_set(s->loop, &slot->io, events);
}

/* ---- the end ---- */

static void free_srv(coord__srv *s) {
  /* Its sockets are let go of through `watch`, and a query under way calls back. */
  s->done = NULL;
  if (s->channel != NULL) ares_destroy(s->channel);
  coord__timer_stop(s->loop, &s->timer);
  coord__timer_stop(s->loop, &s->patience);
  coord__idle_cancel(&s->finish);
  coord__free(s->records);
  coord__free(s);
}

static void run_finish(coord__idle *idle) {
  coord__srv *s = COORD__CONTAINER(idle, coord__srv, finish);
  s->done(s->user, s->code, s->why, s->records, s->count);
  free_srv(s);
}

static void end(coord__srv *s, coord_code code, const char *why) {
  s->code = code;
  snprintf(s->why, sizeof s->why, "%s", why);
  coord__loop_defer(s->loop, &s->finish);
}

static void on_patience(coord__timer *timer) {
  coord__srv *s = COORD__CONTAINER(timer, coord__srv, patience);
  char why[96];
  snprintf(why, sizeof why, "no name server answered within %lld ms (connect.timeout.ms)",
           (long long)s->timeout_ms);
  end(s, COORD_TIMEOUT, why);
}

/* ---- the answer ---- */

static int by_priority(const void *a, const void *b) {
  const coord__srv_record *x = a;
  const coord__srv_record *y = b;
  if (x->priority != y->priority) return x->priority < y->priority ? -1 : 1;
  int order = strcmp(x->host, y->host);
  return order != 0 ? order : (x->port > y->port) - (x->port < y->port);
}

static bool copy_records(coord__srv *s, const struct ares_srv_reply *list) {
  size_t count = 0;
  for (const struct ares_srv_reply *r = list; r != NULL; r = r->next) count++;
  s->records = coord__calloc(count + 1, sizeof *s->records);
  if (s->records == NULL) return false;
  for (const struct ares_srv_reply *r = list; r != NULL; r = r->next) {
    coord__srv_record *to = &s->records[s->count];
    size_t n = strlen(r->host);
    /* An empty host says that there is no such service. */
    if (n == 0 || n >= sizeof to->host || r->port == 0) continue;
    *to = (coord__srv_record){.port = r->port, .priority = r->priority};
    memcpy(to->host, r->host, n);
    s->count++;
  }
  qsort(s->records, s->count, sizeof *s->records, by_priority);
  return true;
}

static void fail(coord__srv *s, int status) {
  coord_code code = COORD_UNAVAILABLE;
  if (status == ARES_ETIMEOUT) code = COORD_TIMEOUT;
  if (status == ARES_ENOMEM) code = COORD_NO_MEMORY;
  end(s, code, ares_strerror(status));
}

static void on_answer(void *user, int status, int timeouts, unsigned char *bytes, int len) {
  (void)timeouts;
  coord__srv *s = user;
  if (s->done == NULL) return; /* the object is being freed */
  struct ares_srv_reply *list = NULL;
  if (status == ARES_SUCCESS) status = ares_parse_srv_reply(bytes, len, &list);
  if (status == ARES_SUCCESS && !copy_records(s, list)) status = ARES_ENOMEM;
  if (status == ARES_SUCCESS || status == ARES_ENOTFOUND || status == ARES_ENODATA) {
    end(s, COORD_OK, "");
  } else {
    fail(s, status);
  }
  if (list != NULL) ares_free_data(list);
}

/* ---- asking ---- */

/* A channel of c-ares of its own for each lookup: it reads the system's configuration anew. */
static int open_channel(coord__srv *s, const char *servers) {
  struct ares_options options = {.timeout = TRY_MS, .tries = TRIES};
  int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
  if (s != NULL) {
    options.sock_state_cb = watch;
    options.sock_state_cb_data = s;
    mask |= ARES_OPT_SOCK_STATE_CB;
  }
  ares_channel channel = NULL;
  int status = ares_init_options(&channel, &options, mask);
  if (status == ARES_SUCCESS && servers[0] != '\0') {
    status = ares_set_servers_ports_csv(channel, servers);
    if (status != ARES_SUCCESS) {
      ares_destroy(channel);
      channel = NULL;
    }
  }
  if (s != NULL) {
    s->channel = channel;
  } else if (channel != NULL) {
    ares_destroy(channel);
  }
  return status;
}

coord__srv *coord__srv_start(coord__loop *loop, const char *name, const char *servers,
                             int64_t timeout_ms, coord__srv_fn done, void *user) {
  coord__srv *s = coord__calloc(1, sizeof *s);
  if (s == NULL) return NULL;
  s->loop = loop;
  s->done = done;
  s->user = user;
  s->timeout_ms = timeout_ms;
  s->timer.fire = on_timer;
  s->patience.fire = on_patience;
  s->finish.run = run_finish;
  int status = open_channel(s, servers);
  if (status != ARES_SUCCESS) {
    fail(s, status);
    return s;
  }
  coord__timer_set(loop, &s->patience, coord__clock_ns() + timeout_ms * COORD__NS_PER_MS);
  ares_query(s->channel, name, ns_c_in, ns_t_srv, on_answer, s);
  set_timer(s);
  return s;
}

void coord__srv_cancel(coord__srv *srv) { free_srv(srv); }

coord_code coord__srv_check_servers(const char *servers, coord_error **err) {
  if (servers[0] == '\0') return COORD_OK;
  int status = open_channel(NULL, servers);
  if (status == ARES_SUCCESS) return COORD_OK;
  if (status == ARES_ENOMEM) return coord__no_memory(err);
  char shown[COORD__SHOWN];
  return coord__fail(err, COORD_INVALID,
                     "option dns.servers: \"%s\" is no list of address:port, separated by commas",
                     coord__show(shown, servers, strlen(servers)));
}
