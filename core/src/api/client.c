#include "coord/client.h"

#include "api/check.h"
#include "base/error.h"
#include "etcd/client.h"

coord_code coord_client_open(const coord_options *options, coord_client **out, coord_error **err) {
  coord_code code = coord__check_pointer(out, "out", err);
  return code != COORD_OK ? code : coord__client_open(options, out, err);
}

coord_code coord_client_stats(const coord_client *client, char **json, coord_error **err) {
  coord_code code = coord__check_client(client, err);
  if (code == COORD_OK) code = coord__check_pointer(json, "json", err);
  if (code != COORD_OK) return code;
  char *text =
      coord__stats_json(&client->stats, &client->rpc.counters, coord__rpc_endpoints(&client->rpc));
  if (text == NULL) return coord__no_memory(err);
  *json = text;
  return COORD_OK;
}

coord_code coord_client_log_to(coord_client *client, coord_queue *queue, uint64_t tag,
                               coord_error **err) {
  coord_code code = coord__check_open(client, err);
  if (code == COORD_OK && queue != NULL) code = coord__check_queue(queue, err);
  if (code == COORD_OK) coord__log_to(&client->log, queue, tag);
  return code;
}

coord_code coord_client_close(coord_client *client, int32_t timeout_ms, coord_error **err) {
  coord_code code = coord__check_client(client, err);
  if (code == COORD_OK) code = coord__check_timeout(timeout_ms, err);
  return code != COORD_OK ? code : coord__client_close(client, timeout_ms, err);
}

void coord_client_free(coord_client *client) {
  if (client != NULL) coord__client_unuse(client);
}
