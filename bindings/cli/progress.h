/* Progress of long work: a bar on a terminal's standard error, nothing elsewhere. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
  const char *label;
  bool shown;
  double started;
  double drawn;
};

double now_s(void);

void progress_begin(struct progress *progress, const char *label);
/* `done` of `total` units of work (total 0: not known), `records` so far. Draws at most 10 times a
 * second. */
void progress_update(struct progress *progress, uint64_t done, uint64_t total, uint64_t records);
/* Clears the line; returns the seconds since the beginning. */
double progress_end(struct progress *progress);

/* What import and export tell at the end: JSON to `to`, else a remark. */
void print_totals(FILE *to, const char *done, uint64_t keys, uint64_t bytes, double seconds);

/* "3.4 MiB" */
const char *human_bytes(double bytes, char *out, int size);

#endif
