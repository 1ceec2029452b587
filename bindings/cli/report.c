#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *paint_err(const char *code) { return cli.colour_err ? code : ""; }

const char *paint_out(const char *code) { return cli.colour_out ? code : ""; }

static void complain_v(const char *what, const char *code, const char *format, va_list list) {
  fflush(stdout);
  fprintf(stderr, "%scoord: %s:%s ", paint_err(PAINT_RED), what, paint_err(PAINT_OFF));
  vfprintf(stderr, format, list);
  fprintf(stderr, " (%s)\n", code);
}

void complain(const char *what, const char *code, const char *format, ...) {
  va_list list;
  va_start(list, format);
  complain_v(what, code, format, list);
  va_end(list);
}

void remark(const char *format, ...) {
  if (cli.quiet) return;
  va_list list;
  va_start(list, format);
  vfprintf(stderr, format, list);
  va_end(list);
  fputc('\n', stderr);
}

int usage_error(const char *verb, const char *format, ...) {
  va_list list;
  va_start(list, format);
  complain_v(verb != NULL ? verb : "usage", "USAGE", format, list);
  va_end(list);
  fprintf(stderr, "Try \"coord %s%s--help\".\n", verb != NULL ? verb : "", verb != NULL ? " " : "");
  return CLI_USAGE;
}

int input_error(const char *what, const char *format, ...) {
  va_list list;
  va_start(list, format);
  complain_v(what, "INPUT", format, list);
  va_end(list);
  return CLI_USAGE;
}

int absent(const char *what, const char *format, ...) {
  if (cli.quiet) return CLI_ABSENT;
  va_list list;
  va_start(list, format);
  complain_v(what, "NOT_FOUND", format, list);
  va_end(list);
  return CLI_ABSENT;
}

int exit_code_of(coord_code code, const coord_error *err) {
  switch (code) {
    case COORD_OK:
      return CLI_FINE;
    case COORD_TIMEOUT:
    case COORD_UNAVAILABLE:
    case COORD_TLS:
    case COORD_PROTOCOL:
      return CLI_UNREACHABLE;
    case COORD_INVALID:
      return coord_error_grpc_status(err) > 0 ? CLI_REFUSED : CLI_USAGE;
    case COORD_AUTH:
    case COORD_COMPACTED:
    case COORD_NOT_FOUND:
    case COORD_CONFLICT:
    case COORD_TOO_LARGE:
    case COORD_UNSUPPORTED:
    case COORD_EXHAUSTED:
      return CLI_REFUSED;
    default:
      return CLI_OTHER;
  }
}

/* Without the verb that the message may begin with as well: "config: ..." of "config get". */
static const char *without_verb(const char *message, const char *what) {
  size_t len = strcspn(what, " ");
  bool repeats = strncmp(message, what, len) == 0 && strncmp(message + len, ": ", 2) == 0;
  return repeats ? message + len + 2 : message;
}

int call_error(const char *what, coord_code code, const coord_error *err) {
  const char *message = without_verb(coord_error_message(err), what);
  const char *endpoint = coord_error_endpoint(err);
  const char *outcome =
      coord_error_flags(err) & COORD_MAYBE_APPLIED ? "; the write may have been applied" : "";
  if (*message == '\0') message = "failed";
  if (*endpoint != '\0' && strstr(message, endpoint) == NULL) {
    complain(what, coord_code_name(code), "%s: %s%s", endpoint, message, outcome);
  } else {
    complain(what, coord_code_name(code), "%s%s", message, outcome);
  }
  return exit_code_of(code, err);
}

bool output_flushed(const char *what) {
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout)) return true;
  complain(what, "OUTPUT", "cannot write standard output: %s",
           errno != 0 ? strerror(errno) : "write failed");
  return false;
}
