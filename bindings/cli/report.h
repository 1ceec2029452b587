/* What goes to standard error: "coord: what: message (CODE)". */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <coord.h>
#include <stdarg.h>

#include "cli.h"

#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

/* Colours; "" unless the stream is a terminal that wants them. */
const char *paint_err(const char *code);
const char *paint_out(const char *code);
#define PAINT_BOLD "\033[1m"
#define PAINT_RED "\033[31m"
#define PAINT_GREEN "\033[32m"
#define PAINT_CYAN "\033[36m"
#define PAINT_DIM "\033[2m"
#define PAINT_OFF "\033[0m"

void complain(const char *what, const char *code, const char *format, ...) PRINTF_LIKE(3, 4);
/* A remark for a person; silent with --quiet. */
void remark(const char *format, ...) PRINTF_LIKE(1, 2);

/* Each prints and returns the exit code. usage_error points to the help of the verb. */
int usage_error(const char *verb, const char *format, ...) PRINTF_LIKE(2, 3);
int input_error(const char *what, const char *format, ...) PRINTF_LIKE(2, 3);
int absent(const char *what, const char *format, ...) PRINTF_LIKE(2, 3);
/* The error of a call; does not free it. */
int call_error(const char *what, coord_code code, const coord_error *err);
/* The exit code that belongs to an error. */
int exit_code_of(coord_code code, const coord_error *err);

/* Whether all output was taken; complains when not. */
bool output_flushed(const char *what);

#endif
