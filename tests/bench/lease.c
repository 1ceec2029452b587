/* Many leases kept alive by one client, through the public API: how many were lost, and what it cost.
 * One line of JSON on stdout. */
#include <coord.h>
#include <getopt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { OPENERS = 16, LEASES_MAX = 1000000 };

static struct {
  const char *endpoint;
  long leases;
  long ttl_s;
  long seconds;
  coord_client *client;
  coord_queue *queue;
  coord_lease **all;
  atomic_long next;
} run = {.leases = 10000, .ttl_s = 10, .seconds = 300};

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("lease: ", stderr);
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

static void open_client(void) {
  coord_options *options = NULL;
  coord_error *err = NULL;
  if (coord_options_new(&options) || coord_options_set(options, "endpoints", run.endpoint, &err) ||
      coord_client_open(options, &run.client, &err) || coord_queue_open(&run.queue, &err)) {
    fail("%s", coord_error_message(err));
  }
  coord_options_free(options);
}

static void *open_leases(void *unused) {
  (void)unused;
  for (long i; (i = atomic_fetch_add(&run.next, 1)) < run.leases;) {
    coord_error *err = NULL;
    if (coord_lease_open(run.client, run.ttl_s, 60000, run.queue, (uint64_t)i, &run.all[i], &err)) {
      fail("lease %ld: %s", i, coord_error_message(err));
    }
  }
  return NULL;
}

static void open_all(void) {
  pthread_t threads[OPENERS];
  run.all = calloc((size_t)run.leases, sizeof(coord_lease *));
  if (run.all == NULL) fail("no memory");
  for (int i = 0; i < OPENERS; i++) {
    if (pthread_create(&threads[i], NULL, open_leases, NULL)) fail("no thread");
  }
  for (int i = 0; i < OPENERS; i++) pthread_join(threads[i], NULL);
}

static const char usage[] =
    "usage: lease --endpoint HOST:PORT [--leases N] [--ttl SECONDS] [--seconds SECONDS]\n";

static void read_arguments(int argc, char **argv) {
  static const struct option options[] = {{"endpoint", required_argument, NULL, 'e'},
                                          {"leases", required_argument, NULL, 'n'},
                                          {"ttl", required_argument, NULL, 't'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (option == 'e') run.endpoint = optarg;
    if (option == 'n') run.leases = atol(optarg);
    if (option == 't') run.ttl_s = atol(optarg);
    if (option == 's') run.seconds = atol(optarg);
    if (option == '?') fail("%s", usage);
  }
  if (run.endpoint == NULL || optind != argc || run.leases < 1 || run.leases > LEASES_MAX ||
      run.ttl_s < 1 || run.seconds < 1) {
    fail("%s", usage);
  }
}

int main(int argc, char **argv) {
  read_arguments(argc, argv);
  open_client();
  double began = now_s();
  open_all();
  double opened = now_s();
  double cpu = cpu_s();
  double end = opened + (double)run.seconds;
  long lost = 0, at_risk = 0;
  for (double left; (left = end - now_s()) > 0;) {
    coord_event *event = coord_queue_next(run.queue, (int32_t)(left * 1000) + 1);
    lost += coord_event_type(event) == COORD_EVENT_LOST;
    at_risk += coord_event_type(event) == COORD_EVENT_AT_RISK;
    coord_event_free(event);
  }
  double held = now_s() - opened;
  cpu = cpu_s() - cpu;
  for (long i = 0; i < run.leases; i++) lost += coord_lease_remaining_ms(run.all[i]) == 0;
  printf(
      "{\"leases\":%ld,\"held_s\":%.1f,\"open_s\":%.2f,\"lost\":%ld,\"at_risk\":%ld,"
      "\"client_cpu_percent\":%.2f}\n",
      run.leases, held, opened - began, lost, at_risk, 100 * cpu / held);
  fflush(stdout);
  getchar(); /* until whoever counts the leases on the server has done so */
  coord_client_close(run.client, 1000, NULL);
  for (long i = 0; i < run.leases; i++) coord_lease_free(run.all[i]);
  free(run.all);
  coord_queue_free(run.queue);
  coord_client_free(run.client);
  return 0;
}
