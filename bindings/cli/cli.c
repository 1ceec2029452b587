#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int usage_error(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("coord: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  return EXIT_USAGE;
}

static int exit_code(coord_code code) {
  switch (code) {
    case COORD_OK:
      return EXIT_FINE;
    case COORD_INVALID:
      return EXIT_USAGE;
    case COORD_TIMEOUT:
    case COORD_UNAVAILABLE:
    case COORD_PROTOCOL:
      return EXIT_AWAY;
    case COORD_AUTH:
    case COORD_COMPACTED:
    case COORD_NOT_FOUND:
    case COORD_CONFLICT:
    case COORD_TOO_LARGE:
    case COORD_UNSUPPORTED:
    case COORD_EXHAUSTED:
      return EXIT_REFUSED;
    default:
      return EXIT_OTHER;
  }
}

int fail(const char *what, coord_code code, coord_error *err) {
  const char *message = err != NULL ? coord_error_message(err) : "";
  fprintf(stderr, "coord: %s: %s (%s)\n", what, message, coord_code_name(code));
  if (coord_error_flags(err) & COORD_MAYBE_APPLIED) {
    fputs("coord: the change may have been made: look before you repeat it\n", stderr);
  }
  /* What the server calls malformed is its refusal, not a misuse of this command. */
  bool from_server = coord_error_grpc_status(err) > 0;
  coord_error_free(err);
  return code == COORD_INVALID && from_server ? EXIT_REFUSED : exit_code(code);
}

int fail_errno(const char *what) {
  fprintf(stderr, "coord: %s: %s\n", what, strerror(errno));
  return EXIT_OTHER;
}

int bad_option(const char *verb_name) {
  fprintf(stderr, "coord: see `coord %s --help`\n", verb_name);
  return EXIT_USAGE;
}

coord_client *open_client(cli *c, int *status) {
  coord_client *client = NULL;
  coord_error *err = NULL;
  coord_code code = coord_client_open(c->options, &client, &err);
  if (code == COORD_OK) return client;
  *status = fail("open", code, err);
  return NULL;
}

coord_result *execute(cli *c, coord_client *client, coord_op *op, const char *what, int *status) {
  coord_result *result = NULL;
  coord_error *err = NULL;
  coord_code code = coord_call(client, op, c->timeout_ms, &result, &err);
  coord_op_free(op);
  if (code == COORD_OK) return result;
  *status = fail(what, code, err);
  return NULL;
}

bool parse_number(const char *option, const char *text, int64_t min, int64_t *out) {
  char *end;
  errno = 0;
  long long n = strtoll(text, &end, 0);
  if (errno != 0 || end == text || *end != '\0' || n < min) {
    usage_error("%s: \"%s\" is not a whole number of at least %lld", option, text, (long long)min);
    return false;
  }
  *out = n;
  return true;
}

bool parse_duration(const char *option, const char *text, int32_t *out_ms) {
  static const struct {
    const char *unit;
    double ms;
  } units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
  char *end;
  double n = strtod(text, &end);
  for (size_t i = 0; end != text && i < sizeof units / sizeof *units; i++) {
    if (strcmp(end, units[i].unit) != 0) continue;
    double ms = n * units[i].ms;
    if (!(ms >= 1 && ms <= 86400000)) break;
    *out_ms = (int32_t)ms;
    return true;
  }
  usage_error("%s: \"%s\" is not a time like 500ms, 5s or 2m, from 1ms to 24h", option, text);
  return false;
}

bool read_all(const char *path, char **out, size_t *len) {
  FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
  if (in == NULL) {
    fail_errno(path);
    return false;
  }
  char *data = NULL;
  size_t used = 0;
  size_t room = 0;
  for (;;) {
    if (room - used < 65536) {
      char *more = realloc(data, room = 2 * room + 65536);
      if (more == NULL) break;
      data = more;
    }
    size_t n = fread(data + used, 1, room - used, in);
    used += n;
    if (n == 0) break;
  }
  bool bad = ferror(in) || data == NULL;
  if (bad) fail_errno(path);
  if (in != stdin) fclose(in);
  if (bad) {
    free(data);
    return false;
  }
  *out = data;
  *len = used;
  return true;
}

double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
