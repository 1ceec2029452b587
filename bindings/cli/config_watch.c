#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "config_app.h"
#include "config_print.h"
#include "print.h"
#include "report.h"

static void print_change(int32_t type, const coord_kv *kv, const coord_kv *prev) {
  bool put = type == COORD_CHANGE_PUT;
  if (!cli.json) {
    printf("%s%s%s\n", paint_out(PAINT_BOLD), put ? "PUT" : "DELETE", paint_out(PAINT_OFF));
    print_kv(kv, !put);
    return;
  }
  printf("{\"type\":\"%s\",", put ? "put" : "delete");
  print_json_bytes("key", kv->key, kv->key_len);
  if (put) {
    putchar(',');
    config_print_member("value", kv);
  }
  if (prev->key != NULL) {
    putchar(',');
    config_print_member("prev", prev);
  }
  putchar('}');
}

/* Those of the event that are of the key, if one was named. False: there are none. */
static bool print_set(const coord_event *event, const char *key) {
  bool any = false;
  for (size_t i = 0; i < coord_event_count(event); i++) {
    int32_t type;
    coord_kv kv, prev;
    if (coord_event_change(event, i, &type, &kv, &prev) != COORD_OK) break;
    if (key != NULL && (strlen(key) != kv.key_len || memcmp(key, kv.key, kv.key_len) != 0)) {
      continue;
    }
    if (cli.json) {
      if (any) putchar(',');
      if (!any) printf("{\"revision\":%" PRId64 ",\"changes\":[", coord_event_revision(event));
    } else if (!any) {
      printf("%sREVISION%s %" PRId64 "\n", paint_out(PAINT_BOLD), paint_out(PAINT_OFF),
             coord_event_revision(event));
    }
    print_change(type, &kv, &prev);
    any = true;
  }
  if (any && cli.json) puts("]}");
  return any;
}

static int follow(const struct config_app *app, const char *key, int64_t limit) {
  int code = CLI_FINE;
  for (int64_t seen = 0; code == CLI_FINE && (limit == 0 || seen < limit);) {
    coord_event *event = coord_queue_next(app->queue, -1);
    int32_t type = coord_event_type(event);
    if (type == COORD_EVENT_CHANGES) {
      if (print_set(event, key)) seen++;
      if (!output_flushed(app->what)) code = CLI_OTHER;
    } else if (type == COORD_EVENT_CLOSED) {
      code = call_error(app->what, coord_event_code(event), coord_event_error(event));
    } else if (type == COORD_EVENT_RESYNC && coord_event_code(event) == COORD_OK) {
      remark("Watching what comes after revision %" PRId64 ".", coord_event_revision(event));
    } else {
      config_tell(app, event);
    }
    coord_event_free(event);
  }
  return code;
}

int config_watch(const struct args *args, char **words) {
  struct config_app app = {0};
  int64_t limit = 0;
  if (!args_number(args, "--limit", 1, INT64_MAX, &limit)) return CLI_USAGE;
  int code = config_open(args, "config watch", words[0], true, &app);
  if (code == CLI_FINE) code = follow(&app, words[1], limit);
  config_close(&app);
  return code;
}
