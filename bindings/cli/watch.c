#include <inttypes.h>

#include "hook.h"
#include "print.h"
#include "range_args.h"
#include "report.h"
#include "session.h"

struct task {
  const struct args *args;
  char *const *command; /* NULL: print */
  int64_t limit;        /* changes to go, 0: no limit */
  int64_t seen;
};

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
    print_json_bytes("value", kv->value, kv->value_len);
    printf(",\"create_revision\":%" PRId64, kv->create_revision);
  }
  printf(",\"mod_revision\":%" PRId64, kv->mod_revision);
  if (put) printf(",\"version\":%" PRId64, kv->version);
  if (kv->lease_id != 0) printf(",\"lease\":\"%016" PRIx64 "\"", (uint64_t)kv->lease_id);
  if (prev->key != NULL) {
    fputs(",\"prev\":", stdout);
    print_json_kv(prev, false);
  }
  fputs("}\n", stdout);
}

/* CLI_FINE: go on. */
static int handle(struct task *task, int32_t type, const coord_kv *kv, const coord_kv *prev) {
  if (task->command == NULL) {
    print_change(type, kv, prev);
    return CLI_FINE;
  }
  return hook_run(task->command, type, kv);
}

static bool is_done(const struct task *task) {
  return task->limit > 0 && task->seen >= task->limit;
}

static int take_changes(struct task *task, const coord_event *event) {
  int code = CLI_FINE;
  for (size_t i = 0; code == CLI_FINE && !is_done(task) && i < coord_event_count(event); i++) {
    int32_t type;
    coord_kv kv, prev;
    if (coord_event_change(event, i, &type, &kv, &prev) != COORD_OK) break;
    task->seen++;
    code = handle(task, type, &kv, &prev);
  }
  fflush(stdout);
  return ferror(stdout) != 0 ? CLI_OTHER : code;
}

static void take_resync(const coord_event *event) {
  if (coord_event_code(event) == COORD_OK) {
    remark("Watching what comes after revision %" PRId64 ".", coord_event_revision(event));
  } else {
    remark("The watch was interrupted (%s) and goes on; nothing was left out.",
           coord_code_name(coord_event_code(event)));
  }
}

static int follow(struct task *task, coord_queue *queue) {
  int code = CLI_FINE;
  while (code == CLI_FINE && !is_done(task)) {
    coord_event *event = coord_queue_next(queue, -1);
    switch (coord_event_type(event)) {
      case COORD_EVENT_CHANGES:
        code = take_changes(task, event);
        break;
      case COORD_EVENT_RESYNC:
        take_resync(event);
        break;
      case COORD_EVENT_CLOSED:
        code = call_error("watch", coord_event_code(event), coord_event_error(event));
        break;
      default:
        break;
    }
    coord_event_free(event);
  }
  return code;
}

static int watch(struct task *task, const struct get_request *request, int64_t start) {
  struct session session;
  coord_queue *queue = NULL;
  coord_watch *handle = NULL;
  coord_error *err = NULL;
  int exit_code = session_open(task->args, &session);
  if (exit_code != CLI_FINE) return exit_code;
  coord_op *op = get_op(request);
  coord_code code = op != NULL ? coord_queue_open(&queue, &err) : COORD_NO_MEMORY;
  if (code == COORD_OK && args_has(task->args, "--prev")) {
    code = coord_op_set(op, COORD_OP_PREV_KV, 1);
  }
  if (code == COORD_OK) {
    code = coord_watch_open(session.client, op, start, queue, 0, &handle, &err);
  }
  if (code == COORD_OK) {
    exit_code = follow(task, queue);
  } else {
    exit_code = call_error("watch", code, err);
  }
  coord_error_free(err);
  coord_watch_free(handle);
  coord_op_free(op);
  coord_queue_free(queue);
  session_close(&session);
  return exit_code;
}

/* Without a KEY, all keys. */
static bool read_range(const struct args *args, int words, struct range *out) {
  if (words > 0) return range_from_args(args, out);
  if (args_has(args, "--range-end") || args_has(args, "--from-key")) {
    usage_error("watch", "--from-key and --range-end need a KEY");
    return false;
  }
  *out = (struct range){.key = bytes_copy("", 0), .prefix = true};
  return true;
}

static int run(const struct args *args) {
  struct get_request request = {0};
  struct task task = {.args = args};
  int64_t start = 0;
  int words = args->tail >= 0 ? args->tail : args->count;
  if (words > 1) return usage_error("watch", "one KEY is watched, got \"%s\" too", args->words[1]);
  if (args->tail >= 0 && args->tail == args->count) {
    return usage_error("watch", "there is no command behind --");
  }
  if (args->tail >= 0) task.command = args->words + args->tail;
  if (task.command != NULL && cli.json) {
    return usage_error("watch", "--json and a command exclude each other");
  }
  if (!args_number(args, "--rev", 1, INT64_MAX, &start)) return CLI_USAGE;
  if (!args_number(args, "--limit", 1, INT64_MAX, &task.limit)) return CLI_USAGE;
  if (!read_range(args, words, &request.range)) return CLI_USAGE;
  int code = watch(&task, &request, start);
  range_free(&request.range);
  return code;
}

static const struct flag flags[] = {
    FLAGS_RANGE,
    {"--rev", "N", "begin with the changes of revision N, also past ones"},
    {"--prev", NULL, "with --json, also what was there before, as \"prev\""},
    {"--limit", "N", "end after N changes"},
    FLAG_KEY_BASE64,
    {0}};

const struct verb verb_watch = {
    .name = "watch",
    .usage = "[KEY] [FLAGS] [-- CMD [ARG...]]",
    .summary = "follow the changes of a key, or of a range of keys",
    .text =
        "Prints each change as it comes, until Ctrl-C: PUT, the key and the value, or DELETE and\n"
        "the key, each on a line; with --json one object to a change. Without KEY all keys are\n"
        "watched. Interruptions are bridged: no change is left out, none comes twice.\n"
        "With CMD, runs that for each change instead, one after the other, with the value on its\n"
        "standard input and the variables COORD_WATCH_TYPE (put or delete), COORD_WATCH_KEY and\n"
        "COORD_WATCH_REVISION; ends with the exit code of a CMD that fails.\n"
        "Ends with an error when the changes to come were compacted away.",
    .flags = flags,
    .examples =
        "  $ coord watch /fruit/ --prefix\n"
        "  $ coord watch --json --rev 1000\n"
        "  $ coord watch /config -- sh -c 'cat >app.conf && systemctl reload app'\n",
    .run = run,
};
