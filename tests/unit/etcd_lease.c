/* Ops on leases: what is sent, what is made of any answer. */
#include "etcd/lease.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "support/t.h"

static Etcdserverpb__ResponseHeader header = {
    .base = PROTOBUF_C_MESSAGE_INIT(&etcdserverpb__response_header__descriptor), .revision = 9};

static const coord__limits limits = {.request_max_bytes = 1000};

static coord__request encoded(coord_op *op) {
  coord__request request = {0};
  coord_error *err = NULL;
  T_OK(coord__op_encode(op, &limits, &request, &err), err);
  coord_error_free(err);
  coord_op_free(op);
  return request;
}

static void encoding_fails(coord_op *op, const char *why) {
  coord__request request = {0};
  coord_error *err = NULL;
  T_ERROR(coord__op_encode(op, &limits, &request, &err), COORD_INVALID, err, why);
  coord_op_free(op);
}

/* ---- requests ---- */

static void wrong_numbers_are_refused(void) {
  encoding_fails(coord_op_lease_grant(0, 0), "TTL is 0 s");
  encoding_fails(coord_op_lease_grant(-1, 0), "TTL is -1 s");
  encoding_fails(coord_op_lease_grant(INT64_MAX, 0), "expected 1 to 9000000000");
  encoding_fails(coord_op_lease_grant(1, INT64_MIN), "lease id is -9223372036854775808");
  encoding_fails(coord_op_lease_revoke(0), "lease_revoke: the lease id is 0");
  encoding_fails(coord_op_lease_keepalive(0), "lease_keepalive: the lease id is 0");
  encoding_fails(coord_op_lease_info(0, 1), "lease_ttl: the lease id is 0");
}

static int64_t id_of(const coord__request *request) {
  Etcdserverpb__LeaseGrantRequest *grant = etcdserverpb__lease_grant_request__unpack(
      NULL, request->body.len - COORD__FRAME_HEADROOM, request->body.data + COORD__FRAME_HEADROOM);
  T_FATAL(grant != NULL);
  int64_t id = grant->id;
  T_INT(grant->ttl, 30);
  etcdserverpb__lease_grant_request__free_unpacked(grant, NULL);
  return id;
}

static void grant_without_an_id_gets_another_each_time(void) {
  int64_t last = 0;
  for (int i = 0; i < 100; i++) {
    coord__request request = encoded(coord_op_lease_grant(30, 0));
    int64_t id = id_of(&request);
    T_TRUE(id > 0 && id != last);
    T_TRUE(request.idempotent && !request.read_only);
    T_CODE(request.echo.code, COORD_CONFLICT);
    T_INT(request.echo.lease_id, id);
    T_INT(request.echo.ttl_s, 30);
    last = id;
    coord__request_free(&request);
  }
  coord__request request = encoded(coord_op_lease_grant(30, 77));
  T_INT(id_of(&request), 77);
  T_CODE(request.echo.code, COORD_OK); /* it may have been there before */
  coord__request_free(&request);
}

static void echo_is_one_only_after_a_try_that_may_have_come_through(void) {
  coord__echo echo = {COORD_CONFLICT, 5, 30};
  coord__call call = {.code = COORD_CONFLICT};
  T_TRUE(!coord__lease_is_echo(&call, &echo));
  call.maybe_applied = true;
  T_TRUE(coord__lease_is_echo(&call, &echo));
  call.code = COORD_OK;
  T_TRUE(!coord__lease_is_echo(&call, &echo));
  echo.code = COORD_OK;
  T_TRUE(!coord__lease_is_echo(&call, &echo));
}

static void keepalives_without_an_op_are_the_same(void) {
  static const int64_t ids[] = {1, 127, 128, INT64_MAX, -1, INT64_MIN};
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
    coord__request request = encoded(coord_op_lease_keepalive(ids[i]));
    uint8_t frame[COORD__KEEPALIVE_FRAME];
    T_TRUE(request.read_only);
    T_MEM(frame, coord__keepalive_write(frame, ids[i]), request.body.data, request.body.len);
    coord__request_free(&request);
  }
}

/* ---- answers ---- */

/* One answer of each kind, packed, with the op that asks for it. */
typedef struct answer {
  coord_op *(*ask)(void);
  uint8_t bytes[256];
  size_t len;
} answer;

enum { ANSWERS = 5 };

static coord_op *ask_grant(void) { return coord_op_lease_grant(30, 5); }
static coord_op *ask_revoke(void) { return coord_op_lease_revoke(5); }
static coord_op *ask_keepalive(void) { return coord_op_lease_keepalive(5); }
static coord_op *ask_info(void) { return coord_op_lease_info(5, 1); }

static void put_answer(answer *to, coord_op *(*ask)(void), const void *message) {
  to->ask = ask;
  T_FATAL(protobuf_c_message_get_packed_size(message) <= sizeof to->bytes);
  to->len = protobuf_c_message_pack(message, to->bytes);
}

static void make_answers(answer all[ANSWERS]) {
  Etcdserverpb__LeaseGrantResponse grant = ETCDSERVERPB__LEASE_GRANT_RESPONSE__INIT;
  grant.header = &header;
  grant.id = 5;
  grant.ttl = 30;
  put_answer(&all[0], ask_grant, &grant);
  Etcdserverpb__LeaseRevokeResponse revoke = ETCDSERVERPB__LEASE_REVOKE_RESPONSE__INIT;
  revoke.header = &header;
  put_answer(&all[1], ask_revoke, &revoke);
  Etcdserverpb__LeaseKeepAliveResponse kept = ETCDSERVERPB__LEASE_KEEP_ALIVE_RESPONSE__INIT;
  kept.header = &header;
  kept.id = 5;
  kept.ttl = 30;
  put_answer(&all[2], ask_keepalive, &kept);
  ProtobufCBinaryData keys[] = {{4, (uint8_t *)(uintptr_t) "ns/b"},
                                {2, (uint8_t *)(uintptr_t) "ot"},
                                {4, (uint8_t *)(uintptr_t) "ns/a"}};
  Etcdserverpb__LeaseTimeToLiveResponse info = ETCDSERVERPB__LEASE_TIME_TO_LIVE_RESPONSE__INIT;
  info.header = &header;
  info.id = 5;
  info.ttl = 20;
  info.grantedttl = 30;
  info.n_keys = 3;
  info.keys = keys;
  put_answer(&all[3], ask_info, &info);
  Etcdserverpb__LeaseStatus one = ETCDSERVERPB__LEASE_STATUS__INIT;
  Etcdserverpb__LeaseStatus two = ETCDSERVERPB__LEASE_STATUS__INIT;
  one.id = 5;
  two.id = -6;
  Etcdserverpb__LeaseStatus *both[] = {&one, &two};
  Etcdserverpb__LeaseLeasesResponse list = ETCDSERVERPB__LEASE_LEASES_RESPONSE__INIT;
  list.header = &header;
  list.n_leases = 2;
  list.leases = both;
  put_answer(&all[4], coord_op_lease_list, &list);
}

static coord_code decode(const answer *a, const uint8_t *bytes, size_t len, coord_result **out) {
  coord__request request = {0};
  coord_op *op = a->ask();
  T_CODE(coord__op_encode(op, &limits, &request, NULL), COORD_OK);
  coord_op_free(op);
  coord__request_free(&request);
  return request.decode(bytes, len, out, NULL);
}

static coord_result *decoded(const answer *a) {
  coord_result *result = NULL;
  T_CODE(decode(a, a->bytes, a->len, &result), COORD_OK);
  T_FATAL(result != NULL);
  T_INT(coord_result_revision(result), 9);
  return result;
}

static void answers_say_what_the_server_says(void) {
  answer all[ANSWERS];
  make_answers(all);
  coord_result *grant = decoded(&all[0]);
  T_INT(coord_result_lease_id(grant), 5);
  T_INT(coord_result_ttl_s(grant), 30);
  T_HAS(coord_result_json(grant), "\"ID\":\"5\",\"TTL\":\"30\"");
  coord_result_free(grant);
  coord_result *revoke = decoded(&all[1]);
  T_STR(coord_result_json(revoke), NULL);
  coord_result_free(revoke);
  coord_result *kept = decoded(&all[2]);
  T_INT(coord_result_ttl_s(kept), 30);
  coord_result_free(kept);
  coord_result *list = decoded(&all[4]);
  T_INT(coord_result_leases(list), 2);
  T_INT(coord_result_lease(list, 1), -6);
  T_HAS(coord_result_json(list), "\"leases\":[{\"ID\":\"5\"},{\"ID\":\"fffffffffffffffa\"}]");
  coord_result_free(list);
}

static void keys_come_in_order_and_those_of_a_namespace_without_it(void) {
  answer all[ANSWERS];
  make_answers(all);
  coord__namespace ns;
  coord_error *err = NULL;
  coord_kv kv = {0};
  T_TRUE(coord__namespace_init(&ns, "ns/"));
  coord_result *info = decoded(&all[3]);
  T_INT(coord_result_count(info), 3);
  coord_result_kv(info, 2, &kv);
  T_MEM(kv.key, kv.key_len, "ot", 2);
  T_OK(coord__namespace_leave(&ns, info, &err), err);
  T_INT(coord_result_count(info), 2);
  T_INT(coord_result_total(info), 2);
  coord_result_kv(info, 0, &kv);
  T_MEM(kv.key, kv.key_len, "a", 1);
  T_INT(kv.lease_id, 5);
  T_HAS(coord_result_json(info), "\"grantedTTL\":\"30\",\"keys\":[\"YQ==\",\"Yg==\"]");
  coord_result_free(info);
  coord__namespace_free(&ns);
}

static void lease_that_is_gone_is_not_found(void) {
  answer all[ANSWERS];
  make_answers(all);
  Etcdserverpb__LeaseKeepAliveResponse gone = ETCDSERVERPB__LEASE_KEEP_ALIVE_RESPONSE__INIT;
  gone.header = &header;
  gone.id = 0xabc;
  put_answer(&all[2], ask_keepalive, &gone);
  coord_result *result = NULL;
  coord_error *err = NULL;
  coord__request request = encoded(ask_keepalive());
  T_ERROR(request.decode(all[2].bytes, all[2].len, &result, &err), COORD_NOT_FOUND, err,
          "lease abc does not exist");
  T_TRUE(result == NULL);
  coord__request_free(&request);
}

static void cut_or_damaged_anywhere_they_do_no_harm(void) {
  answer all[ANSWERS];
  make_answers(all);
  for (int i = 0; i < ANSWERS; i++) {
    for (size_t bit = 0; bit < 8 * all[i].len; bit++) {
      size_t len = bit % 8 == 0 ? bit / 8 : all[i].len;
      uint8_t *copy = malloc(len + 1);
      T_FATAL(copy != NULL);
      memcpy(copy, all[i].bytes, len);
      if (len == all[i].len) copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
      coord_result *result = NULL;
      int64_t id, ttl_s;
      decode(&all[i], copy, len, &result);
      coord_result_free(result);
      coord__keepalive_read(copy, len, &id, &ttl_s);
      free(copy);
    }
  }
}

static void memory_may_end_anywhere(void) {
  answer all[ANSWERS];
  make_answers(all);
  for (int i = 0; i < ANSWERS; i++) {
    coord__request request = encoded(all[i].ask());
    coord_code code = COORD_NO_MEMORY;
    long n = 0;
    for (; code == COORD_NO_MEMORY && n < 100; n++) {
      coord_result *result = NULL;
      coord__alloc_fail_after(n);
      code = request.decode(all[i].bytes, all[i].len, &result, NULL);
      coord__alloc_fail_after(-1);
      coord_result_free(result);
    }
    T_CODE(code, COORD_OK);
    T_TRUE(n > 1);
    coord__request_free(&request);
  }
}

static void keepalive_answers_are_read_without_memory(void) {
  answer all[ANSWERS];
  make_answers(all);
  int64_t id, ttl_s;
  T_TRUE(coord__keepalive_read(all[2].bytes, all[2].len, &id, &ttl_s));
  T_INT(id, 5);
  T_INT(ttl_s, 30);
  T_TRUE(!coord__keepalive_read(all[2].bytes, all[2].len - 1, &id, &ttl_s));
  T_TRUE(!coord__keepalive_read(NULL, 0, &id, &ttl_s));
  T_TRUE(!coord__keepalive_read((const uint8_t *)"\x18\x07", 2, &id, &ttl_s));
}

T_MAIN(T_CASE(wrong_numbers_are_refused), T_CASE(grant_without_an_id_gets_another_each_time),
       T_CASE(echo_is_one_only_after_a_try_that_may_have_come_through),
       T_CASE(keepalives_without_an_op_are_the_same), T_CASE(answers_say_what_the_server_says),
       T_CASE(keys_come_in_order_and_those_of_a_namespace_without_it),
       T_CASE(lease_that_is_gone_is_not_found), T_CASE(cut_or_damaged_anywhere_they_do_no_harm),
       T_CASE(memory_may_end_anywhere), T_CASE(keepalive_answers_are_read_without_memory))
