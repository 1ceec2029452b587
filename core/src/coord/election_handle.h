/* The handle of an election: a lock whose key says something, and an observer. Same contracts as in
 * coord/election.h, without the checks of arguments. */
#ifndef COORD_COORD_ELECTION_HANDLE_H
#define COORD_COORD_ELECTION_HANDLE_H

#include "coord/election.h"
#include "etcd/client.h"
#include "etcd/op.h"

coord_code coord__election_open(coord_client *c, const void *name, size_t name_len,
                                const coord_options *options, coord_queue *queue, uint64_t tag,
                                coord_election **out, coord_error **err);
coord_op *coord__op_campaign(coord_election *e, const void *value, size_t value_len);
coord_op *coord__op_proclaim(coord_election *e, const void *value, size_t value_len);
coord_op *coord__op_resign(coord_election *e);
coord_op *coord__op_leader(const void *name, size_t name_len);
coord_code coord__election_observe(coord_election *e, coord_error **err);
coord_client *coord__election_client(const coord_election *e);
const coord_lock *coord__election_lock(const coord_election *e);
void coord__election_free(coord_election *e);

#endif
