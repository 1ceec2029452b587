#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"
#include "lines.h"
#include "progress.h"
#include "record.h"
#include "session.h"

#define MOST_BYTES_IN_FLIGHT ((size_t)64 << 20)

/* A put under way. */
struct slot {
  uint64_t hash; /* of its key */
  uint64_t line;
  size_t size;
  bool busy;
};

struct job {
  const char *name; /* of the file, for messages */
  struct lines lines;
  uint64_t file_size; /* 0 when not known */
  struct session session;
  coord_queue *queue;
  struct progress progress;
  struct slot *slots;
  size_t slot_count;
  size_t in_flight;
  size_t bytes_in_flight;
  uint64_t records;
  uint64_t bytes;
  int code;
};

/* FNV-1a; a collision costs a wait, no more. */
static uint64_t hash_of(const struct bytes *key) {
  uint64_t hash = 14695981039346656037U;
  for (size_t i = 0; i < key->len; i++)
    hash = (hash ^ (unsigned char)key->data[i]) * 1099511628211U;
  return hash;
}

static void fail_line(struct job *job, uint64_t line, coord_code code, const coord_error *err) {
  progress_end(&job->progress);
  if (job->code != CLI_FINE) return;
  char what[512];
  snprintf(what, sizeof what, "import: %.400s:%" PRIu64, job->name, line);
  job->code = call_error(what, code, err);
}

static void finish(struct job *job, coord_event *event) {
  struct slot *slot = &job->slots[coord_event_tag(event)];
  if (coord_event_code(event) == COORD_OK) {
    job->records++;
    job->bytes += slot->size;
  } else {
    fail_line(job, slot->line, coord_event_code(event), coord_event_error(event));
  }
  slot->busy = false;
  job->in_flight--;
  job->bytes_in_flight -= slot->size;
  coord_event_free(event);
}

/* Waits for one put to end, and takes whatever else has ended. */
static void reap(struct job *job) {
  coord_event *event = coord_queue_next(job->queue, -1);
  while (event != NULL) {
    finish(job, event);
    event = job->in_flight > 0 ? coord_queue_next(job->queue, 0) : NULL;
  }
  progress_update(&job->progress, job->lines.offset, job->file_size, job->records);
}

static bool key_in_flight(const struct job *job, uint64_t hash) {
  for (size_t i = 0; i < job->slot_count; i++) {
    if (job->slots[i].busy && job->slots[i].hash == hash) return true;
  }
  return false;
}

static size_t free_slot(const struct job *job) {
  size_t i = 0;
  while (job->slots[i].busy) i++;
  return i;
}

static void start(struct job *job, const struct record *record) {
  uint64_t hash = hash_of(&record->key);
  size_t size = record->key.len + record->value.len;
  /* Puts on one connection overtake each other, so lines of one key wait for each other. */
  while (job->code == CLI_FINE && job->in_flight > 0 &&
         (job->in_flight == job->slot_count || job->bytes_in_flight + size > MOST_BYTES_IN_FLIGHT ||
          key_in_flight(job, hash))) {
    reap(job);
  }
  if (job->code != CLI_FINE) return;
  size_t at = free_slot(job);
  coord_error *err = NULL;
  coord_op *op =
      coord_op_put(record->key.data, record->key.len, record->value.data, record->value.len);
  coord_code code = op != NULL ? coord_op_set(op, COORD_OP_IDEMPOTENT, 1) : COORD_NO_MEMORY;
  if (code == COORD_OK) {
    code =
        coord_submit(job->session.client, op, job->session.timeout_ms, job->queue, at, NULL, &err);
  }
  if (code == COORD_OK) {
    job->slots[at] = (struct slot){hash, job->lines.number, size, true};
    job->in_flight++;
    job->bytes_in_flight += size;
  } else {
    fail_line(job, job->lines.number, code, err);
  }
  coord_error_free(err);
  coord_op_free(op);
}

/* The next record; blank lines are passed over. False at the end and, with job->code set, when a
 * line is bad. */
static bool next_record(struct job *job, struct record *out) {
  const char *line;
  size_t len;
  char what[512];
  for (;;) {
    line_status status = lines_next(&job->lines, &line, &len);
    if (status == LINE_END) return false;
    struct problem problem = {0};
    if (status == LINE_READ) {
      if (strspn(line, " \t\r\n") >= len) continue;
      if (record_parse(line, len, out, &problem)) return true;
    } else if (status == LINE_TOO_LONG) {
      problem_set(&problem, "the line is longer than 16 MiB");
    } else {
      problem_set(&problem, "cannot read on: %s", strerror(errno));
    }
    progress_end(&job->progress);
    snprintf(what, sizeof what, "import: %.400s:%" PRIu64, job->name, job->lines.number);
    job->code = input_error(what, "%s", problem.text);
    return false;
  }
}

/* A file is read once before anything is written, so that a bad line leaves nothing behind. */
static void check_file(struct job *job) {
  struct record record;
  uint64_t records = 0;
  progress_begin(&job->progress, "check ");
  while (next_record(job, &record)) {
    record_free(&record);
    progress_update(&job->progress, job->lines.offset, job->file_size, ++records);
  }
  progress_end(&job->progress);
  if (job->code == CLI_FINE && !lines_rewind(&job->lines)) {
    job->code = input_error("import", "cannot read %s twice: %s", job->name, strerror(errno));
  }
  if (job->code != CLI_FINE) remark("Nothing was written.");
}

static void write_all(struct job *job) {
  struct record record;
  progress_begin(&job->progress, "import");
  while (job->code == CLI_FINE && next_record(job, &record)) {
    start(job, &record);
    record_free(&record);
  }
  while (job->in_flight > 0) reap(job);
  double seconds = progress_end(&job->progress);
  if (job->code == CLI_FINE) {
    print_totals(stdout, "imported", job->records, job->bytes, seconds);
  } else {
    remark("%" PRIu64 " keys were written.", job->records);
  }
}

static int open_file(struct job *job, const char *path) {
  struct stat stat;
  bool from_stdin = strcmp(path, "-") == 0;
  job->name = from_stdin ? "standard input" : path;
  int fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &stat) != 0) {
    return input_error("import", "cannot open %s: %s", path, strerror(errno));
  }
  if (!from_stdin && S_ISREG(stat.st_mode)) job->file_size = (uint64_t)stat.st_size;
  lines_open(&job->lines, fd);
  return CLI_FINE;
}

static int run(const struct args *args) {
  struct job job = {0};
  int64_t in_flight = 128;
  if (!args_words(args, 1, 1)) return CLI_USAGE;
  if (!args_number(args, "--in-flight", 1, 4096, &in_flight)) return CLI_USAGE;
  job.code = open_file(&job, args->words[0]);
  if (job.code == CLI_FINE && job.file_size > 0) check_file(&job);
  if (job.code == CLI_FINE) job.code = session_open(args, &job.session);
  if (job.code == CLI_FINE) {
    coord_error *err = NULL;
    coord_code code = coord_queue_open(&job.queue, &err);
    if (code != COORD_OK) job.code = call_error("import", code, err);
    coord_error_free(err);
  }
  if (job.code == CLI_FINE) {
    job.slot_count = (size_t)in_flight;
    job.slots = must_alloc(job.slot_count, sizeof *job.slots);
    write_all(&job);
  }
  free(job.slots);
  coord_queue_free(job.queue);
  if (job.session.client != NULL) session_close(&job.session);
  if (job.lines.fd > STDIN_FILENO) close(job.lines.fd);
  lines_free(&job.lines);
  return job.code;
}

static const struct flag flags[] = {
    {"--in-flight", "N", "puts under way at a time, 1 to 4096; default 128"}, {0}};

const struct verb verb_import = {
    .name = "import",
    .usage = "(FILE | -) [FLAGS]",
    .summary = "write keys from JSON lines",
    .text =
        "Reads one object from each line and puts it, many at a time on one connection:\n"
        "\n"
        "  {\"key\": \"hello\", \"value\": \"world\"}\n"
        "  {\"key_base64\": \"/wA=\", \"value_base64\": \"AAEC\"}\n"
        "\n"
        "What \"coord export\" and \"coord get --json\" write can be read; of the latter, "
        "revisions\n"
        "and lease are passed over. Lines of the same key are written in their order, other lines\n"
        "in any order, and each by itself: the import as a whole is not atomic.\n"
        "A file is checked to its end before the first put, and a bad line is reported as\n"
        "FILE:LINE with nothing written. From standard input (-) the import stops at a bad line\n"
        "and says how many keys were written. Running it again is safe.",
    .flags = flags,
    .examples =
        "  $ echo '{\"key\": \"hello\", \"value\": \"world\"}' | coord import -\n"
        "  $ coord export '' > all.jsonl\n"
        "  $ coord import all.jsonl --json\n",
    .run = run,
};
