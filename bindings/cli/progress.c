#include <unistd.h>

#include "cli.h"

enum { WIDTH = 30 };

void progress_start(progress *p, const cli *c, const char *what, int64_t total) {
  *p = (progress){.what = what,
                  .shown = !c->quiet && isatty(STDERR_FILENO),
                  .started_s = now_s(),
                  .total = total};
}

void progress_update(progress *p, int64_t done) {
  double now = now_s();
  /* Short work needs no bar. */
  if (!p->shown || now - p->started_s < 0.3 || now - p->drawn_s < 0.1) return;
  p->drawn_s = now;
  double rate = (double)done / (now - p->started_s + 1e-9);
  if (p->total <= 0) {
    fprintf(stderr, "\r%s %lld, %.0f/s ", p->what, (long long)done, rate);
    return;
  }
  int filled = (int)(done * WIDTH / p->total);
  if (filled > WIDTH) filled = WIDTH;
  fprintf(stderr, "\r%s [%-*.*s] %3d %%  %.0f/s ", p->what, WIDTH, filled,
          "##############################", (int)(done * 100 / p->total), rate);
}

void progress_end(progress *p) {
  if (p->shown && p->drawn_s > 0) fputs("\r\033[K", stderr);
}

void print_totals(const cli *c, FILE *json_to, const char *done, int64_t keys, int64_t bytes,
                  double seconds) {
  if (c->json) {
    json_object *o = json_object_new_object();
    json_object_object_add(o, "keys", json_object_new_int64(keys));
    json_object_object_add(o, "bytes", json_object_new_int64(bytes));
    json_object_object_add(o, "seconds", json_object_new_double(seconds));
    json_print(o, json_to);
  } else if (!c->quiet) {
    fprintf(stderr, "%s %lld keys, %lld bytes in %.2f s (%.0f keys/s)\n", done, (long long)keys,
            (long long)bytes, seconds, (double)keys / (seconds + 1e-9));
  }
}
