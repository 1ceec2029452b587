#include "coord/watch.h"

#include "api/check.h"
#include "coord/watch_handle.h"

coord_code coord_watch_open(coord_client *client, const coord_op *get, int64_t start_revision,
                            coord_queue *queue, uint64_t tag, coord_watch **out,
                            coord_error **err) {
  coord_code code = coord__check_open(client, err);
  if (code == COORD_OK) code = coord__check_pointer(get, "get", err);
  if (code == COORD_OK) code = coord__check_queue(queue, err);
  if (code == COORD_OK) code = coord__check_pointer(out, "out", err);
  if (code != COORD_OK) return code;
  return coord__watch_open(client, get, start_revision, queue, tag, out, err);
}

void coord_watch_close(coord_watch *watch) {
  if (watch != NULL) coord__watch_close(watch);
}

void coord_watch_free(coord_watch *watch) {
  if (watch != NULL) coord__watch_drop(watch);
}
