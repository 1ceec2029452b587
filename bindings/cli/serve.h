/* Being registered: a command that runs meanwhile, and the way out. */
#ifndef CLI_SERVE_H
#define CLI_SERVE_H

#include "hold.h"

/* Of the events of the registration. */
enum { SERVE_TAG = 1 };

struct service {
  struct hold hold; /* of which signals, client and queue are used */
  coord_registration *registration;
  int32_t drain_ms;
};

/* Runs the command; its exit code, or CLI_LOST when it was ended because the instance is another's. */
int serve_command(struct service *service, char *const *argv);
/* Until a signal comes or a pipe on standard input ends (CLI_FINE), or it is another's. */
int serve_until_stopped(struct service *service);
/* Takes it out of the registry, or says why it cannot. */
void serve_deregister(struct service *service);

#endif
