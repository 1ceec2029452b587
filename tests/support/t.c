#include "support/t.h"

#include <CUnit/CUnit.h>
#include <CUnit/TestDB.h>
#include <CUnit/TestRun.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { at_exit_max = 16, case_limit_s = 60, beat_ms = 5, beats_kept = 32768 };

static struct {
  const t_case *running;
  pthread_t runner;
  jmp_buf end_of_case;
  const char *skip;
  uint64_t case_count;
  unsigned failed;
  unsigned skipped;
  void (*at_exit[at_exit_max])(void);
  size_t at_exit_count;
} run;

/* CUnit's records are not for several threads, hence the lock around them. */
static pthread_mutex_t record_lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int64_t deadline_ms; /* 0: no case runs */
} watchdog = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

int64_t t_now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- What the machine takes away ------------------------------------------------------------------
 *
 * A thread that sleeps for a moment, over and over: how much later than it asked it wakes up. */

static struct {
  pid_t pid; /* a child has no such thread */
  pthread_mutex_t lock;
  int64_t at[beats_kept];   /* a ring */
  int64_t lost[beats_kept]; /* so far */
  size_t count;
} beats = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *beat(void *unused) {
  (void)unused;
  struct timespec pause = {0, beat_ms * 1000000L};
  for (;;) {
    int64_t slept_at = t_now_ms();
    nanosleep(&pause, NULL);
    pthread_mutex_lock(&beats.lock);
    int64_t now = t_now_ms(), over = now - slept_at - beat_ms - 1;
    int64_t before = beats.count > 0 ? beats.lost[(beats.count - 1) % beats_kept] : 0;
    beats.at[beats.count % beats_kept] = now;
    beats.lost[beats.count % beats_kept] = before + (over > 0 ? over : 0);
    beats.count++;
    pthread_mutex_unlock(&beats.lock);
  }
  return NULL;
}

int64_t t_held_up_ms(int64_t since_ms) {
  if (beats.pid != getpid()) return 0;
  pthread_mutex_lock(&beats.lock);
  size_t last = beats.count, i = last, oldest = last > beats_kept ? last - beats_kept : 0;
  while (i > oldest && beats.at[(i - 1) % beats_kept] > since_ms) i--;
  int64_t held = 0;
  if (last > 0) {
    int64_t now = t_now_ms(), at = beats.at[(last - 1) % beats_kept];
    int64_t open = now - (at > since_ms ? at : since_ms) - beat_ms - 1; /* it sleeps still */
    held = beats.lost[(last - 1) % beats_kept] - (i > 0 ? beats.lost[(i - 1) % beats_kept] : 0);
    if (open > 0) held += open;
    if (held > now - since_ms) held = now - since_ms;
  }
  pthread_mutex_unlock(&beats.lock);
  return held;
}

int64_t t_took_ms(int64_t since_ms) { return t_now_ms() - since_ms - t_held_up_ms(since_ms); }

bool t_wait_until(bool (*pred)(void *), void *arg, int ms) {
  int64_t start = t_now_ms();
  struct timespec pause = {0, 2000000};
  while (!pred(arg)) {
    if (t_took_ms(start) >= (int64_t)ms * T_SLOW) return pred(arg);
    nanosleep(&pause, NULL);
  }
  return true;
}

const char *t_case_name(void) { return run.running ? run.running->name : ""; }

uint64_t t_case_id(void) { return (uint64_t)getpid() << 16 | run.case_count; }

void t_at_exit(void (*function)(void)) {
  if (run.at_exit_count < at_exit_max) run.at_exit[run.at_exit_count++] = function;
}

bool t_any_failed(void) { return run.failed > 0 || CU_get_number_of_failures() > 0; }

static void leave(void) {
  while (run.at_exit_count > 0) run.at_exit[--run.at_exit_count]();
}

/* --- Failures ----------------------------------------------------------------------------------
 */

void t_fail(const char *file, int line, const char *format, ...) {
  char why[2048];
  va_list args;
  va_start(args, format);
  vsnprintf(why, sizeof why, format, args);
  va_end(args);
  for (char *p = why; *p != '\0'; p++) {
    if ((unsigned char)*p < ' ') *p = ' ';
  }
  pthread_mutex_lock(&record_lock);
  CU_assertImplementation(CU_FALSE, (unsigned)line, why, file, "", CU_FALSE);
  pthread_mutex_unlock(&record_lock);
}

static _Noreturn void end_case(void) {
  if (pthread_equal(pthread_self(), run.runner)) longjmp(run.end_of_case, 1);
  pthread_exit(NULL);
}

void t_fatal(const char *file, int line, const char *text, bool holds) {
  if (holds) return;
  t_fail(file, line, "%s does not hold (the case ends here)", text);
  end_case();
}

_Noreturn void t_skip(const char *why) {
  run.skip = why;
  end_case();
}

bool t_true(const char *file, int line, const char *text, bool holds) {
  if (!holds) t_fail(file, line, "%s does not hold", text);
  return holds;
}

bool t_int(const char *file, int line, const char *text, long long actual, long long expected) {
  if (actual == expected) return true;
  t_fail(file, line, "%s is %lld, not %lld", text, actual, expected);
  return false;
}

bool t_str(const char *file, int line, const char *text, const char *actual, const char *expected) {
  if (actual == expected || (actual && expected && strcmp(actual, expected) == 0)) return true;
  t_fail(file, line, "%s is \"%s\", not \"%s\"", text, actual ? actual : "(null)",
         expected ? expected : "(null)");
  return false;
}

bool t_has(const char *file, int line, const char *text, const char *actual, const char *part) {
  if (actual && strstr(actual, part)) return true;
  t_fail(file, line, "%s is \"%s\", which lacks \"%s\"", text, actual ? actual : "(null)", part);
  return false;
}

bool t_mem(const char *file, int line, const char *text, const void *actual, size_t n,
           const void *expected, size_t m) {
  if (n != m) {
    t_fail(file, line, "%s has %zu bytes, not %zu", text, n, m);
    return false;
  }
  const unsigned char *a = actual, *b = expected;
  for (size_t i = 0; i < n; i++) {
    if (a[i] == b[i]) continue;
    t_fail(file, line, "%s differs at byte %zu of %zu: 0x%02x, not 0x%02x", text, i, n, a[i], b[i]);
    return false;
  }
  return true;
}

bool t_ok(const char *file, int line, const char *text, coord_code code, const coord_error *err) {
  if (code == COORD_OK) return true;
  t_fail(file, line, "%s gave %s: %s", text, coord_code_name(code), coord_error_message(err));
  return false;
}

bool t_code(const char *file, int line, const char *text, coord_code actual, coord_code expected) {
  if (actual == expected) return true;
  t_fail(file, line, "%s gave %s, not %s", text, coord_code_name(actual),
         coord_code_name(expected));
  return false;
}

bool t_error(const char *file, int line, const char *text, coord_code actual, coord_code expected,
             coord_error **err, const char *part) {
  const char *message = coord_error_message(*err);
  bool good = false;
  if (actual != expected) {
    t_fail(file, line, "%s gave %s, not %s: %s", text, coord_code_name(actual),
           coord_code_name(expected), message);
  } else if (!*err) {
    t_fail(file, line, "%s gave %s without an error object", text, coord_code_name(actual));
  } else if (coord_error_code(*err) != expected) {
    t_fail(file, line, "%s gave %s, but its error says %s: %s", text, coord_code_name(actual),
           coord_code_name(coord_error_code(*err)), message);
  } else if (message[0] == '\0' || !strstr(message, part)) {
    t_fail(file, line, "%s gave the message \"%s\", which lacks \"%s\"", text, message, part);
  } else {
    good = true;
  }
  coord_error_free(*err);
  *err = NULL;
  return good;
}

bool t_within(const char *file, int line, int64_t start_ms, int ms) {
  int64_t took = t_now_ms() - start_ms, held = t_held_up_ms(start_ms);
  if (took - held < (int64_t)ms * T_SLOW) return true;
  t_fail(file, line, "it took %lld ms, for %lld of which the machine was busy: not within %d ms",
         (long long)took, (long long)held, ms * T_SLOW);
  return false;
}

#ifdef __SANITIZE_THREAD__
/* Cases about fork start threads in their children; ThreadSanitizer would end those. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void) { return "die_after_fork=0"; }
#endif

/* --- A case that hangs --------------------------------------------------------------------------
 */

void t_case_limit_s(int seconds) {
  pthread_mutex_lock(&watchdog.lock);
  watchdog.deadline_ms = seconds > 0 ? t_now_ms() + (int64_t)seconds * 1000 * T_SLOW : 0;
  pthread_cond_signal(&watchdog.changed);
  pthread_mutex_unlock(&watchdog.lock);
}

static void *watch_for_hang(void *unused) {
  (void)unused;
  pthread_mutex_lock(&watchdog.lock);
  for (;;) {
    int64_t left = watchdog.deadline_ms - t_now_ms();
    if (watchdog.deadline_ms == 0) {
      pthread_cond_wait(&watchdog.changed, &watchdog.lock);
    } else if (left > 0) {
      struct timespec until;
      clock_gettime(CLOCK_REALTIME, &until);
      until.tv_sec += (time_t)(left / 1000 + 1);
      pthread_cond_timedwait(&watchdog.changed, &watchdog.lock, &until);
    } else {
      printf("not ok %s: it hangs\n", t_case_name());
      fflush(stdout);
      leave();
      _exit(1);
    }
  }
  return NULL;
}

static void start_thread(void *(*run_it)(void *unused)) {
  pthread_t thread;
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  if (pthread_create(&thread, &attr, run_it, NULL) != 0) abort();
  pthread_attr_destroy(&attr);
}

/* --- Running ------------------------------------------------------------------------------------
 */

static const t_case *all_cases;
static size_t all_count;

static const t_case *case_named(const char *name) {
  for (size_t i = 0; i < all_count; i++) {
    if (strcmp(all_cases[i].name, name) == 0) return &all_cases[i];
  }
  abort();
}

/* Every case is registered as this function: it gives them a common way out in the middle. */
static void run_case(void) {
  run.running = case_named(CU_get_current_test()->pName);
  run.runner = pthread_self();
  run.skip = NULL;
  run.case_count++;
  t_case_limit_s(case_limit_s);
  if (setjmp(run.end_of_case) == 0) run.running->run();
  t_case_limit_s(0);
}

static const char *short_name(const char *file) {
  const char *tests = strstr(file, "tests/");
  return tests ? tests : file;
}

static void report_case(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord first) {
  (void)suite;
  if (first) {
    run.failed++;
    printf("not ok %s: %s:%u: %s\n", test->pName, short_name(first->strFileName),
           first->uiLineNumber, first->strCondition);
    for (CU_pFailureRecord next = first->pNext; next; next = next->pNext) {
      printf("# also %s:%u: %s\n", short_name(next->strFileName), next->uiLineNumber,
             next->strCondition);
    }
  } else if (run.skip) {
    run.skipped++;
    printf("skip %s: %s\n", test->pName, run.skip);
  } else {
    printf("ok %s\n", test->pName);
  }
  fflush(stdout);
}

int t_main(int argc, char **argv, const t_case *cases, size_t n) {
  const char *wanted = argc > 1 ? argv[1] : "";
  all_cases = cases;
  all_count = n;
  if (strcmp(wanted, "--list") == 0) {
    for (size_t i = 0; i < n; i++) puts(cases[i].name);
    return 0;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (CU_initialize_registry() != CUE_SUCCESS) abort();
  CU_pSuite suite = CU_add_suite(argv[0], NULL, NULL);
  if (!suite) abort();
  for (size_t i = 0; i < n; i++) {
    if (strstr(cases[i].name, wanted) && !CU_add_test(suite, cases[i].name, run_case)) abort();
  }
  CU_set_test_complete_handler(report_case);
  beats.pid = getpid();
  start_thread(watch_for_hang);
  start_thread(beat);
  if (suite->uiNumberOfTests == 0) {
    fprintf(stderr, "no case is called \"%s\"; --list names them\n", wanted);
    run.failed++;
  } else if (CU_run_all_tests() != CUE_SUCCESS) {
    run.failed++;
  }
  CU_cleanup_registry();
  leave();
  return run.failed == 0 ? 0 : 1;
}
