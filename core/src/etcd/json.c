#include "etcd/json.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/* Adds to objects, remembering whether all went well; what fails is freed with the whole. */
typedef struct writer {
  json_object *root;
  bool ok;
} writer;

static void add(writer *w, json_object *to, const char *name, json_object *value) {
  if (value == NULL || to == NULL || json_object_object_add(to, name, value) != 0) {
    json_object_put(value);
    w->ok = false;
  }
}

static void add_to_array(writer *w, json_object *to, json_object *value) {
  if (value == NULL || to == NULL || json_object_array_add(to, value) != 0) {
    json_object_put(value);
    w->ok = false;
  }
}

static void add_number(writer *w, json_object *to, const char *name, int64_t number) {
  char text[24];
  snprintf(text, sizeof text, "%" PRId64, number);
  add(w, to, name, json_object_new_string(text));
}

static void add_unsigned(writer *w, json_object *to, const char *name, uint64_t number) {
  char text[24];
  snprintf(text, sizeof text, "%" PRIu64, number);
  add(w, to, name, json_object_new_string(text));
}

static void add_id(writer *w, json_object *to, const char *name, uint64_t id) {
  char text[24];
  snprintf(text, sizeof text, "%" PRIx64, id);
  add(w, to, name, json_object_new_string(text));
}

static void add_flag(writer *w, json_object *to, const char *name, protobuf_c_boolean flag) {
  add(w, to, name, json_object_new_boolean(flag != 0));
}

/* A string as the server sent it; bytes that are no UTF-8 become "?", as JSON must be UTF-8. */
static json_object *new_text(const char *text) {
  size_t len = strlen(text);
  json_object *string = json_object_new_string_len(text, (int)len);
  const unsigned char *s = (const unsigned char *)text;
  size_t good = 0;
  while (good < len && coord__utf8_character(s + good, len - good) > 0)
    good += coord__utf8_character(s + good, len - good);
  if (string == NULL || good == len) return string;
  json_object_put(string);
  char *copy = strdup(text);
  if (copy == NULL) return NULL;
  for (size_t i = 0; i < len;) {
    size_t n = coord__utf8_character(s + i, len - i);
    if (n == 0) copy[i] = '?';
    i += n > 0 ? n : 1;
  }
  string = json_object_new_string_len(copy, (int)len);
  free(copy);
  return string;
}

static void add_text(writer *w, json_object *to, const char *name, const char *text) {
  add(w, to, name, new_text(text));
}

static void add_texts(writer *w, json_object *to, const char *name, char *const *texts,
                      size_t count) {
  json_object *array = json_object_new_array();
  for (size_t i = 0; i < count; i++) add_to_array(w, array, new_text(texts[i]));
  add(w, to, name, array);
}

static void add_header(writer *w, const Etcdserverpb__ResponseHeader *header) {
  json_object *object = json_object_new_object();
  add_id(w, object, "cluster_id", header->cluster_id);
  add_id(w, object, "member_id", header->member_id);
  add_number(w, object, "revision", header->revision);
  add_unsigned(w, object, "raft_term", header->raft_term);
  add(w, w->root, "header", object);
}

/* The text of the whole, in the arena; the objects are freed. */
static const char *finish(writer *w, coord__arena *arena) {
  const char *copy = NULL;
  if (w->ok) {
    size_t len = 0;
    const char *text = json_object_to_json_string_length(
        w->root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    if (text != NULL) copy = coord__arena_memdup(arena, text, len);
  }
  json_object_put(w->root);
  return copy;
}

const char *coord__json_status(const Etcdserverpb__StatusResponse *status, coord__arena *arena) {
  writer w = {.root = json_object_new_object(), .ok = true};
  add_header(&w, status->header);
  add_text(&w, w.root, "version", status->version);
  add_number(&w, w.root, "dbSize", status->dbsize);
  add_id(&w, w.root, "leader", status->leader);
  add_unsigned(&w, w.root, "raftIndex", status->raftindex);
  add_unsigned(&w, w.root, "raftTerm", status->raftterm);
  add_unsigned(&w, w.root, "raftAppliedIndex", status->raftappliedindex);
  add_texts(&w, w.root, "errors", status->errors, status->n_errors);
  add_number(&w, w.root, "dbSizeInUse", status->dbsizeinuse);
  add_flag(&w, w.root, "isLearner", status->islearner);
  add_text(&w, w.root, "storageVersion", status->storageversion);
  add_number(&w, w.root, "dbSizeQuota", status->dbsizequota);
  const Etcdserverpb__DowngradeInfo *info = status->downgradeinfo;
  json_object *downgrade = json_object_new_object();
  add_flag(&w, downgrade, "enabled", info != NULL ? info->enabled : 0);
  add_text(&w, downgrade, "targetVersion", info != NULL ? info->targetversion : "");
  add(&w, w.root, "downgradeInfo", downgrade);
  return finish(&w, arena);
}

static void add_member(writer *w, json_object *members, const Etcdserverpb__Member *member) {
  json_object *object = json_object_new_object();
  add_id(w, object, "ID", member->id);
  add_text(w, object, "name", member->name);
  add_texts(w, object, "peerURLs", member->peerurls, member->n_peerurls);
  add_texts(w, object, "clientURLs", member->clienturls, member->n_clienturls);
  add_flag(w, object, "isLearner", member->islearner);
  add_to_array(w, members, object);
}

const char *coord__json_members(const Etcdserverpb__MemberListResponse *members,
                                coord__arena *arena) {
  writer w = {.root = json_object_new_object(), .ok = true};
  add_header(&w, members->header);
  json_object *array = json_object_new_array();
  for (size_t i = 0; i < members->n_members; i++) add_member(&w, array, members->members[i]);
  add(&w, w.root, "members", array);
  return finish(&w, arena);
}

/* ---- users, roles, permissions ---- */

const char *coord__json_auth_status(const Etcdserverpb__AuthStatusResponse *status,
                                    coord__arena *arena) {
  writer w = {.root = json_object_new_object(), .ok = true};
  add_header(&w, status->header);
  add_flag(&w, w.root, "enabled", status->enabled);
  add_unsigned(&w, w.root, "authRevision", status->authrevision);
  return finish(&w, arena);
}

const char *coord__json_names(const Etcdserverpb__ResponseHeader *header, const char *field,
                              char *const *names, size_t count, coord__arena *arena) {
  writer w = {.root = json_object_new_object(), .ok = true};
  add_header(&w, header);
  add_texts(&w, w.root, field, names, count);
  return finish(&w, arena);
}

static json_object *new_bytes(ProtobufCBinaryData bytes) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t size = (bytes.len + 2) / 3 * 4;
  char *text = malloc(size + 1);
  if (text == NULL) return NULL;
  char *out = text;
  for (size_t i = 0; i < bytes.len; i += 3) {
    size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
    uint32_t three = (uint32_t)bytes.data[i] << 16;
    if (n > 1) three |= (uint32_t)bytes.data[i + 1] << 8;
    if (n > 2) three |= bytes.data[i + 2];
    *out++ = digits[three >> 18];
    *out++ = digits[three >> 12 & 63];
    *out++ = n > 1 ? digits[three >> 6 & 63] : '=';
    *out++ = n > 2 ? digits[three & 63] : '=';
  }
  json_object *string = json_object_new_string_len(text, (int)size);
  free(text);
  return string;
}

static void add_bytes(writer *w, json_object *to, const char *name, ProtobufCBinaryData bytes) {
  add(w, to, name, new_bytes(bytes));
}

const char *coord__json_permissions(const Etcdserverpb__AuthRoleGetResponse *role,
                                    coord__arena *arena) {
  static const char *const types[] = {"READ", "WRITE", "READWRITE"};
  writer w = {.root = json_object_new_object(), .ok = true};
  add_header(&w, role->header);
  json_object *array = json_object_new_array();
  for (size_t i = 0; i < role->n_perm; i++) {
    const Etcdserverpb__Permission *perm = role->perm[i];
    json_object *object = json_object_new_object();
    unsigned type = (unsigned)perm->permtype;
    add_text(&w, object, "permType", type < 3 ? types[type] : "UNKNOWN");
    add_bytes(&w, object, "key", perm->key);
    add_bytes(&w, object, "range_end", perm->range_end);
    add_to_array(&w, array, object);
  }
  add(&w, w.root, "perm", array);
  return finish(&w, arena);
}

/* ---- leases ---- */

const char *coord__json_lease(const Etcdserverpb__ResponseHeader *header, int64_t id, int64_t ttl,
                              coord__arena *arena) {
  writer w = {.root = json_object_new_object(), .ok = true};
  add_header(&w, header);
  add_id(&w, w.root, "ID", (uint64_t)id);
  add_number(&w, w.root, "TTL", ttl);
  return finish(&w, arena);
}

const char *coord__json_lease_info(const Etcdserverpb__LeaseTimeToLiveResponse *info,
                                   Etcdserverpb__KeyValue *const *kvs, size_t kv_count,
                                   coord__arena *arena) {
  writer w = {.root = json_object_new_object(), .ok = true};
  add_header(&w, info->header);
  add_id(&w, w.root, "ID", (uint64_t)info->id);
  add_number(&w, w.root, "TTL", info->ttl);
  add_number(&w, w.root, "grantedTTL", info->grantedttl);
  json_object *array = json_object_new_array();
  for (size_t i = 0; i < kv_count; i++) add_to_array(&w, array, new_bytes(kvs[i]->key));
  add(&w, w.root, "keys", array);
  return finish(&w, arena);
}

const char *coord__json_lease_list(const Etcdserverpb__LeaseLeasesResponse *list,
                                   coord__arena *arena) {
  writer w = {.root = json_object_new_object(), .ok = true};
  add_header(&w, list->header);
  json_object *array = json_object_new_array();
  for (size_t i = 0; i < list->n_leases; i++) {
    json_object *object = json_object_new_object();
    add_id(&w, object, "ID", (uint64_t)list->leases[i]->id);
    add_to_array(&w, array, object);
  }
  add(&w, w.root, "leases", array);
  return finish(&w, arena);
}
