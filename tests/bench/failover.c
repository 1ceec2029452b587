/* A steady load of reads and writes on a cluster whose nodes fail, through the public API: how long
 * nothing succeeded, and which errors came up. One line of JSON on stdout. */
#include <coord.h>
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 64, KEY_BYTES = 64, TEXT_BYTES = 256, WARM_CALLS = 100, PAUSE_US = 2000 };

typedef enum { READS, WRITES, KINDS } kind;

/* What the threads of one kind have met; all under the lock. */
typedef struct {
  uint64_t ok;
  uint64_t errors;
  uint64_t maybe_applied;
  uint64_t last_ns; /* of the last success */
  uint64_t gap_ns;
  uint64_t slowest_ns; /* longest call, failed or not */
  char first_error[TEXT_BYTES];
} tally;

static struct {
  const char *endpoints;
  const char *key;
  int32_t timeout_ms;
  int readers;
  int writers;
  coord_client *client;
  pthread_mutex_t lock; /* of what follows */
  int stop;
  int counts; /* the time that counts has begun and not ended */
  tally of[KINDS];
  uint64_t all_ok;
  uint64_t all_last_ns;
  uint64_t all_gap_ns;
} run = {.timeout_ms = 5000, .readers = 4, .writers = 4, .lock = PTHREAD_MUTEX_INITIALIZER};

typedef struct {
  pthread_t thread;
  kind kind;
  char key[KEY_BYTES];
} worker;

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("failover: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(2);
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* ---- account --------------------------------------------------------------------------------- */

static void widen(uint64_t *gap, uint64_t *last, uint64_t now) {
  if (now > *last && now - *last > *gap) {
    *gap = now - *last;
  }
  *last = now;
}

static void account(kind k, uint64_t start, coord_code code, const coord_error *err) {
  tally *t = &run.of[k];
  uint64_t now;
  pthread_mutex_lock(&run.lock);
  now = now_ns(); /* under the lock, so that it never goes back */
  if (now - start > t->slowest_ns) {
    t->slowest_ns = now - start;
  }
  if (code == COORD_OK) {
    t->ok++;
    run.all_ok++;
    if (run.counts) {
      widen(&t->gap_ns, &t->last_ns, now);
      widen(&run.all_gap_ns, &run.all_last_ns, now);
    }
  } else {
    t->errors++;
    t->maybe_applied += (coord_error_flags(err) & COORD_MAYBE_APPLIED) != 0;
    if (t->first_error[0] == '\0') {
      snprintf(t->first_error, sizeof t->first_error, "%s: %s", coord_code_name(code),
               coord_error_message(err));
    }
  }
  pthread_mutex_unlock(&run.lock);
}

/* Begins or ends the time that counts: a gap may reach to either end. */
static void count(int on) {
  uint64_t now;
  pthread_mutex_lock(&run.lock);
  now = now_ns();
  if (!on) {
    widen(&run.all_gap_ns, &run.all_last_ns, now);
  }
  run.all_last_ns = now;
  for (int k = 0; k < KINDS; k++) {
    if (!on) {
      widen(&run.of[k].gap_ns, &run.of[k].last_ns, now);
    }
    run.of[k].last_ns = now;
  }
  run.counts = on;
  run.stop = !on;
  pthread_mutex_unlock(&run.lock);
}

/* ---- load ------------------------------------------------------------------------------------ */

static int is_stopped(void) {
  int stopped;
  pthread_mutex_lock(&run.lock);
  stopped = run.stop;
  pthread_mutex_unlock(&run.lock);
  return stopped;
}

static void *work(void *argument) {
  worker *w = argument;
  size_t len = strlen(w->key);
  while (!is_stopped()) {
    coord_op *op = w->kind == READS ? coord_op_get(w->key, len) : coord_op_put(w->key, len, "v", 1);
    coord_result *result = NULL;
    coord_error *err = NULL;
    uint64_t start = now_ns();
    coord_code code = coord_call(run.client, op, run.timeout_ms, &result, &err);
    account(w->kind, start, code, err);
    coord_error_free(err);
    coord_result_free(result);
    coord_op_free(op);
    usleep(PAUSE_US);
  }
  return NULL;
}

static void start(worker *w, kind k, int number) {
  int code;
  w->kind = k;
  if (k == READS) {
    snprintf(w->key, sizeof w->key, "%s", run.key);
  } else {
    snprintf(w->key, sizeof w->key, "%s/%d", run.key, number);
  }
  code = pthread_create(&w->thread, NULL, work, w);
  if (code != 0) {
    fail("pthread_create: %s", strerror(code));
  }
}

static void wait_for_warmth(void) {
  uint64_t done = 0;
  for (int i = 0; i < 10000 && done < WARM_CALLS; i++) {
    usleep(1000);
    pthread_mutex_lock(&run.lock);
    done = run.all_ok;
    pthread_mutex_unlock(&run.lock);
  }
  if (done < WARM_CALLS) {
    fail("only %llu calls succeeded in 10 s: %s%s", (unsigned long long)done,
         run.of[READS].first_error, run.of[WRITES].first_error);
  }
}

static void open_client(void) {
  coord_options *options = NULL;
  coord_error *err = NULL;
  if (coord_options_new(&options) != COORD_OK) {
    fail("coord_options_new failed");
  }
  if (coord_options_set(options, "endpoints", run.endpoints, &err) != COORD_OK ||
      coord_options_set(options, "log.level", "off", &err) != COORD_OK ||
      coord_client_open(options, &run.client, &err) != COORD_OK ||
      coord_put(run.client, run.key, strlen(run.key), "v", 1, &err) != COORD_OK) {
    fail("%s: %s", coord_code_name(coord_error_code(err)), coord_error_message(err));
  }
  coord_options_free(options);
}

/* ---- output ---------------------------------------------------------------------------------- */

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

static void print(const char *name, const tally *t) {
  printf(
      ", \"%ss\": %llu, \"%s_errors\": %llu, \"%s_maybe_applied\": %llu, \"%s_gap_ms\": %.1f, "
      "\"%s_slowest_ms\": %.1f, \"%s_error\": \"",
      name, (unsigned long long)t->ok, name, (unsigned long long)t->errors, name,
      (unsigned long long)t->maybe_applied, name, (double)t->gap_ns / 1e6, name,
      (double)t->slowest_ns / 1e6, name);
  print_text(t->first_error);
  printf("\"");
}

static const char usage[] =
    "usage: failover --endpoints HOST:PORT,... --key KEY [--readers N] [--writers N]\n"
    "                [--timeout-ms MS]\n"
    "\n"
    "Threads that read KEY and write KEY/0, KEY/1, ... with a pause of 2 ms between calls. Prints\n"
    "\"ready\" when it runs; at the end of the standard input it stops and prints one line of "
    "JSON:\n"
    "calls done and failed, and the longest time without a success, for both and for each kind.\n";

static int number(const char *name, const char *text, int least, int most) {
  char *end = NULL;
  long value;
  errno = 0;
  value = strtol(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || value < least || value > most) {
    fail("--%s is \"%s\"; it must be a number from %d to %d", name, text, least, most);
  }
  return (int)value;
}

static void parse(int argc, char **argv) {
  static const struct option options[] = {{"endpoints", required_argument, NULL, 'e'},
                                          {"key", required_argument, NULL, 'k'},
                                          {"readers", required_argument, NULL, 'r'},
                                          {"writers", required_argument, NULL, 'w'},
                                          {"timeout-ms", required_argument, NULL, 't'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
  int option;
  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    switch (option) {
      case 'e':
        run.endpoints = optarg;
        break;
      case 'k':
        run.key = optarg;
        break;
      case 'r':
        run.readers = number("readers", optarg, 0, THREADS_MAX / 2);
        break;
      case 'w':
        run.writers = number("writers", optarg, 0, THREADS_MAX / 2);
        break;
      case 't':
        run.timeout_ms = number("timeout-ms", optarg, 1, 600000);
        break;
      case 'h':
        fputs(usage, stdout);
        exit(0);
      default:
        fputs(usage, stderr);
        exit(2);
    }
  }
  if (optind != argc || run.endpoints == NULL || run.key == NULL || strlen(run.key) > 48) {
    fputs(usage, stderr);
    exit(2);
  }
}

int main(int argc, char **argv) {
  static worker workers[THREADS_MAX];
  char ignored[64];
  int threads = 0;
  parse(argc, argv);
  open_client();
  for (int i = 0; i < run.readers; i++) {
    start(&workers[threads++], READS, i);
  }
  for (int i = 0; i < run.writers; i++) {
    start(&workers[threads++], WRITES, i);
  }
  wait_for_warmth();
  count(1);
  puts("ready");
  fflush(stdout);
  while (read(STDIN_FILENO, ignored, sizeof ignored) > 0) {
  }
  count(0);
  for (int i = 0; i < threads; i++) {
    pthread_join(workers[i].thread, NULL);
  }
  printf("{\"gap_ms\": %.1f", (double)run.all_gap_ns / 1e6);
  print("read", &run.of[READS]);
  print("write", &run.of[WRITES]);
  printf("}\n");
  coord_client_close(run.client, 1000, NULL);
  coord_client_free(run.client);
  return 0;
}
