/*
 * An endpoint that counts, and how it fares. One that does not answer, or cannot serve, is ejected:
 * it gets no calls while another can take them, and is asked for a sign of health until it gives one.
 * I/O thread only.
 */
#ifndef COORD_RPC_TARGET_H
#define COORD_RPC_TARGET_H

#include "rpc/lane.h"
#include "rpc/wire.h"

struct coord__rpc;
struct coord__channel;
struct coord__carrier;

/* From a lane to the endpoint. */
typedef struct coord__path {
  struct coord__channel *channel;
  struct coord__target *target;
  struct coord__carrier *carrier; /* connecting or in use; NULL when there is none */
  size_t failures;                /* in a row */
  int64_t not_before_ns;          /* for connecting again */
  coord__timer reconnect;
} coord__path;

enum { COORD__PROBE_MAX = 32 };

/* What to ask an ejected endpoint: any answer but "unavailable" is good. */
typedef struct coord__probe {
  const coord__method *method;
  uint8_t message[COORD__PROBE_MAX];
  size_t len;
} coord__probe;

typedef struct coord__target {
  struct coord__rpc *rpc;
  const coord__endpoint *endpoint; /* lives as long as the rpc */
  coord__path paths[COORD__LANES];
  bool ejected;
  bool probing;
  int strikes;         /* ejections and failed probes, until it was well for a while */
  int64_t ejected_ns;  /* when */
  int64_t restored_ns; /* when last */
  coord__timer timer;  /* the next probe, or the end of the one under way */
  coord__attempt probe;
  uint8_t frame[COORD__FRAME_HEADROOM + COORD__PROBE_MAX];
} coord__target;

/* NULL: memory is out. */
coord__target *coord__target_new(struct coord__rpc *rpc, const coord__endpoint *endpoint);
/* Links to it finish what they carry; its streams end now. */
void coord__target_free(coord__target *target);
/* It did not answer, or answered that it cannot serve. Nothing happens to the only one. */
void coord__target_eject(coord__target *target, coord_code code, const char *why);
/* It has answered. */
void coord__target_served(coord__target *target);
/* The lane of calls has a link to it; it is about to leave one that goes on. */
void coord__target_linked(coord__target *target);
void coord__target_unlinked(coord__target *target);

#endif
