#include "support/load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { workers_max = 16, steps_max = 65536, go_on_ms = 25000, pause_us = 1000 };

typedef struct worker {
  t_load *load;
  pthread_t thread;
  t_load_kind kind;
  char key[t_key_size];
  t_tally tallies[T_LOAD_KINDS]; /* under the lock; a counter reads too */
} worker;

struct t_load {
  t_load_options options;
  worker workers[workers_max];
  int count;
  char read_key[t_key_size];
  char counter_key[t_key_size];
  pthread_mutex_t lock; /* of all below */
  bool stop;
  bool acknowledged[steps_max]; /* steps of the counter */
};

/* --- One call of each kind ------------------------------------------------------------------------- */

static void account(worker *w, t_load_kind kind, coord_code code, const coord_error *err,
                    int64_t began_ms) {
  int64_t took = t_took_ms(began_ms);
  t_tally *tally = &w->tallies[kind];
  pthread_mutex_lock(&w->load->lock);
  if (took > tally->longest_ms) tally->longest_ms = took;
  if (code == COORD_OK) {
    tally->ok++;
  } else if (coord_error_flags(err) & COORD_MAYBE_APPLIED) {
    tally->maybe++;
  } else {
    tally->clean++;
  }
  if (code != COORD_OK && tally->first_error[0] == '\0') {
    snprintf(tally->first_error, sizeof tally->first_error, "%s after %lld ms: %.200s",
             coord_code_name(code), (long long)took, coord_error_message(err));
  }
  pthread_mutex_unlock(&w->load->lock);
}

static coord_code call(worker *w, t_load_kind kind, coord_op *op, coord_result **result) {
  coord_error *err = NULL;
  const t_load_options *options = &w->load->options;
  bool is_short = kind != T_LOAD_READ && options->write_timeout_ms > 0;
  int64_t began = t_now_ms();
  coord_code code =
      coord_call(options->client, op, is_short ? options->write_timeout_ms : options->timeout_ms,
                 result, &err);
  account(w, kind, code, err, began);
  coord_error_free(err);
  coord_op_free(op);
  return code;
}

static void read_once(worker *w) {
  coord_kv kv;
  coord_result *result = NULL;
  if (call(w, T_LOAD_READ, coord_op_get(w->key, strlen(w->key)), &result) != COORD_OK) return;
  if (coord_result_kv(result, 0, &kv) != COORD_OK || kv.value_len != 1) T_FAIL("a wrong answer");
  coord_result_free(result);
}

static void write_once(worker *w) {
  coord_result *result = NULL;
  call(w, T_LOAD_WRITE, coord_op_put(w->key, strlen(w->key), "v", 1), &result);
  coord_result_free(result);
}

static int counter_of(const coord_result *result, coord_kv *kv) {
  char text[16] = "";
  if (coord_result_kv(result, 0, kv) != COORD_OK || kv->value_len >= sizeof text) {
    T_FAIL("a wrong answer");
    return 0;
  }
  memcpy(text, kv->value, kv->value_len);
  return atoi(text);
}

static void acknowledge(t_load *load, int step) {
  pthread_mutex_lock(&load->lock);
  if (step >= steps_max || load->acknowledged[step]) T_FAIL("step %d was done twice", step);
  if (step < steps_max) load->acknowledged[step] = true;
  pthread_mutex_unlock(&load->lock);
}

static void count_once(worker *w) {
  char text[16];
  coord_kv kv = {0};
  coord_result *result = NULL;
  if (call(w, T_LOAD_READ, coord_op_get(w->key, strlen(w->key)), &result) != COORD_OK) return;
  int value = counter_of(result, &kv);
  coord_result_free(result);
  result = NULL;
  int len = snprintf(text, sizeof text, "%d", value + 1);
  coord_op *put = coord_op_put(w->key, strlen(w->key), text, (size_t)len);
  coord_op *txn = coord_op_txn();
  coord_op_if_int(txn, w->key, strlen(w->key), COORD_COMPARE_MOD, COORD_EQUAL, kv.mod_revision);
  coord_op_then(txn, put);
  coord_op_free(put);
  if (call(w, T_LOAD_COUNT, txn, &result) == COORD_OK && coord_result_succeeded(result)) {
    acknowledge(w->load, value + 1);
  }
  coord_result_free(result);
}

/* --- Threads ---------------------------------------------------------------------------------------- */

static bool is_stopped(t_load *load) {
  pthread_mutex_lock(&load->lock);
  bool stopped = load->stop;
  pthread_mutex_unlock(&load->lock);
  return stopped;
}

static void *work(void *arg) {
  static void (*const once[T_LOAD_KINDS])(worker *) = {read_once, write_once, count_once};
  worker *w = arg;
  while (!is_stopped(w->load)) {
    once[w->kind](w);
    usleep(pause_us);
  }
  return NULL;
}

static void add_workers(t_load *load, t_load_kind kind, int n) {
  for (int i = 0; i < n; i++) {
    T_FATAL(load->count < workers_max);
    worker *w = &load->workers[load->count++];
    *w = (worker){.load = load, .kind = kind};
    if (kind == T_LOAD_WRITE) {
      char suffix[16];
      snprintf(suffix, sizeof suffix, "w%d", i);
      t_key(w->key, suffix);
    } else {
      memcpy(w->key, kind == T_LOAD_READ ? load->read_key : load->counter_key, sizeof w->key);
    }
  }
}

t_load *t_load_start(const t_load_options *options) {
  t_load *load = calloc(1, sizeof *load);
  T_FATAL(load != NULL);
  load->options = *options;
  pthread_mutex_init(&load->lock, NULL);
  t_key(load->read_key, "read");
  t_key(load->counter_key, "counter");
  t_put(options->client, load->read_key, "v");
  t_put(options->client, load->counter_key, "0");
  add_workers(load, T_LOAD_READ, options->readers);
  add_workers(load, T_LOAD_WRITE, options->writers);
  add_workers(load, T_LOAD_COUNT, options->counters);
  for (int i = 0; i < load->count; i++) {
    T_FATAL(pthread_create(&load->workers[i].thread, NULL, work, &load->workers[i]) == 0);
  }
  return load;
}

void t_load_run_ms(t_load *load, int ms) {
  (void)load;
  usleep((useconds_t)ms * 1000);
}

typedef struct goal {
  t_load *load;
  int ok[T_LOAD_KINDS]; /* to reach */
} goal;

static bool is_reached(void *arg) {
  goal *g = arg;
  for (int kind = 0; kind < T_LOAD_KINDS; kind++) {
    if (t_load_tally(g->load, (t_load_kind)kind).ok < g->ok[kind]) return false;
  }
  return true;
}

bool t_load_go_on(t_load *load, int n) {
  const int threads[T_LOAD_KINDS] = {load->options.readers, load->options.writers,
                                     load->options.counters};
  goal g = {.load = load};
  for (int kind = 0; kind < T_LOAD_KINDS; kind++) {
    g.ok[kind] = threads[kind] == 0 ? 0 : t_load_tally(load, (t_load_kind)kind).ok + n;
  }
  if (t_wait_until(is_reached, &g, go_on_ms)) return true;
  for (int kind = 0; kind < T_LOAD_KINDS; kind++) {
    t_tally tally = t_load_tally(load, (t_load_kind)kind);
    T_FAIL("kind %d: %d done, %d wanted; first error: %s", kind, tally.ok, g.ok[kind],
           tally.first_error);
  }
  return false;
}

void t_load_stop(t_load *load) {
  pthread_mutex_lock(&load->lock);
  load->stop = true;
  pthread_mutex_unlock(&load->lock);
  for (int i = 0; i < load->count; i++) pthread_join(load->workers[i].thread, NULL);
}

t_tally t_load_tally(t_load *load, t_load_kind kind) {
  t_tally sum = {.ok = 0};
  pthread_mutex_lock(&load->lock);
  for (int i = 0; i < load->count; i++) {
    const t_tally *one = &load->workers[i].tallies[kind];
    sum.ok += one->ok;
    sum.maybe += one->maybe;
    sum.clean += one->clean;
    if (one->longest_ms > sum.longest_ms) sum.longest_ms = one->longest_ms;
    if (sum.first_error[0] == '\0') {
      memcpy(sum.first_error, one->first_error, sizeof sum.first_error);
    }
  }
  pthread_mutex_unlock(&load->lock);
  return sum;
}

/* --- Judgement ------------------------------------------------------------------------------------ */

void t_load_expect_reads(t_load *load, int longest_ms) {
  t_tally reads = t_load_tally(load, T_LOAD_READ);
  T_INT(reads.clean + reads.maybe, 0);
  T_STR(reads.first_error, "");
  if (reads.longest_ms > (int64_t)longest_ms * T_SLOW) {
    T_FAIL("a read took %lld ms, more than %d", (long long)reads.longest_ms, longest_ms);
  }
}

static void expect_between(const char *what, int64_t number, int64_t least, int64_t most) {
  if (number >= least && number <= most) return;
  T_FAIL("%s: %lld, not %lld to %lld", what, (long long)number, (long long)least, (long long)most);
}

void t_load_expect_once(t_load *load) {
  coord_kv kv = {0};
  int acknowledged = 0;
  coord_client *client = load->options.client;
  for (int i = 0; i < load->count; i++) {
    worker *w = &load->workers[i];
    if (w->kind != T_LOAD_WRITE) continue;
    const t_tally *tally = &w->tallies[T_LOAD_WRITE];
    coord_result *result = t_call(client, coord_op_get(w->key, strlen(w->key)));
    kv.version = 0;
    coord_result_kv(result, 0, &kv);
    coord_result_free(result);
    expect_between(w->key, kv.version, tally->ok, tally->ok + tally->maybe);
  }
  if (load->options.counters == 0) return;
  for (int step = 0; step < steps_max; step++) acknowledged += load->acknowledged[step];
  coord_result *result = t_call(client, coord_op_get(load->counter_key, strlen(load->counter_key)));
  int value = counter_of(result, &kv);
  coord_result_free(result);
  T_INT(kv.version, value + 1);
  expect_between("counter", value, acknowledged,
                 acknowledged + t_load_tally(load, T_LOAD_COUNT).maybe);
}

t_load *t_load_begin(coord_client *client) {
  t_load *load = t_load_start(&(t_load_options){
      .client = client, .readers = 3, .writers = 3, .counters = 2, .write_timeout_ms = 1500});
  T_TRUE(t_load_go_on(load, 20));
  return load;
}

void t_load_end(t_load *load, int longest_read_ms) {
  T_TRUE(t_load_go_on(load, 20));
  t_load_stop(load);
  t_load_expect_reads(load, longest_read_ms);
  t_load_expect_once(load);
  t_load_free(load);
}

void t_load_free(t_load *load) {
  pthread_mutex_destroy(&load->lock);
  free(load);
}
