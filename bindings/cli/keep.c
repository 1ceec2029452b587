#include "keep.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "report.h"

static void fill(sigset_t *set) {
  sigemptyset(set);
  sigaddset(set, SIGINT);
  sigaddset(set, SIGTERM);
  sigaddset(set, SIGHUP);
}

void keep_prepare(void) {
  sigset_t set;
  fill(&set);
  sigprocmask(SIG_BLOCK, &set, NULL);
}

int keep_open(struct session *session, const char *what, int64_t id, int64_t ttl_s,
              struct keep *out) {
  coord_error *err = NULL;
  *out = (struct keep){0};
  coord_code code = coord_queue_open(&out->queue, &err);
  if (code == COORD_OK && id == 0) {
    code = coord_lease_open(session->client, ttl_s, session->timeout_ms, out->queue, 0, &out->lease,
                            &err);
  } else if (code == COORD_OK) {
    code = coord_lease_adopt(session->client, id, session->timeout_ms, out->queue, 0, &out->lease,
                             &err);
  }
  int exit_code = code == COORD_OK ? CLI_FINE : call_error(what, code, err);
  coord_error_free(err);
  if (exit_code != CLI_FINE) keep_free(out);
  return exit_code;
}

/* True: the lease is lost, and *exit_code set. */
static bool take_events(struct keep *keep, const char *what, int *exit_code) {
  bool lost = false;
  for (coord_event *e; !lost && (e = coord_queue_next(keep->queue, 0)) != NULL;) {
    const coord_error *err = coord_event_error(e);
    int32_t type = coord_event_type(e);
    if (type == COORD_EVENT_AT_RISK) remark("%s", coord_error_message(err));
    if (type == COORD_EVENT_RESTORED) remark("The lease is kept alive again.");
    if (type == COORD_EVENT_LOST || type == COORD_EVENT_CLOSED) {
      *exit_code = call_error(what, coord_event_code(e), err);
      lost = true;
    }
    coord_event_free(e);
  }
  return lost;
}

int keep_until_signal(struct keep *keep, const char *what) {
  sigset_t set;
  fill(&set);
  int exit_code = CLI_FINE;
  struct pollfd fds[2] = {{.fd = signalfd(-1, &set, SFD_CLOEXEC), .events = POLLIN},
                          {.fd = coord_queue_fd(keep->queue), .events = POLLIN}};
  if (fds[0].fd < 0) {
    complain(what, NULL, "cannot wait for signals: %s", strerror(errno));
    return CLI_OTHER;
  }
  while (!take_events(keep, what, &exit_code)) {
    if (poll(fds, 2, -1) < 0 && errno != EINTR) break;
    if (fds[0].revents != 0) break;
  }
  close(fds[0].fd);
  return exit_code;
}

int keep_revoke(struct session *session, struct keep *keep, const char *what) {
  coord_error *err = NULL;
  coord_code code = coord_lease_close(keep->lease, session->timeout_ms, &err);
  int exit_code = code == COORD_OK ? CLI_FINE : call_error(what, code, err);
  coord_error_free(err);
  return exit_code;
}

void keep_free(struct keep *keep) {
  coord_lease_free(keep->lease);
  coord_queue_free(keep->queue);
  *keep = (struct keep){0};
}
