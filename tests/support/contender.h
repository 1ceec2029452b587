/*
 * Whoever wants a lock or a leadership by one of the ways there are: this library, etcdctl, the server's
 * own service, Go's concurrency package.
 */
#ifndef COORD_TEST_CONTENDER_H
#define COORD_TEST_CONTENDER_H

#include "support/etcd.h"

typedef enum t_way { T_OURS, T_ETCDCTL, T_SERVER, T_GO, T_WAYS } t_way;

typedef struct t_contender t_contender;

extern const char *const t_way_names[T_WAYS];

/* Why the machine does not have what this way takes; NULL: it has. */
const char *t_way_missing(t_way way);

/* Begins to contend for the lock of this name on the shared server, with a lease of its own. The
 * client serves whatever has to be asked. */
t_contender *t_contend(t_way way, coord_client *client, const char *name);
/* Begins to campaign in the election of this name, with this to proclaim. */
t_contender *t_campaign(t_way way, coord_client *client, const char *name, const char *value);
/* Whether it has it, or gets it within this time. A failure, and false, when it has failed. */
bool t_contender_has(t_contender *contender, int timeout_ms);
/* The key by which it has it; "" when it does not. */
const char *t_contender_key(const t_contender *contender);
/* The server's own service says, and etcdctl and Go observe, that the leader proclaims this. A failure otherwise; a way that is missing is passed over. */
void t_all_observe(const char *name, const char *value);
/* Lets go of what it has and ends; or ends what waits, without a goodbye. */
void t_contender_end(t_contender *contender);

#endif
