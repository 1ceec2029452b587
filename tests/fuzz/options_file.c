/* An options file, with any bytes in it. */
#include "base/options_file.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "coord/error.h"
#include "fuzz/replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int fd = -1;
  static char path[40];
  if (fd < 0) fd = memfd_create("options", MFD_CLOEXEC);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  coord_options *options = coord__options_new();
  if (fd < 0 || options == NULL || ftruncate(fd, 0) != 0) abort();
  if (pwrite(fd, data, size, 0) != (ssize_t)size) abort();
  static const char *const sections[] = {"a", NULL};
  for (int i = 0; i < 2; i++) {
    coord_error *err = NULL;
    coord_code code = coord__options_load(options, path, sections[i], &err);
    if ((code == COORD_OK) != (err == NULL)) abort();
    coord_error_free(err);
  }
  coord__options_free(options);
  return 0;
}
