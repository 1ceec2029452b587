/* Benchmark of reads and writes through the public API: one client, one line of JSON on stdout. */
#include <coord.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 256, LINE_BYTES = 256 };

typedef struct {
  const char *endpoint;
  const char *verb;
  const char *mode;
  const char *key;
  size_t key_len;
  size_t n; /* ops in flight, threads, or ops of one coord_call_many */
  size_t size;
  size_t ops;
  size_t warmup;
  int put;
  char *value;
} job;

/* What a run measured: one latency per op (per batch for "many"), in nanoseconds. */
typedef struct {
  uint64_t *latency;
  size_t count;
  size_t errors;
  char first_error[LINE_BYTES];
} outcome;

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("kv: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(2);
}

static void *need(void *memory) {
  if (memory == NULL) {
    fail("out of memory");
  }
  return memory;
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static double cpu_us(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* A field of /proc/self/status, in KiB. */
static long memory_kib(const char *field) {
  char line[LINE_BYTES];
  long kib = -1;
  size_t length = strlen(field);
  FILE *file = fopen("/proc/self/status", "r");
  if (file == NULL) {
    fail("/proc/self/status: %s", strerror(errno));
  }
  while (kib < 0 && fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, field, length) == 0 && line[length] == ':') {
      kib = strtol(line + length + 1, NULL, 10);
    }
  }
  fclose(file);
  return kib;
}

/* ---- one op ---------------------------------------------------------------------------------- */

static void note_failure(outcome *out, const coord_error *err, coord_code code) {
  out->errors++;
  if (out->first_error[0] == '\0') {
    snprintf(out->first_error, sizeof out->first_error, "%s: %s", coord_code_name(code),
             coord_error_message(err));
  }
}

/* Whether a read brought the one value of the size that was asked for. */
static void check_result(const job *j, outcome *out, const coord_result *result) {
  coord_kv kv;
  if (j->put) {
    return;
  }
  if (coord_result_count(result) != 1 || coord_result_kv(result, 0, &kv) != COORD_OK ||
      kv.value_len != j->size) {
    out->errors++;
    snprintf(out->first_error, sizeof out->first_error,
             "the answer is not the one value of %zu bytes", j->size);
  }
}

static coord_op *make_op(const job *j) {
  return need(j->put ? coord_op_put(j->key, j->key_len, j->value, j->size)
                     : coord_op_get(j->key, j->key_len));
}

/* ---- async: n ops in flight on one queue, one application thread ------------------------------ */

static void submit(coord_client *client, const job *j, coord_queue *queue, size_t slot,
                   uint64_t *started) {
  coord_error *err = NULL;
  coord_op *op = make_op(j);
  coord_code code;
  started[slot] = now_ns();
  code = coord_submit(client, op, 0, queue, slot, NULL, &err);
  if (code != COORD_OK) {
    fail("coord_submit: %s: %s", coord_code_name(code), coord_error_message(err));
  }
  coord_op_free(op);
}

static void run_async(coord_client *client, const job *j, size_t ops, outcome *out) {
  coord_event *events[EVENTS_AT_ONCE];
  coord_queue *queue = NULL;
  size_t in_flight = j->n < ops ? j->n : ops;
  uint64_t *started = need(calloc(in_flight + 1, sizeof *started));
  size_t submitted;
  if (coord_queue_open(&queue, NULL) != COORD_OK) {
    fail("coord_queue_open failed");
  }
  for (submitted = 0; submitted < in_flight; submitted++) {
    submit(client, j, queue, submitted, started);
  }
  while (out->count < ops) {
    size_t got = coord_queue_drain(queue, events, EVENTS_AT_ONCE);
    if (got == 0) {
      events[0] = coord_queue_next(queue, 60000);
      if (events[0] == NULL) {
        fail("no completion in 60 s; %zu of %zu ops are done", out->count, ops);
      }
      got = 1;
    }
    for (size_t i = 0; i < got; i++) {
      size_t slot = (size_t)coord_event_tag(events[i]);
      out->latency[out->count++] = now_ns() - started[slot];
      if (coord_event_code(events[i]) != COORD_OK) {
        note_failure(out, coord_event_error(events[i]), coord_event_code(events[i]));
      } else {
        check_result(j, out, coord_event_result(events[i]));
      }
      coord_event_free(events[i]);
      if (submitted < ops) {
        submit(client, j, queue, slot, started);
        submitted++;
      }
    }
  }
  coord_queue_free(queue);
  free(started);
}

/* ---- sync: n threads share the client ---------------------------------------------------------- */

typedef struct {
  pthread_t thread;
  coord_client *client;
  const job *j;
  atomic_size_t *taken;
  size_t ops;
  outcome out;
} worker;

static void *work(void *argument) {
  worker *w = argument;
  const job *j = w->j;
  while (atomic_fetch_add(w->taken, 1) < w->ops) {
    coord_error *err = NULL;
    coord_result *result = NULL;
    coord_code code;
    uint64_t start = now_ns();
    if (j->put) {
      code = coord_put(w->client, j->key, j->key_len, j->value, j->size, &err);
    } else {
      code = coord_get(w->client, j->key, j->key_len, &result, &err);
    }
    w->out.latency[w->out.count++] = now_ns() - start;
    if (code != COORD_OK) {
      note_failure(&w->out, err, code);
      coord_error_free(err);
    } else {
      check_result(j, &w->out, result);
    }
    coord_result_free(result);
  }
  return NULL;
}

static void run_sync(coord_client *client, const job *j, size_t ops, outcome *out) {
  atomic_size_t taken = 0;
  worker *workers = need(calloc(j->n, sizeof *workers));
  for (size_t i = 0; i < j->n; i++) {
    int code;
    workers[i].client = client;
    workers[i].j = j;
    workers[i].taken = &taken;
    workers[i].ops = ops;
    workers[i].out.latency = need(calloc(ops + 1, sizeof(uint64_t)));
    code = pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    if (code != 0) {
      fail("pthread_create, thread %zu of %zu: %s", i + 1, j->n, strerror(code));
    }
  }
  for (size_t i = 0; i < j->n; i++) {
    outcome *part = &workers[i].out;
    pthread_join(workers[i].thread, NULL);
    memcpy(out->latency + out->count, part->latency, part->count * sizeof(uint64_t));
    out->count += part->count;
    out->errors += part->errors;
    if (out->first_error[0] == '\0') {
      memcpy(out->first_error, part->first_error, sizeof out->first_error);
    }
    free(part->latency);
  }
  free(workers);
}

/* ---- many: coord_call_many with n ops at a time, one latency per batch ------------------------ */

static void run_many(coord_client *client, const job *j, size_t ops, outcome *out) {
  const coord_op **batch = need(calloc(j->n, sizeof *batch));
  coord_result **results = need(calloc(j->n, sizeof *results));
  for (size_t done = 0; done < ops;) {
    coord_error *err = NULL;
    size_t n = ops - done < j->n ? ops - done : j->n;
    uint64_t start;
    coord_code code;
    for (size_t i = 0; i < n; i++) {
      batch[i] = make_op(j);
    }
    start = now_ns();
    code = coord_call_many(client, batch, n, 0, results, NULL, &err);
    out->latency[out->count++] = now_ns() - start;
    if (code != COORD_OK) {
      note_failure(out, err, code);
      coord_error_free(err);
    }
    for (size_t i = 0; i < n; i++) {
      if (results[i] != NULL) {
        check_result(j, out, results[i]);
      }
      coord_result_free(results[i]);
      /* The array is const for the library's sake; the ops are ours. */
      coord_op_free((coord_op *)(uintptr_t)batch[i]);
    }
    done += n;
  }
  free(results);
  free(batch);
}

/* ---- programs ---------------------------------------------------------------------------------- */

static void run(coord_client *client, const job *j, size_t ops, outcome *out) {
  memset(out, 0, sizeof *out);
  out->latency = need(calloc(ops + 1, sizeof *out->latency));
  if (ops == 0) {
    return;
  }
  if (strcmp(j->mode, "sync") == 0) {
    run_sync(client, j, ops, out);
  } else if (strcmp(j->mode, "many") == 0) {
    run_many(client, j, ops, out);
  } else {
    run_async(client, j, ops, out);
  }
}

static int compare(const void *left, const void *right) {
  uint64_t a = *(const uint64_t *)left;
  uint64_t b = *(const uint64_t *)right;
  return (a > b) - (a < b);
}

/* The nearest-rank percentile in microseconds. */
static double rank(const outcome *out, size_t percent) {
  size_t nth = (out->count * percent + 99) / 100;
  return out->count == 0 ? 0.0 : (double)out->latency[nth == 0 ? 0 : nth - 1] / 1e3;
}

/* The text of an error as the inside of a JSON string. */
static void print_text(const char *text) {
  for (; *text != '\0'; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\') {
      printf("\\%c", c);
    } else if (c < 0x20) {
      printf("\\u%04x", c);
    } else {
      putchar(c);
    }
  }
}

static void print_failures(const outcome *out) {
  printf("\"errors\": %zu", out->errors);
  if (out->errors > 0) {
    printf(", \"error\": \"");
    print_text(out->first_error);
    putchar('"');
  }
}

static void measure(coord_client *client, const job *j) {
  outcome out;
  double cpu;
  uint64_t start;
  run(client, j, j->warmup, &out);
  free(out.latency);
  cpu = cpu_us();
  start = now_ns();
  run(client, j, j->ops, &out);
  start = now_ns() - start;
  cpu = cpu_us() - cpu;
  qsort(out.latency, out.count, sizeof *out.latency, compare);
  printf("{\"ops_per_s\": %.3f, \"p50_us\": %.3f, \"p99_us\": %.3f, \"client_cpu_us\": %.3f, ",
         (double)j->ops * 1e9 / (double)start, rank(&out, 50), rank(&out, 99),
         cpu / (double)j->ops);
  print_failures(&out);
  printf("}\n");
  free(out.latency);
}

/* Resident memory after --warmup ops and again after --ops more, in chunks that keep the
 * benchmark's own latencies small and of one size. */
static void measure_growth(coord_client *client, const job *j) {
  const size_t chunk = 10000;
  size_t totals[2] = {j->warmup, j->ops};
  long resident[2] = {0, 0};
  uint64_t start = now_ns();
  outcome all = {NULL, 0, 0, ""};
  for (size_t phase = 0; phase < 2; phase++) {
    for (size_t done = 0; done < totals[phase];) {
      outcome out;
      size_t n = totals[phase] - done < chunk ? totals[phase] - done : chunk;
      run(client, j, n, &out);
      all.errors += out.errors;
      if (out.errors > 0) {
        memcpy(all.first_error, out.first_error, sizeof all.first_error);
      }
      free(out.latency);
      done += n;
    }
    resident[phase] = memory_kib("VmRSS");
  }
  start = now_ns() - start;
  printf(
      "{\"ops\": %zu, \"rss_first_kib\": %ld, \"rss_end_kib\": %ld, \"rss_peak_kib\": %ld, "
      "\"ops_per_s\": %.3f, ",
      j->warmup + j->ops, resident[0], resident[1], memory_kib("VmHWM"),
      (double)(j->warmup + j->ops) * 1e9 / (double)start);
  print_failures(&all);
  printf("}\n");
}

/* Resident memory of a process whose one client has done one put and now waits. */
static void measure_idle(coord_client *client, const job *j) {
  outcome out;
  run(client, j, 1, &out);
  free(out.latency);
  printf("{\"rss_kib\": %ld, \"rss_peak_kib\": %ld, ", memory_kib("VmRSS"), memory_kib("VmHWM"));
  print_failures(&out);
  printf("}\n");
}

static const char usage[] =
    "usage: kv --endpoint HOST:PORT --key KEY [--verb put|get] [--mode async|sync|many]\n"
    "          [--n COUNT] [--size BYTES] [--ops COUNT] [--warmup COUNT]\n"
    "       kv --measure growth|idle --endpoint HOST:PORT --key KEY ...\n"
    "\n"
    "Does --ops puts or gets of one key through libcoord and prints one line of JSON: ops_per_s,\n"
    "p50_us, p99_us, client_cpu_us (all threads of this process, per op), errors.\n"
    "  async  --n ops in flight: coord_submit and one queue\n"
    "  sync   --n threads on one client: coord_put and coord_get\n"
    "  many   coord_call_many with --n ops at a time; the latencies are those of a batch\n"
    "growth prints the resident memory after --warmup ops and after --ops more; idle that of a\n"
    "process whose one client waits.\n";

static size_t number(const char *name, const char *text, size_t least) {
  char *end = NULL;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value < least ||
      value > SIZE_MAX / 64) {
    fail("--%s is \"%s\"; it must be a number of at least %zu", name, text, least);
  }
  return (size_t)value;
}

static const char *choice(const char *name, const char *text, const char *const *choices) {
  for (size_t i = 0; choices[i] != NULL; i++) {
    if (strcmp(text, choices[i]) == 0) {
      return text;
    }
  }
  fail("--%s is \"%s\"; see --help", name, text);
}

static const char *parse(int argc, char **argv, job *j) {
  static const struct option options[] = {{"endpoint", required_argument, NULL, 'e'},
                                          {"key", required_argument, NULL, 'k'},
                                          {"verb", required_argument, NULL, 'v'},
                                          {"mode", required_argument, NULL, 'm'},
                                          {"n", required_argument, NULL, 'n'},
                                          {"size", required_argument, NULL, 's'},
                                          {"ops", required_argument, NULL, 'o'},
                                          {"warmup", required_argument, NULL, 'w'},
                                          {"measure", required_argument, NULL, 'x'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
  static const char *const verbs[] = {"put", "get", NULL};
  static const char *const modes[] = {"async", "sync", "many", NULL};
  static const char *const measures[] = {"rate", "growth", "idle", NULL};
  const char *what = "rate";
  int option;
  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    switch (option) {
      case 'e':
        j->endpoint = optarg;
        break;
      case 'k':
        j->key = optarg;
        break;
      case 'v':
        j->verb = choice("verb", optarg, verbs);
        break;
      case 'm':
        j->mode = choice("mode", optarg, modes);
        break;
      case 'n':
        j->n = number("n", optarg, 1);
        break;
      case 's':
        j->size = number("size", optarg, 0);
        break;
      case 'o':
        j->ops = number("ops", optarg, 1);
        break;
      case 'w':
        j->warmup = number("warmup", optarg, 0);
        break;
      case 'x':
        what = choice("measure", optarg, measures);
        break;
      case 'h':
        fputs(usage, stdout);
        exit(0);
      default:
        fputs(usage, stderr);
        exit(2);
    }
  }
  if (optind != argc || j->endpoint == NULL || j->key == NULL) {
    fputs(usage, stderr);
    exit(2);
  }
  return what;
}

int main(int argc, char **argv) {
  job j = {.verb = "put", .mode = "async", .n = 1, .size = 3, .ops = 1000};
  coord_options *options = NULL;
  coord_client *client = NULL;
  coord_error *err = NULL;
  const char *what = parse(argc, argv, &j);
  j.put = strcmp(j.verb, "put") == 0;
  j.key_len = strlen(j.key);
  j.value = need(malloc(j.size + 1));
  memset(j.value, 'v', j.size);
  if (coord_options_new(&options) != COORD_OK) {
    fail("coord_options_new failed");
  }
  if (coord_options_set(options, "endpoints", j.endpoint, &err) != COORD_OK ||
      coord_options_set(options, "request.timeout.ms", "60000", &err) != COORD_OK ||
      coord_client_open(options, &client, &err) != COORD_OK) {
    fail("%s: %s", coord_code_name(coord_error_code(err)), coord_error_message(err));
  }
  coord_options_free(options);
  if (strcmp(what, "growth") == 0) {
    measure_growth(client, &j);
  } else if (strcmp(what, "idle") == 0) {
    measure_idle(client, &j);
  } else {
    measure(client, &j);
  }
  coord_client_close(client, 1000, NULL);
  coord_client_free(client);
  free(j.value);
  return 0;
}
