/* The writer of ./dev bench watch, the same one for all clients that are measured: puts, in a txn or alone, to keys in turn. */
#include <coord.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 256, KEY_BYTES = 96, WAIT_MS = 60000 };

static struct {
  const char *endpoints;
  const char *key;
  size_t keys;
  size_t ops;
  size_t batch; /* puts of one txn */
  size_t in_flight;
  size_t every_ms;
  coord_client *client;
  coord_queue *queue;
  size_t next;
} run = {.keys = 1, .ops = 1, .batch = 1, .in_flight = 1};

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("writer: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(2);
}

static void *need(void *memory) {
  if (memory == NULL) fail("out of memory");
  return memory;
}

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void open_client(void) {
  coord_options *options = NULL;
  coord_error *err = NULL;
  if (coord_options_new(&options) != COORD_OK ||
      coord_options_set(options, "endpoints", run.endpoints, &err) != COORD_OK ||
      coord_options_set(options, "log.level", "off", &err) != COORD_OK ||
      coord_client_open(options, &run.client, &err) != COORD_OK ||
      coord_queue_open(&run.queue, &err) != COORD_OK) {
    fail("%s", coord_error_message(err));
  }
  coord_options_free(options);
}

static coord_op *put(void) {
  char key[KEY_BYTES];
  int len = snprintf(key, sizeof key, "%s%06zu", run.key, run.next++ % run.keys);
  return need(coord_op_put(key, (size_t)len, "value-01", 8));
}

static coord_op *make(void) {
  coord_op *txn;
  if (run.batch == 1) return put();
  txn = need(coord_op_txn());
  for (size_t i = 0; i < run.batch; i++) {
    coord_op *one = put();
    if (coord_op_then(txn, one) != COORD_OK) fail("coord_op_then failed");
    coord_op_free(one);
  }
  return txn;
}

static void submit(void) {
  coord_error *err = NULL;
  coord_op *op = make();
  if (coord_submit(run.client, op, WAIT_MS, run.queue, 0, NULL, &err) != COORD_OK) {
    fail("%s", coord_error_message(err));
  }
  coord_op_free(op);
}

static void write_all(void) {
  coord_event *events[EVENTS_AT_ONCE];
  size_t calls = run.ops / run.batch;
  size_t submitted = 0;
  for (size_t done = 0; done < calls;) {
    for (; submitted < calls && submitted - done < run.in_flight; submitted++) submit();
    size_t got = coord_queue_drain(run.queue, events, EVENTS_AT_ONCE);
    if (got == 0) {
      events[0] = coord_queue_next(run.queue, WAIT_MS);
      if (events[0] == NULL) fail("no completion in 60 s");
      got = 1;
    }
    for (size_t i = 0; i < got; i++) {
      if (coord_event_code(events[i]) != COORD_OK) {
        fail("%s", coord_error_message(coord_event_error(events[i])));
      }
      coord_event_free(events[i]);
    }
    done += got;
  }
}

/* One put now and then, until the standard input ends. What fails is left: whoever watches counts versions. */
static void write_slowly(void) {
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  while (poll(&input, 1, (int)run.every_ms) == 0) {
    coord_op *op = put();
    coord_result *result = NULL;
    coord_call(run.client, op, 0, &result, NULL);
    coord_result_free(result);
    coord_op_free(op);
  }
}

static const char usage[] =
    "usage: writer --endpoints HOST:PORT,... --key PREFIX [--keys N] [--ops N] [--batch N]\n"
    "              [--in-flight N] [--every-ms MS]\n"
    "\n"
    "Says \"ready\", waits for a line on the standard input, does --ops puts to --keys keys in "
    "turn, --batch in\n"
    "one txn, --in-flight calls at a time, and prints how long it took. With --every-ms: one put "
    "at a time, until\n"
    "the standard input ends.\n";

static size_t number(const char *name, const char *text, size_t least) {
  char *end = NULL;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || value < least || value > 100000000) {
    fail("--%s is \"%s\"; it must be a number from %zu to 100000000", name, text, least);
  }
  return (size_t)value;
}

static void parse(int argc, char **argv) {
  static const struct option options[] = {
      {"endpoints", required_argument, NULL, 'e'}, {"key", required_argument, NULL, 'k'},
      {"keys", required_argument, NULL, 's'},      {"ops", required_argument, NULL, 'o'},
      {"batch", required_argument, NULL, 'b'},     {"in-flight", required_argument, NULL, 'f'},
      {"every-ms", required_argument, NULL, 'm'},  {NULL, 0, NULL, 0}};
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (option == 'e') run.endpoints = optarg;
    if (option == 'k') run.key = optarg;
    if (option == 's') run.keys = number("keys", optarg, 1);
    if (option == 'o') run.ops = number("ops", optarg, 1);
    if (option == 'b') run.batch = number("batch", optarg, 1);
    if (option == 'f') run.in_flight = number("in-flight", optarg, 1);
    if (option == 'm') run.every_ms = number("every-ms", optarg, 1);
    if (option == '?') fail("%s", usage);
  }
  if (optind != argc || run.endpoints == NULL || run.key == NULL ||
      strlen(run.key) > KEY_BYTES - 16 || run.ops % run.batch != 0 || run.batch > run.keys) {
    fail("%s", usage);
  }
}

int main(int argc, char **argv) {
  char line[16];
  parse(argc, argv);
  open_client();
  puts("ready");
  fflush(stdout);
  /* Not by stdio: what follows polls the descriptor. */
  if (read(STDIN_FILENO, line, sizeof line) <= 0) return 0;
  double start = now_s();
  if (run.every_ms > 0) {
    write_slowly();
  } else {
    write_all();
  }
  printf("{\"puts\": %zu, \"seconds\": %.4f}\n", run.next, now_s() - start);
  coord_client_free(run.client);
  coord_queue_free(run.queue);
  return 0;
}
