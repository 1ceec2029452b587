/* Staying to keep a lease alive until a signal comes. */
#ifndef CLI_KEEP_H
#define CLI_KEEP_H

#include "session.h"

/* A lease that is kept alive, and where its events come. */
struct keep {
  coord_queue *queue;
  coord_lease *lease;
};

/* Before the client is opened: SIGINT, SIGTERM and SIGHUP are waited for, and end nothing by themselves. */
void keep_prepare(void);
/* CLI_FINE, or the exit code after printing what is wrong. `id` 0: a new lease of ttl_s seconds. */
int keep_open(struct session *session, const char *what, int64_t id, int64_t ttl_s,
              struct keep *out);
/* Until a signal comes (CLI_FINE) or the lease is lost. */
int keep_until_signal(struct keep *keep, const char *what);
/* Revokes it; CLI_FINE, or the exit code after printing what is wrong. */
int keep_revoke(struct session *session, struct keep *keep, const char *what);
void keep_free(struct keep *keep);

#endif
