#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

static coord_code fail(coord_error **err, const char *what, const char *path, int number) {
  bool used_up = number == EMFILE || number == ENFILE;
  return coord__fail(err, used_up ? COORD_EXHAUSTED : COORD_INVALID,
                     "%s file \"%s\" cannot be read: %s", what, path, strerror(number));
}

static coord_code read_all(int fd, const char *what, const char *path, size_t most, coord__buf *out,
                           coord_error **err) {
  enum { STEP = 4096 };
  for (;;) {
    if (!coord__buf_reserve(out, STEP)) return coord__no_memory(err);
    ssize_t n = read(fd, out->data + out->len, STEP);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(err, what, path, errno);
    if (n == 0) return COORD_OK;
    out->len += (size_t)n;
    if (out->len <= most) continue;
    return coord__fail(err, COORD_INVALID, "%s file \"%s\" is larger than %zu bytes", what, path,
                       most);
  }
}

coord_code coord__file_read(const char *what, const char *path, size_t most, coord__buf *out,
                            bool *exposed, coord_error **err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(err, what, path, errno);
  struct stat st;
  coord_code code;
  if (fstat(fd, &st) != 0) {
    code = fail(err, what, path, errno);
  } else if (S_ISDIR(st.st_mode)) {
    code = fail(err, what, path, EISDIR);
  } else {
    *exposed = S_ISREG(st.st_mode) && (st.st_mode & S_IROTH) != 0;
    code = read_all(fd, what, path, most, out, err);
  }
  close(fd);
  if (code != COORD_OK) coord__buf_free(out);
  return code;
}
