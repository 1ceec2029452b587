/* Picking, discovering, reading configuration and restoring through the public API. One line of JSON on stdout. */
#include <coord.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 64, EACH_NTH = 16, SAMPLES = 200000, WAIT_MS = 60000, WINDOW = 512 };

static struct {
  const char *endpoint;
  const char *which;
  const char *policy;
  long threads;
  long instances;
  long ops;
  long rate;
  double seconds;
  long ttl;
  coord_client *client;
  coord_registry *registry;
  coord_config *config;
  coord_queue *queue;
  atomic_bool begin;
  atomic_bool stop;
} run = {.policy = "round_robin",
         .threads = 1,
         .instances = 100,
         .ops = 20000,
         .rate = 5000,
         .seconds = 2,
         .ttl = 10};

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("registry: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(2);
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int by_size(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}

/* Nearest rank. */
static int64_t percentile(const int64_t *sorted, long n, int percent) {
  long rank = (n * percent + 99) / 100;
  return n > 0 ? sorted[rank > 0 ? rank - 1 : 0] : 0;
}

/* ---- instances ---- */

static void open_all(void) {
  coord_options *options = NULL;
  coord_error *err = NULL;
  if (coord_options_new(&options) || coord_options_set(options, "endpoints", run.endpoint, &err) ||
      coord_options_set(options, "log.level", "off", &err) ||
      coord_client_open(options, &run.client, &err) ||
      coord_options_set(options, "registry.prefix", "bench/services", &err) ||
      coord_registry_open(run.client, options, &run.registry, &err) ||
      coord_queue_open(&run.queue, &err)) {
    fail("%s", coord_error_message(err));
  }
  coord_options_free(options);
}

static coord_registration **register_all(void) {
  coord_registration **all = calloc((size_t)run.instances, sizeof(coord_registration *));
  if (all == NULL) fail("no memory");
  for (long i = 0; i < run.instances; i++) {
    char json[200];
    coord_error *err = NULL;
    snprintf(json, sizeof json,
             "{\"id\":\"i%05ld\",\"name\":\"web\",\"address\":\"10.0.%ld.%ld\",\"port\":8080,"
             "\"weight\":%ld,"
             "\"metadata\":{\"zone\":\"z%ld\"}}",
             i, i / 256, i % 256, 1 + i % 5, i % 3);
    if (coord_registry_register(run.registry, json, run.ttl, run.queue, (uint64_t)i, &all[i],
                                &err)) {
      fail("%s", coord_error_message(err));
    }
  }
  return all;
}

/* Until so many have told this; others are passed over. When the last one did. */
static int64_t wait_for(int32_t type, long count, int timeout_ms) {
  int64_t until = now_ns() + timeout_ms * INT64_C(1000000);
  for (long n = 0; n < count;) {
    coord_event *event = coord_queue_next(run.queue, 1000);
    if (event == NULL && now_ns() > until)
      fail("only %ld of %ld have told %d", n, count, (int)type);
    if (event != NULL && coord_event_type(event) == COORD_EVENT_CLOSED) {
      fail("a registration has ended: %s", coord_error_message(coord_event_error(event)));
    }
    n += event != NULL && coord_event_type(event) == type;
    coord_event_free(event);
  }
  return now_ns();
}

static void free_all(coord_registration **all) {
  for (long i = 0; i < run.instances; i++) coord_registration_free(all[i]);
  free(all);
}

/* ---- picking ---- */

typedef struct picking {
  pthread_t thread;
  coord_picker *picker;
  long picks;
  long count; /* of samples */
  int64_t *samples;
} picking;

static int32_t policy(void) {
  static const char *const names[] = {"pick_first", "round_robin",   "random",
                                      "weighted",   "least_pending", "consistent_hash"};
  for (int32_t i = 0; i < 6; i++) {
    if (strcmp(run.policy, names[i]) == 0) return i;
  }
  fail("no policy \"%s\"", run.policy);
}

static void pick(picking *p, uint64_t key) {
  coord_instance *instance = NULL;
  if (coord_picker_pick(p->picker, &key, sizeof key, &instance)) fail("a pick has failed");
  coord_instance_free(instance);
}

/* Many picks between two looks at the clock; and each time one by itself. */
static void *pick_on(void *arg) {
  picking *p = arg;
  while (!atomic_load(&run.begin)) usleep(100);
  while (!atomic_load_explicit(&run.stop, memory_order_relaxed)) {
    for (int i = 1; i < EACH_NTH * 16; i++) pick(p, (uint64_t)p->picks++ * 7919);
    int64_t from = now_ns();
    pick(p, (uint64_t)p->picks++ * 7919);
    if (p->count < SAMPLES) p->samples[p->count++] = now_ns() - from;
  }
  return NULL;
}

/* What the clock itself takes, which is in each sample. */
static int64_t clock_cost(void) {
  int64_t from = now_ns(), last = from;
  for (int i = 0; i < 100000; i++) last = now_ns();
  return (last - from) / 100000;
}

static void picks(void) {
  static picking all[THREADS_MAX];
  coord_registration **registered = register_all();
  coord_instances *there = NULL;
  coord_picker *picker = NULL;
  coord_error *err = NULL;
  wait_for(COORD_EVENT_ACQUIRED, run.instances, WAIT_MS);
  do {
    coord_instances_free(there);
    if (coord_registry_discover(run.registry, "web", WAIT_MS, &there, &err)) {
      fail("%s", coord_error_message(err));
    }
  } while ((long)coord_instances_count(there) < run.instances);
  coord_instances_free(there);
  if (coord_picker_open(run.registry, "web", policy(), NULL, &picker, &err)) {
    fail("%s", coord_error_message(err));
  }
  for (long i = 0; i < run.threads; i++) {
    all[i].picker = picker;
    all[i].samples = malloc(SAMPLES * sizeof(int64_t));
    if (all[i].samples == NULL || pthread_create(&all[i].thread, NULL, pick_on, &all[i])) {
      fail("no thread");
    }
  }
  int64_t cost = clock_cost(), from = now_ns();
  atomic_store(&run.begin, true);
  usleep((useconds_t)(run.seconds * 1e6));
  atomic_store(&run.stop, true);
  long count = 0, sampled = 0;
  int64_t *samples = malloc((size_t)run.threads * SAMPLES * sizeof(int64_t));
  if (samples == NULL) fail("no memory");
  for (long i = 0; i < run.threads; i++) {
    pthread_join(all[i].thread, NULL);
    count += all[i].picks;
    for (long k = 0; k < all[i].count; k++) samples[sampled++] = all[i].samples[k] - cost;
    free(all[i].samples);
  }
  double seconds = (double)(now_ns() - from) / 1e9;
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  if (cores > run.threads) cores = run.threads;
  qsort(samples, (size_t)sampled, sizeof *samples, by_size);
  printf(
      "{\"ops_per_s\":%.0f,\"ops_per_s_core\":%.0f,\"p50_ns\":%lld,\"p99_ns\":%lld,\"cores\":%ld}"
      "\n",
      (double)count / seconds, (double)count / seconds / (double)cores,
      (long long)percentile(samples, sampled, 50), (long long)percentile(samples, sampled, 99),
      cores);
  free(samples);
  coord_picker_free(picker);
  free_all(registered);
}

/* ---- asking the server, so many times a second ---- */

static coord_op *discover_op(void) { return coord_op_discover(run.registry, "web"); }

static coord_op *config_op(void) { return coord_op_config_get(run.config, "value"); }

/* Each op is in flight once at most, so that a slow answer holds up no other. */
typedef struct asking {
  coord_op *ops[WINDOW];
  int free_ops[WINDOW];
  int free_count;
  int *op_of;     /* of each question */
  int64_t *begun; /* from when it should have begun: who waits for its turn waits too */
  int64_t *samples;
  int64_t from, gap;
  long started, ended;
} asking;

static bool submit_next(asking *a) {
  int64_t due = a->from + a->started * a->gap;
  if (a->started == run.ops || a->free_count == 0 || now_ns() < due) return false;
  a->op_of[a->started] = a->free_ops[--a->free_count];
  a->begun[a->started] = due;
  coord_op *op = a->ops[a->op_of[a->started]];
  if (coord_submit(run.client, op, WAIT_MS, run.queue, (uint64_t)a->started, NULL, NULL)) {
    fail("no submit");
  }
  a->started++;
  return true;
}

/* Until there is an answer, or it is time for the next question. */
static void wait_for_either(const asking *a) {
  struct pollfd queue = {.fd = coord_queue_fd(run.queue), .events = POLLIN};
  bool is_full = a->free_count == 0 || a->started == run.ops;
  int64_t ns = is_full ? INT64_C(100000000) : a->from + a->started * a->gap - now_ns();
  if (ns > 0) ppoll(&queue, 1, &(struct timespec){.tv_nsec = ns}, NULL);
}

static void take_answers(asking *a, long answers) {
  for (coord_event *event; (event = coord_queue_next(run.queue, 0)) != NULL; a->ended++) {
    if (coord_event_type(event) != COORD_EVENT_RESULT || coord_event_code(event) != COORD_OK ||
        (long)coord_result_count(coord_event_result(event)) != answers) {
      fail("a question has failed");
    }
    long i = (long)coord_event_tag(event);
    a->samples[i] = now_ns() - a->begun[i];
    a->free_ops[a->free_count++] = a->op_of[i];
    coord_event_free(event);
  }
}

static void ask(coord_op *(*make)(void), long answers) {
  asking a = {.free_count = WINDOW, .gap = INT64_C(1000000000) / run.rate};
  a.begun = calloc((size_t)run.ops, sizeof *a.begun);
  a.samples = calloc((size_t)run.ops, sizeof *a.samples);
  a.op_of = calloc((size_t)run.ops, sizeof *a.op_of);
  if (a.begun == NULL || a.samples == NULL || a.op_of == NULL) fail("no memory");
  for (int i = 0; i < WINDOW; i++) {
    a.ops[i] = make();
    a.free_ops[i] = i;
    if (a.ops[i] == NULL) fail("no memory");
  }
  if (coord_call(run.client, a.ops[0], WAIT_MS, NULL, NULL)) fail("it cannot be asked");
  a.from = now_ns();
  while (a.ended < run.ops) {
    while (submit_next(&a)) continue;
    wait_for_either(&a);
    take_answers(&a, answers);
  }
  double seconds = (double)(now_ns() - a.from) / 1e9;
  qsort(a.samples, (size_t)run.ops, sizeof *a.samples, by_size);
  printf("{\"ops\":%ld,\"ops_per_s\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n", run.ops,
         (double)run.ops / seconds, (double)percentile(a.samples, run.ops, 50) / 1e3,
         (double)percentile(a.samples, run.ops, 99) / 1e3);
  for (int i = 0; i < WINDOW; i++) coord_op_free(a.ops[i]);
  free(a.begun);
  free(a.samples);
  free(a.op_of);
}

static void discover(void) {
  coord_registration **registered = register_all();
  wait_for(COORD_EVENT_ACQUIRED, run.instances, WAIT_MS);
  ask(discover_op, run.instances);
  free_all(registered);
}

static void configure(void) {
  coord_error *err = NULL;
  if (coord_config_open(run.client, "bench", NULL, NULL, 0, &run.config, &err)) {
    fail("%s", coord_error_message(err));
  }
  coord_op *set = coord_op_config_set(run.config, "value", "{\"answer\": 42}", -1);
  if (coord_call(run.client, set, WAIT_MS, NULL, &err)) fail("%s", coord_error_message(err));
  coord_op_free(set);
  ask(config_op, 1);
  coord_config_free(run.config);
}

/* ---- a server that dies ---- */

static void restore(void) {
  int64_t from = now_ns();
  coord_registration **registered = register_all();
  int64_t there = wait_for(COORD_EVENT_ACQUIRED, run.instances, WAIT_MS);
  puts("ready");
  fflush(stdout);
  getchar(); /* now the server is ended */
  wait_for(COORD_EVENT_LOST, run.instances, WAIT_MS);
  int64_t back = wait_for(COORD_EVENT_RESTORED, run.instances, 2 * WAIT_MS);
  printf("{\"registrations\":%ld,\"register_s\":%.3f,\"restored_at_s\":%.3f}\n", run.instances,
         (double)(there - from) / 1e9, (double)back / 1e9);
  fflush(stdout);
  while (getchar() != EOF) {
  } /* until whoever looks at the server has done so */
  free_all(registered);
}

/* ---- the command line ---- */

static const char usage[] =
    "usage: registry --endpoint HOST:PORT --case pick|discover|config|restore [--policy NAME]\n"
    "                [--threads N] [--instances N] [--seconds S] [--ops N] [--rate N] [--ttl S]\n";

static void read_arguments(int argc, char **argv) {
  static const struct option options[] = {
      {"endpoint", required_argument, NULL, 'e'},  {"case", required_argument, NULL, 'c'},
      {"policy", required_argument, NULL, 'p'},    {"threads", required_argument, NULL, 't'},
      {"instances", required_argument, NULL, 'i'}, {"seconds", required_argument, NULL, 's'},
      {"ops", required_argument, NULL, 'o'},       {"rate", required_argument, NULL, 'r'},
      {"ttl", required_argument, NULL, 'l'},       {NULL, 0, NULL, 0}};
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (option == 'e') run.endpoint = optarg;
    if (option == 'c') run.which = optarg;
    if (option == 'p') run.policy = optarg;
    if (option == 't') run.threads = atol(optarg);
    if (option == 'i') run.instances = atol(optarg);
    if (option == 's') run.seconds = atof(optarg);
    if (option == 'o') run.ops = atol(optarg);
    if (option == 'r') run.rate = atol(optarg);
    if (option == 'l') run.ttl = atol(optarg);
    if (option == '?') fail("%s", usage);
  }
  if (run.endpoint == NULL || run.which == NULL || optind != argc || run.threads < 1 ||
      run.threads > THREADS_MAX || run.instances < 1 || run.instances > 100000 || run.ops < 1 ||
      run.rate < 1 || run.ttl < 1 || run.seconds <= 0 || run.seconds > 60) {
    fail("%s", usage);
  }
}

int main(int argc, char **argv) {
  read_arguments(argc, argv);
  open_all();
  if (strcmp(run.which, "pick") == 0) {
    picks();
  } else if (strcmp(run.which, "discover") == 0) {
    discover();
  } else if (strcmp(run.which, "config") == 0) {
    configure();
  } else if (strcmp(run.which, "restore") == 0) {
    restore();
  } else {
    fail("%s", usage);
  }
  coord_registry_free(run.registry);
  coord_client_close(run.client, WAIT_MS, NULL);
  coord_client_free(run.client);
  coord_queue_free(run.queue);
  return 0;
}
