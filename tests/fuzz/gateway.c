/* Answers and lines of the JSON gateway, fed with any bytes, and requests as JSON. What is read is a
 * packed message; written and read again it is the same. */
#include "rpc/gateway.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "etcd/method.h"
#include "fuzz/replay.h"
#include "rpc/json_map.h"

static void check_packed(const ProtobufCMessageDescriptor *type, const coord__buf *packed) {
  coord__buf text = {0}, again = {0};
  char why[COORD__JSON_WHY];
  ProtobufCMessage *m = protobuf_c_message_unpack(type, NULL, packed->len, packed->data);
  if (m == NULL) abort();
  protobuf_c_message_free_unpacked(m, NULL);
  if (coord__json_write(type, packed->data, packed->len, &text) != COORD_OK) abort();
  json_tokener *t = json_tokener_new_ex(1000);
  json_object *o = json_tokener_parse_ex(t, (const char *)text.data, (int)text.len);
  if (o == NULL || coord__json_read(type, o, &again, why) != COORD_OK) abort();
  json_object_put(o);
  json_tokener_free(t);
  coord__buf_free(&text);
  coord__buf_free(&again);
}

/* The first byte chooses the method, the second how the bytes have come. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  const coord__method *method = &coord__methods[data[0] % COORD__METHOD_COUNT];
  static const int statuses[] = {200, 200, 200, 400, 404, 503};
  int status = statuses[data[1] % 6];
  coord__buf out = {0}, text = {0};
  coord__gateway_answer a;
  if (data[1] & 0x80) {
    if (coord__json_write(method->request, data + 2, size - 2, &text) == COORD_NO_MEMORY) abort();
  } else if (data[1] & 0x40) {
    coord__gateway_read_line(method, data + 2, size - 2, &out, &a);
    if (a.code == COORD_OK && a.grpc_status == 0) check_packed(method->response, &out);
  } else {
    coord__gateway_read(method, status, "application/json", data + 2, size - 2, &out, &a);
    if (a.code == COORD_OK && a.grpc_status == 0) check_packed(method->response, &out);
    coord__gateway_read_version(status, data + 2, size - 2, &a);
  }
  coord__buf_free(&out);
  coord__buf_free(&text);
  return 0;
}
