/*
 * A lock, and a write that only its holder can do: read a number, add one, and write it back "if the
 * lock is held still". Whoever was stopped in between, for longer than the lock lives, is refused by
 * etcd, whatever it believes itself.
 */
#define _POSIX_C_SOURCE 200809L
#include <coord.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: lock NAME KEY [--ttl SECONDS] [--stop]\n"
    "\n"
    "Adds one to the number at KEY while holding the lock NAME. --stop: stops itself (SIGSTOP) "
    "between\n"
    "reading and writing, as a debugger or a busy host may; SIGCONT lets it go on.";

typedef struct {
  const char *name;
  const char *key;
  const char *ttl_s;
  bool stop;
  coord_client *client;
  coord_lock *lock;
} work;

static bool complain(coord_code code, coord_error *err) {
  fprintf(stderr, "lock: %s: %s\n", coord_code_name(code), coord_error_message(err));
  coord_error_free(err);
  return false;
}

static bool set_up(work *w) {
  const char *endpoints = getenv("COORD_ENDPOINTS");
  coord_options *options = NULL;
  coord_error *err = NULL;
  coord_code code = coord_options_new(&options);
  if (code == COORD_OK) {
    code = coord_options_set(options, "endpoints", endpoints ? endpoints : "", &err);
  }
  if (code == COORD_OK) code = coord_options_set(options, "lock.ttl.s", w->ttl_s, &err);
  if (code == COORD_OK) code = coord_client_open(options, &w->client, &err);
  if (code == COORD_OK) {
    code = coord_lock_open(w->client, w->name, strlen(w->name), NULL, NULL, 0, &w->lock, &err);
  }
  coord_options_free(options);
  return code == COORD_OK || complain(code, err);
}

/* Any op; the result, if it is wanted, is the caller's. */
static bool call(work *w, coord_op *op, int32_t timeout_ms, coord_result **result) {
  coord_error *err = NULL;
  coord_code code = coord_call(w->client, op, timeout_ms, result, &err);
  coord_op_free(op);
  return code == COORD_OK || complain(code, err);
}

/* An absent key counts as 0. */
static bool read_number(work *w, int64_t *out) {
  coord_result *result = NULL;
  coord_kv kv;
  if (!call(w, coord_op_get(w->key, strlen(w->key)), 0, &result)) return false;
  /* A NUL that is not counted stands behind every value. */
  *out = coord_result_kv(result, 0, &kv) == COORD_OK ? strtoll(kv.value, NULL, 10) : 0;
  coord_result_free(result);
  return true;
}

/* Writes the number if, at that very moment, the lock is ours. */
static bool write_number(work *w, int64_t number) {
  char text[24];
  int len = snprintf(text, sizeof text, "%" PRId64, number);
  coord_op *txn = coord_op_txn();
  coord_op *put = coord_op_put(w->key, strlen(w->key), text, (size_t)len);
  coord_result *result = NULL;
  coord_op_if_held(txn, w->lock); /* what goes wrong here, coord_call answers */
  coord_op_then(txn, put);
  coord_op_free(put);
  if (w->stop) raise(SIGSTOP);
  bool good = call(w, txn, 0, &result);
  if (good && !coord_result_succeeded(result)) {
    fprintf(stderr, "lock: refused: the lock is no longer ours, nothing was written\n");
    good = false;
  }
  coord_result_free(result);
  return good;
}

static bool add_one(work *w) {
  int64_t number = 0;
  if (!call(w, coord_op_acquire(w->lock, 1), -1, NULL)) return false;
  int64_t token = coord_lock_token(w->lock);
  bool good = read_number(w, &number) && write_number(w, number + 1);
  if (good) printf("token %" PRId64 " wrote %" PRId64 "\n", token, number + 1);
  /* After a loss there is nothing to release. */
  return coord_lock_is_held(w->lock) ? call(w, coord_op_release(w->lock), 0, NULL) && good : false;
}

int main(int argc, char **argv) {
  work w = {.ttl_s = ""};
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0) {
      puts(usage);
      return EXIT_SUCCESS;
    }
    if (strcmp(argv[i], "--stop") == 0) {
      w.stop = true;
    } else if (strcmp(argv[i], "--ttl") == 0 && i + 1 < argc) {
      w.ttl_s = argv[++i];
    } else if (w.name == NULL) {
      w.name = argv[i];
    } else if (w.key == NULL) {
      w.key = argv[i];
    } else {
      fprintf(stderr, "lock: what is \"%s\"?\n%s\n", argv[i], usage);
      return 2;
    }
  }
  if (w.key == NULL) {
    fprintf(stderr, "lock: NAME and KEY are missing\n%s\n", usage);
    return 2;
  }
  bool good = set_up(&w) && add_one(&w);
  coord_lock_free(w.lock);
  coord_client_free(w.client);
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
