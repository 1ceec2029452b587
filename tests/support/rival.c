#include "support/rival.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"

enum { THREADS_MAX = 8, END_MS = 20000, PATH = 200 };

typedef struct rival {
  coord_client *client;
  const char *name;
  const char *dir;
  char key[160];
  bool own_leases;
  const char *ttl_s;
  int account; /* a file, to which each line is appended at once */
} rival;

typedef struct contender {
  rival *rival;
  pthread_t thread;
  int number;
  coord_queue *queue;
  coord_lock *lock;
  coord_op *stale; /* built while it held the lock the time before */
  int written;
} contender;

static atomic_bool stop;

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int some(int below) { return (int)(coord__random() % (uint64_t)below); }

static void pause_us(int us) {
  struct timespec t = {us / 1000000, us % 1000000 * 1000};
  nanosleep(&t, NULL);
}

static void note(contender *c, t_entry entry) {
  entry.rival = c->number;
  if (write(c->rival->account, &entry, sizeof entry) != sizeof entry) abort();
}

/* ---- the file ---- */

/* Each opens it anew: a lock on a file is one of the open file, which threads would share. */
static int open_register(const char *dir) {
  char path[PATH];
  snprintf(path, sizeof path, "%s/register", dir);
  return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

t_register t_register_read(const char *dir) {
  t_register r = {0};
  int fd = open_register(dir);
  flock(fd, LOCK_SH);
  if (pread(fd, &r, sizeof r, 0) != sizeof r) r = (t_register){0};
  close(fd);
  return r;
}

static bool write_file(const char *dir, int64_t token, int64_t acting) {
  t_register r = {0};
  int fd = open_register(dir);
  while (flock(fd, LOCK_EX) != 0 && errno == EINTR) continue;
  if (pread(fd, &r, sizeof r, 0) != sizeof r) r = (t_register){0};
  bool good = token >= r.token;
  r.written += good;
  r.refused += !good;
  if (good) {
    r.token = token;
    r.acting = acting;
  }
  if (pwrite(fd, &r, sizeof r, 0) != sizeof r) abort();
  close(fd);
  return good;
}

/* ---- acting ---- */

/* A put of "TOKEN" that is done only while the lock is held; NULL: it is not. */
static coord_op *guarded_put(contender *c, int64_t token) {
  char value[64];
  int n = snprintf(value, sizeof value, "%lld %d.%d", (long long)token, c->number, ++c->written);
  coord_op *txn = coord_op_txn();
  coord_op *put = coord_op_put(c->rival->key, strlen(c->rival->key), value, (size_t)n);
  bool held = coord_op_if_held(txn, c->lock) == COORD_OK;
  coord_op_then(txn, put);
  coord_op_free(put);
  if (held) return txn;
  coord_op_free(txn);
  return NULL;
}

/* T_KEY_WRITTEN, T_KEY_REFUSED, or 0 when that is not known. */
static int do_guarded(contender *c, const coord_op *txn) {
  coord_result *result = NULL;
  coord_code code = coord_call(c->rival->client, txn, 2000, &result, NULL);
  int done = coord_result_succeeded(result) ? T_KEY_WRITTEN : T_KEY_REFUSED;
  coord_result_free(result);
  return code == COORD_OK ? done : 0;
}

/* The lock is held for sure from behind the first look that says so to before the last one. */
static bool act(contender *c) {
  t_entry e = {.kind = T_ACTED};
  e.to_ns = now_ns();
  if (!coord_lock_is_held(c->lock)) return false;
  e.from_ns = now_ns();
  e.flags = T_HELD_BEFORE;
  e.token = coord_lock_token(c->lock);
  coord_op *txn = guarded_put(c, e.token);
  /* Between the two it can be stopped, and the second write and the transaction come late. */
  if (e.token != 0) write_file(c->rival->dir, e.token, getpid());
  pause_us(some(some(4) == 0 ? 100000 : 1000));
  if (e.token != 0) {
    e.flags |= write_file(c->rival->dir, e.token, 0) ? T_FILE_WRITTEN : T_FILE_REFUSED;
  }
  if (txn != NULL) e.flags |= do_guarded(c, txn);
  if (c->stale != NULL) {
    e.flags |= T_STALE_TRIED;
    if (do_guarded(c, c->stale) == T_KEY_REFUSED) e.flags |= T_STALE_REFUSED;
    coord_op_free(c->stale);
    c->stale = NULL;
  }
  int64_t end = now_ns();
  if (coord_lock_is_held(c->lock)) {
    e.flags |= T_HELD_AFTER;
    e.to_ns = end;
  }
  note(c, e);
  coord_op_free(txn);
  return (e.flags & T_HELD_AFTER) != 0;
}

static void hold(contender *c) {
  coord_op *keep = guarded_put(c, coord_lock_token(c->lock));
  for (int i = some(4); i >= 0 && act(c); i--) pause_us(some(3000));
  if (some(20) == 0) {
    coord_op *renew = coord_op_lock_renew(c->lock);
    coord_call(c->rival->client, renew, 1000, NULL, NULL);
    coord_op_free(renew);
  }
  coord_op_free(c->stale);
  c->stale = keep;
}

/* ---- waiting ---- */

static void open_lock(contender *c) {
  coord_options *options = NULL;
  coord_options_new(&options);
  coord_options_set(options, "lock.ttl.s", c->rival->ttl_s, NULL);
  coord_options_set(options, "lock.lease", c->rival->own_leases ? "own" : "shared", NULL);
  if (coord_lock_open(c->rival->client, c->rival->name, strlen(c->rival->name), options, c->queue,
                      2, &c->lock, NULL) != COORD_OK) {
    abort();
  }
  coord_options_free(options);
}

/* The code of the acquire; one that has lasted `patience_ms` is cancelled. */
static coord_code wait_for_it(contender *c, int wait, int deadline_ms, int patience_ms) {
  uint64_t call = 0;
  coord_client *client = c->rival->client;
  coord_op *op = coord_op_acquire(c->lock, wait);
  coord_code code = coord_submit(client, op, deadline_ms, c->queue, 1, &call, NULL);
  coord_op_free(op);
  int64_t until = t_now_ms() + patience_ms;
  bool ended = code != COORD_OK;
  while (!ended) {
    coord_event *event = coord_queue_next(c->queue, 20);
    ended = event != NULL && coord_event_type(event) == COORD_EVENT_RESULT;
    if (ended) code = coord_event_code(event);
    coord_event_free(event);
    if (!ended && (atomic_load(&stop) || t_now_ms() > until)) {
      coord_cancel(client, call);
      until = INT64_MAX;
    }
  }
  return code;
}

static coord_code wait_somehow(contender *c) {
  int how = some(16);
  if (how == 0) return wait_for_it(c, 0, 3000, 60000);
  if (how <= 2) return wait_for_it(c, 1, 20 + some(1500), 60000);
  if (how == 3) return wait_for_it(c, 1, -1, some(500));
  return wait_for_it(c, 1, -1, 60000);
}

static void let_go(contender *c) {
  if (some(25) == 0) {
    coord_lock_free(c->lock);
    open_lock(c);
    return;
  }
  coord_op *op = coord_op_release(c->lock);
  coord_call(c->rival->client, op, some(10) == 0 ? 5 : 3000, NULL, NULL);
  coord_op_free(op);
}

static void *contend(void *arg) {
  contender *c = arg;
  if (coord_queue_open(&c->queue, NULL) != COORD_OK) abort();
  open_lock(c);
  while (!atomic_load(&stop)) {
    coord_code code = wait_somehow(c);
    note(c, (t_entry){.kind = T_WAIT_ENDED,
                      .code = code,
                      .token = code == COORD_OK ? coord_lock_token(c->lock) : 0,
                      .from_ns = now_ns()});
    if (code == COORD_OK) hold(c);
    if (code == COORD_OK) let_go(c);
    pause_us(some(code == COORD_OK || code == COORD_CONFLICT ? 20000 : 100000));
  }
  coord_lock_free(c->lock);
  coord_queue_free(c->queue);
  coord_op_free(c->stale);
  return NULL;
}

/* ---- the process ---- */

static void on_term(int number) {
  (void)number;
  atomic_store(&stop, true);
}

/* --rival ENDPOINTS NAME DIR TTL THREADS NUMBER own|shared */
void t_rival_main(int argc, char **argv) {
  if (argc != 9 || strcmp(argv[1], "--rival") != 0) return;
  rival r = {.name = argv[3], .dir = argv[4], .ttl_s = argv[5]};
  contender contenders[THREADS_MAX] = {0};
  char path[PATH];
  int threads = atoi(argv[6]), number = atoi(argv[7]);
  signal(SIGTERM, on_term);
  r.own_leases = strcmp(argv[8], "own") == 0;
  snprintf(r.key, sizeof r.key, "%s-guarded", r.name);
  snprintf(path, sizeof path, "%s/account-%d", r.dir, number);
  r.account = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  coord_options *options =
      t_options("endpoints", argv[2], "log.level", "off", "connect.lazy", "true",
                "gateway.max.connections", "4", "watch.liveness.ms", "1000", NULL);
  if (r.account < 0 || coord_client_open(options, &r.client, NULL) != COORD_OK) abort();
  coord_options_free(options);
  for (int i = 0; i < threads; i++) {
    contenders[i] = (contender){.rival = &r, .number = number * THREADS_MAX + i};
    if (pthread_create(&contenders[i].thread, NULL, contend, &contenders[i]) != 0) abort();
  }
  for (int i = 0; i < threads; i++) pthread_join(contenders[i].thread, NULL);
  coord_client_close(r.client, 5000, NULL);
  coord_client_free(r.client);
  close(r.account);
  exit(0);
}

pid_t t_rival_start(const t_rival_options *options) {
  char threads[16], number[16];
  pid_t parent = getpid();
  snprintf(threads, sizeof threads, "%d", options->threads);
  snprintf(number, sizeof number, "%d", options->number);
  T_FATAL(options->threads <= THREADS_MAX);
  pid_t pid = fork();
  T_FATAL(pid >= 0);
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    close_range(3, ~0U, 0);
    execl("/proc/self/exe", "rival", "--rival", options->endpoints, options->name, options->dir,
          options->ttl_s, threads, number, options->own_leases ? "own" : "shared", (char *)NULL);
    _exit(127);
  }
  return pid;
}

void t_rival_end(pid_t pid) {
  int status = -1;
  int64_t until = t_now_ms() + END_MS * T_SLOW;
  kill(pid, SIGTERM);
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (t_now_ms() > until) {
      T_FAIL("a rival does not end");
      kill(pid, SIGKILL);
      until = INT64_MAX;
    }
    pause_us(5000);
  }
  if (status != 0) T_FAIL("a rival ended with status 0x%x", (unsigned)status);
}

t_entry *t_rival_account(const char *dir, int number, size_t *count) {
  char path[PATH];
  struct stat about = {0};
  snprintf(path, sizeof path, "%s/account-%d", dir, number);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  *count = 0;
  if (fd < 0) return NULL; /* killed before it began */
  fstat(fd, &about);
  t_entry *entries = malloc((size_t)about.st_size + 1);
  T_FATAL(entries != NULL);
  ssize_t n = 0;
  for (size_t at = 0; (n = read(fd, (char *)entries + at, (size_t)about.st_size - at)) > 0;) {
    at += (size_t)n;
    *count = at / sizeof *entries;
  }
  close(fd);
  return entries;
}
