/* What the JSON gateway says, in the words of each of its versions. */
#include "rpc/gateway.h"

#include <string.h>

#include "etcd/method.h"
#include "support/t.h"

typedef struct row {
  int http_status;
  const char *content_type;
  const char *body;
  coord_code code;
  int grpc_status;
  const char *part;
} row;

#define JSON "application/json"

static const row failures[] = {
    /* 3.4 and 3.5, then 3.6 and later */
    {400, JSON, "{\"error\":\"etcdserver: x\",\"code\":11,\"message\":\"etcdserver: x\"}", COORD_OK,
     11, "etcdserver: x"},
    {400, JSON, "{\"code\":11, \"message\":\"etcdserver: x\", \"details\":[]}", COORD_OK, 11,
     "etcdserver: x"},
    {503, JSON, "{\"error\":\"etcdserver: no leader\",\"code\":14}", COORD_OK, 14, "no leader"},
    {401, JSON, "{\"message\":\"etcdserver: invalid auth token\"}", COORD_OK, 16, "token"},
    {500, JSON, "{\"code\":13}", COORD_OK, 13, "status 13"},
    {499, JSON, "{\"code\":1,\"message\":\"grpc: the client connection is closing\"}", COORD_OK, 14,
     "closing"},
    {404, JSON, "{\"code\":5,\"message\":\"Not Found\"}", COORD_OK, 12, "no such method"},
    {404, JSON, "{\"code\":5,\"message\":\"etcdserver: requested lease not found\"}", COORD_OK, 5,
     "lease"},
    /* an error in a stream before its first line */
    {503, JSON, "{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"gone\"}}", COORD_OK,
     14, "gone"},
    {503, JSON, "{\"error\":{\"code\":14,\"message\":\"gone\"}}", COORD_OK, 14, "gone"},
    /* others than etcd */
    {404, "text/plain", "Not Found", COORD_UNSUPPORTED, 12, "gateway"},
    {405, "text/html", "<html>", COORD_UNSUPPORTED, 12, "gateway"},
    {502, "text/html", "<html>\n bad gateway", COORD_UNAVAILABLE, 14, "502: <html> bad gateway"},
    {503, "", "", COORD_UNAVAILABLE, 14, "HTTP status 503"},
    {429, "text/plain", "slow", COORD_UNAVAILABLE, 14, "429"},
    {400, "text/plain", "CommonName of client will be ignored", COORD_PROTOCOL, 13, "CommonName"},
    {302, "text/html", "", COORD_PROTOCOL, 2, "302"},
    {500, JSON, "{}", COORD_PROTOCOL, 2, "500: {}"},
    {500, JSON, "{\"code\":", COORD_PROTOCOL, 2, "500"},
    {204, JSON, "", COORD_PROTOCOL, 2, "204"},
    /* success that is none */
    {200, "text/html", "<html>", COORD_PROTOCOL, -1, "\"text/html\", not application/json"},
    {200, "", "{}", COORD_PROTOCOL, -1, "content type"},
    {200, "application/jsonx", "{}", COORD_PROTOCOL, -1, "content type"},
    {200, JSON, "", COORD_PROTOCOL, -1, "too early"},
    {200, JSON, "{\"header\":{\"revision\":\"7\"}", COORD_PROTOCOL, -1, "too early"},
    {200, JSON, "{} {}", COORD_PROTOCOL, -1, "follows"},
    {200, JSON, "{nonsense}", COORD_PROTOCOL, -1, "JSON"},
    {200, JSON, "[]", COORD_PROTOCOL, -1, "PutResponse"},
    {200, JSON, "null", COORD_PROTOCOL, -1, ""},
    {200, JSON, "{\"header\":7}", COORD_PROTOCOL, -1, "header"},
};

static void read_one(const row *r) {
  coord__buf out = {0};
  coord__gateway_answer a;
  coord__gateway_read(&coord__methods[COORD__METHOD_PUT], r->http_status, r->content_type,
                      (const uint8_t *)r->body, strlen(r->body), &out, &a);
  bool good = T_CODE(a.code, r->code);
  good = T_INT(a.grpc_status, r->grpc_status) && good;
  good = T_INT(a.http_status, r->http_status == 200 ? -1 : r->http_status) && good;
  good = t_has(__FILE__, __LINE__, "message", a.message, r->part) && good;
  good = T_INT(out.len, 0) && good;
  if (!good) T_FAIL("this was %d %s %s", r->http_status, r->content_type, r->body);
  coord__buf_free(&out);
}

static void failures_of_every_version_are_understood(void) {
  for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) read_one(&failures[i]);
}

static void success_is_packed(void) {
  static const char body[] = "{\"header\":{\"revision\":\"7\"}}\n";
  coord__buf out = {0};
  coord__gateway_answer a;
  coord__gateway_read(&coord__methods[COORD__METHOD_PUT], 200, "application/json; charset=utf-8",
                      (const uint8_t *)body, sizeof body - 1, &out, &a);
  T_CODE(a.code, COORD_OK);
  T_INT(a.grpc_status, 0);
  T_MEM(out.data, out.len, "\x0a\x02\x18\x07", 4);
  coord__buf_free(&out);
}

static void field_error_of_an_answer_is_no_failure(void) {
  static const char body[] = "{\"ID\":\"1\",\"error\":\"told\"}";
  coord__buf out = {0};
  coord__gateway_answer a;
  coord__gateway_read(&coord__methods[COORD__METHOD_LEASE_GRANT], 200, JSON, (const uint8_t *)body,
                      sizeof body - 1, &out, &a);
  T_CODE(a.code, COORD_OK);
  T_INT(a.grpc_status, 0);
  coord__buf_free(&out);
}

static void answer_of_a_stream_to_a_call_is_its_one_line(void) {
  static const struct {
    const char *body;
    coord_code code;
    int grpc_status;
    const char *packed;
    size_t len;
  } rows[] = {
      {"{\"result\":{\"ID\":\"5\",\"TTL\":\"7\"}}\n", COORD_OK, 0, "\x10\x05\x18\x07", 4},
      {"{\"ID\":\"5\"}", COORD_OK, 0, "\x10\x05", 2},
      {"{\"error\":{\"grpc_code\":14,\"message\":\"no leader\"}}\n", COORD_OK, 14, "", 0},
      {"{\"error\":{}}", COORD_PROTOCOL, -1, "", 0},
      {"{\"result\":{\"ID\":[]}}", COORD_PROTOCOL, -1, "", 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    coord__buf out = {0};
    coord__gateway_answer a;
    coord__gateway_read(&coord__methods[COORD__METHOD_LEASE_KEEPALIVE], 200, JSON,
                        (const uint8_t *)rows[i].body, strlen(rows[i].body), &out, &a);
    bool good = T_CODE(a.code, rows[i].code) && T_INT(a.grpc_status, rows[i].grpc_status) &&
                T_MEM(out.data, out.len, rows[i].packed, rows[i].len);
    if (!good) T_FAIL("this was %s", rows[i].body);
    coord__buf_free(&out);
  }
}

static void lines_of_a_stream_are_results_or_errors(void) {
  static const struct {
    const char *line;
    coord_code code;
    int grpc_status;
    bool ends;
    const char *part;
  } rows[] = {
      {"{\"result\":{\"created\":true}}", COORD_OK, 0, false, ""},
      {"{\"result\":{}}\r", COORD_OK, 0, false, ""},
      {"{\"result\":{\"watch_id\":\"3\",\"canceled\":true}}", COORD_OK, 0, true, ""},
      {"{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"EOF\",\"http_status\":\"x\"}}",
       COORD_OK, 14, false, "EOF"},
      {"{\"error\":{\"code\":14,\"message\":\"EOF\",\"details\":[]}}", COORD_OK, 14, false, "EOF"},
      {"{\"error\":{\"message\":\"told\"}}", COORD_OK, 2, false, "told"},
      {"{\"error\":{}}", COORD_PROTOCOL, -1, false, "neither"},
      {"{}", COORD_PROTOCOL, -1, false, "neither"},
      {"[1]", COORD_PROTOCOL, -1, false, "neither"},
      {"{\"result\":[]}", COORD_PROTOCOL, -1, false, "neither"},
      {"{\"result\":{\"events\":7}}", COORD_PROTOCOL, -1, false, "events"},
      {"{\"result\":", COORD_PROTOCOL, -1, false, "too early"},
      {"garbage", COORD_PROTOCOL, -1, false, "JSON"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    coord__buf out = {0};
    coord__gateway_answer a;
    coord__gateway_read_line(&coord__methods[COORD__METHOD_WATCH], (const uint8_t *)rows[i].line,
                             strlen(rows[i].line), &out, &a);
    bool good = T_CODE(a.code, rows[i].code);
    good = T_INT(a.grpc_status, rows[i].grpc_status) && good;
    good = T_INT(a.ends, rows[i].ends) && good;
    good = t_has(__FILE__, __LINE__, "message", a.message, rows[i].part) && good;
    if (!good) T_FAIL("this was %s", rows[i].line);
    coord__buf_free(&out);
  }
}

static void depth_of_an_answer_has_a_bound(void) {
  static char body[200000];
  memset(body, '[', sizeof body);
  coord__buf out = {0};
  coord__gateway_answer a;
  coord__gateway_read(&coord__methods[COORD__METHOD_PUT], 200, JSON, (const uint8_t *)body,
                      sizeof body, &out, &a);
  T_CODE(a.code, COORD_PROTOCOL);
  T_HAS(a.message, "deep");
  coord__buf_free(&out);
}

static bool is_version(int status, const char *body, coord__gateway_answer *a) {
  return coord__gateway_read_version(status, (const uint8_t *)body, strlen(body), a);
}

static void version_tells_etcd_from_others(void) {
  coord__gateway_answer a;
  T_TRUE(is_version(200, "{\"etcdserver\":\"3.4.23\",\"etcdcluster\":\"3.4.0\"}", &a));
  T_TRUE(is_version(404, "no", &a));
  T_TRUE(is_version(403, "", &a));
  T_TRUE(!is_version(200, "<html>It works!</html>", &a));
  T_CODE(a.code, COORD_PROTOCOL);
  T_HAS(a.message, "It works!");
  T_TRUE(!is_version(200, "{\"version\":\"1\"}", &a));
  T_TRUE(!is_version(503, "", &a));
  T_CODE(a.code, COORD_UNAVAILABLE);
  T_TRUE(!is_version(400, "Client sent an HTTP request to an HTTPS server.", &a));
  T_CODE(a.code, COORD_PROTOCOL);
  T_HAS(a.message, "HTTPS");
}

T_MAIN(T_CASE(failures_of_every_version_are_understood), T_CASE(success_is_packed),
       T_CASE(field_error_of_an_answer_is_no_failure),
       T_CASE(answer_of_a_stream_to_a_call_is_its_one_line),
       T_CASE(lines_of_a_stream_are_results_or_errors), T_CASE(depth_of_an_answer_has_a_bound),
       T_CASE(version_tells_etcd_from_others))
