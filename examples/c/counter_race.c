/*
 * Many threads, one client, one counter: each adds one by compare-and-set, and none is lost.
 *
 * A write says "if the counter is still as I read it"; who comes too late is told the counter as it
 * is now, by the else branch, and tries again.
 */
#define _POSIX_C_SOURCE 200809L
#include <coord.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: counter_race [--threads N] [--increments N] [--key KEY] [--json]\n"
    "\n"
    "N threads (8) add one to a counter N times each (500). Exits 1 when an increment was lost.";

enum { MOST_THREADS = 256, MOST_INCREMENTS = 10000000 };

typedef struct {
  coord_client *client;
  const char *key;
  int64_t increments; /* of each thread */
  atomic_bool stop;   /* a thread has failed */
} race;

typedef struct {
  race *race;
  pthread_t thread;
  int64_t done;
  int64_t conflicts;
  bool failed;
} racer;

typedef struct {
  int64_t value;
  int64_t mod_revision; /* 0: there is no such key yet */
} counter;

static bool complain(coord_code code, const coord_error *err) {
  fprintf(stderr, "counter_race: %s: %s%s\n", coord_code_name(code), coord_error_message(err),
          coord_error_flags(err) & COORD_MAYBE_APPLIED ? " (the write may have been applied)" : "");
  return false;
}

/* The counter in the result of a get; an absent key counts as 0. */
static bool parse_counter(const coord_result *result, counter *out) {
  coord_kv kv;
  *out = (counter){0};
  if (coord_result_kv(result, 0, &kv) != COORD_OK) return true;

  char text[24] = "";
  char *end = text;
  if (kv.value_len < sizeof text) memcpy(text, kv.value, kv.value_len);
  out->value = strtoll(text, &end, 10);
  out->mod_revision = kv.mod_revision;
  if (end == text || (size_t)(end - text) != kv.value_len) {
    fprintf(stderr, "counter_race: %.*s holds no number\n", (int)kv.key_len, (const char *)kv.key);
    return false;
  }
  return true;
}

static bool read_counter(const race *r, counter *out) {
  coord_result *result = NULL;
  coord_error *err = NULL;
  coord_code code = coord_get(r->client, r->key, strlen(r->key), &result, &err);
  bool good = code == COORD_OK ? parse_counter(result, out) : complain(code, err);
  coord_error_free(err);
  coord_result_free(result);
  return good;
}

/* One attempt to add one to the counter as `seen`, which becomes the counter as it is now. */
static bool try_increment(const race *r, counter *seen, bool *won) {
  char text[24];
  int text_len = snprintf(text, sizeof text, "%" PRId64, seen->value + 1);
  size_t key_len = strlen(r->key);
  coord_op *put = coord_op_put(r->key, key_len, text, (size_t)text_len);
  coord_op *get = coord_op_get(r->key, key_len);
  coord_op *txn = coord_op_txn();
  coord_result *result = NULL;
  coord_error *err = NULL;
  bool good = true;

  /* What goes wrong while a transaction is built, coord_call answers: nothing is sent then. */
  coord_op_if_int(txn, r->key, key_len, COORD_COMPARE_MOD, COORD_EQUAL, seen->mod_revision);
  coord_op_then(txn, put);
  coord_op_else(txn, get);
  coord_code code = coord_call(r->client, txn, 0, &result, &err);
  if (code != COORD_OK) {
    good = complain(code, err);
  } else if (coord_result_succeeded(result)) {
    *won = true;
    *seen = (counter){.value = seen->value + 1, .mod_revision = coord_result_revision(result)};
  } else {
    *won = false;
    good = parse_counter(coord_result_part(result, 0), seen);
  }
  coord_error_free(err);
  coord_result_free(result);
  coord_op_free(txn);
  coord_op_free(get);
  coord_op_free(put);
  return good;
}

static void *run(void *argument) {
  racer *me = argument;
  race *r = me->race;
  counter seen;

  me->failed = !read_counter(r, &seen);
  while (!me->failed && me->done < r->increments && !atomic_load(&r->stop)) {
    bool won = false;
    me->failed = !try_increment(r, &seen, &won);
    if (me->failed) break;
    if (won) {
      me->done++;
    } else {
      me->conflicts++;
    }
  }
  if (me->failed) atomic_store(&r->stop, true);
  return NULL;
}

/* Start the threads and wait for them all. */
static bool run_all(race *r, racer *racers, int threads) {
  int started = 0;
  bool good = true;
  for (; started < threads; started++) {
    racers[started].race = r;
    int error = pthread_create(&racers[started].thread, NULL, run, &racers[started]);
    if (error != 0) {
      fprintf(stderr, "counter_race: thread %d: %s\n", started, strerror(error));
      atomic_store(&r->stop, true);
      good = false;
      break;
    }
  }
  for (int i = 0; i < started; i++) {
    pthread_join(racers[i].thread, NULL);
    good = good && !racers[i].failed;
  }
  return good;
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int measure(race *r, int threads, bool json) {
  racer racers[MOST_THREADS] = {0};
  counter first, last;
  if (!read_counter(r, &first)) return EXIT_FAILURE;
  double start = seconds();
  bool good = run_all(r, racers, threads);
  double took = seconds() - start;
  if (!good || !read_counter(r, &last)) return EXIT_FAILURE;

  int64_t done = 0, conflicts = 0;
  for (int i = 0; i < threads; i++) {
    done += racers[i].done;
    conflicts += racers[i].conflicts;
  }
  int64_t lost = first.value + done - last.value;
  if (json) {
    printf("{\"threads\":%d,\"increments\":%" PRId64 ",\"conflicts\":%" PRId64
           ",\"seconds\":%.6f,\"increments_per_s\":%.1f,\"first\":%" PRId64 ",\"final\":%" PRId64
           ",\"lost\":%" PRId64 "}\n",
           threads, done, conflicts, took, (double)done / took, first.value, last.value, lost);
  } else {
    printf("%d threads: %" PRId64 " increments in %.3f s (%.0f/s), %" PRId64 " conflicts\n",
           threads, done, took, (double)done / took, conflicts);
    printf("the counter went from %" PRId64 " to %" PRId64 ": %" PRId64 " lost\n", first.value,
           last.value, lost);
  }
  if (lost != 0) fprintf(stderr, "counter_race: %" PRId64 " increments were lost\n", lost);
  return lost == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static coord_client *open_client(void) {
  const char *endpoints = getenv("COORD_ENDPOINTS");
  coord_options *options = NULL;
  coord_client *client = NULL;
  coord_error *err = NULL;
  coord_code code = coord_options_new(&options);
  if (code == COORD_OK) {
    code = coord_options_set(options, "endpoints", endpoints ? endpoints : "", &err);
  }
  if (code == COORD_OK) code = coord_client_open(options, &client, &err);
  if (code != COORD_OK) complain(code, err);
  coord_error_free(err);
  coord_options_free(options);
  return client;
}

/* A number from 1 to `most`; 0 when the text is none. */
static long number(const char *name, const char *text, long most) {
  char *end = NULL;
  long n = text ? strtol(text, &end, 10) : 0;
  if (n >= 1 && n <= most && *end == '\0') return n;
  fprintf(stderr, "counter_race: %s takes a number, 1 to %ld, not \"%s\"\n", name, most,
          text ? text : "");
  return 0;
}

int main(int argc, char **argv) {
  race r = {.key = "counter_race", .increments = 500};
  long threads = 8;
  bool json = false;

  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0) {
      puts(usage);
      return EXIT_SUCCESS;
    } else if (strcmp(argv[i], "--json") == 0) {
      json = true;
    } else if (strcmp(argv[i], "--threads") == 0) {
      threads = number("--threads", argv[++i], MOST_THREADS);
    } else if (strcmp(argv[i], "--increments") == 0) {
      r.increments = number("--increments", argv[++i], MOST_INCREMENTS);
    } else if (strcmp(argv[i], "--key") == 0 && i + 1 < argc) {
      r.key = argv[++i];
    } else {
      fprintf(stderr, "counter_race: what is \"%s\"?\n%s\n", argv[i], usage);
      return 2;
    }
    if (threads == 0 || r.increments == 0) return 2;
  }

  r.client = open_client();
  if (r.client == NULL) return EXIT_FAILURE;
  int status = measure(&r, (int)threads, json);
  coord_client_free(r.client);
  return status;
}
