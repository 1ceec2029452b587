/* rpc/grpc: the framing of gRPC, fed with bytes in every possible split. */
#include "rpc/grpc.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "support/t.h"

static coord__grpc_reader reader;

static void fresh(size_t max_bytes) {
  coord__grpc_reader_init(&reader, max_bytes);
  reader.http_status = 200;
  reader.is_grpc = true;
}

static void header(const char *name, const char *value) {
  coord__grpc_header(&reader, (const uint8_t *)name, strlen(name), (const uint8_t *)value,
                     strlen(value));
}

/* What came out of a run of bytes: the messages, each followed by "|". */
typedef struct outcome {
  coord_code code;
  const char *fault;
  int messages;
  char text[256];
} outcome;

static void feed(outcome *o, const uint8_t *p, size_t n) {
  while (n > 0 && o->code == COORD_OK) {
    coord__grpc_step step = coord__grpc_read(&reader, p, n);
    o->code = step.code;
    o->fault = step.fault;
    if (step.code != COORD_OK) return;
    T_FATAL(step.used > 0 && step.used <= n);
    p += step.used;
    n -= step.used;
    if (!step.complete) continue;
    o->messages++;
    size_t used = strlen(o->text);
    T_FATAL(used + reader.body.len + 2 <= sizeof o->text);
    if (reader.body.len > 0) memcpy(o->text + used, reader.body.data, reader.body.len);
    memcpy(o->text + used + reader.body.len, "|", 2);
  }
}

/* The same bytes in two pieces at every place, and byte by byte, come out the same. */
static void expect_messages(const void *bytes, size_t n, const char *text, bool partial) {
  for (size_t split = 0; split <= n + 1; split++) {
    outcome o = {.code = COORD_OK};
    fresh(1000);
    for (size_t at = 0; at < n;) {
      size_t piece = split == n + 1 ? 1 : at < split ? split - at : n - at;
      feed(&o, (const uint8_t *)bytes + at, piece);
      at += piece;
    }
    T_CODE(o.code, COORD_OK);
    T_STR(o.text, text);
    T_TRUE(coord__grpc_is_partial(&reader) == partial);
    coord__grpc_reader_reset(&reader);
  }
}

#define EXPECT(bytes, text, partial) expect_messages(bytes, sizeof(bytes) - 1, text, partial)

static void messages_are_put_together_from_any_pieces(void) {
  EXPECT("", "", false);
  EXPECT("\0\0\0\0\5hello", "hello|", false);
  EXPECT("\0\0\0\0\0", "|", false);
  EXPECT("\0\0\0\0\0\0\0\0\0\0", "||", false);
  EXPECT("\0\0\0\0\3one\0\0\0\0\3two", "one|two|", false);
  EXPECT("\0\0\0\0\1a\0\0\0\0\0\0\0\0\0\2bc", "a||bc|", false);
}

static void message_that_is_not_whole_is_partial(void) {
  EXPECT("\0", "", true);
  EXPECT("\0\0\0\0", "", true);
  EXPECT("\0\0\0\0\5", "", true);
  EXPECT("\0\0\0\0\5hell", "", true);
  EXPECT("\0\0\0\0\3one\0\0", "one|", true);
}

static void expect_fault(const char *bytes, size_t n, size_t max, coord_code code,
                         const char *part) {
  for (size_t split = 0; split <= n; split++) {
    outcome o = {.code = COORD_OK};
    fresh(max);
    feed(&o, (const uint8_t *)bytes, split);
    feed(&o, (const uint8_t *)bytes + split, n - split);
    T_CODE(o.code, code);
    T_HAS(o.fault, part);
    T_TRUE(reader.body.cap < 2 * 1024 * 1024);
    coord__grpc_reader_reset(&reader);
  }
}

static void frames_that_no_etcd_sends_are_faults(void) {
  expect_fault("\1\0\0\0\1x", 6, 1000, COORD_PROTOCOL, "compressed");
  expect_fault("\xff\0\0\0\1x", 6, 1000, COORD_PROTOCOL, "compressed");
  expect_fault("\0\0\0\0\1x\1\0\0\0\1y", 12, 1000, COORD_PROTOCOL, "compressed");
  expect_fault("\0\0\0\3\xe9", 5, 1000, COORD_TOO_LARGE, "response.max.bytes");
  expect_fault("\0\xff\xff\xff\xff", 5, 1000, COORD_TOO_LARGE, "response.max.bytes");
  expect_fault("\0\xff\xff\xff\xff", 5, 2147483647, COORD_TOO_LARGE, "response.max.bytes");
  expect_fault("\0\x80\0\0\0", 5, 2147483647, COORD_TOO_LARGE, "response.max.bytes");
}

static void message_of_the_longest_length_is_taken(void) {
  static uint8_t frame[5 + 1000];
  memset(frame, 'm', sizeof frame);
  coord__grpc_put_header(frame, 1000);
  T_MEM(frame, 5, "\0\0\0\3\xe8", 5);
  fresh(1000);
  coord__grpc_step step = coord__grpc_read(&reader, frame, sizeof frame);
  T_CODE(step.code, COORD_OK);
  T_TRUE(step.complete && step.used == sizeof frame && reader.body.len == 1000);
  coord__grpc_reader_reset(&reader);
}

static void memory_is_not_given_for_a_mere_claim(void) {
  static const uint8_t claim[] = {0, 0x40, 0, 0, 0, 'x'};
  fresh(2147483647);
  coord__grpc_step step = coord__grpc_read(&reader, claim, sizeof claim);
  T_CODE(step.code, COORD_OK);
  T_TRUE(!step.complete && reader.body.cap <= 2 * 1024 * 1024);
  coord__grpc_reader_reset(&reader);
}

static void frame_header_holds_the_length(void) {
  uint8_t p[5];
  coord__grpc_put_header(p, 0);
  T_MEM(p, 5, "\0\0\0\0\0", 5);
  coord__grpc_put_header(p, 0x01020304);
  T_MEM(p, 5, "\0\1\2\3\4", 5);
  coord__grpc_put_header(p, 0xffffffff);
  T_MEM(p, 5, "\0\xff\xff\xff\xff", 5);
}

/* ---- headers ---- */

static void statuses_are_whole_numbers(void) {
  fresh(10);
  T_INT(reader.grpc_status, COORD__GRPC_NO_STATUS);
  header("grpc-status", "0");
  T_INT(reader.grpc_status, 0);
  header("grpc-status", "16");
  T_INT(reader.grpc_status, 16);
  static const char *const bad[] = {"", "-1", "+1", "x", "1x", " 1", "99999", "1.0"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    header("grpc-status", bad[i]);
    T_INT(reader.grpc_status, COORD__GRPC_BAD_STATUS);
  }
  header(":status", "503");
  T_INT(reader.http_status, 503);
  header("Grpc-Status-Details", "0");
  header("grpc-statu", "0");
  T_INT(reader.grpc_status, COORD__GRPC_BAD_STATUS);
  coord__grpc_reader_reset(&reader);
  T_INT(reader.grpc_status, COORD__GRPC_NO_STATUS);
  T_INT(reader.http_status, 0);
}

static void only_content_types_of_grpc_count(void) {
  static const char *const good[] = {"application/grpc", "application/grpc+proto",
                                     "application/grpc;charset=utf-8", "application/grpc+x"};
  static const char *const bad[] = {"",
                                    "application/grp",
                                    "application/grpcx",
                                    "text/html",
                                    "application/json",
                                    "application/grpc-web",
                                    " application/grpc"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    coord__grpc_reader_init(&reader, 10);
    header("content-type", good[i]);
    T_TRUE(reader.is_grpc);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    coord__grpc_reader_init(&reader, 10);
    header("content-type", bad[i]);
    T_TRUE(!reader.is_grpc);
    T_STR(reader.content_type, bad[i]);
  }
  header("content-type", "text/a-very-long-content-type-that-goes-on-and-on-and-on-and-on");
  T_INT(strlen(reader.content_type), 47);
}

typedef struct escape {
  const char *in;
  const char *out;
} escape;

static void messages_are_percent_decoded(void) {
  static const escape escapes[] = {
      {"", ""},
      {"plain text", "plain text"},
      {"a%20b", "a b"},
      {"%41", "A"},
      {"%c3%bc%C3%BC", "\xc3\xbc\xc3\xbc"},
      {"100%", "100%"},
      {"100%2", "100%2"},
      {"%", "%"},
      {"%%41", "%A"},
      {"%4", "%4"},
      {"%zz", "%zz"},
      {"%4z%41", "%4zA"},
      {"%2541", "%41"},
      {"a%00b%0ac%0Dd", "a b c d"},
      {"%7f", " "},
  };
  for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
    fresh(10);
    header("grpc-message", escapes[i].in);
    T_STR(reader.grpc_message, escapes[i].out);
    coord__grpc_reader_reset(&reader);
    T_TRUE(reader.grpc_message == NULL);
  }
}

static void long_and_repeated_messages_are_bounded(void) {
  static char text[100000];
  fresh(10);
  memset(text, 'e', sizeof text - 1);
  header("grpc-message", text);
  header("grpc-message", text);
  T_INT(strlen(reader.grpc_message), COORD__GRPC_MESSAGE_MAX);
  for (size_t i = 0; i + 3 < sizeof text; i += 3) memcpy(text + i, "%41", 3);
  header("grpc-message", text);
  T_INT(strlen(reader.grpc_message), COORD__GRPC_MESSAGE_MAX);
  T_TRUE(strspn(reader.grpc_message, "A") == COORD__GRPC_MESSAGE_MAX);
  coord__grpc_reader_reset(&reader);
}

static void without_memory_there_is_a_fault(void) {
  fresh(1000);
  coord__alloc_fail_after(0);
  coord__grpc_step step = coord__grpc_read(&reader, (const uint8_t *)"\0\0\0\0\3one", 8);
  header("grpc-message", "lost");
  coord__alloc_fail_after(-1);
  T_CODE(step.code, COORD_NO_MEMORY);
  T_TRUE(reader.grpc_message == NULL);
  coord__grpc_reader_reset(&reader);
}

/* ---- tables ---- */

static void http_statuses_stand_for_grpc_statuses(void) {
  static const int table[][2] = {{400, 13}, {401, 16}, {403, 7},  {404, 12}, {429, 14},
                                 {502, 14}, {503, 14}, {504, 14}, {200, 2},  {500, 2},
                                 {418, 2},  {0, 2},    {-1, 2},   {301, 2},  {999, 2}};
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    T_INT(coord__grpc_from_http(table[i][0]), table[i][1]);
  }
}

typedef struct time_text {
  int64_t ns;
  const char *text;
} time_text;

static void times_are_written_coarsely_and_never_too_short(void) {
  static const time_text table[] = {
      {INT64_MIN / 2, "1m"},
      {-1, "1m"},
      {0, "1m"},
      {1, "1m"},
      {1000000, "1m"},
      {1000001, "2m"},
      {999999999, "1000m"},
      {1000000000, "1000m"},
      {1000000001, "1100m"},
      {4999900000, "5000m"},
      {5000000000, "5000m"},
      {INT64_C(86400000) * 1000000, "86400000m"},
      {INT64_C(99999900) * 1000000, "99999900m"},
      {INT64_C(100000000) * 1000000, "100000S"},
      {INT64_C(100000001) * 1000000, "100001S"},
      {INT64_C(2147483647) * 1000000, "2147484S"},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    char out[16];
    T_MEM(out, coord__grpc_timeout(out, table[i].ns), table[i].text, strlen(table[i].text));
  }
}

T_MAIN(T_CASE(messages_are_put_together_from_any_pieces),
       T_CASE(message_that_is_not_whole_is_partial), T_CASE(frames_that_no_etcd_sends_are_faults),
       T_CASE(message_of_the_longest_length_is_taken), T_CASE(memory_is_not_given_for_a_mere_claim),
       T_CASE(frame_header_holds_the_length), T_CASE(statuses_are_whole_numbers),
       T_CASE(only_content_types_of_grpc_count), T_CASE(messages_are_percent_decoded),
       T_CASE(long_and_repeated_messages_are_bounded), T_CASE(without_memory_there_is_a_fault),
       T_CASE(http_statuses_stand_for_grpc_statuses),
       T_CASE(times_are_written_coarsely_and_never_too_short))
