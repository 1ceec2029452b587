#include <string.h>

#include "coord/error.h"
#include "etcd/request.h"

enum {
  REPEAT = COORD_RETRIABLE,     /* may succeed later as it is */
  UNKNOWN = COORD_MAYBE_APPLIED /* does not tell whether a write was done */
};

typedef struct meaning {
  coord_code code;
  uint32_t flags;
} meaning;

typedef struct text_meaning {
  const char *text;
  meaning means;
} text_meaning;

/* What etcd says behind "etcdserver: ", where that tells more than the status that comes with it.
 * "server stopped" may be said after a write was proposed. */
static const text_meaning etcd_texts[] = {
    {"mvcc: required revision has been compacted", {COORD_COMPACTED, 0}},
    {"mvcc: required revision is a future revision", {COORD_INVALID, 0}},
    {"mvcc: database space exceeded", {COORD_EXHAUSTED, 0}},
    {"too many requests", {COORD_EXHAUSTED, REPEAT}},
    {"request is too large", {COORD_TOO_LARGE, 0}},
    {"requested lease not found", {COORD_NOT_FOUND, 0}},
    {"lease already exists", {COORD_CONFLICT, 0}},
    {"member not found", {COORD_NOT_FOUND, 0}},
    {"user name not found", {COORD_NOT_FOUND, 0}},
    {"role name not found", {COORD_NOT_FOUND, 0}},
    {"root user does not exist", {COORD_NOT_FOUND, 0}},
    {"role is not granted to the user", {COORD_NOT_FOUND, 0}},
    {"permission is not granted to the role", {COORD_NOT_FOUND, 0}},
    {"user name already exists", {COORD_CONFLICT, 0}},
    {"role name already exists", {COORD_CONFLICT, 0}},
    {"root user does not have root role", {COORD_CONFLICT, 0}},
    {"invalid auth management", {COORD_CONFLICT, 0}},
    {"permission denied", {COORD_AUTH, 0}},
    {"invalid auth token", {COORD_AUTH, 0}},
    {"revision of auth store is old", {COORD_AUTH, 0}},
    {"user name is empty", {COORD_AUTH, 0}},
    {"authentication failed", {COORD_AUTH, 0}},
    {"authentication is not enabled", {COORD_AUTH, 0}},
    {"not capable", {COORD_UNSUPPORTED, 0}},
    {"no leader", {COORD_UNAVAILABLE, REPEAT}},
    {"not leader", {COORD_UNAVAILABLE, REPEAT}},
    {"rpc not supported for learner", {COORD_UNAVAILABLE, REPEAT}},
    {"unhealthy cluster", {COORD_UNAVAILABLE, REPEAT}},
    {"leader changed", {COORD_UNAVAILABLE, REPEAT | UNKNOWN}},
    {"request timed out", {COORD_UNAVAILABLE, REPEAT | UNKNOWN}},
    {"server stopped", {COORD_UNAVAILABLE, REPEAT | UNKNOWN}},
    {"corrupt cluster", {COORD_INTERNAL, 0}},
};

/* What the parts of a server that do not speak as etcd say, mostly with status 2 or 8. */
static const text_meaning other_texts[] = {
    {"received message larger than max", {COORD_TOO_LARGE, 0}},
    {"message larger than max", {COORD_TOO_LARGE, UNKNOWN}},
    {"raft proposal dropped", {COORD_UNAVAILABLE, REPEAT}},
    {"raft: stopped", {COORD_UNAVAILABLE, REPEAT | UNKNOWN}},
    {"context deadline exceeded", {COORD_TIMEOUT, UNKNOWN}},
    {"context canceled", {COORD_CANCELED, UNKNOWN}},
};

/* By the number of the gRPC status. */
static const meaning statuses[] = {
    [0] = {COORD_OK, 0},
    [1] = {COORD_CANCELED, UNKNOWN},
    [2] = {COORD_INTERNAL, UNKNOWN},
    [3] = {COORD_INVALID, 0},
    [4] = {COORD_TIMEOUT, UNKNOWN},
    [5] = {COORD_NOT_FOUND, 0},
    [6] = {COORD_CONFLICT, 0},
    [7] = {COORD_AUTH, 0},
    [8] = {COORD_EXHAUSTED, UNKNOWN},
    [9] = {COORD_CONFLICT, 0},
    [10] = {COORD_CONFLICT, 0},
    [11] = {COORD_INVALID, 0},
    [12] = {COORD_UNSUPPORTED, 0},
    [13] = {COORD_INTERNAL, UNKNOWN},
    [14] = {COORD_UNAVAILABLE, REPEAT | UNKNOWN},
    [15] = {COORD_INTERNAL, UNKNOWN},
    [16] = {COORD_AUTH, 0},
};

static const meaning *find_text(const char *message) {
  static const char prefix[] = "etcdserver: ";
  const char *own = strstr(message, prefix);
  if (own != NULL) own += sizeof prefix - 1;
  for (size_t i = 0; own != NULL && i < sizeof etcd_texts / sizeof *etcd_texts; i++) {
    const char *text = etcd_texts[i].text;
    if (strncmp(own, text, strlen(text)) == 0) return &etcd_texts[i].means;
  }
  for (size_t i = 0; i < sizeof other_texts / sizeof *other_texts; i++) {
    if (strstr(message, other_texts[i].text) != NULL) return &other_texts[i].means;
  }
  return NULL;
}

static meaning find(int grpc_status, const char *message) {
  if (grpc_status == 0) return statuses[0];
  const meaning *told = message != NULL ? find_text(message) : NULL;
  if (told != NULL) return *told;
  if (grpc_status > 0 && (size_t)grpc_status < sizeof statuses / sizeof *statuses) {
    return statuses[grpc_status];
  }
  return (meaning){COORD_PROTOCOL, UNKNOWN};
}

coord_code coord__etcd_status(int grpc_status, const char *message, bool read_only,
                              uint32_t *flags) {
  meaning found = find(grpc_status, message);
  if (read_only) found.flags &= ~(uint32_t)UNKNOWN;
  if (flags != NULL) *flags = found.flags;
  return found.code;
}
