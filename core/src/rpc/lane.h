/* Traffic is kept apart so that bulk reads never hold up watches or leases. */
#ifndef COORD_RPC_LANE_H
#define COORD_RPC_LANE_H

typedef enum coord__lane { COORD__LANE_CALLS, COORD__LANE_WATCHES, COORD__LANE_LEASES } coord__lane;
enum { COORD__LANES = 3 };

#endif
