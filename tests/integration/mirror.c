/* Mirrors on a real etcd. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "coord/mirror_handle.h"
#include "support/auth.h"
#include "support/watch.h"

static coord_mirror *mirror_with(coord_client *client, const char *prefix, coord_queue *queue,
                                 uint64_t tag, const coord_options *options) {
  coord_mirror *mirror = NULL;
  coord_error *err = NULL;
  T_OK(coord_mirror_open(client, prefix, strlen(prefix), options, queue, tag, &mirror, &err), err);
  coord_error_free(err);
  T_FATAL(mirror != NULL);
  return mirror;
}

static coord_mirror *mirror_of(coord_client *client, const char *prefix, coord_queue *queue,
                               uint64_t tag) {
  return mirror_with(client, prefix, queue, tag, NULL);
}

static int64_t put_at(coord_client *client, const char *prefix, const char *suffix,
                      const char *value) {
  char key[t_key_size + 64];
  snprintf(key, sizeof key, "%s%s", prefix, suffix);
  return t_put(client, key, value);
}

/* "key=value ..." of a result, keys without so many bytes. */
static const char *text_of(coord_result *result, size_t strip) {
  static char text[2048];
  size_t used = 0;
  coord_kv kv;
  text[0] = '\0';
  for (size_t i = 0; coord_result_kv(result, i, &kv) == COORD_OK; i++) {
    used += (size_t)snprintf(text + used, sizeof text - used, "%s%s=%s", i > 0 ? " " : "",
                             (const char *)kv.key + strip, (const char *)kv.value);
  }
  coord_result_free(result);
  return text;
}

static const char *all_of(const coord_mirror *mirror, size_t strip) {
  coord_result *result = NULL;
  T_CODE(coord_mirror_all(mirror, &result), COORD_OK);
  return text_of(result, strip);
}

/* The value of a key; NULL: it is not there. */
static const char *value_at(const coord_mirror *mirror, const char *prefix, const char *suffix) {
  static char value[256];
  char key[t_key_size + 64];
  coord_result *result = NULL;
  coord_kv kv;
  size_t len = (size_t)snprintf(key, sizeof key, "%s%s", prefix, suffix);
  T_CODE(coord_mirror_get(mirror, key, len, &result), COORD_OK);
  bool found = coord_result_kv(result, 0, &kv) == COORD_OK;
  if (found) snprintf(value, sizeof value, "%s", (const char *)kv.value);
  coord_result_free(result);
  return found ? value : NULL;
}

typedef struct awaited {
  const coord_mirror *mirror;
  int64_t revision;
} awaited;

static bool has_come(void *arg) {
  const awaited *a = arg;
  return coord_mirror_revision(a->mirror) >= a->revision;
}

static void await(const coord_mirror *mirror, int64_t revision) {
  T_TRUE(t_wait_until(has_come, &(awaited){mirror, revision}, 10000));
}

static void content_is_there_and_follows(void) {
  char prefix[t_key_size], key[t_key_size + 8];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  t_key(prefix, "");
  size_t n = strlen(prefix);
  put_at(client, prefix, "a", "1");
  int64_t second = put_at(client, prefix, "b", "2");
  coord_mirror *mirror = mirror_of(client, prefix, queue, 3);
  T_STR(all_of(mirror, n), "a=1 b=2");
  T_INT(coord_mirror_count(mirror), 2);
  T_TRUE(coord_mirror_revision(mirror) >= second);
  T_TRUE(t_stands(queue, 3, COORD_OK) >= second);
  int64_t last = put_at(client, prefix, "c", "3");
  await(mirror, last);
  T_STR(all_of(mirror, n), "a=1 b=2 c=3");
  T_INT(coord_mirror_revision(mirror), last);
  T_INT(coord_mirror_staleness_ms(mirror), 0);
  t_put(client, "elsewhere", "x");
  put_at(client, prefix, "a", "one");
  snprintf(key, sizeof key, "%sb", prefix);
  int64_t deleted = 0;
  T_CODE(coord_delete(client, key, strlen(key), &deleted, NULL), COORD_OK);
  T_STR(t_changes(queue, 3, 3, n), "+c=3 +a=one -b");
  T_STR(all_of(mirror, n), "a=one c=3");
  T_STR(value_at(mirror, prefix, "a"), "one");
  T_STR(value_at(mirror, prefix, "b"), NULL);
  t_silent(queue);
  coord_mirror_free(mirror);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void ranges_within(void) {
  char prefix[t_key_size], from[t_key_size + 8], end[t_key_size + 8];
  coord_client *client = t_client();
  t_key(prefix, "");
  size_t n = strlen(prefix);
  const char *keys[] = {"a", "a/1", "a/2", "a/3", "b", "b/1"};
  for (int i = 0; i < 6; i++) put_at(client, prefix, keys[i], "x");
  coord_mirror *mirror = mirror_of(client, prefix, NULL, 0);
  coord_result *r = NULL;
  size_t from_len = (size_t)snprintf(from, sizeof from, "%sa/", prefix);
  T_CODE(coord_mirror_prefix(mirror, from, from_len, &r), COORD_OK);
  T_INT(coord_result_total(r), 3);
  T_STR(text_of(r, n), "a/1=x a/2=x a/3=x");
  size_t end_len = (size_t)snprintf(end, sizeof end, "%sb/", prefix);
  T_CODE(coord_mirror_range(mirror, from, from_len, end, end_len, 0, &r), COORD_OK);
  T_STR(text_of(r, n), "a/1=x a/2=x a/3=x b=x");
  T_CODE(coord_mirror_range(mirror, from, from_len, NULL, 0, 2, &r), COORD_OK);
  T_INT(coord_result_total(r), 5);
  T_TRUE(coord_result_more(r));
  T_STR(text_of(r, n), "a/1=x a/2=x");
  T_CODE(coord_mirror_range(mirror, NULL, 0, from, from_len, 0, &r), COORD_OK);
  T_STR(text_of(r, n), "a=x");
  T_CODE(coord_mirror_get(mirror, "q", 1, &r), COORD_INVALID);
  T_CODE(coord_mirror_range(mirror, "q", 1, NULL, 0, 0, &r), COORD_INVALID);
  T_CODE(coord_mirror_range(mirror, NULL, 0, NULL, 0, -1, &r), COORD_INVALID);
  T_CODE(coord_mirror_prefix(mirror, prefix, n - 1, &r), COORD_INVALID);
  T_CODE(coord_mirror_get(NULL, prefix, n, &r), COORD_INVALID);
  T_CODE(coord_mirror_get(mirror, prefix, n, NULL), COORD_INVALID);
  coord_mirror_free(mirror);
  coord_client_free(client);
}

static void result_outlives_change_and_mirror(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  t_key(prefix, "");
  put_at(client, prefix, "a", "old");
  coord_mirror *mirror = mirror_of(client, prefix, NULL, 0);
  coord_result *all = NULL, *one = NULL;
  char key[t_key_size + 8];
  size_t len = (size_t)snprintf(key, sizeof key, "%sa", prefix);
  T_CODE(coord_mirror_all(mirror, &all), COORD_OK);
  T_CODE(coord_mirror_get(mirror, key, len, &one), COORD_OK);
  await(mirror, put_at(client, prefix, "a", "new"));
  T_STR(value_at(mirror, prefix, "a"), "new");
  coord_mirror_free(mirror);
  coord_client_free(client);
  T_STR(text_of(all, strlen(prefix)), "a=old");
  T_STR(text_of(one, strlen(prefix)), "a=old");
}

static void previous_values_are_told(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  t_key(prefix, "");
  put_at(client, prefix, "a", "1");
  coord_mirror *mirror = mirror_of(client, prefix, queue, 1);
  t_stands(queue, 1, COORD_OK);
  coord_op *txn = coord_op_txn();
  char key[t_key_size + 8];
  for (int i = 0; i < 3; i++) {
    size_t len = (size_t)snprintf(key, sizeof key, "%s%c", prefix, 'a' + i);
    coord_op *put = coord_op_put(key, len, "2", 1);
    T_CODE(coord_op_then(txn, put), COORD_OK);
    coord_op_free(put);
  }
  coord_result_free(t_call(client, txn));
  coord_event *event = t_event(queue, COORD_EVENT_CHANGES, 1);
  T_INT(coord_event_count(event), 3);
  coord_kv kv, prev;
  int32_t type;
  T_CODE(coord_event_change(event, 0, &type, &kv, &prev), COORD_OK);
  T_STR((const char *)prev.value, "1");
  T_STR((const char *)kv.value, "2");
  T_CODE(coord_event_change(event, 1, &type, &kv, &prev), COORD_OK);
  T_TRUE(prev.key == NULL);
  coord_mirror_free(mirror);
  T_STR((const char *)kv.value, "2");
  coord_event_free(event);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void bytes_of_any_kind_and_no_keys(void) {
  char prefix[t_key_size], key[t_key_size + 8];
  coord_client *client = t_client();
  coord_mirror *mirror = mirror_of(client, t_key(prefix, ""), NULL, 0);
  T_INT(coord_mirror_count(mirror), 0);
  T_TRUE(coord_mirror_revision(mirror) > 0);
  T_STR(all_of(mirror, 0), "");
  size_t n = strlen(prefix);
  memcpy(key, prefix, n);
  memcpy(key + n, "\0\xff\0", 3);
  size_t big = 1000 * 1000;
  char *value = malloc(big);
  memset(value, 0, big);
  T_CODE(coord_put(client, key, n + 2, value, big, NULL), COORD_OK);
  T_CODE(coord_put(client, key, n + 3, "", 0, NULL), COORD_OK);
  T_CODE(coord_put(client, key, n + 1, "\0x", 2, NULL), COORD_OK);
  while (coord_mirror_count(mirror) < 3) usleep(1000);
  coord_result *r = NULL;
  coord_kv kv;
  T_CODE(coord_mirror_all(mirror, &r), COORD_OK);
  T_CODE(coord_result_kv(r, 0, &kv), COORD_OK);
  T_MEM(kv.key, kv.key_len, key, n + 1);
  T_MEM(kv.value, kv.value_len, "\0x", 2);
  T_CODE(coord_result_kv(r, 1, &kv), COORD_OK);
  T_MEM(kv.value, kv.value_len, value, big);
  T_CODE(coord_result_kv(r, 2, &kv), COORD_OK);
  T_MEM(kv.key, kv.key_len, key, n + 3);
  T_INT(kv.value_len, 0);
  free(value);
  coord_result_free(r);
  coord_mirror_free(mirror);
  coord_client_free(client);
}

static void many_keys_in_pages(void) {
  enum { COUNT = 2500 };
  char prefix[t_key_size];
  coord_client *client = t_client_with("scan.page.keys", "100", NULL);
  t_key(prefix, "");
  for (int i = 0; i < COUNT; i += 100) {
    coord_op *txn = coord_op_txn();
    for (int k = i; k < i + 100; k++) {
      char key[t_key_size + 16], value[16];
      size_t len = (size_t)snprintf(key, sizeof key, "%s%d", prefix, k);
      coord_op *put = coord_op_put(key, len, value, (size_t)snprintf(value, sizeof value, "%d", k));
      T_CODE(coord_op_then(txn, put), COORD_OK);
      coord_op_free(put);
    }
    coord_result_free(t_call(client, txn));
  }
  coord_mirror *mirror = mirror_of(client, prefix, NULL, 0);
  T_INT(coord_mirror_count(mirror), COUNT);
  bool good = true;
  for (int k = 0; k < COUNT; k++) {
    char name[16];
    snprintf(name, sizeof name, "%d", k);
    const char *value = value_at(mirror, prefix, name);
    good = good && value != NULL && strcmp(value, name) == 0;
  }
  T_TRUE(good);
  coord_mirror_free(mirror);
  coord_client_free(client);
}

static void many_mirrors_share_one_copy(void) {
  enum { COUNT = 20 };
  char prefix[t_key_size];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_mirror *mirrors[COUNT];
  t_key(prefix, "");
  put_at(client, prefix, "a", "1");
  for (uint64_t i = 0; i < COUNT; i++) mirrors[i] = mirror_of(client, prefix, queue, i);
  coord_result *first = NULL, *last = NULL;
  T_CODE(coord_mirror_all(mirrors[0], &first), COORD_OK);
  T_CODE(coord_mirror_all(mirrors[COUNT - 1], &last), COORD_OK);
  coord_kv a, b;
  T_CODE(coord_result_kv(first, 0, &a), COORD_OK);
  T_CODE(coord_result_kv(last, 0, &b), COORD_OK);
  T_TRUE(a.value == b.value);
  coord_result_free(first);
  coord_result_free(last);
  for (uint64_t i = 0; i < COUNT; i++) t_stands(queue, i, COORD_OK);
  coord_mirror_free(mirrors[0]);
  put_at(client, prefix, "a", "2");
  for (uint64_t i = 1; i < COUNT; i++) {
    T_STR(t_changes(queue, i, 1, strlen(prefix)), "+a=2");
    T_STR(value_at(mirrors[i], prefix, "a"), "2");
  }
  t_silent(queue);
  for (uint64_t i = 1; i < COUNT; i++) coord_mirror_free(mirrors[i]);
  coord_mirror *again = mirror_of(client, prefix, queue, 50);
  T_STR(value_at(again, prefix, "a"), "2");
  t_stands(queue, 50, COORD_OK);
  coord_mirror_free(again);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void namespace_and_empty_prefix(void) {
  char prefix[t_key_size];
  coord_client *plain = t_client();
  coord_client *client = t_client_with("namespace", t_key(prefix, "ns/"), NULL);
  coord_queue *queue = t_queue();
  put_at(plain, prefix, "a", "1");
  coord_mirror *mirror = mirror_of(client, "", queue, 1);
  t_stands(queue, 1, COORD_OK);
  T_STR(all_of(mirror, 0), "a=1");
  put_at(plain, prefix, "b", "2");
  t_put(plain, "elsewhere", "3");
  T_STR(t_changes(queue, 1, 1, 0), "+b=2");
  T_STR(all_of(mirror, 0), "a=1 b=2");
  coord_mirror_free(mirror);
  coord_mirror *whole = NULL;
  T_CODE(coord_mirror_open(plain, NULL, 0, NULL, NULL, 0, &whole, NULL), COORD_OK);
  T_TRUE(coord_mirror_count(whole) >= 3);
  T_STR(value_at(whole, prefix, "b"), "2");
  coord_mirror_free(whole);
  coord_queue_free(queue);
  coord_client_free(client);
  coord_client_free(plain);
}

static void consumer_that_is_slow_is_told_the_difference(void) {
  char prefix[t_key_size];
  coord_client *client = t_client_with("watch.buffer.bytes", "4096", NULL);
  coord_queue *queue = t_queue();
  coord_mirror *mirror = mirror_of(client, t_key(prefix, ""), queue, 1);
  t_stands(queue, 1, COORD_OK);
  /* A watch that does not stand yet would get all of it at once. */
  for (int i = 0; i < 1000 && coord_mirror_staleness_ms(mirror) != 0; i++) usleep(10000);
  int64_t last = 0;
  for (int i = 0; i < 200; i++) {
    char name[16], value[16];
    snprintf(name, sizeof name, "k%d", i % 10);
    snprintf(value, sizeof value, "%d", i);
    last = put_at(client, prefix, name, value);
    if (i == 99) await(mirror, last); /* too many wait, however few events they came in */
  }
  await(mirror, last);
  char seen[10][16] = {{0}};
  size_t changes = 0;
  int resyncs = 0;
  for (int64_t told = 0; told < last;) {
    coord_event *event = coord_queue_next(queue, 10000);
    T_FATAL(event != NULL);
    T_TRUE(coord_event_revision(event) >= told || coord_event_type(event) == COORD_EVENT_RESYNC);
    if (coord_event_type(event) == COORD_EVENT_RESYNC) resyncs++;
    if (coord_event_type(event) == COORD_EVENT_CHANGES) told = coord_event_revision(event);
    for (size_t i = 0; i < coord_event_count(event); i++, changes++) {
      coord_kv kv, prev;
      T_CODE(coord_event_change(event, i, NULL, &kv, &prev), COORD_OK);
      int k = ((const char *)kv.key)[kv.key_len - 1] - '0';
      /* Each leads on from the one before it. */
      T_STR(prev.key != NULL ? (const char *)prev.value : "", seen[k]);
      snprintf(seen[k], sizeof seen[k], "%s", (const char *)kv.value);
    }
    coord_event_free(event);
  }
  for (int k = 0; k < 10; k++) T_INT(atoi(seen[k]), 190 + k);
  T_TRUE(changes < 200);
  T_TRUE(resyncs >= 1);
  t_stands(queue, 1, COORD_OK);
  put_at(client, prefix, "k0", "end");
  T_STR(t_changes(queue, 1, 1, strlen(prefix)), "+k0=end");
  coord_mirror_free(mirror);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void client_that_is_closed(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  t_key(prefix, "");
  put_at(client, prefix, "a", "1");
  coord_mirror *mirror = mirror_of(client, prefix, queue, 1);
  t_stands(queue, 1, COORD_OK);
  T_CODE(coord_client_close(client, 1000, NULL), COORD_OK);
  t_closed(queue, 1, COORD_CLOSED, "closed");
  T_STR(value_at(mirror, prefix, "a"), "1");
  coord_mirror *late = NULL;
  coord_error *err = NULL;
  T_ERROR(coord_mirror_open(client, prefix, 1, NULL, queue, 1, &late, &err), COORD_CLOSED, err, "");
  t_silent(queue);
  coord_client_free(client);
  T_STR(value_at(mirror, prefix, "a"), "1");
  coord_queue_free(queue);
  coord_mirror_free(mirror);
}

static void wrong_arguments(void) {
  coord_client *client = t_client();
  coord_mirror *mirror = NULL;
  coord_error *err = NULL;
  T_ERROR(coord_mirror_open(NULL, "a", 1, NULL, NULL, 0, &mirror, &err), COORD_INVALID, err,
          "client");
  T_ERROR(coord_mirror_open(client, NULL, 1, NULL, NULL, 0, &mirror, &err), COORD_INVALID, err,
          "prefix");
  T_ERROR(coord_mirror_open(client, "a", 1, NULL, NULL, 0, NULL, &err), COORD_INVALID, err, "out");
  coord_mirror_free(NULL);
  T_INT(coord_mirror_revision(NULL), 0);
  T_INT(coord_mirror_count(NULL), 0);
  T_INT(coord_mirror_staleness_ms(NULL), -1);
  coord_client_free(client);
}

static void without_waiting(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  t_key(prefix, "");
  put_at(client, prefix, "a", "1");
  coord_options *options = t_options("mirror.wait", "false", NULL);
  coord_mirror *mirror = mirror_with(client, prefix, queue, 1, options);
  coord_mirror *dropped = mirror_with(client, prefix, queue, 2, options);
  coord_mirror_free(dropped);
  coord_mirror *waits = mirror_of(client, prefix, NULL, 0);
  t_stands(queue, 1, COORD_OK);
  T_STR(value_at(mirror, prefix, "a"), "1");
  t_silent(queue);
  coord_mirror_free(waits);
  coord_mirror_free(mirror);
  coord_options_free(options);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void freed_while_it_loads(void) {
  char prefix[t_key_size];
  coord_client *client = t_client_with("scan.page.keys", "1", NULL);
  coord_options *options = t_options("mirror.wait", "false", NULL);
  t_key(prefix, "");
  for (char name[] = "a"; name[0] < 'k'; name[0]++) put_at(client, prefix, name, "1");
  for (int i = 0; i < 50; i++) {
    coord_queue *queue = t_queue();
    coord_mirror *mirror = mirror_with(client, prefix, queue, 1, options);
    if (i % 3 == 0) usleep((unsigned)i * 50);
    if (i % 2 == 0) coord_queue_free(queue);
    coord_mirror_free(mirror);
    if (i % 2 == 1) coord_queue_free(queue);
  }
  coord_mirror *mirror = mirror_of(client, prefix, NULL, 0);
  coord_client_free(client);
  T_INT(coord_mirror_count(mirror), 10);
  coord_mirror_free(mirror);
  coord_options_free(options);
}

/* With memory for the handle, but not for what is behind it. */
static void what_could_not_be_opened_says_why(void) {
  coord_client *client = t_client();
  coord_options *options = t_options("mirror.wait", "false", NULL);
  coord_queue *queue = t_queue();
  char key[t_key_size];
  bool seen = false;
  t_put(client, t_key(key, ""), "1");
  for (int n = 0; n < 60 && !seen; n++) {
    coord_mirror *mirror = NULL;
    coord__alloc_fail_after(n);
    coord_code code = coord_mirror_open(client, key, strlen(key), options, queue, 1, &mirror, NULL);
    for (int i = 0; code == COORD_OK && i < 20 && coord__alloc_count() <= n; i++) usleep(1000);
    coord__alloc_fail_after(-1);
    if (code != COORD_OK) continue;
    coord_event *event = coord_queue_next(queue, 10000);
    if (coord_event_type(event) == COORD_EVENT_CLOSED) {
      seen = true;
      T_CODE(coord_event_code(event), COORD_NO_MEMORY);
      coord_op *op = coord__op_mirror_loaded(mirror);
      T_CODE(coord_call(client, op, 10000, NULL, NULL), COORD_NO_MEMORY);
      coord_op_free(op);
    }
    coord_event_free(event);
    coord_mirror_free(mirror);
  }
  T_TRUE(seen);
  coord_options_free(options);
  coord_queue_free(queue);
  coord_client_free(client);
}

/* ---- the file ---- */

static char folder[64];
static char path[96];

static void begin_file(void) {
  snprintf(folder, sizeof folder, "/tmp/coord-mirror-XXXXXX");
  T_FATAL(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/content", folder);
}

static void end_file(void) {
  unlink(path);
  T_INT(rmdir(folder), 0); /* no draft is left */
}

static bool file_is_there(void *unused) {
  (void)unused;
  return access(path, R_OK) == 0;
}

static void write_file(coord_client *client, const char *prefix) {
  coord_options *options = t_options("mirror.file", path, "mirror.file.interval.ms", "10", NULL);
  put_at(client, prefix, "a", "1");
  put_at(client, prefix, "b", "");
  coord_mirror *mirror = mirror_with(client, prefix, NULL, 0, options);
  T_TRUE(t_wait_until(file_is_there, NULL, 5000));
  struct stat st;
  T_INT(stat(path, &st), 0);
  T_INT(st.st_mode & 0777, 0600);
  await(mirror, put_at(client, prefix, "c", "3"));
  coord_mirror_free(mirror);
  /* What was not written yet is now: a close waits for that. */
  T_CODE(coord_client_close(client, 5000, NULL), COORD_OK);
  coord_options_free(options);
}

static coord_client *client_of_nobody(const char *timeout_ms) {
  return t_client_with("endpoints", "127.0.0.1:1", "connect.lazy", "true", "log.level", "off",
                       "request.timeout.ms", timeout_ms, NULL);
}

static void file_serves_while_etcd_is_away(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  begin_file();
  write_file(client, t_key(prefix, ""));
  coord_client_free(client);
  coord_client *away = client_of_nobody("200");
  coord_options *options = t_options("mirror.file", path, NULL);
  coord_queue *queue = t_queue();
  coord_mirror *mirror = mirror_with(away, prefix, queue, 1, options);
  t_stands(queue, 1, COORD_UNAVAILABLE);
  T_STR(all_of(mirror, strlen(prefix)), "a=1 b= c=3");
  int64_t stale = coord_mirror_staleness_ms(mirror);
  T_TRUE(stale > 0 && stale < 60000);
  coord_mirror_free(mirror);
  coord_options_free(options);
  options = t_options("mirror.file", path, "mirror.wait", "false", NULL);
  int64_t begun = t_now_ms();
  mirror = mirror_with(away, prefix, queue, 2, options);
  t_stands(queue, 2, COORD_UNAVAILABLE);
  T_WITHIN(begun, 150);
  T_STR(value_at(mirror, prefix, "c"), "3");
  coord_mirror_free(mirror);
  coord_options_free(options);
  coord_queue_free(queue);
  coord_client_free(away);
  end_file();
}

static void file_and_then_etcd(void) {
  char prefix[t_key_size], key[t_key_size + 8];
  coord_client *client = t_client();
  begin_file();
  write_file(client, t_key(prefix, ""));
  coord_client_free(client);
  client = t_client();
  snprintf(key, sizeof key, "%sa", prefix);
  T_CODE(coord_delete(client, key, strlen(key), NULL, NULL), COORD_OK);
  put_at(client, prefix, "b", "2");
  coord_options *options = t_options("mirror.file", path, "mirror.wait", "false", NULL);
  coord_queue *queue = t_queue();
  coord_mirror *mirror = mirror_with(client, prefix, queue, 1, options);
  t_stands(queue, 1, COORD_UNAVAILABLE);
  t_stands(queue, 1, COORD_COMPACTED);
  T_STR(t_changes(queue, 1, 2, strlen(prefix)), "-a +b=2");
  t_stands(queue, 1, COORD_OK);
  T_STR(all_of(mirror, strlen(prefix)), "b=2 c=3");
  coord_mirror_free(mirror);
  coord_options_free(options);
  coord_queue_free(queue);
  T_CODE(coord_client_close(client, 5000, NULL), COORD_OK);
  coord_client_free(client);
  end_file();
}

static void flip_byte(long at) {
  FILE *f = fopen(path, "r+b");
  T_FATAL(f != NULL);
  fseek(f, at, SEEK_SET);
  int byte = fgetc(f);
  fseek(f, at, SEEK_SET);
  fputc(byte ^ 1, f);
  fclose(f);
}

static void file_that_is_damaged_or_foreign(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  begin_file();
  write_file(client, t_key(prefix, ""));
  coord_client_free(client);
  client = t_client();
  coord_options *options = t_options("mirror.file", path, NULL);
  coord_mirror *mirror = NULL;
  coord_error *err = NULL;
  size_t n = strlen(prefix);
  T_ERROR(coord_mirror_open(client, "other", 5, options, NULL, 0, &mirror, &err), COORD_INVALID,
          err, "holds the keys under");
  flip_byte(80);
  T_ERROR(coord_mirror_open(client, prefix, n, options, NULL, 0, &mirror, &err), COORD_INVALID, err,
          "checksum");
  flip_byte(80);
  flip_byte(0);
  T_ERROR(coord_mirror_open(client, prefix, n, options, NULL, 0, &mirror, &err), COORD_INVALID, err,
          "no file of a mirror");
  flip_byte(0);
  T_INT(truncate(path, 100), 0);
  T_ERROR(coord_mirror_open(client, prefix, n, options, NULL, 0, &mirror, &err), COORD_INVALID, err,
          "checksum");
  coord_options_free(options);
  options = t_options("mirror.file", "/nowhere/file", NULL);
  T_ERROR(coord_mirror_open(client, prefix, n, options, NULL, 0, &mirror, &err), COORD_INVALID, err,
          "/nowhere/file");
  coord_options_free(options);
  coord_client_free(client);
  end_file();
}

static void file_of_another_cluster(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  begin_file();
  write_file(client, t_key(prefix, ""));
  coord_client_free(client);
  static const char *const args[] = {"--initial-cluster-token", "another", NULL};
  t_cluster *cluster = t_etcd_start(&(t_etcd_options){.args = args});
  client = t_client_with("endpoints", t_etcd_endpoint(cluster, 0), NULL);
  coord_options *options = t_options("mirror.file", path, NULL);
  coord_mirror *mirror = NULL;
  coord_error *err = NULL;
  T_ERROR(coord_mirror_open(client, prefix, strlen(prefix), options, NULL, 0, &mirror, &err),
          COORD_CONFLICT, err, "of cluster");
  T_INT(access(path, R_OK), 0);
  coord_options_free(options);
  coord_client_free(client);
  t_etcd_stop(cluster);
  end_file();
}

static void nobody_to_read_from(void) {
  coord_client *away = client_of_nobody("150");
  coord_mirror *mirror = NULL;
  coord_error *err = NULL;
  int64_t begun = t_now_ms();
  coord_code code = coord_mirror_open(away, "a", 1, NULL, NULL, 0, &mirror, &err);
  T_TRUE(code == COORD_UNAVAILABLE || code == COORD_TIMEOUT);
  T_CODE(coord_error_code(err), code);
  T_WITHIN(begun, 3000);
  coord_error_free(err);
  coord_options *options = t_options("mirror.wait", "false", NULL);
  mirror = mirror_with(away, "a", NULL, 0, options);
  coord_result *result = NULL;
  T_CODE(coord_mirror_get(mirror, "a", 1, &result), COORD_UNAVAILABLE);
  T_CODE(coord_mirror_all(mirror, &result), COORD_UNAVAILABLE);
  T_INT(coord_mirror_staleness_ms(mirror), -1);
  coord_mirror_free(mirror);
  coord_options_free(options);
  coord_client_free(away);
}

/* ---- who may ---- */

static void permission_that_is_missing(void) {
  t_cluster *cluster = t_etcd_start(NULL);
  t_auth_enable(cluster);
  coord_client *client = t_auth_client(cluster, "ann", "annpw");
  coord_queue *queue = t_queue();
  coord_mirror *mirror = NULL;
  coord_error *err = NULL;
  T_ERROR(coord_mirror_open(client, "x/", 2, NULL, queue, 1, &mirror, &err), COORD_AUTH, err,
          "permission denied");
  t_silent(queue);
  mirror = mirror_of(client, "t/", queue, 2);
  t_stands(queue, 2, COORD_OK);
  coord_options *options = t_options("mirror.wait", "false", NULL);
  coord_mirror *refused = mirror_with(client, "x/", queue, 3, options);
  t_closed(queue, 3, COORD_AUTH, "permission denied");
  t_put(client, "t/a", "1");
  T_STR(t_changes(queue, 2, 1, 2), "+a=1");
  coord_mirror_free(refused);
  coord_mirror_free(mirror);
  coord_options_free(options);
  coord_queue_free(queue);
  coord_client_free(client);
  t_etcd_stop(cluster);
}

/* ---- fork ---- */

/* In the child: how many answers are wrong. */
static int use_in_child(coord_client *client, coord_mirror *mirror, coord_result *all,
                        coord_result *one) {
  coord_result *result = NULL;
  coord_mirror *other = NULL;
  coord_kv kv;
  int bad = coord_mirror_get(mirror, "t/", 2, &result) != COORD_FORKED;
  bad += coord_mirror_all(mirror, &result) != COORD_FORKED;
  bad += coord_mirror_open(client, "t/", 2, NULL, NULL, 0, &other, NULL) != COORD_FORKED;
  bad += coord_mirror_revision(mirror) != 0 || coord_mirror_staleness_ms(mirror) != -1;
  bad += coord_result_kv(all, 0, &kv) != COORD_OK || *(const char *)kv.value != '1';
  coord_result_free(all);
  coord_mirror_free(mirror);
  coord_client_free(client);
  bad += coord_result_kv(one, 0, &kv) != COORD_OK || *(const char *)kv.value != '1';
  coord_result_free(one);
  return bad;
}

static void child_of_a_fork(void) {
  char prefix[t_key_size];
  coord_client *client = t_client();
  coord_result *all = NULL, *one = NULL;
  t_put(client, t_key(prefix, ""), "1");
  coord_mirror *mirror = mirror_of(client, prefix, NULL, 0);
  T_CODE(coord_mirror_all(mirror, &all), COORD_OK);
  T_CODE(coord_mirror_get(mirror, prefix, strlen(prefix), &one), COORD_OK);
  fflush(NULL);
  pid_t pid = fork();
  T_FATAL(pid >= 0);
  if (pid == 0) {
    alarm(20);
    _exit(use_in_child(client, mirror, all, one));
  }
  int status = 0;
  T_TRUE(waitpid(pid, &status, 0) == pid);
  T_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  await(mirror, t_put(client, prefix, "2"));
  T_STR(value_at(mirror, prefix, ""), "2");
  coord_result_free(all);
  coord_result_free(one);
  coord_mirror_free(mirror);
  coord_client_free(client);
}

T_MAIN(T_CASE(content_is_there_and_follows), T_CASE(ranges_within),
       T_CASE(result_outlives_change_and_mirror), T_CASE(previous_values_are_told),
       T_CASE(bytes_of_any_kind_and_no_keys), T_CASE(many_keys_in_pages),
       T_CASE(many_mirrors_share_one_copy), T_CASE(namespace_and_empty_prefix),
       T_CASE(consumer_that_is_slow_is_told_the_difference), T_CASE(client_that_is_closed),
       T_CASE(wrong_arguments), T_CASE(without_waiting), T_CASE(freed_while_it_loads),
       T_CASE(what_could_not_be_opened_says_why), T_CASE(file_serves_while_etcd_is_away),
       T_CASE(file_and_then_etcd), T_CASE(file_that_is_damaged_or_foreign),
       T_CASE(file_of_another_cluster), T_CASE(nobody_to_read_from),
       T_CASE(permission_that_is_missing), T_CASE(child_of_a_fork))
