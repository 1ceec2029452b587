/* Answers of HTTP/1.1, in one piece and byte by byte: what is the same in both ways. */
#include "net/http1.h"

#include <string.h>

#include "base/buf.h"
#include "support/t.h"

#define OK "HTTP/1.1 200 OK\r\n"

typedef struct row {
  const char *bytes;
  int status;
  const char *body;
  bool done;     /* by the bytes */
  bool ended;    /* or by the end of the connection */
  bool closes;   /* the connection serves no more */
  bool has_rest; /* bytes are left over */
} row;

static const row good[] = {
    {OK "Content-Length: 3\r\n\r\nabc", 200, "abc", true, true, false, false},
    {OK "content-length:3 \r\nX: y\r\n\r\nabc", 200, "abc", true, true, false, false},
    {OK "Content-Length: 0\r\n\r\n", 200, "", true, true, false, false},
    {"HTTP/1.1 200\nContent-Length: 1\n\na", 200, "a", true, true, false, false},
    {OK "Content-Length: 3\r\n\r\nabcd", 200, "abc", true, true, false, true},
    {OK "Content-Length: 3\r\n\r\nab", 200, "ab", false, false, false, false},
    {OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", true, true, false, false},
    {OK "Connection: close\r\nContent-Length: 1\r\n\r\na", 200, "a", true, true, true, false},
    {OK "Connection: x, Close\r\nContent-Length: 1\r\n\r\na", 200, "a", true, true, true, false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", 200, "a", true, true, true, false},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na", 200, "a", true,
     true, false, false},
    /* to the end of the connection */
    {OK "\r\nabc", 200, "abc", false, true, true, false},
    {OK "\r\n", 200, "", false, true, true, false},
    /* chunks */
    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, "abc", true, true, false,
     false},
    {OK "Transfer-Encoding: Chunked\r\n\r\n0A;x=y\r\n0123456789\r\n1 \r\na\r\n000\r\nX: y\r\n\r\n",
     200, "0123456789a", true, true, false, false},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", 200, "abc", false, false, false,
     false},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nab", 200, "ab", false, false, false, false},
    {OK "Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n1\r\na\r\n0\r\n\r\n", 200, "a",
     true, true, true, false},
    /* without a body, and before the answer */
    {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", true, true, false, false},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "", true, true, false, false},
    {"HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 103 Early\r\n\r\n" OK
     "Content-Length: 1\r\n\r\na",
     200, "a", true, true, false, false},
    {OK "no header\r\n folded: x\r\n: empty\r\nContent-Length: 1\r\n\r\na", 200, "a", true, true,
     false, false},
    {"HTTP/1.1 503 \r\nContent-Encoding: identity\r\nContent-Length: 1\r\n\r\na", 503, "a", true,
     true, false, false},
};

static size_t feed(coord__http1 *h, const char *bytes, size_t n, size_t piece, coord__buf *out) {
  size_t used = 0;
  while (used < n && !h->done && h->fault == NULL) {
    const uint8_t *body = NULL;
    size_t body_len = 0;
    size_t len = n - used < piece ? n - used : piece;
    size_t took = coord__http1_feed(h, (const uint8_t *)bytes + used, len, &body, &body_len);
    if (body_len > 0) T_TRUE(coord__buf_append(out, body, body_len));
    if (!T_TRUE(took > 0 && took <= len)) break;
    used += took;
  }
  return used;
}

static void check(const row *r, size_t piece) {
  coord__http1 h;
  coord__buf body = {0};
  size_t n = strlen(r->bytes);
  coord__http1_init(&h);
  size_t used = feed(&h, r->bytes, n, piece, &body);
  if (h.fault != NULL) T_FAIL("%s: %s", r->bytes, h.fault);
  T_INT(h.status, r->status);
  T_INT(h.done, r->done);
  T_INT(h.closes, r->closes);
  T_INT(used < n, r->has_rest);
  T_INT(coord__http1_end(&h), r->ended);
  T_MEM(body.data, body.len, r->body, strlen(r->body));
  coord__buf_free(&body);
}

static void answers_are_read_in_pieces_of_any_size(void) {
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    for (size_t piece = 1; piece < 200; piece++) check(&good[i], piece);
  }
}

static void what_is_no_answer_is_refused(void) {
  static const char *const bad[] = {"HTTP/2.0 200 OK\r\n",
                                    "HTTP/1.1 20 OK\r\n",
                                    "HTTP/1.1 2000 OK\r\n",
                                    "HTTP/1.1 099 X\r\n",
                                    "HTTP/1.12 200 OK\r\n",
                                    "HTTP/1. 200\r\n",
                                    "HTTP/1.1\r\n",
                                    "ICY 200 OK\r\n",
                                    "\r\n",
                                    "hello",
                                    "\x15\x03\x01",
                                    "220 mail",
                                    "HTTP/1.1 101 Switching Protocols\r\n\r\n",
                                    OK "Content-Length: x\r\n\r\n",
                                    OK "Content-Length: -1\r\n\r\n",
                                    OK "Content-Length:\r\n\r\n",
                                    OK "Content-Length: 3, 3\r\n\r\n",
                                    OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
                                    OK "Content-Length: 18446744073709551615\r\n\r\n",
                                    OK "Transfer-Encoding: gzip, chunked\r\n\r\n",
                                    OK "Content-Encoding: gzip\r\n\r\n",
                                    OK "Transfer-Encoding: chunked\r\n\r\nx\r\n",
                                    OK "Transfer-Encoding: chunked\r\n\r\n\r\n",
                                    OK "Transfer-Encoding: chunked\r\n\r\n1x\r\n",
                                    OK "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
                                    OK "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    for (size_t piece = 1; piece < 100; piece += 33) {
      coord__http1 h;
      coord__buf body = {0};
      coord__http1_init(&h);
      feed(&h, bad[i], strlen(bad[i]), piece, &body);
      if (h.fault == NULL || h.done) T_FAIL("taken: %s", bad[i]);
      coord__buf_free(&body);
    }
  }
}

static void end_in_a_head_is_a_fault(void) {
  static const char *const bytes[] = {"HTT", OK, OK "Content-Ty", OK "Content-Length: 1\r\n"};
  for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
    coord__http1 h;
    coord__buf body = {0};
    coord__http1_init(&h);
    feed(&h, bytes[i], strlen(bytes[i]), 100, &body);
    T_TRUE(coord__http1_has_begun(&h) && !coord__http1_has_head(&h));
    T_TRUE(!coord__http1_end(&h));
    T_TRUE(h.fault != NULL);
  }
  coord__http1 h;
  coord__http1_init(&h);
  T_TRUE(!coord__http1_end(&h) && h.fault == NULL && !coord__http1_has_begun(&h));
}

/* Long lines are read and not kept; a head without an end is given up. */
static void heads_are_bounded(void) {
  static char big[300000];
  coord__http1 h;
  coord__buf body = {0};
  memset(big, 'x', sizeof big);
  memcpy(big, OK "Content-Type: ", strlen(OK "Content-Type: "));
  coord__http1_init(&h);
  feed(&h, big, 100000, 4096, &body);
  feed(&h, "\r\nContent-Length: 1\r\n\r\na", 24, 24, &body);
  T_TRUE(h.done);
  T_INT(strlen(h.content_type), sizeof h.content_type - 1);
  coord__http1_init(&h);
  feed(&h, big, sizeof big, 4096, &body);
  T_HAS(h.fault, "too large");
  coord__buf_free(&body);
}

T_MAIN(T_CASE(answers_are_read_in_pieces_of_any_size), T_CASE(what_is_no_answer_is_refused),
       T_CASE(end_in_a_head_is_a_fault), T_CASE(heads_are_bounded))
