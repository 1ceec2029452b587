/* Mirrors, through the public API: reading, opening beside a plain paged read, and a change on its way
 * to many of them. One line of JSON on stdout. */
#include <coord.h>
#include <getopt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEY_SIZE = 40, PUTS_OF_TXN = 64, THREADS_MAX = 64 };

static const char prefix[] = "bench/mirror/";

static struct {
  const char *endpoint;
  const char *which;
  long keys;
  long size;
  long ops;
  long threads;
  long mirrors;
  coord_client *client;
  coord_mirror *mirror;
} run = {.keys = 100000, .size = 1024, .ops = 1000000, .threads = 1, .mirrors = 100};

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("mirror: ", stderr);
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

static coord_client *open_client(void) {
  coord_options *options = NULL;
  coord_client *client = NULL;
  coord_error *err = NULL;
  if (coord_options_new(&options) || coord_options_set(options, "endpoints", run.endpoint, &err) ||
      coord_client_open(options, &client, &err)) {
    fail("%s", coord_error_message(err));
  }
  coord_options_free(options);
  return client;
}

static size_t make_key(long i, char key[KEY_SIZE]) {
  return (size_t)snprintf(key, KEY_SIZE, "%s%010ld", prefix, i);
}

static coord_op *get_all(void) {
  coord_op *get = coord_op_get(prefix, sizeof prefix - 1);
  if (get == NULL) fail("no memory");
  coord_op_set_prefix(get);
  return get;
}

static long count_keys(void) {
  coord_op *get = get_all();
  coord_result *result = NULL;
  coord_error *err = NULL;
  coord_op_set(get, COORD_OP_COUNT_ONLY, 1);
  if (coord_call(run.client, get, 0, &result, &err)) fail("%s", coord_error_message(err));
  long count = (long)coord_result_total(result);
  coord_result_free(result);
  coord_op_free(get);
  return count;
}

static void fill(void) {
  if (count_keys() == run.keys) return;
  char *value = calloc(1, (size_t)run.size + 1), key[KEY_SIZE];
  if (value == NULL) fail("no memory");
  for (long i = 0; i < run.keys;) {
    coord_op *txn = coord_op_txn();
    coord_error *err = NULL;
    for (int n = 0; n < PUTS_OF_TXN && i < run.keys; n++, i++) {
      size_t len = make_key(i, key);
      for (long k = 0; k < run.size; k++) value[k] = (char)('a' + (i + k) % 26);
      coord_op *put = coord_op_put(key, len, value, (size_t)run.size);
      if (coord_op_then(txn, put)) fail("no memory");
      coord_op_free(put);
    }
    if (coord_call(run.client, txn, 0, NULL, &err)) fail("%s", coord_error_message(err));
    coord_op_free(txn);
  }
  free(value);
}

static coord_mirror *open_mirror(coord_queue *queue, uint64_t tag) {
  coord_mirror *mirror = NULL;
  coord_error *err = NULL;
  if (coord_mirror_open(run.client, prefix, sizeof prefix - 1, NULL, queue, tag, &mirror, &err)) {
    fail("%s", coord_error_message(err));
  }
  return mirror;
}

static int compare(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}

static double percentile(int64_t *values, long count, double share) {
  qsort(values, (size_t)count, sizeof *values, compare);
  return (double)values[(long)((double)(count - 1) * share)];
}

static long rss_bytes(void) {
  char line[128];
  long kib = 0;
  FILE *f = fopen("/proc/self/status", "r");
  while (f != NULL && fgets(line, sizeof line, f) != NULL) {
    if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
  }
  if (f != NULL) fclose(f);
  return kib * 1024;
}

/* ---- get ---- */

/* What the clock itself takes, which is in each time. */
static int64_t clock_cost(void) {
  enum { LOOKS = 100001 };
  int64_t *took = calloc(LOOKS, sizeof *took), last = now_ns();
  if (took == NULL) fail("no memory");
  for (long i = 0; i < LOOKS; i++) {
    int64_t now = now_ns();
    took[i] = now - last;
    last = now;
  }
  int64_t cost = (int64_t)percentile(took, LOOKS, 0.5);
  free(took);
  return cost;
}

/* Keys at random, one after the other in memory. */
static char (*make_keys(uint64_t seed, size_t *len))[KEY_SIZE] {
  char(*keys)[KEY_SIZE] = calloc((size_t)run.ops, KEY_SIZE);
  if (keys == NULL) fail("no memory");
  for (long i = 0; i < run.ops; i++) {
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    *len = make_key((long)((seed >> 33) % (uint64_t)run.keys), keys[i]);
  }
  return keys;
}

/* One thread: its times, of each read with the freeing of its result. */
typedef struct reader {
  pthread_t thread;
  int64_t *took;
  uint64_t seed;
  int64_t whole_ns;
} reader;

static atomic_long ready;

static void *read_keys(void *arg) {
  reader *r = arg;
  size_t len = 0;
  char(*keys)[KEY_SIZE] = make_keys(r->seed, &len);
  atomic_fetch_add(&ready, 1);
  while (atomic_load(&ready) < run.threads) continue;
  int64_t began = now_ns(), last = began;
  uint64_t sum = 0;
  for (long i = 0; i < run.ops; i++) {
    coord_result *result = NULL;
    coord_kv kv;
    if (coord_mirror_get(run.mirror, keys[i], len, &result) || coord_result_kv(result, 0, &kv)) {
      fail("a key is not there");
    }
    sum += (uint64_t)kv.value_len + *(const uint8_t *)kv.value;
    coord_result_free(result);
    int64_t now = now_ns();
    r->took[i] = now - last;
    last = now;
  }
  r->whole_ns = last - began;
  if (sum == 0) fail("nothing was read");
  free(keys);
  return NULL;
}

static void case_get(void) {
  reader readers[THREADS_MAX] = {{0}};
  run.mirror = open_mirror(NULL, 0);
  int64_t *all = calloc((size_t)(run.ops * run.threads), sizeof *all);
  if (all == NULL) fail("no memory");
  for (long i = 0; i < run.threads; i++) {
    readers[i].took = all + i * run.ops;
    readers[i].seed = (uint64_t)i + 1;
    if (pthread_create(&readers[i].thread, NULL, read_keys, &readers[i])) fail("no thread");
  }
  int64_t longest = 0;
  for (long i = 0; i < run.threads; i++) {
    pthread_join(readers[i].thread, NULL);
    if (readers[i].whole_ns > longest) longest = readers[i].whole_ns;
  }
  long count = run.ops * run.threads;
  double cost = (double)clock_cost(), p99 = percentile(all, count, 0.99);
  printf("{\"p50_ns\":%.0f,\"p99_ns\":%.0f,\"clock_ns\":%.0f,\"per_s\":%.0f}\n",
         percentile(all, count, 0.5) - cost, p99 - cost, cost,
         (double)count * 1e9 / (double)longest);
  free(all);
  coord_mirror_free(run.mirror);
}

/* ---- floor: what this machine takes for the same keys in a plain hash table, which nobody changes ---- */

static uint64_t hash_of(const char *key, size_t len) {
  uint64_t sum = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < len; i++) sum = (sum ^ (uint8_t)key[i]) * UINT64_C(0x100000001b3);
  return sum ^ sum >> 29;
}

/* As many places as there are bits in `mask`, each with a block of key and value. */
static char **make_table(size_t *mask) {
  size_t places = 1;
  char key[KEY_SIZE];
  while (places < (size_t)run.keys * 2) places *= 2;
  char **table = calloc(places, sizeof *table);
  if (table == NULL) fail("no memory");
  *mask = places - 1;
  for (long i = 0; i < run.keys; i++) {
    size_t len = make_key(i, key), at = hash_of(key, len) & *mask;
    char *block = malloc(KEY_SIZE + (size_t)run.size);
    if (block == NULL) fail("no memory");
    memcpy(block, key, len);
    memset(block + KEY_SIZE, 'a' + (int)(i % 26), (size_t)run.size);
    while (table[at] != NULL) at = (at + 1) & *mask;
    table[at] = block;
  }
  return table;
}

static void case_floor(void) {
  size_t len = 0, mask;
  char **table = make_table(&mask);
  char(*keys)[KEY_SIZE] = make_keys(1, &len);
  int64_t *took = calloc((size_t)run.ops, sizeof *took), last = now_ns();
  uint64_t sum = 0;
  if (took == NULL) fail("no memory");
  for (long i = 0; i < run.ops; i++) {
    size_t at = hash_of(keys[i], len) & mask;
    while (memcmp(table[at], keys[i], len) != 0) at = (at + 1) & mask;
    sum += (uint8_t)table[at][KEY_SIZE];
    int64_t now = now_ns();
    took[i] = now - last;
    last = now;
  }
  if (sum == 0) fail("nothing was read");
  double cost = (double)clock_cost(), p99 = percentile(took, run.ops, 0.99);
  printf("{\"p50_ns\":%.0f,\"p99_ns\":%.0f}\n", percentile(took, run.ops, 0.5) - cost, p99 - cost);
  for (size_t i = 0; i <= mask; i++) free(table[i]);
  free(table);
  free(keys);
  free(took);
}

/* ---- memory ---- */

static void case_memory(void) {
  /* Connections and buffers are there before. */
  long before = rss_bytes();
  run.mirror = open_mirror(NULL, 0);
  long after = rss_bytes();
  double content = (double)run.keys * ((double)run.size + (double)sizeof prefix - 1 + 10);
  printf("{\"bytes_per_content_byte\":%.3f,\"overhead_per_key\":%.0f}\n",
         (double)(after - before) / content,
         ((double)(after - before) - content) / (double)run.keys);
  coord_mirror_free(run.mirror);
}

/* ---- open ---- */

/* What a program does with a plain read: one page after the other, kept. */
static double read_plainly(void) {
  coord_op *get = get_all();
  coord_scan *scan = NULL;
  coord_error *err = NULL;
  size_t room = (size_t)run.keys + 1, pages = 0;
  coord_result **kept = calloc(room, sizeof(coord_result *));
  if (kept == NULL) fail("no memory");
  int64_t began = now_ns();
  if (coord_scan_open(run.client, get, 0, &scan, &err)) fail("%s", coord_error_message(err));
  for (;;) {
    if (coord_scan_next(scan, 0, &kept[pages], &err)) fail("%s", coord_error_message(err));
    if (kept[pages] == NULL) break;
    pages++;
  }
  double took = (double)(now_ns() - began) / 1e9;
  if (coord_scan_delivered(scan) != run.keys) fail("not all was read");
  coord_scan_free(scan);
  coord_op_free(get);
  for (size_t i = 0; i < pages; i++) coord_result_free(kept[i]);
  free(kept);
  return took;
}

static double read_into_mirror(void) {
  int64_t began = now_ns();
  coord_mirror *mirror = open_mirror(NULL, 0);
  double took = (double)(now_ns() - began) / 1e9;
  if (coord_mirror_count(mirror) != run.keys) fail("not all was read");
  coord_mirror_free(mirror);
  return took;
}

static void case_open(void) {
  read_plainly();
  double plain = read_plainly();
  double mirror = read_into_mirror();
  printf("{\"plain_s\":%.4f,\"open_s\":%.4f}\n", plain, mirror);
}

/* ---- fanout ---- */

/* From before a put until the last of many mirrors has been told of it. */
static void case_fanout(void) {
  coord_queue *queue = NULL;
  coord_client *writer = open_client();
  coord_mirror **mirrors = calloc((size_t)run.mirrors, sizeof(coord_mirror *));
  int64_t *took = calloc((size_t)run.ops, sizeof *took);
  if (mirrors == NULL || took == NULL || coord_queue_open(&queue, NULL)) fail("no memory");
  for (long i = 0; i < run.mirrors; i++) mirrors[i] = open_mirror(queue, (uint64_t)i);
  for (long i = 0; i < run.mirrors; i++) coord_event_free(coord_queue_next(queue, 5000));
  char key[KEY_SIZE];
  size_t len = make_key(0, key);
  for (long n = 0; n < run.ops; n++) {
    coord_error *err = NULL;
    int64_t began = now_ns();
    if (coord_put(writer, key, len, "x", 1, &err)) fail("%s", coord_error_message(err));
    for (long i = 0; i < run.mirrors; i++) {
      coord_event *event = coord_queue_next(queue, 5000);
      if (coord_event_type(event) != COORD_EVENT_CHANGES) fail("no change came");
      coord_event_free(event);
    }
    took[n] = now_ns() - began;
  }
  double p99 = percentile(took, run.ops, 0.99);
  printf("{\"p50_us\":%.1f,\"p99_us\":%.1f,\"mirrors\":%ld}\n",
         percentile(took, run.ops, 0.5) / 1e3, p99 / 1e3, run.mirrors);
  fflush(stdout);
  getchar(); /* until whoever counts the watches on the server has done so */
  for (long i = 0; i < run.mirrors; i++) coord_mirror_free(mirrors[i]);
  free(mirrors);
  free(took);
  coord_queue_free(queue);
  coord_client_free(writer);
}

static const char usage[] =
    "usage: mirror --endpoint HOST:PORT --case get|floor|memory|open|fanout [--keys N] [--size "
    "BYTES]\n"
    "              [--ops N] [--threads N] [--mirrors N]\n";

static void read_arguments(int argc, char **argv) {
  static const struct option options[] = {
      {"endpoint", required_argument, NULL, 'e'}, {"case", required_argument, NULL, 'c'},
      {"keys", required_argument, NULL, 'k'},     {"size", required_argument, NULL, 's'},
      {"ops", required_argument, NULL, 'o'},      {"threads", required_argument, NULL, 't'},
      {"mirrors", required_argument, NULL, 'm'},  {NULL, 0, NULL, 0}};
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (option == 'e') run.endpoint = optarg;
    if (option == 'c') run.which = optarg;
    if (option == 'k') run.keys = atol(optarg);
    if (option == 's') run.size = atol(optarg);
    if (option == 'o') run.ops = atol(optarg);
    if (option == 't') run.threads = atol(optarg);
    if (option == 'm') run.mirrors = atol(optarg);
    if (option == '?') fail("%s", usage);
  }
  if (run.endpoint == NULL || run.which == NULL || optind != argc || run.keys < 1 || run.size < 1 ||
      run.ops < 1 || run.threads < 1 || run.threads > THREADS_MAX || run.mirrors < 1) {
    fail("%s", usage);
  }
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(void);
  } cases[] = {{"get", case_get},
               {"floor", case_floor},
               {"memory", case_memory},
               {"open", case_open},
               {"fanout", case_fanout}};
  read_arguments(argc, argv);
  run.client = open_client();
  fill();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (strcmp(cases[i].name, run.which) != 0) continue;
    cases[i].run();
    coord_client_free(run.client);
    return 0;
  }
  fail("%s", usage);
}
