#include "value_in.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

/* Far above what any server takes; below it the server's own limit decides. */
#define MOST_VALUE_BYTES ((size_t)1 << 30)

static int read_file(const char *what, const char *path, struct bytes *out) {
  bool from_stdin = strcmp(path, "-") == 0;
  if (from_stdin && isatty(STDIN_FILENO) == 1) {
    remark("Reading the value from the terminal; Ctrl-D ends it.");
  }
  int fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return input_error(what, "cannot open %s: %s", path, strerror(errno));
  int code = CLI_FINE;
  if (!bytes_read_fd(fd, MOST_VALUE_BYTES, out)) {
    code = input_error(what, "cannot read %s: %s", from_stdin ? "standard input" : path,
                       strerror(errno));
  }
  if (!from_stdin) close(fd);
  return code;
}

int value_read(const struct args *args, int at, struct bytes *out) {
  const char *file = args_text(args, "--file");
  const char *word = args->count > at ? args->words[at] : NULL;
  if (file != NULL) return read_file(args->verb->name, file, out);
  /* A lone "-" behind "--" is a value like any other. */
  if (word == NULL || (strcmp(word, "-") == 0 && (args->tail < 0 || args->tail > at))) {
    return read_file(args->verb->name, "-", out);
  }
  *out = bytes_copy(word, strlen(word));
  return CLI_FINE;
}
