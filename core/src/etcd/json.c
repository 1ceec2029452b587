#include "etcd/json.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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

/* How many bytes at s are one well-formed UTF-8 character, 0 for none. */
static size_t character(const unsigned char *s, size_t left) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
  if (n == 0 || n > left) return 0;
  uint32_t code = n == 1 ? s[0] : s[0] & (0x7fU >> n);
  for (size_t i = 1; i < n; i++) {
    if (s[i] >> 6 != 2) return 0;
    code = code << 6 | (s[i] & 0x3fU);
  }
  bool surrogate = code >= 0xd800 && code <= 0xdfff;
  return n > 1 && (code < least[n] || code > 0x10ffff || surrogate) ? 0 : n;
}

/* A string as the server sent it; bytes that are no UTF-8 become "?", as JSON must be UTF-8. */
static json_object *new_text(const char *text) {
  size_t len = strlen(text);
  json_object *string = json_object_new_string_len(text, (int)len);
  const unsigned char *s = (const unsigned char *)text;
  size_t good = 0;
  while (good < len && character(s + good, len - good) > 0) good += character(s + good, len - good);
  if (string == NULL || good == len) return string;
  json_object_put(string);
  char *copy = strdup(text);
  if (copy == NULL) return NULL;
  for (size_t i = 0; i < len;) {
    size_t n = character(s + i, len - i);
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
