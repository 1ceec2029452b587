/* Watches through the public API, as ./dev bench watch asks for them: one case, one line of JSON on stdout. */
#include <coord.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
  EVENTS_AT_ONCE = 256,
  LINE_BYTES = 256,
  KEY_BYTES = 96,
  WAIT_MS = 60000,
  WARM_PUTS = 200,
  OPENED_AT_ONCE = 16
};

/* What one watch has seen. */
typedef struct {
  coord_watch *watch;
  size_t events;
  int64_t revision;
} seen;

static struct {
  const char *name;
  const char *endpoints;
  const char *key;
  int64_t revision; /* 0: from now on */
  size_t watches;
  size_t events; /* of all watches together */
  size_t keys;   /* 0: watch number i has the key number i; else each has all of so many */
  int lazy;
  size_t interrupted; /* watches that had to begin again; nothing is left out then */
  coord_client *client;
  coord_queue *queue;
  seen *of;
} run = {.watches = 1, .events = 1};

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("watch: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(2);
}

static void *need(void *memory) {
  if (memory == NULL) fail("out of memory");
  return memory;
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static double seconds_since(uint64_t start) { return (double)(now_ns() - start) / 1e9; }

static double cpu_us(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
         (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* A number in /proc/self/status. */
static long status_of(const char *field) {
  char line[LINE_BYTES];
  long value = -1;
  size_t length = strlen(field);
  FILE *file = fopen("/proc/self/status", "r");
  if (file == NULL) fail("/proc/self/status: %s", strerror(errno));
  while (value < 0 && fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, field, length) == 0 && line[length] == ':') {
      value = strtol(line + length + 1, NULL, 10);
    }
  }
  fclose(file);
  return value;
}

static double resident_bytes(void) { return 1024.0 * (double)status_of("VmRSS"); }

/* ---- clients and watches ------------------------------------------------------------------------ */

static coord_client *open_client_at(const char *endpoints) {
  coord_options *options = NULL;
  coord_client *client = NULL;
  coord_error *err = NULL;
  if (coord_options_new(&options) != COORD_OK ||
      coord_options_set(options, "endpoints", endpoints, &err) != COORD_OK ||
      coord_options_set(options, "log.level", "off", &err) != COORD_OK ||
      coord_options_set(options, "connect.lazy", run.lazy ? "true" : "false", &err) != COORD_OK ||
      coord_client_open(options, &client, &err) != COORD_OK) {
    fail("%s", coord_error_message(err));
  }
  coord_options_free(options);
  return client;
}

static coord_client *open_client(void) { return open_client_at(run.endpoints); }

static size_t key_of(char *text, size_t number) {
  return (size_t)snprintf(text, KEY_BYTES, "%s%06zu", run.key, number);
}

/* The watch number i: of its own key, or of all of them. */
static void open_watch(coord_client *client, size_t i) {
  char key[KEY_BYTES];
  coord_error *err = NULL;
  coord_op *get = run.keys == 0 ? need(coord_op_get(key, key_of(key, i)))
                                : need(coord_op_get(run.key, strlen(run.key)));
  if (run.keys > 0) coord_op_set_prefix(get);
  if (coord_watch_open(client, get, run.revision, run.queue, i, &run.of[i].watch, &err) !=
      COORD_OK) {
    fail("watch %zu: %s", i, coord_error_message(err));
  }
  coord_op_free(get);
}

/* Event number n of a watch is of the key number n, in turn, and its version says the same. */
static void check(size_t watch, const coord_kv *kv) {
  char key[KEY_BYTES];
  seen *s = &run.of[watch];
  size_t keys = run.keys == 0 ? 1 : run.keys;
  size_t len = key_of(key, run.keys == 0 ? watch : s->events % keys);
  size_t version = s->events / keys + 1;
  if (kv->key_len != len || memcmp(kv->key, key, len) != 0 || kv->version != (int64_t)version ||
      kv->mod_revision < s->revision || (keys == 1 && kv->mod_revision == s->revision)) {
    fail("watch %zu: event %zu is %.*s version %" PRId64 " at revision %" PRId64
         " instead of %s version %zu after %" PRId64,
         watch, s->events, (int)kv->key_len, (const char *)kv->key, kv->version, kv->mod_revision,
         key, version, s->revision);
  }
  s->events++;
  s->revision = kv->mod_revision;
}

/* How many of this type an event is: changes count one by one. */
static size_t account(coord_event *event, int32_t type) {
  size_t count = coord_event_count(event);
  size_t watch = (size_t)coord_event_tag(event);
  int32_t is = coord_event_type(event);
  if (is == COORD_EVENT_RESYNC && coord_event_code(event) != COORD_OK) {
    coord_event_free(event);
    run.interrupted++;
    return 0;
  }
  if (coord_event_code(event) != COORD_OK) {
    fail("watch %zu: %s: %s", watch, coord_code_name(coord_event_code(event)),
         coord_error_message(coord_event_error(event)));
  }
  for (size_t i = 0; i < count; i++) {
    coord_kv kv;
    coord_event_change(event, i, NULL, &kv, NULL);
    check(watch, &kv);
  }
  coord_event_free(event);
  if (is != type) return 0;
  return type == COORD_EVENT_CHANGES ? count : 1;
}

/* Takes events until so many of this type have come, or more. */
static size_t take(size_t wanted, int32_t type) {
  coord_event *events[EVENTS_AT_ONCE];
  size_t done = 0;
  while (done < wanted) {
    size_t got = coord_queue_drain(run.queue, events, EVENTS_AT_ONCE);
    if (got == 0) {
      events[0] = coord_queue_next(run.queue, WAIT_MS);
      if (events[0] == NULL) fail("nothing in 60 s; %zu of %zu have come", done, wanted);
      got = 1;
    }
    for (size_t i = 0; i < got; i++) done += account(events[i], type);
  }
  return done;
}

static void free_watches(void) {
  for (size_t i = 0; i < run.watches; i++) coord_watch_free(run.of[i].watch);
}

static void wait_for_go(void) {
  char line[LINE_BYTES];
  puts("ready");
  fflush(stdout);
  if (fgets(line, sizeof line, stdin) == NULL) fail("the standard input ended before \"go\"");
}

/* ---- live and replay: every event once and in order ---------------------------------------------- */

static void print_rate(uint64_t start, double cpu) {
  double seconds = seconds_since(start);
  cpu = cpu_us() - cpu;
  printf(
      "{\"events\": %zu, \"seconds\": %.4f, \"events_per_s\": %.1f, \"client_cpu_us\": %.4f, "
      "\"interrupted\": %zu}\n",
      run.events, seconds, (double)run.events / seconds, cpu / (double)run.events, run.interrupted);
}

static void live(void) {
  run.client = open_client();
  for (size_t i = 0; i < run.watches; i++) open_watch(run.client, i);
  take(run.watches, COORD_EVENT_RESYNC);
  wait_for_go();
  double cpu = cpu_us();
  uint64_t start = now_ns();
  take(run.events, COORD_EVENT_CHANGES);
  print_rate(start, cpu);
  free_watches();
}

static void replay(void) {
  run.client = open_client();
  wait_for_go();
  double cpu = cpu_us();
  uint64_t start = now_ns();
  open_watch(run.client, 0);
  take(run.events, COORD_EVENT_CHANGES);
  print_rate(start, cpu);
  free_watches();
}

/* ---- many watches of one client, many clients ----------------------------------------------------- */

static void many(void) {
  run.client = open_client();
  wait_for_go();
  double before = resident_bytes();
  uint64_t start = now_ns();
  for (size_t i = 0; i < run.watches; i++) open_watch(run.client, i);
  take(run.watches, COORD_EVENT_RESYNC);
  double open_s = seconds_since(start);
  double bytes = (resident_bytes() - before) / (double)run.watches;
  long threads = status_of("Threads");
  start = now_ns();
  for (size_t i = 0; i < run.watches; i++) coord_watch_close(run.of[i].watch);
  take(run.watches, COORD_EVENT_CLOSED);
  free_watches();
  printf(
      "{\"watches\": %zu, \"open_s\": %.3f, \"close_s\": %.3f, \"bytes_per_watch\": %.0f, "
      "\"threads\": %ld, \"interrupted\": %zu}\n",
      run.watches, open_s, seconds_since(start), bytes, threads, run.interrupted);
}

/* The endpoint number i, in turn: looking for a free port takes the system long where most are taken. */
static coord_client *open_client_in_turn(size_t i) {
  char endpoint[KEY_BYTES];
  const char *from = run.endpoints;
  size_t count = 1;
  for (const char *p = from; (p = strchr(p, ',')) != NULL; p++) count++;
  for (size_t skip = i % count; skip > 0; skip--) from = strchr(from, ',') + 1;
  snprintf(endpoint, sizeof endpoint, "%.*s", (int)strcspn(from, ","), from);
  return open_client_at(endpoint);
}

/* One watch for each client. */
static void clients(void) {
  coord_client **all = need(calloc(run.watches, sizeof *all));
  struct rlimit files;
  size_t stand = 0;
  wait_for_go();
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  double before = resident_bytes();
  uint64_t start = now_ns();
  for (size_t i = 0; i < run.watches; i++) {
    all[i] = open_client_in_turn(i);
    open_watch(all[i], i);
    if (i - stand >= OPENED_AT_ONCE) stand += take(1, COORD_EVENT_RESYNC);
  }
  take(run.watches - stand, COORD_EVENT_RESYNC);
  double open_s = seconds_since(start);
  double bytes = (resident_bytes() - before) / (double)run.watches;
  long threads = status_of("Threads");
  start = now_ns();
  free_watches();
  for (size_t i = 0; i < run.watches; i++) coord_client_free(all[i]);
  printf(
      "{\"clients\": %zu, \"open_s\": %.3f, \"close_s\": %.3f, \"bytes_per_client\": %.0f, "
      "\"threads\": %ld, \"interrupted\": %zu}\n",
      run.watches, open_s, seconds_since(start), bytes, threads, run.interrupted);
  free(all);
}

/* ---- latency: from the call of put to the event in the hands of another thread --------------------- */

static struct {
  uint64_t *sent;
  uint64_t *came;
  size_t count;
  sem_t next;
} lap;

static void *put_all(void *argument) {
  coord_client *client = argument;
  char key[KEY_BYTES];
  size_t len = key_of(key, 0);
  for (size_t i = 0; i < lap.count; i++) {
    coord_error *err = NULL;
    lap.sent[i] = now_ns();
    if (coord_put(client, key, len, "v", 1, &err) != COORD_OK) {
      fail("put: %s", coord_error_message(err));
    }
    sem_wait(&lap.next);
  }
  return NULL;
}

static int compare(const void *left, const void *right) {
  uint64_t a = *(const uint64_t *)left;
  uint64_t b = *(const uint64_t *)right;
  return (a > b) - (a < b);
}

/* The nearest-rank percentile in microseconds. */
static double rank(const uint64_t *sorted, size_t count, size_t percent) {
  size_t nth = (count * percent + 99) / 100;
  return (double)sorted[nth == 0 ? 0 : nth - 1] / 1e3;
}

static void latency(void) {
  coord_client *writer = open_client();
  pthread_t thread;
  run.client = open_client();
  open_watch(run.client, 0);
  take(1, COORD_EVENT_RESYNC);
  lap.count = run.events + WARM_PUTS;
  lap.sent = need(calloc(lap.count, sizeof *lap.sent));
  lap.came = need(calloc(lap.count, sizeof *lap.came));
  sem_init(&lap.next, 0, 0);
  wait_for_go();
  if (pthread_create(&thread, NULL, put_all, writer) != 0) fail("no thread");
  for (size_t i = 0; i < lap.count; i++) {
    coord_event *event = coord_queue_next(run.queue, WAIT_MS);
    lap.came[i] = now_ns();
    if (event == NULL || account(event, COORD_EVENT_CHANGES) != 1) fail("put %zu: no event", i);
    sem_post(&lap.next);
  }
  pthread_join(thread, NULL);
  uint64_t *took = lap.came + WARM_PUTS;
  for (size_t i = 0; i < run.events; i++) took[i] -= lap.sent[i + WARM_PUTS];
  qsort(took, run.events, sizeof *took, compare);
  printf("{\"events\": %zu, \"p50_us\": %.3f, \"p99_us\": %.3f}\n", run.events,
         rank(took, run.events, 50), rank(took, run.events, 99));
  free_watches();
  free(lap.sent);
  free(lap.came);
  coord_client_free(writer);
}

/* ---- stall: the longest time without an event ------------------------------------------------------ */

static void stall(void) {
  const double notable =
      500e6; /* nanoseconds: more than what a busy machine makes of a steady flow */
  int told = 0;
  double gap = 0;
  run.client = open_client();
  open_watch(run.client, 0);
  take(1, COORD_EVENT_RESYNC);
  wait_for_go();
  take(1, COORD_EVENT_CHANGES);
  for (uint64_t last = now_ns(), start = last; !told || now_ns() - start < 1000000000U;) {
    coord_event *event = coord_queue_next(run.queue, WAIT_MS);
    if (event == NULL) fail("no event for 60 s");
    if (coord_event_type(event) != COORD_EVENT_CHANGES) {
      coord_event_free(event); /* RESYNC with the reason */
      continue;
    }
    account(event, COORD_EVENT_CHANGES);
    if ((double)(now_ns() - last) > gap) gap = (double)(now_ns() - last);
    last = now_ns();
    if (!told && gap > notable) {
      told = 1;
      start = last;
    }
  }
  printf("{\"gap_ms\": %.1f, \"events\": %zu}\n", gap / 1e6, run.of[0].events);
  free_watches();
}

/* ---- command line ---------------------------------------------------------------------------------- */

static const char usage[] =
    "usage: watch --case live|replay|many|clients|latency|stall --endpoints HOST:PORT,... --key "
    "PREFIX\n"
    "             [--watches N] [--events N] [--keys N] [--revision R] [--lazy 1]\n"
    "\n"
    "Says \"ready\", waits for a line on the standard input and prints one line of JSON.\n"
    "  live     --watches that see --events together: each of its own key, or all of --keys\n"
    "  replay   one watch that sees --events from --revision on\n"
    "  many     --watches on one client: time to open and close them, memory, threads\n"
    "  clients  as many clients with a watch each, on one of the endpoints in turn\n"
    "  latency  --events puts one after the other, by another client of the process\n"
    "  stall    the longest time without an event; ends 1 s after one of more than 0.5 s\n";

static size_t number(const char *name, const char *text) {
  char *end = NULL;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value > 100000000) {
    fail("--%s is \"%s\"; it must be a number from 0 to 100000000", name, text);
  }
  return (size_t)value;
}

static void parse(int argc, char **argv) {
  static const struct option options[] = {{"case", required_argument, NULL, 'c'},
                                          {"endpoints", required_argument, NULL, 'e'},
                                          {"key", required_argument, NULL, 'k'},
                                          {"watches", required_argument, NULL, 'w'},
                                          {"events", required_argument, NULL, 'n'},
                                          {"keys", required_argument, NULL, 's'},
                                          {"revision", required_argument, NULL, 'r'},
                                          {"lazy", required_argument, NULL, 'l'},
                                          {NULL, 0, NULL, 0}};
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (option == 'c') run.name = optarg;
    if (option == 'e') run.endpoints = optarg;
    if (option == 'k') run.key = optarg;
    if (option == 'w') run.watches = number("watches", optarg);
    if (option == 'n') run.events = number("events", optarg);
    if (option == 's') run.keys = number("keys", optarg);
    if (option == 'r') run.revision = (int64_t)number("revision", optarg);
    if (option == 'l') run.lazy = number("lazy", optarg) != 0;
    if (option == '?') fail("%s", usage);
  }
  if (optind != argc || run.name == NULL || run.endpoints == NULL || run.key == NULL ||
      strlen(run.key) > KEY_BYTES - 16 || run.watches < 1 || run.events < 1) {
    fail("%s", usage);
  }
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*measure)(void);
  } cases[] = {{"live", live},       {"replay", replay},   {"many", many},
               {"clients", clients}, {"latency", latency}, {"stall", stall}};
  parse(argc, argv);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (strcmp(cases[i].name, run.name) != 0) continue;
    run.of = need(calloc(run.watches, sizeof *run.of));
    if (coord_queue_open(&run.queue, NULL) != COORD_OK) fail("coord_queue_open failed");
    cases[i].measure();
    fflush(stdout);
    coord_queue_free(run.queue);
    coord_client_free(run.client);
    free(run.of);
    return 0;
  }
  fail("--case is \"%s\"; see the usage", run.name);
}
