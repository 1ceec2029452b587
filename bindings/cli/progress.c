#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "report.h"

#define CLEAR_LINE "\r\033[K"

double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void progress_begin(struct progress *progress, const char *label) {
  *progress = (struct progress){.label = label, .started = now_s()};
  progress->drawn = progress->started;
}

static int terminal_width(void) {
  struct winsize size;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

static void draw(const struct progress *progress, double done, uint64_t records, double elapsed) {
  char text[128];
  char left[48] = "";
  double rate = elapsed > 0 ? (double)records / elapsed : 0;
  if (done > 0 && done < 1 && elapsed > 1) {
    long s = (long)(elapsed / done * (1 - done) + 0.5);
    snprintf(left, sizeof left, "  %ld:%02ld left", s / 60, s % 60);
  }
  snprintf(text, sizeof text, "%" PRIu64 "  %.0f/s%s", records, rate, left);
  int room = terminal_width() - (int)strlen(text) - (int)strlen(progress->label) - 14;
  fprintf(stderr, CLEAR_LINE "%s ", progress->label);
  if (done >= 0 && room >= 8) {
    int cells = room < 40 ? room : 40;
    int full = (int)(done * cells + 0.5);
    fprintf(stderr, " [%s", paint_err(PAINT_GREEN));
    for (int i = 0; i < cells; i++) fputs(i < full ? "#" : "-", stderr);
    fprintf(stderr, "%s] %3.0f%%  ", paint_err(PAINT_OFF), done * 100);
  }
  fprintf(stderr, "%s", text);
  fflush(stderr);
}

void progress_update(struct progress *progress, uint64_t done, uint64_t total, uint64_t records) {
  if (!cli.terminal_err || cli.quiet) return;
  double now = now_s();
  if (now - progress->drawn < 0.1) return;
  progress->drawn = now;
  progress->shown = true;
  double part = total > 0 ? (double)done / (double)total : -1;
  draw(progress, part > 1 ? 1 : part, records, now - progress->started);
}

double progress_end(struct progress *progress) {
  if (progress->shown) fputs(CLEAR_LINE, stderr);
  progress->shown = false;
  return now_s() - progress->started;
}

const char *human_bytes(double bytes, char *out, int size) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < sizeof units / sizeof *units) {
    bytes /= 1024;
    unit++;
  }
  snprintf(out, (size_t)size, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
  return out;
}

void print_totals(FILE *to, const char *done, uint64_t keys, uint64_t bytes, double seconds) {
  char size[32];
  double rate = (double)keys / (seconds > 0 ? seconds : 1e-9);
  if (cli.json) {
    fprintf(to,
            "{\"keys\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"seconds\":%.6f,\"keys_per_s\":%.1f}\n",
            keys, bytes, seconds, rate);
  } else {
    remark("%s %" PRIu64 " keys, %s in %.2f s: %.0f keys/s", done, keys,
           human_bytes((double)bytes, size, sizeof size), seconds, rate);
  }
}
