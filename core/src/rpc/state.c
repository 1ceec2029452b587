/* What happens to endpoints, for who wants to know. */
#include "rpc/rpc.h"

void coord__rpc_state(coord__rpc *rpc, int state, const char *endpoint, coord_code code,
                      const char *why) {
  const coord__rpc_config *config = &rpc->config;
  if (config->state != NULL) config->state(config->state_user, state, endpoint, code, why);
}
