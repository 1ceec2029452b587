#include <inttypes.h>

#include "args.h"
#include "print.h"
#include "progress.h"
#include "report.h"
#include "session.h"

struct job {
  struct session session;
  coord_queue *queue;
  coord_scan *scan;
  coord_op *next;
  struct progress progress;
  uint64_t records;
  uint64_t bytes;
};

static void print_page(struct job *job, const coord_result *page) {
  for (size_t i = 0; i < coord_result_count(page); i++) {
    coord_kv kv;
    if (coord_result_kv(page, i, &kv) != COORD_OK) break;
    putchar('{');
    print_json_bytes("key", kv.key, kv.key_len);
    putchar(',');
    print_json_bytes("value", kv.value, kv.value_len);
    fputs("}\n", stdout);
    job->records++;
    job->bytes += kv.key_len + kv.value_len;
  }
  int64_t total = coord_scan_total(job->scan);
  progress_update(&job->progress, job->records, total > 0 ? (uint64_t)total : 0, job->records);
}

static int ask(struct job *job) {
  coord_error *err = NULL;
  coord_code code = coord_submit(job->session.client, job->next, job->session.timeout_ms,
                                 job->queue, 0, NULL, &err);
  int exit_code = code == COORD_OK ? CLI_FINE : call_error("export", code, err);
  coord_error_free(err);
  return exit_code;
}

/* The next page is on its way while this one is written. */
static int pump(struct job *job) {
  int code = ask(job);
  while (code == CLI_FINE) {
    coord_event *event = coord_queue_next(job->queue, -1);
    if (event == NULL) continue;
    if (coord_event_code(event) != COORD_OK) {
      progress_end(&job->progress);
      code = call_error("export", coord_event_code(event), coord_event_error(event));
      coord_event_free(event);
      break;
    }
    const coord_result *page = coord_event_result(event);
    bool end = coord_result_count(page) == 0;
    if (!end) code = ask(job);
    print_page(job, page);
    coord_event_free(event);
    if (ferror(stdout)) code = CLI_OTHER; /* main says why */
    if (end) break;
  }
  return code;
}

static int open_scan(struct job *job, const struct args *args, const struct bytes *prefix) {
  int64_t revision = 0;
  int64_t page = 0;
  coord_error *err = NULL;
  if (!args_number(args, "--rev", 0, INT64_MAX, &revision)) return CLI_USAGE;
  if (!args_number(args, "--page", 1, 100000, &page)) return CLI_USAGE;
  int exit_code = session_open(args, &job->session);
  if (exit_code != CLI_FINE) return exit_code;
  coord_op *get = coord_op_get(prefix->data, prefix->len);
  coord_code code = get != NULL ? coord_op_set_prefix(get) : COORD_NO_MEMORY;
  if (code == COORD_OK) code = coord_op_set(get, COORD_OP_REVISION, revision);
  if (code == COORD_OK) code = coord_queue_open(&job->queue, &err);
  if (code == COORD_OK) {
    code = coord_scan_open(job->session.client, get, (int32_t)page, &job->scan, &err);
  }
  if (code == COORD_OK) {
    job->next = coord_op_scan_next(job->scan);
    if (job->next == NULL) code = COORD_NO_MEMORY;
  }
  if (code != COORD_OK) exit_code = call_error("export", code, err);
  coord_error_free(err);
  coord_op_free(get);
  return exit_code;
}

static int run(const struct args *args) {
  struct job job = {0};
  struct bytes prefix;
  if (!args_words(args, 1, 1) || !args_key(args, args->words[0], "PREFIX", &prefix)) {
    return CLI_USAGE;
  }
  int code = open_scan(&job, args, &prefix);
  if (code == CLI_FINE) {
    progress_begin(&job.progress, "export");
    code = pump(&job);
    double seconds = progress_end(&job.progress);
    if (code == CLI_FINE && job.records == 0) {
      code = absent("export", "no key begins with \"%s\"", args->words[0]);
    } else if (code == CLI_FINE) {
      print_totals(stderr, "exported", job.records, job.bytes, seconds);
    }
  }
  coord_op_free(job.next);
  coord_scan_free(job.scan);
  coord_queue_free(job.queue);
  if (job.session.client != NULL) session_close(&job.session);
  bytes_free(&prefix);
  return code;
}

static const struct flag flags[] = {{"--rev", "N", "as the store was at revision N"},
                                    {"--page", "KEYS", "keys to a page, 1 to 100000; default 1000"},
                                    FLAG_KEY_BASE64,
                                    {0}};

const struct verb verb_export = {
    .name = "export",
    .usage = "PREFIX [FLAGS]",
    .summary = "write all keys with a prefix as JSON lines",
    .text =
        "Writes one line {\"key\":...,\"value\":...} for each key that begins with PREFIX (\"\" "
        "is\n"
        "all keys), in key order, to standard output. Reads page by page, so that memory does\n"
        "not grow, and everything as it was at one revision. \"coord import\" reads the lines\n"
        "back. With --json, the summary on standard error is JSON too.\n"
        "Ends with 1 when there is no such key.",
    .flags = flags,
    .examples =
        "  $ coord put /fruit/apple red\n"
        "  $ coord put /fruit/banana yellow\n"
        "  $ coord export /fruit/ > fruit.jsonl\n"
        "  $ coord export '' --base64 --quiet | wc -l\n",
    .run = run,
};
