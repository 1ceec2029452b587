/* Locks through the public API: one that nobody else wants, one that is handed on, and very many. One
 * line of JSON on stdout. */
#include <coord.h>
#include <getopt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
  CONTENDERS_MAX = 1024,
  IN_FLIGHT = 64,
  OPS_MAX = 1000000,
  HOLD_US = 1000,
  KEEP_US = 5000000
};

static struct {
  const char *endpoint;
  const char *which;
  const char *name;
  long ops;
  long warmup;
  long waiters;
  coord_client *client;
  double *samples; /* seconds, of all, those of the warm-up first */
  atomic_long done;
  _Atomic double released;
} run = {.name = "bench/lock", .ops = 1000, .warmup = 50, .waiters = 16};

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("lock: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(2);
}

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* A line of /proc/self/status that begins with this. */
static long status_of(const char *field) {
  char line[256];
  long value = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, field, strlen(field)) == 0) value = atol(line + strlen(field));
  }
  if (file != NULL) fclose(file);
  return value;
}

static void pause_us(long us) {
  struct timespec t = {us / 1000000, us % 1000000 * 1000};
  nanosleep(&t, NULL);
}

/* ---- locks ---- */

static void open_client(void) {
  coord_options *options = NULL;
  coord_error *err = NULL;
  if (coord_options_new(&options) || coord_options_set(options, "endpoints", run.endpoint, &err) ||
      coord_client_open(options, &run.client, &err)) {
    fail("%s", coord_error_message(err));
  }
  coord_options_free(options);
}

static coord_lock *open_lock(const char *name, const char *lease, const char *ttl_s) {
  coord_options *options = NULL;
  coord_error *err = NULL;
  coord_lock *lock = NULL;
  if (coord_options_new(&options) || coord_options_set(options, "lock.lease", lease, &err) ||
      coord_options_set(options, "lock.ttl.s", ttl_s, &err) ||
      coord_lock_open(run.client, name, strlen(name), options, NULL, 0, &lock, &err)) {
    fail("%s", coord_error_message(err));
  }
  coord_options_free(options);
  return lock;
}

static void do_op(coord_op *op) {
  coord_error *err = NULL;
  if (coord_call(run.client, op, 60000, NULL, &err)) fail("%s", coord_error_message(err));
  coord_op_free(op);
}

/* ---- figures ---- */

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Nearest rank. */
static double percentile_us(const double *sorted, long n, int percent) {
  long rank = (n * percent + 99) / 100;
  return 1e6 * sorted[rank > 0 ? rank - 1 : 0];
}

static void print_figures(double took_s, double cpu) {
  double *samples = run.samples + run.warmup;
  qsort(samples, (size_t)run.ops, sizeof *samples, by_size);
  printf(
      "{\"ops\":%ld,\"ops_per_s\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"client_cpu_us\":%.2f}\n",
      run.ops, (double)run.ops / took_s, percentile_us(samples, run.ops, 50),
      percentile_us(samples, run.ops, 99), 1e6 * cpu / (double)run.ops);
}

static void make_samples(void) {
  run.samples = calloc((size_t)(run.warmup + run.ops), sizeof *run.samples);
  if (run.samples == NULL) fail("no memory");
}

/* ---- one that nobody else wants ---- */

static void uncontended(void) {
  double began = 0, cpu = 0;
  coord_lock *lock = open_lock(run.name, "shared", "60");
  make_samples();
  for (long i = 0; i < run.warmup + run.ops; i++) {
    double start = now_s();
    if (i == run.warmup) began = start;
    if (i == run.warmup) cpu = cpu_s();
    do_op(coord_op_acquire(lock, 1));
    do_op(coord_op_release(lock));
    run.samples[i] = now_s() - start;
  }
  double took = now_s() - began;
  print_figures(took, cpu_s() - cpu);
  coord_lock_free(lock);
}

/* ---- one that is handed on ---- */

/* Whoever gets it looks how long ago it was let go, keeps it for a moment, and joins the queue again. */
static void *contend(void *unused) {
  (void)unused;
  coord_lock *lock = open_lock(run.name, "own", "60");
  for (bool more = true; more;) {
    do_op(coord_op_acquire(lock, 1));
    double now = now_s();
    long i = atomic_load(&run.done);
    more = i < run.warmup + run.ops;
    if (more && i >= 0) run.samples[i] = now - atomic_load(&run.released);
    atomic_store(&run.done, i + 1);
    pause_us(HOLD_US);
    atomic_store(&run.released, now_s());
    do_op(coord_op_release(lock));
  }
  coord_lock_free(lock);
  return NULL;
}

static void handover(void) {
  pthread_t threads[CONTENDERS_MAX];
  make_samples();
  /* The first one gets it from nobody. */
  atomic_store(&run.done, -1);
  double began = now_s(), cpu = cpu_s();
  for (long i = 0; i <= run.waiters; i++) {
    if (pthread_create(&threads[i], NULL, contend, NULL)) fail("no thread");
  }
  for (long i = 0; i <= run.waiters; i++) pthread_join(threads[i], NULL);
  print_figures(now_s() - began, cpu_s() - cpu);
}

/* ---- very many ---- */

/* Each of them once, so many at a time. */
static double all_of(coord_lock *const *locks, coord_queue *queue, bool acquire) {
  double began = now_s();
  for (long begun = 0, ended = 0; ended < run.ops;) {
    coord_error *err = NULL;
    while (begun < run.ops && begun - ended < IN_FLIGHT) {
      coord_op *op = acquire ? coord_op_acquire(locks[begun], 1) : coord_op_release(locks[begun]);
      if (coord_submit(run.client, op, 60000, queue, (uint64_t)begun, NULL, &err)) {
        fail("%s", coord_error_message(err));
      }
      coord_op_free(op);
      begun++;
    }
    coord_event *event = coord_queue_next(queue, 60000);
    if (coord_event_code(event)) fail("%s", coord_error_message(coord_event_error(event)));
    ended += coord_event_type(event) == COORD_EVENT_RESULT;
    coord_event_free(event);
  }
  return now_s() - began;
}

static void many(void) {
  coord_queue *queue = NULL;
  coord_lock **locks = calloc((size_t)run.ops, sizeof(coord_lock *));
  if (locks == NULL || coord_queue_open(&queue, NULL)) fail("no memory");
  do_op(coord_op_get("bench/ready", 11));
  long threads = status_of("Threads:"), rss = status_of("VmRSS:"), held = 0;
  for (long i = 0; i < run.ops; i++) {
    char name[256];
    snprintf(name, sizeof name, "%s-%ld", run.name, i);
    locks[i] = open_lock(name, "shared", "10");
  }
  double cpu = cpu_s();
  double took = all_of(locks, queue, true);
  pause_us(KEEP_US); /* longer than a third of the TTL */
  cpu = cpu_s() - cpu;
  for (long i = 0; i < run.ops; i++) held += coord_lock_is_held(locks[i]);
  printf(
      "{\"locks\":%ld,\"held\":%ld,\"acquire_s\":%.3f,\"threads_before\":%ld,\"threads\":%ld,"
      "\"rss_kib\":%ld,\"client_cpu_us\":%.2f}\n",
      run.ops, held, took, threads, status_of("Threads:"), status_of("VmRSS:") - rss,
      1e6 * cpu / (double)run.ops);
  fflush(stdout);
  getchar(); /* until whoever looks at the server has done so */
  printf("{\"release_s\":%.3f}\n", all_of(locks, queue, false));
  for (long i = 0; i < run.ops; i++) coord_lock_free(locks[i]);
  coord_queue_free(queue);
  free(locks);
}

/* ---- the command line ---- */

static const char usage[] =
    "usage: lock --endpoint HOST:PORT --case uncontended|handover|many [--ops N] [--warmup N]\n"
    "            [--waiters N] [--name NAME]\n";

static void read_arguments(int argc, char **argv) {
  static const struct option options[] = {{"endpoint", required_argument, NULL, 'e'},
                                          {"case", required_argument, NULL, 'c'},
                                          {"ops", required_argument, NULL, 'o'},
                                          {"warmup", required_argument, NULL, 'w'},
                                          {"waiters", required_argument, NULL, 'n'},
                                          {"name", required_argument, NULL, 'k'},
                                          {NULL, 0, NULL, 0}};
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (option == 'e') run.endpoint = optarg;
    if (option == 'c') run.which = optarg;
    if (option == 'o') run.ops = atol(optarg);
    if (option == 'w') run.warmup = atol(optarg);
    if (option == 'n') run.waiters = atol(optarg);
    if (option == 'k') run.name = optarg;
    if (option == '?') fail("%s", usage);
  }
  if (run.endpoint == NULL || run.which == NULL || optind != argc || run.ops < 1 ||
      run.ops > OPS_MAX || run.warmup < 0 || run.warmup > OPS_MAX || run.waiters < 1 ||
      run.waiters >= CONTENDERS_MAX) {
    fail("%s", usage);
  }
}

int main(int argc, char **argv) {
  read_arguments(argc, argv);
  open_client();
  if (strcmp(run.which, "uncontended") == 0) {
    uncontended();
  } else if (strcmp(run.which, "handover") == 0) {
    handover();
  } else if (strcmp(run.which, "many") == 0) {
    many();
  } else {
    fail("%s", usage);
  }
  free(run.samples);
  coord_client_close(run.client, 1000, NULL);
  coord_client_free(run.client);
  return 0;
}
