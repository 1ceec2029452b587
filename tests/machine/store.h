/* A store as small as transactions of claims need it, which answers as etcd does. */
#ifndef COORD_TEST_STORE_H
#define COORD_TEST_STORE_H

#include <stdlib.h>
#include <string.h>

#include "etcd/result.h"
#include "support/t.h"

enum { STORE_KEYS = 64, STORE_TEXT = 128, STORE_DELETES = 4096 };

typedef struct stored {
  char key[STORE_TEXT];
  char value[STORE_TEXT];
  int64_t created;
  int64_t modified;
} stored;

typedef struct store {
  stored keys[STORE_KEYS];
  size_t count;
  int64_t revision;
  struct {
    char key[STORE_TEXT];
    int64_t revision;
  } deletes[STORE_DELETES];
  size_t deleted;
} store;

static void text_of(ProtobufCBinaryData data, char out[STORE_TEXT]) {
  T_FATAL(data.len < STORE_TEXT);
  if (data.len > 0) memcpy(out, data.data, data.len);
  out[data.len] = '\0';
}

static stored *store_find(store *s, const char *key) {
  for (size_t i = 0; i < s->count; i++) {
    if (strcmp(s->keys[i].key, key) == 0) return &s->keys[i];
  }
  return NULL;
}

static void store_delete(store *s, const char *key, int64_t revision) {
  stored *found = store_find(s, key);
  if (found == NULL) return;
  *found = s->keys[--s->count];
  T_FATAL(s->deleted < STORE_DELETES);
  snprintf(s->deletes[s->deleted].key, STORE_TEXT, "%s", key);
  s->deletes[s->deleted++].revision = revision;
  s->revision = revision;
}

static bool related(int64_t a, int relation, int64_t b) {
  switch (relation) {
    case ETCDSERVERPB__COMPARE__COMPARE_RESULT__EQUAL:
      return a == b;
    case ETCDSERVERPB__COMPARE__COMPARE_RESULT__GREATER:
      return a > b;
    default:
      T_FAIL("relation %d", relation);
      return false;
  }
}

static bool store_holds(store *s, const Etcdserverpb__Compare *c) {
  char key[STORE_TEXT], value[STORE_TEXT];
  text_of(c->key, key);
  const stored *at = store_find(s, key);
  switch (c->target) {
    case ETCDSERVERPB__COMPARE__COMPARE_TARGET__CREATE:
      return related(at != NULL ? at->created : 0, (int)c->result, c->create_revision);
    case ETCDSERVERPB__COMPARE__COMPARE_TARGET__MOD:
      return related(at != NULL ? at->modified : 0, (int)c->result, c->mod_revision);
    case ETCDSERVERPB__COMPARE__COMPARE_TARGET__VALUE:
      text_of(c->value, value);
      return at != NULL && strcmp(at->value, value) == 0;
    default:
      T_FAIL("target %d", (int)c->target);
      return false;
  }
}

static int by_creation(const void *a, const void *b) {
  const stored *x = *(const stored *const *)a, *y = *(const stored *const *)b;
  return x->created < y->created ? -1 : x->created > y->created;
}

static ProtobufCBinaryData bytes_of(const char *text) {
  return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

/* What it makes is freed by store_answer_free. */
static Etcdserverpb__RangeResponse *store_range(store *s, const Etcdserverpb__RangeRequest *r) {
  const stored *found[STORE_KEYS];
  char key[STORE_TEXT];
  size_t count = 0;
  text_of(r->key, key);
  for (size_t i = 0; i < s->count; i++) {
    const stored *at = &s->keys[i];
    bool is_in =
        r->range_end.len > 0 ? strncmp(at->key, key, strlen(key)) == 0 : strcmp(at->key, key) == 0;
    if (r->max_create_revision > 0 && at->created > r->max_create_revision) is_in = false;
    if (is_in) found[count++] = at;
  }
  qsort(found, count, sizeof found[0], by_creation);
  Etcdserverpb__RangeResponse *out = calloc(1, sizeof *out);
  *out = (Etcdserverpb__RangeResponse)ETCDSERVERPB__RANGE_RESPONSE__INIT;
  out->count = (int64_t)count;
  out->n_kvs = r->limit > 0 && (size_t)r->limit < count ? (size_t)r->limit : count;
  out->kvs = calloc(count + 1, sizeof *out->kvs);
  bool down = r->sort_order == ETCDSERVERPB__RANGE_REQUEST__SORT_ORDER__DESCEND;
  for (size_t i = 0; i < out->n_kvs; i++) {
    const stored *at = found[down ? count - 1 - i : i];
    Etcdserverpb__KeyValue *kv = calloc(1, sizeof *kv);
    *kv = (Etcdserverpb__KeyValue)ETCDSERVERPB__KEY_VALUE__INIT;
    kv->key = bytes_of(at->key);
    if (!r->keys_only) kv->value = bytes_of(at->value);
    kv->create_revision = at->created;
    kv->mod_revision = at->modified;
    out->kvs[i] = kv;
  }
  return out;
}

static void store_put(store *s, const Etcdserverpb__PutRequest *put, int64_t revision) {
  char key[STORE_TEXT];
  text_of(put->key, key);
  stored *at = store_find(s, key);
  if (at == NULL) {
    T_FATAL(s->count < STORE_KEYS);
    at = &s->keys[s->count++];
    snprintf(at->key, sizeof at->key, "%s", key);
    at->created = revision;
  }
  text_of(put->value, at->value);
  at->modified = revision;
  s->revision = revision;
}

static Etcdserverpb__TxnResponse *store_txn(store *s, const Etcdserverpb__TxnRequest *txn,
                                            int64_t revision) {
  Etcdserverpb__TxnResponse *out = calloc(1, sizeof *out);
  *out = (Etcdserverpb__TxnResponse)ETCDSERVERPB__TXN_RESPONSE__INIT;
  out->succeeded = true;
  for (size_t i = 0; i < txn->n_compare; i++) out->succeeded &= store_holds(s, txn->compare[i]);
  size_t count = out->succeeded ? txn->n_success : txn->n_failure;
  Etcdserverpb__RequestOp **ops = out->succeeded ? txn->success : txn->failure;
  out->responses = calloc(count + 1, sizeof *out->responses);
  for (size_t i = 0; i < count; i++) {
    Etcdserverpb__ResponseOp *part = calloc(1, sizeof *part);
    *part = (Etcdserverpb__ResponseOp)ETCDSERVERPB__RESPONSE_OP__INIT;
    char key[STORE_TEXT];
    switch (ops[i]->request_case) {
      case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_RANGE:
        part->response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_RANGE;
        part->response_range = store_range(s, ops[i]->request_range);
        break;
      case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT:
        store_put(s, ops[i]->request_put, revision);
        part->response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_PUT;
        part->response_put = calloc(1, sizeof *part->response_put);
        *part->response_put = (Etcdserverpb__PutResponse)ETCDSERVERPB__PUT_RESPONSE__INIT;
        break;
      case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE:
        text_of(ops[i]->request_delete_range->key, key);
        store_delete(s, key, revision);
        part->response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_DELETE_RANGE;
        part->response_delete_range = calloc(1, sizeof *part->response_delete_range);
        *part->response_delete_range =
            (Etcdserverpb__DeleteRangeResponse)ETCDSERVERPB__DELETE_RANGE_RESPONSE__INIT;
        break;
      default:
        part->response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_TXN;
        part->response_txn = store_txn(s, ops[i]->request_txn, revision);
        break;
    }
    out->responses[out->n_responses++] = part;
  }
  return out;
}

static void store_txn_free(Etcdserverpb__TxnResponse *txn) {
  for (size_t i = 0; i < txn->n_responses; i++) {
    Etcdserverpb__ResponseOp *part = txn->responses[i];
    if (part->response_case == ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_RANGE) {
      for (size_t k = 0; k < part->response_range->n_kvs; k++) free(part->response_range->kvs[k]);
      free(part->response_range->kvs);
      free(part->response_range);
    } else if (part->response_case == ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_PUT) {
      free(part->response_put);
    } else if (part->response_case == ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_DELETE_RANGE) {
      free(part->response_delete_range);
    } else {
      store_txn_free(part->response_txn);
    }
    free(part);
  }
  free(txn->responses);
  free(txn);
}

/* Executes it and answers with what a client would decode. */
static coord_result *store_do(store *s, const Etcdserverpb__TxnRequest *txn) {
  Etcdserverpb__ResponseHeader header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
  coord_result *result = NULL;
  Etcdserverpb__TxnResponse *answer = store_txn(s, txn, s->revision + 1);
  header.revision = s->revision;
  answer->header = &header;
  size_t len = protobuf_c_message_get_packed_size(&answer->base);
  uint8_t *bytes = malloc(len);
  protobuf_c_message_pack(&answer->base, bytes);
  T_CODE(coord__decode_txn(bytes, len, &result, NULL), COORD_OK);
  free(bytes);
  store_txn_free(answer);
  return result;
}

#endif
