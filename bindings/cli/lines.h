/* A file, pipe or terminal read line by line, with bounded memory. */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_MOST_BYTES ((size_t)16 << 20)

struct lines {
  int fd;
  char *buffer;
  size_t cap;
  size_t begin;
  size_t end;
  bool at_end;
  uint64_t number; /* of the line handed out last, from 1 */
  uint64_t offset; /* bytes handed out */
};

typedef enum line_status { LINE_READ, LINE_END, LINE_TOO_LONG, LINE_ERROR } line_status;

void lines_open(struct lines *lines, int fd);
/* The next line, without its line end; borrowed until the next call. LINE_ERROR sets errno. */
line_status lines_next(struct lines *lines, const char **line, size_t *len);
/* Back to the beginning of a file. */
bool lines_rewind(struct lines *lines);
void lines_free(struct lines *lines);

#endif
