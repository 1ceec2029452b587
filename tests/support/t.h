/*
 * Test cases over CUnit: one executable per file, one line per case on standard output.
 *
 *   static void empty_key_is_refused(void) {
 *     coord_error *err = NULL;
 *     T_ERROR(coord_put(t_client(), "", 0, "v", 1, &err), COORD_INVALID, err, "key");
 *   }
 *   T_MAIN(T_CASE(empty_key_is_refused))
 *
 * Checks may be made from any thread of a case. Those that end the case (T_FATAL, T_SKIP) end only
 * the calling thread when it is not the one that runs the case.
 *
 *   NAME            runs the cases whose name contains it        --list   names them
 */
#ifndef COORD_TEST_T_H
#define COORD_TEST_T_H

#include <coord.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct t_case {
  const char *name;
  void (*run)(void);
} t_case;

#define T_CASE(function) \
  { #function, function }
#define T_MAIN(...)                                                          \
  int main(int argc, char **argv) {                                          \
    static const t_case t_cases_[] = {__VA_ARGS__};                          \
    return t_main(argc, argv, t_cases_, sizeof t_cases_ / sizeof *t_cases_); \
  }

#define T_TRUE(cond) t_true(__FILE__, __LINE__, #cond, (cond) ? true : false)
#define T_INT(actual, expected) \
  t_int(__FILE__, __LINE__, #actual, (long long)(actual), (long long)(expected))
/* Texts; NULL equals only NULL. */
#define T_STR(actual, expected) t_str(__FILE__, __LINE__, #actual, (actual), (expected))
/* `part` occurs in `actual`. */
#define T_HAS(actual, part) t_has(__FILE__, __LINE__, #actual, (actual), (part))
#define T_MEM(actual, n, expected, m) \
  t_mem(__FILE__, __LINE__, #actual, (actual), (n), (expected), (m))
/* The expression gives COORD_OK; if not, its code and the message of `err` (may be NULL) are told.
 */
#define T_OK(expr, err)                              \
  do {                                               \
    coord_code t_code_ = (expr);                     \
    t_ok(__FILE__, __LINE__, #expr, t_code_, (err)); \
  } while (0)
#define T_CODE(expr, code) t_code(__FILE__, __LINE__, #expr, (expr), (code))
/* The expression gives `code`, sets the variable `err` to the same code and a message that holds
 * `part` ("" holds always). The error is freed and the variable set to NULL. */
#define T_ERROR(expr, code, err, part)                                   \
  do {                                                                   \
    coord_code t_code_ = (expr);                                         \
    t_error(__FILE__, __LINE__, #expr, t_code_, (code), &(err), (part)); \
  } while (0)
/* Ends the case when it does not hold. */
#define T_FATAL(cond) t_fatal(__FILE__, __LINE__, #cond, (cond) ? true : false)
/* Ends the case, which counts as neither good nor bad. */
#define T_SKIP(why) t_skip(why)
/* A failure in words, printf-like; the case goes on. */
#define T_FAIL(...) t_fail(__FILE__, __LINE__, __VA_ARGS__)

/* Sanitized programs are slower: bounds on time are multiplied by this. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define T_SLOW 3
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define T_SLOW 3
#endif
#endif
#ifndef T_SLOW
#define T_SLOW 1
#endif

/* What began at `start`, by t_now_ms, has taken less than `ms` (times T_SLOW), but for the time for
 * which the machine had no processor for this program. */
#define T_WITHIN(start, ms) t_within(__FILE__, __LINE__, (start), (ms))

/* Milliseconds of a clock that only goes forward. */
int64_t t_now_ms(void);
/* For how long, since then, a thread that wants to run every few milliseconds could not. */
int64_t t_held_up_ms(int64_t since_ms);
/* Milliseconds since then, without those. */
int64_t t_took_ms(int64_t since_ms);
/* Asks until the answer is true or `ms` (times T_SLOW) have passed, without those; the last answer. */
bool t_wait_until(bool (*pred)(void *), void *arg, int ms);
/* The case is given up as hung after this long (times T_SLOW); 60 s unless told. */
void t_case_limit_s(int seconds);
/* The name of the case that runs; "" outside of one. */
const char *t_case_name(void);
/* A number that differs between the cases, and between programs that run at once. */
uint64_t t_case_id(void);
/* Called once when the program ends, even when a case hangs; newest first. At most 16. */
void t_at_exit(void (*function)(void));
/* Any case failed so far, the running one included. */
bool t_any_failed(void);

int t_main(int argc, char **argv, const t_case *cases, size_t n);
bool t_true(const char *file, int line, const char *text, bool holds);
bool t_int(const char *file, int line, const char *text, long long actual, long long expected);
bool t_str(const char *file, int line, const char *text, const char *actual, const char *expected);
bool t_has(const char *file, int line, const char *text, const char *actual, const char *part);
bool t_mem(const char *file, int line, const char *text, const void *actual, size_t n,
           const void *expected, size_t m);
bool t_ok(const char *file, int line, const char *text, coord_code code, const coord_error *err);
bool t_code(const char *file, int line, const char *text, coord_code actual, coord_code expected);
bool t_error(const char *file, int line, const char *text, coord_code actual, coord_code expected,
             coord_error **err, const char *part);
bool t_within(const char *file, int line, int64_t start_ms, int ms);
void t_fatal(const char *file, int line, const char *text, bool holds);
_Noreturn void t_skip(const char *why);
void t_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
