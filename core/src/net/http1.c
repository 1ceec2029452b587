#include "net/http1.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HEAD_BYTES = 256 * 1024, SWITCHING = 101, NO_CONTENT = 204, NOT_MODIFIED = 304 };

enum state { STATUS_LINE, HEADERS, BODY, BODY_TO_END, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILERS };

static const char strange[] = "the answer is not HTTP/1.1";

void coord__http1_init(coord__http1 *h) {
  memset(h, 0, offsetof(coord__http1, line));
  h->length = -1;
}

/* ---- lines ---- */

static bool is_over(const coord__http1 *h) { return h->done || h->fault != NULL; }

/* Up to an end of line: true when one has come; the line is without it then. */
static bool take_line(coord__http1 *h, const uint8_t *p, size_t n, size_t *used) {
  const uint8_t *end = memchr(p, '\n', n);
  size_t len = end != NULL ? (size_t)(end - p) : n;
  size_t room = sizeof h->line - 1 - h->line_len;
  size_t kept = len < room ? len : room;
  memcpy(h->line + h->line_len, p, kept);
  h->line_len += kept;
  h->seen = h->seen || n > 0;
  *used = end != NULL ? len + 1 : len;
  h->head_bytes += *used;
  if (h->head_bytes > HEAD_BYTES) h->fault = "the head of the answer is too large";
  if (end == NULL || h->fault != NULL) return false;
  if (h->line_len > 0 && h->line[h->line_len - 1] == '\r') h->line_len--;
  h->line[h->line_len] = '\0';
  h->line_len = 0;
  return true;
}

/* ---- the head ---- */

/* Strangers are not waited for until they end a line. */
static bool may_be_status_line(const coord__http1 *h) {
  static const char name[] = "HTTP/1.";
  size_t n = h->line_len < sizeof name - 1 ? h->line_len : sizeof name - 1;
  return memcmp(h->line, name, n) == 0;
}

static void read_status(coord__http1 *h) {
  const char *s = h->line + strlen("HTTP/1.");
  bool good = strncmp(h->line, "HTTP/1.", 7) == 0 && isdigit((unsigned char)s[0]) && s[1] == ' ' &&
              isdigit((unsigned char)s[2]) && isdigit((unsigned char)s[3]) &&
              isdigit((unsigned char)s[4]) && (s[5] == ' ' || s[5] == '\0') && s[2] != '0';
  if (!good) {
    h->fault = strange;
    return;
  }
  h->closes = s[0] == '0';
  h->status = (s[2] - '0') * 100 + (s[3] - '0') * 10 + (s[4] - '0');
  h->state = HEADERS;
}

static bool has_word(const char *list, const char *word) {
  size_t n = strlen(word);
  for (const char *p = list; *p != '\0';) {
    p += strspn(p, " \t,");
    size_t len = strcspn(p, " \t,");
    if (len == n && strncasecmp(p, word, n) == 0) return true;
    p += len;
  }
  return false;
}

static void read_length(coord__http1 *h, const char *text) {
  int64_t n = 0;
  bool good = text[0] != '\0' && strlen(text) < 19; /* no overflow */
  for (const char *p = text; good && *p != '\0'; p++) {
    good = isdigit((unsigned char)*p);
    n = n * 10 + (*p - '0');
  }
  if (!good || (h->length >= 0 && h->length != n)) h->fault = "the answer's length is no number";
  h->length = n;
}

static void read_header(coord__http1 *h) {
  char *value = strchr(h->line, ':');
  if (value == NULL) return; /* what it may be is no matter of ours */
  *value++ = '\0';
  value += strspn(value, " \t");
  for (size_t n = strlen(value); n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'); n--) {
    value[n - 1] = '\0';
  }
  if (strcasecmp(h->line, "Content-Type") == 0) {
    snprintf(h->content_type, sizeof h->content_type, "%s", value);
  } else if (strcasecmp(h->line, "Content-Length") == 0) {
    read_length(h, value);
  } else if (strcasecmp(h->line, "Transfer-Encoding") == 0) {
    h->chunked = strcasecmp(value, "chunked") == 0;
    if (!h->chunked) h->fault = "the answer has a transfer encoding that was not asked for";
  } else if (strcasecmp(h->line, "Content-Encoding") == 0) {
    if (strcasecmp(value, "identity") != 0) {
      h->fault = "the answer has a content encoding that was not asked for";
    }
  } else if (strcasecmp(h->line, "Connection") == 0) {
    if (has_word(value, "close")) h->closes = true;
    if (has_word(value, "keep-alive")) h->closes = false;
  }
}

static void end_head(coord__http1 *h) {
  if (h->status == SWITCHING) {
    h->fault = strange;
  } else if (h->status < 200) {
    coord__http1_init(h); /* another follows */
  } else if (h->status == NO_CONTENT || h->status == NOT_MODIFIED) {
    h->done = true;
  } else if (h->chunked) {
    h->closes = h->closes || h->length >= 0; /* which is true, is not clear */
    h->state = CHUNK_SIZE;
  } else if (h->length >= 0) {
    h->left = h->length;
    h->done = h->left == 0;
    h->state = BODY;
  } else {
    h->closes = true;
    h->state = BODY_TO_END;
  }
}

/* ---- chunks ---- */

static int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = (char)tolower((unsigned char)c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void read_chunk_size(coord__http1 *h) {
  size_t digits = 0;
  h->left = 0;
  for (int d; (d = digit_of(h->line[digits])) >= 0 && digits < 15; digits++) {
    h->left = h->left * 16 + d;
  }
  char next = h->line[digits];
  if (digits == 0 || (next != '\0' && next != ';' && next != ' ' && next != '\t')) {
    h->fault = "the length of a chunk of the answer is no number";
    return;
  }
  h->state = h->left > 0 ? CHUNK : TRAILERS;
  h->head_bytes = 0;
}

/* ---- the whole ---- */

static void end_line(coord__http1 *h) {
  bool empty = h->line[0] == '\0';
  switch (h->state) {
    case STATUS_LINE:
      read_status(h);
      break;
    case HEADERS:
      empty ? end_head(h) : read_header(h);
      break;
    case CHUNK_SIZE:
      read_chunk_size(h);
      break;
    case CHUNK_END:
      if (!empty) h->fault = "a chunk of the answer is longer than it says";
      h->state = CHUNK_SIZE;
      break;
    default: /* TRAILERS */
      h->done = empty;
  }
}

static size_t take_body(coord__http1 *h, const uint8_t *p, size_t n, const uint8_t **body,
                        size_t *body_len) {
  size_t take = n;
  if (h->state != BODY_TO_END && (uint64_t)h->left < n) take = (size_t)h->left;
  *body = p;
  *body_len = take;
  if (h->state == BODY_TO_END) return take;
  h->left -= (int64_t)take;
  if (h->left == 0 && h->state == BODY) h->done = true;
  if (h->left == 0 && h->state == CHUNK) h->state = CHUNK_END;
  return take;
}

size_t coord__http1_feed(coord__http1 *h, const uint8_t *p, size_t n, const uint8_t **body,
                         size_t *body_len) {
  size_t total = 0;
  *body_len = 0;
  while (total < n && !is_over(h)) {
    if (h->state == BODY || h->state == BODY_TO_END || h->state == CHUNK) {
      return total + take_body(h, p + total, n - total, body, body_len);
    }
    size_t used;
    bool whole = take_line(h, p + total, n - total, &used);
    total += used;
    if (whole) {
      end_line(h);
    } else if (h->state == STATUS_LINE && !may_be_status_line(h)) {
      h->fault = strange;
    }
  }
  return total;
}

bool coord__http1_end(coord__http1 *h) {
  if (h->state == BODY_TO_END) h->done = true;
  if (!h->done && h->seen && !coord__http1_has_head(h)) h->fault = "the answer ends in its head";
  return h->done;
}

bool coord__http1_has_head(const coord__http1 *h) { return h->done || h->state > HEADERS; }

bool coord__http1_has_begun(const coord__http1 *h) { return h->seen; }
