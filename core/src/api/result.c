#include "coord/result.h"

#include "etcd/result.h"

int64_t coord_result_revision(const coord_result *result) {
  return result != NULL ? result->revision : 0;
}

uint64_t coord_result_cluster_id(const coord_result *result) {
  return result != NULL ? result->cluster_id : 0;
}

uint64_t coord_result_member_id(const coord_result *result) {
  return result != NULL ? result->member_id : 0;
}

uint64_t coord_result_raft_term(const coord_result *result) {
  return result != NULL ? result->raft_term : 0;
}

int coord_result_succeeded(const coord_result *result) {
  return result != NULL && result->succeeded;
}

size_t coord_result_count(const coord_result *result) {
  return result != NULL ? result->kv_count : 0;
}

int64_t coord_result_total(const coord_result *result) {
  return result != NULL ? result->total : 0;
}

int coord_result_more(const coord_result *result) { return result != NULL && result->more; }

coord_code coord_result_kv(const coord_result *result, size_t i, coord_kv *out) {
  if (result == NULL || out == NULL || i >= result->kv_count) return COORD_INVALID;
  const Etcdserverpb__KeyValue *kv = result->kvs[i];
  /* An empty field has no memory of its own. */
  *out = (coord_kv){.key = kv->key.len > 0 ? (const void *)kv->key.data : "",
                    .key_len = kv->key.len,
                    .value = kv->value.len > 0 ? (const void *)kv->value.data : "",
                    .value_len = kv->value.len,
                    .create_revision = kv->create_revision,
                    .mod_revision = kv->mod_revision,
                    .version = kv->version,
                    .lease_id = kv->lease};
  return COORD_OK;
}

size_t coord_result_parts(const coord_result *result) {
  return result != NULL ? result->part_count : 0;
}

const coord_result *coord_result_part(const coord_result *result, size_t i) {
  return result != NULL && i < result->part_count ? &result->parts[i] : NULL;
}

int64_t coord_result_lease_id(const coord_result *result) {
  return result != NULL ? result->lease_id : 0;
}

int64_t coord_result_ttl_s(const coord_result *result) {
  return result != NULL ? result->ttl_s : 0;
}

int64_t coord_result_granted_ttl_s(const coord_result *result) {
  return result != NULL ? result->granted_ttl_s : 0;
}

size_t coord_result_leases(const coord_result *result) {
  return result != NULL ? result->lease_count : 0;
}

int64_t coord_result_lease(const coord_result *result, size_t i) {
  return result != NULL && i < result->lease_count ? result->leases[i]->id : 0;
}

const char *coord_result_json(const coord_result *result) {
  return result != NULL ? result->json : NULL;
}

void coord_result_free(coord_result *result) { coord__result_free(result); }
