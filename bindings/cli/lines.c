#include "lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"

void lines_open(struct lines *lines, int fd) {
  *lines = (struct lines){.fd = fd, .cap = 1 << 18};
  lines->buffer = must_alloc(lines->cap, 1);
}

static line_status hand_out(struct lines *lines, size_t len, size_t line_end, const char **line,
                            size_t *out_len) {
  *line = lines->buffer + lines->begin;
  *out_len = len > 0 && line_end > 0 && (*line)[len - 1] == '\r' ? len - 1 : len;
  lines->begin += len + line_end;
  lines->offset += len + line_end;
  lines->number++;
  return LINE_READ;
}

static void make_room(struct lines *lines) {
  if (lines->begin > 0) {
    memmove(lines->buffer, lines->buffer + lines->begin, lines->end - lines->begin);
    lines->end -= lines->begin;
    lines->begin = 0;
  }
  if (lines->end == lines->cap) {
    lines->cap *= 2;
    lines->buffer = must_grow(lines->buffer, lines->cap, 1);
  }
}

line_status lines_next(struct lines *lines, const char **line, size_t *len) {
  size_t searched = 0;
  for (;;) {
    size_t left = lines->end - lines->begin;
    char *start = lines->buffer + lines->begin;
    char *found = left > searched ? memchr(start + searched, '\n', left - searched) : NULL;
    if (found != NULL) return hand_out(lines, (size_t)(found - start), 1, line, len);
    if (lines->at_end) return left > 0 ? hand_out(lines, left, 0, line, len) : LINE_END;
    if (left > LINE_MOST_BYTES) {
      lines->number++;
      return LINE_TOO_LONG;
    }
    searched = left;
    make_room(lines);
    ssize_t n = read(lines->fd, lines->buffer + lines->end, lines->cap - lines->end);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return LINE_ERROR;
    if (n == 0) lines->at_end = true;
    lines->end += (size_t)n;
  }
}

bool lines_rewind(struct lines *lines) {
  if (lseek(lines->fd, 0, SEEK_SET) != 0) return false;
  lines->begin = lines->end = 0;
  lines->at_end = false;
  lines->number = lines->offset = 0;
  return true;
}

void lines_free(struct lines *lines) {
  free(lines->buffer);
  lines->buffer = NULL;
}
