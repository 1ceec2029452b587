/* What a request is about, as errors tell it. */
#include <string.h>

#include "etcd/method.h"
#include "etcd/op.h"
#include "etcd/request.h"
#include "etcd/subject.h"
#include "support/t.h"

static const coord__limits limits = {.request_max_bytes = 1572864, .request_max_ops = 128};

/* Of an op, which is freed; also cut at any byte it is no crash. */
static void about(coord_op *op, const char *expected) {
  char text[256];
  coord__request request = {0};
  coord_error *err = NULL;
  T_OK(coord__op_encode(op, &limits, &request, &err), err);
  const uint8_t *message = request.body.data + COORD__FRAME_HEADROOM;
  size_t len = request.body.len - COORD__FRAME_HEADROOM;
  coord__subject(request.method, message, len, text, sizeof text);
  T_STR(text, expected);
  for (size_t n = 0; n < len; n++) coord__subject(request.method, message, n, text, sizeof text);
  coord__request_free(&request);
  coord_op_free(op);
}

static coord_op *up_to(coord_op *op, const char *end, size_t len) {
  T_CODE(coord_op_set_range_end(op, end, len), COORD_OK);
  return op;
}

static void keys_and_ranges(void) {
  about(coord_op_get("a\n", 2), " of \"a\\x0a\"");
  about(coord_op_put("k", 1, "secret", 6), " of \"k\"");
  about(up_to(coord_op_get("a", 1), "c", 1), " of the range from \"a\" to \"c\"");
  about(up_to(coord_op_delete("a", 1), "\0", 1), " of all keys from \"a\" on");
  about(coord_op_status(), "");
  about(coord_op_user_add("u", "secret"), "");
}

static void transactions(void) {
  coord_op *inner = coord_op_txn();
  coord_op *put = coord_op_put("in", 2, "v", 1);
  coord_op *get = up_to(coord_op_get("a", 1), "b", 1);
  T_CODE(coord_op_then(inner, put), COORD_OK);
  coord_op *txn = coord_op_txn();
  T_CODE(coord_op_then(txn, inner), COORD_OK);
  about(txn, " of \"in\"");
  txn = coord_op_txn();
  T_CODE(coord_op_else(txn, get), COORD_OK);
  T_CODE(coord_op_then(txn, inner), COORD_OK);
  T_CODE(coord_op_if_value(txn, "c", 1, COORD_EQUAL, "secret", 6), COORD_OK);
  T_CODE(coord_op_if_range(txn, "d", 1), COORD_OK);
  about(txn, " of the range from \"c\" to \"d\" and 2 more");
  about(coord_op_txn(), "");
  coord_op_free(inner);
  coord_op_free(put);
  coord_op_free(get);
}

static void longest_fits(void) {
  char key[300];
  char text[256];
  memset(key, '\n', sizeof key);
  coord__request request = {0};
  coord_op *op = up_to(coord_op_get(key, sizeof key), "\xff\xff", 2);
  T_CODE(coord__op_encode(op, &limits, &request, NULL), COORD_OK);
  coord__subject(request.method, request.body.data + COORD__FRAME_HEADROOM,
                 request.body.len - COORD__FRAME_HEADROOM, text, sizeof text);
  T_TRUE(strlen(text) < sizeof text);
  T_HAS(text, "...\" to \"\\xff\\xff\"");
  coord__request_free(&request);
  coord_op_free(op);
}

T_MAIN(T_CASE(keys_and_ranges), T_CASE(transactions), T_CASE(longest_fits))
